//! What the parts that both checkers share ask of a machine: this one has no steps of its own.

/// A system call orders nothing by itself.
pub(crate) fn fence() {}

pub(crate) fn settle() {}

pub(crate) fn is_dead() -> bool {
    false
}

/// No wait is over before its end.
pub(crate) fn below(_: u32) -> u32 {
    1
}
