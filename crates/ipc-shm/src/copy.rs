//! The one routine that copies bytes which another process may be writing at the same time.
//!
//! To the compiler such bytes are no Rust memory: on x86-64 and aarch64 they are touched by
//! assembly alone, of which it assumes nothing, elsewhere by relaxed atomic loads and stores.
//! A copy that races with a writer has old bytes, new bytes or a mixture; it is checked after.

#![allow(unsafe_code)]

/// From this length on the processor's own string copy, slow to start, is the fastest.
#[cfg(target_arch = "x86_64")]
const STRING_FROM: usize = 2048;
/// The same where the processor has 32-byte registers: both sides of 16 KiB stand in a first
/// cache of 32 KiB, and above it the loop falls to 0.6 of the string copy.
#[cfg(target_arch = "x86_64")]
const STRING_FROM_AVX: usize = (16 << 10) + 1;

/// Says that what stands at `from` will be read soon: a hint, which fetches its line and fails at
/// no address.
#[inline]
pub(crate) fn soon(from: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing that the program sees, and never faults.
    unsafe {
        core::arch::asm!(
            "prefetcht0 [{from}]",
            from = in(reg) from,
            options(nostack, preserves_flags, readonly)
        );
    };
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        core::arch::asm!(
            "prfm pldl1keep, [{from}]",
            from = in(reg) from,
            options(nostack, preserves_flags, readonly)
        );
    };
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = from;
}

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
    } else if len <= 64 {
        // SAFETY: the caller's promise, handed on; `len` is 16 to 64.
        unsafe { up_to_64(from, to, len) };
    } else if (256..STRING_FROM_AVX).contains(&len) && std::arch::is_x86_feature_detected!("avx") {
        // SAFETY: the caller's promise, handed on; `len` is at least 256, and the processor has
        // the instructions.
        unsafe { by_128(from, to, len) };
    } else if len < STRING_FROM {
        // SAFETY: the caller's promise, handed on; `len` is at least 64.
        unsafe { by_64(from, to, len) };
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
/// As [`racing`], and `len` is 16 to 64.
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn up_to_64(from: *const u8, to: *mut u8, len: usize) {
    // The second 16 bytes where there are more than 32, else the first again.
    let more = (len > 32) as usize * 16;
    // SAFETY: moves the first and the last 16 bytes, and, where `len` is above 32, the second
    // and the last but one; of up to 64 bytes these are all. `len` is at least 16, so all are
    // inside what the caller vouches for; the stack is not used, and no flags are.
    unsafe {
        core::arch::asm!(
            "movups {a}, [{from}]",
            "movups {b}, [{from} + {more}]",
            "movups {c}, [{from} + {before}]",
            "movups {d}, [{from} + {last}]",
            "movups [{to}], {a}",
            "movups [{to} + {more}], {b}",
            "movups [{to} + {before}], {c}",
            "movups [{to} + {last}], {d}",
            from = in(reg) from,
            to = in(reg) to,
            more = in(reg) more,
            before = in(reg) (len - 16).wrapping_sub(more),
            last = in(reg) len - 16,
            a = out(xmm_reg) _,
            b = out(xmm_reg) _,
            c = out(xmm_reg) _,
            d = out(xmm_reg) _,
            options(nostack, preserves_flags)
        );
    };
}

/// # Safety
/// As [`racing`], and `len` is at least 64.
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn by_64(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the loop moves 64 bytes while 64 or more are left; the tail is moved as the last
    // 64 bytes of both, which exist since `len` is at least 64. Every access is inside what the
    // caller vouches for; the stack is not used.
    unsafe {
        core::arch::asm!(
            "2:",
            "movups {a}, [{from} + {at}]",
            "movups {b}, [{from} + {at} + 16]",
            "movups {c}, [{from} + {at} + 32]",
            "movups {d}, [{from} + {at} + 48]",
            "movups [{to} + {at}], {a}",
            "movups [{to} + {at} + 16], {b}",
            "movups [{to} + {at} + 32], {c}",
            "movups [{to} + {at} + 48], {d}",
            "add {at}, 64",
            "cmp {at}, {last}",
            "jb 2b",
            "movups {a}, [{from} + {last}]",
            "movups {b}, [{from} + {last} + 16]",
            "movups {c}, [{from} + {last} + 32]",
            "movups {d}, [{from} + {last} + 48]",
            "movups [{to} + {last}], {a}",
            "movups [{to} + {last} + 16], {b}",
            "movups [{to} + {last} + 32], {c}",
            "movups [{to} + {last} + 48], {d}",
            from = in(reg) from,
            to = in(reg) to,
            at = inout(reg) 0usize => _,
            last = in(reg) len - 64,
            a = out(xmm_reg) _,
            b = out(xmm_reg) _,
            c = out(xmm_reg) _,
            d = out(xmm_reg) _,
            options(nostack)
        );
    };
}

/// # Safety
/// As [`racing`], `len` is at least 128, and the processor has AVX.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
#[inline(never)] // Its end clears registers that a caller with AVX may use.
unsafe fn by_128(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: as in `by_64`, with 128 bytes in place of 64.
    unsafe {
        core::arch::asm!(
            ".p2align 5",
            "2:",
            "vmovups {a}, [{from} + {at}]",
            "vmovups {b}, [{from} + {at} + 32]",
            "vmovups {c}, [{from} + {at} + 64]",
            "vmovups {d}, [{from} + {at} + 96]",
            "vmovups [{to} + {at}], {a}",
            "vmovups [{to} + {at} + 32], {b}",
            "vmovups [{to} + {at} + 64], {c}",
            "vmovups [{to} + {at} + 96], {d}",
            "sub {at}, -128",
            "cmp {at}, {last}",
            "jb 2b",
            "vmovups {a}, [{from} + {last}]",
            "vmovups {b}, [{from} + {last} + 32]",
            "vmovups {c}, [{from} + {last} + 64]",
            "vmovups {d}, [{from} + {last} + 96]",
            "vmovups [{to} + {last}], {a}",
            "vmovups [{to} + {last} + 32], {b}",
            "vmovups [{to} + {last} + 64], {c}",
            "vmovups [{to} + {last} + 96], {d}",
            "vzeroupper",
            from = in(reg) from,
            to = in(reg) to,
            at = inout(reg) 0usize => _,
            last = in(reg) len - 128,
            a = out(ymm_reg) _,
            b = out(ymm_reg) _,
            c = out(ymm_reg) _,
            d = out(ymm_reg) _,
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
        let source: Vec<u8> = (0..16500u32).map(|n| (n * 7 + 1) as u8).collect();
        for len in (0..80).chain([
            127, 128, 129, 255, 256, 511, 512, 513, 2047, 2048, 2049, 3000, 8191, 8192, 16384,
            16385,
        ]) {
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

    /// The speed of the copy out of a region and into it, as a share of memcpy's, with memcpy
    /// against itself beside it: what the machine cannot tell apart. Slices are short and
    /// interleaved, in turn this one first and that one.
    #[test]
    #[ignore = "a measurement: cargo test --release -p ipc-shm --lib -- --ignored --nocapture"]
    fn the_copy_beside_memcpy() {
        println!(
            "{:>10} {:>24} {:>24} {:>24}",
            "bytes", "out", "in", "memcpy"
        );
        for shift in 4..=24 {
            let len = 1usize << shift;
            let region = crate::Options::new()
                .size_bytes(len)
                .prefault(true)
                .anonymous();
            let region = region.expect("memory");
            let shared = region.mapping("measure").expect("mapped").whole();
            // Vec's own alignment would put it anywhere in a page: a page it is, on both sides.
            let mut own = vec![1u8; len + 4096];
            let own = own.as_mut_ptr();
            // SAFETY: the vector has a page more than `len` bytes.
            let own = unsafe { own.add(own.align_offset(4096)) };
            let show = [
                compare(len, shared, own, racing),
                compare(len, own, shared, racing),
                compare(len, shared, own, memcpy),
            ];
            let show = show.map(|[low, mid, high]| format!("{low:.3} {mid:.3} {high:.3}"));
            println!("{len:>10} {:>24} {:>24} {:>24}", show[0], show[1], show[2]);
        }
    }

    type Copy = unsafe fn(*const u8, *mut u8, usize);

    /// # Safety
    /// As memcpy(3).
    unsafe fn memcpy(from: *const u8, to: *mut u8, len: usize) {
        // SAFETY: the caller's promise, handed on.
        unsafe { from.copy_to_nonoverlapping(to, len) };
    }

    /// memcpy's time over `ours`: the quartiles.
    fn compare(len: usize, from: *const u8, to: *mut u8, ours: Copy) -> [f64; 3] {
        use std::hint::black_box;
        let repeat = ((1usize << 19) / len).max(1);
        let time = |copy: Copy| {
            let start = std::time::Instant::now();
            for _ in 0..repeat {
                // SAFETY: both sides hold `len` bytes and are two allocations.
                unsafe { copy(black_box(from), black_box(to), len) };
            }
            start.elapsed().as_secs_f64()
        };
        let rounds = if len > 1 << 20 { 101 } else { 801 };
        let mut ratios: Vec<f64> = (0..rounds)
            .map(|round| match round % 2 {
                0 => {
                    let theirs = time(memcpy);
                    theirs / time(ours)
                }
                _ => {
                    let mine = time(ours);
                    time(memcpy) / mine
                }
            })
            .collect();
        ratios.sort_by(f64::total_cmp);
        [1, 2, 3].map(|quarter| ratios[ratios.len() * quarter / 4])
    }
}
