//! Values in a region: copied and then checked, or lent where nobody can write any more.

use crate::Region;
use ipc_core::{Error, ErrorKind, Result};
use zerocopy::{Immutable, IntoBytes, KnownLayout, TryFromBytes};

/// Values up to this size are copied by way of the stack.
const SMALL_BYTES: usize = 256;

impl Region {
    /// Copies the value at `offset` out, checks the copy, and returns it. The offset needs no
    /// alignment.
    ///
    /// # Errors
    /// As [`read_at`](Region::read_at); [`ErrorKind::Corrupt`] where the bytes are no `T`.
    pub fn read<T>(&self, offset: usize) -> Result<T>
    where
        T: TryFromBytes,
    {
        let (mut small, mut large) = ([0; SMALL_BYTES], Vec::new());
        let copy = match size_of::<T>() {
            length @ ..=SMALL_BYTES => &mut small[..length],
            length => {
                self.range("read", offset, length)?;
                large.resize(length, 0);
                &mut large[..]
            }
        };
        self.read_at(offset, copy)?;
        T::try_read_from_bytes(copy).map_err(|_| no_value::<T>("read", offset))
    }

    /// Copies the value at `offset` into `value`: for types of which all bytes are valid, without
    /// a step between.
    ///
    /// # Errors
    /// As [`read_at`](Region::read_at).
    #[inline]
    pub fn read_into<T>(&self, offset: usize, value: &mut T) -> Result<()>
    where
        T: zerocopy::FromBytes + IntoBytes,
    {
        self.read_at(offset, value.as_mut_bytes())
    }

    /// Copies `value` to `offset`, which needs no alignment.
    ///
    /// # Errors
    /// As [`write_at`](Region::write_at).
    #[inline]
    pub fn write<T>(&self, offset: usize, value: &T) -> Result<()>
    where
        T: IntoBytes + Immutable + ?Sized,
    {
        self.write_at(offset, value.as_bytes())
    }

    /// Lends the value at `offset`, after checking it, where it cannot change any more: the
    /// region is [`Immutable`](crate::Protection::Immutable), or it is read-only here and its
    /// peers are trusted ([`Options::trust_peers`](crate::Options::trust_peers)).
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] where somebody could write; [`ErrorKind::InvalidInput`] beyond the
    /// end or off the alignment of `T`; [`ErrorKind::Corrupt`] where the bytes are no `T`.
    pub fn view<T>(&self, offset: usize) -> Result<&T>
    where
        T: TryFromBytes + KnownLayout + Immutable,
    {
        let bytes = self.view_bytes(offset, size_of::<T>())?;
        if !bytes.as_ptr().cast::<T>().is_aligned() {
            return Err(Error::new("view", ErrorKind::InvalidInput).hint(format!(
                "offset {offset} is not a multiple of {}",
                align_of::<T>()
            )));
        }
        T::try_ref_from_bytes(bytes).map_err(|_| no_value::<T>("view", offset))
    }

    /// Lends `len` bytes at `offset`, as [`view`](Region::view) does.
    ///
    /// # Errors
    /// As [`view`](Region::view).
    pub fn view_bytes(&self, offset: usize, len: usize) -> Result<&[u8]> {
        let at = self.range("view", offset, len)?;
        let Some(proof) = self.0.unchanging else {
            return Err(Error::new("view", ErrorKind::Denied).hint(
                "somebody can still write to it: copy with read, or make the region \
                 Protection::Immutable",
            ));
        };
        Ok(self.mapping("view")?.lend(at, len, proof))
    }
}

#[cold]
fn no_value<T>(operation: &'static str, offset: usize) -> Error {
    Error::new(operation, ErrorKind::Corrupt).hint(format!(
        "the bytes at {offset} are no valid {}",
        std::any::type_name::<T>()
    ))
}
