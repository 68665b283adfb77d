//! The cases of the plain tonic client that stream.

use crate::outcome::{Outcome, Verdict, failed, same};
use crate::tonic_cases::{Client, is_zeros, went, zeros};
use futures_util::stream;
use rpc_testkit::generated_testing::{
    BoolValue, ResponseParameters, StreamingInputCallRequest, StreamingOutputCallRequest,
    StreamingOutputCallResponse, TestServiceEmptyCallRequest,
    TestServiceStreamingOutputCallRequest,
};
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Request, Streaming};

const SENT: [i32; 4] = [27_182, 8, 1_828, 45_904];
const WANTED: [i32; 4] = [31_415, 9, 2_653, 58_979];

/// A request for one answer, with a payload.
pub(crate) fn wanted(size: i32, sent: i32) -> StreamingOutputCallRequest {
    StreamingOutputCallRequest {
        response_parameters: vec![parameters(size, None)],
        payload: zeros(sent),
        ..StreamingOutputCallRequest::default()
    }
}

fn parameters(size: i32, compressed: Option<bool>) -> ResponseParameters {
    ResponseParameters {
        size,
        interval_us: 0,
        compressed: compressed.map(|value| BoolValue { value }),
    }
}

fn piece(size: i32, expected: Option<bool>) -> StreamingInputCallRequest {
    StreamingInputCallRequest {
        payload: zeros(size),
        expect_compressed: expected.map(|value| BoolValue { value }),
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
    let after = answers.message().await.map_err(failed("the end"))?;
    same("after the last answer", after, None)
}

async fn one(
    answers: &mut Streaming<StreamingOutputCallResponse>,
    size: i32,
) -> Result<(), String> {
    let answer = answers.message().await.map_err(failed("an answer"))?;
    is_zeros(answer.ok_or("an end instead of an answer")?.payload, size)
}

fn asked() -> (
    mpsc::Sender<StreamingOutputCallRequest>,
    impl futures_util::Stream<Item = StreamingOutputCallRequest>,
) {
    let (ask, asked) = mpsc::channel(1);
    let asking = stream::unfold(asked, |mut asked| async {
        asked.recv().await.map(|question| (question, asked))
    });
    (ask, asking)
}

async fn serves_on(client: &mut Client) -> Result<(), String> {
    let after = client.empty_call(TestServiceEmptyCallRequest {}).await;
    after.map(drop).map_err(failed("the next call"))
}

async fn count(client: &mut Client, pieces: &[StreamingInputCallRequest]) -> Result<i32, String> {
    let counted = client
        .streaming_input_call(stream::iter(pieces.to_vec()))
        .await;
    let counted = counted.map_err(failed("the call"))?;
    Ok(counted.into_inner().aggregated_payload_size)
}

pub(crate) async fn client_streaming(client: &mut Client) -> Result<(), String> {
    let bytes = count(client, &SENT.map(|size| piece(size, None))).await?;
    same("bytes", bytes, 74_922)
}

pub(crate) async fn client_compressed(mut plain: Client) -> Result<(), String> {
    let mut packed = plain.clone().send_compressed(CompressionEncoding::Gzip);
    let probe = stream::iter([piece(27_182, Some(true))]);
    let probe = plain.streaming_input_call(probe).await;
    let code = probe.map(drop).map_err(|status| status.code());
    same("the probe", code, Err(Code::InvalidArgument))?;
    for (client, compressed) in [(&mut packed, true), (&mut plain, false)] {
        let pieces = [27_182, 45_904].map(|size| piece(size, Some(compressed)));
        same("bytes", count(client, &pieces).await?, 73_086)?;
    }
    Ok(())
}

pub(crate) async fn server_streaming(client: &mut Client) -> Result<(), String> {
    let request = TestServiceStreamingOutputCallRequest {
        response_parameters: WANTED.map(|size| parameters(size, None)).to_vec(),
        ..TestServiceStreamingOutputCallRequest::default()
    };
    let answers = client.streaming_output_call(request).await;
    let mut answers = answers.map_err(failed("the call"))?.into_inner();
    take(&mut answers, &WANTED).await
}

pub(crate) async fn server_compressed(mut client: Client) -> Result<(), String> {
    let wants = [(31_415, true), (92_653, false)];
    let wants = wants.map(|(size, compressed)| parameters(size, Some(compressed)));
    let request = TestServiceStreamingOutputCallRequest {
        response_parameters: wants.to_vec(),
        ..TestServiceStreamingOutputCallRequest::default()
    };
    let answers = client.streaming_output_call(request).await;
    let answers = answers.map_err(failed("the call"))?;
    let mut answers = answers.into_inner();
    take(&mut answers, &[31_415, 92_653]).await?;
    let trailers = answers.trailers().await.map_err(failed("trailers"))?;
    went(&trailers.ok_or("no trailers")?, "10")
}

pub(crate) async fn ping_pong(client: &mut Client) -> Result<(), String> {
    let (ask, asking) = asked();
    let answers = client.full_duplex_call(asking).await;
    let mut answers = answers.map_err(failed("the call"))?.into_inner();
    for (size, sent) in WANTED.into_iter().zip(SENT) {
        ask.send(wanted(size, sent)).await.map_err(failed("ask"))?;
        one(&mut answers, size).await?;
    }
    drop(ask);
    take(&mut answers, &[]).await
}

pub(crate) async fn empty_stream(client: &mut Client) -> Result<(), String> {
    let answers = client.full_duplex_call(stream::iter([])).await;
    let answers = answers.map_err(failed("the call"))?;
    take(&mut answers.into_inner(), &[]).await
}

/// Dropping is cancelling in tonic, so there is no status to see: the connection must serve on.
pub(crate) async fn cancel_after_begin(client: &mut Client) -> Result<(), String> {
    let (begin, begun) = tokio::sync::oneshot::channel();
    let mut begin = Some(begin);
    let pieces = stream::poll_fn(move |_| {
        if let Some(begin) = begin.take() {
            let _ = begin.send(());
        }
        std::task::Poll::<Option<StreamingInputCallRequest>>::Pending
    });
    tokio::select! {
        ended = client.streaming_input_call(pieces) => {
            return Err(format!("it ended by itself: {ended:?}"));
        }
        begun = begun => begun.map_err(failed("the stream was not begun"))?,
    }
    serves_on(client).await
}

pub(crate) async fn cancel_after_first_response(client: &mut Client) -> Result<(), String> {
    let (ask, asking) = asked();
    let answers = client.full_duplex_call(asking).await;
    let mut answers = answers.map_err(failed("the call"))?.into_inner();
    let first = ask.send(wanted(WANTED[0], SENT[0])).await;
    first.map_err(failed("ask"))?;
    one(&mut answers, WANTED[0]).await?;
    drop((answers, ask));
    serves_on(client).await
}

pub(crate) async fn timeout(client: &mut Client) -> Verdict {
    let (ask, asking) = asked();
    let sleeping = StreamingOutputCallRequest {
        payload: zeros(SENT[0]),
        ..StreamingOutputCallRequest::default()
    };
    ask.send(sleeping).await.map_err(failed("ask"))?;
    let mut request = Request::new(asking);
    request.set_timeout(Duration::from_millis(1));
    let ended = match client.full_duplex_call(request).await {
        Ok(answers) => answers.into_inner().message().await.map(drop),
        Err(status) => Err(status),
    };
    let code = ended.map_err(|status| status.code());
    serves_on(client).await?;
    // The server's answer is the right code; tonic's own clock has another.
    match code {
        Err(Code::Cancelled) => Ok(Outcome::Part(
            "tonic ended the call by its own clock, which it calls CANCELLED",
        )),
        code => {
            same("the call", code, Err(Code::DeadlineExceeded))?;
            Ok(Outcome::Whole)
        }
    }
}
