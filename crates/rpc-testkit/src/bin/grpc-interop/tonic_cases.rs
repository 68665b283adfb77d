//! The client that a user of plain tonic writes: what each case calls, and what it must see.

use crate::arguments::{Arguments, Security};
use crate::our_cases::{SENT, SPECIAL, WANTED};
use crate::outcome::{Outcome, Verdict, failed, same};
use crate::tonic_streams;
use rpc_testkit::generated_testing::test_service_client::TestServiceClient;
use rpc_testkit::generated_testing::{
    BoolValue, EchoStatus, Payload, SimpleResponse, StreamingOutputCallRequest,
    TestServiceEmptyCallRequest, TestServiceUnaryCallRequest,
};
use rpc_testkit::identities::SERVER;
use tonic::codec::CompressionEncoding;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status};

pub(crate) type Client = TestServiceClient<Channel>;

const INITIAL: &str = "x-grpc-test-echo-initial";
const TRAILING: &str = "x-grpc-test-echo-trailing-bin";
/// The trailer in which the server says which of its messages went compressed.
const SENT_COMPRESSED: &str = "x-sent-compressed";
const ALL: Outcome = Outcome::Part(
    "a compressed and a plain stream: tonic compresses all messages of a stream or none",
);

/// Runs one case.
pub(crate) async fn run(case: &str, arguments: &Arguments) -> Verdict {
    let channel = connect(arguments).await?;
    let mut client = Client::new(channel.clone());
    let done = match case {
        "empty_unary" => {
            let answer = client.empty_call(TestServiceEmptyCallRequest {}).await;
            answer.map(drop).map_err(failed("the call"))
        }
        "large_unary" => large(&mut client).await,
        "client_compressed_unary" => client_compressed_unary(client).await,
        "server_compressed_unary" => server_compressed(client).await,
        "client_compressed_streaming" => {
            return tonic_streams::client_compressed(client).await.map(|()| ALL);
        }
        "server_compressed_streaming" => {
            let client = client.accept_compressed(CompressionEncoding::Gzip);
            tonic_streams::server_compressed(client).await
        }
        "client_streaming" => tonic_streams::client_streaming(&mut client).await,
        "server_streaming" => tonic_streams::server_streaming(&mut client).await,
        "ping_pong" => tonic_streams::ping_pong(&mut client).await,
        "empty_stream" => tonic_streams::empty_stream(&mut client).await,
        "custom_metadata" => custom_metadata(&mut client).await,
        "status_code_and_message" => status(&mut client, "test status message").await,
        "special_status_message" => status_of_unary(&mut client, SPECIAL).await,
        "unimplemented_method" => unimplemented(channel, "TestService").await,
        "unimplemented_service" => unimplemented(channel, "UnimplementedService").await,
        "cancel_after_begin" => tonic_streams::cancel_after_begin(&mut client).await,
        "cancel_after_first_response" => {
            tonic_streams::cancel_after_first_response(&mut client).await
        }
        "timeout_on_sleeping_server" => return tonic_streams::timeout(&mut client).await,
        "concurrent_large_unary" => concurrent(&client).await,
        "rpc_soak" => soak(&mut client, arguments.rounds).await,
        "channel_soak" => channel_soak(arguments).await,
        "health" | "reflection_v1" | "reflection_v1alpha" => {
            return Ok(Outcome::Cannot("a crate of its own, not part of tonic"));
        }
        other => Err(format!("no case {other}")),
    };
    done.map(|()| Outcome::Whole)
}

async fn connect(arguments: &Arguments) -> Result<Channel, String> {
    let scheme = match arguments.security {
        Security::Plain => "http",
        _ => "https",
    };
    let endpoint = format!("{scheme}://127.0.0.1:{}", arguments.port);
    let mut endpoint = Endpoint::from_shared(endpoint).map_err(failed("the endpoint"))?;
    if arguments.security != Security::Plain {
        let root = Certificate::from_pem(arguments.pem("root.pem")?);
        let mut tls = ClientTlsConfig::new()
            .ca_certificate(root)
            .domain_name(SERVER);
        if arguments.security == Security::Mtls {
            let (certificate, key) = (arguments.pem("clerk.pem")?, arguments.pem("clerk.key")?);
            tls = tls.identity(Identity::from_pem(certificate, key));
        }
        endpoint = endpoint.tls_config(tls).map_err(failed("tls"))?;
    }
    endpoint.connect().await.map_err(failed("connect"))
}

pub(crate) fn zeros(size: i32) -> Option<Payload> {
    let body = vec![0; usize::try_from(size).unwrap_or_default()];
    Some(Payload { r#type: 0, body })
}

pub(crate) fn is_zeros(payload: Option<Payload>, size: i32) -> Result<(), String> {
    let body = payload.unwrap_or_default().body;
    same("bytes of an answer", body.len(), size as usize)?;
    same("zeros", body.iter().all(|byte| *byte == 0), true)
}

fn request() -> TestServiceUnaryCallRequest {
    TestServiceUnaryCallRequest {
        response_size: WANTED,
        payload: zeros(SENT),
        ..TestServiceUnaryCallRequest::default()
    }
}

async fn large(client: &mut Client) -> Result<(), String> {
    let answer = client.unary_call(request()).await;
    let SimpleResponse { payload } = answer.map_err(failed("the call"))?.into_inner();
    is_zeros(payload, WANTED)
}

fn said(value: bool) -> Option<BoolValue> {
    Some(BoolValue { value })
}

async fn client_compressed_unary(mut plain: Client) -> Result<(), String> {
    let mut packed = plain.clone().send_compressed(CompressionEncoding::Gzip);
    let request = |expected| TestServiceUnaryCallRequest {
        expect_compressed: said(expected),
        ..request()
    };
    let probe = plain.unary_call(request(true)).await;
    let code = probe.map(drop).map_err(|status| status.code());
    same("the probe", code, Err(Code::InvalidArgument))?;
    for (client, compressed) in [(&mut packed, true), (&mut plain, false)] {
        let answer = client.unary_call(request(compressed)).await;
        let answer = answer.map_err(failed("the call"))?;
        is_zeros(answer.into_inner().payload, WANTED)?;
    }
    Ok(())
}

async fn server_compressed(client: Client) -> Result<(), String> {
    let mut client = client.accept_compressed(CompressionEncoding::Gzip);
    for compressed in [true, false] {
        let request = TestServiceUnaryCallRequest {
            response_compressed: said(compressed),
            ..request()
        };
        let answer = client.unary_call(request).await;
        let answer = answer.map_err(failed("the call"))?;
        went(answer.metadata(), if compressed { "1" } else { "0" })?;
        is_zeros(answer.into_inner().payload, WANTED)?;
    }
    Ok(())
}

/// Which messages the server has sent compressed, by its trailer.
pub(crate) fn went(trailers: &MetadataMap, wanted: &str) -> Result<(), String> {
    let flags = trailers.get(SENT_COMPRESSED);
    let flags = flags.and_then(|flags| flags.to_str().ok());
    same("sent compressed", flags, Some(wanted))
}

/// The request with the entries that are to come back.
fn with_entries<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let entries = request.metadata_mut();
    entries.insert(
        INITIAL,
        MetadataValue::from_static("test_initial_metadata_value"),
    );
    entries.insert_bin(TRAILING, MetadataValue::from_bytes(&[0xab; 3]));
    request
}

fn initial(metadata: &MetadataMap) -> Result<(), String> {
    let value = metadata.get(INITIAL).map(|value| value.as_bytes().to_vec());
    same(
        "before the answer",
        value.as_deref(),
        Some(&b"test_initial_metadata_value"[..]),
    )
}

fn trailing(metadata: &MetadataMap) -> Result<(), String> {
    let value = metadata.get_bin(TRAILING).map(MetadataValue::to_bytes);
    let value = value.transpose().map_err(failed("after the answer"))?;
    same("after the answer", value.as_deref(), Some(&[0xab; 3][..]))
}

async fn custom_metadata(client: &mut Client) -> Result<(), String> {
    let answer = client.unary_call(with_entries(request())).await;
    let answer = answer.map_err(failed("the unary call"))?;
    initial(answer.metadata())?;
    trailing(answer.metadata())?;
    let asks = futures_util::stream::iter([tonic_streams::wanted(WANTED, SENT)]);
    let answers = client.full_duplex_call(with_entries(asks)).await;
    let answers = answers.map_err(failed("the stream"))?;
    initial(answers.metadata())?;
    let mut answers = answers.into_inner();
    tonic_streams::take(&mut answers, &[WANTED]).await?;
    let trailers = answers.trailers().await.map_err(failed("trailers"))?;
    trailing(&trailers.ok_or("no trailers")?)
}

fn echo(message: &str) -> Option<EchoStatus> {
    let message = message.to_owned();
    Some(EchoStatus { code: 2, message })
}

async fn status(client: &mut Client, message: &str) -> Result<(), String> {
    status_of_unary(client, message).await?;
    let failing = StreamingOutputCallRequest {
        response_status: echo(message),
        ..StreamingOutputCallRequest::default()
    };
    let failing = futures_util::stream::iter([failing]);
    let ended = match client.full_duplex_call(failing).await {
        Ok(answers) => answers.into_inner().message().await.map(drop),
        Err(status) => Err(status),
    };
    asked_for("the stream", ended, message)
}

async fn status_of_unary(client: &mut Client, message: &str) -> Result<(), String> {
    let failing = TestServiceUnaryCallRequest {
        response_status: echo(message),
        ..request()
    };
    let ended = client.unary_call(failing).await;
    asked_for("the unary call", ended.map(drop), message)
}

fn asked_for(what: &str, ended: Result<(), Status>, message: &str) -> Result<(), String> {
    let status = ended.err().ok_or_else(|| format!("{what}: success"))?;
    same(
        what,
        (status.code(), status.message()),
        (Code::Unknown, message),
    )
}

async fn unimplemented(channel: Channel, service: &str) -> Result<(), String> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.map_err(failed("ready"))?;
    let path = format!("/grpc.testing.{service}/UnimplementedCall");
    let path = PathAndQuery::try_from(path).map_err(failed("the path"))?;
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let ended = client.unary(Request::new(()), path, codec).await;
    let code = ended.map(drop).map_err(|status| status.code());
    same("the call", code, Err(Code::Unimplemented))
}

async fn concurrent(client: &Client) -> Result<(), String> {
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let mut client = client.clone();
        calls.spawn(async move { large(&mut client).await });
    }
    while let Some(one) = calls.join_next().await {
        one.map_err(failed("a task"))??;
    }
    Ok(())
}

async fn soak(client: &mut Client, rounds: u32) -> Result<(), String> {
    for round in 0..rounds {
        let one = large(client).await;
        one.map_err(|error| format!("call {round}: {error}"))?;
    }
    Ok(())
}

async fn channel_soak(arguments: &Arguments) -> Result<(), String> {
    for round in 0..arguments.rounds {
        let mut client = Client::new(connect(arguments).await?);
        let one = large(&mut client).await;
        one.map_err(|error| format!("channel {round}: {error}"))?;
    }
    Ok(())
}
