//! `tridot calibrate`: an energy table from the gates of a library.

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

pub(crate) fn run(arguments: &CalibrateArgs, printer: &Printer) -> Result<Verdict> {
    files::check_writable(&arguments.output)?;
    if !(1.0..=1000.0).contains(&arguments.node_nm) {
        bail!("--node-nm must be between 1 and 1000, got {}", arguments.node_nm);
    }
    let arch = calibrate::engine(&architecture(arguments)?);
    let library = files::liberty::read_liberty(&arguments.library.liberty)?;
    let wire_ff = gates::wire_ff(&arguments.library, &library)?;
    let bar = printer.bar("calibrate", 2);
    let recipes = calibrate::calibration();
    let one = windows(arguments, &recipes, &arch, &library, wire_ff)?;
    bar.inc(1);
    if let Some(verdict) = report::difference(&arch, &one, printer)? {
        return Ok(verdict);
    }
    let array = square(&arch, Megahertz(1e6 / one.core.timing.slowest_ps));
    let of_arrays = calibrate::calibration_of_arrays();
    let four = windows(arguments, &of_arrays, &array, &library, wire_ff)?;
    bar.finish_and_clear();
    if let Some(verdict) = report::difference(&array, &four, printer)? {
        return Ok(verdict);
    }
    let costs = [one.all_measured(), four.all_measured()];
    let fitted = Fitted::new(&one.seen(&arch, &costs[0]), &four.seen(&array, &costs[1]));
    let (of_one, of_four) = fitted.cross_validated.split_at(recipes.len());
    let clock = |run: &Run<'_>| run.core.power.clock_fj.iter().sum::<f64>();
    let flip_flop_fj = one.core.power.flip_flop_fj();
    let facts = Facts {
        name: name(arguments),
        node_nm: arguments.node_nm,
        voltage_v: library.voltage_v,
        arch: &arch,
        power: &one.core.power,
        slowest_ps: one.core.timing.slowest_ps.max(four.core.timing.slowest_ps),
        windows: &one.windows,
        errors_percent: percent(Errors::of(of_one)),
        array_percent: percent(Errors::of(of_four)),
        control_fj: control_fj(flip_flop_fj, (clock(&one), &arch), (clock(&four), &array)),
        texts: texts(&library, &one.core, wire_ff)?,
    };
    files::write(&arguments.output, calibrate::table(&facts, &fitted)?.as_bytes())?;
    Report::new(arguments, [&recipes, &of_arrays], &facts, &fitted, &one, (&four, &array))
        .tell(printer)?;
    Ok(Verdict::Yes)
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

/// The architecture whose engine is calibrated.
fn architecture(arguments: &CalibrateArgs) -> Result<Architecture> {
    let (Some(lanes), Some(branches)) = (arguments.lanes, arguments.branches) else {
        return files::architecture(arguments.arch.as_deref().unwrap_or("edge"));
    };
    let mut parameters = files::architecture("edge")?.into_parameters();
    parameters.name = format!("engine-{lanes}x{branches}");
    (parameters.lanes, parameters.branches, parameters.multipliers) = (lanes, branches, branches);
    Ok(Architecture::new(parameters)?)
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

/// Synthesizes an architecture and runs the windows of recipes on it, at once and timed.
fn windows<'l>(
    arguments: &CalibrateArgs,
    recipes: &[Recipe],
    arch: &Architecture,
    library: &'l Library,
    wire_ff: f64,
) -> Result<Run<'l>> {
    let core = gates::synthesize(arch, library, wire_ff)?;
    // An array has the gates of four engines.
    let edges = u64::from(arguments.edges) / if 1 < arch.engines() { 2 } else { 1 };
    let seed = arguments.seed;
    let windows = threads::map(
        recipes.len(),
        || (),
        |(), i| stimulus(&recipes[i], arch, edges, (seed, i as u64)),
    )?;
    let at_once = gates::simulate(arch, &core, &windows, Settling::AtOnce)?;
    let timed = gates::simulate(arch, &core, &windows, Settling::Timed)?;
    Ok(Run { core, windows, at_once, timed })
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

/// Library, recipe, simulation and wire load, for people.
fn texts(library: &Library, core: &Core<'_>, wire_ff: f64) -> Result<[String; 4]> {
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
        format!("{wire_ff:.3} fF for each pin of a net"),
    ])
}
