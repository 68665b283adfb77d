//! Names of System V queues: key files, whole, half-made, foreign, and made by many at once.

use crate::generator::Generator;
use crate::sysv::Removed;
use ipc_mq::ErrorKind;
use ipc_mq::sysv::{Options, Queue, Select};
use ipc_testkit::{Role, Stage, TempDir, isolated, skip, watchdog};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

struct Place {
    options: Options,
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = TempDir::new();
        let mut options = Options::new();
        options.directory(dir.join("run"));
        Self { options, dir }
    }

    fn file(&self) -> PathBuf {
        self.dir.join("run").join("jobs.mq")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.options.unlink("jobs");
    }
}

#[test]
fn a_name_leads_to_the_queue_until_it_is_unlinked() {
    let place = Place::new();
    let options = &place.options;
    for error in [
        options.open("jobs").map(drop).expect_err("none"),
        options.unlink("jobs").expect_err("none"),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
    let queue = options.create("/jobs").expect("new");
    let mode = std::fs::metadata(place.file())
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let twice = options.create("jobs").map(drop).expect_err("there");
    assert_eq!(twice.kind(), ErrorKind::AlreadyExists);
    options
        .open("jobs")
        .expect("there")
        .send(b"x", 3)
        .expect("room");
    assert_eq!(
        queue.recv(&mut [0; 8], Select::First).expect("there").kind,
        3
    );
    assert_eq!(
        options.open_or_create("jobs").expect("there").id(),
        queue.id()
    );
    options.unlink("jobs").expect("there");
    assert_eq!(
        queue.status().expect_err("removed").kind(),
        ErrorKind::NotFound
    );
    assert!(!place.file().exists());
}

#[test]
fn a_queue_that_others_removed_is_gone_by_name_and_made_anew() {
    let place = Place::new();
    let queue = place.options.create("jobs").expect("new");
    queue.remove().expect("there");
    let error = place.options.open("jobs").map(drop).expect_err("gone");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    let anew = place.options.open_or_create("jobs").expect("anew");
    assert_ne!(anew.id(), queue.id());
    anew.remove().expect("there");
    place
        .options
        .unlink("jobs")
        .expect("the file alone is left");
}

#[test]
fn a_file_that_holds_no_key_is_refused_and_left_as_it_is() {
    let place = Place::new();
    let made = place.options.create("jobs");
    made.expect("makes the directory, too");
    place.options.unlink("jobs").expect("there");
    let mut random = Generator::new(7);
    let mut bad: Vec<Vec<u8>> = [
        "0",
        "00000000 1\n",
        "ffffffff 1\n",
        "0000000g 1\n",
        "1 1\n",
        "12345678 2\n",
        "12345678 1",
        "12345678 1\nx",
        "-1234567 1\n",
        "+1234567 1\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    bad.extend((0..200).map(|_| {
        let length = 1 + random.below(30);
        random.bytes(length)
    }));
    for bytes in bad {
        std::fs::write(place.file(), &bytes).expect("ours");
        for outcome in [
            place.options.open("jobs").map(drop),
            place.options.create("jobs").map(drop),
            place.options.open_or_create("jobs").map(drop),
            place.options.unlink("jobs"),
        ] {
            let error = outcome.expect_err("no key");
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{bytes:?}: {error}");
        }
        assert_eq!(std::fs::read(place.file()).expect("there"), bytes);
    }
    std::fs::remove_file(place.file()).expect("there");
    let victim = place.dir.join("victim");
    std::fs::write(&victim, "precious").expect("ours");
    symlink(&victim, place.file()).expect("ours");
    for outcome in [
        place.options.open("jobs").map(drop),
        place.options.create("jobs").map(drop),
        place.options.unlink("jobs"),
    ] {
        assert_eq!(outcome.expect_err("a link").kind(), ErrorKind::WrongType);
    }
    assert_eq!(std::fs::read(&victim).expect("there"), b"precious");
    std::fs::remove_file(place.file()).expect("there");
}

#[test]
fn what_a_dead_maker_has_begun_is_no_queue_and_is_taken_up() {
    let place = Place::new();
    let made = place.options.create("jobs");
    made.expect("makes the directory, too");
    place.options.unlink("jobs").expect("there");
    // Dead before it wrote the key, after that, and after it made the queue.
    for half in 0..3 {
        let orphan = match half {
            0 => {
                std::fs::write(place.file(), "").expect("ours");
                None
            }
            1 => {
                std::fs::write(place.file(), "7abcdef1 0\n").expect("ours");
                None
            }
            _ => {
                let queue = place.options.create("jobs").expect("new");
                let text = std::fs::read_to_string(place.file()).expect("there");
                let text = text.replace(" 1\n", " 0\n");
                std::fs::write(place.file(), text).expect("ours");
                Some(queue)
            }
        };
        let error = place.options.open("jobs").map(drop).expect_err("half-made");
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        let queue = place.options.create("jobs").expect("taken up");
        queue.send(b"x", 1).expect("room");
        if let Some(orphan) = orphan {
            let error = orphan.status().expect_err("removed");
            assert_eq!(error.kind(), ErrorKind::NotFound);
        }
        place.options.unlink("jobs").expect("there");
    }
}

#[test]
fn a_queue_that_strangers_may_write_to_is_refused_unless_that_is_meant() {
    let place = Place::new();
    let queue = place.options.create("jobs").expect("new");
    queue.set_mode(0o622).expect("ours");
    let error = place.options.open("jobs").map(drop).expect_err("too open");
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    place
        .options
        .clone()
        .mode(0o622)
        .open("jobs")
        .expect("meant");
    place
        .options
        .clone()
        .foreign_owner(true)
        .open("jobs")
        .expect("meant");
}

/// A queue that another user makes, as a program without this crate does, and its key.
fn foreign_queue() -> Option<(i32, Removed)> {
    use std::os::unix::process::CommandExt;
    loop {
        let mut command = Command::new("ipcmk");
        let made = command
            .args(["-Q", "-p", "0600"])
            .uid(65_531)
            .output()
            .ok()?;
        let text = String::from_utf8(made.stdout).ok()?;
        let id = text.split_whitespace().last()?;
        let queue = Removed(Queue::from_id(id.parse().ok()?).ok()?);
        let table = std::fs::read_to_string("/proc/sysvipc/msg").ok()?;
        let mut lines = table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        let line = lines.find(|columns| columns.get(1) == Some(&id))?;
        // A key of ours is positive; of its keys every second is.
        match line[0].parse() {
            Ok(key @ 1..) => return Some((key, queue)),
            _ => drop(queue),
        }
    }
}

#[test]
fn a_key_that_another_user_has_is_no_queue_of_ours() {
    if !rustix::process::geteuid().is_root() {
        skip!("needs root to be another user");
    }
    let place = Place::new();
    let made = place.options.create("jobs");
    made.expect("makes the directory, too")
        .remove()
        .expect("there");
    let Some((key, foreign)) = foreign_queue() else {
        skip!("needs ipcmk, to make a queue that is not ours");
    };
    let foreign = &foreign.0;
    for state in [1, 0] {
        std::fs::write(place.file(), format!("{key:08x} {state}\n")).expect("ours");
        if state == 1 {
            let error = place.options.open("jobs").map(drop).expect_err("foreign");
            assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
            assert!(error.to_string().contains("65531"), "{error}");
            let error = place.options.create("jobs").map(drop).expect_err("there");
            assert_eq!(error.kind(), ErrorKind::AlreadyExists);
            place
                .options
                .clone()
                .foreign_owner(true)
                .open("jobs")
                .expect("meant");
        } else {
            // A dead maker's key that another has by now: a fresh one is taken.
            let queue = place.options.create("jobs").expect("a fresh key");
            assert_ne!(queue.id(), foreign.id());
        }
        foreign.status().expect("still there");
        place.options.unlink("jobs").expect("the file is ours");
        foreign.status().expect("still there");
    }
}

#[test]
fn many_that_make_and_unlink_one_name_leave_nothing() {
    // Alone: what it leaves, also of queues that no file leads to, is known by its number.
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let place = Place::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..200 {
                        let queue = place.options.open_or_create("jobs");
                        let _ = queue.expect("one or the other").try_send(b"x", 1);
                        if round % 3 == 0 {
                            let _ = place.options.unlink("jobs");
                        }
                    }
                });
            }
        });
        let _ = place.options.unlink("jobs");
        assert!(!place.file().exists());
    });
}

pub(crate) fn make_and_remove_until_killed(stage: Stage) {
    let mut options = Options::new();
    options.directory(stage.argument(0));
    loop {
        let _ = options.create("jobs");
        let _ = options.unlink("jobs");
    }
}

#[test]
fn a_maker_that_is_killed_leaves_what_the_next_takes_up() {
    let _watchdog = watchdog(PATIENCE);
    let place = Place::new();
    for round in 0..10 {
        let child = Role::new("sysv maker")
            .argument(place.dir.join("run").display())
            .spawn();
        while !place.file().exists() {
            std::thread::yield_now();
        }
        for _ in 0..round * 50 {
            std::thread::yield_now();
        }
        child.kill();
        child.wait();
        let queue = place.options.open_or_create("jobs").expect("taken up");
        queue.send(b"x", 1).expect("room");
        place.options.unlink("jobs").expect("there");
    }
}
