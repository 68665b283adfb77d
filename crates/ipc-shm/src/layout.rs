//! The identity of a layout: a hash of field types and offsets, the same in any program.

/// Hashes fields into a layout for [`Options::layout`](crate::Options::layout); what
/// [`layout!`](crate::layout!) expands to. Never 0, which means that no layout was said.
#[must_use]
pub const fn layout_hash(fields: &[(&str, usize)], size_bytes: usize) -> u64 {
    let mut hash = mix(FNV_OFFSET, size_bytes as u64);
    let mut at = 0;
    while at < fields.len() {
        let (name, offset) = fields[at];
        let name = name.as_bytes();
        let mut byte = 0;
        while byte < name.len() {
            // The compiler puts spaces between tokens as it likes.
            if name[byte] != b' ' {
                hash = (hash ^ name[byte] as u64).wrapping_mul(FNV_PRIME);
            }
            byte += 1;
        }
        hash = mix(hash, offset as u64);
        at += 1;
    }
    if hash == 0 { 1 } else { hash }
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

const fn mix(hash: u64, number: u64) -> u64 {
    let bytes = number.to_le_bytes();
    let mut hash = hash;
    let mut at = 0;
    while at < 8 {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(FNV_PRIME);
        at += 1;
    }
    hash
}

/// The layout of a struct, by the types and offsets of its fields as written, never by its name
/// or path: two programs that agree on the bytes agree on the number.
///
/// ```
/// #[repr(C)]
/// struct Frame { number: u64, width: u32, height: u32 }
/// const FRAME: u64 = ipc_shm::layout!(Frame { number: u64, width: u32, height: u32 });
/// let region = ipc_shm::Options::new().size_bytes(4096).layout(FRAME).anonymous()?;
/// # Ok::<(), ipc_shm::Error>(())
/// ```
#[macro_export]
macro_rules! layout {
    ($type:ty { $($field:ident: $field_type:ty),+ $(,)? }) => {{
        // Fails to compile where a type is not the field's.
        const _: fn(&$type) = |value| { $(let _: &$field_type = &value.$field;)+ };
        $crate::layout_hash(
            &[$((stringify!($field_type), ::core::mem::offset_of!($type, $field))),+],
            ::core::mem::size_of::<$type>(),
        )
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_offsets_and_size_make_the_identity() {
        let one = layout_hash(&[("u32", 0), ("u64", 8)], 16);
        assert_eq!(one, layout_hash(&[("u32", 0), ("u64", 8)], 16));
        for other in [
            layout_hash(&[("u32", 0), ("u64", 4)], 16),
            layout_hash(&[("i32", 0), ("u64", 8)], 16),
            layout_hash(&[("u32", 0), ("u64", 8)], 24),
        ] {
            assert_ne!(one, other);
        }
    }
}
