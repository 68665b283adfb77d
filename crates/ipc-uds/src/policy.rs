//! Who is let in: decided by what the kernel says of a peer, before user code sees it.

use crate::peer::Peer;
use ipc_core::Credentials;
use std::fmt;
use std::sync::Arc;

/// Who is let in. A refused peer is closed before a byte of it reaches user code.
///
/// ```
/// use ipc_uds::Policy;
/// let staff = Policy::custom(|peer| peer.credentials().gid == 50);
/// let two_users = Policy::users([0, 1000]);
/// # let _ = (staff, two_users);
/// ```
#[derive(Clone)]
pub struct Policy(Rule);

#[derive(Clone)]
enum Rule {
    SameUser,
    Users(Arc<[u32]>),
    Anyone,
    Custom(Arc<Test>),
}

type Test = dyn Fn(&Peer<'_>) -> bool + Send + Sync;

impl Policy {
    /// Peers of our own effective user; the default.
    #[must_use]
    pub const fn same_user() -> Self {
        Self(Rule::SameUser)
    }

    /// Peers of these users, by id; our own only if it is among them.
    #[must_use]
    pub fn users(ids: impl IntoIterator<Item = u32>) -> Self {
        Self(Rule::Users(ids.into_iter().collect()))
    }

    /// Everyone who gets through the path's permissions.
    #[must_use]
    pub const fn anyone() -> Self {
        Self(Rule::Anyone)
    }

    /// Peers for which `test` is true. It runs in the thread that accepts or receives.
    #[must_use]
    pub fn custom(test: impl Fn(&Peer<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self(Rule::Custom(Arc::new(test)))
    }

    /// Whether `peer` is let in. One whose ids the kernel made up (another user or PID namespace)
    /// is nobody to all policies but [`anyone`](Policy::anyone).
    #[must_use]
    pub fn admits(&self, peer: &Peer<'_>) -> bool {
        let ids = peer.credentials();
        match &self.0 {
            Rule::Anyone => true,
            _ if !identifies(ids) => false,
            Rule::SameUser => ids.uid == rustix::process::geteuid().as_raw(),
            Rule::Users(users) => users.contains(&ids.uid),
            Rule::Custom(test) => test(peer),
        }
    }

    pub(crate) const fn lets_anyone_in(&self) -> bool {
        matches!(self.0, Rule::Anyone)
    }
}

/// The overflow user stands for anybody but where every user of the host exists: there it is one.
fn identifies(ids: Credentials) -> bool {
    ids.identify() || (ids.pid != 0 && ipc_sys::every_user_exists_here())
}

impl Default for Policy {
    fn default() -> Self {
        Self::same_user()
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Rule::SameUser => f.write_str("SameUser"),
            Rule::Users(users) => f.debug_tuple("Users").field(users).finish(),
            Rule::Anyone => f.write_str("Anyone"),
            Rule::Custom(_) => f.write_str("Custom(..)"),
        }
    }
}
