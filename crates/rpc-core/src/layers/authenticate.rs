//! Who calls: from what the transport proves, and from what the call carries.

use crate::call::{Call, CallFuture, Channel, ready};
use crate::{Code, Context, Metadata, Peer, Principal, Status};
use std::fmt;
use std::sync::Arc;
use tower_layer::Layer;

type Check = dyn Fn(&Peer, &Metadata) -> Option<Principal> + Send + Sync;

/// A layer for servers that says who calls, or refuses with `UNAUTHENTICATED`, before a byte of
/// the message is decoded.
///
/// ```
/// use rpc_core::layers::Authenticate;
/// use rpc_core::{Peer, Principal};
/// let layer = Authenticate::by(|peer, _| match peer {
///     Peer::Unix(ids) if ids.uid == 0 => Some(Principal::new("root", ["admin"])),
///     _ => None,
/// });
/// # let _ = layer;
/// ```
#[derive(Clone)]
pub struct Authenticate {
    check: Arc<Check>,
    delegates: Arc<str>,
}

impl Authenticate {
    /// Asks `check` for each call. What it is given of the peer is proven by the transport; the
    /// metadata is what the caller claims.
    pub fn by(
        check: impl Fn(&Peer, &Metadata) -> Option<Principal> + Send + Sync + 'static,
    ) -> Self {
        Self {
            check: Arc::new(check),
            delegates: "delegate".into(),
        }
    }

    /// The users of this host by their ids: `uid:1000`, with the roles that `roles` gives. A
    /// peer whose ids the kernel made up is nobody.
    pub fn unix_users(roles: impl Fn(u32) -> Option<Vec<String>> + Send + Sync + 'static) -> Self {
        Self::by(move |peer, _| match peer {
            Peer::Unix(ids) if ids.identify() => {
                Some(Principal::new(format!("uid:{}", ids.uid), roles(ids.uid)?))
            }
            _ => None,
        })
    }

    /// Whose word on *for whom* it calls is believed: principals with this role; `delegate` if
    /// it is not set.
    #[must_use]
    pub fn believe_delegates(mut self, role: &str) -> Self {
        self.delegates = role.into();
        self
    }
}

impl fmt::Debug for Authenticate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticate(..)")
    }
}

impl<C> Layer<C> for Authenticate {
    type Service = Authenticated<C>;
    fn layer(&self, inner: C) -> Authenticated<C> {
        Authenticated {
            inner,
            rule: self.clone(),
        }
    }
}

/// A channel that knows who calls; see [`Authenticate`].
#[derive(Clone, Debug)]
pub struct Authenticated<C> {
    inner: C,
    rule: Authenticate,
}

impl<C: Channel> Channel for Authenticated<C> {
    fn call(&self, mut call: Call) -> CallFuture {
        let context = &call.context;
        let Some(mut principal) = (self.rule.check)(context.peer(), context.metadata()) else {
            tracing::warn!(
                target: "rpc::audit",
                method = call.method.name, service = call.method.service,
                peer = ?context.peer(), "denied: unauthenticated",
            );
            return ready(Err(Status::bare(Code::Unauthenticated).before_running()));
        };
        if let Some(origin) = context.metadata().text(Context::ORIGIN)
            && principal.has_role(&self.rule.delegates)
        {
            principal = principal.on_behalf_of(origin);
        }
        call.context.set_principal(principal);
        self.inner.call(call)
    }
}
