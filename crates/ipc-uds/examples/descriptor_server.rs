//! A server that hands an open file to clients of its own user, each in a process of its own.

use std::env;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    match env::args_os().nth(1) {
        Some(path) => client(path.as_ref()),
        None => server(),
    }
}

fn server() -> Outcome {
    let directory = env::temp_dir().join(format!("descriptor-server-{}", std::process::id()));
    std::fs::create_dir(&directory)?;
    let outcome = serve_one(&directory);
    std::fs::remove_dir_all(&directory)?;
    outcome
}

fn serve_one(directory: &Path) -> Outcome {
    let mut file = File::create_new(directory.join("notes"))?;
    file.write_all(b"written before anybody asked\n")?;
    let path = directory.join("socket");
    let listener = ipc_uds::Options::new().replace_stale(true).bind(&path)?;
    let mut child = Command::new(env::current_exe()?).arg(&path).spawn()?;
    let client = listener.accept()?;
    writeln!(io::stdout(), "process {} asks", client.credentials()?.pid)?;
    client.send_with_fds(b"here", &[File::open(directory.join("notes"))?.as_fd()])?;
    let status = child.wait()?;
    if status.success() {
        Ok(())
    } else {
        Err("the client failed".into())
    }
}

fn client(path: &Path) -> Outcome {
    let server = ipc_uds::connect(path)?;
    let mut word = [0; 4];
    let mut gifts = ipc_uds::Ancillary::new();
    server.recv_with_fds(&mut word, &mut gifts)?;
    let mut text = String::new();
    let file = gifts.take_fds().next().ok_or("no file came")?;
    File::from(file).read_to_string(&mut text)?;
    Ok(write!(io::stdout(), "the client reads: {text}")?)
}
