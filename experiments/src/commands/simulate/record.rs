//! The Record of a simulation.

use std::path::Path;

use anyhow::Result;
use tridot_reports::record::{self, Input, Named, Priced, Record, Toggling};
use tridot_sim::digest::Digest;

use super::{Simulation, report};
use crate::cli::{Model, SimulateArgs, line};

/// The result with everything that determined it.
pub(super) fn of(simulation: &Simulation, arguments: &SimulateArgs) -> Result<Record> {
    let Simulation { network, arch, table, outcome, energy, .. } = simulation;
    let record = Record::new(record::Simulation {
        network,
        network_digest: Digest::of(&network.to_bytes()),
        architecture: arch,
        outcome,
        energy: Some(Priced {
            table: Named {
                name: table.name.clone(),
                digest: Digest::of(simulation.table_text.as_bytes()),
            },
            layers: &energy.layers,
            area: Some(simulation.area.total()),
        }),
        model: match simulation.model {
            Model::Fast => record::Model::Fast,
            Model::Stepped => record::Model::Stepped,
        },
        input: input(simulation),
        toggling: match simulation.one_tile_of {
            1 => Toggling::Exact,
            n => Toggling::Sampled { one_tile_of: n.into() },
        },
        warnings: report::warnings(simulation),
        command: command(arguments),
    })?;
    Ok(record)
}

fn input(simulation: &Simulation) -> Input {
    #[cfg(feature = "train")]
    if !simulation.is_recorded {
        return Input::Synthetic { seed: super::SYNTHETIC_SEED };
    }
    let trace = &simulation.trace;
    Input::Trace(Named { name: trace.data().to_owned(), digest: Digest::of(&trace.to_bytes()) })
}

/// The command as a user would type it.
fn command(arguments: &SimulateArgs) -> String {
    let SimulateArgs { net, arch, energy, any_clock, trace, model, one_tile_of, output } =
        arguments;
    let model = match model {
        Model::Fast => "fast",
        Model::Stepped => "stepped",
    };
    let shown = |path: &Path| path.display().to_string();
    let mut words: Vec<String> =
        ["simulate", &shown(net), "--arch", arch, "--energy", energy].map(str::to_owned).to_vec();
    let mut add = |more: &[&str]| words.extend(more.iter().map(|&word| word.to_owned()));
    if *any_clock {
        add(&["--any-clock"]);
    }
    if let Some(trace) = trace {
        add(&["--trace", &shown(trace)]);
    }
    add(&["--model", model]);
    if *one_tile_of != 1 {
        add(&["--one-tile-of", &one_tile_of.to_string()]);
    }
    if let Some(output) = output {
        add(&["-o", &shown(output)]);
    }
    line(words.iter().map(String::as_str))
}
