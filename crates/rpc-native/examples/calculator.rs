//! A server in one process, which ends in order on Ctrl-C, and a client in another.

use rpc_core::{Code, Context, Router, Server, Status, block_on, service};
use rustix::process::{Signal, set_parent_process_death_signal};
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};

const HELP: &str = "\
Adds two numbers in another process.

usage: calculator serve [BINDING]    serves until Ctrl-C
       calculator add A B [BINDING]  asks a server
       calculator                    does both, in two processes

  BINDING  where the server listens [unix:/tmp/calculator.sock]";
const PLACE: &str = "unix:/tmp/calculator.sock";

/// The contract, which both have.
#[service(name = "calculator.v1.Calculator")]
trait Calculator {
    /// The sum of both, modulo 2^64.
    #[rpc(idempotency = "no_side_effects", deadline = "1s")]
    async fn add(&self, cx: &Context, a: i64, b: i64) -> Result<i64, Status>;
}

struct Adder;

impl Calculator for Adder {
    async fn add(&self, cx: &Context, a: i64, b: i64) -> Result<i64, Status> {
        // Nobody may read that any more, which is no reason to give no answer.
        let _ = writeln!(io::stdout(), "add({a}, {b}) for {:?}", cx.peer());
        Ok(a.wrapping_add(b))
    }
}

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1).map(OsString::into_string);
    let Ok(arguments) = arguments.collect::<Result<Vec<String>, _>>() else {
        eprintln!("an argument is not UTF-8\n{HELP}");
        return ExitCode::from(2);
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [] => both().map_err(|error| Status::new(Code::Internal, error.to_string())),
        ["serve"] => serve(PLACE),
        ["serve", place] => serve(place),
        // By itself, as `both` does: not to outlive whoever started it, who may be killed.
        ["serve", place, "with-starter"] => {
            let end = set_parent_process_death_signal(Some(Signal::TERM));
            end.map_err(|error| Status::new(Code::Internal, error.to_string()))
                .and_then(|()| serve(place))
        }
        ["add", a, b] => add(PLACE, a, b),
        ["add", a, b, place] => add(place, a, b),
        _ => {
            println!("{HELP}");
            return ExitCode::from(if words == ["--help"] { 0 } else { 2 });
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(status) => {
            eprintln!("{status}");
            ExitCode::FAILURE
        }
    }
}

fn serve(place: &str) -> Result<(), Status> {
    // Before the first thread starts, since each must leave these signals alone.
    let asked_to_end = ipc_signal::shutdown()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Status::new(Code::Internal, format!("a runtime: {error}")))?;
    runtime.block_on(async {
        let serving = rpc_native::bind(place)?;
        println!("serving at {}; Ctrl-C ends it", serving.endpoint()?);
        let stopper = serving.stopper();
        std::thread::spawn(move || {
            if asked_to_end.wait().is_ok() {
                // What runs is finished, and the name of the socket is removed.
                stopper.stop();
            }
        });
        let server = Server::new(Router::new().service(CalculatorServer::new(Adder)));
        server.with(serving)?.run().await
    })
}

fn add(place: &str, a: &str, b: &str) -> Result<(), Status> {
    let number = |text: &str| {
        let number = text.parse::<i64>();
        number.map_err(|error| Status::new(Code::InvalidArgument, format!("`{text}`: {error}")))
    };
    let (a, b) = (number(a)?, number(b)?);
    let calculator = CalculatorClient::new(rpc_native::connect_blocking(place)?);
    let sum = block_on(calculator.add(&Context::new(), a, b))?;
    println!("{a} + {b} = {sum}");
    Ok(())
}

fn both() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("calculator-{}", std::process::id()));
    let place = format!("unix:{}", path.display());
    let mut server = Command::new(std::env::current_exe()?)
        .args(["serve", &place, "with-starter"])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut output = BufReader::new(server.stdout.take().ok_or("it is piped")?);
    let mut line = String::new();
    output.read_line(&mut line)?; // It listens.
    print!("{line}");
    let outcome = add(&place, "2", "3");
    ipc_signal::Target::process(server.id())?.notify(ipc_signal::Signal::TERM)?;
    server.wait()?;
    Ok(outcome?)
}
