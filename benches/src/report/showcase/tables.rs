//! The tables of the guide: what to choose, and how costs grow with the size.

use super::*;

/// Mechanism × what one chooses by: small round trips in three placements, small and large streams.
pub(super) fn of_choices(run: &Run) -> String {
    let mut out = String::from("| 64 B there and back |");
    for (_, words, ..) in TRIPS {
        let _ = write!(out, " {words} |");
    }
    out.push_str(
        " 64 B messages, one way | 1 MiB messages, one way |\n|---|---|---|---|---|---|\n",
    );
    for name in shown(run) {
        let _ = write!(out, "| {name} |");
        for (scenario, ..) in TRIPS {
            let time = trip(run, name, scenario).map(numbers::time);
            let _ = write!(out, " {} |", time.as_deref().unwrap_or(numbers::NONE));
        }
        let rate = cell(run, name, "one-way", SMALL).map(|c| c.messages_per_second.value);
        let rate = rate.filter(|rate| positive(*rate)).map(numbers::rate);
        let bytes = stream(run, name).map(numbers::throughput);
        let [rate, bytes] = [rate, bytes].map(|of| of.unwrap_or_else(|| numbers::NONE.into()));
        let _ = writeln!(out, " {rate} | {bytes} |");
    }
    out
}

/// The mechanisms that the table of sizes compares: a message through the kernel, one through
/// memory, and one that is made and read there.
const BY_SIZE: &[(&str, &str)] = &[
    ("uds-stream", "through a Unix socket"),
    ("ring", "copied through a ring"),
    ("ring-loan", "lent in a ring, untouched"),
];

/// Size × mechanism, where the run has at least four sizes of all of them; and where they cross.
pub(super) fn of_sizes(run: &Run) -> String {
    let mut out = String::new();
    for (kind, how, ..) in TRIPS {
        let cells = run.cells.iter().filter(|cell| cell.scenario == *kind);
        let mut sizes: Vec<usize> = cells.map(|c| c.size_bytes).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let row = |size: usize| -> Option<Vec<f64>> {
            let time = |(name, _): &(&str, &str)| Some(cell(run, name, kind, size)?.latency.p50);
            BY_SIZE.iter().map(time).collect()
        };
        let rows: Vec<_> = sizes.iter().filter_map(|s| Some((*s, row(*s)?))).collect();
        if rows.len() < 4 {
            continue;
        }
        let _ = write!(out, "| there and back, {how} |");
        for (_, words) in BY_SIZE {
            let _ = write!(out, " {words} |");
        }
        out.push_str("\n|---|---|---|---|\n");
        for (size, times) in &rows {
            let times: Vec<_> = times.iter().map(|time| numbers::time(*time)).collect();
            let _ = writeln!(out, "| {} | {} |", numbers::size(*size), times.join(" | "));
        }
        out.push('\n');
        for (at, (_, words)) in BY_SIZE.iter().enumerate().skip(1) {
            out.push_str(&crossing(words, &rows, at));
        }
        out.push('\n');
    }
    out
}

/// From which size on column `at` takes at most 0.9 of the first column's time, and from there on
/// at every size.
fn crossing(words: &str, rows: &[(usize, Vec<f64>)], at: usize) -> String {
    let loses = |(_, times): &(usize, Vec<f64>)| times[at] > 0.9 * times[0];
    let from = rows.iter().rposition(loses).map_or(0, |row| row + 1);
    match rows.get(from) {
        Some((size, _)) if from == 0 => format!(
            "- {words}: quicker by a tenth and more at every size, from {} on.\n",
            numbers::size(*size)
        ),
        Some((size, _)) => format!(
            "- {words}: quicker by a tenth and more **from {} on**.\n",
            numbers::size(*size)
        ),
        None => format!("- {words}: not quicker by a tenth at the largest size.\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_two_marks_is_replaced() {
        let old = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n";
        let new = between(old, "x", "new\n").expect("it has the marks");
        assert_eq!(new, "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n");
        assert_eq!(between(&new, "x", "new\n").as_ref(), Some(&new));
        assert_eq!(between(old, "y", "new"), None);
    }

    #[test]
    fn lines_cross_where_one_wins_for_good() {
        let rows = [
            (64, vec![9.0, 5.0]),
            (4096, vec![9.0, 9.0]),
            (65_536, vec![50.0, 20.0]),
        ];
        assert!(crossing("it", &rows, 1).contains("from 64 KiB on"));
        assert!(crossing("it", &rows[..2], 1).contains("not quicker"));
        assert!(crossing("it", &rows[..1], 1).contains("every size"));
    }
}
