//! Figures, tables and page: complete, legible by construction, the same for the same Records.

use tridot_reports::html::{Page, page};
use tridot_reports::plot::{Figure, fronts, layers};
use tridot_reports::record::{Input, Named, Record, Toggling};
use tridot_reports::table;
use tridot_sim::digest::Digest;
use tridot_sim::units::Picojoules;

use crate::sample::{Scheme, record, study};

/// A text of a drawing with the box that it fills, in points.
#[derive(Debug)]
struct Text {
    content: String,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

/// Units of a drawing in a point.
const SCALE: f64 = 20.0;

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let begin = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    tag[begin..].split('"').next()
}

/// All texts of a drawing. Helvetica's letters are about half as wide as high; the middle of a text is its place.
fn texts(svg: &str) -> Vec<Text> {
    let text = |part: &str| {
        let (tag, rest) = part.split_once('>').unwrap();
        let content = rest.split("</text>").next().unwrap().trim();
        let content = content.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        let number = |name| attribute(tag, name).unwrap().parse::<f64>().unwrap() / SCALE;
        let (x, y, size) = (number("x"), number("y"), number("font-size"));
        let length = 0.5 * size * content.chars().count() as f64;
        let (before, after) = match attribute(tag, "text-anchor").unwrap() {
            "start" => (0.0, length),
            "middle" => (length / 2.0, length / 2.0),
            _ => (length, 0.0),
        };
        let half = 0.36 * size;
        if attribute(tag, "transform").is_some() {
            return Text {
                content,
                left: x - half,
                right: x + half,
                top: y - after,
                bottom: y + before,
            };
        }
        Text { content, left: x - before, right: x + after, top: y - half, bottom: y + half }
    };
    svg.split("<text").skip(1).map(text).collect()
}

/// Texts neither touch nor leave the drawing.
fn assert_legible(figure: &Figure) {
    let texts = texts(&figure.svg);
    let name = &figure.name;
    assert!(5 <= texts.len(), "{name}: {texts:?}");
    let head = figure.svg.lines().next().unwrap();
    let points =
        |name| attribute(head, name).unwrap().strip_suffix("pt").unwrap().parse::<f64>().unwrap();
    let (width, height) = (points("width"), points("height"));
    assert!((width - 252.0).abs() < 1e-9, "{name}: a column of a paper is 252 points wide");
    for (idx, a) in texts.iter().enumerate() {
        assert!(!a.content.is_empty(), "{name}: {a:?}");
        let inside = 0.0 <= a.left && a.right <= width && 0.0 <= a.top && a.bottom <= height;
        assert!(inside, "{name}: {a:?} leaves {width} × {height}");
        for b in &texts[..idx] {
            let apart =
                a.right < b.left || b.right < a.left || a.bottom < b.top || b.bottom < a.top;
            assert!(apart, "{name}: {a:?} over {b:?}");
        }
    }
}

/// The figures of a network, one for each cost.
fn names_of_costs(network: &str) -> Vec<String> {
    let costs = ["computational", "sparse", "representational", "storage", "cycles"];
    let mut names = costs.map(|cost| format!("{network}-cifar10-{cost}")).to_vec();
    names.extend(["energy", "area"].map(|cost| format!("{network}-cifar10-{cost}-invented")));
    names
}

#[test]
fn every_cost_has_a_legible_figure() {
    let figures = fronts(&study());
    let names: Vec<_> = figures.iter().map(|figure| figure.name.as_str()).collect();
    assert_eq!(names, names_of_costs("sample"));
    figures.iter().for_each(assert_legible);
    for figure in &figures {
        assert!(figure.svg.contains("integer accuracy (%)"), "{}", figure.name);
        // Six presets made the numbers; a network's own costs are there once.
        let of_network =
            !["cycles", "energy", "area"].iter().any(|cost| figure.name.contains(cost));
        let rows = figure.csv.lines().count() - 1;
        assert_eq!(rows, if of_network { 7 } else { 42 }, "{}", figure.name);
        assert!(figure.commands.iter().all(|command| command.starts_with("tridot simulate")));
    }
}

#[test]
fn a_mark_is_full_where_nothing_is_better() {
    let records = study();
    for figure in fronts(&records) {
        let rows: Vec<Vec<&str>> =
            figure.csv.lines().skip(1).map(|line| line.split(',').collect()).collect();
        let value =
            |row: &[&str], from_end: usize| -> f64 { row[row.len() - from_end].parse().unwrap() };
        for row in &rows {
            let (cost, accuracy) = (value(row, 1), value(row, 2));
            let is_beaten = rows.iter().any(|other| {
                let (other_cost, other_accuracy) = (value(other, 1), value(other, 2));
                other_cost <= cost
                    && accuracy <= other_accuracy
                    && (other_cost < cost || accuracy < other_accuracy)
            });
            assert_eq!(row[row.len() - 4], if is_beaten { "no" } else { "yes" }, "{}", figure.name);
        }
    }
}

#[test]
fn the_order_of_records_changes_no_front() {
    let records = study();
    let reversed: Vec<_> = records.iter().rev().cloned().collect();
    // Not `assert_eq!`, which would print the drawings.
    assert!(fronts(&records) == fronts(&reversed));
    assert!(fronts(&records) == fronts(&study()));
    assert!(layers(&records) == layers(&study()));
}

#[test]
fn bars_show_every_layer_and_add_up() {
    let records = [record(Scheme::Layer(2), "edge")];
    let figures = layers(&records);
    let names: Vec<_> = figures.iter().map(|figure| figure.name.as_str()).collect();
    assert_eq!(names, ["sample-dbq2-layer-edge-cycles", "sample-dbq2-layer-edge-energy"]);
    figures.iter().for_each(assert_legible);
    for (figure, total) in figures
        .iter()
        .zip([records[0].total.cycles.0 as f64, records[0].total.energy.unwrap().total().value()])
    {
        let cells = figure.csv.lines().skip(1).flat_map(|line| line.split(',').skip(1));
        let sum: f64 = cells.map(|cell| cell.parse::<f64>().unwrap()).sum();
        assert!((sum - total).abs() < 1e-6 * total, "{}: {sum} is not {total}", figure.name);
    }
    // Of many Records only those on a front are drawn layer by layer.
    let many = layers(&study());
    assert!(2 < many.len() && many.len() < 60, "{}", many.len());
    many.iter().for_each(assert_legible);
}

/// One point, one layer, no accuracy, long and hostile names, many architectures: still legible.
#[test]
fn unusual_records_are_drawn_as_well() {
    let one = record(Scheme::Fixed, "tiny");
    fronts(std::slice::from_ref(&one)).iter().for_each(assert_legible);

    let mut nameless = one.clone();
    nameless.inputs.network.integer_accuracy = None;
    assert!(fronts(&[nameless.clone()]).is_empty());
    assert_eq!(layers(&[nameless]).len(), 2);

    let mut hostile = one.clone();
    hostile.inputs.network.name = "</svg><script>alert(1)</script>".to_owned();
    hostile.inputs.network.scheme = "<b>&".to_owned();
    hostile.layers[0].name = "x".repeat(250);
    hostile.command = "</pre><script>".to_owned();
    let records = [hostile];
    let (fronts_of, layers_of) = (fronts(&records), layers(&records));
    fronts_of.iter().chain(&layers_of).for_each(assert_legible);
    let html = page(&Page {
        title: "<i>",
        command: "a & b",
        records: &records,
        fronts: &fronts_of,
        layers: &layers_of,
    });
    assert!(!html.contains("<script"), "names must stay text");

    let crowd: Vec<Record> = (0..300_u64)
        .map(|i| {
            let mut record = one.clone();
            let mut parameters = record.inputs.architecture.into_parameters();
            parameters.name = format!("design {i} of a large sweep");
            record.inputs.architecture = tridot_sim::arch::Architecture::new(parameters).unwrap();
            record.inputs.network.digest = Digest::of(&[u8::try_from(i % 40).unwrap()]);
            record.inputs.network.scheme = format!("dbq({})", i % 40);
            record.inputs.network.integer_accuracy.as_mut().unwrap().correct =
                5000 + 100 * (i % 40);
            record.layers.clear();
            record.total.steps += 1000 * (i * i % 37);
            record.total.cycles.0 += 1000 * (i * i % 37);
            record
        })
        .collect();
    fronts(&crowd).iter().for_each(assert_legible);
}

#[test]
fn energies_of_different_tables_are_not_compared() {
    let mut other = record(Scheme::Layer(1), "edge");
    other.inputs.energy_table =
        Some(Named { name: "other".to_owned(), digest: Digest::of(b"other") });
    let figures = fronts(&[record(Scheme::Layer(1), "edge"), other]);
    let names: Vec<_> = figures
        .iter()
        .map(|figure| figure.name.as_str())
        .filter(|name| name.contains("energy"))
        .collect();
    assert_eq!(names, ["sample-cifar10-energy-invented", "sample-cifar10-energy-other"]);
}

/// The figures whose names contain a word.
fn figures_of(records: &[Record], word: &str) -> Vec<Figure> {
    fronts(records).into_iter().filter(|figure| figure.name.contains(word)).collect()
}

#[test]
fn energies_of_different_inputs_are_not_compared() {
    let synthetic = record(Scheme::Layer(1), "edge");
    let mut recorded = synthetic.clone();
    recorded.inputs.input =
        Input::Trace(Named { name: "cifar10".to_owned(), digest: Digest::of(b"trace") });
    recorded.warnings.clear();
    let mut sampled = recorded.clone();
    sampled.inputs.toggling = Toggling::Sampled { one_tile_of: 50 };
    let records = [synthetic, recorded, sampled];
    let figures = figures_of(&records, "energy");
    let names: Vec<_> = figures.iter().map(|figure| figure.name.as_str()).collect();
    let of = |rest: &str| format!("sample-cifar10-energy-invented-{rest}");
    assert_eq!(
        names,
        [
            of("cifar10-batch-1"),
            of("cifar10-batch-1-one-tile-of-50"),
            of("synthetic-seed-0-batch-1")
        ]
    );
    let captions: Vec<_> = figures.iter().map(|figure| figure.caption.as_str()).collect();
    assert!(captions[0].ends_with("Energy table: invented. Input: 1 picture of cifar10."));
    assert!(captions[1].ends_with("cifar10, toggles of one of each 50 tiles."), "{captions:?}");
    assert!(captions[2].ends_with("seed 0. Warning: these prices mean nothing."), "{captions:?}");
    // Neither the area nor the cycles depend on them.
    assert_eq!((figures_of(&records, "area").len(), figures_of(&records, "cycles").len()), (1, 1));
    let table = table::markdown(&records);
    assert!(table.contains("one tile of 50") && table.contains("synthetic, seed 0"), "{table}");
    assert!(table.ends_with("\nWarning, of 1 of 3 rows: these prices mean nothing.\n"), "{table}");
}

#[test]
fn different_things_of_one_name_are_told_apart() {
    let one = record(Scheme::Layer(1), "edge");
    let mut wider = one.clone();
    let mut parameters = wider.inputs.architecture.into_parameters();
    (parameters.lanes, parameters.vector_lanes) = (2 * parameters.lanes, 3);
    wider.inputs.architecture = tridot_sim::arch::Architecture::new(parameters).unwrap();
    let mut retrained = one.clone();
    retrained.inputs.network.digest = Digest::of(b"retrained");
    let mut repriced = one.clone();
    repriced.inputs.energy_table.as_mut().unwrap().digest = Digest::of(b"repriced");
    let records = [one, wider, retrained, repriced];
    let table = table::markdown(&records);
    let cycles = figures_of(&records, "cycles").remove(0);
    for text in [&table, &cycles.csv] {
        assert!(text.contains("edge, lanes 16, vector lanes 4"), "{text}");
        assert!(text.contains("edge, lanes 32, vector lanes 3"), "{text}");
    }
    for name in ["sample \\#1", "sample \\#2", "invented \\#1", "invented \\#2"] {
        assert!(table.contains(name), "{name}: {table}");
    }
    assert!(cycles.svg.contains("dbq(1) #1") && cycles.svg.contains("dbq(1) #2"));
    assert!(cycles.svg.contains("edge, lanes 16") && cycles.svg.contains("edge, lanes 32"));
    // Of another seed, that is said instead.
    let mut reseeded = records[2].clone();
    reseeded.inputs.network.seed = 7;
    let cycles = figures_of(&[records[0].clone(), reseeded], "cycles").remove(0);
    assert!(cycles.svg.contains("dbq(1), seed 0") && cycles.svg.contains("dbq(1), seed 7"));
    let energies = figures_of(&records, "energy");
    let captions: Vec<_> = energies.iter().map(|figure| figure.caption.as_str()).collect();
    assert!(captions[0].contains("invented #1.") && captions[1].contains("invented #2."));
}

#[test]
fn layers_of_the_best_of_each_table_are_drawn() {
    let mut records = study();
    for mut dear in study() {
        dear.inputs.energy_table =
            Some(Named { name: "dear".to_owned(), digest: Digest::of(b"dear") });
        for results in
            std::iter::once(&mut dear.total).chain(dear.layers.iter_mut().map(|l| &mut l.results))
        {
            let energy = results.energy.as_mut().unwrap();
            energy.0.iter_mut().for_each(|part| *part = Picojoules::new(3.0 * part.value()));
        }
        records.push(dear);
    }
    let drawn = layers(&records);
    for table in ["invented", "dear"] {
        let of_table = |figure: &&Figure| figure.name.contains(&format!("-energy-{table}"));
        assert!(0 < drawn.iter().filter(of_table).count(), "{table}");
    }
}

#[test]
fn all_networks_of_a_data_set_have_figures_together() {
    let mut records = study();
    assert!(!fronts(&records).iter().any(|figure| figure.name.starts_with("all-")));
    let mut others = study();
    for other in &mut others {
        other.inputs.network.name = "other-cifar10".to_owned();
        other.inputs.network.digest =
            Digest::of(format!("{}", other.inputs.network.digest).as_bytes());
    }
    let mut elsewhere = record(Scheme::Layer(1), "edge");
    elsewhere.inputs.network.data = Some("vww01".to_owned());
    records.extend(others);
    records.push(elsewhere);
    let together: Vec<Figure> =
        fronts(&records).into_iter().filter(|figure| figure.name.starts_with("all-")).collect();
    let names: Vec<_> = together.iter().map(|figure| figure.name.as_str()).collect();
    assert_eq!(names, names_of_costs("all"));
    together.iter().for_each(assert_legible);
    for figure in &together {
        let rows = |name: &str| figure.csv.lines().filter(|line| line.starts_with(name)).count();
        assert_eq!(rows("sample,"), rows("other-cifar10,"), "{}", figure.name);
        assert!(!figure.csv.contains("vww01"));
    }
    let storage = &together[3];
    assert!(storage.svg.contains("other dbq(1)"), "names are told without the data set");
}

#[test]
fn what_scales_are_per_is_told_of_all_networks_where_it_tells_them_apart() {
    let mut records = vec![record(Scheme::Layer(1), "edge"), record(Scheme::Channel(2), "edge")];
    let mut other = record(Scheme::Layer(1), "edge");
    other.inputs.network.name = "other-cifar10".to_owned();
    other.inputs.network.digest = Digest::of(b"other");
    records.push(other);
    let storage = |records: &[Record], network: &str| {
        let name = format!("{network}-cifar10-storage");
        let figure = fronts(records).into_iter().find(|figure| figure.name == name);
        figure.unwrap_or_else(|| panic!("{name}")).svg
    };
    assert!(storage(&records, "sample").contains("dbq(2), channel"));
    let together = storage(&records, "all");
    assert!(together.contains("dbq(2)") && !together.contains("channel"), "{together}");
    records.push(record(Scheme::Layer(2), "edge"));
    assert!(storage(&records, "all").contains("dbq(2), channel"));
}

#[test]
fn tables_are_aligned_and_escaped() {
    let mut records = vec![
        record(Scheme::Layer(1), "tiny"),
        record(Scheme::Channel(3), "edge"),
        record(Scheme::Fixed, "wide"),
    ];
    records[1].inputs.network.name = "my_net|50%".to_owned();
    records[2].inputs.network.integer_accuracy = None;
    insta::assert_snapshot!(format!("{}\n{}", table::markdown(&records), table::latex(&records)));
}
