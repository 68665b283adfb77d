//! How late a call by gRPC ends whose deadline has passed.

use crate::there::runtime;
use ipc_testkit::crash::Lab;
use ipc_testkit::soak;
use rpc_core::{Code, Context, Router, Server};
use rpc_grpc::Options;
use rpc_testkit::inventory::{Shop, StockClient, StockServer};
use rpc_transport::Wire;
use std::sync::Arc;

pub(crate) fn overshoot(lab: &mut Lab) {
    let runtime = runtime(2);
    let (near, far) = Wire::pair().expect("a pair");
    let router = Router::new().service(StockServer::new(Arc::<Shop>::default()));
    let served = Server::new(router).served();
    let serving = runtime.spawn(async move { Options::new().serve(far, served).await });
    let connection = runtime.block_on(Options::new().over(near));
    let client = StockClient::new(connection.expect("greeted"));
    soak::overshoot(lab, "A3", "a call by gRPC", |deadline| {
        let cx = Context::new().deadline(deadline);
        match runtime.block_on(client.get(&cx, "never".into())) {
            Err(status) if status.code() == Code::DeadlineExceeded => Err(()),
            _ => Ok(()),
        }
    });
    drop(client);
    let _ = runtime.block_on(serving).expect("no panic");
}
