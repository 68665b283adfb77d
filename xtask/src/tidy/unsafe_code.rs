//! Rule `unsafe`: the word stands in `src/sys.rs` only, and a crate without that file forbids it.

use super::Finding;
use super::source::{code_only, lines_with_word};
use super::tree::{Manifest, Tree};

const FORBID: &str = "#![forbid(unsafe_code)]";

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for manifest in tree.packages() {
        let allowed = allowed(manifest);
        for file in allowed.iter().filter(|file| file.as_str() != "src/sys.rs") {
            if tree.text(&format!("{}/{file}", manifest.dir)).is_none() {
                let message = format!("unsafe = [\"{file}\"] names a file that does not exist");
                let line = manifest.line_of("metadata.ipc", "unsafe");
                findings.push(Finding::error(&manifest.path, line, message));
            }
        }
        for (path, text) in tree
            .files_of(manifest)
            .filter(|(path, _)| path.ends_with(".rs"))
        {
            if allowed.iter().any(|file| file == path) {
                continue;
            }
            for line in lines_with_word(&code_only(text), "unsafe") {
                let message = "`unsafe` outside src/sys.rs: call a safe function of that file, or \
                               list this one in [package.metadata.ipc] unsafe";
                findings.push(Finding::error(
                    format!("{}/{path}", manifest.dir),
                    line,
                    message,
                ));
            }
        }
        forbidden_where_unused(tree, manifest, &allowed, findings);
    }
}

/// The files of a package that may hold `unsafe`, relative to it.
fn allowed(manifest: &Manifest) -> Vec<String> {
    let listed = manifest.ipc("unsafe").and_then(toml::Value::as_array);
    let listed = listed
        .into_iter()
        .flatten()
        .filter_map(toml::Value::as_str)
        .map(str::to_owned);
    std::iter::once("src/sys.rs".to_owned())
        .chain(listed)
        .collect()
}

fn forbidden_where_unused(
    tree: &Tree,
    manifest: &Manifest,
    allowed: &[String],
    findings: &mut Vec<Finding>,
) {
    let exists = |file: &&String| {
        file.starts_with("src/") && tree.text(&format!("{}/{file}", manifest.dir)).is_some()
    };
    if allowed.iter().any(|file| exists(&file)) {
        return;
    }
    for root in ["src/lib.rs", "src/main.rs"] {
        let path = format!("{}/{root}", manifest.dir);
        if tree
            .text(&path)
            .is_some_and(|text| !text.lines().any(|line| line.trim() == FORBID))
        {
            let message = format!("this crate has no unsafe code: say so with {FORBID}");
            findings.push(Finding::error(path, 1, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::rejects;
    use super::check;

    #[test]
    fn unsafe_in_the_wrong_place_is_refused() {
        rejects(
            "unsafe",
            check,
            &[
                ("crates/ipc-odd/Cargo.toml:7", "does not exist"),
                ("crates/ipc-odd/src/channel.rs:5", "outside src/sys.rs"),
                ("crates/ipc-safe/src/lib.rs:1", "#![forbid(unsafe_code)]"),
            ],
        );
    }
}
