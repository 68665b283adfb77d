//! Unix sockets whose ends try again before they sleep, beside the same sockets whose ends do not.

use std::io;

use ipc_uds::{Options, Spin};

use crate::{
    abilities::Abilities,
    family::{Endpoint, Family, Maker, Role},
    meet::Meet,
    ours::Ours,
    scenario::Side,
};

/// Sockets that spin.
pub fn family() -> Family {
    let blocking = Maker {
        name: "blocking",
        usual: |_| false,
        ..Maker::raw(|side, meet, _| connect(side, meet, Spin::Never, "blocking"))
    };
    let spinning = Maker {
        usual: |_| false,
        ..Maker::ours("ipc-uds", |side, meet, _| {
            connect(side, meet, Spin::Learned, "spinning")
        })
    };
    Family {
        name: "uds-spin",
        about: "unix streams that spin before they sleep (blocking: the same, at once asleep)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers: vec![blocking, spinning],
        sweep: None,
    }
    .able(Abilities::STREAM)
}

/// Each side spins as it was made: by the listener, or by who connects.
fn connect(side: Side, meet: &Meet, spin: Spin, name: &str) -> io::Result<Box<dyn Endpoint>> {
    let mut options = Options::new();
    options.spin(spin);
    let path = meet.directory().join(format!("{name}-{}", meet.tag()));
    let stream = match side {
        Side::Server => {
            let listener = options.bind(&path)?;
            meet.send(b"bound")?;
            listener.accept()?
        }
        Side::Client => {
            meet.recv()?;
            options.connect(&path)?
        }
    };
    Ok(Box::new(Ours::new(stream)))
}
