//! Rule `floors`: a dependency between crates of the workspace goes down, never sideways or up.

use std::collections::HashMap;

use super::Finding;
use super::tree::{Floor, Manifest, Tree};

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let mut floors = HashMap::new();
    for manifest in tree.packages() {
        match manifest.floor() {
            Ok(floor) => {
                floors.insert(manifest.name(), floor);
            }
            Err(message) => findings.push(Finding::error(
                &manifest.path,
                manifest.line_of("metadata.ipc", "floor"),
                message,
            )),
        }
    }
    for manifest in tree.packages() {
        // What serves development may lean on everything, and nothing may lean on it.
        let Some(Floor::Number(own)) = floors.get(manifest.name()).copied() else {
            continue;
        };
        for kind in ["dependencies", "build-dependencies"] {
            for name in manifest.dependencies(kind) {
                if let Some(message) = floors.get(name).and_then(|floor| verdict(own, *floor)) {
                    findings.push(arrow(manifest, kind, name, &message));
                }
            }
        }
    }
}

/// What is wrong with an arrow from a crate on floor `own` to one on `other`.
fn verdict(own: i64, other: Floor) -> Option<String> {
    match other {
        Floor::Dev => Some("serves development only: make it a dev-dependency".to_owned()),
        Floor::Number(other) if other < own => None,
        Floor::Number(other) => {
            let way = if other == own { "sideways" } else { "up" };
            Some(format!(
                "is on floor {other}, so the arrow from floor {own} goes {way}: move what both \
                 need to a lower floor"
            ))
        }
    }
}

fn arrow(manifest: &Manifest, kind: &str, name: &str, message: &str) -> Finding {
    Finding::error(
        &manifest.path,
        manifest.line_of(kind, name),
        format!("{name} {message}"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::rejects;
    use super::check;

    #[test]
    fn an_arrow_sideways_up_or_to_a_dev_crate_is_refused() {
        rejects(
            "floors",
            check,
            &[
                ("crates/no-floor/Cargo.toml:1", "no floor"),
                ("crates/low/Cargo.toml:8", "goes up"),
                ("crates/side/Cargo.toml:9", "goes sideways"),
                ("crates/side/Cargo.toml:8", "dev-dependency"),
            ],
        );
    }
}
