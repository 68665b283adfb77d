//! One cell of the table: a case, who met whom, and how it ended.

use super::stacks::Stack;
use super::{Role, Security};

/// One cell of the table.
pub(crate) struct Cell {
    pub(crate) case: String,
    pub(crate) stack: Stack,
    pub(crate) role: Role,
    pub(crate) security: Security,
    pub(crate) outcome: Outcome,
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    /// What this stack can show of it passed; the rest, in words.
    Part(String),
    /// This stack cannot show it, because.
    Cannot(String),
    /// The stack is not here, because.
    Skipped(String),
    Failed(String),
}

impl Outcome {
    /// Reads what a client says of a case behind its name.
    pub(crate) fn read(word: &str, note: &str) -> Self {
        let note = note.to_owned();
        match word {
            "ok" => Self::Passed,
            "part" => Self::Part(note),
            "n/a" => Self::Cannot(note),
            "failed" => Self::Failed(note),
            other => Self::Failed(format!("the client said {other:?} {note:?}")),
        }
    }

    /// As it stands in the table.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Passed => "ok",
            Self::Part(_) => "part",
            Self::Cannot(_) => "n/a",
            Self::Skipped(_) => "skipped",
            Self::Failed(_) => "FAILED",
        }
    }

    /// What stands below the table.
    pub(crate) fn note(&self) -> Option<&str> {
        match self {
            Self::Passed => None,
            Self::Part(note) | Self::Cannot(note) | Self::Skipped(note) | Self::Failed(note) => {
                Some(note)
            }
        }
    }

    pub(crate) const fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

/// The same for every case.
pub(crate) fn all(cases: &[String], outcome: &Outcome) -> Vec<(String, Outcome)> {
    let cases = cases.iter().cloned();
    cases.map(|case| (case, outcome.clone())).collect()
}
