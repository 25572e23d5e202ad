//! The TOML shape of a network file, before anything is resolved or checked.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use toml::Spanned;

use super::{Activation, Naming};

/// The one key that every version of the file has.
#[derive(Debug, serde::Deserialize)]
pub(super) struct RawVersion {
    pub format: Spanned<i64>,
}

/// A whole file. With `base`, what is absent is the base's.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    #[serde(rename = "format")]
    pub _format: i64,
    pub name: Spanned<String>,
    pub base: Option<Spanned<String>>,
    pub input: Option<Spanned<RawShape>>,
    pub classes: Option<Spanned<i64>>,
    pub normalization: Option<Spanned<RawNormalization>>,
    pub padding: Option<Padding>,
    pub batch_norm: Option<BatchNormForm>,
    pub epsilon: Option<Spanned<f64>>,
    pub naming: Option<Naming>,
    pub width: Option<Spanned<f64>>,
    pub channel_divisor: Option<Spanned<i64>>,
    #[serde(default)]
    pub sizes: BTreeMap<String, Spanned<i64>>,
    #[serde(default)]
    pub template: BTreeMap<String, RawTemplate>,
    pub block: Option<Vec<Spanned<RawBlock>>>,
}

/// Height, width, channels.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawShape {
    pub height: i64,
    pub width: i64,
    pub channels: i64,
}

/// Mean and divisor per input channel.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNormalization {
    pub mean: Vec<f64>,
    pub std: Vec<f64>,
}

/// Who decides the pads of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Padding {
    Layer,
    Same,
}

/// Whether a checkpoint holds batch norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum BatchNormForm {
    Separate,
    Folded,
}

/// Layers to be used by blocks.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTemplate {
    pub layers: Vec<Spanned<RawLayer>>,
}

/// One block: layers of its own or those of a template, once or several times.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBlock {
    pub name: Option<String>,
    pub repeat: Option<RawRepeat>,
    pub template: Option<Spanned<String>>,
    #[serde(default)]
    pub with: BTreeMap<String, Spanned<Size>>,
    pub layers: Option<Vec<Spanned<RawLayer>>>,
}

/// First and last value of `{i}`, both included.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRepeat {
    pub from: Size,
    pub to: Size,
}

/// One layer: which of the keys it may have depends on `op`.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLayer {
    pub op: Op,
    pub name: String,
    pub inputs: Option<Vec<Spanned<String>>>,
    pub channels: Option<Spanned<Size>>,
    pub expand: Option<Spanned<Size>>,
    pub never_narrower: Option<Spanned<bool>>,
    pub kernel: Option<Spanned<Pair>>,
    pub stride: Option<Spanned<Pair>>,
    pub pad: Option<Spanned<Size>>,
    pub pads: Option<Spanned<RawPads>>,
    pub bias: Option<Spanned<bool>>,
    pub norm: Option<Spanned<String>>,
    pub activation: Option<Spanned<Activation>>,
    pub first: Option<Spanned<Size>>,
    pub groups: Option<Spanned<Size>>,
    pub before: Option<Spanned<Size>>,
    pub after: Option<Spanned<Size>>,
}

/// What a layer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Op {
    Convolution,
    Depthwise,
    Linear,
    Add,
    AveragePool,
    GlobalAveragePool,
    MaxPool,
    Split,
    Concat,
    Shuffle,
    Subsample,
    ChannelPad,
}

/// Four pads.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPads {
    pub top: Size,
    pub left: Size,
    pub bottom: Size,
    pub right: Size,
}

/// A whole number, or the name of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Size {
    Number(i64),
    Named(String),
}

/// One size for both directions, or one for the height and one for the width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pair {
    Both(Size),
    Each(Size, Size),
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = Size;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number or the name of a size")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Size, E> {
        Ok(Size::Number(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Size, E> {
        Ok(Size::Named(value.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

struct PairVisitor;

impl<'de> Visitor<'de> for PairVisitor {
    type Value = Pair;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size or a list of two sizes, height first")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Pair, E> {
        Ok(Pair::Both(Size::Number(value)))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Pair, E> {
        Ok(Pair::Both(Size::Named(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sizes: A) -> Result<Pair, A::Error> {
        let mut next =
            |len| sizes.next_element()?.ok_or_else(|| de::Error::invalid_length(len, &self));
        let (height, width) = (next(0)?, next(1)?);
        if sizes.next_element::<de::IgnoredAny>()?.is_some() {
            return Err(de::Error::invalid_length(3, &self));
        }
        Ok(Pair::Each(height, width))
    }
}

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PairVisitor)
    }
}
