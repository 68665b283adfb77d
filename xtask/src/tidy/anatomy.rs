//! Rule `anatomy`: who knows one crate knows all of them.

use std::collections::HashMap;

use super::Finding;
use super::source::code_only;
use super::tree::{Floor, Manifest, Tree};

/// Files of every crate under `crates/`.
const EVERY_CRATE: &[&str] = &["README.md", "CHANGELOG.md", "src/lib.rs"];

/// Files of a mechanism besides.
const MECHANISM: &[&str] = &["src/options.rs", "src/sys.rs", "tests/it/main.rs"];

/// Names that say nothing about what lives in the file.
const JUNK_DRAWERS: &[&str] = &["mod.rs", "utils.rs", "types.rs", "common.rs", "prelude.rs"];

const CRATE_DOCS: &str = "#![doc = include_str!(\"../README.md\")]";

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    shared_example_names(tree, findings);
    for manifest in tree.packages() {
        junk_drawers(tree, manifest, findings);
        let Some(folder) = manifest.dir.strip_prefix("crates/") else {
            continue;
        };
        if folder != manifest.name() {
            let message = format!(
                "the folder {folder} and the package {} have different names: rename one",
                manifest.name()
            );
            let line = manifest.line_of("package", "name");
            findings.push(Finding::error(&manifest.path, line, message));
        }
        required_files(tree, manifest, findings);
        library_root(tree, manifest, findings);
    }
}

/// Cargo builds the examples of all packages into one directory: of two with one name, one is lost.
fn shared_example_names(tree: &Tree, findings: &mut Vec<Finding>) {
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for manifest in tree.packages() {
        for (path, _) in tree.files_of(manifest) {
            let name = path
                .strip_prefix("examples/")
                .and_then(|name| name.strip_suffix(".rs"));
            let Some(name) = name.filter(|name| !name.contains('/')) else {
                continue;
            };
            if let Some(other) = seen.insert(name, &manifest.dir) {
                let message = format!("{other} has an example {name} too: rename one of them");
                let path = format!("{}/{path}", manifest.dir);
                findings.push(Finding::error(path, 1, message));
            }
        }
    }
}

fn junk_drawers(tree: &Tree, manifest: &Manifest, findings: &mut Vec<Finding>) {
    for (path, _) in tree.files_of(manifest) {
        let name = path.rsplit('/').next().unwrap_or(path);
        if JUNK_DRAWERS.contains(&name) {
            let message = "this file name says nothing: name it after what lives there";
            findings.push(Finding::error(
                format!("{}/{path}", manifest.dir),
                1,
                message,
            ));
        }
    }
}

fn required_files(tree: &Tree, manifest: &Manifest, findings: &mut Vec<Finding>) {
    let mechanism = if manifest.is_mechanism() {
        MECHANISM
    } else {
        &[]
    };
    for file in EVERY_CRATE.iter().chain(mechanism) {
        let path = format!("{}/{file}", manifest.dir);
        if tree.text(&path).is_none() {
            findings.push(Finding::error(
                path,
                1,
                "this file is missing: every such crate has it",
            ));
        }
    }
    let example = |path: &str| path.starts_with("examples/") && path.ends_with(".rs");
    if manifest.is_mechanism() && !tree.files_of(manifest).any(|(path, _)| example(path)) {
        let path = format!("{}/examples", manifest.dir);
        let message = "no example: add examples/<scenario>.rs, which ends by itself";
        findings.push(Finding::error(path, 1, message));
    }
}

/// The README is the crate's documentation, and `lib.rs` of a mechanism or of the facade is a table
/// of contents.
fn library_root(tree: &Tree, manifest: &Manifest, findings: &mut Vec<Finding>) {
    let path = format!("{}/src/lib.rs", manifest.dir);
    let Some(text) = tree.text(&path) else { return };
    if !text.starts_with(CRATE_DOCS) {
        let message = format!("must start with {CRATE_DOCS}");
        findings.push(Finding::error(&path, 1, message));
    }
    let contents_only = matches!(manifest.floor(), Ok(Floor::Number(3 | 9)));
    if contents_only {
        for (line, message) in logic(&code_only(text)) {
            findings.push(Finding::error(&path, line, message));
        }
    }
}

/// The items of a library root that are neither modules, exports nor one-line functions.
fn logic(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, item) in items(code) {
        match first_word(&item) {
            "mod" if item.ends_with(';') => {}
            "use" | "const" | "extern" | "" => {}
            "fn" if one_line_body(&item) => {}
            "fn" => found.push((
                line,
                "a free function here is one line: move the body".into(),
            )),
            word => found.push((
                line,
                format!("`{word}` has no place in lib.rs: give it a file and export it"),
            )),
        }
    }
    found
}

/// Top-level items without their attributes: the line each starts on and its text.
fn items(code: &str) -> Vec<(usize, String)> {
    let (mut found, mut item, mut start) = (Vec::new(), String::new(), 1);
    let (mut depth, mut attribute) = (0_i32, None::<i32>);
    let mut line = 1;
    for character in code.chars() {
        line += usize::from(character == '\n');
        if let Some(brackets) = &mut attribute {
            *brackets += i32::from(character == '[') - i32::from(character == ']');
            if character == ']' && *brackets == 0 {
                attribute = None;
            }
            continue;
        }
        if depth == 0 && item.trim().is_empty() && character == '#' {
            attribute = Some(0);
            continue;
        }
        if item.trim().is_empty() && !character.is_whitespace() {
            start = line;
        }
        depth += i32::from(character == '{') - i32::from(character == '}');
        item.push(character);
        // The braces of `use a::{b, c};` do not end it.
        let closes = character == '}' && first_word(&item) != "use";
        if depth == 0 && (character == ';' || closes) {
            found.push((start, std::mem::take(&mut item).trim().to_owned()));
        }
    }
    found
}

/// The keyword of an item.
fn first_word(item: &str) -> &str {
    item.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .find(|word| !["", "pub", "crate"].contains(word))
        .unwrap_or_default()
}

fn one_line_body(item: &str) -> bool {
    let body = item
        .split_once('{')
        .map_or("", |(_, body)| body)
        .trim_end_matches('}');
    let lines = body.lines().filter(|line| !line.trim().is_empty());
    lines.count() <= 1 && !body.contains(';')
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::rejects;
    use super::{check, items, logic};

    #[test]
    fn a_mechanism_of_another_shape_is_refused() {
        rejects(
            "anatomy",
            check,
            &[
                ("crates/ipc-twin/examples/talk.rs:1", "crates/ipc-even has"),
                ("crates/ipc-odd/src/utils.rs:1", "says nothing"),
                ("crates/ipc-odd/Cargo.toml:2", "different names"),
                ("crates/ipc-odd/CHANGELOG.md:1", "missing"),
                ("crates/ipc-odd/src/options.rs:1", "missing"),
                ("crates/ipc-odd/src/sys.rs:1", "missing"),
                ("crates/ipc-odd/tests/it/main.rs:1", "missing"),
                ("crates/ipc-odd/examples:1", "no example"),
                ("crates/ipc-odd/src/lib.rs:1", "must start with"),
                ("crates/ipc-odd/src/lib.rs:6", "`struct`"),
                ("crates/ipc-odd/src/lib.rs:8", "one line"),
            ],
        );
    }

    #[test]
    fn modules_exports_and_short_functions_are_no_logic() {
        let code = "#![doc = f()]\nmod a;\npub mod b;\npub use a::{X, y::Z};\n#[cfg(x)]\nuse c;\n\
                    pub fn pair() -> Result<(A, B)> {\n    Options::new().pair()\n}\n";
        assert_eq!(items(code).len(), 5);
        assert!(logic(code).is_empty(), "{:?}", logic(code));
    }
}
