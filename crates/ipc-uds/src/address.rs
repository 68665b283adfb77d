//! Where a socket is found: a path, an abstract name, or nowhere.

use crate::sys;
use ipc_core::{Error, ErrorKind, Result};
use ipc_sys::{Place, ToPlace, os_error};
use rustix::net::SocketAddrUnix;
use std::ffi::OsStr;
use std::fmt;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Longest path of a socket, and longest abstract name: 107 bytes (`sun_path` of unix(7) has 108,
/// of which one ends a path or begins a name).
pub const MAX_PATH_BYTES: usize = 107;

/// Where a socket is found. A value of its own without memory elsewhere, so that receiving one
/// with each datagram allocates nothing.
///
/// ```
/// use ipc_uds::Address;
/// assert!(Address::path("/run/user/1000/jobs")?.as_path().is_some());
/// assert!(Address::path("/x".repeat(60)).is_err());
/// # Ok::<(), ipc_uds::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address {
    kind: Kind,
    length: u8,
    /// The path or the name; zeros behind it, so that equal addresses are equal bytes.
    bytes: [u8; MAX_PATH_BYTES],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Unnamed,
    Path,
    Abstract,
}

impl Address {
    /// A socket without a name. Bound to it, a socket gets an abstract name from the kernel.
    pub const UNNAMED: Self = Self {
        kind: Kind::Unnamed,
        length: 0,
        bytes: [0; MAX_PATH_BYTES],
    };

    /// A path in the file system, of any bytes but NUL.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] above [`MAX_PATH_BYTES`]; [`ErrorKind::InvalidInput`] for an empty
    /// path or one with a NUL.
    pub fn path(path: impl AsRef<Path>) -> Result<Self> {
        let bytes = path.as_ref().as_os_str().as_bytes();
        if bytes.is_empty() {
            return Err(refuse(bytes, "a path needs at least one byte"));
        }
        if bytes.contains(&0) {
            return Err(refuse(bytes, "a path cannot hold a NUL byte"));
        }
        Self::new(Kind::Path, bytes)
    }

    /// A name in the network namespace's own table, of any bytes, even none. It has no file
    /// permissions: anyone on the host may connect, or bind it first, so that only credentials
    /// tell who is there.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] above [`MAX_PATH_BYTES`].
    pub fn abstract_name(name: impl AsRef<[u8]>) -> Result<Self> {
        Self::new(Kind::Abstract, name.as_ref())
    }

    /// The path, where it is one.
    #[must_use]
    pub fn as_path(&self) -> Option<&Path> {
        (self.kind == Kind::Path).then(|| Path::new(OsStr::from_bytes(self.name())))
    }

    /// The name, where it is an abstract one.
    #[must_use]
    pub fn as_abstract(&self) -> Option<&[u8]> {
        (self.kind == Kind::Abstract).then(|| self.name())
    }

    /// Whether it is no name at all.
    #[must_use]
    pub fn is_unnamed(&self) -> bool {
        self.kind == Kind::Unnamed
    }

    /// Whether nothing but credentials guards it.
    pub(crate) fn has_no_permissions(&self) -> bool {
        self.kind != Kind::Path
    }

    pub(crate) fn to_kernel(self) -> rustix::io::Result<SocketAddrUnix> {
        match self.kind {
            Kind::Unnamed => Ok(SocketAddrUnix::new_unnamed()),
            Kind::Path => SocketAddrUnix::new(self.name()),
            Kind::Abstract => SocketAddrUnix::new_abstract_name(self.name()),
        }
    }

    /// From the bytes of `sun_path` that the kernel filled. Other programs may bind all 108 bytes
    /// of a path: such a peer has no name that we could use.
    pub(crate) fn from_sun_path(filled: &[u8]) -> Self {
        match filled {
            [] => Self::UNNAMED,
            [0, name @ ..] => Self::new(Kind::Abstract, name).unwrap_or(Self::UNNAMED),
            path => {
                let end = path
                    .iter()
                    .position(|&byte| byte == 0)
                    .unwrap_or(path.len());
                Self::new(Kind::Path, &path[..end]).unwrap_or(Self::UNNAMED)
            }
        }
    }

    fn new(kind: Kind, name: &[u8]) -> Result<Self> {
        let mut bytes = [0; MAX_PATH_BYTES];
        let Some(place) = bytes.get_mut(..name.len()) else {
            return Err(Error::new("address", ErrorKind::TooLarge)
                .on(clip(name))
                .hint(format!(
                    "it has {} bytes, a socket's path or name at most {MAX_PATH_BYTES}; \
                 choose a shorter directory",
                    name.len()
                )));
        };
        place.copy_from_slice(name);
        Ok(Self {
            kind,
            length: name.len() as u8,
            bytes,
        })
    }

    fn name(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

pub(crate) fn local_address(fd: BorrowedFd<'_>) -> Result<Address> {
    sys::local_address(fd).map_err(|errno| os_error("address", errno))
}

pub(crate) fn peer_address(fd: BorrowedFd<'_>) -> Result<Address> {
    sys::peer_address(fd).map_err(|errno| os_error("peer address", errno))
}

fn refuse(bytes: &[u8], why: &'static str) -> Error {
    Error::new("address", ErrorKind::InvalidInput)
        .on(clip(bytes))
        .hint(why)
}

/// The beginning of a refused address: enough to recognise it.
fn clip(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(120)]).into_owned()
}

impl Default for Address {
    fn default() -> Self {
        Self::UNNAMED
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Unnamed => f.write_str("(unnamed)"),
            Kind::Path => write!(f, "{}", String::from_utf8_lossy(self.name())),
            Kind::Abstract => write!(f, "@{}", self.name().escape_ascii()),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Unnamed => f.write_str("Unnamed"),
            Kind::Path => write!(f, "Path({:?})", OsStr::from_bytes(self.name())),
            Kind::Abstract => write!(f, "Abstract(\"{}\")", self.name().escape_ascii()),
        }
    }
}

/// What can stand where an address is asked for: an [`Address`], a [`Place`] of
/// [`Options::path_of`](crate::Options::path_of), or anything that is a path.
pub trait ToAddress {
    /// The address.
    ///
    /// # Errors
    /// As [`Address::path`].
    fn to_address(&self) -> Result<Address>;

    /// Where it is looked up, where that says more than the address.
    fn place(&self) -> Option<Place> {
        None
    }
}

impl ToAddress for Address {
    fn to_address(&self) -> Result<Address> {
        Ok(*self)
    }
}

impl ToAddress for &Address {
    fn to_address(&self) -> Result<Address> {
        Ok(**self)
    }
}

impl<P: ToPlace> ToAddress for P {
    fn to_address(&self) -> Result<Address> {
        Address::path(self.to_place().path())
    }
    fn place(&self) -> Option<Place> {
        Some(self.to_place())
    }
}

/// An address, and where it is looked up.
pub(crate) struct Spot {
    pub(crate) address: Address,
    /// Of a path.
    pub(crate) place: Option<Place>,
}

impl Spot {
    pub(crate) fn of(address: &impl ToAddress) -> Result<Self> {
        let place = address.place();
        let address = address.to_address()?;
        let place = place.or_else(|| address.as_path().map(|path| path.to_place()));
        Ok(Self { address, place })
    }
}
