//! A server that ends in order when it is asked to, and at once when it is asked twice:
//! `cargo run -p ipc-signal --example graceful_end`.

use ipc_signal::{Child, Signal, Target};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Started again by itself, this program is the server.
    let role = std::env::args_os().nth(1);
    if role.as_ref().is_some_and(|role| role != "server") {
        return Err("it takes no arguments: it starts its server itself".into());
    }
    if role.is_some() {
        // Whoever started it may be killed before it can say so.
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        let shutdown = ipc_signal::shutdown()?;
        println!("up");
        println!("cleaning up after {}", shutdown.wait()?);
        loop {
            std::thread::park(); // a clean-up that hangs
        }
    }
    let mut server = Child::spawn(
        Command::new(std::env::current_exe()?)
            .arg("server")
            .stdout(Stdio::piped()),
    )?;
    let said = server.std_mut().stdout.take().ok_or("it is piped")?;
    for line in BufReader::new(said).lines() {
        println!("server: {}", line?);
        Target::pidfd(&server).notify(Signal::TERM)?;
    }
    println!("ended by signal {:?}", server.wait()?.signal());
    Ok(())
}
