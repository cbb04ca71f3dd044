//! The queue of frames to one socket, bounded in bytes.
//!
//! Half of it is for signals, which their senders share by dynamic thresholds (Choudhury and Hahne, 1998): a sender may
//! queue as much as is still free. One sender alone gets up to half of the signals' part, eight get a ninth each, and
//! as much is always left for another. Members that flood a slow reader thus lose only their own signals. They displace
//! neither others' signals nor the server's frames, and can't have the reader dropped.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::hub::ConnId;

/// While at most one in this many of the signals' bytes is taken, shares are not counted: the reader keeps up, as
/// nearly all do.
const UNCOUNTED: usize = 8;

/// What waits to be written to one socket. Filled by whoever has something for it, emptied by the socket's own task.
pub(super) struct Outbox {
    state: Mutex<Waiting>,
    limit: usize,
}

#[derive(Default)]
struct Waiting {
    frames: VecDeque<Arc<str>>,
    bytes: usize,
    /// How many of the bytes are signals.
    signal_bytes: usize,
    /// Each sender's bytes of signals, while they are counted.
    shares: BTreeMap<ConnId, usize>,
    close: Option<Close>,
    overflown: bool,
    waker: Option<Waker>,
}

/// The outcome of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    Queued,
    /// The sender's share is used up: the signal was dropped.
    Dropped,
    /// The server's own frames no longer fit: the connection must end.
    Overflown,
}

/// The close frame to end with.
pub(super) type Close = (u16, &'static str);

/// What to write next.
pub(super) enum Batch {
    Frames(VecDeque<Arc<str>>),
    Close(VecDeque<Arc<str>>, Close),
    /// The other side does not read: there is no use in writing more.
    Drop,
}

impl Outbox {
    pub(super) fn new(limit: usize) -> Self {
        Self { state: Mutex::default(), limit }
    }

    /// Queues a frame: the signal of another connection, or one of the server's own.
    pub(super) fn push(&self, frame: Arc<str>, from: Option<ConnId>) -> Pushed {
        let mut waiting = self.lock();
        if let Some(sender) = from {
            // Whatever else waits: no member's signal costs its receiver the connection.
            let fits = waiting.bytes + frame.len() <= self.limit;
            if !fits || !waiting.share(sender, frame.len(), self.limit / 2) {
                return Pushed::Dropped;
            }
            waiting.signal_bytes += frame.len();
        }
        if waiting.bytes + frame.len() > self.limit {
            waiting.overflown = true;
        } else {
            waiting.bytes += frame.len();
            waiting.frames.push_back(frame);
        }
        let pushed = if waiting.overflown { Pushed::Overflown } else { Pushed::Queued };
        Self::wake(waiting);
        pushed
    }

    /// Ends the connection, once what waits has been written.
    pub(super) fn close(&self, close: Close) {
        let mut waiting = self.lock();
        waiting.close = Some(close);
        Self::wake(waiting);
    }

    /// What to write next, when there is something.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<Batch> {
        let mut waiting = self.lock();
        if waiting.overflown {
            return Poll::Ready(Batch::Drop);
        }
        if waiting.frames.is_empty() && waiting.close.is_none() {
            Self::wait(&mut waiting, cx);
            return Poll::Pending;
        }
        let frames = std::mem::take(&mut waiting.frames);
        // What was taken no longer counts: it is written at once, and that has a time limit of its own.
        (waiting.bytes, waiting.signal_bytes) = (0, 0);
        if !waiting.shares.is_empty() {
            waiting.shares.clear();
        }
        Poll::Ready(match waiting.close {
            Some(close) => Batch::Close(frames, close),
            None => Batch::Frames(frames),
        })
    }

    /// Ready when the outbox has overflown.
    pub(super) fn poll_overflow(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut waiting = self.lock();
        if waiting.overflown {
            return Poll::Ready(());
        }
        Self::wait(&mut waiting, cx);
        Poll::Pending
    }

    fn wait(waiting: &mut Waiting, cx: &Context<'_>) {
        if !waiting.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            waiting.waker = Some(cx.waker().clone());
        }
    }

    fn wake(mut waiting: MutexGuard<'_, Waiting>) {
        let waker = waiting.waker.take();
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Counts a signal's bytes as its sender's, of `most` for all together. Returns `false` if they exceed its share.
    fn share(&mut self, sender: ConnId, bytes: usize, most: usize) -> bool {
        // A lone signal fits, however large frames may be.
        if self.signal_bytes == 0 || self.signal_bytes + bytes <= most / UNCOUNTED {
            return true;
        }
        let share = self.shares.entry(sender).or_default();
        // The share includes this signal, or the last of several large ones would take all that is left.
        let fits = *share + bytes <= most.saturating_sub(self.signal_bytes + bytes);
        if fits {
            *share += bytes;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 256 * 1024;

    /// Has each of these connections push signals in turn, until each had one dropped. Returns how many bytes each
    /// queued.
    fn flood(outbox: &Outbox, senders: std::ops::Range<ConnId>, bytes: usize) -> Vec<usize> {
        let frame: Arc<str> = "x".repeat(bytes).into();
        let mut queued = vec![0; senders.clone().count()];
        loop {
            let before: usize = queued.iter().sum();
            for (sender, queued) in senders.clone().zip(&mut queued) {
                match outbox.push(frame.clone(), Some(sender)) {
                    Pushed::Queued => *queued += bytes,
                    Pushed::Dropped => {}
                    Pushed::Overflown => panic!("signals of others have made the outbox overflow"),
                }
            }
            if queued.iter().sum::<usize>() == before {
                return queued;
            }
        }
    }

    fn take(outbox: &Outbox) -> usize {
        match outbox.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Batch::Frames(frames)) => frames.len(),
            _ => 0,
        }
    }

    #[test]
    fn senders_that_flood_a_reader_get_equal_shares_and_leave_one_for_another() {
        for senders in [1, 2, 8, 30] {
            let outbox = Outbox::new(LIMIT);
            let queued = flood(&outbox, 0..senders, 1_000);
            // The first bytes are not counted.
            let share = (LIMIT / 2 - LIMIT / 2 / UNCOUNTED) / (senders as usize + 1);
            assert!(queued.iter().all(|queued| queued.abs_diff(share) <= LIMIT / 16 + 1_000), "{senders}: {queued:?}");
            assert!(queued.iter().sum::<usize>() + share <= LIMIT / 2 + 2_000, "{senders}: {queued:?}");
            assert_eq!(
                outbox.push("x".repeat(1_500).into(), Some(99)),
                Pushed::Queued,
                "{senders}: a member that is calm"
            );
            let news: Arc<str> = "n".repeat(LIMIT / 2 - 4_000).into();
            assert_eq!(outbox.push(news, None), Pushed::Queued, "{senders}: the server's part is free");
            assert_eq!(outbox.push("x".repeat(4_000).into(), Some(0)), Pushed::Dropped);
        }
    }

    #[test]
    fn a_flood_takes_nothing_from_a_sender_that_was_there_before() {
        let outbox = Outbox::new(LIMIT);
        for _ in 0..10 {
            assert_eq!(outbox.push("x".repeat(1_000).into(), Some(99)), Pushed::Queued);
        }
        let frames = 10 + flood(&outbox, 0..8, 16_000).iter().sum::<usize>() / 16_000;
        assert_eq!(outbox.push("x".repeat(3_000).into(), Some(100)), Pushed::Queued, "nor from one that comes later");
        assert_eq!(take(&outbox), frames + 1, "all that was queued is written");
        assert_eq!(take(&outbox), 0);
    }

    #[test]
    fn shares_come_back_when_the_reader_has_read() {
        let outbox = Outbox::new(LIMIT);
        let queued = flood(&outbox, 0..1, 10_000);
        take(&outbox);
        assert_eq!(flood(&outbox, 0..1, 10_000), queued);
    }

    #[test]
    fn the_largest_frame_fits_into_the_smallest_outbox() {
        let outbox = Outbox::new(131_072);
        assert_eq!(outbox.push("x".repeat(65_536 + 200).into(), Some(1)), Pushed::Queued);
        assert_eq!(outbox.push("x".repeat(65_536 + 200).into(), Some(1)), Pushed::Dropped);
        assert_eq!(outbox.push("n".repeat(60_000).into(), None), Pushed::Queued);
    }

    #[test]
    fn the_server_s_frames_are_never_dropped_but_bounded() {
        let outbox = Outbox::new(LIMIT);
        let news: Arc<str> = "n".repeat(1_000).into();
        let queued = (0..LIMIT).take_while(|_| outbox.push(news.clone(), None) == Pushed::Queued).count();
        assert_eq!(queued, LIMIT / 1_000);
        assert!(matches!(outbox.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Batch::Drop)));
    }
}
