//! A shop that takes orders whether the network is there or not, and brings them to a remote
//! server when it is.
//!
//! `file::Spool`: an order is taken when it is on the disk, by a shop that knows no network. A
//! second process claims orders, sends them over `net`, and finishes a claim when the remote has
//! acknowledged it; whoever dies in between, the claim returns. So an order may come twice, and
//! the remote, which keeps a `file::Log` of what it has, tells by its number: at least once on the
//! way, once in the log. A `file::Document` says where the remote is at the moment. Run it:
//! `cargo run -p ipc-facade --example local_first`. It prints what waits, what arrives, and that
//! each order is in the log of the remote once, although that is killed on the way.

use ipc_facade::ErrorKind;
use ipc_facade::file::{self, Claim};
use ipc_facade::net;
use ipc_facade::signal::{self, Child, Signal, Target};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Lines};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, ExitCode, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
Takes orders locally, and brings them to a remote server when it is there.

usage: local_first";

const ORDERS: usize = 10;
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait before the remote is tried again.
const PAUSE: Duration = Duration::from_millis(20);

fn main() -> ExitCode {
    let arguments = env::args_os().skip(1).map(OsString::into_string);
    let Ok(arguments) = arguments.collect::<Result<Vec<String>, _>>() else {
        eprintln!("an argument is not UTF-8\n{HELP}");
        return ExitCode::FAILURE;
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [] => show(),
        ["shop", directory, day] => shop(directory.as_ref(), day),
        ["sync", directory] => sync(directory.as_ref()),
        ["remote", directory] => remote(directory.as_ref()),
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

/// Takes the orders of a day. Each is numbered once, whatever becomes of it.
fn shop(directory: &Path, day: &str) -> Outcome {
    let spool = file::open_spool(directory.join("orders"))?;
    for number in 0..ORDERS {
        spool.deliver(format!("{day}-{number}").as_bytes())?;
    }
    println!("shop: {ORDERS} orders taken, {} wait", spool.waiting()?);
    Ok(())
}

/// Brings orders to the remote, for as long as it is asked to.
fn sync(directory: &Path) -> Outcome {
    let asked_to_end = signal::shutdown()?;
    let spool = file::open_spool(directory.join("orders"))?;
    let mut remote = None;
    let mut was_there = true;
    while asked_to_end.try_wait().is_err() {
        let claim = match spool.claim_timeout(PAUSE) {
            Err(error) if error.kind() == ErrorKind::TimedOut => continue,
            other => other?,
        };
        match bring(directory, &mut remote, claim) {
            Ok(()) => was_there = true,
            Err(error) => {
                // The claim has gone back to the others.
                remote = None;
                if std::mem::replace(&mut was_there, false) {
                    println!("sync: orders wait, since the remote is not there: {error}");
                }
                thread::sleep(PAUSE);
            }
        }
    }
    Ok(())
}

type Connection = ipc_facade::Framed<net::Stream>;

fn bring(directory: &Path, remote: &mut Option<Connection>, claim: Claim) -> Outcome {
    let connection = match remote {
        Some(connection) => connection,
        None => {
            let address = file::open_document(directory.join("address"))?.read()?;
            let address = str::from_utf8(&address)?;
            remote.insert(net::connect_timeout(address, PATIENCE)?.framed())
        }
    };
    connection.send_timeout(&claim.read()?, PATIENCE)?;
    connection.recv_vec_timeout(&mut Vec::new(), PATIENCE)?; // acknowledged, and not before
    Ok(claim.finish()?)
}

/// Keeps each order once, and acknowledges it when it is on the disk.
fn remote(directory: &Path) -> Outcome {
    let log = file::open_log(directory.join("remote log"))?;
    let mut known: BTreeSet<Vec<u8>> = orders(&log)?.into_iter().collect();
    let listener = net::bind("127.0.0.1:0")?;
    let address = listener.address()?.to_string();
    file::open_document(directory.join("address"))?.replace(address.as_bytes())?;
    println!("remote: knows {} orders", known.len());
    loop {
        let client = listener.accept()?.framed();
        let mut order = Vec::new();
        loop {
            match client.recv_vec(&mut order) {
                Err(error) if matches!(error.kind(), ErrorKind::Closed | ErrorKind::Truncated) => {
                    break;
                }
                other => other?,
            }
            let text = String::from_utf8_lossy(&order).into_owned();
            if known.insert(order.clone()) {
                log.append(&order)?;
                println!("remote: order {text}");
            } else {
                println!("remote: order {text} came again");
            }
            if client.send_timeout(b"kept", PATIENCE).is_err() {
                break;
            }
        }
    }
}

/// What is in a log now.
fn orders(log: &file::Log) -> Outcome<Vec<Vec<u8>>> {
    let (reader, mut orders, mut order) = (log.reader()?, Vec::new(), Vec::new());
    loop {
        match reader.try_recv_vec(&mut order) {
            Ok(()) => orders.push(std::mem::take(&mut order)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(orders),
            Err(error) => return Err(error.into()),
        }
    }
}

fn show() -> Outcome {
    let directory = Directory::new()?;
    let start = |words: &[&str]| Part::start(words[0], &directory.0, &words[1..]);
    start(&["shop", "monday"])?.run()?; // long before there is a network
    let mut sync = start(&["sync"])?;
    sync.until(|line, _| line.contains("not there"))?;
    let mut remote = start(&["remote"])?;
    remote.until(|_, orders| orders == 5)?;
    println!("remote: {}", remote.end(Signal::KILL)?); // in the middle

    let mut remote = start(&["remote"])?;
    start(&["shop", "tuesday"])?.run()?; // while the network is there
    let log = file::open_log(directory.0.join("remote log"))?;
    let there = log.reader()?;
    for _ in 0..2 * ORDERS {
        there.recv_vec_timeout(&mut Vec::new(), PATIENCE)?;
    }
    // All are there; the last acknowledgement may be on its way.
    let spool = file::open_spool(directory.0.join("orders"))?;
    while spool.waiting()? > 0 {
        thread::sleep(PAUSE);
    }
    sync.end(Signal::TERM)?;
    remote.end(Signal::KILL)?;
    remote.until(|_, _| false)?;
    let kept = orders(&log)?;
    let once = kept.iter().collect::<BTreeSet<_>>().len();
    println!(
        "{} orders in the remote's log, {once} different ones",
        kept.len()
    );
    match (kept.len(), once) {
        (20, 20) => Ok(()),
        _ => Err("orders are missing, or there twice".into()),
    }
}

/// One of the processes, and what it says.
struct Part {
    process: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Part {
    fn start(role: &str, directory: &Path, words: &[&str]) -> Outcome<Self> {
        let mut command = Command::new(env::current_exe()?);
        command
            .arg(role)
            .arg(directory)
            .args(words)
            .stdout(Stdio::piped());
        let mut process = Child::spawn(&mut command)?;
        let output = process.std_mut().stdout.take().ok_or("it is piped")?;
        Ok(Self {
            process,
            said: BufReader::new(output).lines(),
        })
    }

    /// Prints what it says until a line, and how many orders it has told of, are enough.
    fn until(&mut self, enough: impl Fn(&str, usize) -> bool) -> Outcome {
        let mut orders = 0;
        for line in &mut self.said {
            let line = line?;
            println!("{line}");
            orders += usize::from(line.contains("order "));
            if enough(&line, orders) {
                break;
            }
        }
        Ok(())
    }

    /// Lets it run to its end.
    fn run(mut self) -> Outcome {
        self.until(|_, _| false)?;
        if self.process.wait()?.success() {
            Ok(())
        } else {
            Err("a part failed".into())
        }
    }

    fn end(&mut self, signal: Signal) -> Outcome<std::process::ExitStatus> {
        Target::pidfd(&self.process).notify(signal)?;
        Ok(self.process.wait()?)
    }
}

/// A private directory, removed with all that is in it.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Outcome<Self> {
        let path = env::temp_dir().join(format!("local_first-{}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
