//! Simulates small networks of every scheme on every preset, and writes Records, figures, tables and page:
//! `cargo run -p tridot-reports --example study -- FOLDER`. The prices and the accuracies are invented.

#![expect(clippy::unwrap_used, reason = "the samples are known to be good")]

use std::fs;
use std::path::PathBuf;

use tridot_reports::html::{Page, page};
use tridot_reports::store::Store;
use tridot_reports::{plot, table};

#[path = "../tests/records/sample.rs"]
mod sample;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("a folder is needed")?);
    let mut store = Store::default();
    for record in sample::study() {
        store.insert(record)?;
    }
    // What is drawn is what a file says, not what is at hand.
    let text = store.to_csv();
    let store = Store::from_csv(&text)?;
    let records = store.records();
    let (fronts, layers) = (plot::fronts(records), plot::layers(records));
    for (name, figures) in [("fronts", &fronts), ("layers", &layers)] {
        let folder = folder.join(name);
        fs::create_dir_all(&folder)?;
        for figure in figures {
            fs::write(folder.join(format!("{}.svg", figure.name)), &figure.svg)?;
            fs::write(folder.join(format!("{}.csv", figure.name)), &figure.csv)?;
        }
    }
    fs::write(folder.join("records.csv"), text)?;
    fs::write(folder.join("table.md"), table::markdown(records))?;
    fs::write(folder.join("table.tex"), table::latex(records))?;
    let page = page(&Page {
        title: "A study of samples",
        command: "cargo run -p tridot-reports --example study -- FOLDER",
        records,
        fronts: &fronts,
        layers: &layers,
    });
    fs::write(folder.join("index.html"), page)?;
    Ok(())
}
