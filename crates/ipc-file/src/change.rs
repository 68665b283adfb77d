//! What a watch tells.

use crate::watch::WatchId;
use std::ffi::OsString;

/// What has happened to something that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChangeKind {
    /// It was made there.
    Created,
    /// Bytes were written, or cut off.
    Modified,
    /// Who had it open to write has closed it.
    Closed,
    /// Its permissions, owner, times or number of names changed.
    Attributes,
    /// It was removed.
    Removed,
    /// It was renamed to somewhere else.
    MovedAway,
    /// It was renamed to here, perhaps in place of another.
    MovedHere,
    /// The directory that is watched is gone; nothing more comes of this watch.
    Gone,
    /// More happened than the kernel keeps (`fs.inotify.max_queued_events`): changes are lost. A
    /// `Found` for each thing that is there follows, and `Rescanned` for each watch.
    Overflow,
    /// It is there, at the look that follows an overflow; whether it has changed is not known.
    Found,
    /// The look at this watch is over: what was not found is not there.
    Rescanned,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The watch that it belongs to; none for an overflow, which belongs to all.
    pub watch: Option<WatchId>,
    /// What has happened.
    pub kind: ChangeKind,
    /// To what in the directory; none where it is the directory itself.
    pub name: Option<OsString>,
    /// Not nought where this and another change are the two ends of one renaming.
    pub cookie: u32,
}
