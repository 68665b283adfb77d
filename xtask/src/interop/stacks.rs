//! The implementations that this one is met with: how each is installed and started.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::Role;
use crate::printed::say;
use crate::workspace::root;

/// An implementation of gRPC.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stack {
    Grpcio,
    GrpcJs,
    Tonic,
    /// rpc-grpc on both sides: what the others are compared with.
    Own,
}

impl ValueEnum for Stack {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Grpcio, Self::GrpcJs, Self::Tonic, Self::Own]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.title()))
    }
}

/// Why a stack does not run.
pub(crate) enum Absent {
    /// Something is not on this host, or not within its reach.
    Missing(String),
    /// All is there, and it does not work.
    Broken(String),
}

/// How the client and the server of a stack are started.
pub(crate) struct Programs {
    /// The program, and what stands before the role.
    command: Vec<OsString>,
    /// What stands behind it.
    after: Option<&'static str>,
    environment: Vec<(&'static str, OsString)>,
}

impl Programs {
    /// Those of rpc-grpc.
    pub(crate) fn ours(own: &Path) -> Self {
        Self {
            command: vec![own.into()],
            after: Some("ours"),
            environment: Vec::new(),
        }
    }

    /// The program in this role.
    pub(crate) fn start(&self, role: &str) -> Command {
        let mut command = crate::supervise::launcher();
        command.arg("--").args(&self.command).arg(role);
        command.args(self.after);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Stack {
    /// Its name, in tables and on the command line.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Grpcio => "grpcio",
            Self::GrpcJs => "grpc-js",
            Self::Tonic => "tonic",
            Self::Own => "rpc-grpc",
        }
    }

    /// What it is, and in which version.
    pub(crate) fn version(self) -> String {
        let read = |path: &str| fs::read_to_string(root().join(path)).unwrap_or_default();
        let after = |text: &str, mark: &str| {
            let rest = text.split_once(mark).map_or("", |(_, rest)| rest);
            let version = |c: char| c.is_ascii_digit() || c == '.';
            let found: String = rest.chars().take_while(|c| version(*c)).collect();
            found
        };
        match self {
            Self::Grpcio => {
                let pins = read("crates/rpc-grpc/interop/python/requirements.txt");
                format!("grpcio {} for Python", after(&pins, "grpcio=="))
            }
            Self::GrpcJs => {
                let pins = read("crates/rpc-grpc/interop/node/package.json");
                format!("@grpc/grpc-js {}", after(&pins, "\"@grpc/grpc-js\": \""))
            }
            Self::Tonic => {
                let lock = read("Cargo.lock");
                format!("tonic {}", after(&lock, "name = \"tonic\"\nversion = \""))
            }
            Self::Own => "rpc-grpc itself".to_owned(),
        }
    }

    /// The roles in which it is met: where both sides are the same, one is enough.
    pub(crate) const fn roles(self) -> &'static [Role] {
        match self {
            Self::Own => &[Role::Client],
            _ => &[Role::Client, Role::Server],
        }
    }

    /// Makes it ready to run.
    pub(crate) fn install(self, own: &Path, folder: &Path) -> Result<Programs, Absent> {
        match self {
            Self::Grpcio => python(&folder.join("python")),
            Self::GrpcJs => node(&folder.join("node")),
            Self::Tonic => Ok(Programs {
                after: Some("tonic"),
                ..Programs::ours(own)
            }),
            Self::Own => Ok(Programs::ours(own)),
        }
    }
}

fn sources(language: &str) -> PathBuf {
    root().join("crates/rpc-grpc/interop").join(language)
}

fn contract() -> PathBuf {
    root().join("crates/rpc-testkit/proto")
}

/// A virtual environment with grpcio, and what its compiler makes of the contract.
fn python(folder: &Path) -> Result<Programs, Absent> {
    let pins = sources("python").join("requirements.txt");
    let (installed, generated) = (folder.join("installed.txt"), folder.join("generated"));
    let program = folder.join("bin/python");
    if !is_copy(&pins, &installed) || !program.exists() {
        say!("installing grpcio into {}", folder.display());
        let get = "it needs Python 3.9 or later with `venv`: from your distribution (python3-venv)";
        let mut venv = Command::new("python3");
        step(venv.args(["-m", "venv", "--clear"]).arg(folder), get)?;
        let mut pip = Command::new(&program);
        pip.args(["-m", "pip", "install", "--quiet", "--no-input"]);
        pip.args([
            "--disable-pip-version-check",
            "--require-hashes",
            "--only-binary=:all:",
        ]);
        // A registry out of reach is said within a minute.
        pip.args(["--retries", "1", "--timeout", "15"]);
        let get = "it needs the registry of Python packages, by pip";
        step(pip.arg("--requirement").arg(&pins), get)?;
        copy(&pins, &installed)?;
    }
    fs::create_dir_all(&generated).map_err(broken)?;
    let mut protoc = Command::new(&program);
    protoc
        .args(["-m", "grpc_tools.protoc", "-I"])
        .arg(contract());
    for option in ["--python_out", "--grpc_python_out"] {
        protoc.arg(format!("{option}={}", generated.display()));
    }
    let made = step(protoc.arg("testing.proto"), "");
    made.map_err(|absent| Absent::Broken(format!("the contract is not compiled: {absent}")))?;
    Ok(Programs {
        command: vec![program.into(), sources("python").join("interop.py").into()],
        after: None,
        environment: vec![
            ("PYTHONPATH", generated.into()),
            ("PYTHONDONTWRITEBYTECODE", "1".into()),
            ("PYTHONUNBUFFERED", "1".into()),
        ],
    })
}

/// A folder of modules with grpc-js.
fn node(folder: &Path) -> Result<Programs, Absent> {
    let sources = sources("node");
    let installed = folder.join("installed.json");
    let lock = sources.join("package-lock.json");
    let get = "it needs Node 18 or later: from your distribution (nodejs, npm)";
    step(Command::new("node").arg("--version"), get)?;
    if !is_copy(&lock, &installed) || !folder.join("node_modules").exists() {
        say!("installing grpc-js into {}", folder.display());
        fs::create_dir_all(folder).map_err(broken)?;
        for name in ["package.json", "package-lock.json"] {
            copy(&sources.join(name), &folder.join(name))?;
        }
        step(Command::new("npm").arg("--version"), get)?;
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        npm.args(["--fetch-retries=1", "--fetch-timeout=20000"]);
        let get = "it needs the registry of Node packages, by npm";
        step(npm.current_dir(folder), get)?;
        copy(&lock, &installed)?;
    }
    Ok(Programs {
        command: vec!["node".into(), sources.join("interop.js").into()],
        after: None,
        environment: vec![
            ("NODE_PATH", folder.join("node_modules").into()),
            ("INTEROP_PROTO", contract().join("testing.proto").into()),
        ],
    })
}

/// Runs one command of an installation; what came instead of a pinned file is no missing network.
fn step(command: &mut Command, get: &str) -> Result<(), Absent> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| Absent::Missing(format!("{name}: {error}; {get}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    // The first lines that say what is wrong; the last ones are advice.
    let wrong = lines
        .iter()
        .filter(|line| line.to_lowercase().contains("error"));
    let wrong: Vec<&str> = wrong.take(2).copied().collect();
    let last = match wrong.is_empty() {
        true => lines.last().copied().unwrap_or_default().to_owned(),
        false => wrong.join(" / "),
    };
    let why = format!("{name} failed ({last}); {get}");
    match said.contains("DO NOT MATCH THE HASHES") || said.contains("EINTEGRITY") {
        true => Err(Absent::Broken(why)),
        false => Err(Absent::Missing(why)),
    }
}

impl std::fmt::Display for Absent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(why) | Self::Broken(why) => f.write_str(why),
        }
    }
}

fn broken(error: std::io::Error) -> Absent {
    Absent::Broken(error.to_string())
}

fn is_copy(one: &Path, other: &Path) -> bool {
    fs::read(other).is_ok_and(|bytes| fs::read(one).is_ok_and(|own| own == bytes))
}

fn copy(from: &Path, to: &Path) -> Result<(), Absent> {
    fs::copy(from, to).map(drop).map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(script: &str) -> Result<(), Absent> {
        step(Command::new("sh").args(["-c", script]), "get it")
    }

    #[test]
    fn what_is_missing_is_told_from_what_was_forged() {
        assert!(ended("true").is_ok());
        let Err(Absent::Missing(why)) = ended("echo no route >&2; false") else {
            panic!("no registry is missing");
        };
        assert_eq!(why, "sh failed (no route); get it");
        for word in [
            "THESE PACKAGES DO NOT MATCH THE HASHES",
            "npm error code EINTEGRITY",
        ] {
            let forged = ended(&format!("echo '{word}'; false"));
            assert!(matches!(forged, Err(Absent::Broken(_))), "{word}");
        }
        let none = step(&mut Command::new("no-such-program"), "get it");
        assert!(matches!(none, Err(Absent::Missing(why)) if why.ends_with("; get it")));
    }

    #[test]
    fn every_stack_has_a_version() {
        for stack in Stack::value_variants() {
            let version = stack.version();
            let known = version.contains("0.14.") || version.contains(" 1.");
            assert!(known || *stack == Stack::Own, "{version}");
        }
    }
}
