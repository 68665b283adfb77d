//! Segments shared with an independent program on the crate `shared_memory`.

use ipc_shm::{ErrorKind, Options, Region};
use ipc_testkit::{Child, Role, Stage, isolated, watchdog, without_stdio};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const SIZE: usize = 10_000;

/// A fresh name, gone when the test ends.
struct Segment(String);

impl Segment {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(format!("ipc-test-upstream-{}-{serial}", std::process::id()))
    }

    fn path(&self) -> PathBuf {
        Path::new("/dev/shm").join(&self.0)
    }

    fn role(&self, what: &str) -> Child {
        Role::new("upstream program")
            .argument(what)
            .argument(&self.0)
            .spawn()
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.path());
    }
}

/// An independent program: nothing of ours but the role's frame.
pub(crate) fn program(stage: Stage) {
    let id = format!("/{}", stage.argument(1));
    let conf = shared_memory::ShmemConf::new().os_id(id);
    let segment = match stage.argument(0) {
        "create" => conf.size(SIZE).create(),
        _ => conf.open(),
    };
    let segment = segment.expect("the crate makes or finds it");
    let word = crate::fork::word_of(&segment);
    match stage.argument(0) {
        "create" => {
            crate::fork::fill(&segment, 64, b"from upstream");
            word.store(1, Ordering::Release);
            while word.load(Ordering::Acquire) != 2 {
                std::thread::yield_now();
            }
        }
        "add" => drop(word.fetch_add(1, Ordering::AcqRel)),
        other => panic!("nothing to do: {other}"),
    }
}

#[test]
fn an_upstream_program_changes_a_segment_of_ours() {
    let _watchdog = watchdog(PATIENCE);
    let segment = Segment::new();
    let mut options = Options::new();
    options.size_bytes(SIZE);
    let region = options
        .create_trusted_shared_memory(&segment.0)
        .expect("new");
    assert_eq!(region.len_bytes(), SIZE);
    region
        .atomic_u32(0)
        .expect("inside")
        .store(40, Ordering::Release);
    segment.role("add").done();
    segment.role("add").done();
    assert_eq!(region.load_u32(0, Ordering::Acquire).expect("inside"), 42);
    region.verify().expect("whole, and reserved");
    assert!(options.is_live(&segment.0).expect("asked"));
    let error = options
        .create_trusted_shared_memory(&segment.0)
        .expect_err("exists");
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert!(region.unlink().expect("ours"));
    assert!(!segment.path().exists());
}

#[test]
fn a_segment_of_an_upstream_program_is_opened_and_left_to_it() {
    let _watchdog = watchdog(PATIENCE);
    let segment = Segment::new();
    let child = segment.role("create");
    let region = loop {
        match Options::new().open_trusted_shared_memory(&segment.0) {
            Ok(region) => break region,
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
        }
        std::thread::yield_now();
    };
    while region.load_u32(0, Ordering::Acquire).expect("inside") != 1 {
        std::thread::yield_now();
    }
    let mut copy = [0; 13];
    region.read_at(64, &mut copy).expect("inside");
    assert_eq!(&copy, b"from upstream");
    assert!(!region.unlink().expect("no error"), "it is the other's");
    drop(region.clone());
    assert!(segment.path().exists());
    region
        .atomic_u32(0)
        .expect("inside")
        .store(2, Ordering::Release);
    child.done();
    assert!(!segment.path().exists(), "its owner removes it");
    region
        .read_at(64, &mut copy)
        .expect("those attached keep it");
}

#[test]
fn a_newer_owners_segment_is_never_unlinked() {
    let segment = Segment::new();
    let mut options = Options::new();
    options.size_bytes(SIZE).unlink_on_drop(true);
    let first = options
        .create_trusted_shared_memory(&segment.0)
        .expect("new");
    std::fs::remove_file(segment.path()).expect("somebody takes the name away");
    let second = options
        .create_trusted_shared_memory(&segment.0)
        .expect("new again");
    drop(first);
    assert!(segment.path().exists(), "the name is the second's");
    drop(second);
    assert!(!segment.path().exists());
}

#[test]
fn squats_bad_names_and_missing_segments_are_refused() {
    isolated!({
        let segment = Segment::new();
        let open = |id: &str| Options::new().open_trusted_shared_memory(id).map(drop);
        assert_eq!(
            open(&segment.0).expect_err("none").kind(),
            ErrorKind::NotFound
        );
        assert_eq!(
            open("../etc/passwd").expect_err("no name").kind(),
            ErrorKind::InvalidInput
        );
        std::os::unix::fs::symlink("/etc/passwd", segment.path()).expect("ours");
        assert_eq!(
            open(&segment.0).expect_err("a link").kind(),
            ErrorKind::WrongType
        );
        std::fs::remove_file(segment.path()).expect("there");
        std::fs::write(segment.path(), "").expect("ours");
        assert_eq!(
            open(&segment.0).expect_err("no size yet").kind(),
            ErrorKind::NotFound
        );
        let error = Options::new()
            .size_bytes(10)
            .read_only(true)
            .create_trusted_shared_memory("x")
            .expect_err("it maps for writing");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn closed_standard_streams_do_not_confuse_the_crate() {
    isolated!({
        let segment = Segment::new();
        let make = || -> Region {
            let mut options = Options::new();
            options.size_bytes(SIZE).unlink_on_drop(true);
            options
                .create_trusted_shared_memory(&segment.0)
                .expect("new")
        };
        // Its descriptor 0 would leak, and the kit sees leaks.
        let region = without_stdio(make);
        region.write_at(0, b"x").expect("inside");
    });
}
