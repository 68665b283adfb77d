//! Paths: their mode, their length, who removes them, and who takes over a dead owner's.

use ipc_core::Name;
use ipc_testkit::{Role, Stage, TempDir, isolated, set_umask, watchdog};
use ipc_uds::{Address, ErrorKind, MAX_PATH_BYTES, Options};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_path_has_exactly_its_mode_whatever_the_umask() {
    isolated!({
        let dir = TempDir::new();
        for (at, umask) in [0, 0o022, 0o077, 0o777].into_iter().enumerate() {
            for mode in [None, Some(0o600), Some(0o622), Some(0o666), Some(0o777)] {
                let mut options = Options::new();
                if let Some(mode) = mode {
                    options.mode(mode);
                }
                let path = dir.join(format!("{at} {mode:?}"));
                let before = set_umask(umask);
                let listener = options.bind(&path);
                let datagram = options.bind_datagram(dir.join("datagram"));
                set_umask(before);
                for path in [path, dir.join("datagram")] {
                    let found = std::fs::metadata(path).expect("there").permissions();
                    let mode = mode.unwrap_or(0o600);
                    assert_eq!(found.mode() & 0o7777, mode, "umask {umask:o}");
                }
                drop((listener.expect("bind"), datagram.expect("bind")));
            }
        }
        let error = Options::new()
            .mode(0o4600)
            .bind(dir.join("x"))
            .expect_err("set-id");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn the_longest_path_works_and_one_more_byte_is_too_large() {
    let dir = TempDir::new();
    let fill = |bytes: usize| {
        let name = "n".repeat(bytes - dir.path().as_os_str().len() - 1);
        dir.join(name)
    };
    let longest = fill(MAX_PATH_BYTES);
    let listener = ipc_uds::bind(&longest).expect("107 bytes");
    ipc_uds::connect(&longest).expect("107 bytes");
    let address = listener.address().expect("it has one");
    assert_eq!(address.as_path(), Some(longest.as_path()));
    for bytes in [108, 109, 4096, 100_000] {
        let long = Path::new("/").join("n".repeat(bytes - 1));
        for outcome in [
            ipc_uds::bind(&long).map(drop),
            ipc_uds::bind_datagram(&long).map(drop),
            ipc_uds::connect(&long).map(drop),
            Address::path(&long).map(drop),
            Address::abstract_name(vec![b'n'; bytes]).map(drop),
        ] {
            let error = outcome.expect_err("too long");
            assert_eq!(error.kind(), ErrorKind::TooLarge);
            let text = error.to_string();
            assert!(text.contains("107") && text.len() < 400, "{text}");
        }
    }
}

#[test]
fn a_named_socket_lives_in_a_private_directory() {
    let dir = TempDir::new();
    let mut options = Options::new();
    options.directory(dir.join("run"));
    let name = Name::new("/jobs").expect("a good name");
    let path = options.path_of(&name).expect("a private directory");
    let listener = options.bind(&path).expect("bind");
    assert_eq!(
        listener.address().expect("named").as_path(),
        Some(&*dir.join("run/jobs"))
    );
    options.connect(&path).expect("connect");
    let folder = std::fs::metadata(dir.join("run")).expect("made");
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_directory_replaced_after_it_was_checked_is_not_fallen_for() {
    isolated!({
        let dir = TempDir::new();
        let run = dir.join("run");
        let mut options = Options::new();
        options.directory(&run).replace_stale(true);
        let name = Name::new("jobs").expect("a good name");
        let place = options.path_of(&name).expect("checked");
        let listener = options.bind(&place).expect("bind");
        // Somebody takes the directory away, and serves a trap at its path.
        std::fs::rename(&run, dir.join("moved")).expect("ours");
        std::fs::create_dir(&run).expect("ours");
        let trap = std::os::unix::net::UnixListener::bind(run.join("jobs")).expect("bind");
        trap.set_nonblocking(true).expect("a flag");
        let client = options.connect(&place).expect("the one beneath");
        listener.try_accept().expect("it came here");
        options
            .connect_seqpacket(&place)
            .expect_err("a stream is there");
        assert!(trap.accept().is_err(), "nobody went to the trap");
        drop(client);
        let taken = options.bind(&place).expect_err("it lives");
        assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
        drop(listener);
        assert!(!dir.join("moved/jobs").exists(), "it removes its own");
        assert!(!dir.join("moved/jobs.lock").exists());
        assert!(run.join("jobs").exists(), "and nobody else's");
        // The kernel binds by path alone: what then does not stand beneath is no success.
        std::fs::remove_file(run.join("jobs")).expect("ours");
        for outcome in [
            options.bind(&place).map(drop),
            options.bind_seqpacket(&place).map(drop),
            options.bind_datagram(&place).map(drop),
        ] {
            assert_eq!(outcome.expect_err("elsewhere").kind(), ErrorKind::Denied);
        }
        assert_eq!(std::fs::read_dir(&run).expect("there").count(), 0);
    });
}

#[test]
fn a_listener_removes_its_own_path_alone() {
    let dir = TempDir::new();
    let path = dir.join("socket");
    let first = ipc_uds::bind(&path).expect("bind");
    // Somebody moves it away and puts another in its place.
    std::fs::rename(&path, dir.join("moved")).expect("ours");
    let second = ipc_uds::bind(&path).expect("the place is free");
    drop(first);
    ipc_uds::connect(&path).expect("the second still has its path");
    drop(second);
    assert!(!path.exists());
    // In a stale path's place another kind of thing is as safe.
    let third = ipc_uds::bind(&path).expect("bind");
    std::fs::remove_file(&path).expect("ours");
    std::fs::write(&path, "precious").expect("a file");
    drop(third);
    assert_eq!(std::fs::read(&path).expect("there"), b"precious");
}

#[test]
fn an_unlinked_or_never_bound_path_is_not_found_and_a_dead_one_refused() {
    isolated!({
        let dir = TempDir::new();
        let path = dir.join("socket");
        let missing = ipc_uds::connect(&path).expect_err("nothing there");
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        let listener = ipc_uds::bind(&path).expect("bind");
        std::fs::remove_file(&path).expect("ours");
        let missing = ipc_uds::connect(&path).expect_err("unlinked");
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        drop(listener);
        drop(std::os::unix::net::UnixListener::bind(&path).expect("bind"));
        let dead = ipc_uds::connect(&path).expect_err("stale");
        assert_eq!(dead.kind(), ErrorKind::Refused);
        assert!(dead.to_string().contains("replace_stale"), "{dead}");
        let taken = ipc_uds::bind(&path).expect_err("stale, and not asked to replace");
        assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
        assert!(taken.to_string().contains("replace_stale"), "{taken}");
    });
}

#[test]
fn a_stale_path_of_any_kind_is_taken_over_and_a_live_one_never() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let dir = TempDir::new();
        let path = dir.join("socket");
        let options = Options::new().replace_stale(true).clone();
        let leave = |kind| {
            let fd = rustix::net::socket(rustix::net::AddressFamily::UNIX, kind, None);
            let fd = fd.expect("a socket");
            let address = rustix::net::SocketAddrUnix::new(&path).expect("short");
            rustix::net::bind(&fd, &address).expect("bind");
            fd
        };
        for kind in [
            rustix::net::SocketType::STREAM,
            rustix::net::SocketType::SEQPACKET,
            rustix::net::SocketType::DGRAM,
        ] {
            // Bound by a program that knows nothing of our lock, and not even listening yet.
            let live = leave(kind);
            for outcome in [
                options.bind(&path).map(drop),
                options.bind_seqpacket(&path).map(drop),
                options.bind_datagram(&path).map(drop),
            ] {
                let error = outcome.expect_err("it lives");
                assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{kind:?}");
            }
            drop(live);
            drop(options.bind(&path).expect("stale"));
            drop(leave(kind));
            drop(options.bind_seqpacket(&path).expect("stale"));
            drop(leave(kind));
            drop(options.bind_datagram(&path).expect("stale"));
            drop(leave(kind));
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).expect("ours");
            drop(
                options
                    .bind(&path)
                    .expect("stale, left before its mode was set"),
            );
        }
        let ours = options.bind(&path).expect("bind");
        let error = options.bind(&path).expect_err("we live");
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(error.to_string().contains("live process"), "{error}");
        ipc_uds::connect(&path).expect("the first is unharmed");
        assert!(ours.try_accept().is_ok());
        assert!(
            ours.try_accept().is_err(),
            "asking was not seen as a client"
        );
        drop(ours);
        // Neither path nor lock stays behind.
        assert_eq!(std::fs::read_dir(dir.path()).expect("there").count(), 0);
    });
}

#[test]
fn after_a_kill_the_next_start_takes_over() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let dir = TempDir::new();
        let path = dir.join("socket");
        for _ in 0..10 {
            let (told, tell) = ipc_uds::pair().expect("a pair");
            let child = Role::new("racing binder")
                .argument(path.display())
                .descriptor(tell.as_fd())
                .spawn();
            drop(tell);
            let mut word = [0; 1];
            told.recv(&mut word).expect("it says how it went");
            assert_eq!(&word, b"w");
            child.kill();
            child.wait();
            assert!(path.exists(), "a kill leaves the path");
            let dead = ipc_uds::connect(&path).expect_err("nobody listens");
            assert_eq!(dead.kind(), ErrorKind::Refused);
        }
        let listener = Options::new().replace_stale(true).bind(&path);
        listener.expect("it is free again");
    });
}

/// Tries to bind argument 0, and says `w` for won or `l` for lost; a winner stays until the
/// other side hangs up.
pub(crate) fn race_to_bind(mut stage: Stage) {
    let tell = ipc_uds::Stream::from(stage.descriptor());
    match Options::new().replace_stale(true).bind(stage.argument(0)) {
        Ok(listener) => {
            tell.send(b"w").expect("somebody asks");
            let _ = tell.recv(&mut [0; 1]);
            drop(listener);
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
            tell.send(b"l").expect("somebody asks");
        }
    }
}

#[test]
fn of_many_that_race_for_a_stale_path_exactly_one_wins() {
    isolated!({
        const RACERS: usize = 25;
        let _watchdog = watchdog(PATIENCE);
        let dir = TempDir::new();
        let path = dir.join("socket");
        for _ in 0..4 {
            drop(std::os::unix::net::UnixListener::bind(&path).expect("a stale path"));
            let racers: Vec<_> = (0..RACERS)
                .map(|_| {
                    let (told, tell) = ipc_uds::pair().expect("a pair");
                    let racer = Role::new("racing binder")
                        .argument(path.display())
                        .descriptor(tell.as_fd())
                        .spawn();
                    (told, racer)
                })
                .collect();
            let winners = racers
                .iter()
                .filter(|(told, _)| {
                    let mut word = [0; 1];
                    told.recv(&mut word).expect("it says how it went");
                    &word == b"w"
                })
                .count();
            assert_eq!(winners, 1);
            ipc_uds::connect(&path).expect("the winner listens");
            for (told, racer) in racers {
                drop(told);
                racer.done();
            }
            assert_eq!(std::fs::read_dir(dir.path()).expect("there").count(), 0);
        }
    });
}

#[test]
fn of_a_hundred_threads_that_race_exactly_one_wins() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let dir = TempDir::new();
        let path = dir.join("socket");
        for _ in 0..10 {
            drop(std::os::unix::net::UnixListener::bind(&path).expect("a stale path"));
            let start = std::sync::Barrier::new(100);
            let outcomes: Vec<_> = std::thread::scope(|scope| {
                let racers: Vec<_> = (0..100)
                    .map(|_| {
                        scope.spawn(|| {
                            start.wait();
                            Options::new().replace_stale(true).bind(&path)
                        })
                    })
                    .collect();
                let join =
                    |racer: std::thread::ScopedJoinHandle<'_, _>| racer.join().expect("no panic");
                racers.into_iter().map(join).collect()
            });
            assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
            for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
                assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
            }
        }
    });
}
