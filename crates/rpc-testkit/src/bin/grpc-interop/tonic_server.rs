//! The server that a user of plain tonic writes.

use crate::arguments::{Arguments, Security};
use crate::outcome::failed;
use crate::tonic_echo::Echo;
use futures_util::{Stream, StreamExt};
use rpc_testkit::generated_testing::test_service_server::{TestService, TestServiceServer};
use rpc_testkit::generated_testing::{
    EchoStatus, Payload, ResponseParameters, SimpleResponse, StreamingInputCallRequest,
    StreamingInputCallResponse, StreamingOutputCallRequest, StreamingOutputCallResponse,
    TestServiceEmptyCallRequest, TestServiceStreamingOutputCallRequest,
    TestServiceUnaryCallRequest,
};
use std::pin::Pin;
use tonic::codec::CompressionEncoding;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Code, Request, Response, Status, Streaming};
use tower_layer::layer_fn;

/// What plain tonic cannot show as a server.
const LIMITS: &str = "hidden\tno handler of tonic sees which messages came compressed
cannot\tserver_compressed_streaming\ttonic compresses all messages of a stream or none
cannot\thealth\ta crate of its own, not part of tonic";

/// Serves until the standard input ends.
pub(crate) async fn serve(arguments: &Arguments) -> Result<(), String> {
    let mut server = Server::builder().layer(layer_fn(Echo));
    if arguments.security != Security::Plain {
        let identity =
            Identity::from_pem(arguments.pem("server.pem")?, arguments.pem("server.key")?);
        let mut tls = ServerTlsConfig::new().identity(identity);
        if arguments.security == Security::Mtls {
            tls = tls.client_ca_root(Certificate::from_pem(arguments.pem("root.pem")?));
        }
        server = server.tls_config(tls).map_err(failed("tls"))?;
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.map_err(failed("bind"))?;
    let port = listener.local_addr().map_err(failed("bind"))?.port();
    let service = TestServiceServer::new(Tester)
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip);
    println!("{LIMITS}\nlistening {port}");
    let incoming = TcpIncoming::from(listener);
    let serving = server.add_service(service);
    let serving = serving.serve_with_incoming_shutdown(incoming, crate::until_told());
    serving.await.map_err(failed("serve"))
}

struct Tester;

type Answers = Pin<Box<dyn Stream<Item = Result<StreamingOutputCallResponse, Status>> + Send>>;

fn zeros(size: i32) -> Result<Option<Payload>, Status> {
    let size = usize::try_from(size).map_err(|_| Status::invalid_argument("no size"))?;
    let body = vec![0; size];
    Ok(Some(Payload { r#type: 0, body }))
}

fn asked(status: Option<EchoStatus>) -> Result<(), Status> {
    match status {
        Some(status) if status.code != 0 => {
            Err(Status::new(Code::from_i32(status.code), status.message))
        }
        _ => Ok(()),
    }
}

fn piece(wanted: &ResponseParameters) -> Result<StreamingOutputCallResponse, Status> {
    let payload = zeros(wanted.size)?;
    Ok(StreamingOutputCallResponse { payload })
}

#[tonic::async_trait]
impl TestService for Tester {
    type StreamingOutputCallStream = Answers;
    type FullDuplexCallStream = Answers;

    async fn empty_call(
        &self,
        _: Request<TestServiceEmptyCallRequest>,
    ) -> Result<Response<()>, Status> {
        Ok(Response::new(()))
    }

    async fn unary_call(
        &self,
        request: Request<TestServiceUnaryCallRequest>,
    ) -> Result<Response<SimpleResponse>, Status> {
        let asks = request.into_inner();
        asked(asks.response_status)?;
        let payload = zeros(asks.response_size)?;
        let mut answer = Response::new(SimpleResponse { payload });
        if !asks.response_compressed.is_some_and(|said| said.value) {
            answer.disable_compression();
        }
        Ok(answer)
    }

    async fn streaming_output_call(
        &self,
        request: Request<TestServiceStreamingOutputCallRequest>,
    ) -> Result<Response<Answers>, Status> {
        let wanted = request.into_inner().response_parameters;
        let answers = wanted.into_iter().map(|wanted| piece(&wanted));
        let answers: Answers = Box::pin(futures_util::stream::iter(answers));
        let mut answer = Response::new(answers);
        answer.disable_compression();
        Ok(answer)
    }

    async fn streaming_input_call(
        &self,
        request: Request<Streaming<StreamingInputCallRequest>>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        let mut pieces = request.into_inner();
        let mut bytes = 0;
        while let Some(piece) = pieces.message().await? {
            bytes += piece.payload.map_or(0, |payload| payload.body.len());
        }
        let aggregated_payload_size = i32::try_from(bytes).unwrap_or(i32::MAX);
        Ok(Response::new(StreamingInputCallResponse {
            aggregated_payload_size,
        }))
    }

    async fn full_duplex_call(
        &self,
        request: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<Answers>, Status> {
        let answers = request.into_inner().flat_map(|wanted| {
            let pieces = match wanted {
                Ok(wanted) => match asked(wanted.response_status) {
                    Ok(()) => wanted.response_parameters.iter().map(piece).collect(),
                    Err(status) => vec![Err(status)],
                },
                Err(status) => vec![Err(status)],
            };
            futures_util::stream::iter(pieces)
        });
        let answers: Answers = Box::pin(answers);
        let mut answer = Response::new(answers);
        answer.disable_compression();
        Ok(answer)
    }
}
