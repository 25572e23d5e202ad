//! `tridot train`: float training and fine-tuning with ternary branches.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use tridot_models::train::{
    EpochReport, Kind, LayerBranches, Position, Start, Texts, Trainer, TrainingData, TrainingPlan,
};
use tridot_reports::{plot, training};
use tridot_sim::network::Accuracy;

use super::summary::Cost;
use super::weights::Trained;
use super::{pictures, training_set, weights};
use crate::cli::{TrainArgs, Verdict};
use crate::files::{self, Contents};
use crate::print::{Printer, percent};

const CHECKPOINT: &str = "checkpoint.safetensors";
const LOG: &str = "log.jsonl";
const CURVES: &str = "curves";

/// A line of the log.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    stage: usize,
    epoch: usize,
    weights: String,
    steps: usize,
    loss: f64,
    training_accuracy_percent: f64,
    held_back_accuracy_percent: Option<f64>,
    learning_rate: f64,
    temperature: Option<f64>,
    seconds: f64,
    #[serde(default)]
    layers: Vec<Branches>,
}

/// A layer of ternary branches after an epoch.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Branches {
    name: String,
    relative_scales: Vec<f64>,
    zero_trits_percent: Vec<f64>,
}

#[derive(Serialize)]
struct Report {
    network: String,
    data: String,
    checkpoint: String,
    float_accuracy_percent: Option<f64>,
    epochs: Vec<Line>,
}

pub(crate) fn run(arguments: &TrainArgs, printer: &Printer) -> Result<Verdict> {
    let texts = texts(&arguments.plan)?;
    let (plan, topology) = texts.read().with_context(|| arguments.plan.display().to_string())?;
    let set = training_set::load(&arguments.source, &plan, &topology)?;
    let data = training_set::borrowed(&set);
    let mut trainer = trainer(arguments, texts, &data, printer)?;
    let mut lines = lines_before(&arguments.out.join(LOG), trainer.next())?;
    if trainer.next().is_some() {
        make_writable(&arguments.out)?;
    }
    while let Some(position) = trainer.next() {
        let start = Instant::now();
        let report = one_epoch(&mut trainer, position, &data, printer)?;
        let kind = trainer.plan().stages[position.stage].weights;
        lines.push(line(&report, kind, start.elapsed().as_secs_f64()));
        // The log may be ahead of the checkpoint, which decides what comes next.
        files::write(&arguments.out.join(LOG), &log_bytes(&lines)?)?;
        files::write(&arguments.out.join(CHECKPOINT), &trainer.to_bytes())?;
        draw(&arguments.out, &topology.name, &data, &lines)?;
    }
    pictures::tell_unreadable(&[data.training, data.test], printer);
    tell(arguments, &topology.name, &data, &trainer, lines, printer)?;
    Ok(Verdict::Yes)
}

/// Made when nothing else can be refused, so that what is refused leaves no folder.
fn make_writable(out: &Path) -> Result<()> {
    files::make_all(out)?;
    [CHECKPOINT, LOG].iter().try_for_each(|name| files::check_writable(&out.join(name)))
}

fn texts(plan: &Path) -> Result<Texts> {
    let text = files::read_text(plan)?;
    let parsed = TrainingPlan::from_toml(&text).with_context(|| plan.display().to_string())?;
    let network = files::topology_text(&parsed.network)
        .with_context(|| format!("{}: network", plan.display()))?;
    Ok(Texts { plan: text, network })
}

/// Goes on where the folder's checkpoint ends, or begins.
fn trainer(
    arguments: &TrainArgs,
    texts: Texts,
    data: &TrainingData<'_>,
    printer: &Printer,
) -> Result<Trainer> {
    let (plan, topology) = texts.read()?;
    let of_plan = || format!("{}: network `{}`", arguments.plan.display(), plan.network);
    if plan.start == Start::Scratch && arguments.from.is_some() {
        bail!("{}: starts from scratch: leave --from away", arguments.plan.display());
    }
    let path = arguments.out.join(CHECKPOINT);
    let place = || path.display().to_string();
    let contents = files::contents(&arguments.out)?;
    if path.exists() {
        let bytes = files::read(&path, files::MAX_CHECKPOINT_BYTES)?;
        let trainer = Trainer::resume(&bytes).with_context(place)?;
        if *trainer.texts() != texts {
            bail!(
                "{}: is of another plan or network than {}: choose another --out",
                path.display(),
                arguments.plan.display()
            );
        }
        trainer.check_data(data)?;
        if let Some(remark) = trainer.remark() {
            printer.note(format_args!("{}: {remark}", path.display()));
        }
        if let Some(path) = &arguments.from {
            trainer
                .check_from(weights::digest(path)?)
                .with_context(|| path.display().to_string())?;
        }
        return Ok(trainer);
    }
    if arguments.resume {
        bail!("{}: there is no checkpoint to go on from", path.display());
    }
    if let Contents::Some(name) = contents
        && name != LOG
    {
        bail!(
            "{}: must be new, empty or of the same training, got a folder with `{name}`",
            arguments.out.display()
        );
    }
    data.check(&plan, &topology).with_context(of_plan)?;
    let from = match &arguments.from {
        None => None,
        Some(path) => {
            let trained = Trained::read(path)?;
            let digest = trained.digest;
            let fitted = trained.fitted(topology, printer)?;
            Some((fitted.float(|n| Ok(data.some(&plan, n)?))?, digest))
        }
    };
    let (from, digest) = from.unzip();
    let trainer = Trainer::new(texts, from, data).with_context(of_plan)?;
    Ok(match digest {
        Some(digest) => trainer.from_file(digest),
        None => trainer,
    })
}

/// What a training cost, by the log beside its checkpoint.
pub(crate) fn cost(checkpoint: &Path, trainer: &Trainer) -> Result<Cost> {
    let path = checkpoint.with_file_name(LOG);
    let next = trainer.next();
    let lines = lines_before(&path, next)?;
    let stages = trainer.plan().stages.iter().enumerate();
    let epochs = stages.flat_map(|(i, stage)| (0..stage.epochs).map(move |epoch| (i, epoch)));
    let is_done =
        |&(stage, epoch): &(usize, usize)| next.is_none_or(|next| Position { stage, epoch } < next);
    let done = epochs.filter(is_done).map(|(stage, epoch)| (stage + 1, epoch + 1));
    if !lines.iter().map(|line| (line.stage, line.epoch)).eq(done.clone()) {
        bail!(
            "{}: must be there and have one line for each of the {} epochs of the training, got {} lines",
            path.display(),
            done.count(),
            lines.len()
        );
    }
    let seconds: f64 = lines.iter().map(|line| line.seconds).sum();
    Ok(Cost { epochs: lines.len(), hours: seconds / 3600.0 })
}

/// The lines of epochs that the checkpoint has seen.
fn lines_before(path: &Path, next: Option<Position>) -> Result<Vec<Line>> {
    let Some(text) = files::read_text_if_present(path)? else { return Ok(Vec::new()) };
    let parse = |(i, line): (usize, &str)| -> Result<Line> {
        serde_json::from_str(line).with_context(|| format!("{}: line {}", path.display(), i + 1))
    };
    let lines: Vec<Line> = text.lines().enumerate().map(parse).collect::<Result<_>>()?;
    let is_before = |line: &Line| {
        next.is_none_or(|next| (line.stage, line.epoch) <= (next.stage + 1, next.epoch))
    };
    Ok(lines.into_iter().filter(is_before).collect())
}

fn one_epoch(
    trainer: &mut Trainer,
    position: Position,
    data: &TrainingData<'_>,
    printer: &Printer,
) -> Result<EpochReport> {
    let stages = &trainer.plan().stages;
    let what = format!(
        "stage {} of {}, epoch {} of {}",
        position.stage + 1,
        stages.len(),
        position.epoch + 1,
        stages[position.stage].epochs
    );
    let bar = printer.bar(&what, trainer.steps(position.stage, data) as u64);
    let report = trainer.epoch(data, &mut |step| {
        bar.inc(1);
        bar.set_message(format!("{what}, loss {:.3}", step.loss));
    });
    bar.finish_and_clear();
    let is_first = position == Position { stage: 0, epoch: 0 };
    let kept = if is_first { "no epoch was finished" } else { "the last whole epoch is kept" };
    report.with_context(|| format!("stopped; {kept}"))
}

/// Stages and epochs count from 1 where people read them.
fn line(report: &EpochReport, kind: Kind, seconds: f64) -> Line {
    Line {
        stage: report.stage + 1,
        epoch: report.epoch + 1,
        weights: match kind {
            Kind::Float => "float",
            Kind::Quantized => "quantized",
        }
        .to_owned(),
        steps: report.steps,
        loss: report.loss,
        training_accuracy_percent: report.training.percent(),
        held_back_accuracy_percent: report.held_back.map(Accuracy::percent),
        learning_rate: report.learning_rate,
        temperature: report.temperature,
        seconds: (seconds * 100.0).round() / 100.0,
        layers: report.branches.iter().map(branches).collect(),
    }
}

fn branches(state: &LayerBranches) -> Branches {
    let rounded = |values: &[f64]| values.iter().map(|v| (v * 1e4).round() / 1e4).collect();
    Branches {
        name: state.layer.clone(),
        relative_scales: rounded(&state.relative_scales),
        zero_trits_percent: rounded(&state.zero_trits_percent),
    }
}

/// The curves of all epochs so far, in a folder of their own.
fn draw(out: &Path, network: &str, data: &TrainingData<'_>, lines: &[Line]) -> Result<()> {
    let folder = out.join(CURVES);
    files::make_all(&folder)?;
    let epochs: Vec<training::Epoch> = lines.iter().map(Line::epoch).collect();
    for figure in plot::training(&format!("{network} on {}", data.name), &epochs) {
        files::write_figure(&folder, &figure)?;
    }
    Ok(())
}

impl Line {
    fn epoch(&self) -> training::Epoch {
        let layer = |layer: &Branches| training::Layer {
            name: layer.name.clone(),
            relative_scales: layer.relative_scales.clone(),
            zero_trits_percent: layer.zero_trits_percent.clone(),
        };
        training::Epoch {
            stage: self.stage,
            epoch: self.epoch,
            loss: self.loss,
            training_accuracy_percent: self.training_accuracy_percent,
            held_back_accuracy_percent: self.held_back_accuracy_percent,
            learning_rate: self.learning_rate,
            temperature: self.temperature,
            layers: self.layers.iter().map(layer).collect(),
        }
    }
}

fn log_bytes(lines: &[Line]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut bytes, line)?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

fn tell(
    arguments: &TrainArgs,
    network: &str,
    data: &TrainingData<'_>,
    trainer: &Trainer,
    epochs: Vec<Line>,
    printer: &Printer,
) -> Result<()> {
    let real = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.2}"));
    let rows = epochs.iter().map(|line| {
        vec![
            format!("{}.{} {}", line.stage, line.epoch, line.weights),
            format!("{:.4}", line.loss),
            percent(line.training_accuracy_percent),
            real(line.held_back_accuracy_percent),
            real(line.temperature),
            format!("{:.1}", line.seconds),
        ]
    });
    let heads =
        ["epoch", "loss", "training_percent", "held_back_percent", "temperature", "seconds"];
    printer.table(&heads, rows);
    let checkpoint = arguments.out.join(CHECKPOINT).display().to_string();
    printer.line(format_args!("\n{checkpoint} of {network} on {}", data.name));
    if let Some(accuracy) = trainer.float_accuracy() {
        printer.line(format_args!(
            "float accuracy before quantization {} % of {} test pictures",
            percent(accuracy.percent()),
            accuracy.samples
        ));
    }
    let report = Report {
        network: network.to_owned(),
        data: data.name.to_owned(),
        checkpoint,
        float_accuracy_percent: trainer.float_accuracy().map(Accuracy::percent),
        epochs,
    };
    printer.object("train", &report)
}
