//! What a send does where there is no room.

/// What a send does where there is no room.
///
/// ```
/// use ipc_ring::{Options, WhenFull};
/// let (sender, receiver) = Options::new()
///     .capacity_messages(1)
///     .when_full(WhenFull::DropNewest)
///     .pair()?;
/// sender.send(b"kept")?;
/// sender.send(b"dropped")?;
/// assert_eq!(sender.dropped(), 1);
/// assert_eq!(receiver.recv(&mut [0; 16])?, 4);
/// # Ok::<(), ipc_ring::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// It waits, as its form says.
    #[default]
    Block,
    /// It fails with [`Full`](crate::ErrorKind::Full), whatever its form.
    Fail,
    /// The message that is sent is dropped, and counted.
    DropNewest,
    /// The oldest messages are dropped; who has not received them learns how many they were. For
    /// a [`Broadcaster`](crate::Broadcaster) and a [`Queue`](crate::Queue) alone.
    DropOldest,
}
