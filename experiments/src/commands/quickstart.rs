//! `tridot quickstart`: the whole road, from pictures to fronts, as one list of commands.
//!
//! The list is the program: each stage is a command line, is written to `COMMANDS.md`, and is run by the same
//! parser that reads a user's. All run inside the output folder, so that the list repeats each of them there.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use tridot_sim::network::Accuracy;

use super::pictures;
use super::weights::Trained;
use crate::cli::{self, QuickstartArgs, Verdict};
use crate::files::{self, Contents};
use crate::print::{Printer, percent};

mod commands_md;
mod road;
mod stages;

use road::Road;
use stages::Stage;

/// The list of all commands: the first file written, and the sign that a folder is this road's.
const COMMANDS: &str = "COMMANDS.md";
/// Bytes of 10^6.
const MEGABYTE: f64 = 1e6;

#[derive(Serialize)]
struct Report {
    name: String,
    out: String,
    stages: Vec<StageReport>,
    networks: Vec<NetworkReport>,
}

#[derive(Serialize)]
struct StageReport {
    stage: String,
    command: String,
    skipped: bool,
    seconds: f64,
    peak_memory_mb: Option<f64>,
}

#[derive(Serialize)]
struct NetworkReport {
    name: String,
    float_accuracy_percent: Option<f64>,
    integer_accuracy_percent: Option<f64>,
    samples: Option<u64>,
}

pub(crate) fn run(arguments: &QuickstartArgs, printer: &Printer) -> Result<Verdict> {
    let road = Road::of(arguments)?;
    if !arguments.out.join(COMMANDS).exists() {
        check_inputs(arguments, &road)?;
    }
    let source = stages::Source::of(arguments)?;
    let stages = stages::all(&road, &source);
    let commands = commands_md::text(&road, &stages);
    prepare(&arguments.out, &road, &commands)?;
    files::enter(&arguments.out)?;
    let mut reports = Vec::with_capacity(stages.len());
    for (stage_idx, stage) in stages.iter().enumerate() {
        printer.note(format_args!("{}/{} {}", stage_idx + 1, stages.len(), stage.title));
        let (report, verdict) = one(stage, printer)?;
        if verdict == Verdict::No {
            bail!("{}: the answer is no: run it in {}", stage.line(), arguments.out.display());
        }
        reports.push(report);
    }
    let report = Report {
        name: road.name.clone(),
        out: arguments.out.display().to_string(),
        stages: reports,
        networks: networks(&road)?,
    };
    tell(&report, printer);
    printer.object("quickstart", &report)?;
    Ok(Verdict::Yes)
}

/// Refuses weights and pictures that cannot be read or do not fit, before the folder becomes this road's.
fn check_inputs(arguments: &QuickstartArgs, road: &Road) -> Result<()> {
    let mut topologies = road.topologies.clone();
    if let Some(from) = &arguments.from {
        let trained = Trained::read(from)?;
        if topologies.is_empty() {
            topologies.push(trained.topology(None)?);
        }
    }
    if let Some(dir) = &arguments.data {
        for topology in &topologies {
            pictures::open(dir, topology.input, topology.classes)?;
        }
    }
    Ok(())
}

/// Makes the folder and its plans, or finds them as they would be made: then the road goes on in it.
fn prepare(out: &Path, road: &Road, commands: &str) -> Result<()> {
    let list = out.join(COMMANDS);
    files::make_all(out)?;
    let contents = files::contents(out)?;
    match files::read_text_if_present(&list)? {
        Some(text) if text == commands => {}
        Some(_) => bail!("{}: is of another road: choose another --out", list.display()),
        None => {
            if let Contents::Some(name) = contents {
                bail!(
                    "{}: must be new, empty or of the same road, got a folder with `{name}`",
                    out.display()
                );
            }
            files::write(&list, commands.as_bytes())?;
        }
    }
    for folder in ["plans", "training", "networks", "traces"] {
        files::make_all(&out.join(folder))?;
    }
    for (name, text) in &road.plans {
        let path = out.join("plans").join(name);
        match files::read_text_if_present(&path)? {
            Some(before) if before == *text => {}
            Some(_) => bail!("{}: is another plan: choose another --out", path.display()),
            None => files::write(&path, text.as_bytes())?,
        }
    }
    Ok(())
}

/// Runs a stage, unless what it makes is there: files are written whole or not at all.
fn one(stage: &Stage, printer: &Printer) -> Result<(StageReport, Verdict)> {
    let start = Instant::now();
    files::reset_peak_memory();
    let skipped =
        !stage.makes.is_empty() && stage.makes.iter().all(|path| Path::new(path).exists());
    let verdict = if skipped {
        Verdict::Yes
    } else {
        cli::run_line(&stage.arguments, &printer.silent()).with_context(|| stage.line())?
    };
    let report = StageReport {
        stage: stage.title.clone(),
        command: stage.line(),
        skipped,
        seconds: (start.elapsed().as_secs_f64() * 100.0).round() / 100.0,
        peak_memory_mb: files::peak_memory_bytes().map(|bytes| (bytes as f64 / MEGABYTE).round()),
    };
    Ok((report, verdict))
}

fn networks(road: &Road) -> Result<Vec<NetworkReport>> {
    let network = |variant: &road::Variant| {
        let network = files::read_network(Path::new(&stages::network_file(variant)))?;
        let provenance = &network.provenance;
        Ok(NetworkReport {
            name: variant.name.clone(),
            float_accuracy_percent: provenance.float_accuracy.map(Accuracy::percent),
            integer_accuracy_percent: provenance.integer_accuracy.map(Accuracy::percent),
            samples: provenance.integer_accuracy.map(|accuracy| accuracy.samples),
        })
    };
    road.variants.iter().map(network).collect()
}

fn tell(report: &Report, printer: &Printer) {
    let rows = report.stages.iter().map(|stage| {
        let seconds = format!("{:.1}", stage.seconds);
        vec![
            stage.stage.clone(),
            if stage.skipped { "was there".to_owned() } else { seconds },
            stage.peak_memory_mb.map_or(String::new(), |megabytes| format!("{megabytes:.0}")),
        ]
    });
    printer.table(&["stage", "seconds", "peak_memory_mb"], rows);
    let seconds: f64 = report.stages.iter().map(|stage| stage.seconds).sum();
    let most = report.stages.iter().filter_map(|stage| stage.peak_memory_mb).fold(0.0, f64::max);
    printer.line(format_args!("all stages {seconds:.1} s, peak memory {most:.0} MB\n"));
    let cell = |value: Option<f64>| value.map_or(String::new(), percent);
    let rows = report.networks.iter().map(|network| {
        vec![
            network.name.clone(),
            cell(network.float_accuracy_percent),
            cell(network.integer_accuracy_percent),
            network.samples.map_or(String::new(), |samples| samples.to_string()),
        ]
    });
    let heads = ["network", "float_percent", "integer_percent", "test_pictures"];
    printer.table(&heads, rows);
    printer.line(format_args!(
        "\nopen {out}/index.html; {out}/{COMMANDS} lists the commands that repeat each stage",
        out = report.out
    ));
}
