//! What each call of a client carries to say for whom it is made.

use rpc_core::{Code, Metadata, MethodDescriptor, Peer, Status};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

type Granting = Pin<Box<dyn Future<Output = Result<Metadata, Status>> + Send>>;

/// Metadata that is asked for before each call, such as a token that is renewed in time.
#[derive(Clone)]
pub struct CallCredentials {
    grant: Arc<dyn Fn(&'static MethodDescriptor) -> Granting + Send + Sync>,
    insecure: bool,
}

impl CallCredentials {
    /// Asks `grant` before each call; its failure is the call's.
    pub fn by<F, Fut>(grant: F) -> Self
    where
        F: Fn(&'static MethodDescriptor) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Metadata, Status>> + Send + 'static,
    {
        Self {
            grant: Arc::new(move |method| Box::pin(grant(method))),
            insecure: false,
        }
    }

    /// Sends them also where everybody on the way can read them: TCP without TLS.
    #[must_use]
    pub const fn insecure_plain_text(mut self, accept: bool) -> Self {
        self.insecure = accept;
        self
    }

    /// Refuses a peer on the way to whom they could be read.
    pub(crate) fn suit(&self, peer: &Peer) -> Result<(), Status> {
        if self.insecure || !matches!(peer, Peer::Tcp(_)) {
            return Ok(());
        }
        let text = "credentials are not sent over TCP without TLS: \
                    CallCredentials::insecure_plain_text allows it";
        Err(Status::new(Code::Unauthenticated, text).before_running())
    }

    /// What this call carries.
    pub(crate) async fn of(&self, method: &'static MethodDescriptor) -> Result<Metadata, Status> {
        (self.grant)(method).await.map_err(Status::before_running)
    }
}

impl fmt::Debug for CallCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallCredentials(..)")
    }
}
