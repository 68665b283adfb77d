//! Rule `headers`: a source file opens with what lives there, a manifest inherits the workspace's
//! keys.

use super::Finding;
use super::tree::{Manifest, Tree};

/// Keys of `[package]` that every crate takes from the workspace.
const INHERITED: &[&str] = &["version", "edition", "rust-version", "license"];

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for manifest in tree.packages() {
        inherited(manifest, findings);
        for (path, text) in tree
            .files_of(manifest)
            .filter(|(path, _)| path.ends_with(".rs"))
        {
            let opens = text.starts_with("//! ") || text.starts_with("#![doc = include_str!");
            if !opens {
                let message = "must open with `//!` and one sentence that says what lives here";
                findings.push(Finding::error(
                    format!("{}/{path}", manifest.dir),
                    1,
                    message,
                ));
            }
        }
    }
}

fn inherited(manifest: &Manifest, findings: &mut Vec<Finding>) {
    let from_workspace = |value: Option<&toml::Value>| {
        value
            .and_then(|value| value.get("workspace"))
            .and_then(toml::Value::as_bool)
            == Some(true)
    };
    for key in INHERITED {
        if !from_workspace(manifest.table["package"].get(key)) {
            let line = manifest.line_of("package", key);
            let message = format!("`{key}` is not the workspace's: write {key}.workspace = true");
            findings.push(Finding::error(&manifest.path, line, message));
        }
    }
    if !from_workspace(manifest.table.get("lints")) {
        let message = "the workspace's lints do not apply: add [lints] workspace = true";
        let line = manifest.line_of("lints", "workspace");
        findings.push(Finding::error(&manifest.path, line, message));
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::rejects;
    use super::check;

    #[test]
    fn a_silent_file_and_an_own_licence_are_refused() {
        rejects(
            "headers",
            check,
            &[
                ("crates/ipc-odd/Cargo.toml:6", "`license`"),
                ("crates/ipc-odd/Cargo.toml:1", "lints"),
                ("crates/ipc-odd/src/channel.rs:1", "must open"),
            ],
        );
    }
}
