//! `tridot report`: figures, tables and one page from Records.

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use tridot_reports::html::{Page, page};
use tridot_reports::plot::{self, Figure};
use tridot_reports::record::Record;
use tridot_reports::store::Store;
use tridot_reports::table;

use crate::cli::{ReportArgs, Verdict, line};
use crate::files;
use crate::files::folder::{Contents, Occupied, Output};
use crate::print::Printer;

/// Who writes the folder.
const MAKER: &str = "tridot report";

#[derive(Serialize)]
struct Report {
    records: usize,
    output: String,
    fronts: usize,
    layers: usize,
    files: Vec<String>,
}

pub(crate) fn run(arguments: &ReportArgs, printer: &Printer) -> Result<Verdict> {
    let path = &arguments.records;
    let occupied = if arguments.force { Occupied::Keep } else { Occupied::Refuse };
    let output = Output { folder: &arguments.output, maker: MAKER, spared: path, occupied };
    output.check()?;
    let text = files::text(path, files::read(path, files::MAX_RECORDS_BYTES)?)?;
    let store = Store::from_csv(&text).with_context(|| path.display().to_string())?;
    let records = store.records();
    if records.is_empty() {
        bail!("{}: holds no Record, so there is nothing to draw", path.display());
    }
    let command = command(arguments);
    let (fronts, layers) = (plot::fronts(records), plot::layers(records));
    let contents = contents(records, &fronts, &layers, &command);
    output.replace(&[path], &contents)?;
    let report = Report {
        records: records.len(),
        output: arguments.output.display().to_string(),
        fronts: fronts.len(),
        layers: layers.len(),
        files: contents.into_keys().collect(),
    };
    tell(&report, records, printer);
    printer.object("report", &report)?;
    Ok(Verdict::Yes)
}

/// Every file of a report, by its path in the folder.
pub(crate) fn contents(
    records: &[Record],
    fronts: &[Figure],
    layers: &[Figure],
    command: &str,
) -> Contents {
    let mut contents = Contents::new();
    for (folder, figures) in [("fronts", fronts), ("layers", layers)] {
        for figure in figures {
            contents.insert(format!("{folder}/{}.svg", figure.name), figure.svg.clone().into());
            contents.insert(format!("{folder}/{}.csv", figure.name), figure.csv.clone().into());
        }
    }
    contents.insert("table.md".to_owned(), table::markdown(records).into());
    contents.insert("table.tex".to_owned(), table::latex(records).into());
    let title = title(records);
    contents.insert(
        "index.html".to_owned(),
        page(&Page { title: &title, command, records, fronts, layers }).into(),
    );
    contents
}

/// The command as a user would type it.
fn command(arguments: &ReportArgs) -> String {
    let ReportArgs { records, output, force } = arguments;
    let (records, output) = (records.display().to_string(), output.display().to_string());
    let mut words = vec!["report", &records, "-o", &output];
    if *force {
        words.push("--force");
    }
    line(words)
}

/// The networks, each once.
fn title(records: &[Record]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for record in records {
        let name = record.inputs.network.name.as_str();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    format!("Accuracy and cost of {}", names.join(", "))
}

fn tell(report: &Report, records: &[Record], printer: &Printer) {
    let Report { records: n_records, fronts, layers, output, .. } = report;
    printer.line(format_args!(
        "{n_records} {}: {fronts} figures of accuracy against a cost, {layers} layer by layer",
        if *n_records == 1 { "Record" } else { "Records" }
    ));
    let unknown =
        records.iter().filter(|record| record.inputs.network.integer_accuracy.is_none()).count();
    if 0 < unknown {
        printer.line(format_args!(
            "{unknown} Records have no integer accuracy and are in no figure of accuracy: `tridot quantize` and \
             `tridot export` measure it where there are test pictures"
        ));
    }
    printer.line(format_args!("{output}/index.html shows all; files.txt lists the files"));
}
