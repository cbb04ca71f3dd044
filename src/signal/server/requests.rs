//! How many requests of a kind one source may make.

use std::time::Duration;

use governor::clock::DefaultClock;
use tokio::time::sleep;

use super::address::Source;
use super::limiter::{Keyed, quota};
use super::listen::Client;

/// How long a request over the budget waits before it is refused. A client that goes on regardless makes no more than one
/// request in this time on each of its connections, and those are limited.
const REFUSE_AFTER: Duration = Duration::from_secs(1);

/// A budget of requests for each source, for an application's own routes. A request costs far more to answer than to
/// make.
pub struct RequestBudget {
    by_source: Keyed<Source>,
}

impl RequestBudget {
    /// Allows each source this many requests a second in the long run, and `burst` at once.
    pub fn new(per_second: u32, burst: u32) -> Self {
        Self { by_source: Keyed::new(quota(per_second, burst), DefaultClock::default()) }
    }

    /// Returns whether a request may be answered. One over the budget waits for a second and is then asked again, so
    /// a short burst is slowed rather than refused. A request without a [`Client`] is not limited.
    pub async fn admit(&self, client: Option<&Client>) -> bool {
        let Some(Client(source)) = client else { return true };
        if self.by_source.allow(source) {
            return true;
        }
        sleep(REFUSE_AFTER).await;
        self.by_source.allow(source)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_source_has_its_own_budget_and_a_client_that_is_not_known_none() {
        let budget = RequestBudget::new(1, 2);
        let [ada, ben] = [1, 2].map(|n| Client(IpAddr::from([192, 0, 2, n]).into()));
        assert!(budget.admit(Some(&ada)).await && budget.admit(Some(&ada)).await);
        assert!(!budget.admit(Some(&ada)).await, "the third at once");
        assert!(budget.admit(Some(&ben)).await && budget.admit(None).await);
    }
}
