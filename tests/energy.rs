//! Do parts add up, and does a price follow its table alone?

use tridot_sim::arch::Architecture;
use tridot_sim::energy::{self, Breakdown, EnergyTables};
use tridot_sim::fast::{self, Sampling};
use tridot_sim::network::Network;
use tridot_sim::outcome::Outcome;
use tridot_sim::reference;

use crate::generator;
use crate::random::cases;

/// The runs of random networks on the built-in architectures that can run them, with toggles.
fn runs() -> impl Iterator<Item = (Network, Architecture, Outcome)> {
    let presets = Architecture::preset_names();
    (0..cases("ENERGY_NETWORKS", 60, 400)).filter_map(move |number| {
        let seed = number as u64;
        let network = generator::network(seed);
        let arch = Architecture::preset(presets[number % presets.len()]).unwrap();
        fast::network(&network, &arch, 1).ok()?;
        let tensors = reference::run(&network, &generator::picture(&network, seed)).unwrap();
        let inputs: Vec<_> =
            network.layers.iter().map(|layer| tensors[layer.inputs[0].0].as_slice()).collect();
        let outcome =
            fast::network_with_toggles(&network, &arch, 1, &inputs, Sampling::All).unwrap();
        Some((network, arch, outcome))
    })
}

#[test]
fn parts_and_layers_add_up_to_the_total_exactly() {
    let table = EnergyTables::builtin("published-45nm").unwrap().sizes()[0].clone();
    let mut n_runs = 0;
    for (network, arch, outcome) in runs() {
        let priced = energy::price(&network, &arch, &table, &outcome).unwrap();
        let total = priced.total();
        assert_eq!(
            total.parts().map(|part| part.1).sum::<tridot_sim::units::Picojoules>(),
            total.total()
        );
        assert_eq!(
            priced.layers.iter().map(Breakdown::total).sum::<tridot_sim::units::Picojoules>(),
            total.total()
        );
        for (layer, outcome) in priced.layers.iter().zip(&outcome.layers) {
            assert!(outcome.counts.steps == 0 || 0.0 < layer.total().value(), "work costs energy");
        }
        n_runs += 1;
    }
    assert!(30 < n_runs, "only {n_runs} networks ran");
}

#[test]
fn a_table_of_twice_the_energies_gives_twice_the_energy_of_the_same_run() {
    let text = EnergyTables::builtin_text("published-45nm").unwrap();
    let doubled: Vec<_> = text
        .split("\n\n")
        .map(|row| match row.split_once("value = ") {
            Some((head, rest)) if row.contains("pJ") => {
                let (value, rest) = rest.split_once('\n').unwrap();
                format!("{head}value = {}\n{rest}", 2.0 * value.parse::<f64>().unwrap())
            }
            Some(_) | None => row.to_owned(),
        })
        .collect();
    let table = EnergyTables::from_toml(text).unwrap();
    let doubled = EnergyTables::from_toml(&doubled.join("\n\n")).unwrap();
    let (table, doubled) = (&table.sizes()[0], &doubled.sizes()[0]);
    for (network, arch, outcome) in runs() {
        let once = energy::price(&network, &arch, table, &outcome).unwrap().total().total().value();
        let twice =
            energy::price(&network, &arch, doubled, &outcome).unwrap().total().total().value();
        // Each part of a layer is rounded to 2⁻²⁰ pJ.
        assert!((twice - 2.0 * once).abs() < 1e-3, "{twice} is not 2 · {once}");
    }
}
