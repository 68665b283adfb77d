//! Calls over shared memory, a ring each way; beside them ours over a Unix socket.

use crate::{
    abilities::Abilities,
    calls::{self, Awaited, Blocking, Raw, Shm, Unix},
    family::{Family, Maker, Role},
    results::MakerKind,
};

/// Calls over shared memory.
pub fn family() -> Family {
    // The same calls by another way: what shared memory is worth.
    let by_unix = |name, maker| Maker {
        name,
        kind: MakerKind::Peer,
        ..maker
    };
    #[cfg_attr(not(feature = "peers"), expect(unused_mut))]
    let mut makers = vec![
        // A ring of its own each: nobody waits for several at once by plain messages.
        Maker {
            fan_in: None,
            ..calls::maker::<Raw, Shm>()
        },
        calls::maker::<Blocking, Shm>(),
        calls::maker::<Awaited, Shm>(),
        by_unix("blocking-by-unix", calls::maker::<Blocking, Unix>()),
        by_unix("awaited-by-unix", calls::maker::<Awaited, Unix>()),
    ];
    #[cfg(feature = "peers")]
    makers.push(by_unix(
        "tonic-by-unix",
        calls::maker::<calls::Tonic, Unix>(),
    ));
    Family {
        name: "rpc-native-shm",
        about: "calls over shared memory (raw: messages there and back by the ring itself)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers,
        sweep: None,
    }
    .able(Abilities::MESSAGES.with_machines())
}
