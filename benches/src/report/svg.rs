//! A small writer of SVG pictures whose colours, fonts and line widths are CSS classes of the page.
//!
//! Not plotters: its SVG back end writes colours and font sizes into each element, so that a
//! picture could follow neither the dark theme nor print, and it knows neither hover titles nor
//! descriptions for those who cannot see. What the charts need of a writer is this one page.

use std::fmt::Write as _;

use super::escape;

/// Shapes of points, so that colour is never the only sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Circle,
    Square,
    Diamond,
    Triangle,
}

/// A picture being drawn.
pub(crate) struct Svg {
    width: f64,
    height: f64,
    body: String,
}

impl Svg {
    pub(crate) fn new(width: f64, height: f64) -> Self {
        Self {
            width,
            height,
            body: String::new(),
        }
    }

    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.write(format_args!(
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        ));
    }

    pub(crate) fn polyline(&mut self, points: &[(f64, f64)], class: &str) {
        let mut list = String::new();
        for (x, y) in points {
            let _ = write!(list, "{x:.1},{y:.1} ");
        }
        let list = list.trim_end();
        self.write(format_args!(
            r#"<polyline class="{class}" points="{list}"/>"#
        ));
    }

    /// `title` is shown while the pointer rests on it.
    pub(crate) fn rect(&mut self, at: (f64, f64), size: (f64, f64), class: &str, title: &str) {
        let ((x, y), (w, h)) = (at, size);
        let title = tip(title);
        self.write(format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" \
             height=\"{h:.1}\">{title}</rect>"
        ));
    }

    pub(crate) fn marker(&mut self, shape: Shape, at: (f64, f64), class: &str, title: &str) {
        let (x, y) = at;
        let path = match shape {
            Shape::Circle => {
                let title = tip(title);
                self.write(format_args!(
                    r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="4">{title}</circle>"#
                ));
                return;
            }
            Shape::Square => format!("M{:.1} {:.1}h7v7h-7z", x - 3.5, y - 3.5),
            Shape::Diamond => format!("M{x:.1} {:.1}l5 5-5 5-5-5z", y - 5.0),
            Shape::Triangle => format!("M{x:.1} {:.1}l4.8 8.4h-9.6z", y - 5.2),
        };
        self.path(&path, class, title);
    }

    pub(crate) fn path(&mut self, path: &str, class: &str, title: &str) {
        let title = tip(title);
        self.write(format_args!(
            r#"<path class="{class}" d="{path}">{title}</path>"#
        ));
    }

    /// Text that begins at `at`; the classes `mid` and `end` centre it there and end it there.
    pub(crate) fn text(&mut self, at: (f64, f64), class: &str, text: &str) {
        let ((x, y), text) = (at, escape::html(text));
        self.write(format_args!(
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{text}</text>"#
        ));
    }

    /// Text that runs upwards along a vertical axis.
    pub(crate) fn upright(&mut self, at: (f64, f64), class: &str, text: &str) {
        let ((x, y), text) = (at, escape::html(text));
        self.write(format_args!(
            "<text class=\"{class}\" transform=\"translate({x:.1} {y:.1}) \
             rotate(-90)\">{text}</text>"
        ));
    }

    /// The whole element. `title` and `description` are for those who hear the page.
    pub(crate) fn finish(self, title: &str, description: &str) -> String {
        let (title, description) = (escape::html(title), escape::html(description));
        let Self {
            width,
            height,
            body,
        } = self;
        format!(
            "<svg role=\"img\" viewBox=\"0 0 {width:.0} {height:.0}\" aria-label=\"{title}\">\
             <title>{title}</title><desc>{description}</desc>\n{body}</svg>"
        )
    }

    fn write(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.body, "{element}");
    }
}

/// About how wide a text of 12 px is; no font is at hand when the picture is made.
pub(crate) fn text_width(text: &str) -> f64 {
    text.chars()
        .map(|c| {
            if "iljt.,:|()[] ".contains(c) {
                4.0
            } else {
                6.9
            }
        })
        .sum()
}

/// `text`, shortened to about `pixels`.
pub(crate) fn shorten(text: &str, pixels: f64) -> String {
    if text_width(text) <= pixels {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        if text_width(&short) + 13.0 > pixels {
            break;
        }
        short.push(c);
    }
    format!("{}…", short.trim_end())
}

/// Room for the widest of these labels, within reason: whose names begin alike are told apart by
/// how they end.
pub(crate) fn room_for(labels: impl Iterator<Item = String>, least: f64, most: f64) -> f64 {
    let widest = labels.map(|label| text_width(&label)).fold(0.0, f64::max);
    widest.ceil().clamp(least, most)
}

/// Moves labels apart: each as near to where it wants to be as a `gap` between them allows.
pub(crate) fn dodge(wanted: &[f64], gap: f64, top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    let mut placed = wanted.to_vec();
    let mut above = f64::NEG_INFINITY;
    for at in &order {
        placed[*at] = placed[*at].clamp(top, bottom).max(above + gap);
        above = placed[*at];
    }
    let mut below = f64::INFINITY;
    for at in order.iter().rev() {
        placed[*at] = placed[*at].min(bottom).min(below - gap);
        below = placed[*at];
    }
    placed
}

fn tip(title: &str) -> String {
    if title.is_empty() {
        String::new()
    } else {
        format!("<title>{}</title>", escape::html(title))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_their_distance() {
        let placed = dodge(&[100.0, 101.0, 20.0, 99.0], 14.0, 0.0, 110.0);
        let mut sorted = placed.clone();
        sorted.sort_by(f64::total_cmp);
        assert!(
            sorted.windows(2).all(|pair| pair[1] - pair[0] >= 13.99),
            "{placed:?}"
        );
        assert!(sorted[3] <= 110.0);
        assert_eq!(placed[2], 20.0);
    }

    #[test]
    fn text_is_escaped() {
        let mut svg = Svg::new(10.0, 10.0);
        svg.text((1.0, 1.0), "a", "<script>");
        svg.marker(Shape::Circle, (1.0, 1.0), "b", "\"<&");
        let out = svg.finish("<t>", "&");
        assert!(!out.contains("<script>") && out.contains("&quot;&lt;&amp;"));
    }
}
