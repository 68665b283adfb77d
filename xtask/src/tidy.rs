//! `cargo xtask tidy`: the rules of the house that no compiler checks, one file for each.

mod anatomy;
mod changelog;
mod floors;
mod functions;
mod headers;
mod length;
mod readme;
mod source;
mod tree;
mod unsafe_code;
mod words;
mod workflows;

use self::tree::Tree;
use crate::Outcome;
use crate::printed::{complain, say};
use crate::workspace::root;

/// One line for each rule, shown by `--help`.
pub(crate) const HELP: &str = "\
Rules:
  floors     a dependency goes to a lower floor ([package.metadata.ipc] floor = n)
  anatomy    every crate has the files of its kind, and no junk-drawer module
  readme     a mechanism's README has the six headings in order and a short example; the example
             of every README hides no line and lists the crates that it names
  unsafe     `unsafe` stands in src/sys.rs only; crates without it forbid it
  headers    every source file says what lives there; manifests inherit the workspace's keys
  length     at most 600 lines a file; a warning above 400
  functions  at most 100 lines a function, a warning above 70; at most 100 columns a line
  changelog  a crate whose source changed says so in its CHANGELOG.md
  words      no machine path, registry host or reference to a tracker in the files
  workflows  jobs run cargo xtask commands and nothing else";

/// A rule looks at the tree and reports what it finds.
type Rule = fn(&Tree, &mut Vec<Finding>);

const RULES: &[(&str, Rule)] = &[
    ("floors", floors::check),
    ("anatomy", anatomy::check),
    ("readme", readme::check),
    ("unsafe", unsafe_code::check),
    ("headers", headers::check),
    ("length", length::check),
    ("functions", functions::check),
    ("changelog", changelog::check),
    ("words", words::check),
    ("workflows", workflows::check),
];

/// What is wrong, where, and how to mend it.
#[derive(Debug)]
struct Finding {
    /// Relative to the root of the tree.
    path: String,
    line: usize,
    message: String,
    /// A warning is shown and does not fail.
    warning: bool,
}

impl Finding {
    fn error(path: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            line,
            message: message.into(),
            warning: false,
        }
    }

    fn warning(path: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self {
            warning: true,
            ..Self::error(path, line, message)
        }
    }
}

/// Checks the workspace by every rule and prints each finding as `path:line: rule: message`.
pub(crate) fn run() -> Outcome {
    let tree = Tree::tracked(&root())?;
    let mut errors = 0;
    for (name, rule) in RULES {
        let mut findings = Vec::new();
        rule(&tree, &mut findings);
        for Finding {
            path,
            line,
            message,
            warning,
        } in findings
        {
            let weight = if warning { "warning: " } else { "" };
            complain!("{path}:{line}: {name}: {weight}{message}");
            errors += usize::from(!warning);
        }
    }
    say!(
        "tidy: {} rules, {} files, {errors} errors",
        RULES.len(),
        tree.files().len()
    );
    if errors == 0 {
        Ok(())
    } else {
        Err("the tree is not tidy".into())
    }
}

#[cfg(test)]
mod fixtures {
    //! Every rule is shown a tree that it must reject and one that it must let pass.

    use super::*;

    /// What `rule` says about `fixtures/<name>`.
    pub(super) fn findings(name: &str, rule: Rule) -> Vec<String> {
        let dir = root().join("xtask/fixtures").join(name);
        let tree = Tree::on_disk(&dir).expect("the fixture is readable");
        assert!(!tree.files().is_empty(), "{name} has no files");
        let mut findings = Vec::new();
        rule(&tree, &mut findings);
        (findings.into_iter())
            .map(|found| {
                let weight = if found.warning { "warning: " } else { "" };
                format!("{}:{}: {weight}{}", found.path, found.line, found.message)
            })
            .collect()
    }

    /// Checks that `rule` rejects `fixtures/<name>` with exactly these, in order: each expectation
    /// is `path:line` and a word of the message.
    pub(super) fn rejects(name: &str, rule: Rule, expected: &[(&str, &str)]) {
        let found = findings(name, rule);
        let matches = found.len() == expected.len()
            && (found.iter().zip(expected))
                .all(|(line, (place, word))| line.starts_with(place) && line.contains(word));
        assert!(matches, "expected {expected:#?}\nfound {found:#?}");
    }

    #[test]
    fn every_rule_lets_the_good_tree_pass() {
        for (name, rule) in RULES {
            let found = findings("good", *rule);
            assert!(found.is_empty(), "{name}: {found:#?}");
        }
    }
}
