//! The files that tidy looks at, and the manifests among them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use xshell::{Shell, cmd};

use crate::Outcome;

/// Where the trees live that rules must reject; they are no part of the tree that is checked.
const FIXTURES: &str = "xtask/fixtures/";

/// A set of text files under one root.
pub(crate) struct Tree {
    /// Text by path relative to the root, `/` between names.
    files: BTreeMap<String, String>,
    packages: Vec<Manifest>,
    /// Directories of packages whose `src/` differs from the last release, where that is known.
    changed: Option<Vec<String>>,
}

/// The `Cargo.toml` of one package.
pub(crate) struct Manifest {
    /// The package's directory relative to the root.
    pub(crate) dir: String,
    /// The manifest's path relative to the root.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) table: toml::Table,
}

/// What a package declares as its floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Floor {
    Number(i64),
    /// Serves development only: test kit, bench, xtask.
    Dev,
}

impl Tree {
    /// The files that git tracks or would track.
    pub(crate) fn tracked(root: &Path) -> Outcome<Self> {
        let sh = Shell::new()?;
        sh.change_dir(root);
        let list = cmd!(sh, "git ls-files --cached --others --exclude-standard")
            .quiet()
            .read()?;
        let paths = list.lines().filter(|path| !path.starts_with(FIXTURES));
        let mut tree = Self::read(root, paths.map(str::to_owned))?;
        tree.changed = changed_packages(&sh, &tree)?;
        Ok(tree)
    }

    /// Every file under `root`.
    #[cfg(test)]
    pub(crate) fn on_disk(root: &Path) -> Outcome<Self> {
        let mut paths = Vec::new();
        let mut pending = vec![root.to_owned()];
        while let Some(dir) = pending.pop() {
            for entry in fs::read_dir(&dir).map_err(|e| format!("{}: {e}", dir.display()))? {
                let path = entry?.path();
                if path.is_dir() {
                    pending.push(path);
                } else {
                    paths.push(path.strip_prefix(root)?.to_string_lossy().into_owned());
                }
            }
        }
        Self::read(root, paths.into_iter())
    }

    fn read(root: &Path, paths: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut files = BTreeMap::new();
        for path in paths {
            // A deleted file is still listed until the deletion is staged, and a picture is not
            // text: neither has anything to check.
            let Ok(bytes) = fs::read(root.join(&path)) else {
                continue;
            };
            if let Ok(text) = String::from_utf8(bytes) {
                files.insert(path, text);
            }
        }
        let mut packages = Vec::new();
        for (path, text) in &files {
            let Some(dir) = path.strip_suffix("/Cargo.toml") else {
                continue;
            };
            let table = text.parse().map_err(|error| format!("{path}: {error}"))?;
            packages.push(Manifest {
                dir: dir.to_owned(),
                path: path.clone(),
                text: text.clone(),
                table,
            });
        }
        Ok(Self {
            files,
            packages,
            changed: None,
        })
    }

    /// Every file, by path.
    pub(crate) fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }

    /// Every package.
    pub(crate) fn packages(&self) -> &[Manifest] {
        &self.packages
    }

    /// The text of one file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// The files of one package: path relative to the package, text.
    pub(crate) fn files_of<'a>(
        &'a self,
        manifest: &'a Manifest,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let prefix = format!("{}/", manifest.dir);
        self.files
            .iter()
            .filter_map(move |(path, text)| Some((path.strip_prefix(&prefix)?, text.as_str())))
    }

    /// Whether the source of this package differs from the last release; true where no release
    /// is known.
    pub(crate) fn has_changed(&self, manifest: &Manifest) -> bool {
        self.changed
            .as_ref()
            .is_none_or(|changed| changed.contains(&manifest.dir))
    }
}

impl Manifest {
    /// The package's name.
    pub(crate) fn name(&self) -> &str {
        self.table["package"]
            .get("name")
            .and_then(toml::Value::as_str)
            .unwrap_or_default()
    }

    /// The value of `[package.metadata.ipc] key`.
    pub(crate) fn ipc(&self, key: &str) -> Option<&toml::Value> {
        self.table["package"].get("metadata")?.get("ipc")?.get(key)
    }

    /// The floor, or what is wrong with it.
    pub(crate) fn floor(&self) -> Result<Floor, String> {
        match self.ipc("floor") {
            Some(toml::Value::Integer(number @ 0..)) => Ok(Floor::Number(*number)),
            Some(toml::Value::String(word)) if word == "dev" => Ok(Floor::Dev),
            Some(other) => Err(format!("floor = {other} is neither a number nor \"dev\"")),
            None => Err("no floor: add [package.metadata.ipc] floor = n".to_owned()),
        }
    }

    /// Whether the package is a mechanism: one kind of kernel object, on floor 3.
    pub(crate) fn is_mechanism(&self) -> bool {
        self.floor() == Ok(Floor::Number(3))
    }

    /// The names under `[key]` of the manifest, or of each of its `[target.….key]`.
    pub(crate) fn dependencies(&self, key: &str) -> Vec<&str> {
        let targets = self.table.get("target").and_then(toml::Value::as_table);
        let tables = std::iter::once(self.table.get(key))
            .chain(
                targets
                    .into_iter()
                    .flat_map(|t| t.values())
                    .map(|t| t.get(key)),
            )
            .flatten();
        let mut names: Vec<&str> = tables
            .filter_map(toml::Value::as_table)
            .flat_map(|table| table.iter())
            .map(|(name, value)| {
                value
                    .get("package")
                    .and_then(toml::Value::as_str)
                    .unwrap_or(name.as_str())
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The line on which `word` starts in a section whose header ends with `section]`; the header's
    /// own line, or the first, where there is none.
    pub(crate) fn line_of(&self, section: &str, word: &str) -> usize {
        let (mut inside, mut header) = (false, 1);
        for (index, line) in self.text.lines().enumerate() {
            if line.starts_with('[') {
                inside = line.trim_end().ends_with(&format!("{section}]"));
                if inside {
                    header = index + 1;
                }
            } else if inside && (line.starts_with(word) || line.contains(&format!("\"{word}\""))) {
                return index + 1;
            }
        }
        header
    }
}

/// The packages whose `src/` differs from the last tag, or else from where this branch left
/// `origin/main`; `None` where neither exists.
fn changed_packages(sh: &Shell, tree: &Tree) -> Outcome<Option<Vec<String>>> {
    let tag = cmd!(sh, "git describe --tags --abbrev=0")
        .quiet()
        .ignore_stderr()
        .read();
    let fork = || {
        cmd!(sh, "git merge-base HEAD origin/main")
            .quiet()
            .ignore_stderr()
            .read()
    };
    let Ok(base) = tag.or_else(|_| fork()) else {
        return Ok(None);
    };
    let list = cmd!(sh, "git diff --name-only {base}").quiet().read()?;
    let touched = |manifest: &&Manifest| {
        let source = format!("{}/src/", manifest.dir);
        list.lines().any(|path| path.starts_with(&source))
    };
    Ok(Some(
        tree.packages
            .iter()
            .filter(touched)
            .map(|manifest| manifest.dir.clone())
            .collect(),
    ))
}
