//! Where the kernel keeps a region's pages: locked in memory, and advice on how they are used.

use crate::Region;
use ipc_core::{Error, ErrorKind, Result};
use ipc_sys::os_error;
use rustix::io::Errno;

/// What the kernel is told about the use of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// Nothing special.
    Normal,
    /// Read from the beginning to the end.
    Sequential,
    /// Read here and there.
    Random,
    /// Used soon.
    WillNeed,
    /// Transparent huge pages are welcome.
    HugePages,
    /// Left out of core dumps.
    NotInDumps,
}

impl Region {
    /// Keeps the region in memory, out of swap.
    ///
    /// # Errors
    /// [`ErrorKind::LimitReached`] names the limit; [`ErrorKind::Unsupported`] where it is not
    /// mapped.
    #[doc(alias = "mlock")]
    pub fn lock_in_memory(&self) -> Result<()> {
        let mapping = self.mapping("lock in memory")?;
        mapping.lock(self.end()).map_err(|errno| {
            let error = os_error("lock in memory", errno);
            match errno {
                Errno::NOMEM | Errno::AGAIN | Errno::PERM => {
                    Error::new("lock in memory", ErrorKind::LimitReached)
                        .caused_by(errno.into())
                        .hint(
                            "it is above what this process may lock (RLIMIT_MEMLOCK); raise the \
                         limit with `ulimit -l`",
                        )
                }
                _ => error,
            }
        })
    }

    /// Tells the kernel how the region will be used; it never drops contents.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where it is not mapped, or the kernel lacks the advice.
    #[doc(alias = "madvise")]
    pub fn advise(&self, advice: Advice) -> Result<()> {
        let mapping = self.mapping("advise")?;
        match mapping.advise(self.end(), advice) {
            Ok(()) => Ok(()),
            Err(Errno::INVAL) => Err(Error::new("advise", ErrorKind::Unsupported)
                .hint("this kernel does not take the advice for this memory")),
            Err(errno) => Err(os_error("advise", errno)),
        }
    }
}
