//! Axes: from values to places, and where the ticks are.

use crate::number::superscript;

/// A scale over values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    is_log: bool,
    /// Values with their labels.
    pub(super) ticks: Vec<(f64, String)>,
    /// Values of ticks without labels.
    pub(super) minor: Vec<f64>,
}

/// Values that span this factor get a logarithmic axis.
const LOG_FROM: f64 = 10.0;
/// Room on both sides of the data, of its span.
const MARGIN: f64 = 0.06;

impl Axis {
    /// Over these positive values: logarithmic where they span a decade or more.
    pub(super) fn of_costs(values: &[f64]) -> Self {
        let (low, high) = extremes(values);
        if 0.0 < low && LOG_FROM <= high / low {
            Self::logarithmic(low, high)
        } else {
            Self::linear(low, high)
        }
    }

    /// Linear over a range, ends a little beyond it.
    pub(super) fn of_values(values: &[f64]) -> Self {
        let (low, high) = extremes(values);
        Self::linear(low, high)
    }

    /// Whole numbers from 1 on, half a step of room at both ends.
    pub(super) fn of_counts(count: usize) -> Self {
        let (low, high) = (0.5, count.max(1) as f64 + 0.5);
        let step = nice_step((high - low) / 8.0).max(1.0);
        let mut ticks = Vec::new();
        let mut at = step;
        while at <= high {
            ticks.push((at, format!("{at:.0}")));
            at += step;
        }
        Self { low, high, is_log: false, ticks, minor: Vec::new() }
    }

    /// Linear from 0.
    pub(super) fn from_zero(high: f64) -> Self {
        let high = if 0.0 < high { high * (1.0 + MARGIN / 2.0) } else { 1.0 };
        Self::with_linear_ticks(0.0, high)
    }

    fn linear(low: f64, high: f64) -> Self {
        let span = high - low;
        // A single value gets a range of its own size.
        let margin = if 0.0 < span { span * MARGIN } else { (high.abs() * 0.05).max(0.5) };
        let bottom = if 0.0 <= low { (low - margin).max(0.0) } else { low - margin };
        Self::with_linear_ticks(bottom, high + margin)
    }

    fn with_linear_ticks(low: f64, high: f64) -> Self {
        let step = nice_step((high - low) / 5.0);
        let decimals = decimals_of(step);
        let mut ticks = Vec::new();
        let mut at = (low / step).ceil();
        while at * step <= high {
            ticks.push((at * step, format!("{:.decimals$}", at * step)));
            at += 1.0;
        }
        Self { low, high, is_log: false, ticks, minor: Vec::new() }
    }

    fn logarithmic(low: f64, high: f64) -> Self {
        let margin = (high / low).powf(MARGIN);
        let (low, high) = (low / margin, high * margin);
        let decades = (high / low).log10();
        // Up to two decades 1, 2 and 5 are labelled, beyond that decades alone.
        let labelled: &[f64] = if decades < 2.2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let mut axis = Self { low, high, is_log: true, ticks: Vec::new(), minor: Vec::new() };
        let mut decade = low.log10().floor();
        while decade <= high.log10() {
            for factor in 1..10 {
                let value = f64::from(factor) * 10_f64.powf(decade);
                if !(low..=high).contains(&value) {
                    continue;
                }
                if labelled.contains(&f64::from(factor)) {
                    axis.ticks.push((value, plain(value)));
                } else {
                    axis.minor.push(value);
                }
            }
            decade += 1.0;
        }
        axis
    }

    /// Where a value lies: 0 at the low end, 1 at the high end.
    pub(super) fn place(&self, value: f64) -> f64 {
        if self.is_log {
            return (value / self.low).ln() / (self.high / self.low).ln();
        }
        (value - self.low) / (self.high - self.low)
    }
}

fn extremes(values: &[f64]) -> (f64, f64) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if low <= high { (low, high) } else { (0.0, 1.0) }
}

/// 1, 2 or 5 times a power of ten, at least this.
fn nice_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    factors.iter().map(|factor| factor * power).find(|&step| least <= step).unwrap_or(10.0 * power)
}

fn decimals_of(step: f64) -> usize {
    (0..12)
        .find(|&decimals| {
            let scaled = step * 10_f64.powi(decimals);
            (scaled - scaled.round()).abs() < 1e-6 * scaled
        })
        .map_or(12, |decimals| usize::try_from(decimals).unwrap_or(0))
}

/// One, two or five times a power of ten without rounding noise: 0.02, 5, 1000; beyond 9999 as 10⁴.
fn plain(value: f64) -> String {
    let power = value.log10();
    if 4.0 <= power && (power - power.round()).abs() < 1e-9 {
        return format!("10{}", superscript(&format!("{power:.0}")));
    }
    let decimals = decimals_of(value);
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_lie_inside() {
        assert_eq!(labels(&Axis::of_values(&[88.2, 91.9])), ["88", "89", "90", "91", "92"]);
        assert_eq!(labels(&Axis::of_values(&[91.55, 91.73])), ["91.55", "91.60", "91.65", "91.70"]);
        assert_eq!(labels(&Axis::from_zero(1234.0)), ["0", "500", "1000"]);
        assert_eq!(labels(&Axis::of_counts(3)), ["1", "2", "3"]);
        assert_eq!(labels(&Axis::of_counts(24)), ["5", "10", "15", "20"]);
        assert_eq!(labels(&Axis::of_costs(&[0.3, 14.0])), ["0.5", "1", "2", "5", "10"]);
        assert_eq!(labels(&Axis::of_costs(&[30.0, 123_456.0])), ["100", "1000", "10⁴", "10⁵"]);
    }

    #[test]
    fn places_run_from_0_to_1() {
        for axis in [Axis::of_costs(&[2.0, 900.0]), Axis::of_values(&[5.0]), Axis::from_zero(0.0)] {
            assert!(axis.ticks.iter().all(|(tick, _)| (0.0..=1.0).contains(&axis.place(*tick))));
            assert!(!axis.ticks.is_empty());
        }
        let axis = Axis::of_costs(&[1.0, 100.0]);
        assert!((axis.place(10.0) - 0.5).abs() < 1e-12);
    }
}
