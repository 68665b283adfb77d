//! What older kernels and other hosts lack: each weaker form, forced.

use ipc_shm::{Backing, ErrorKind, Options, Region};
use ipc_testkit::{TempDir, deny, deny_where, isolated};

fn exercise() {
    let region = ipc_shm::anonymous(100_000).expect("made");
    region.write_at(99_990, b"0123456789").expect("inside");
    let peer = Region::from_fd(region.to_fd().expect("a copy")).expect("a region");
    let mut copy = [0; 10];
    peer.read_at(99_990, &mut copy).expect("inside");
    assert_eq!(&copy, b"0123456789");
    let dir = TempDir::new();
    let mut options = Options::new();
    let file = options
        .backing(Backing::File)
        .size_bytes(100_000)
        .create(dir.join("file"));
    file.expect("made").verify().expect("whole");
}

#[test]
fn without_the_no_exec_seal_memory_is_made_all_the_same() {
    isolated!({
        // MFD_NOEXEC_SEAL, Linux 6.3.
        deny_where(libc::SYS_memfd_create, 1, 8, 8, libc::EINVAL);
        exercise();
    });
}

#[test]
fn without_fallocate_every_byte_is_written() {
    isolated!({
        deny(libc::SYS_fallocate, libc::EOPNOTSUPP);
        exercise();
    });
}

#[test]
fn without_memory_files_the_error_says_so() {
    isolated!({
        deny(libc::SYS_memfd_create, libc::ENOSYS);
        let error = ipc_shm::anonymous(100).expect_err("none");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    });
}

#[test]
fn without_watches_a_whole_object_opens_and_a_limit_is_named() {
    isolated!({
        deny(libc::SYS_inotify_init1, libc::EMFILE);
        let named = crate::named::Named::new(Backing::Posix);
        drop(named.options.create(&named.name).expect("new"));
        named.options.open(&named.name).expect("no wait, no watch");
    });
}

#[test]
fn each_call_that_fails_is_an_error_and_leaves_nothing() {
    isolated!({
        for (call, errno, kind) in [
            (libc::SYS_ftruncate, libc::EIO, ErrorKind::Other),
            (libc::SYS_fchmod, libc::EPERM, ErrorKind::Denied),
        ] {
            // Denials add up, in a process that is the test's own.
            deny(call, errno);
            let dir = TempDir::new();
            let mut options = Options::new();
            options.backing(Backing::File).size_bytes(1000);
            let error = options.create(dir.join("file")).expect_err("it fails");
            assert_eq!(error.kind(), kind, "{error}");
            assert!(!dir.join("file").exists(), "nothing half-made");
        }
        let error = ipc_shm::anonymous(10).expect_err("fchmod fails");
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    });
}
