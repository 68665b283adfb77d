//! Awaits a child that filters what it is sent: `cargo run -p ipc-async --example awaited_filter`.

use ipc_async::Async;
use std::process::Command;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (words, stdin) = ipc_pipe::pair()?;
    let (stdout, sorted) = ipc_pipe::pair()?;
    let mut child = Command::new("sort").stdin(stdin).stdout(stdout).spawn()?;
    let (words, sorted) = (Async::new(words)?, Async::new(sorted)?);
    words.send(b"pear\napple\n").await?;
    drop(words); // the end of its input: sort begins
    let mut line = [0; 64];
    let length = sorted.recv(&mut line).await?;
    print!("{}", String::from_utf8_lossy(&line[..length]));
    child.wait()?;
    Ok(())
}
