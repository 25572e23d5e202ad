//! `tridot calibrate`: an energy table from the gates of a library.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tridot_sim::arch::Architecture;
use tridot_sim::calibrate::fit::Errors;
use tridot_sim::calibrate::{
    self, Facts, Fitted, Measured, Recipe, Seen, Source, Stimulus, control_fj,
};
use tridot_sim::liberty::Library;
use tridot_sim::mapping::StepIndex;
use tridot_sim::units::Megahertz;

use super::gates::{self, Core, Settling, Simulated};
use crate::cli::{CalibrateArgs, Verdict};
use crate::print::Printer;
use crate::{files, threads};

mod report;

use report::Report;

/// Windows of one architecture on its gates.
struct Run<'l> {
    core: Core<'l>,
    windows: Vec<Stimulus>,
    at_once: Simulated,
    timed: Simulated,
}

/// One size of engines: alone and as an array, and what was fitted to both.
struct Size<'l> {
    arch: Architecture,
    array: Architecture,
    one: Run<'l>,
    four: Run<'l>,
    fitted: Fitted,
}

/// What is the same of all sizes.
struct Setting<'a> {
    arguments: &'a CalibrateArgs,
    library: &'a Library,
    wire_ff: f64,
    recipes: Vec<Recipe>,
    of_arrays: Vec<Recipe>,
}

pub(crate) fn run(arguments: &CalibrateArgs, printer: &Printer) -> Result<Verdict> {
    let liberty = arguments.library.liberty.iter().map(PathBuf::as_path);
    let inputs: Vec<&Path> =
        liberty.chain(arguments.arch.as_deref().and_then(files::of_argument)).collect();
    files::check_output(&arguments.output, &inputs)?;
    if !(1.0..=1000.0).contains(&arguments.node_nm) {
        bail!("--node-nm must be between 1 and 1000, got {}", arguments.node_nm);
    }
    let architectures = architectures(arguments)?;
    let library = files::liberty::read_liberty(&arguments.library.liberty)?;
    let setting = Setting {
        arguments,
        library: &library,
        wire_ff: gates::wire_ff(&arguments.library, &library)?,
        recipes: calibrate::calibration(),
        of_arrays: calibrate::calibration_of_arrays(),
    };
    let bar = printer.bar("calibrate", 2 * architectures.len() as u64);
    let mut sizes = Vec::with_capacity(architectures.len());
    for arch in architectures {
        let one = setting.windows(&arch, &setting.recipes)?;
        bar.inc(1);
        if let Some(verdict) = report::difference(&arch, &one, printer)? {
            return Ok(verdict);
        }
        let array = square(&arch, Megahertz(1e6 / one.core.timing.slowest_ps));
        let four = setting.windows(&array, &setting.of_arrays)?;
        bar.inc(1);
        if let Some(verdict) = report::difference(&array, &four, printer)? {
            return Ok(verdict);
        }
        let costs = [one.all_measured(), four.all_measured()];
        let fitted = Fitted::new(&one.seen(&arch, &costs[0]), &four.seen(&array, &costs[1]));
        sizes.push(Size { arch, array, one, four, fitted });
    }
    bar.finish_and_clear();
    let texts = setting.texts(&sizes[0].one.core)?;
    let facts = |size| setting.facts(size, &texts);
    let rows: Vec<_> = sizes.iter().map(|size| (facts(size), size.fitted.clone())).collect();
    let name = name(arguments);
    files::write(&arguments.output, calibrate::table(&name, &rows)?.as_bytes())?;
    let of_sizes = sizes.iter().zip(&rows).map(|(size, (facts, _))| setting.report(size, facts));
    Report::new(arguments, &name, &texts, of_sizes.collect()).tell(printer)?;
    Ok(Verdict::Yes)
}

impl Setting<'_> {
    /// What the table says of a size besides its prices.
    fn facts<'a>(&self, size: &'a Size<'_>, texts: &[String; 4]) -> Facts<'a> {
        let Size { arch, array, one, four, fitted } = size;
        let (of_one, of_four) = fitted.cross_validated.split_at(self.recipes.len());
        let clock = |run: &Run<'_>| run.core.power.clock_fj.iter().sum::<f64>();
        let flip_flop_fj = one.core.power.flip_flop_fj();
        Facts {
            node_nm: self.arguments.node_nm,
            voltage_v: self.library.voltage_v,
            arch,
            power: &one.core.power,
            slowest_ps: one.core.timing.slowest_ps.max(four.core.timing.slowest_ps),
            windows: &one.windows,
            errors_percent: percent(Errors::of(of_one)),
            array_percent: percent(Errors::of(of_four)),
            control_fj: control_fj(flip_flop_fj, (clock(one), arch), (clock(four), array)),
            texts: texts.clone(),
        }
    }
}

impl Run<'_> {
    /// What all windows cost, timed.
    fn all_measured(&self) -> Vec<Measured> {
        (0..self.windows.len()).map(|window| self.measured(window, &self.timed)).collect()
    }

    fn seen<'a>(&'a self, arch: &'a Architecture, measured: &'a [Measured]) -> Seen<'a> {
        Seen { arch, windows: &self.windows, measured }
    }

    /// What a window costs with the toggles of a simulation.
    fn measured(&self, window: usize, simulated: &Simulated) -> Measured {
        self.core.measured(&simulated.toggles[window], self.windows[window].edges())
    }

    /// The factor on toggles of gates that settle at once, and the errors that it leaves.
    fn glitches(&self) -> (f64, Errors) {
        let energy = |i, simulated| self.measured(i, simulated).toggles_fj.iter().sum::<f64>();
        let totals = (0..self.windows.len()).map(|i| self.measured(i, &self.timed).total_fj());
        let observations: Vec<_> = totals
            .enumerate()
            .map(|(i, total)| calibrate::fit::Observation {
                amounts: vec![energy(i, &self.at_once)],
                cost: energy(i, &self.timed),
                total,
            })
            .collect();
        let errors = calibrate::fit::cross_validated(&observations);
        (calibrate::fit::fit(&observations)[0], Errors::of(&errors))
    }
}

/// One engine of each architecture that is calibrated.
fn architectures(arguments: &CalibrateArgs) -> Result<Vec<Architecture>> {
    if let Some(arch) = &arguments.arch {
        return Ok(vec![calibrate::engine(&files::architecture(arch)?)]);
    }
    let sorted = |values: &[usize], what: &str| -> Result<Vec<usize>> {
        let mut values = values.to_vec();
        values.sort_unstable();
        match values.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => bail!("--{what}: {} twice", pair[0]),
            None => Ok(values),
        }
    };
    let edge = files::architecture("edge")?;
    let branches = sorted(&arguments.branches, "branches")?;
    let mut architectures = Vec::new();
    for lanes in sorted(&arguments.lanes, "lanes")? {
        for &branches in &branches {
            let mut parameters = edge.clone().into_parameters();
            parameters.name = format!("engine-{lanes}x{branches}");
            parameters.lanes = lanes;
            (parameters.branches, parameters.multipliers) = (branches, branches);
            architectures.push(calibrate::engine(&Architecture::new(parameters)?));
        }
    }
    Ok(architectures)
}

/// As asked, or as the file is called.
fn name(arguments: &CalibrateArgs) -> String {
    let of_file = || arguments.output.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    arguments.name.clone().or_else(of_file).unwrap_or_else(|| "calibrated".to_owned())
}

/// Two rows and two columns of an engine, at the fastest clock that it bears.
fn square(arch: &Architecture, clock: Megahertz) -> Architecture {
    let mut parameters = arch.clone().into_parameters();
    (parameters.rows, parameters.columns, parameters.clock) = (2, 2, clock);
    Architecture::new(parameters).expect("four valid engines are an array")
}

impl<'l> Setting<'l> {
    /// Synthesizes an architecture and runs the windows of recipes on it, at once and timed.
    fn windows(&self, arch: &Architecture, recipes: &[Recipe]) -> Result<Run<'l>> {
        let core = gates::synthesize(arch, self.library, self.wire_ff)?;
        // An array has the gates of four engines.
        let edges = u64::from(self.arguments.edges) / if 1 < arch.engines() { 2 } else { 1 };
        let seed = self.arguments.seed;
        let windows = threads::map(
            recipes.len(),
            || (),
            |(), i| stimulus(&recipes[i], arch, edges, (seed, i as u64)),
        )?;
        let at_once = gates::simulate(arch, &core, &windows, Settling::AtOnce)?;
        let timed = gates::simulate(arch, &core, &windows, Settling::Timed)?;
        Ok(Run { core, windows, at_once, timed })
    }

    /// Library, recipe, simulation and wire load, for people.
    fn texts(&self, core: &Core<'_>) -> Result<[String; 4]> {
        let library = self.library;
        let names = match library.names.as_slice() {
            [one] => one.clone(),
            [first, .., last] => format!("{first} … {last} ({} files)", library.names.len()),
            [] => String::new(),
        };
        Ok([
            format!("{names}, {} V, {} °C", library.voltage_v, library.temperature_c),
            core.recipe.clone(),
            format!(
                "Icarus Verilog {}: inertial delays by instance from the liberty tables, period {:.0} ps, all windows timed",
                crate::tools::Tool::Icarus.version()?,
                calibrate::Clock::new(&core.timing).period_ps()
            ),
            format!("{:.3} fF for each pin of a net", self.wire_ff),
        ])
    }
}

/// The window of a recipe.
fn stimulus(
    recipe: &Recipe,
    arch: &Architecture,
    edges: u64,
    (seed, stream): (u64, u64),
) -> Result<Stimulus> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream);
    let mut draw = |below: u64| random.next_u64() % below;
    let steps = usize::try_from(edges)?;
    let sample = calibrate::sample(recipe, arch, steps, &mut draw)?;
    let source = Source {
        network: &sample.network,
        layer_idx: 0,
        images: 1,
        codes: &sample.codes,
        first: StepIndex::default(),
        edges,
    };
    Ok(calibrate::stimulus(&source, arch)?)
}

fn percent(errors: Errors) -> (f64, f64) {
    (100.0 * errors.mean, 100.0 * errors.worst)
}
