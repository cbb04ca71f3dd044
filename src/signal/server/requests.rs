//! Budgets of requests for each source, and fair turns.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::DefaultClock;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::address::Source;
use super::limiter::{Keyed, quota};
use super::listen::Client;

/// How long a request over the budget waits before it is refused. A client that doesn't slow down makes one request in
/// this time on each of its connections, which are limited.
const REFUSE_AFTER: Duration = Duration::from_secs(1);

/// How long turns are remembered.
const FORGET_AFTER: Duration = Duration::from_secs(10);

/// A budget of requests for each source, for an application's own routes. A request costs far more to answer than to
/// make.
pub struct RequestBudget {
    by_source: Keyed<Source>,
    turns: Option<Arc<Turns>>,
}

/// A request that may be answered. It counts as in progress until this is dropped.
#[must_use]
pub struct Admitted(#[expect(dead_code, reason = "held, not read")] Option<Turn>);

/// Limits how many answers take processor time at once, so that all else is still served.
struct Turns(Mutex<Queue>);

struct Queue {
    free: usize,
    /// The source with the fewest recent turns comes first: a visitor waits only for answers in progress, whatever
    /// others have requested.
    waiting: BTreeMap<(u32, u64), oneshot::Sender<Turn>>,
    next: u64,
    taken: HashMap<Source, u32>,
    since: Instant,
}

struct Turn(Arc<Turns>);

impl RequestBudget {
    /// Makes a budget of this many requests a second for each source in the long run, and `burst` at once.
    pub fn new(per_second: u32, burst: u32) -> Self {
        Self { by_source: Keyed::new(quota(per_second, burst), DefaultClock::default()), turns: None }
    }

    /// Limits the requests being answered at a time to `most`, at least one. Sources with few recent requests come
    /// first.
    pub fn at_a_time(self, most: usize) -> Self {
        let (waiting, taken) = (BTreeMap::new(), HashMap::new());
        let queue = Queue { free: most.max(1), waiting, next: 0, taken, since: Instant::now() };
        Self { turns: Some(Arc::new(Turns(Mutex::new(queue)))), ..self }
    }

    /// Waits until a request may be answered. One over the budget waits for a second and is checked again, which slows
    /// a short burst rather than refusing it. Returns [`None`] if the budget is still exceeded. A request without a
    /// [`Client`] is not limited.
    pub async fn admit(&self, client: Option<&Client>) -> Option<Admitted> {
        let Some(Client(source)) = client else { return Some(Admitted(None)) };
        if !self.by_source.allow(source) {
            sleep(REFUSE_AFTER).await;
            if !self.by_source.allow(source) {
                return None;
            }
        }
        let Some(turns) = &self.turns else { return Some(Admitted(None)) };
        // The channel closes only with the budget.
        Some(Admitted(turns.clone().wait(*source).await.ok()))
    }
}

impl Turns {
    fn wait(self: Arc<Self>, source: Source) -> oneshot::Receiver<Turn> {
        let (sender, turn) = oneshot::channel();
        let mut queue = self.lock();
        if queue.since.elapsed() > FORGET_AFTER {
            queue.taken.clear();
            queue.since = Instant::now();
        }
        let taken = queue.taken.entry(source).or_default();
        *taken += 1;
        let key = (*taken, queue.next);
        queue.next += 1;
        queue.waiting.insert(key, sender);
        let free = queue.free > 0;
        if free {
            queue.free -= 1;
        }
        drop(queue);
        if free {
            // The turn goes to the first in the queue, and on from there.
            drop(Turn(self));
        }
        turn
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = {
            let mut queue = self.0.lock();
            // In a loop: a turn sent to a cancelled request is dropped within this drop, and thousands may be cancelled.
            loop {
                match queue.waiting.pop_first() {
                    Some((_, next)) if next.is_closed() => {}
                    Some((_, next)) => break next,
                    None => {
                        queue.free += 1;
                        return;
                    }
                }
            }
        };
        // A request cancelled since then drops the turn at once, which passes it on.
        let _ = next.send(Turn(self.0.clone()));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::IpAddr;

    use super::*;

    fn client(n: u8) -> Client {
        Client(IpAddr::from([192, 0, 2, n]).into())
    }

    #[tokio::test(start_paused = true)]
    async fn each_source_has_its_own_budget_and_an_unknown_client_none() {
        let budget = RequestBudget::new(1, 2);
        let [ada, ben] = [1, 2].map(client);
        assert!(budget.admit(Some(&ada)).await.is_some() && budget.admit(Some(&ada)).await.is_some());
        assert!(budget.admit(Some(&ada)).await.is_none(), "the third at once");
        assert!(budget.admit(Some(&ben)).await.is_some() && budget.admit(None).await.is_some());
    }

    fn one_turn() -> Arc<Turns> {
        let (waiting, taken) = (BTreeMap::new(), HashMap::new());
        Arc::new(Turns(Mutex::new(Queue { free: 1, waiting, next: 0, taken, since: Instant::now() })))
    }

    #[tokio::test]
    async fn any_number_of_cancelled_requests_are_passed_over() {
        let turns = one_turn();
        let Client(ada) = client(1);
        let first = turns.clone().wait(ada).await.unwrap();
        let cancelled: Vec<_> = (0..100_000).map(|_| turns.clone().wait(ada)).collect();
        let mut last = turns.clone().wait(ada);
        drop(cancelled);
        drop(first);
        drop(last.try_recv().unwrap());
        assert_eq!(turns.lock().free, 1);
    }

    #[tokio::test]
    async fn sources_with_few_requests_come_first() {
        let turns = one_turn();
        let [Client(ada), Client(ben)] = [1, 2].map(client);
        let first = turns.clone().wait(ada).await.unwrap();
        let mut hasty: Vec<_> = (0..3).map(|_| turns.clone().wait(ada)).collect();
        let mut visitor = turns.clone().wait(ben);
        let given_up = turns.clone().wait(ben);
        drop(first);
        let turn = visitor.try_recv().unwrap();
        assert!(hasty.iter_mut().all(|waiting| waiting.try_recv().is_err()));
        drop(given_up);
        drop(turn);
        for waiting in &mut hasty {
            drop(waiting.try_recv().unwrap());
        }
        assert_eq!(turns.lock().free, 1);
        assert!(turns.lock().waiting.is_empty());
    }
}
