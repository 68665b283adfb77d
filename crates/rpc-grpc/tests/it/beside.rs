//! What a server offers beside its services: health, reflection, introspection, gRPC-Web; and
//! other protocols on the same port.

use crate::shop::{PATIENCE, Served, plain, router};
use http_body_util::{Either, Full};
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use ipc_testkit::{TempDir, watchdog};
use rpc_core::introspect::{IntrospectionClient, Introspector};
use rpc_core::layers::Statistics;
use rpc_core::{Code, Context, Server};
use rpc_grpc::health::{HealthClient, HealthReporter, ServingStatus};
use rpc_grpc::{GrpcService, Limits, Options};
use rpc_testkit::inventory::{StockClient, item};
use rpc_transport::{Acceptor, Seats};
use std::convert::Infallible;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use tonic::transport::Endpoint;
use tonic_reflection::pb::v1 as reflection;

fn path(endpoint: &str) -> String {
    endpoint.strip_prefix("unix:").expect("a path").to_owned()
}

#[tokio::test]
async fn health_is_told_when_asked_and_when_it_changes() {
    let _watchdog = watchdog(PATIENCE);
    let reporter = HealthReporter::new();
    let router = router(&Arc::default()).service(reporter.clone().service());
    let served = Served::router(router, plain());
    let health = HealthClient::new(served.connect().await);
    let cx = Context::new();
    let status = |status: ServingStatus| Ok(status.into());
    assert_eq!(
        health.check(&cx, String::new()).await,
        status(ServingStatus::Serving)
    );
    let unknown = health
        .check(&cx, "shop".into())
        .await
        .expect_err("not said yet");
    assert_eq!(unknown.code(), Code::NotFound);
    let mut watched = health.watch(&cx, "shop".into()).await.expect("a stream");
    assert_eq!(
        watched.next().await,
        Some(status(ServingStatus::ServiceUnknown))
    );
    for change in [
        ServingStatus::Serving,
        ServingStatus::NotServing,
        ServingStatus::Serving,
    ] {
        reporter.set("shop", change);
        assert_eq!(watched.next().await, Some(status(change)));
    }
    reporter.stop();
    assert_eq!(
        watched.next().await,
        Some(status(ServingStatus::NotServing))
    );
    drop(watched);
    served.stop().await;
}

#[tokio::test]
async fn introspection_counts_calls() {
    let _watchdog = watchdog(PATIENCE);
    let statistics = Statistics::new();
    let router = router(&Arc::default());
    let introspection = Introspector::new(&router, &statistics).service();
    let server = Server::new(router.service(introspection)).layer(statistics);
    let served = Served::server(server, plain());
    let connection = served.connect().await;
    let cx = Context::new();
    let stock = StockClient::new(connection.clone());
    stock.put(&cx, item("a", 1)).await.expect("put");
    let counts = IntrospectionClient::new(connection)
        .counts(&cx)
        .await
        .expect("counts");
    let put = counts
        .methods
        .iter()
        .find(|counts| counts.method == "inventory.v1.Stock/Put");
    assert_eq!(put.map(|put| (put.started, put.succeeded)), Some((1, 1)));
    served.stop().await;
}

#[tokio::test]
async fn reflection_tells_of_every_service_in_both_versions() {
    let _watchdog = watchdog(PATIENCE);
    let router = router(&Arc::default()).service(HealthReporter::new().service());
    let served = Served::router(rpc_grpc::reflect(router).expect("good contracts"), plain());
    let path = path(&served.endpoint);
    let connector = tower::service_fn(move |_| {
        let path = path.clone();
        async move {
            tokio::net::UnixStream::connect(path)
                .await
                .map(TokioIo::new)
        }
    });
    let endpoint = Endpoint::from_static("http://localhost");
    let channel = endpoint.connect_with_connector(connector);
    let channel = channel.await.expect("it listens");
    let mut client =
        reflection::server_reflection_client::ServerReflectionClient::new(channel.clone());
    use reflection::server_reflection_request::MessageRequest;
    use reflection::server_reflection_response::MessageResponse;
    let ask = |question| reflection::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(question),
    };
    let questions = [
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol(
            "inventory.v1.Stock".to_owned(),
        )),
        ask(MessageRequest::FileContainingSymbol(
            "inventory.v1.Item".to_owned(),
        )),
        ask(MessageRequest::FileByFilename(
            "google/protobuf/wrappers.proto".to_owned(),
        )),
        ask(MessageRequest::FileContainingSymbol("none".to_owned())),
    ];
    let answers = client
        .server_reflection_info(futures_util::stream::iter(questions))
        .await;
    let mut answers = answers.expect("a stream").into_inner();
    let mut next = async || {
        answers
            .message()
            .await
            .map(|answer| answer?.message_response)
    };
    let Ok(Some(MessageResponse::ListServicesResponse(list))) = next().await else {
        panic!("no list");
    };
    let names: Vec<_> = list
        .service
        .into_iter()
        .map(|service| service.name)
        .collect();
    for name in [
        "calculator.v1.Calculator",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "inventory.v1.Stock",
    ] {
        assert!(
            names.contains(&name.to_owned()),
            "{name} is not in {names:?}"
        );
    }
    for _ in 0..3 {
        let answer = next().await.expect("an answer");
        assert!(
            matches!(answer, Some(MessageResponse::FileDescriptorResponse(_))),
            "{answer:?}"
        );
    }
    assert!(!matches!(
        next().await,
        Ok(Some(MessageResponse::FileDescriptorResponse(_)))
    ));
    use tonic_reflection::pb::v1alpha;
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
    let list = v1alpha::server_reflection_request::MessageRequest::ListServices(String::new());
    let question = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(list),
    };
    let answers = client
        .server_reflection_info(futures_util::stream::iter([question]))
        .await;
    let answer = answers
        .expect("a stream")
        .into_inner()
        .message()
        .await
        .expect("an answer");
    assert!(answer.is_some());
    drop(client);
    served.task.abort();
}

/// Sends a request of HTTP/1.1 and reads what comes.
fn http1(path: &str, content: &str, accept: &str, body: &[u8]) -> (String, Vec<u8>) {
    let mut stream = UnixStream::connect(path).expect("it listens");
    let head = format!(
        "POST /inventory.v1.Stock/Put HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: {content}\r\naccept: {accept}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    // At once: the server may answer, and close, before it has seen the body.
    let all = [head.as_bytes(), body].concat();
    stream.write_all(&all).expect("room");
    let mut came = Vec::new();
    stream.read_to_end(&mut came).expect("an answer");
    let end = came
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a head");
    let head = String::from_utf8_lossy(&came[..end]).to_lowercase();
    (head, came.split_off(end + 4))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_calls_by_grpc_web_in_both_forms() {
    let _watchdog = watchdog(PATIENCE);
    let served = Served::unix(plain());
    let path = path(&served.endpoint);
    let put = &[0, 0, 0, 0, 7, 10, 5, 10, 1, b'a', 16, 3][..];
    let binary = "application/grpc-web+proto";
    let (head, body) = http1(&path, binary, binary, put);
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let text = String::from_utf8_lossy(&body).into_owned();
    assert!(
        body.windows(7).any(|seven| seven == [0, 0, 0, 0, 2, 8, 3]),
        "{text}"
    );
    assert!(text.contains("grpc-status:0"), "{text}");
    let base64 = "AAAAAAcKBQoBYRAD";
    let form = "application/grpc-web-text";
    let (head, body) = http1(&path, form, form, base64.as_bytes());
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(
        String::from_utf8_lossy(&body).contains("AAAAAAIIBg"),
        "{body:?}"
    );
    let (head, _) = http1(&path, "application/grpc", "*/*", put);
    assert!(head.starts_with("http/1.1 505"), "{head}");
    let (head, _) = http1(&path, "text/plain", "*/*", put);
    assert!(head.starts_with("http/1.1 415"), "{head}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_protocol_shares_the_port() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let endpoint = format!("unix:{}", dir.join("both.sock").display());
    let listener = rpc_transport::Options::new().bind(&endpoint.parse().expect("a binding"));
    let acceptor = Acceptor::new(listener.expect("a free path"), Seats::new(8, 8));
    let (stopper, limits) = (acceptor.stopper(), Limits::new());
    let calls = Server::new(router(&Arc::default())).served();
    let serving = tokio::spawn(acceptor.run(move |wire, stopped| {
        let grpc = GrpcService::new(calls.clone(), &Options::new(), wire.peer().clone());
        let limits = limits.clone();
        let both = hyper::service::service_fn(move |request| {
            let grpc = grpc.clone();
            async move {
                Ok::<_, Infallible>(match GrpcService::claims(&request) {
                    true => {
                        let Ok(response) = grpc.call(request).await;
                        response.map(Either::Left)
                    }
                    false => http::Response::new(Either::Right(Full::from("plain"))),
                })
            }
        });
        async move {
            rpc_http::serve(wire, &limits, both, stopped)
                .await
                .expect("served")
        }
    }));
    let stock = StockClient::new(rpc_grpc::connect(&endpoint).await.expect("it listens"));
    assert_eq!(stock.put(&Context::new(), item("a", 1)).await, Ok(1));
    let (head, body) = http1(&path(&endpoint), "text/plain", "*/*", b"");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert_eq!(body, b"plain");
    drop(stock);
    stopper.stop();
    serving.await.expect("no panic").expect("an orderly end");
}
