//! Quantizes a checkpoint without training and scores it before and after.
//!
//! ```text
//! cargo run --release -p tridot-models --example quantize -- CHECKPOINT DATA BRANCHES [layer|channel]
//! ```
#![expect(clippy::print_stdout, reason = "an example shows what it finds")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use rayon::prelude::*;
use tridot_models::calibrate::{CalibrationSet, quantize};
use tridot_models::export::{self, RoundingLimit};
use tridot_models::import::{Checkpoint, float_network, identify};
use tridot_models::scheme::{Alpha, Plan};
use tridot_models::{data, topology};
use tridot_sim::kernels::{Backend, Prepared, Scratch};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, checkpoint, folder, branches, rest @ ..] = &arguments[..] else {
        return Err("arguments: CHECKPOINT DATA BRANCHES [layer|channel]".into());
    };
    let checkpoint = Checkpoint::read(&std::fs::read(checkpoint)?)?;
    let names = topology::builtin_names();
    let mut topologies = names.into_iter().map(topology::builtin).collect::<Result<Vec<_>, _>>()?;
    let [which] = identify(&checkpoint, &topologies)[..] else {
        return Err("the checkpoint fits none of the built-in networks, or several".into());
    };
    let float = float_network(&checkpoint, topologies.swap_remove(which))?;
    let set = data::load(Path::new(folder))?;
    let start = Instant::now();
    let before = float.accuracy(&set.test.pixels, &set.test.labels)?;
    println!("float {:.2} % in {:.1?}", before.percent(), start.elapsed());

    let mut plan = Plan::default_with_branches(branches.parse()?);
    if rest == ["channel"] {
        plan.alpha = Alpha::Channel;
    }
    let calibration =
        CalibrationSet { name: set.name, pictures: (&set.calibration).into(), labelled: true };
    let start = Instant::now();
    let quantized = quantize(&float, &plan, &calibration, 0)?;
    println!(
        "quantized in {:.1?}; batch norm {}",
        start.elapsed(),
        quantized.provenance.batch_norm
    );
    let exported = export::network(&quantized, RoundingLimit::None)?;
    for report in exported.layers {
        if let (Some(shift), Some(error)) = (report.shift, report.rounding_error) {
            println!("{:32} shift {shift:2}  worst rounding error {error:.3}", report.name);
        }
    }
    let prepared = Prepared::new(&exported.network, Backend::best())?;
    let correct = (0..set.test.len())
        .into_par_iter()
        .map_init(
            || Scratch::new(&prepared),
            |scratch, i| {
                let outputs = prepared.run(scratch, set.test.picture(i))?;
                let best = (0..outputs.len()).rev().max_by_key(|&class| outputs[class]);
                Ok(best == Some(set.test.labels[i].into()))
            },
        )
        .collect::<Result<Vec<bool>, tridot_sim::Error>>()?;
    let correct = correct.into_iter().filter(|&correct| correct).count();
    println!("integer {:.2} %", 100.0 * correct as f64 / set.test.len() as f64);
    Ok(())
}
