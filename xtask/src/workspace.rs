//! The workspace as cargo sees it: its packages, their features, targets and floors.

use std::path::{Path, PathBuf};

use serde_json::Value;
use xshell::{Shell, cmd};

use crate::Outcome;

/// Features that pull in foreign implementations to compare with. Only a command that asks for
/// them by name builds them, so that the default build stays small.
const HEAVY_FEATURES: &[&str] = &["peers"];

/// Every member of the workspace.
pub(crate) struct Workspace {
    /// The directory of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Where cargo puts what it builds.
    pub(crate) target: PathBuf,
    /// The members, by name.
    pub(crate) packages: Vec<Package>,
}

/// One member of the workspace.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// The directory of its `Cargo.toml`.
    pub(crate) dir: PathBuf,
    pub(crate) publishable: bool,
    /// Whether it has a library that doctests can run on.
    pub(crate) has_library: bool,
    /// Whether it is a macro crate: a part of the compiler, which its tests load or start.
    pub(crate) is_macro: bool,
    /// Its examples, by name.
    pub(crate) examples: Vec<String>,
    /// Names of its features, `default` left out.
    pub(crate) features: Vec<String>,
    /// `[package.metadata.ipc] floor`, where it is a number.
    pub(crate) floor: Option<String>,
}

impl Workspace {
    /// Asks `cargo metadata`.
    pub(crate) fn load() -> Outcome<Self> {
        let sh = shell()?;
        let text = cmd!(sh, "cargo metadata --format-version 1 --no-deps")
            .quiet()
            .read()?;
        let value: Value = serde_json::from_str(&text)?;
        let mut packages: Vec<Package> = array(&value["packages"])
            .iter()
            .map(Package::from_metadata)
            .collect();
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self {
            root: PathBuf::from(string(&value["workspace_root"])),
            target: PathBuf::from(string(&value["target_directory"])),
            packages,
        })
    }

    /// The member called `name`, or an error that lists them all.
    pub(crate) fn package(&self, name: &str) -> Outcome<&Package> {
        self.packages
            .iter()
            .find(|package| package.name == name)
            .ok_or_else(|| {
                let names: Vec<&str> = self.packages.iter().map(|p| p.name.as_str()).collect();
                format!(
                    "no crate is called {name:?}; there are {}",
                    names.join(", ")
                )
                .into()
            })
    }

    /// `-p` and `--features` arguments for one cargo call over `packages` with every feature but
    /// the heavy ones.
    pub(crate) fn selection(packages: &[&Package]) -> Vec<String> {
        let mut arguments = Vec::new();
        let mut features = Vec::new();
        for package in packages {
            arguments.extend(["-p".to_owned(), package.name.clone()]);
            features.extend(
                (package.features.iter())
                    .filter(|feature| !HEAVY_FEATURES.contains(&feature.as_str()))
                    .map(|feature| format!("{}/{feature}", package.name)),
            );
        }
        if !features.is_empty() {
            arguments.extend(["--features".to_owned(), features.join(",")]);
        }
        arguments
    }
}

impl Package {
    fn from_metadata(value: &Value) -> Self {
        let manifest = PathBuf::from(string(&value["manifest_path"]));
        let features = value["features"].as_object();
        let targets = array(&value["targets"]).iter();
        let kinds: Vec<&Value> = targets.flat_map(|target| array(&target["kind"])).collect();
        let has = |kind: &str| kinds.iter().any(|found| *found == kind);
        Self {
            name: string(&value["name"]),
            version: string(&value["version"]),
            dir: manifest.parent().unwrap_or(Path::new(".")).to_owned(),
            // `publish = false` is an empty list of registries; null is "any".
            publishable: value["publish"].is_null(),
            has_library: has("lib"),
            is_macro: has("proc-macro"),
            examples: array(&value["targets"])
                .iter()
                .filter(|target| strings(&target["kind"]).contains(&"example".to_owned()))
                .map(|target| string(&target["name"]))
                .collect(),
            features: features
                .map(|table| {
                    table
                        .keys()
                        .filter(|name| *name != "default")
                        .cloned()
                        .collect()
                })
                .unwrap_or_default(),
            floor: value["metadata"]["ipc"]["floor"]
                .as_u64()
                .map(|floor| floor.to_string()),
        }
    }
}

/// A shell in the workspace's root, for calls of cargo and git.
pub(crate) fn shell() -> Outcome<Shell> {
    let sh = Shell::new()?;
    sh.change_dir(root());
    Ok(sh)
}

/// The directory of the root `Cargo.toml`, known from where this program was compiled and, should
/// the checkout have been moved since, from where cargo runs it.
pub(crate) fn root() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().map(Path::to_owned).unwrap_or(manifest)
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn strings(value: &Value) -> Vec<String> {
    array(value).iter().map(string).collect()
}
