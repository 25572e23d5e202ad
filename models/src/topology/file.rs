//! The network file: a topology as TOML, as an engineer writes it.
//!
//! ```
//! # use tridot_models::topology::Topology;
//! let topology = Topology::from_toml(r#"
//! format = 1
//! name = "example"
//! input = { height = 8, width = 8, channels = 3 }   # of a picture
//! classes = 4                                       # elements of the last tensor
//! ## What is done to a pixel: (pixel / 255 − mean) / std, per input channel.
//! normalization = { mean = [0.5, 0.5, 0.5], std = [0.5, 0.5, 0.5] }
//! batch_norm = "separate"     # or "folded": checkpoints have a bias in place of each batch norm
//! epsilon = 1e-5              # of every batch norm
//! padding = "layer"           # default; "same": pads as TensorFlow's SAME, whatever the layers say
//! naming = "layer"            # default; "keras", "sequence": how checkpoints name their tensors
//! width = 0.5                 # multiplies the channels of convolutions (not of "classes"), …
//! channel_divisor = 8         # … to a multiple of this, never more than 10 % below
//!
//! [sizes]                     # numbers with a name; "classes" is one too
//! last_block = 2
//!
//! [template.residual]         # layers for several blocks; "channels" is given by each
//! layers = [
//!   { op = "convolution", name = "conv", channels = "channels", kernel = 3, pad = 1, norm = "bn" },
//!   { op = "add", name = "add", inputs = ["conv", "input"], activation = "relu" },
//! ]
//!
//! [[block]]                   # layers of its own; "stem" is put before their names
//! name = "stem"
//! layers = [{ op = "convolution", name = "conv", channels = 16, kernel = 3, stride = 2, pad = 1, norm = "bn", activation = "relu" }]
//!
//! [[block]]                   # res.0, res.1, res.2
//! name = "res.{i}"
//! repeat = { from = 0, to = "last_block" }
//! template = "residual"
//! with = { channels = 16 }
//!
//! [[block]]
//! layers = [
//!   { op = "global_average_pool", name = "pool" },
//!   { op = "linear", name = "classifier", channels = "classes" },
//! ]
//! "#)?;
//! assert_eq!(topology.layers[1].name, "res.0.conv");
//! assert_eq!(topology.layers.last().map(|layer| layer.shape.channels), Some(4));
//! // 4×4 pixels × 8 channels: 27 taps in the stem, 72 in each of three blocks; 8 → 4 at the end.
//! assert_eq!(topology.macs(), 128 * 27 + 3 * 128 * 72 + 8 * 4);
//! # Ok::<(), tridot_models::Error>(())
//! ```
//!
//! A layer reads the layer before it, or what `inputs` names: layers of its own block, or `"input"`,
//! which is the last tensor of the block before (of the first block: the picture). So a file has no
//! cycles. A size is a whole number, or a name from `with`, `[sizes]`, or `classes`; `kernel` and
//! `stride` may be two sizes, height first. The keys of each `op`:
//!
//! | op | keys (those in brackets may be left out) |
//! |---|---|
//! | `convolution` | `kernel`, `channels` or `expand` (times the channels of the block's input), \[`stride` = 1\], \[`pad` = 0 or `pads` = `{ top, left, bottom, right }`\], \[`norm`\], \[`bias`\], \[`activation`\], \[`never_narrower`: a `width` below 1 does not narrow it\] |
//! | `depthwise` | the same without `channels`, `expand`, `never_narrower` |
//! | `linear` | `channels`, \[`norm`\], \[`bias`\], \[`activation`\] |
//! | `add` | `inputs` (two), \[`activation`\] |
//! | `average_pool` | `kernel`, `stride` |
//! | `global_average_pool` | none |
//! | `max_pool` | `kernel`, `stride`, \[`pad` or `pads`\] |
//! | `split` | `first`, `channels`: channels `first .. first + channels` |
//! | `concat` | `inputs` (two or more) |
//! | `shuffle` | `groups` |
//! | `subsample` | `stride` |
//! | `channel_pad` | `before`, `after`: channels of zeros |
//!
//! `norm` names the batch norm that follows; `bias` says whether a checkpoint has one (left out: without
//! `norm` it must, with `norm` it may); `activation` is `identity`, `relu` or `relu6`.
//!
//! A file with `base = "NAME"` takes everything it does not give from the built-in of that name:
//! it may give top-level keys and sizes of the base anew, but no blocks and templates.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use tridot_sim::error::line_and_column;
use tridot_sim::limits;
use tridot_sim::network::Shape;

use super::expand;
use super::raw::{
    BatchNormForm, Padding, RawBlock, RawFile, RawNormalization, RawTemplate, RawVersion,
};
use super::{Naming, Normalization, Topology, builtin};
use crate::Error;

/// The version of the file form that this reader accepts.
pub const FORMAT: i64 = 1;
/// Bytes of a network file (TOML) at most.
pub const MAX_FILE_BYTES: usize = 1 << 20;

impl Topology {
    /// Reads a network file; an error names line and column of the first fault.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let source = Source { text, base: None };
        let read = || {
            let raw = parse(&source)?;
            let file = File::new(&raw, source)?;
            with_base(&raw, file)
        };
        read().map_err(readable)
    }
}

/// The file of a built-in under another name, with another width multiplier and picture size.
pub(super) fn variant_text(base: &str, name: &str, width: f64, side: usize) -> String {
    format!(
        "format = {FORMAT}\nname = {name:?}\nbase = {base:?}\nwidth = {width:?}\n\
         channel_divisor = 8\ninput = {{ height = {side}, width = {side}, channels = 3 }}\n"
    )
}

/// A message may quote names of the file: control characters are escaped, and what is long is cut.
fn readable(error: Error) -> Error {
    let line = |text: String| {
        let cut = text.chars().take(600).flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            let plain = escaped.is_none().then_some(c);
            escaped.into_iter().flatten().chain(plain)
        });
        let end = if text.chars().nth(600).is_some() { "…" } else { "" };
        cut.chain(end.chars()).collect::<String>()
    };
    match error {
        Error::Limit { place, what, limit, value } => Error::Limit {
            place: line(place),
            what: line(what),
            limit: line(limit),
            value: line(value),
        },
        Error::Malformed { place, reason } => {
            Error::Malformed { place: line(place), reason: line(reason) }
        }
        Error::Network(_) | Error::Candle(_) | Error::Io { .. } => error,
    }
}

/// Fills what the file leaves to its base, then expands the blocks.
fn with_base(raw: &RawFile, file: File<'_>) -> Result<Topology, Error> {
    let Some(base) = &raw.base else { return expand::topology(&file.complete()?) };
    let place = file.source.place(base.span());
    let name = base.get_ref();
    let Some(text) = builtin::builtin_text(name) else {
        return Err(builtin::unknown(&place, name, ""));
    };
    let base_raw = parse(&Source { text, base: Some(name) })?;
    if base_raw.base.is_some() {
        let reason = format!("`{name}` has a base itself and cannot be one");
        return Err(Error::malformed(place, reason));
    }
    let base_file = File::new(&base_raw, Source { text, base: Some(name) })?;
    expand::topology(&file.over(base_file)?.complete()?)
}

/// A text, and which built-in it is where it serves as a base.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    text: &'a str,
    base: Option<&'a str>,
}

impl Source<'_> {
    /// Line and column, from 1, of the start of a span.
    pub(super) fn place(&self, span: Range<usize>) -> String {
        let place = line_and_column(self.text, span.start);
        match self.base {
            None => place,
            Some(base) => format!("{place} of base `{base}`"),
        }
    }
}

/// TOML to its raw form; version first, so that a later version is not judged by this one's keys.
fn parse(source: &Source<'_>) -> Result<RawFile, Error> {
    if MAX_FILE_BYTES < source.text.len() {
        let limit = format!("at most {MAX_FILE_BYTES}");
        return Err(Error::limit("network file", "its length in bytes", limit, source.text.len()));
    }
    let version: RawVersion = parse_as(source)?;
    if *version.format.get_ref() != FORMAT {
        let place = source.place(version.format.span());
        let limit = format!("{FORMAT}, the version that this program reads");
        return Err(Error::limit(place, "format", limit, version.format.get_ref()));
    }
    parse_as(source)
}

fn parse_as<T: DeserializeOwned>(source: &Source<'_>) -> Result<T, Error> {
    toml::from_str(source.text).map_err(|error| {
        let place = source.place(error.span().unwrap_or(0..0));
        let words: Vec<&str> = error.message().split_whitespace().collect();
        Error::malformed(place, words.join(" "))
    })
}

/// A value and where it was given.
#[derive(Debug, Clone)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) place: String,
}

/// A checked file in which a base may still have to fill what is absent.
struct File<'a> {
    source: Source<'a>,
    name: String,
    input: Option<Shape>,
    classes: Option<Placed<usize>>,
    normalization: Option<Placed<Normalization>>,
    padding: Option<Padding>,
    batch_norm: Option<BatchNormForm>,
    epsilon: Option<f64>,
    naming: Option<Naming>,
    width: Option<Placed<f64>>,
    channel_divisor: Option<Placed<usize>>,
    sizes: BTreeMap<String, Placed<usize>>,
    body: Option<Body<'a>>,
}

/// Blocks and templates, and the text they stand in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Body<'a> {
    pub(super) source: Source<'a>,
    pub(super) templates: &'a BTreeMap<String, RawTemplate>,
    pub(super) blocks: &'a [Spanned<RawBlock>],
}

/// All that a topology is expanded from.
pub(super) struct Complete<'a> {
    pub(super) name: String,
    pub(super) input: Shape,
    pub(super) classes: Placed<usize>,
    pub(super) normalization: Normalization,
    pub(super) padding: Padding,
    pub(super) batch_norm: BatchNormForm,
    pub(super) epsilon: Option<f64>,
    pub(super) naming: Naming,
    /// Multiplier and divisor of channel counts.
    pub(super) width: Option<(f64, usize)>,
    pub(super) sizes: BTreeMap<String, Placed<usize>>,
    pub(super) body: Body<'a>,
}

impl<'a> File<'a> {
    fn new(raw: &'a RawFile, source: Source<'a>) -> Result<Self, Error> {
        let whole = |what: &str, given: &Spanned<i64>, least: usize, most: usize| {
            let place = source.place(given.span());
            let value = whole_number(&place, what, *given.get_ref(), least, most)?;
            Ok::<_, Error>(Placed { value, place })
        };
        let mut sizes = BTreeMap::new();
        for (name, given) in &raw.sizes {
            sizes.insert(
                name.clone(),
                whole(&format!("size `{name}`"), given, 0, limits::MAX_CHANNELS)?,
            );
        }
        let classes =
            raw.classes.as_ref().map(|given| whole("classes", given, 1, limits::MAX_CHANNELS));
        let divisor = raw
            .channel_divisor
            .as_ref()
            .map(|given| whole("channel_divisor", given, 1, limits::MAX_CHANNELS));
        let body = raw.block.as_ref();
        let body = body.map(|blocks| Body { source, templates: &raw.template, blocks });
        if body.is_none() && !raw.template.is_empty() {
            return Err(Error::malformed("line 1, column 1", "templates without blocks"));
        }
        Ok(Self {
            source,
            name: checked_name(&source.place(raw.name.span()), raw.name.get_ref())?,
            input: input(raw, source)?,
            classes: classes.transpose()?,
            normalization: normalization(raw, source)?,
            padding: raw.padding,
            batch_norm: raw.batch_norm,
            epsilon: real(raw.epsilon.as_ref(), source, "epsilon", 1e-12, 1.0)?
                .map(|epsilon| epsilon.value),
            naming: raw.naming,
            width: real(raw.width.as_ref(), source, "width", 0.01, 16.0)?,
            channel_divisor: divisor.transpose()?,
            sizes,
            body,
        })
    }

    /// This file, and what it leaves out from its base.
    fn over(self, base: Self) -> Result<Self, Error> {
        if self.body.is_some() {
            let reason = "a file with a base takes its blocks and has none of its own";
            return Err(Error::malformed("line 1, column 1", reason));
        }
        let mut sizes = base.sizes;
        for (name, size) in self.sizes {
            if sizes.insert(name.clone(), size.clone()).is_none() {
                let reason = format!("base `{}` has no size `{name}`", base.name);
                return Err(Error::malformed(size.place, reason));
            }
        }
        Ok(Self {
            source: self.source,
            name: self.name,
            input: self.input.or(base.input),
            classes: self.classes.or(base.classes),
            normalization: self.normalization.or(base.normalization),
            padding: self.padding.or(base.padding),
            batch_norm: self.batch_norm.or(base.batch_norm),
            epsilon: self.epsilon.or(base.epsilon),
            naming: self.naming.or(base.naming),
            width: self.width.or(base.width),
            channel_divisor: self.channel_divisor.or(base.channel_divisor),
            sizes,
            body: base.body,
        })
    }

    fn complete(self) -> Result<Complete<'a>, Error> {
        let missing =
            |key: &str| Error::malformed("line 1, column 1", format!("missing key `{key}`"));
        let input = self.input.ok_or_else(|| missing("input"))?;
        let normalization = self.normalization.ok_or_else(|| missing("normalization"))?;
        for (what, values) in
            [("mean", &normalization.value.mean), ("std", &normalization.value.std)]
        {
            if values.len() != input.channels {
                let limit = format!("{} (one per input channel)", input.channels);
                let what = format!("the number of values of `{what}`");
                return Err(Error::limit(normalization.place, what, limit, values.len()));
            }
        }
        let width = match (self.width, self.channel_divisor) {
            (Some(width), Some(divisor)) => Some((width.value, divisor.value)),
            (None, None) => None,
            (Some(width), None) => {
                return Err(Error::malformed(width.place, "`width` needs a `channel_divisor`"));
            }
            (None, Some(divisor)) => {
                return Err(Error::malformed(divisor.place, "`channel_divisor` without `width`"));
            }
        };
        Ok(Complete {
            name: self.name,
            input,
            classes: self.classes.ok_or_else(|| missing("classes"))?,
            normalization: normalization.value,
            padding: self.padding.unwrap_or(Padding::Layer),
            batch_norm: self.batch_norm.ok_or_else(|| missing("batch_norm"))?,
            epsilon: self.epsilon,
            naming: self.naming.unwrap_or(Naming::Layer),
            width,
            sizes: self.sizes,
            body: self.body.ok_or_else(|| missing("block"))?,
        })
    }
}

fn input(raw: &RawFile, source: Source<'_>) -> Result<Option<Shape>, Error> {
    let Some(given) = &raw.input else { return Ok(None) };
    let place = source.place(given.span());
    let raw = given.get_ref();
    let shape = Shape {
        height: whole_number(&place, "the input's height", raw.height, 1, limits::MAX_SIDE)?,
        width: whole_number(&place, "the input's width", raw.width, 1, limits::MAX_SIDE)?,
        channels: whole_number(
            &place,
            "the input's channels",
            raw.channels,
            1,
            limits::MAX_CHANNELS,
        )?,
    };
    expand::elements(&place, shape)?;
    Ok(Some(shape))
}

fn normalization(
    raw: &RawFile,
    source: Source<'_>,
) -> Result<Option<Placed<Normalization>>, Error> {
    let Some(given) = &raw.normalization else { return Ok(None) };
    let place = source.place(given.span());
    let RawNormalization { mean, std } = given.get_ref().clone();
    for &value in &mean {
        within(&place, "each mean", value, -1e6, 1e6)?;
    }
    for &value in &std {
        within(&place, "each std", value, 1e-6, 1e6)?;
    }
    Ok(Some(Placed { value: Normalization { mean, std }, place }))
}

fn real(
    given: Option<&Spanned<f64>>,
    source: Source<'_>,
    what: &str,
    least: f64,
    most: f64,
) -> Result<Option<Placed<f64>>, Error> {
    let Some(given) = given else { return Ok(None) };
    let place = source.place(given.span());
    within(&place, what, *given.get_ref(), least, most)?;
    Ok(Some(Placed { value: *given.get_ref(), place }))
}

fn within(place: &str, what: &str, value: f64, least: f64, most: f64) -> Result<(), Error> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::limit(place, what, format!("between {least} and {most}"), value))
}

/// A number of a file as a count within limits.
pub(super) fn whole_number(
    place: &str,
    what: &str,
    value: i64,
    least: usize,
    most: usize,
) -> Result<usize, Error> {
    let refuse = || Error::limit(place, what, format!("between {least} and {most}"), value);
    let count = usize::try_from(value).map_err(|_| refuse())?;
    if (least..=most).contains(&count) { Ok(count) } else { Err(refuse()) }
}

/// A name that the integer network accepts too.
pub(super) fn checked_name(place: &str, name: &str) -> Result<String, Error> {
    if name.is_empty() || limits::MAX_NAME_BYTES < name.len() {
        let limit = format!("between 1 and {}", limits::MAX_NAME_BYTES);
        return Err(Error::limit(place, "the length of a name in bytes", limit, name.len()));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::malformed(place, format!("control character in the name {name:?}")));
    }
    Ok(name.to_owned())
}
