//! Makes the reports of a saved run again: `report_from_json RUN.json [DIRECTORY]`.

use std::{
    env,
    error::Error,
    fs,
    io::IsTerminal as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use ipc_bench::{report, results::Run};

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let Some(json) = arguments.next() else {
        eprintln!("usage: report_from_json RUN.json [DIRECTORY]");
        return ExitCode::from(2);
    };
    let out_dir = arguments
        .next()
        .map_or_else(|| PathBuf::from("report"), PathBuf::from);
    match remake(&PathBuf::from(json), &out_dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn remake(json: &Path, out_dir: &Path) -> Result<(), Box<dyn Error>> {
    let text = fs::read_to_string(json).map_err(|e| format!("read `{}`: {e}", json.display()))?;
    let run: Run =
        serde_json::from_str(&text).map_err(|e| format!("understand `{}`: {e}", json.display()))?;
    print!(
        "{}",
        report::terminal(&run, 100, std::io::stdout().is_terminal())
    );
    for path in report::write(&run, out_dir)? {
        println!("wrote {}", path.display());
    }
    Ok(())
}
