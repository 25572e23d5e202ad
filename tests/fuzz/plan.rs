//! Does the reader of quantization plans survive whatever a file may hold?

use tridot_models::baselines::Baseline;
use tridot_models::scheme::{Plan, Scheme};
use tridot_models::topology;

use super::bytes::{flip_bits, splice, truncations};
use super::driver::fuzz;
use super::text::structure_mutant;
use crate::random::{Random, cases};

/// A plan with every key.
const FULL: &str = r#"format = 1
first = "fixed(8)"
last = "fixed(4)"
depthwise = "dbq(1)"
others = "dbq(2)"
alpha = "channel"
activation_bits = 6
scale_bits = 12
digits = "sign_magnitude"

[calibration]
samples = 256
batch_norm = "re_estimated"

[layers]
"layer1.0.conv1" = "fixed(6)"
"layer3.2.conv2" = "dbq(3)"
"#;

/// That plan, the shortest one and the default in full.
fn files() -> Vec<String> {
    let shortest = "format = 1\nothers = \"dbq(2)\"\n".to_owned();
    vec![FULL.to_owned(), shortest, Plan::default_with_branches(3).to_toml()]
}

fn read(bytes: &[u8]) -> Result<Plan, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    Plan::from_toml(text).map_err(|error| error.to_string())
}

/// What is accepted is within its limits, says the same when written and read again, and plans a
/// network or is refused for its layers' names in one line.
fn use_accepted(plan: &Plan, _: &[u8]) {
    assert_eq!(Plan::from_toml(&plan.to_toml()).as_ref().ok(), Some(plan));
    plan.check().unwrap();
    let schemes = [plan.first, plan.last, plan.depthwise, plan.others];
    for scheme in schemes.into_iter().chain(plan.layers.values().copied()) {
        match scheme {
            Scheme::Fixed { bits } => assert!((2..=16).contains(&bits)),
            Scheme::Dbq { branches } => assert!((1..=5).contains(&branches)),
            Scheme::Baseline(Baseline::Lsq { bits }) => assert!((2..=8).contains(&bits)),
            Scheme::Baseline(Baseline::Twn | Baseline::Ttq) => {}
        }
    }
    let topology = topology::builtin("resnet20").unwrap();
    match plan.schemes(&topology) {
        Ok(schemes) => assert_eq!(schemes.iter().flatten().count(), topology.dot_layers().count()),
        Err(error) => {
            let line = error.to_string();
            assert!(line.starts_with("plan: layers: `"), "{line}");
            assert!(!line.contains(char::is_control), "{line:?}");
        }
    }
}

#[test]
fn a_plan_cut_anywhere_is_refused_or_usable() {
    let mut random = Random::new(0, 34);
    let mutants = truncations(&mut random, FULL.as_bytes(), usize::MAX);
    let tally = fuzz("plan, cut", mutants, read, use_accepted);
    assert_eq!(tally.structure, FULL.len());
}

#[test]
fn hostile_plans_are_refused_or_usable() {
    let n_mutants = cases("FUZZ_MUTANTS", 1_500, 12_000);
    let files = files();
    let mut random = Random::new(0, 35);
    let mutants = (0..n_mutants).map(|_| {
        let (file, other) = (random.pick(&files).clone(), random.pick(&files).clone());
        match random.below(10) {
            0..=6 => structure_mutant(&mut random, &file),
            7 => splice(&mut random, file.as_bytes(), other.as_bytes()),
            _ => flip_bits(&mut random, file.as_bytes()),
        }
    });
    let tally = fuzz("plan", mutants, read, use_accepted);
    assert!(n_mutants / 50 < tally.accepted, "only {} accepted", tally.accepted);
}
