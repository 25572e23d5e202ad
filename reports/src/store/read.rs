//! CSV → Records, strictly.

use tridot_sim::arch::{Architecture, DepthwiseMode, Parameters};
use tridot_sim::complexity::Measures;
use tridot_sim::network::Accuracy;
use tridot_sim::units::{Cycles, Megahertz, Picojoules, SquareMicrometres};

use super::columns::columns;
use super::names::{CHUNKING, CLOCK_GATING, GRANULARITY, MODEL, ZERO_TRITS};
use super::{FORMAT, write};
use crate::Error;
use crate::error::quoted;
use crate::record::{
    ENERGY_PARTS, Energy, Input, Inputs, LayerRecord, MAX_ENERGY_PJ, Named, NetworkInputs, Record,
    Results, Toggling, WARNINGS_APART,
};

mod row;

use row::{Row, Rows};

/// Every Record with the line on which it begins.
pub(super) fn records(text: &str) -> Result<Vec<(u64, Record)>, Error> {
    let mut rows = Rows::new(text)?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let line = row.line;
        records.push((line, record(row, &mut rows)?));
    }
    Ok(records)
}

/// The Record that begins with this row, and takes as many further rows as it has layers.
fn record(mut row: Row, rows: &mut Rows<'_>) -> Result<Record, Error> {
    let line = row.line;
    format(&mut row)?;
    if !row.text().is_empty() {
        return Err(row.fault("empty: a result begins with the whole network"));
    }
    let n_layers: usize = row.number()?;
    let inputs_at = row.next;
    let inputs = inputs(&mut row)?;
    let key = row.cells(inputs_at, row.next);
    let measures = measures(&mut row)?.ok_or_else(|| row.fault("measures of the whole network"))?;
    let total = results(&mut row, &inputs.architecture)?;
    let area = row.optional(Row::real)?.map(SquareMicrometres);
    let end = row.cells(row.next, row.next + 2);
    let warnings = match row.text() {
        "" => Vec::new(),
        text => text.split(WARNINGS_APART).map(str::to_owned).collect(),
    };
    let command = row.text().to_owned();
    let mut layers = Vec::new();
    for layer_idx in 0..n_layers {
        let mut row = rows.next()?.ok_or_else(|| {
            let reason =
                format!("{n_layers} layers must follow, but only {layer_idx} do: cut off?");
            Error::malformed(format!("line {line}"), reason)
        })?;
        layers.push(layer(&mut row, &inputs.architecture, &key, &end)?);
    }
    let record = Record { inputs, measures, total, area, layers, warnings, command };
    record.check(&format!("line {line}"))?;
    Ok(record)
}

fn format(row: &mut Row) -> Result<(), Error> {
    if row.text() == FORMAT.to_string() {
        return Ok(());
    }
    Err(row.fault(&FORMAT.to_string()))
}

/// A row of a layer: its inputs, warnings and command are those of its network's row.
fn layer(
    row: &mut Row,
    architecture: &Architecture,
    key: &[String],
    end: &[String],
) -> Result<LayerRecord, Error> {
    format(row)?;
    let name = row.text().to_owned();
    if name.is_empty() {
        return Err(row.fault("the name of a layer: a result before has more layers"));
    }
    if !row.text().is_empty() {
        return Err(row.fault("empty on the row of a layer"));
    }
    for expected in key {
        if row.text() != expected {
            return Err(row.fault(&format!("{}, as on its network's row", quoted(expected))));
        }
    }
    let measures = measures(row)?;
    let results = results(row, architecture)?;
    if !row.text().is_empty() {
        return Err(row.fault("empty on the row of a layer"));
    }
    for expected in end {
        if row.text() != expected {
            return Err(row.fault("that of its network's row"));
        }
    }
    Ok(LayerRecord { name, measures, results })
}

fn inputs(row: &mut Row) -> Result<Inputs, Error> {
    let network = network(row)?;
    let architecture = architecture(row)?;
    let energy_table = named(row)?;
    let model = row.choice(&MODEL)?;
    let input = input(row)?;
    let images = row.number()?;
    let toggling = match row.text() {
        "none" => Toggling::None,
        "exact" => Toggling::Exact,
        text => {
            let one_tile_of = text.strip_prefix("one tile of ").and_then(row::whole);
            let sampled = one_tile_of.map(|one_tile_of| Toggling::Sampled { one_tile_of });
            sampled.ok_or_else(|| row.fault("none, exact or one tile of N"))?
        }
    };
    Ok(Inputs { network, architecture, energy_table, model, input, images, toggling })
}

fn network(row: &mut Row) -> Result<NetworkInputs, Error> {
    Ok(NetworkInputs {
        name: row.text().to_owned(),
        digest: row.digest()?,
        scheme: row.text().to_owned(),
        granularity: row.optional(|row| row.choice(&GRANULARITY))?,
        activation_bits: row.text().to_owned(),
        data: Some(row.text().to_owned()).filter(|data| !data.is_empty()),
        seed: row.number()?,
        float_accuracy: accuracy(row)?,
        integer_accuracy: accuracy(row)?,
    })
}

fn accuracy(row: &mut Row) -> Result<Option<Accuracy>, Error> {
    let samples = row.optional(Row::number)?;
    let correct = row.optional(Row::number)?;
    match (samples, correct) {
        (Some(samples), Some(correct)) => Ok(Some(Accuracy { samples, correct })),
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => Err(row.fault("there or not as its samples are")),
    }
}

/// A name and a digest, or neither.
fn named(row: &mut Row) -> Result<Option<Named>, Error> {
    let name = row.text().to_owned();
    let digest = row.optional(Row::digest)?;
    match (name.is_empty(), digest) {
        (false, Some(digest)) => Ok(Some(Named { name, digest })),
        (true, None) => Ok(None),
        (false, None) | (true, Some(_)) => Err(row.fault("there or not as its name is")),
    }
}

fn input(row: &mut Row) -> Result<Input, Error> {
    let name = row.text().to_owned();
    if let Some(digest) = row.optional(Row::digest)? {
        return Ok(Input::Trace(Named { name, digest }));
    }
    let seed = name.strip_prefix("synthetic, seed ").and_then(row::whole);
    let input = seed.map(|seed| Input::Synthetic { seed });
    input.ok_or_else(|| row.fault("that of the trace, unless the input is `synthetic, seed N`"))
}

fn architecture(row: &mut Row) -> Result<Architecture, Error> {
    let name = row.text().to_owned();
    let parameters = Parameters {
        name,
        clock: Megahertz(row.real()?),
        rows: row.number()?,
        columns: row.number()?,
        clock_gating: row.choice(&CLOCK_GATING)?,
        lanes: row.number()?,
        branches: row.number()?,
        tree_levels_per_stage: row.number()?,
        activation_bits_per_step: row.number()?,
        accumulator_bits: row.number()?,
        zero_trits: row.choice(&ZERO_TRITS)?,
        chunking: row.choice(&CHUNKING)?,
        depthwise: depthwise(row)?,
        multipliers: row.number()?,
        scaler_stages: row.number()?,
        scale_bits: row.number()?,
        vector_lanes: row.number()?,
        vector_latency_cycles: row.number()?,
    };
    Architecture::new(parameters)
        .map_err(|error| Error::malformed(format!("line {}", row.line), error.to_string()))
}

fn depthwise(row: &mut Row) -> Result<DepthwiseMode, Error> {
    let mode = row.text();
    let is_known = ["column", "segments", "diagonal"].contains(&mode);
    let mode = mode.to_owned();
    if !is_known {
        return Err(row.fault("column, segments or diagonal"));
    }
    match (mode.as_str(), row.optional(Row::number)?) {
        ("column", None) => Ok(DepthwiseMode::Column),
        ("diagonal", None) => Ok(DepthwiseMode::Diagonal),
        ("segments", Some(segments)) => Ok(DepthwiseMode::Segments(segments)),
        _ => Err(row.fault("a number with mode `segments`, else empty")),
    }
}

/// All empty: none.
fn measures(row: &mut Row) -> Result<Option<Measures>, Error> {
    let computational = row.optional(Row::number)?;
    let sparse_full_adders = row.optional(Row::number)?;
    let others = [(); 4].map(|()| row.optional(Row::number));
    let [representational, storage, macs, weights] = others;
    let known = (computational, representational?, storage?, macs?, weights?);
    match known {
        (Some(computational), Some(representational), Some(storage), Some(macs), Some(weights)) => {
            Ok(Some(Measures {
                computational_full_adders: computational,
                sparse_full_adders,
                representational_bits: representational,
                storage_bits: storage,
                macs,
                weights,
            }))
        }
        (None, None, None, None, None) if sparse_full_adders.is_none() => Ok(None),
        _ => Err(row.fault("there or not as the measures before are")),
    }
}

fn results(row: &mut Row, arch: &Architecture) -> Result<Results, Error> {
    let mut results = Results {
        cycles: Cycles(row.number()?),
        steps: row.number()?,
        stall_scaler: Cycles(row.number()?),
        empty: Cycles(row.number()?),
        vector_cycles: Cycles(row.number()?),
        products: row.number()?,
        ..Results::default()
    };
    row.derived(&write::utilization(&results, arch))?;
    row.derived(&write::latency(&results, arch))?;
    results.toggle_tiles_counted = row.number()?;
    results.toggle_tiles = row.number()?;
    let total = row.next;
    row.skip();
    results.energy = energy(row)?;
    let after = std::mem::replace(&mut row.next, total);
    row.derived(&write::energy_total(results.energy.as_ref()))?;
    row.next = after;
    Ok(results)
}

fn energy(row: &mut Row) -> Result<Option<Energy>, Error> {
    let mut parts = [None; ENERGY_PARTS];
    for part in &mut parts {
        *part = row.optional(Row::real)?;
        if part.is_some_and(|value| !(0.0..=MAX_ENERGY_PJ).contains(&value)) {
            return Err(row.fault(&format!("between 0 and {MAX_ENERGY_PJ}")));
        }
    }
    if parts.iter().all(Option::is_none) {
        return Ok(None);
    }
    if parts.iter().any(Option::is_none) {
        return Err(row.fault("there or not as the energies before are"));
    }
    Ok(Some(Energy(parts.map(|part| Picojoules::new(part.unwrap_or_default())))))
}

/// Checks the column names and, before them, the version of the first row.
fn check_heads(
    heads: &csv::StringRecord,
    first_row: Option<&csv::StringRecord>,
) -> Result<(), Error> {
    let version = first_row.and_then(|row| row.get(0)).unwrap_or_default();
    if heads.get(0) == Some("format") && version.parse::<u32>().is_ok_and(|v| v != FORMAT) {
        return Err(Error::limit("line 2, column 1", "format", FORMAT.to_string(), version));
    }
    let columns = columns();
    for (at, expected) in columns.iter().enumerate() {
        let place = format!("line 1, column {}", at + 1);
        match heads.get(at) {
            Some(found) if found == expected => {}
            Some(found) => {
                return Err(Error::limit(
                    place,
                    "its name",
                    format!("`{expected}`"),
                    quoted(found),
                ));
            }
            None => {
                return Err(Error::limit(place, "its name", format!("`{expected}`"), "nothing"));
            }
        }
    }
    if let Some(found) = heads.get(columns.len()) {
        let place = format!("line 1, column {}", columns.len() + 1);
        return Err(Error::malformed(place, format!("unknown column {}", quoted(found))));
    }
    Ok(())
}
