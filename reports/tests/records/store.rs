//! The store: what is written is read, and nothing else is.

use tridot_reports::record::{Granularity, Input, Named, Record, Toggling};
use tridot_reports::store::{Inserted, Store, columns};
use tridot_sim::digest::Digest;
use tridot_sim::network::Network;
use tridot_sim::units::{Cycles, SquareMicrometres};

use crate::sample::{Scheme, network, record, record_of, study};

fn store_of(records: impl IntoIterator<Item = Record>) -> Store {
    let mut store = Store::default();
    for record in records {
        store.insert(record).unwrap();
    }
    store
}

fn refusal(text: &str) -> String {
    Store::from_csv(text).unwrap_err().to_string()
}

#[test]
fn what_is_written_is_read_back_and_written_alike() {
    let store = store_of(study());
    let text = store.to_csv();
    let again = Store::from_csv(&text).unwrap();
    assert_eq!(again, store);
    assert_eq!(again.to_csv(), text);
}

#[test]
fn a_record_names_what_determines_it() {
    let mut record = record(Scheme::Channel(2), "edge");
    let network = &record.inputs.network;
    assert_eq!((network.scheme.as_str(), network.activation_bits.as_str()), ("dbq(2)", "8"));
    assert_eq!(network.granularity, Some(Granularity::Channel));
    // The first layer: K = 27 on 16×16 pixels of 16 channels, 8-bit integers: 16·16·16·27 products.
    assert_eq!(record.layers[0].measures.unwrap().macs, 110_592);
    assert_eq!(record.layers.iter().filter(|layer| layer.measures.is_none()).count(), 4);
    assert_eq!(record.layers.len(), 12);
    let cycles: u64 = record.layers.iter().map(|layer| layer.results.cycles.0).sum();
    assert_eq!(record.total.cycles, Cycles(cycles));
    assert!((record.latency().0 - cycles as f64 / 400.0).abs() < 1e-9);

    // Sparse records and unusual inputs pass as well.
    record.layers.clear();
    record.area = None;
    record.inputs.input =
        Input::Trace(Named { name: "a, \"b\"".to_owned(), digest: Digest::of(b"t") });
    record.inputs.toggling = Toggling::Sampled { one_tile_of: 16 };
    record.total.toggle_tiles = 320;
    record.total.toggle_tiles_counted = 20;
    record.inputs.network.float_accuracy = None;
    record.inputs.network.data = None;
    record.measures.sparse_full_adders = None;
    record.warnings = vec!["a, \"b\"".to_owned(), "c".to_owned()];
    let store = store_of([record]);
    assert_eq!(Store::from_csv(&store.to_csv()).unwrap(), store);
}

/// What a Record says of a network of the sample's layers, made by this plan.
fn labels_of(scheme: Scheme, plan: &str) -> (String, Option<Granularity>) {
    let mut description = network(scheme).into_description();
    plan.clone_into(&mut description.provenance.plan);
    let inputs = record_of(&Network::new(description).unwrap(), scheme, "edge").inputs;
    (inputs.network.scheme, inputs.network.granularity)
}

#[test]
fn a_network_is_called_as_its_plan_calls_it() {
    let layer = Some(Granularity::Layer);
    let dbq = |branches: u32| format!("dbq({branches})");
    // Plans of trainings have the table, and what they leave out has its default.
    let training = "format = 1\n[quantization]\nothers = \"dbq(2)\"\n[[stage]]\nepochs = 1\n";
    assert_eq!(labels_of(Scheme::Layer(2), training), (dbq(2), layer));
    assert_eq!(labels_of(Scheme::Layer(2), "others = \"dbq(2)\""), (dbq(2), layer));
    let channel = "others = \"dbq(2)\"\nalpha = \"channel\"";
    assert_eq!(labels_of(Scheme::Layer(2), channel), (dbq(2), Some(Granularity::Channel)));
    // Baselines have planes and integers like others, and no choice of granularity.
    for (scheme, name) in [(Scheme::Layer(1), "twn"), (Scheme::Layer(2), "ttq")] {
        let plan = format!("others = \"{name}\"\nalpha = \"channel\"");
        assert_eq!(labels_of(scheme, &plan), (name.to_owned(), None));
    }
    assert_eq!(labels_of(Scheme::Fixed, "others = \"lsq(8)\""), ("lsq(8)".to_owned(), None));
    let mixed = "others = \"dbq(1)\"\n[layers]\n\"layer1.conv1\" = \"twn\"";
    assert_eq!(labels_of(Scheme::Layer(1), mixed), ("dbq(1)+twn".to_owned(), layer));
    // A plan that is not this network's, or none, says nothing.
    assert_eq!(labels_of(Scheme::Layer(3), "others = \"twn\"").0, dbq(3));
    assert_eq!(labels_of(Scheme::Fixed, "others = \"lsq(4)\"").0, "fixed(8)");
    assert_eq!(labels_of(Scheme::Layer(2), ""), (dbq(2), None));
}

#[test]
fn each_result_is_kept_once() {
    let record = record(Scheme::Layer(1), "tiny");
    let mut store = Store::default();
    let mut total_only = record.clone();
    total_only.layers.clear();
    assert_eq!(store.insert(total_only.clone()).unwrap(), Inserted::New);
    // Another command and the layers, but the same result.
    let typed_otherwise = Record { command: "tridot simulate …".to_owned(), ..record.clone() };
    assert_eq!(store.insert(typed_otherwise.clone()).unwrap(), Inserted::Known);
    assert_eq!(store.insert(total_only).unwrap(), Inserted::Known);
    assert_eq!(store.records(), [typed_otherwise]);

    let mut other = record.clone();
    other.total.cycles.0 += 1;
    other.total.steps += 1;
    other.layers[0].results.cycles.0 += 1;
    other.layers[0].results.steps += 1;
    let cycles = record.total.cycles.0;
    assert_eq!(
        store.insert(other).unwrap_err().to_string(),
        format!(
            "record of \"sample\" on \"tiny\": the same inputs gave another result before: cycles was {cycles}, \
             is {}",
            cycles + 1
        )
    );

    let mut elsewhere = store_of([record.clone(), crate::sample::record(Scheme::Layer(1), "wide")]);
    elsewhere.merge(store.clone()).unwrap();
    store.merge(elsewhere.clone()).unwrap();
    assert_eq!((store.records().len(), elsewhere.records().len()), (2, 2));
}

#[test]
fn what_no_result_can_be_is_refused() {
    let refused = |change: fn(&mut Record)| {
        let mut record = record(Scheme::Layer(2), "edge");
        change(&mut record);
        Store::default().insert(record).unwrap_err().to_string()
    };
    let shown = [
        refused(|r| r.inputs.network.name.clear()),
        refused(|r| r.inputs.network.scheme = "dbq\n(2)".to_owned()),
        refused(|r| r.command = "x".repeat(70_000)),
        refused(|r| r.inputs.images = 0),
        refused(|r| r.inputs.network.integer_accuracy.as_mut().unwrap().correct = 10_001),
        refused(|r| r.total.cycles.0 += 1),
        refused(|r| r.total.products += 1),
        refused(|r| r.total.products = 1 << 50),
        refused(|r| r.total.toggle_tiles = 1),
        refused(|r| r.measures.macs += 1),
        refused(|r| r.area = Some(SquareMicrometres(f64::NAN))),
        refused(|r| r.total.energy = None),
        refused(|r| drop(r.layers.pop())),
        refused(|r| r.inputs.toggling = Toggling::Sampled { one_tile_of: 1 }),
    ];
    insta::assert_snapshot!(shown.join("\n"));
}

/// The text of a store with one cell changed: (row, column, cell).
fn changed(text: &str, row: usize, column: &str, cell: &str) -> String {
    let column = columns().iter().position(|name| name == column).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut cells: Vec<String> = csv_cells(&lines[row]);
    cells[column] = cell.to_owned();
    lines[row] = cells.join(",");
    lines.join("\n") + "\n"
}

/// The cells of a line; those with a comma keep their quotes.
fn csv_cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut in_quotes = false;
    for c in line.chars() {
        in_quotes ^= c == '"';
        match c {
            ',' if !in_quotes => cells.push(String::new()),
            _ => cells.last_mut().unwrap().push(c),
        }
    }
    cells
}

#[test]
fn files_that_the_writer_cannot_have_written_are_refused_by_line_and_column() {
    let text = store_of([record(Scheme::Layer(2), "edge")]).to_csv();
    let mut wide = record(Scheme::Layer(2), "edge");
    wide.layers.clear();
    let twice = text.clone() + text.split_once('\n').unwrap().1;
    let lines: Vec<&str> = text.lines().collect();
    let shown = [
        refusal(""),
        refusal("a,b\n"),
        refusal(&text[..text.len() - 1]),
        refusal(&text[..text.len() / 2]),
        refusal(&(lines[..6].join("\n") + "\n")),
        refusal(&text.replacen("format,", "version,", 1)),
        refusal(&text.replacen("scheme,", "schema,", 1)),
        refusal(&text.replacen(",command\n", ",command,note\n", 1)),
        refusal(&text.replacen(",command\n", "\n", 1)),
        refusal(&changed(&text, 1, "format", "1")),
        refusal(&changed(&text, 3, "format", "1")),
        refusal(&changed(&text, 1, "layer", "conv1")),
        refusal(&changed(&text, 1, "layers", "11")),
        refusal(&changed(&text, 1, "layers", "13")),
        refusal(&changed(&text, 1, "network_digest", "abc")),
        refusal(&changed(&text, 1, "granularity", "row")),
        refusal(&changed(&text, 1, "clock_mhz", "NaN")),
        refusal(&changed(&text, 1, "array_rows", "0")),
        refusal(&changed(&text, 1, "array_rows", "+4")),
        refusal(&changed(&text, 1, "array_rows", "99999999999999999999")),
        refusal(&changed(&text, 1, "depthwise_segments", "4")),
        refusal(&changed(&text, 1, "input", "noise")),
        refusal(&changed(&text, 1, "toggles", "some")),
        refusal(&changed(&text, 1, "cycles", "1")),
        refusal(&changed(&text, 1, "utilization", "1")),
        refusal(&changed(&text, 1, "energy_pj", "inf")),
        refusal(&changed(&text, 1, "energy_tree_pj", "-1")),
        refusal(&changed(&text, 1, "energy_tree_pj", "")),
        refusal(&changed(&text, 1, "area_um2", "1e999")),
        refusal(&changed(&text, 4, "network", "other")),
        refusal(&changed(&text, 4, "area_um2", "1")),
        refusal(&changed(&text, 4, "warnings", "other")),
        refusal(&changed(&text, 4, "command", "other")),
        refusal(&changed(&text, 4, "macs", "1")),
        refusal(&changed(&text, 4, "cycles", "\"1\n\"")),
        refusal(&twice),
    ];
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn the_columns_are_those_of_format_2() {
    insta::assert_snapshot!(columns().join("\n"));
}

/// A file cut anywhere is refused, unless it is cut between two results.
#[test]
fn every_cut_is_noticed() {
    let text = store_of([record(Scheme::Layer(1), "tiny"), record(Scheme::Fixed, "tiny")]).to_csv();
    let lines = |text: &str| text.matches('\n').count();
    for cut in (0..text.len()).step_by(7).chain(text.match_indices('\n').map(|(at, _)| at + 1)) {
        if !text.is_char_boundary(cut) {
            continue;
        }
        let part = &text[..cut];
        let whole = part.ends_with('\n') && [1, 14, 27].contains(&lines(part));
        assert_eq!(Store::from_csv(part).is_ok(), whole, "cut at {cut}");
    }
}
