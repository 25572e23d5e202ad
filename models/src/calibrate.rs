//! Post-training quantization: weights by least squares, ranges from pictures, batch norm if it helps.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use rayon::prelude::*;
use tridot_sim::network::{Accuracy, Provenance, Sign, TensorId};

use crate::Error;
use crate::data::{Pictures, Source};
use crate::float::FloatNetwork;
use crate::random::shuffle;
use crate::scheme::{BatchNormChoice, Plan};
use crate::topology::{Activation, Normalization, Topology, TopologyOperator};

mod batch_norm;
mod formats;
mod histogram;
mod weights;

pub(crate) use formats::moves;
pub use formats::{Format, Kind};
pub use weights::QuantizedWeights;

use formats::Classes;
use histogram::Histogram;

/// Pictures to measure on: training pictures, never test pictures.
#[derive(Debug, Clone, Copy)]
pub struct CalibrationSet<'a> {
    /// Name of the data set, for the network's provenance.
    pub name: &'a str,
    /// To choose from; only the chosen ones are read.
    pub pictures: Source<'a>,
    /// Whether their labels mean something: else nothing can be decided by a loss.
    pub labelled: bool,
}

/// A network whose weights and tensors are integers times scales: what the exporter folds.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizedNetwork {
    /// The topology, the quantized weights as real numbers, and bias and batch norm in float.
    pub float: FloatNetwork,
    /// By layer index: weights as integers and scales; none for layers without.
    pub weights: Vec<Option<QuantizedWeights>>,
    /// By tensor id; none for the raw output of a last dot-product layer without activation.
    pub formats: Vec<Option<Format>>,
    /// How it was quantized.
    pub plan: Plan,
    /// Where it came from; accuracies are not known here.
    pub provenance: Provenance,
}

impl QuantizedNetwork {
    /// The last tensor for each picture in real numbers, every tensor on the way rounded to its codes.
    ///
    /// The integer network differs from it by the rounding of multipliers and biases only.
    pub fn forward(&self, pixels: &[u8]) -> Result<Vec<f32>, Error> {
        let chunks: Vec<&[u8]> = self.float.chunks(pixels)?.collect();
        let run = |chunk| run_quantized(&self.float, &self.formats, chunk);
        let outputs: Vec<Vec<f32>> = chunks.into_par_iter().map(run).collect();
        Ok(outputs.concat())
    }

    /// How many of the pictures have their label as the largest output; the first of equals counts.
    pub fn accuracy(&self, pixels: &[u8], labels: &[u16]) -> Result<Accuracy, Error> {
        self.float.correct(&self.forward(pixels)?, labels)
    }
}

/// Runs whole pictures on this thread with every tensor rounded to its codes.
fn run_quantized(network: &FloatNetwork, formats: &[Option<Format>], pixels: &[u8]) -> Vec<f32> {
    network.run(pixels, &mut |id, values| {
        if let Some(format) = formats[id.0] {
            format.round(values);
        }
    })
}

/// Quantizes a trained network after a plan, on pictures drawn with the seed.
///
/// 1. Ranges: the float network runs on `plan.calibration.samples` pictures; each tensor gets the clip
///    of least squared error. Tensors joined by data movement share one format.
/// 2. Weights: [`crate::dbq::fit`], or symmetric integers of least squared error per output channel.
/// 3. Batch norm: as trained, re-estimated layer by layer behind quantized weights and activations,
///    or half-way, whichever has the lowest cross-entropy on pictures held back from 1. and 3.
pub fn quantize(
    float: &FloatNetwork,
    plan: &Plan,
    set: &CalibrationSet<'_>,
    seed: u64,
) -> Result<QuantizedNetwork, Error> {
    float.check()?;
    let schemes = plan.schemes(&float.topology)?;
    let pictures = Selection::new(float, plan, set, seed)?;
    let formats = measure(float, plan, &pictures.pixels)?.formats;
    let mut quantized = QuantizedNetwork {
        float: float.clone(),
        weights: vec![None; schemes.len()],
        formats,
        plan: plan.clone(),
        provenance: provenance(&float.topology.normalization, plan, set, seed),
    };
    quantized.provenance.calibration_samples = pictures.len(float) as u64;
    for (layer_idx, scheme) in schemes.into_iter().enumerate() {
        let Some(scheme) = scheme else { continue };
        let layer = &float.topology.layers[layer_idx];
        let parameters = quantized.float.parameters[layer_idx]
            .as_mut()
            .expect("a checked network has weights where a scheme is");
        let weights = QuantizedWeights::new(
            &format!("layer `{}`", layer.name),
            &parameters.weights,
            layer.shape.channels,
            scheme,
            plan.alpha,
        )?;
        parameters.weights = weights.real();
        quantized.weights[layer_idx] = Some(weights);
    }
    choose_batch_norm(&mut quantized, &pictures)?;
    Ok(quantized)
}

fn provenance(
    normalization: &Normalization,
    plan: &Plan,
    set: &CalibrationSet<'_>,
    seed: u64,
) -> Provenance {
    Provenance {
        data: Some(set.name.to_owned()),
        seed,
        plan: plan.to_toml(),
        mean: normalization.mean.clone(),
        std: normalization.std.clone(),
        ..Provenance::default()
    }
}

/// The pictures drawn, and those held back.
struct Selection {
    pixels: Vec<u8>,
    /// None where nothing is to be decided, or by nothing.
    held_back: Option<Pictures>,
}

/// The stream of the seeded generator that draws calibration pictures.
const SELECTION_STREAM: u64 = 1;

impl Selection {
    fn new(
        float: &FloatNetwork,
        plan: &Plan,
        set: &CalibrationSet<'_>,
        seed: u64,
    ) -> Result<Self, Error> {
        check_pictures(set, &float.topology)?;
        let total = set.pictures.len();
        let decides = set.labelled
            && plan.calibration.batch_norm == BatchNormChoice::Best
            && batch_norm::is_present(float)
            && 2 <= total;
        let samples = plan.calibration.samples;
        let held_back = if decides { samples.min(total.div_ceil(4)) } else { 0 };
        let mut order: Vec<usize> = (0..total).collect();
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(SELECTION_STREAM);
        shuffle(&mut order, &mut generator);
        let (held, rest) = order.split_at(held_back);
        Ok(Self {
            pixels: set.pictures.pictures(&rest[..samples.min(rest.len())])?.pixels,
            held_back: decides.then(|| set.pictures.pictures(held)).transpose()?,
        })
    }

    fn len(&self, float: &FloatNetwork) -> usize {
        self.pixels.len() / float.topology.input.elements()
    }
}

fn check_pictures(set: &CalibrationSet<'_>, topology: &Topology) -> Result<(), Error> {
    let refused = |what: &str, limit: String, value: String| {
        Err(Error::limit("calibration data", what, limit, value))
    };
    let (shape, labels) = (set.pictures.shape(), set.pictures.labels());
    if shape != topology.input {
        let limit = format!("{}, as the network's input", topology.input);
        return refused("pictures", limit, shape.to_string());
    }
    if labels.is_empty() {
        return refused("the number of pictures", "positive".to_owned(), "0".to_owned());
    }
    if let Source::Memory(pictures) = set.pictures
        && pictures.pixels.len() != labels.len() * shape.elements()
    {
        let limit = format!("{} (one label a picture)", labels.len() * shape.elements());
        return refused("the number of pixel bytes", limit, pictures.pixels.len().to_string());
    }
    let classes = topology.classes;
    match labels.iter().position(|&label| set.labelled && classes <= usize::from(label)) {
        None => Ok(()),
        Some(i) => {
            let limit = format!("below the {classes} classes of the network");
            refused(&format!("the label of picture {i}"), limit, labels[i].to_string())
        }
    }
}

/// The formats of a network's tensors, and which of them are one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TensorFormats {
    /// By tensor id; none for the raw output.
    pub(crate) formats: Vec<Option<Format>>,
    /// By tensor id: the smallest id of the tensors that share its format. That of the input is 0.
    pub(crate) roots: Vec<usize>,
}

/// The format of every tensor, from what the float network does to the pictures.
pub(crate) fn measure(
    float: &FloatNetwork,
    plan: &Plan,
    pixels: &[u8],
) -> Result<TensorFormats, Error> {
    let (input_sign, input_scale) = input_range(&float.topology.normalization);
    let classes = Classes::new(&float.topology, plan.activation_bits, input_sign);
    let raw = raw_output(&float.topology);
    let n = float.topology.layers.len() + 1;
    let counted = |id: TensorId| classes.is_measured(id) && Some(id) != raw;
    let count = |chunk: &&[u8]| {
        let mut histograms = vec![None; n];
        float.run(chunk, &mut |id, values| {
            if counted(id) {
                let mut histogram = Histogram::new();
                histogram.add(values);
                histograms[id.0] = Some(histogram);
            }
        });
        histograms
    };
    let mut total: Vec<Histogram> = vec![Histogram::new(); n];
    // A few chunks at a time: their histograms together would not fit.
    let chunks: Vec<&[u8]> = float.chunks(pixels)?.collect();
    for group in chunks.chunks(CHUNKS_AT_ONCE) {
        let counts: Vec<Vec<Option<Histogram>>> = group.par_iter().map(count).collect();
        for histograms in &counts {
            for (total, histogram) in total.iter_mut().zip(histograms) {
                if let Some(histogram) = histogram {
                    total.merge(histogram);
                }
            }
        }
    }
    for (layer, histogram) in float.topology.layers.iter().zip(&total[1..]) {
        if let Some(value) = histogram.not_finite() {
            let place = format!("layer `{}`", layer.name);
            let what = "every output on calibration pictures";
            return Err(Error::limit(place, what, "finite", value));
        }
    }
    Ok(tensor_formats(&classes, &total, input_scale, raw))
}

fn tensor_formats(
    classes: &Classes,
    histograms: &[Histogram],
    input_scale: f64,
    raw: Option<TensorId>,
) -> TensorFormats {
    let ids = (0..histograms.len()).map(TensorId);
    let formats = classes.formats(histograms, input_scale);
    let formats = ids.clone().zip(formats).map(|(id, format)| (Some(id) != raw).then_some(format));
    TensorFormats { formats: formats.collect(), roots: ids.map(|id| classes.root(id)).collect() }
}

/// Widths, signs and what is shared, with scales that mean nothing except the input's.
pub(crate) fn unmeasured(topology: &Topology, plan: &Plan) -> TensorFormats {
    let (input_sign, input_scale) = input_range(&topology.normalization);
    let classes = Classes::new(topology, plan.activation_bits, input_sign);
    let nothing = vec![Histogram::new(); topology.layers.len() + 1];
    tensor_formats(&classes, &nothing, input_scale, raw_output(topology))
}

/// Chunks of pictures whose histograms are held at once.
const CHUNKS_AT_ONCE: usize = 16;

/// Sign and scale of 8-bit codes that hold every pixel of every channel without a clip.
fn input_range(normalization: &Normalization) -> (Sign, f64) {
    let tables = normalization.tables();
    let (low, high) = tables
        .iter()
        .flatten()
        .fold((0.0_f64, 0.0_f64), |(low, high), &x| (low.min(x), high.max(x)));
    let (sign, scale) = if low < 0.0 {
        (Sign::Signed, (high / 127.0).max(-low / 128.0))
    } else {
        (Sign::Unsigned, high / 255.0)
    };
    (sign, if scale == 0.0 { 1.0 } else { scale })
}

/// The output, if its layer puts out y itself.
fn raw_output(topology: &Topology) -> Option<TensorId> {
    let last = topology.layers.last()?;
    let raw =
        matches!(last.operator, TopologyOperator::Dot { activation: Activation::Identity, .. });
    raw.then_some(TensorId(topology.layers.len()))
}

/// How far batch norm moves from its trained statistics towards the measured ones.
const CANDIDATES: [(f64, &str); 3] =
    [(0.0, "as trained"), (0.5, "half-way re-estimated"), (1.0, "re-estimated")];

/// Sets the batch norm of the plan's choice of a network that is quantized already, on pictures drawn
/// with the seed and changed by `as_trained` as those of the training were, and records where it came from.
pub(crate) fn finish_trained(
    quantized: &mut QuantizedNetwork,
    set: &CalibrationSet<'_>,
    seed: u64,
    as_trained: impl FnOnce(Vec<u8>) -> Vec<u8>,
) -> Result<(), Error> {
    let mut pictures = Selection::new(&quantized.float, &quantized.plan, set, seed)?;
    pictures.pixels = as_trained(pictures.pixels);
    let normalization = &quantized.float.topology.normalization;
    quantized.provenance = provenance(normalization, &quantized.plan, set, seed);
    quantized.provenance.calibration_samples = pictures.len(&quantized.float) as u64;
    choose_batch_norm(quantized, &pictures)
}

/// Sets the batch norm of the plan's choice and records it with the losses that decided.
fn choose_batch_norm(quantized: &mut QuantizedNetwork, pictures: &Selection) -> Result<(), Error> {
    let float = &quantized.float;
    let used = pictures.len(float).min(batch_norm::most_pictures(float));
    let pixels = &pictures.pixels[..used * float.topology.input.elements()];
    let moved = |share: f64| match share {
        0.0 => Ok(float.clone()),
        _ => batch_norm::re_estimated(float, &quantized.formats, pixels, share),
    };
    let (network, text) = match (quantized.plan.calibration.batch_norm, &pictures.held_back) {
        _ if !batch_norm::is_present(float) => (moved(0.0)?, "the network has none".to_owned()),
        (BatchNormChoice::AsTrained, _) => (moved(0.0)?, "as trained, as planned".to_owned()),
        (BatchNormChoice::Best, None) => {
            let text = "as trained: without labelled pictures nothing decides for another";
            (moved(0.0)?, text.to_owned())
        }
        (BatchNormChoice::ReEstimated, _) => {
            (moved(1.0)?, format!("re-estimated on {used} pictures, as planned"))
        }
        (BatchNormChoice::Best, Some(held)) => {
            let mut best: Option<(f64, &str, FloatNetwork)> = None;
            let mut losses = Vec::new();
            for (share, name) in CANDIDATES {
                let network = moved(share)?;
                let loss =
                    batch_norm::loss(&network, &quantized.formats, &held.pixels, &held.labels)?;
                losses.push(format!("{name} {loss:.4}"));
                if best.as_ref().is_none_or(|best| loss < best.0) {
                    best = Some((loss, name, network));
                }
            }
            let (_, name, network) = best.expect("there are candidates");
            let text = format!(
                "{name}; re-estimated on {used} pictures; loss on {} held-back pictures: {}",
                held.len(),
                losses.join(", ")
            );
            (network, text)
        }
    };
    quantized.float = network;
    quantized.provenance.batch_norm = text;
    Ok(())
}

#[cfg(test)]
mod tests;
