//! Calls over a Unix socket, against the round trip of the same bytes.

use crate::{
    abilities::Abilities,
    calls::{self, Awaited, Blocking, Raw, Unix},
    family::{Family, Role},
};

/// Calls over a Unix socket.
pub fn family() -> Family {
    #[cfg_attr(not(feature = "peers"), expect(unused_mut))]
    let mut makers = vec![
        calls::maker::<Raw, Unix>(),
        calls::maker::<Blocking, Unix>(),
        calls::maker::<Awaited, Unix>(),
    ];
    #[cfg(feature = "peers")]
    makers.extend([
        calls::maker::<calls::Tarpc, Unix>(),
        calls::maker::<calls::Ttrpc, Unix>(),
        calls::maker::<calls::Tonic, Unix>(),
        calls::maker::<calls::Capnp, Unix>(),
        calls::library::<calls::Zeromq>(),
        calls::library::<calls::Nng>(),
    ]);
    Family {
        name: "rpc-native",
        about: "calls over a Unix socket (raw: the bytes there and back)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers,
        sweep: None,
    }
    .able(Abilities::MESSAGES)
}
