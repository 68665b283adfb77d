//! The report for a terminal: tables in plain text, the answer last, where the eye is.

mod layout;

use super::{
    advice::{self, Answer},
    cores, escape, goals, numbers,
    ratios::Named,
    rows,
};
use crate::results::{Cell, Run, Verdict};
use layout::{Column, Page, cut, pad};

/// The whole report, at most `width` columns wide, with colours only if `colour`.
pub fn terminal(run: &Run, width: usize, colour: bool) -> String {
    let mut page = Page::new(width, colour);
    machine(&mut page, run);
    floors(&mut page, run);
    for table in rows::tables(run) {
        page.heading(&table.title());
        page.paragraph("", &table.basis());
        let rows: Vec<_> = table.cells.iter().map(|cell| cells(cell)).collect();
        page.table(&CELL_COLUMNS, &rows);
    }
    ratios(&mut page, run);
    goals(&mut page, run);
    unmeasured(&mut page, run);
    verdict(&mut page, run);
    answer(&mut page, run);
    page.finish()
}

/// What is most often asked stands first; a wide terminal (or `--wide`) shows all.
const CELL_COLUMNS: [Column; 18] = [
    Column::left("mechanism", 0),
    Column::right("size", 0),
    Column::right("n", 12),
    Column::right("min", 10),
    Column::right("p50", 0),
    Column::right("p90", 9),
    Column::right("p99", 1),
    Column::right("p99.9", 8),
    Column::right("max", 7),
    Column::right("msg/s", 3),
    Column::right("bytes/s", 2),
    Column::right("CPU s/M", 0),
    Column::right("calls", 4),
    Column::right("wakes", 5),
    Column::right("preempted", 11),
    Column::left("× floor", 0),
    Column::left("verified", 6),
    Column::left("copies", 13),
];

fn cells(cell: &Cell) -> Vec<String> {
    let strip = |text: String| text.trim_end_matches("/s").trim_end().to_owned();
    vec![
        rows::label(cell),
        numbers::size(cell.size_bytes),
        numbers::whole(cell.n),
        numbers::time(cell.latency.min),
        numbers::time(cell.latency.p50),
        numbers::time(rows::resolved(cell, 90.0, cell.latency.p90)),
        numbers::time(rows::resolved(cell, 99.0, cell.latency.p99)),
        numbers::time(rows::resolved(cell, 99.9, cell.latency.p999)),
        numbers::time(cell.latency.max),
        strip(numbers::rate(cell.messages_per_second.value)),
        strip(numbers::throughput(cell.bytes_per_second.value)),
        numbers::count(cell.cpu_seconds_per_million),
        cell.system_calls
            .map_or_else(|| "?".to_owned(), numbers::count),
        numbers::count(cell.wakes),
        numbers::count(cell.preemptions),
        numbers::interval(&cell.times_floor),
        rows::verified(cell).to_owned(),
        cell.copies.clone(),
    ]
}

fn machine(page: &mut Page, run: &Run) {
    page.heading("Machine");
    for (name, value) in &run.machine.facts {
        page.item(name, value);
    }
    page.item("measured", &super::measured(run));
}

fn floors(page: &mut Page, run: &Run) {
    page.heading("Floors: what this machine can do at all");
    if run.floors.is_empty() {
        page.paragraph(
            "",
            "No floor was measured: multiples of it mean nothing in this run.",
        );
        return;
    }
    let columns = [
        Column::left("floor", 0),
        Column::right("size", 0),
        Column::left("placement", 1),
        Column::left("state", 2),
        Column::right("median", 0),
        Column::right("95 % interval", 0),
        Column::right("slices", 3),
    ];
    let rows: Vec<_> = run.floors.iter().map(super::floor_row).collect();
    page.table(&columns, &rows);
    if let Some(sentence) = cores::sentence(run) {
        page.paragraph("", &sentence);
    }
}

/// The goals that the run has a figure for, and the names of the others.
fn goals(page: &mut Page, run: &Run) {
    if run.goals.is_empty() {
        return;
    }
    page.heading("Goals");
    let measured = goals::measured(run);
    let columns = [
        Column::left(goals::HEADS[0], 0),
        Column::right(goals::HEADS[1], 5),
        Column::whole(goals::HEADS[2]),
        Column::left(goals::HEADS[3], 3),
        Column::left(goals::HEADS[4], 0),
        Column::left(goals::HEADS[5], 0),
        Column::left(goals::HEADS[6], 4),
        Column::left(goals::HEADS[7], 1),
    ];
    if !measured.is_empty() {
        let rows: Vec<_> = measured
            .iter()
            .map(|goal| goals::row(goal).to_vec())
            .collect();
        page.table(&columns, &rows);
    }
    for goal in &run.goals {
        if let Some(note) = goals::note(goal) {
            page.paragraph("  ", &format!("{}: {note}", goal.ratio));
        }
    }
    page.paragraph("", &goals::summary(run));
}

fn ratios(page: &mut Page, run: &Run) {
    if run.ratios.is_empty() {
        return;
    }
    page.heading("Ratios, paired slice by slice");
    let columns = [
        Column::left("", 0),
        Column::whole("ratio"),
        Column::left("placement", 1),
        Column::left("value [95 % interval]", 0),
        Column::left("better is", 2),
        Column::left("state", 4),
        Column::right("n", 3),
    ];
    let row = |ratio| {
        let named = Named::of(ratio);
        vec![
            named.judgement().sign().to_owned(),
            ratio.name.clone(),
            rows::placement_title(ratio.placement).to_owned(),
            numbers::ratio(&named.interval()),
            if ratio.higher_is_better {
                "more"
            } else {
                "less"
            }
            .to_owned(),
            format!("{:?}", ratio.state),
            ratio.n.to_string(),
        ]
    };
    page.table(&columns, &run.ratios.iter().map(row).collect::<Vec<_>>());
    page.paragraph(
        "",
        "▲ better, ▼ worse, = the interval holds 1: no difference shown.",
    );
}

fn unmeasured(page: &mut Page, run: &Run) {
    if run.unmeasured.is_empty() {
        return;
    }
    page.heading("Not measured");
    for (why, what) in super::by_reason(run) {
        page.item(why, &what.join(", "));
    }
}

fn verdict(page: &mut Page, run: &Run) {
    page.heading("Verdict on this run");
    let Verdict { sentence, .. } = &run.verdict;
    page.paragraph("", sentence);
    page.paragraph("", &super::verdict_figures(run));
}

fn answer(page: &mut Page, run: &Run) {
    let sizes = advice::sizes(run);
    if sizes.is_empty() {
        page.heading("ANSWER");
        page.paragraph(
            "",
            "No cell was measured, so this run cannot advise on anything.",
        );
        return;
    }
    let answers: Vec<_> = sizes
        .iter()
        .map(|size| advice::answers(run, *size))
        .collect();
    for (size, answers) in sizes.iter().zip(&answers) {
        page.heading(&format!(
            "How sure the answer is for {}",
            numbers::size(*size)
        ));
        for answer in answers {
            choice(page, answer);
        }
    }
    page.heading("ANSWER: what to use on this machine");
    matrix(page, &sizes, &answers);
    let legend = "figure (bytes a second for throughput, else p50), multiple of the floor, CPU \
                  seconds per million; ~ not told apart from others, see above";
    page.paragraph("", legend);
}

fn choice(page: &mut Page, answer: &Answer<'_>) {
    let need = answer.need.title();
    // Need, name and figure take one line where they fit, else two.
    let lead = if page.width() < 66 {
        page.line(&format!("  {need}"));
        " ".repeat(6)
    } else {
        format!("  {}", pad(need, 30, false))
    };
    match &answer.outcome {
        Err(why) => {
            page.line(&format!("{lead}{}", numbers::NONE));
            page.paragraph("      ", why);
        }
        Ok(pick) => {
            let name = escape::terminal(&rows::label(pick.cell));
            let name = page.styled("1;32", &pad(&cut(&name, 22), 22, false));
            page.line(&format!("{lead}{name} {}", pad(&pick.figure(), 9, true)));
            let cost = format!(
                "{}, CPU {}, {}, {}",
                rows::times_floor(pick.cell),
                advice::cpu(pick.cell),
                advice::busy(pick.cell),
                rows::placement_title(pick.cell.placement)
            );
            page.paragraph("      ", &cost);
            page.paragraph("      ", &pick.notes().join("; "));
        }
    }
}

/// Needs against sizes, two lines each: what to use, and what it costs.
fn matrix(page: &mut Page, sizes: &[usize], answers: &[Vec<Answer<'_>>]) {
    const NEED: usize = 30;
    let column = (page.width().saturating_sub(NEED + 2) / sizes.len().max(1)).min(26);
    if column < 22 {
        // Too narrow for a matrix: what stands above has all of it.
        return;
    }
    let mut head = pad("", NEED + 2, false);
    for size in sizes {
        head.push_str(&pad(&numbers::size(*size), column, false));
    }
    let head = page.styled("2", head.trim_end());
    page.line(&head);
    for need in advice::Need::ALL {
        let row: Vec<_> = answers
            .iter()
            .map(|of| of.iter().find(|answer| answer.need == need))
            .collect();
        if row.iter().all(Option::is_none) {
            continue;
        }
        let mut names = pad(&format!("  {}", need.title()), NEED + 2, false);
        let mut costs = pad("", NEED + 2, false);
        for answer in row {
            let (name, cost) = short(answer);
            let name = pad(&cut(&escape::terminal(&name), column - 1), column, false);
            names.push_str(&page.styled("1;32", &name));
            costs.push_str(&pad(&cut(&cost, column - 1), column, false));
        }
        page.line(&names);
        page.line(&costs);
    }
}

/// What to use, and its figure, multiple of the floor and CPU in few characters.
fn short(answer: Option<&Answer<'_>>) -> (String, String) {
    let Some(answer) = answer else {
        return (String::new(), String::new());
    };
    let Ok(pick) = &answer.outcome else {
        return (numbers::NONE.to_owned(), String::new());
    };
    let tied = if pick.tied.is_empty() { "" } else { " ~" };
    let cell = pick.cell;
    let figure = pick.figure().replace(' ', "");
    let times = match cell.times_floor.value {
        value if numbers::positive(value) => format!("{}×", numbers::digits(value)),
        _ => "no floor".to_owned(),
    };
    let cpu = numbers::count(cell.cpu_seconds_per_million);
    (
        format!("{}{tied}", rows::label(cell)),
        format!("{figure} {times} {cpu}s"),
    )
}
