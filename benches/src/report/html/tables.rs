//! The tables of the page: every cell, every ratio, every floor.

use std::fmt::Write as _;

use crate::{
    report::{
        escape::html as escape,
        goals, numbers, overheads,
        ratios::Named,
        rows::{self, Table},
    },
    results::{Cell, Run},
};

/// Every cell, one table for each scenario and placement.
pub(super) fn cells(out: &mut String, run: &Run) {
    out.push_str("<section id=\"tables\">\n<h2>Every figure</h2>\n");
    if run.cells.is_empty() {
        out.push_str("<p class=\"none\">No cell was measured.</p>\n");
    } else {
        out.push_str(
            "<p class=\"lead\">CPU s/M: seconds of both sides per million messages. Calls, wakes \
             and times preempted are per message, both sides together. A dash stands \
             where too few messages were measured to know a percentile, \
             <code>[n=…]</code> where too few slices to form an interval.</p>\n",
        );
    }
    for (at, table) in rows::tables(run).iter().enumerate() {
        let open = if at == 0 { " open" } else { "" };
        let (title, basis) = (escape(&table.title()), escape(&table.basis()));
        let _ = write!(
            out,
            "<details{open}><summary>{title} <small>{} cells; {basis}</small></summary>",
            table.cells.len()
        );
        table_of(out, table);
        out.push_str("</details>\n");
    }
    out.push_str("</section>\n");
}

const CELL_HEADS: [&str; 17] = [
    "size",
    "p50",
    "× floor [95 %]",
    "p90",
    "p99",
    "p99.9",
    "max",
    "min",
    "messages",
    "bytes",
    "CPU s/M",
    "calls",
    "wakes",
    "preempted",
    "verified",
    "copies",
    "n",
];

fn table_of(out: &mut String, table: &Table<'_>) {
    table_head(
        out,
        &[&["mechanism"][..], &CELL_HEADS[..]].concat(),
        &table.title(),
    );
    let mut rest = table.cells.as_slice();
    while let Some(first) = rest.first() {
        let same = |c: &&Cell| c.mechanism == first.mechanism && c.maker == first.maker;
        let count = rest.iter().take_while(|c| same(c)).count();
        let (group, tail) = rest.split_at(count);
        rest = tail;
        out.push_str("<tbody>");
        for (at, cell) in group.iter().enumerate() {
            out.push_str("<tr>");
            if at == 0 {
                let name = escape(&rows::label(cell));
                let _ = write!(
                    out,
                    "<th scope=\"rowgroup\" rowspan=\"{count}\">{name}</th>"
                );
            }
            for text in cell_row(cell) {
                let _ = write!(out, "<td>{}</td>", escape(&text));
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</tbody>");
    }
    out.push_str("</table></div>\n");
}

fn cell_row(cell: &Cell) -> [String; 17] {
    let latency = &cell.latency;
    [
        numbers::size(cell.size_bytes),
        numbers::time(latency.p50),
        rows::times_floor(cell),
        numbers::time(rows::resolved(cell, 90.0, latency.p90)),
        numbers::time(rows::resolved(cell, 99.0, latency.p99)),
        numbers::time(rows::resolved(cell, 99.9, latency.p999)),
        numbers::time(latency.max),
        numbers::time(latency.min),
        numbers::rate(cell.messages_per_second.value),
        numbers::throughput(cell.bytes_per_second.value),
        numbers::count(cell.cpu_seconds_per_million),
        cell.system_calls
            .map_or_else(|| "?".to_owned(), numbers::count),
        numbers::count(cell.wakes),
        numbers::count(cell.preemptions),
        rows::verified(cell).to_owned(),
        cell.copies.clone(),
        numbers::whole(cell.n),
    ]
}

/// Every goal of the workspace, and what the run says about it.
pub(super) fn goals(out: &mut String, run: &Run) {
    out.push_str("<section id=\"goals\">\n<h2>Are the goals met?</h2>\n");
    if run.goals.is_empty() {
        out.push_str("<p class=\"none\">No goal was judged in this run.</p></section>\n");
        return;
    }
    let _ = writeln!(
        out,
        "<p class=\"lead\">{}</p>",
        escape(&goals::summary(run))
    );
    table_head(out, &goals::HEADS, "Goals");
    out.push_str("<tbody>");
    for goal in &run.goals {
        let mut row = goals::row(goal);
        if let Some(note) = goals::note(goal) {
            row[7] += &format!("; {note}");
        }
        let class = goals::class(goal.outcome);
        let _ = write!(
            out,
            "<tr><th scope=\"row\" class=\"{class}\">{}</th>",
            escape(&row[0])
        );
        for cell in &row[1..] {
            let _ = write!(out, "<td>{}</td>", escape(cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n</section>\n");
}

/// What awaiting costs over blocking.
pub(super) fn overheads(out: &mut String, run: &Run) {
    out.push_str("<section id=\"awaited\">\n<h2>What does awaiting cost?</h2>\n");
    let Some((heads, rows)) = overheads::table(run) else {
        out.push_str(
            "<p class=\"none\">No mechanism was measured both awaited and blocking.</p></section>\n",
        );
        return;
    };
    let _ = writeln!(out, "<p class=\"lead\">{}</p>", escape(overheads::LEAD));
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    table_head(out, &heads, "Awaited against blocking, per mechanism");
    out.push_str("<tbody>");
    for row in &rows {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", escape(&row[0]));
        for cell in &row[1..] {
            let _ = write!(out, "<td>{}</td>", escape(cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n</section>\n");
}

/// Every ratio, with what its interval shows.
pub(super) fn ratios(out: &mut String, run: &Run) {
    if run.ratios.is_empty() {
        return;
    }
    out.push_str(
        "<section id=\"all-ratios\">\n<h2>Every ratio</h2>\n<details open>\
                  <summary>Paired slice by slice</summary>\n",
    );
    let heads = [
        "ratio",
        "placement",
        "value [95 %]",
        "better is",
        "shows",
        "state",
        "slices",
    ];
    table_head(out, &heads, "Paired ratios");
    out.push_str("<tbody>");
    for ratio in &run.ratios {
        let named = Named::of(ratio);
        let judgement = named.judgement();
        let better = if ratio.higher_is_better {
            "more"
        } else {
            "less"
        };
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{better}</td>\
             <td class=\"{}\">{} {}</td><td>{:?}</td><td>{}</td></tr>",
            escape(&ratio.name),
            rows::placement_title(ratio.placement),
            escape(&numbers::ratio(&named.interval())),
            judgement.class(),
            judgement.sign(),
            judgement.word(),
            ratio.state,
            ratio.n,
        );
    }
    out.push_str("</tbody></table></div>\n</details></section>\n");
}

/// The floors all multiples refer to.
pub(super) fn floors(out: &mut String, run: &Run) {
    out.push_str("<section id=\"all-floors\">\n<h2>The floors</h2>\n");
    if run.floors.is_empty() {
        out.push_str(
            "<p class=\"none\">No floor was measured: multiples of it mean nothing in \
                      this run.</p></section>\n",
        );
        return;
    }
    let heads = [
        "floor",
        "size",
        "placement",
        "state",
        "median",
        "95 % interval",
        "slices",
    ];
    table_head(out, &heads, "Floors");
    out.push_str("<tbody>");
    for floor in &run.floors {
        let row = crate::report::floor_row(floor);
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", escape(&row[0]));
        for cell in &row[1..] {
            let _ = write!(out, "<td>{}</td>", escape(cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n</section>\n");
}

fn table_head(out: &mut String, heads: &[&str], caption: &str) {
    let _ = write!(
        out,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\">\
         <table class=\"data\"><caption>{0}</caption><thead><tr>",
        escape(caption)
    );
    for head in heads {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escape(head));
    }
    out.push_str("</tr></thead>\n");
}
