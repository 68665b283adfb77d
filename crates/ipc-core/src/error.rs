//! The one error of all mechanisms: what was done, to what, what kind of failure, and why.

use std::borrow::Cow;
use std::fmt;
use std::io;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller asks of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A try form could not finish at once.
    WouldBlock,
    /// The deadline passed before anything happened; nothing was sent and nothing taken.
    TimedOut,
    /// The other side has closed its end, or this side has closed its own.
    Closed,
    /// The process at the other side is proven dead.
    PeerDied,
    /// Waiting would never end: the caller itself holds what it asks for.
    Deadlock,
    /// A bounded object is full and its policy is to say so.
    Full,
    /// A message is above a limit, or does not fit the buffer it was to be received in.
    TooLarge,
    /// What was received is not whole: a stream ended inside a message, descriptors were cut off.
    Truncated,
    /// No object has this name.
    NotFound,
    /// An object of this name exists, or the address is in use by a live owner.
    AlreadyExists,
    /// The peer refused, or nobody listens at the address.
    Refused,
    /// Permissions, ownership or a policy forbid it.
    Denied,
    /// Shared data or a received message breaks its own rules; the channel is not usable further.
    Corrupt,
    /// A limit of this process or host is reached; the message names it.
    LimitReached,
    /// The storage behind the object is full.
    NoSpace,
    /// The object at this name is of another type.
    WrongType,
    /// An argument is outside its documented range.
    InvalidInput,
    /// This host or kernel lacks what was demanded.
    Unsupported,
    /// Any other failure of the operating system; see the source.
    Other,
}

impl ErrorKind {
    const fn text(self) -> &'static str {
        match self {
            Self::WouldBlock => "not possible without waiting",
            Self::TimedOut => "the deadline passed",
            Self::Closed => "the channel is closed",
            Self::PeerDied => "the peer process died",
            Self::Deadlock => "the caller holds it already, and would wait for itself",
            Self::Full => "full",
            Self::TooLarge => "too large",
            Self::Truncated => "cut short",
            Self::NotFound => "not found",
            Self::AlreadyExists => "exists already",
            Self::Refused => "refused by the other side",
            Self::Denied => "permission denied",
            Self::Corrupt => "corrupt data",
            Self::LimitReached => "a limit is reached",
            Self::NoSpace => "no space left",
            Self::WrongType => "an object of another type has this name",
            Self::InvalidInput => "invalid argument",
            Self::Unsupported => "not supported by this host",
            Self::Other => "system error",
        }
    }
}

/// Why an operation failed.
///
/// Building one with [`Error::new`] allocates nothing, so that a polling loop may see millions of
/// [`ErrorKind::WouldBlock`]; [`on`](Error::on), [`hint`](Error::hint) and
/// [`caused_by`](Error::caused_by) do.
///
/// ```
/// use ipc_core::{Error, ErrorKind};
/// let error = Error::new("create", ErrorKind::TooLarge)
///     .on("/jobs")
///     .hint("message size 65536 is above this host's limit 8192 (fs.mqueue.msgsize_max)");
/// assert_eq!(
///     error.to_string(),
///     "create `/jobs`: message size 65536 is above this host's limit 8192 \
///      (fs.mqueue.msgsize_max)"
/// );
/// ```
pub struct Error {
    operation: &'static str,
    // Behind one pointer: a result is handed up through several calls for every message.
    more: Option<Box<More>>,
    kind: ErrorKind,
}

/// What only errors have that nobody sees millions of.
#[derive(Default)]
struct More {
    hint: Option<Cow<'static, str>>,
    object: Option<Box<str>>,
    source: Option<io::Error>,
}

impl Error {
    /// An error of `kind` in `operation` (a verb: `send`, `open` …). Allocates nothing.
    #[must_use]
    #[inline]
    pub const fn new(operation: &'static str, kind: ErrorKind) -> Self {
        Self {
            operation,
            more: None,
            kind,
        }
    }

    /// Names the object that the operation was done to.
    #[must_use]
    pub fn on(mut self, object: impl fmt::Display) -> Self {
        self.more().object = Some(object.to_string().into_boxed_str());
        self
    }

    /// Says in one lower-case clause what is wrong and, where known, what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.more().hint = Some(hint.into());
        self
    }

    /// Keeps the operating system's error as [`source`](std::error::Error::source).
    #[must_use]
    pub fn caused_by(mut self, source: io::Error) -> Self {
        self.more().source = Some(source);
        self
    }

    /// The question that a caller asks: what kind of failure.
    #[must_use]
    #[inline]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The verb that failed.
    #[must_use]
    pub const fn operation(&self) -> &'static str {
        self.operation
    }

    /// The object it was done to, where it has a name.
    #[must_use]
    pub fn object(&self) -> Option<&str> {
        self.more.as_ref()?.object.as_deref()
    }

    /// The operating system's error number, where one stood behind the failure.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        self.more.as_ref()?.source.as_ref()?.raw_os_error()
    }

    /// What is wrong, without the operation and its object: what stands behind the colon of the
    /// whole text.
    #[must_use]
    pub fn reason(&self) -> impl fmt::Display + '_ {
        Reason(self)
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }
}

struct Reason<'a>(&'a Error);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        let more = error.more.as_deref();
        let hint = more.and_then(|more| more.hint.as_deref());
        match (hint, more.and_then(|more| more.source.as_ref())) {
            (Some(hint), _) => f.write_str(hint),
            (None, Some(source)) if error.kind == ErrorKind::Other => write!(f, "{source}"),
            _ => f.write_str(error.kind.text()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.operation)?;
        if let Some(object) = self.object() {
            write!(f, " `{}`", object.escape_debug())?;
        }
        write!(f, ": {}", self.reason())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({self}", self.kind)?;
        if let Some(source) = self.more.as_ref().and_then(|more| more.source.as_ref()) {
            write!(f, "; {source}")?;
        }
        f.write_str(")")
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.more.as_ref()?.source.as_ref()?;
        Some(source)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind {
            // These two are built in polling loops: no allocation on the way to `io::Error` either.
            ErrorKind::WouldBlock => return io::ErrorKind::WouldBlock.into(),
            ErrorKind::TimedOut => return io::ErrorKind::TimedOut.into(),
            ErrorKind::Closed | ErrorKind::PeerDied => io::ErrorKind::BrokenPipe,
            ErrorKind::NotFound => io::ErrorKind::NotFound,
            ErrorKind::AlreadyExists => io::ErrorKind::AlreadyExists,
            ErrorKind::Refused => io::ErrorKind::ConnectionRefused,
            ErrorKind::Denied => io::ErrorKind::PermissionDenied,
            ErrorKind::Corrupt => io::ErrorKind::InvalidData,
            ErrorKind::Truncated => io::ErrorKind::UnexpectedEof,
            ErrorKind::NoSpace => io::ErrorKind::StorageFull,
            ErrorKind::InvalidInput | ErrorKind::TooLarge => io::ErrorKind::InvalidInput,
            ErrorKind::Unsupported => io::ErrorKind::Unsupported,
            ErrorKind::Deadlock => io::ErrorKind::Deadlock,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn display_is_one_clause_that_names_operation_object_and_cure() {
        let plain = Error::new("recv", ErrorKind::Closed);
        assert_eq!(plain.to_string(), "recv: the channel is closed");
        let named = Error::new("open", ErrorKind::NotFound).on("/run/x\n");
        assert_eq!(named.to_string(), "open `/run/x\\n`: not found");
        assert_eq!(named.reason().to_string(), "not found");
    }

    #[test]
    fn the_system_error_is_the_source_and_survives_into_io_error() {
        let error =
            Error::new("bind", ErrorKind::Denied).caused_by(io::Error::from_raw_os_error(13));
        assert_eq!(error.raw_os_error(), Some(13));
        assert!(error.source().is_some());
        let io = io::Error::from(error);
        assert_eq!(io.kind(), io::ErrorKind::PermissionDenied);
        assert!(io.get_ref().is_some_and(|inner| inner.is::<Error>()));
    }

    #[test]
    fn an_error_is_no_larger_than_four_words() {
        assert!(size_of::<Result<usize>>() <= 4 * size_of::<usize>());
    }

    #[test]
    fn an_unclassified_system_error_shows_its_text() {
        let error = Error::new("send", ErrorKind::Other).caused_by(io::Error::from_raw_os_error(5));
        assert!(error.to_string().contains("os error 5"), "{error}");
    }
}
