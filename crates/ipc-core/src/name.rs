//! Names that the toolkit places in its runtime directory: a strict grammar, checked once.

use crate::{Error, ErrorKind, Result};
use std::fmt;

/// A name in the runtime directory: 1 to 100 of `A–Z a–z 0–9 . _ -`, not beginning with a dot
/// or a dash. One leading `/`, as POSIX names have, is stripped.
///
/// ```
/// use ipc_core::Name;
/// assert_eq!(Name::new("/jobs")?.as_str(), "jobs");
/// assert!(Name::new("../etc/passwd").is_err());
/// # Ok::<(), ipc_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Box<str>);

impl Name {
    /// Longest name, in bytes.
    pub const MAX_BYTES: usize = 100;

    /// Checks `name`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] says which rule it breaks.
    pub fn new(name: &str) -> Result<Self> {
        let bare = name.strip_prefix('/').unwrap_or(name);
        let refuse = |why: &'static str| {
            Err(Error::new("name", ErrorKind::InvalidInput)
                .on(clip(name))
                .hint(why))
        };
        if bare.is_empty() {
            return refuse("a name needs at least one character");
        }
        if bare.len() > Self::MAX_BYTES {
            return refuse("a name has at most 100 bytes");
        }
        if bare.starts_with(['.', '-']) {
            return refuse("a name does not begin with a dot or a dash");
        }
        if !bare
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        {
            return refuse("a name has only A-Z, a-z, 0-9, dot, underscore and dash");
        }
        Ok(Self(bare.into()))
    }

    /// The name without its leading slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The beginning of a refused name: enough to recognise it, never the whole of a huge one.
fn clip(name: &str) -> &str {
    let end = (0..=name.len().min(120))
        .rev()
        .find(|&at| name.is_char_boundary(at));
    name.get(..end.unwrap_or(0)).unwrap_or("")
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Name {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self> {
        Self::new(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_accepted_and_one_more_refused() {
        assert!(Name::new(&"a".repeat(Name::MAX_BYTES)).is_ok());
        assert!(Name::new(&"a".repeat(Name::MAX_BYTES + 1)).is_err());
    }

    #[test]
    fn every_ascii_byte_outside_the_grammar_is_refused_anywhere() {
        for byte in 0..=127u8 {
            let allowed = byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            let c = char::from(byte);
            assert_eq!(
                Name::new(&format!("a{c}b")).is_ok(),
                allowed,
                "{c:?} inside"
            );
            let first = allowed && !b".-".contains(&byte);
            // A leading slash is stripped, so `/b` is the name `b`.
            assert_eq!(
                Name::new(&format!("{c}b")).is_ok(),
                first || c == '/',
                "{c:?} first"
            );
        }
    }

    #[test]
    fn nasty_names_are_refused_with_a_clipped_message() {
        let long = "é".repeat(100_000);
        for nasty in [
            "", "/", "//a", "..", ".", "-rf", "a/b", "a\0b", "a\nb", "ä", "a b", &long,
        ] {
            let error = Name::new(nasty).expect_err(nasty);
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().len() < 400, "{error}");
        }
    }
}
