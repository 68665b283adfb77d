//! The named cases of gRPC's interoperation programs, from this client to this server.

use crate::raw;
use crate::shop::{PATIENCE, Served, plain};
use ipc_testkit::watchdog;
use rpc_core::{Code, Context, Router, Server, Status, items};
use rpc_grpc::{Connection, Encoding};
use rpc_testkit::interop::{
    EchoMetadata, EchoStatus, ResponseParameters, StreamingInputCallRequest,
    StreamingOutputCallRequest, TestServiceClient, TestServiceServer, Tester, zeros,
};
use std::time::Duration;
use tower_layer::layer_fn;

const SPECIAL: &str = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";

fn served(encoding: Encoding) -> Served {
    let server = Server::new(Router::new().service(TestServiceServer::new(Tester)));
    let server = server.layer(layer_fn(EchoMetadata));
    Served::server(server, plain().encoding(encoding).clone())
}

fn wanted(size: i32) -> StreamingOutputCallRequest {
    StreamingOutputCallRequest {
        response_parameters: vec![parameters(size)],
        payload: zeros(271).expect("a size"),
        ..StreamingOutputCallRequest::default()
    }
}

fn parameters(size: i32) -> ResponseParameters {
    ResponseParameters {
        size,
        ..ResponseParameters::default()
    }
}

async fn large(
    client: &TestServiceClient<Connection>,
    status: Option<EchoStatus>,
) -> Result<usize, Status> {
    let sent = zeros(271_828).expect("a size");
    let cx = Context::new();
    let answer = client
        .unary_call(&cx, 0, 314_159, sent, false, false, None, status, None)
        .await?;
    Ok(answer.payload.map_or(0, |payload| payload.body.len()))
}

#[tokio::test]
async fn the_unary_cases() {
    let _watchdog = watchdog(PATIENCE);
    for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd] {
        let served = served(encoding);
        let client = TestServiceClient::new(served.connect().await);
        let cx = Context::new();
        assert_eq!(client.empty_call(&cx).await, Ok(()));
        assert_eq!(large(&client, None).await, Ok(314_159));
        for message in ["test status message", SPECIAL] {
            let status = EchoStatus {
                code: 2,
                message: message.to_owned(),
            };
            let failed = large(&client, Some(status)).await.expect_err("as asked");
            assert_eq!((failed.code(), failed.message()), (Code::Unknown, message));
        }
        let many = (0..64).map(|_| {
            let client = client.clone();
            tokio::spawn(async move { large(&client, None).await })
        });
        for one in many.collect::<Vec<_>>() {
            assert_eq!(one.await.expect("no panic"), Ok(314_159));
        }
        drop(client);
        served.stop().await;
    }
}

#[tokio::test]
async fn the_streaming_cases() {
    let _watchdog = watchdog(PATIENCE);
    for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd] {
        let served = served(encoding);
        let client = TestServiceClient::new(served.connect().await);
        let cx = Context::new();
        let pieces = [27_182, 8, 1_828, 45_904].map(|size| StreamingInputCallRequest {
            payload: zeros(size).expect("a size"),
            expect_compressed: None,
        });
        let counted = client
            .streaming_input_call(&cx, items(pieces))
            .await
            .expect("counted");
        assert_eq!(counted.aggregated_payload_size, 74_922);
        let sizes = [31_415, 9, 2_653, 58_979];
        let wants = sizes.map(parameters).to_vec();
        let mut came = client
            .streaming_output_call(&cx, 0, wants)
            .await
            .expect("a stream");
        for size in sizes {
            let piece = came.next().await.expect("one").expect("good");
            assert_eq!(
                piece.payload.map(|payload| payload.body.len() as i32),
                Some(size)
            );
        }
        assert_eq!(came.next().await, None);

        // Ping pong: each answer is waited for before the next question.
        let (ask, asked) = tokio::sync::mpsc::channel(1);
        let asking = futures_util::stream::unfold(asked, |mut asked| async {
            asked.recv().await.map(|question| (question, asked))
        });
        let mut answers = client
            .full_duplex_call(&cx, asking)
            .await
            .expect("a stream");
        for size in sizes {
            ask.send(wanted(size)).await.expect("it is taken");
            let piece = answers.next().await.expect("one").expect("good");
            assert_eq!(
                piece.payload.map(|payload| payload.body.len() as i32),
                Some(size)
            );
        }
        drop(ask);
        assert_eq!(answers.next().await, None);
        let mut empty = client
            .full_duplex_call(&cx, items([]))
            .await
            .expect("a stream");
        assert_eq!(empty.next().await, None);

        // A status in the middle of a stream, a sleeping server, a cancelled one.
        let status = EchoStatus {
            code: 2,
            message: SPECIAL.to_owned(),
        };
        let failing = StreamingOutputCallRequest {
            response_status: Some(status),
            ..StreamingOutputCallRequest::default()
        };
        let mut failed = client
            .full_duplex_call(&cx, items([failing]))
            .await
            .expect("a stream");
        let failed = failed.next().await.expect("one").expect_err("as asked");
        assert_eq!((failed.code(), failed.message()), (Code::Unknown, SPECIAL));
        let short = Context::new().timeout(Duration::from_millis(1));
        let sleeping = futures_util::stream::pending();
        let late = match client.full_duplex_call(&short, sleeping).await {
            Ok(mut answers) => answers.next().await.expect("one").expect_err("late"),
            Err(status) => status,
        };
        assert_eq!(late.code(), Code::DeadlineExceeded);
        drop((client, answers));
        served.stop().await;
    }
}

#[tokio::test]
async fn metadata_comes_back_before_and_after_the_answer() {
    let _watchdog = watchdog(PATIENCE);
    let served = served(Encoding::Identity);
    let mut sender = raw::sender(&served.endpoint).await;
    let echo = [
        ("x-grpc-test-echo-initial", "test_initial_metadata_value"),
        ("x-grpc-test-echo-trailing-bin", "q6ur"),
    ];
    for method in ["UnaryCall", "FullDuplexCall"] {
        let path = format!("/grpc.testing.TestService/{method}");
        let answered = raw::send(&mut sender, raw::request(&path, &echo, &[0; 5])).await;
        let answered = answered.expect("an answer");
        assert_eq!(
            answered.headers.get(echo[0].0).expect("echoed"),
            echo[0].1,
            "{method}"
        );
        assert_eq!(
            answered.trailers.get(echo[1].0).expect("echoed"),
            echo[1].1,
            "{method}"
        );
        assert!(answered.headers.get(echo[1].0).is_none(), "{method}");
        assert_eq!(answered.grpc_status(), Some(0), "{method}");
    }
    for path in [
        "/grpc.testing.TestService/UnimplementedCall",
        "/grpc.testing.Other/Call",
    ] {
        let answered = raw::send(&mut sender, raw::request(path, &[], &[0; 5])).await;
        assert_eq!(
            answered.expect("an answer").grpc_status(),
            Some(12),
            "{path}"
        );
    }
    served.stop().await;
}
