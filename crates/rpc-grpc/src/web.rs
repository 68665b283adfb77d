//! gRPC-Web: the same calls for browsers, over either version of HTTP.

use crate::answer::Answer;
use crate::messages::BoxError;
use crate::service::GrpcService;
use bytes::Bytes;
use http::{Request, Response, Version};
use http_body::Body as HttpBody;
use std::convert::Infallible;
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as Task, Poll};
use tonic::body::Body;
use tonic_web::GrpcWebLayer;
use tower_layer::Layer;
use tower_service::Service;

/// Whether this is a request of gRPC-Web.
pub(crate) fn claims<B>(request: &Request<B>) -> bool {
    let content = request.headers().get("content-type");
    content.is_some_and(|content| content.as_bytes().starts_with(b"application/grpc-web"))
}

/// Answers it.
pub(crate) async fn answer<B>(service: GrpcService, request: Request<B>) -> Response<Answer>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError> + Display,
{
    let Ok(response) = GrpcWebLayer::new()
        .layer(Inner(service))
        .call(request)
        .await;
    response.map(Answer::web)
}

/// What stands inside: the translated request is one of HTTP/2.
#[derive(Clone)]
struct Inner(GrpcService);

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl Service<Request<Body>> for Inner {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Answering {
        *request.version_mut() = Version::HTTP_2;
        let answer = self.0.clone().answer(request);
        Box::pin(async move { Ok(answer.await.map(Body::new)) })
    }
}
