//! Calls over TLS over TCP on the loopback interface, both sides verified.

use crate::{
    abilities::Abilities,
    calls::{self, Awaited, Blocking, Raw, Tls},
    family::{Family, Role},
};

/// Calls over TLS.
pub fn family() -> Family {
    #[cfg_attr(not(feature = "peers"), expect(unused_mut))]
    let mut makers = vec![
        calls::maker::<Raw, Tls>(),
        calls::maker::<Blocking, Tls>(),
        calls::maker::<Awaited, Tls>(),
    ];
    #[cfg(feature = "peers")]
    makers.extend([
        calls::maker::<calls::Tarpc, Tls>(),
        calls::maker::<calls::Tonic, Tls>(),
    ]);
    Family {
        name: "rpc-native-tls",
        about: "calls over TLS 1.3, both sides verified (raw: the bytes there and back, as TLS)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers,
        sweep: None,
    }
    .able(Abilities::MESSAGES.with_machines())
}
