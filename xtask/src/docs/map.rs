//! Checks that the map of the code is whole: every package on its floor, in a section, in the list.

use std::fs;
use std::path::Path;

use crate::Outcome;
use crate::printed::{complain, say};
use crate::workspace::{Package, Workspace};

/// Checks ARCHITECTURE.md and README.md against the packages that there are.
pub(super) fn check(root: &Path, workspace: &Workspace) -> Outcome {
    let map = fs::read_to_string(root.join("ARCHITECTURE.md"))?;
    let readme = fs::read_to_string(root.join("README.md"))?;
    let mut missing = Vec::new();
    for package in &workspace.packages {
        missing.extend(lacks(package, root, &map, &readme));
    }
    for line in &missing {
        complain!("{line}");
    }
    let packages = workspace.packages.len();
    say!("{packages} packages on the map, {} amiss", missing.len());
    if missing.is_empty() {
        Ok(())
    } else {
        Err("the map of the code is not whole".into())
    }
}

fn lacks(package: &Package, root: &Path, map: &str, readme: &str) -> Vec<String> {
    let mut lacks = Vec::new();
    let name = &package.name;
    let floor = package.floor.as_deref().unwrap_or("dev");
    if floor_of(map, name) != Some(floor) {
        lacks.push(format!(
            "ARCHITECTURE.md: {name} is not in the line of floor {floor}"
        ));
    }
    let dir = package.dir.strip_prefix(root).unwrap_or(&package.dir);
    let dir = dir.display().to_string();
    let heads = |line: &&str| line.starts_with("### ") && line.contains(&format!("`{dir}`"));
    if map.lines().find(heads).is_none() {
        lacks.push(format!("ARCHITECTURE.md: no section is headed `{dir}`"));
    }
    if package.publishable && !readme.contains(&format!("[{name}]({dir})")) {
        lacks.push(format!("README.md: {name} is not in the table of crates"));
    }
    lacks
}

/// The floor in whose line of the picture `name` stands.
fn floor_of<'a>(map: &'a str, name: &str) -> Option<&'a str> {
    let picture = map.split("```text").nth(1)?.split("```").next()?;
    picture.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let floor = words.next()?;
        words.any(|word| word == name).then_some(floor)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "# Map\n```text\n  9   a\n  3   b  b-c\ndev   d\n```\n### `crates/b`\n";

    #[test]
    fn a_package_stands_in_the_line_of_its_floor() {
        let floors = ["a", "b", "b-c", "d", "c"].map(|name| floor_of(MAP, name));
        assert_eq!(floors, [Some("9"), Some("3"), Some("3"), Some("dev"), None]);
    }
}
