//! What this kernel does with pages that a pipe is given.

use crate::sys;
use rustix::io::Errno;
use std::sync::OnceLock;

/// What this host gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    /// What [`Sender::send_pages`](crate::Sender::send_pages) comes to.
    pub vmsplice: Vmsplice,
}

/// What becomes of pages that a pipe is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Vmsplice {
    /// The pipe holds them: nothing is copied.
    Shared,
    /// The kernel copies them: nothing is gained, nothing is lost.
    Copied,
    /// The call is refused, as by a filter of system calls: they are sent as bytes.
    Refused,
}

/// Looks at this kernel, once in a process; makes nothing that stays.
///
/// ```
/// use ipc_pipe::{Vmsplice, probe};
/// if probe().vmsplice != Vmsplice::Shared {
///     println!("pages are copied here: Sender::send does as well");
/// }
/// ```
#[must_use]
pub fn probe() -> Probe {
    static SEEN: OnceLock<Vmsplice> = OnceLock::new();
    let vmsplice = match SEEN.get() {
        Some(seen) => *seen,
        None => match look() {
            Ok(seen) => *SEEN.get_or_init(|| seen),
            // No descriptor or no memory for a moment: another time it may be known.
            Err(_) => Vmsplice::Refused,
        },
    };
    Probe { vmsplice }
}

fn look() -> rustix::io::Result<Vmsplice> {
    match sys::pages_are_shared() {
        Ok(true) => Ok(Vmsplice::Shared),
        Ok(false) => Ok(Vmsplice::Copied),
        Err(errno @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::INTR)) => Err(errno),
        Err(_) => Ok(Vmsplice::Refused),
    }
}
