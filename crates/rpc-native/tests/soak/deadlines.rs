//! How late a call ends whose deadline has passed.

use crate::counted::{Counter, runtime};
use crate::storms::{connected, stock};
use futures_util::stream;
use ipc_testkit::crash::Lab;
use ipc_testkit::soak;
use rpc_core::{Code, Context, block_on};
use rpc_native::{BlockingConnection, Options};
use rpc_testkit::inventory::StockClient;
use rpc_transport::Wire;

/// A3: a call that is awaited, a stream, a call within this process, and one whose thread waits
/// itself.
pub(crate) fn overshoot(lab: &mut Lab) {
    let runtime = runtime(2);
    let (connection, serving) = runtime.block_on(connected(&stock(), &Counter::default()));
    let client = StockClient::new(connection.clone());
    soak::overshoot(lab, "A3", "a call", |deadline| {
        let cx = Context::new().deadline(deadline);
        match runtime.block_on(client.get(&cx, "never".into())) {
            Err(status) if status.code() == Code::DeadlineExceeded => Err(()),
            _ => Ok(()),
        }
    });
    soak::overshoot(lab, "A3", "the next answer of a stream", |deadline| {
        let cx = Context::new().deadline(deadline);
        runtime.block_on(async {
            let unsaid = stream::pending::<String>();
            let mut answers = client.look(&cx, unsaid).await.map_err(drop)?;
            match answers.next().await {
                Some(Err(status)) if status.code() == Code::DeadlineExceeded => Err(()),
                _ => Ok(()),
            }
        })
    });
    let here = StockClient::new(rpc_core::Server::new(stock()).served());
    soak::overshoot(lab, "A3", "a call within a process", |deadline| {
        let cx = Context::new().deadline(deadline);
        match runtime.block_on(here.get(&cx, "never".into())) {
            Err(status) if status.code() == Code::DeadlineExceeded => Err(()),
            _ => Ok(()),
        }
    });
    drop((client, connection));
    runtime.block_on(serving).expect("no panic");
    let (near, far) = Wire::pair().expect("a pair");
    let served = rpc_core::Server::new(stock()).served();
    let serving = runtime.spawn(async move { Options::new().serve(far, served).await });
    let connection: BlockingConnection = Options::new().over_blocking(near).expect("greeted");
    let client = StockClient::new(connection);
    soak::overshoot(lab, "A3", "a blocking call", |deadline| {
        let cx = Context::new().deadline(deadline);
        match block_on(client.get(&cx, "never".into())) {
            Err(status) if status.code() == Code::DeadlineExceeded => Err(()),
            _ => Ok(()),
        }
    });
    drop(client);
    let served = runtime.block_on(serving).expect("no panic");
    served.expect("a stream");
}
