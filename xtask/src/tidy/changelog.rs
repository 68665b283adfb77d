//! Rule `changelog`: a crate whose source changed since the last release says so to its users.

use super::Finding;
use super::tree::{Manifest, Tree};

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let in_crates = |manifest: &&Manifest| manifest.dir.starts_with("crates/");
    for manifest in tree.packages().iter().filter(in_crates) {
        let path = format!("{}/CHANGELOG.md", manifest.dir);
        // That the file exists is for `anatomy` to say.
        let Some(text) = tree.text(&path) else {
            continue;
        };
        if !tree.has_changed(manifest) {
            continue;
        }
        match unreleased(text) {
            None => {
                let message = "no section `## <version> (unreleased)` for what changed in src/";
                findings.push(Finding::error(path, 1, message));
            }
            Some((line, 0)) => {
                let message = "the unreleased section is empty: say what changed, as a list item";
                findings.push(Finding::error(path, line, message));
            }
            Some(_) => {}
        }
    }
}

/// The line of the unreleased section's heading and the number of its list items.
fn unreleased(text: &str) -> Option<(usize, usize)> {
    let mut lines = text.lines().enumerate();
    let (index, _) = lines.find(|(_, line)| {
        line.starts_with("## ") && line.to_ascii_lowercase().contains("unreleased")
    })?;
    let section = lines.take_while(|(_, line)| !line.starts_with("## "));
    Some((
        index + 1,
        section.filter(|(_, line)| line.starts_with("- ")).count(),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::rejects;
    use super::check;

    #[test]
    fn a_silent_changelog_is_refused() {
        rejects(
            "changelog",
            check,
            &[
                ("crates/ipc-mute/CHANGELOG.md:1", "no section"),
                ("crates/ipc-odd/CHANGELOG.md:3", "empty"),
            ],
        );
    }
}
