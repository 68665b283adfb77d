//! How late a call by datagrams ends whose deadline has passed.

use crate::remote::{Remote, options};
use ipc_testkit::crash::Lab;
use ipc_testkit::{Role, soak};
use rpc_core::{Code, Context};
use rpc_testkit::inventory::StockClient;
use tokio::runtime::Builder;

pub(crate) fn overshoot(lab: &mut Lab) {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let role = Role::new("server").argument("udp:127.0.0.1:0").argument("");
    let remote = Remote::told(role, Role::spawn);
    let connection = runtime.block_on(options().connect(&remote.endpoint));
    let client = StockClient::new(connection.expect("it is there"));
    soak::overshoot(lab, "A3", "a call by datagrams", |deadline| {
        let cx = Context::new().deadline(deadline);
        match runtime.block_on(client.get(&cx, "never".into())) {
            Err(status) if status.code() == Code::DeadlineExceeded => Err(()),
            _ => Ok(()),
        }
    });
    drop(client);
    remote.server.kill();
}
