//! Several processes count under one lock, and one of them is killed while it holds it:
//! `cargo run -p ipc-sem --example shared_counter`.

use ipc_sem::{ErrorKind, Mutex, Region};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Started again by itself, this program is a child: the region is its standard input.
    if let Some(part) = std::env::args().nth(1) {
        let region = Region::from_fd(std::io::stdin().as_fd().try_clone_to_owned()?)?;
        let counter = Mutex::<u64>::open_trusted(&region, 0)?;
        for _ in 0..10_000 {
            *counter.lock()? += 1;
        }
        if part == "victim" {
            let _held = counter.lock()?;
            std::process::abort();
        }
        return Ok(());
    }
    let region = ipc_shm::anonymous(4096)?;
    let counter = Mutex::<u64>::create_trusted(&region, 0, 0)?;
    let start = |part| -> Result<_, Box<dyn std::error::Error>> {
        let stdin = Stdio::from(region.as_fd()?.try_clone_to_owned()?);
        Ok(Command::new(std::env::current_exe()?)
            .arg(part)
            .stdin(stdin)
            .spawn()?)
    };
    for part in ["worker", "victim"] {
        start(part)?.wait()?;
    }
    match counter.lock().map(|number| *number) {
        Err(error) if error.kind() == ErrorKind::PeerDied => println!("{error}"),
        other => println!("nobody died: {other:?}"),
    }
    let recovery = counter.recover()?;
    println!("the data is {:?}", recovery.damage());
    println!("counted {}", *recovery.repaired());
    Ok(())
}
