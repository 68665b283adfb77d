//! Statuses as gRPC writes them: `grpc-status`, `grpc-message`, and details in `-bin`.

use crate::metadata::{BASE64, NOT_RUN};
use base64::Engine;
use http::{HeaderMap, HeaderValue, StatusCode};
use prost::Message;
use rpc_core::{Code, Status};
use std::error::Error as StdError;
use std::fmt::Write;

/// More than this of text and details is cut: many clients take 8 KiB of headers in all.
const MAX_BYTES: usize = 6 << 10;

const DETAILS: &str = "grpc-status-details-bin";
const PUSH_BACK: &str = "grpc-retry-pushback-ms";

/// `google.rpc.Status`: the form in which details travel.
#[derive(Clone, PartialEq, prost::Message)]
struct Detailed {
    #[prost(int32, tag = 1)]
    code: i32,
    #[prost(string, tag = 2)]
    message: String,
    #[prost(message, repeated, tag = 3)]
    details: Vec<prost_types::Any>,
}

/// Writes how a call ended.
pub(crate) fn write(outcome: Result<(), &Status>, trailers: &mut HeaderMap) {
    let Err(status) = outcome else {
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        return;
    };
    trailers.insert("grpc-status", (status.code() as u16).into());
    let message = clip(status.message(), MAX_BYTES / 3);
    if !message.is_empty() {
        let text = HeaderValue::try_from(percent_encode(message));
        trailers.insert("grpc-message", text.expect("encoded as ASCII"));
    }
    if !status.details().is_empty() {
        let detailed = Detailed {
            code: status.code() as i32,
            message: message.to_owned(),
            details: status
                .details()
                .iter()
                .map(|detail| prost_types::Any {
                    type_url: detail.type_url.clone(),
                    value: detail.value.to_vec(),
                })
                .collect(),
        };
        let text = BASE64.encode(detailed.encode_to_vec());
        if text.len() <= MAX_BYTES {
            let text = HeaderValue::try_from(text).expect("base64 is ASCII");
            trailers.insert(DETAILS, text);
        }
    }
    if let Some(millis) = status.push_back_millis() {
        trailers.insert(
            PUSH_BACK,
            match millis {
                Status::NEVER_AGAIN => HeaderValue::from_static("-1"),
                millis => millis.into(),
            },
        );
    }
    if status.did_not_run() {
        trailers.insert(NOT_RUN, HeaderValue::from_static("1"));
    }
}

/// Reads how a call ended; `None` where these headers do not say.
pub(crate) fn read(trailers: &HeaderMap) -> Option<Result<(), Status>> {
    let number = trailers.get("grpc-status")?.to_str().ok();
    let number = number.and_then(|text| text.parse::<u8>().ok());
    // A number that nobody knows is a failure that nobody classified.
    let code = number.map_or(Code::Unknown, Code::from_number);
    if code == Code::Ok {
        return Some(Ok(()));
    }
    let message = trailers
        .get("grpc-message")
        .map_or_else(String::new, |text| percent_decode(text.as_bytes()));
    let mut status = Status::new(code, message);
    let details = trailers
        .get(DETAILS)
        .and_then(|text| BASE64.decode(text.as_bytes()).ok())
        .and_then(|bytes| Detailed::decode(&bytes[..]).ok());
    for detail in details.into_iter().flat_map(|detailed| detailed.details) {
        status = status.detail(detail.type_url, detail.value);
    }
    if let Some(text) = trailers.get(PUSH_BACK) {
        // What is negative, or no number, asks for no further attempt: not in this life.
        let millis = text.to_str().ok().and_then(|text| text.parse().ok());
        status = status.retry_after_millis(millis.unwrap_or(Status::NEVER_AGAIN));
    }
    if trailers.contains_key(NOT_RUN) {
        status = status.before_running();
    }
    Some(Err(status))
}

/// What an answer means that is not gRPC's, by the table of its specification.
pub(crate) fn of_http(code: StatusCode) -> Status {
    let meaning = match code.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        // Too large a head; the specification leaves it to the general case.
        431 => Code::ResourceExhausted,
        429 | 502..=504 => Code::Unavailable,
        _ => Code::Unknown,
    };
    Status::new(
        meaning,
        format!("the server answered HTTP {code}, not gRPC"),
    )
}

/// What a failure of HTTP/2 means, by the table of the specification.
pub(crate) fn of_error(error: &(dyn StdError + 'static)) -> Status {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            return of_h2(error);
        }
        if let Some(status) = error.downcast_ref::<Status>() {
            return status.clone();
        }
        cause = error.source();
    }
    Status::new(Code::Unavailable, format!("the connection failed: {error}"))
}

fn of_h2(error: &h2::Error) -> Status {
    use h2::Reason;
    let Some(reason) = error.reason() else {
        return Status::new(Code::Unavailable, format!("the connection failed: {error}"));
    };
    // A stream that fails with the server's goodbye came after the last that the server saw.
    if error.is_go_away() && error.is_remote() {
        let text = format!("the server said goodbye: {reason}");
        return Status::new(Code::Unavailable, text).before_running();
    }
    let text = format!("the stream was reset: {reason}");
    match reason {
        Reason::REFUSED_STREAM => Status::new(Code::Unavailable, text).before_running(),
        Reason::CANCEL => Status::new(Code::Cancelled, text),
        Reason::ENHANCE_YOUR_CALM => Status::new(Code::ResourceExhausted, text),
        Reason::INADEQUATE_SECURITY => Status::new(Code::PermissionDenied, text),
        _ => Status::new(Code::Internal, text),
    }
}

fn clip(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// Decodes what it can: what is no escape stays as it is, what is no UTF-8 is replaced.
fn percent_decode(mut text: &[u8]) -> String {
    let mut out = Vec::with_capacity(text.len());
    while let Some((&byte, rest)) = text.split_first() {
        let digits = rest.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let escaped = digits
            .filter(|two| byte == b'%' && two.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        out.push(escaped.unwrap_or(byte));
        text = if escaped.is_some() { &rest[2..] } else { rest };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(status: &Status) -> Status {
        let mut trailers = HeaderMap::new();
        write(Err(status), &mut trailers);
        read(&trailers).expect("a status").expect_err("a failure")
    }

    #[test]
    fn every_code_text_detail_and_hint_travels() {
        for code in Code::ALL.into_iter().skip(1) {
            let status = Status::new(code, "\t\ntest with whitespace\r\nand Unicode ☺ 100%41\t\n")
                .detail("type.googleapis.com/google.rpc.RetryInfo", &b"\x00\xff"[..])
                .retry_after_millis(70)
                .before_running();
            assert_eq!(there_and_back(&status), status);
            assert_eq!(there_and_back(&Status::bare(code)), Status::bare(code));
        }
        let mut trailers = HeaderMap::new();
        write(Ok(()), &mut trailers);
        assert_eq!(read(&trailers), Some(Ok(())));
    }

    #[test]
    fn junk_in_a_text_stays_and_junk_in_a_code_is_unknown() {
        for (text, read) in [
            ("%", "%"),
            ("%4", "%4"),
            ("%zz", "%zz"),
            ("%41%", "A%"),
            ("%+1", "%+1"),
        ] {
            assert_eq!(percent_decode(text.as_bytes()), read);
        }
        assert_eq!(percent_decode(b"%ff\xc3"), "\u{fffd}\u{fffd}");
        for number in ["", "x", "17", "-1", "999999", "00000000000000000016x"] {
            let mut trailers = HeaderMap::new();
            trailers.insert(
                "grpc-status",
                HeaderValue::try_from(number).expect("a value"),
            );
            let status = read(&trailers).expect("a status").expect_err("a failure");
            assert_eq!(status.code(), Code::Unknown, "{number}");
        }
        assert_eq!(read(&HeaderMap::new()), None);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let status = Status::new(Code::Internal, "☺".repeat(10_000));
        let cut = there_and_back(&status);
        assert!(cut.message().len() <= MAX_BYTES && cut.message().chars().all(|c| c == '☺'));
    }
}
