//! A service that shows each outcome that a call can have.

use rpc_core::export::Stream;
use rpc_core::layers::{Authenticate, Authorize};
use rpc_core::{
    Channel, Code, Context, Peer, Principal, Router, Server, Status, Streaming, items, service,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// One method for each question.
#[service(name = "matrix.v1.Outcomes")]
pub(crate) trait Outcomes {
    #[rpc(idempotency = "no_side_effects")]
    async fn echo(&self, cx: &Context, text: String) -> Result<String, Status>;
    /// Fails, with a detail.
    async fn fail(&self, cx: &Context) -> Result<(), Status>;
    async fn panic(&self, cx: &Context) -> Result<(), Status>;
    /// Does not answer; whoever waits is counted until it is given up.
    async fn wait(&self, cx: &Context) -> Result<(), Status>;
    /// How many wait.
    #[rpc(idempotency = "no_side_effects")]
    async fn waiting(&self, cx: &Context) -> Result<u32, Status>;
    /// The deadline that the handler sees, in whole seconds to come.
    async fn left(&self, cx: &Context) -> Result<u64, Status>;
    /// The trace that the handler sees, without the spans.
    async fn trace(&self, cx: &Context) -> Result<String, Status>;
    /// The metadata `note` that came.
    async fn note_of(&self, cx: &Context) -> Result<String, Status>;
    /// Whom the server takes the caller for.
    async fn who(&self, cx: &Context) -> Result<String, Status>;
    /// Allowed to nobody.
    async fn denied(&self, cx: &Context) -> Result<(), Status>;
    #[rpc(oneway)]
    async fn add(&self, cx: &Context, number: u32);
    /// What was added.
    #[rpc(idempotency = "no_side_effects")]
    async fn added(&self, cx: &Context) -> Result<u32, Status>;
    async fn count(
        &self,
        cx: &Context,
        to: u32,
    ) -> Result<impl Stream<Item = Result<u32, Status>>, Status>;
    async fn sum(&self, cx: &Context, numbers: Streaming<u32>) -> Result<u64, Status>;
    /// Each number doubled, as it comes.
    async fn double(
        &self,
        cx: &Context,
        numbers: Streaming<u32>,
    ) -> Result<impl Stream<Item = Result<u64, Status>>, Status>;
}

/// A service that no server here has.
#[service(name = "matrix.v1.Missing")]
pub(crate) trait Missing {
    async fn ask(&self, cx: &Context) -> Result<(), Status>;
}

#[derive(Debug, Default)]
struct Shown {
    waiting: Arc<AtomicU32>,
    added: AtomicU32,
}

/// Counts one who waits until it is dropped.
struct Waiting(Arc<AtomicU32>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Outcomes for Shown {
    async fn echo(&self, _: &Context, text: String) -> Result<String, Status> {
        Ok(text)
    }
    async fn fail(&self, _: &Context) -> Result<(), Status> {
        let status = Status::new(Code::FailedPrecondition, "on purpose: 100 % ö");
        Err(status.detail(
            "type.googleapis.com/google.protobuf.StringValue",
            &b"\n\x02hi"[..],
        ))
    }
    async fn panic(&self, _: &Context) -> Result<(), Status> {
        panic!("asked for")
    }
    async fn wait(&self, _: &Context) -> Result<(), Status> {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let _waiting = Waiting(Arc::clone(&self.waiting));
        std::future::pending().await
    }
    async fn waiting(&self, _: &Context) -> Result<u32, Status> {
        Ok(self.waiting.load(Ordering::Acquire))
    }
    async fn left(&self, cx: &Context) -> Result<u64, Status> {
        let left = cx.remaining().ok_or(Status::bare(Code::OutOfRange))?;
        Ok(left.as_secs() + 1)
    }
    async fn trace(&self, cx: &Context) -> Result<String, Status> {
        let trace = cx.traced().ok_or(Status::bare(Code::NotFound))?;
        Ok(trace
            .to_string()
            .split('-')
            .nth(1)
            .unwrap_or_default()
            .to_owned())
    }
    async fn note_of(&self, cx: &Context) -> Result<String, Status> {
        Ok(cx.metadata().text("note").unwrap_or_default().to_owned())
    }
    async fn who(&self, cx: &Context) -> Result<String, Status> {
        let who = cx.principal().ok_or(Status::bare(Code::Unauthenticated))?;
        Ok(who.name().to_owned())
    }
    async fn denied(&self, _: &Context) -> Result<(), Status> {
        Ok(())
    }
    async fn add(&self, _: &Context, number: u32) {
        self.added.fetch_add(number, Ordering::AcqRel);
    }
    async fn added(&self, _: &Context) -> Result<u32, Status> {
        Ok(self.added.load(Ordering::Acquire))
    }
    async fn count(
        &self,
        _: &Context,
        to: u32,
    ) -> Result<impl Stream<Item = Result<u32, Status>>, Status> {
        Ok(items((0..to).map(Ok)))
    }
    async fn sum(&self, _: &Context, mut numbers: Streaming<u32>) -> Result<u64, Status> {
        let mut sum = 0;
        while let Some(number) = numbers.next().await {
            sum += u64::from(number?);
        }
        Ok(sum)
    }
    async fn double(
        &self,
        _: &Context,
        numbers: Streaming<u32>,
    ) -> Result<impl Stream<Item = Result<u64, Status>>, Status> {
        Ok(futures_util::StreamExt::map(numbers, |number| {
            number.map(|number| 2 * u64::from(number))
        }))
    }
}

/// The server of every cell: what the transport proves is the principal, and all but one method
/// is for everybody.
pub(crate) fn served() -> Server<impl Channel> {
    let authenticate = Authenticate::by(|peer, _| {
        let own = rustix::process::geteuid().as_raw();
        let name = match peer {
            Peer::Unix(ids) if ids.uid == own => "our user".to_owned(),
            Peer::Tcp(_) => "an address".to_owned(),
            Peer::Tls(names) => names
                .first()
                .cloned()
                .unwrap_or_else(|| "an address".into()),
            Peer::Inproc => "inproc".to_owned(),
            _ => "unknown".to_owned(),
        };
        Some(Principal::new(name, ["caller"]))
    });
    let authorize = Authorize::new()
        .allow("matrix.v1.Outcomes", [Authorize::ANYONE])
        .allow("matrix.v1.Outcomes/Denied", ["nobody"]);
    Server::new(Router::new().service(OutcomesServer::new(Shown::default())))
        .layer(authorize)
        .layer(authenticate)
}
