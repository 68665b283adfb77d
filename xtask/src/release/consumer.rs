//! A project outside the workspace that knows the packages and nothing else.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::package_dir;
use super::readme::{self, Block};
use crate::Outcome;
use crate::supervise::{self, Ended};
use crate::workspace::{Package, Workspace};

/// For a build with its dependencies, and far beyond any example's run.
const TIMEOUT: Duration = Duration::from_secs(600);

/// The project that tries one crate.
pub(super) struct Consumer<'a> {
    dir: PathBuf,
    unpacked: &'a Path,
    package: &'a Package,
    /// Every crate that was packaged.
    packages: &'a [&'a Package],
}

impl<'a> Consumer<'a> {
    pub(super) fn new(
        scratch: &Path,
        unpacked: &'a Path,
        package: &'a Package,
        packages: &'a [&'a Package],
    ) -> Outcome<Self> {
        let dir = scratch.join(format!("uses-{}", package.name));
        fs::create_dir_all(dir.join("src/bin"))?;
        Ok(Self {
            dir,
            unpacked,
            package,
            packages,
        })
    }

    /// Writes the project: one program for each block. The lock file is the workspace's, so that
    /// the packages are tried with the versions they were tested with.
    pub(super) fn write(&self, text: &str, blocks: &[Block], workspace: &Workspace) -> Outcome {
        fs::write(self.dir.join("Cargo.toml"), self.manifest(text)?)?;
        let _ = fs::copy(
            workspace.root.join("Cargo.lock"),
            self.dir.join("Cargo.lock"),
        );
        for (index, block) in blocks.iter().enumerate() {
            let program = self.dir.join(format!("src/bin/example{}.rs", index + 1));
            fs::write(program, block.program())?;
        }
        Ok(())
    }

    /// Builds the program of one block, and runs it where it is meant to run. The error is all
    /// that cargo or the program printed.
    pub(super) fn try_block(&self, number: usize, block: &Block, target: &Path) -> Outcome {
        // Shared by all of these projects, and with nothing else.
        let target = target.join("package-check");
        let name = format!("example{number}");
        let mut build = Command::new("cargo");
        build
            .args(["build", "--quiet", "--bin", &name])
            .env("CARGO_TARGET_DIR", &target);
        self.try_command(build.current_dir(&self.dir), block)?;
        if !block.runs {
            return Ok(());
        }
        let mut run = supervise::launcher();
        run.arg("--")
            .arg(target.join("debug").join(&name))
            .current_dir(&self.dir);
        self.try_command(&mut run, block)
    }

    fn try_command(&self, command: &mut Command, block: &Block) -> Outcome {
        let ended = supervise::run(command, &self.dir.join("log"), TIMEOUT)?;
        if ended.succeeded {
            return Ok(());
        }
        let Ended { how, output, .. } = ended;
        Err(format!("{command:?}: {how}\n{output}\n{}", block.program()).into())
    }

    /// The crate itself and what its README tells to list beside it; tidy sees to it that this is
    /// all that the examples name.
    fn manifest(&self, readme: &str) -> Outcome<String> {
        let Package { name, version, .. } = self.package;
        let listed = readme::dependencies(readme);
        let listed = listed.unwrap_or_else(|| format!("{name} = {version:?}\n"));
        let mut text = format!(
            "[package]\nname = \"consumer\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [workspace]\n\n[dependencies]\n{listed}\n[patch.crates-io]\n"
        );
        for package in self.packages {
            writeln!(
                text,
                "{} = {{ path = {:?} }}",
                package.name,
                self.path(package)
            )?;
        }
        Ok(text)
    }

    fn path(&self, package: &Package) -> PathBuf {
        self.unpacked.join(package_dir(package))
    }
}
