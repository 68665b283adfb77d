//! Use cases that share memory.

use crate::run::{explains_itself, run, run_to_failure};

#[test]
fn no_coin_and_no_permit_is_lost_with_a_dead_clerk() {
    explains_itself("printer_and_account");
    let ran = run("printer_and_account", &[]);
    ran.assert_line(&["clerk that dies-transferring", "signal"]);
    ran.assert_line(&["clerk that dies-printing", "signal"]);
    ran.assert_line(&["put 1 coins right"]);
    ran.assert_line(&["2 of 2 free"]);
    ran.assert_line(&["= 1000"]);
    assert_eq!(ran.number_after("safe "), 301);
    assert!((1..=2).contains(&ran.number_after("at most ")));
}

#[test]
fn the_product_of_four_is_the_product_of_one() {
    explains_itself("matrix_product");
    let ran = run("matrix_product", &[]);
    for worker in 0..4 {
        ran.assert_line(&[&format!("worker {worker} made 32 rows")]);
    }
    ran.assert_line(&["128 x 128", "equal"]);
}

#[test]
fn nobody_waits_for_ever_at_the_barrier_of_a_dead_worker() {
    let ran = run_to_failure("matrix_product", &["--death"]);
    for worker in [0, 2, 3] {
        let word = format!("worker {worker}, before the product:");
        assert!(ran.errors.contains(&word), "{}", ran.errors);
    }
    assert!(
        ran.errors.contains("4 of 4 workers failed"),
        "{}",
        ran.errors
    );
}

#[test]
fn every_frame_is_seen_whole_or_known_to_be_missed() {
    explains_itself("video_frames");
    let ran = run("video_frames", &[]);
    for viewer in ["screen: saw ", "encoder: saw ", "recorder: saw "] {
        let (_, rest) = ran.text.split_once(viewer).expect("each viewer speaks");
        let line = rest.lines().next().expect("a line");
        let numbers: Vec<u64> = line
            .split(" and missed ")
            .filter_map(|n| n.parse().ok())
            .collect();
        assert_eq!(numbers.iter().sum::<u64>(), 60, "{}", ran.text);
    }
}
