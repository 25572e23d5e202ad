//! A drawing surface in points: what a figure needs of plotters' SVG backend, and dashes and hatches.
//!
//! The backend's coordinates are whole numbers, so a point is 20 of them.

use plotters::backend::DrawingBackend as _;
use plotters::prelude::{Color as _, FontFamily, IntoFont as _, RGBColor, SVGBackend, ShapeStyle};
use plotters::style::FontTransform;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Coordinates of the backend in a point.
const SCALE: f64 = 20.0;
/// What plotters divides a font's size by.
const FONT_DIVISOR: f64 = 1.24;
const FONT: &str = "Helvetica, Arial, sans-serif";
/// The backend writes into memory.
const IN_MEMORY: &str = "memory takes what is drawn";

/// A place in points, from the upper left corner.
pub(super) type Point = (f64, f64);

pub(super) const BLACK: RGBColor = RGBColor(0, 0, 0);
pub(super) const WHITE: RGBColor = RGBColor(255, 255, 255);

/// A line's colour, width in points, and lengths of dashes and gaps in turn; none: unbroken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stroke {
    pub(super) color: RGBColor,
    pub(super) width: f64,
    pub(super) dashes: &'static [f64],
}

impl Stroke {
    pub(super) const fn new(color: RGBColor, width: f64) -> Self {
        Self { color, width, dashes: &[] }
    }
}

/// Which point of a text stands at its place; vertically it is the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Begin,
    Middle,
    End,
    /// The middle, of text that is read upwards.
    Upwards,
}

/// Lines across a filled rectangle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hatch {
    None,
    Rising,
    Falling,
    Crossed,
    Upright,
}

/// What fills a rectangle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fill {
    pub(super) color: RGBColor,
    pub(super) hatch: Hatch,
}

pub(super) struct Canvas<'a> {
    backend: SVGBackend<'a>,
}

/// A drawing of this size in points, as SVG.
pub(super) fn drawing(width: f64, height: f64, draw: impl FnOnce(&mut Canvas<'_>)) -> String {
    let mut svg = String::new();
    let size = to_backend((width, height));
    let size = (size.0.unsigned_abs(), size.1.unsigned_abs());
    let mut canvas = Canvas { backend: SVGBackend::with_string(&mut svg, size) };
    canvas.rectangle((0.0, 0.0), (width, height), Fill { color: WHITE, hatch: Hatch::None });
    draw(&mut canvas);
    canvas.backend.present().expect(IN_MEMORY);
    drop(canvas);
    // The picture's own coordinates stay; its size on paper is in points.
    let own = format!("width=\"{}\" height=\"{}\"", size.0, size.1);
    svg.replacen(&own, &format!("width=\"{width}pt\" height=\"{height}pt\""), 1)
}

#[expect(clippy::cast_possible_truncation, reason = "a figure is some hundred points wide")]
fn to_backend(point: Point) -> (i32, i32) {
    ((point.0 * SCALE).round() as i32, (point.1 * SCALE).round() as i32)
}

fn shape(stroke: Stroke) -> ShapeStyle {
    let width = to_backend((stroke.width, 0.0)).0.unsigned_abs().max(1);
    ShapeStyle { color: stroke.color.to_rgba(), filled: false, stroke_width: width }
}

impl Canvas<'_> {
    pub(super) fn line(&mut self, points: &[Point], stroke: Stroke) {
        if stroke.dashes.is_empty() {
            let path = points.iter().map(|&point| to_backend(point));
            self.backend.draw_path(path, &shape(stroke)).expect(IN_MEMORY);
            return;
        }
        for (from, to) in dashes(points, stroke.dashes) {
            let (from, to) = (to_backend(from), to_backend(to));
            self.backend.draw_line(from, to, &shape(stroke)).expect(IN_MEMORY);
        }
    }

    /// A closed polygon with its outline.
    pub(super) fn polygon(&mut self, corners: &[Point], fill: RGBColor, outline: Stroke) {
        let corners: Vec<_> = corners.iter().chain(corners.first()).copied().collect();
        let path = corners.iter().map(|&corner| to_backend(corner));
        self.backend.fill_polygon(path, &fill.filled()).expect(IN_MEMORY);
        self.line(&corners, outline);
    }

    pub(super) fn circle(&mut self, center: Point, radius: f64, fill: RGBColor, outline: Stroke) {
        let center = to_backend(center);
        let radius = to_backend((radius, 0.0)).0.unsigned_abs();
        self.backend.draw_circle(center, radius, &fill.filled(), true).expect(IN_MEMORY);
        self.backend.draw_circle(center, radius, &shape(outline), false).expect(IN_MEMORY);
    }

    pub(super) fn rectangle(&mut self, from: Point, to: Point, fill: Fill) {
        let corners = (to_backend(from), to_backend(to));
        self.backend.draw_rect(corners.0, corners.1, &fill.color.filled(), true).expect(IN_MEMORY);
        self.hatch(from, to, fill);
    }

    fn hatch(&mut self, from: Point, to: Point, fill: Fill) {
        const GAP: f64 = 2.0;
        let stroke = Stroke::new(BLACK, 0.35);
        let (width, height) = (to.0 - from.0, to.1 - from.1);
        // From the upper edge x to the lower edge x + lean, cut at the sides.
        let mut lines = |lean: f64| {
            let n_lines = ((width + lean.abs()) / GAP).ceil();
            let mut line = 1.0;
            while line < n_lines {
                let upper = from.0 + line * GAP - lean.max(0.0);
                let at = |x: f64| if lean == 0.0 { 0.0 } else { (x - upper) / lean };
                let cut = |x: f64| x.clamp(from.0, to.0);
                let (a, b) = (cut(upper), cut(upper + lean));
                let (ya, yb) = if lean == 0.0 { (0.0, 1.0) } else { (at(a), at(b)) };
                self.line(&[(a, from.1 + ya * height), (b, from.1 + yb * height)], stroke);
                line += 1.0;
            }
        };
        match fill.hatch {
            Hatch::None => {}
            Hatch::Rising => lines(-height),
            Hatch::Falling => lines(height),
            Hatch::Upright => lines(0.0),
            Hatch::Crossed => {
                lines(-height);
                lines(height);
            }
        }
    }

    /// Text of this size in points.
    pub(super) fn text(&mut self, text: &str, at: Point, size: f64, anchor: Anchor) {
        let (h_pos, transform) = match anchor {
            Anchor::Begin => (HPos::Left, FontTransform::None),
            Anchor::Middle => (HPos::Center, FontTransform::None),
            Anchor::End => (HPos::Right, FontTransform::None),
            Anchor::Upwards => (HPos::Center, FontTransform::Rotate270),
        };
        let font = (FontFamily::Name(FONT), size * SCALE * FONT_DIVISOR).into_font();
        let style = font.transform(transform).color(&BLACK).pos(Pos::new(h_pos, VPos::Center));
        // The backend's middle is that of small letters; ours is that of capitals and digits.
        let lower = 0.1 * size;
        let at =
            if anchor == Anchor::Upwards { (at.0 + lower, at.1) } else { (at.0, at.1 + lower) };
        self.backend.draw_text(text, &style, to_backend(at)).expect(IN_MEMORY);
    }
}

/// The dashes along a path: lengths of `pattern` are drawn and left out in turn.
fn dashes(points: &[Point], pattern: &[f64]) -> Vec<(Point, Point)> {
    let mut dashes = Vec::new();
    let mut turn = 0;
    let mut left = pattern[0];
    for ends in points.windows(2) {
        let (mut from, to) = (ends[0], ends[1]);
        loop {
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            let part = left.min(length);
            let share = if length == 0.0 { 1.0 } else { part / length };
            let end = (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share);
            if turn % 2 == 0 {
                dashes.push((from, end));
            }
            if length <= left {
                left -= length;
                break;
            }
            from = end;
            turn += 1;
            left = pattern[turn % pattern.len()];
        }
    }
    dashes
}

/// About how wide a text of this size is, in points, in Helvetica.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    let width = |c: char| match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.28,
        'f' | 't' | 'r' | '(' | ')' | '-' | '/' => 0.33,
        'm' | 'M' | 'W' | 'w' => 0.83,
        'A'..='Z' => 0.68,
        _ => 0.556,
    };
    text.chars().map(width).sum::<f64>() * size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_turn_corners() {
        // 3 on, 1 off along an L of 2 + 4 points: 0–3 is drawn, 3–4 is not, 4–6 is.
        let path = [(0.0, 0.0), (2.0, 0.0), (2.0, 4.0)];
        let drawn = dashes(&path, &[3.0, 1.0]);
        let expected =
            [((0.0, 0.0), (2.0, 0.0)), ((2.0, 0.0), (2.0, 1.0)), ((2.0, 2.0), (2.0, 4.0))];
        assert_eq!(drawn, expected);
    }

    #[test]
    fn a_drawing_is_measured_in_points() {
        let svg = drawing(252.0, 10.5, |canvas| canvas.text("a < b", (1.0, 1.0), 7.0, Anchor::End));
        let head = "<svg width=\"252pt\" height=\"10.5pt\" viewBox=\"0 0 5040 210\"";
        assert!(svg.starts_with(head), "{svg}");
        assert!(svg.contains("a &lt; b"), "{svg}");
    }
}
