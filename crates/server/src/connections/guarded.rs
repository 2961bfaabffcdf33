//! A stream that ends when nothing comes of it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::{Activity, Place};

/// A stream that reads as ended once its connection was without a request for too long, and that fails once its other side
/// takes nothing of what it is sent for too long.
///
/// Requests count, not bytes: pings of HTTP/2 and headers that drip in keep no connection open, nor does an answer that
/// nobody takes off the stream.
#[derive(Debug)]
pub struct Guarded<Stream> {
    stream: Stream,
    activity: Arc<Activity>,
    idle: Duration,
    patience: Duration,
    /// Looks at the activity when it ends, rather than being set anew by each request.
    idle_timer: Pin<Box<Sleep>>,
    stalled: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

impl<Stream> Guarded<Stream> {
    pub(super) fn new(
        stream: Stream,
        place: Place,
        activity: Arc<Activity>,
        idle: Duration,
        patience: Duration,
    ) -> Self {
        let idle_timer = Box::pin(sleep(idle));
        Self { stream, activity, idle, patience, idle_timer, stalled: None, _place: place }
    }

    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.idle_timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            let idle_at = self.activity.idle_at(self.idle);
            if idle_at <= Instant::now() {
                return Poll::Ready(());
            }
            self.idle_timer.as_mut().reset(idle_at);
        }
    }

    /// Passes on what a write came to, unless it has stalled for too long.
    fn written<T>(&mut self, outcome: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        let patience = self.patience;
        let timer = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        timer.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<Stream: AsyncRead + Unpin> AsyncRead for Guarded<Stream> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        // Nothing put into the buffer is the end of the stream.
        if read.is_pending() { self.poll_idle(context).map(Ok) } else { read }
    }
}

impl<Stream: AsyncWrite + Unpin> AsyncWrite for Guarded<Stream> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(outcome, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.written(outcome, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        self.written(outcome, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(context);
        self.written(outcome, context)
    }
}
