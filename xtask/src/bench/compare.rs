//! `--compare GIT-REF`: this tree against the same bench of another commit, on this machine, now.

use std::fs;
use std::path::{Path, PathBuf};

use xshell::cmd;

use super::{Bench, Request, build};
use crate::Outcome;
use crate::printed::say;
use crate::scratch::Scratch;
use crate::workspace::shell;

/// The commit to compare with.
pub(super) struct Base {
    reference: String,
    commit: String,
}

impl Base {
    /// Looks the reference up, and whether that commit has a bench at all.
    pub(super) fn find(reference: &str) -> Outcome<Self> {
        let sh = shell()?;
        let wanted = format!("{reference}^{{commit}}");
        let commit = cmd!(
            sh,
            "git rev-parse --verify --quiet --end-of-options {wanted}"
        )
        .quiet()
        .ignore_stderr()
        .read()
        .map_err(|_| format!("git knows no commit {reference:?}; fetch it first?"))?;
        let manifest = format!("{commit}:benches/Cargo.toml");
        if cmd!(sh, "git cat-file -e {manifest}")
            .quiet()
            .ignore_stderr()
            .run()
            .is_err()
        {
            return Err(
                format!("{reference} has no benches/Cargo.toml: nothing to compare").into(),
            );
        }
        Ok(Self {
            reference: reference.to_owned(),
            commit,
        })
    }
}

/// Builds the base, and becomes the bench of this tree, which measures both and gives the verdict.
pub(super) fn run(bench: &Bench, base: &Base, request: &Request) -> Outcome {
    say!("comparing with {} ({:.12})", base.reference, base.commit);
    let checkout = Checkout::add(&bench.scratch, &base.commit)?;
    // One target directory for every base, so that the next comparison builds little.
    let built = build(&checkout.dir, &bench.scratch.join("build"), request.peers)
        .map_err(|error| format!("the bench of {} does not build: {error}", base.reference))?;
    drop(checkout);
    let mut args = request.passed_on.clone();
    args.extend(["--against".into(), built.into_os_string()]);
    bench.become_it(&args)
}

/// A worktree of one commit, removed when dropped.
struct Checkout {
    dir: PathBuf,
    _scratch: Scratch,
}

impl Checkout {
    fn add(scratch: &Path, commit: &str) -> Outcome<Self> {
        fs::create_dir_all(scratch)?;
        let dir = scratch.join("base");
        let checkout = Self {
            _scratch: Scratch::adopt(dir.clone()),
            dir,
        };
        // What an interrupted comparison left behind.
        checkout.remove();
        let (sh, dir) = (shell()?, &checkout.dir);
        cmd!(
            sh,
            "git worktree add --quiet --force --detach {dir} {commit}"
        )
        .quiet()
        .run()?;
        Ok(checkout)
    }

    fn remove(&self) {
        if !self.dir.exists() {
            return;
        }
        let dir = &self.dir;
        let removed = shell().and_then(|sh| {
            let remove = cmd!(sh, "git worktree remove --force {dir}");
            Ok(remove.quiet().ignore_stderr().run()?)
        });
        if removed.is_err() {
            let _ = fs::remove_dir_all(dir);
        }
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        self.remove();
    }
}
