//! A disk in memory that writes down what is done to it, and can be what a power loss leaves.

use ipc_file::{How, Identity, Kind, Vfs, VfsFile};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// One thing that was done.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Write {
        file: usize,
        at: usize,
        bytes: Vec<u8>,
    },
    Length {
        file: usize,
        length: usize,
    },
    Sync {
        file: usize,
    },
    Name {
        path: PathBuf,
        file: usize,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
        file: usize,
    },
    Unlink {
        path: PathBuf,
    },
    SyncDirectory {
        path: PathBuf,
    },
    /// The caller was told that its step of this number is durable.
    Told {
        step: u64,
    },
}

/// Which kind of call is to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Write,
    Sync,
    SyncDirectory,
    Rename,
    Length,
    Unlink,
    Create,
}

impl Call {
    pub(crate) const ALL: [Self; 7] = [
        Self::Write,
        Self::Sync,
        Self::SyncDirectory,
        Self::Rename,
        Self::Length,
        Self::Unlink,
        Self::Create,
    ];
}

/// The `nth` call of a kind fails, and all later ones where it is sticky.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) call: Call,
    pub(crate) nth: u64,
    pub(crate) sticky: bool,
    pub(crate) errno: i32,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) files: Vec<Vec<u8>>,
    pub(crate) names: BTreeMap<PathBuf, usize>,
    pub(crate) directories: BTreeSet<PathBuf>,
    ops: Vec<Op>,
    fault: Option<Fault>,
    calls: u64,
    hit: bool,
}

/// The disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Imitation {
    state: Arc<Mutex<State>>,
    /// Whether others are said to have every file open too.
    pub(crate) shared: bool,
}

impl Imitation {
    /// A disk in this state.
    pub(crate) fn new(state: State, shared: bool) -> Self {
        let state = Arc::new(Mutex::new(state));
        Self { state, shared }
    }

    pub(crate) fn vfs(&self) -> Arc<dyn Vfs> {
        Arc::new(self.clone())
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds it")
    }

    pub(crate) fn fail(&self, fault: Fault) {
        let mut state = self.state();
        (state.fault, state.calls, state.hit) = (Some(fault), 0, false);
    }

    pub(crate) fn was_hit(&self) -> bool {
        self.state().hit
    }

    /// No call fails any more.
    pub(crate) fn heal(&self) {
        self.state().fault = None;
    }

    pub(crate) fn tell(&self, step: u64) {
        self.state().ops.push(Op::Told { step });
    }

    pub(crate) fn ops(&self) -> Vec<Op> {
        self.state().ops.clone()
    }

    /// The bytes of a file, to be spoilt.
    pub(crate) fn spoil(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let file = state.names[Path::new(name)];
        change(&mut state.files[file]);
    }

    pub(crate) fn names(&self) -> Vec<PathBuf> {
        self.state().names.keys().cloned().collect()
    }

    fn check(&self, call: Call) -> io::Result<()> {
        let mut state = self.state();
        let Some(fault) = state.fault.filter(|fault| fault.call == call) else {
            return Ok(());
        };
        state.calls += 1;
        if state.calls == fault.nth || (fault.sticky && state.calls > fault.nth) {
            state.hit = true;
            return Err(io::Error::from_raw_os_error(fault.errno));
        }
        Ok(())
    }
}

/// Writes into a file in memory, which grows by it.
pub(crate) fn put(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if file.len() < at + bytes.len() {
        file.resize(at + bytes.len(), 0);
    }
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

impl Vfs for Imitation {
    fn open(&self, name: &Path, how: How) -> io::Result<Box<dyn VfsFile>> {
        let known = self.state().names.get(name).copied();
        let file = match (known, how) {
            (Some(_), How::Create(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
            (None, How::Create(_)) => {
                self.check(Call::Create)?;
                let mut state = self.state();
                let file = state.files.len();
                state.files.push(Vec::new());
                state.names.insert(name.into(), file);
                let path = name.into();
                state.ops.push(Op::Name { path, file });
                file
            }
            (Some(file), _) => file,
            (None, _) => return Err(io::Error::from_raw_os_error(libc_enoent())),
        };
        let disk = self.clone();
        Ok(Box::new(ImitationFile { disk, file }))
    }

    fn identity(&self, name: &Path) -> io::Result<Option<Identity>> {
        let state = self.state();
        if let Some(file) = state.names.get(name) {
            return Ok(Some(identity(*file, Kind::File, 0o600)));
        }
        let directory = state.directories.contains(name);
        Ok(directory.then(|| identity(usize::MAX, Kind::Directory, 0o700)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check(Call::Rename)?;
        let mut state = self.state();
        let Some(file) = state.names.remove(from) else {
            return Err(io::Error::from_raw_os_error(libc_enoent()));
        };
        state.names.insert(to.into(), file);
        let (from, to) = (from.into(), to.into());
        state.ops.push(Op::Rename { from, to, file });
        Ok(())
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        let taken = self.state().names.contains_key(to);
        match taken {
            true => Err(io::ErrorKind::AlreadyExists.into()),
            false => self.rename(from, to),
        }
    }

    fn unlink(&self, name: &Path) -> io::Result<()> {
        self.check(Call::Unlink)?;
        let mut state = self.state();
        if state.names.remove(name).is_none() {
            return Err(io::Error::from_raw_os_error(libc_enoent()));
        }
        state.ops.push(Op::Unlink { path: name.into() });
        Ok(())
    }

    fn make_directory(&self, name: &Path) -> io::Result<()> {
        self.state().directories.insert(name.into());
        Ok(())
    }

    fn list(&self, name: &Path) -> io::Result<Vec<OsString>> {
        let state = self.state();
        let inside = state
            .names
            .keys()
            .filter(|path| path.parent() == Some(name));
        Ok(inside
            .filter_map(|path| Some(path.file_name()?.to_owned()))
            .collect())
    }

    fn sync_directory(&self, name: &Path) -> io::Result<()> {
        self.check(Call::SyncDirectory)?;
        self.state()
            .ops
            .push(Op::SyncDirectory { path: name.into() });
        Ok(())
    }
}

fn libc_enoent() -> i32 {
    rustix::io::Errno::NOENT.raw_os_error()
}

fn identity(file: usize, kind: Kind, mode: u32) -> Identity {
    Identity {
        device: 1,
        inode: file as u64,
        kind,
        names: 1,
        ours: true,
        mode,
    }
}

#[derive(Debug)]
struct ImitationFile {
    disk: Imitation,
    file: usize,
}

impl VfsFile for ImitationFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        let bytes = state.files[self.file]
            .get(offset as usize..)
            .unwrap_or_default();
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        // A failing write may have written some, as a disk that becomes full does.
        let failed = self.disk.check(Call::Write);
        let length = if failed.is_err() {
            bytes.len() / 2
        } else {
            bytes.len()
        };
        let mut state = self.disk.state();
        put(
            &mut state.files[self.file],
            offset as usize,
            &bytes[..length],
        );
        let (file, at, bytes) = (self.file, offset as usize, bytes[..length].to_vec());
        state.ops.push(Op::Write { file, at, bytes });
        failed.map(|()| length)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.disk.check(Call::Length)?;
        let mut state = self.disk.state();
        let (file, length) = (self.file, length as usize);
        state.files[file].resize(length, 0);
        state.ops.push(Op::Length { file, length });
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[self.file].len() as u64)
    }

    fn sync(&self) -> io::Result<()> {
        // One that failed has made nothing durable, and what it was for may be lost.
        self.disk.check(Call::Sync)?;
        let file = self.file;
        self.disk.state().ops.push(Op::Sync { file });
        Ok(())
    }

    fn set_mode(&self, _mode: u32) -> io::Result<()> {
        Ok(())
    }

    fn identity(&self) -> io::Result<Identity> {
        let named = self
            .disk
            .state()
            .names
            .values()
            .any(|file| *file == self.file);
        let mut identity = identity(self.file, Kind::File, 0o600);
        identity.names = u64::from(named);
        Ok(identity)
    }

    fn lock(&self, _places: Range<u8>, _alone: bool, _wait: bool) -> io::Result<bool> {
        Ok(true)
    }

    fn unlock(&self, _places: Range<u8>) -> io::Result<()> {
        Ok(())
    }

    fn others_lock(&self, places: Range<u8>) -> io::Result<bool> {
        // Readers, in a log: then what is durable is told to them.
        Ok(self.disk.shared && places == (3..4))
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}
