//! Everything a network must meet, checked once, in the order of the graph.

use std::collections::BTreeSet;

use super::{
    Description, Dot, DotOutput, Geometry, Input, Layer, Operator, Pads, Provenance, Requantize,
    Shape, Sign, TensorType, Weights, Window,
};
use crate::{Error, limits};

type Check = Result<(), Error>;

/// Refuses the first thing that is wrong.
pub(super) fn check(network: &Description) -> Check {
    name("network", &network.name)?;
    range("network", "scale_bits", network.scale_bits, limits::SCALE_BITS)?;
    input(&network.input)?;
    provenance(&network.provenance)?;
    range("network", "the number of layers", network.layers.len(), 1..=limits::MAX_LAYERS)?;
    let mut names = BTreeSet::new();
    let mut elements = network.input.tensor.shape.elements();
    let (mut inputs, mut weight_bytes) = (0, 0);
    for (layer_idx, layer) in network.layers.iter().enumerate() {
        name("layer name", &layer.name)?;
        if !names.insert(layer.name.as_str()) {
            return Err(Error::malformed(place(layer), "two layers have this name"));
        }
        references(layer, layer_idx)?;
        self::layer(network, layer, layer_idx)?;
        let at_most = |what: &str, value: usize, limit: usize| {
            let limit = format!("at most {limit}");
            Err(Error::limit(place(layer), format!("{what} so far"), limit, value))
        };
        elements += layer.output.shape.elements();
        if limits::MAX_NETWORK_ELEMENTS < elements {
            return at_most("the elements of all tensors", elements, limits::MAX_NETWORK_ELEMENTS);
        }
        inputs += layer.inputs.len();
        if limits::MAX_NETWORK_INPUTS < inputs {
            return at_most("the inputs of all layers", inputs, limits::MAX_NETWORK_INPUTS);
        }
        weight_bytes += layer.dot().map_or(0, stored_bytes);
        if limits::MAX_NETWORK_WEIGHT_BYTES < weight_bytes {
            let limit = limits::MAX_NETWORK_WEIGHT_BYTES;
            return at_most("the bytes of all weights", weight_bytes, limit);
        }
    }
    every_tensor_is_used(network)
}

/// Bytes that a file needs for weights, multipliers and biases, at most.
fn stored_bytes(dot: &Dot) -> usize {
    let weights = match &dot.weights {
        Weights::Dbq { codes, .. } => codes.len(),
        Weights::Fixed { values, .. } => 2 * values.len(),
    };
    weights + 4 * dot.multipliers.len() + 8 * dot.bias.len()
}

/// What a file could not give back: too long, or no number.
fn provenance(provenance: &Provenance) -> Check {
    let place = "provenance";
    let Provenance { data, plan, batch_norm, mean, std, .. } = provenance;
    let bytes = data.as_ref().map_or(0, String::len) + plan.len() + batch_norm.len();
    range(place, "the bytes of its texts", bytes, 0..=limits::MAX_PROVENANCE_BYTES)?;
    for (what, values) in [("mean", mean), ("std", std)] {
        range(place, &format!("the length of {what}"), values.len(), 0..=limits::MAX_CHANNELS)?;
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(Error::limit(place, format!("every {what}"), "finite", value));
        }
    }
    Ok(())
}

fn place(layer: &Layer) -> String {
    format!("layer `{}`", layer.name)
}

fn name(place: &str, name: &str) -> Check {
    range(place, "the length of the name in bytes", name.len(), 1..=limits::MAX_NAME_BYTES)?;
    if name.chars().any(char::is_control) {
        return Err(Error::malformed(place, format!("control character in the name {name:?}")));
    }
    Ok(())
}

fn range<T>(place: &str, what: &str, value: T, limits: std::ops::RangeInclusive<T>) -> Check
where
    T: PartialOrd + std::fmt::Display,
{
    if limits.contains(&value) {
        return Ok(());
    }
    let limit = format!("between {} and {}", limits.start(), limits.end());
    Err(Error::limit(place, what, limit, value))
}

fn input(input: &Input) -> Check {
    let place = "input";
    activation(place, &input.tensor)?;
    if input.tables.len() != input.tensor.shape.channels {
        let limit = format!("{} (one a channel)", input.tensor.shape.channels);
        return Err(Error::limit(place, "the number of tables", limit, input.tables.len()));
    }
    let (low, high) = code_limits(&input.tensor);
    for (channel, table) in input.tables.iter().enumerate() {
        for (pixel, &code) in table.iter().enumerate() {
            let what = format!("the code of pixel value {pixel} in channel {channel}");
            range(place, &what, i64::from(code), low..=high)?;
        }
    }
    Ok(())
}

/// The codes that a tensor's bits can hold.
fn code_limits(tensor: &TensorType) -> (i64, i64) {
    match tensor.sign {
        Sign::Unsigned => (0, (1 << tensor.bits) - 1),
        Sign::Signed => (-(1 << (tensor.bits - 1)), (1 << (tensor.bits - 1)) - 1),
    }
}

fn shape(place: &str, shape: Shape) -> Check {
    range(place, "height", shape.height, 1..=limits::MAX_SIDE)?;
    range(place, "width", shape.width, 1..=limits::MAX_SIDE)?;
    range(place, "channels", shape.channels, 1..=limits::MAX_CHANNELS)?;
    let elements = shape.pixels().saturating_mul(shape.channels);
    range(place, "the number of elements", elements, 1..=limits::MAX_TENSOR_ELEMENTS)
}

fn scale(place: &str, tensor: &TensorType) -> Check {
    if tensor.scale.is_finite() && 0.0 < tensor.scale {
        return Ok(());
    }
    Err(Error::limit(place, "scale", "finite and positive", tensor.scale))
}

fn activation(place: &str, tensor: &TensorType) -> Check {
    shape(place, tensor.shape)?;
    scale(place, tensor)?;
    let least = if tensor.sign == Sign::Signed { 2 } else { 1 };
    range(place, "bits", tensor.bits, least..=limits::MAX_ACTIVATION_BITS)
}

fn references(layer: &Layer, layer_idx: usize) -> Check {
    let place = place(layer);
    let inputs = layer.inputs.len();
    match layer.operator {
        Operator::Add { .. } => range(&place, "the number of inputs", inputs, 2..=2)?,
        Operator::Concat => range(&place, "the number of inputs", inputs, 2..=limits::MAX_LAYERS)?,
        Operator::Dot(_)
        | Operator::Rescale { .. }
        | Operator::AveragePool { .. }
        | Operator::MaxPool { .. }
        | Operator::Split { .. }
        | Operator::Shuffle { .. }
        | Operator::Subsample { .. }
        | Operator::ChannelPad { .. } => range(&place, "the number of inputs", inputs, 1..=1)?,
    }
    for id in &layer.inputs {
        range(&place, "an input (0 is the network's input, i + 1 layer i)", id.0, 0..=layer_idx)?;
    }
    Ok(())
}

fn every_tensor_is_used(network: &Description) -> Check {
    let used: BTreeSet<_> =
        network.layers.iter().flat_map(|layer| &layer.inputs).map(|id| id.0).collect();
    for id in 0..network.layers.len() {
        if !used.contains(&id) {
            let place = if id == 0 { "input".to_owned() } else { place(&network.layers[id - 1]) };
            return Err(Error::malformed(place, "no layer reads its tensor"));
        }
    }
    Ok(())
}

fn layer(network: &Description, layer: &Layer, layer_idx: usize) -> Check {
    let place = place(layer);
    let given = layer.output.shape;
    shape(&place, given)?;
    scale(&place, &layer.output)?;
    let raw = matches!(&layer.operator, Operator::Dot(Dot { output: DotOutput::Raw, .. }));
    if raw {
        if layer_idx + 1 != network.layers.len() {
            return Err(Error::malformed(place, "only the last layer may put out raw values"));
        }
        range(&place, "bits", layer.output.bits, 2..=limits::MAX_Y_BITS)?;
        if layer.output.sign == Sign::Unsigned {
            return Err(Error::malformed(place, "raw values are signed"));
        }
    } else {
        activation(&place, &layer.output)?;
    }
    let wanted = operator(network, layer, &place)?;
    if given != wanted {
        return Err(Error::limit(place, "the output's shape", wanted.to_string(), given));
    }
    Ok(())
}

/// Checks the operator and returns the shape of its output.
fn operator(network: &Description, layer: &Layer, place: &str) -> Result<Shape, Error> {
    let source = network.input_of(layer);
    let input = source.shape;
    match &layer.operator {
        Operator::Dot(dot) => self::dot(network, layer, dot, place),
        Operator::Add { multipliers, requantize } => {
            multipliers.iter().try_for_each(|&m| multiplier(network, place, m))?;
            self::requantize(place, *requantize, &layer.output)?;
            let other = network.tensor(layer.inputs[1]).shape;
            if other != input {
                return Err(Error::limit(
                    place,
                    "the second input's shape",
                    input.to_string(),
                    other,
                ));
            }
            Ok(input)
        }
        Operator::Rescale { multiplier, requantize } => {
            self::multiplier(network, place, *multiplier)?;
            self::requantize(place, *requantize, &layer.output)?;
            Ok(input)
        }
        Operator::AveragePool { window, multiplier, requantize } => {
            self::multiplier(network, place, *multiplier)?;
            self::requantize(place, *requantize, &layer.output)?;
            range(
                place,
                "the taps of the window",
                window.kernel_height.saturating_mul(window.kernel_width),
                1..=1 << 20,
            )?;
            under_window(place, input, *window, Pads::default(), input.channels)
        }
        Operator::MaxPool { window, pads } => {
            unchanged(network, layer, place)?;
            under_window(place, input, *window, *pads, input.channels)
        }
        Operator::Split { .. }
        | Operator::Concat
        | Operator::Shuffle { .. }
        | Operator::Subsample { .. }
        | Operator::ChannelPad { .. } => {
            unchanged(network, layer, place)?;
            moved(network, layer, place)
        }
    }
}

/// The shape after an operator that only moves data.
fn moved(network: &Description, layer: &Layer, place: &str) -> Result<Shape, Error> {
    let input = network.input_of(layer).shape;
    match layer.operator {
        Operator::Split { first, channels } => {
            range(place, "the first channel", first, 0..=input.channels - 1)?;
            range(place, "the channels taken", channels, 1..=input.channels - first)?;
            Ok(Shape { channels, ..input })
        }
        Operator::Concat => {
            let mut channels = 0;
            for &id in &layer.inputs {
                let other = network.tensor(id).shape;
                if (other.height, other.width) != (input.height, input.width) {
                    let limit = format!("{} high and {} wide", input.height, input.width);
                    return Err(Error::limit(place, "every input", limit, other));
                }
                channels += other.channels;
            }
            Ok(Shape { channels, ..input })
        }
        Operator::Shuffle { groups } => {
            range(place, "groups", groups, 1..=input.channels)?;
            if !input.channels.is_multiple_of(groups) {
                let limit = format!("a divisor of the {} channels", input.channels);
                return Err(Error::limit(place, "groups", limit, groups));
            }
            Ok(input)
        }
        Operator::Subsample { stride_height, stride_width } => {
            range(place, "stride_height", stride_height, 1..=limits::MAX_STRIDE)?;
            range(place, "stride_width", stride_width, 1..=limits::MAX_STRIDE)?;
            let (height, width) =
                (input.height.div_ceil(stride_height), input.width.div_ceil(stride_width));
            Ok(Shape { height, width, ..input })
        }
        Operator::ChannelPad { before, after } => {
            let most = limits::MAX_CHANNELS;
            range(place, "channels before", before, 0..=most)?;
            range(place, "channels after", after, 0..=most)?;
            Ok(Shape { channels: before + input.channels + after, ..input })
        }
        Operator::Dot(_)
        | Operator::Add { .. }
        | Operator::Rescale { .. }
        | Operator::AveragePool { .. }
        | Operator::MaxPool { .. } => unreachable!("not an operator that moves data"),
    }
}

/// Moves change no code: bits, sign and scale of all inputs and of the output are one.
fn unchanged(network: &Description, layer: &Layer, place: &str) -> Check {
    for &id in &layer.inputs {
        let input = network.tensor(id);
        let output = &layer.output;
        if (input.bits, input.sign) != (output.bits, output.sign)
            || input.scale.to_bits() != output.scale.to_bits()
        {
            let wanted = format!("{}-bit {:?} of scale {}", output.bits, output.sign, output.scale);
            let found = format!("{}-bit {:?} of scale {}", input.bits, input.sign, input.scale);
            return Err(Error::limit(
                place,
                "an input, like the output,",
                wanted.to_lowercase(),
                found.to_lowercase(),
            ));
        }
    }
    Ok(())
}

fn multiplier(network: &Description, place: &str, multiplier: i32) -> Check {
    let most = 1 << (network.scale_bits - 1);
    range(
        place,
        &format!("a multiplier of {} bits", network.scale_bits),
        multiplier,
        -most..=most - 1,
    )
}

fn requantize(place: &str, requantize: Requantize, output: &TensorType) -> Check {
    range(place, "shift", requantize.shift, limits::SHIFT)?;
    let (low, high) = code_limits(output);
    range(place, "low", i64::from(requantize.low), low..=0)?;
    range(place, "high", i64::from(requantize.high), 0..=high)
}

/// The shape of what a window reads off an input.
fn under_window(
    place: &str,
    input: Shape,
    window: Window,
    pads: Pads,
    channels: usize,
) -> Result<Shape, Error> {
    let side =
        |what: &str, kernel: usize, stride: usize, before: usize, after: usize, size: usize| {
            range(place, &format!("kernel {what}"), kernel, 1..=limits::MAX_KERNEL_SIDE)?;
            range(place, &format!("stride in {what}"), stride, 1..=limits::MAX_STRIDE)?;
            range(place, &format!("each pad in {what}"), before.max(after), 0..=kernel - 1)?;
            let padded = before + size + after;
            range(
                place,
                &format!("kernel {what}, which must fit the padded picture,"),
                kernel,
                1..=padded,
            )?;
            Ok::<_, Error>((padded - kernel) / stride + 1)
        };
    let height = side(
        "height",
        window.kernel_height,
        window.stride_height,
        pads.top,
        pads.bottom,
        input.height,
    )?;
    let width = side(
        "width",
        window.kernel_width,
        window.stride_width,
        pads.left,
        pads.right,
        input.width,
    )?;
    Ok(Shape { height, width, channels })
}

fn dot(network: &Description, layer: &Layer, dot: &Dot, place: &str) -> Result<Shape, Error> {
    let input = network.input_of(layer).shape;
    let channels = layer.output.shape.channels;
    let wanted = match dot.geometry {
        Geometry::Convolution { window, pads } => {
            under_window(place, input, window, pads, channels)?
        }
        Geometry::Depthwise { window, pads } => {
            under_window(place, input, window, pads, input.channels)?
        }
        Geometry::Linear => Shape::new(1, 1, channels),
    };
    let fan_in = dot.geometry.fan_in(input);
    range(place, "the length of a dot product", fan_in, 1..=limits::MAX_FAN_IN)?;
    range(place, "the number of weights", channels * fan_in, 1..=limits::MAX_LAYER_WEIGHTS)?;
    weights(place, &dot.weights)?;
    let equal = |what: &str, wanted: usize, got: usize| {
        if wanted == got { Ok(()) } else { Err(Error::limit(place, what, wanted.to_string(), got)) }
    };
    equal("the number of weights", channels * fan_in, dot.weights.len())?;
    equal(
        "the number of multipliers",
        channels * dot.weights.multipliers_per_channel(),
        dot.multipliers.len(),
    )?;
    equal("the number of biases", channels, dot.bias.len())?;
    dot.multipliers.iter().try_for_each(|&m| multiplier(network, place, m))?;
    let most = 1_i64 << (limits::MAX_Y_BITS - 1);
    dot.bias.iter().try_for_each(|&bias| range(place, "bias", bias, -most..=most - 1))?;
    if let DotOutput::Requantize(requantize) = dot.output {
        self::requantize(place, requantize, &layer.output)?;
    }
    Ok(wanted)
}

fn weights(place: &str, weights: &Weights) -> Check {
    match weights {
        Weights::Dbq { branches, codes } => {
            range(place, "branches", *branches, 1..=limits::MAX_BRANCHES)?;
            let most = 3_u32.pow(*branches) - 1;
            match codes.iter().position(|&code| most < u32::from(code)) {
                None => Ok(()),
                Some(k) => {
                    range(place, &format!("the code of weight {k}"), codes[k].into(), 0..=most)
                }
            }
        }
        Weights::Fixed { bits, values } => {
            range(place, "bits of the weights", *bits, limits::FIXED_BITS)?;
            let most = (1_i32 << (bits - 1)) - 1;
            match values.iter().position(|&value| !(-most..=most).contains(&value.into())) {
                None => Ok(()),
                Some(k) => range(place, &format!("weight {k}"), values[k].into(), -most..=most),
            }
        }
    }
}
