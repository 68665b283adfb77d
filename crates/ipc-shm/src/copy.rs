//! The one routine that copies bytes which another process may be writing at the same time.
//!
//! To the compiler such bytes are no Rust memory: on x86-64 and aarch64 they are touched by
//! assembly alone, of which it assumes nothing, elsewhere by relaxed atomic loads and stores.
//! A copy that races with a writer has old bytes, new bytes or a mixture; it is checked after.

#![allow(unsafe_code)]

/// Copies `len` bytes from `from` to `to`.
///
/// # Safety
/// `from` is valid for reads and `to` for writes of `len` bytes, and they do not overlap. One
/// of them may be shared memory that others write at any time; the other is a Rust object that
/// nobody else touches meanwhile.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) unsafe fn racing(from: *const u8, to: *mut u8, len: usize) {
    if len < 16 {
        // SAFETY: the caller's promise, handed on; `len` is below 16.
        unsafe { up_to_15(from, to, len) };
    } else if len <= 256 {
        // SAFETY: the caller's promise, handed on; `len` is at least 16.
        unsafe { by_16(from, to, len) };
    } else {
        // SAFETY: the caller's promise, handed on.
        unsafe { by_string(from, to, len) };
    }
}

/// # Safety
/// As [`racing`].
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn by_string(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the ABI clears the direction flag, so this moves `len` bytes upwards, inside what
    // the caller vouches for; it uses no stack and changes no flags.
    unsafe {
        core::arch::asm!(
            "rep movsb",
            inout("rcx") len => _,
            inout("rsi") from => _,
            inout("rdi") to => _,
            options(nostack, preserves_flags)
        );
    };
}

/// # Safety
/// As [`racing`], and `len` is at least 16.
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn by_16(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the loop moves 16 bytes while 16 or more are left; the tail is moved as the last
    // 16 bytes of both, which exist since `len` is at least 16. Every access is inside what the
    // caller vouches for; the stack is not used.
    unsafe {
        core::arch::asm!(
            "2:",
            "movups {x}, [{from} + {at}]",
            "movups [{to} + {at}], {x}",
            "add {at}, 16",
            "cmp {at}, {last}",
            "jb 2b",
            "movups {x}, [{from} + {last}]",
            "movups [{to} + {last}], {x}",
            from = in(reg) from,
            to = in(reg) to,
            at = inout(reg) 0usize => _,
            last = in(reg) len - 16,
            x = out(xmm_reg) _,
            options(nostack)
        );
    };
}

/// # Safety
/// As [`racing`], and `len` is below 16.
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn up_to_15(from: *const u8, to: *mut u8, len: usize) {
    match len {
        // SAFETY: moves the first and the last 8 bytes, which overlap below 16; `len` is at
        // least 8, so both are inside what the caller vouches for.
        8.. => unsafe {
            core::arch::asm!(
                "mov {a}, [{from}]",
                "mov {b}, [{from} + {last}]",
                "mov [{to}], {a}",
                "mov [{to} + {last}], {b}",
                from = in(reg) from,
                to = in(reg) to,
                last = in(reg) len - 8,
                a = out(reg) _,
                b = out(reg) _,
                options(nostack, preserves_flags)
            );
        },
        // SAFETY: as above, with 4 bytes; `len` is at least 4.
        4.. => unsafe {
            core::arch::asm!(
                "mov {a:e}, [{from}]",
                "mov {b:e}, [{from} + {last}]",
                "mov [{to}], {a:e}",
                "mov [{to} + {last}], {b:e}",
                from = in(reg) from,
                to = in(reg) to,
                last = in(reg) len - 4,
                a = out(reg) _,
                b = out(reg) _,
                options(nostack, preserves_flags)
            );
        },
        // SAFETY: the caller's promise, handed on.
        _ => unsafe { by_string(from, to, len) },
    }
}

/// Copies `len` bytes from `from` to `to`.
///
/// # Safety
/// `from` is valid for reads and `to` for writes of `len` bytes, and they do not overlap. One
/// of them may be shared memory that others write at any time; the other is a Rust object that
/// nobody else touches meanwhile.
#[cfg(target_arch = "aarch64")]
#[inline]
pub(crate) unsafe fn racing(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the first loop moves 32 bytes while 32 or more are left, the second the rest one
    // by one: all inside what the caller vouches for. Pointers and counts live in registers.
    unsafe {
        core::arch::asm!(
            "2:",
            "cmp {left}, #32",
            "b.lo 3f",
            "ldp {a:q}, {b:q}, [{from}], #32",
            "stp {a:q}, {b:q}, [{to}], #32",
            "sub {left}, {left}, #32",
            "b 2b",
            "3:",
            "cbz {left}, 4f",
            "ldrb {c:w}, [{from}], #1",
            "strb {c:w}, [{to}], #1",
            "sub {left}, {left}, #1",
            "b 3b",
            "4:",
            left = inout(reg) len => _,
            from = inout(reg) from => _,
            to = inout(reg) to => _,
            a = out(vreg) _,
            b = out(vreg) _,
            c = out(reg) _,
            options(nostack)
        );
    };
}

/// Copies `len` bytes from `from` to `to`.
///
/// # Safety
/// `from` is valid for reads and `to` for writes of `len` bytes, and they do not overlap. One
/// of them may be shared memory that others write at any time; the other is a Rust object that
/// nobody else touches meanwhile.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) unsafe fn racing(from: *const u8, to: *mut u8, len: usize) {
    use std::sync::atomic::{AtomicU8, Ordering};
    for at in 0..len {
        // SAFETY: `at` is below `len`, for which the caller vouches.
        let from = unsafe { from.add(at) };
        // SAFETY: as above.
        let to = unsafe { to.add(at) };
        // SAFETY: a byte has no alignment, it is valid for reads, and whoever writes it
        // meanwhile is another process or an atomic of ours; a load alone never writes.
        let source = unsafe { AtomicU8::from_ptr(from.cast_mut()) };
        // SAFETY: as above, and it is valid for writes.
        let target = unsafe { AtomicU8::from_ptr(to) };
        target.store(source.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_and_alignment_is_copied_whole_and_nothing_beside_it() {
        let source: Vec<u8> = (0..700u32).map(|n| (n * 7 + 1) as u8).collect();
        for len in (0..80).chain([127, 128, 255, 256, 257, 258, 300, 511, 512, 513, 640]) {
            for skew in 0..17 {
                let mut target = vec![0u8; len + 64];
                // SAFETY: both vectors hold `skew + len` bytes and more, and they are two.
                unsafe { racing(source[skew..].as_ptr(), target[skew..].as_mut_ptr(), len) };
                assert_eq!(target[skew..skew + len], source[skew..skew + len], "{len}");
                let beside = target[..skew].iter().chain(&target[skew + len..]);
                assert!(beside.copied().all(|byte| byte == 0), "{len} at {skew}");
            }
        }
    }
}
