//! Turns at an end that one thread alone uses: no fence of theirs hides that another is missing.
//! The turns that many take are `revoked`.

pub(crate) use crate::cell::Cell;
use ipc_core::{Result, Until};

#[derive(Debug)]
pub(crate) struct Turns;

#[derive(Debug)]
pub(crate) struct Holding<'a>(#[allow(dead_code, reason = "as the other")] &'a Turns);

/// There is but one way in.
pub(crate) type Inside<'a> = Holding<'a>;

pub(crate) type Lending<'a> = Holding<'a>;

impl Turns {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn turn(&self, _: &'static str, _: Until) -> Result<Holding<'_>> {
        Ok(Holding(self))
    }

    pub(crate) fn enter(&self) -> Option<Inside<'_>> {
        Some(Holding(self))
    }

    pub(crate) fn lend<'a>(&'a self, turn: Holding<'a>) -> Lending<'a> {
        turn
    }
}
