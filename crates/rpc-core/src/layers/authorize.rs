//! Who may call what: a table by method, in which what is not there is denied.

use super::PerMethod;
use crate::call::{Call, CallFuture, Channel, ready};
use crate::descriptor::MethodDescriptor;
use crate::{Code, Principal, Status};
use tower_layer::Layer;

/// A layer for servers that admits a call by the role of its caller, and denies all others, before
/// a byte of the message is decoded. Every denial is an audit event (target `rpc::audit`).
///
/// A method may be called by the roles that the table has for it, else by those that its contract
/// names (`#[rpc(roles = "…")]`), else by nobody.
///
/// ```
/// use rpc_core::layers::Authorize;
/// let layer = Authorize::new()
///     .allow("inventory.v1.Stock/Get", ["anyone"])
///     .allow("inventory.v1.Stock", ["clerk"]);
/// # let _ = layer;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Authorize {
    table: PerMethod<Vec<String>>,
}

impl Authorize {
    /// The role that everybody who is authenticated has.
    pub const ANYONE: &'static str = "anyone";

    /// A table in which only the contract's own roles are.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `roles` call `what`: `service/Method`, `service` or `*`.
    #[must_use]
    pub fn allow<R: Into<String>>(
        mut self,
        what: &str,
        roles: impl IntoIterator<Item = R>,
    ) -> Self {
        let roles = roles.into_iter().map(Into::into).collect();
        self.table.set(what, roles);
        self
    }

    fn admits(&self, method: &MethodDescriptor, principal: Option<&Principal>) -> bool {
        let Some(principal) = principal else {
            return false;
        };
        let may = |role: &str| role == Self::ANYONE || principal.has_role(role);
        match self.table.of(method) {
            Some(roles) => roles.iter().any(|role| may(role)),
            None => method.roles.iter().any(|role| may(role)),
        }
    }
}

impl<C> Layer<C> for Authorize {
    type Service = Authorized<C>;
    fn layer(&self, inner: C) -> Authorized<C> {
        Authorized {
            inner,
            rule: self.clone(),
        }
    }
}

/// A channel that denies; see [`Authorize`].
#[derive(Clone, Debug)]
pub struct Authorized<C> {
    inner: C,
    rule: Authorize,
}

impl<C: Channel> Channel for Authorized<C> {
    fn call(&self, call: Call) -> CallFuture {
        let principal = call.context.principal();
        if self.rule.admits(call.method, principal) {
            return self.inner.call(call);
        }
        tracing::warn!(
            target: "rpc::audit",
            method = call.method.name, service = call.method.service,
            principal = principal.map(Principal::name), "denied: not allowed",
        );
        ready(Err(Status::bare(Code::PermissionDenied).before_running()))
    }
}
