//! The verbs of the mechanisms, each awaited.

use crate::Async;
use crate::registration::writable_once;
use crate::runtime::Runtime;
use ipc_core::{
    ErrorKind, Flush, Interest, Pollable, Result, TryAccept, TryRecv, TryRecvBatch, TryRecvFdList,
    TryRecvFds, TryRecvFrom, TryRecvVec, TrySend, TrySendBatch, TrySendFdList, TrySendFds,
    TrySendFdsTo, TrySendTo, TryWait,
};
use std::os::fd::BorrowedFd;

#[cfg(feature = "tokio")]
impl<T: Pollable + Send + Sync + 'static> Async<T> {
    /// Connects, by whichever of the mechanism's own forms `connect` calls, and registers the
    /// connection. The kernel has no event that says when a listener's backlog has room again, so
    /// the call waits on a thread of the runtime's pool for calls that block.
    ///
    /// When the future is dropped, the call still ends, and what it has connected is closed; a
    /// runtime that is shut down waits for it. So prefer a form with a time-out.
    ///
    /// ```
    /// use ipc_async::Async;
    /// # use std::time::Duration;
    /// # let dir = std::env::temp_dir().join(format!("async-connect-{}", std::process::id()));
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    /// # runtime.block_on(async {
    /// # let path = dir.clone();
    /// let listener = Async::new(ipc_uds::bind(&path)?)?;
    /// let second = Duration::from_secs(1);
    /// let client = Async::connect(move || ipc_uds::connect_timeout(&path, second)).await?;
    /// client.send(b"hello").await?;
    /// # listener.accept().await?;
    /// # Ok::<(), ipc_async::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// What `connect` answers, or as [`new`](Async::new).
    pub async fn connect(connect: impl FnOnce() -> Result<T> + Send + 'static) -> Result<Self> {
        Self::connect_on(crate::Tokio, connect).await
    }
}

impl<T: Pollable + Send + Sync + 'static, R: Runtime> Async<T, R> {
    /// Connects by `connect` on a thread for calls that block, and registers the connection with
    /// `runtime`. The kernel has no event that says when a listener's backlog has room again.
    ///
    /// # Errors
    /// What `connect` answers, or as [`on`](Async::on).
    pub async fn connect_on(
        runtime: R,
        connect: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<Self> {
        let endpoint = runtime.unblock(connect).await??;
        Self::on(runtime, endpoint)
    }
}

impl<T: TryRecv + Send + Sync + 'static, R: Runtime> Async<T, R> {
    /// Receives into `buffer` and returns the length in bytes.
    ///
    /// # Errors
    /// As the endpoint's `recv`.
    pub async fn recv(&self, buffer: &mut [u8]) -> Result<usize> {
        self.ready(Interest::Read, |endpoint| endpoint.try_recv(buffer))
            .await
    }
}

impl<T: TryWait + Send + Sync + 'static, R: Runtime> Async<T, R> {
    /// Waits for what happens next.
    ///
    /// # Errors
    /// As the endpoint's `wait`.
    pub async fn wait(&self) -> Result<T::Happened> {
        self.ready(Interest::Read, TryWait::try_wait).await
    }
}

impl<T: TryRecvVec + Send + Sync + 'static, R: Runtime> Async<T, R> {
    /// Receives one message of any length: `buffer` is replaced by it.
    ///
    /// # Errors
    /// As the endpoint's `recv_vec`.
    pub async fn recv_vec(&self, buffer: &mut Vec<u8>) -> Result<()> {
        self.ready(Interest::Read, |endpoint| endpoint.try_recv_vec(buffer))
            .await
    }
}

impl<T: TryRecvFrom + Send + Sync + 'static, R: Runtime> Async<T, R> {
    /// Receives into `buffer`; returns the length in bytes, and where it came from.
    ///
    /// # Errors
    /// As the endpoint's `recv_from`.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> Result<(usize, T::Address)> {
        self.ready(Interest::Read, |endpoint| endpoint.try_recv_from(buffer))
            .await
    }
}

impl<T: TryRecvFds + Send + Sync + 'static, R: Runtime> Async<T, R> {
    /// Receives into `buffer`, and what came with it into `ancillary`; returns the length in
    /// bytes.
    ///
    /// # Errors
    /// As the endpoint's `recv_with_fds`.
    pub async fn recv_with_fds(
        &self,
        buffer: &mut [u8],
        ancillary: &mut T::Ancillary,
    ) -> Result<usize> {
        self.ready(Interest::Read, |endpoint| {
            endpoint.try_recv_with_fds(buffer, ancillary)
        })
        .await
    }
}

impl<T: TryRecvFdList + Send + Sync + 'static, R: Runtime> Async<T, R> {
    /// Receives into `buffer`, and the descriptors that came with it, at most `most`, into
    /// `ancillary`; returns the length in bytes.
    ///
    /// # Errors
    /// As the endpoint's `recv_fd_list`.
    pub async fn recv_fd_list(
        &self,
        buffer: &mut [u8],
        ancillary: &mut T::Ancillary,
        most: usize,
    ) -> Result<usize> {
        self.ready(Interest::Read, |endpoint| {
            endpoint.try_recv_fd_list(buffer, ancillary, most)
        })
        .await
    }
}

impl<T: TryRecvBatch + Send + Sync + 'static, R: Runtime> Async<T, R> {
    /// Receives all messages that are there, at least one, and at most `most`; `batch` is replaced
    /// by them. Returns how many they are.
    ///
    /// # Errors
    /// As the endpoint's `recv_batch`.
    pub async fn recv_batch(&self, batch: &mut T::Batch, most: usize) -> Result<usize> {
        self.ready(Interest::Read, |endpoint| {
            endpoint.try_recv_batch(batch, most)
        })
        .await
    }
}

impl<T: TryAccept + Send + Sync + 'static, R: Runtime> Async<T, R> {
    /// Accepts a connection.
    ///
    /// # Errors
    /// As the endpoint's `accept`.
    pub async fn accept(&self) -> Result<T::Connection> {
        self.ready(Interest::Read, TryAccept::try_accept).await
    }
}

impl<T: TrySend + Flush + Send + Sync + 'static, R: Runtime> Async<T, R> {
    /// Sends `message`, whole. It is done when it has begun; see [`Async`].
    ///
    /// # Errors
    /// As the endpoint's `send`.
    pub async fn send(&self, message: &[u8]) -> Result<()> {
        self.ready(Interest::Write, |endpoint| endpoint.try_send(message))
            .await
    }

    /// Waits until everything that was sent is written.
    ///
    /// # Errors
    /// As the endpoint's `flush`.
    pub async fn flush(&self) -> Result<()> {
        if !self.get_ref().owes() {
            return Ok(());
        }
        self.ready(Interest::Write, Flush::try_flush).await
    }
}

impl<T: TrySendFds + Send + Sync + 'static, R: Runtime> Async<T, R> {
    /// Sends `message`, whole, and `fds` with it. It is done when it has begun; see [`Async`].
    ///
    /// # Errors
    /// As the endpoint's `send_with_fds`.
    pub async fn send_with_fds(&self, message: &[u8], fds: &[BorrowedFd<'_>]) -> Result<()> {
        self.ready(Interest::Write, |endpoint| {
            endpoint.try_send_with_fds(message, fds)
        })
        .await
    }
}

impl<T: TrySendFdList + Send + Sync + 'static, R: Runtime> Async<T, R> {
    /// Sends `message`, whole, and any number of `fds`, which arrive all or none. It is done when
    /// it has begun; see [`Async`].
    ///
    /// # Errors
    /// As the endpoint's `send_fd_list`.
    pub async fn send_fd_list(&self, message: &[u8], fds: &[BorrowedFd<'_>]) -> Result<()> {
        self.ready(Interest::Write, |endpoint| {
            endpoint.try_send_fd_list(message, fds)
        })
        .await
    }
}

impl<T: TrySendBatch + Send + Sync + 'static, R: Runtime> Async<T, R> {
    /// Sends as many of `messages` as there is room for, at least one of some; returns how many.
    ///
    /// # Errors
    /// As the endpoint's `send_batch`, for the first of them.
    pub async fn send_batch(&self, messages: &[&[u8]]) -> Result<usize> {
        self.ready(Interest::Write, |endpoint| {
            endpoint.try_send_batch(messages)
        })
        .await
    }
}

impl<T: TrySendTo + Send + Sync + 'static, R: Runtime> Async<T, R> {
    /// Sends `message` to `address`.
    ///
    /// # Errors
    /// As the endpoint's `send_to`.
    pub async fn send_to(&self, message: &[u8], address: &T::Address) -> Result<()> {
        self.until_there_is_room_at(address, |endpoint| endpoint.try_send_to(message, address))
            .await
    }

    /// Awaits room in two places: the endpoint's own buffer, which its descriptor shows, and the
    /// receiver's queue, which it does not.
    async fn until_there_is_room_at(
        &self,
        address: &T::Address,
        mut attempt: impl FnMut(&T) -> Result<()>,
    ) -> Result<()> {
        loop {
            self.runtime().take_turn().await;
            match attempt(self.get_ref()) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
            self.writable_anew().await?;
            match self.get_ref().room_at(address)? {
                Some(room) => writable_once(self.runtime(), room).await?,
                None => self.runtime().give_way().await,
            }
        }
    }
}

impl<T: TrySendFdsTo + Send + Sync + 'static, R: Runtime> Async<T, R> {
    /// Sends `message` and `fds` to `address`.
    ///
    /// # Errors
    /// As the endpoint's `send_with_fds_to`.
    pub async fn send_with_fds_to(
        &self,
        message: &[u8],
        fds: &[BorrowedFd<'_>],
        address: &T::Address,
    ) -> Result<()> {
        self.until_there_is_room_at(address, |endpoint| {
            endpoint.try_send_with_fds_to(message, fds, address)
        })
        .await
    }
}
