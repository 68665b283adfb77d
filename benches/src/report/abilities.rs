//! Looks up what the mechanisms of a run are able to do.

use crate::{
    abilities::{Abilities, Section},
    results::Run,
};

/// What `mechanism` is able to do; `None` where it has not said so.
pub(crate) fn known(run: &Run, mechanism: &str) -> Option<Abilities> {
    let said = run.abilities.get(mechanism).copied();
    said.filter(|abilities| abilities.section != Section::Other)
}

/// As [`known`], and what can be assumed of a stranger.
pub(crate) fn of(run: &Run, mechanism: &str) -> Abilities {
    let said = run.abilities.get(mechanism).copied();
    said.unwrap_or(Abilities::NONE)
}
