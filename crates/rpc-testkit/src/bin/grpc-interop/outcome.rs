//! How a case ended, and the few words by which cases say what they found.

use std::fmt::{Debug, Display};

/// How a case ended that found nothing wrong.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// All of it was seen.
    Whole,
    /// What this stack can show of it was seen; the rest, in words.
    Part(&'static str),
    /// This stack cannot show it, because.
    Cannot(&'static str),
}

/// How a case ended.
pub(crate) type Verdict = Result<Outcome, String>;

/// As the command that started this program reads it.
pub(crate) fn line(verdict: Verdict) -> String {
    match verdict {
        Ok(Outcome::Whole) => "ok".to_owned(),
        Ok(Outcome::Part(what)) => format!("part\t{what}"),
        Ok(Outcome::Cannot(why)) => format!("n/a\t{why}"),
        Err(what) => format!("failed\t{}", what.replace(['\n', '\t'], " ")),
    }
}

/// Whether a thing is as it should be.
pub(crate) fn same<T: PartialEq<U> + Debug, U: Debug>(
    what: &str,
    is: T,
    wanted: U,
) -> Result<(), String> {
    match is == wanted {
        true => Ok(()),
        false => Err(format!("{what}: {is:?} instead of {wanted:?}")),
    }
}

/// A failure of a step, in words.
pub(crate) fn failed<E: Display>(step: &'static str) -> impl Fn(E) -> String {
    move |error| format!("{step}: {error}")
}
