//! Rule `workflows`: a job runs cargo xtask commands and nothing else, so that a developer can run
//! what the server runs.

use super::Finding;
use super::tree::Tree;

const COMMAND: &str = "cargo xtask ";

/// The same as root, whose own path does not lead to cargo.
const AS_ROOT: &str = "sudo --preserve-env env \"PATH=$PATH\" ";

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let workflow = |path: &str| {
        path.starts_with(".github/workflows/")
            && (path.ends_with(".yml") || path.ends_with(".yaml"))
    };
    for (path, text) in tree.files().iter().filter(|(path, _)| workflow(path)) {
        for (line, command) in commands(text) {
            let plain = command.strip_prefix(AS_ROOT).unwrap_or(command);
            if !plain.starts_with(COMMAND) || plain.contains([';', '|', '&']) {
                let message =
                    format!("`{command}` is no single `cargo xtask` command: make it one");
                findings.push(Finding::error(path, line, message));
            }
        }
    }
}

/// The commands of every `run:` key, with their lines.
fn commands(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    // The column of the `run:` whose block is being read.
    let mut block: Option<usize> = None;
    for (index, line) in text.lines().enumerate() {
        let key = line.trim_start().trim_start_matches("- ");
        let column = line.len() - key.len();
        if let Some(run) = block {
            if line.trim().is_empty() || column > run {
                found.extend((!line.trim().is_empty()).then(|| (index + 1, line.trim())));
                continue;
            }
            block = None;
        }
        match key.strip_prefix("run:").map(str::trim) {
            Some("|" | ">" | "|-" | ">-") => block = Some(column),
            Some(command) => found.push((index + 1, command)),
            None => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::rejects;
    use super::check;

    #[test]
    fn a_command_besides_xtask_is_refused() {
        rejects(
            "workflows",
            check,
            &[
                (".github/workflows/ci.yml:6", "cargo test"),
                (".github/workflows/ci.yml:9", "apt-get"),
                (".github/workflows/ci.yml:11", "single"),
                (".github/workflows/ci.yml:12", "chown"),
            ],
        );
    }
}
