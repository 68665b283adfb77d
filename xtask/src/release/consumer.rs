//! A project outside the workspace that knows the packages and nothing else.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::package_dir;
use super::readme::Block;
use crate::Outcome;
use crate::supervise::{self, Ended};
use crate::workspace::{Dependency, Package, Workspace};

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
    pub(super) fn write(&self, blocks: &[Block], workspace: &Workspace) -> Outcome {
        fs::write(self.dir.join("Cargo.toml"), self.manifest(blocks)?)?;
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

    fn manifest(&self, blocks: &[Block]) -> Outcome<String> {
        let mut text = String::from(
            "[package]\nname = \"consumer\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [workspace]\n\n[dependencies]\n",
        );
        let name = &self.package.name;
        let features = quoted(&self.package.readme_features);
        writeln!(
            text,
            "{name} = {{ path = {:?}, features = [{features}] }}",
            self.path(self.package)
        )?;
        for dependency in self.named_dependencies(blocks) {
            writeln!(text, "{}", self.line(&dependency))?;
        }
        text.push_str("\n[patch.crates-io]\n");
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

    /// What else the examples name: their user would add that as well. A crate that is used and
    /// tested with different features has them all.
    fn named_dependencies(&self, blocks: &[Block]) -> Vec<Dependency> {
        let mut named: Vec<Dependency> = Vec::new();
        for dependency in &self.package.dependencies {
            let name = &dependency.name;
            if *name == self.package.name || !blocks.iter().any(|block| block.names(name)) {
                continue;
            }
            match named.iter_mut().find(|known| known.name == *name) {
                Some(known) => {
                    known.features.extend_from_slice(&dependency.features);
                    known.default_features |= dependency.default_features;
                }
                None => named.push(dependency.clone()),
            }
        }
        named
    }

    fn line(&self, dependency: &Dependency) -> String {
        let Dependency {
            name,
            requirement,
            default_features,
            ..
        } = dependency;
        let features = quoted(&dependency.features);
        let source = match self.packages.iter().find(|package| package.name == *name) {
            Some(package) => format!("path = {:?}", self.path(package)),
            None => format!("version = {requirement:?}"),
        };
        format!(
            "{name} = {{ {source}, features = [{features}], \
             default-features = {default_features} }}"
        )
    }

    fn path(&self, package: &Package) -> PathBuf {
        self.unpacked.join(package_dir(package))
    }
}

fn quoted(words: &[String]) -> String {
    words
        .iter()
        .map(|word| format!("{word:?}"))
        .collect::<Vec<_>>()
        .join(", ")
}
