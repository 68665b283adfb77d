//! A producer streams to a consumer through a filter, three processes in a row, no faster than
//! the slowest of them.
//!
//! `pipe`: the kernel holds 64 KiB between two of them and then makes the producer wait, so that
//! nobody needs a buffer or a protocol for that; the end of one is the end of the input of the
//! next; and a pipe is what any other program has as its standard input and output too. Framed
//! messages keep items of different lengths apart. For many gigabytes a second take `ring`, which
//! copies less. Run it: `cargo run -p ipc-facade --example streaming`. It prints how much went
//! through, checked at the end; then what a producer sees when its consumer stops early.

use ipc_facade::{ErrorKind, Framed, pipe};
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::process::{Child, Command, ExitCode, Stdio};
use std::{env, io};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
A producer, a filter and a consumer in a row, joined by pipes.

usage: streaming";

const ITEMS: u64 = 2_000;

fn main() -> ExitCode {
    let arguments = env::args_os().skip(1).map(OsString::into_string);
    let Ok(arguments) = arguments.collect::<Result<Vec<String>, _>>() else {
        eprintln!("an argument is not UTF-8\n{HELP}");
        return ExitCode::FAILURE;
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [] => to_the_end().and_then(|()| stopped_early()),
        ["produce"] => produce(),
        ["filter"] => filter(),
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

/// Item `number`: its number, and then between nothing and 8 KiB.
fn item(number: u64) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(8 + number as usize * 37 % 8_192, number as u8);
    bytes
}

fn produce() -> Outcome {
    let output = output()?;
    for number in 0.. {
        match output.send(&item(number)) {
            // The consumer has seen enough. No signal: an error like any other.
            Err(error) if error.kind() == ErrorKind::Closed => {
                eprintln!("producer: nobody takes item {number}");
                return Ok(());
            }
            Ok(()) if number + 1 == ITEMS => break,
            other => other?,
        }
    }
    Ok(())
}

/// Lets every third item through.
fn filter() -> Outcome {
    let (input, output) = (input()?, output()?);
    let mut item = Vec::new();
    while next(&input, &mut item)? {
        if number(&item)? % 3 == 0 {
            output.send(&item)?;
        }
    }
    Ok(())
}

fn to_the_end() -> Outcome {
    let (output, input) = pipe::pair()?;
    let producer = start("produce", Stdio::null(), output)?;
    let (output, items) = pipe::pair()?;
    let filter = start("filter", input.into(), output)?;
    let items = items.framed();

    let (mut count, mut bytes, mut received) = (0, 0, Vec::new());
    while next(&items, &mut received)? {
        if received != item(3 * count) {
            return Err(format!("item {count} is another one").into());
        }
        (count, bytes) = (count + 1, bytes + received.len());
    }
    // An end of the stream alone does not say that all went well: how did they end?
    for mut child in [producer, filter] {
        if !child.wait()?.success() {
            return Err("the stream was cut short".into());
        }
    }
    println!("consumed {count} of {ITEMS} items, {bytes} bytes");
    if count == ITEMS.div_ceil(3) {
        Ok(())
    } else {
        Err("items are missing".into())
    }
}

fn stopped_early() -> Outcome {
    let (output, items) = pipe::pair()?;
    let mut producer = start("produce", Stdio::null(), output)?;
    let items = items.framed();
    let mut received = Vec::new();
    for count in 0..10 {
        if !next(&items, &mut received)? || number(&received)? != count {
            return Err(format!("item {count} did not come").into());
        }
    }
    drop(items); // enough
    let status = producer.wait()?;
    println!("stopped after 10 items: the producer ended with {status}");
    if status.success() {
        Ok(())
    } else {
        Err("a consumer that stops must not fail its producer".into())
    }
}

/// Starts a part. The command is dropped, and with it our copies of the pipe's ends: as long as
/// we had the one that is written to, its reader would wait for us.
fn start(part: &str, input: Stdio, output: pipe::Sender) -> Outcome<Child> {
    let mut command = Command::new(env::current_exe()?);
    Ok(command.arg(part).stdin(input).stdout(output).spawn()?)
}

fn input() -> Outcome<Framed<pipe::Receiver>> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    Ok(pipe::Receiver::from(input).framed())
}

fn output() -> Outcome<Framed<pipe::Sender>> {
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    Ok(pipe::Sender::from(output).framed())
}

/// The next item; false at the end.
fn next(input: &Framed<pipe::Receiver>, item: &mut Vec<u8>) -> Outcome<bool> {
    match input.recv_vec(item) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Closed => Ok(false),
        Err(error) => Err(error.into()), // also where it ends inside an item
    }
}

fn number(item: &[u8]) -> Outcome<u64> {
    let number = item.first_chunk().ok_or("an item without a number")?;
    Ok(u64::from_le_bytes(*number))
}
