//! `tridot bench training`: our step and PyTorch's, in turns.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use tridot_models::topology::Topology;

use super::side::{Ready, Step, Task};
use super::summary::Spread;
use super::{description, environment};
use crate::cli::{Allocator, TrainingBenchArgs, Verdict};
use crate::files;
use crate::print::Printer;
use crate::tools::Conversation;

/// The PyTorch side: a program for Python.
const PYTORCH: &str = include_str!("pytorch.py");
/// What is measured unless the user names networks.
const NETWORKS: [&str; 5] = [
    "resnet20",
    "mobilenetv1-cifar10",
    "mobilenetv2-cifar10",
    "shufflenetv2-cifar10",
    "mobilenetv1",
];
/// Pictures with more pixels than this come in small batches.
const MANY_PIXELS: usize = 64 * 64;
/// Branches of the quantized step.
const BRANCHES: u32 = 2;
/// How far losses may differ, as a share: before any step, and after the first. Sums of `f32` in another
/// order make some networks differ by a tenth of it.
const LOSS_TOLERANCES: [f64; 2] = [1e-3, 5e-3];

#[derive(Serialize)]
struct Report {
    allocator: &'static str,
    rounds: u32,
    pytorch_version: Option<String>,
    results: Vec<Entry>,
}

/// A network with so many threads.
#[derive(Serialize)]
struct Entry {
    network: String,
    batch: usize,
    threads: u16,
    macs: u64,
    parameters: u64,
    float: Side,
    pytorch: Option<Side>,
    quantized: Side,
    /// Our float step over PyTorch's, in the same round.
    float_over_pytorch: Option<Spread>,
    /// Our quantized step over our float step, in the same round.
    quantized_over_float: Spread,
}

#[derive(Serialize)]
struct Side {
    step_seconds: Spread,
    /// From the start of the process to the end of its first step.
    start_seconds: f64,
    peak_memory_bytes: Option<u64>,
    first_loss: f64,
    last_loss: f64,
}

pub(crate) fn run(arguments: &TrainingBenchArgs, printer: &Printer) -> Result<Verdict> {
    let names: Vec<&str> = if arguments.networks.is_empty() {
        NETWORKS.to_vec()
    } else {
        arguments.networks.iter().map(String::as_str).collect()
    };
    let networks = names.iter().map(|name| network(name)).collect::<Result<Vec<_>>>()?;
    let python =
        if arguments.alone { None } else { Some(environment::python(arguments, printer)?) };
    let ours = std::env::current_exe().context("the path of this program")?;
    let mut report = Report {
        allocator: match arguments.allocator {
            Allocator::Keep => "keep",
            Allocator::System => "system",
        },
        rounds: arguments.rounds,
        pytorch_version: None,
        results: Vec::new(),
    };
    for (topology, file) in &networks {
        for &threads in &arguments.thread_counts {
            let task = task(topology, file, arguments.batch, threads);
            let place = || format!("network `{}`", topology.name);
            let mut sides = Sides::start(&ours, python.as_deref(), &task, arguments.allocator)
                .with_context(place)?;
            let what = format!("{}, threads {threads}", topology.name);
            sides.rounds(arguments.rounds, &what, printer).with_context(place)?;
            report.pytorch_version = sides.pytorch.as_ref().map(|side| side.ready.version.clone());
            report.results.push(sides.entry(&topology.name, &task));
        }
    }
    tell(&report, printer);
    printer.object("bench training", &report)?;
    Ok(Verdict::Yes)
}

fn network(argument: &str) -> Result<(Topology, String)> {
    let file = files::topology_text(argument)?;
    let topology = Topology::from_toml(&file).with_context(|| argument.to_owned())?;
    Ok((topology, file))
}

fn task(topology: &Topology, file: &str, batch: Option<u32>, threads: u16) -> Task {
    let pixels = topology.input.height * topology.input.width;
    let batch = batch.map_or(if MANY_PIXELS < pixels { 16 } else { 128 }, |batch| batch as usize);
    Task {
        network: description::of(topology),
        network_file: file.to_owned(),
        batch,
        threads,
        learning_rate: 1e-3,
        momentum: 0.9,
        weight_decay: 1e-4,
        branches: None,
    }
}

/// A process, and what it said so far.
struct Running {
    conversation: Conversation,
    ready: Ready,
    start_seconds: f64,
    /// The first step's is not among them.
    seconds: Vec<f64>,
    losses: Vec<f64>,
}

impl Running {
    /// Starts a process and has it do its first step.
    fn start(program: &Path, words: &[&str], task: &Task, allocator: Allocator) -> Result<Self> {
        let start = Instant::now();
        let threads = task.threads.to_string();
        let variables = environment::variables(allocator, &threads);
        let mut conversation = Conversation::start(program, words, &variables)?;
        let ready = serde_json::from_str(&conversation.ask(&serde_json::to_string(task)?)?)
            .with_context(|| program.display().to_string())?;
        let (seconds, losses) = (Vec::new(), Vec::new());
        let mut side = Self { conversation, ready, start_seconds: 0.0, seconds, losses };
        side.step()?;
        side.start_seconds = start.elapsed().as_secs_f64();
        side.seconds.clear();
        Ok(side)
    }

    fn step(&mut self) -> Result<()> {
        let Step { seconds, loss } = serde_json::from_str(&self.conversation.ask("step")?)?;
        self.seconds.push(seconds);
        self.losses.push(loss);
        Ok(())
    }

    fn side(&self) -> Side {
        Side {
            step_seconds: Spread::of(self.seconds.iter().copied()),
            start_seconds: self.start_seconds,
            peak_memory_bytes: self.conversation.peak_memory_bytes(),
            first_loss: self.losses[0],
            last_loss: self.losses[self.losses.len() - 1],
        }
    }
}

/// The processes of one network with so many threads.
struct Sides {
    float: Running,
    pytorch: Option<Running>,
    quantized: Running,
}

impl Sides {
    fn start(
        ours: &Path,
        python: Option<&Path>,
        task: &Task,
        allocator: Allocator,
    ) -> Result<Self> {
        let threads = task.threads.to_string();
        let words = ["--threads", &threads, "bench", "training-side"];
        let quantized = Task { branches: Some(BRANCHES), ..task.clone() };
        let pytorch = |python| Running::start(python, &["-c", PYTORCH], task, allocator);
        let sides = Self {
            float: Running::start(ours, &words, task, allocator)?,
            pytorch: python.map(pytorch).transpose()?,
            quantized: Running::start(ours, &words, &quantized, allocator)?,
        };
        if let Some(pytorch) = &sides.pytorch {
            sides.same_network(&pytorch.ready)?;
        }
        Ok(sides)
    }

    fn same_network(&self, theirs: &Ready) -> Result<()> {
        let ours = &self.float.ready;
        if (ours.macs, ours.parameters) != (theirs.macs, theirs.parameters) {
            bail!(
                "PyTorch's network must have our {} parameters and {} multiply-accumulates, got {} and {}",
                ours.parameters,
                ours.macs,
                theirs.parameters,
                theirs.macs
            );
        }
        Ok(())
    }

    /// One round that does not count, then those that do.
    fn rounds(&mut self, rounds: u32, what: &str, printer: &Printer) -> Result<()> {
        let bar = printer.bar(what, u64::from(rounds) + 1);
        for round in 0..=rounds {
            self.float.step()?;
            if let Some(pytorch) = &mut self.pytorch {
                pytorch.step()?;
            }
            self.quantized.step()?;
            if round == 0 {
                self.same_losses()?;
                for side in
                    [&mut self.float, &mut self.quantized].into_iter().chain(&mut self.pytorch)
                {
                    side.seconds.clear();
                }
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// The same weights and pictures give the same loss, and still do after a step.
    fn same_losses(&self) -> Result<()> {
        let Some(pytorch) = &self.pytorch else { return Ok(()) };
        let pairs = self.float.losses.iter().zip(&pytorch.losses).zip(LOSS_TOLERANCES);
        for (step, ((&ours, &theirs), tolerance)) in pairs.enumerate() {
            if tolerance * theirs.abs() < (ours - theirs).abs() || !theirs.is_finite() {
                let step = step + 1;
                bail!(
                    "step {step}: our loss must be PyTorch's {theirs} within {tolerance} of it, got {ours}"
                );
            }
        }
        Ok(())
    }

    fn entry(&self, network: &str, task: &Task) -> Entry {
        let ratio = |pytorch: &Running| Spread::of_ratios(&self.float.seconds, &pytorch.seconds);
        Entry {
            network: network.to_owned(),
            batch: task.batch,
            threads: task.threads,
            macs: self.float.ready.macs,
            parameters: self.float.ready.parameters,
            float: self.float.side(),
            pytorch: self.pytorch.as_ref().map(Running::side),
            quantized: self.quantized.side(),
            float_over_pytorch: self.pytorch.as_ref().map(ratio),
            quantized_over_float: Spread::of_ratios(&self.quantized.seconds, &self.float.seconds),
        }
    }
}

fn tell(report: &Report, printer: &Printer) {
    let megabytes = |bytes: Option<u64>| {
        bytes.map_or(String::new(), |bytes| format!("{:.0}", bytes as f64 / 1e6))
    };
    let range =
        |spread: Spread| format!("{:.3}–{:.3}", spread.lower_quartile, spread.upper_quartile);
    let rows = report.results.iter().map(|entry| {
        let theirs =
            |cell: &dyn Fn(&Side) -> String| entry.pytorch.as_ref().map_or(String::new(), cell);
        vec![
            entry.network.clone(),
            entry.batch.to_string(),
            entry.threads.to_string(),
            format!("{:.3}", entry.float.step_seconds.median),
            theirs(&|side| format!("{:.3}", side.step_seconds.median)),
            entry.float_over_pytorch.map_or(String::new(), |ratio| format!("{:.3}", ratio.median)),
            entry.float_over_pytorch.map_or(String::new(), range),
            format!("{:.3}", entry.quantized_over_float.median),
            megabytes(entry.float.peak_memory_bytes),
            theirs(&|side| megabytes(side.peak_memory_bytes)),
            format!("{:.2}", entry.float.start_seconds),
            theirs(&|side| format!("{:.2}", side.start_seconds)),
        ]
    });
    let heads = [
        "network",
        "batch",
        "threads",
        "float_s",
        "pytorch_s",
        "ratio",
        "quartiles",
        "dbq_over_float",
        "peak_mb",
        "pytorch_peak_mb",
        "start_s",
        "pytorch_start_s",
    ];
    printer.table(&heads, rows);
    let version = report.pytorch_version.as_deref().unwrap_or("not measured");
    printer.line(format_args!(
        "\nmedians of {} rounds of one step each in turns; PyTorch {version}, channels_last; allocator: {}; dbq: {BRANCHES} branches",
        report.rounds, report.allocator
    ));
}
