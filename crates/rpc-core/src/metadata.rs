//! What travels beside a message: short named values, bounded.

use crate::{Code, Status};
use std::sync::{Arc, OnceLock};

/// Named values beside a message. Empty ones cost nothing; clones share.
///
/// ```
/// let mut metadata = rpc_core::Metadata::new();
/// metadata.insert("tenant", b"blue")?;
/// assert_eq!(metadata.text("tenant"), Some("blue"));
/// # Ok::<(), rpc_core::Status>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    entries: Option<Arc<Vec<Entry>>>,
    bytes: usize,
    later: Option<Arc<OnceLock<Metadata>>>,
}

/// What a binding tells of entries that come after the last item of a stream: by
/// [`Metadata::later`].
#[derive(Debug)]
pub struct Later(Arc<OnceLock<Metadata>>);

impl Later {
    /// They have come.
    pub fn set(self, metadata: Metadata) {
        // Nobody else has set it: this is the only one, and is gone now.
        let _ = self.0.set(metadata);
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    name: Box<str>,
    value: Box<[u8]>,
    trailing: bool,
}

impl Metadata {
    /// How many bytes all names and values have together, at most.
    pub const MAX_BYTES: usize = 16 * 1024;
    /// How many entries there are at most.
    pub const MAX_ENTRIES: usize = 100;
    /// How many bytes a name has at most.
    pub const MAX_NAME_BYTES: usize = 255;

    /// No entries.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            entries: None,
            bytes: 0,
            later: None,
        }
    }

    /// Adds an entry; one name may have several.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] for a name that is not lower-case letters, digits, `-`, `_`, `.`;
    /// [`Code::ResourceExhausted`] beyond the limits.
    pub fn insert(&mut self, name: &str, value: &[u8]) -> Result<(), Status> {
        self.add(name, value, false)
    }

    /// Adds an entry that belongs after an answer, on wires that have such a place; elsewhere it
    /// is one like any other.
    ///
    /// # Errors
    /// As [`insert`](Metadata::insert).
    pub fn insert_trailing(&mut self, name: &str, value: &[u8]) -> Result<(), Status> {
        self.add(name, value, true)
    }

    /// Announces entries that will come after the last item of a stream: for a binding whose wire
    /// has such a place.
    pub fn later(&mut self) -> Later {
        Later(Arc::clone(self.later.insert(Arc::default())))
    }

    /// The entries that came after the last item of a stream: none before, and on wires that have
    /// no such place. Where the stream was there before the answer began, also those from before
    /// its first item ([`of_place`](Metadata::of_place) tells them apart).
    #[must_use]
    pub fn after(&self) -> Option<&Self> {
        self.later.as_ref()?.get()
    }

    fn add(&mut self, name: &str, value: &[u8], trailing: bool) -> Result<(), Status> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
        if name.is_empty() || name.len() > Self::MAX_NAME_BYTES || !name.bytes().all(plain) {
            return Err(Status::new(
                Code::InvalidArgument,
                "a metadata name is 1 to 255 of: a-z 0-9 - _ .",
            ));
        }
        let bytes = self.bytes + name.len() + value.len();
        if bytes > Self::MAX_BYTES || self.len() >= Self::MAX_ENTRIES {
            return Err(Status::new(
                Code::ResourceExhausted,
                "metadata is limited to 16 KiB in 100 entries",
            ));
        }
        self.bytes = bytes;
        let entries = Arc::make_mut(self.entries.get_or_insert_default());
        entries.push(Entry {
            name: name.into(),
            value: value.into(),
            trailing,
        });
        Ok(())
    }

    /// The first value of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find_map(|(entry, value)| (entry == name).then_some(value))
    }

    /// The first value of this name, where it is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.get(name)?).ok()
    }

    /// All entries, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.entries()
            .iter()
            .map(|entry| (&*entry.name, &*entry.value))
    }

    /// The entries that belong before an answer (false), or after it.
    pub fn of_place(&self, trailing: bool) -> impl Iterator<Item = (&str, &[u8])> {
        let entries = self.entries().iter();
        let here = entries.filter(move |entry| entry.trailing == trailing);
        here.map(|entry| (&*entry.name, &*entry.value))
    }

    fn entries(&self) -> &[Entry] {
        self.entries.as_deref().map_or(&[][..], Vec::as_slice)
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.as_ref().map_or(0, |entries| entries.len())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_at_the_limit_and_one_above() {
        let mut metadata = Metadata::new();
        let value = vec![0; Metadata::MAX_BYTES - 1];
        metadata.insert("n", &value).expect("exactly the limit");
        let error = metadata.insert("n", b"").expect_err("one above");
        assert_eq!(error.code(), Code::ResourceExhausted);
        let mut many = Metadata::new();
        for _ in 0..Metadata::MAX_ENTRIES {
            many.insert("n", b"").expect("within");
        }
        assert!(many.insert("n", b"").is_err());
    }

    #[test]
    fn what_comes_later_is_seen_by_every_clone() {
        let mut metadata = Metadata::new();
        let later = metadata.later();
        let clone = metadata.clone();
        assert_eq!(clone.after(), None);
        let mut entries = Metadata::new();
        entries.insert_trailing("n", b"v").expect("good");
        later.set(entries);
        assert_eq!(clone.after().and_then(|after| after.text("n")), Some("v"));
        assert!(clone.is_empty(), "they are not among the others");
    }

    #[test]
    fn strange_names_are_refused() {
        let long = "n".repeat(256);
        for name in ["", "A", "a b", "ä", "a\n", "a:b", &long] {
            let error = Metadata::new().insert(name, b"").expect_err(name);
            assert_eq!(error.code(), Code::InvalidArgument);
        }
    }
}
