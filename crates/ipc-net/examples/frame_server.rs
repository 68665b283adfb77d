//! A server that answers framed messages, and a client in a process of its own.

use std::env;
use std::process::Command;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    match env::args().nth(1) {
        Some(address) => client(&address),
        None => server(),
    }
}

fn server() -> Outcome {
    let listener = ipc_net::bind("127.0.0.1:0")?;
    let address = listener.address()?;
    let mut child = Command::new(env::current_exe()?)
        .arg(address.to_string())
        .spawn()?;
    let frames = listener.accept()?.framed();
    println!("{} asks", frames.inner().peer_address()?);
    let mut message = Vec::new();
    while frames.recv_vec(&mut message).is_ok() {
        message.reverse();
        frames.send(&message)?;
    }
    drop(frames); // the client waits for our end
    if child.wait()?.success() {
        Ok(())
    } else {
        Err("the client failed".into())
    }
}

fn client(address: &str) -> Outcome {
    let frames = ipc_net::connect(address)?.framed();
    let mut answer = Vec::new();
    for word in ["stressed", "drawer", ""] {
        frames.send(word.as_bytes())?;
        frames.recv_vec(&mut answer)?;
        println!(
            "{word:?} comes back as {:?}",
            String::from_utf8(answer.clone())?
        );
    }
    frames.inner().drain()?;
    Ok(())
}
