//! Does the reader of energy tables survive whatever a file may hold?

use tridot_sim::arch::Architecture;
use tridot_sim::energy::{self, Area, EnergyTables};
use tridot_sim::fast::{self, Sampling};
use tridot_sim::network::Network;
use tridot_sim::outcome::Outcome;
use tridot_sim::reference;

use super::bytes::{flip_bits, splice, truncations};
use super::driver::fuzz;
use super::text::structure_mutant;
use crate::generator;
use crate::random::{Random, cases};

fn read(bytes: &[u8]) -> Result<EnergyTables, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    EnergyTables::from_toml(text).map_err(|error| error.to_string())
}

/// The built-in table, and one with every row that a calibration adds.
fn files() -> Vec<String> {
    let built_in = EnergyTables::builtin_text("published-45nm").unwrap().to_owned();
    let row = |key: &str, unit: &str, rest: &str| {
        format!("\n[{key}]\nvalue = 3\nunit = \"{unit}\"\nsource = \"s\"\n{rest}")
    };
    let scaled = "node_nm = 28\nscaled_by = { factor = 2.5, formula = \"f\", source = \"s\" }\n";
    let calibrated = [
        built_in.clone(),
        row("toggle.tree", "fJ", scaled),
        row("toggle.activation_bus", "fJ", ""),
        row("clock", "fJ", ""),
        row("leakage", "nW/um2", scaled),
        row("area_flip_flop", "um2", ""),
        row("max_clock", "MHz", ""),
        row("toggle.weight_fan_out", "fJ", ""),
        row("toggle.scaler_scale", "fJ", ""),
        row("toggle.scaler_partial_products", "fJ", ""),
        row("handover.bus", "fJ", ""),
        row("handover_to_empty.engine", "fJ", scaled),
        row("handover_to_full.scaler", "fJ", ""),
        row("select.operand", "fJ", ""),
        row("select.y", "fJ", ""),
        row("control.array", "fJ", ""),
        row("control.column", "fJ", ""),
        "\n[calibration]\nlanes = 16\nbranches = 2\ntree_levels_per_stage = 2\nactivation_bits_per_step = 8\naccumulator_bits = 32\n\
         zero_trits = \"none\"\nsegments = 1\nscaler_stages = 4\nmean_error_percent = 2.5\n\
         worst_error_percent = 9\narray_mean_error_percent = 5\narray_worst_error_percent = 9\nlibrary = \"l\"\n\
         recipe = \"r\"\nsimulation = \"s\"\nwire_load = \"w\"\nwindows = \"53\"\n"
            .to_owned(),
    ];
    let calibrated = calibrated.concat();
    // The same engine, and one of twice as many lanes, in one file.
    let parts = calibrated.split_inclusive("\n\n");
    let (shared, size): (Vec<_>, Vec<_>) = parts.partition(|part| part.starts_with("[[memory"));
    let below = |line: &str| match line.split_at(line.rfind('[').map_or(0, |at| at + 1)) {
        (head @ ("[" | "[["), rest) => format!("{head}size.{rest}"),
        _ => line.to_owned(),
    };
    let size: String = size.concat().split_inclusive('\n').map(below).collect();
    let wide = size.replace("lanes = 16", "lanes = 32").replace("value = 3", "value = 4");
    let head = "format = 1\nname = \"sizes\"\n\n";
    let sizes = format!("{head}{}[[size]]\n{size}\n[[size]]\n{wide}", shared.concat());
    vec![built_in, calibrated, sizes]
}

#[test]
fn the_files_that_are_changed_are_read() {
    for file in files() {
        read(file.as_bytes()).unwrap();
    }
}

/// A network that has run: what accepted tables price.
struct Run {
    network: Network,
    arch: Architecture,
    outcome: Outcome,
}

impl Run {
    fn new() -> Self {
        let arch = Architecture::preset("edge").unwrap();
        let fits = |network: &Network| fast::network(network, &arch, 1).is_ok();
        let network = (0..1000).map(generator::network).find(fits).unwrap();
        let tensors = reference::run(&network, &generator::picture(&network, 0)).unwrap();
        let inputs: Vec<_> =
            network.layers.iter().map(|layer| tensors[layer.inputs[0].0].as_slice()).collect();
        let outcome =
            fast::network_with_toggles(&network, &arch, 1, &inputs, Sampling::All).unwrap();
        Self { network, arch, outcome }
    }

    /// What is accepted prices a run or refuses it in one line, and parts sum to the total.
    fn price(&self, tables: &EnergyTables) {
        let table = &tables.of(&self.arch);
        assert!(Area::of(table, &self.arch).total().0.is_finite());
        match energy::price(&self.network, &self.arch, table, &self.outcome) {
            Ok(priced) => {
                let layers = priced.layers.iter().map(energy::Breakdown::total).sum();
                assert_eq!(priced.total().total(), layers);
            }
            Err(error) => assert_eq!(error.to_string().lines().count(), 1),
        }
    }
}

#[test]
fn an_energy_table_cut_anywhere_is_refused_or_usable() {
    let mut random = Random::new(0, 32);
    let (file, run) = (files().remove(1), Run::new());
    let mutants = truncations(&mut random, file.as_bytes(), usize::MAX);
    let tally = fuzz("energy table, cut", mutants, read, |table, _| run.price(table));
    assert_eq!(tally.structure, file.len());
}

#[test]
fn hostile_energy_tables_are_refused_or_usable() {
    let n_mutants = cases("FUZZ_MUTANTS", 1_500, 12_000);
    let (files, run) = (files(), Run::new());
    let mut random = Random::new(0, 33);
    let mutants = (0..n_mutants).map(|_| {
        let (file, other) = (random.pick(&files).clone(), random.pick(&files).clone());
        match random.below(10) {
            0..=6 => structure_mutant(&mut random, &file),
            7 => splice(&mut random, file.as_bytes(), other.as_bytes()),
            _ => flip_bits(&mut random, file.as_bytes()),
        }
    });
    let tally = fuzz("energy table", mutants, read, |table, _| run.price(table));
    assert!(n_mutants / 50 < tally.accepted, "only {} accepted", tally.accepted);
}
