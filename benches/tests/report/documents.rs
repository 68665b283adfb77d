//! The documents that show a run: each is refreshed between its marks, and nowhere else.

use std::{fs, path::Path};

use ipc_bench::report;
use ipc_testkit::TempDir;

use crate::synthetic;

const GUIDE: &str = "crates/ipc-facade/src/guide";
/// Each document that has a place for figures, and the mark of that place.
const DOCUMENTS: &[(&str, &str)] = &[
    ("README.md", "bench table"),
    ("crates/ipc-facade/src/guide/choosing.md", "figures"),
    (
        "crates/ipc-facade/src/guide/messages_or_memory.md",
        "crossover",
    ),
];

fn tree() -> TempDir {
    let root = TempDir::new();
    fs::create_dir_all(root.join("docs")).expect("it is ours");
    fs::create_dir_all(root.join(GUIDE)).expect("it is ours");
    for (path, mark) in DOCUMENTS {
        let text = format!("before\n<!-- {mark} -->\nold\n<!-- /{mark} -->\nbehind\n");
        fs::write(root.join(path), text).expect("it is ours");
    }
    root
}

fn read(root: &TempDir, path: &str) -> String {
    fs::read_to_string(root.join(path)).expect("it is there")
}

#[test]
fn figures_come_between_their_marks_and_stay_the_same() {
    let root = tree();
    let run = synthetic::run();
    let files = report::refresh(&run, root.path()).expect("it has all marks");
    assert_eq!(files.len(), 4, "{files:?}");
    for (path, _) in &DOCUMENTS[..2] {
        let (text, row) = (read(&root, path), "| pipe | ");
        assert!(
            text.starts_with("before\n<!--") && text.ends_with("-->\nbehind\n"),
            "{text}"
        );
        assert!(text.contains(row) && !text.contains("old"), "{text}");
        assert!(
            text.contains("Imaginary 9000") && text.contains("Linux 6.18.5"),
            "{text}"
        );
    }
    // Three sizes show no crossing.
    assert!(read(&root, DOCUMENTS[2].0).contains("old"));
    let before: Vec<String> = DOCUMENTS.iter().map(|of| read(&root, of.0)).collect();
    report::refresh(&run, root.path()).expect("as before");
    let after: Vec<String> = DOCUMENTS.iter().map(|of| read(&root, of.0)).collect();
    assert_eq!(before, after);
}

#[test]
fn the_picture_stands_alone_in_each_theme() {
    let root = tree();
    report::refresh(&synthetic::run(), root.path()).expect("it has all marks");
    let [light, dark] = ["light", "dark"].map(|of| read(&root, &format!("docs/bench-{of}.svg")));
    for picture in [&light, &dark] {
        assert!(picture.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width="));
        assert!(picture.contains("<style>") && picture.contains("<desc>"));
        assert!(!picture.contains("NaN") && !picture.contains("inf"));
        assert_eq!(
            picture.matches("<text").count(),
            picture.matches("</text>").count()
        );
    }
    assert_ne!(light, dark);
    let shape = |of: &str| of.lines().filter(|line| !line.contains("<style>")).count();
    assert_eq!(shape(&light), shape(&dark));
}

#[test]
fn sizes_enough_show_where_the_lines_cross() {
    let root = tree();
    let mut run = synthetic::run();
    let model = run
        .cells
        .iter()
        .find(|cell| cell.scenario == "round-trip-asleep");
    let model = model.expect("it has round trips").clone();
    run.cells.clear();
    for (size, times) in [64, 1024, 16_384, 65_536]
        .into_iter()
        .zip([1.0, 2.0, 4.0, 9.0])
    {
        for (mechanism, factor) in [
            ("uds-stream", 1.0),
            ("ring", 0.95),
            ("ring-loan", 2.0 / times),
        ] {
            let mut cell = model.clone();
            cell.mechanism = mechanism.to_owned();
            cell.kind = ipc_bench::results::MakerKind::Ours;
            cell.size_bytes = size;
            cell.latency.p50 = 10_000.0 * times * factor;
            run.cells.push(cell);
        }
    }
    let files = report::refresh(&run, root.path()).expect("it has the mark");
    assert_eq!(files.len(), 1, "{files:?}");
    let text = read(&root, DOCUMENTS[2].0);
    assert!(
        text.contains("lent in a ring, untouched: quicker by a tenth and more **from 16 KiB on**"),
        "{text}"
    );
    assert!(
        text.contains("copied through a ring: not quicker"),
        "{text}"
    );
}

#[test]
fn a_document_without_its_mark_is_named() {
    let root = tree();
    fs::write(root.join("README.md"), "no mark").expect("it is ours");
    let error = report::refresh(&synthetic::run(), root.path()).expect_err("no mark");
    assert!(error.to_string().contains("README.md"), "{error}");
    let nowhere = Path::new("/dev/null/tree");
    assert!(report::refresh(&synthetic::run(), nowhere).is_err());
    let nothing = report::refresh(&synthetic::empty(), nowhere).expect("nothing to write");
    assert!(nothing.is_empty());
}
