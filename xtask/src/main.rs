//! Drives builds, tests, checks and benchmarks of the workspace: `cargo xtask <command>`.
#![forbid(unsafe_code)]
// They panic where nobody reads any more: see `printed`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod build_matrix;
mod ci;
mod contract;
mod crash;
mod deny;
mod docs;
mod fuzz;
mod interop;
mod laboratory;
mod models;
mod printed;
mod release;
mod scratch;
mod soak;
mod supervise;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::printed::complain;

/// What every command returns: the error is shown as one `error:` line and makes the exit code 1.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Drives builds, tests, checks and benchmarks of the workspace.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    max_term_width = 100
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Bench(bench::Args),
    Build(build_matrix::Args),
    Ci(ci::Args),
    Contract(contract::Args),
    Crash(crash::Args),
    /// Checks licences, advisories and sources of the dependencies with cargo-deny.
    Deny,
    Docs(docs::Args),
    Fuzz(fuzz::Args),
    Interop(interop::Args),
    Models(models::Args),
    Release(release::Args),
    Soak(soak::Args),
    Test(test::Args),
    /// Checks the rules of the house: floors, anatomy, unsafe, headers, length, functions,
    /// changelogs, words, workflows.
    #[command(after_help = tidy::HELP)]
    Tidy,
    // By this name, since clap proposes hidden commands too to who misspells another.
    #[command(hide = true, name = "__launch")]
    Launch(test::launch::Args),
}

fn main() -> ExitCode {
    let (code, broken) = match Cli::try_parse() {
        Ok(Cli { command }) => {
            // The code 1 of a bench is left to a regression: one that could not start is broken.
            let broken = match command {
                Command::Bench(_) => 2,
                _ => 1,
            };
            let code = match run(command) {
                Ok(()) => 0,
                Err(error) => {
                    complain!("error: {error}");
                    broken
                }
            };
            (code, broken)
        }
        Err(said) => (printed::clap(&said), 1),
    };
    match printed::failure() {
        Some(error) if code == 0 => {
            complain!("error: standard output: {error}");
            ExitCode::from(broken)
        }
        _ => ExitCode::from(code),
    }
}

fn run(command: Command) -> Outcome {
    // What is launched leaves nothing behind, and must meet signals as any program does.
    if !matches!(command, Command::Launch(_)) {
        scratch::clean_up_when_interrupted()?;
    }
    match command {
        Command::Bench(args) => bench::run(args),
        Command::Build(args) => build_matrix::run(&args),
        Command::Ci(args) => ci::run(&args),
        Command::Contract(args) => contract::run(&args),
        Command::Crash(args) => crash::run(&args),
        Command::Deny => deny::run(),
        Command::Interop(args) => interop::run(&args),
        Command::Models(args) => models::run(&args),
        Command::Docs(args) => docs::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Release(args) => release::run(&args),
        Command::Soak(args) => soak::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Tidy => tidy::run(),
        Command::Launch(args) => test::launch::run(args),
    }
}
