//! The confinement of a test run: a copy of the binaries and the directories of a user without
//! rights.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::Uid;

use super::targets::{Built, Target};
use crate::Outcome;
use crate::printed::say;
use crate::scratch::Scratch;

/// Directories that exist while it lives.
pub(crate) struct Confinement {
    scratch: Scratch,
    /// Who runs the programs; `None` where we are not root and so cannot choose.
    uid: Option<u32>,
    programs: Vec<(String, PathBuf)>,
}

impl Confinement {
    /// Copies the binaries to where the user may read them, and makes the user's directories.
    pub(crate) fn prepare(built: &Built, uid: u32) -> Outcome<Self> {
        let scratch = Scratch::outside("confined")?;
        let uid = Uid::effective().is_root().then_some(uid);
        let mut confinement = Self {
            scratch,
            uid,
            programs: Vec::new(),
        };
        fs::set_permissions(confinement.scratch.dir(), Permissions::from_mode(0o755))?;
        for name in ["bin", "home", "tmp", "run"] {
            let path = confinement.scratch.dir().join(name);
            fs::create_dir(&path)?;
            if name == "bin" {
                fs::set_permissions(&path, Permissions::from_mode(0o755))?;
                continue;
            }
            fs::set_permissions(&path, Permissions::from_mode(0o700))?;
            if let Some(uid) = uid {
                chown(&path, Some(uid), Some(uid))?;
            }
        }
        let skips = confinement.home().join("skips");
        fs::write(&skips, "")?;
        if let Some(uid) = uid {
            chown(&skips, Some(uid), Some(uid))?;
        }
        for target in &built.tests {
            confinement.copy(&target.executable)?;
        }
        for (name, program) in &built.programs {
            let copy = confinement.copy(program)?;
            confinement.programs.push((name.clone(), copy));
        }
        confinement.announce();
        Ok(confinement)
    }

    /// The user's home.
    pub(crate) fn home(&self) -> PathBuf {
        self.scratch.dir().join("home")
    }

    /// Completes a `launch` command: its environment, its directory and the program's copy.
    pub(crate) fn apply(&self, command: &mut Command, target: &Target) {
        command.env_clear().current_dir(self.home());
        command
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("RUST_BACKTRACE", "1");
        command
            .env("HOME", self.home())
            .env("TMPDIR", self.scratch.dir().join("tmp"));
        command.env("XDG_RUNTIME_DIR", self.scratch.dir().join("run"));
        for (name, program) in &self.programs {
            command.env(format!("CARGO_BIN_EXE_{name}"), program);
        }
        command.arg("--filtered");
        if let Some(uid) = self.uid {
            command.arg("--unprivileged").arg(uid.to_string());
        }
        command.arg("--").arg(self.place(&target.executable));
    }

    fn copy(&self, executable: &Path) -> Outcome<PathBuf> {
        let place = self.place(executable);
        fs::copy(executable, &place)?;
        fs::set_permissions(&place, Permissions::from_mode(0o755))?;
        Ok(place)
    }

    fn place(&self, executable: &Path) -> PathBuf {
        self.scratch
            .dir()
            .join("bin")
            .join(executable.file_name().unwrap_or_default())
    }

    fn announce(&self) {
        say!("confined: no new privileges; ptrace, process_vm_*, perf_event_open denied");
        if let Some(uid) = self.uid {
            say!("confined: uid {uid}, no groups; /dev/shm of 64 MiB, no /dev/mqueue");
        } else {
            say!("NOT confined, for want of root: the user, /dev/shm and /dev/mqueue stay");
        }
    }
}
