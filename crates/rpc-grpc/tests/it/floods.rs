//! Floods, dawdlers and storms: a server cuts them, serves the others, and keeps nothing of them;
//! and a client survives a server that floods.

use crate::frames::{
    FLOODS, GET, HEADERS, PING, PREFACE, RESET, RESETS, SETTINGS, flood, frame, goodbye, head,
};
use crate::remote::Remote;
use crate::shop::{PATIENCE, Served, plain, router};
use crate::spy::Spy;
use ipc_testkit::{Role, Stage, TempDir, watchdog};
use rpc_core::{Code, Context, Server};
use rpc_grpc::Limits;
use rpc_testkit::inventory::{StockClient, item};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::Duration;

/// How many frames of a flood, or streams that are reset, are sent.
const MANY: u32 = 1_100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_flood_of_frames_is_cut_and_the_others_are_served() {
    let _watchdog = watchdog(PATIENCE);
    let remote = Remote::start("well");
    let stock = StockClient::new(remote.connect().await);
    for (name, what, reason) in RESETS.into_iter().chain(FLOODS) {
        let endpoint = remote.endpoint.clone();
        let flooding = tokio::task::spawn_blocking(move || flood(&endpoint, what, MANY));
        while !flooding.is_finished() {
            let put = stock.put(&Context::new(), item("a", 1)).await;
            assert!(put.is_ok(), "{name}: {put:?}");
        }
        let (came, ended) = flooding.await.expect("no panic");
        assert!(ended, "{name}: it is not cut");
        let goodbye = goodbye(&came).expect(name);
        assert_eq!(goodbye.reason, reason, "{name}: {goodbye:?}");
        assert!(
            goodbye.last_stream.div_ceil(2) <= MANY,
            "{name}: {goodbye:?}"
        );
        let asks = name == "PING";
        assert_eq!(goodbye.text == b"too_many_pings", asks, "{name}");
    }
    assert!(stock.put(&Context::new(), item("a", 1)).await.is_ok());
}

/// A host may stand still for less in the middle of an honest frame.
const SLOW: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_dawdles_is_cut_and_who_calls_is_served() {
    let _watchdog = watchdog(PATIENCE);
    let limits = Limits::new()
        .greeting_timeout(SLOW)
        .frame_timeout(SLOW)
        .clone();
    let served = Served::unix(plain().limits(limits).clone());
    let path = served
        .endpoint
        .strip_prefix("unix:")
        .expect("a path")
        .to_owned();
    let stock = StockClient::new(served.connect().await);
    let beginnings: [Vec<u8>; 5] = [
        Vec::new(),
        PREFACE[..1].to_vec(),
        PREFACE.to_vec(),
        [PREFACE, &frame(SETTINGS, 0, 0, &[]), &[0, 0, 9]].concat(),
        [
            PREFACE,
            &frame(SETTINGS, 0, 0, &[]),
            &frame(HEADERS, 0, 1, &head(GET, &[])),
        ]
        .concat(),
    ];
    let dawdlers: Vec<_> = (0..200)
        .map(|number| {
            let mut stream = UnixStream::connect(&path).expect("it listens");
            stream.write_all(&beginnings[number % 5]).expect("room");
            stream
        })
        .collect();
    let cut = tokio::task::spawn_blocking(move || {
        for mut stream in dawdlers {
            // It comes to an end, whether by a close or by a reset.
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    let mut puts = 0;
    while !cut.is_finished() {
        puts += 1;
        assert_eq!(stock.put(&Context::new(), item("a", 1)).await, Ok(puts));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    cut.await.expect("no panic");
    assert_eq!(stock.put(&Context::new(), item("a", 1)).await, Ok(puts + 1));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_deadlines_leaves_nothing_behind() {
    let _watchdog = watchdog(PATIENCE);
    let spy = Spy::new();
    let server = Server::new(router(&Arc::default())).layer(spy.clone());
    let served = Served::server(server, plain());
    let stock = StockClient::new(served.connect().await);
    let callers: Vec<_> = (0..64)
        .map(|_| {
            let stock = stock.clone();
            tokio::spawn(async move {
                for _ in 0..32 {
                    let short = Context::new().timeout(Duration::from_millis(1));
                    let late = stock.get(&short, "never".into()).await;
                    let late = late.expect_err("nobody answers");
                    // Who resets too often is cut, which the client sees as that.
                    let codes = [Code::DeadlineExceeded, Code::Unavailable];
                    assert!(codes.contains(&late.code()), "{late}");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("no panic");
    }
    spy.running(0).await;
    let fresh = StockClient::new(served.connect().await);
    let many: Vec<_> = (0..128)
        .map(|_| {
            let fresh = fresh.clone();
            tokio::spawn(async move { fresh.get(&Context::new(), "a".into()).await })
        })
        .collect();
    for one in many {
        let missing = one.await.expect("no panic").expect_err("empty");
        assert_eq!(missing.code(), Code::NotFound);
    }
    drop((stock, fresh));
    served.stop().await;
}

/// A server that has hardly any descriptors left once it listens.
pub(crate) fn serve_starved(mut stage: Stage) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ready = stage.descriptor();
    runtime.expect("a runtime").block_on(async {
        let serving = plain().bind(stage.argument(0)).expect("bind");
        let server = Server::new(router(&Arc::default()))
            .with(serving)
            .expect("carried");
        let open = std::fs::read_dir("/proc/self/fd")
            .expect("readable")
            .count() as u64;
        let few = Some(open + 8);
        setrlimit(
            Resource::Nofile,
            Rlimit {
                current: few,
                maximum: few,
            },
        )
        .expect("less");
        drop(ready);
        server.run().await.expect("it serves until it is killed");
    });
}

#[tokio::test]
async fn a_server_without_descriptors_serves_on_and_recovers() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let endpoint = format!("unix:{}", dir.join("socket").display());
    let (told, tell) = ipc_uds::pair().expect("a pair");
    let server = Role::new("starved")
        .argument(&endpoint)
        .descriptor(&tell)
        .spawn();
    drop(tell);
    told.recv(&mut [0; 1]).expect_err("it listens");
    let early = StockClient::new(plain().connect(&endpoint).await.expect("it listens"));
    let cx = Context::new();
    assert_eq!(early.put(&cx, item("a", 1)).await, Ok(1));
    let path = endpoint.strip_prefix("unix:").expect("a path");
    let crowd: Vec<_> = (0..30)
        .map(|_| UnixStream::connect(path).expect("a backlog"))
        .collect();
    for count in 2..20 {
        assert_eq!(early.put(&cx, item("a", 1)).await, Ok(count));
    }
    drop(crowd);
    // On a slow host the crowd holds its descriptors yet when this one is accepted with the last.
    let late = loop {
        let put = match plain().connect(&endpoint).await {
            Ok(connection) => StockClient::new(connection).put(&cx, item("a", 1)).await,
            Err(status) => Err(status),
        };
        match put {
            Err(status) if status.code() == Code::Unavailable => tokio::task::yield_now().await,
            put => break put,
        }
    };
    assert_eq!(late, Ok(20), "and none of them ran");
    drop(server);
}

#[tokio::test]
async fn a_client_ends_its_calls_when_a_server_floods_or_talks_nonsense() {
    let _watchdog = watchdog(PATIENCE);
    let says: [(&str, Vec<u8>); 5] = [
        ("nothing, and goes", Vec::new()),
        ("garbage", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        (
            "pings",
            [
                frame(SETTINGS, 0, 0, &[]),
                frame(PING, 0, 0, &[0; 8]).repeat(5_000),
            ]
            .concat(),
        ),
        (
            "a reset",
            [
                frame(SETTINGS, 0, 0, &[]),
                frame(RESET, 0, 1, &[0, 0, 0, 7]),
            ]
            .concat(),
        ),
        (
            "half a frame",
            [frame(SETTINGS, 0, 0, &[]), vec![0, 0, 4, 1, 4]].concat(),
        ),
    ];
    for (name, bytes) in says {
        let dir = TempDir::new();
        let path = dir.join("socket");
        let listener = UnixListener::bind(&path).expect("a free path");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut preface = [0; 24];
            stream.read_exact(&mut preface).expect("a preface");
            // After the head of the call, so that it is under way.
            let mut seen: Vec<u8> = Vec::new();
            while !seen
                .windows(9)
                .any(|nine| nine[3] == 1 && nine[5..] == [0, 0, 0, 1])
            {
                let mut some = [0; 4096];
                let length = stream.read(&mut some).expect("frames");
                seen.extend(&some[..length]);
            }
            let _ = stream.write_all(&bytes);
            // That the one call is refused is to be seen, and not the end of the connection.
            (name == "a reset").then_some(stream)
        });
        let endpoint = format!("unix:{}", path.display());
        let stock = StockClient::new(plain().connect(&endpoint).await.expect("it listens"));
        let failed = stock
            .get(&Context::new(), "a".into())
            .await
            .expect_err(name);
        // What is no HTTP/2 is the server's fault, if it is seen before the end of the connection.
        let garbage = name == "garbage" && failed.code() == Code::Internal;
        assert!(
            garbage || failed.code() == Code::Unavailable,
            "{name}: {failed}"
        );
        let sure = name == "a reset";
        assert_eq!(failed.did_not_run(), sure, "{name}: {failed}");
        drop(server.join().expect("no panic"));
    }
}
