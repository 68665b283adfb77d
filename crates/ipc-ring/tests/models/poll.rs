//! Polling of several pipes of the model's kernel at a time.

use crate::PollFlags;
use crate::bell::lent;
use crate::bells::Bells;
use ipc_core::Until;
use rustix::io::Errno;
use std::os::fd::BorrowedFd;

/// One of the descriptors that were lent last, in their order.
pub(crate) struct PollFd(PollFlags);

impl PollFd {
    pub(crate) fn from_borrowed_fd(_: BorrowedFd<'_>, _: PollFlags) -> Self {
        Self(PollFlags::empty())
    }

    pub(crate) fn revents(&self) -> PollFlags {
        self.0
    }
}

/// Sleeps until one of them is readable or has ended, and takes nothing.
pub(crate) fn wait_any(fds: &mut [PollFd], until: Until) -> Result<bool, Errno> {
    let (pipes, bells) = (lent(), Bells::new().expect("memory"));
    let polled = || pipes.iter().take(fds.len());
    polled().for_each(|pipe| bells.add_pipe(pipe));
    let told = bells.sleep(until).expect("it is not refused");
    let ended = polled().map(|pipe| pipe.is_over()).collect::<Vec<_>>();
    for (fd, ended) in fds.iter_mut().zip(ended) {
        fd.0.set(PollFlags::HUP, ended);
    }
    Ok(told)
}
