//! docs/mechanisms.md: what each mechanism can do, from the rows that the tests hold.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::Outcome;

/// The page, relative to the workspace.
const PAGE: &str = "docs/mechanisms.md";
/// The cells of a row, in the order of its columns.
const CELLS: [&str; 7] = [
    "try",
    "block",
    "timed",
    "awaited",
    "peer_death",
    "identity",
    "persistence",
];
const OPENING: &str = "ipc_testkit::mechanism! {";

/// Writes the page, or says that it is not what the tests say.
pub(super) fn run(root: &Path, write: bool) -> Outcome {
    let page = page(root)?;
    let path = root.join(PAGE);
    if write {
        return Ok(fs::write(path, page)?);
    }
    match fs::read_to_string(path) {
        Ok(found) if found == page => Ok(()),
        _ => Err(format!("{PAGE} is stale: run `cargo xtask docs --write`").into()),
    }
}

fn page(root: &Path) -> Result<String, Box<dyn std::error::Error>> {
    let mut page = String::from(
        "# What each mechanism can do\n\n\
         Written by `cargo xtask docs --write` from the tests: each row is a test of its crate, which does not\n\
         compile where a verb that it names is missing, or one that it calls impossible is there. *kernel*: one\n\
         system call does it. *ours*: the crate does it, in the way that is said. *impossible*: the form is not\n\
         in the API, and why.\n\n\
         Each verb has the forms `verb`, `try_verb`, `verb_timeout` and `verb_deadline`; *async* is `Async` of\n\
         ipc-async, and what it can await a `WaitSet` can wait for, too.\n",
    );
    let mut crates: Vec<_> = fs::read_dir(root.join("crates"))?
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .map(|entry| entry.path())
        .filter(|directory| directory.join("tests/it/table.rs").is_file())
        .collect();
    crates.sort();
    for directory in crates {
        let name = directory.file_name().unwrap_or_default().to_string_lossy();
        let text = fs::read_to_string(directory.join("tests/it/table.rs"))?;
        writeln!(page, "\n## {name}\n")?;
        page.push_str(
            "| mechanism | try | block | timed | async | peer death | identity | persistence |\n\
             |---|---|---|---|---|---|---|---|\n",
        );
        for row in rows(&text).map_err(|error| format!("{name}: {error}"))? {
            writeln!(page, "| {} |", row.join(" | "))?;
        }
    }
    Ok(page)
}

/// The rows of one file: a title and seven cells each.
fn rows(text: &str) -> Result<Vec<Vec<String>>, String> {
    let blocks = text.split(OPENING).skip(1);
    blocks.map(row).collect()
}

fn row(block: &str) -> Result<Vec<String>, String> {
    let (_, rest) = block.split_once("mod ").ok_or("a row has no name")?;
    let (title, mut rest) = literal(rest).ok_or("a row has no title")?;
    let mut row = vec![title];
    for cell in CELLS {
        let missing = || format!("{} has no cell `{cell}`", row[0]);
        let (_, found) = rest.split_once(&format!("{cell} ")).ok_or_else(missing)?;
        let (text, after) = literal(found).ok_or_else(missing)?;
        row.push(text);
        rest = after;
    }
    Ok(row)
}

/// The first string literal, and what is behind it.
fn literal(text: &str) -> Option<(String, &str)> {
    let (_, rest) = text.split_once('"')?;
    let (literal, rest) = rest.split_once('"')?;
    Some((literal.replace('|', "\\|"), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = r#"
        ipc_testkit::mechanism! {
            mod event "event" = Event {
                try "ours (a)" try_wait, block "kernel" wait, timed "impossible (b)" no wait_timeout,
                awaited "c", peer_death "d", identity "e", persistence "f",
            }
        }"#;

    #[test]
    fn a_row_is_read_cell_by_cell() {
        let found = rows(ROW).expect("a row");
        let cells = [
            "event",
            "ours (a)",
            "kernel",
            "impossible (b)",
            "c",
            "d",
            "e",
            "f",
        ];
        assert_eq!(found, [cells]);
        let error = rows(&ROW.replace("identity", "name")).expect_err("no such cell");
        assert!(error.contains("`identity`"), "{error}");
    }

    #[test]
    fn a_stale_page_is_refused() {
        let root = std::env::temp_dir().join(format!("xtask-mechanisms-{}", std::process::id()));
        let tests = root.join("crates/ipc-x/tests/it");
        fs::create_dir_all(&tests).expect("ours");
        fs::create_dir_all(root.join("docs")).expect("ours");
        fs::write(tests.join("table.rs"), ROW).expect("ours");
        assert!(run(&root, false).is_err(), "no page yet");
        run(&root, true).expect("written");
        run(&root, false).expect("it is what was written");
        fs::write(tests.join("table.rs"), ROW.replace("(a)", "(z)")).expect("ours");
        assert!(run(&root, false).is_err(), "a cell has changed");
        fs::remove_dir_all(root).expect("ours");
    }
}
