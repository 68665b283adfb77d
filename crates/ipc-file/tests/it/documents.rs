//! Documents: replaced whole, or not at all.

use ipc_file::{ErrorKind, Mode, Options, open_document};
use ipc_testkit::{Role, Stage, TempDir, watchdog};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_replacement_is_read_whole_and_keeps_the_mode() {
    let dir = TempDir::new();
    let path = dir.join("d");
    let document = open_document(&path).expect("nothing there yet");
    assert_eq!(
        document.read().expect_err("none").kind(),
        ErrorKind::NotFound
    );
    let mode = || {
        std::fs::metadata(&path)
            .expect("there")
            .permissions()
            .mode()
            & 0o777
    };
    document.replace(b"old").expect("room");
    assert_eq!(
        (document.read().expect("there"), mode()),
        (b"old".to_vec(), 0o600)
    );
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("ours");
    document.replace(b"").expect("room");
    assert_eq!(
        (document.read().expect("there"), mode()),
        (Vec::new(), 0o644)
    );
    let mut options = Options::new();
    options.mode(Mode::new(0o640).expect("a mode"));
    let other = options.open_document(dir.join("e")).expect("none there");
    other.replace(b"x").expect("room");
    let made = std::fs::metadata(dir.join("e"))
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(made & 0o777, 0o640);
    assert_eq!(std::fs::read_dir(dir.path()).expect("ours").count(), 2);
}

#[test]
fn a_document_above_the_readers_limit_is_refused_before_it_is_read() {
    let dir = TempDir::new();
    let document = Options::new()
        .max_bytes(10)
        .open_document(dir.join("d"))
        .expect("none");
    document.replace(&[1; 10]).expect("room");
    assert_eq!(document.read().expect("the limit").len(), 10);
    document.replace(&[1; 11]).expect("a limit of reading only");
    assert_eq!(
        document.read().expect_err("above").kind(),
        ErrorKind::TooLarge
    );
    // A file that says terabytes takes no memory.
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(dir.join("d"))
        .expect("ours");
    file.set_len(1 << 40).expect("sparse");
    assert_eq!(
        document.read().expect_err("above").kind(),
        ErrorKind::TooLarge
    );
}

/// Replaces for ever, by contents of one letter, until it is killed.
pub(crate) fn replace_for_ever(mut stage: Stage) {
    let document = open_document(stage.argument(0)).expect("a document");
    document.replace(&[b'a'; 9_000]).expect("room");
    drop(stage.descriptor());
    for letter in (b'a'..=b'z').cycle() {
        document
            .replace(&vec![letter; 9_000 + usize::from(letter)])
            .expect("room");
    }
}

#[test]
fn readers_see_old_or_new_while_a_writer_replaces_and_is_killed() {
    let _watchdog = watchdog(PATIENCE);
    let dir = TempDir::new();
    let path = dir.join("d");
    let document = open_document(&path).expect("none there");
    for _ in 0..5 {
        let (told, tell) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("pipe");
        let role = Role::new("replacer").argument(path.display());
        let child = role.descriptor(&tell).spawn();
        drop(tell);
        let end = rustix::io::retry_on_intr(|| rustix::io::read(&told, &mut [0u8; 1]));
        assert_eq!(end, Ok(0));
        for _ in 0..200 {
            let content = document.read().expect("always there");
            let letter = content[0];
            assert!(content.iter().all(|byte| *byte == letter), "a mixture");
            let length = [9_000, 9_000 + usize::from(letter)];
            assert!(
                length.contains(&content.len()),
                "not whole: {}",
                content.len()
            );
        }
        child.kill();
        child.wait_dead();
        open_document(&path).expect("the next start");
        let names = std::fs::read_dir(dir.path()).expect("ours").count();
        assert_eq!(names, 1, "what the dead one left is gone");
    }
}

#[test]
fn what_a_live_writer_is_writing_stays_and_so_does_what_only_looks_like_it() {
    let dir = TempDir::new();
    let path = dir.join("d");
    open_document(&path)
        .expect("none")
        .replace(b"x")
        .expect("room");
    let prefix = format!(".ipc-replace.{:08x}.", crc32c::crc32c(b"d"));
    let live = dir.join(format!("{prefix}00112233aabbccdd"));
    let dead = dir.join(format!("{prefix}00112233aabbccde"));
    std::fs::write(&live, "").expect("ours");
    std::fs::write(&dead, "").expect("ours");
    let writer = ipc_file::open_lock(&live).expect("a lock");
    let _lives = writer.lock().expect("free");
    let mut others = vec![live];
    for name in [
        "0011",
        "00112233AABBCCDD",
        "00112233aabbccdd0",
        "00112233aabbccdg",
    ] {
        others.push(dir.join(format!("{prefix}{name}")));
        std::fs::write(others.last().expect("one"), "").expect("ours");
    }
    let link = dir.join(format!("{prefix}0123456789abcdef"));
    std::os::unix::fs::symlink("/etc/passwd", &link).expect("ours");
    others.push(link);
    open_document(&path).expect("the next start");
    assert!(!dead.exists());
    for other in others {
        assert!(
            other.symlink_metadata().is_ok(),
            "{} stays",
            other.display()
        );
    }
}
