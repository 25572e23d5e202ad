//! Layers on the RTL of one architecture, compared with the stepped and the fast model.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use serde::Serialize;
use tridot_sim::arch::Architecture;
use tridot_sim::fast;
use tridot_sim::network::{Geometry, Sign};
use tridot_sim::rtl::{Image, Sizes};
use tridot_sim::vectors::Vectors;
use tridot_sim::verify::{Checked, Verifier};

use super::build::Simulator;
use super::layers::Job;
use super::library::Library;
use crate::print::Printer;
use crate::threads;

/// How many layers have a property, by its name.
pub(crate) type Kinds = BTreeMap<&'static str, u64>;

/// What was compared on one architecture.
#[derive(Serialize)]
pub(crate) struct ArchitectureReport {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) layers: Layers,
    pub(crate) is_build_reused: bool,
    pub(crate) build_seconds: f64,
    pub(crate) run_seconds: f64,
}

/// What was compared of some layers, what kinds they are, and what differs first.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Layers {
    #[serde(flatten)]
    pub(crate) all: Tally,
    pub(crate) layer_kinds: Kinds,
    pub(crate) first_mismatch: Option<String>,
}

impl Layers {
    pub(crate) fn add(&mut self, other: &Self) {
        self.all = self.all.plus(other.all);
        for (kind, count) in &other.layer_kinds {
            *self.layer_kinds.entry(kind).or_default() += count;
        }
        if self.first_mismatch.is_none() {
            self.first_mismatch.clone_from(&other.first_mismatch);
        }
    }
}

/// What was compared of some layers.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Tally {
    pub(crate) layers: u64,
    pub(crate) values_compared: u64,
    pub(crate) edges_compared: u64,
    pub(crate) accumulators_compared: u64,
    /// Values, edges, accumulators and totals that differ.
    pub(crate) mismatches: u64,
    pub(crate) cycles_rtl: u64,
    pub(crate) cycles_stepped: u64,
    pub(crate) cycles_fast: u64,
}

impl Tally {
    fn plus(self, other: Self) -> Self {
        Self {
            layers: self.layers + other.layers,
            values_compared: self.values_compared + other.values_compared,
            edges_compared: self.edges_compared + other.edges_compared,
            accumulators_compared: self.accumulators_compared + other.accumulators_compared,
            mismatches: self.mismatches + other.mismatches,
            cycles_rtl: self.cycles_rtl + other.cycles_rtl,
            cycles_stepped: self.cycles_stepped + other.cycles_stepped,
            cycles_fast: self.cycles_fast + other.cycles_fast,
        }
    }
}

/// What was compared of one layer.
#[derive(Default)]
struct Compared {
    checked: Checked,
    kinds: Vec<&'static str>,
    cycles_rtl: u64,
    cycles_stepped: u64,
    cycles_fast: u64,
    /// Totals that differ, and runs that came to no end.
    others: u64,
    first: Option<String>,
}

impl Compared {
    fn layers(self) -> Layers {
        Layers {
            all: self.tally(),
            layer_kinds: self.kinds.into_iter().map(|kind| (kind, 1)).collect(),
            first_mismatch: self.first,
        }
    }

    fn tally(&self) -> Tally {
        Tally {
            layers: 1,
            values_compared: self.checked.outputs.compared,
            edges_compared: self.checked.edges.compared,
            accumulators_compared: self.checked.accumulators_compared,
            mismatches: self.checked.mismatches() + self.others,
            cycles_rtl: self.cycles_rtl,
            cycles_stepped: self.cycles_stepped,
            cycles_fast: self.cycles_fast,
        }
    }
}

/// Where the RTL comes from, and where it is built.
pub(crate) struct Workshop<'a> {
    pub(crate) library: &'a Library,
    /// What Verilator builds stays here and is used again.
    pub(crate) builds: &'a Path,
    /// The version of Verilator.
    pub(crate) verilator: &'a str,
}

impl Workshop<'_> {
    /// Builds one architecture with the memories that these layers need, and runs them on it.
    pub(crate) fn check(
        &self,
        arch: &Architecture,
        jobs: &[Job<'_>],
        printer: &Printer,
    ) -> Result<ArchitectureReport> {
        let bar = printer.bar(&format!("build and run {}", arch.name), 1 + jobs.len() as u64);
        let bench = self.bench(arch, jobs)?;
        bar.inc(1);
        let start = Instant::now();
        let layers = bench.run(jobs, || bar.inc(1))?;
        bar.finish_and_clear();
        Ok(bench.report(layers, start.elapsed().as_secs_f64()))
    }

    /// Builds one architecture with the memories that these layers need, or finds it built.
    pub(crate) fn bench(&self, arch: &Architecture, jobs: &[Job<'_>]) -> Result<Bench> {
        let mut sizes = Sizes::SMALL;
        for job in jobs {
            sizes = sizes.with(image(arch, job)?.sizes());
        }
        let start = Instant::now();
        let simulator = Simulator::new(self.library, arch, sizes, self.builds, self.verilator)?;
        Ok(Bench { arch: arch.clone(), simulator, build_seconds: start.elapsed().as_secs_f64() })
    }
}

/// The simulator of one architecture.
pub(crate) struct Bench {
    arch: Architecture,
    simulator: Simulator,
    build_seconds: f64,
}

impl Bench {
    /// Runs layers, whose sizes are those it was built for, side by side.
    pub(crate) fn run(&self, jobs: &[Job<'_>], done: impl Fn() + Sync + Send) -> Result<Layers> {
        let run = |(): &mut (), i: usize| {
            let compared = compare(&self.simulator, &self.arch, &jobs[i])?;
            done();
            Ok(compared.layers())
        };
        let mut all = Layers::default();
        for layers in threads::map(jobs.len(), || (), run)? {
            all.add(&layers);
        }
        Ok(all)
    }

    pub(crate) fn report(&self, layers: Layers, run_seconds: f64) -> ArchitectureReport {
        ArchitectureReport {
            name: self.arch.name.clone(),
            layers,
            is_build_reused: self.simulator.is_reused,
            build_seconds: self.build_seconds,
            run_seconds,
        }
    }
}

fn image(arch: &Architecture, job: &Job<'_>) -> Result<Image> {
    Ok(Image::new(job.network, job.layer_idx, arch, job.images, &job.codes)?)
}

/// What kind of layer it is, and what it asks of the architecture.
fn kinds(arch: &Architecture, vectors: &Vectors) -> Vec<&'static str> {
    let (map, stalls) = (&vectors.mapping, vectors.expected.stalls);
    let work = map.work();
    let is_linear = work.geometry == Geometry::Linear;
    let is_strided = match work.geometry {
        Geometry::Convolution { window, .. } | Geometry::Depthwise { window, .. } => {
            (window.stride_height, window.stride_width) != (1, 1)
        }
        Geometry::Linear => false,
    };
    let is_depthwise = work.geometry.is_depthwise();
    let divides = work.output.channels.is_multiple_of(map.channels_per_tile)
        && work.pixels().is_multiple_of(arch.rows)
        && work.fan_in().is_multiple_of(arch.lanes);
    let all = [
        ("dense", !is_linear && !is_depthwise),
        ("depthwise", is_depthwise),
        ("linear", is_linear),
        ("strided", is_strided),
        ("dbq_1", !work.merged && work.planes == 1),
        ("dbq_2", !work.merged && work.planes == 2),
        ("dbq_3_or_more", !work.merged && 3 <= work.planes),
        ("fixed", work.merged),
        ("signed_codes", work.activation_sign == Sign::Signed),
        ("several_passes", 1 < map.passes),
        ("several_slices", 1 < map.slices),
        ("several_images", 1 < work.images),
        ("scaler_bound", 0 < stalls),
        ("does_not_divide", !divides),
    ];
    all.into_iter().filter_map(|(name, has)| has.then_some(name)).collect()
}

fn compare(simulator: &Simulator, arch: &Architecture, job: &Job<'_>) -> Result<Compared> {
    let vectors = Vectors::new(job.network, job.layer_idx, arch, job.images, &job.codes)?;
    let fast = fast::layer(job.network, job.layer_idx, arch, job.images)?;
    let stepped = &vectors.expected;
    let mut compared = Compared {
        cycles_stepped: stepped.cycles,
        cycles_fast: fast.counts.cycles.0,
        kinds: kinds(arch, &vectors),
        ..Compared::default()
    };
    let place = format!("layer `{}`", job.name);
    let seen = match simulator.run(&image(arch, job)?, arch)? {
        Ok(seen) => seen,
        Err(refusal) => {
            compared.others = 1;
            compared.first = Some(format!("{place}: {refusal}"));
            return Ok(compared);
        }
    };
    let verifier = Verifier::new(job.network, job.layer_idx, &vectors);
    compared.checked = verifier.observed(&seen);
    compared.cycles_rtl = seen.cycles;
    compared.first = compared.checked.first(&vectors).map(|text| format!("{place}: {text}"));
    let totals = [
        ("cycles", seen.cycles, stepped.cycles),
        ("cycles of the fast model", seen.cycles, compared.cycles_fast),
        ("steps", seen.steps, stepped.steps),
        ("stalls", seen.stalls, stepped.stalls),
    ];
    for (name, got, expected) in totals {
        if got != expected {
            compared.others += 1;
            let text = || format!("{place}: {name}: expected {expected}, got {got}");
            compared.first.get_or_insert_with(text);
        }
    }
    Ok(compared)
}
