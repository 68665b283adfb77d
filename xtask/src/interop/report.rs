//! The table, for people and for programs.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::cell::{Cell, Outcome};
use super::{Role, Security};
use crate::Outcome as Done;
use crate::printed::say;

/// What stands above the table.
const HEAD: &str = "No package of a stack holds its project's own interoperation programs: \
    every program here is `own`, written with that stack's library and with what its generator \
    makes of the contract's emitted `.proto`.";
const KEY: &str = "A cell is plain / TLS / mTLS, or one word where they agree.";

/// A table of words, and notes to which its words point.
struct Table {
    heads: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
    notes: Vec<String>,
}

/// Says how one pair of programs did.
pub(crate) fn progress(cells: &[Cell], took: Duration) {
    if let Some(first) = cells.first() {
        let (head, security) = (head(first), first.security.title());
        let seconds = took.as_secs_f64();
        say!("{head:<19} {security:<5} {seconds:>6.1} s  {}", sums(cells));
    }
}

/// Prints the table.
pub(crate) fn print(cells: &[Cell]) {
    let table = Table::of(cells);
    let width = |column: usize| {
        let words = table.rows.iter().map(|(_, words)| words[column].len());
        words.chain([table.heads[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..table.heads.len()).map(width).collect();
    let cases = table.rows.iter().map(|(case, _)| case.len()).max();
    let line = |first: &str, words: &[String]| {
        let mut text = format!("{first:<0$}", cases.unwrap_or(0));
        for (word, width) in words.iter().zip(&widths) {
            let _ = write!(text, "  {word:<width$}");
        }
        say!("{}", text.trim_end());
    };
    say!("\n{HEAD}\n{KEY}\n");
    line("", &table.heads);
    for (case, words) in &table.rows {
        line(case, words);
    }
    say!();
    for (index, note) in table.notes.iter().enumerate() {
        say!("[{}] {note}", index + 1);
    }
    say!("{}", sums(cells));
}

/// Writes `grpc.md` and `grpc.json` into the folder.
pub(crate) fn write(cells: &[Cell], rounds: u32, folder: &Path) -> Done {
    let table = Table::of(cells);
    let mut text = format!("# gRPC interoperation\n\n{HEAD}\n{KEY}\n\n");
    for stack in stacks(cells) {
        let _ = writeln!(text, "- {stack}");
    }
    let _ = writeln!(text, "- {rounds} rounds of the cases that soak");
    let _ = writeln!(text, "\n| case | {} |", table.heads.join(" | "));
    let _ = writeln!(text, "|---|{}", "---|".repeat(table.heads.len()));
    for (case, words) in &table.rows {
        let _ = writeln!(text, "| {case} | {} |", words.join(" | "));
    }
    text.push('\n');
    for (index, note) in table.notes.iter().enumerate() {
        let _ = writeln!(text, "{}. {note}", index + 1);
    }
    let _ = writeln!(text, "\n{}", sums(cells));
    let (markdown, data) = (folder.join("grpc.md"), folder.join("grpc.json"));
    fs::write(&markdown, text)?;
    let cells: Vec<Value> = cells.iter().map(value).collect();
    fs::write(&data, serde_json::to_string_pretty(&cells)?)?;
    say!("written: {} and {}", markdown.display(), data.display());
    Ok(())
}

fn value(cell: &Cell) -> Value {
    json!({
        "case": cell.case,
        "stack": cell.stack.title(),
        "version": cell.stack.version(),
        "role": match cell.role { Role::Client => "client", Role::Server => "server" },
        "security": cell.security.title(),
        "program": "own",
        "outcome": cell.outcome.word(),
        "note": cell.outcome.note(),
    })
}

fn sums(cells: &[Cell]) -> String {
    let count = |word: &str| {
        let same = cells.iter().filter(|cell| cell.outcome.word() == word);
        format!("{} {word}", same.count())
    };
    let words = ["ok", "part", "n/a", "skipped", "FAILED"].map(count);
    format!("{} cells: {}", cells.len(), words.join(", "))
}

fn stacks(cells: &[Cell]) -> Vec<String> {
    let mut versions: Vec<String> = cells.iter().map(|cell| cell.stack.version()).collect();
    versions.dedup();
    versions
}

impl Security {
    const fn title(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls => "TLS",
            Self::Mtls => "mTLS",
        }
    }
}

impl Table {
    fn of(cells: &[Cell]) -> Self {
        let mut table = Self {
            heads: Vec::new(),
            rows: Vec::new(),
            notes: Vec::new(),
        };
        for cell in cells {
            let head = head(cell);
            if !table.heads.contains(&head) {
                table.heads.push(head);
            }
            if !table.rows.iter().any(|(case, _)| *case == cell.case) {
                table.rows.push((cell.case.clone(), Vec::new()));
            }
        }
        for row in 0..table.rows.len() {
            for column in 0..table.heads.len() {
                let (case, head_of) = (&table.rows[row].0, &table.heads[column]);
                let here = cells.iter();
                let here: Vec<&Cell> = here
                    .filter(|cell| cell.case == *case && head(cell) == *head_of)
                    .collect();
                let words = table.words(&here);
                table.rows[row].1.push(words);
            }
        }
        table
    }

    /// One word where all securities agree, else one for each.
    fn words(&mut self, cells: &[&Cell]) -> String {
        let mut words: Vec<String> = Vec::new();
        for cell in cells {
            words.push(self.word(&cell.outcome, cell));
        }
        match words.iter().all(|word| *word == words[0]) {
            true => words.first().cloned().unwrap_or_default(),
            false => words.join("/"),
        }
    }

    /// The word, with the number of its note.
    fn word(&mut self, outcome: &Outcome, cell: &Cell) -> String {
        let Some(note) = outcome.note() else {
            return outcome.word().to_owned();
        };
        let note = match outcome.is_failure() {
            // What failed, is found by its place.
            true => {
                let (case, security) = (&cell.case, cell.security.title());
                format!("{} {case} {security}: {note}", head(cell))
            }
            false => note.to_owned(),
        };
        let known = self.notes.iter().position(|known| *known == note);
        let index = known.unwrap_or_else(|| {
            self.notes.push(note);
            self.notes.len() - 1
        });
        format!("{} [{}]", outcome.word(), index + 1)
    }
}

/// Who met whom.
fn head(cell: &Cell) -> String {
    let (theirs, ours) = (cell.stack.title(), "rpc-grpc");
    match cell.role {
        Role::Client => format!("{theirs} > {ours}"),
        Role::Server => format!("{ours} > {theirs}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::stacks::Stack;
    use super::*;

    fn cells(outcomes: [Outcome; 3]) -> Vec<Cell> {
        let securities = [Security::Plain, Security::Tls, Security::Mtls];
        let cells = securities.into_iter().zip(outcomes);
        let cell = |(security, outcome)| Cell {
            case: "empty_unary".to_owned(),
            stack: Stack::Tonic,
            role: Role::Server,
            security,
            outcome,
        };
        cells.map(cell).collect()
    }

    #[test]
    fn a_word_stands_for_three_only_where_they_agree() {
        let part = || Outcome::Part("seen in part".to_owned());
        let same = Table::of(&cells([part(), part(), part()]));
        assert_eq!(same.rows[0].1, ["part [1]"]);
        assert_eq!(same.notes, ["seen in part"]);
        let failed = Outcome::read("failed", "late");
        let table = Table::of(&cells([Outcome::Passed, failed, part()]));
        assert_eq!(table.heads, ["rpc-grpc > tonic"]);
        assert_eq!(table.rows[0].1, ["ok/FAILED [1]/part [2]"]);
        assert_eq!(table.notes[0], "rpc-grpc > tonic empty_unary TLS: late");
    }

    #[test]
    fn a_word_that_nobody_knows_is_a_failure() {
        assert!(Outcome::read("fine", "").is_failure());
        assert!(!Outcome::read("n/a", "no such thing").is_failure());
        let all = sums(&cells([
            Outcome::Passed,
            Outcome::Passed,
            Outcome::read("", ""),
        ]));
        assert_eq!(all, "3 cells: 2 ok, 0 part, 0 n/a, 0 skipped, 1 FAILED");
    }
}
