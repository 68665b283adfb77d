//! Who may call what: identity comes from the transport alone, and what is not allowed is denied,
//! over every transport.

use crate::identities::{CLERK, Identities};
use crate::remote::PATIENCE;
use crate::transports::Transport;
use ipc_core::{ByteSink, ByteSource, Until};
use ipc_testkit::{TempDir, watchdog};
use rpc_core::layers::{Authenticate, Authorize};
use rpc_core::{
    Code, Context, Peer, Principal, Router, Server, Status, Streaming, items, method_id, service,
};
use rpc_native::Connection;
use rpc_testkit::inventory::{Item, Shop, StockClient, StockServer, item};
use rpc_transport::{Endpoint, Wire};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

#[service(name = "authority.v1.Mirror")]
trait Mirror {
    /// Whom the server takes the caller for.
    async fn who(&self, cx: &Context) -> Result<String, Status>;
}

struct Glass;

impl Mirror for Glass {
    async fn who(&self, cx: &Context) -> Result<String, Status> {
        let who = cx.principal().ok_or(Status::bare(Code::Unauthenticated))?;
        Ok(format!("{} for {}", who.name(), who.origin()))
    }
}

/// A principal of what the transport proves; who is only reached by an address, or by nobody,
/// has the roles of `others`.
fn authenticate(others: &'static str) -> Authenticate {
    Authenticate::by(move |peer, _| match peer {
        Peer::Unix(ids) => Some(Principal::new(format!("uid:{}", ids.uid), [others])),
        Peer::Tls(names) if names.iter().any(|name| name == CLERK) => {
            Some(Principal::new(CLERK, ["clerk"]))
        }
        Peer::Tls(names) => Some(Principal::new(names.first()?.clone(), ["guest"])),
        Peer::Tcp(address) => Some(Principal::new(format!("at:{}", address.ip()), [others])),
        Peer::Inproc => Some(Principal::new("inproc", [others])),
        _ => Some(Principal::new("somebody", [others])),
    })
}

/// A server over `transport` whose unproven callers have the role `others`.
async fn server(transport: Transport, others: &'static str, at: &Path) -> Option<Endpoint> {
    let router = Router::new()
        .service(StockServer::new(Arc::new(Shop::default())))
        .service(MirrorServer::new(Glass));
    let authorize = Authorize::new()
        .allow("inventory.v1.Stock/Get", [Authorize::ANYONE])
        .allow("inventory.v1.Stock/List", ["clerk", "guest"])
        .allow("authority.v1.Mirror", [Authorize::ANYONE]);
    let server = Server::new(router)
        .layer(authorize)
        .layer(authenticate(others));
    let serving = transport.server(at).bind(&transport.place(at)).ok()?;
    let endpoint = serving.endpoint().expect("bound");
    tokio::spawn(server.with(serving).expect("it carries all").run());
    Some(endpoint)
}

/// Whether a caller with this role may call this method of the inventory.
fn may(role: &str, method: &str) -> bool {
    match method {
        "Get" => true,
        "List" => role == "clerk" || role == "guest",
        // What the contract says where the table says nothing.
        "Put" => role == "clerk",
        _ => false,
    }
}

/// The outcome of each method of the inventory; a missing item is an answer, too.
async fn all_methods(connection: Connection) -> Vec<(&'static str, bool)> {
    let stock = StockClient::new(connection);
    let cx = Context::new();
    let allowed = |code: Option<Code>| code != Some(Code::PermissionDenied);
    let code = |status: Status| status.code();
    let get = stock.get(&cx, "x".into()).await.err().map(code);
    let put = stock.put(&cx, item("y", 1)).await.err().map(code);
    let fill = stock.fill(&cx, items([item("y", 1)])).await.err().map(code);
    let list = first_failure(stock.list(&cx, "none".into()).await).await;
    let names = items(["x".to_owned()]);
    let look = first_failure(stock.look(&cx, names).await).await;
    [
        ("Get", get),
        ("Put", put),
        ("Fill", fill),
        ("List", list),
        ("Look", look),
    ]
    .map(|(method, code)| (method, allowed(code)))
    .into()
}

/// Within the process a stream is refused as it is asked for, elsewhere by its first item.
async fn first_failure(stream: Result<Streaming<Item>, Status>) -> Option<Code> {
    match stream {
        Err(status) => Some(status.code()),
        Ok(mut stream) => stream.next().await?.err().map(|status| status.code()),
    }
}

const LISTENING: [Transport; 6] = [
    Transport::Inproc,
    Transport::Unix,
    Transport::Shm,
    Transport::Tcp,
    Transport::Tls,
    Transport::Mtls,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_method_is_for_its_roles_over_every_transport_and_else_for_nobody() {
    let _watchdog = watchdog(PATIENCE);
    let identities = Identities::new();
    for transport in LISTENING {
        for role in ["clerk", "guest", "stranger"] {
            // The certificates of clerk and guest say who they are; there is none of strangers.
            if transport == Transport::Mtls && role == "stranger" {
                continue;
            }
            let directory = directory(&identities);
            let endpoint = server(transport, role, directory.path()).await;
            let endpoint = endpoint.expect("bind").to_string();
            let connection = transport.client(&identities, role).connect(&endpoint).await;
            for (method, allowed) in all_methods(connection.expect("connect")).await {
                let expected = may(role, method);
                assert_eq!(
                    allowed, expected,
                    "{role} calls {method} over {transport:?}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_a_caller_says_makes_it_somebody_else() {
    let _watchdog = watchdog(PATIENCE);
    let identities = Identities::new();
    let own = rustix::process::getuid().as_raw();
    for (transport, expected) in [
        (Transport::Inproc, "inproc for inproc".to_owned()),
        (Transport::Unix, format!("uid:{own} for uid:{own}")),
        (Transport::Shm, format!("uid:{own} for uid:{own}")),
        (Transport::Tcp, "at:127.0.0.1 for at:127.0.0.1".to_owned()),
        (Transport::Tls, "at:127.0.0.1 for at:127.0.0.1".to_owned()),
        (
            Transport::Mtls,
            "spiffe://example/guest for spiffe://example/guest".to_owned(),
        ),
    ] {
        let directory = directory(&identities);
        let endpoint = server(transport, "stranger", directory.path()).await;
        let endpoint = endpoint.expect("bind").to_string();
        let options = transport.client(&identities, "guest");
        let connection = options.connect(&endpoint).await;
        let mirror = MirrorClient::new(connection.expect("connect"));
        let mut cx = Context::new();
        // Lies.
        for (name, value) in [
            ("uid", "0"),
            ("gid", "0"),
            ("pid", "1"),
            ("principal", CLERK),
            ("role", "clerk"),
            ("authorization", "Bearer clerk"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-client-cert", CLERK),
            (Context::ORIGIN, "root"),
        ] {
            cx = cx.entry(name, value.as_bytes()).expect("room");
        }
        cx.set_principal(Principal::new(CLERK, ["clerk", "delegate"]));
        assert_eq!(mirror.who(&cx).await, Ok(expected), "{transport:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn variants_of_a_name_are_no_service_and_no_method_over_every_transport() {
    let _watchdog = watchdog(PATIENCE);
    let identities = Identities::new();
    for transport in LISTENING {
        let directory = directory(&identities);
        let endpoint = server(transport, "clerk", directory.path()).await;
        let endpoint = endpoint.expect("bind");
        if transport == Transport::Inproc {
            continue; // No name goes over it: what is called is an entry of the server's table.
        }
        let identities = match transport {
            Transport::Mtls => identities.client(Some("clerk")),
            Transport::Tls => identities.client(None),
            _ => crate::transports::insecure(),
        };
        let asked = move || raw_variants(&identities, &endpoint);
        tokio::task::spawn_blocking(asked)
            .await
            .expect("all denied");
    }
}

/// Names services and methods by hand.
fn raw_variants(options: &rpc_transport::Options, endpoint: &Endpoint) {
    let until = Until::At(Instant::now() + PATIENCE);
    let wire = options.connect(endpoint, until).expect("connect");
    let mut hello = b"IPCR\x01\0\0\0".to_vec();
    for limit in [128_u32, 1 << 20, 1 << 18, 1 << 22] {
        hello.extend(limit.to_le_bytes());
    }
    send(&wire, 1, 0, 0, &hello);
    let mut input = Vec::new();
    assert_eq!(next(&wire, &mut input).0, 1, "it greets");
    let service = rpc_testkit::inventory::STOCK_SERVICE.name();
    let fingerprint = rpc_testkit::inventory::STOCK_SERVICE
        .contract()
        .fingerprint();
    let bind = |number: u16, name: &str| {
        let mut payload = number.to_le_bytes().to_vec();
        payload.extend([1, u8::try_from(name.len()).expect("short")]);
        payload.extend(fingerprint);
        payload.extend(name.as_bytes());
        send(&wire, 2, 0, 0, &payload);
    };
    bind(1, service);
    assert_eq!(next(&wire, &mut input).1[2], 0, "the name itself is good");
    let variants = [
        "inventory.v1.stock",
        "INVENTORY.V1.STOCK",
        "Inventory.v1.Stock",
        " inventory.v1.Stock",
        "inventory.v1.Stock ",
        "inventory.v1.Stock/",
        "/inventory.v1.Stock",
        "//inventory.v1.Stock",
        "inventory%2ev1%2eStock",
        "inventory.v1.Stock%00",
        "inventory.v1.Stock\0",
        "inventory..v1.Stock",
        "inventory.v1.Ｓtock",
        "inventory.v1.Stoсk",
        "Stock",
        "",
        "*",
    ];
    for (number, name) in (2_u16..).zip(variants) {
        bind(number, name);
        let (kind, payload) = next(&wire, &mut input);
        assert_eq!((kind, payload[2]), (3, 1), "`{name}` is no service");
    }
    for name in [
        "put",
        "PUT",
        "Put ",
        " Put",
        "Put/",
        "/Put",
        "//Put",
        "%50ut",
        "Put%2f",
        "Put\0",
        "Ｐut",
        "Get/../Put",
        "inventory.v1.Stock/Put",
        "*",
        "",
    ] {
        let mut payload = vec![1, 0, 0, 0];
        payload.extend(method_id(name).to_le_bytes());
        send(&wire, 4, 8, 1, &payload);
        let (kind, payload) = next(&wire, &mut input);
        let unimplemented = Code::Unimplemented as u8;
        assert_eq!(
            (kind, payload[0]),
            (7, unimplemented),
            "`{name}` is no method"
        );
    }
}

fn send(wire: &Wire, kind: u8, flags: u8, call: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("short");
    let mut frame = length.to_le_bytes().to_vec();
    frame.extend([kind, flags, 0, 0]);
    frame.extend(call.to_le_bytes());
    frame.extend(payload);
    let mut frame = &frame[..];
    while !frame.is_empty() {
        let written = wire.write_until(&[], frame, Until::Forever);
        frame = &frame[written.expect("the server reads")..];
    }
    wire.pay_until(Until::Forever).expect("the server reads");
}

/// The kind and payload of the next frame.
fn next(wire: &Wire, input: &mut Vec<u8>) -> (u8, Vec<u8>) {
    loop {
        if let Some(length) = input.first_chunk().map(|word| u32::from_le_bytes(*word)) {
            let end = 12 + length as usize;
            if input.len() >= end {
                let frame: Vec<u8> = input.drain(..end).collect();
                return (frame[4], frame[12..].to_vec());
            }
        }
        let mut buffer = [0; 4096];
        let came = wire.read_until(&mut buffer, Until::Forever);
        let came = came.expect("the server answers");
        assert_ne!(came, 0, "the server has gone");
        input.extend(&buffer[..came]);
    }
}

/// A directory of its own for one server, with its identity.
fn directory(identities: &Identities) -> TempDir {
    let directory = TempDir::new();
    for name in ["root.pem", "server.pem", "server.key"] {
        let from = identities.path().join(name);
        std::fs::copy(from, directory.join(name)).expect("room");
    }
    directory
}
