//! What one test binary said, and the sum over all of them.

use std::collections::HashSet;
use std::time::Duration;

use crate::Outcome;
use crate::printed::say;

/// The result of one test binary, example or set of doctests.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) label: String,
    pub(crate) passed: usize,
    /// Names of the tests that failed, or what ended the binary before it could say.
    pub(crate) failed: Vec<String>,
    /// `test: reason` for each test that did not run.
    pub(crate) skipped: Vec<String>,
    /// Whether it ended before its last test did.
    pub(crate) ended_early: bool,
    /// All that it printed.
    pub(crate) output: String,
    pub(crate) took: Duration,
}

/// The sum over every report.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    passed: usize,
    failed: Vec<String>,
    skipped: Vec<String>,
}

impl Report {
    /// Reads what a binary of the standard harness printed.
    ///
    /// A test's own child processes may be the same binary and print result lines too, so of a
    /// binary only the last line counts; rustdoc prints one for each group of doctests, which
    /// `every_line` sums up.
    pub(crate) fn from_harness(label: &str, output: String, every_line: bool) -> Self {
        let mut report = Self {
            label: label.to_owned(),
            ..Self::default()
        };
        let mut results: Vec<(usize, usize)> = output.lines().filter_map(result_line).collect();
        if !every_line {
            results.drain(..results.len().saturating_sub(1));
        }
        report.passed = results.iter().map(|(passed, _)| passed).sum();
        let failed: usize = results.iter().map(|(_, failed)| failed).sum();
        let mut names = failures(&output);
        report.failed = names.split_off(names.len().saturating_sub(failed));
        while report.failed.len() < failed {
            report
                .failed
                .push("a test that the output does not name".to_owned());
        }
        report.skipped = output.lines().filter_map(ignored_line).collect();
        report.ended_early = results.is_empty();
        if report.ended_early {
            report.passed = verdicts(&output)
                .filter(|(_, verdict)| *verdict == "ok")
                .count();
        }
        report.output = output;
        report
    }

    /// Fails the tests in `all` that have no verdict, since the binary ended the way `how` says.
    pub(crate) fn blame_unfinished(&mut self, all: &str, how: &str) {
        let finished: HashSet<&str> = verdicts(&self.output).map(|(name, _)| name).collect();
        let names = all.lines().filter_map(|line| line.strip_suffix(": test"));
        let unfinished: Vec<&str> = names.filter(|name| !finished.contains(name)).collect();
        for (name, verdict) in verdicts(&self.output) {
            if verdict.starts_with("FAILED") {
                self.failed.push(name.to_owned());
            }
        }
        self.failed.push(format!(
            "{how}; without a verdict: {}",
            unfinished.join(", ")
        ));
    }

    /// Moves the tests that said why they could not run from passed to skipped. The kit writes one
    /// line for each; a test and its child processes may write the same one.
    pub(crate) fn add_skips(&mut self, text: &str) {
        let mut lines: Vec<String> = (text.lines())
            .map(|line| line.trim().trim_start_matches("SKIPPED ").to_owned())
            .filter(|line| !line.is_empty())
            .collect();
        lines.sort();
        lines.dedup();
        lines.dedup_by(|a, b| test_name(a) == test_name(b));
        self.passed = self.passed.saturating_sub(lines.len());
        self.skipped.extend(lines);
    }

    pub(crate) fn counts(&self) -> String {
        counts(self.passed, self.failed.len(), self.skipped.len())
    }

    /// One line, and everything the binary printed when something failed.
    pub(crate) fn print(&self) {
        say!(
            "{:<44} {} ({:.1} s)",
            self.label,
            self.counts(),
            self.took.as_secs_f64()
        );
        if !self.failed.is_empty() {
            say!("{}", self.output.trim_end());
            for name in &self.failed {
                say!("FAILED {}: {name}", self.label);
            }
        }
    }
}

impl Tally {
    /// Prints the report and adds it.
    pub(crate) fn add(&mut self, report: Report) {
        report.print();
        self.add_silently(&report);
    }

    /// Adds the report. A skip that is already known is counted again but listed once.
    pub(crate) fn add_silently(&mut self, report: &Report) {
        let label = &report.label;
        self.passed += report.passed;
        self.failed
            .extend(report.failed.iter().map(|name| format!("{label}: {name}")));
        self.skipped
            .extend(report.skipped.iter().map(|skip| format!("{label}: {skip}")));
    }

    /// Lists what was skipped and what failed, and ends with the line of sums.
    pub(crate) fn finish(mut self) -> Outcome {
        let sums = counts(self.passed, self.failed.len(), self.skipped.len());
        say!();
        self.skipped.sort();
        self.skipped.dedup();
        for skip in &self.skipped {
            say!("skipped  {skip}");
        }
        self.failed.sort();
        self.failed.dedup();
        for name in &self.failed {
            say!("failed   {name}");
        }
        say!("{sums}");
        if self.failed.is_empty() {
            Ok(())
        } else {
            Err("a test failed".into())
        }
    }
}

fn counts(passed: usize, failed: usize, skipped: usize) -> String {
    format!("{passed} passed, {failed} failed, {skipped} skipped")
}

fn test_name(skip: &str) -> &str {
    skip.split_once(": ").map_or(skip, |(name, _)| name)
}

/// `test result: ok. 5 passed; 0 failed; …` as (5, 0).
fn result_line(line: &str) -> Option<(usize, usize)> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |word: &str| {
        counts
            .split("; ")
            .find_map(|part| part.strip_suffix(word)?.trim().parse().ok())
    };
    Some((count("passed")?, count("failed")?))
}

/// Every `test name ... verdict` as (name, verdict).
fn verdicts(output: &str) -> impl Iterator<Item = (&str, &str)> {
    output.lines().filter_map(verdict_line)
}

fn verdict_line(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("test ")?.rsplit_once(" ... ")
}

/// `test name ... ignored, why` as `name: why`.
fn ignored_line(line: &str) -> Option<String> {
    let (name, verdict) = verdict_line(line)?;
    let why = verdict.strip_prefix("ignored")?;
    let why = why
        .strip_prefix(", ")
        .unwrap_or("ignored, without a reason");
    Some(format!("{name}: {why}"))
}

/// The names under each `failures:` heading; output comes before them, so the last ones are true.
fn failures(output: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut listing = false;
    for line in output.lines() {
        match line.strip_prefix("    ") {
            Some(name) if listing => names.push(name.to_owned()),
            _ => listing = line == "failures:",
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\nrunning 3 tests\ntest a ... ok\ntest b ... ignored, no kernel for it\n\
        test c ... FAILED\n\nfailures:\n\n---- c stdout ----\nrunning 1 test\n\
        test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out\n\n\
        failures:\n    c\n\n\
        test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out\n";

    #[test]
    fn only_the_last_result_line_of_a_binary_counts() {
        let report = Report::from_harness("x", OUTPUT.to_owned(), false);
        assert_eq!(report.passed, 1);
        assert_eq!(report.failed, ["c"]);
        assert_eq!(report.skipped, ["b: no kernel for it"]);
    }

    #[test]
    fn a_binary_without_a_result_line_names_the_tests_without_a_verdict() {
        let output = "running 3 tests\ntest a ... ok\ntest b ... FAILED\n".to_owned();
        let mut report = Report::from_harness("x", output, false);
        assert!(report.ended_early && report.passed == 1);
        report.blame_unfinished("a: test\nb: test\nc: test\n\n3 tests", "it was killed");
        assert_eq!(report.failed, ["b", "it was killed; without a verdict: c"]);
    }

    #[test]
    fn a_skip_is_counted_once_and_taken_off_the_passed() {
        let mut report = Report {
            passed: 3,
            ..Report::default()
        };
        report.add_skips("SKIPPED a: no pidfd\nSKIPPED a: no pidfd\n\nSKIPPED b: no mqueue\n");
        assert_eq!(report.counts(), "1 passed, 0 failed, 2 skipped");
        assert_eq!(report.skipped, ["a: no pidfd", "b: no mqueue"]);
    }
}
