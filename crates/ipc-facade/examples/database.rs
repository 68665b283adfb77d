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

use ipc_facade::shm::{self, Protection, Region};
use ipc_facade::signal::{Child, Signal, Target};
use ipc_facade::{ErrorKind, file, uds};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{Ordering, fence};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{env, fs, thread};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
A database whose clients read from shared pages.

usage: database";

const PATIENCE: Duration = Duration::from_secs(10);
const PAGES: usize = 64;
const CLIENTS: usize = 3;
/// How many pages each client writes, one after the other.
const WRITES: usize = 20;
/// A page in memory: how often it was changed, twice, and once more while it changes; the value.
const PAGE_BYTES: usize = 64;
const VALUE_AT: usize = 8;
type Value = [u8; PAGE_BYTES - VALUE_AT];
/// A write as it is asked for and logged: which page, and its value.
type Write = [u8; 4 + size_of::<Value>()];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [] => show(),
        ["serve", directory] => serve(directory.as_ref()),
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

/// The pages as the server has them, and the log behind them.
struct Store {
    pages: Region,
    log: file::Log,
    /// One writer at a time.
    turn: Mutex<()>,
}

impl Store {
    /// The pages as the log tells them.
    fn open(path: &Path) -> Outcome<Self> {
        let mut options = shm::Options::new();
        options
            .size_bytes(PAGES * PAGE_BYTES)
            .protection(Protection::ReadOnly);
        let store = Self {
            pages: options.anonymous()?,
            log: file::open_log(path)?,
            turn: Mutex::new(()),
        };
        let (written, mut record) = (store.log.reader()?, Vec::new());
        loop {
            match written.try_recv_vec(&mut record) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(store),
                other => other?,
            }
            store.show(record.as_slice().try_into()?)?;
        }
    }

    /// On the disk first, and then where everybody sees it.
    fn write(&self, write: &Write) -> ipc_facade::Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.log.append(write)?;
        self.show(write)
    }

    /// A reader that comes while a page changes sees an odd number, or another one than before,
    /// and looks again.
    fn show(&self, write: &Write) -> ipc_facade::Result<()> {
        let at = page(write) % PAGES * PAGE_BYTES;
        let changes = self.pages.atomic_u64(at)?;
        let number = changes.load(Ordering::Relaxed);
        changes.store(number + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        self.pages.write_at(at + VALUE_AT, &write[4..])?;
        changes.store(number + 2, Ordering::Release);
        Ok(())
    }
}

/// A page as a client reads it: no system call, and the server does not notice.
fn read(pages: &Region, page: usize) -> Outcome<Value> {
    let (at, mut value) = (page % PAGES * PAGE_BYTES, [0; _]);
    loop {
        let before = pages.load_u64(at, Ordering::Acquire)?;
        pages.read_at(at + VALUE_AT, &mut value)?;
        fence(Ordering::Acquire);
        if before % 2 == 0 && pages.load_u64(at, Ordering::Relaxed)? == before {
            return Ok(value);
        }
        std::hint::spin_loop();
    }
}

fn page(write: &Write) -> usize {
    let [a, b, c, d, ..] = *write;
    u32::from_le_bytes([a, b, c, d]) as usize
}

fn serve(directory: &Path) -> Outcome {
    let store = Store::open(&directory.join("log"))?;
    // A server that was killed has left its name.
    let mut options = uds::Options::new();
    let listener = options
        .replace_stale(true)
        .bind_seqpacket(directory.join("socket"))?;
    println!("serving");
    thread::scope(|scope| {
        loop {
            let client = listener.accept()?;
            let store = &store;
            scope.spawn(move || {
                if let Err(error) = serve_one(store, &client) {
                    eprintln!("a client: {error}");
                }
            });
        }
    })
}

fn serve_one(store: &Store, client: &uds::SeqPacket) -> ipc_facade::Result<()> {
    client.send_with_fds(b"pages", &[store.pages.as_fd()?])?;
    let mut write = [0; size_of::<Write>()];
    loop {
        match client.recv(&mut write) {
            Ok(length) if length == write.len() && page(&write) < PAGES => {
                store.write(&write)?;
                client.send(b"written")?;
            }
            Ok(_) => client.send(b"refused")?, // it breaks nothing but its own request
            Err(error) if error.kind() == ErrorKind::Closed => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// A connection to the server, and its pages.
struct Database {
    socket: uds::SeqPacket,
    pages: Region,
}

impl Database {
    fn open(directory: &Path) -> Outcome<Self> {
        let socket =
            uds::Options::new().connect_seqpacket_timeout(directory.join("socket"), PATIENCE)?;
        let mut gift = uds::Ancillary::new();
        socket.recv_with_fds_timeout(&mut [0; 16], &mut gift, PATIENCE)?;
        let pages = gift
            .take_fds()
            .next()
            .ok_or("the server has sent no pages")?;
        let pages = Region::from_fd(pages)?;
        Ok(Self { socket, pages })
    }

    fn write(&self, page: usize, value: &Value) -> Outcome {
        let mut write = [0; size_of::<Write>()];
        write[..4].copy_from_slice(&u32::try_from(page)?.to_le_bytes());
        write[4..].copy_from_slice(value);
        let mut answer = [0; 16];
        self.socket.send_timeout(&write, PATIENCE)?;
        match self.socket.recv_timeout(&mut answer, PATIENCE)? {
            length if &answer[..length] == b"written" => Ok(()),
            _ => Err(format!("page {page} was refused").into()),
        }
    }

    fn read(&self, page: usize) -> Outcome<Value> {
        read(&self.pages, page)
    }
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
    match well {
        true => Ok(()),
        false => Err("something is missing".into()),
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
