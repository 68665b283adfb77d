//! Rule `words`: nothing in the tree depends on where, or on what, it was written.

use super::Finding;
use super::tree::Tree;

/// First names of absolute paths that exist on one machine only.
const PRIVATE_PLACES: &[&str] = &[
    "home",
    "root",
    "Users",
    "work",
    "workspace",
    "builds",
    "mnt",
];

/// Hosts that serve packages, in two halves, so that this file does not contain them.
const REGISTRY_HOSTS: &[(&str, &str)] = &[
    ("index.", "crates.io"),
    ("static.", "crates.io"),
    ("deb.", "debian.org"),
];

/// Files that others write.
const EXEMPT: &[&str] = &["Cargo.lock", "LICENSE-APACHE", "LICENSE-MIT"];

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (path, text) in tree
        .files()
        .iter()
        .filter(|(path, _)| !EXEMPT.contains(&path.as_str()))
    {
        for (index, line) in text.lines().enumerate() {
            if let Some(message) = verdict(line) {
                findings.push(Finding::error(path, index + 1, message));
            }
        }
    }
}

fn verdict(line: &str) -> Option<String> {
    if let Some(place) = PRIVATE_PLACES.iter().find(|place| holds_path(line, place)) {
        return Some(format!(
            "a path under {place}/ exists on one machine only: make it relative"
        ));
    }
    if REGISTRY_HOSTS
        .iter()
        .any(|(a, b)| line.contains(&format!("{a}{b}")))
    {
        return Some("a registry's host: leave it to the tools' configuration".to_owned());
    }
    if cites_tracker(line) {
        return Some("a number of a tracker: say here what it says there".to_owned());
    }
    let conflict = ["<<<<<<< ", ">>>>>>> "]
        .iter()
        .any(|mark| line.starts_with(mark));
    conflict.then(|| "the mark of a merge conflict: resolve it".to_owned())
}

/// Whether `/<place>/` starts an absolute path in this line.
fn holds_path(line: &str, place: &str) -> bool {
    let pattern = format!("/{place}/");
    line.match_indices(&pattern).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-/~*}".contains(c))
    })
}

/// Whether the line cites an issue by its number, with or without a hash.
fn cites_tracker(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    lower.match_indices("issue ").any(|(at, word)| {
        let rest = lower[at + word.len()..].trim_start_matches('#');
        rest.starts_with(|c: char| c.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::rejects;
    use super::{check, holds_path};

    #[test]
    fn private_places_and_numbers_are_refused() {
        rejects(
            "words",
            check,
            &[
                ("NOTES.md:3", "one machine only"),
                ("NOTES.md:5", "tracker"),
                ("NOTES.md:7", "merge conflict"),
            ],
        );
    }

    #[test]
    fn a_relative_path_is_no_private_place() {
        let place = "work";
        assert!(!holds_path(
            "target/work/x and ../work/y and $HOME/work/z",
            place
        ));
        assert!(holds_path(&format!("cd /{place}/x"), place));
    }
}
