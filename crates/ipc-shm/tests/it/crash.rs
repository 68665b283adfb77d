//! Makers and owners that are killed: what they leave, who waits for them, who takes it up.

use crate::named::{NAMED, Named, staged};
use ipc_shm::{Backing, ErrorKind, Options};
use ipc_testkit::{Role, Stage, isolated, watchdog};
use rustix::fs::{Mode, OFlags};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);
const MAKING: &[u8; 8] = b"ipc-mak\0";

pub(crate) fn create_and_stay(stage: Stage) {
    let (mut options, name) = staged(&stage);
    let region = options
        .replace_stale(true)
        .create(name)
        .expect("new, or stale");
    region.write_at(0, b"mine").expect("inside");
    std::fs::write(stage.argument(3), "up").expect("ours");
    loop {
        std::thread::park();
    }
}

fn wait_for(path: &Path) {
    while !path.exists() {
        std::thread::yield_now();
    }
}

#[test]
fn a_dead_owners_object_is_stale_and_a_living_owners_is_not() {
    let _watchdog = watchdog(PATIENCE);
    // Alone: a child that another test starts holds our descriptors between fork and exec.
    isolated!({
        for kind in NAMED {
            let mut named = Named::new(kind);
            let dir = ipc_testkit::TempDir::new();
            let child = named
                .role("create and stay", kind)
                .argument(dir.join("up").display())
                .spawn();
            wait_for(&dir.join("up"));
            named.options.replace_stale(true);
            assert!(named.options.is_live(&named.name).expect("asked"));
            let error = named
                .options
                .create(&named.name)
                .expect_err("its owner lives");
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
            child.kill();
            child.wait_dead();
            // A zombie: nobody has reaped it.
            assert!(
                !named.options.is_live(&named.name).expect("asked"),
                "{kind}"
            );
            let found = named
                .options
                .open(&named.name)
                .expect("what it left is whole");
            let mut copy = [0; 4];
            found.read_at(0, &mut copy).expect("inside");
            assert_eq!(&copy, b"mine");
            let error = named
                .options
                .create(&named.name)
                .expect_err("we are attached");
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
            drop(found);
            let fresh = named
                .options
                .create(&named.name)
                .expect("stale is replaced");
            fresh.read_at(0, &mut copy).expect("inside");
            assert_eq!(copy, [0; 4], "nothing of the old one");
            drop(child);
        }
    });
}

pub(crate) fn create_until_killed(stage: Stage) {
    let (options, name) = staged(&stage);
    std::fs::write(stage.argument(3), "begun").expect("ours");
    loop {
        match options.open_or_create(&name) {
            Ok(region) => region.write_at(0, &[7; 64]).expect("inside"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
        }
        let _ = options.unlink(&name);
    }
}

#[test]
fn a_creator_killed_at_any_time_leaves_a_name_that_can_be_taken_up() {
    let _watchdog = watchdog(PATIENCE);
    for kind in NAMED {
        let named = Named::new(kind);
        for round in 0..25u32 {
            let begun = named.dir.join(format!("begun {round}"));
            let child = named
                .role("killed creator", kind)
                .argument(begun.display())
                .spawn();
            // Some die before they begin, most in the middle of making or removing. Its word that
            // it began is waited for, not its name: that comes and goes, and on one processor it
            // is seldom there when this process has its turn.
            if !round.is_multiple_of(5) {
                wait_for(&begun);
            }
            // Spun, not yielded: beside a busy process each yield costs a slice.
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_micros(150) * round {
                std::hint::spin_loop();
            }
            child.kill();
            let id = child.id();
            child.wait();
            let region = named.options.open_or_create(&named.name).expect("taken up");
            region.verify().expect("whole");
            region.write_at(100, b"works").expect("inside");
            assert!(named.options.try_open(&named.name).is_ok());
            named.options.unlink(&named.name).expect("there");
            drop(region);
            await_no_segment_of(id, &format!("{kind}, round {round}"));
        }
    }
}

/// No System V segment of a process is there for long. One that is removed goes with the last
/// memory that has it, and whoever looks at a dead process in `/proc` keeps its memory for a
/// moment longer; one that nobody has removed is there for ever, and a failure at once.
#[track_caller]
fn await_no_segment_of(pid: u32, when: &str) {
    const REMOVED: u32 = 0o1000;
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let table = std::fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
        let of_it = |line: &&str| line.split_whitespace().nth(4) == Some(&pid.to_string());
        let Some(line) = table.lines().find(of_it) else {
            return;
        };
        let mode = line.split_whitespace().nth(2);
        let mode = mode.and_then(|mode| u32::from_str_radix(mode, 8).ok());
        let goes = mode.is_some_and(|mode| mode & REMOVED != 0);
        assert!(goes && Instant::now() < deadline, "{when}: {line}");
        std::thread::yield_now();
    }
}

pub(crate) fn replace_and_check(stage: Stage) {
    let (mut options, name) = staged(&stage);
    options.replace_stale(true);
    let me = u64::from(std::process::id());
    let mut made = 0;
    while made < 100 {
        match options.create(&name) {
            Ok(region) => {
                made += 1;
                region.write(8, &me).expect("inside");
                // While we are attached nobody takes the name from us.
                let found = options.open(&name).expect("ours is still there");
                assert_eq!(found.read::<u64>(8).expect("inside"), me);
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
                match options.open(&name) {
                    Ok(region) => region.verify().expect("whole"),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
                }
            }
        }
    }
}

#[test]
fn many_that_replace_stale_objects_never_take_a_living_ones() {
    let _watchdog = watchdog(PATIENCE);
    for kind in NAMED {
        let named = Named::new(kind);
        let children: Vec<_> = (0..4)
            .map(|_| named.role("replace and check", kind).spawn())
            .collect();
        children.into_iter().for_each(ipc_testkit::Child::done);
    }
}

/// What a creator leaves that died after so many of its steps.
pub(crate) fn half_made(path: &Path, step: usize) -> OwnedFd {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let fd = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).expect("new");
    if step > 0 {
        rustix::io::pwrite(&fd, MAKING, 0).expect("ours");
    }
    if step > 1 {
        rustix::fs::ftruncate(&fd, 10_000).expect("ours");
    }
    if step > 2 {
        rustix::io::pwrite(&fd, &crate::headers::good_header(0)[8..], 8).expect("ours");
    }
    fd
}

#[test]
fn each_step_of_a_dead_maker_is_no_object_and_is_taken_over() {
    isolated!({
        for kind in NAMED {
            for step in 0..4 {
                for create in [true, false] {
                    let named = Named::new(kind);
                    drop(
                        named
                            .options
                            .create(&named.name)
                            .expect("makes the directory, too"),
                    );
                    named.options.unlink(&named.name).expect("there");
                    drop(half_made(&named.path(), step));
                    for outcome in [
                        named.options.open(&named.name),
                        named.options.try_open(&named.name),
                        named.options.open_timeout(&named.name, PATIENCE),
                    ] {
                        let error = outcome.expect_err("half-made");
                        assert_eq!(error.kind(), ErrorKind::NotFound, "{kind} {step}: {error}");
                        assert!(error.to_string().contains("creator died"), "{error}");
                    }
                    let region = match create {
                        true => named.options.create(&named.name),
                        false => named.options.open_or_create(&named.name),
                    };
                    let region = region.expect("taken over");
                    region.verify().expect("whole");
                    assert_eq!(region.len_bytes(), 4096);
                    let mut bytes = vec![1; 4096];
                    region.read_at(0, &mut bytes).expect("inside");
                    assert!(bytes.iter().all(|byte| *byte == 0));
                }
            }
        }
    });
}

#[test]
fn a_maker_killed_under_a_umask_that_keeps_itself_out_is_taken_over() {
    use std::os::unix::fs::PermissionsExt;
    let closed = || std::fs::Permissions::from_mode(0o0);
    isolated!({
        for kind in NAMED {
            let named = Named::new(kind);
            drop(named.options.create(&named.name).expect("new"));
            named.options.unlink(&named.name).expect("there");
            std::fs::File::create_new(named.path())
                .and_then(|file| file.set_permissions(closed()))
                .expect("free");
            if kind == Backing::SystemV {
                let directory = named.path();
                let directory = directory.parent().expect("a directory");
                std::fs::set_permissions(directory, closed()).expect("ours");
            }
            let error = named.options.open(&named.name).expect_err("half-made");
            assert_eq!(error.kind(), ErrorKind::NotFound, "{kind}: {error}");
            let region = named.options.open_or_create(&named.name);
            region.expect("taken over").verify().expect("whole");
        }
    });
}

#[test]
fn an_opener_waits_for_a_living_maker_and_in_its_time_only() {
    let _watchdog = watchdog(PATIENCE);
    for kind in [Backing::Posix, Backing::File] {
        let named = Named::new(kind);
        let fd = half_made(&named.path(), 1);
        crate::fork::lock_first_byte(&fd);
        let error = named.options.try_open(&named.name).expect_err("being made");
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
        let short = Duration::from_millis(30);
        let error = named
            .options
            .open_timeout(&named.name, short)
            .expect_err("too long");
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        let error = named
            .options
            .open_or_create_timeout(&named.name, short)
            .expect_err("too long");
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        let error = named.options.create(&named.name).expect_err("being made");
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
        std::thread::scope(|scope| {
            let opener = scope.spawn(|| named.options.open(&named.name));
            let timed = scope.spawn(|| named.options.open_timeout(&named.name, PATIENCE));
            std::thread::sleep(Duration::from_millis(20));
            // The maker goes on: storage, header, and the first bytes last.
            let total = ipc_shm::DATA_OFFSET as u64 + 5000;
            rustix::fs::fallocate(&fd, rustix::fs::FallocateFlags::empty(), 0, total)
                .expect("room");
            let header = crate::headers::good_header(0);
            rustix::io::pwrite(&fd, &header[8..], 8).expect("ours");
            rustix::io::pwrite(&fd, &header[..8], 0).expect("ours");
            for opener in [opener, timed] {
                let region = opener.join().expect("no panic").expect("whole now");
                assert_eq!(region.len_bytes(), 5000);
            }
        });
    }
}

#[test]
fn an_opener_that_waits_sees_the_maker_die() {
    let _watchdog = watchdog(PATIENCE);
    let named = Named::new(Backing::Posix);
    let fd = half_made(&named.path(), 1);
    crate::fork::lock_first_byte(&fd);
    std::thread::scope(|scope| {
        let opener = scope.spawn(|| named.options.open(&named.name));
        std::thread::sleep(Duration::from_millis(20));
        drop(fd);
        let error = opener.join().expect("no panic").expect_err("never whole");
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    });
}

#[test]
fn a_forked_childs_drop_leaves_the_name() {
    // A role is another process that drops its own handle; a fork shares even the process's
    // memory, so the handle itself knows who made it.
    isolated!({
        for kind in NAMED {
            let mut named = Named::new(kind);
            named.options.unlink_on_drop(true);
            let region = named.options.create(&named.name).expect("new");
            let mut handle = Some(region);
            crate::fork::in_child(|| {
                let last = handle.take().expect("the only one");
                assert!(!last.unlink().expect("no error"));
                drop(last);
            });
            assert!(named.path().exists(), "{kind}");
            drop(handle);
            assert!(!named.path().exists(), "{kind}");
        }
    });
}

#[test]
fn after_a_kill_anonymous_memory_is_gone() {
    let _watchdog = watchdog(PATIENCE);
    let region = Options::new()
        .size_bytes(4096)
        .backing(Backing::SystemV)
        .anonymous()
        .expect("made");
    let id = region.id().expect("a segment");
    let child = Role::new("attach by id")
        .argument(id)
        .argument("stay")
        .spawn();
    let mut mark = [0];
    while mark != [1] {
        region.read_at(0, &mut mark).expect("inside");
        std::thread::yield_now();
    }
    drop(region);
    let still = Options::new().attach_id(id).expect("the child keeps it");
    drop(still);
    child.kill();
    child.wait();
    let error = Options::new()
        .attach_id(id)
        .expect_err("gone with the last");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}
