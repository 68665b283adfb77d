//! R13: death at each labelled step, in a program started for it.

/// What a program that is started as a part of the laboratory is told, in its environment.
pub(crate) const PART: &str = "IPC_FILE_CRASH_PART";

/// Plays a part.
pub(crate) fn play(part: &str) {
    match part.split_once('\n') {
        Some(("strace", dir)) => crate::faults::append_and_say(dir),
        #[cfg(feature = "failpoints")]
        Some(("life", dir)) => enabled::live(dir.as_ref()),
        _ => std::process::exit(2),
    }
}

#[cfg(not(feature = "failpoints"))]
pub(crate) fn at_each_label(lab: &mut ipc_testkit::crash::Lab) {
    let mut tally = ipc_testkit::crash::Tally::new("R13", "killed at each label");
    tally.skip("built without the feature failpoints (cargo xtask crash has it)");
    lab.enter(tally);
}

#[cfg(feature = "failpoints")]
pub(crate) use enabled::at_each_label;

#[cfg(feature = "failpoints")]
mod enabled {
    use super::PART;
    use crate::kills::{all_there, record};
    use ipc_file::{open_document, open_log, open_spool};
    use ipc_testkit::TempDir;
    use ipc_testkit::crash::{Lab, Tally};
    use std::collections::BTreeSet;
    use std::os::unix::process::ExitStatusExt;
    use std::path::Path;
    use std::process::{Command, Stdio};

    /// The sources with labels: one that stands in them and is never passed is a failure.
    const SOURCES: [&str; 5] = [
        include_str!("../../src/claim.rs"),
        include_str!("../../src/document.rs"),
        include_str!("../../src/segment.rs"),
        include_str!("../../src/spool.rs"),
        include_str!("../../src/temporary.rs"),
    ];

    fn labels() -> BTreeSet<&'static str> {
        let labels = SOURCES.iter().flat_map(|source| {
            let after = source.split("crash_point!(\"").skip(1);
            after.filter_map(|rest| rest.split('"').next())
        });
        labels.collect()
    }

    /// All that can be done, each step told on standard output when it is durable.
    pub(crate) fn live(dir: &Path) {
        let log = open_log(dir.join("log")).expect("a log");
        // Alone first, then not.
        for step in 0..2u64 {
            log.append(&record(step)).expect("room");
            println!("log {step}");
        }
        let second = open_log(dir.join("log")).expect("the same");
        for step in 2..6u64 {
            let log = if step % 2 == 0 { &log } else { &second };
            log.append(&record(step)).expect("room");
            println!("log {step}");
        }
        let document = open_document(dir.join("d")).expect("a document");
        for step in 1..3u8 {
            document.replace(&[step; 900]).expect("room");
            println!("document {step}");
        }
        let spool = open_spool(dir.join("s")).expect("a spool");
        for step in 1..4u8 {
            spool.deliver(&[step; 900]).expect("room");
            println!("spool {step}");
        }
        for _ in 0..2 {
            let claim = spool.claim().expect("one");
            let step = claim.read().expect("whole")[0];
            claim.finish().expect("finished");
            println!("finished {step}");
        }
    }

    /// What a life that ends at a label was told; `None` where it did not die.
    fn die(dir: &Path, at: &str) -> Option<Vec<(String, u64)>> {
        let ended = Command::new(std::env::current_exe().expect("this program"))
            .env(PART, format!("life\n{}", dir.display()))
            .env("IPC_KILL_AT", at)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .expect("this program starts again");
        let died = ended.status.signal() == Some(9);
        assert!(died || ended.status.success(), "{at}: {}", ended.status);
        let told = String::from_utf8_lossy(&ended.stdout);
        let told = told.lines().filter_map(|line| {
            let (what, step) = line.split_once(' ')?;
            Some((what.to_owned(), step.parse().ok()?))
        });
        died.then(|| told.collect())
    }

    pub(crate) fn at_each_label(lab: &mut Lab) {
        let all = labels();
        let mut tally = Tally::new("R13", format!("killed at each of {} labels", all.len()));
        for label in &all {
            let mut died = false;
            for _ in 0..lab.count(3, 100, 1_000) {
                let dir = TempDir::new();
                let passing = 1 + lab.below(4);
                let told = die(dir.path(), &format!("{label}:{passing}"));
                let again = || {
                    let _ = std::fs::remove_dir_all(dir.path());
                    std::fs::create_dir(dir.path()).expect("ours");
                    die(dir.path(), &format!("{label}:1"))
                };
                let Some(told) = told.or_else(again) else {
                    break;
                };
                died = true;
                let outcome = judge(dir.path(), &told);
                tally.trial(outcome.map_err(|failure| format!("{label}: {failure}")));
            }
            if !died {
                tally.trial(Err(format!("{label}: never passed")));
            }
        }
        lab.enter(tally);
    }

    fn judge(dir: &Path, told: &[(String, u64)]) -> Result<(), String> {
        let of = |what: &str| -> Vec<u64> {
            let steps = told.iter().filter(|(told, _)| told == what);
            steps.map(|(_, step)| *step).collect()
        };
        all_there(dir, &of("log"))?;
        let document = open_document(dir.join("d")).map_err(|error| error.to_string())?;
        let content = document.read().unwrap_or_default();
        let last = of("document").last().copied().unwrap_or(0);
        let step = content.first().copied().unwrap_or(0);
        if u64::from(step) < last || content.iter().any(|byte| *byte != step) {
            return Err(format!("document {last} was told, {step} is there"));
        }
        let spool = open_spool(dir.join("s")).map_err(|error| error.to_string())?;
        let mut found = Vec::new();
        while let Ok(claim) = spool.try_claim() {
            found.push(u64::from(
                claim.read().map_err(|error| error.to_string())?[0],
            ));
            claim.finish().map_err(|error| error.to_string())?;
        }
        let finished = of("finished");
        let next = finished.len() as u64 + 1;
        // The one whose end was begun may be gone.
        let lost = |step: &&u64| !found.contains(step) && **step > next;
        match of("spool").iter().find(lost) {
            Some(step) => return Err(format!("spool {step} was told, {found:?} is there")),
            None if finished.iter().any(|step| found.contains(step)) => {
                return Err(format!("{finished:?} was finished, {found:?} is there"));
            }
            None => {}
        }
        let names = std::fs::read_dir(dir).map_err(|error| error.to_string())?;
        let names: BTreeSet<_> = names.flatten().map(|entry| entry.file_name()).collect();
        let known = |name: &std::ffi::OsString| ["log", "d", "s"].iter().any(|k| name == k);
        match names.iter().find(|name| !known(name)) {
            Some(name) => Err(format!("left behind: {}", name.to_string_lossy())),
            None => Ok(()),
        }
    }
}
