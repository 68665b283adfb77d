//! The report for a terminal: tables in plain text, the answer last, where the eye is.

use super::{
    advice::{self, Answer},
    escape, numbers,
    ratios::Named,
    rows,
};
use crate::results::{Cell, Run, Verdict};

/// The narrowest width that is laid out for; what is narrower gets long lines.
const NARROWEST: usize = 60;

/// The whole report, at most `width` columns wide, with colours only if `colour`.
pub fn terminal(run: &Run, width: usize, colour: bool) -> String {
    let mut page = Page {
        text: String::new(),
        width: width.max(NARROWEST),
        colour,
    };
    machine(&mut page, run);
    floors(&mut page, run);
    for table in rows::tables(run) {
        page.heading(&table.title());
        page.table(
            &CELL_COLUMNS,
            &table
                .cells
                .iter()
                .map(|cell| cells(cell))
                .collect::<Vec<_>>(),
        );
    }
    ratios(&mut page, run);
    unmeasured(&mut page, run);
    verdict(&mut page, run);
    answer(&mut page, run);
    page.text
}

/// A column: its heading, whether it is flush right, and when it gives way on a narrow terminal
/// (0 never, then the highest first).
struct Column(&'static str, bool, u8);

const CELL_COLUMNS: [Column; 11] = [
    Column("mechanism", false, 0),
    Column("size", true, 0),
    Column("p50", true, 0),
    Column("p99", true, 1),
    Column("msg/s", true, 3),
    Column("bytes/s", true, 2),
    Column("CPU s/M", true, 0),
    Column("calls", true, 4),
    Column("wakes", true, 5),
    Column("× floor", false, 0),
    Column("ok", false, 6),
];

fn cells(cell: &Cell) -> Vec<String> {
    let strip = |text: String| text.trim_end_matches("/s").trim_end().to_owned();
    vec![
        rows::label(cell),
        numbers::size(cell.size_bytes),
        numbers::time(cell.latency.p50),
        numbers::time(cell.latency.p99),
        strip(numbers::rate(cell.messages_per_second.value)),
        strip(numbers::throughput(cell.bytes_per_second.value)),
        numbers::count(cell.cpu_seconds_per_million),
        cell.system_calls
            .map_or_else(|| "?".to_owned(), numbers::count),
        numbers::count(cell.wakes),
        numbers::interval(&cell.times_floor),
        if cell.verified { "✓" } else { "no" }.to_owned(),
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
        Column("floor", false, 0),
        Column("size", true, 0),
        Column("placement", false, 1),
        Column("state", false, 2),
        Column("median", true, 0),
        Column("95 % interval", true, 0),
        Column("slices", true, 3),
    ];
    let rows: Vec<_> = run.floors.iter().map(super::floor_row).collect();
    page.table(&columns, &rows);
}

fn ratios(page: &mut Page, run: &Run) {
    if run.ratios.is_empty() {
        return;
    }
    page.heading("Ratios, paired slice by slice");
    let columns = [
        Column("", false, 0),
        Column("ratio", false, 0),
        Column("placement", false, 1),
        Column("value [95 % interval]", false, 0),
        Column("better is", false, 2),
        Column("state", false, 4),
        Column("n", true, 3),
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
            page.answer(answer);
        }
    }
    page.heading("ANSWER: what to use on this machine");
    page.matrix(&sizes, &answers);
    let legend = "figure (bytes a second for throughput, else p50), multiple of the floor, CPU \
                  seconds per million; ~ not told apart from others, see above";
    page.paragraph("", legend);
}

struct Page {
    text: String,
    width: usize,
    colour: bool,
}

impl Page {
    fn heading(&mut self, title: &str) {
        let title = escape::terminal(title);
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let styled = self.styled("1", &title);
        self.line(&styled);
    }

    fn answer(&mut self, answer: &Answer<'_>) {
        let need = answer.need.title();
        // Need, name and figure take one line where they fit, else two.
        let lead = if self.width < 66 {
            self.line(&format!("  {need}"));
            " ".repeat(6)
        } else {
            format!("  {}", pad(need, 30, false))
        };
        match &answer.outcome {
            Err(why) => {
                self.line(&format!("{lead}{}", numbers::NONE));
                self.paragraph("      ", why);
            }
            Ok(pick) => {
                let name = escape::terminal(&rows::label(pick.cell));
                let name = self.styled("1;32", &pad(&cut(&name, 22), 22, false));
                self.line(&format!("{lead}{name} {}", pad(&pick.figure(), 9, true)));
                let cost = format!(
                    "{} × {}, CPU {}, {}",
                    numbers::interval(&pick.cell.times_floor),
                    pick.cell.floor,
                    advice::cpu(pick.cell),
                    rows::placement_title(pick.cell.placement)
                );
                self.paragraph("      ", &cost);
                self.paragraph("      ", &pick.notes().join("; "));
            }
        }
    }

    /// Needs against sizes, two lines each: what to use, and what it costs.
    fn matrix(&mut self, sizes: &[usize], answers: &[Vec<Answer<'_>>]) {
        const NEED: usize = 30;
        let column = (self.width.saturating_sub(NEED + 2) / sizes.len().max(1)).min(26);
        if column < 22 {
            // Too narrow for a matrix: what stands above has all of it.
            return;
        }
        let mut head = pad("", NEED + 2, false);
        for size in sizes {
            head.push_str(&pad(&numbers::size(*size), column, false));
        }
        let head = self.styled("2", head.trim_end());
        self.line(&head);
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
                names.push_str(&self.styled("1;32", &name));
                costs.push_str(&pad(&cut(&cost, column - 1), column, false));
            }
            self.line(&names);
            self.line(&costs);
        }
    }

    /// `name: text`, wrapped under itself.
    fn item(&mut self, name: &str, text: &str) {
        self.paragraph("", &format!("{name}: {text}"));
    }

    fn paragraph(&mut self, indent: &str, text: &str) {
        let text = escape::terminal(text);
        let mut line = format!("  {indent}");
        let start = line.chars().count();
        for word in text.split_whitespace() {
            let used = line.chars().count();
            if used > start && used + 1 + word.chars().count() > self.width {
                self.line(&line);
                // What continues stands a little to the right of what begins.
                line = format!("  {indent}  ");
            } else if used > start {
                line.push(' ');
            }
            // A word longer than a line is cut: it is a name, and the page has it whole.
            let room = self.width.saturating_sub(line.chars().count());
            line.push_str(&cut(word, room));
        }
        self.line(&line);
    }

    fn table(&mut self, columns: &[Column], rows: &[Vec<String>]) {
        let mut widths: Vec<usize> = columns
            .iter()
            .enumerate()
            .map(|(at, column)| {
                let cells = rows
                    .iter()
                    .map(|row| row.get(at).map_or(0, |c| c.chars().count()));
                cells.max().unwrap_or(0).max(column.0.chars().count())
            })
            .collect();
        let total = |widths: &[usize]| {
            widths
                .iter()
                .filter(|width| **width > 0)
                .map(|width| width + 1)
                .sum::<usize>()
                + 1
        };
        // First long names are cut a little, then whole columns give way.
        let name = columns
            .iter()
            .position(|column| !column.1 && column.2 == 0 && !column.0.is_empty());
        let name = name.unwrap_or(0);
        let shrink = |widths: &mut Vec<usize>, least: usize| {
            let over = total(widths).saturating_sub(self.width);
            widths[name] = widths[name]
                .saturating_sub(over)
                .max(least.min(widths[name]));
        };
        shrink(&mut widths, 18);
        let mut given = Vec::new();
        while total(&widths) > self.width {
            let open = (0..columns.len()).filter(|at| columns[*at].2 > 0 && widths[*at] > 0);
            let Some(last) = open.max_by_key(|at| columns[*at].2) else {
                break;
            };
            widths[last] = 0;
            given.push(columns[last].0);
        }
        shrink(&mut widths, 8);
        let head: Vec<String> = columns.iter().map(|column| column.0.to_owned()).collect();
        let head = row(columns, &widths, &head);
        let head = self.styled("2", &head);
        self.line(&head);
        for cells in rows {
            let line = row(columns, &widths, cells);
            self.line(&line);
        }
        if !given.is_empty() {
            self.paragraph(
                "",
                &format!("left out for want of room: {}", given.join(", ")),
            );
        }
    }

    fn styled(&self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
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
    let times = numbers::multiple(cell.times_floor.value);
    let cpu = numbers::count(cell.cpu_seconds_per_million);
    (
        format!("{}{tied}", rows::label(cell)),
        format!("{figure} {times}× {cpu}s"),
    )
}

fn row(columns: &[Column], widths: &[usize], cells: &[String]) -> String {
    let mut line = String::from(" ");
    for ((column, width), cell) in columns.iter().zip(widths).zip(cells) {
        if *width > 0 {
            line.push(' ');
            line.push_str(&pad(
                &cut(&escape::terminal(cell), *width),
                *width,
                column.1,
            ));
        }
    }
    line
}

fn pad(text: &str, width: usize, right: bool) -> String {
    let blank = " ".repeat(width.saturating_sub(text.chars().count()));
    if right {
        format!("{blank}{text}")
    } else {
        format!("{text}{blank}")
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}
