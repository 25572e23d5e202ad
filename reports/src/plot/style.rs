//! Marks, dashes and fills that can be told apart in grey.

use plotters::prelude::RGBColor;

use super::canvas::{BLACK, Canvas, Fill, Hatch, Point, Stroke, WHITE};

/// How a series looks: colour, dashes and the shape of its marks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Series {
    color: RGBColor,
    dashes: &'static [f64],
    mark: Mark,
}

#[derive(Debug, Clone, Copy)]
enum Mark {
    Circle,
    /// Corners around the middle, for a radius of 1.
    Polygon(&'static [Point]),
}

/// Whether a mark is full or empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inside {
    Full,
    Empty,
}

const SQUARE: &[Point] = &[(-0.86, -0.86), (0.86, -0.86), (0.86, 0.86), (-0.86, 0.86)];
const DIAMOND: &[Point] = &[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)];
const UP: &[Point] = &[(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)];
const DOWN: &[Point] = &[(0.0, 1.2), (1.1, -0.8), (-1.1, -0.8)];
const RIGHT: &[Point] = &[(1.2, 0.0), (-0.8, 1.1), (-0.8, -1.1)];
const LEFT: &[Point] = &[(-1.2, 0.0), (0.8, 1.1), (0.8, -1.1)];
const PLUS: &[Point] = &[
    (-0.4, -1.2),
    (0.4, -1.2),
    (0.4, -0.4),
    (1.2, -0.4),
    (1.2, 0.4),
    (0.4, 0.4),
    (0.4, 1.2),
    (-0.4, 1.2),
    (-0.4, 0.4),
    (-1.2, 0.4),
    (-1.2, -0.4),
    (-0.4, -0.4),
];

const fn series(color: (u8, u8, u8), dashes: &'static [f64], mark: Mark) -> Series {
    Series { color: RGBColor(color.0, color.1, color.2), dashes, mark }
}

/// Looks of different series; what has no look of its own is [`OTHER`].
pub(super) const SERIES: [Series; 8] = [
    series((0, 0, 0), &[], Mark::Circle),
    series((0, 114, 178), &[3.0, 1.5], Mark::Polygon(SQUARE)),
    series((213, 94, 0), &[1.0, 1.2], Mark::Polygon(UP)),
    series((0, 130, 95), &[5.0, 1.5, 1.0, 1.5], Mark::Polygon(DIAMOND)),
    series((150, 80, 140), &[6.0, 2.0], Mark::Polygon(DOWN)),
    series((110, 110, 110), &[2.0, 1.0, 0.7, 1.0, 0.7, 1.0], Mark::Polygon(PLUS)),
    series((170, 110, 0), &[1.5, 3.0], Mark::Polygon(RIGHT)),
    series((60, 150, 200), &[0.6, 2.0], Mark::Polygon(LEFT)),
];

/// Everything else.
pub(super) const OTHER: Series = series((160, 160, 160), &[0.5, 1.0], Mark::Circle);

impl Series {
    pub(super) const fn stroke(&self) -> Stroke {
        Stroke { color: self.color, width: 0.7, dashes: self.dashes }
    }

    pub(super) fn mark(&self, canvas: &mut Canvas<'_>, at: Point, inside: Inside) {
        const RADIUS: f64 = 1.9;
        let fill = if inside == Inside::Full { self.color } else { WHITE };
        let outline = Stroke::new(self.color, 0.6);
        match self.mark {
            Mark::Circle => canvas.circle(at, RADIUS, fill, outline),
            Mark::Polygon(corners) => {
                let corners: Vec<_> =
                    corners.iter().map(|&(x, y)| (at.0 + x * RADIUS, at.1 + y * RADIUS)).collect();
                canvas.polygon(&corners, fill, outline);
            }
        }
    }
}

const fn grey(level: u8, hatch: Hatch) -> Fill {
    Fill { color: RGBColor(level, level, level), hatch }
}

/// Fills of a bar's parts, neighbours as different as may be.
pub(super) const FILLS: [Fill; 8] = [
    grey(70, Hatch::None),
    grey(255, Hatch::Rising),
    grey(185, Hatch::None),
    grey(255, Hatch::Crossed),
    grey(125, Hatch::None),
    grey(225, Hatch::Falling),
    grey(255, Hatch::Upright),
    grey(35, Hatch::None),
];

/// Outlines of bars, and axes.
pub(super) const THIN: Stroke = Stroke::new(BLACK, 0.5);
/// Lines behind the data.
pub(super) const GUIDE: Stroke = Stroke::new(RGBColor(220, 220, 220), 0.4);
/// The front of all points.
pub(super) const FRONT: Stroke = Stroke::new(RGBColor(205, 205, 205), 2.6);
