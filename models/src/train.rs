//! Training: float networks, and quantized ones with soft weights whose temperature rises.
//!
//! A [`Trainer`] runs one epoch after the other; between two of them [`Trainer::to_bytes`] is all there
//! is to know, and [`Trainer::resume`] goes on from it bit for bit. What is random depends on the seed,
//! the epoch and the picture alone; sums have an order that sizes decide. So neither an interruption
//! nor the number of threads changes a result.

use tridot_sim::network::Accuracy;

use crate::Error;
use crate::calibrate::{self, CalibrationSet, QuantizedNetwork};
use crate::checkpoint;
use crate::data::{PICTURES_AT_ONCE, Pictures, Source};
use crate::float::{BatchNormParameters, FloatNetwork, LayerParameters};
use crate::layers::Quantization;
use crate::optim::{Rates, Sgd};
use crate::topology::{Topology, TopologyOperator};

mod augment;
mod average;
mod backward;
mod batches;
mod branches;
mod forward;
mod loss;
mod model;
mod origin;
mod plan;
mod schedule;
mod teacher;

use schedule::{Now, Schedule};

pub(crate) use average::{Averaged, statistics, statistics_mut};
pub use branches::LayerBranches;
pub(crate) use forward::{Normal, Tape, normal_of, tail_of};
pub(crate) use model::{Group, Model, Slot};
pub(crate) use origin::Origin;
pub use plan::{
    Augmentation, Average, Distillation, Growth, Kind, RateFactors, ResizedCrop, Stage, Start,
    Synthetic, Temperature, TrainingPlan,
};
pub(crate) use teacher::Teacher;

/// Pictures to train on, and pictures to score with.
#[derive(Debug, Clone, Copy)]
pub struct TrainingData<'a> {
    /// Name of the data set.
    pub name: &'a str,
    /// Labels are below it.
    pub classes: usize,
    /// To train on.
    pub training: Source<'a>,
    /// Never trained on.
    pub test: Source<'a>,
}

/// A step that was done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReport {
    /// Its index in the epoch.
    pub step: usize,
    /// Mean loss of its batch, before the step: the cross-entropy, or what distillation makes of it.
    pub loss: f64,
}

/// An epoch that was done.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochReport {
    /// Index of its stage.
    pub stage: usize,
    /// Its index in the stage.
    pub epoch: usize,
    /// Steps it took.
    pub steps: usize,
    /// Mean over its batches, as of a step.
    pub loss: f64,
    /// Of its batches, as they were trained: with soft weights in a quantized stage.
    pub training: Accuracy,
    /// Of the held-back pictures after it, with hard weights in a quantized stage; none where none are.
    pub held_back: Option<Accuracy>,
    /// Of its last step.
    pub learning_rate: f64,
    /// Of its last step; none in a float stage.
    pub temperature: Option<f64>,
    /// Of what is kept after it; none in a float stage.
    pub branches: Vec<LayerBranches>,
}

/// A training between two epochs.
#[derive(Debug)]
pub struct Trainer {
    pub(crate) plan: TrainingPlan,
    /// The plan's and the network's files.
    pub(crate) texts: Texts,
    pub(crate) data: String,
    pub(crate) origin: Origin,
    pub(crate) model: Model,
    pub(crate) sgd: Sgd,
    /// The stage and the epoch that come next.
    pub(crate) position: Position,
    /// On the test pictures, of the float network that the first quantized stage began with.
    pub(crate) float_accuracy: Option<Accuracy>,
    /// The float network that the first quantized stage began with; none where no stage asks it.
    pub(crate) teacher: Option<Teacher>,
    /// Of a stage that averages: what is scored and kept.
    pub(crate) averaged: Option<Averaged>,
    tape: Tape,
}

/// The files that a training was asked for with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// The training plan.
    pub plan: String,
    /// The network file.
    pub network: String,
}

/// An epoch of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Index of the stage.
    pub stage: usize,
    /// Index of the epoch in it.
    pub epoch: usize,
}

impl Trainer {
    /// Before the first epoch, with the weights that the plan starts from.
    pub fn new(
        texts: Texts,
        from: Option<FloatNetwork>,
        data: &TrainingData<'_>,
    ) -> Result<Self, Error> {
        let (plan, topology) = texts.read()?;
        let float = match (plan.start, from) {
            (Start::Scratch, None) => random_network(topology, plan.seed),
            (Start::Checkpoint, Some(float)) => FloatNetwork { topology, ..float },
            (Start::Scratch, Some(_)) => {
                let reason = "starts from scratch, so there is no checkpoint to start from";
                return Err(Error::malformed("training plan", reason));
            }
            (Start::Checkpoint, None) => {
                let reason = "starts from a checkpoint, and none is given";
                return Err(Error::malformed("training plan", reason));
            }
        };
        float.check()?;
        let model = Model { float, quantization: None };
        let position = Position { stage: 0, epoch: 0 };
        let (data_name, sgd) = (data.name.to_owned(), Sgd::default());
        let mut trainer = Self::at(plan, texts, data_name, model, sgd, position, None);
        trainer.check_data(data)?;
        trainer.origin = Origin::of(data);
        Ok(trainer)
    }

    pub(crate) fn at(
        plan: TrainingPlan,
        texts: Texts,
        data: String,
        model: Model,
        sgd: Sgd,
        position: Position,
        float_accuracy: Option<Accuracy>,
    ) -> Self {
        Self {
            plan,
            texts,
            data,
            origin: Origin::default(),
            model,
            sgd,
            position,
            float_accuracy,
            teacher: None,
            averaged: None,
            tape: Tape::default(),
        }
    }

    /// The plan.
    pub fn plan(&self) -> &TrainingPlan {
        &self.plan
    }

    /// The files it was asked for with.
    pub fn texts(&self) -> &Texts {
        &self.texts
    }

    /// The epoch that comes next; none when all are done.
    pub fn next(&self) -> Option<Position> {
        (self.position.stage < self.plan.stages.len()).then_some(self.position)
    }

    /// Steps of each epoch of a stage.
    pub fn steps(&self, stage: usize, data: &TrainingData<'_>) -> usize {
        (data.training.len() - self.plan.held_back) / self.plan.stages[stage].batch
    }

    /// Runs the next epoch. After a refusal, go on from an earlier checkpoint.
    pub fn epoch(
        &mut self,
        data: &TrainingData<'_>,
        on_step: &mut dyn FnMut(StepReport),
    ) -> Result<EpochReport, Error> {
        let Position { stage: stage_idx, epoch } = self.position;
        let stage = self.plan.stages[stage_idx].clone();
        let (held_back, pictures) =
            batches::split(data.training.len(), self.plan.held_back, self.plan.seed);
        if epoch == 0 {
            self.begin(&stage, data, &pictures)?;
        }
        let order = batches::order(&pictures, self.plan.seed, stage_idx, epoch);
        let steps = order.len() / stage.batch;
        let schedule = Schedule { stage: &stage, steps };
        let place = batches::Place { seed: self.plan.seed, stage: stage_idx, epoch };
        let mut report = EpochReport {
            stage: stage_idx,
            epoch,
            steps,
            loss: 0.0,
            training: Accuracy { samples: (steps * stage.batch) as u64, correct: 0 },
            held_back: None,
            learning_rate: 0.0,
            temperature: None,
            branches: Vec::new(),
        };
        let order = &order[..steps * stage.batch];
        let mut step = 0;
        batches::for_each(data.training, order, place, &stage, &mut |batch| {
            let now = schedule.at(epoch, step);
            let done = self.step(&stage, now, batch).map_err(|error| {
                let place =
                    format!("stage {}, epoch {}, step {}", stage_idx + 1, epoch + 1, step + 1);
                Error::malformed(place, error.to_string())
            })?;
            report.loss += done.loss / steps as f64;
            report.training.correct += done.correct;
            report.learning_rate = now.learning_rate;
            report.temperature = stage.temperature.map(|_| now.temperature);
            if let (Some(averaged), Some(how)) = (&mut self.averaged, stage.average) {
                averaged.follow(&mut self.model, how.stays(epoch * steps + step));
            }
            on_step(StepReport { step, loss: done.loss });
            step += 1;
            Ok(())
        })?;
        report.branches = branches::branches(self.kept())?;
        if !held_back.is_empty() {
            report.held_back = Some(self.score(data.training, &held_back)?);
        }
        self.position = if epoch + 1 < stage.epochs {
            Position { stage: stage_idx, epoch: epoch + 1 }
        } else {
            if let Some(Averaged { model }) = self.averaged.take() {
                self.model = model;
            }
            Position { stage: stage_idx + 1, epoch: 0 }
        };
        Ok(report)
    }

    /// Sets the quantizers of a stage and stops all velocities.
    fn begin(
        &mut self,
        stage: &Stage,
        data: &TrainingData<'_>,
        pictures: &[usize],
    ) -> Result<(), Error> {
        if let (Kind::Quantized, Some(plan), None) =
            (stage.weights, &self.plan.quantization, &self.model.quantization)
        {
            let float = &self.model.float;
            let everything: Vec<usize> = (0..data.test.len()).collect();
            let accuracy = |some: &Pictures| float.accuracy(&some.pixels, &some.labels);
            self.float_accuracy = Some(scored(data.test, &everything, accuracy)?);
            let chosen = batches::some(pictures, self.plan.seed, plan.calibration.samples);
            let pictures = data.training.pictures(&chosen)?;
            let teaches = self.plan.stages.iter().any(|stage| stage.distillation.is_some());
            self.teacher = teaches.then(|| Teacher::new(float));
            self.model.quantization = Some(Quantization::new(float, plan, &pictures.pixels)?);
        }
        self.sgd = Sgd::new(&self.model.slots());
        self.averaged = stage.average.map(|_| Averaged::new(&self.model));
        Ok(())
    }

    /// The stage of the last epoch that was done; none before the first.
    fn trained(&self) -> Option<&Stage> {
        let Position { stage, epoch } = self.position;
        let stage_idx = if epoch == 0 { stage.checked_sub(1)? } else { stage };
        self.plan.stages.get(stage_idx)
    }

    fn step(&mut self, stage: &Stage, now: Now, batch: &Pictures) -> Result<loss::Scored, Error> {
        let logits = self.tape.forward(&self.model, &batch.pixels, now.temperature)?;
        let teacher = match (stage.distillation, &mut self.teacher) {
            (Some(how), Some(teacher)) => Some((teacher.logits(&batch.pixels)?, how)),
            _ => None,
        };
        let (labels, smoothing) = (&batch.labels[..], stage.label_smoothing);
        let scored = loss::loss(logits, loss::Targets { labels, smoothing, teacher });
        if !scored.loss.is_finite() {
            return Err(Error::limit("loss", "its value", "finite", scored.loss));
        }
        let temperature = now.gradient_temperature;
        let gradients = self.tape.backward(&self.model, &scored.gradient, temperature)?;
        let gradients = self.model.in_order(gradients);
        let rates = Rates {
            learning_rate: now.learning_rate,
            momentum: stage.momentum,
            weight_decay: stage.weight_decay,
            clip_norm: stage.clip_norm,
            factors: stage.rate_factors,
        };
        let norm = self.sgd.step(&mut self.model.slots(), &gradients, rates);
        if !norm.is_finite() {
            return Err(Error::limit("gradient", "its norm", "finite", norm));
        }
        self.model.check_finite()?;
        self.tape.update_running(&mut self.model);
        Ok(scored)
    }

    /// How many pictures the network of now classifies as labelled; hard if it is quantized.
    fn score(&self, source: Source<'_>, indices: &[usize]) -> Result<Accuracy, Error> {
        let Model { float, quantization } = self.kept();
        match quantization {
            None => scored(source, indices, |some| float.accuracy(&some.pixels, &some.labels)),
            Some(quantization) => {
                let hard = quantization.hard(float)?;
                scored(source, indices, |some| hard.accuracy(&some.pixels, &some.labels))
            }
        }
    }

    /// What is scored and kept: the average in a stage that takes one.
    fn kept(&self) -> &Model {
        self.averaged.as_ref().map_or(&self.model, |averaged| &averaged.model)
    }

    /// The float network as it is now: behind the quantizers, if there are any.
    pub fn float_network(&self) -> &FloatNetwork {
        &self.kept().float
    }

    /// On the test pictures, of the float network that the first quantized stage began with.
    pub fn float_accuracy(&self) -> Option<Accuracy> {
        self.float_accuracy
    }

    /// The quantized network as it is now, with the batch norm that the plan chooses on calibration
    /// pictures drawn with the plan's seed. Refuses a training that has quantized nothing yet.
    pub fn quantized_network(&self, set: &CalibrationSet<'_>) -> Result<QuantizedNetwork, Error> {
        let Model { float, quantization } = self.kept();
        let Some(quantization) = quantization else {
            let reason = "is a float network: quantize it (`tridot quantize`) or train it further";
            return Err(Error::malformed("checkpoint", reason));
        };
        let mut quantized = quantization.hard(float)?;
        // Batch norm has seen changed pictures: what is black around a crop moves its statistics.
        let augmentation = self.trained().map(|stage| stage.augmentation).unwrap_or_default();
        let shape = float.topology.input;
        let as_trained =
            |pixels: Vec<u8>| batches::changed(&pixels, shape, augmentation, self.plan.seed);
        calibrate::finish_trained(&mut quantized, set, self.plan.seed, as_trained)?;
        quantized.provenance.plan.clone_from(&self.texts.plan);
        quantized.provenance.float_accuracy = self.float_accuracy;
        Ok(quantized)
    }
}

/// The accuracy on these pictures, some at a time.
fn scored(
    source: Source<'_>,
    indices: &[usize],
    accuracy: impl Fn(&Pictures) -> Result<Accuracy, Error>,
) -> Result<Accuracy, Error> {
    let mut all = Accuracy { samples: 0, correct: 0 };
    source.batches(indices, PICTURES_AT_ONCE, &mut |some| {
        let of_some = accuracy(some)?;
        all.samples += of_some.samples;
        all.correct += of_some.correct;
        Ok::<(), Error>(())
    })?;
    Ok(all)
}

impl Texts {
    /// The plan, and the network that it fits.
    pub fn read(&self) -> Result<(TrainingPlan, Topology), Error> {
        let plan = TrainingPlan::from_toml(&self.plan)?;
        let topology = Topology::from_toml(&self.network)?;
        checkpoint::check_names(&topology)?;
        plan.check_network(&topology)?;
        Ok((plan, topology))
    }
}

/// Uniform weights of the variance that keeps activations' variance behind `max(0, x)`.
fn random_network(topology: Topology, seed: u64) -> FloatNetwork {
    let mut parameters = vec![None; topology.layers.len()];
    for dot in topology.dot_layers() {
        let TopologyOperator::Dot { batch_norm, .. } = &dot.layer.operator else {
            unreachable!("dot_layers gives no others")
        };
        let (fan_in, channels) = (dot.fan_in(), dot.output.channels);
        let most = (6.0 / fan_in as f32).sqrt();
        let weights = batches::initial_weights(fan_in * channels, seed, dot.layer_idx);
        let batch_norm = batch_norm.as_ref().map(|norm| BatchNormParameters {
            gamma: vec![1.0; channels],
            beta: vec![0.0; channels],
            mean: vec![0.0; channels],
            variance: vec![1.0; channels],
            epsilon: norm.epsilon,
        });
        parameters[dot.layer_idx] = Some(LayerParameters {
            weights: weights.into_iter().map(|weight| weight * most).collect(),
            bias: vec![0.0; channels],
            batch_norm,
        });
    }
    FloatNetwork { topology, parameters }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "small numbers, made here")]
mod gradients;
#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "parameters are f32")]
mod tests;
