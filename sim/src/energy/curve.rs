//! Between the rows of a table.

use crate::Error;

/// Cost over size: straight between the rows and from (0, 0) to the first; beyond the last in
/// proportion to it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Curve {
    /// (size, cost), sizes ascending; at least one.
    points: Vec<(f64, f64)>,
}

impl Curve {
    /// Sorts the rows; refuses none and two of one size. `place` names the rows.
    pub(super) fn new(place: &str, mut points: Vec<(f64, f64)>) -> Result<Self, Error> {
        if points.is_empty() {
            return Err(Error::limit(place, "the number of rows", "at least 1", 0));
        }
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        match points.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
            Some(pair) => Err(Error::malformed(place, format!("two rows for {}", pair[0].0))),
            None => Ok(Self { points }),
        }
    }

    /// The sizes of its rows.
    pub(super) fn sizes(&self) -> Vec<f64> {
        self.points.iter().map(|point| point.0).collect()
    }

    /// The curve so far (0 … 1) from this one to another with rows of the same sizes.
    pub(super) fn between(&self, other: &Self, part: f64) -> Self {
        let points = self.points.iter().zip(&other.points);
        let points = points.map(|(a, b)| (a.0, a.1 + (b.1 - a.1) * part)).collect();
        Self { points }
    }

    /// The cost at a size.
    pub(super) fn at(&self, size: f64) -> f64 {
        let next = self.points.partition_point(|point| point.0 < size);
        let before = if next == 0 { (0.0, 0.0) } else { self.points[next - 1] };
        match self.points.get(next) {
            None => before.1 * size / before.0,
            Some(after) => {
                before.1 + (after.1 - before.1) * (size - before.0) / (after.0 - before.0)
            }
        }
    }
}

/// Cost over capacity and width of a memory: a full grid, straight between its points over the
/// logarithms of both, and nothing outside.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Grid {
    /// Ascending, at least one.
    capacities_kib: Vec<f64>,
    /// Ascending, at least one.
    widths_bits: Vec<f64>,
    /// Capacity by capacity.
    costs: Vec<f64>,
}

impl Grid {
    /// Sorts (capacity, width, cost); refuses none, repeated and missing combinations.
    pub(super) fn new(place: &str, mut rows: Vec<(f64, f64, f64)>) -> Result<Self, Error> {
        if rows.is_empty() {
            return Err(Error::limit(place, "the number of rows", "at least 1", 0));
        }
        rows.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let distinct = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values.dedup();
            values
        };
        let capacities_kib = distinct(rows.iter().map(|row| row.0).collect());
        let widths_bits = distinct(rows.iter().map(|row| row.1).collect());
        let wanted = capacities_kib
            .iter()
            .flat_map(|&capacity| widths_bits.iter().map(move |&width| (capacity, width)));
        for (i, (capacity, width)) in wanted.enumerate() {
            let got = rows.get(i).map(|row| (row.0, row.1));
            if got != Some((capacity, width)) {
                // Sorted rows leave the grid where one is missing, or stand still where one is repeated.
                let repeated = 0 < i && got == Some((rows[i - 1].0, rows[i - 1].1));
                let (what, (capacity, width)) = match got {
                    Some(got) if repeated => ("two rows", got),
                    Some(_) | None => ("no row", (capacity, width)),
                };
                let reason = format!("{what} for {capacity} KiB and {width} bits");
                return Err(Error::malformed(place, reason));
            }
        }
        if capacities_kib.len() * widths_bits.len() < rows.len() {
            let (capacity, width, _) = rows[rows.len() - 1];
            let reason = format!("two rows for {capacity} KiB and {width} bits");
            return Err(Error::malformed(place, reason));
        }
        let costs = rows.iter().map(|row| row.2).collect();
        Ok(Self { capacities_kib, widths_bits, costs })
    }

    /// Smallest and largest capacity.
    pub(super) fn capacities_kib(&self) -> (f64, f64) {
        (self.capacities_kib[0], self.capacities_kib[self.capacities_kib.len() - 1])
    }

    /// Smallest and largest width.
    pub(super) fn widths_bits(&self) -> (f64, f64) {
        (self.widths_bits[0], self.widths_bits[self.widths_bits.len() - 1])
    }

    /// The cost of an access; refuses what lies outside the rows.
    pub(super) fn at(&self, place: &str, capacity_kib: f64, width_bits: f64) -> Result<f64, Error> {
        let within = |what: &str, (low, high): (f64, f64), value: f64| {
            let limit = format!("between {low} and {high}, as the rows are");
            let inside = low <= value && value <= high;
            if inside { Ok(()) } else { Err(Error::limit(place, what, limit, value)) }
        };
        within("the capacity in KiB", self.capacities_kib(), capacity_kib)?;
        within("the width in bits", self.widths_bits(), width_bits)?;
        let capacity = neighbours(&self.capacities_kib, capacity_kib);
        let width = neighbours(&self.widths_bits, width_bits);
        let cost = |row: usize, column: usize| self.costs[row * self.widths_bits.len() + column];
        let along =
            |row: usize| cost(row, width.0) + (cost(row, width.1) - cost(row, width.0)) * width.2;
        Ok(along(capacity.0) + (along(capacity.1) - along(capacity.0)) * capacity.2)
    }
}

/// The two neighbours of a value among ascending ones, and how far it is from the first to the second: 0 … 1, in
/// logarithms. Beyond the ends the end alone.
pub(super) fn neighbours(values: &[f64], value: f64) -> (usize, usize, f64) {
    let after = values.partition_point(|&v| v < value).min(values.len() - 1);
    let before = after.saturating_sub(1);
    if before == after || values[after] <= value {
        return (after, after, 0.0);
    }
    let part = (value / values[before]).log2() / (values[after] / values[before]).log2();
    (before, after, part)
}
