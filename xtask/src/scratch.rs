//! Directories that go away with the command that made them, even when it is interrupted.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::{Outcome, supervise};

/// What to remove when the process ends by a signal, which runs no destructor.
static LIVE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A directory that is removed when this is dropped.
pub(crate) struct Scratch {
    dir: PathBuf,
}

impl Scratch {
    /// Makes a directory of its own outside the workspace, which others may enter and not change.
    ///
    /// Its path is short, since Unix socket paths under it must fit 107 bytes.
    pub(crate) fn outside(name: &str) -> Outcome<Self> {
        let dir = std::env::temp_dir().join(format!("ipc-{name}-{}", std::process::id()));
        fs::DirBuilder::new()
            .mode(0o755)
            .create(&dir)
            .map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
        Ok(Self::adopt(dir))
    }

    /// Takes a directory over that something else made, or will make.
    pub(crate) fn adopt(dir: PathBuf) -> Self {
        LIVE.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(dir.clone());
        Self { dir }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
        LIVE.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|dir| *dir != self.dir);
    }
}

/// From here on SIGINT, SIGTERM and SIGHUP remove what is live and end the process, and all that it
/// has started.
pub(crate) fn clean_up_when_interrupted() -> Outcome {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        let Some(signal) = signals.forever().next() else {
            return;
        };
        for dir in LIVE.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = fs::remove_dir_all(dir);
        }
        if let Ok(signal) = signal.try_into() {
            supervise::tell_descendants(signal);
        }
        // What a shell reports of a program that a signal ended.
        std::process::exit(128 + signal);
    });
    Ok(())
}
