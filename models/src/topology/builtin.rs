//! The topologies that are built in: network files, one line each.

use std::borrow::Cow;

use super::Topology;
use super::file::variant_text;
use crate::Error;

/// Name and text of every built-in network file.
const FILES: [(&str, &str); 19] = [
    ("resnet20", include_str!("../../networks/resnet20.toml")),
    ("resnet32", include_str!("../../networks/resnet32.toml")),
    ("resnet44", include_str!("../../networks/resnet44.toml")),
    ("resnet56", include_str!("../../networks/resnet56.toml")),
    ("mobilenetv1", include_str!("../../networks/mobilenetv1.toml")),
    ("mobilenetv1-0.25-96-vww", include_str!("../../networks/mobilenetv1-0.25-96-vww.toml")),
    ("mobilenetv1-cifar10", include_str!("../../networks/mobilenetv1-cifar10.toml")),
    ("mobilenetv1-0.5-cifar10", include_str!("../../networks/mobilenetv1-0.5-cifar10.toml")),
    ("mobilenetv2", include_str!("../../networks/mobilenetv2.toml")),
    ("mobilenetv2-1.0-224-folded", include_str!("../../networks/mobilenetv2-1.0-224-folded.toml")),
    ("mobilenetv2-cifar10", include_str!("../../networks/mobilenetv2-cifar10.toml")),
    ("mobilenetv2-0.5-cifar10", include_str!("../../networks/mobilenetv2-0.5-cifar10.toml")),
    ("shufflenetv2", include_str!("../../networks/shufflenetv2.toml")),
    ("shufflenetv2-0.5", include_str!("../../networks/shufflenetv2-0.5.toml")),
    ("shufflenetv2-1.5", include_str!("../../networks/shufflenetv2-1.5.toml")),
    ("shufflenetv2-2.0", include_str!("../../networks/shufflenetv2-2.0.toml")),
    ("shufflenetv2-cifar10", include_str!("../../networks/shufflenetv2-cifar10.toml")),
    ("shufflenetv2-0.5-cifar10", include_str!("../../networks/shufflenetv2-0.5-cifar10.toml")),
    ("quickstart", include_str!("../../networks/quickstart.toml")),
];

/// Networks of which any width and picture size can be named: `mobilenetv1-0.5-128`.
const FAMILIES: [&str; 2] = ["mobilenetv1", "mobilenetv2"];

/// Names of the built-in network files, in the order of the list.
pub fn builtin_names() -> Vec<&'static str> {
    FILES.iter().map(|(name, _)| *name).collect()
}

/// The text of a built-in network file.
pub fn builtin_text(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// A built-in topology: one of [`builtin_names`], or `mobilenetv1-<width>-<side>` and
/// `mobilenetv2-<width>-<side>`, e.g. `mobilenetv1-0.5-128`: 1000 classes, channels times the width in
/// multiples of 8, square pictures.
pub fn builtin(name: &str) -> Result<Topology, Error> {
    if let Some(text) = builtin_text(name) {
        return Topology::from_toml(text);
    }
    let text = text_of(name).ok_or_else(|| {
        unknown("network", name, " (or mobilenetv1-WIDTH-SIDE, mobilenetv2-WIDTH-SIDE)")
    })?;
    Topology::from_toml(&text)
        .map_err(|error| Error::malformed(format!("network `{name}`"), error.to_string()))
}

/// The text of the network file of a name that [`builtin`] takes.
pub fn text_of(name: &str) -> Option<Cow<'static, str>> {
    let of_family = || {
        let (family, width, side) = family_member(name)?;
        Some(variant_text(family, name, width, side).into())
    };
    builtin_text(name).map(Cow::Borrowed).or_else(of_family)
}

/// The refusal of a name that is no built-in; `families` says which others would be.
pub(super) fn unknown(place: &str, name: &str, families: &str) -> Error {
    let limit = format!("one of {}{families}", builtin_names().join(", "));
    Error::limit(place, "the built-in's name", limit, format!("{name:?}"))
}

/// Family, width and side of a name such as `mobilenetv2-0.5-96`.
fn family_member(name: &str) -> Option<(&'static str, f64, usize)> {
    let mut parts = name.splitn(3, '-');
    let (family, width, side) = (parts.next()?, parts.next()?, parts.next()?);
    let family = FAMILIES.into_iter().find(|known| *known == family)?;
    let decimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !decimal(width) || !side.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((family, width.parse().ok()?, side.parse().ok()?))
}
