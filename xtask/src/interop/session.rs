//! One client against one server: started, heard, timed, ended.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::Security;
use super::cell::{self, Outcome};
use super::stacks::Programs;

/// How long a server may take to listen, and to end.
const GREETING: Duration = Duration::from_secs(60);
/// How long a client may take for all cases.
const PATIENCE: Duration = Duration::from_secs(600);

/// One client against one server.
pub(crate) struct Session<'a> {
    pub(crate) client: &'a Programs,
    pub(crate) server: &'a Programs,
    pub(crate) security: Security,
    pub(crate) certificates: &'a Path,
    /// Where the client's words go.
    pub(crate) log: &'a Path,
    pub(crate) rounds: u32,
}

/// A server that listens.
struct Server {
    child: Child,
    port: String,
    /// Cases that it cannot show, and why.
    cannot: HashMap<String, String>,
    /// It does not see which messages come compressed.
    hidden: bool,
}

impl Session<'_> {
    /// How each case ended: all of them, whatever happens.
    pub(crate) fn run(&self, cases: &[String]) -> Vec<(String, Outcome)> {
        let mut server = match self.serve() {
            Ok(server) => server,
            Err(why) => return cell::all(cases, &Outcome::Failed(why)),
        };
        let (cannot, can): (Vec<&String>, Vec<&String>) = cases
            .iter()
            .partition(|case| server.cannot.contains_key(*case));
        let mut found = match can.is_empty() {
            true => HashMap::new(),
            false => match self.call(&server, &can) {
                Ok(found) => found,
                Err(why) => {
                    let failed = Outcome::Failed(why);
                    can.iter()
                        .map(|case| ((*case).clone(), failed.clone()))
                        .collect()
                }
            },
        };
        for case in cannot {
            let why = server.cannot[case].clone();
            found.insert(case.clone(), Outcome::Cannot(why));
        }
        let ended = server.end();
        let unsaid = || Outcome::Failed("the client said nothing of it".to_owned());
        let outcome = |case: &String| match (&ended, found.remove(case)) {
            (Err(why), Some(Outcome::Passed)) => Outcome::Failed(why.clone()),
            (_, found) => found.unwrap_or_else(unsaid),
        };
        let outcomes: Vec<Outcome> = cases.iter().map(outcome).collect();
        cases.iter().cloned().zip(outcomes).collect()
    }

    fn serve(&self) -> Result<Server, String> {
        let mut command = self.server.start("server");
        command.arg(self.security.word()).arg(self.certificates);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|error| format!("the server: {error}"))?;
        let stdout = child.stdout.take().expect("it is piped above");
        match greeting(stdout) {
            Ok((port, cannot, hidden)) => Ok(Server {
                child,
                port,
                cannot,
                hidden,
            }),
            Err(why) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(why)
            }
        }
    }

    fn call(&self, server: &Server, cases: &[&String]) -> Result<HashMap<String, Outcome>, String> {
        let text = |error: std::io::Error| format!("the client: {error}");
        let names: Vec<&str> = cases.iter().map(|case| case.as_str()).collect();
        let mut command = self.client.start("client");
        command.arg(self.security.word()).arg(self.certificates);
        command.arg(&server.port).arg(names.join(","));
        command.arg(self.rounds.to_string());
        command.args(server.hidden.then_some("hidden"));
        let log = File::create(self.log).map_err(text)?;
        let errors = log.try_clone().map_err(text)?;
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let ended = wait(&mut command.spawn().map_err(text)?, PATIENCE);
        let said = fs::read_to_string(self.log).map_err(text)?;
        let found: HashMap<String, Outcome> = said
            .lines()
            .filter_map(|line| {
                let (case, rest) = line.split_once('\t')?;
                let (word, note) = rest.split_once('\t').unwrap_or((rest, ""));
                names
                    .contains(&case)
                    .then(|| (case.to_owned(), Outcome::read(word, note)))
            })
            .collect();
        match ended {
            Err(how) if found.len() == names.len() => Err(format!("the client: {how}")),
            Err(how) if found.is_empty() => Err(format!("the client: {how}: {}", tail(&said))),
            _ => Ok(found),
        }
    }
}

impl Server {
    /// Ends it in order, by the end of its standard input.
    fn end(&mut self) -> Result<(), String> {
        drop(self.child.stdin.take());
        let ended = wait(&mut self.child, GREETING);
        ended.map_err(|how| format!("the server did not end in order: {how}"))
    }
}

impl Security {
    const fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls => "tls",
            Self::Mtls => "mtls",
        }
    }
}

type Greeting = (String, HashMap<String, String>, bool);

/// What a server says until it listens, by a thread, since it may say nothing.
fn greeting(stdout: ChildStdout) -> Result<Greeting, String> {
    let (sender, said) = mpsc::channel();
    thread::spawn(move || {
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        for line in lines {
            let _ = sender.send(line);
        }
    });
    let (mut cannot, mut hidden) = (HashMap::new(), false);
    loop {
        let line = said.recv_timeout(GREETING);
        let line = line.map_err(|_| "the server did not come to listen".to_owned())?;
        let mut words = line.split('\t');
        match (words.next(), words.next(), words.next()) {
            (Some("hidden"), ..) => hidden = true,
            (Some("cannot"), Some(case), Some(why)) => {
                cannot.insert(case.to_owned(), why.to_owned());
            }
            (Some(word), None, None) => {
                if let Some(port) = word.strip_prefix("listening ") {
                    return Ok((port.to_owned(), cannot, hidden));
                }
            }
            _ => {}
        }
    }
}

/// Waits for the end of a program, or kills it when its time is over.
fn wait(child: &mut Child, patience: Duration) -> Result<(), String> {
    let (sender, ended) = mpsc::channel::<()>();
    let id = nix::unistd::Pid::from_raw(child.id().cast_signed());
    let killer = thread::spawn(move || {
        let late = ended.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout);
        if late {
            let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGKILL);
        }
    });
    let status = child.wait();
    drop(sender);
    let _ = killer.join();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("it ended with {status}")),
        Err(error) => Err(error.to_string()),
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(2)..].join(" / ")
}
