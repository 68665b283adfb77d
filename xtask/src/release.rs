//! `cargo xtask release --dry-run`: packages every crate and uses the packages as a stranger would.

mod consumer;
mod readme;

use std::fs;
use std::path::{Path, PathBuf};

use xshell::cmd;

use self::consumer::Consumer;
use crate::Outcome;
use crate::printed::say;
use crate::scratch::Scratch;
use crate::workspace::{Package, Workspace, shell};

/// Packages every publishable crate, then builds and runs each README example against the packages.
///
/// For each crate, one at a time, a project outside the workspace depends on the unpacked packages
/// only, by the lines that the README tells to list; each `rust` block of the README becomes a
/// program of it, which must build and end with exit code 0.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Publish nothing. Without it the command refuses: a person publishes.
    #[arg(long)]
    dry_run: bool,
    /// Package a tree with changes that are not committed.
    #[arg(long)]
    allow_dirty: bool,
    /// Only the examples of this crate; may be repeated. Every crate is packaged all the same.
    #[arg(short, long = "package", value_name = "CRATE")]
    packages: Vec<String>,
}

/// Packages, unpacks and tries; prints one line for each example.
pub(crate) fn run(args: &Args) -> Outcome {
    if !args.dry_run {
        return Err(
            "publishing is done by a person, with `cargo publish`; this command only \
                    rehearses it: add --dry-run"
                .into(),
        );
    }
    let workspace = Workspace::load()?;
    for name in &args.packages {
        workspace.package(name)?;
    }
    let packages: Vec<&Package> = workspace
        .packages
        .iter()
        .filter(|p| p.publishable)
        .collect();
    let scratch = Scratch::outside("release")?;
    let unpacked = package(&workspace, &packages, args.allow_dirty, scratch.dir())?;

    let (mut ran, mut failed) = (0, Vec::new());
    for package in &packages {
        if !args.packages.is_empty() && !args.packages.contains(&package.name) {
            continue;
        }
        let readme = unpacked.join(package_dir(package)).join("README.md");
        let text = fs::read_to_string(readme)?;
        let blocks = readme::blocks(&text);
        if blocks.is_empty() {
            say!("{:<14} no example in its README", package.name);
            continue;
        }
        let consumer = Consumer::new(scratch.dir(), &unpacked, package, &packages)?;
        consumer.write(&text, &blocks, &workspace)?;
        for (number, block) in blocks.iter().enumerate() {
            let outcome = consumer.try_block(number + 1, block, &workspace.target);
            let word = match &outcome {
                Ok(()) if block.runs => "built and ran",
                Ok(()) => "built",
                Err(_) => "FAILED",
            };
            say!("{:<14} README line {:>3}: {word}", package.name, block.line);
            if let Err(error) = outcome {
                say!("{error}");
                failed.push(format!("{} line {}", package.name, block.line));
            }
            ran += 1;
        }
    }
    say!(
        "{} packages, {ran} examples, {} failed",
        packages.len(),
        failed.len()
    );
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("failed: {}", failed.join(", ")).into())
    }
}

/// Packages the crates in one call, since each needs the others, and unpacks them in `scratch`.
fn package(
    workspace: &Workspace,
    packages: &[&Package],
    allow_dirty: bool,
    scratch: &Path,
) -> Outcome<PathBuf> {
    let sh = shell()?;
    let selection = packages.iter().flat_map(|package| ["-p", &package.name]);
    let dirty = allow_dirty.then_some("--allow-dirty");
    // Not verified here: each is built below, from its package, together with its README.
    cmd!(
        sh,
        "cargo package --quiet --no-verify {selection...} {dirty...}"
    )
    .run()?;
    let unpacked = scratch.join("packages");
    sh.create_dir(&unpacked)?;
    for package in packages {
        let name = format!("{}.crate", package_dir(package));
        let archive = workspace.target.join("package").join(name);
        cmd!(
            sh,
            "tar --extract --gzip --file {archive} --directory {unpacked}"
        )
        .quiet()
        .run()?;
    }
    Ok(unpacked)
}

/// What a package is called once unpacked.
fn package_dir(package: &Package) -> String {
    format!("{}-{}", package.name, package.version)
}
