//! Watches: what happens is told, what is lost is told too.

use ipc_async::Async;
use ipc_core::{Interest, Pollable, Until};
use ipc_file::{Change, ChangeKind, ErrorKind, Options, Watch, watch};
use ipc_testkit::{Storm, TempDir, watchdog};
use std::ffi::OsStr;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(5);

/// What is told up to now.
fn all(watch: &Watch) -> Vec<(ChangeKind, String)> {
    let mut changes = Vec::new();
    while let Ok(Change { kind, name, .. }) = watch.try_recv() {
        changes.push((
            kind,
            name.unwrap_or_default().to_string_lossy().into_owned(),
        ));
    }
    changes
}

/// Receives until `kind` of `name` comes.
fn until(watch: &Watch, kind: ChangeKind, name: &str) -> Change {
    loop {
        let change = watch.recv().expect("it comes");
        if change.kind == kind && change.name.as_deref().unwrap_or(OsStr::new("")) == name {
            return change;
        }
    }
}

#[test]
fn a_directory_tells_what_happens_in_it() {
    let dir = TempDir::new();
    let watch = watch().expect("a watch");
    let id = watch.add(dir.path()).expect("a directory");
    std::fs::write(dir.join("a"), "x").expect("ours");
    std::fs::rename(dir.join("a"), dir.join("b")).expect("ours");
    std::fs::remove_file(dir.join("b")).expect("ours");
    let first = watch.recv().expect("told");
    assert_eq!((first.watch, first.kind), (Some(id), ChangeKind::Created));
    let rest = all(&watch);
    let expected = [
        (ChangeKind::Modified, "a"),
        (ChangeKind::Closed, "a"),
        (ChangeKind::MovedAway, "a"),
        (ChangeKind::MovedHere, "b"),
        (ChangeKind::Removed, "b"),
    ];
    let expected = expected.map(|(kind, name)| (kind, name.to_owned()));
    assert_eq!(rest, expected);
    watch.remove(id);
    std::fs::write(dir.join("c"), "x").expect("ours");
    assert_eq!(all(&watch), []);
}

#[test]
fn a_file_is_watched_by_name_before_it_is_there_and_after_it_is_replaced() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let watch = watch().expect("a watch");
    watch.add(dir.join("f")).expect("not there yet");
    std::fs::write(dir.join("other"), "x").expect("ours");
    std::fs::write(dir.join("f"), "x").expect("ours");
    assert_eq!(watch.recv().expect("told").kind, ChangeKind::Created);
    until(&watch, ChangeKind::Closed, "f");
    let document = ipc_file::open_document(dir.join("f")).expect("a document");
    document.replace(b"y").expect("room");
    let change = until(&watch, ChangeKind::MovedHere, "f");
    assert_ne!(change.cookie, 0);
    std::fs::remove_file(dir.join("f")).expect("ours");
    until(&watch, ChangeKind::Removed, "f");
    assert_eq!(all(&watch), []);
}

#[test]
fn every_form_receives_and_none_waits_too_short() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let watch = watch().expect("a watch");
    watch.add(dir.path()).expect("a directory");
    let nothing = watch.try_recv().expect_err("nothing");
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    let start = Instant::now();
    let nothing = watch.recv_timeout(SHORT).expect_err("nothing");
    assert_eq!(nothing.kind(), ErrorKind::TimedOut);
    assert!(start.elapsed() >= SHORT);
    assert!(watch.wait_ready(&[Interest::Read], Until::Now).is_err());
    std::fs::write(dir.join("a"), "x").expect("ours");
    watch
        .wait_ready(&[Interest::Read], Until::Forever)
        .expect("told");
    watch.recv().expect("told");
    watch.recv_timeout(Duration::MAX).expect("told");
    watch.recv_deadline(start + PATIENCE).expect("told");
}

#[test]
fn a_directory_that_goes_ends_its_watch() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    std::fs::create_dir(dir.join("d")).expect("ours");
    let watch = watch().expect("a watch");
    watch.add(dir.join("d")).expect("a directory");
    std::fs::remove_dir(dir.join("d")).expect("ours");
    until(&watch, ChangeKind::Gone, "");
    assert_eq!(all(&watch), []);
}

#[test]
fn changes_can_be_awaited_and_a_storm_changes_nothing() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let watched = watch().expect("a watch");
    watched.add(dir.path()).expect("a directory");
    let write = |count: u32| {
        (0..count).for_each(|n| std::fs::write(dir.join(format!("{n}")), "").expect("ours"));
    };
    std::thread::scope(|scope| {
        scope.spawn(|| write(200));
        let storm = Storm::here();
        let mut created = 0;
        while created < 200 {
            created += u32::from(watched.recv().expect("told").kind == ChangeKind::Created);
        }
        assert!(storm.sent() > 0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let watched = Async::new(watched).expect("a descriptor");
        std::thread::scope(|scope| {
            scope.spawn(|| std::fs::create_dir(dir.join("last")).expect("ours"));
        });
        loop {
            let change = watched
                .ready(Interest::Read, Watch::try_recv)
                .await
                .expect("told");
            if change.name.is_some_and(|name| name == "last") {
                break;
            }
        }
    });
}

#[test]
fn an_overflow_is_told_and_a_look_at_what_is_there_follows() {
    let _watchdog = watchdog(PATIENCE);
    let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events");
    let limit: u32 = match limit.map(|text| text.trim().parse()) {
        Ok(Ok(limit)) if limit <= 100_000 => limit,
        _ => ipc_testkit::skip!("this host's inotify queue is too long to fill, or not known"),
    };
    let dir = TempDir::new();
    let watch = watch().expect("a watch");
    let id = watch.add(dir.path()).expect("a directory");
    std::fs::write(dir.join("a"), "").expect("ours");
    std::fs::write(dir.join("b"), "").expect("ours");
    // Two events that differ, in turn: equal ones in a row are one.
    for _ in 0..=limit / 2 {
        std::fs::rename(dir.join("a"), dir.join("c")).expect("ours");
        std::fs::rename(dir.join("c"), dir.join("a")).expect("ours");
    }
    std::fs::write(dir.join("late"), "").expect("ours");
    let changes = all(&watch);
    let at = changes
        .iter()
        .position(|(kind, _)| *kind == ChangeKind::Overflow);
    let after: Vec<_> = changes[at.expect("told") + 1..].to_vec();
    let expected = [
        (ChangeKind::Found, "a"),
        (ChangeKind::Found, "b"),
        (ChangeKind::Found, "late"),
        (ChangeKind::Rescanned, ""),
    ];
    assert_eq!(after, expected.map(|(kind, name)| (kind, name.to_owned())));
    std::fs::remove_file(dir.join("late")).expect("ours");
    let change = watch.recv().expect("told as before");
    assert_eq!((change.watch, change.kind), (Some(id), ChangeKind::Removed));
}

#[test]
fn a_file_system_that_tells_nothing_is_refused_by_name_unless_it_is_polled() {
    let plain = watch().expect("a watch");
    let error = plain.add("/proc/self").expect_err("proc");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let text = error.to_string();
    assert!(
        text.contains("proc") && text.contains("Options::polling"),
        "{text}"
    );
    let polled = Options::new().polling(SHORT).watch().expect("a watch");
    polled.add("/proc/self/fd").expect("polled");
}

#[test]
fn polling_tells_what_shows_at_the_next_look_also_where_a_clock_went_back() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let watch = Options::new().polling(SHORT).watch().expect("a watch");
    std::fs::write(dir.join("a"), "x").expect("ours");
    watch.add(dir.path()).expect("a directory");
    watch.add(dir.join("one")).expect("not there yet");
    std::fs::write(dir.join("one"), "x").expect("ours");
    for _ in 0..2 {
        assert_eq!(watch.recv().expect("told").kind, ChangeKind::Created);
    }
    assert_eq!(
        watch.try_recv().expect_err("nothing").kind(),
        ErrorKind::WouldBlock
    );
    let file = std::fs::File::open(dir.join("a")).expect("ours");
    file.set_modified(std::time::SystemTime::UNIX_EPOCH)
        .expect("ours");
    until(&watch, ChangeKind::Modified, "a");
    std::fs::remove_file(dir.join("a")).expect("ours");
    until(&watch, ChangeKind::Removed, "a");
}

#[test]
fn a_log_and_a_spool_can_be_polled() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let mut options = Options::new();
    options.polling(SHORT);
    let log = ipc_file::open_log(dir.join("l")).expect("a log");
    let reader = options.follow(dir.join("l")).expect("a reader");
    let spool = options.open_spool(dir.join("s")).expect("a spool");
    let other = ipc_file::open_spool(dir.join("s")).expect("the same");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            log.append(b"x").expect("room");
            other.deliver(b"y").expect("room");
        });
        assert_eq!(reader.recv(&mut [0; 8]).expect("it comes"), 1);
        spool.claim().expect("it comes").finish().expect("finished");
    });
}
