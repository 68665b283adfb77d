//! Rule `length`: a source file is short enough to be read in one sitting.

use super::Finding;
use super::tree::Tree;

const AIM: usize = 400;
const LIMIT: usize = 600;

pub(super) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for (path, text) in tree
        .files()
        .iter()
        .filter(|(path, _)| path.ends_with(".rs"))
    {
        let lines = text.lines().count();
        let message = format!("{lines} lines; aim at {AIM}, at most {LIMIT}: split it by subject");
        if lines > LIMIT {
            findings.push(Finding::error(path, LIMIT + 1, message));
        } else if lines > AIM {
            findings.push(Finding::warning(path, AIM + 1, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::rejects;
    use super::check;

    #[test]
    fn a_long_file_warns_and_a_longer_one_fails() {
        rejects(
            "length",
            check,
            &[
                ("crates/ipc-odd/src/long.rs:401: warning", "401 lines"),
                ("crates/ipc-odd/src/longer.rs:601", "601 lines"),
            ],
        );
    }
}
