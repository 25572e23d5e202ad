//! One layer of a network file → operator and shape.

use std::ops::Range;

use toml::Spanned;
use tridot_sim::limits;
use tridot_sim::network::{Geometry, Pads, Shape, Window};

use super::expand::Scope;
use super::raw::{BatchNormForm, Op, Padding, Pair, RawLayer, Size};
use super::{Activation, BatchNorm, Bias, TopologyOperator, window};
use crate::Error;

type Resolved = Result<(TopologyOperator, Shape), Error>;

/// The operator and the shape that it makes.
pub(super) fn resolve(raw: &RawLayer, scope: &mut Scope<'_>, norm: Option<BatchNorm>) -> Resolved {
    only_its_keys(raw, scope)?;
    number_of_inputs(raw.op, scope)?;
    match raw.op {
        Op::Convolution => convolution(raw, scope, norm),
        Op::Depthwise => depthwise(raw, scope, norm),
        Op::Linear => linear(raw, scope, norm),
        Op::Add => add(raw, scope),
        Op::AveragePool => average_pool(raw, scope),
        Op::GlobalAveragePool => global_average_pool(scope),
        Op::MaxPool => max_pool(raw, scope),
        Op::Split => split(raw, scope),
        Op::Concat => concat(scope),
        Op::Shuffle => shuffle(raw, scope),
        Op::Subsample => subsample(raw, scope),
        Op::ChannelPad => channel_pad(raw, scope),
    }
}

fn convolution(raw: &RawLayer, scope: &mut Scope<'_>, norm: Option<BatchNorm>) -> Resolved {
    let channels = output_channels(raw, scope)?;
    let (window, pads, shape) = windowed(raw, scope, Some(1))?;
    let shape = Shape { channels, ..shape };
    dot(raw, scope, norm, Geometry::Convolution { window, pads }, shape)
}

fn depthwise(raw: &RawLayer, scope: &mut Scope<'_>, norm: Option<BatchNorm>) -> Resolved {
    let (window, pads, shape) = windowed(raw, scope, Some(1))?;
    dot(raw, scope, norm, Geometry::Depthwise { window, pads }, shape)
}

fn linear(raw: &RawLayer, scope: &mut Scope<'_>, norm: Option<BatchNorm>) -> Resolved {
    let channels = size(scope, raw.channels.as_ref(), "channels", 1, limits::MAX_CHANNELS)?;
    dot(raw, scope, norm, Geometry::Linear, Shape::new(1, 1, channels))
}

fn dot(
    raw: &RawLayer,
    scope: &Scope<'_>,
    batch_norm: Option<BatchNorm>,
    geometry: Geometry,
    shape: Shape,
) -> Resolved {
    let fan_in = geometry.fan_in(scope.inputs[0]);
    at_most(scope, "the length of a dot product", fan_in, limits::MAX_FAN_IN)?;
    let weights = fan_in * shape.channels;
    at_most(scope, "the number of weights", weights, limits::MAX_LAYER_WEIGHTS)?;
    let folded = raw.norm.is_some() && scope.file.batch_norm == BatchNormForm::Folded;
    let bias = match raw.bias.as_ref().map(|given| *given.get_ref()) {
        // What folding a batch norm leaves is a bias.
        _ if folded => Bias::Present,
        Some(false) => Bias::Absent,
        None if raw.norm.is_some() => Bias::Optional,
        Some(true) | None => Bias::Present,
    };
    let activation = activation(raw);
    Ok((TopologyOperator::Dot { geometry, bias, batch_norm, activation }, shape))
}

fn add(raw: &RawLayer, scope: &Scope<'_>) -> Resolved {
    let shape = scope.inputs[0];
    if scope.inputs[1] != shape {
        let what = "the second input's shape";
        let limit = format!("{shape}, as the first's");
        return Err(Error::limit(&scope.place, what, limit, scope.inputs[1]));
    }
    Ok((TopologyOperator::Add { activation: activation(raw) }, shape))
}

fn average_pool(raw: &RawLayer, scope: &mut Scope<'_>) -> Resolved {
    let window = window(raw, scope, None)?;
    let shape = window::output(&scope.place, scope.inputs[0], window, Pads::default())?;
    Ok((TopologyOperator::AveragePool { window }, shape))
}

fn global_average_pool(scope: &Scope<'_>) -> Resolved {
    let Shape { height, width, channels } = scope.inputs[0];
    at_most(scope, "the input's height, to be averaged,", height, limits::MAX_KERNEL_SIDE)?;
    at_most(scope, "the input's width, to be averaged,", width, limits::MAX_KERNEL_SIDE)?;
    let window =
        Window { kernel_height: height, kernel_width: width, stride_height: 1, stride_width: 1 };
    Ok((TopologyOperator::AveragePool { window }, Shape::new(1, 1, channels)))
}

fn max_pool(raw: &RawLayer, scope: &mut Scope<'_>) -> Resolved {
    let (window, pads, shape) = windowed(raw, scope, None)?;
    Ok((TopologyOperator::MaxPool { window, pads }, shape))
}

fn split(raw: &RawLayer, scope: &mut Scope<'_>) -> Resolved {
    let input = scope.inputs[0];
    let first = size(scope, raw.first.as_ref(), "first", 0, input.channels - 1)?;
    let channels = size(scope, raw.channels.as_ref(), "channels", 1, input.channels - first)?;
    Ok((TopologyOperator::Split { first, channels }, Shape { channels, ..input }))
}

fn concat(scope: &Scope<'_>) -> Resolved {
    let input = scope.inputs[0];
    let mut channels = 0;
    for shape in &scope.inputs {
        if (shape.height, shape.width) != (input.height, input.width) {
            let limit = format!("{} high and {} wide, as the first", input.height, input.width);
            return Err(Error::limit(&scope.place, "every input", limit, shape));
        }
        channels += shape.channels;
    }
    at_most(scope, "the channels of all inputs together", channels, limits::MAX_CHANNELS)?;
    Ok((TopologyOperator::Concat, Shape { channels, ..input }))
}

fn shuffle(raw: &RawLayer, scope: &mut Scope<'_>) -> Resolved {
    let input = scope.inputs[0];
    let groups = size(scope, raw.groups.as_ref(), "groups", 1, input.channels)?;
    if !input.channels.is_multiple_of(groups) {
        let limit = format!("a divisor of the {} channels", input.channels);
        return Err(Error::limit(&scope.place, "groups", limit, groups));
    }
    Ok((TopologyOperator::Shuffle { groups }, input))
}

fn subsample(raw: &RawLayer, scope: &mut Scope<'_>) -> Resolved {
    let [stride_height, stride_width] = stride(raw, scope, None)?;
    let input = scope.inputs[0];
    let shape = Shape {
        height: input.height.div_ceil(stride_height),
        width: input.width.div_ceil(stride_width),
        ..input
    };
    Ok((TopologyOperator::Subsample { stride_height, stride_width }, shape))
}

fn channel_pad(raw: &RawLayer, scope: &mut Scope<'_>) -> Resolved {
    let input = scope.inputs[0];
    let room = limits::MAX_CHANNELS - input.channels;
    let before = size(scope, raw.before.as_ref(), "before", 0, room)?;
    let after = size(scope, raw.after.as_ref(), "after", 0, room - before)?;
    let channels = before + input.channels + after;
    Ok((TopologyOperator::ChannelPad { before, after }, Shape { channels, ..input }))
}

/// Channels of a convolution, the width multiplier applied.
fn output_channels(raw: &RawLayer, scope: &mut Scope<'_>) -> Result<usize, Error> {
    match (&raw.channels, &raw.expand) {
        (Some(channels), None) => {
            let given = size(scope, Some(channels), "channels", 1, limits::MAX_CHANNELS)?;
            if *channels.get_ref() == Size::Named("classes".to_owned()) {
                return Ok(given);
            }
            let never_narrower = raw.never_narrower.as_ref().is_some_and(|given| *given.get_ref());
            let channels = match scope.file.width {
                Some((width, _)) if never_narrower && width < 1.0 => given,
                Some((width, divisor)) => multiplied(given, width, divisor),
                None => given,
            };
            at_most(scope, "channels", channels, limits::MAX_CHANNELS)?;
            Ok(channels)
        }
        (None, Some(expand)) => {
            let factor = size(scope, Some(expand), "expand", 1, limits::MAX_CHANNELS)?;
            let channels = factor * scope.block_input.channels;
            at_most(scope, "channels", channels, limits::MAX_CHANNELS)?;
            Ok(channels)
        }
        (None, None) | (Some(_), Some(_)) => {
            let reason = "a convolution has either `channels` or `expand`";
            Err(Error::malformed(&scope.place, reason))
        }
    }
}

/// Channels times width, rounded to a multiple of the divisor; the next one where that is below 90 %.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most 65,536 channels times a width of 16, and positive"
)]
fn multiplied(channels: usize, width: f64, divisor: usize) -> usize {
    let exact = channels as f64 * width;
    let nearest = (exact + divisor as f64 / 2.0) as usize / divisor * divisor;
    let nearest = nearest.max(divisor);
    if (nearest as f64) < 0.9 * exact { nearest + divisor } else { nearest }
}

fn windowed(
    raw: &RawLayer,
    scope: &mut Scope<'_>,
    default_stride: Option<usize>,
) -> Result<(Window, Pads, Shape), Error> {
    let window = window(raw, scope, default_stride)?;
    let pads = pads(raw, scope, window)?;
    let shape = window::output(&scope.place, scope.inputs[0], window, pads)?;
    Ok((window, pads, shape))
}

fn window(
    raw: &RawLayer,
    scope: &mut Scope<'_>,
    default_stride: Option<usize>,
) -> Result<Window, Error> {
    let Some(kernel) = &raw.kernel else { return Err(missing(scope, "kernel")) };
    let [kernel_height, kernel_width] =
        pair(scope, kernel.get_ref(), "kernel", limits::MAX_KERNEL_SIDE)?;
    let [stride_height, stride_width] = stride(raw, scope, default_stride)?;
    Ok(Window { kernel_height, kernel_width, stride_height, stride_width })
}

fn stride(
    raw: &RawLayer,
    scope: &mut Scope<'_>,
    default: Option<usize>,
) -> Result<[usize; 2], Error> {
    match (&raw.stride, default) {
        (Some(stride), _) => pair(scope, stride.get_ref(), "stride", limits::MAX_STRIDE),
        (None, Some(stride)) => Ok([stride; 2]),
        (None, None) => Err(missing(scope, "stride")),
    }
}

fn pads(raw: &RawLayer, scope: &mut Scope<'_>, window: Window) -> Result<Pads, Error> {
    let most = limits::MAX_KERNEL_SIDE - 1;
    let given = match (&raw.pad, &raw.pads) {
        (None, None) => Pads::default(),
        (Some(pad), None) => Pads::all(scope.number(pad.get_ref(), "pad", 0, most)?),
        (None, Some(pads)) => {
            let pads = pads.get_ref();
            Pads {
                top: scope.number(&pads.top, "top", 0, most)?,
                left: scope.number(&pads.left, "left", 0, most)?,
                bottom: scope.number(&pads.bottom, "bottom", 0, most)?,
                right: scope.number(&pads.right, "right", 0, most)?,
            }
        }
        (Some(_), Some(_)) => {
            return Err(Error::malformed(&scope.place, "a layer has either `pad` or `pads`"));
        }
    };
    match scope.file.padding {
        Padding::Layer => Ok(given),
        Padding::Same => Ok(window::same(scope.inputs[0], window)),
    }
}

fn pair(scope: &mut Scope<'_>, pair: &Pair, what: &str, most: usize) -> Result<[usize; 2], Error> {
    match pair {
        Pair::Both(size) => Ok([scope.number(size, what, 1, most)?; 2]),
        Pair::Each(height, width) => {
            Ok([scope.number(height, what, 1, most)?, scope.number(width, what, 1, most)?])
        }
    }
}

fn size(
    scope: &mut Scope<'_>,
    given: Option<&Spanned<Size>>,
    what: &str,
    least: usize,
    most: usize,
) -> Result<usize, Error> {
    let Some(size) = given else { return Err(missing(scope, what)) };
    scope.number(size.get_ref(), what, least, most)
}

fn activation(raw: &RawLayer) -> Activation {
    raw.activation.as_ref().map_or(Activation::Identity, |given| *given.get_ref())
}

fn missing(scope: &Scope<'_>, key: &str) -> Error {
    Error::malformed(&scope.place, format!("missing key `{key}`"))
}

fn at_most(scope: &Scope<'_>, what: &str, value: usize, most: usize) -> Result<(), Error> {
    if value <= most {
        return Ok(());
    }
    Err(Error::limit(&scope.place, what, format!("at most {most}"), value))
}

fn number_of_inputs(op: Op, scope: &Scope<'_>) -> Result<(), Error> {
    let (least, most) = match op {
        Op::Add => (2, 2),
        Op::Concat => (2, limits::MAX_LAYERS),
        Op::Convolution
        | Op::Depthwise
        | Op::Linear
        | Op::AveragePool
        | Op::GlobalAveragePool
        | Op::MaxPool
        | Op::Split
        | Op::Shuffle
        | Op::Subsample
        | Op::ChannelPad => (1, 1),
    };
    let given = scope.inputs.len();
    if (least..=most).contains(&given) {
        return Ok(());
    }
    let limit = if least == most { least.to_string() } else { format!("at least {least}") };
    Err(Error::limit(&scope.place, "the number of inputs", limit, given))
}

/// Refuses a key that the operator has no use for.
fn only_its_keys(raw: &RawLayer, scope: &Scope<'_>) -> Result<(), Error> {
    let allowed: &[&str] = match raw.op {
        Op::Convolution => &[
            "channels",
            "expand",
            "never_narrower",
            "kernel",
            "stride",
            "pad",
            "pads",
            "bias",
            "norm",
            "activation",
        ],
        Op::Depthwise => &["kernel", "stride", "pad", "pads", "bias", "norm", "activation"],
        Op::Linear => &["channels", "bias", "norm", "activation"],
        Op::Add => &["activation"],
        Op::AveragePool => &["kernel", "stride"],
        Op::GlobalAveragePool | Op::Concat => &[],
        Op::MaxPool => &["kernel", "stride", "pad", "pads"],
        Op::Split => &["first", "channels"],
        Op::Shuffle => &["groups"],
        Op::Subsample => &["stride"],
        Op::ChannelPad => &["before", "after"],
    };
    match keys(raw).into_iter().find(|(key, span)| span.is_some() && !allowed.contains(key)) {
        Some((key, Some(span))) => {
            let place = scope.file.body.source.place(span);
            Err(Error::malformed(place, format!("`{key}` is no key of this op")))
        }
        _ => Ok(()),
    }
}

/// The keys that only some operators have, and where they are given.
fn keys(raw: &RawLayer) -> [(&'static str, Option<Range<usize>>); 14] {
    fn span<T>(given: Option<&Spanned<T>>) -> Option<Range<usize>> {
        given.map(Spanned::span)
    }
    [
        ("channels", span(raw.channels.as_ref())),
        ("expand", span(raw.expand.as_ref())),
        ("never_narrower", span(raw.never_narrower.as_ref())),
        ("kernel", span(raw.kernel.as_ref())),
        ("stride", span(raw.stride.as_ref())),
        ("pad", span(raw.pad.as_ref())),
        ("pads", span(raw.pads.as_ref())),
        ("bias", span(raw.bias.as_ref())),
        ("norm", span(raw.norm.as_ref())),
        ("activation", span(raw.activation.as_ref())),
        ("first", span(raw.first.as_ref())),
        ("groups", span(raw.groups.as_ref())),
        ("before", span(raw.before.as_ref())),
        ("after", span(raw.after.as_ref())),
    ]
}
