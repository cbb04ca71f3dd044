//! Counts the bytes read from a connection, and ends it if its reader stalls.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::slots::Slot;

/// The time that each byte taken restores, up to the whole limit: a reader may be as slow as
/// some 4 kB/s, for the kernel reports room only once 32 KiB have gone.
const FOR_EACH_BYTE: Duration = Duration::from_millis(1);

/// A stream that limits how long writes may be blocked. hyper waits without end for a client that doesn't read its
/// response.
pub(super) struct Transport<S> {
    stream: S,
    slot: Arc<Slot>,
    most: Duration,
    /// How long writes may still be blocked.
    left: Duration,
    /// Set while a write is blocked. Boxed, because most connections never have one.
    blocked: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Transport<S> {
    pub(super) fn new(stream: S, slot: Arc<Slot>, blocked_within: Duration) -> Self {
        Self { stream, slot, most: blocked_within, left: blocked_within, blocked: None }
    }

    /// Returns a write's result, or an error if writes were blocked for too long.
    fn limit<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
        bytes: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        let Poll::Ready(written) = polled else {
            let blocked = self.blocked.get_or_insert_with(|| Box::pin(sleep(self.left)));
            ready!(blocked.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        };
        if let Some(blocked) = self.blocked.take() {
            self.left = blocked.deadline().saturating_duration_since(Instant::now());
        }
        if let Ok(written) = &written {
            let bytes = u32::try_from(bytes(written)).unwrap_or(u32::MAX);
            self.left = self.left.saturating_add(FOR_EACH_BYTE.saturating_mul(bytes)).min(self.most);
        }
        Poll::Ready(written)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Transport<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.slot.count_read(buf.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Transport<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.limit(cx, polled, |written| *written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.limit(cx, polled, |written| *written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.limit(cx, polled, |()| 0)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.limit(cx, polled, |()| 0)
    }
}
