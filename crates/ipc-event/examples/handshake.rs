//! A parent and a child take turns by two events: `cargo run -p ipc-event --example handshake`.

use ipc_event::Event;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Started again by itself, this program is the child: its events are its standard streams.
    if std::env::args().count() > 1 {
        // Whoever started it may be killed before it can say so.
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        let there = Event::from_descriptor(std::io::stdin().as_fd().try_clone_to_owned()?)?;
        let back = Event::from_descriptor(std::io::stdout().as_fd().try_clone_to_owned()?)?;
        while there.wait()? == 1 {
            back.notify()?;
        }
        return Ok(());
    }
    let (there, back) = (ipc_event::create()?, ipc_event::create()?);
    let mut child = Command::new(std::env::current_exe()?)
        .arg("child")
        .stdin(Stdio::from(OwnedFd::from(there.try_clone()?)))
        .stdout(Stdio::from(OwnedFd::from(back.try_clone()?)))
        .spawn()?;
    for round in 1..=3 {
        there.notify()?;
        back.wait()?;
        println!("round {round}");
    }
    // Two at once are the sign to end.
    rustix::io::write(&there, &2u64.to_ne_bytes())?;
    child.wait()?;
    Ok(())
}
