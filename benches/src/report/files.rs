//! The files that a run is written to: asked for before it is measured, whole or not there.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};

use super::{page, summary};
use crate::results::Run;

/// Whether `directory` can be made and written to, as far as that can be told before.
///
/// # Errors
/// What stands in the way, and where; nothing has been made.
pub fn check_directory(directory: &Path) -> io::Result<()> {
    let mut at = std::path::absolute(directory)?;
    while at.symlink_metadata().is_err() {
        if !at.pop() {
            break;
        }
    }
    let fail = |error: io::Error| named("write to", directory, &error);
    if !fs::metadata(&at).map_err(fail)?.is_dir() {
        return Err(fail(io::Error::other(format!(
            "`{}` is not a directory",
            at.display()
        ))));
    }
    access(&at, Access::WRITE_OK | Access::EXEC_OK).map_err(|errno| fail(errno.into()))
}

/// The same of a file's directory, which must be there.
///
/// # Errors
/// As [`check_directory`].
pub fn check_file(path: &Path) -> io::Result<()> {
    let absolute = std::path::absolute(path)?;
    let fail = |error: &io::Error| named("write", path, error);
    if absolute.is_dir() {
        return Err(fail(&io::ErrorKind::IsADirectory.into()));
    }
    let parent = absolute.parent().unwrap_or(Path::new("/"));
    fs::metadata(parent).map_err(|error| fail(&error))?;
    match absolute.exists() {
        true => access(&absolute, Access::WRITE_OK).map_err(|errno| fail(&errno.into())),
        false => check_directory(parent),
    }
}

/// Writes every report to `out_dir`, and returns their paths. One that cannot be written keeps
/// none of the others from it.
///
/// # Errors
/// Whatever kept a directory from being made or a file from being written; the message names the
/// path.
pub fn write(run: &Run, out_dir: &Path) -> io::Result<Vec<PathBuf>> {
    fs::create_dir_all(out_dir).map_err(|error| named("create", out_dir, &error))?;
    // The data first: from it the others can be made again.
    let path = out_dir.join("run.json");
    let mut outcomes = vec![write_json(run, &path).map(|()| path)];
    for (name, text) in [("report.html", page(run)), ("report.md", summary(run))] {
        let path = out_dir.join(name);
        outcomes.push(put(&path, &text).map(|()| path));
    }
    outcomes.into_iter().collect()
}

/// Writes the run itself, as JSON, to `path`.
///
/// # Errors
/// Whatever kept the file from being written; the message names the path.
pub fn write_json(run: &Run, path: &Path) -> io::Result<()> {
    let json = serde_json::to_string_pretty(run).map_err(io::Error::other)?;
    put(path, &json)
}

/// Half a page would be taken for a page.
fn put(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text).map_err(|error| {
        if fs::metadata(path).is_ok_and(|found| found.is_file()) {
            let _ = fs::remove_file(path);
        }
        named("write", path, &error)
    })
}

pub(super) fn named(operation: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("{operation} `{}`: {error}", path.display()),
    )
}
