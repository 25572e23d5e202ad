//! Where cycles and energy of a network go, layer by layer.

use tridot_sim::units::Picojoules;

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, Fill, drawing, text_width};
use super::legend::shortened;
use super::study::{Study, studies};
use super::style::{FILLS, GUIDE, THIN};
use super::{Figure, FileNames, SMALL, TEXT, WIDTH, commands, csv_of, warnings};
use crate::distinct::Names;
use crate::number::{energy_unit, superscript, unit_of};
use crate::record::{ENERGY_PARTS, Energy, LayerRecord, Record};

/// Records that all get figures; of more, only those on a front do.
const MAX_RECORDS: usize = 12;
/// Rows of a figure; of more layers, the largest are drawn and the others summed.
const MAX_ROWS: usize = 60;
/// Height of a row, and of the bar in it.
pub(super) const ROW: f64 = 8.4;
pub(super) const BAR: f64 = 6.0;
/// Most width of the names at the left.
pub(super) const MAX_NAME_WIDTH: f64 = 86.0;
pub(super) const LEGEND_ROW: f64 = 9.5;
/// Side of a sample in the legend.
const SAMPLE: f64 = 7.0;

/// Cycles by cause and energy by part of each layer: two figures for each Record that has layers, if there are at
/// most twelve; else for those on a front of accuracy against cycles, energy or area.
pub fn layers(records: &[Record]) -> Vec<Figure> {
    let mut file_names = FileNames::default();
    let mut figures = Vec::new();
    let names = Names::of(records);
    for record in chosen(records, &names) {
        let cycles = Stack::of_cycles(record);
        let energy = record.total.energy.map(|_| Stack::of_energy(record));
        for stack in [Some(cycles), energy].into_iter().flatten() {
            let inputs = &record.inputs;
            let granularity = inputs.network.granularity.map_or("", super::study::word);
            let (network, scheme) = (names.network(&inputs.network), &inputs.network.scheme);
            let architecture = names.architecture(&inputs.architecture);
            let is_told = stack.name == "energy" && names.has_several_tables();
            let table = inputs.energy_table.as_ref().filter(|_| is_told);
            let table = table.map_or(String::new(), |table| names.table(table));
            let parts = [&network, scheme, granularity, architecture, stack.name, &table];
            let name = file_names.take(&parts);
            figures.push(Figure {
                name,
                caption: stack.caption(record, &names),
                svg: stack.svg(),
                csv: stack.csv(),
                commands: commands([record].into_iter()),
            });
        }
    }
    figures
}

fn chosen<'a>(records: &'a [Record], names: &Names<'_>) -> Vec<&'a Record> {
    let with_layers: Vec<_> = records.iter().filter(|record| !record.layers.is_empty()).collect();
    if with_layers.len() <= MAX_RECORDS {
        return with_layers;
    }
    let on_front: Vec<_> = studies(records, names).iter().flat_map(Study::on_fronts).collect();
    let is_chosen = |record: &&Record| on_front.iter().any(|other| std::ptr::eq(*other, *record));
    with_layers.into_iter().filter(is_chosen).collect()
}

/// Bars of parts on top of each other.
struct Stack {
    /// For the name of a file, and for a caption.
    name: &'static str,
    unit: String,
    /// What a value is divided by on the axis.
    divisor: f64,
    /// Heads of the columns of the parts.
    columns: Vec<String>,
    /// Names of the parts in the legend.
    parts: Vec<String>,
    /// Layers with the values of their parts.
    rows: Vec<(String, Vec<f64>)>,
}

impl Stack {
    fn of_cycles(record: &Record) -> Self {
        let row = |layer: &LayerRecord| {
            let results = &layer.results;
            let causes =
                [results.steps, results.stall_scaler.0, results.empty.0, results.vector_cycles.0];
            (layer.name.clone(), causes.map(|cycles| cycles as f64).to_vec())
        };
        let rows: Vec<_> = record.layers.iter().map(row).collect();
        let (divisor, exponent) = unit_of(&sums(&rows));
        let times = if exponent == 0 {
            String::new()
        } else {
            format!("10{} ", superscript(&exponent.to_string()))
        };
        let columns = ["steps", "stall_scaler_cycles", "empty_cycles", "vector_cycles"];
        let parts = ["steps", "waiting for the scaler", "filling and draining", "vector unit"];
        Self {
            name: "cycles",
            unit: format!("{times}cycles{}", of_pictures(record)),
            divisor,
            columns: columns.map(str::to_owned).to_vec(),
            parts: parts.map(str::to_owned).to_vec(),
            rows,
        }
    }

    fn of_energy(record: &Record) -> Self {
        let row = |layer: &LayerRecord| {
            let energy = layer.results.energy.unwrap_or_default();
            (layer.name.clone(), energy.0.map(Picojoules::value).to_vec())
        };
        let rows: Vec<_> = record.layers.iter().map(row).collect();
        let (unit, divisor) = energy_unit(&sums(&rows));
        let names: Vec<_> = Energy::default().parts().map(|(name, _)| name).collect();
        debug_assert_eq!(names.len(), ENERGY_PARTS);
        Self {
            name: "energy",
            unit: format!("energy{} ({unit})", of_pictures(record)),
            divisor,
            columns: names.iter().map(|name| format!("energy_{name}_pj")).collect(),
            parts: names.iter().map(|name| name.replace('_', " ")).collect(),
            rows,
        }
    }

    fn caption(&self, record: &Record, names: &Names<'_>) -> String {
        let inputs = &record.inputs;
        let by = if self.name == "cycles" { "Cycles by cause" } else { "Energy by part" };
        let table = match &inputs.energy_table {
            Some(table) if self.name == "energy" => {
                let warnings = warnings(std::iter::once(record));
                let input = names.workload(inputs).words();
                let table = names.table(table);
                format!(" Energy table: {table}. Input: {input}.{warnings}")
            }
            _ => String::new(),
        };
        let granularity = inputs.network.granularity.map_or("", super::study::word);
        let granularity =
            if granularity.is_empty() { String::new() } else { format!(" per {granularity}") };
        format!(
            "{by}, layer by layer: {}, {}{granularity}, on {}.{table}",
            names.network(&inputs.network),
            inputs.network.scheme,
            names.architecture(&inputs.architecture)
        )
    }

    fn csv(&self) -> String {
        let mut heads = vec!["layer".to_owned()];
        heads.extend(self.columns.iter().cloned());
        csv_of(
            &heads,
            self.rows.iter().map(|(name, values)| {
                let mut row = vec![name.clone()];
                row.extend(values.iter().map(ToString::to_string));
                row
            }),
        )
    }

    /// The parts that are drawn: all that are not 0 where there are fills enough, else the largest and the rest.
    fn drawn(&self) -> (Vec<String>, Vec<(String, Vec<f64>)>) {
        let total = |part: usize| self.rows.iter().map(|(_, values)| values[part]).sum::<f64>();
        let mut shown: Vec<usize> =
            (0..self.parts.len()).filter(|&part| 0.0 < total(part)).collect();
        let mut rest = Vec::new();
        if FILLS.len() < shown.len() {
            shown.sort_by(|&a, &b| total(b).total_cmp(&total(a)).then(a.cmp(&b)));
            rest = shown.split_off(FILLS.len() - 1);
            shown.sort_unstable();
        }
        let mut parts: Vec<_> = shown.iter().map(|&part| self.parts[part].clone()).collect();
        if !rest.is_empty() {
            parts.push("others".to_owned());
        }
        let row = |(name, values): &(String, Vec<f64>)| {
            let mut drawn: Vec<_> = shown.iter().map(|&part| values[part]).collect();
            if !rest.is_empty() {
                drawn.push(rest.iter().map(|&part| values[part]).sum());
            }
            (name.clone(), drawn)
        };
        (parts, merged(self.rows.iter().map(row).collect()))
    }

    fn svg(&self) -> String {
        let (parts, rows) = self.drawn();
        let names: Vec<_> = rows.iter().map(|(name, _)| shortened(name, MAX_NAME_WIDTH)).collect();
        let left = 6.0 + names.iter().map(|name| text_width(name, SMALL)).fold(20.0, f64::max);
        let right = WIDTH - 8.0;
        let largest = sums(&rows).into_iter().fold(0.0, f64::max) / self.divisor;
        let axis = Axis::from_zero(largest);
        let legend = legend(&parts);
        let top = 3.0 + LEGEND_ROW * legend.last().map_or(0.0, |entry| entry.1 + 1.0);
        let bottom = top + 2.0 + ROW * rows.len() as f64;
        let x_of = |value: f64| left + (right - left) * axis.place(value / self.divisor);
        drawing(WIDTH, bottom + 25.0, |canvas| {
            draw_legend(canvas, &legend, &parts);
            draw_ticks(canvas, &axis, (top, bottom), |value| x_of(value * self.divisor));
            for (row_idx, ((_, values), name)) in rows.iter().zip(&names).enumerate() {
                let y = top + 1.0 + ROW * (row_idx as f64 + 0.5);
                canvas.text(name, (left - 3.0, y), SMALL, Anchor::End);
                draw_bar(canvas, y, values, &x_of);
            }
            canvas.line(&[(left, top), (left, bottom), (right, bottom)], THIN);
            let middle = f64::midpoint(left, right);
            canvas.text(&self.unit, (middle, bottom + 18.0), TEXT, Anchor::Middle);
        })
    }
}

/// Of a batch: how many pictures.
fn of_pictures(record: &Record) -> String {
    match record.inputs.images {
        1 => String::new(),
        images => format!(" of {images} pictures"),
    }
}

fn sums(rows: &[(String, Vec<f64>)]) -> Vec<f64> {
    rows.iter().map(|(_, values)| values.iter().sum()).collect()
}

/// At most [`MAX_ROWS`] rows: the largest in their order, then the sum of the others.
fn merged(rows: Vec<(String, Vec<f64>)>) -> Vec<(String, Vec<f64>)> {
    if rows.len() <= MAX_ROWS {
        return rows;
    }
    let sums = sums(&rows);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|&a, &b| sums[b].total_cmp(&sums[a]).then(a.cmp(&b)));
    let kept = &order[..MAX_ROWS - 1];
    let n_others = rows.len() - kept.len();
    let mut others = vec![0.0; rows[0].1.len()];
    let mut drawn = Vec::new();
    for (idx, row) in rows.into_iter().enumerate() {
        if kept.contains(&idx) {
            drawn.push(row);
        } else {
            others.iter_mut().zip(row.1).for_each(|(sum, value)| *sum += value);
        }
    }
    drawn.push((format!("{n_others} other layers"), others));
    drawn
}

/// Ticks with their labels below the rows, and guides behind these.
pub(super) fn draw_ticks(
    canvas: &mut Canvas<'_>,
    axis: &Axis,
    (top, bottom): (f64, f64),
    x_of: impl Fn(f64) -> f64,
) {
    for (value, text) in &axis.ticks {
        let x = x_of(*value);
        canvas.line(&[(x, top), (x, bottom)], GUIDE);
        canvas.line(&[(x, bottom), (x, bottom + 2.5)], THIN);
        canvas.text(text, (x, bottom + 7.5), TEXT, Anchor::Middle);
    }
}

fn draw_bar(canvas: &mut Canvas<'_>, y: f64, values: &[f64], x_of: &impl Fn(f64) -> f64) {
    let mut end = 0.0;
    for (value, fill) in values.iter().zip(FILLS) {
        if 0.0 < *value {
            draw_box(canvas, (x_of(end), y - BAR / 2.0), (x_of(end + value), y + BAR / 2.0), fill);
            end += value;
        }
    }
}

pub(super) fn draw_box(canvas: &mut Canvas<'_>, from: (f64, f64), to: (f64, f64), fill: Fill) {
    canvas.rectangle(from, to, fill);
    let outline = super::canvas::Stroke { width: 0.3, ..THIN };
    canvas.line(&[from, (to.0, from.1), to, (from.0, to.1), from], outline);
}

/// Left edge and row of each part's entry.
pub(super) fn legend(parts: &[String]) -> Vec<(f64, f64)> {
    let (mut x, mut row) = (4.0, 0.0);
    let mut entries = Vec::new();
    for part in parts {
        let width = SAMPLE + 3.0 + text_width(part, SMALL) + 8.0;
        if 4.0 < x && WIDTH < x + width {
            (x, row) = (4.0, row + 1.0);
        }
        entries.push((x, row));
        x += width;
    }
    entries
}

pub(super) fn draw_legend(canvas: &mut Canvas<'_>, entries: &[(f64, f64)], parts: &[String]) {
    for ((&(x, row), part), fill) in entries.iter().zip(parts).zip(FILLS) {
        let y = 6.0 + LEGEND_ROW * row;
        draw_box(canvas, (x, y - BAR / 2.0), (x + SAMPLE, y + BAR / 2.0), fill);
        canvas.text(part, (x + SAMPLE + 3.0, y), SMALL, Anchor::Begin);
    }
}
