//! A notice board that its readers cannot deface, and that grows: `cargo run -p ipc-shm --example
//! board`.

use ipc_shm::{ErrorKind, Options, Protection, Region};
use std::os::fd::AsFd;
use std::process::Command;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Started again by itself, this program is a reader; the board is its standard input.
    if std::env::args().nth(1).as_deref() == Some("reader") {
        let board = Region::from_fd(std::io::stdin().as_fd().try_clone_to_owned()?)?;
        let mut notice = vec![0; board.read::<u32>(0)? as usize];
        board.read_at(4, &mut notice)?;
        println!("reader: {}", String::from_utf8_lossy(&notice));
        let error = board.write_at(4, b"graffiti").expect_err("read-only");
        assert_eq!(error.kind(), ErrorKind::Denied);
        println!("reader: {error}");
        return Ok(());
    }
    let board = Options::new()
        .size_bytes(4096)
        .growable_to_bytes(1 << 20)
        .protection(Protection::ReadOnly)
        .anonymous()?;
    for notice in ["short".to_owned(), "long ".repeat(2000)] {
        board.grow(4 + notice.len())?;
        board.write_at(4, notice.as_bytes())?;
        board.write(0, &(notice.len().min(40) as u32))?;
        let mut reader = Command::new(std::env::current_exe()?);
        reader.arg("reader").stdin(board.to_fd()?).status()?;
    }
    Ok(())
}
