//! The layer by which plain tonic sends two entries of a call's metadata back: a handler of its
//! cannot add any after an answer.

use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use tonic::body::Body;
use tonic::codegen::{Service, http};

const INITIAL: &str = "x-grpc-test-echo-initial";
const TRAILING: &str = "x-grpc-test-echo-trailing-bin";

/// The service within the layer.
#[derive(Clone, Debug)]
pub(crate) struct Echo<S>(pub(crate) S);

impl<S> Service<http::Request<Body>> for Echo<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(
        &mut self,
        task: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), S::Error>> {
        self.0.poll_ready(task)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let initial = request.headers().get(INITIAL).cloned();
        let trailing = request.headers().get(TRAILING).cloned();
        let work = self.0.call(request);
        Box::pin(async move {
            let mut response = work.await?;
            if let Some(value) = initial {
                response.headers_mut().insert(INITIAL, value);
            }
            Ok(response.map(|body| {
                Body::new(body.map_frame(move |mut frame| {
                    if let (Some(value), Some(trailers)) = (&trailing, frame.trailers_mut()) {
                        trailers.insert(TRAILING, value.clone());
                    }
                    frame
                }))
            }))
        })
    }
}
