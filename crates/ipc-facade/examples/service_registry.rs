//! Three servers that a client finds by what they do, while they come and go.
//!
//! `rpc_registry::Embedded`: the first process that comes to a path is the registry, and when it
//! dies, another takes over; an entry ends exactly when its server does, since the kernel closes
//! the socket that stands for it. `Discovered` is a channel for stubs to whoever is there at the
//! moment. For one server at a known place `rpc_native` alone is enough. Run it:
//! `cargo run -p ipc-facade --features registry,tokio --example service_registry`. It prints who
//! answers; then the server that is the registry too is killed, and it prints who answers now.

use ipc_facade::rpc::{Channel, Code, Context, Router, Server, Status, service};
use ipc_facade::rpc_registry::{Discovered, Embedded, Entry, Registry};
use ipc_facade::rpc_transport::Pick;
use ipc_facade::signal::{self, Child, Signal, Target};
use ipc_facade::{Async, rpc_native};
use rustix::process::set_parent_process_death_signal;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;
use std::{env, fs};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
A client finds the servers of a service, as they come and go.

usage: service_registry                   three servers and a client
       service_registry serve DIRECTORY N serves as server N until Ctrl-C";

const CALLS: usize = 30;

/// The contract, which all have.
#[service(name = "greeter.v1.Greeter", path = "::ipc_facade::rpc")]
trait Greeter {
    /// Says who answers.
    #[rpc(idempotency = "no_side_effects", deadline = "5s")]
    async fn greet(&self, cx: &Context) -> Result<String, Status>;
}

struct Named(String);

impl Greeter for Named {
    async fn greet(&self, _: &Context) -> Result<String, Status> {
        Ok(format!("server {}", self.0))
    }
}

fn main() -> ExitCode {
    let arguments = env::args_os().skip(1).map(OsString::into_string);
    let Ok(arguments) = arguments.collect::<Result<Vec<String>, _>>() else {
        eprintln!("an argument is not UTF-8\n{HELP}");
        return ExitCode::FAILURE;
    };
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        [] => show(),
        ["serve", directory, name] => serve(directory.as_ref(), name),
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
async fn serve(directory: &Path, name: &str) -> Outcome {
    // Whoever started it may be killed before it can say so.
    set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    let asked_to_end = Async::new(signal::shutdown()?)?;
    let registry = Embedded::at(directory.join("registry"));
    let place = format!("unix:{}", directory.join(name).display());
    let serving = rpc_native::bind(&place)?;
    let stopper = serving.stopper();
    let server = Server::new(Router::new().service(GreeterServer::new(Named(name.to_owned()))));
    let running = tokio::spawn(server.with(serving)?.run());
    // Only now that it can be called is it to be found.
    let entry = Entry::new(&GREETER_SERVICE, &place);
    let lease = registry
        .register(entry, GREETER_SERVICE.contract().text())
        .await?;
    let host = if registry.is_host() {
        ", and is the registry"
    } else {
        ""
    };
    println!("server {name} is registered{host}");
    asked_to_end.wait().await?;
    drop(lease); // found no more
    stopper.stop(); // and what runs is finished
    Ok(running.await??)
}

/// Calls so often, and counts who answered, and how often nobody did.
async fn call(greeter: &GreeterClient<impl Channel>) -> Outcome<(BTreeMap<String, usize>, usize)> {
    let (mut answers, mut failed) = (BTreeMap::new(), 0);
    while answers.values().sum::<usize>() < CALLS {
        match greeter.greet(&Context::new()).await {
            Ok(who) => *answers.entry(who).or_default() += 1,
            // One that was under way when its server died; it may be asked again.
            Err(status) if status.code() == Code::Unavailable && failed < CALLS => {
                failed += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(status) => return Err(status.into()),
        }
    }
    Ok((answers, failed))
}

#[tokio::main(flavor = "current_thread")]
async fn show() -> Outcome {
    let directory = Directory::new()?;
    let mut servers = Vec::new();
    for name in ["1", "2", "3"] {
        let mut command = Command::new(env::current_exe()?);
        command
            .arg("serve")
            .arg(&directory.0)
            .arg(name)
            .stdout(Stdio::piped());
        let mut server = Child::spawn(&mut command)?;
        let said = server.std_mut().stdout.take().ok_or("it is piped")?;
        println!(
            "{}",
            BufReader::new(said)
                .lines()
                .next()
                .ok_or("it did not start")??
        );
        servers.push(server);
    }
    let connect = |endpoint: String| async move { rpc_native::connect(&endpoint).await };
    let registry = Embedded::at(directory.0.join("registry"));
    let all = Discovered::new(
        registry.clone(),
        &GREETER_SERVICE,
        Pick::RoundRobin,
        connect,
    );
    let greeter = GreeterClient::new(all);
    let (answers, _) = call(&greeter).await?;
    println!("before: {answers:?}");
    let all_answered = answers.len() == 3;

    let first = servers.remove(0);
    Target::pidfd(&first).notify(Signal::KILL)?;
    println!("server 1 is killed: {}", first.wait()?);
    let (answers, failed) = call(&greeter).await?;
    println!("after: {answers:?}, {failed} failed calls repeated");
    let moved_on = !answers.contains_key("server 1");
    println!(
        "registered: {}",
        registry.look_up(GREETER_SERVICE.name()).await?.len()
    );

    for server in &servers {
        Target::pidfd(server).notify(Signal::TERM)?;
    }
    let mut well = all_answered && moved_on;
    for server in servers {
        well &= Async::new(server)?.wait().await?.success();
    }
    if well {
        Ok(())
    } else {
        Err("not everybody did what was expected".into())
    }
}

/// A private directory, removed with all that is in it.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Outcome<Self> {
        let path = env::temp_dir().join(format!("registry-{}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
