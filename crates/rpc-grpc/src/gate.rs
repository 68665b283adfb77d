//! Leaves a server out of a balanced channel while its health service says that it is not well.

use crate::health::{HealthClient, ServingStatus};
use rpc_core::{Channel, Code, Context, Status};
use rpc_transport::Backend;
use std::time::Duration;
use tokio::task::AbortHandle;

/// How long a watch that failed rests before it is tried again, at first and at most.
const RESTS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// Leaves a server out of a [`Balanced`](rpc_transport::Balanced) channel while it says of itself
/// that it is not well, until this is dropped.
#[derive(Debug)]
pub struct HealthGate {
    task: AbortHandle,
}

impl HealthGate {
    /// Watches the health of `service` (empty: of the server as a whole) over `channel`, which
    /// leads to that one `backend`. A server without a health service counts as well.
    pub fn new<C: Channel + Clone>(channel: C, service: &str, backend: &Backend) -> Self {
        let (service, backend) = (service.to_owned(), backend.clone());
        let watching = async move {
            let health = HealthClient::new(channel);
            let mut rest = RESTS.0;
            loop {
                let (came, ended) = follow(&health, &service, &backend).await;
                if came {
                    rest = RESTS.0;
                }
                match ended.map(|status| status.code()) {
                    Some(Code::Unimplemented) => {
                        backend.set_healthy(true);
                        return;
                    }
                    // Every watch has a deadline; what was told last still holds.
                    Some(Code::DeadlineExceeded) if came => {}
                    _ => {
                        backend.set_healthy(false);
                        tokio::time::sleep(rest).await;
                        rest = (rest * 2).min(RESTS.1);
                    }
                }
            }
        };
        Self {
            task: tokio::spawn(watching).abort_handle(),
        }
    }
}

/// Follows what the server tells: whether it told anything, and why it ended.
async fn follow<C: Channel>(
    health: &HealthClient<C>,
    service: &str,
    backend: &Backend,
) -> (bool, Option<Status>) {
    let mut came = false;
    let cx = Context::background();
    let mut watched = match health.watch(&cx, service.to_owned()).await {
        Ok(watched) => watched,
        Err(status) => return (came, Some(status)),
    };
    loop {
        match watched.next().await {
            Some(Ok(told)) => {
                came = true;
                backend.set_healthy(told.status() == ServingStatus::Serving);
            }
            Some(Err(status)) => return (came, Some(status)),
            None => return (came, None),
        }
    }
}

impl Drop for HealthGate {
    fn drop(&mut self) {
        self.task.abort();
    }
}
