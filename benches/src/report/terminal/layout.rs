//! Plain text laid out in a width: headings, wrapped paragraphs, tables that give way.

use crate::report::escape;

/// The narrowest width that is laid out for; what is narrower gets long lines.
const NARROWEST: usize = 60;

/// A column of a table.
pub(super) struct Column {
    head: &'static str,
    flush_right: bool,
    /// On a narrow terminal the column with the highest number gives way first, 0 never.
    gives_way: u8,
    /// A name is not cut below this width while another column can still give way.
    least: usize,
}

impl Column {
    pub(super) const fn left(head: &'static str, gives_way: u8) -> Self {
        Self {
            head,
            flush_right: false,
            gives_way,
            least: 18,
        }
    }

    /// A column of names whose ends matter: others give way before it is cut.
    pub(super) const fn whole(head: &'static str) -> Self {
        Self {
            least: 60,
            ..Self::left(head, 0)
        }
    }

    pub(super) const fn right(head: &'static str, gives_way: u8) -> Self {
        Self {
            head,
            flush_right: true,
            gives_way,
            least: 18,
        }
    }
}

/// A report being laid out.
pub(super) struct Page {
    text: String,
    width: usize,
    colour: bool,
}

impl Page {
    pub(super) fn new(width: usize, colour: bool) -> Self {
        Self {
            text: String::new(),
            width: width.max(NARROWEST),
            colour,
        }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn heading(&mut self, title: &str) {
        let title = escape::terminal(title);
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let styled = self.styled("1", &title);
        self.line(&styled);
    }

    /// `name: text`, wrapped under itself.
    pub(super) fn item(&mut self, name: &str, text: &str) {
        self.paragraph("", &format!("{name}: {text}"));
    }

    pub(super) fn paragraph(&mut self, indent: &str, text: &str) {
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

    pub(super) fn table(&mut self, columns: &[Column], rows: &[Vec<String>]) {
        let widths = widths(columns, rows, self.width);
        let heads: Vec<String> = columns
            .iter()
            .map(|column| column.head.to_owned())
            .collect();
        let head = self.styled("2", &row(columns, &widths, &heads));
        self.line(&head);
        for cells in rows {
            let line = row(columns, &widths, cells);
            self.line(&line);
        }
        let hidden = columns
            .iter()
            .zip(&widths)
            .filter(|(_, width)| **width == 0);
        let hidden: Vec<_> = hidden.map(|(column, _)| column.head).collect();
        if hidden.iter().any(|head| !head.is_empty()) {
            self.paragraph(
                "",
                &format!("left out for want of room: {}", hidden.join(", ")),
            );
        }
    }

    pub(super) fn styled(&self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}

/// The widths of `columns` within `width`, 0 for those that gave way.
fn widths(columns: &[Column], rows: &[Vec<String>], width: usize) -> Vec<usize> {
    let widest = |at: usize, column: &Column| {
        let cells = rows
            .iter()
            .map(|row| row.get(at).map_or(0, |cell| cell.chars().count()));
        cells.max().unwrap_or(0).max(column.head.chars().count())
    };
    let mut widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| widest(at, column))
        .collect();
    let total = |widths: &[usize]| {
        let shown = widths.iter().filter(|width| **width > 0);
        shown.map(|width| width + 1).sum::<usize>() + 1
    };
    // Long names are cut a little, then whole columns give way, then names are cut again.
    let is_name = |c: &Column| !c.flush_right && c.gives_way == 0 && !c.head.is_empty();
    let name = columns.iter().position(is_name).unwrap_or(0);
    let cut_names = |widths: &mut Vec<usize>, least: usize| {
        let over = total(widths).saturating_sub(width);
        widths[name] = widths[name]
            .saturating_sub(over)
            .max(least.min(widths[name]));
    };
    cut_names(
        &mut widths,
        columns.get(name).map_or(18, |column| column.least),
    );
    while total(&widths) > width {
        let open = (0..columns.len()).filter(|at| columns[*at].gives_way > 0 && widths[*at] > 0);
        let Some(last) = open.max_by_key(|at| columns[*at].gives_way) else {
            break;
        };
        widths[last] = 0;
    }
    cut_names(&mut widths, 8);
    widths
}

fn row(columns: &[Column], widths: &[usize], cells: &[String]) -> String {
    let mut line = String::from(" ");
    for ((column, width), cell) in columns.iter().zip(widths).zip(cells) {
        if *width > 0 {
            line.push(' ');
            line.push_str(&pad(
                &cut(&escape::terminal(cell), *width),
                *width,
                column.flush_right,
            ));
        }
    }
    line
}

pub(super) fn pad(text: &str, width: usize, right: bool) -> String {
    let blank = " ".repeat(width.saturating_sub(text.chars().count()));
    if right {
        format!("{blank}{text}")
    } else {
        format!("{text}{blank}")
    }
}

pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}
