//! Permission bits of what the toolkit creates.

use crate::{Error, ErrorKind, Result};
use std::fmt;

/// Permission bits, `0o000` to `0o777`; the default is `0o600`, the owner alone.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mode(u32);

impl Mode {
    /// The owner alone may read and write.
    pub const PRIVATE: Self = Self(0o600);

    /// Checks that `bits` are permission bits alone.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for any bit above `0o777`: set-id and sticky bits mean nothing
    /// here.
    pub fn new(bits: u32) -> Result<Self> {
        if bits > 0o777 {
            return Err(Error::new("mode", ErrorKind::InvalidInput)
                .on(format_args!("{bits:#o}"))
                .hint("a mode has permission bits only, at most 0o777"));
        }
        Ok(Self(bits))
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The first right to write that `actual` gives to group or others and this mode does not.
    #[must_use]
    pub const fn lets_strangers_write(self, actual: u32) -> bool {
        actual & 0o022 & !self.0 != 0
    }
}

impl Default for Mode {
    fn default() -> Self {
        Self::PRIVATE
    }
}

impl fmt::Debug for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#05o}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_permission_bits_pass() {
        assert_eq!(Mode::new(0o777).unwrap().bits(), 0o777);
        assert!(Mode::new(0o1000).is_err());
        assert_eq!(format!("{:?}", Mode::default()), "0o600");
    }

    #[test]
    fn a_stranger_who_may_write_is_seen() {
        assert!(Mode::PRIVATE.lets_strangers_write(0o602));
        assert!(!Mode::PRIVATE.lets_strangers_write(0o644));
        assert!(!Mode::new(0o622).unwrap().lets_strangers_write(0o622));
    }
}
