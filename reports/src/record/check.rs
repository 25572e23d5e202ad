//! What must hold of every Record, whether it was simulated or read.

use tridot_sim::complexity::Measures;
use tridot_sim::limits::{MAX_LAYERS, MAX_NAME_BYTES};
use tridot_sim::network::Accuracy;
use tridot_sim::units::Picojoules;

use super::{Input, Record, Results, Toggling};
use crate::Error;
use crate::error::quoted;

/// Bytes of a command.
const MAX_COMMAND_BYTES: usize = 1 << 16;
/// The largest integer of a record: what a double holds exactly, and far below where sums overflow.
pub(crate) const MAX_COUNT: u64 = 1 << 53;
/// The most of one part of an energy: a joule.
pub(crate) const MAX_ENERGY_PJ: f64 = 1e12;
/// The most area, in µm²: a square metre.
pub(crate) const MAX_AREA_UM2: f64 = 1e12;
/// How far the sum of rounded energies may lie from the rounded sum, of that sum.
const ROUNDING: f64 = 1e-9;

impl Record {
    /// Refuses what cannot be a result; `place` says whose fault it is.
    pub(crate) fn check(&self, place: &str) -> Result<(), Error> {
        self.check_texts(place)?;
        let network = &self.inputs.network;
        accuracy(place, "float_correct", network.float_accuracy)?;
        accuracy(place, "integer_correct", network.integer_accuracy)?;
        at_least(place, "images", self.inputs.images, 1)?;
        if let Toggling::Sampled { one_tile_of } = self.inputs.toggling {
            at_least(place, "toggles_one_tile_of", one_tile_of, 2)?;
        }
        if let Some(area) = self.area
            && !(0.0..=MAX_AREA_UM2).contains(&area.0)
        {
            let limit = format!("between 0 and {MAX_AREA_UM2}");
            return Err(Error::limit(place, "area_um2", limit, area.0));
        }
        if self.area.is_some() && self.inputs.energy_table.is_none() {
            return Err(Error::malformed(place, "an area needs an energy table"));
        }
        self.check_results(place, &self.total)?;
        self.check_layers(place)
    }

    fn check_texts(&self, place: &str) -> Result<(), Error> {
        let Self { inputs, command, .. } = self;
        let network = &inputs.network;
        name(place, "network", &network.name)?;
        name(place, "scheme", &network.scheme)?;
        name(place, "activation_bits", &network.activation_bits)?;
        if let Some(data) = &network.data {
            name(place, "data", data)?;
        }
        if let Some(table) = &inputs.energy_table {
            name(place, "energy_table", &table.name)?;
        }
        if let Input::Trace(trace) = &inputs.input {
            name(place, "input_name", &trace.name)?;
        }
        for layer in &self.layers {
            name(place, "layer", &layer.name)?;
        }
        for warning in &self.warnings {
            text(place, "warnings", warning, MAX_COMMAND_BYTES)?;
        }
        text(place, "command", command, MAX_COMMAND_BYTES)
    }

    fn check_results(&self, place: &str, results: &Results) -> Result<(), Error> {
        let Results { cycles, steps, stall_scaler, empty, vector_cycles, products, .. } = *results;
        let terms = [cycles.0, steps, stall_scaler.0, empty.0, vector_cycles.0, products];
        for count in terms.into_iter().chain([results.toggle_tiles]) {
            if MAX_COUNT < count {
                return Err(Error::limit(place, "a count", format!("at most {MAX_COUNT}"), count));
            }
        }
        let sum = steps + stall_scaler.0 + empty.0 + vector_cycles.0;
        if cycles.0 != sum {
            let limit = format!("{sum}, the sum of steps, stalls, empty and vector cycles");
            return Err(Error::limit(place, "cycles", limit, cycles));
        }
        let most = u128::from(cycles.0) * self.inputs.architecture.leaves() as u128;
        if most < u128::from(products) {
            let limit = format!("at most {most}, one a leaf and cycle");
            return Err(Error::limit(place, "products", limit, products));
        }
        let (counted, tiles) = (results.toggle_tiles_counted, results.toggle_tiles);
        let (what, limit) = match self.inputs.toggling {
            Toggling::None if (counted, tiles) != (0, 0) => ("toggle_tiles", 0),
            Toggling::Exact if counted != tiles => ("toggle_tiles_counted", tiles),
            Toggling::Sampled { .. } if tiles < counted => ("toggle_tiles_counted", tiles),
            Toggling::None | Toggling::Exact | Toggling::Sampled { .. } => {
                return self.check_energy(place, results);
            }
        };
        Err(Error::limit(place, what, limit.to_string(), counted.max(tiles)))
    }

    fn check_energy(&self, place: &str, results: &Results) -> Result<(), Error> {
        if self.inputs.energy_table.is_some() != results.energy.is_some() {
            return Err(Error::malformed(place, "energy and energy_table go together"));
        }
        for (part, energy) in results.energy.iter().flat_map(super::Energy::parts) {
            if Picojoules::new(MAX_ENERGY_PJ) < energy {
                let what = format!("energy_{part}_pj");
                return Err(Error::limit(
                    place,
                    what,
                    format!("at most {MAX_ENERGY_PJ}"),
                    energy.value(),
                ));
            }
        }
        Ok(())
    }

    fn check_layers(&self, place: &str) -> Result<(), Error> {
        if self.layers.is_empty() {
            return Ok(());
        }
        if MAX_LAYERS < self.layers.len() {
            let limit = format!("at most {MAX_LAYERS}");
            return Err(Error::limit(place, "layers", limit, self.layers.len()));
        }
        for layer in &self.layers {
            self.check_results(&format!("{place}, layer {}", quoted(&layer.name)), &layer.results)?;
        }
        self.check_sums(place)?;
        self.check_measures(place)
    }

    /// Sums in types that no file can overflow.
    fn check_sums(&self, place: &str) -> Result<(), Error> {
        for (idx, (what, mine)) in integers(&self.total).into_iter().enumerate() {
            let layers = self.layers.iter().map(|layer| integers(&layer.results)[idx].1);
            let sum: u128 = layers.map(u128::from).sum();
            if u128::from(mine) != sum {
                return Err(Error::limit(
                    place,
                    what,
                    format!("{sum}, the sum of its layers"),
                    mine,
                ));
            }
        }
        for (idx, (part, mine)) in
            self.total.energy.iter().flat_map(super::Energy::parts).enumerate()
        {
            let layers = self.layers.iter().filter_map(|layer| layer.results.energy);
            let (mine, sum) =
                (mine.value(), layers.map(|energy| energy.0[idx].value()).sum::<f64>());
            if sum * ROUNDING < (mine - sum).abs() {
                let limit = format!("{sum}, the sum of its layers");
                return Err(Error::limit(place, format!("energy_{part}_pj"), limit, mine));
            }
        }
        Ok(())
    }

    fn check_measures(&self, place: &str) -> Result<(), Error> {
        let layers = || self.layers.iter().filter_map(|layer| layer.measures);
        for (what, measure) in MEASURES {
            // Unknown anywhere is unknown in all.
            let sum = layers().try_fold(0_u64, |sum, layer| sum.checked_add(measure(&layer)?));
            if measure(&self.measures) != sum {
                let shown =
                    |value: Option<u64>| value.map_or("nothing".to_owned(), |v| v.to_string());
                let limit = format!("{}, the sum of its layers", shown(sum));
                return Err(Error::limit(place, what, limit, shown(measure(&self.measures))));
            }
        }
        Ok(())
    }
}

/// A measure of a picture's cost by name.
type Measure = (&'static str, fn(&Measures) -> Option<u64>);

/// Every measure with its name.
pub(crate) const MEASURES: [Measure; 6] = [
    ("computational_full_adders", |m| Some(m.computational_full_adders)),
    ("sparse_full_adders", |m| m.sparse_full_adders),
    ("representational_bits", |m| Some(m.representational_bits)),
    ("storage_bits", |m| Some(m.storage_bits)),
    ("macs", |m| Some(m.macs)),
    ("weights", |m| Some(m.weights)),
];

fn integers(results: &Results) -> [(&'static str, u64); 8] {
    [
        ("cycles", results.cycles.0),
        ("steps", results.steps),
        ("stall_scaler_cycles", results.stall_scaler.0),
        ("empty_cycles", results.empty.0),
        ("vector_cycles", results.vector_cycles.0),
        ("products", results.products),
        ("toggle_tiles_counted", results.toggle_tiles_counted),
        ("toggle_tiles", results.toggle_tiles),
    ]
}

fn accuracy(place: &str, what: &str, accuracy: Option<Accuracy>) -> Result<(), Error> {
    let Some(Accuracy { samples, correct }) = accuracy else { return Ok(()) };
    if samples < correct {
        return Err(Error::limit(place, what, format!("at most {samples}, its samples"), correct));
    }
    Ok(())
}

fn at_least(place: &str, what: &str, value: u64, least: u64) -> Result<(), Error> {
    if value < least || MAX_COUNT < value {
        return Err(Error::limit(place, what, format!("between {least} and {MAX_COUNT}"), value));
    }
    Ok(())
}

fn name(place: &str, what: &str, value: &str) -> Result<(), Error> {
    if value.is_empty() {
        return Err(Error::malformed(place, format!("{what} must not be empty")));
    }
    text(place, what, value, MAX_NAME_BYTES)
}

fn text(place: &str, what: &str, value: &str, max_bytes: usize) -> Result<(), Error> {
    if max_bytes < value.len() {
        let what = format!("the length of {what} in bytes");
        return Err(Error::limit(place, what, format!("at most {max_bytes}"), value.len()));
    }
    if value.chars().any(char::is_control) {
        return Err(Error::malformed(
            place,
            format!("control character in {what} {}", quoted(value)),
        ));
    }
    Ok(())
}
