//! Calls by gRPC over shared memory; beside them plain tonic over a Unix socket.

use crate::{
    abilities::Abilities,
    calls::{self, Grpc, Raw, Shm},
    family::{Family, Maker, Role},
};

/// Calls by gRPC over shared memory.
pub fn family() -> Family {
    #[cfg_attr(not(feature = "peers"), expect(unused_mut))]
    let mut makers = vec![
        // A ring of its own each: nobody waits for several at once by plain messages.
        Maker {
            fan_in: None,
            ..calls::maker::<Raw, Shm>()
        },
        calls::maker::<Grpc, Shm>(),
    ];
    #[cfg(feature = "peers")]
    makers.push(Maker {
        name: "tonic-by-unix",
        ..calls::maker::<calls::Tonic, calls::Unix>()
    });
    Family {
        name: "rpc-grpc-shm",
        about: "calls by gRPC over shared memory (raw: messages there and back by the ring itself)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers,
        sweep: None,
    }
    .able(Abilities::MESSAGES.with_machines())
}
