//! Tables over the slope of an input and the load of an output.

use std::collections::BTreeMap;

use super::syntax::Group;
use super::units::Units;

/// Entries of a table.
const MAX_ENTRIES: usize = 4096;

/// A quantity over input slope (ps) and load (fF), or over the slopes of data and clock; constant in what it does not depend on.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    slopes_ps: Vec<f64>,
    loads_ff: Vec<f64>,
    /// Slope by slope.
    values: Vec<f64>,
}

/// What an index of a table measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Axis {
    Slope,
    Load,
    /// Of the clock, in a table of constraints; takes the place of a load.
    OtherSlope,
}

/// The templates of a library's tables, by name.
pub(super) type Templates<'r, 'a> = BTreeMap<&'a str, &'r Group<'a>>;

/// Those of a library; of several of one name the first.
pub(super) fn templates<'r, 'a>(library: &'r Group<'a>) -> Templates<'r, 'a> {
    let mut templates = BTreeMap::new();
    for group in library.groups.iter().filter(|group| group.name.ends_with("_template")) {
        templates.entry(group.argument()).or_insert(group);
    }
    templates
}

impl Table {
    /// Reads a table group; its values are multiplied by `factor`. A refusal is a reason, to be read after the place.
    pub(super) fn read(
        templates: &Templates<'_, '_>,
        group: &Group<'_>,
        units: &Units,
        factor: f64,
    ) -> Result<Self, String> {
        let name = group.argument();
        let template = templates.get(name).copied();
        let axes = [1, 2].map(|i| axis(template, i)).into_iter();
        let axes = axes.collect::<Result<Vec<_>, _>>()?;
        let mut table = Self { slopes_ps: vec![0.0], loads_ff: vec![0.0], values: Vec::new() };
        for (i, axis) in axes.iter().enumerate() {
            let key = format!("index_{}", i + 1);
            let Some(axis) = axis else { continue };
            let list = group.list(&key).or_else(|| template?.list(&key));
            let Some(list) = list else {
                return Err(format!("has no {key}"));
            };
            let mut points = numbers(list)?;
            let ascends = points.windows(2).all(|pair| pair[0] < pair[1]);
            if points.is_empty() || !ascends {
                return Err(format!("{key} must ascend"));
            }
            let (to_ours, target) = match axis {
                Axis::Slope => (units.time_ps, &mut table.slopes_ps),
                Axis::OtherSlope => (units.time_ps, &mut table.loads_ff),
                Axis::Load => (units.capacitance_ff, &mut table.loads_ff),
            };
            for point in &mut points {
                *point *= to_ours;
            }
            *target = points;
        }
        let mut values = numbers(group.list("values").unwrap_or(&[]))?;
        let entries = table.slopes_ps.len() * table.loads_ff.len();
        if values.len() != entries {
            return Err(format!("the number of values must be {entries}, got {}", values.len()));
        }
        for value in &mut values {
            *value *= factor;
        }
        let is_turned = axes[1] == Some(Axis::Slope);
        table.values = if is_turned { turned(&values, table.slopes_ps.len()) } else { values };
        Ok(table)
    }

    /// The value between the points, on straight lines; beyond them the outermost lines go on.
    pub fn at(&self, slope_ps: f64, load_ff: f64) -> f64 {
        let (row, along) = place(&self.slopes_ps, slope_ps);
        let (column, across) = place(&self.loads_ff, load_ff);
        let width = self.loads_ff.len();
        let line = |row: usize| {
            let first = self.values[row * width + column];
            match across {
                Some(part) => first + (self.values[row * width + column + 1] - first) * part,
                None => first,
            }
        };
        match along {
            Some(part) => line(row) + (line(row + 1) - line(row)) * part,
            None => line(row),
        }
    }
}

/// The point before a value and how far it is to the next; none where there is one point.
fn place(points: &[f64], value: f64) -> (usize, Option<f64>) {
    if points.len() < 2 {
        return (0, None);
    }
    let before = points.partition_point(|&point| point <= value).clamp(1, points.len() - 1) - 1;
    (before, Some((value - points[before]) / (points[before + 1] - points[before])))
}

fn turned(values: &[f64], slopes: usize) -> Vec<f64> {
    let loads = values.len() / slopes;
    let of = |slope: usize| (0..loads).map(move |load| values[load * slopes + slope]);
    (0..slopes).flat_map(of).collect()
}

fn axis(template: Option<&Group<'_>>, i: usize) -> Result<Option<Axis>, String> {
    let Some(name) = template.and_then(|group| group.value(&format!("variable_{i}"))) else {
        return Ok(None);
    };
    match name {
        "input_net_transition" | "input_transition_time" | "constrained_pin_transition" => {
            Ok(Some(Axis::Slope))
        }
        "related_pin_transition" => Ok(Some(Axis::OtherSlope)),
        "total_output_net_capacitance" => Ok(Some(Axis::Load)),
        _ => Err(format!("variable_{i} `{name}` is not known")),
    }
}

/// The numbers of a list of texts, each of which may hold several.
fn numbers(list: &[&str]) -> Result<Vec<f64>, String> {
    let mut numbers = Vec::new();
    for text in list {
        let words = text.split(|c: char| c == ',' || c == '\\' || c.is_whitespace());
        for word in words.filter(|word| !word.is_empty()) {
            let number = word.parse().ok().filter(|number: &f64| number.is_finite());
            let Some(number) = number else {
                return Err(format!("`{word}` is no number"));
            };
            if numbers.len() == MAX_ENTRIES {
                return Err(format!("the number of values must be at most {MAX_ENTRIES}"));
            }
            numbers.push(number);
        }
    }
    Ok(numbers)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact in binary")]
mod tests {
    use super::*;
    use crate::liberty::syntax::parse;

    const UNITS: Units =
        Units { time_ps: 1000.0, capacitance_ff: 1000.0, leakage_nw: 1.0, energy_fj: 1000.0 };

    fn table(text: &str) -> Result<Table, String> {
        let text = format!(
            "library (l) {{ lu_table_template (t) {{ variable_1 : input_net_transition; \
             variable_2 : total_output_net_capacitance; index_1 (\"1, 2\"); index_2 (\"1, 3\"); }} \
             lu_table_template (u) {{ variable_1 : total_output_net_capacitance; \
             variable_2 : input_net_transition; index_1 (\"1, 3\"); index_2 (\"1, 2\"); }} \
             lu_table_template (w) {{ variable_1 : time; }} {text} }}"
        );
        let library = parse("f", &text).unwrap();
        let group = library.groups.last().unwrap();
        Table::read(&templates(&library), group, &UNITS, 10.0)
    }

    #[test]
    fn between_and_beyond_the_points() {
        // Slopes 1 and 2 ns, loads 1 and 3 pF.
        let table = table("rise (t) { values (\"0, 4\", \"1, 7\"); }").unwrap();
        assert_eq!(table.at(1000.0, 1000.0), 0.0);
        assert_eq!(table.at(1000.0, 2000.0), 20.0);
        assert_eq!(table.at(1500.0, 1000.0), 5.0);
        assert_eq!(table.at(1500.0, 3000.0), 55.0);
        assert_eq!(table.at(3000.0, 3000.0), 100.0);
        assert_eq!(table.at(1000.0, 0.0), -20.0);
    }

    #[test]
    fn turned_axes_mean_the_same() {
        let one = table("rise (t) { values (\"0, 4\", \"1, 7\"); }").unwrap();
        let other = table("rise (u) { values (\"0, 1\", \"4, 7\"); }").unwrap();
        assert_eq!(one, other);
    }

    #[test]
    fn a_scalar_depends_on_nothing() {
        let table = table("rise (scalar) { values (\"7\"); }").unwrap();
        assert_eq!(table.at(5.0, 5.0), 70.0);
    }

    #[test]
    fn what_cannot_be_a_table_is_refused() {
        let refused = |text| table(text).unwrap_err();
        assert_eq!(
            refused("rise (t) { values (\"1\"); }"),
            "the number of values must be 4, got 1"
        );
        assert_eq!(refused("rise (t) { values (\"x\"); }"), "`x` is no number");
        assert_eq!(refused("rise (w) { }"), "variable_1 `time` is not known");
        assert_eq!(refused("rise (t) { index_1 (\"2, 1\"); }"), "index_1 must ascend");
    }
}
