//! What the documents show of a run: a picture for each theme, and tables between two marks.

mod tables;

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    axis::Scale,
    charts::Area,
    escape::markdown as escape,
    fact,
    files::named,
    markdown,
    numbers::{self, positive},
    svg::{Shape, Svg},
};
use crate::results::{Cell, MakerKind, Run};

/// The mechanisms that a reader chooses among, by kind; their variants are on the page of a run.
pub(super) const SHOWN: &[&str] = &[
    "ring",
    "pipe",
    "fifo",
    "uds-stream",
    "uds-seqpacket",
    "uds-datagram",
    "posix-mq",
    "sysv-mq",
    "tcp",
    "tls",
    "udp",
    "rpc-native",
    "rpc-native-shm",
];
const SMALL: usize = 64;
const LARGE: usize = 1 << 20;
/// Scenario, legend, class and shape of the three ways to be awaited.
const TRIPS: &[(&str, &str, &str, Shape)] = &[
    ("round-trip", "both on one CPU", "a", Shape::Circle),
    (
        "round-trip-asleep",
        "the other CPU asleep",
        "b",
        Shape::Square,
    ),
    (
        "round-trip-spin",
        "both look at memory or poll",
        "c",
        Shape::Diamond,
    ),
];
const ROW: f64 = 22.0;
const TOP: f64 = 66.0;
const WIDTH: f64 = 860.0;
/// Columns of the left and of the right panel.
const LEFT: (f64, f64) = (128.0, 540.0);
const RIGHT: (f64, f64) = (580.0, 790.0);

/// One theme: its name, and the colours of ground, ink, quiet ink, rules and the four classes.
struct Theme {
    name: &'static str,
    colours: [&'static str; 8],
}

const THEMES: &[Theme] = &[
    Theme {
        name: "light",
        colours: [
            "#fcfcfb", "#16181d", "#555b66", "#e3e5e8", "#2a78d6", "#c98500", "#199e70", "#7a4fc4",
        ],
    },
    Theme {
        name: "dark",
        colours: [
            "#14161a", "#eceef1", "#b3b8c1", "#2c3037", "#4c93ec", "#dca02c", "#2fb98a", "#a98af0",
        ],
    },
];

/// Puts what `run` has to say into the documents of the tree at `root`, and returns what changed.
///
/// A run without small round trips leaves the picture and its tables as they are, one of fewer than
/// four sizes the table of sizes.
///
/// # Errors
/// Whatever kept a file from being read or written, and a document without its marks.
pub fn refresh(run: &Run, root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let guide = root.join("crates/ipc-facade/src/guide");
    if shown(run).len() > 3 {
        for theme in THEMES {
            let path = root.join(format!("docs/bench-{}.svg", theme.name));
            fs::write(&path, picture(run, theme)).map_err(|e| named("write", &path, &e))?;
            files.push(path);
        }
        let table = format!("{}\n{}", markdown::readme_table(run), caption(run));
        files.push(replace(&root.join("README.md"), "bench table", &table)?);
        let table = format!("{}\n{}", tables::of_choices(run), caption(run));
        files.push(replace(&guide.join("choosing.md"), "figures", &table)?);
    }
    let sizes = tables::of_sizes(run);
    if !sizes.is_empty() {
        let table = format!("{}\n\n{}", sizes.trim_end(), caption(run));
        let path = guide.join("messages_or_memory.md");
        files.push(replace(&path, "crossover", &table)?);
    }
    Ok(files)
}

/// Replaces what stands between `<!-- mark -->` and `<!-- /mark -->`.
fn replace(path: &Path, mark: &str, text: &str) -> io::Result<PathBuf> {
    let old = fs::read_to_string(path).map_err(|e| named("read", path, &e))?;
    let new = between(&old, mark, text).ok_or_else(|| {
        let words = format!("it has no <!-- {mark} --> with its end");
        named("refresh", path, &io::Error::other(words))
    })?;
    fs::write(path, new).map_err(|e| named("write", path, &e))?;
    Ok(path.to_owned())
}

fn between(old: &str, mark: &str, text: &str) -> Option<String> {
    let (start, end) = (format!("<!-- {mark} -->"), format!("<!-- /{mark} -->"));
    let from = old.find(&start)? + start.len();
    let to = from + old[from..].find(&end)?;
    Some(format!(
        "{}\n{}\n{}",
        &old[..from],
        text.trim_end(),
        &old[to..]
    ))
}

/// Our cell of this mechanism, the quickest where several makers of ours did it.
fn cell<'a>(run: &'a Run, mechanism: &str, scenario: &str, size: usize) -> Option<&'a Cell> {
    let fits = |c: &&Cell| {
        c.kind == MakerKind::Ours
            && c.mechanism == mechanism
            && c.scenario == scenario
            && c.size_bytes == size
    };
    let cells = run.cells.iter().filter(fits);
    cells.min_by(|a, b| a.latency.p50.total_cmp(&b.latency.p50))
}

fn trip(run: &Run, mechanism: &str, scenario: &str) -> Option<f64> {
    let time = cell(run, mechanism, scenario, SMALL)?.latency.p50;
    positive(time).then_some(time)
}

fn stream(run: &Run, mechanism: &str) -> Option<f64> {
    let rate = cell(run, mechanism, "one-way", LARGE)?
        .bytes_per_second
        .value;
    positive(rate).then_some(rate)
}

/// The mechanisms that the run has a small round trip of, the quickest on one CPU first.
fn shown(run: &Run) -> Vec<&'static str> {
    let mut shown: Vec<(f64, &str)> = SHOWN
        .iter()
        .filter_map(|name| Some((trip(run, name, TRIPS[0].0)?, *name)))
        .collect();
    shown.sort_by(|a, b| a.0.total_cmp(&b.0));
    shown.into_iter().map(|(_, name)| name).collect()
}

fn picture(run: &Run, theme: &Theme) -> String {
    let rows = shown(run);
    let bottom = TOP + ROW * rows.len() as f64;
    let mut svg = Svg::new(WIDTH, bottom + 62.0);
    svg.rect((0.0, 0.0), (WIDTH, bottom + 62.0), "paper", "");
    let times = rows.iter().flat_map(|name| {
        let of = |(scenario, ..): &(&str, _, _, _)| trip(run, name, scenario);
        TRIPS.iter().filter_map(of).collect::<Vec<_>>()
    });
    if let Some(x) = Scale::log(times, LEFT) {
        let area = Area {
            left: LEFT.0,
            right: LEFT.1,
            top: TOP - 6.0,
            bottom,
        };
        svg.text((LEFT.0, 24.0), "head", "64 B there and back");
        svg.text((LEFT.0, 42.0), "tick", "median; further left is quicker");
        area.scale(&mut svg, &x, |v| numbers::tick(&numbers::time(v)));
        for (row, name) in rows.iter().enumerate() {
            let y = TOP + ROW * (row as f64 + 0.5);
            trips(&mut svg, run, name, &x, y);
        }
    }
    streams(&mut svg, run, &rows, bottom);
    for (row, name) in rows.iter().enumerate() {
        let y = TOP + ROW * (row as f64 + 0.5);
        svg.text((LEFT.0 - 12.0, y + 4.0), "label end", name);
    }
    legend(&mut svg, bottom + 46.0);
    let title = "Round trips of 64 bytes and streams of 1 MiB messages, by mechanism";
    let words = words(run, &rows);
    standalone(&svg.finish(title, &words), theme, bottom + 62.0)
}

/// The marks of one mechanism, and a line that holds them together.
fn trips(svg: &mut Svg, run: &Run, name: &str, x: &Scale, y: f64) {
    let at: Vec<_> = TRIPS
        .iter()
        .filter_map(|(scenario, words, class, shape)| {
            let time = trip(run, name, scenario)?;
            Some((time, *words, *class, *shape))
        })
        .collect();
    let ends = at.iter().map(|(time, ..)| x.at(*time));
    let (low, high) = ends.fold((f64::MAX, f64::MIN), |(low, high), x| {
        (low.min(x), high.max(x))
    });
    svg.line((low, y), (high, y), "span");
    for (time, words, class, shape) in at {
        let tip = format!("{name}, {words}: {}", numbers::time(time));
        svg.marker(shape, (x.at(time), y), class, &tip);
    }
}

fn streams(svg: &mut Svg, run: &Run, rows: &[&str], bottom: f64) {
    let rates: Vec<_> = rows.iter().map(|name| stream(run, name)).collect();
    let most = rates.iter().flatten().copied().fold(0.0, f64::max);
    if !positive(most) {
        return;
    }
    svg.text((RIGHT.0, 24.0), "head", "1 MiB messages, one way");
    svg.text((RIGHT.0, 42.0), "tick", "longer is more; – is not measured");
    svg.line((RIGHT.0, TOP - 6.0), (RIGHT.0, bottom), "axis");
    let x = Scale::from_zero(most, RIGHT);
    for (row, (name, rate)) in rows.iter().zip(&rates).enumerate() {
        let y = TOP + ROW * (row as f64 + 0.5);
        let Some(rate) = rate else {
            svg.text((RIGHT.0 + 6.0, y + 4.0), "tick", "–");
            continue;
        };
        let (end, figure) = (x.at(*rate), numbers::throughput(*rate));
        let tip = format!("{name}: {figure}");
        svg.rect((RIGHT.0, y - 6.0), (end - RIGHT.0, 12.0), "d", &tip);
        svg.text((end + 6.0, y + 4.0), "tick", &figure);
    }
}

fn legend(svg: &mut Svg, y: f64) {
    let mut x = LEFT.0;
    for (_, words, class, shape) in TRIPS {
        svg.marker(*shape, (x, y - 4.0), class, "");
        svg.text((x + 10.0, y), "tick", words);
        x += super::svg::text_width(words) + 34.0;
    }
}

/// The picture in words, for those who hear it.
fn words(run: &Run, rows: &[&str]) -> String {
    let mut words = String::new();
    for name in rows {
        let _ = write!(words, "{name}:");
        for (scenario, how, ..) in TRIPS {
            if let Some(time) = trip(run, name, scenario) {
                let _ = write!(words, " {} {how},", numbers::time(time));
            }
        }
        if let Some(rate) = stream(run, name) {
            let _ = write!(words, " {} one way", numbers::throughput(rate));
        }
        words.push_str(". ");
    }
    words
}

/// The element as a file of its own: with a name space and the colours of a theme.
fn standalone(svg: &str, theme: &Theme, height: f64) -> String {
    let [paper, ink, soft, rule, a, b, c, d] = theme.colours;
    let style = format!(
        "<style>text{{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans',\
         sans-serif;fill:{soft}}}.head{{font-size:14px;font-weight:600;fill:{ink}}}\
         .label{{fill:{ink}}}.end{{text-anchor:end}}.mid{{text-anchor:middle}}.paper{{fill:{paper}}}\
         line{{stroke:{rule};stroke-width:1}}.span{{stroke:{soft};stroke-opacity:.45}}\
         .axis{{stroke:{soft}}}.a{{fill:{a}}}.b{{fill:{b}}}.c{{fill:{c}}}.d{{fill:{d}}}</style>"
    );
    let open = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH:.0}\" height=\"{height:.0}\" "
    );
    let svg = svg.replacen("<svg ", &open, 1);
    svg.replacen("</desc>", &format!("</desc>\n{style}"), 1) + "\n"
}

/// What the tables are of: the machine in a line, and how to make them anew.
fn caption(run: &Run) -> String {
    let cpu = fact(run, "cpu").unwrap_or("an unnamed CPU");
    let kernel = fact(run, "kernel").and_then(|of| of.split('-').next());
    let host = match fact(run, "hypervisor flag") {
        Some(_) => ", a virtual machine",
        None => "",
    };
    format!(
        "Measured by `cargo xtask bench` on {}: {} CPUs of {}{host}, Linux {}; {}.\n",
        numbers::date(run.started_unix_seconds),
        run.machine.cpus.len(),
        escape(cpu),
        kernel.unwrap_or("of unknown version"),
        escape(&run.verdict.sentence),
    )
}
