//! A training between two epochs as a safetensors file.
//!
//! The weights have the names and shapes that [`crate::import`] reads, as PyTorch's: a checkpoint of a
//! float training is a float checkpoint like any other. They are what is scored and kept: the average in a
//! stage that takes one, and then those of the last step lie beside it. What only training needs lies
//! under names that begin with `training/`, and in the metadata key `tridot_training`: a JSON object
//! with the plan, the network file, the data set, the stage and the epoch that come next.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tridot_sim::digest::Digest;
use tridot_sim::network::{Accuracy, Geometry};

use crate::Error;
use crate::calibrate;
use crate::float::{FloatNetwork, LayerParameters};
use crate::import::{Checkpoint, float_network};
use crate::kernels::lanes::InstructionSet;
use crate::layers::{Quantization, WeightQuantizer};
use crate::optim::Sgd;
use crate::scheme::Plan;
use crate::topology::{DotLayer, Topology, TopologyLayer, TopologyOperator};
use crate::train::{
    Averaged, Kind, Model, Origin, Position, Stage, Teacher, Texts, Trainer, TrainingPlan,
    statistics, statistics_mut,
};

/// The version of the metadata.
pub const FORMAT: u32 = 1;
/// The metadata key that marks a training's checkpoint.
pub(crate) const KEY: &str = "tridot_training";
/// The metadata key of the digest of everything else; checkpoints of before it was kept have none.
pub(crate) const DIGEST_KEY: &str = "tridot_training_digest";
/// What the names of tensors begin with that are no weights of the float network.
pub(crate) const PREFIX: &str = "training/";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    format: u32,
    plan: String,
    network: String,
    data: String,
    stage: usize,
    epoch: usize,
    float_accuracy: Option<Accuracy>,
    /// What the kernels that trained were compiled for: sums may depend on it.
    instruction_set: String,
    /// Digests of the file of float weights and of the labels that it began with; of trainings of before they were
    /// kept there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    labels: Option<String>,
}

impl Metadata {
    fn origin(&self) -> Result<Origin, Error> {
        let digest = |text: &Option<String>| {
            let digest = text.as_ref().map(|text| text.parse::<Digest>()).transpose();
            digest.map_err(|limit| Error::limit("checkpoint", "a digest", limit, "another text"))
        };
        // As long as a name may be; a text that is none stays one that differs.
        let instruction_set = Some(self.instruction_set.chars().take(40).collect());
        Ok(Origin { from: digest(&self.from)?, labels: digest(&self.labels)?, instruction_set })
    }
}

/// Refuses names of layers that a checkpoint keeps for itself.
pub(crate) fn check_names(topology: &Topology) -> Result<(), Error> {
    let names = topology.layers.iter().map(|layer| &layer.name);
    match names.into_iter().find(|name| name.starts_with(PREFIX)) {
        None => Ok(()),
        Some(name) => {
            let reason = format!("its name must not begin with `{PREFIX}`, which checkpoints use");
            Err(Error::malformed(format!("layer `{name}`"), reason))
        }
    }
}

impl Checkpoint {
    /// What must be said where the weights of a training's checkpoint are taken for trained float weights: that it
    /// is not finished, or that quantizers stand before its weights.
    pub fn remark(&self) -> Option<String> {
        let training = self.training.as_ref()?;
        let metadata: Metadata = serde_json::from_str(&training.metadata).ok()?;
        if training.tensors.contains_key("clips") {
            return Some(
                "its weights were trained behind quantizers: they are not a float training's"
                    .to_owned(),
            );
        }
        let plan = TrainingPlan::from_toml(&metadata.plan).ok()?;
        let stage = plan.stages.get(metadata.stage)?;
        let (at, epoch, epochs) = (metadata.stage + 1, metadata.epoch, stage.epochs);
        Some(format!(
            "its training is not finished: {epoch} of {epochs} epochs of stage {at} are done"
        ))
    }
}

/// A named tensor to write.
struct Tensor {
    name: String,
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Tensor {
    fn flat(name: String, values: &[f32]) -> Self {
        Self { name, shape: vec![values.len()], values: values.to_vec() }
    }
}

impl Trainer {
    /// Everything that is to know between two epochs. The same training gives the same bytes.
    pub fn to_bytes(&mut self) -> Vec<u8> {
        let metadata = Metadata {
            format: FORMAT,
            plan: self.texts.plan.clone(),
            network: self.texts.network.clone(),
            data: self.data.clone(),
            stage: self.position.stage,
            epoch: self.position.epoch,
            float_accuracy: self.float_accuracy,
            instruction_set: InstructionSet::best().name().to_owned(),
            from: self.origin.from.map(|digest| digest.to_string()),
            labels: self.origin.labels.map(|digest| digest.to_string()),
        };
        let mut tensors = Vec::new();
        let kept = self.averaged.as_mut().map_or(&mut self.model, |averaged| &mut averaged.model);
        for dot in kept.float.topology.dot_layers() {
            let parameters = kept.float.parameters[dot.layer_idx].as_ref();
            let parameters = parameters.expect("a checked network has weights here");
            push_parameters(&mut tensors, &dot, parameters, kept.trains_bias(dot.layer_idx));
        }
        if let Some(quantization) = &mut kept.quantization {
            push_quantization(&mut tensors, quantization, &kept.float.topology);
        }
        let names: Vec<String> = self.model.slots().into_iter().map(|slot| slot.name).collect();
        for (name, velocity) in names.iter().zip(&self.sgd.velocities) {
            tensors.push(Tensor::flat(format!("{PREFIX}velocity/{name}"), velocity));
        }
        if let Some(teacher) = &self.teacher {
            push_teacher(&mut tensors, teacher, &self.model.float.topology);
        }
        if self.averaged.is_some() {
            push_live(&mut tensors, &mut self.model);
        }
        let metadata = serde_json::to_string(&metadata).expect("strings and numbers are JSON");
        written(&metadata, tensors)
    }

    /// Goes on from what [`Self::to_bytes`] gave.
    pub fn resume(bytes: &[u8]) -> Result<Self, Error> {
        let mut checkpoint = Checkpoint::read(bytes)?;
        let Some(training) = checkpoint.training.take() else {
            let reason = "is no checkpoint of a training: it holds weights alone";
            return Err(Error::malformed("checkpoint", reason));
        };
        let metadata: Metadata = serde_json::from_str(&training.metadata)
            .map_err(|error| Error::malformed(format!("checkpoint: {KEY}"), error.to_string()))?;
        if metadata.format != FORMAT {
            let (limit, value) = (FORMAT.to_string(), metadata.format);
            return Err(Error::limit("checkpoint", "the format of its training", limit, value));
        }
        let origin = metadata.origin()?;
        let texts = Texts { plan: metadata.plan, network: metadata.network };
        let (plan, topology) = texts.read()?;
        let position = Position { stage: metadata.stage, epoch: metadata.epoch };
        let most = plan.stages.get(position.stage).map_or(1, |stage| stage.epochs);
        if plan.stages.len() < position.stage || most <= position.epoch {
            let value = format!("stage {}, epoch {}", position.stage, position.epoch);
            return Err(Error::limit("checkpoint", "its position", "within its plan", value));
        }
        let mut rest = Rest(training.tensors);
        let float = float_network(&checkpoint, topology)?;
        let mut model = Model { float, quantization: None };
        if let Some(clips) = rest.0.remove("clips") {
            model.quantization =
                Some(rest.quantization(plan.quantization.as_ref(), &model, clips)?);
        }
        let quantized = model.quantization.is_some();
        let teaches = plan.stages.iter().any(|stage| stage.distillation.is_some());
        let teacher = (quantized && teaches).then(|| rest.teacher(&model)).transpose()?;
        check_begun(&plan, position, quantized)?;
        let averages = plan.stages.get(position.stage).is_some_and(|stage| stage.average.is_some());
        let mut averaged = None;
        if averages && 0 < position.epoch {
            let live = rest.live(&model)?;
            averaged = Some(Averaged { model: std::mem::replace(&mut model, live) });
        }
        let sgd = rest.velocities(&mut model)?;
        rest.finish()?;
        let accuracy = metadata.float_accuracy;
        let mut trainer = Self::at(plan, texts, metadata.data, model, sgd, position, accuracy);
        (trainer.teacher, trainer.averaged, trainer.origin) = (teacher, averaged, origin);
        Ok(trainer)
    }
}

/// Refuses a position that quantizers do not fit: they are set when the first quantized stage begins.
fn check_begun(plan: &TrainingPlan, position: Position, quantized: bool) -> Result<(), Error> {
    let is_quantized = |stage: &Stage| stage.weights == Kind::Quantized;
    let first = plan.stages.iter().position(is_quantized);
    let begun = first.is_some_and(|stage| Position { stage, epoch: 0 } < position);
    if begun == quantized {
        return Ok(());
    }
    let reason = if begun {
        "has no clips, but its position is in or behind a quantized stage"
    } else {
        "has clips, but its position is before every quantized stage"
    };
    Err(Error::malformed("checkpoint", reason))
}

/// The weights in PyTorch's order, and what is around them.
fn push_parameters(
    tensors: &mut Vec<Tensor>,
    dot: &DotLayer<'_>,
    parameters: &LayerParameters,
    has_bias: bool,
) {
    let TopologyOperator::Dot { batch_norm, .. } = &dot.layer.operator else {
        unreachable!("dot_layers gives no others")
    };
    let (taps, channels, [height, width]) = match dot.geometry {
        Geometry::Convolution { window, .. } => {
            (window.taps(), dot.input.channels, [window.kernel_height, window.kernel_width])
        }
        Geometry::Depthwise { window, .. } => {
            (window.taps(), 1, [window.kernel_height, window.kernel_width])
        }
        Geometry::Linear => {
            (dot.input.pixels(), dot.input.channels, [dot.input.height, dot.input.width])
        }
    };
    let filters = parameters.weights.chunks_exact(taps * channels);
    let values = filters
        .flat_map(|filter| (0..channels).flat_map(move |c| filter.iter().skip(c).step_by(channels)))
        .copied()
        .collect();
    let shape = if dot.geometry == Geometry::Linear {
        vec![dot.output.channels, taps * channels]
    } else {
        vec![dot.output.channels, channels, height, width]
    };
    let name = &dot.layer.name;
    tensors.push(Tensor { name: format!("{name}.weight"), shape, values });
    if has_bias || parameters.bias.iter().any(|&bias| bias != 0.0) {
        tensors.push(Tensor::flat(format!("{name}.bias"), &parameters.bias));
    }
    if let (Some(names), Some(norm)) = (batch_norm, &parameters.batch_norm) {
        let name = &names.name;
        tensors.push(Tensor::flat(format!("{name}.weight"), &norm.gamma));
        tensors.push(Tensor::flat(format!("{name}.bias"), &norm.beta));
        tensors.push(Tensor::flat(format!("{name}.running_mean"), &norm.mean));
        tensors.push(Tensor::flat(format!("{name}.running_var"), &norm.variance));
    }
}

fn push_quantization(
    tensors: &mut Vec<Tensor>,
    quantization: &mut Quantization,
    topology: &Topology,
) {
    tensors.push(Tensor::flat(format!("{PREFIX}clips"), &quantization.tensors.clips));
    for (quantizer, layer) in quantization.weights.iter_mut().zip(&topology.layers) {
        if let Some((scales, weight_scale)) = quantizer.as_mut().and_then(WeightQuantizer::state) {
            let name = format!("{PREFIX}alpha/{}", layer.name);
            tensors.push(Tensor::flat(name, scales));
            let name = format!("{PREFIX}weight_scale/{}", layer.name);
            tensors.push(Tensor::flat(name, &[*weight_scale]));
        }
    }
}

fn push_teacher(tensors: &mut Vec<Tensor>, teacher: &Teacher, topology: &Topology) {
    for (parameters, layer) in teacher.parameters().iter().zip(&topology.layers) {
        let Some(LayerParameters { weights, bias, .. }) = parameters else { continue };
        tensors.push(Tensor::flat(format!("{PREFIX}teacher/{}.weight", layer.name), weights));
        tensors.push(Tensor::flat(format!("{PREFIX}teacher/{}.bias", layer.name), bias));
    }
}

/// The parameters of the last step, where the average is kept.
fn push_live(tensors: &mut Vec<Tensor>, model: &mut Model) {
    for slot in model.slots() {
        tensors.push(Tensor::flat(format!("{PREFIX}live/{}", slot.name), slot.values));
    }
    let FloatNetwork { topology, parameters } = &model.float;
    for (parameters, layer) in parameters.iter().zip(&topology.layers) {
        let Some(parameters) = parameters else { continue };
        for (name, values) in STATISTICS.iter().zip(statistics(parameters)) {
            tensors.push(Tensor::flat(format!("{PREFIX}live/{}.{name}", layer.name), values));
        }
    }
}

/// Of batch norm, in the order of [`statistics`].
const STATISTICS: [&str; 2] = ["mean", "variance"];

/// Tensors that are no weights, by name without the prefix; each is taken once.
struct Rest(BTreeMap<String, Vec<f32>>);

impl Rest {
    fn take(&mut self, name: &str, length: usize) -> Result<Vec<f32>, Error> {
        let place = || format!("tensor `{PREFIX}{name}`");
        let Some(values) = self.0.remove(name) else {
            return Err(Error::malformed(place(), "is missing"));
        };
        if values.len() != length {
            let what = "the number of values";
            return Err(Error::limit(place(), what, length.to_string(), values.len()));
        }
        Ok(values)
    }

    fn quantization(
        &mut self,
        plan: Option<&Plan>,
        model: &Model,
        clips: Vec<f32>,
    ) -> Result<Quantization, Error> {
        let Some(plan) = plan else {
            let reason = "has clips, but its plan has no table [quantization]";
            return Err(Error::malformed("checkpoint", reason));
        };
        let topology = &model.float.topology;
        let formats = calibrate::unmeasured(topology, plan);
        let mut quantization = Quantization::unmeasured(topology, plan, formats)?;
        let wanted = quantization.tensors.clips.len();
        let good = |&clip: &f32| 0.0 < clip;
        if clips.len() != wanted || !clips.iter().all(good) {
            let limit = format!("{wanted} positive numbers");
            let value = format!("{} numbers", clips.len());
            return Err(Error::limit("checkpoint", "its clips", limit, value));
        }
        quantization.tensors.clips = clips;
        for (quantizer, layer) in quantization.weights.iter_mut().zip(&topology.layers) {
            if let Some((scales, weight_scale)) =
                quantizer.as_mut().and_then(WeightQuantizer::state)
            {
                *scales = self.take(&format!("alpha/{}", layer.name), scales.len())?;
                *weight_scale = self.take(&format!("weight_scale/{}", layer.name), 1)?[0];
            }
        }
        Ok(quantization)
    }

    /// The teacher of a network with as many weights.
    fn teacher(&mut self, model: &Model) -> Result<Teacher, Error> {
        let FloatNetwork { topology, parameters } = &model.float;
        let layer = |(layer, parameters): (&TopologyLayer, &Option<LayerParameters>)| {
            let Some(parameters) = parameters else { return Ok(None) };
            let mut take =
                |of: &str, length| self.take(&format!("teacher/{}.{of}", layer.name), length);
            let weights = take("weight", parameters.weights.len())?;
            let bias = take("bias", parameters.bias.len())?;
            Ok(Some(LayerParameters { weights, bias, batch_norm: None }))
        };
        let layers = topology.layers.iter().zip(parameters).map(layer);
        Ok(Teacher::with_parameters(topology, layers.collect::<Result<_, Error>>()?))
    }

    /// The model of the last step, of which this is the average.
    fn live(&mut self, average: &Model) -> Result<Model, Error> {
        let mut live = average.clone();
        for slot in live.slots() {
            let values = self.take(&format!("live/{}", slot.name), slot.values.len())?;
            slot.values.copy_from_slice(&values);
        }
        live.check_finite()?;
        let FloatNetwork { topology, parameters } = &mut live.float;
        for (parameters, layer) in parameters.iter_mut().zip(&topology.layers) {
            let Some(parameters) = parameters else { continue };
            for (name, values) in STATISTICS.iter().zip(statistics_mut(parameters)) {
                let name = format!("live/{}.{name}", layer.name);
                values.copy_from_slice(&self.take(&name, values.len())?);
            }
        }
        live.float.check()?;
        Ok(live)
    }

    /// None before the first epoch.
    fn velocities(&mut self, model: &mut Model) -> Result<Sgd, Error> {
        if self.0.is_empty() {
            return Ok(Sgd::default());
        }
        let velocity = |slot: crate::train::Slot<'_>| {
            self.take(&format!("velocity/{}", slot.name), slot.values.len())
        };
        Ok(Sgd { velocities: model.slots().into_iter().map(velocity).collect::<Result<_, _>>()? })
    }

    fn finish(self) -> Result<(), Error> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(Error::malformed(format!("tensor `{PREFIX}{name}`"), "is left over")),
        }
    }
}

/// A safetensors file: eight bytes of header length, a JSON header, then the tensors end to end.
fn written(metadata: &str, mut tensors: Vec<Tensor>) -> Vec<u8> {
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    let quoted = |text: &str| serde_json::to_string(text).expect("a string is JSON");
    let values = tensors.iter().flat_map(|tensor| &tensor.values);
    let data: Vec<u8> = values.flat_map(|value| value.to_le_bytes()).collect();
    let named = tensors.iter().map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice()));
    let digest = digest(metadata, named, &data);
    let mut header = format!(
        "{{\"__metadata__\":{{\"{KEY}\":{},\"{DIGEST_KEY}\":\"{digest}\"}}",
        quoted(metadata)
    );
    let mut end = 0;
    for Tensor { name, shape, values } in &tensors {
        let begin = end;
        end += 4 * values.len();
        let entry = format!(
            "{}:{{\"dtype\":\"F32\",\"shape\":{shape:?},\"data_offsets\":[{begin},{end}]}}",
            quoted(name)
        );
        header.push(',');
        header.push_str(&entry);
    }
    header.push('}');
    // The data begin at a multiple of 8 bytes.
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(&data);
    bytes
}

/// The digest of a checkpoint: of its metadata, of the names and shapes of its tensors as they lie, of their data.
pub(crate) fn digest<'a>(
    metadata: &str,
    tensors: impl Iterator<Item = (&'a str, &'a [usize])>,
    data: &[u8],
) -> Digest {
    let named: Vec<String> = tensors.map(|(name, shape)| format!("{name:?}{shape:?}")).collect();
    let named = named.iter().map(String::as_bytes);
    Digest::of_parts(std::iter::once(metadata.as_bytes()).chain(named).chain([data]))
}
