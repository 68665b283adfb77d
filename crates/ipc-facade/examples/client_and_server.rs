//! A server that counts words, and clients that ask it, over a Unix socket.
//!
//! `uds`: connections, a name in the file system with permissions, and the kernel says who is at
//! the other end, so that only our own user is let in. Framed messages may have any length. The
//! server serves all clients in one thread (`Async`, feature `tokio`), and ends in order when it
//! is asked to; a client needs no runtime. For calls with types, deadlines and cancellation take
//! `rpc`. Run it: `cargo run -p ipc-facade --features tokio --example client_and_server`. It
//! prints whom the server has served, and what the clients, a process each, have heard.

use ipc_facade::signal::{self, Child, Signal, Target};
use ipc_facade::{Async, ErrorKind, Framed, uds};
use rustix::process::set_parent_process_death_signal;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;
use std::{env, iter};
use tokio::task::JoinSet;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
Counts words in another process.

usage: client_and_server               a server and three clients
       client_and_server serve PATH    serves until Ctrl-C
       client_and_server ask PATH TEXT asks a server how many words TEXT has";

const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let arguments = env::args_os().skip(1).map(OsString::into_string);
    let Ok(arguments) = arguments.collect::<Result<Vec<String>, _>>() else {
        eprintln!("an argument is not UTF-8\n{HELP}");
        return ExitCode::FAILURE;
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [] => all(),
        ["serve", path] => serve(path.as_ref()),
        ["ask", path, text] => ask(path.as_ref(), text),
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

#[tokio::main(flavor = "current_thread")]
async fn serve(path: &Path) -> Outcome {
    // Whoever started it may be killed before it can say so.
    set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    let asked_to_end = Async::new(signal::shutdown()?)?;
    // What a server left that was killed is taken over; who lives is not disturbed.
    let listener = uds::Options::new().replace_stale(true).bind(path)?;
    let listener = Async::new(listener)?;
    println!("serving at {}; Ctrl-C ends it", path.display());
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            client = listener.accept() => {
                clients.spawn(answer(client?));
            }
            Some(_) = clients.join_next() => {} // one is done
            signal = asked_to_end.wait() => {
                println!("ending, for {}", signal?);
                break;
            }
        }
    }
    drop(listener); // and its name: nobody new, but who is here may finish
    let _ = tokio::time::timeout(PATIENCE, clients.join_all()).await;
    Ok(())
}

/// Serves one client to its end; what fails there affects it alone.
async fn answer(client: uds::Stream) {
    match client.credentials() {
        Ok(who) => match count_for(client).await {
            Ok(asked) => println!(
                "process {} of user {} asked {asked} times",
                who.pid, who.uid
            ),
            Err(error) => eprintln!("process {}: {error}", who.pid),
        },
        Err(error) => eprintln!("a client: {error}"),
    }
}

/// How many times it has asked.
async fn count_for(client: uds::Stream) -> ipc_facade::Result<usize> {
    let client = Async::new(client.framed())?;
    let (mut text, mut asked) = (Vec::new(), 0);
    loop {
        match client.recv_vec(&mut text).await {
            Err(error) if error.kind() == ErrorKind::Closed => return Ok(asked),
            other => other?,
        }
        let words = String::from_utf8_lossy(&text).split_whitespace().count();
        client.send(words.to_string().as_bytes()).await?;
        asked += 1;
    }
}

fn ask(path: &Path, text: &str) -> Outcome {
    let server = uds::connect_timeout(path, PATIENCE)?.framed();
    for text in text.split(';') {
        println!("{:?} has {} words", text.trim(), count(&server, text)?);
    }
    Ok(())
}

fn count(server: &Framed<uds::Stream>, text: &str) -> Outcome<usize> {
    let mut answer = Vec::new();
    server.send_timeout(text.as_bytes(), PATIENCE)?;
    server.recv_vec_timeout(&mut answer, PATIENCE)?;
    Ok(str::from_utf8(&answer)?.parse()?)
}

fn all() -> Outcome {
    let path = env::temp_dir().join(format!("client_and_server-{}", std::process::id()));
    let start = |words: &[&str]| {
        let mut command = Command::new(env::current_exe()?);
        command.arg(words[0]).arg(&path).args(&words[1..]);
        Outcome::Ok(Child::spawn(command.stdout(Stdio::piped()))?)
    };
    let mut server = start(&["serve"])?;
    let output = server.std_mut().stdout.take().ok_or("it is piped")?;
    let mut output = BufReader::new(output).lines();
    println!("{}", output.next().ok_or("the server did not start")??);

    let texts = [
        "to be; or not to be",
        "that is the question",
        "whether tis nobler; in the mind",
    ];
    let clients: Vec<_> = texts
        .into_iter()
        .map(|text| start(&["ask", text]))
        .collect();
    let mut failed = false;
    for client in clients {
        let mut client = client?;
        let said = client.std_mut().stdout.take().ok_or("it is piped")?;
        BufReader::new(said)
            .lines()
            .try_for_each(|line| line.map(|line| println!("{line}")))?;
        failed |= !client.wait()?.success();
    }
    Target::pidfd(&server).notify(Signal::TERM)?;
    for line in iter::from_fn(|| output.next()) {
        println!("{}", line?);
    }
    if !failed && server.wait()?.success() {
        Ok(())
    } else {
        Err("a part failed".into())
    }
}
