//! Calls by gRPC over a Unix socket.

use crate::{
    abilities::Abilities,
    calls::{self, Grpc, Raw, Unix},
    family::{Family, Role},
};

/// Calls by gRPC over a Unix socket.
pub fn family() -> Family {
    #[cfg_attr(not(feature = "peers"), expect(unused_mut))]
    let mut makers = vec![calls::maker::<Raw, Unix>(), calls::maker::<Grpc, Unix>()];
    #[cfg(feature = "peers")]
    makers.extend([
        calls::maker::<calls::Tonic, Unix>(),
        calls::grpcio(),
        calls::grpcio_to_tonic(),
    ]);
    Family {
        name: "rpc-grpc",
        about: "calls by gRPC over a Unix socket (raw: the bytes there and back)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers,
        sweep: None,
    }
    .able(Abilities::MESSAGES)
}
