//! The report as one self-contained page: no network, no font but the reader's own, no script
//! needed.

mod tables;

use std::fmt::Write as _;

use super::{
    advice::{self, Answer},
    charts::{self, Chart, Figure},
    escape::html as escape,
    numbers, rows,
};
use crate::results::Run;

const STYLE: &str = include_str!("page.css");

/// Opens what is folded before the page is printed; the page needs no script otherwise.
const SCRIPT: &str = "addEventListener('beforeprint',()=>\
                      document.querySelectorAll('details').forEach(d=>d.open=true))";

/// The whole page, in the order of a reader's questions.
pub fn page(run: &Run) -> String {
    let charts = charts::all(run);
    let mut out = String::new();
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Which IPC mechanism, on this machine</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n"
    );
    header(&mut out, run, &charts);
    out.push_str("<main>\n");
    answer(&mut out, run);
    for chart in &charts {
        section(&mut out, chart);
    }
    tables::goals(&mut out, run);
    tables::overheads(&mut out, run);
    tables::cells(&mut out, run);
    tables::ratios(&mut out, run);
    tables::floors(&mut out, run);
    machine(&mut out, run);
    method(&mut out);
    unmeasured(&mut out, run);
    verdict(&mut out, run);
    let _ = write!(
        out,
        "</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    );
    out
}

fn header(out: &mut String, run: &Run, charts: &[Chart]) {
    let _ = write!(
        out,
        "<header>\n<h1>Which IPC mechanism, on this machine?</h1>\n"
    );
    let facts = ["cpu", "hypervisor", "kernel"]
        .into_iter()
        .filter_map(|name| super::fact(run, name));
    let facts: Vec<_> = facts.map(escape).collect();
    if !facts.is_empty() {
        let _ = writeln!(out, "<p class=\"host\">{}</p>", facts.join(" · "));
    }
    let _ = writeln!(
        out,
        "<p class=\"when\">{}</p>",
        escape(&super::measured(run))
    );
    if !run.verdict.sentence.is_empty() {
        let sentence = escape(&run.verdict.sentence);
        let _ = writeln!(out, "<p class=\"verdict\"><b>This run:</b> {sentence}</p>");
    }
    out.push_str("<nav aria-label=\"Sections\"><a href=\"#answer\">Answer</a>");
    for chart in charts.iter().filter(|chart| !chart.figures.is_empty()) {
        let _ = write!(out, "<a href=\"#{}\">{}</a>", chart.id, chart.short);
    }
    for (id, name) in [
        ("goals", "Goals"),
        ("awaited", "Awaited"),
        ("tables", "Tables"),
        ("machine", "Machine"),
        ("method", "Method"),
        ("unmeasured", "Not measured"),
        ("verdict", "Verdict"),
    ] {
        let _ = write!(out, "<a href=\"#{id}\">{name}</a>");
    }
    out.push_str("</nav>\n</header>\n");
}

fn answer(out: &mut String, run: &Run) {
    out.push_str("<section id=\"answer\">\n<h2>The answer</h2>\n");
    let sizes = advice::sizes(run);
    if sizes.is_empty() {
        out.push_str(
            "<p>No cell was measured, so this run cannot advise on anything.</p></section>",
        );
        return;
    }
    out.push_str(
        "<p class=\"lead\">For each need and message size: what this run found best, its median \
         (throughput: bytes a second), how far that is from the floor with its 95 % interval, and \
         the CPU seconds both sides burn for a million messages.</p>\n\
         <table class=\"answer\">\n<thead><tr><th scope=\"col\">what you need most</th>",
    );
    for size in &sizes {
        let _ = write!(out, "<th scope=\"col\">{}</th>", numbers::size(*size));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    let columns: Vec<Vec<Answer<'_>>> = sizes
        .iter()
        .map(|size| advice::answers(run, *size))
        .collect();
    for need in advice::Need::ALL {
        let of = |column: &Vec<Answer<'_>>| column.iter().position(|a| a.need == need);
        if columns.iter().all(|column| of(column).is_none()) {
            continue;
        }
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}<small>{}</small></th>",
            escape(need.title()),
            escape(need.criterion())
        );
        for (column, size) in columns.iter().zip(&sizes) {
            let size = numbers::size(*size);
            let _ = write!(out, "<td data-size=\"{size}\">");
            if let Some(at) = of(column) {
                choice(out, &column[at]);
            }
            out.push_str("</td>");
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table>\n</section>\n");
}

fn choice(out: &mut String, answer: &Answer<'_>) {
    match &answer.outcome {
        Err(why) => {
            let _ = write!(out, "<span class=\"none\">{}</span>", escape(why));
        }
        Ok(pick) => {
            let cell = pick.cell;
            let _ = write!(
                out,
                "<b class=\"pick\">{}</b><b class=\"figure\">{}</b>\
                 <span class=\"cost\">{}<br>CPU {}, {}<br>{}</span>",
                escape(&rows::label(cell)),
                pick.figure(),
                escape(&rows::times_floor(cell)),
                advice::cpu(cell),
                advice::busy(cell),
                rows::placement_title(cell.placement),
            );
            for note in pick.notes() {
                let _ = write!(out, "<span class=\"note\">{}</span>", escape(&note));
            }
        }
    }
}

fn section(out: &mut String, chart: &Chart) {
    let _ = writeln!(
        out,
        "<section id=\"{}\">\n<h2>{}</h2>",
        chart.id,
        escape(chart.title)
    );
    if chart.figures.is_empty() && chart.more.is_empty() {
        let _ = writeln!(
            out,
            "<p class=\"none\">{}</p>\n</section>",
            escape(chart.absent)
        );
        return;
    }
    let _ = writeln!(out, "<p class=\"lead\">{}</p>", escape(&chart.lead));
    figures(out, chart.id, &chart.figures);
    if !chart.more.is_empty() {
        let open = if chart.figures.is_empty() {
            " open"
        } else {
            ""
        };
        let count = chart.more.len();
        let _ = writeln!(
            out,
            "<details{open}><summary>Other scenarios and placements ({count})</summary>"
        );
        figures(out, chart.id, &chart.more);
        out.push_str("</details>\n");
    }
    out.push_str("</section>\n");
}

fn figures(out: &mut String, id: &str, figures: &[Figure]) {
    let _ = writeln!(out, "<div class=\"figures {id}\">");
    for figure in figures {
        let wide = if figure.wide { " class=\"wide\"" } else { "" };
        let _ = write!(out, "<figure{wide}><figcaption>{}", escape(&figure.title));
        if !figure.legend.is_empty() {
            out.push_str("<span class=\"legend\">");
            for (class, word) in &figure.legend {
                let swatch = match class.as_str() {
                    "" => String::new(),
                    class => format!("<i class=\"{class}\"></i>"),
                };
                let _ = write!(out, "<span>{swatch}{}</span>", escape(word));
            }
            out.push_str("</span>");
        }
        let _ = writeln!(
            out,
            "</figcaption>\n<div class=\"scroll\">{}</div></figure>",
            figure.svg
        );
    }
    out.push_str("</div>\n");
}

fn machine(out: &mut String, run: &Run) {
    out.push_str("<section id=\"machine\">\n<h2>The machine</h2>\n");
    if run.machine.facts.is_empty() {
        out.push_str("<p class=\"none\">Nothing was recorded about the machine.</p>\n");
    }
    let facts = run
        .machine
        .facts
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    definitions(out, facts);
    out.push_str("</section>\n");
}

fn method(out: &mut String) {
    out.push_str("<section id=\"method\">\n<h2>How it was measured</h2>\n");
    definitions(out, super::METHOD);
    out.push_str("</section>\n");
}

fn unmeasured(out: &mut String, run: &Run) {
    out.push_str("<section id=\"unmeasured\">\n<h2>What was not measured, and why</h2>\n");
    if run.unmeasured.is_empty() {
        out.push_str("<p>Nothing is recorded as left out.</p>\n");
    }
    let reasons = super::by_reason(run);
    let reasons: Vec<_> = reasons
        .iter()
        .map(|(why, what)| (*why, what.join(", ")))
        .collect();
    definitions(out, reasons.iter().map(|(why, what)| (*why, what.as_str())));
    out.push_str("</section>\n");
}

fn verdict(out: &mut String, run: &Run) {
    out.push_str("<section id=\"verdict\">\n<h2>Verdict on this run</h2>\n");
    for text in [run.verdict.sentence.as_str(), &super::verdict_figures(run)] {
        let _ = writeln!(out, "<p>{}</p>", escape(text));
    }
    out.push_str("</section>\n");
}

fn definitions<'a>(out: &mut String, items: impl IntoIterator<Item = (&'a str, &'a str)>) {
    out.push_str("<dl>\n");
    for (name, text) in items {
        let _ = writeln!(
            out,
            "<div><dt>{}</dt><dd>{}</dd></div>",
            escape(name),
            escape(text)
        );
    }
    out.push_str("</dl>\n");
}
