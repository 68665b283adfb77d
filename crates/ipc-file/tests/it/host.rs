//! What the process and the host may do to us: umask, closed stdio, limits, denied calls.

use ipc_file::{ErrorKind, open_document, open_lock, open_log, open_spool, watch};
use ipc_testkit::{TempDir, deny, isolated, set_umask, without_stdio};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::PermissionsExt;

#[test]
fn modes_are_what_was_asked_for_whatever_the_umask() {
    isolated!({
        for umask in [0, 0o022, 0o077, 0o777] {
            let dir = TempDir::new();
            set_umask(umask);
            drop(open_lock(dir.join("lock")).expect("a lock"));
            drop(open_log(dir.join("log")).expect("a log"));
            open_document(dir.join("document"))
                .expect("none")
                .replace(b"x")
                .expect("room");
            let spool = open_spool(dir.join("spool")).expect("a spool");
            spool.deliver(b"x").expect("room");
            set_umask(0o022);
            let mode = |name: &str| {
                let metadata = std::fs::metadata(dir.join(name)).expect("there");
                metadata.permissions().mode() & 0o777
            };
            for file in ["lock", "log", "document", "spool/sequence"] {
                assert_eq!(mode(file), 0o600, "{file} under {umask:o}");
            }
            for directory in ["spool", "spool/tmp", "spool/new", "spool/cur"] {
                assert_eq!(mode(directory), 0o700, "{directory} under {umask:o}");
            }
            let new = std::fs::read_dir(dir.join("spool/new"))
                .expect("ours")
                .flatten();
            for entry in new {
                assert_eq!(
                    entry.metadata().expect("there").permissions().mode() & 0o777,
                    0o600
                );
            }
        }
    });
}

#[test]
fn descriptors_stand_above_stdio_do_not_pass_exec_and_are_given_back() {
    isolated!({
        let dir = TempDir::new();
        let all = without_stdio(|| {
            let lock = open_lock(dir.join("lock")).expect("a lock");
            let log = open_log(dir.join("log")).expect("a log");
            let reader = log.reader().expect("a reader");
            let spool = open_spool(dir.join("spool")).expect("a spool");
            spool.deliver(b"x").expect("room");
            let claim = spool.claim().expect("one");
            let watch = watch().expect("a watch");
            watch.add(dir.path()).expect("a directory");
            assert!(lock.as_fd().as_raw_fd() > 2);
            (lock, log, reader, spool, claim, watch)
        });
        let own = ipc_testkit::Snapshot::take();
        for entry in std::fs::read_dir("/proc/self/fd").expect("proc").flatten() {
            let name = entry.file_name().into_string().expect("a number");
            let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{name}"));
            let Ok(info) = info else { continue };
            let number: i32 = name.parse().expect("a number");
            let target = std::fs::read_link(entry.path()).unwrap_or_default();
            let ours = target.starts_with(dir.path()) || target.starts_with("anon_inode:inotify");
            if ours {
                let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
                let flags = u32::from_str_radix(flags.expect("flags").trim(), 8).expect("octal");
                assert!(
                    number > 2 && flags & 0o2_000_000 != 0,
                    "{number} {}",
                    target.display()
                );
            }
        }
        assert!(own.descriptors() > 10);
        drop(all);
    });
}

#[test]
fn without_descriptors_the_limit_is_named() {
    isolated!({
        let dir = TempDir::new();
        let maximum = getrlimit(Resource::Nofile).maximum;
        let spare = std::fs::File::open("/dev/null").expect("a descriptor");
        let current = Some(u64::try_from(spare.as_raw_fd()).expect("positive") + 1);
        setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("lower is allowed");
        for error in [
            open_lock(dir.join("l")).map(drop).expect_err("none left"),
            open_log(dir.join("l")).map(drop).expect_err("none left"),
            open_document(dir.join("l"))
                .map(drop)
                .expect_err("none left"),
            open_spool(dir.join("l")).map(drop).expect_err("none left"),
            watch().map(drop).expect_err("none left"),
        ] {
            assert_eq!(error.kind(), ErrorKind::LimitReached);
            assert!(error.to_string().contains("RLIMIT_NOFILE"), "{error}");
        }
        let current = maximum;
        setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("as it was");
    });
}

#[test]
fn an_open_that_fails_half_way_names_the_callers_path() {
    isolated!({
        let dir = TempDir::new();
        let path = dir.join("named");
        let maximum = getrlimit(Resource::Nofile).maximum;
        let free = std::fs::File::open("/dev/null").expect("a descriptor");
        // One is enough for the directory, and for nothing in it.
        let current = Some(u64::try_from(free.as_raw_fd()).expect("positive") + 1);
        drop(free);
        setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("lower is allowed");
        let errors = [
            open_lock(&path).map(drop).expect_err("none left"),
            open_log(&path).map(drop).expect_err("none left"),
            open_document(&path).map(drop).expect_err("none left"),
            open_spool(&path).map(drop).expect_err("none left"),
        ];
        let current = maximum;
        setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("as it was");
        let shown = format!("`{}`", path.display());
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::LimitReached, "{error}");
            assert!(error.to_string().contains(&shown), "{error}");
        }
    });
}

#[test]
fn a_sandbox_that_does_not_know_openat2_is_served_by_openat() {
    isolated!({
        deny(libc::SYS_openat2, libc::ENOSYS);
        let dir = TempDir::new();
        let spool = open_spool(dir.join("s")).expect("a spool");
        spool.deliver(b"x").expect("room");
        spool.claim().expect("one").finish().expect("finished");
        open_log(dir.join("l"))
            .expect("a log")
            .append(b"x")
            .expect("room");
    });
}

#[test]
fn a_file_system_without_a_renaming_that_replaces_nothing_is_served_by_links() {
    isolated!({
        deny(libc::SYS_renameat2, libc::EINVAL);
        let dir = TempDir::new();
        open_log(dir.join("l"))
            .expect("a log")
            .append(b"x")
            .expect("room");
        assert_eq!(std::fs::read_dir(dir.path()).expect("ours").count(), 1);
    });
}

#[test]
fn a_stale_file_handle_says_to_open_it_again() {
    isolated!({
        let dir = TempDir::new();
        let document = open_document(dir.join("d")).expect("none");
        document.replace(b"x").expect("room");
        let log = open_log(dir.join("l")).expect("a log");
        // As a server of NFS says when it has another file by now.
        deny(libc::SYS_pread64, libc::ESTALE);
        deny(libc::SYS_pwrite64, libc::ESTALE);
        for error in [document.read().map(drop), log.append(b"x")] {
            let error = error.expect_err("stale");
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert!(error.to_string().contains("open it again"), "{error}");
        }
    });
}

#[test]
fn a_full_disk_leaves_the_old_content_and_the_acknowledged_records() {
    isolated!({
        let dir = TempDir::new();
        let document = open_document(dir.join("d")).expect("none");
        document.replace(b"old").expect("room");
        let log = open_log(dir.join("l")).expect("a log");
        log.append(b"one").expect("room");
        deny(libc::SYS_pwrite64, libc::ENOSPC);
        assert_eq!(
            document.replace(b"new").expect_err("full").kind(),
            ErrorKind::NoSpace
        );
        assert_eq!(
            log.append(b"two").expect_err("full").kind(),
            ErrorKind::NoSpace
        );
        assert_eq!(document.read().expect("there"), b"old");
        let reader = log.reader().expect("a reader");
        let mut record = Vec::new();
        reader.try_recv_vec(&mut record).expect("there");
        assert_eq!(record, b"one");
        assert!(reader.try_recv_vec(&mut record).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).expect("ours").count(), 2);
    });
}

#[test]
fn what_fails_after_opening_names_the_callers_path() {
    isolated!({
        let dir = TempDir::new();
        std::env::set_current_dir(dir.path()).expect("ours");
        std::fs::create_dir("sub").expect("ours");
        let absolute = dir.path().to_owned();
        // A path with all directories, one without any, and one that is relative.
        let places = [absolute.join("a"), "b".into(), "sub/c".into()];
        let places = places.map(|place: std::path::PathBuf| place.display().to_string());
        let open = |place: &String| {
            let document = open_document(format!("{place}.document")).expect("none");
            let log = open_log(format!("{place}.log")).expect("a log");
            let spool = open_spool(format!("{place}.spool")).expect("a spool");
            (document, log, spool)
        };
        let all = places.each_ref().map(open);
        deny(libc::SYS_pwrite64, libc::ENOSPC);
        for (place, (document, log, spool)) in places.iter().zip(&all) {
            for (error, verb, name) in [
                (document.replace(b"x"), "replace", "document`: "),
                (log.append(b"x"), "append", "log`: "),
                (spool.deliver(b"x"), "deliver", "spool/tmp/"),
            ] {
                let error = error.expect_err("full");
                let (text, expected) = (error.to_string(), format!("{verb} `{place}.{name}"));
                assert!(text.starts_with(&expected), "{text} is not {expected}");
                assert_eq!(text.matches(verb).count(), 1, "{text}");
                assert_eq!(error.kind(), ErrorKind::NoSpace, "{text}");
            }
            let error = log.append(&vec![0; 100 << 20]).expect_err("too large");
            assert!(
                error.to_string().contains(&format!("`{place}.log`")),
                "{error}"
            );
            let reader = log.reader().expect("it is there");
            std::fs::remove_file(format!("{place}.log")).expect("ours");
            let error = reader.try_recv(&mut [0]).expect_err("removed");
            assert!(
                error.to_string().contains(&format!("`{place}.log`")),
                "{error}"
            );
        }
    });
}
