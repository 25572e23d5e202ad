//! Tables of Records: Markdown, LaTeX (booktabs) and HTML, of the same columns.
//!
//! Accuracies have two decimals, counts all digits up to 9999 and other quantities four significant ones, in units of
//! their column. A column that no Record fills is left out; what is the same in all rows
//! stands before the table.

use tridot_sim::network::Accuracy;
use tridot_sim::outcome::Limiter;

use crate::distinct::Names;
use crate::number::{balanced_unit_of, energy_unit, superscript};
use crate::record::{Granularity, Record, Toggling};

/// What stands where a Record has no value.
const ABSENT: &str = "–";
/// Significant digits of a quantity.
const DIGITS: i32 = 4;

/// A column of a table.
struct Column {
    head: &'static str,
    /// Empty: none.
    unit: String,
    is_number: bool,
    cells: Vec<Option<String>>,
}

/// The table as Markdown, its columns aligned.
pub fn markdown(records: &[Record]) -> String {
    let (columns, same) = columns(records);
    let head = |column: &Column| match column.unit.as_str() {
        "" => column.head.to_owned(),
        unit => format!("{} ({unit})", column.head),
    };
    let cells: Vec<Vec<String>> = columns
        .iter()
        .map(|column| {
            let cells = column.cells.iter().map(|cell| cell.as_deref().unwrap_or(ABSENT));
            std::iter::once(head(column))
                .chain(cells.map(str::to_owned))
                .map(|c| escaped_markdown(&c))
                .collect()
        })
        .collect();
    let width =
        |cells: &[String]| cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0).max(3);
    let mut rows: Vec<String> = (0..=records.len())
        .map(|row_idx| {
            let row = columns.iter().zip(&cells).map(|(column, cells)| {
                let (cell, width) = (&cells[row_idx], width(cells));
                if column.is_number {
                    format!(" {cell:>width$} |")
                } else {
                    format!(" {cell:<width$} |")
                }
            });
            format!("|{}\n", row.collect::<String>())
        })
        .collect();
    let rule = columns.iter().zip(&cells).map(|(column, cells)| {
        let dashes = "-".repeat(width(cells) + 1);
        if column.is_number { format!("{dashes}:|") } else { format!(":{dashes}|") }
    });
    rows.insert(1, format!("|{}\n", rule.collect::<String>()));
    if !same.is_empty() {
        rows.insert(0, format!("{}\n\n", escaped_markdown(&same_in_all_rows(&same))));
    }
    let warnings = warnings(records);
    rows.extend(warnings.iter().map(|warning| format!("\n{}\n", escaped_markdown(warning))));
    rows.concat()
}

/// The table as LaTeX; it needs the package booktabs.
pub fn latex(records: &[Record]) -> String {
    let (columns, same) = columns(records);
    let kinds: String = columns.iter().map(|c| if c.is_number { 'r' } else { 'l' }).collect();
    let row = |cells: Vec<String>| format!("  {} \\\\\n", cells.join(" & "));
    let mut text =
        format!("% needs \\usepackage{{booktabs}}\n\\begin{{tabular}}{{{kinds}}}\n  \\toprule\n");
    if !same.is_empty() {
        text.insert_str(0, &format!("% {}\n", same_in_all_rows(&same)));
    }
    text += &row(columns.iter().map(|column| escaped_latex(column.head)).collect());
    let unit = |column: &Column| match column.unit.as_str() {
        "" => String::new(),
        unit => format!("({})", escaped_latex(unit)),
    };
    text += &row(columns.iter().map(unit).collect());
    text += "  \\midrule\n";
    for record_idx in 0..records.len() {
        let cell = |column: &Column| {
            let cell = column.cells[record_idx].as_deref();
            cell.map_or_else(|| "--".to_owned(), escaped_latex)
        };
        text += &row(columns.iter().map(cell).collect());
    }
    text += "  \\bottomrule\n\\end{tabular}\n";
    text.extend(warnings(records).iter().map(|warning| format!("% {warning}\n")));
    text
}

/// The table as an HTML element.
pub(crate) fn html(records: &[Record]) -> String {
    let (columns, same) = columns(records);
    let class = |column: &Column| if column.is_number { " class=\"number\"" } else { "" };
    let mut text = String::new();
    if !same.is_empty() {
        text.extend(["<p>", &escaped_html(&same_in_all_rows(&same)), "</p>\n"]);
    }
    text += "<table>\n<thead><tr>";
    for column in &columns {
        let unit =
            if column.unit.is_empty() { String::new() } else { format!("<br>({})", column.unit) };
        text.extend(["<th", class(column), ">", &escaped_html(column.head), &unit, "</th>"]);
    }
    text += "</tr></thead>\n<tbody>\n";
    for record_idx in 0..records.len() {
        text += "<tr>";
        for column in &columns {
            let cell = column.cells[record_idx].as_deref().unwrap_or(ABSENT);
            text.extend(["<td", class(column), ">", &escaped_html(cell), "</td>"]);
        }
        text += "</tr>\n";
    }
    text += "</tbody>\n</table>\n";
    for warning in warnings(records) {
        text.extend(["<p>", &escaped_html(&warning), "</p>\n"]);
    }
    text
}

/// The columns that a Record fills and that differ, and what is the same in all rows, with its name.
fn columns(records: &[Record]) -> (Vec<Column>, Vec<String>) {
    let names = Names::of(records);
    let mut columns = network_columns(records, &names);
    columns.extend(machine_columns(records, &names));
    columns.retain(|column| column.cells.iter().any(Option::is_some));
    let is_same = |column: &Column| {
        let cells = &column.cells;
        let names_the_row = ["scheme", "architecture"].contains(&column.head);
        !names_the_row && 1 < cells.len() && cells.iter().all(|cell| *cell == cells[0])
    };
    let (same, columns): (Vec<_>, Vec<_>) = columns.into_iter().partition(is_same);
    let named = |column: Column| {
        let cell = column.cells[0].as_deref().unwrap_or_default();
        format!("{} {cell} {}", column.head, column.unit).trim_end().to_owned()
    };
    (columns, same.into_iter().map(named).collect())
}

/// What must be said with the figures, each once, and of how many rows where it is not of all.
fn warnings(records: &[Record]) -> Vec<String> {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for warning in records.iter().flat_map(|record| &record.warnings) {
        match counts.iter_mut().find(|(known, _)| known == warning) {
            Some((_, count)) => *count += 1,
            None => counts.push((warning, 1)),
        }
    }
    let told = |(warning, count): (&str, usize)| match records.len() {
        all if count == all => format!("Warning: {warning}."),
        all => format!("Warning, of {count} of {all} rows: {warning}."),
    };
    counts.into_iter().map(told).collect()
}

/// What stands before a table.
fn same_in_all_rows(same: &[String]) -> String {
    format!("The same in all rows: {}.", same.join("; "))
}

fn text(head: &'static str, records: &[Record], of: impl Fn(&Record) -> Option<String>) -> Column {
    let cells = records.iter().map(of).collect();
    Column { head, unit: String::new(), is_number: false, cells }
}

fn percent(head: &'static str, records: &[Record], of: impl Fn(&Record) -> Option<f64>) -> Column {
    let cells =
        records.iter().map(|record| of(record).map(|value| format!("{value:.2}"))).collect();
    Column { head, unit: "%".to_owned(), is_number: true, cells }
}

/// A quantity in a unit that fits all its values: from the values to the unit and its size.
fn quantity(
    head: &'static str,
    records: &[Record],
    of: impl Fn(&Record) -> Option<f64>,
    unit: impl Fn(&[f64]) -> (String, f64),
) -> Column {
    let values: Vec<_> = records.iter().map(of).collect();
    let (unit, divisor) = unit(&values.iter().copied().flatten().collect::<Vec<_>>());
    let cell = |value: Option<f64>| value.map(|value| significant(value / divisor));
    Column { head, unit, is_number: true, cells: values.into_iter().map(cell).collect() }
}

/// Powers of 1000 before the name of a unit.
fn powers(name: &'static str) -> impl Fn(&[f64]) -> (String, f64) {
    move |values| match balanced_unit_of(values) {
        (divisor, 0) => (name.to_owned(), divisor),
        (divisor, exponent) => {
            let power = format!("10{} {name}", superscript(&exponent.to_string()));
            (power.trim_end().to_owned(), divisor)
        }
    }
}

fn network_columns(records: &[Record], names: &Names<'_>) -> Vec<Column> {
    let measure =
        |of: fn(&Record) -> Option<u64>| move |r: &Record| of(r).map(|value| value as f64);
    let network = |record: &Record| Some(names.network(&record.inputs.network));
    let scheme = |record: &Record| Some(record.inputs.network.scheme.clone());
    let granularity = |record: &Record| {
        record.inputs.network.granularity.map(|granularity| match granularity {
            Granularity::Layer => "layer".to_owned(),
            Granularity::Channel => "channel".to_owned(),
        })
    };
    let activation_bits = |record: &Record| Some(record.inputs.network.activation_bits.clone());
    let float = |record: &Record| record.inputs.network.float_accuracy.map(Accuracy::percent);
    let integer = |record: &Record| record.inputs.network.integer_accuracy.map(Accuracy::percent);
    vec![
        text("network", records, network),
        text("scheme", records, scheme),
        text("scales per", records, granularity),
        text("activation bits", records, activation_bits),
        text("data", records, |record| record.inputs.network.data.clone()),
        text("seed", records, |record| Some(record.inputs.network.seed.to_string())),
        percent("float", records, float),
        percent("integer", records, integer),
        quantity(
            "C_C",
            records,
            measure(|r| Some(r.measures.computational_full_adders)),
            powers("FA"),
        ),
        quantity("C_S", records, measure(|r| r.measures.sparse_full_adders), powers("FA")),
        quantity(
            "C_R",
            records,
            measure(|r| Some(r.measures.representational_bits)),
            powers("bits"),
        ),
        quantity("C_M", records, measure(|r| Some(r.measures.storage_bits)), powers("bits")),
    ]
}

fn machine_columns(records: &[Record], names: &Names<'_>) -> Vec<Column> {
    let per_picture = |value: f64, record: &Record| value / record.inputs.images as f64;
    let cycles = |record: &Record| Some(per_picture(record.total.cycles.0 as f64, record));
    let latency = |record: &Record| Some(record.latency().0);
    let utilization =
        |record: &Record| Some(100.0 * record.total.utilization(&record.inputs.architecture));
    let limiter = |record: &Record| {
        let limiter = match record.total.limiter() {
            Limiter::Array => "array",
            Limiter::Scaler => "scaler",
            Limiter::Latency => "latency",
            Limiter::Vector => "vector unit",
        };
        Some(limiter.to_owned())
    };
    let energy = |record: &Record| record.total.energy.map(|e| per_picture(e.value(), record));
    let batch = |record: &Record| Some(record.inputs.images.to_string());
    let toggles = |record: &Record| {
        Some(match record.inputs.toggling {
            Toggling::None => "none".to_owned(),
            Toggling::Exact => "all".to_owned(),
            Toggling::Sampled { one_tile_of } => format!("one tile of {one_tile_of}"),
        })
    };
    let micro = |values: &[f64]| match balanced_unit_of(values) {
        (divisor, 0) => ("µs".to_owned(), divisor),
        (divisor, 3) => ("ms".to_owned(), divisor),
        _ => ("s".to_owned(), 1e6),
    };
    let square = |_: &[f64]| ("mm²".to_owned(), 1e6);
    vec![
        text("architecture", records, |record| {
            Some(names.architecture(&record.inputs.architecture).to_owned())
        }),
        text("batch", records, batch),
        quantity("cycles a picture", records, cycles, powers("")),
        quantity("latency of the batch", records, latency, micro),
        percent("utilization", records, utilization),
        text("bound by", records, limiter),
        text("input", records, |record| Some(names.input(&record.inputs))),
        text("toggles counted", records, toggles),
        quantity("energy a picture", records, energy, |values| {
            let (unit, divisor) = energy_unit(values);
            (unit.to_owned(), divisor)
        }),
        text("energy table", records, |r| {
            r.inputs.energy_table.as_ref().map(|table| names.table(table))
        }),
        quantity("area", records, |record| record.area.map(|area| area.0), square),
    ]
}

/// Four significant digits, without a power of ten: 0.001234, 1.235, 123.5, 12346.
fn significant(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let exponent = value.abs().log10().floor();
    // Far from what a table holds, all is 0 or whole.
    let decimals = (f64::from(DIGITS - 1) - exponent).clamp(0.0, 12.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 12")]
    let decimals = decimals as usize;
    if value.fract() == 0.0 && exponent < 4.0 {
        return format!("{value:.0}");
    }
    format!("{value:.decimals$}")
}

/// Each special character with a backslash before it.
fn escaped_markdown(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if "\\`*_[]<>|#~".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

fn escaped_latex(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => escaped.extend(['\\', c]),
            '\\' => escaped.push_str("\\textbackslash{}"),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '<' => escaped.push_str("\\textless{}"),
            '>' => escaped.push_str("\\textgreater{}"),
            'µ' => escaped.push_str("$\\mu$"),
            '²' => escaped.push_str("$^2$"),
            '³' => escaped.push_str("$^3$"),
            '⁶' => escaped.push_str("$^6$"),
            '⁹' => escaped.push_str("$^9$"),
            '¹' => escaped.push_str("$^1$"),
            '⁵' => escaped.push_str("$^5$"),
            '⁸' => escaped.push_str("$^8$"),
            '…' => escaped.push_str("\\dots{}"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Text inside an element or an attribute.
pub(crate) fn escaped_html(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_four_significant_digits() {
        let shown = [0.0, 0.001_234_4, 0.5, 1.2346, 123.46, 999.96, 5.0, 12_346.4].map(significant);
        assert_eq!(shown, ["0", "0.001234", "0.5000", "1.235", "123.5", "1000.0", "5", "12346"]);
    }

    #[test]
    fn names_cannot_break_a_table() {
        assert_eq!(escaped_markdown("a|b_c*<i>"), "a\\|b\\_c\\*\\<i\\>");
        assert_eq!(
            escaped_latex("a_b & 50% {~}\\"),
            "a\\_b \\& 50\\% \\{\\textasciitilde{}\\}\\textbackslash{}"
        );
        assert_eq!(escaped_html("<b a='\"&'>"), "&lt;b a=&#39;&quot;&amp;&#39;&gt;");
    }
}
