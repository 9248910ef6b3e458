//! How long does the server wait for a client that takes nothing of its answer?
//!
//! [`Patient`] is a connection that breaks once no byte could be written for [`WRITE_TIME`]. Without
//! it, somebody who asks and never reads holds a connection for ever: TCP itself keeps a peer that
//! announces no room alive without end (RFC 9293, section 3.8.6.1).
//!
//! Spec: Attacks, row E7.

use std::io::{Error, ErrorKind, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Shorter than a stop waits for what runs, so that nobody can make every stop take all of that.
pub(crate) const WRITE_TIME: Duration = Duration::from_secs(20);

/// A stream whose writes have to make progress.
pub(crate) struct Patient<S> {
    stream: S,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, waiting: None }
    }

    /// Passes on how a write went, or breaks it off where the time is up.
    fn judge<T>(&mut self, context: &mut Context<'_>, written: Poll<Result<T>>) -> Poll<Result<T>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(WRITE_TIME)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the client takes nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.judge(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.judge(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.judge(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_left_after_a_while() {
        let (ours, _theirs) = duplex(16);
        let began = Instant::now();
        let broken = Patient::new(ours).write_all(&[0; 17]).await.unwrap_err();
        assert_eq!(broken.kind(), ErrorKind::TimedOut);
        assert_eq!(began.elapsed(), WRITE_TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_slow_and_goes_on_is_waited_for() {
        let (ours, mut theirs) = duplex(16);
        let began = Instant::now();
        let read = async {
            for _ in 0..4 {
                sleep(WRITE_TIME / 2).await;
                theirs.read_exact(&mut [0; 16]).await.unwrap();
            }
        };
        let mut ours = Patient::new(ours);
        let (written, ()) = tokio::join!(ours.write_all(&[0; 64]), read);
        written.unwrap();
        assert_eq!(began.elapsed(), WRITE_TIME * 2);
    }
}
