//! Makes the reports of a saved run again: `report_from_json RUN.json [DIRECTORY]`; with `--readme`
//! before the file it prints the small table for a README instead, and with `--documents ROOT` it
//! puts the picture and the tables into the documents of the tree at ROOT.

use std::{env, error::Error, fs, io::IsTerminal as _, path::Path, process::ExitCode};

use ipc_bench::{printed, printed::say, report, results::Run};

const USAGE: &str = "usage: report_from_json RUN.json [DIRECTORY] | --readme RUN.json | \
    --documents ROOT RUN.json";

fn main() -> ExitCode {
    let mut arguments: Vec<_> = env::args_os().skip(1).collect();
    let readme = arguments.first().is_some_and(|first| first == "--readme");
    if readme {
        arguments.remove(0);
    }
    let documents = arguments
        .first()
        .is_some_and(|first| first == "--documents");
    let result = match arguments.as_slice() {
        [_, root, json] if documents => documented(Path::new(json), Path::new(root)),
        [json] if readme => {
            read(Path::new(json)).map(|run| say(format_args!("{}", report::readme_table(&run))))
        }
        [json] => remake(Path::new(json), Path::new("report")),
        [json, out_dir] if !readme => remake(Path::new(json), Path::new(out_dir)),
        [] => {
            say(format_args!("{USAGE}\n"));
            Ok(())
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let printed = || printed::failure().map_or(Ok(()), |error| Err(error.into()));
    match result.and_then(|()| printed()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn remake(json: &Path, out_dir: &Path) -> Result<(), Box<dyn Error>> {
    let run = read(json)?;
    let colours = std::io::stdout().is_terminal();
    say(format_args!("{}", report::terminal(&run, 100, colours)));
    for path in report::write(&run, out_dir)? {
        say(format_args!("wrote {}\n", path.display()));
    }
    Ok(())
}

fn documented(json: &Path, root: &Path) -> Result<(), Box<dyn Error>> {
    for path in report::refresh(&read(json)?, root)? {
        say(format_args!("wrote {}\n", path.display()));
    }
    Ok(())
}

fn read(json: &Path) -> Result<Run, Box<dyn Error>> {
    let text = fs::read_to_string(json).map_err(|e| format!("read `{}`: {e}", json.display()))?;
    let run = serde_json::from_str(&text);
    Ok(run.map_err(|e| format!("understand `{}`: {e}", json.display()))?)
}
