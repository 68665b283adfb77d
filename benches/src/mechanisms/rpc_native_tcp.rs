//! Calls over TCP on the loopback interface.

use crate::{
    abilities::Abilities,
    calls::{self, Awaited, Blocking, Raw, Tcp},
    family::{Family, Role},
};

/// Calls over TCP.
pub fn family() -> Family {
    #[cfg_attr(not(feature = "peers"), expect(unused_mut))]
    let mut makers = vec![
        calls::maker::<Raw, Tcp>(),
        calls::maker::<Blocking, Tcp>(),
        calls::maker::<Awaited, Tcp>(),
    ];
    #[cfg(feature = "peers")]
    makers.extend([
        calls::maker::<calls::Tarpc, Tcp>(),
        calls::maker::<calls::Ttrpc, Tcp>(),
        calls::maker::<calls::Tonic, Tcp>(),
        calls::maker::<calls::Capnp, Tcp>(),
    ]);
    Family {
        name: "rpc-native-tcp",
        about: "calls over TCP on loopback (raw: the bytes there and back)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers,
        sweep: None,
    }
    .able(Abilities::MESSAGES.with_machines())
}
