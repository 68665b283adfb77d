//! The command line.

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::Parser;

use crate::{
    compare,
    family::{Family, Role},
    mechanisms,
    members::{self, MEMBER},
    pair::{Trouble, WORKER},
    placement::{self, Cpus, SPINNER},
    plan::{DEFAULT_SIZES, FULL_SIZES, Selection},
    printed::{self, say},
    report, residue,
    results::MakerKind,
    run,
    scenario::Scenario,
    worker,
};

/// Exit code of a run that broke down, and of a command line that asks for something unknown: the
/// code 1 is left to a comparison that found a regression.
const BROKEN: u8 = 2;
/// Exit code of a comparison that found a regression.
const REGRESSION: u8 = 1;
/// Exit code after Ctrl-C, as shells have it.
const INTERRUPTED: u8 = 130;

const EXIT_CODES: &str = "\
Exit codes:
  0    measured; with --against: no regression
  1    --against found a regression
  2    broken: the run could not be finished, or the command line asks for something unknown
  130  interrupted";

/// So wide that every table has all of its columns.
const WIDE: usize = 260;

/// Measures every way two processes can talk on this machine, beside its physical floor.
///
/// Starts real process pairs, pins them, interleaves the makers of a mechanism slice by slice, and
/// reports medians with their 95 % intervals. The default run measures 64 B, 4 KiB and 1 MiB in at
/// most two minutes; narrowed runs measure fewer cells with more slices.
#[derive(Debug, Parser)]
#[command(name = "ipc-bench", version, after_help = EXIT_CODES)]
struct Arguments {
    /// Only these mechanisms
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    mechanism: Vec<String>,
    /// Only these scenarios
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    scenario: Vec<String>,
    /// Only these sizes, in bytes or with KiB or MiB
    #[arg(long, value_delimiter = ',', value_name = "64,4096,1MiB")]
    size: Vec<String>,
    /// Also the published crates of others (needs the feature `peers`)
    #[arg(long)]
    peers: bool,
    /// Every size from 1 B to 16 MiB, every scenario and placement
    #[arg(long)]
    full: bool,
    /// Begin to measure nothing after so many seconds, however little each cell then gets. What has
    /// begun by then ends first (a part of a second, on a busy machine a few), and reports are
    /// written after it; cells that were not begun are listed. With --against all are compared
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    time: Option<u32>,
    /// Write the results as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Every column of the tables, however wide the terminal
    #[arg(long)]
    wide: bool,
    /// Where reports go
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    out: PathBuf,
    /// Compare with the workers of another build of this bench; fail on a regression
    #[arg(long, value_name = "BINARY")]
    against: Option<PathBuf>,
    /// Write a summary of the comparison as Markdown
    #[arg(long, value_name = "FILE", requires = "against")]
    summary: Option<PathBuf>,
    /// List mechanisms, makers, scenarios and sizes, and what this host lacks
    #[arg(long)]
    list: bool,
    /// Slow a mechanism of this build down, to test the comparison
    #[arg(
        long,
        value_name = "MECHANISM:PERCENT",
        requires = "against",
        hide = true
    )]
    plant: Option<String>,
    /// The same for the other build
    #[arg(
        long,
        value_name = "MECHANISM:PERCENT",
        requires = "against",
        hide = true
    )]
    plant_base: Option<String>,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let code = answer();
    match printed::failure() {
        Some(error) if code == ExitCode::SUCCESS => {
            fail(&format!("standard output: {error}"), BROKEN)
        }
        _ => code,
    }
}

fn answer() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(hidden) = hidden(&arguments) {
        return match hidden {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error.to_string(), BROKEN),
        };
    }
    match Arguments::try_parse_from(arguments) {
        Ok(arguments) => command(&arguments),
        Err(said) => ExitCode::from(printed::clap(&said)),
    }
}

/// What the orchestrator starts this binary for; users never see it.
fn hidden(arguments: &[OsString]) -> Option<io::Result<()>> {
    let texts: Vec<&str> = arguments
        .iter()
        .skip(1)
        .filter_map(|text| text.to_str())
        .collect();
    match texts.as_slice() {
        [WORKER, parent] => Some(number(parent).and_then(|parent| worker::run(parent as u32))),
        [MEMBER, parent] => Some(number(parent).and_then(|parent| members::run(parent as u32))),
        [SPINNER, cpu, parent] => Some(
            number(cpu)
                .and_then(|cpu| number(parent).map(|parent| (cpu, parent)))
                .and_then(|(cpu, parent)| placement::spin(cpu, parent as u32)),
        ),
        _ => None,
    }
}

fn number(text: &str) -> io::Result<usize> {
    text.parse()
        .map_err(|_| io::Error::other(format!("`{text}` is not a number")))
}

fn command(arguments: &Arguments) -> ExitCode {
    let families = mechanisms::all();
    if arguments.list {
        say(format_args!("{}", list(&families)));
        return ExitCode::SUCCESS;
    }
    let selection = match selection(arguments, &families) {
        Ok(selection) => selection,
        Err(why) => return fail(&why, BROKEN),
    };
    if let Err(why) = check_places(arguments) {
        return fail(&why.to_string(), BROKEN);
    }
    residue::sweep(&families);
    let done = match &arguments.against {
        Some(base) => compared(arguments, &selection, &families, base),
        None => measured(arguments, &selection, &families),
    };
    match done {
        Ok(code) => code,
        Err(Trouble::Interrupted) => fail("interrupted", INTERRUPTED),
        Err(Trouble::Broken(why)) => fail(&why, BROKEN),
    }
}

fn measured(
    arguments: &Arguments,
    selection: &Selection,
    families: &[Family],
) -> Result<ExitCode, Trouble> {
    let run = run::run(selection, families, said())?;
    let colours = io::stdout().is_terminal();
    let width = if arguments.wide { WIDE } else { width() };
    say(format_args!("{}", report::terminal(&run, width, colours)));
    let written = report::write(&run, &arguments.out);
    if let Some(path) = &arguments.json {
        report::write_json(&run, path)?;
    }
    for path in written? {
        say(format_args!("wrote {}\n", path.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether what will be measured for minutes can be written then.
fn check_places(arguments: &Arguments) -> io::Result<()> {
    if arguments.against.is_none() {
        report::check_directory(&arguments.out)?;
    }
    let files = [&arguments.json, &arguments.summary];
    let mut files = files.into_iter().flatten();
    files.try_for_each(|path| report::check_file(path))
}

/// The words of the command line, for the record; a path need not be UTF-8.
pub(crate) fn said() -> Vec<String> {
    std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect()
}

/// As wide as the terminal says it is, else what fits anywhere.
fn width() -> usize {
    const USUAL: usize = 100;
    let said = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    said.unwrap_or(USUAL).max(60)
}

fn compared(
    arguments: &Arguments,
    selection: &Selection,
    families: &[Family],
    base: &std::path::Path,
) -> Result<ExitCode, Trouble> {
    let planted = |plant: &Option<String>| plant.as_deref().map(parse_plant).transpose();
    let plants = planted(&arguments.plant)
        .and_then(|head| planted(&arguments.plant_base).map(|base| compare::Plants { head, base }));
    let plants = match plants {
        Ok(plants) => plants,
        Err(why) => return Ok(fail(&why, BROKEN)),
    };
    let comparison = compare::run(selection, families, base, plants)?;
    let summary = comparison.markdown();
    say(format_args!("{summary}"));
    if let Some(path) = &arguments.summary {
        std::fs::write(path, &summary)?;
    }
    if let Some(path) = &arguments.json {
        report::write_json(&comparison.run, path)?;
    }
    Ok(if comparison.regressions().is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(REGRESSION)
    })
}

/// `MECHANISM:PERCENT`.
fn parse_plant(text: &str) -> Result<(String, f64), String> {
    let parsed = text.split_once(':').and_then(|(name, percent)| {
        let percent: f64 = percent.parse().ok()?;
        (percent.is_finite() && percent >= 0.0).then(|| (name.to_owned(), percent))
    });
    parsed.ok_or_else(|| format!("`{text}` is not MECHANISM:PERCENT"))
}

fn selection(arguments: &Arguments, families: &[Family]) -> Result<Selection, String> {
    let names: Vec<&str> = families
        .iter()
        .filter(|family| family.role == Role::Mechanism)
        .map(|family| family.name)
        .collect();
    for name in &arguments.mechanism {
        if !names.contains(&name.as_str()) {
            return Err(unknown("mechanism", name, &names));
        }
    }
    let scenario_names = Scenario::ALL.map(Scenario::name);
    let scenarios = arguments
        .scenario
        .iter()
        .map(|name| Scenario::named(name).ok_or_else(|| unknown("scenario", name, &scenario_names)))
        .collect::<Result<_, _>>()?;
    if arguments.peers && cfg!(not(feature = "peers")) {
        return Err("this build has no peers: build it with `--features peers`".to_owned());
    }
    Ok(Selection {
        mechanisms: arguments.mechanism.clone(),
        scenarios,
        sizes: arguments
            .size
            .iter()
            .map(|text| parse_size(text))
            .collect::<Result<_, _>>()?,
        full: arguments.full,
        peers: arguments.peers,
        time: arguments
            .time
            .map(|seconds| Duration::from_secs(seconds.into())),
    })
}

fn unknown(what: &str, name: &str, valid: &[&str]) -> String {
    format!("unknown {what} `{name}`; there are {}", valid.join(", "))
}

/// Bytes, `KiB` or `MiB`, up to the largest size of a full run.
fn parse_size(text: &str) -> Result<usize, String> {
    let largest = FULL_SIZES[FULL_SIZES.len() - 1];
    let (digits, unit) = match (text.strip_suffix("KiB"), text.strip_suffix("MiB")) {
        (Some(digits), _) => (digits, 1 << 10),
        (_, Some(digits)) => (digits, 1 << 20),
        (None, None) => (text.strip_suffix('B').unwrap_or(text), 1),
    };
    let size = digits
        .trim()
        .parse()
        .ok()
        .and_then(|count: usize| count.checked_mul(unit));
    match size {
        Some(size) if size <= largest => Ok(size),
        _ => Err(format!(
            "`{text}` is no size; valid are 0 to {largest} bytes, as in 64, 4KiB, 1MiB"
        )),
    }
}

fn list(families: &[Family]) -> String {
    let mut text = String::new();
    for (role, title) in [(Role::Mechanism, "Mechanisms"), (Role::Floor, "Floors")] {
        text += &format!("{title}\n");
        for family in families.iter().filter(|family| family.role == role) {
            text += &format!("  {:14} {}\n", family.name, family.about);
            for maker in family.makers.iter().filter(|_| role == Role::Mechanism) {
                let kind = match maker.kind {
                    MakerKind::Ours => "ours",
                    MakerKind::Raw => "plain system calls",
                    MakerKind::Peer => "peer",
                };
                let state = match (maker.probe)() {
                    Ok(()) => String::new(),
                    Err(why) => format!(" — not on this host: {why}"),
                };
                text += &format!("    {:14} {kind}{state}\n", maker.name);
            }
        }
    }
    if cfg!(not(feature = "peers")) {
        text += "  (published crates of others: in builds with the feature `peers`)\n";
    }
    text += "Scenarios\n";
    for scenario in Scenario::ALL {
        let lacks = match Cpus::pick() {
            Ok(cpus) => cpus.of(scenario.placement()).err(),
            Err(error) => Some(error.to_string()),
        };
        let lacks = lacks.map_or_else(String::new, |why| format!(" — not on this host: {why}"));
        text += &format!("  {:17} {}{lacks}\n", scenario.name(), scenario.about());
    }
    text += &format!("Sizes\n  default {DEFAULT_SIZES:?}\n  full    {FULL_SIZES:?}\n");
    text
}

fn fail(why: &str, code: u8) -> ExitCode {
    printed::complain(format_args!("ipc-bench: {why}"));
    ExitCode::from(code)
}
