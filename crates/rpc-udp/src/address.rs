//! String bindings of this crate: `udp:host:port`.

use rpc_core::{Code, Status};
use rpc_transport::Endpoint;

/// The `host:port` of a string binding; the protocol before a plus may be told too, as in
/// `rpc+udp:localhost:7000`.
pub(crate) fn address(endpoint: &str) -> Result<&str, Status> {
    let refuse = |hint: &str| {
        let text = format!("parse `{endpoint}`: {hint}");
        Err(Status::new(Code::InvalidArgument, text).before_running())
    };
    let Some((scheme, address)) = endpoint.split_once(':') else {
        return refuse("it is `udp:host:port`");
    };
    match scheme {
        "udp" | "rpc+udp" => {}
        "unix" | "shm" | "tcp" | "tls" | "mtls" | "inproc" | "local" => {
            return refuse("no datagrams go there: the crate rpc-native takes it");
        }
        _ => return refuse("the transport here is udp"),
    }
    match Endpoint::has_port(address) {
        true => Ok(address),
        false => refuse("it is `udp:host:port`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_binding_is_refused_with_what_to_write() {
        for text in [
            "",
            "udp",
            "udp:",
            "udp:h",
            "udp::7",
            "udp:h:70000",
            "grpc+udp:h:7",
            "x:h:7",
        ] {
            let status = address(text).expect_err(text);
            assert_eq!(status.code(), Code::InvalidArgument, "{text}");
            assert!(status.did_not_run());
        }
        let other = address("unix:/run/x").expect_err("another transport");
        assert!(other.message().contains("rpc-native"), "{other}");
        for text in ["udp:h:7", "rpc+udp:h:7"] {
            assert_eq!(address(text), Ok("h:7"));
        }
        assert_eq!(address("udp:[::1]:7"), Ok("[::1]:7"));
    }
}
