//! Several processes write records into one FIFO, none of them torn:
//! `cargo run -p ipc-pipe --example fifo_records`.

use ipc_pipe::{Fifo, MAX_RECORD_BYTES, Options};
use std::io::Write;
use std::path::Path;
use std::process::Command;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::new();
    options.record(true).keep_open(true);
    // Started again by itself, this program is a writer.
    if let [_, path, name] = &std::env::args().collect::<Vec<_>>()[..] {
        let tx = options.open(path)?.sender()?;
        for number in 0..3 {
            tx.send(format!("{name} says {number}").as_bytes())?;
        }
        return Ok(());
    }
    let path = std::env::temp_dir().join(format!("records {}", std::process::id()));
    let fifo = options.create(&path)?;
    let outcome = read_all(&fifo, &path);
    fifo.unlink()?;
    outcome
}

fn read_all(fifo: &Fifo, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let rx = fifo.receiver()?;
    let mut writers = Vec::new();
    for name in ["one", "two", "three"] {
        let mut writer = Command::new(std::env::current_exe()?);
        writers.push(writer.arg(path).arg(name).spawn()?);
    }
    let mut record = [0; MAX_RECORD_BYTES];
    for _ in 0..9 {
        let length = rx.recv(&mut record)?;
        let text = String::from_utf8_lossy(&record[..length]);
        writeln!(std::io::stdout(), "{text}")?;
    }
    for mut writer in writers {
        writer.wait()?;
    }
    Ok(())
}
