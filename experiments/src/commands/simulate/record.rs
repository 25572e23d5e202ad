//! The Record of a simulation.

use std::fmt::Write as _;

use anyhow::Result;
use tridot_reports::record::{self, Input, Named, Priced, Record, Toggling};
use tridot_sim::digest::Digest;

use super::Simulation;
use crate::cli::{Model, SimulateArgs};

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
    let mut command = format!("tridot simulate {} --arch {arch} --energy {energy}", net.display());
    let mut add = |text: std::fmt::Arguments<'_>| {
        command.write_fmt(text).expect("a string takes all");
    };
    if *any_clock {
        add(format_args!(" --any-clock"));
    }
    if let Some(trace) = trace {
        add(format_args!(" --trace {}", trace.display()));
    }
    add(format_args!(" --model {model}"));
    if *one_tile_of != 1 {
        add(format_args!(" --one-tile-of {one_tile_of}"));
    }
    if let Some(output) = output {
        add(format_args!(" -o {}", output.display()));
    }
    command
}
