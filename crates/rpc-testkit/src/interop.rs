//! The test service of gRPC's own interoperation programs, as a contract: the parameters of each
//! method are the fields of its message there, in their order.

use futures_util::StreamExt;
use rpc_core::export::Stream;
use rpc_core::{Call, CallFuture, Channel, Code, Context, Describe, Status, Streaming, service};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Bytes.
#[derive(Clone, PartialEq, prost::Message, Describe, Serialize, Deserialize)]
pub struct Payload {
    /// What kind; 0 is the only one.
    #[prost(int32, tag = 1)]
    pub r#type: i32,
    /// The bytes.
    #[prost(bytes = "vec", tag = 2)]
    pub body: Vec<u8>,
}

/// A status that a server is to answer.
#[derive(Clone, PartialEq, prost::Message, Describe, Serialize, Deserialize)]
pub struct EchoStatus {
    /// Its number.
    #[prost(int32, tag = 1)]
    pub code: i32,
    /// Its text.
    #[prost(string, tag = 2)]
    pub message: String,
}

/// A truth value that may be missing.
#[derive(Clone, PartialEq, prost::Message, Describe, Serialize, Deserialize)]
pub struct BoolValue {
    /// Whether.
    #[prost(bool, tag = 1)]
    pub value: bool,
}

/// One answer that is wanted.
#[derive(Clone, PartialEq, prost::Message, Describe, Serialize, Deserialize)]
pub struct ResponseParameters {
    /// How many bytes.
    #[prost(int32, tag = 1)]
    pub size: i32,
    /// How long after the one before.
    #[prost(int32, tag = 2)]
    pub interval_us: i32,
    /// Whether compressed.
    #[prost(message, optional, tag = 3)]
    pub compressed: Option<BoolValue>,
}

/// An answer.
#[derive(Clone, PartialEq, prost::Message, Describe, Serialize, Deserialize)]
pub struct SimpleResponse {
    /// What was wanted.
    #[prost(message, optional, tag = 1)]
    pub payload: Option<Payload>,
}

/// A piece of what is sent.
#[derive(Clone, PartialEq, prost::Message, Describe, Serialize, Deserialize)]
pub struct StreamingInputCallRequest {
    /// The piece.
    #[prost(message, optional, tag = 1)]
    pub payload: Option<Payload>,
    /// Whether it was sent compressed.
    #[prost(message, optional, tag = 2)]
    pub expect_compressed: Option<BoolValue>,
}

/// How much came.
#[derive(Clone, PartialEq, prost::Message, Describe, Serialize, Deserialize)]
pub struct StreamingInputCallResponse {
    /// In bytes.
    #[prost(int32, tag = 1)]
    pub aggregated_payload_size: i32,
}

/// What is wanted.
#[derive(Clone, PartialEq, prost::Message, Describe, Serialize, Deserialize)]
pub struct StreamingOutputCallRequest {
    /// What kind.
    #[prost(int32, tag = 1)]
    pub response_type: i32,
    /// Each answer.
    #[prost(message, repeated, tag = 2)]
    pub response_parameters: Vec<ResponseParameters>,
    /// What is sent along.
    #[prost(message, optional, tag = 3)]
    pub payload: Option<Payload>,
    /// The status to end with.
    #[prost(message, optional, tag = 7)]
    pub response_status: Option<EchoStatus>,
}

/// A piece of the answer.
#[derive(Clone, PartialEq, prost::Message, Describe, Serialize, Deserialize)]
pub struct StreamingOutputCallResponse {
    /// The piece.
    #[prost(message, optional, tag = 1)]
    pub payload: Option<Payload>,
}

/// What the interoperation programs call; the method that no server has is left out.
#[service(name = "grpc.testing.TestService")]
pub trait TestService {
    /// Nothing there, nothing back.
    async fn empty_call(&self, cx: &Context) -> Result<(), Status>;
    /// As many bytes back as are wanted.
    #[allow(clippy::too_many_arguments)]
    async fn unary_call(
        &self,
        cx: &Context,
        response_type: i32,
        response_size: i32,
        payload: Option<Payload>,
        fill_username: bool,
        fill_oauth_scope: bool,
        response_compressed: Option<BoolValue>,
        response_status: Option<EchoStatus>,
        expect_compressed: Option<BoolValue>,
    ) -> Result<SimpleResponse, Status>;
    /// Answers as they are wanted.
    async fn streaming_output_call(
        &self,
        cx: &Context,
        response_type: i32,
        response_parameters: Vec<ResponseParameters>,
    ) -> Result<impl Stream<Item = Result<StreamingOutputCallResponse, Status>>, Status>;
    /// Counts what comes.
    async fn streaming_input_call(
        &self,
        cx: &Context,
        pieces: Streaming<StreamingInputCallRequest>,
    ) -> Result<StreamingInputCallResponse, Status>;
    /// Answers each as it comes.
    async fn full_duplex_call(
        &self,
        cx: &Context,
        wanted: Streaming<StreamingOutputCallRequest>,
    ) -> Result<Streaming<StreamingOutputCallResponse>, Status>;
}

/// The method of `grpc.testing.TestService` that no server has.
#[service(name = "grpc.testing.TestService")]
pub trait Unimplemented {
    /// Fails.
    async fn unimplemented_call(&self, cx: &Context) -> Result<(), Status>;
}

/// The service `grpc.testing.UnimplementedService`, which no server has.
#[service(name = "grpc.testing.UnimplementedService")]
pub trait UnimplementedService {
    /// Fails.
    async fn unimplemented_call(&self, cx: &Context) -> Result<(), Status>;
}

/// Answers as the interoperation programs expect.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tester;

/// So many zero bytes.
///
/// # Errors
/// Where that is no size.
pub fn zeros(size: i32) -> Result<Option<Payload>, Status> {
    let wrong = |_| Status::new(Code::InvalidArgument, "no size");
    let size = usize::try_from(size).map_err(wrong)?;
    let body = vec![0; size];
    Ok(Some(Payload { r#type: 0, body }))
}

fn asked(status: Option<&EchoStatus>) -> Result<(), Status> {
    let Some(EchoStatus { code, message }) = status else {
        return Ok(());
    };
    match Code::from_number(u8::try_from(*code).unwrap_or(u8::MAX)) {
        Code::Ok => Ok(()),
        code => Err(Status::new(code, message.clone())),
    }
}

async fn piece(wanted: ResponseParameters) -> Result<StreamingOutputCallResponse, Status> {
    if let Ok(micros @ 1..) = u64::try_from(wanted.interval_us) {
        tokio::time::sleep(Duration::from_micros(micros)).await;
    }
    let payload = zeros(wanted.size)?;
    Ok(StreamingOutputCallResponse { payload })
}

impl TestService for Tester {
    async fn empty_call(&self, _: &Context) -> Result<(), Status> {
        Ok(())
    }

    async fn unary_call(
        &self,
        _: &Context,
        _response_type: i32,
        response_size: i32,
        _payload: Option<Payload>,
        _fill_username: bool,
        _fill_oauth_scope: bool,
        _response_compressed: Option<BoolValue>,
        response_status: Option<EchoStatus>,
        _expect_compressed: Option<BoolValue>,
    ) -> Result<SimpleResponse, Status> {
        asked(response_status.as_ref())?;
        let payload = zeros(response_size)?;
        Ok(SimpleResponse { payload })
    }

    async fn streaming_output_call(
        &self,
        _: &Context,
        _response_type: i32,
        response_parameters: Vec<ResponseParameters>,
    ) -> Result<impl Stream<Item = Result<StreamingOutputCallResponse, Status>>, Status> {
        Ok(futures_util::stream::iter(response_parameters).then(piece))
    }

    async fn streaming_input_call(
        &self,
        _: &Context,
        mut pieces: Streaming<StreamingInputCallRequest>,
    ) -> Result<StreamingInputCallResponse, Status> {
        let mut bytes = 0;
        while let Some(piece) = pieces.next().await {
            bytes += piece?.payload.map_or(0, |payload| payload.body.len());
        }
        let aggregated_payload_size = i32::try_from(bytes).unwrap_or(i32::MAX);
        Ok(StreamingInputCallResponse {
            aggregated_payload_size,
        })
    }

    async fn full_duplex_call(
        &self,
        _: &Context,
        wanted: Streaming<StreamingOutputCallRequest>,
    ) -> Result<Streaming<StreamingOutputCallResponse>, Status> {
        let answers = wanted.flat_map(|wanted| {
            let (answers, failed) = match wanted.and_then(|wanted| {
                asked(wanted.response_status.as_ref())?;
                Ok(wanted.response_parameters)
            }) {
                Ok(answers) => (answers, None),
                Err(status) => (Vec::new(), Some(Err(status))),
            };
            let answers = futures_util::stream::iter(answers).then(piece);
            answers.chain(futures_util::stream::iter(failed))
        });
        Ok(Streaming::of(answers))
    }
}

/// Sends two entries of a call's metadata back, one before the answer and one after it: the layer
/// that the case `custom_metadata` asks of a server.
#[derive(Clone, Debug)]
pub struct EchoMetadata<C>(pub C);

impl<C> EchoMetadata<C> {
    /// Comes back before the answer.
    pub const INITIAL: &'static str = "x-grpc-test-echo-initial";
    /// Comes back after the answer.
    pub const TRAILING: &'static str = "x-grpc-test-echo-trailing-bin";
}

impl<C: Channel> Channel for EchoMetadata<C> {
    fn call(&self, call: Call) -> CallFuture {
        let metadata = call.context.metadata().clone();
        let work = self.0.call(call);
        Box::pin(async move {
            let mut reply = work.await?;
            if let Some(value) = metadata.get(Self::INITIAL) {
                reply.metadata.insert(Self::INITIAL, value)?;
            }
            if let Some(value) = metadata.get(Self::TRAILING) {
                reply.metadata.insert_trailing(Self::TRAILING, value)?;
            }
            Ok(reply)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rpc_core::Dispatch;

    #[test]
    fn the_file_that_other_languages_read_is_the_emitted_contract() {
        let emitted = TestServiceServer::new(Tester).descriptor().proto();
        assert_eq!(emitted, include_str!("../proto/testing.proto"));
    }
}
