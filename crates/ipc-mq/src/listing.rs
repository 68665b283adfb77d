//! The queues of this host, where their file system is mounted.

use ipc_core::{Error, ErrorKind, Result};
use ipc_sys::os_error;
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::SystemTime;

/// A queue of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name, without a slash. Programs in other languages may use names that this crate does
    /// not open.
    pub name: OsString,
    /// Who owns it.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its permissions.
    pub mode: u32,
    /// When a message was last sent or received, or the queue was made.
    pub changed: SystemTime,
}

/// The queues of this host, by name.
///
/// How many messages a queue holds shows to who opens it ([`Queue::status`](crate::Queue::status));
/// it is not asked here, since closing a descriptor of a queue takes back this process's
/// registration for its notification.
///
/// # Errors
/// [`ErrorKind::Unsupported`] where the file system of queues is not mounted, or `/proc` is not.
pub fn list() -> Result<Vec<Listed>> {
    let mount = mount_point()?;
    let fail = |error: std::io::Error| {
        let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
        os_error("list queues", errno).on(mount.display())
    };
    let mut listed = Vec::new();
    for entry in std::fs::read_dir(&mount).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // Unlinked since.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(fail(error)),
        };
        listed.push(Listed {
            name: entry.file_name(),
            uid: metadata.uid(),
            gid: metadata.gid(),
            mode: metadata.mode() & 0o777,
            changed: metadata.modified().map_err(fail)?,
        });
    }
    listed.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(listed)
}

/// Where the file system of queues is mounted.
fn mount_point() -> Result<PathBuf> {
    let mounts = std::fs::read("/proc/thread-self/mountinfo").map_err(|error| {
        Error::new("list queues", ErrorKind::Unsupported)
            .caused_by(error)
            .hint("where queues are mounted shows in /proc, which cannot be read")
    })?;
    // The last one hides those before it.
    let found = mounts.split(|byte| *byte == b'\n').rev();
    found.filter_map(place_of_queues).next().ok_or_else(|| {
        Error::new("list queues", ErrorKind::Unsupported).hint(
            "the file system of queues is not mounted; as root: \
             mkdir -p /dev/mqueue && mount -t mqueue none /dev/mqueue",
        )
    })
}

/// The mount point of a line of mountinfo, where that is of queues.
fn place_of_queues(line: &[u8]) -> Option<PathBuf> {
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    // Six fields, then any number of others, then the dash (proc_pid_mountinfo(5)).
    let dash = 6 + words.get(6..)?.iter().position(|word| *word == b"-")?;
    if words.get(dash + 1) != Some(&b"mqueue".as_slice()) {
        return None;
    }
    words.get(4).map(|place| PathBuf::from(unescape(place)))
}

/// The kernel writes a space in a path as `\040`, and a few others likewise.
fn unescape(text: &[u8]) -> OsString {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        let octal = (*first == b'\\').then(|| tail.get(..3)).flatten();
        let octal = octal.and_then(|digits| OsStr::from_bytes(digits).to_str());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_queues_is_found_and_its_spaces_are_spaces() {
        let line = b"40 25 0:36 / /dev/my\\040queues rw,nosuid shared:9 - mqueue mqueue rw";
        assert_eq!(place_of_queues(line), Some("/dev/my queues".into()));
        let other = b"22 25 0:20 / /sys rw - sysfs mqueue rw";
        assert_eq!(place_of_queues(other), None);
        for broken in [&b""[..], b"-", b"- mqueue", b"a b c - mqueue"] {
            assert!(place_of_queues(broken).is_none());
        }
        assert_eq!(unescape(b"\\"), OsString::from("\\"));
        assert_eq!(unescape(b"a\\99"), OsString::from("a\\99"));
    }
}
