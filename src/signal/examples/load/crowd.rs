//! Many members that do nothing but read what they are sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use converge_signal::TopicHash;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::Result;
use crate::client::{ClientError, Peer, Socket, Sources, Target, close};

/// How many connect at a time: as many as keep a server busy.
const AT_ONCE: usize = 32;

#[derive(Default)]
pub(crate) struct Crowd {
    readers: JoinSet<()>,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard {
    texts: AtomicU64,
    ended: AtomicUsize,
}

impl Crowd {
    /// Has that many peers join, each the topic that `topic` gives its number.
    pub(crate) async fn gather(
        target: Target,
        count: u64,
        sources: &Sources,
        topic: impl Fn(u64) -> TopicHash,
    ) -> Result<Self> {
        let joins = (0..count).map(|number| {
            let topic = topic(number);
            async move { target.join(&Peer::new(number), topic, sources.next()).await }
        });
        let mut crowd = Self::default();
        let mut joined = stream::iter(joins).buffer_unordered(AT_ONCE);
        while let Some(socket) = joined.try_next().await? {
            crowd.add(socket);
        }
        Ok(crowd)
    }

    pub(crate) fn add(&mut self, mut socket: Socket) {
        let heard = self.heard.clone();
        self.readers.spawn(async move {
            // Pings are answered meanwhile.
            while let Some(Ok(message)) = socket.next().await {
                if message.is_text() {
                    heard.texts.fetch_add(1, Ordering::Relaxed);
                }
            }
            heard.ended.fetch_add(1, Ordering::Relaxed);
        });
    }

    /// Text frames that came since they have joined.
    pub(crate) fn heard(&self) -> u64 {
        self.heard.texts.load(Ordering::Relaxed)
    }

    /// None has been dropped: else what is measured is not what it seems to be.
    pub(crate) fn check(&self) -> Result<()> {
        match self.heard.ended.load(Ordering::Relaxed) {
            0 => Ok(()),
            ended => Err(format!("{ended} idle members were dropped").into()),
        }
    }
}

/// How those who come do so: so many at a time, and so many a second at most, where that is not 0.
pub(crate) type Pace = (usize, u32);

/// Peers that join, each with its number's key and topic, and stay.
pub(crate) fn come(
    target: Target,
    numbers: impl Iterator<Item = u64>,
    (at_once, pace): Pace,
    sources: &Sources,
    topic: impl Fn(u64) -> TopicHash,
) -> impl Stream<Item = Result<Socket, ClientError>> {
    let mut due = Instant::now();
    let joins = numbers.map(move |number| {
        let topic = topic(number);
        let at = due;
        due += Duration::from_secs(1).checked_div(pace).unwrap_or_default();
        async move {
            sleep_until(at).await;
            target.join(&Peer::new(number), topic, sources.next()).await
        }
    });
    stream::iter(joins).buffer_unordered(at_once)
}

/// All leave in order.
pub(crate) async fn part(sockets: Vec<Socket>) -> Result<()> {
    let closed = stream::iter(sockets.into_iter().map(close)).buffer_unordered(AT_ONCE);
    Ok(closed.try_for_each(|()| async { Ok::<_, ClientError>(()) }).await?)
}

/// The same, who leave again at once.
pub(crate) async fn come_and_go(
    target: Target,
    numbers: impl Iterator<Item = u64>,
    pace: Pace,
    sources: &Sources,
    topic: impl Fn(u64) -> TopicHash,
) -> Result<()> {
    let left = come(target, numbers, pace, sources, topic).map(|joined| async { close(joined?).await });
    Ok(left.buffer_unordered(pace.0).try_for_each(|()| async { Ok::<_, ClientError>(()) }).await?)
}
