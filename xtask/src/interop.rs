//! `cargo xtask interop grpc`: gRPC's interoperation cases, against clients and servers of others.

mod cell;
mod report;
mod session;
mod stacks;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use clap::ValueEnum;

use self::cell::{Cell, Outcome as Verdict};
use self::session::Session;
use self::stacks::{Absent, Programs, Stack};
use crate::Outcome;
use crate::printed::say;
use crate::workspace::{Workspace, root};

/// Runs gRPC's interoperation cases against clients and servers of other implementations.
///
/// The table is case × stack × role × security. What it needs is installed under target/interop, in
/// the versions that crates/rpc-grpc/interop pins, from the registries of Python (pip) and Node
/// (npm). Every cell says how it ended: `ok`; `part`, with what could not be seen; `n/a`, with the
/// cause; `FAILED`, or `skipped`, with the reason. The table is also written as Markdown and JSON.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(value_enum)]
    protocol: Protocol,
    /// Only this stack; may be given several times
    #[arg(long, value_enum)]
    stack: Vec<Stack>,
    /// Only this case; may be given several times
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(CASES))]
    case: Vec<String>,
    /// Only where the stack has this role; the other side is rpc-grpc
    #[arg(long, value_enum)]
    role: Vec<Role>,
    /// Only over this
    #[arg(long, value_enum)]
    security: Vec<Security>,
    /// How often the cases that soak go round
    #[arg(long, value_name = "N", default_value_t = 100)]
    rounds: u32,
    /// A stack that cannot be installed here is skipped, and says why, instead of failing
    #[arg(long)]
    skip_missing: bool,
}

impl Args {
    /// The whole table, with what can be installed here.
    pub(crate) const fn what_is_here() -> Self {
        Self {
            protocol: Protocol::Grpc,
            stack: Vec::new(),
            case: Vec::new(),
            role: Vec::new(),
            security: Vec::new(),
            rounds: 20,
            skip_missing: true,
        }
    }
}

/// What is spoken.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    Grpc,
}

/// Which side the stack is; the other one is rpc-grpc.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    Client,
    Server,
}

/// How a connection is protected.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Security {
    Plain,
    Tls,
    Mtls,
}

/// The cases, as gRPC's own description names them; then health and reflection.
pub(crate) const CASES: [&str; 24] = [
    "empty_unary",
    "large_unary",
    "client_compressed_unary",
    "server_compressed_unary",
    "client_compressed_streaming",
    "server_compressed_streaming",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
    "cancel_after_begin",
    "cancel_after_first_response",
    "timeout_on_sleeping_server",
    "concurrent_large_unary",
    "rpc_soak",
    "channel_soak",
    "health",
    "reflection_v1",
    "reflection_v1alpha",
];

/// Runs the table, prints it, writes it, and fails where a cell has failed.
pub(crate) fn run(args: &Args) -> Outcome {
    let Protocol::Grpc = args.protocol;
    let workspace = Workspace::load()?;
    let folder = workspace.target.join("interop");
    fs::create_dir_all(&folder)?;
    let own = build(&workspace)?;
    let certificates = certify(&own, &folder)?;
    let cells = fill(args, &own, &certificates, &folder)?;
    report::print(&cells);
    report::write(&cells, args.rounds, &folder)?;
    let failed = cells.iter().filter(|cell| cell.outcome.is_failure());
    match failed.count() {
        0 => Ok(()),
        failed => Err(format!("{failed} of {} cells failed", cells.len()).into()),
    }
}

/// Fills the cells, one pair of programs after the other.
fn fill(args: &Args, own: &Path, certificates: &Path, folder: &Path) -> Outcome<Vec<Cell>> {
    let cases = chosen(&CASES.map(str::to_owned), &args.case);
    let ours = Programs::ours(own);
    let log = folder.join("session.log");
    let mut cells = Vec::new();
    for stack in chosen(Stack::value_variants(), &args.stack) {
        let programs = match stack.install(own, folder) {
            Ok(programs) => Ok(programs),
            Err(Absent::Missing(why)) if args.skip_missing => {
                say!("SKIPPED {}: {why}", stack.title());
                Err(why)
            }
            Err(Absent::Missing(why) | Absent::Broken(why)) => {
                return Err(format!("{}: {why}", stack.title()).into());
            }
        };
        for role in chosen(stack.roles(), &args.role) {
            for security in chosen(Security::value_variants(), &args.security) {
                let started = Instant::now();
                let found = match &programs {
                    Err(why) => cell::all(&cases, &Verdict::Skipped(why.clone())),
                    Ok(theirs) => {
                        let (client, server) = match role {
                            Role::Client => (theirs, &ours),
                            Role::Server => (&ours, theirs),
                        };
                        let session = Session {
                            client,
                            server,
                            security,
                            certificates,
                            log: &log,
                            rounds: args.rounds,
                        };
                        session.run(&cases)
                    }
                };
                let new = found.into_iter().map(|(case, outcome)| Cell {
                    case,
                    stack,
                    role,
                    security,
                    outcome,
                });
                let new: Vec<Cell> = new.collect();
                report::progress(&new, started.elapsed());
                cells.extend(new);
            }
        }
    }
    Ok(cells)
}

/// Those of `all` that were asked for, or all where none was.
fn chosen<T: Clone + PartialEq>(all: &[T], asked: &[T]) -> Vec<T> {
    let wanted = |one: &&T| asked.is_empty() || asked.contains(one);
    all.iter().filter(wanted).cloned().collect()
}

/// Builds the programs of this workspace, and says where they are.
fn build(workspace: &Workspace) -> Outcome<PathBuf> {
    let scope = ["-p", "rpc-testkit", "--features", "grpc-interop"];
    say!("building: cargo build {}", scope.join(" "));
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--bin", "grpc-interop"]);
    let status = cargo.args(scope).current_dir(root()).status()?;
    if !status.success() {
        return Err("the programs do not compile".into());
    }
    Ok(workspace.target.join("debug/grpc-interop"))
}

/// Makes a root of trust, and certificates for a server and a client.
fn certify(own: &Path, folder: &Path) -> Outcome<PathBuf> {
    let certificates = folder.join("certificates");
    fs::create_dir_all(&certificates)?;
    let mut program = Command::new(own);
    let status = program.arg("certificates").arg(&certificates).status()?;
    match status.success() {
        true => Ok(certificates),
        false => Err("no certificates could be made".into()),
    }
}
