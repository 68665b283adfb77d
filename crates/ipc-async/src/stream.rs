//! Byte streams as runtimes read and write them, for protocols that were written for sockets.

use crate::Async;
use crate::runtime::Runtime;
use ipc_core::{ByteSink, ByteSource, ErrorKind, Interest, Result, Until};
use std::io::{self, IoSlice};
use std::task::{Context as Task, Poll, ready};

impl<T: ByteSource + Send + Sync + 'static, R: Runtime> Async<T, R> {
    fn poll_fill(&self, task: &mut Task<'_>, unfilled: &mut [u8]) -> Poll<io::Result<usize>> {
        let attempt = |endpoint: &T| endpoint.read_until(unfilled, Until::Now);
        let length = ready!(self.poll_ready(task, Interest::Read, attempt));
        Poll::Ready(Ok(length?))
    }
}

impl<T: ByteSink + Send + Sync + 'static, R: Runtime> Async<T, R> {
    fn poll_put(&self, task: &mut Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_put_both(task, &[], bytes)
    }

    fn poll_put_slices(
        &self,
        task: &mut Task<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut slices = slices.iter().filter(|slice| !slice.is_empty());
        let head = slices.next().map_or(&[][..], |slice| slice);
        let body = slices.next().map_or(&[][..], |slice| slice);
        self.poll_put_both(task, head, body)
    }

    fn poll_put_both(
        &self,
        task: &mut Task<'_>,
        head: &[u8],
        body: &[u8],
    ) -> Poll<io::Result<usize>> {
        let attempt = |endpoint: &T| -> Result<usize> {
            if endpoint.owes() {
                endpoint.pay_until(Until::Now)?;
            }
            endpoint.write_until(head, body, Until::Now)
        };
        let written = ready!(self.poll_ready(task, Interest::Write, attempt));
        Poll::Ready(Ok(written?))
    }

    fn poll_paid(&self, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        if !self.get_ref().owes() {
            return Poll::Ready(Ok(()));
        }
        let attempt = |endpoint: &T| endpoint.pay_until(Until::Now);
        let paid = ready!(self.poll_ready(task, Interest::Write, attempt));
        Poll::Ready(Ok(paid?))
    }

    fn poll_end(&self, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        let attempt = |endpoint: &T| endpoint.end_until(Until::Now);
        match ready!(self.poll_ready(task, Interest::Write, attempt)) {
            // It has ended already, or the peer has.
            Err(error) if error.kind() == ErrorKind::Closed => Poll::Ready(Ok(())),
            ended => Poll::Ready(Ok(ended?)),
        }
    }
}

#[cfg(feature = "tokio")]
mod of_tokio {
    use super::{Async, ByteSink, ByteSource, IoSlice, Poll, Runtime, Task, io, ready};
    use std::pin::Pin;
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    impl<T: ByteSource + Send + Sync + 'static, R: Runtime> AsyncRead for Async<T, R> {
        fn poll_read(
            self: Pin<&mut Self>,
            task: &mut Task<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let length = ready!(self.poll_fill(task, buffer.initialize_unfilled()))?;
            buffer.advance(length);
            Poll::Ready(Ok(()))
        }
    }

    /// Shutting down tells the peer that no more comes where the mechanism can: sockets, TLS and
    /// rings do, and a pipe says it when it is dropped.
    impl<T: ByteSink + Send + Sync + 'static, R: Runtime> AsyncWrite for Async<T, R> {
        fn poll_write(
            self: Pin<&mut Self>,
            task: &mut Task<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.poll_put(task, bytes)
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            task: &mut Task<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            self.poll_put_slices(task, slices)
        }

        fn is_write_vectored(&self) -> bool {
            true
        }

        fn poll_flush(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
            self.poll_paid(task)
        }

        fn poll_shutdown(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
            self.poll_end(task)
        }
    }
}

#[cfg(feature = "smol")]
mod of_smol {
    use super::{Async, ByteSink, ByteSource, IoSlice, Poll, Runtime, Task, io};
    use futures_io::{AsyncRead, AsyncWrite};
    use std::pin::Pin;

    impl<T: ByteSource + Send + Sync + 'static, R: Runtime> AsyncRead for Async<T, R> {
        fn poll_read(
            self: Pin<&mut Self>,
            task: &mut Task<'_>,
            buffer: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            self.poll_fill(task, buffer)
        }
    }

    /// Closing tells the peer that no more comes where the mechanism can, as above.
    impl<T: ByteSink + Send + Sync + 'static, R: Runtime> AsyncWrite for Async<T, R> {
        fn poll_write(
            self: Pin<&mut Self>,
            task: &mut Task<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.poll_put(task, bytes)
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            task: &mut Task<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            self.poll_put_slices(task, slices)
        }

        fn poll_flush(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
            self.poll_paid(task)
        }

        fn poll_close(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
            self.poll_end(task)
        }
    }
}
