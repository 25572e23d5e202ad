//! Figures of Records and trainings: SVG for a paper's column, and CSV with the numbers behind.
//!
//! [`fronts`] draws accuracy against each cost, [`layers`] where cycles and energy of a network go, layer by layer;
//! [`training`] draws how a training went, epoch by epoch; [`gates()`] what gates measured beside what the simulator foretold.
//! Every figure is 252 points wide, can be read in grey, and has its unit on every axis; an axis is logarithmic
//! where its values span a decade.

use std::collections::BTreeSet;

use crate::record::Record;

mod axis;
mod bars;
mod canvas;
mod cost;
mod curves;
mod front;
mod gates;
mod legend;
mod study;
mod style;

pub use bars::layers;
pub use curves::training;
pub use front::fronts;
pub use gates::{SideBySide, gates};

/// Width of a figure: a column of a paper, in points.
const WIDTH: f64 = 252.0;
/// Size of the text along the axes.
const TEXT: f64 = 7.0;
/// Size of the text in legends and of the names beside the data.
const SMALL: f64 = 6.2;

/// A drawing with its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// A name for its files: letters, digits, `.`, `-`, `_`; different from that of every other figure of its kind.
    pub name: String,
    /// What it shows, in a sentence or two.
    pub caption: String,
    /// The drawing.
    pub svg: String,
    /// The numbers behind it.
    pub csv: String,
    /// The commands that made its numbers, each once.
    pub commands: Vec<String>,
}

/// The commands of Records, each once, in order.
fn commands<'a>(records: impl Iterator<Item = &'a Record>) -> Vec<String> {
    each_once(records.map(|record| record.command.as_str())).map(str::to_owned).collect()
}

/// The warnings of Records, each once, in order, as the end of a caption.
fn warnings<'a>(records: impl Iterator<Item = &'a Record>) -> String {
    let warnings = records.flat_map(|record| &record.warnings).map(String::as_str);
    each_once(warnings).flat_map(|warning| [" Warning: ", warning, "."]).collect()
}

/// Texts without those that came before.
fn each_once<'a>(texts: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    let mut seen = BTreeSet::new();
    texts.filter(move |&text| seen.insert(text))
}

/// Rows as CSV text.
fn csv_of(heads: &[String], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |row: &[String]| {
        writer.write_record(row).expect("rows are equally long, and memory takes them");
    };
    write(heads);
    rows.into_iter().for_each(|row| write(&row));
    let bytes = writer.into_inner().expect("memory takes what is written");
    String::from_utf8(bytes).expect("cells are text")
}

/// Names of files: each different from all before.
#[derive(Debug, Default)]
struct FileNames(BTreeSet<String>);

/// Letters of one part of a file's name.
const MAX_PART_CHARS: usize = 40;

impl FileNames {
    /// A name of these parts; what cannot stand in a file's name is left out or becomes `-`.
    fn take(&mut self, parts: &[&str]) -> String {
        let parts: Vec<_> = parts.iter().map(|part| file_name_part(part)).collect();
        let name =
            parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("-");
        let name = if name.is_empty() { "unnamed".to_owned() } else { name };
        let mut unique = name.clone();
        let mut count = 1;
        while !self.0.insert(unique.clone()) {
            count += 1;
            unique = format!("{name}-{count}");
        }
        unique
    }
}

fn file_name_part(text: &str) -> String {
    let mut part = String::new();
    for c in text.chars().filter(|c| !"()".contains(*c)).take(MAX_PART_CHARS) {
        let c = if c.is_ascii_alphanumeric() || "._".contains(c) {
            c.to_ascii_lowercase()
        } else {
            '-'
        };
        if c != '-' || !part.ends_with('-') {
            part.push(c);
        }
    }
    part.trim_matches(['-', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_plain_and_different() {
        let mut names = FileNames::default();
        assert_eq!(names.take(&["resnet20", "dbq(2)", "my design"]), "resnet20-dbq2-my-design");
        assert_eq!(names.take(&["resnet20", "dbq(2)", "my/design"]), "resnet20-dbq2-my-design-2");
        assert_eq!(names.take(&["..", "é"]), "unnamed");
        assert_eq!(names.take(&["../etc/passwd"]), "etc-passwd");
        assert_eq!(names.take(&[&"x".repeat(500)]).len(), MAX_PART_CHARS);
    }
}
