//! Rule `readme`: a mechanism's README answers the same six questions in the same order.

use super::Finding;
use super::tree::Tree;

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
            ],
        );
    }
}
