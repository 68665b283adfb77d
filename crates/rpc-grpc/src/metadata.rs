//! Metadata as gRPC writes it: headers, of which those that end in `-bin` are base64.

use crate::timeout;
use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, HeaderName, HeaderValue};
use rpc_core::{Code, Context, Metadata, Peer, Status, TraceContext};
use std::time::Instant;

/// Base64 as gRPC has it: without padding where it is written, with or without where it is read.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a server's answer says, beside its text, of a method that provably did not run.
pub(crate) const NOT_RUN: &str = "rpc-did-not-run";

/// Writes entries as headers.
pub(crate) fn write(metadata: &Metadata, headers: &mut HeaderMap) -> Result<(), Status> {
    write_entries(metadata.iter(), headers)
}

/// Writes those entries that belong before an answer, or after it.
pub(crate) fn write_place(
    metadata: &Metadata,
    trailing: bool,
    headers: &mut HeaderMap,
) -> Result<(), Status> {
    write_entries(metadata.of_place(trailing), headers)
}

fn write_entries<'a>(
    entries: impl Iterator<Item = (&'a str, &'a [u8])>,
    headers: &mut HeaderMap,
) -> Result<(), Status> {
    for (name, value) in entries {
        let refuse = |why: &str| {
            let text = format!("metadata `{name}` {why}");
            Err(Status::new(Code::InvalidArgument, text).before_running())
        };
        let Ok(header) = HeaderName::try_from(name) else {
            return refuse("is no header's name");
        };
        if is_reserved(name) {
            return refuse("is a name that the protocol uses itself");
        }
        let value = if name.ends_with("-bin") {
            HeaderValue::try_from(BASE64.encode(value)).ok()
        } else if value.iter().all(|byte| matches!(byte, 0x20..=0x7e)) {
            HeaderValue::from_bytes(value).ok()
        } else {
            None
        };
        let Some(value) = value else {
            return refuse("is not printable ASCII: a name that ends in -bin may hold any bytes");
        };
        headers.append(header, value);
    }
    Ok(())
}

/// Reads entries from headers; what is the protocol's own is left out.
pub(crate) fn read(headers: &HeaderMap) -> Result<Metadata, Status> {
    let mut metadata = Metadata::new();
    read_each(headers, |name, value| metadata.insert(name, value))?;
    Ok(metadata)
}

/// Adds what came after an answer.
pub(crate) fn read_trailing(metadata: &mut Metadata, trailers: &HeaderMap) -> Result<(), Status> {
    read_each(trailers, |name, value| {
        metadata.insert_trailing(name, value)
    })
}

fn read_each(
    headers: &HeaderMap,
    mut take: impl FnMut(&str, &[u8]) -> Result<(), Status>,
) -> Result<(), Status> {
    for (name, value) in headers {
        let name = name.as_str();
        // HTTP allows more in a name than gRPC; what is none of gRPC's is not for a handler.
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
        if is_reserved(name) || !name.bytes().all(plain) {
            continue;
        }
        if !name.ends_with("-bin") {
            take(name, value.as_bytes())?;
            continue;
        }
        // Several values may have been joined on the way.
        for part in value.as_bytes().split(|byte| *byte == b',') {
            let bytes = BASE64.decode(part.trim_ascii()).map_err(|_| {
                Status::new(Code::Internal, format!("metadata `{name}` is no base64"))
            })?;
            take(name, &bytes)?;
        }
    }
    Ok(())
}

/// What a handler learns of a call beside its message.
pub(crate) fn inbound(headers: &HeaderMap, peer: &Peer) -> Result<Context, Status> {
    let mut context = Context::inbound(peer.clone()).with_metadata(read(headers)?);
    let trace = headers
        .get("traceparent")
        .and_then(|text| text.to_str().ok());
    if let Some(trace) = trace.and_then(TraceContext::parse) {
        context = context.trace(trace);
    }
    if let Some(text) = headers.get("grpc-timeout") {
        let Some(timeout) = timeout::parse(text.as_bytes()) else {
            let text = format!("{text:?} is no grpc-timeout");
            return Err(Status::new(Code::Internal, text));
        };
        if let Some(deadline) = Instant::now().checked_add(timeout) {
            context.set_deadline(deadline);
        }
    }
    Ok(context)
}

/// The same as headers of a request.
pub(crate) fn outbound(context: &Context, headers: &mut HeaderMap) -> Result<(), Status> {
    if let Some(left) = context.remaining() {
        if left.is_zero() {
            return Err(Status::bare(Code::DeadlineExceeded).before_running());
        }
        headers.insert("grpc-timeout", timeout::write(left));
    }
    if let Some(trace) = context.traced() {
        let text = HeaderValue::try_from(trace.to_string()).expect("hexadecimal digits");
        headers.insert("traceparent", text);
    }
    if context.attempt() > 0 {
        headers.insert("grpc-previous-rpc-attempts", context.attempt().into());
    }
    write(context.metadata(), headers)
}

fn is_reserved(name: &str) -> bool {
    name.starts_with("grpc-")
        || matches!(
            name,
            "content-type"
                | "content-length"
                | "connection"
                | "date"
                | "host"
                | "te"
                | "trailer"
                | "traceparent"
                | "transfer-encoding"
                | "upgrade"
                | "user-agent"
        )
        || name == NOT_RUN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut metadata = Metadata::new();
        metadata.insert("tenant", b"blue").expect("good");
        metadata.insert("tenant", b"").expect("good");
        metadata.insert("key-bin", &[0, 255, 10]).expect("good");
        metadata.insert("key-bin", &[]).expect("good");
        let mut headers = HeaderMap::new();
        write(&metadata, &mut headers).expect("good");
        assert_eq!(read(&headers), Ok(metadata));
    }

    #[test]
    fn what_no_header_can_say_is_refused_by_name() {
        for (name, value) in [
            ("a", &b"\n"[..]),
            ("a", b"\xff"),
            ("grpc-x", b""),
            ("te", b""),
        ] {
            let mut metadata = Metadata::new();
            metadata.insert(name, value).expect("good");
            let refused = write(&metadata, &mut HeaderMap::new()).expect_err(name);
            assert_eq!(refused.code(), Code::InvalidArgument);
            assert!(refused.did_not_run());
        }
    }

    #[test]
    fn joined_padded_and_junk_values_are_told_apart() {
        let read_one = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("k-bin", HeaderValue::from_static(text));
            read(&headers)
        };
        let values = |text| {
            let metadata = read_one(text).expect(text);
            metadata
                .iter()
                .map(|(_, value)| value.to_vec())
                .collect::<Vec<_>>()
        };
        assert_eq!(values("AP8="), [vec![0, 255]]);
        assert_eq!(values("AP8, AA"), [vec![0, 255], vec![0]]);
        for junk in ["?", "A", "AP8=="] {
            assert_eq!(read_one(junk).expect_err(junk).code(), Code::Internal);
        }
    }
}
