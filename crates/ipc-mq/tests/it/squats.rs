//! Who made a name first: queues of others, with other rights, with other sizes, and none at all.

use crate::generator::{Named, name};
use ipc_mq::{ErrorKind, Options, Queue};
use ipc_testkit::{Role, Stage, isolated, set_umask, skip, watchdog};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const STRANGER: u32 = 65_533;

fn options() -> Options {
    let mut options = Options::new();
    options.max_messages(4).message_size_bytes(32);
    options
}

/// Another user, who makes a queue, or tries what is done to a queue of ours.
pub(crate) fn foreigner(stage: Stage) {
    nix::unistd::setgid(STRANGER.into()).expect("root may");
    nix::unistd::setuid(STRANGER.into()).expect("root may");
    let name = stage.argument(0);
    let mode = u32::from_str_radix(stage.argument(1), 8).expect("a mode");
    match mode {
        0 => {
            for error in [
                Options::new().open(name).map(drop).expect_err("not theirs"),
                Options::new()
                    .foreign_owner(true)
                    .open(name)
                    .map(drop)
                    .expect_err("mode 0600"),
                ipc_mq::unlink(name).expect_err("not theirs"),
            ] {
                assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
            }
        }
        mode => drop(options().mode(mode).create(name).expect("free")),
    }
}

#[test]
fn a_queue_of_another_user_is_not_opened_unless_that_is_meant() {
    if !rustix::process::geteuid().is_root() {
        skip!("needs root to be another user");
    }
    for mode in ["600", "622", "666"] {
        let name = Named::new(&format!("foreign.{mode}"));
        Role::new("foreigner")
            .argument(&name.0)
            .argument(mode)
            .spawn()
            .done();
        for outcome in [options().open(&name.0), options().open_or_create(&name.0)] {
            let error = outcome.map(drop).expect_err("foreign");
            assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
            assert!(error.to_string().contains("65533"), "{error}");
        }
        let error = options().create(&name.0).map(drop).expect_err("there");
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        options().foreign_owner(true).open(&name.0).expect("meant");
    }
}

#[test]
fn another_user_gets_nothing_of_ours() {
    if !rustix::process::geteuid().is_root() {
        skip!("needs root to be another user");
    }
    let name = Named::new("ours");
    let queue = options().create(&name.0).expect("new");
    Role::new("foreigner")
        .argument(&name.0)
        .argument("0")
        .spawn()
        .done();
    assert!(!queue.status().expect("there").unlinked);
}

#[test]
fn a_squatted_name_does_not_keep_us_from_queues_without_a_name() {
    if !rustix::process::geteuid().is_root() {
        skip!("needs root to be another user");
    }
    // As root we could remove it; as a user we cannot, and take another name.
    isolated!({
        let user = 65_532;
        let squatted = format!("/ipc-unnamed.{user}");
        Role::new("foreigner")
            .argument(&squatted)
            .argument("600")
            .spawn()
            .done();
        let before = rustix::process::dumpable_behavior().expect("ours");
        nix::unistd::seteuid(user.into()).expect("root may");
        let made = options().create_unnamed();
        nix::unistd::seteuid(0.into()).expect("saved");
        rustix::process::set_dumpable_behavior(before).expect("ours");
        ipc_mq::unlink(&squatted).expect("still there");
        let queue = made.expect("another name");
        queue.send(b"x", 0).expect("room");
        assert!(queue.status().expect("there").unlinked);
    });
}

#[test]
fn strangers_that_may_write_are_refused_unless_that_is_meant() {
    for bits in [0o620, 0o602, 0o666] {
        let name = Named::new(&format!("open.{bits:o}"));
        let queue = options().mode(bits).create(&name.0).expect("new");
        assert_eq!(queue.status().expect("there").mode, bits);
        let error = options().open(&name.0).map(drop).expect_err("too open");
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        options().mode(bits).open(&name.0).expect("meant");
        options().foreign_owner(true).open(&name.0).expect("meant");
    }
    for bits in [0o1000, 0o4600, u32::MAX] {
        let error = options()
            .mode(bits)
            .create(&name("no"))
            .map(drop)
            .expect_err("no mode");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn the_mode_is_as_asked_whatever_the_umask() {
    isolated!({
        for mask in [0, 0o022, 0o077, 0o777] {
            set_umask(mask);
            for bits in [0o600, 0o640, 0o666] {
                let queue = options().mode(bits).create_unnamed().expect("a queue");
                assert_eq!(queue.status().expect("there").mode, bits, "umask {mask:o}");
            }
        }
        set_umask(0o022);
    });
}

#[test]
fn a_queue_with_other_attributes_is_refused_and_says_which_it_has() {
    let name = Named::new("attributes");
    let queue = options().create(&name.0).expect("new");
    for (messages, bytes) in [(3, 32), (5, 32), (4, 31), (4, 33), (10, 8192), (1, 1)] {
        let mut other = Options::new();
        other.max_messages(messages).message_size_bytes(bytes);
        for outcome in [other.open(&name.0), other.open_or_create(&name.0)] {
            let error = outcome.map(drop).expect_err("other");
            assert_eq!(error.kind(), ErrorKind::WrongType, "{error}");
            assert!(
                error.to_string().contains("4 messages of 32 bytes"),
                "{error}"
            );
        }
    }
    for same in [
        Options::new(),
        Options::new().max_messages(4).clone(),
        Options::new().message_size_bytes(32).clone(),
        options(),
    ] {
        let found = same.open(&name.0).expect("the same");
        assert_eq!(
            (found.max_messages(), found.message_size_bytes()),
            (queue.max_messages(), queue.message_size_bytes())
        );
    }
}

#[test]
fn a_queue_that_is_deleted_and_made_anew_under_us_is_another_one() {
    let name = Named::new("anew");
    let old = options().create(&name.0).expect("new");
    old.send(b"old", 0).expect("room");
    ipc_mq::unlink(&name.0).expect("there");
    assert!(old.status().expect("open").unlinked);
    let error = ipc_mq::open(&name.0).map(drop).expect_err("gone");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = ipc_mq::unlink(&name.0).expect_err("gone");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let new = options().create(&name.0).expect("free again");
    assert!(!new.status().expect("open").unlinked);
    assert_eq!(new.status().expect("open").messages, 0);
    new.send(b"newer", 0).expect("room");
    let mut message = [0; 32];
    assert_eq!(old.recv(&mut message).expect("the first one's"), 3);
    assert_eq!(new.recv(&mut message).expect("the second one's"), 5);
}

#[test]
fn many_that_make_and_unlink_one_name_always_find_a_whole_queue() {
    let _watchdog = watchdog(PATIENCE);
    let name = Named::new("race");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..500 {
                    let queue = options().open_or_create(&name.0).expect("one or the other");
                    assert_eq!(queue.message_size_bytes(), 32);
                    let _ = queue.try_send(b"x", 0);
                    if round % 3 == 0 {
                        let _ = ipc_mq::unlink(&name.0);
                    }
                    drop(options().create_unnamed().expect("its own"));
                }
            });
        }
    });
}

#[test]
fn whatever_is_no_queue_is_refused() {
    let (read, write) = rustix::pipe::pipe().expect("a pipe");
    let file = std::fs::File::open("/dev/null").expect("a device");
    let epoll = rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC);
    for fd in [read, write, file.into(), epoll.expect("an epoll")] {
        let error = Queue::from_descriptor(fd).map(drop).expect_err("no queue");
        assert_eq!(error.kind(), ErrorKind::WrongType, "{error}");
    }
}
