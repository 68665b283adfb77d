//! Two printers behind a semaphore and an account behind a lock, used by four clerks, of whom two
//! die at the worst moment.
//!
//! `sem::Semaphore` and `sem::Mutex` stand in one `shm` region, which each clerk gets as its
//! standard input. Not a POSIX semaphore: it would lose the permit of the clerk that dies at the
//! printer. Not a file lock: it would not say that the one who died was in the middle of a
//! transfer. Run it: `cargo run -p ipc-facade --example printer_and_account`. It prints how each
//! clerk ended, and that no permit, page or coin is missing.

use ipc_facade::ErrorKind;
use ipc_facade::sem::{Damage, Guard, Mutex, Semaphore};
use ipc_facade::shm::{self, Region};
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::process::{Child, Command, ExitCode};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;
use std::{env, io};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
Four clerks share two printers and one account; two of them die.

usage: printer_and_account";

const PRINTERS: u32 = 2;
const COINS: i64 = 1_000;
const ROUNDS: u32 = 100;
/// For what must be there at once.
const PATIENCE: Duration = Duration::from_secs(5);

// Where things stand in the region.
const PRINTERS_AT: usize = 0;
const ACCOUNT_AT: usize = PRINTERS_AT + Semaphore::SIZE_BYTES;
const COUNTS_AT: usize = ACCOUNT_AT + Mutex::<Account>::SIZE_BYTES;
const SIZE_BYTES: usize = COUNTS_AT + 3 * size_of::<u32>();

/// Coins of the till and of the safe: a transfer changes both, and never their sum.
type Account = [i64; 2];

fn main() -> ExitCode {
    let arguments = env::args_os().skip(1).map(OsString::into_string);
    let Ok(arguments) = arguments.collect::<Result<Vec<String>, _>>() else {
        eprintln!("an argument is not UTF-8\n{HELP}");
        return ExitCode::FAILURE;
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [] => manage(),
        ["clerk", fate] => work(fate),
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

/// What all clerks share.
struct Office {
    region: Region,
    printers: Semaphore,
    account: Mutex<Account>,
}

impl Office {
    fn found() -> Outcome<Self> {
        let region = shm::anonymous(SIZE_BYTES)?;
        Ok(Self {
            printers: Semaphore::create_trusted(&region, PRINTERS_AT, PRINTERS)?,
            account: Mutex::create_trusted(&region, ACCOUNT_AT, [COINS, 0])?,
            region,
        })
    }

    /// The office of the process that started this one.
    fn enter() -> Outcome<Self> {
        let region = Region::from_fd(io::stdin().as_fd().try_clone_to_owned()?)?;
        Ok(Self {
            printers: Semaphore::open_trusted(&region, PRINTERS_AT)?,
            account: Mutex::open_trusted(&region, ACCOUNT_AT)?,
            region,
        })
    }

    /// How many print now, how many ever did at once, and how many pages there are.
    fn counts(&self) -> Outcome<[&AtomicU32; 3]> {
        let at = |index| self.region.atomic_u32(COUNTS_AT + index * size_of::<u32>());
        Ok([at(0)?, at(1)?, at(2)?])
    }

    fn print(&self) -> Outcome {
        let [printing, most, pages] = self.counts()?;
        let _permit = self.printers.acquire()?; // given back when it goes, or we do
        most.fetch_max(printing.fetch_add(1, SeqCst) + 1, SeqCst);
        pages.fetch_add(1, SeqCst);
        printing.fetch_sub(1, SeqCst);
        Ok(())
    }

    /// The account; where its last owner died in a transfer, that transfer is finished first.
    fn account(&self) -> Outcome<Guard<'_, Account>> {
        match self.account.lock() {
            Err(error) if error.kind() == ErrorKind::PeerDied => {
                let mut found = self.account.recover()?;
                if found.damage() == Some(Damage::Torn) {
                    let missing = COINS - found[0] - found[1];
                    found[1] += missing; // left the till, and had not come to the safe
                    println!("clerk {}: put {missing} coins right", std::process::id());
                }
                Ok(found.repaired())
            }
            other => Ok(other?),
        }
    }
}

fn work(fate: &str) -> Outcome {
    let office = Office::enter()?;
    for round in 0..ROUNDS {
        if fate == "dies-printing" && round == 50 {
            let _permit = office.printers.acquire()?;
            std::process::abort();
        }
        office.print()?;
        let mut account = office.account()?;
        account[0] -= 1;
        if fate == "dies-transferring" && round == 50 {
            std::process::abort(); // one coin is nowhere
        }
        account[1] += 1;
    }
    Ok(())
}

fn manage() -> Outcome {
    let office = Office::found()?;
    let fates = ["works", "dies-printing", "dies-transferring", "works"];
    let start = |fate| -> Outcome<Child> {
        let mut clerk = Command::new(env::current_exe()?);
        clerk.args(["clerk", fate]).stdin(office.region.to_fd()?);
        Ok(clerk.spawn()?)
    };
    let clerks: Vec<_> = fates.into_iter().map(|fate| (fate, start(fate))).collect();
    for (fate, clerk) in clerks {
        let status = clerk?.wait()?;
        println!("a clerk that {fate}: {status}");
        if status.success() != (fate == "works") {
            return Err("it was to end otherwise".into());
        }
    }

    let [_, most, pages] = office.counts()?.map(|count| count.load(SeqCst));
    let [till, safe] = *office.account()?;
    // All permits can be had, also that of the dead, which returns to whoever asks.
    let permits: Vec<_> = (0..PRINTERS)
        .map_while(|_| office.printers.acquire_timeout(PATIENCE).ok())
        .collect();
    let free = permits.len();
    println!("{pages} pages, at most {most} printers busy at once, {free} of {PRINTERS} free");
    println!("till {till} + safe {safe} = {}", till + safe);
    let moved = i64::from(2 * ROUNDS + 50 + 51);
    if (till + safe, safe, free) != (COINS, moved, PRINTERS as usize) || most > PRINTERS {
        return Err("the books do not agree".into());
    }
    Ok(())
}
