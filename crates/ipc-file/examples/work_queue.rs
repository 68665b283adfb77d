//! A parent delivers work, a child claims and finishes it:
//! `cargo run -p ipc-file --example work_queue`.

use ipc_file::open_spool;
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
    let spool = open_spool(&path)?;
    let mut child = Command::new(std::env::current_exe()?).arg(&path).spawn()?;
    for work in ["resize 7", "resize 8", "end"] {
        spool.deliver(work.as_bytes())?;
    }
    let ended = child.wait()?;
    assert!(ended.success() && spool.waiting()? == 0);
    std::fs::remove_dir_all(path)?;
    Ok(())
}
