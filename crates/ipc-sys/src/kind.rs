//! What a descriptor refers to: asked before one that came from elsewhere is used.

use crate::os_error;
use ipc_core::Result;
use rustix::fs::{AtFlags, FileType, OFlags, SealFlags, StatxFlags};
use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions};
use std::os::fd::{AsFd, BorrowedFd};

/// What a descriptor refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DescriptorKind {
    /// A file of a file system. It may block: who serves the file system decides when it answers.
    RegularFile,
    /// A memfd, or a file of tmpfs, with these seals: what is not sealed its owner may change and
    /// cut at any time.
    Memory(SealFlags),
    /// A directory.
    Directory,
    /// A pipe or a FIFO; reading and writing may wait.
    Pipe,
    /// A socket; receiving and sending may wait.
    Socket,
    /// A device of characters, such as a terminal.
    CharacterDevice,
    /// A device of blocks, such as a disk.
    BlockDevice,
    /// A mere reference (`O_PATH`) to anything at all: nothing can be read or written.
    Reference,
    /// A kernel object without a file: an event counter, a process, a set of timers.
    Anonymous,
}

/// What `fd` refers to. It never blocks, not even on a file whose server (FUSE) does not answer,
/// and changes nothing. To use such a file, and to close it, may wait: give both to a thread that
/// others do not need.
///
/// # Errors
/// As statx(2).
pub fn descriptor_kind(fd: impl AsFd) -> Result<DescriptorKind> {
    let fd = fd.as_fd();
    let fail = |errno| os_error("kind of descriptor", errno);
    if rustix::fs::fcntl_getfl(fd)
        .map_err(fail)?
        .contains(OFlags::PATH)
    {
        return Ok(DescriptorKind::Reference);
    }
    // Without asking the file's server, who may be a stranger's process that never answers.
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let stat = rustix::fs::statx(fd, c"", flags, StatxFlags::TYPE).map_err(fail)?;
    Ok(match FileType::from_raw_mode(stat.stx_mode.into()) {
        FileType::RegularFile => match rustix::fs::fcntl_get_seals(fd) {
            Ok(seals) => DescriptorKind::Memory(seals),
            // Processes have a file system of their own, in which they are files to some kernels.
            Err(_) if is_process(fd) => DescriptorKind::Anonymous,
            Err(_) => DescriptorKind::RegularFile,
        },
        FileType::Directory => DescriptorKind::Directory,
        FileType::Fifo => DescriptorKind::Pipe,
        FileType::Socket => DescriptorKind::Socket,
        FileType::CharacterDevice => DescriptorKind::CharacterDevice,
        FileType::BlockDevice => DescriptorKind::BlockDevice,
        FileType::Symlink | FileType::Unknown => DescriptorKind::Anonymous,
    })
}

fn is_process(fd: BorrowedFd<'_>) -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let outcome = rustix::process::waitid(WaitId::PidFd(fd), look);
    !matches!(outcome, Err(Errno::BADF | Errno::INVAL))
}

/// A kind of file in words, for errors: "a directory".
#[must_use]
pub const fn in_words(found: FileType) -> &'static str {
    match found {
        FileType::RegularFile => "a regular file",
        FileType::Directory => "a directory",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "something else",
    }
}
