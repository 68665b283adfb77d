//! Pages that never change, and what a pipe does with them.

use ipc_pipe::{Capacity, ErrorKind, Options, Pages, Receiver, Sender, Vmsplice, probe};
use ipc_shm::Protection;
use ipc_testkit::{Role, Snapshot, Stage, deny, isolated, set_sigpipe_default, watchdog};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use std::io::Write;
use std::os::fd::AsFd;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(2);

static GREETING: [u8; 200_000] = [0xA5; 200_000];

fn small_pipe() -> (Sender, Receiver) {
    let mut options = Options::new();
    options.capacity(Capacity::Default).pair().expect("a pipe")
}

/// A memory file of `bytes`, under `seals`.
fn memory(bytes: &[u8], seals: SealFlags) -> std::fs::File {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = std::fs::File::from(memfd_create("pages", flags).expect("memory files"));
    file.write_all(bytes).expect("room");
    fcntl_add_seals(&file, seals).expect("not sealed yet");
    file
}

fn whole() -> SealFlags {
    SealFlags::WRITE | SealFlags::SHRINK
}

fn receive(rx: &Receiver, length: usize) -> Vec<u8> {
    let mut all = vec![0; length];
    let mut at = 0;
    while at < length {
        at += rx.recv(&mut all[at..]).expect("it comes");
    }
    all
}

#[test]
fn static_and_sealed_bytes_arrive_as_they_are_in_all_forms() {
    let _watchdog = watchdog(PATIENCE);
    let bytes: Vec<u8> = (0..200_000).map(|at| (at % 251) as u8).collect();
    let sealed = Pages::of_sealed(memory(&bytes, whole()).as_fd()).expect("sealed");
    let leaked: &'static [u8] = Box::leak(bytes.clone().into_boxed_slice());
    for pages in [sealed, Pages::of_static(leaked)] {
        assert!(pages.bytes() == bytes);
        let (tx, rx) = ipc_pipe::pair().expect("a pipe");
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| receive(&rx, 4 * bytes.len() + 7_000));
            tx.send_pages(&pages).expect("sent");
            tx.try_send_pages(&pages).map_or_else(
                |_| tx.send_pages(&pages).expect("sent"),
                |()| tx.flush().expect("the rest"),
            );
            tx.send_pages_timeout(&pages, PATIENCE).expect("sent");
            let deadline = std::time::Instant::now() + PATIENCE;
            tx.send_pages_deadline(&pages, deadline).expect("sent");
            // From the middle of a page to the middle of another.
            tx.send_pages(&pages.part(1_001..8_001)).expect("sent");
            let all = reading.join().expect("no panic");
            for round in all[..4 * bytes.len()].chunks(bytes.len()) {
                assert!(round == bytes);
            }
            assert!(all[4 * bytes.len()..] == bytes[1_001..8_001]);
        });
    }
}

#[test]
fn a_part_is_within_the_whole() {
    let pages = Pages::of_static(b"pear and plum");
    assert_eq!(pages.part(0..4).bytes(), b"pear");
    assert_eq!(pages.part(9..99).bytes(), b"plum");
    assert_eq!(pages.part(9..99).part(1..3).bytes(), b"lu");
    assert_eq!(pages.part(50..60).bytes(), b"");
    #[expect(clippy::reversed_empty_ranges, reason = "what a caller may hand over")]
    let backwards = pages.part(7..3);
    assert_eq!(backwards.bytes(), b"");
    let (tx, rx) = small_pipe();
    tx.send_pages(&backwards).expect("nothing to send");
    let none = rx.try_recv(&mut [0; 4]).expect_err("nothing was sent");
    assert_eq!(none.kind(), ErrorKind::WouldBlock);
}

#[test]
fn an_immutable_region_is_taken_and_one_that_is_not_is_refused() {
    let mut options = ipc_shm::Options::new();
    options.size_bytes(100_000).narrowable(true);
    let mut region = options.anonymous().expect("memory");
    region.write_at(0, b"pear").expect("ours");
    let data = region.data_offset();
    let refused = Pages::of_sealed(region.as_fd().expect("a memory file"));
    assert_eq!(refused.expect_err("writable").kind(), ErrorKind::Denied);
    region.protect(Protection::Immutable).expect("only ours");
    let pages = Pages::of_sealed(region.as_fd().expect("a memory file")).expect("immutable");
    let (tx, rx) = small_pipe();
    tx.send_pages(&pages.part(data..data + 4)).expect("room");
    assert_eq!(receive(&rx, 4), b"pear");
}

#[test]
fn what_could_still_change_is_refused() {
    isolated!({
        let before = Snapshot::take();
        for seals in [
            SealFlags::empty(),
            SealFlags::WRITE,
            SealFlags::SHRINK,
            SealFlags::FUTURE_WRITE | SealFlags::SHRINK | SealFlags::GROW,
        ] {
            let refused = Pages::of_sealed(memory(b"pear", seals).as_fd());
            assert_eq!(refused.expect_err("it may").kind(), ErrorKind::Denied);
        }
        let file = std::fs::File::open("/proc/self/exe").expect("/proc");
        let (tx, _rx) = small_pipe();
        for fd in [file.as_fd(), tx.as_fd()] {
            let refused = Pages::of_sealed(fd).expect_err("no memory file");
            assert_eq!(refused.kind(), ErrorKind::WrongType);
        }
        let empty = Pages::of_sealed(memory(b"", whole()).as_fd()).expect("sealed");
        assert_eq!(empty.bytes(), b"");
        drop((file, tx, _rx));
        before.assert_unchanged();
    });
}

#[test]
fn pages_outlive_in_the_pipe_whoever_gave_them() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let (tx, rx) = small_pipe();
        let before = Snapshot::take();
        for round in 0..50_u8 {
            let file = memory(&[round; 60_000], whole());
            let pages = Pages::of_sealed(file.as_fd()).expect("sealed");
            tx.try_send_pages(&pages).expect("room");
            drop((pages, file));
            // Memory that is given back is used again, were it ours to give back.
            let other = vec![!round; 60_000];
            assert!(receive(&rx, 60_000).iter().all(|byte| *byte == round));
            drop(other);
        }
        before.assert_unchanged();
    });
}

#[test]
fn pages_that_do_not_fit_are_owed_and_a_full_pipe_takes_none() {
    let _watchdog = watchdog(PATIENCE);
    for form in 0..2 {
        let (tx, rx) = small_pipe();
        let pages = Pages::of_static(&GREETING);
        match form {
            0 => tx.try_send_pages(&pages),
            _ => tx.send_pages_timeout(&pages, SHORT),
        }
        .expect("begun");
        let small = pages.part(0..4);
        let full = tx.try_send_pages(&small).expect_err("owed");
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
        let late = tx.send_pages_timeout(&small, SHORT).expect_err("owed");
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| receive(&rx, GREETING.len()));
            tx.flush().expect("the rest");
            let all = reading.join().expect("no panic");
            assert!(all == GREETING);
        });
        let none = rx.try_recv(&mut [0; 4]).expect_err("none of the refused");
        assert_eq!(none.kind(), ErrorKind::WouldBlock);
    }
}

#[test]
fn records_take_no_pages_and_a_closed_pipe_says_so_without_a_signal() {
    isolated!({
        set_sigpipe_default();
        let pages = Pages::of_static(&GREETING);
        let (records, _rx) = Options::new().record(true).pair().expect("a pipe");
        let refused = records.send_pages(&pages.part(0..4)).expect_err("records");
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
        let (tx, rx) = small_pipe();
        drop(rx);
        for outcome in [
            tx.send_pages(&pages),
            tx.try_send_pages(&pages),
            tx.send_pages_timeout(&pages, PATIENCE),
        ] {
            assert_eq!(outcome.expect_err("gone").kind(), ErrorKind::Closed);
        }
    });
}

#[test]
fn the_probe_says_what_the_kernel_does_and_leaves_nothing() {
    isolated!({
        let before = Snapshot::take();
        let seen = probe();
        assert_ne!(seen.vmsplice, Vmsplice::Refused, "nothing refuses it here");
        assert_eq!(probe(), seen);
        before.assert_unchanged();
    });
}

/// One isolated test for each error that a filter or another kernel may answer with.
macro_rules! without {
    ($($test:ident: $errno:expr;)*) => {$(
        #[test]
        fn $test() {
            isolated!({
                let _watchdog = watchdog(PATIENCE);
                deny(libc::SYS_vmsplice, $errno);
                assert_eq!(probe().vmsplice, Vmsplice::Refused);
                pages_that_do_not_fit_are_owed_and_a_full_pipe_takes_none();
                static_and_sealed_bytes_arrive_as_they_are_in_all_forms();
            });
        }
    )*};
}

without! {
    without_vmsplice_eperm: libc::EPERM;
    without_vmsplice_enosys: libc::ENOSYS;
    without_vmsplice_einval: libc::EINVAL;
}

pub(crate) fn give_pages_until_killed(mut stage: Stage) {
    let tx = Sender::from(stage.descriptor());
    let pages = Pages::of_sealed(memory(&GREETING, whole()).as_fd()).expect("sealed");
    while tx.send_pages(&pages).is_ok() {}
}

#[test]
fn pages_of_a_killed_process_are_received_and_then_comes_the_end() {
    let _watchdog = watchdog(PATIENCE);
    for round in 0..10_usize {
        let (tx, rx) = small_pipe();
        let child = Role::new("giver of pages").descriptor(&tx).spawn();
        drop(tx);
        let (mut bytes, mut total) = (vec![0; 65_536], 0);
        let error = loop {
            if total >= round * 70_000 {
                child.kill();
            }
            match rx.recv(&mut bytes) {
                Ok(received) => {
                    assert!(bytes[..received].iter().all(|byte| *byte == 0xA5));
                    total += received;
                }
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::Closed, "after {total} bytes");
    }
}
