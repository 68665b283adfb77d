//! Whom the kernel names on a Unix socket is a principal of the policy of each method.

use crate::shop::{PATIENCE, Served, plain, router};
use ipc_testkit::{Role, Stage, TempDir, skip, watchdog};
use rpc_core::layers::{Authenticate, Authorize};
use rpc_core::{Code, Context, Peer, Principal, Server};
use rpc_grpc::Connection;
use rpc_testkit::inventory::{StockClient, item};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

/// No user of this host.
const STRANGER: u32 = 65_533;

/// How each method ends for who calls: none where it is an answer.
async fn outcomes(connection: Connection) -> [Option<Code>; 2] {
    let stock = StockClient::new(connection);
    // What a caller says of itself is nothing.
    let mut cx = Context::new();
    for (name, value) in [("uid", "0"), ("role", "clerk"), ("authorization", "root")] {
        cx = cx.entry(name, value.as_bytes()).expect("room");
    }
    cx.set_principal(Principal::new("uid:0", ["clerk"]));
    let got = stock.get(&cx, "x".into()).await;
    let put = stock.put(&cx, item("y", 1)).await;
    [got.err(), put.err()].map(|status| status.map(|status| status.code()))
}

/// Another user: argument 0 is where the server is, 1 whether it is let in.
pub(crate) fn call_as_stranger(stage: Stage) {
    nix::unistd::setgid(STRANGER.into()).expect("root may");
    nix::unistd::setuid(STRANGER.into()).expect("root may");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let connected = plain().connect(stage.argument(0)).await;
        if stage.argument(1) == "refused" {
            // It may learn of it only by its first call.
            let refused = match connected {
                Err(status) => status,
                Ok(connection) => {
                    let stock = StockClient::new(connection);
                    let got = stock.get(&Context::new(), "x".into()).await;
                    got.expect_err("it is not for strangers")
                }
            };
            assert_ne!(refused.code(), Code::NotFound, "{refused}");
            return;
        }
        let met = outcomes(connected.expect("it is let in")).await;
        assert_eq!(met, [Some(Code::NotFound), Some(Code::PermissionDenied)]);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_user_is_refused_what_is_not_for_everybody() {
    let _watchdog = watchdog(PATIENCE);
    let own = rustix::process::getuid().as_raw();
    if own != 0 {
        skip!("needs root, to be another user");
    }
    let dir = TempDir::new();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).expect("our own");
    let path = dir.join("socket");
    let listener = ipc_uds::Options::new()
        .mode(0o666)
        .policy(ipc_uds::Policy::custom(|_| true))
        .bind(&path)
        .expect("bind");
    let named = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&named);
    let authenticate = Authenticate::by(move |peer, _| match peer {
        Peer::Unix(ids) => {
            seen.lock().expect("no panic").push(ids.uid);
            let role = if ids.uid == own { "clerk" } else { "guest" };
            Some(Principal::new(format!("uid:{}", ids.uid), [role]))
        }
        _ => None,
    });
    let authorize = Authorize::new()
        .allow("inventory.v1.Stock/Get", [Authorize::ANYONE])
        .allow("inventory.v1.Stock/Put", ["clerk"]);
    let server = Server::new(router(&Arc::default()))
        .layer(authorize)
        .layer(authenticate);
    let serving = plain().listen(listener.into());
    let stopper = serving.stopper();
    let running = tokio::spawn(server.with(serving).expect("it carries all").run());
    let endpoint = format!("unix:{}", path.display());
    let connection = plain().connect(&endpoint).await.expect("it listens");
    assert_eq!(outcomes(connection).await, [Some(Code::NotFound), None]);
    let stranger = Role::new("stranger").argument(&endpoint).argument("met");
    let stranger = stranger.spawn();
    tokio::task::spawn_blocking(move || stranger.done())
        .await
        .expect("it met what it should");
    let named = named.lock().expect("no panic").clone();
    assert!(
        named.contains(&own) && named.contains(&STRANGER),
        "{named:?}"
    );
    stopper.stop();
    running.await.expect("no panic").expect("an orderly end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_user_is_refused_at_the_door_by_default() {
    let _watchdog = watchdog(PATIENCE);
    if !rustix::process::getuid().is_root() {
        skip!("needs root, to be another user");
    }
    let served = Served::unix(plain());
    let path = served.endpoint.strip_prefix("unix:").expect("a path");
    // As far as the modes of files go, anybody may.
    let open = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("our own");
    };
    let path = std::path::Path::new(path);
    open(path.parent().expect("a directory"), 0o755);
    open(path, 0o666);
    let stranger = Role::new("stranger")
        .argument(&served.endpoint)
        .argument("refused")
        .spawn();
    tokio::task::spawn_blocking(move || stranger.done())
        .await
        .expect("it was refused");
    let stock = StockClient::new(served.connect().await);
    assert_eq!(stock.put(&Context::new(), item("a", 1)).await, Ok(1));
    drop(stock);
    served.stop().await;
}
