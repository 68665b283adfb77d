//! From the kernel's error numbers to the kinds that a caller asks for.

use crate::sys;
use ipc_core::{Error, ErrorKind};
use rustix::io::Errno;
use std::io;

/// The error of `operation` for `errno`, its kind chosen, with the limit named where one is
/// reached. Allocates nothing for the kinds that loops see.
#[must_use]
pub fn os_error(operation: &'static str, errno: Errno) -> Error {
    let error = Error::new(operation, kind(errno));
    if matches!(errno, Errno::AGAIN | Errno::TIMEDOUT) {
        return error;
    }
    let error = error.caused_by(io::Error::from(errno));
    match errno {
        Errno::MFILE => error.hint(format!(
            "this process has all the {} descriptors it may have (RLIMIT_NOFILE); \
             close some, or raise the limit with `ulimit -n`",
            descriptor_limit()
        )),
        Errno::NFILE => error.hint("the host's file table is full (sysctl fs.file-max)"),
        Errno::NOSPC => error.hint("the file system is full"),
        Errno::TOOMANYREFS => error.hint(
            "too many descriptors are under way in Unix sockets (RLIMIT_NOFILE of the sender)",
        ),
        _ => error,
    }
}

fn kind(errno: Errno) -> ErrorKind {
    match errno {
        Errno::AGAIN => ErrorKind::WouldBlock,
        Errno::TIMEDOUT => ErrorKind::TimedOut,
        Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN | Errno::SHUTDOWN => ErrorKind::Closed,
        Errno::MSGSIZE => ErrorKind::TooLarge,
        Errno::NOENT | Errno::NOTDIR => ErrorKind::NotFound,
        Errno::EXIST | Errno::ADDRINUSE => ErrorKind::AlreadyExists,
        Errno::CONNREFUSED => ErrorKind::Refused,
        Errno::ACCESS | Errno::PERM | Errno::ROFS => ErrorKind::Denied,
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS | Errno::TOOMANYREFS => {
            ErrorKind::LimitReached
        }
        Errno::NOSPC | Errno::DQUOT => ErrorKind::NoSpace,
        Errno::LOOP | Errno::PROTOTYPE | Errno::NOTSOCK | Errno::ISDIR => ErrorKind::WrongType,
        Errno::INVAL | Errno::NAMETOOLONG | Errno::BADF => ErrorKind::InvalidInput,
        Errno::NOSYS | Errno::OPNOTSUPP | Errno::NOPROTOOPT | Errno::AFNOSUPPORT => {
            ErrorKind::Unsupported
        }
        _ => ErrorKind::Other,
    }
}

fn descriptor_limit() -> String {
    sys::descriptor_limit().map_or_else(|| "many".into(), |limit| limit.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_descriptor_table_names_the_limit_and_the_cure() {
        let text = os_error("accept", Errno::MFILE).to_string();
        assert!(
            text.contains("RLIMIT_NOFILE") && text.contains("ulimit -n"),
            "{text}"
        );
    }

    #[test]
    fn the_number_survives_as_source() {
        assert_eq!(
            os_error("open", Errno::IO).raw_os_error(),
            Some(Errno::IO.raw_os_error())
        );
        assert_eq!(os_error("open", Errno::IO).kind(), ErrorKind::Other);
    }
}
