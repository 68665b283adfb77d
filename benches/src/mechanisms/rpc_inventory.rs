//! Items put and looked up, also as streams, in the inventory of the tests, over a Unix socket.

use crate::{
    abilities::Abilities,
    calls::{self, Awaited, Blocking, Fixed, Items, Unix},
    family::{Family, Role},
};

/// Items put and looked up, also as streams, in the inventory of the tests, over a Unix socket.
pub fn family() -> Family {
    Family {
        name: "rpc-inventory",
        about: "items in the inventory of the tests (raw: 16 bytes there and back)",
        role: Role::Mechanism,
        payload: false,
        takes_whole: false,
        makers: vec![
            calls::maker::<Fixed, Unix>(),
            calls::maker::<Blocking<Items>, Unix>(),
            calls::maker::<Awaited<Items>, Unix>(),
        ],
        sweep: None,
    }
    .able(Abilities::MESSAGES)
}
