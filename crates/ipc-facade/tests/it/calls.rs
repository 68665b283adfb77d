//! Calls are here: over a socket, over datagrams, by gRPC, and through a registry.

use ipc_facade::rpc::{Channel, Code, Context, Router, Server, Status, service};
use ipc_facade::{rpc_native, rpc_transport, rpc_udp};
use ipc_testkit::TempDir;

#[service(name = "greeter.v1.Greeter")]
trait Greeter {
    async fn greet(&self, cx: &Context, name: String) -> Result<String, Status>;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, _: &Context, name: String) -> Result<String, Status> {
        if name.is_empty() {
            return Err(Status::new(Code::InvalidArgument, "nobody has no name"));
        }
        Ok(format!("good day, {name}"))
    }
}

fn router() -> Router {
    Router::new().service(GreeterServer::new(Polite))
}

async fn is_greeted(greeter: &GreeterClient<impl Channel>) {
    let cx = Context::new();
    let answer = greeter.greet(&cx, "Ada".to_owned()).await;
    assert_eq!(answer.expect("an answer"), "good day, Ada");
    let refused = greeter.greet(&cx, String::new()).await;
    assert_eq!(refused.expect_err("no name").code(), Code::InvalidArgument);
}

#[tokio::test]
async fn native_calls_are_here() {
    let dir = TempDir::new();
    let place = rpc_transport::Endpoint::unix(dir.join("socket")).to_string();
    let serving = rpc_native::bind(&place).expect("a new path");
    let server = Server::new(router()).with(serving).expect("a server");
    let server = tokio::spawn(server.run());
    let connection = rpc_native::connect(&place).await.expect("it listens");
    is_greeted(&GreeterClient::new(connection)).await;
    server.abort();
}

#[tokio::test]
async fn calls_over_datagrams_are_here() {
    let options = rpc_udp::Options::new().insecure_plain_text(true).clone();
    let serving = options.bind("udp:127.0.0.1:0").expect("a port");
    let place = serving.endpoint().expect("bound");
    let server = Server::new(router()).with(serving).expect("a server");
    let server = tokio::spawn(server.run());
    let connection = options.connect(&place).await.expect("it listens");
    is_greeted(&GreeterClient::new(connection)).await;
    server.abort();
}

#[cfg(feature = "grpc")]
#[tokio::test]
async fn grpc_is_here() {
    use ipc_facade::rpc_grpc;
    let dir = TempDir::new();
    let place = format!("unix:{}", dir.join("socket").display());
    let serving = rpc_grpc::bind(&place).expect("a new path");
    let server = Server::new(router()).with(serving).expect("a server");
    let server = tokio::spawn(server.run());
    let connection = rpc_grpc::connect(&place).await.expect("it listens");
    is_greeted(&GreeterClient::new(connection)).await;
    server.abort();
}

#[cfg(feature = "registry")]
#[tokio::test]
async fn the_registry_is_here() {
    use ipc_facade::rpc_registry::{Discovered, Embedded, Entry, Registry};
    let dir = TempDir::new();
    let registry = Embedded::at(dir.join("registry"));
    let place = format!("unix:{}", dir.join("socket").display());
    let serving = rpc_native::bind(&place).expect("a new path");
    let server = Server::new(router()).with(serving).expect("a server");
    let server = tokio::spawn(server.run());
    let entry = Entry::new(&GREETER_SERVICE, &place);
    let text = GREETER_SERVICE.contract().text();
    let lease = registry.register(entry, text).await.expect("it takes it");
    let connect = |place: String| async move { rpc_native::connect(&place).await };
    let pick = rpc_transport::Pick::TwoChoices;
    let servers = Discovered::new(registry, &GREETER_SERVICE, pick, connect);
    is_greeted(&GreeterClient::new(servers)).await;
    drop(lease);
    server.abort();
}
