//! Requests and replies.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use converge_signal::PeerId;
use serde::de::DeserializeOwned;

use super::Client;
use crate::codec::{Codec, CodecError, Json, Payload};
use crate::driver::{Responding, WeakDriver};
use crate::error::{RequestError, SendError};
use crate::event::RequestId;

/// How long a request waits unless it is told otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A request to one member; awaiting it gives the reply. See [`Client::request`].
#[must_use = "a request is sent when it is awaited"]
pub struct Request<R> {
    driver: WeakDriver,
    stage: Stage,
    decode: fn(&Payload) -> Result<R, CodecError>,
}

enum Stage {
    New { peer: PeerId, channel: String, payload: Result<Payload, CodecError>, timeout: Duration },
    Sent { request: RequestId, reply: Arc<Waiting> },
    Over,
}

/// Where the driver puts the reply.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<Reply>);

#[derive(Default)]
struct Reply {
    result: Option<Result<Payload, RequestError>>,
    waker: Option<Waker>,
}

impl Waiting {
    #[cfg_attr(not(target_family = "wasm"), expect(dead_code, reason = "only a browser gets replies"))]
    pub(crate) fn fulfil(&self, result: Result<Payload, RequestError>) {
        let waker = {
            let mut reply = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            reply.result = Some(result);
            reply.waker.take()
        };
        // Unlocked: a waker may poll at once.
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Result<Payload, RequestError>> {
        let mut reply = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match reply.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                reply.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<R> Request<R> {
    pub(super) fn new(
        client: &Client,
        peer: PeerId,
        channel: &str,
        payload: Result<Payload, CodecError>,
        decode: fn(&Payload) -> Result<R, CodecError>,
    ) -> Self {
        let stage = Stage::New { peer, channel: channel.to_owned(), payload, timeout: TIMEOUT };
        Self { driver: client.driver.downgrade(), stage, decode }
    }

    /// Waits this long for the reply, instead of 10 s. What is under way already keeps its time.
    pub fn timeout(mut self, wait: Duration) -> Self {
        if let Stage::New { timeout, .. } = &mut self.stage {
            *timeout = wait;
        }
        self
    }

    fn send(&mut self) -> Result<(), SendError> {
        let Stage::New { peer, channel, payload, timeout } = std::mem::replace(&mut self.stage, Stage::Over) else {
            return Ok(());
        };
        let payload = payload?;
        let driver = self.driver.upgrade().ok_or(SendError::Closed)?;
        let reply = Arc::new(Waiting::default());
        let request = driver.request(peer, &channel, &payload, timeout, &reply)?;
        self.stage = Stage::Sent { request, reply };
        Ok(())
    }
}

impl<R> Future for Request<R> {
    type Output = Result<R, RequestError>;

    /// After the reply there is nothing more to come: polled again, it stays pending.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if matches!(this.stage, Stage::New { .. })
            && let Err(error) = this.send()
        {
            return Poll::Ready(Err(RequestError::Send(error)));
        }
        let Stage::Sent { reply, .. } = &this.stage else { return Poll::Pending };
        let Poll::Ready(result) = reply.poll(context) else { return Poll::Pending };
        this.stage = Stage::Over;
        Poll::Ready(result.and_then(|payload| (this.decode)(&payload).map_err(RequestError::Reply)))
    }
}

impl<R> Drop for Request<R> {
    fn drop(&mut self) {
        if let Stage::Sent { request, .. } = self.stage {
            self.driver.cancel_request(request);
        }
    }
}

/// What a responder makes of a question.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Payload, String>>>>;

/// Replies on a channel until it is dropped. See [`Client::serve`].
#[must_use = "what is asked is replied to until this is dropped"]
pub struct Serving {
    _responding: Responding,
}

impl Serving {
    pub(super) fn new<Q, R, F, Fut>(
        client: &Client,
        channel: &str,
        decode: fn(&Payload) -> Result<Q, CodecError>,
        encode: fn(&R) -> Result<Payload, CodecError>,
        handler: F,
    ) -> Result<Self, SendError>
    where
        Q: 'static,
        R: 'static,
        F: Fn(PeerId, Q) -> Fut + 'static,
        Fut: Future<Output = Result<R, String>> + 'static,
    {
        let answer = move |from: PeerId, payload: &Payload| -> Answer {
            match decode(payload) {
                Ok(asked) => {
                    let thought = handler(from, asked);
                    Box::pin(async move { encode(&thought.await?).map_err(|error| error.to_string()) })
                }
                Err(error) => Box::pin(std::future::ready(Err(error.to_string()))),
            }
        };
        Ok(Self { _responding: client.driver.serve(channel, answer)? })
    }
}

/// As [`Json`] reads, for values that need not be written.
pub(super) fn read_json<T: DeserializeOwned>(payload: &Payload) -> Result<T, CodecError> {
    let expected = <Json as Codec<()>>::TAG;
    if payload.codec != expected {
        return Err(CodecError::Mismatch { expected, found: payload.codec });
    }
    serde_json::from_slice(&payload.bytes).map_err(|error| CodecError::Decode(error.to_string()))
}
