//! The legend above a figure.

use super::canvas::{Anchor, Canvas, Stroke, text_width};
use super::style::{Inside, Series};
use super::{SMALL, WIDTH};

/// Height of a row.
const LEGEND_ROW: f64 = 9.0;
/// Length of a line.
const SAMPLE: f64 = 16.0;

/// An entry of the legend.
pub(super) struct Entry {
    x: f64,
    row: f64,
    stroke: Stroke,
    look: Option<Series>,
    text: String,
}

impl Entry {
    pub(super) fn draw(&self, canvas: &mut Canvas<'_>) {
        let y = 6.0 + LEGEND_ROW * self.row;
        canvas.line(&[(self.x, y), (self.x + SAMPLE, y)], self.stroke);
        if let Some(look) = self.look {
            look.mark(canvas, (self.x + SAMPLE / 2.0, y), Inside::Full);
        }
        canvas.text(&self.text, (self.x + SAMPLE + 3.0, y), SMALL, Anchor::Begin);
    }
}

/// Lines, marks and texts from a left edge on, row by row within the figure's width.
pub(super) fn placed(entries: Vec<(Stroke, Option<Series>, String)>, left: f64) -> Vec<Entry> {
    let mut placed = Vec::new();
    let (mut x, mut row) = (left, 0.0);
    for (stroke, look, text) in entries {
        let width = SAMPLE + 3.0 + text_width(&text, SMALL) + 9.0;
        if left < x && WIDTH < x + width {
            (x, row) = (left, row + 1.0);
        }
        placed.push(Entry { x, row, stroke, look, text });
        x += width;
    }
    placed
}

/// Of all rows together.
pub(super) fn height(legend: &[Entry]) -> f64 {
    LEGEND_ROW * legend.last().map_or(0.0, |entry| entry.row + 1.0)
}

/// A name cut to a width in points.
pub(super) fn shortened(name: &str, width: f64) -> String {
    if text_width(name, SMALL) <= width {
        return name.to_owned();
    }
    let mut short = String::new();
    for c in name.chars() {
        if width < text_width(&format!("{short}{c}…"), SMALL) {
            break;
        }
        short.push(c);
    }
    short + "…"
}
