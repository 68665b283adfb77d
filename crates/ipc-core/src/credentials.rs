//! Who the kernel says is at the other side.

/// The user that the kernel shows for ids that do not exist in our user namespace.
const OVERFLOW_ID: u32 = 65534;

/// Process, user and group of a peer, as the kernel reports them, frozen when the peer connected
/// or sent. A process id is a hint only: it may be used again after the peer's death; a pidfd
/// is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// Process id; 0 where the peer lives in a PID namespace that we cannot see.
    pub pid: u32,
    /// Effective user id; 65534 where the user does not exist in our user namespace.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
}

impl Credentials {
    /// Whether these ids identify somebody by themselves: false where the kernel may have
    /// substituted the overflow user or an invisible process. Such a peer must not be authorised
    /// by its ids, unless it is known that every user of the host exists in our user namespace.
    #[must_use]
    pub const fn identify(self) -> bool {
        self.pid != 0 && self.uid != OVERFLOW_ID
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn substituted_ids_identify_nobody() {
        let good = Credentials {
            pid: 7,
            uid: 1000,
            gid: 1000,
        };
        assert!(good.identify());
        assert!(!Credentials { pid: 0, ..good }.identify());
        assert!(!Credentials { uid: 65534, ..good }.identify());
    }
}
