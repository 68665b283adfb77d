//! What a mechanism can do, as a row of a table that does not compile where it is wrong.

pub use ipc_core::Pollable;
use std::marker::PhantomData;

/// Declares the row of `subject` in docs/mechanisms.md, as a test in a module `name`.
///
/// A cell begins with `kernel`, `ours (how)` or `impossible (why)`; after those of the verbs
/// stands the verb itself, which must be there, or `no` and a verb that must not: an impossible
/// form is not in the API. What is awaited must be [`Pollable`], and what is not must not be.
/// `cargo xtask docs` reads these rows and compares the page with them, `--write` writes it.
///
/// ```text
/// ipc_testkit::mechanism! {
///     mod receiver "pipe, receiver" = ipc_pipe::Receiver {
///         try "ours (RWF_NOWAIT)" try_recv,
///         block "kernel" recv,
///         timed "ours (ppoll)" recv_timeout,
///         awaited "ours (epoll)",
///         peer_death "kernel",
///         identity "impossible (it has no credentials)",
///         persistence "impossible (it ends with its last descriptor)",
///     }
/// }
/// ```
#[macro_export]
macro_rules! mechanism {
    (
        mod $name:ident $title:literal = $subject:ty {
            try $try:literal $($try_verb:ident)+,
            block $block:literal $($block_verb:ident)+,
            timed $timed:literal $($timed_verb:ident)+,
            awaited $awaited:literal,
            peer_death $peer_death:literal,
            identity $identity:literal,
            persistence $persistence:literal $(,)?
        }
    ) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            use $crate::conformance as suite;
            // Where all is awaited nobody asks the trait.
            #[allow(unused_imports)]
            use $crate::conformance::NotAwaited as _;

            type Subject = $subject;

            #[test]
            fn the_table_says_what_is_there() {
                assert!(!$title.is_empty());
                for cell in [$peer_death, $identity, $persistence] {
                    suite::cell(cell);
                }
                assert_eq!(
                    suite::cell($awaited),
                    suite::Awaited::<Subject>::IS_AWAITED,
                    "an Async of it: {}", $awaited
                );
                $crate::mechanism!(@verb Subject, $try, $($try_verb)+);
                $crate::mechanism!(@verb Subject, $block, $($block_verb)+);
                $crate::mechanism!(@verb Subject, $timed, $($timed_verb)+);
            }
        }
    };
    (@verb $subject:ident, $cell:literal, no $verb:ident) => {{
        // An inherent verb would be found before the trait's, and is no such function.
        #[allow(dead_code)]
        trait Absent {
            fn $verb(_: suite::Nothing) {}
        }
        impl Absent for $subject {}
        let _: fn(suite::Nothing) = <$subject>::$verb;
        assert!(!suite::cell($cell), "{}", $cell);
    }};
    (@verb $subject:ident, $cell:literal, $verb:ident) => {{
        let _ = <$subject>::$verb;
        assert!(suite::cell($cell), "{}", $cell);
    }};
}

/// An argument that no verb takes.
#[derive(Debug)]
pub struct Nothing;

/// Asks whether a type is [`Pollable`].
#[derive(Debug)]
pub struct Awaited<T>(PhantomData<T>);

impl<T: Pollable> Awaited<T> {
    /// It is: this constant is found before the trait's.
    pub const IS_AWAITED: bool = true;
}

/// What [`Awaited`] says of all other types.
pub trait NotAwaited {
    /// It is not.
    const IS_AWAITED: bool = false;
}

impl<T> NotAwaited for Awaited<T> {}

/// Whether a cell says that something is possible.
///
/// # Panics
/// Where it says neither who does it nor why it cannot be.
#[track_caller]
pub fn cell(text: &str) -> bool {
    let explained = |word| {
        let rest: Option<&str> = text.strip_prefix(word);
        rest.is_some_and(|rest| rest.starts_with(" (") && rest.ends_with(')') && rest.len() > 4)
    };
    if text == "kernel" || explained("kernel") || explained("ours") {
        return true;
    }
    assert!(
        explained("impossible"),
        "neither who does it nor why not: {text}"
    );
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_says_who_or_why_not() {
        assert!(cell("kernel") && cell("kernel (epoll)") && cell("ours (ppoll)"));
        assert!(!cell("impossible (no descriptor)"));
        for wrong in ["ours", "impossible", "impossible ()", "maybe (so)", ""] {
            assert!(std::panic::catch_unwind(|| cell(wrong)).is_err(), "{wrong}");
        }
    }

    struct Still;

    impl Still {
        #[allow(dead_code)]
        fn try_look(&self) {}
    }

    crate::mechanism! {
        mod still "nothing" = Still {
            try "ours (memory)" try_look,
            block "impossible (nothing happens)" no look,
            timed "impossible (nothing happens)" no look_timeout,
            awaited "impossible (no descriptor)",
            peer_death "impossible (no peer)",
            identity "impossible (no peer)",
            persistence "impossible (memory)",
        }
    }
}
