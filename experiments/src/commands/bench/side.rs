//! Our side of `tridot bench training`: a process that holds a trainer and does a step a line.

use std::io::{self, BufRead as _};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use tridot_models::data::{Pictures, Source};
use tridot_models::float::{BatchNormParameters, FloatNetwork, LayerParameters};
use tridot_models::topology::{Bias, Topology, TopologyLayer, TopologyOperator};
use tridot_models::train::{Texts, Trainer, TrainingData};

use crate::cli::Verdict;
use crate::print;

/// The most bytes of a task: a network file and its description.
const MAX_TASK_BYTES: u64 = 1 << 26;

/// The first line of both sides' standard input.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Task {
    /// For the PyTorch side.
    pub(super) network: serde_json::Value,
    /// For ours.
    pub(super) network_file: String,
    /// Pictures of a step.
    pub(super) batch: usize,
    /// Of each side; ours gets it as `--threads`.
    pub(super) threads: u16,
    pub(super) learning_rate: f64,
    pub(super) momentum: f64,
    pub(super) weight_decay: f64,
    /// Of our quantized side; none in float.
    pub(super) branches: Option<u32>,
}

/// The answer to a task.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ready {
    /// Of PyTorch, or ours.
    pub(super) version: String,
    /// That are trained in float.
    pub(super) parameters: u64,
    pub(super) macs: u64,
}

/// The answer to each further line.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Step {
    pub(super) seconds: f64,
    pub(super) loss: f64,
}

pub(super) fn run() -> Result<Verdict> {
    let input = io::stdin().lock();
    let mut lines = io::Read::take(input, MAX_TASK_BYTES).lines();
    let Some(line) = lines.next() else { bail!("standard input: no task") };
    let task: Task = serde_json::from_str(&line?).context("standard input: task")?;
    let topology = Topology::from_toml(&task.network_file)?;
    let pictures = pictures(&topology, task.batch);
    let mut test = pictures.clone();
    test.truncate(1);
    let data = TrainingData {
        name: "noise",
        classes: topology.classes,
        training: Source::Memory(&pictures),
        test: Source::Memory(&test),
    };
    let texts = Texts { plan: plan(&task), network: task.network_file.clone() };
    let from = start(&topology);
    let mut trainer = Trainer::new(texts, Some(from), &data)?;
    print::answer(&Ready {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        parameters: parameters(&topology),
        macs: topology.macs(),
    })?;
    for line in lines {
        line?;
        let start = Instant::now();
        let report = trainer.epoch(&data, &mut |_| ())?;
        print::answer(&Step { seconds: start.elapsed().as_secs_f64(), loss: report.loss })?;
    }
    Ok(Verdict::Yes)
}

/// One step an epoch, so many epochs that the learning rate stands still.
fn plan(task: &Task) -> String {
    let Task { batch, learning_rate, momentum, weight_decay, .. } = task;
    let head =
        "format = 1\nnetwork = \"bench\"\nstart = \"checkpoint\"\n[[stage]]\nepochs = 1000000\n";
    let rates = format!(
        "batch = {batch}\nlearning_rate = {learning_rate:?}\nmomentum = {momentum:?}\n\
         weight_decay = {weight_decay:?}\n"
    );
    let weights = match task.branches {
        None => "weights = \"float\"\n".to_owned(),
        Some(branches) => format!(
            "weights = \"quantized\"\ntemperature = {{ from = 20.0, to = 200.0 }}\n\
             [quantization]\nothers = \"dbq({branches})\"\ncalibration = {{ samples = {batch} }}\n"
        ),
    };
    format!("{head}{rates}{weights}")
}

/// Number `i` of the noise; the PyTorch side has the same formula.
fn noise(i: u64) -> u64 {
    const MASK: u64 = 0xFFFF_FFFF;
    let v = i.wrapping_mul(2_654_435_761) & MASK;
    let v = ((v ^ (v >> 15)) * 1_540_483_477) & MASK;
    v ^ (v >> 13)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low byte; fewer classes than pictures of a batch"
)]
fn pictures(topology: &Topology, batch: usize) -> Pictures {
    let n = (batch * topology.input.elements()) as u64;
    let pixels = (0..n).map(|i| noise((1 << 40) + i) as u8).collect();
    let labels = (0..batch).map(|i| (i % topology.classes) as u16).collect();
    Pictures { shape: topology.input, pixels, labels }
}

/// Uniform weights of the variance that keeps that of activations behind `max(0, x)`.
fn start(topology: &Topology) -> FloatNetwork {
    let mut parameters = vec![None; topology.layers.len()];
    for dot in topology.dot_layers() {
        let TopologyOperator::Dot { batch_norm, .. } = &dot.layer.operator else { continue };
        let (fan_in, channels) = (dot.fan_in(), dot.output.channels);
        let (first, most) = ((dot.layer_idx as u64) << 24, (6.0 / fan_in as f32).sqrt());
        let weight = |i: u64| ((noise(first + i) >> 8) as f32 / 8_388_608.0 - 1.0) * most;
        let batch_norm = batch_norm.as_ref().map(|norm| BatchNormParameters {
            gamma: vec![1.0; channels],
            beta: vec![0.0; channels],
            mean: vec![0.0; channels],
            variance: vec![1.0; channels],
            epsilon: norm.epsilon,
        });
        let weights = (0..(fan_in * channels) as u64).map(weight).collect();
        let bias = vec![0.0; channels];
        parameters[dot.layer_idx] = Some(LayerParameters { weights, bias, batch_norm });
    }
    FloatNetwork { topology: topology.clone(), parameters }
}

/// Parameters that a float stage trains.
fn parameters(topology: &Topology) -> u64 {
    let of_layer = |layer: &TopologyLayer| {
        let TopologyOperator::Dot { bias, batch_norm, .. } = &layer.operator else { return 0 };
        let sets = match batch_norm {
            Some(_) => 2,
            None => u64::from(*bias != Bias::Absent),
        };
        sets * layer.shape.channels as u64
    };
    topology.weights() + topology.layers.iter().map(of_layer).sum::<u64>()
}
