//! Every published limit: the limit works, one more is refused.

use ipc_shm::{ErrorKind, MAX_SIZE_BYTES, Options, Region};
use ipc_testkit::isolated;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[test]
fn sizes_from_one_byte_to_the_limit_and_not_beyond() {
    let mut options = Options::new();
    for bytes in [1, 2, 4095, 4096, 4097] {
        let region = options.size_bytes(bytes).anonymous().expect("made");
        region.write_at(bytes - 1, &[1]).expect("the last byte");
        Region::from_fd(region.to_fd().expect("a copy")).expect("a region");
    }
    let none = options.size_bytes(0).anonymous().expect_err("no byte");
    assert_eq!(none.kind(), ErrorKind::InvalidInput);
    assert!(none.to_string().contains("size_bytes"), "{none}");
    for bytes in [MAX_SIZE_BYTES + 1, usize::MAX, usize::MAX - 4095] {
        let error = options
            .size_bytes(bytes)
            .anonymous()
            .expect_err("too large");
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    }
    options.size_bytes(100);
    for most in [0, 99] {
        let error = options
            .growable_to_bytes(most)
            .anonymous()
            .expect_err("less");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    options.growable_to_bytes(100).anonymous().expect("as much");
    let error = options
        .growable_to_bytes(MAX_SIZE_BYTES + 1)
        .anonymous()
        .expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    // At the limit the addresses are taken, the memory is not.
    options
        .growable_to_bytes(MAX_SIZE_BYTES)
        .anonymous()
        .expect("addresses");
}

#[test]
fn without_descriptors_every_maker_says_which_limit_and_leaks_none() {
    isolated!({
        let region = ipc_shm::anonymous(100).expect("made");
        let before = getrlimit(Resource::Nofile);
        let low = Rlimit {
            current: Some(64),
            maximum: before.maximum,
        };
        setrlimit(Resource::Nofile, low).expect("lower is allowed");
        let mut fillers = Vec::new();
        while let Ok(filler) = std::fs::File::open("/dev/null") {
            fillers.push(filler);
        }
        let name = format!("ipc-test-nofile-{}", std::process::id());
        for failure in [
            ipc_shm::anonymous(100).map(drop),
            ipc_shm::create(&name, 100).map(drop),
            ipc_shm::open_or_create(&name, 100).map(drop),
            region.to_fd().map(drop),
            region.to_read_only_fd().map(drop),
        ] {
            let error = failure.expect_err("no descriptor");
            assert_eq!(error.kind(), ErrorKind::LimitReached, "{error}");
            assert!(error.to_string().contains("RLIMIT_NOFILE"), "{error}");
        }
        drop(fillers);
        assert!(!std::path::Path::new("/dev/shm").join(&name).exists());
    });
}

#[test]
fn a_file_size_limit_is_an_error_and_not_a_signal() {
    isolated!({
        let before = getrlimit(Resource::Fsize);
        let low = Rlimit {
            current: Some(100_000),
            maximum: before.maximum,
        };
        setrlimit(Resource::Fsize, low).expect("lower is allowed");
        ipc_shm::anonymous(90_000).expect("below");
        let error = ipc_shm::anonymous(100_000).expect_err("with the header above");
        assert_eq!(error.kind(), ErrorKind::LimitReached);
        assert!(error.to_string().contains("RLIMIT_FSIZE"), "{error}");
        let name = format!("ipc-test-fsize-{}", std::process::id());
        let error = ipc_shm::create(&name, 100_000).expect_err("above");
        assert_eq!(error.kind(), ErrorKind::LimitReached);
        assert!(
            !std::path::Path::new("/dev/shm").join(&name).exists(),
            "nothing half-made"
        );
    });
}

#[test]
fn an_address_space_limit_is_an_error() {
    isolated!({
        let before = getrlimit(Resource::As);
        let low = Rlimit {
            current: Some(1 << 32),
            maximum: before.maximum,
        };
        setrlimit(Resource::As, low).expect("lower is allowed");
        let mut options = Options::new();
        let error = options
            .size_bytes(100)
            .growable_to_bytes(1 << 33)
            .anonymous()
            .expect_err("more addresses than allowed");
        assert_eq!(error.kind(), ErrorKind::LimitReached, "{error}");
    });
}

#[test]
fn more_locked_memory_than_allowed_names_the_limit() {
    isolated!({
        if rustix::process::geteuid().is_root() {
            // Root passes the limit; another user does not.
            let region = ipc_shm::anonymous(1 << 20).expect("made");
            crate::fork::in_child(|| {
                let low = Rlimit {
                    current: Some(0),
                    maximum: Some(0),
                };
                setrlimit(Resource::Memlock, low).expect("lower is allowed");
                crate::fork::become_user(65_534);
                assert_limit(&region);
            });
            return;
        }
        let low = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        setrlimit(Resource::Memlock, low).expect("lower is allowed");
        assert_limit(&ipc_shm::anonymous(1 << 20).expect("made"));
    });
}

fn assert_limit(region: &Region) {
    let error = region.lock_in_memory().expect_err("no limit left");
    assert_eq!(error.kind(), ErrorKind::LimitReached, "{error}");
    assert!(error.to_string().contains("RLIMIT_MEMLOCK"), "{error}");
}
