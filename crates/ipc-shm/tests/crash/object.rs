//! An object under test: its name, what stands there, and what a well-behaved crash may leave.

use ipc_shm::{Backing, DATA_OFFSET, Error, ErrorKind, Options, Region};
use ipc_testkit::TempDir;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long whoever comes after a crash may wait.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
/// A size that no other program's segments are likely to have.
pub(crate) const SIZE: usize = 4112;
pub(crate) const NAMED: [Backing; 3] = [Backing::Posix, Backing::File, Backing::SystemV];
/// As many of an object's bytes as a copy needs.
const HEADER: usize = 64;
const PREFIX: &str = "ipc-crash-";

/// A fresh name of a backing.
pub(crate) struct Object {
    pub(crate) name: PathBuf,
    pub(crate) options: Options,
    pub(crate) backing: Backing,
    pub(crate) dir: PathBuf,
}

impl Object {
    pub(crate) fn new(backing: Backing, dir: &TempDir) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        Self::at(
            backing,
            dir.path(),
            &format!("{PREFIX}{}-{serial}", std::process::id()),
        )
    }

    /// The object that another process has named so.
    pub(crate) fn at(backing: Backing, dir: &Path, name: &str) -> Self {
        let mut options = Options::new();
        options
            .backing(backing)
            .size_bytes(SIZE)
            .directory(dir.join("run"));
        let name = match backing {
            Backing::File => dir.join(name),
            _ => name.into(),
        };
        let dir = dir.to_path_buf();
        Self {
            name,
            options,
            backing,
            dir,
        }
    }

    /// A second name of the same backing, for a copy.
    pub(crate) fn twin(&self) -> Self {
        let name = self.name.file_name().expect("a name").to_string_lossy();
        Self::at(self.backing, &self.dir, &format!("{name}-copy"))
    }

    /// Where the object, or its key file, stands.
    pub(crate) fn path(&self) -> PathBuf {
        match self.backing {
            Backing::File => self.name.clone(),
            Backing::SystemV => self.dir.join("run").join(&self.name),
            _ => Path::new("/dev/shm").join(&self.name),
        }
    }

    /// Leaves what a maker leaves that is killed when it has marked the object.
    pub(crate) fn leave_half_made(&self) {
        drop(self.options.open_or_create(&self.name).expect("made"));
        self.options.unlink(&self.name).expect("there");
        let file = std::fs::File::create_new(self.path()).expect("free");
        file.write_all_at(b"ipc-mak\0", 0).expect("ours");
        private(&file);
    }

    /// Makes it as it was before anything was done.
    pub(crate) fn clear(&self) {
        let _ = self.options.unlink(&self.name);
        let _ = std::fs::remove_file(self.path());
    }

    /// What an opener sees: a whole region, or none.
    pub(crate) fn look(&self) -> Result<(), String> {
        match self.options.open_timeout(&self.name, DEADLINE) {
            Ok(region) => whole(&region),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(format!("open: {error}")),
        }
    }

    /// What the next start does, with no hand to help it: twice, and the second changes nothing.
    pub(crate) fn recover(&self) -> Result<(), String> {
        self.look()?;
        let start = || self.options.open_or_create_timeout(&self.name, DEADLINE);
        let first = start().map_err(|error| format!("start again: {error}"))?;
        whole(&first)?;
        drop(first);
        let image = self.image();
        let second = start().map_err(|error| format!("start twice: {error}"))?;
        whole(&second)?;
        if self.image() != image {
            return Err("a second recovery changes what the first has made".into());
        }
        let text = |error: Error| format!("use: {error}");
        second.write_at(SIZE - 5, b"works").map_err(text)?;
        if !self.options.is_live(&self.name).map_err(text)? {
            return Err("a region in use is not live".into());
        }
        drop(second);
        self.options.unlink(&self.name).map_err(text)?;
        match self.options.try_open(&self.name) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            outcome => Err(format!("after its removal: {outcome:?}")),
        }
    }

    /// What stands there; `None` for nothing.
    pub(crate) fn image(&self) -> Option<Image> {
        let file = std::fs::File::open(self.path()).ok()?;
        image_of(&file, &file.metadata().ok()?)
    }

    /// Puts a copy of what was seen under this name.
    pub(crate) fn put(&self, image: &Image) {
        let file = std::fs::File::create_new(self.path()).expect("free");
        private(&file);
        file.write_all_at(&image.head[..image.length], 0)
            .expect("room");
        file.set_len(image.size).expect("room");
        if image.size > 0 && image.blocks * 512 >= image.size {
            let all = rustix::fs::FallocateFlags::empty();
            rustix::fs::fallocate(&file, all, 0, image.size).expect("room");
        }
    }
}

/// Looks at a path ten thousand times, and opens it only when it means another file.
pub(crate) struct Watch {
    path: PathBuf,
    file: Option<(std::fs::File, u64)>,
}

impl Watch {
    pub(crate) fn new(object: &Object) -> Self {
        let path = object.path();
        Self { path, file: None }
    }

    pub(crate) fn image(&mut self) -> Option<Image> {
        let stat = std::fs::symlink_metadata(&self.path).ok()?;
        match &self.file {
            Some((file, inode)) if *inode == stat.ino() => image_of(file, &stat),
            _ => {
                let file = std::fs::File::open(&self.path).ok()?;
                let image = image_of(&file, &stat);
                self.file = Some((file, stat.ino()));
                image
            }
        }
    }
}

fn image_of(file: &std::fs::File, stat: &std::fs::Metadata) -> Option<Image> {
    // The header: behind it nobody writes but by request.
    let mut head = [0; HEADER];
    let length = file.read_at(&mut head, 0).ok()?;
    let (size, blocks) = (stat.len(), stat.blocks());
    Some(Image {
        head,
        length,
        size,
        blocks,
    })
}

/// What stands under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    head: [u8; HEADER],
    length: usize,
    size: u64,
    blocks: u64,
}

fn private(file: &std::fs::File) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(0o600);
    file.set_permissions(mode).expect("ours");
}

/// Whether a region is what a maker makes: whole, and zero where nobody has written.
pub(crate) fn whole(region: &Region) -> Result<(), String> {
    region
        .verify()
        .map_err(|error| format!("verify: {error}"))?;
    let mut bytes = [1; SIZE];
    let read = region.read_at(0, &mut bytes);
    read.map_err(|error| format!("read: {error}"))?;
    if region.len_bytes() < SIZE || bytes[..SIZE - 8].iter().any(|byte| *byte != 0) {
        return Err(format!("{} bytes, or not zero", region.len_bytes()));
    }
    Ok(())
}

/// The System V segments of this user that have a size of ours.
pub(crate) fn segments() -> usize {
    let table = std::fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    let user = rustix::process::geteuid().as_raw().to_string();
    let ours = |line: &&str| {
        let field = |at: usize| line.split_whitespace().nth(at).unwrap_or_default();
        let size = field(3).parse().unwrap_or(0);
        let sizes = SIZE + DATA_OFFSET..SIZE + DATA_OFFSET + 8;
        field(7) == user && sizes.contains(&size)
    };
    table.lines().skip(1).filter(ours).count()
}

/// What is left of this laboratory in /dev/shm and in the directory for temporary files.
pub(crate) fn left_behind() -> Vec<String> {
    let this = std::process::id();
    let mine = [format!("{PREFIX}{this}-"), format!("ipc test {this} ")];
    let places = [PathBuf::from("/dev/shm"), std::env::temp_dir()];
    let entries = places
        .iter()
        .filter_map(|place| std::fs::read_dir(place).ok());
    let names = entries.flatten().flatten().map(|entry| entry.file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    names
        .filter(|name| mine.iter().any(|mine| name.starts_with(mine)))
        .collect()
}
