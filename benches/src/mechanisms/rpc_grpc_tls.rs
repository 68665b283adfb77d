//! Calls by gRPC over TLS 1.3, both sides verified.

use crate::{
    abilities::Abilities,
    calls::{self, Grpc, Raw, Tls},
    family::{Family, Role},
};

/// Calls by gRPC over TLS 1.3, both sides verified.
pub fn family() -> Family {
    #[cfg_attr(not(feature = "peers"), expect(unused_mut))]
    let mut makers = vec![calls::maker::<Raw, Tls>(), calls::maker::<Grpc, Tls>()];
    #[cfg(feature = "peers")]
    makers.push(calls::maker::<calls::Tonic, Tls>());
    Family {
        name: "rpc-grpc-tls",
        about: "calls by gRPC over TLS 1.3, both sides verified (raw: the bytes there and back)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers,
        sweep: None,
    }
    .able(Abilities::MESSAGES.with_machines())
}
