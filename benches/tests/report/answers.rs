//! What a report proposes, and whom it ranks.

use super::*;

#[test]
fn the_answer_follows_the_figures() {
    let answer = |run: &Run| {
        let text = report::terminal(run, 100, false);
        let at = text
            .find("How sure the answer is for 64 B")
            .expect("64 B was measured");
        let line = text[at..]
            .lines()
            .find(|l| l.contains("CPU free, one core"));
        line.expect("each need has a line").to_owned()
    };
    let mut run = synthetic::run();
    let before = answer(&run);
    for cell in &mut run.cells {
        if cell.mechanism == "udp" {
            cell.latency.p50 /= 100.0;
            cell.times_floor.value /= 100.0;
            cell.times_floor.low /= 100.0;
            cell.times_floor.high /= 100.0;
        }
    }
    assert!(!before.contains("udp"), "{before}");
    assert!(answer(&run).contains("udp"), "{}", answer(&run));
}

#[test]
fn candidates_within_the_interval_are_named() {
    let mut run = synthetic::run();
    run.cells
        .retain(|cell| ["pipe", "fifo"].contains(&cell.mechanism.as_str()));
    let text = report::terminal(&run, 100, false);
    assert!(text.contains("not told apart: fifo"), "{text}");
}

#[test]
fn a_spinner_is_not_proposed_where_the_cpu_must_stay_free() {
    let mut run = single();
    run.cells[0].wakes = 0.0;
    let text = report::terminal(&run, 100, false);
    assert!(text.contains("kept its CPUs busy"), "{text}");
}

#[test]
fn a_run_of_mere_wakers_still_answers() {
    let mut run = synthetic::run();
    run.cells.retain(|cell| cell.mechanism == "eventfd");
    let text = report::terminal(&run, 100, false);
    let answer = text
        .lines()
        .find(|line| line.contains("a wake-up without data"));
    assert!(
        answer.is_some_and(|line| line.contains("eventfd (raw)")),
        "{text}"
    );
}

#[test]
fn one_size_is_no_growth() {
    let mut run = synthetic::run();
    run.cells.retain(|cell| cell.size_bytes == 64);
    assert!(report::page(&run).contains("there is no growth to draw"));
}

#[test]
fn too_few_slices_rank_nobody() {
    let mut run = synthetic::run();
    for cell in run.cells.iter_mut().filter(|cell| cell.mechanism == "ring") {
        cell.times_floor.n = 3;
        cell.messages_per_second.n = 3;
        cell.bytes_per_second.n = 3;
    }
    let text = report::terminal(&run, 100, false);
    assert!(
        text.contains("too few slices to rank: ring (raw)"),
        "{text}"
    );
    assert!(text.contains("[n=3]"), "{text}");
    let answer = text.lines().skip_while(|line| !line.starts_with("ANSWER"));
    assert!(
        !answer.into_iter().any(|line| line.contains("ring")),
        "{text}"
    );
}

#[test]
fn what_was_left_out_is_named_beside_the_answer() {
    let text = report::terminal(&synthetic::run(), 100, false);
    assert!(text.contains("not measured: posix-mq"), "{text}");
}
