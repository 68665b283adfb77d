//! Calls over two pipes, as to a child's standard input and output.

use crate::{
    abilities::Abilities,
    calls::{self, Awaited, Blocking, Pipe, Raw},
    family::{Family, Role},
};

/// Calls over two pipes.
pub fn family() -> Family {
    Family {
        name: "rpc-native-pipe",
        about: "calls over two pipes (raw: the bytes there and back)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers: vec![
            calls::maker::<Raw, Pipe>(),
            calls::maker::<Blocking, Pipe>(),
            calls::maker::<Awaited, Pipe>(),
        ],
        sweep: None,
    }
    .able(Abilities::MESSAGES)
}
