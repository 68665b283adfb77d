//! A child as a filter, over two pipes: `cargo run -p ipc-pipe --example filter`.

use std::io::Read;
use std::process::Command;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (words, stdin) = ipc_pipe::pair()?;
    let (stdout, mut sorted) = ipc_pipe::pair()?;
    let mut sort = Command::new("sort").stdin(stdin).stdout(stdout).spawn()?;
    words.send(b"pear\napple\n")?;
    drop(words);
    let mut text = String::new();
    sorted.read_to_string(&mut text)?;
    print!("{text}");
    sort.wait()?;
    Ok(())
}
