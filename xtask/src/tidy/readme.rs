//! Rule `readme`: a mechanism's README answers the same six questions in the same order, and the
//! example of every README can be typed from the page.

use super::Finding;
use super::tree::{Manifest, Tree};

const HEADINGS: &[&str] = &[
    "What it is",
    "When to choose it",
    "Example",
    "Limits",
    "When the peer dies",
    "Platforms",
];

/// An example longer than this is not read.
const EXAMPLE_LINES: usize = 20;

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for manifest in tree
        .packages()
        .iter()
        .filter(|manifest| manifest.is_mechanism())
    {
        let path = format!("{}/README.md", manifest.dir);
        if let Some(text) = tree.text(&path) {
            headings(&path, text, findings);
            example(&path, text, findings);
        }
    }
    for manifest in tree.packages() {
        let path = format!("{}/README.md", manifest.dir);
        if let Some(text) = tree.text(&path) {
            typed(&path, text, manifest, findings);
        }
    }
}

fn headings(path: &str, text: &str, findings: &mut Vec<Finding>) {
    let mut fenced = false;
    let mut found: Vec<(usize, &str)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        fenced ^= line.starts_with("```");
        if let Some(heading) = line.strip_prefix("## ").filter(|_| !fenced) {
            found.push((index + 1, heading.trim()));
        }
    }
    let known: Vec<(usize, &str)> = found
        .into_iter()
        .filter(|(_, heading)| HEADINGS.contains(heading))
        .collect();
    for (place, wanted) in HEADINGS.iter().enumerate() {
        match known.get(place) {
            Some((_, heading)) if heading == wanted => {}
            other => {
                let line = other.map_or(1, |(line, _)| *line);
                let message = format!(
                    "expected `## {wanted}` as heading {} of: {}",
                    place + 1,
                    HEADINGS.join(", ")
                );
                findings.push(Finding::error(path, line, message));
                return;
            }
        }
    }
}

fn example(path: &str, text: &str, findings: &mut Vec<Finding>) {
    let (mut start, mut rust_blocks) = (None, 0);
    for (index, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), start) {
            (Some(language), None) => start = Some((index, language.starts_with("rust"))),
            (Some(_), Some((open, rust))) => {
                let lines = index - open - 1;
                if rust && lines > EXAMPLE_LINES {
                    let message = format!("{lines} lines of example; at most {EXAMPLE_LINES}");
                    findings.push(Finding::error(path, open + 1, message));
                }
                rust_blocks += usize::from(rust);
                start = None;
            }
            _ => {}
        }
    }
    if rust_blocks == 0 {
        findings.push(Finding::error(
            path,
            1,
            "no ```rust block: show a whole example",
        ));
    }
}

/// What a reader needs who types the examples: no line that only rustdoc hides, and beside the code
/// each crate that it names.
fn typed(path: &str, text: &str, manifest: &Manifest, findings: &mut Vec<Finding>) {
    let mut code = Vec::new();
    let mut listed = format!("\n{} = \n", manifest.name());
    let mut open: Option<&str> = None;
    for (index, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), open) {
            (Some(language), None) => open = Some(language.trim_end()),
            (Some(_), Some(_)) => open = None,
            (None, Some("toml")) => listed += &format!("{line}\n"),
            (None, Some(language)) if language.starts_with("rust") => {
                if line.trim() == "#" || line.trim_start().starts_with("# ") {
                    let message = "rustdoc hides this line and the page shows it: write it out";
                    findings.push(Finding::error(path, index + 1, message));
                }
                code.push((index + 1, line));
            }
            _ => {}
        }
    }
    for kind in ["dependencies", "dev-dependencies"] {
        for name in manifest.dependencies(kind) {
            if listed.contains(&format!("\n{name} = ")) {
                continue;
            }
            let item = format!("{}::", name.replace('-', "_"));
            if let Some((line, _)) = code.iter().find(|(_, code)| names(code, &item)) {
                let message = format!("the example needs {name}: list it under [dependencies]");
                findings.push(Finding::error(path, *line, message));
                listed += &format!("{name} = \n"); // said once
            }
        }
    }
}

/// Whether this line of code names `item`, and not as the end of a longer path or name.
fn names(code: &str, item: &str) -> bool {
    code.match_indices(item)
        .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::rejects;
    use super::check;

    #[test]
    fn headings_out_of_order_and_long_examples_are_refused() {
        rejects(
            "readme",
            check,
            &[
                ("crates/ipc-long/README.md:5", "at most 20"),
                ("crates/ipc-odd/README.md:5", "`## When to choose it`"),
                ("crates/ipc-odd/README.md:1", "no ```rust block"),
                ("crates/rpc-untyped/README.md:8", "rustdoc hides this line"),
                ("crates/rpc-untyped/README.md:13", "rustdoc hides this line"),
                ("crates/rpc-untyped/README.md:14", "rustdoc hides this line"),
                ("crates/rpc-untyped/README.md:10", "needs rpc-low"),
                ("crates/rpc-untyped/README.md:11", "needs tokio"),
            ],
        );
    }

    #[test]
    fn a_crate_is_named_by_the_start_of_a_path() {
        assert!(super::names("use tokio::net;", "tokio::"));
        assert!(super::names("#[tokio::main]", "tokio::"));
        assert!(!super::names("mytokio::net", "tokio::"));
        assert!(!super::names("other::tokio::net", "tokio::"));
    }
}
