//! A log that somebody has damaged: refused, or recovered with every record before the damage.
#![cfg_attr(feature = "libfuzzer", no_main)]

use ipc_core::ErrorKind;
use ipc_file::{Options, Reader};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

/// Records of the log that is damaged.
const RECORDS: u8 = 8;

ipc_fuzz::target!(check);

/// A byte that says how the file comes about, and its bytes or changes of a good one: two bytes of
/// place, one of value; a cut where the value is the place's low byte.
fn check(data: &[u8]) {
    let Some((how, rest)) = data.split_first() else {
        return;
    };
    let good = good_log();
    let (bytes, sound) = if how & 1 == 0 {
        (rest.to_vec(), 0)
    } else {
        damaged(good, rest)
    };
    let directory = Directory::new();
    let path = directory.0.join("log");
    fs::write(&path, bytes).expect("room");
    // Recovery by one that appends, or a reader alone.
    if how & 2 != 0 {
        let Ok(log) = Options::new().open_log(&path) else {
            return;
        };
        log.append(b"last").expect("it is open");
    }
    let Ok(reader) = options().follow(&path) else {
        return;
    };
    let found = all(&reader);
    let whole = (good.ends.iter()).take_while(|end| **end <= sound).count();
    for number in 0..whole {
        assert_eq!(found[number], record(number as u8), "before the damage");
    }
    if how & 2 != 0 {
        assert_eq!(found.last().map(Vec::as_slice), Some(&b"last"[..]));
    }
}

fn options() -> Options {
    let mut options = Options::new();
    // Looking is cheaper than notification, where nobody waits.
    options.polling(Duration::from_secs(1)).max_bytes(1 << 16);
    options
}

/// Every record that the reader gives.
fn all(reader: &Reader) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut buffer = Vec::new();
    loop {
        match reader.try_recv_vec(&mut buffer) {
            Ok(()) => found.push(buffer.clone()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return found,
            // What is damaged is told once, and is behind us.
            Err(error) if error.kind() == ErrorKind::Corrupt => {}
            Err(_) => return found,
        }
    }
}

fn record(number: u8) -> Vec<u8> {
    vec![number; 5 + 7 * usize::from(number)]
}

struct Good {
    bytes: Vec<u8>,
    /// Where each record ends.
    ends: Vec<usize>,
}

/// A log as the crate itself writes it.
fn good_log() -> &'static Good {
    static LOG: OnceLock<Good> = OnceLock::new();
    LOG.get_or_init(|| {
        let directory = Directory::new();
        let path = directory.0.join("log");
        let log = Options::new().open_log(&path).expect("a log");
        let reader = options().follow(&path).expect("a reader");
        let mut buffer = Vec::new();
        let ends = (0..RECORDS).map(|number| {
            log.append(&record(number)).expect("room");
            reader.try_recv_vec(&mut buffer).expect("it is there");
            usize::try_from(reader.position()).expect("small")
        });
        let ends = ends.collect();
        let bytes = fs::read(&path).expect("it is there");
        Good { bytes, ends }
    })
}

/// The good log with changes, and how many of its first bytes are as they were.
fn damaged(good: &Good, changes: &[u8]) -> (Vec<u8>, usize) {
    let mut bytes = good.bytes.clone();
    let mut sound = bytes.len();
    for &[low, high, value] in changes.as_chunks::<3>().0 {
        let at = usize::from(u16::from_le_bytes([low, high])) % good.bytes.len();
        if value == low {
            bytes.truncate(at);
            sound = sound.min(at);
        } else if let Some(byte) = bytes.get_mut(at).filter(|byte| **byte != value) {
            *byte = value;
            sound = sound.min(at);
        }
    }
    (bytes, sound)
}

/// A directory in memory, gone with its owner.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let path = parent.join(format!("ipc-fuzz-{}", std::process::id()));
        // Of an input that was killed.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).expect("room");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
