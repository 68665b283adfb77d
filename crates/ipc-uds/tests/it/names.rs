//! Nasty names: as paths, as abstract names, and as names of ours.

use ipc_testkit::{TempDir, isolated, nasty_names, watchdog};
use ipc_uds::{Address, ErrorKind, MAX_PATH_BYTES, Options};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);
/// How many names each of the three tests has at least.
pub(crate) const NAMES: usize = 300;

#[test]
fn every_nasty_path_is_served_or_refused_with_its_reason() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let names = nasty_names();
        assert!(names.len() >= NAMES, "{}", names.len());
        let mut served = 0;
        for name in &names {
            // One folder deeper for each, so that a way out of it leads to nothing of ours.
            let dir = TempDir::new();
            std::fs::create_dir_all(dir.join("a/b")).expect("folders");
            let path = dir.join("a/b").join(OsStr::from_bytes(name));
            let escapes = name.starts_with(b"/");
            let path = if escapes {
                dir.join(OsStr::from_bytes(&name[1..]))
            } else {
                path
            };
            match Options::new().replace_stale(true).bind(&path) {
                Ok(listener) => {
                    served += 1;
                    ipc_uds::connect(&path).expect("what is bound is found");
                    drop(listener);
                    let gone = ipc_uds::connect(&path).expect_err("it removed its path");
                    assert_eq!(gone.kind(), ErrorKind::NotFound, "{name:?}");
                }
                Err(error) => {
                    let expected = match name.as_slice() {
                        _ if path.as_os_str().len() > MAX_PATH_BYTES => ErrorKind::TooLarge,
                        _ if name.contains(&0) => ErrorKind::InvalidInput,
                        _ => error.kind(),
                    };
                    assert_eq!(error.kind(), expected, "{name:?}: {error}");
                    assert!(
                        !matches!(error.kind(), ErrorKind::Other),
                        "{name:?}: {error}"
                    );
                    let text = error.to_string();
                    assert!(text.chars().all(|c| !c.is_control()), "{text:?}");
                    assert!(text.len() < 700, "{text}");
                }
            }
            let left = |at: &str| std::fs::read_dir(dir.join(at)).expect("there").count();
            assert_eq!((left(""), left("a"), left("a/b")), (1, 1, 0), "{name:?}");
        }
        assert!(served > 250, "any bytes make a path but NUL: {served}");
    });
}

#[test]
fn every_nasty_abstract_name_is_one_name_and_no_other() {
    isolated!({
        let _watchdog = watchdog(PATIENCE);
        let names = nasty_names();
        assert!(names.len() >= NAMES);
        let prefix = format!("{}:", std::process::id());
        let mut listeners = Vec::new();
        for name in &names {
            let bytes = [prefix.as_bytes(), name].concat();
            match Address::abstract_name(&bytes) {
                Ok(address) => {
                    // All at once: two that look the same are not.
                    let listener = ipc_uds::bind(address).expect("free");
                    assert_eq!(listener.address().expect("named"), address);
                    let shown = format!("{address} {address:?}");
                    assert!(shown.chars().all(|c| !c.is_control()), "{shown:?}");
                    listeners.push((listener, address));
                }
                Err(error) => {
                    assert!(bytes.len() > MAX_PATH_BYTES, "{name:?}");
                    assert_eq!(error.kind(), ErrorKind::TooLarge);
                }
            }
        }
        assert!(listeners.len() > 300, "{}", listeners.len());
        for (listener, address) in &listeners {
            let client = ipc_uds::connect(*address).expect("it listens");
            let server = listener.try_accept().expect("at this one alone");
            drop((client, server));
        }
    });
}

#[test]
fn of_the_nasty_names_only_plain_words_become_places() {
    let dir = TempDir::new();
    let mut options = Options::new();
    options.directory(dir.join("run"));
    let (mut all, mut taken) = (0, 0);
    for name in nasty_names() {
        all += 1;
        let Ok(text) = String::from_utf8(name) else {
            continue;
        };
        let Ok(name) = text.parse() else {
            continue;
        };
        taken += 1;
        let place = options.path_of(&name).expect("a private directory");
        assert_eq!(place.parent(), Some(&*dir.join("run")));
        match options.bind(&place) {
            Ok(listener) => drop(listener),
            Err(error) => assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}"),
        }
    }
    assert!(all >= NAMES && taken > 60, "{taken} of {all}");
    assert_eq!(
        std::fs::read_dir(dir.join("run")).expect("there").count(),
        0
    );
}
