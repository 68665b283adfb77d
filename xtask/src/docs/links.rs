//! Checks that each relative link or picture of a Markdown file leads to a file, and to a heading
//! in it.

use std::fs;
use std::path::{Path, PathBuf};

use xshell::cmd;

use crate::Outcome;
use crate::printed::{complain, say};
use crate::workspace::shell;

/// Checks every Markdown file that git tracks, and names each broken link as `path:line`.
pub(super) fn check(root: &Path) -> Outcome {
    let sh = shell()?;
    let list = cmd!(sh, "git ls-files --cached --others --exclude-standard *.md")
        .quiet()
        .read()?;
    let (mut links, mut broken) = (0, 0);
    for path in list
        .lines()
        .filter(|path| !path.starts_with("xtask/fixtures/"))
    {
        let file = root.join(path);
        // Deleted, and not yet staged.
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        for (line, target) in targets(&text) {
            links += 1;
            if let Err(message) = follow(&file, target) {
                complain!("{path}:{line}: link to {target}: {message}");
                broken += 1;
            }
        }
        // A label of a crate's page may be an item, which rustdoc looks up.
        let of_rustdoc = |label: &str| path.starts_with("crates/") && names_an_item(label);
        for (line, label) in undefined(&text) {
            if of_rustdoc(label) {
                continue;
            }
            complain!("{path}:{line}: nothing says where [{label}] leads");
            broken += 1;
        }
    }
    say!("{links} links inside the tree, {broken} broken");
    if broken == 0 {
        Ok(())
    } else {
        Err("a link leads nowhere".into())
    }
}

/// The targets of `[text](target)`, of `[label]: target` and of pictures as HTML, outside code,
/// with their lines; those with a scheme left out.
fn targets(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        let starts = STARTS.iter().flat_map(|start| {
            let places = line.match_indices(start);
            places.map(move |(at, _)| (at, at + start.len()))
        });
        for (at, from) in starts.chain(definition(line)) {
            let in_code = line[..at].matches('`').count() % 2 == 1;
            let target = line[from..].split([')', ' ', '"']).next();
            let target = target.unwrap_or_default();
            if !in_code && !target.contains(':') && !names_an_item(target) {
                found.push((index + 1, target));
            }
        }
    }
    found
}

/// What stands before a target within a line.
const STARTS: &[&str] = &["](", "src=\"", "srcset=\"", "href=\""];

/// Where the target begins in a line that defines a label: `[label]: target`.
fn definition(line: &str) -> Option<(usize, usize)> {
    let at = line.find("]: ").filter(|_| line.starts_with('['))?;
    Some((at, at + 3))
}

/// The labels of `[text][label]` that no line of the text defines, with their lines.
fn undefined(text: &str) -> Vec<(usize, &str)> {
    let mut defined: Vec<&str> = Vec::new();
    defined.extend(
        text.lines()
            .filter_map(|line| definition(line).map(|(at, _)| &line[1..at])),
    );
    let mut found = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        for (at, _) in line.match_indices("][").filter(|_| !fenced) {
            let in_code = line[..at].matches('`').count() % 2 == 1;
            let Some((label, _)) = line[at + 2..].split_once(']') else {
                continue;
            };
            if !in_code && !label.is_empty() && !defined.contains(&label) {
                found.push((index + 1, label));
            }
        }
    }
    found
}

/// Whether a crate's README means a Rust item, which rustdoc checks: `Options` or `bind()`.
fn names_an_item(target: &str) -> bool {
    let name = target.trim_end_matches(['(', '!']);
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

fn follow(from: &Path, target: &str) -> Result<(), String> {
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let file: PathBuf = match path {
        "" => from.to_owned(),
        _ => from.parent().unwrap_or(Path::new(".")).join(path),
    };
    if !file.exists() {
        return Err("there is no such file".to_owned());
    }
    if heading.is_empty() {
        return Ok(());
    }
    let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
    if anchors(&text).iter().any(|anchor| anchor == heading) {
        Ok(())
    } else {
        Err(format!("{} has no such heading", file.display()))
    }
}

/// What each heading is called in a link.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter_map(|line| {
        let title = line.trim_start_matches('#');
        (title.len() < line.len())
            .then(|| title.strip_prefix(' '))
            .flatten()
    });
    headings
        .map(|title| {
            (title.trim().to_lowercase().chars())
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_in_code_and_to_other_sites_are_left_alone() {
        let text = "a [b](c.md) `[d](e.md)`\n```\n[f](g.md)\n```\n[h](https://i) [j](#k-l)\n\
            [m](Options) [n](Options::new) [o](bind())\n";
        assert_eq!(targets(text), [(1, "c.md"), (5, "#k-l")]);
    }

    #[test]
    fn labels_and_pictures_are_links_too() {
        let text = "[a][b] `[c][d]` [e][f-g]\n<img src=\"h.svg\" alt=\"\"> <source srcset=\"i.svg\">\n\
            [b]: j.md#k\n[m]: https://n\n";
        let found = [(2, "h.svg"), (2, "i.svg"), (3, "j.md#k")];
        assert_eq!(targets(text), found);
        assert_eq!(undefined(text), [(1, "f-g")]);
    }

    #[test]
    fn a_heading_is_called_by_its_words() {
        assert_eq!(anchors("# A `b`, c?\ntext\n## D\n"), ["a-b-c", "d"]);
    }
}
