//! A small database: clients read its pages from shared memory, write through a local socket, and
//! lose nothing when the server is killed.
//!
//! Three mechanisms, each for what it is best at. `shm`: a read copies 64 bytes and makes no
//! system call, and the region is read-only to all but the server (`Protection::ReadOnly`), so
//! that no client can break it. `uds`: writes go to the one process that may write, which knows
//! whose they are; the region's descriptor comes the same way. `file::Log`: a write is answered
//! when it is on the disk, and a server that starts again reads the log. Run it:
//! `cargo run -p ipc-facade --example database`. It prints what clients wrote and read, kills the
//! server in the middle, and shows that everything that was answered is there afterwards.

mod client;
mod pages;
mod server;

use crate::client::Database;
use crate::pages::{PAGES, Value};
use ipc_facade::signal::{Child, Signal, Target};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::{env, fs};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
A database whose clients read from shared pages.

usage: database";

const CLIENTS: usize = 3;
/// How many pages each client writes, one after the other.
const WRITES: usize = 20;
fn main() -> ExitCode {
    let arguments = env::args_os().skip(1).map(OsString::into_string);
    let Ok(arguments) = arguments.collect::<Result<Vec<String>, _>>() else {
        eprintln!("an argument is not UTF-8\n{HELP}");
        return ExitCode::FAILURE;
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [] => show(),
        ["serve", directory] => server::serve(directory.as_ref()),
        ["client", directory, number] => number
            .parse()
            .map_err(Into::into)
            .and_then(|number| write_and_read(directory.as_ref(), number)),
        ["--help"] => {
            println!("{HELP}");
            Ok(())
        }
        _ => Err(HELP.into()),
    };
    outcome.map_or_else(
        |error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

/// What client `number` writes as its `nth` write.
fn value(number: usize, nth: usize) -> Value {
    [(number * 50 + nth + 1) as u8; _]
}

/// Where it writes it: the pages of the clients lie between each other.
fn place(number: usize, nth: usize) -> usize {
    nth * CLIENTS + number
}

fn write_and_read(directory: &Path, number: usize) -> Outcome {
    let database = Database::open(directory)?;
    for nth in 0..WRITES {
        database.write(place(number, nth), &value(number, nth))?;
        println!("{number} {nth}"); // on the disk
        // Pages of the others may change at this moment: old or new, never both.
        let other = database.read(place((number + 1) % CLIENTS, nth))?;
        if other.iter().any(|byte| *byte != other[0]) {
            return Err("a page is torn".into());
        }
    }
    match database.write(PAGES, &value(number, 0)) {
        Err(_) => Ok(()), // there is no such page
        Ok(()) => Err("a page that does not exist was written".into()),
    }
}

fn show() -> Outcome {
    let directory = Directory::new()?;
    let start = |words: &[&str]| -> Outcome<Child> {
        let mut command = Command::new(env::current_exe()?);
        command.arg(words[0]).arg(&directory.0).args(&words[1..]);
        Ok(Child::spawn(command.stdout(Stdio::piped()))?)
    };
    let start_server = || -> Outcome<Child> {
        let mut server = start(&["serve"])?;
        let said = server.std_mut().stdout.take().ok_or("it is piped")?;
        BufReader::new(said)
            .lines()
            .next()
            .ok_or("the server did not start")??;
        Ok(server)
    };

    // The first client dies with the server, at its tenth write.
    let server = start_server()?;
    let mut unlucky = start(&["client", "0"])?;
    let said = unlucky.std_mut().stdout.take().ok_or("it is piped")?;
    let mut answered = 0;
    for line in BufReader::new(said).lines() {
        line?;
        answered += 1;
        if answered == 10 {
            Target::pidfd(&server).notify(Signal::KILL)?;
        }
    }
    println!(
        "client 0 was answered {answered} times; server: {}",
        server.wait()?
    );
    unlucky.wait()?;

    let server = start_server()?;
    let after = Database::open(&directory.0)?;
    let there = (0..answered).try_fold(0, |there, nth| {
        Outcome::Ok(there + usize::from(after.read(place(0, nth))? == value(0, nth)))
    })?;
    println!("after the restart {there} of {answered} are there");
    let clients: Vec<_> = ["0", "1", "2"]
        .map(|number| start(&["client", number]))
        .into();
    let mut well = there == answered;
    for client in clients {
        let mut client = client?;
        let said = client.std_mut().stdout.take().ok_or("it is piped")?;
        let lines = BufReader::new(said).lines().count();
        well &= lines == WRITES && client.wait()?.success();
    }
    for (number, nth) in (0..CLIENTS).flat_map(|n| (0..WRITES).map(move |nth| (n, nth))) {
        well &= after.read(place(number, nth))? == value(number, nth);
    }
    Target::pidfd(&server).notify(Signal::KILL)?;
    server.wait()?;
    println!("{} pages by {CLIENTS} clients are there", CLIENTS * WRITES);
    if well {
        Ok(())
    } else {
        Err("something is missing".into())
    }
}

/// A private directory, removed with all that is in it.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Outcome<Self> {
        let path = env::temp_dir().join(format!("database-{}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
