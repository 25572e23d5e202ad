//! One file with the cells that a synthesis may choose, from several files.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::syntax::{Attribute, Group};

/// Attributes of a cell, a pin or a timing that synthesis reads.
const ATTRIBUTES: [&str; 17] = [
    "area",
    "direction",
    "capacitance",
    "rise_capacitance",
    "fall_capacitance",
    "max_capacitance",
    "max_transition",
    "clock",
    "function",
    "related_pin",
    "timing_sense",
    "timing_type",
    "clocked_on",
    "next_state",
    "index_1",
    "index_2",
    "values",
];

/// Groups below a cell that synthesis reads.
const GROUPS: [&str; 7] =
    ["ff", "pin", "timing", "cell_rise", "cell_fall", "rise_transition", "fall_transition"];

/// Whether a synthesis has a use for a cell: it is not told to leave it, stores what one group `ff` says at most,
/// and has no buses.
pub(super) fn is_wanted(cell: &Group<'_>) -> bool {
    let is_set = |key| cell.value(key).is_some_and(|value| value == "true");
    let avoided = ["dont_use", "dont_touch", "is_isolation_cell", "is_level_shifter"];
    let foreign = ["latch", "latch_bank", "ff_bank", "statetable", "bus", "bundle", "test_cell"];
    // Cells of a supply that stays when the others go.
    let keeps_supply = cell
        .all("pg_pin")
        .any(|pin| pin.value("pg_type").is_some_and(|kind| kind.starts_with("backup")));
    let gates_clock = cell.value("clock_gating_integrated_cell").is_some();
    !avoided.into_iter().any(is_set)
        && !cell.groups.iter().any(|group| foreign.contains(&group.name))
        && !keeps_supply
        && !gates_clock
}

/// The beginning of the file: name, units, thresholds.
pub(super) fn head(library: &Group<'_>) -> String {
    let mut text = "library (merged) {\n".to_owned();
    for attribute in &library.attributes {
        let name = attribute.name;
        let is_wanted = name.ends_with("_unit")
            || name.contains("threshold_pct")
            || name.starts_with("nom_")
            || matches!(name, "delay_model" | "slew_derate_from_library");
        if is_wanted {
            write(attribute, 1, &mut text);
        }
    }
    text
}

/// The tables' templates, each name once.
pub(super) fn templates<'a>(library: &Group<'a>, known: &mut BTreeSet<&'a str>, text: &mut String) {
    for template in library.all("lu_table_template") {
        if known.insert(template.argument()) {
            let all: Vec<&str> = template.attributes.iter().map(|one| one.name).collect();
            group(template, &all, 1, text);
        }
    }
}

/// A cell.
pub(super) fn cell(cell: &Group<'_>, text: &mut String) {
    group(cell, &ATTRIBUTES, 1, text);
}

fn group(group: &Group<'_>, attributes: &[&str], depth: usize, text: &mut String) {
    let arguments: Vec<String> = group.arguments.iter().map(|name| format!("\"{name}\"")).collect();
    let indent = "  ".repeat(depth);
    write_line(text, &format!("{indent}{} ({}) {{", group.name, arguments.join(", ")));
    for attribute in &group.attributes {
        if attributes.contains(&attribute.name) {
            write(attribute, depth + 1, text);
        }
    }
    for inner in &group.groups {
        if GROUPS.contains(&inner.name) {
            self::group(inner, attributes, depth + 1, text);
        }
    }
    write_line(text, &format!("{indent}}}"));
}

fn write(attribute: &Attribute<'_>, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    let quoted = |value: &&str| {
        let is_plain = value.chars().all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c));
        let clean: Vec<&str> = value.split(['\\', '\n', '\r']).map(str::trim).collect();
        if is_plain && !attribute.is_list {
            clean.concat()
        } else {
            format!("\"{}\"", clean.join(" "))
        }
    };
    let values: Vec<String> = attribute.values.iter().map(quoted).collect();
    // A load's unit is a number and a word.
    if attribute.name == "capacitive_load_unit" {
        let plain = attribute.values.join(", ");
        return write_line(text, &format!("{indent}capacitive_load_unit ({plain});"));
    }
    let line = if attribute.is_list {
        format!("{indent}{} ({});", attribute.name, values.join(", "))
    } else {
        format!("{indent}{} : {};", attribute.name, values.concat())
    };
    write_line(text, &line);
}

fn write_line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a text has room");
}
