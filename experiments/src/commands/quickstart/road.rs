//! The plan of a road: which networks, on which architectures; and the plans that it names.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use tridot_models::scheme::Plan;
use tridot_models::topology::Topology;
use tridot_models::train::{Start, TrainingPlan};
use tridot_sim::arch::Architecture;
use tridot_sim::energy::EnergyTables;
use tridot_sim::limits::MAX_TRACE_PICTURES;

use crate::cli::QuickstartArgs;
use crate::files;

/// The version of the file form.
const FORMAT: u32 = 1;
/// The most pictures that a road compares.
const MOST_COMPARED: usize = 100_000;

/// The built-in road and its plans, by name.
const BUILT_IN: [(&str, &str); 6] = [
    ("quickstart.toml", include_str!("../../../plans/quickstart.toml")),
    ("quickstart-float.toml", include_str!("../../../plans/quickstart-float.toml")),
    ("quickstart-b1.toml", include_str!("../../../plans/quickstart-b1.toml")),
    ("quickstart-b2.toml", include_str!("../../../plans/quickstart-b2.toml")),
    ("quickstart-b3.toml", include_str!("../../../plans/quickstart-b3.toml")),
    ("fixed8.toml", include_str!("../../../plans/fixed8.toml")),
];

/// A file's version alone, so that another version is named as such before its keys are judged.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[expect(dead_code, reason = "read by `Version` before, and a key that a file must have")]
    format: u32,
    name: String,
    check_samples: u32,
    trace_samples: u32,
    architectures: Vec<String>,
    energy: String,
    float: Option<RawFloat>,
    variant: Vec<RawVariant>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFloat {
    train: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawVariant {
    name: String,
    train: Option<String>,
    quantize: Option<String>,
}

/// Which networks, on which architectures.
#[derive(Debug)]
pub(super) struct Road {
    pub(super) name: String,
    /// Pictures that all implementations are compared on.
    pub(super) check_samples: u32,
    /// Pictures whose codes the simulations run on.
    pub(super) trace_samples: u32,
    pub(super) architectures: Vec<String>,
    pub(super) energy: String,
    /// The plan that trains the float network; none where it is given.
    pub(super) float: Option<String>,
    pub(super) variants: Vec<Variant>,
    /// Every plan named, by file name, with its text.
    pub(super) plans: Vec<(String, String)>,
    /// Of the networks that it trains.
    pub(super) topologies: Vec<Topology>,
}

/// An integer network made from the float one.
#[derive(Debug)]
pub(super) struct Variant {
    pub(super) name: String,
    pub(super) way: Way,
}

/// How it is made; the file name of the plan.
#[derive(Debug)]
pub(super) enum Way {
    Train(String),
    Quantize(String),
}

impl Road {
    /// The built-in road, or the one of `--plan` with the plans beside it.
    pub(super) fn of(arguments: &QuickstartArgs) -> Result<Self> {
        let road = match &arguments.plan {
            None => {
                let text_of = |name: &str| {
                    let found = BUILT_IN.iter().find(|plan| plan.0 == name);
                    Ok(found.with_context(|| format!("no built-in plan `{name}`"))?.1.to_owned())
                };
                Self::read(BUILT_IN[0].1, text_of).context("built-in road")?
            }
            Some(path) => {
                let folder = path.parent().unwrap_or_else(|| Path::new("."));
                let text = files::read_text(path)?;
                Self::read(&text, |name| files::read_text(&folder.join(name)))
                    .with_context(|| path.display().to_string())?
            }
        };
        match (&road.float, &arguments.from) {
            (Some(_), Some(_)) => bail!("--from: the road trains its float network itself"),
            (None, None) => bail!("--from: the road starts from a trained float network: name it"),
            (Some(_), None) | (None, Some(_)) => Ok(road),
        }
    }

    fn read(text: &str, text_of: impl Fn(&str) -> Result<String>) -> Result<Self> {
        let version: Version =
            toml::from_str(text).map_err(|error| files::at_line(text, &error))?;
        if version.format != FORMAT {
            bail!("format must be {FORMAT}, got {}", version.format);
        }
        let raw: Raw = toml::from_str(text).map_err(|error| files::at_line(text, &error))?;
        let names = raw.variant.iter().map(|variant| variant.name.as_str());
        check_names(names.chain([raw.name.as_str()]))?;
        for (key, samples, most) in [
            ("check_samples", raw.check_samples, MOST_COMPARED),
            ("trace_samples", raw.trace_samples, MAX_TRACE_PICTURES),
        ] {
            if !(1..=most).contains(&(samples as usize)) {
                bail!("{key} must be between 1 and {most}, got {samples}");
            }
        }
        if raw.variant.is_empty() || raw.architectures.is_empty() {
            bail!("there must be at least one variant and one architecture");
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = raw.architectures.iter().find(|name| !seen.insert(name.as_str())) {
            bail!("the architecture `{twice}` is given twice");
        }
        let variants = raw.variant.into_iter().map(variant).collect::<Result<Vec<_>>>()?;
        let float = raw.float.map(|float| float.train);
        let mut road = Self {
            name: raw.name,
            check_samples: raw.check_samples,
            trace_samples: raw.trace_samples,
            architectures: raw.architectures,
            energy: raw.energy,
            float,
            variants,
            plans: Vec::new(),
            topologies: Vec::new(),
        };
        for name in road.files() {
            if road.plans.iter().any(|plan| plan.0 == name) {
                continue;
            }
            if name.contains(['/', '\\']) {
                bail!(
                    "a plan, architecture or energy table must lie beside this file, got `{name}`"
                );
            }
            let text = text_of(&name)?;
            road.plans.push((name, text));
        }
        road.topologies = road.checked_plans()?;
        road.check_machine()?;
        Ok(road)
    }

    /// Names of the files that it needs.
    fn files(&self) -> Vec<String> {
        let plans = self.variants.iter().map(|variant| match &variant.way {
            Way::Train(plan) | Way::Quantize(plan) => plan,
        });
        let machine = self.architectures.iter().chain([&self.energy]);
        let machine = machine.filter(|name| files::is_path(name));
        self.float.iter().chain(plans).chain(machine).cloned().collect()
    }

    /// Refuses a plan of another kind than its place asks for, before hours of training; the networks that are
    /// trained.
    fn checked_plans(&self) -> Result<Vec<Topology>> {
        let text_of = |name: &str| {
            let plan = self.plans.iter().find(|plan| plan.0 == name);
            plan.map_or("", |plan| plan.1.as_str())
        };
        let mut topologies = Vec::new();
        let mut train = |name: &str, start: Start, wanted: &str| -> Result<()> {
            let plan = TrainingPlan::from_toml(text_of(name))
                .with_context(|| format!("{name}: must be a training plan"))?;
            if plan.start != start {
                bail!("{name}: must start from {wanted}");
            }
            let topology =
                files::topology(&plan.network).with_context(|| format!("{name}: network"))?;
            plan.check_network(&topology).with_context(|| name.to_owned())?;
            topologies.push(topology);
            Ok(())
        };
        if let Some(name) = &self.float {
            train(name, Start::Scratch, "scratch, as the float network of a road")?;
        }
        for variant in &self.variants {
            match &variant.way {
                Way::Train(name) => {
                    train(name, Start::Checkpoint, "a checkpoint, that of the float network")?;
                }
                Way::Quantize(name) => drop(
                    Plan::from_toml(text_of(name))
                        .with_context(|| format!("{name}: must be a quantization plan"))?,
                ),
            }
        }
        Ok(topologies)
    }

    /// Refuses architectures and tables that cannot be read, or do not go together, before hours of training.
    fn check_machine(&self) -> Result<()> {
        let text_of = |name: &String| self.plans.iter().find(|plan| plan.0 == *name).map(|p| &p.1);
        let tables = match text_of(&self.energy) {
            Some(text) => EnergyTables::from_toml(text).with_context(|| self.energy.clone())?,
            None => files::energy_tables(&self.energy)?.0,
        };
        for name in &self.architectures {
            let arch = match text_of(name) {
                Some(text) => Architecture::from_toml(text).with_context(|| name.clone())?,
                None => files::architecture(name)?,
            };
            tables.of(&arch).check_clock(&arch)?;
        }
        Ok(())
    }

    /// A built-in name as it is, a file where it lies in the output folder.
    pub(super) fn in_folder(name: &str) -> String {
        if files::is_path(name) { format!("plans/{name}") } else { name.to_owned() }
    }
}

fn variant(raw: RawVariant) -> Result<Variant> {
    let way = match (raw.train, raw.quantize) {
        (Some(plan), None) => Way::Train(plan),
        (None, Some(plan)) => Way::Quantize(plan),
        (Some(_), Some(_)) | (None, None) => {
            bail!("variant `{}`: needs one of train and quantize", raw.name)
        }
    };
    Ok(Variant { name: raw.name, way })
}

/// Names become file names.
fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = Vec::new();
    for name in names {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty()
            || 64 < name.len()
            || !name.chars().all(is_plain)
            || name.starts_with('.')
        {
            bail!(
                "a name must be 1 to 64 letters, digits and -_. and not begin with a dot, got `{name}`"
            );
        }
        if seen.contains(&name) {
            bail!("the name `{name}` is given twice");
        }
        seen.push(name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_committed_road_loads_with_the_plans_that_it_names() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
        let mut roads = 0;
        for entry in std::fs::read_dir(&folder).unwrap() {
            let text = files::read_text(&entry.unwrap().path()).unwrap();
            if text.contains("[[variant]]") {
                let road = Road::read(&text, |name| files::read_text(&folder.join(name))).unwrap();
                assert!(!road.plans.is_empty());
                roads += 1;
            }
        }
        assert_eq!(roads, 2);
    }
}
