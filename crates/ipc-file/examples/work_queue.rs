//! A parent delivers work, a child claims and finishes it:
//! `cargo run -p ipc-file --example work_queue`.

use ipc_file::open_spool;
use std::path::Path;
use std::process::Command;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Started again by itself, this program is the child.
    if let Some(path) = std::env::args_os().nth(1) {
        let spool = open_spool(path)?;
        loop {
            let claim = spool.claim()?;
            let work = String::from_utf8(claim.read()?)?;
            claim.finish()?;
            match work.as_str() {
                "end" => return Ok(()),
                work => println!("did {work}"),
            }
        }
    }
    let path = std::env::temp_dir().join(format!("ipc-file-work-{}", std::process::id()));
    let outcome = deliver(&path);
    // Whatever happened; the directory may not even have been made.
    let removed = std::fs::remove_dir_all(&path);
    outcome?;
    Ok(removed?)
}

fn deliver(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let spool = open_spool(path)?;
    let mut child = Command::new(std::env::current_exe()?).arg(path).spawn()?;
    let works = ["resize 7", "resize 8", "end"];
    let mut works = works.iter();
    let delivered = works.try_for_each(|work| spool.deliver(work.as_bytes()));
    if delivered.is_err() {
        child.kill()?; // it would wait for work for ever
    }
    let ended = child.wait()?;
    delivered?;
    if !ended.success() || spool.waiting()? != 0 {
        return Err(format!("the child has not done its work: {ended}").into());
    }
    Ok(())
}
