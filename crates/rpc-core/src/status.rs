//! How a call ended: one of 17 codes, a text, details, and whether it ran at all.

use bytes::Bytes;
use std::borrow::Cow;
use std::fmt;

/// The 17 canonical codes, with the numbers they have on every wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Code {
    /// Done.
    Ok = 0,
    /// The caller cancelled it.
    Cancelled = 1,
    /// A failure that nobody classified.
    Unknown = 2,
    /// The arguments are wrong, whatever the state.
    InvalidArgument = 3,
    /// The deadline passed first; it may have run.
    DeadlineExceeded = 4,
    /// What was asked for does not exist.
    NotFound = 5,
    /// What was to be made exists.
    AlreadyExists = 6,
    /// The caller is known and may not.
    PermissionDenied = 7,
    /// A quota or a limit is used up.
    ResourceExhausted = 8,
    /// The state does not allow it; trying again does not help.
    FailedPrecondition = 9,
    /// A conflict; trying again at a higher level may help.
    Aborted = 10,
    /// Past the end of what there is.
    OutOfRange = 11,
    /// The server has no such method.
    Unimplemented = 12,
    /// A broken invariant of the server.
    Internal = 13,
    /// Not now; trying again may help.
    Unavailable = 14,
    /// Data is lost.
    DataLoss = 15,
    /// The caller is not known.
    Unauthenticated = 16,
}

impl Code {
    /// All codes, by number.
    pub const ALL: [Self; 17] = [
        Self::Ok,
        Self::Cancelled,
        Self::Unknown,
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::OutOfRange,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::DataLoss,
        Self::Unauthenticated,
    ];

    /// The code with this number; [`Unknown`](Code::Unknown) for a number without one.
    #[must_use]
    pub fn from_number(number: u8) -> Self {
        Self::ALL
            .get(usize::from(number))
            .copied()
            .unwrap_or(Self::Unknown)
    }

    /// Its canonical name, as `DEADLINE_EXCEEDED`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Cancelled => "CANCELLED",
            Self::Unknown => "UNKNOWN",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Aborted => "ABORTED",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::DataLoss => "DATA_LOSS",
            Self::Unauthenticated => "UNAUTHENTICATED",
        }
    }
}

/// One detail of a failure: a type by its name, and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// As protobuf's `Any` names it: `type.googleapis.com/google.rpc.RetryInfo`.
    pub type_url: String,
    /// The encoded message.
    pub value: Bytes,
}

/// Why a call failed.
///
/// ```
/// use rpc_core::{Code, Status};
/// let status = Status::new(Code::NotFound, "no item `x1`");
/// assert_eq!(status.to_string(), "NOT_FOUND: no item `x1`");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Status {
    code: Code,
    not_run: bool,
    more: Option<Box<More>>,
}

#[derive(Clone, Default, PartialEq, Eq)]
struct More {
    message: Cow<'static, str>,
    details: Vec<Detail>,
    retry_after_millis: Option<u32>,
}

impl Status {
    /// A push-back that asks for no further attempt at all.
    pub const NEVER_AGAIN: u32 = u32::MAX;

    /// A failure with a text for people: one lower-case clause that says what to do.
    #[must_use]
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        let more = (!message.is_empty()).then(|| {
            Box::new(More {
                message,
                ..More::default()
            })
        });
        Self {
            code,
            not_run: false,
            more,
        }
    }

    /// A failure without a text; allocates nothing.
    #[must_use]
    pub const fn bare(code: Code) -> Self {
        Self {
            code,
            not_run: false,
            more: None,
        }
    }

    /// With one detail more.
    #[must_use]
    pub fn detail(mut self, type_url: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.more.get_or_insert_default().details.push(Detail {
            type_url: type_url.into(),
            value: value.into(),
        });
        self
    }

    /// Says that the method did not begin to run, so that calling again cannot run it twice.
    #[must_use]
    pub const fn before_running(mut self) -> Self {
        self.not_run = true;
        self
    }

    /// Tells the caller when to try again: the server's push-back; [`Status::NEVER_AGAIN`] says
    /// that it is not to.
    #[must_use]
    pub fn retry_after_millis(mut self, millis: u32) -> Self {
        self.more.get_or_insert_default().retry_after_millis = Some(millis);
        self
    }

    /// What kind of failure.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The text for people.
    #[must_use]
    pub fn message(&self) -> &str {
        self.more.as_ref().map_or("", |more| &more.message)
    }

    /// The details, for programs.
    #[must_use]
    pub fn details(&self) -> &[Detail] {
        self.more.as_ref().map_or(&[], |more| &more.details)
    }

    /// Whether the method provably did not begin to run.
    #[must_use]
    pub const fn did_not_run(&self) -> bool {
        self.not_run
    }

    /// When the server wants the next attempt, in milliseconds; [`Status::NEVER_AGAIN`] where it
    /// wants none.
    #[must_use]
    pub fn push_back_millis(&self) -> Option<u32> {
        self.more.as_ref()?.retry_after_millis
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.name())?;
        match self.message() {
            "" => Ok(()),
            message => write!(f, ": {message}"),
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Status({self}")?;
        if self.not_run {
            f.write_str("; did not run")?;
        }
        for detail in self.details() {
            write!(f, "; {} ({} bytes)", detail.type_url, detail.value.len())?;
        }
        f.write_str(")")
    }
}

impl std::error::Error for Status {}

impl From<ipc_core::Error> for Status {
    fn from(error: ipc_core::Error) -> Self {
        use ipc_core::ErrorKind as Kind;
        let code = match error.kind() {
            Kind::TimedOut => Code::DeadlineExceeded,
            Kind::NotFound | Kind::Refused | Kind::Closed | Kind::PeerDied => Code::Unavailable,
            Kind::Denied => Code::PermissionDenied,
            Kind::TooLarge | Kind::LimitReached | Kind::Full | Kind::NoSpace => {
                Code::ResourceExhausted
            }
            Kind::InvalidInput => Code::InvalidArgument,
            Kind::Unsupported => Code::Unimplemented,
            Kind::AlreadyExists => Code::AlreadyExists,
            _ => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_its_code_and_a_strange_one_is_unknown() {
        for (number, code) in (0u8..).zip(Code::ALL) {
            assert_eq!(code as u8, number);
            assert_eq!(Code::from_number(number), code);
        }
        assert_eq!(Code::from_number(17), Code::Unknown);
        assert_eq!(Code::from_number(255), Code::Unknown);
    }

    #[test]
    fn a_status_is_two_words() {
        assert!(size_of::<Result<(), Status>>() <= 2 * size_of::<usize>());
    }

    #[test]
    fn what_is_set_is_told() {
        let status = Status::new(Code::Unavailable, "later")
            .before_running()
            .retry_after_millis(7)
            .detail("t/x", vec![1]);
        assert!(status.did_not_run());
        assert_eq!(status.push_back_millis(), Some(7));
        assert_eq!(status.details().len(), 1);
        assert!(format!("{status:?}").contains("did not run; t/x (1 bytes)"));
    }
}
