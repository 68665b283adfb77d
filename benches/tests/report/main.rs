//! The reports, made from synthetic runs: whole, empty, single and nonsensical ones.

mod answers;
mod documents;
mod synthetic;

use std::{fs, path::Path};

use ipc_bench::{
    report,
    results::{Interval, Outcome, Run, Unmeasured},
};

/// Everything a run can be turned into.
fn all(run: &Run) -> [String; 4] {
    [
        report::page(run),
        report::summary(run),
        report::readme_table(run),
        report::terminal(run, 100, false),
    ]
}

#[test]
fn every_report_has_every_quantity_of_a_cell() {
    let run = synthetic::run();
    let wide = report::terminal(&run, 260, false);
    for text in [report::page(&run), report::summary(&run), wide] {
        for quantity in [
            "n",
            "min",
            "p50",
            "p90",
            "p99",
            "p99.9",
            "max",
            "CPU s/M",
            "calls",
            "wakes",
            "preempted",
            "× floor",
            "verified",
            "copies",
        ] {
            let named = match quantity.split_once(' ') {
                Some(_) => text.contains(quantity),
                None => text
                    .split(|c: char| c.is_whitespace() || "|<>".contains(c))
                    .any(|word| word == quantity),
            };
            assert!(named, "{quantity}");
        }
    }
}

#[test]
fn every_report_judges_the_goals() {
    let run = synthetic::run();
    let missed = run
        .goals
        .iter()
        .filter(|goal| goal.outcome == Outcome::Missed);
    let met = run.goals.iter().filter(|goal| goal.outcome == Outcome::Met);
    let summary = format!("{} met, {} missed", met.count(), missed.count());
    for text in [
        report::page(&run),
        report::summary(&run),
        report::terminal(&run, 100, false),
    ] {
        assert!(text.contains(&summary), "{summary}");
        assert!(text.contains("pipe/round-trip/64/vs/raw"));
    }
    let json = serde_json::to_value(&run).expect("a run is plain data");
    let goals = json["goals"].as_array().expect("goals are many");
    let named = |goal: &&serde_json::Value| goal["ratio"] == "pipe/round-trip/64/vs/raw";
    let goal = goals.iter().find(named).expect("each goal names its ratio");
    assert!(goal["outcome"].is_string());
}

#[test]
fn what_awaiting_costs_stands_in_a_table_of_its_own() {
    let run = synthetic::run();
    for text in [report::page(&run), report::summary(&run)] {
        assert!(text.contains("Awaited against blocking, per mechanism"));
        for figure in ["tcp, 64 B", "eventfd", "1.190 [1.170–1.210]"] {
            assert!(text.contains(figure), "{figure}");
        }
    }
    let json = serde_json::to_value(&run).expect("a run is plain data");
    let rows = json["awaited"]
        .as_array()
        .expect("as many as were measured");
    assert_eq!(rows.len(), 6);
    assert_eq!(rows[0]["mechanism"], "pipe");
    assert!(report::page(&synthetic::empty()).contains("No mechanism was measured both"));
}

#[test]
fn more_than_two_cpus_make_a_heat_map() {
    let run = synthetic::run();
    assert!(report::page(&run).contains("CPUs 0 and 7:"));
    assert!(report::summary(&run).contains("Core × core"));
    assert!(report::terminal(&run, 100, false).contains("nearest CPUs"));
    let page = report::page(&synthetic::empty());
    assert!(page.contains("Drawn only where the run may use more than two CPUs"));
}

/// Where pairs are alike the strongest shade is on no square, and the legend must not show it.
#[test]
fn the_heat_maps_legend_has_the_shades_of_its_squares() {
    let mut run = synthetic::run();
    let far = |page: &str| {
        let (before, _) = page.split_once("></i>far:").expect("a legend");
        before[before.len() - 3..before.len() - 1].to_owned()
    };
    assert_eq!(far(&report::page(&run)), "h5");
    for pair in &mut run.cores {
        pair.nanoseconds = 100.0 + pair.cpus.1 as f64;
    }
    let page = report::page(&run);
    let shade = far(&page);
    assert_ne!(shade, "h5");
    assert!(page.contains(&format!("class=\"heat {shade}\"")));
}

#[test]
fn what_carries_no_bytes_is_not_on_the_pareto_front() {
    let page = report::page(&synthetic::run());
    let fronts: Vec<&str> = page.split("On the Pareto front: ").skip(1).collect();
    assert_eq!(fronts.len(), 3);
    for front in fronts {
        let front = front.split("</desc>").next().expect("a description");
        assert!(!front.is_empty());
        assert!(
            !front.contains("eventfd") && !front.contains("semaphore"),
            "{front}"
        );
    }
    assert!(page.contains("○ carries no bytes"));
}

#[test]
fn a_run_saved_by_an_older_build_still_reads() {
    let mut json = serde_json::to_value(synthetic::run()).expect("a run is plain data");
    let fields = json.as_object_mut().expect("a run has fields");
    for name in ["goals", "abilities", "cores", "build_seconds"] {
        assert!(fields.remove(name).is_some(), "{name}");
    }
    let run: Run = serde_json::from_value(json).expect("what is missing has a default");
    assert!(report::page(&run).contains("No goal was judged"));
}

#[test]
fn three_files_are_written_and_the_json_reads_back() {
    let dir = ipc_testkit::TempDir::new();
    let run = synthetic::run();
    let paths = report::write(&run, &dir.join("synthetic report"))
        .expect("the temporary directory is writable");
    assert_eq!(paths.len(), 3);
    let json = (paths.iter()).find(|path| path.extension().is_some_and(|end| end == "json"));
    let json = fs::read_to_string(json.expect("the run itself")).expect("it was just written");
    let again: Run = serde_json::from_str(&json).expect("it was written by serde");
    assert!(
        report::page(&again) == report::page(&run),
        "the same run makes the same page"
    );
}

#[test]
fn an_error_names_the_path() {
    let run = synthetic::empty();
    let error = report::write(&run, Path::new("/dev/null/reports")).expect_err("no directory");
    assert!(error.to_string().contains("/dev/null/reports"), "{error}");
}

#[test]
fn the_page_is_well_formed_and_needs_nothing_else() {
    let runs = [
        ("a whole run", synthetic::run()),
        ("an empty run", synthetic::empty()),
        ("one cell", single()),
        ("nonsense", nonsense()),
    ];
    for (name, run) in runs {
        let page = report::page(&run);
        for bad in [
            "http:", "https:", "url(", "@import", "src=", "<link", "NaN", "inf\"",
        ] {
            assert!(!page.contains(bad), "`{bad}` in the page of {name}");
        }
        for element in [
            "section", "table", "details", "svg", "figure", "div", "span", "text",
        ] {
            let opened = page.matches(&format!("<{element}>")).count()
                + page.matches(&format!("<{element} ")).count();
            let closed = page.matches(&format!("</{element}>")).count();
            assert_eq!(opened, closed, "<{element}>");
        }
        for anchor in page.split("href=\"#").skip(1) {
            let id = anchor.split('"').next().unwrap_or_default();
            assert!(page.contains(&format!("id=\"{id}\"")), "nothing at #{id}");
        }
    }
}

#[test]
fn the_terminal_keeps_its_width() {
    for width in [60, 80, 100] {
        for run in [synthetic::run(), synthetic::empty(), single(), nonsense()] {
            for line in report::terminal(&run, width, false).lines() {
                assert!(line.chars().count() <= width, "{width}: `{line}`");
            }
        }
    }
    assert!(!report::terminal(&synthetic::run(), 100, false).contains('\u{1b}'));
    assert!(report::terminal(&synthetic::run(), 100, true).contains("\u{1b}[1m"));
}

#[test]
fn an_empty_run_says_that_it_cannot_advise() {
    for text in all(&synthetic::empty()) {
        assert!(text.contains("No "), "{text}");
    }
    let page = report::page(&synthetic::empty());
    assert!(page.contains("cannot advise on anything"));
    assert!(page.contains("The run holds no floor probe."));
    assert!(!page.contains("<svg"));
}

#[test]
fn one_cell_answers_one_question() {
    let text = report::terminal(&single(), 100, false);
    assert!(
        text.contains("no other mechanism to compare with"),
        "{text}"
    );
    assert!(text.contains("no candidate was measured"), "{text}");
}

#[test]
fn nonsense_is_shown_as_missing() {
    for text in all(&nonsense()) {
        assert!(text.contains('–'), "{text}");
        for word in ["NaN", " inf", "-1"] {
            let figures = text
                .split(['>', '|', '\n'])
                .any(|part| part.trim() == word.trim());
            assert!(!figures, "{word}");
        }
    }
}

#[test]
fn hostile_names_stay_text() {
    let mut run = single();
    let evil = "<script>alert(1)</script>|`x`\u{1b}[2J\n";
    run.cells[0].mechanism = evil.to_owned();
    run.cells[0].floor = evil.to_owned();
    run.machine.facts.push((evil.to_owned(), evil.to_owned()));
    run.unmeasured.push(Unmeasured {
        what: evil.to_owned(),
        why: evil.to_owned(),
    });
    run.verdict.sentence = evil.to_owned();
    run.arguments = vec![evil.to_owned()];
    let [page, summary, readme, terminal] = all(&run);
    assert!(!page.contains("<script>alert"));
    for text in [summary, readme] {
        assert!(
            !text.contains("<script>") && !text.contains("|`x`"),
            "{text}"
        );
    }
    assert!(!terminal.contains('\u{1b}'));
}

/// One blocking cell and nothing else.
fn single() -> Run {
    let mut run = synthetic::run();
    run.cells
        .retain(|c| c.mechanism == "pipe" && c.maker == "raw");
    run.cells.truncate(1);
    run.floors.clear();
    run.ratios.clear();
    run.probes.truncate(1);
    run
}

/// Every figure is one that cannot be.
fn nonsense() -> Run {
    let mut run = synthetic::run();
    let bad = [
        f64::NAN,
        f64::INFINITY,
        0.0,
        -1.0,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN_POSITIVE,
    ];
    let mut next = bad.iter().copied().cycle();
    let mut bad = || next.next().unwrap_or(0.0);
    for cell in &mut run.cells {
        let latency = &mut cell.latency;
        let figures = [
            &mut latency.p50,
            &mut latency.p90,
            &mut latency.p99,
            &mut latency.max,
            &mut cell.cpu_seconds_per_million,
            &mut cell.wakes,
        ];
        for figure in figures {
            *figure = bad();
        }
        latency.curve = vec![(bad(), bad()), (50.0, bad()), (200.0, 1.0)];
        cell.times_floor = Interval {
            value: bad(),
            low: bad(),
            high: bad(),
            n: 0,
        };
        cell.bytes_per_second = Interval {
            value: bad(),
            low: bad(),
            high: bad(),
            n: 0,
        };
    }
    for ratio in &mut run.ratios {
        (ratio.value, ratio.low, ratio.high) = (bad(), bad(), bad());
    }
    for floor in &mut run.floors {
        floor.nanoseconds = Interval {
            value: bad(),
            low: bad(),
            high: bad(),
            n: 0,
        };
    }
    for probe in &mut run.probes {
        (probe.at_seconds, probe.nanoseconds) = (bad(), bad());
    }
    run.measuring_seconds = f64::NAN;
    run.verdict.floor_drift = f64::NAN;
    run
}
