//! Lock files of contracts: what the clients out there were built from, and what a change does to
//! them.

use rpc_core::{Comparison, Contract, ServiceDescriptor};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

/// The program that tells of the contracts of a crate: it compares `services` with the lock files
/// in a directory, or writes them; without arguments it prints them. `cargo xtask contract` runs
/// it.
///
/// ```text
/// shop_contracts
/// shop_contracts --check contracts
/// shop_contracts --write contracts [--allow-incompatible]
/// ```
#[must_use]
pub fn main(services: &[&ServiceDescriptor]) -> ExitCode {
    let mut said = String::new();
    let code = answer(services, &mut said);
    let mut stdout = io::stdout();
    let printed = stdout
        .write_all(said.as_bytes())
        .and_then(|()| stdout.flush());
    match printed {
        // A reader who has read enough is no reason to fail.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let _ = writeln!(io::stderr(), "error: standard output: {error}");
            ExitCode::from(2)
        }
        _ => code,
    }
}

/// Does what the arguments ask; `said` gets what is to be printed.
fn answer(services: &[&ServiceDescriptor], said: &mut String) -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let Some(mode) = arguments.next() else {
        for service in services {
            *said += &format!("{}\n", service.contract().text());
        }
        return ExitCode::SUCCESS;
    };
    let complain = |error: &str| {
        let _ = writeln!(io::stderr(), "error: {error}");
        ExitCode::from(2)
    };
    let Some(directory) = arguments.next().map(PathBuf::from) else {
        return complain("it is `--check DIRECTORY` or `--write DIRECTORY`");
    };
    let breaks = arguments.next() == Some(OsString::from("--allow-incompatible"));
    let outcome = match mode.to_str() {
        Some("--check") => check(&directory, services, said),
        Some("--write") => write(&directory, services, breaks, said),
        _ => Err(io::Error::other(format!(
            "no such mode: {}",
            mode.display()
        ))),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => complain(&format!("{}: {error}", directory.display())),
    }
}

/// What became of each service since the lock files in a directory were written, by the names of
/// the services: what the program prints of it.
///
/// # Errors
/// Where the directory cannot be read, or a file in it is no contract.
pub fn told(directory: &Path, services: &[&ServiceDescriptor]) -> io::Result<Vec<String>> {
    let all = since(directory, services)?;
    Ok(all.values().map(Since::text).collect())
}

/// What became of a service since its lock file was written.
enum Since {
    /// It has no lock file.
    New,
    /// It is there no more.
    Gone,
    /// What its callers see.
    Changed(Comparison),
}

impl Since {
    const fn breaks(&self) -> bool {
        matches!(
            self,
            Self::Gone | Self::Changed(Comparison::Incompatible(_))
        )
    }

    const fn is_recorded(&self) -> bool {
        matches!(self, Self::Changed(Comparison::Identical))
    }

    fn text(&self) -> String {
        match self {
            Self::New => "new: it has no lock file".to_owned(),
            Self::Gone => "incompatible, because the service is gone".to_owned(),
            Self::Changed(comparison) => comparison.to_string(),
        }
    }
}

/// Prints what became of each; true where all is as the lock files have it.
fn check(directory: &Path, services: &[&ServiceDescriptor], said: &mut String) -> io::Result<bool> {
    let all = since(directory, services)?;
    *said += &lines(&all);
    let unrecorded = |since: &Since| !since.breaks() && !since.is_recorded();
    if all.values().any(unrecorded) {
        *said += "`cargo xtask contract` records what is new or compatible\n";
    }
    Ok(all.values().all(Since::is_recorded))
}

/// Writes the lock files; where callers would break only if `allowed`.
fn write(
    directory: &Path,
    services: &[&ServiceDescriptor],
    allowed: bool,
    said: &mut String,
) -> io::Result<bool> {
    let all = since(directory, services)?;
    *said += &lines(&all);
    if all.values().any(Since::breaks) && !allowed {
        *said +=
            "nothing is written: old clients would break; `--allow-incompatible` if they may\n";
        return Ok(false);
    }
    fs::create_dir_all(directory)?;
    for (name, since) in &all {
        match since {
            Since::Gone => fs::remove_file(file(directory, name))?,
            Since::Changed(Comparison::Identical) => {}
            _ => {
                let service = services.iter().find(|service| service.name() == name);
                let text = service.map(|service| service.contract().text());
                fs::write(file(directory, name), text.unwrap_or_default())?;
            }
        }
    }
    Ok(true)
}

fn since(directory: &Path, services: &[&ServiceDescriptor]) -> io::Result<BTreeMap<String, Since>> {
    let mut all = BTreeMap::new();
    for service in services {
        let since = match fs::read_to_string(file(directory, service.name())) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Since::New,
            text => {
                let broken = || io::Error::other(format!("no contract: {}.txt", service.name()));
                let old = Contract::parse(&text?).ok_or_else(broken)?;
                // Clients are built from the lock file, the server from today's source.
                Since::Changed(old.compare(service.contract()))
            }
        };
        all.insert(service.name().to_owned(), since);
    }
    let files = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(all),
        files => files?,
    };
    for found in files {
        let path = found?.path();
        if let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) {
            all.entry(name.to_owned()).or_insert(Since::Gone);
        }
    }
    Ok(all)
}

fn file(directory: &Path, service: &str) -> PathBuf {
    directory.join(format!("{service}.txt"))
}

fn lines(all: &BTreeMap<String, Since>) -> String {
    let all = all.iter();
    all.map(|(name, since)| format!("{name}: {}\n", since.text()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calculator::CALCULATOR_SERVICE;
    use crate::inventory::STOCK_SERVICE;

    #[test]
    fn each_change_is_told_and_what_breaks_is_not_recorded_unasked() {
        let directory = env::temp_dir().join(format!("a lock of contracts {}", std::process::id()));
        let said = &mut String::new();
        let (stock, both) = (
            [&STOCK_SERVICE] as [&ServiceDescriptor; 1],
            [&STOCK_SERVICE, &CALCULATOR_SERVICE] as [&ServiceDescriptor; 2],
        );
        assert!(
            !check(&directory, &stock, said).expect("readable"),
            "not recorded"
        );
        assert!(write(&directory, &stock, false, said).expect("new"));
        assert!(check(&directory, &stock, said).expect("recorded"));
        assert!(!check(&directory, &both, said).expect("one is new"));
        assert!(write(&directory, &both, false, said).expect("compatible"));

        let path = file(&directory, STOCK_SERVICE.name());
        let text = fs::read_to_string(&path).expect("it was written");
        for (old, new, expected) in [
            (
                "method Note",
                "method Gone",
                "incompatible, because method Gone: the server has none",
            ),
            (
                "Item 2 = singular uint32 count",
                "Item 2 = singular bool count",
                "incompatible, because field inventory.v1.Item 2: the client has \
                 `singular bool count`, the server `singular uint32 count`",
            ),
            (
                "field inventory.v1.StockNoteRequest 1 = singular string text\n",
                "",
                "compatible: only the server has field inventory.v1.StockNoteRequest 1",
            ),
        ] {
            fs::write(&path, text.replace(old, new)).expect("our own");
            let told = told(&directory, &stock).expect("readable");
            assert!(told.iter().any(|told| told == expected), "{told:?}");
            let breaks = expected.starts_with("incompatible");
            let written = write(&directory, &both, false, said).expect("writable");
            assert_eq!(written, !breaks, "{expected}");
            assert_eq!(check(&directory, &both, said).expect("readable"), !breaks);
        }
        let gone = told(&directory, &stock).expect("readable");
        assert!(gone.contains(&Since::Gone.text()));
        assert!(!write(&directory, &stock, false, said).expect("it would break"));
        assert!(write(&directory, &stock, true, said).expect("it may"));
        assert!(check(&directory, &stock, said).expect("one is left"));

        fs::write(&path, "no contract").expect("our own");
        let error = check(&directory, &stock, said).expect_err("damaged");
        assert!(
            error.to_string().contains("inventory.v1.Stock.txt"),
            "{error}"
        );
        fs::remove_dir_all(&directory).expect("our own");
    }
}
