//! Calls by gRPC over TCP on loopback.

use crate::{
    abilities::Abilities,
    calls::{self, Grpc, Raw, Tcp},
    family::{Family, Role},
};

/// Calls by gRPC over TCP on loopback.
pub fn family() -> Family {
    #[cfg_attr(not(feature = "peers"), expect(unused_mut))]
    let mut makers = vec![calls::maker::<Raw, Tcp>(), calls::maker::<Grpc, Tcp>()];
    #[cfg(feature = "peers")]
    makers.push(calls::maker::<calls::Tonic, Tcp>());
    Family {
        name: "rpc-grpc-tcp",
        about: "calls by gRPC over TCP on loopback (raw: the bytes there and back)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers,
        sweep: None,
    }
    .able(Abilities::MESSAGES.with_machines())
}
