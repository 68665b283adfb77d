//! The cases of the client of this toolkit that stream.

use crate::outcome::{failed, same};
use rpc_core::{Code, Context, Status, Streaming, items};
use rpc_grpc::Connection;
use rpc_testkit::interop::{
    ResponseParameters, StreamingInputCallRequest, StreamingOutputCallRequest,
    StreamingOutputCallResponse, TestServiceClient, zeros,
};
use std::time::Duration;
use tokio::sync::mpsc;

type Client = TestServiceClient<Connection>;

/// What the streams send.
const SENT: [i32; 4] = [27_182, 8, 1_828, 45_904];
/// What they want back.
const WANTED: [i32; 4] = [31_415, 9, 2_653, 58_979];

/// A request for one answer, with a payload.
pub(crate) fn wanted(size: i32, sent: i32) -> StreamingOutputCallRequest {
    StreamingOutputCallRequest {
        response_parameters: vec![parameters(size)],
        payload: zeros(sent).unwrap_or_default(),
        ..StreamingOutputCallRequest::default()
    }
}

fn parameters(size: i32) -> ResponseParameters {
    ResponseParameters {
        size,
        ..ResponseParameters::default()
    }
}

/// Takes answers of these sizes, and then the end.
pub(crate) async fn take(
    answers: &mut Streaming<StreamingOutputCallResponse>,
    sizes: &[i32],
) -> Result<(), String> {
    for size in sizes {
        one(answers, *size).await?;
    }
    same("after the last answer", answers.next().await, None)
}

async fn one(
    answers: &mut Streaming<StreamingOutputCallResponse>,
    size: i32,
) -> Result<(), String> {
    let answer = answers.next().await.ok_or("an end instead of an answer")?;
    let answer = answer.map_err(failed("an answer"))?;
    let body = answer.payload.unwrap_or_default().body;
    same("bytes of an answer", body.len(), size as usize)?;
    same("zeros", body.iter().all(|byte| *byte == 0), true)
}

/// Questions that are asked when the channel says so.
fn asked() -> (
    mpsc::Sender<StreamingOutputCallRequest>,
    impl futures_util::Stream<Item = StreamingOutputCallRequest>,
) {
    let (ask, asked) = mpsc::channel(1);
    let asking = futures_util::stream::unfold(asked, |mut asked| async {
        asked.recv().await.map(|question| (question, asked))
    });
    (ask, asking)
}

pub(crate) async fn client_streaming(client: &Client) -> Result<(), String> {
    let pieces = SENT.map(|size| StreamingInputCallRequest {
        payload: zeros(size).unwrap_or_default(),
        expect_compressed: None,
    });
    let cx = Context::new();
    let counted = client.streaming_input_call(&cx, items(pieces));
    let counted = counted.await.map_err(failed("the call"))?;
    same("bytes", counted.aggregated_payload_size, 74_922)
}

pub(crate) async fn server_streaming(client: &Client) -> Result<(), String> {
    let wants = WANTED.map(parameters).to_vec();
    let cx = Context::new();
    let answers = client.streaming_output_call(&cx, 0, wants);
    let mut answers = answers.await.map_err(failed("the call"))?;
    take(&mut answers, &WANTED).await
}

pub(crate) async fn ping_pong(client: &Client) -> Result<(), String> {
    let (ask, asking) = asked();
    let cx = Context::new();
    let answers = client.full_duplex_call(&cx, asking);
    let mut answers = answers.await.map_err(failed("the call"))?;
    for (size, sent) in WANTED.into_iter().zip(SENT) {
        ask.send(wanted(size, sent)).await.map_err(failed("ask"))?;
        one(&mut answers, size).await?;
    }
    drop(ask);
    take(&mut answers, &[]).await
}

pub(crate) async fn empty_stream(client: &Client) -> Result<(), String> {
    let answers = client.full_duplex_call(&Context::new(), items([])).await;
    take(&mut answers.map_err(failed("the call"))?, &[]).await
}

/// Dropping is cancelling here, so there is no status to see: the connection must serve on.
pub(crate) async fn cancel_after_begin(client: &Client) -> Result<(), String> {
    let (begin, begun) = tokio::sync::oneshot::channel();
    let mut begin = Some(begin);
    let pieces = futures_util::stream::poll_fn(move |_| {
        // The first poll comes when the request is on its way.
        if let Some(begin) = begin.take() {
            let _ = begin.send(());
        }
        std::task::Poll::<Option<StreamingInputCallRequest>>::Pending
    });
    let call = {
        let client = client.clone();
        async move { client.streaming_input_call(&Context::new(), pieces).await }
    };
    tokio::select! {
        ended = call => return Err(format!("it ended by itself: {ended:?}")),
        begun = begun => begun.map_err(failed("the stream was not begun"))?,
    }
    let after = client.empty_call(&Context::new()).await;
    after.map_err(failed("the next call"))
}

pub(crate) async fn cancel_after_first_response(client: &Client) -> Result<(), String> {
    let (ask, asking) = asked();
    let cx = Context::new();
    let answers = client.full_duplex_call(&cx, asking);
    let mut answers = answers.await.map_err(failed("the call"))?;
    let first = ask.send(wanted(WANTED[0], SENT[0])).await;
    first.map_err(failed("ask"))?;
    one(&mut answers, WANTED[0]).await?;
    drop(answers);
    // Cancelled means that nobody takes questions any more.
    ask.closed().await;
    let after = client.empty_call(&Context::new()).await;
    after.map_err(failed("the next call"))
}

pub(crate) async fn timeout_on_sleeping_server(client: &Client) -> Result<(), String> {
    let (ask, asking) = asked();
    let sleeping = StreamingOutputCallRequest {
        payload: zeros(SENT[0]).map_err(failed("zeros"))?,
        ..StreamingOutputCallRequest::default()
    };
    ask.send(sleeping).await.map_err(failed("ask"))?;
    let cx = Context::new().timeout(Duration::from_millis(1));
    let ended: Result<_, Status> = match client.full_duplex_call(&cx, asking).await {
        Ok(mut answers) => answers.next().await.transpose(),
        Err(status) => Err(status),
    };
    let code = ended.map_err(|status| status.code());
    same("the call", code, Err(Code::DeadlineExceeded))?;
    drop(ask);
    let after = client.empty_call(&Context::new()).await;
    after.map_err(failed("the next call"))
}
