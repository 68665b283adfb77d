//! What a run leaves behind when it is over: results as JSON, and a plain table.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use crate::results::Run;

/// Writes the results below `out_dir`; gives the files.
pub fn write(run: &Run, out_dir: &Path) -> io::Result<Vec<PathBuf>> {
    fs::create_dir_all(out_dir)?;
    let path = out_dir.join("results.json");
    json(run, &path)?;
    Ok(vec![path])
}

/// Writes the results to one file.
pub fn json(run: &Run, path: &Path) -> io::Result<()> {
    fs::write(path, serde_json::to_vec_pretty(run)?)
}

/// The results as text.
pub fn terminal(run: &Run) -> String {
    let mut text = String::new();
    for floor in &run.floors {
        let _ = writeln!(
            text,
            "floor {:14} {:>9} B {:13} {:?} {:>10.1} ns  [{:.1}, {:.1}] n={}",
            floor.name,
            floor.size_bytes,
            format!("{:?}", floor.placement),
            floor.state,
            floor.nanoseconds.value,
            floor.nanoseconds.low,
            floor.nanoseconds.high,
            floor.nanoseconds.n
        );
    }
    for cell in &run.cells {
        let _ = writeln!(
            text,
            "{:13} {:13} {:17} {:>9} B {:?} p50 {:>10.1} p99 {:>10.1} ns {:>12.0}/s {:>7.1}x {:14} \
             cpu {:>9.2} calls {:>6} wakes {:>5.2} n {}{}",
            cell.mechanism,
            cell.maker,
            cell.scenario,
            cell.size_bytes,
            cell.state,
            cell.latency.p50,
            cell.latency.p99,
            cell.messages_per_second.value,
            cell.times_floor.value,
            cell.floor,
            cell.cpu_seconds_per_million,
            cell.system_calls
                .map_or("-".to_owned(), |calls| format!("{calls:.2}")),
            cell.wakes,
            cell.n,
            if cell.verified { "" } else { " unverified" }
        );
    }
    for ratio in &run.ratios {
        let _ = writeln!(
            text,
            "{:50} {:.3} [{:.3}, {:.3}] n={} {:?}",
            ratio.name, ratio.value, ratio.low, ratio.high, ratio.n, ratio.state
        );
    }
    for gap in &run.unmeasured {
        let _ = writeln!(text, "not measured: {}: {}", gap.what, gap.why);
    }
    let _ = writeln!(
        text,
        "{} slices kept, {} rejected in {:.0} s; {}",
        run.verdict.kept, run.verdict.rejected, run.measuring_seconds, run.verdict.sentence
    );
    text
}
