//! How a reader comes to a broadcaster here: what each is given lies ready.

use crate::bell::{Bell, Rope, bell};
use crate::ground::{Region, SeqPacket, Window};
use crate::layout::AT_SLOTS;
use crate::link::Link;
use crate::{Broadcaster, Options, Subscriber};
use ipc_core::{Result, Until};
use std::sync::{Arc, Mutex};

/// What is passed from one to the other.
#[derive(Debug)]
pub(crate) struct Meeting {
    guest: Mutex<Option<(Window, Rope)>>,
    answer: Mutex<Option<(Region, Rope, u64)>>,
}

pub(crate) struct Guest {
    pub(crate) takes: Window,
    pub(crate) rope: Rope,
    pub(crate) bell: Bell,
    pub(crate) bell_rope: Rope,
}

pub(crate) fn broadcast(options: &Options) -> Result<Broadcaster> {
    let shape = options.shape()?;
    Broadcaster::new(Region::new(shape.region_bytes()), shape, options)
}

pub(crate) fn receive(socket: &SeqPacket, _: Until) -> Result<Guest> {
    let guest = socket.0.guest.lock().expect("no panic").take();
    let (takes, rope) = guest.expect("it begins");
    let (bell_rope, bell) = bell();
    Ok(Guest {
        takes,
        rope,
        bell,
        bell_rope,
    })
}

pub(crate) fn answer(
    socket: &SeqPacket,
    sends: &Region,
    rope: &Rope,
    start: u64,
    _: Until,
) -> Result<()> {
    let answer = Some((sends.clone(), rope.clone(), start));
    *socket.0.answer.lock().expect("no panic") = answer;
    Ok(())
}

/// A new reader of `writer`, which `options` made.
pub(crate) fn reader(writer: &Broadcaster, options: &Options) -> Subscriber {
    let takes = Region::new(AT_SLOTS);
    let (rope, bell) = bell();
    let theirs = takes.window(0, AT_SLOTS).expect("it is all of it");
    let socket = SeqPacket(Arc::new(Meeting {
        guest: Mutex::new(Some((theirs, rope))),
        answer: Mutex::new(None),
    }));
    writer.add(socket.clone()).expect("it is taken in");
    let answer = socket.0.answer.lock().expect("no panic").take();
    let (sends, rope, start) = answer.expect("it was taken in");
    let link = Link::new(&takes, &sends, rope, bell, options.spin).expect("memory");
    let shape = options.shape().expect("a shape");
    Subscriber::new(link, shape, start, socket)
}
