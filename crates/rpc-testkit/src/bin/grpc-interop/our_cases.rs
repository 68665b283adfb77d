//! The client of this toolkit: what each case calls, and what it must see.

use crate::arguments::Arguments;
use crate::observed::Observed;
use crate::outcome::{Outcome, Verdict, failed, same};
use crate::{our_compressed, our_streams};
use rpc_core::{Channel, Code, Context, Metadata, Status, items};
use rpc_grpc::health::{HealthCheckResponse, HealthClient, ServingStatus};
use rpc_grpc::{Connection, Encoding};
use rpc_testkit::interop::{
    BoolValue, EchoStatus, StreamingOutputCallRequest, TestServiceClient, UnimplementedClient,
    UnimplementedServiceClient, zeros,
};

/// What the case `special_status_message` sends and wants back.
pub(crate) const SPECIAL: &str = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
/// What the large unary cases send.
pub(crate) const SENT: i32 = 271_828;
/// What they want back.
pub(crate) const WANTED: i32 = 314_159;

const INITIAL: (&str, &[u8]) = ("x-grpc-test-echo-initial", b"test_initial_metadata_value");
const TRAILING: (&str, &[u8]) = ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab");

/// Runs one case.
pub(crate) async fn run(case: &str, arguments: &Arguments) -> Verdict {
    let connection = connect(arguments, Encoding::Identity).await?;
    let client = TestServiceClient::new(connection.clone());
    let done = match case {
        "empty_unary" => empty_unary(&client).await,
        "large_unary" => large(&client).await,
        "client_compressed_unary" => return our_compressed::client_unary(arguments).await,
        "server_compressed_unary" => our_compressed::server_unary(arguments).await,
        "client_compressed_streaming" => return our_compressed::client_streaming(arguments).await,
        "server_compressed_streaming" => our_compressed::server_streaming(arguments).await,
        "client_streaming" => our_streams::client_streaming(&client).await,
        "server_streaming" => our_streams::server_streaming(&client).await,
        "ping_pong" => our_streams::ping_pong(&client).await,
        "empty_stream" => our_streams::empty_stream(&client).await,
        "custom_metadata" => custom_metadata(&connection).await,
        "status_code_and_message" => status(&client, "test status message").await,
        "special_status_message" => status_of_unary(&client, SPECIAL).await,
        "unimplemented_method" => {
            let client = UnimplementedClient::new(connection);
            unimplemented(client.unimplemented_call(&Context::new()).await)
        }
        "unimplemented_service" => {
            let client = UnimplementedServiceClient::new(connection);
            unimplemented(client.unimplemented_call(&Context::new()).await)
        }
        "cancel_after_begin" => our_streams::cancel_after_begin(&client).await,
        "cancel_after_first_response" => our_streams::cancel_after_first_response(&client).await,
        "timeout_on_sleeping_server" => our_streams::timeout_on_sleeping_server(&client).await,
        "concurrent_large_unary" => concurrent_large_unary(&client).await,
        "rpc_soak" => soak(&client, arguments.rounds).await,
        "channel_soak" => channel_soak(arguments).await,
        "health" => health(HealthClient::new(connection)).await,
        "reflection_v1" | "reflection_v1alpha" => {
            return Ok(Outcome::Cannot(
                "rpc-grpc serves reflection and does not ask for it",
            ));
        }
        other => Err(format!("no case {other}")),
    };
    done.map(|()| Outcome::Whole)
}

pub(crate) async fn connect(
    arguments: &Arguments,
    encoding: Encoding,
) -> Result<Connection, String> {
    let options = arguments.options(encoding);
    let connected = options.connect(&arguments.endpoint()).await;
    connected.map_err(failed("connect"))
}

/// The unary call with all that cases vary.
pub(crate) async fn unary<C: Channel>(
    client: &TestServiceClient<C>,
    status: Option<EchoStatus>,
    [response, expect]: [Option<bool>; 2],
) -> Result<usize, Status> {
    let said = |said: Option<bool>| said.map(|value| BoolValue { value });
    let (response, expect) = (said(response), said(expect));
    let (cx, sent) = (Context::new(), zeros(SENT)?);
    let answer = client
        .unary_call(&cx, 0, WANTED, sent, false, false, response, status, expect)
        .await?;
    let body = answer.payload.unwrap_or_default().body;
    match body.iter().all(|byte| *byte == 0) {
        true => Ok(body.len()),
        false => Err(Status::new(Code::DataLoss, "the answer is not zeros")),
    }
}

async fn empty_unary(client: &TestServiceClient<Connection>) -> Result<(), String> {
    let answer = client.empty_call(&Context::new()).await;
    answer.map_err(failed("the call"))
}

async fn large(client: &TestServiceClient<Connection>) -> Result<(), String> {
    let answer = unary(client, None, [None; 2]).await;
    let bytes = answer.map_err(failed("the call"))?;
    same("bytes of the answer", bytes, WANTED as usize)
}

async fn custom_metadata(connection: &Connection) -> Result<(), String> {
    let cx = || {
        let cx = Context::new().entry(INITIAL.0, INITIAL.1);
        cx.and_then(|cx| cx.entry(TRAILING.0, TRAILING.1))
    };
    let channel = Observed::new(connection.clone(), &[]);
    let client = TestServiceClient::new(channel.clone());
    let (cx, sent) = (cx().map_err(failed("entries"))?, zeros(SENT));
    let sent = sent.map_err(failed("zeros"))?;
    let answer = client
        .unary_call(&cx, 0, WANTED, sent, false, false, None, None, None)
        .await;
    answer.map_err(failed("the unary call"))?;
    let metadata = channel.seen().metadata.clone();
    echoed("unary", metadata.of_place(false), metadata.of_place(true))?;

    let channel = Observed::new(connection.clone(), &[]);
    let client = TestServiceClient::new(channel.clone());
    let wants = items([our_streams::wanted(WANTED, SENT)]);
    let answers = client.full_duplex_call(&cx, wants).await;
    let mut answers = answers.map_err(failed("the stream"))?;
    our_streams::take(&mut answers, &[WANTED]).await?;
    let metadata = channel.seen().metadata.clone();
    let after = metadata.after().unwrap_or(const { &Metadata::new() });
    echoed("stream", metadata.of_place(false), after.of_place(true))
}

fn echoed<'a>(
    kind: &str,
    mut before: impl Iterator<Item = (&'a str, &'a [u8])>,
    mut after: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Result<(), String> {
    let initial = before.find(|(name, _)| *name == INITIAL.0);
    same(
        &format!("{kind}: before the answer"),
        initial,
        Some(INITIAL),
    )?;
    let trailing = after.find(|(name, _)| *name == TRAILING.0);
    same(
        &format!("{kind}: after the answer"),
        trailing,
        Some(TRAILING),
    )
}

fn echo(message: &str) -> EchoStatus {
    EchoStatus {
        code: 2,
        message: message.to_owned(),
    }
}

async fn status(client: &TestServiceClient<Connection>, message: &str) -> Result<(), String> {
    status_of_unary(client, message).await?;
    let failing = StreamingOutputCallRequest {
        response_status: Some(echo(message)),
        ..StreamingOutputCallRequest::default()
    };
    let cx = Context::new();
    let ended = match client.full_duplex_call(&cx, items([failing])).await {
        Ok(mut answers) => answers
            .next()
            .await
            .ok_or("success of the stream")?
            .map(drop),
        Err(status) => Err(status),
    };
    asked_for("the stream", ended, message)
}

async fn status_of_unary(
    client: &TestServiceClient<Connection>,
    message: &str,
) -> Result<(), String> {
    let ended = unary(client, Some(echo(message)), [None; 2]).await;
    asked_for("the unary call", ended.map(drop), message)
}

fn asked_for(what: &str, ended: Result<(), Status>, message: &str) -> Result<(), String> {
    let Err(status) = ended else {
        return Err(format!("{what}: success"));
    };
    same(
        what,
        (status.code(), status.message()),
        (Code::Unknown, message),
    )
}

fn unimplemented(ended: Result<(), Status>) -> Result<(), String> {
    let code = ended.map_err(|status| status.code());
    same("the call", code, Err(Code::Unimplemented))
}

async fn concurrent_large_unary(client: &TestServiceClient<Connection>) -> Result<(), String> {
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let client = client.clone();
        calls.spawn(async move { large(&client).await });
    }
    while let Some(one) = calls.join_next().await {
        one.map_err(failed("a task"))??;
    }
    Ok(())
}

async fn soak(client: &TestServiceClient<Connection>, rounds: u32) -> Result<(), String> {
    for round in 0..rounds {
        let one = large(client).await;
        one.map_err(|error| format!("call {round}: {error}"))?;
    }
    Ok(())
}

async fn channel_soak(arguments: &Arguments) -> Result<(), String> {
    for round in 0..arguments.rounds {
        let connection = connect(arguments, Encoding::Identity).await;
        let client = TestServiceClient::new(connection?);
        let one = large(&client).await;
        one.map_err(|error| format!("channel {round}: {error}"))?;
    }
    Ok(())
}

async fn health(client: HealthClient<Connection>) -> Result<(), String> {
    let cx = Context::new();
    let serving = HealthCheckResponse::from(ServingStatus::Serving);
    for name in ["grpc.testing.TestService", ""] {
        let status = client.check(&cx, name.to_owned()).await;
        same("check", &status.map_err(failed("check"))?, &serving)?;
    }
    let watch = client
        .watch(&cx, "grpc.testing.TestService".to_owned())
        .await;
    let first = watch.map_err(failed("watch"))?.next().await;
    same("watch", first, Some(Ok(serving)))?;
    let nobody = client.check(&cx, "nobody".to_owned()).await;
    let code = nobody.map_err(|status| status.code());
    same("nobody", code, Err(Code::NotFound))
}
