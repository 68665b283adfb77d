//! A client that sends what it likes: requests by hand, and bytes by hand.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::SendRequest;
use rpc_http::Limits;
use rpc_transport::{Endpoint, Options};
use std::time::{Duration, Instant};

/// What came back.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: HeaderMap,
}

impl Answered {
    /// The number in `grpc-status`, wherever it stands.
    pub(crate) fn grpc_status(&self) -> Option<u8> {
        let status = self.trailers.get("grpc-status");
        let status = status.or_else(|| self.headers.get("grpc-status"))?;
        if self.status != StatusCode::OK {
            return None;
        }
        status.to_str().ok()?.parse().ok()
    }
}

pub(crate) async fn sender(endpoint: &str) -> SendRequest<Full<Bytes>> {
    let endpoint: Endpoint = endpoint.parse().expect("an endpoint");
    let late = Instant::now() + Duration::from_secs(60);
    let mut options = Options::new();
    options.insecure_plain_text(true);
    let wire = options
        .connect_async(&endpoint, late)
        .await
        .expect("it listens");
    rpc_http::connect(wire, &Limits::new())
        .await
        .expect("it speaks HTTP/2")
}

/// A request with the headers that every call has, and these.
pub(crate) fn request(path: &str, headers: &[(&str, &str)], body: &[u8]) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(Bytes::copy_from_slice(body)));
    *request.method_mut() = http::Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = format!("http://localhost{path}").parse().expect("a path");
    let grpc = HeaderValue::from_static("application/grpc");
    request.headers_mut().insert("content-type", grpc);
    request
        .headers_mut()
        .insert("te", HeaderValue::from_static("trailers"));
    for (name, value) in headers {
        let name: HeaderName = name.parse().expect("a name");
        let value = HeaderValue::from_str(value).expect("a value");
        request.headers_mut().insert(name, value);
    }
    request
}

/// Sends it and reads all of the answer.
pub(crate) async fn send(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Answered, hyper::Error> {
    let response = sender.send_request(request).await?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    Ok(Answered {
        status: parts.status,
        headers: parts.headers,
        body: body.to_bytes(),
        trailers,
    })
}
