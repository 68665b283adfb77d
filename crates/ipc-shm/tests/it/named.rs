//! Names: who makes the object, who finds it, who may remove it, and what may stand there.

use ipc_shm::{Backing, ErrorKind, Options};
use ipc_testkit::{Role, Stage, TempDir, skip, watchdog};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) const NAMED: [Backing; 3] = [Backing::Posix, Backing::SystemV, Backing::File];

/// A fresh name of a backing, gone when the test ends.
pub(crate) struct Named {
    pub(crate) name: PathBuf,
    pub(crate) options: Options,
    backing: Backing,
    owner: u32,
    pub(crate) dir: TempDir,
}

impl Named {
    pub(crate) fn new(backing: Backing) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let dir = TempDir::new();
        let owner = std::process::id();
        let name = format!("ipc-test-{owner}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let name = match backing {
            Backing::File => dir.join(name),
            _ => name.into(),
        };
        let options = options_of(backing, dir.path());
        Self {
            name,
            options,
            backing,
            owner,
            dir,
        }
    }

    /// Where the object, or the key file, stands.
    pub(crate) fn path(&self) -> PathBuf {
        match self.backing {
            Backing::File => self.name.clone(),
            Backing::SystemV => self.dir.join("run").join(&self.name),
            _ => Path::new("/dev/shm").join(&self.name),
        }
    }

    /// What a role needs to open the same object.
    pub(crate) fn role(&self, role: &str, backing: Backing) -> Role {
        Role::new(role)
            .argument(format!("{backing:?}"))
            .argument(self.dir.path().display())
            .argument(self.name.display())
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        if self.owner == std::process::id() {
            let _ = self.options.unlink(&self.name);
            // What a test has put there that is no region.
            let _ = std::fs::remove_file(self.path());
        }
    }
}

fn options_of(backing: Backing, dir: &Path) -> Options {
    let mut options = Options::new();
    options
        .backing(backing)
        .size_bytes(4096)
        .directory(dir.join("run"));
    options
}

/// The options and the name that [`Named::role`] has said.
pub(crate) fn staged(stage: &Stage) -> (Options, PathBuf) {
    let backing = match stage.argument(0) {
        "Posix" => Backing::Posix,
        "SystemV" => Backing::SystemV,
        "File" => Backing::File,
        other => panic!("no backing {other}"),
    };
    let options = options_of(backing, Path::new(stage.argument(1)));
    (options, stage.argument(2).into())
}

#[test]
fn a_name_is_made_once_found_often_and_removed_by_its_maker_alone() {
    for kind in NAMED {
        let named = Named::new(kind);
        let gone = named.options.open(&named.name).expect_err("not yet");
        assert_eq!(gone.kind(), ErrorKind::NotFound, "{gone}");
        let made = named.options.create(&named.name).expect("new");
        let again = named.options.create(&named.name).expect_err("exists");
        assert_eq!(again.kind(), ErrorKind::AlreadyExists, "{again}");
        assert!(
            again.to_string().contains(&*named.path().to_string_lossy()),
            "{again}"
        );
        made.write_at(5, b"shared").expect("inside");
        let opened = named.options.open_or_create(&named.name).expect("found");
        let mut copy = [0; 6];
        opened.read_at(5, &mut copy).expect("inside");
        assert_eq!(&copy, b"shared");
        assert!(named.options.is_live(&named.name).expect("asked"));
        assert!(
            !opened.unlink().expect("no error"),
            "it has not made the object"
        );
        assert!(made.unlink().expect("it has"));
        assert!(!made.unlink().expect("no error"), "only once");
        made.read_at(5, &mut copy).expect("those attached keep it");
        assert_eq!(
            named.options.open(&named.name).expect_err("gone").kind(),
            ErrorKind::NotFound
        );
    }
}

#[test]
fn what_is_dropped_is_removed_only_where_that_was_said_and_only_by_the_maker() {
    for kind in NAMED {
        let mut named = Named::new(kind);
        named.options.unlink_on_drop(true);
        let made = named.options.create(&named.name).expect("new");
        drop(named.options.open(&named.name).expect("found"));
        assert!(named.path().exists(), "an opener's drop leaves it");
        drop(made.clone());
        assert!(named.path().exists(), "another handle is left");
        drop(made);
        assert!(!named.path().exists());
    }
}

#[test]
fn a_newer_owner_of_the_name_is_never_unlinked() {
    for kind in NAMED {
        let named = Named::new(kind);
        let first = named.options.create(&named.name).expect("new");
        std::fs::remove_file(named.path()).expect("somebody takes the name away");
        let second = named.options.create(&named.name).expect("new again");
        second.write_at(0, b"second").expect("inside");
        assert!(
            !first.unlink().expect("no error"),
            "the name is another's now"
        );
        named.options.open(&named.name).expect("still there");
        assert!(second.unlink().expect("its own"));
    }
}

pub(crate) fn race_to_create(stage: Stage) {
    let (options, name) = staged(&stage);
    let region = options.open_or_create(name).expect("one of us makes it");
    let mut own = [0; 1];
    let at = stage.argument(3).parse().expect("a number");
    region.read_at(at, &mut own).expect("inside");
    assert_eq!(own, [0], "nobody makes it a second time over ours");
    region.write_at(at, &[1]).expect("inside");
}

#[test]
fn of_many_racing_creators_one_makes_it_and_all_get_the_same() {
    const CREATORS: usize = 8;
    let _watchdog = watchdog(PATIENCE);
    for kind in NAMED {
        for round in 0..4 {
            let named = Named::new(kind);
            if round % 2 == 1 {
                // What a dead creator has left: one of them takes it over.
                drop(
                    named
                        .options
                        .create(&named.name)
                        .expect("makes the directory, too"),
                );
                named.options.unlink(&named.name).expect("there");
                drop(crate::crash::half_made(&named.path(), round));
            }
            let children: Vec<_> = (0..CREATORS)
                .map(|at| named.role("racing creator", kind).argument(at).spawn())
                .collect();
            let region = named
                .options
                .open_or_create(&named.name)
                .expect("one of us makes it");
            children.into_iter().for_each(ipc_testkit::Child::done);
            let mut marks = [0; CREATORS];
            region.read_at(0, &mut marks).expect("inside");
            assert_eq!(marks, [1; CREATORS], "{kind}");
        }
    }
}

#[test]
fn strangers_and_foreign_owners_are_refused_unless_they_are_meant() {
    for kind in NAMED {
        let mut named = Named::new(kind);
        drop(named.options.create(&named.name).expect("new"));
        std::fs::set_permissions(named.path(), PermissionsExt::from_mode(0o622)).expect("ours");
        let error = named
            .options
            .open(&named.name)
            .expect_err("strangers may write");
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        named.options.mode(0o622);
        named.options.open(&named.name).expect("it is meant");
    }
    if !rustix::process::geteuid().is_root() {
        skip!("needs root to give an object to another user");
    }
    for kind in NAMED {
        let mut named = Named::new(kind);
        drop(named.options.create(&named.name).expect("new"));
        std::os::unix::fs::chown(named.path(), Some(12_345), None).expect("root may");
        let error = named.options.open(&named.name).expect_err("another user's");
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.to_string().contains("12345"), "{error}");
        named.options.foreign_owner(true);
        named.options.open(&named.name).expect("it is meant");
    }
}

#[test]
fn names_keep_the_grammar_and_errors_show_no_control_characters() {
    let options = Options::new();
    for nasty in [
        "",
        "/",
        "..",
        ".hidden",
        "-rf",
        "a/b",
        "a\nb",
        "é",
        &"n".repeat(101),
    ] {
        let error = options.open(nasty).expect_err(nasty);
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(
            error.to_string().chars().all(|c| !c.is_control()),
            "{error:?}"
        );
    }
    let dir = TempDir::new();
    let mut options = Options::new();
    options.backing(Backing::File).size_bytes(10);
    for name in [
        "new\nline",
        "é",
        "-rf",
        "with space",
        "...",
        &"n".repeat(255),
    ] {
        let path = dir.join(name);
        drop(options.create(&path).expect("any bytes make a path"));
        options.open(&path).expect("found");
        options.unlink(&path).expect("there");
        let error = options.open(&path).expect_err("gone");
        assert!(
            error.to_string().chars().all(|c| !c.is_control()),
            "{error:?}"
        );
    }
    for name in ["a\0b", &"n".repeat(256)] {
        let error = options.create(dir.join(name)).expect_err("no path");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
}

#[test]
fn what_only_sealed_memory_can_do_is_refused_elsewhere() {
    for kind in NAMED {
        let named = Named::new(kind);
        for options in [
            named.options.clone().growable_to_bytes(1 << 20),
            named
                .options
                .clone()
                .protection(ipc_shm::Protection::ReadOnly),
            named.options.clone().narrowable(true),
            named.options.clone().read_only(true),
            named.options.clone().size_bytes(0),
            named.options.clone().backing(Backing::Memory),
            named.options.clone().mode(0o4600),
        ] {
            let error = options.create(&named.name).expect_err("refused");
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            assert!(!named.path().exists());
        }
    }
}
