//! A server whose head comes with its first answer, and what comes after the last.

use crate::raw;
use crate::shop::{PATIENCE, Served, plain};
use bytes::Bytes;
use futures_util::StreamExt;
use ipc_testkit::watchdog;
use rpc_core::{Body, Call, CallFuture, Channel, Code, Context, Metadata, Router, Server, items};
use rpc_grpc::Generated;
use rpc_testkit::generated::{FILE_DESCRIPTOR_SET, stock_server::StockServer};
use rpc_testkit::generated_shop::GeneratedShop;
use rpc_testkit::interop::{EchoMetadata, TestServiceClient, TestServiceServer, Tester};
use rpc_testkit::inventory::{StockClient, item};
use std::sync::{Arc, Mutex};
use tower_layer::layer_fn;

/// The layer of a server that answers nothing before the first question has come.
struct Late<C>(Arc<C>);

impl<C: Channel> Channel for Late<C> {
    fn call(&self, mut call: Call) -> CallFuture {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            if let Body::Many(mut questions) = call.body {
                let first = questions.next().await;
                let all = futures_util::stream::iter(first).chain(questions);
                call.body = Body::Many(Box::pin(all));
            }
            inner.call(call).await
        })
    }
}

/// Keeps the metadata of the last reply.
#[derive(Clone)]
struct Kept<C>(C, Arc<Mutex<Metadata>>);

impl<C: Channel> Channel for Kept<C> {
    fn call(&self, call: Call) -> CallFuture {
        let (work, kept) = (self.0.call(call), Arc::clone(&self.1));
        Box::pin(async move {
            let reply = work.await?;
            *kept.lock().expect("no panic") = reply.metadata.clone();
            Ok(reply)
        })
    }
}

const BEFORE: (&str, &[u8]) = ("x-grpc-test-echo-initial", b"before");
const AFTER: (&str, &[u8]) = ("x-grpc-test-echo-trailing-bin", b"\xab");

#[tokio::test]
async fn a_caller_asks_before_the_head_of_the_answer_is_there() {
    let _watchdog = watchdog(PATIENCE);
    let server = Server::new(Router::new().service(TestServiceServer::new(Tester)));
    let server = server
        .layer(layer_fn(EchoMetadata))
        .layer(layer_fn(|inner| Late(Arc::new(inner))));
    let served = Served::server(server, plain());
    let channel = Kept(served.connect().await, Arc::default());
    let client = TestServiceClient::new(channel.clone());
    let cx = Context::new().entry(BEFORE.0, BEFORE.1);
    let cx = cx.and_then(|cx| cx.entry(AFTER.0, AFTER.1)).expect("good");

    let (ask, asked) = tokio::sync::mpsc::channel(1);
    let asking = futures_util::stream::unfold(asked, |mut asked| async {
        asked.recv().await.map(|question| (question, asked))
    });
    let mut answers = client
        .full_duplex_call(&cx, asking)
        .await
        .expect("a stream");
    for size in [3, 0, 70_000] {
        let question = rpc_testkit::interop::StreamingOutputCallRequest {
            response_parameters: vec![rpc_testkit::interop::ResponseParameters {
                size,
                ..Default::default()
            }],
            ..Default::default()
        };
        ask.send(question).await.expect("it is taken");
        let answer = answers.next().await.expect("one").expect("good");
        let body = answer.payload.unwrap_or_default().body;
        assert_eq!(body.len(), size as usize);
    }
    drop(ask);
    assert_eq!(answers.next().await, None);
    let metadata = channel.1.lock().expect("no panic").clone();
    let after = metadata.after().expect("it has come");
    assert_eq!(after.of_place(false).collect::<Vec<_>>(), [BEFORE]);
    assert_eq!(after.of_place(true).collect::<Vec<_>>(), [AFTER]);
    drop((client, channel));
    served.stop().await;
}

#[tokio::test]
async fn a_failure_before_the_head_is_the_first_item() {
    let _watchdog = watchdog(PATIENCE);
    let served = Served::unix(plain());
    let client = rpc_testkit::interop::UnimplementedServiceClient::new(served.connect().await);
    let refused = client.unimplemented_call(&Context::new()).await;
    assert_eq!(refused.expect_err("none").code(), Code::Unimplemented);
    let client = TestServiceClient::new(served.connect().await);
    let asking = futures_util::stream::pending();
    let refused = match client.full_duplex_call(&Context::new(), asking).await {
        Ok(mut answers) => {
            let first = answers.next().await.expect("an item");
            assert_eq!(answers.next().await, None, "and the last");
            first.map(drop)
        }
        Err(status) => Err(status),
    };
    assert_eq!(refused.expect_err("none").code(), Code::Unimplemented);
    drop(client);
    served.stop().await;
}

/// Adds trailers to what a service of tonic answers, as its users do: a handler cannot.
#[derive(Clone)]
struct Trailing<S>(S);

impl<S> tower::Service<http::Request<tonic::body::Body>> for Trailing<S>
where
    S: tower::Service<
            http::Request<tonic::body::Body>,
            Response = http::Response<tonic::body::Body>,
        >,
    S::Future: Send + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = S::Error;
    type Future = futures_util::future::BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(
        &mut self,
        task: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), S::Error>> {
        self.0.poll_ready(task)
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        use http_body_util::BodyExt;
        let work = self.0.call(request);
        Box::pin(async move {
            let response = work.await?;
            Ok(response.map(|body| {
                tonic::body::Body::new(body.map_frame(|mut frame: http_body::Frame<Bytes>| {
                    if let Some(trailers) = frame.trailers_mut() {
                        trailers.insert("pages", http::HeaderValue::from_static("1"));
                    }
                    frame
                }))
            }))
        })
    }
}

#[tokio::test]
async fn the_trailers_of_a_generated_stream_reach_its_caller() {
    let _watchdog = watchdog(PATIENCE);
    let service = Trailing(StockServer::new(GeneratedShop::default()));
    let mounted = Generated::new(service, "inventory.v1.Stock", FILE_DESCRIPTOR_SET);
    let router = Router::new().service(mounted.expect("it is in the set"));
    let served = Served::router(router, plain());
    let stock = StockClient::new(served.connect().await);
    let cx = Context::new();
    let filled = stock.fill(&cx, items([item("a", 1), item("b", 1)])).await;
    assert_eq!(filled, Ok(2));
    let mut sender = raw::sender(&served.endpoint).await;
    let list = raw::request("/inventory.v1.Stock/List", &[], &[0; 5]);
    let answered = raw::send(&mut sender, list).await.expect("an answer");
    assert_eq!(answered.grpc_status(), Some(0));
    assert_eq!(answered.trailers.get("pages").expect("told"), "1");
    drop((stock, sender));
    served.stop().await;
}
