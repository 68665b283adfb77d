//! Several processes write records into one FIFO, none of them torn:
//! `cargo run -p ipc-pipe --example fifo_records`.

use ipc_pipe::{MAX_RECORD_BYTES, Options};
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
    let rx = fifo.receiver()?;
    let mut writers = Vec::new();
    for name in ["one", "two", "three"] {
        writers.push(
            Command::new(std::env::current_exe()?)
                .arg(&path)
                .arg(name)
                .spawn()?,
        );
    }
    let mut record = [0; MAX_RECORD_BYTES];
    for _ in 0..9 {
        let length = rx.recv(&mut record)?;
        println!("{}", String::from_utf8_lossy(&record[..length]));
    }
    for mut writer in writers {
        writer.wait()?;
    }
    fifo.unlink()?;
    Ok(())
}
