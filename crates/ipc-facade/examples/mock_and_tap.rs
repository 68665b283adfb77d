//! A client under test, a mock of the server that it needs, and a tap between them that shows
//! what they say.
//!
//! Both need nothing but a name: a server that is found by a `uds` path can be another program,
//! and so can whatever stands in between; the client is the one that is shipped. Framed messages
//! let the tap print whole messages without knowing what they mean. Run it:
//! `cargo run -p ipc-facade --example mock_and_tap`. It prints each message, numbered and timed,
//! and what the mock thinks of the client; with `--wrong` the client does what the mock's script
//! does not expect, and the command fails. `mock_and_tap tap NEW SERVER` taps any framed server.

use ipc_facade::{ErrorKind, Framed, uds};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Lines};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
type Connection = Framed<uds::Stream>;

const HELP: &str = "\
A client under test, a mock server, and a debug tap between them.

usage: mock_and_tap [--wrong]       all three
       mock_and_tap tap NEW SERVER  shows what the next client at NEW says to SERVER, and hears

  --wrong  the client asks what the mock does not expect";

const PATIENCE: Duration = Duration::from_secs(10);
/// What is to be asked, in this order, and what the mock answers.
const SCRIPT: [(&str, &str); 3] = [
    ("balance ann", "120"),
    ("transfer 30 ann bob", "done"),
    ("balance ann", "90"),
];

fn main() -> ExitCode {
    let arguments = env::args_os().skip(1).map(OsString::into_string);
    let Ok(arguments) = arguments.collect::<Result<Vec<String>, _>>() else {
        eprintln!("an argument is not UTF-8\n{HELP}");
        return ExitCode::FAILURE;
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [] => test("30"),
        ["--wrong"] => test("31"),
        ["client", path, amount] => client(path, amount),
        ["mock", path] => mock(path),
        ["tap", new, server] => tap(new, server),
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

/// The program under test: it pays `amount` from one account to another.
fn client(path: &str, amount: &str) -> Outcome {
    let bank = uds::connect_timeout(path, PATIENCE)?.framed();
    let ask = |question: &str| -> Outcome<String> {
        let mut answer = Vec::new();
        bank.send_timeout(question.as_bytes(), PATIENCE)?;
        bank.recv_vec_timeout(&mut answer, PATIENCE)?;
        Ok(String::from_utf8(answer)?)
    };
    let before: i64 = ask("balance ann")?.parse()?;
    ask(&format!("transfer {amount} ann bob"))?;
    let after: i64 = ask("balance ann")?.parse()?;
    println!("client: paid {}", before - after);
    Ok(())
}

/// Plays a server for one client, by the script.
fn mock(path: &str) -> Outcome {
    let listener = uds::bind(path)?;
    println!("mock: ready");
    let client = listener.accept_timeout(PATIENCE)?.framed();
    let mut script = SCRIPT.into_iter();
    while let Some(question) = next(&client)? {
        let question = String::from_utf8_lossy(&question);
        match script.next() {
            Some((expected, answer)) if question == expected => client.send(answer.as_bytes())?,
            Some((expected, _)) => {
                return Err(format!("mock: asked {question:?}, not {expected:?}").into());
            }
            None => return Err(format!("mock: asked {question:?} after the end").into()),
        }
    }
    match script.next() {
        None => println!("mock: all was asked, in order"),
        Some((expected, _)) => return Err(format!("mock: never asked {expected:?}").into()),
    }
    Ok(())
}

/// Passes on what one client and a server say, and prints it.
fn tap(new: &str, server: &str) -> Outcome {
    let listener = uds::bind(new)?;
    println!("tap: ready");
    let client = listener.accept_timeout(PATIENCE)?;
    println!("tap: process {} has connected", client.credentials()?.pid);
    let server = uds::connect_timeout(server, PATIENCE)?;
    // Each direction has its own handle of either connection, and its own thread.
    let (to_client, to_server) = (client.try_clone()?, server.try_clone()?);
    let begin = Instant::now();
    thread::scope(|scope| {
        let answers = scope.spawn(move || pass_on("<-", begin, server.framed(), to_client));
        pass_on("->", begin, client.framed(), to_server)?;
        answers.join().map_err(|_| "a thread panicked")?
    })
}

fn pass_on(arrow: &str, begin: Instant, from: Connection, to: uds::Stream) -> Outcome {
    let to = to.framed();
    for number in 1.. {
        let Some(message) = next(&from)? else { break };
        let millis = begin.elapsed().as_micros() as f64 / 1e3;
        let text = String::from_utf8_lossy(&message);
        println!("tap: {millis:8.3} ms {arrow} {number} {text:?}");
        match to.send(&message) {
            Err(error) if error.kind() == ErrorKind::Closed => break,
            other => other?,
        }
    }
    // The end is passed on too.
    to.inner()
        .close_write()
        .or_else(|error| match error.kind() {
            ErrorKind::Closed => Ok(()),
            _ => Err(error.into()),
        })
}

/// The next message, or none at the end.
fn next(from: &Connection) -> Outcome<Option<Vec<u8>>> {
    let mut message = Vec::new();
    match from.recv_vec(&mut message) {
        Ok(()) => Ok(Some(message)),
        Err(error) if error.kind() == ErrorKind::Closed => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn test(amount: &str) -> Outcome {
    let name = |part| env::temp_dir().join(format!("mock_and_tap-{}-{part}", std::process::id()));
    let (bank, tapped): (PathBuf, PathBuf) = (name("bank"), name("tap"));
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    let mock = Part::start(&["mock", &text(&bank)])?;
    let tap = Part::start(&["tap", &text(&tapped), &text(&bank)])?;
    // It knows of neither.
    let client = Command::new(env::current_exe()?)
        .args(["client", &text(&tapped), amount])
        .status();
    let ends = [tap.end()?, mock.end()?, client?.success()];
    if ends.contains(&false) {
        Err("the test has failed".into())
    } else {
        Ok(())
    }
}

/// A part that says when it is ready.
struct Part {
    process: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Part {
    fn start(words: &[&str]) -> Outcome<Self> {
        let mut command = Command::new(env::current_exe()?);
        let mut process = command.args(words).stdout(Stdio::piped()).spawn()?;
        let output = process.stdout.take().ok_or("it is piped")?;
        let mut said = BufReader::new(output).lines();
        said.next().ok_or("a part did not start")??;
        Ok(Self { process, said })
    }

    /// Prints what it said, and whether it ended well.
    fn end(mut self) -> Outcome<bool> {
        self.said
            .try_for_each(|line| line.map(|line| println!("{line}")))?;
        Ok(self.process.wait()?.success())
    }
}
