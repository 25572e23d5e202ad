//! Built-in networks against the counts and names of their papers; errors of network files.

use tridot_sim::network::{Pads, Shape};

use super::*;

fn layer<'a>(topology: &'a Topology, name: &str) -> &'a TopologyLayer {
    topology.layers.iter().find(|layer| layer.name == name).unwrap()
}

#[test]
fn every_built_in_loads_under_its_own_name() {
    for name in builtin_names() {
        let topology = builtin(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(topology.name, name);
        assert_eq!(topology.input.channels, 3);
    }
}

#[test]
fn counts() {
    for name in builtin_names() {
        let t = builtin(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        println!("{name} {} {} {}", t.layers.len(), t.macs(), t.weights());
    }
    for name in ["mobilenetv1-0.5-128", "mobilenetv2-0.5-96", "mobilenetv2-1.4-224"] {
        let t = builtin(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        println!("{name} {} {} {}", t.layers.len(), t.macs(), t.weights());
    }
}
