//! Sums and numbers by the calculator of the tests, over a Unix socket.

use crate::{
    abilities::Abilities,
    calls::{self, Awaited, Blocking, Fixed, Sums, Unix},
    family::{Family, Role},
};

/// Sums and numbers by the calculator of the tests, over a Unix socket.
pub fn family() -> Family {
    Family {
        name: "rpc-calculator",
        about: "sums by the calculator of the tests (raw: 16 bytes there and back)",
        role: Role::Mechanism,
        payload: false,
        takes_whole: false,
        makers: vec![
            calls::maker::<Fixed, Unix>(),
            calls::maker::<Blocking<Sums>, Unix>(),
            calls::maker::<Awaited<Sums>, Unix>(),
        ],
        sweep: None,
    }
    .able(Abilities::MESSAGES)
}
