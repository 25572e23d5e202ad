//! `tridot calibrate`: an energy table from the gates of a library.

use anyhow::Result;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tridot_sim::arch::Architecture;
use tridot_sim::calibrate::{self, Recipe, Source, Stimulus};
use tridot_sim::mapping::StepIndex;

use super::gates::{self, Settling, Target};
use crate::cli::{CalibrateArgs, Verdict};
use crate::files;
use crate::print::Printer;

pub(crate) fn run(arguments: &CalibrateArgs, printer: &Printer) -> Result<Verdict> {
    let start = std::time::Instant::now();
    let library = files::liberty::read_liberty(&arguments.liberty)?;
    printer.line(format_args!(
        "read {} cells {:.1}",
        library.cells.len(),
        start.elapsed().as_secs_f64()
    ));
    let arch = calibrate::engine(&files::architecture(&arguments.arch)?);
    let target = Target { wire_ff: library.inverter().unwrap().1, clock_mhz: 100.0 };
    let core = gates::synthesize(&arch, &library, target)?;
    printer.line(format_args!(
        "synth {:.1} gates {} slowest {} {:?}",
        start.elapsed().as_secs_f64(),
        core.netlist.gates.len(),
        core.timing.slowest_ps,
        core.timing.slowest_path
    ));
    let recipes = calibrate::calibration();
    let windows = stimuli(&recipes, &arch, arguments.edges, 0)?;
    printer.line(format_args!("stim {:.1}", start.elapsed().as_secs_f64()));
    let zero = gates::simulate(&arch, &core, &windows, Settling::AtOnce)?;
    printer.line(format_args!(
        "zero {:.1} {} {} {:?}",
        start.elapsed().as_secs_f64(),
        zero.compared,
        zero.differ,
        zero.first
    ));
    let timed = gates::simulate(&arch, &core, &windows, Settling::Timed)?;
    printer.line(format_args!(
        "timed {:.1} {} {} {:?}",
        start.elapsed().as_secs_f64(),
        timed.compared,
        timed.differ,
        timed.first
    ));
    for (i, window) in windows.iter().enumerate() {
        let e0 = core.power.of_window(&zero.toggles[i], window.edges());
        let e1 = core.power.of_window(&timed.toggles[i], window.edges());
        let t = window.toggles.counted;
        printer.line(format_args!(
            "DATA {:?} cyc {} steps {} zero {:?} timed {:?} tog {:?} ops {} takes {} moves {}",
            recipes[i].name(),
            window.edges(),
            window.counts.steps,
            e0,
            e1,
            [
                t.activation_bus,
                t.weight_bus,
                t.operand,
                t.leaves,
                t.tree.iter().sum(),
                t.accumulators,
                t.scaler_operand,
                t.scaler_scale,
                t.scaler_product,
                t.scaler_y
            ],
            window.counts.scaler_operations,
            window.counts.scaler_cycles.0,
            window.counts.moves
        ));
    }
    printer.line(format_args!(
        "CLOCK {:?} ffs {} counted {} area {} leak {}",
        core.power.clock_fj,
        core.power.flip_flops,
        arch.flip_flops().total(),
        core.power.area_um2(),
        core.power.leakage_nw
    ));
    Ok(Verdict::Yes)
}

/// The windows of recipes, from a seed.
fn stimuli(
    recipes: &[Recipe],
    arch: &Architecture,
    edges: u64,
    seed: u64,
) -> Result<Vec<Stimulus>> {
    let one = |(i, recipe): (usize, &Recipe)| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(i as u64);
        let mut draw = |below: u64| random.next_u64() % below;
        let sample = calibrate::sample(recipe, arch, edges as usize, &mut draw)?;
        let source = Source {
            network: &sample.network,
            layer_idx: 0,
            images: 1,
            codes: &sample.codes,
            first: StepIndex::default(),
            edges,
        };
        Ok(calibrate::stimulus(&source, arch)?)
    };
    recipes.iter().enumerate().map(one).collect()
}
