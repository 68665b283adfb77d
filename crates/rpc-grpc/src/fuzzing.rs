//! What reads the bytes of strangers, as functions of bytes, for fuzz targets and seeded tests:
//! each panics where a promise is broken.

use crate::compression::Encoding;
use crate::framing::{Cutter, HEADER_BYTES};
use crate::health::{HEALTH_SERVICE, HealthReporter};
use crate::messages::BoxError;
use crate::options::Options;
use crate::service::GrpcService;
use crate::service_config::ServiceConfig;
use crate::{metadata, replies, status, timeout};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::{Body, Frame};
use rpc_core::{Body as Answer, Metadata, Payload, Peer, Router, Server};
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context as Task, Poll, Waker};

/// Small, so that few bytes reach it.
const LIMIT: usize = 1 << 10;

/// Input as it comes in pieces, of which the first byte says how large they are.
fn pieces(data: &[u8]) -> VecDeque<Bytes> {
    let Some((&size, bytes)) = data.split_first() else {
        return VecDeque::new();
    };
    let size = match size {
        0 => bytes.len().max(1),
        size => usize::from(size),
    };
    bytes.chunks(size).map(Bytes::copy_from_slice).collect()
}

/// Messages cut from a stream: however it comes in pieces, what is not compressed is what a model
/// says, and nothing is larger than the limit, before or after it is unpacked.
pub fn frames(data: &[u8]) {
    let Some((&encoding, data)) = data.split_first() else {
        return;
    };
    let encoding = match encoding % 3 {
        #[cfg(feature = "gzip")]
        1 => Encoding::Gzip,
        #[cfg(feature = "zstd")]
        2 => Encoding::Zstd,
        _ => Encoding::Identity,
    };
    let mut cutter = Cutter::new(encoding, LIMIT, BytesMut::new());
    let (mut messages, mut failed) = (Vec::new(), false);
    for piece in pieces(data) {
        cutter.push(piece);
        loop {
            match cutter.next() {
                Ok(Some(message)) => {
                    let Payload::Encoded(_, message) = message else {
                        unreachable!("what came is bytes");
                    };
                    assert!(message.len() <= LIMIT, "larger than the limit");
                    messages.push(message);
                }
                Ok(None) => break,
                Err(_) => failed = true,
            }
            if failed {
                break;
            }
        }
        if failed {
            break;
        }
    }
    if encoding == Encoding::Identity {
        let (expected, fails) = model(data.get(1..).unwrap_or_default());
        assert_eq!((messages, failed), (expected, fails));
    }
}

fn model(mut bytes: &[u8]) -> (Vec<Bytes>, bool) {
    let mut messages = Vec::new();
    while let Some(([flag, length @ ..], rest)) = bytes.split_first_chunk::<HEADER_BYTES>() {
        let length = u32::from_be_bytes(*length) as usize;
        if *flag > 0 || length > LIMIT {
            return (messages, true);
        }
        let Some((message, rest)) = rest.split_at_checked(length) else {
            break;
        };
        messages.push(Bytes::copy_from_slice(message));
        bytes = rest;
    }
    (messages, false)
}

/// Lines of `name: value`, as far as HTTP knows them.
fn headers(data: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let at = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(at.unwrap_or(line.len()));
        let value = HeaderValue::from_bytes(value.get(1..).unwrap_or_default());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), value) {
            headers.append(name, value);
        }
    }
    headers
}

/// Headers of a request or an answer: what is taken of them is within the limits, and written and
/// read again as the same; a time that is read is never written as a longer one.
pub fn metadata(data: &[u8]) {
    let headers = headers(data);
    let _ = metadata::inbound(&headers, &Peer::Unknown);
    if let Ok(taken) = metadata::read(&headers) {
        assert!(taken.len() <= Metadata::MAX_ENTRIES);
        let bytes: usize = taken.iter().map(|(n, v)| n.len() + v.len()).sum();
        assert!(bytes <= Metadata::MAX_BYTES);
        let mut written = HeaderMap::new();
        // What HTTP carries and gRPC does not is refused by name when it is to be sent on.
        if metadata::write(&taken, &mut written).is_ok() {
            assert_eq!(metadata::read(&written).as_ref(), Ok(&taken));
        }
    }
    if let Some(time) = timeout::parse(data) {
        let again = timeout::parse(timeout::write(time).as_bytes());
        assert!(again.is_some_and(|again| again <= time));
    }
}

/// How a call ended, in trailers of a stranger: what is read is bounded, and written again it
/// means the same.
pub fn status(data: &[u8]) {
    let mut trailers = headers(data);
    if let Some((&number, text)) = data.split_first()
        && let Ok(text) = HeaderValue::from_bytes(text)
    {
        trailers.insert("grpc-status", u16::from(number % 20).into());
        trailers.insert("grpc-message", text.clone());
        trailers.insert("grpc-status-details-bin", text);
    }
    if let Some(Err(read)) = status::read(&trailers) {
        let mut written = HeaderMap::new();
        status::write(Err(&read), &mut written);
        let again = status::read(&written).expect("our own").expect_err("ours");
        assert_eq!(again.code(), read.code());
        assert_eq!(again.did_not_run(), read.did_not_run());
        assert_eq!(again.push_back_millis(), read.push_back_millis());
        assert!(read.message().starts_with(again.message()));
    }
}

/// A service config: it is one or it is not.
pub fn config(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(config) = ServiceConfig::parse(text)
    {
        let _ = config.pick();
    }
}

/// A body that is there.
struct There(VecDeque<Bytes>);

impl Body for There {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

thread_local! {
    static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
}

/// Headers up to an empty line, and a body after it.
fn head_and_body(data: &[u8]) -> (HeaderMap, VecDeque<Bytes>) {
    let end = data.windows(2).position(|two| two == b"\n\n");
    let (head, body) = data.split_at(end.unwrap_or(0));
    (headers(head), pieces(body.get(2..).unwrap_or(body)))
}

/// A whole request: what is answered is HTTP, whatever was asked.
pub fn request(data: &[u8]) {
    let Some((&path, data)) = data.split_first() else {
        return;
    };
    let (headers, body) = head_and_body(data);
    let mut request = Request::new(There(body));
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    let name = ["Check", "Watch", "check", ""][usize::from(path % 4)];
    let uri = format!("http://localhost/grpc.health.v1.Health/{name}");
    *request.uri_mut() = uri.parse().expect("a path");
    let grpc = HeaderValue::from_static("application/grpc");
    request.headers_mut().insert("content-type", grpc);
    request.headers_mut().extend(headers);
    let router = Router::new().service(HealthReporter::new().service());
    let mut options = Options::new();
    options.max_message_bytes(1 << 10);
    let service = GrpcService::new(Server::new(router).served(), &options, Peer::Unknown);
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            use hyper::service::Service;
            let Ok(answer) = service.call(request).await;
            assert!(answer.status() != StatusCode::INTERNAL_SERVER_ERROR);
            let mut body = std::pin::pin!(answer.into_body());
            let mut task = Task::from_waker(Waker::noop());
            while let Poll::Ready(Some(Ok(_))) = body.as_mut().poll_frame(&mut task) {}
        });
    });
}

/// A whole answer: a client makes something of it, and nothing larger than its limit.
pub fn answer(data: &[u8]) {
    let Some((&kind, data)) = data.split_first() else {
        return;
    };
    let (headers, body) = head_and_body(data);
    let mut response = Response::new(There(body));
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", grpc);
    response.headers_mut().extend(headers);
    if kind > 2 {
        let code = 100 + u16::from(kind) * 3;
        *response.status_mut() = StatusCode::from_u16(code).expect("100 to 999");
    }
    let method = &HEALTH_SERVICE.methods()[usize::from(kind % 2)];
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let Ok(reply) = replies::read(method, response, LIMIT, ()).await else {
                return;
            };
            match reply.body {
                Answer::One(Payload::Encoded(_, bytes)) => assert!(bytes.len() <= LIMIT),
                Answer::One(Payload::Value(_)) => panic!("nothing was decoded"),
                Answer::Many(mut items) => {
                    let mut task = Task::from_waker(Waker::noop());
                    while let Poll::Ready(Some(Ok(_))) = items.as_mut().poll_next(&mut task) {}
                }
            }
        });
    });
}
