//! Mutated architecture files: each is refused in one line, or is an architecture that runs.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tridot_sim::Error;
use tridot_sim::arch::Architecture;
use tridot_sim::fast;

use crate::generator::case;

/// Values that hurt: zero, negative, no power of two, huge, not a number, of another type.
const VALUES: [&str; 12] = [
    "0",
    "-1",
    "1",
    "3",
    "64",
    "1025",
    "9223372036854775807",
    "1e400",
    "nan",
    "\"flat\"",
    "[]",
    "{ rows = 1 }",
];

/// A file with one or more lines removed, repeated, swapped, given another value, or cut.
fn mutant(text: &str, dice: &mut ChaCha8Rng) -> String {
    let mut below = |n: usize| usize::try_from(dice.next_u64() % n as u64).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=below(3) {
        let (one, two) = (below(lines.len()), below(lines.len()));
        match below(6) {
            0 if 1 < lines.len() => {
                lines.remove(one);
            }
            1 => lines.insert(one, lines[two].clone()),
            2 => lines.swap(one, two),
            3 => {
                let end = lines[one].chars().take(below(24)).collect();
                lines[one] = end;
            }
            4 => lines[one] = lines[one].replacen(['=', '_', '"', '['], " ", 1),
            _ => {
                let key = lines[one].split('=').next().unwrap().to_owned();
                lines[one] = format!("{key}= {}", VALUES[below(VALUES.len())]);
            }
        }
    }
    lines.join("\n")
}

/// One line without control characters.
fn assert_readable(error: &Error) {
    let text = error.to_string();
    assert!(!text.is_empty() && !text.chars().any(char::is_control), "{text:?}");
}

#[test]
fn mutants_of_the_presets_are_refused_in_one_line_or_run() {
    let mut dice = ChaCha8Rng::seed_from_u64(0);
    let cases: Vec<_> = (0..8).map(case).collect();
    let mut accepted = 0;
    for round in 0..2_000 {
        for name in Architecture::preset_names() {
            let text = mutant(Architecture::preset_text(name).unwrap(), &mut dice);
            match Architecture::from_toml(&text) {
                Err(error) => assert_readable(&error),
                Ok(arch) => {
                    accepted += 1;
                    // It runs a layer, or says why not.
                    let counts = fast::dot_layer(&cases[round % cases.len()].work(), &arch);
                    counts.map_or_else(|error| assert_readable(&error), |c| assert_ne!(c.steps, 0));
                }
            }
        }
    }
    println!("{accepted} of 12000 mutants accepted");
    assert!(500 < accepted, "mutants must reach beyond the parser: {accepted}");
}

#[test]
fn every_truncation_is_refused_in_one_line() {
    for name in Architecture::preset_names() {
        let text = Architecture::preset_text(name).unwrap().trim_end();
        for end in (0..text.len()).filter(|&end| text.is_char_boundary(end)) {
            match Architecture::from_toml(&text[..end]) {
                Err(error) => assert_readable(&error),
                // A number cut short is still one: only the last line can be.
                Ok(_) => assert!(text[..end].lines().last().unwrap().starts_with("latency_cycles")),
            }
        }
    }
}
