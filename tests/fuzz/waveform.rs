//! Does the reader of waveforms survive whatever an FST may hold?

use std::io::Cursor;

use tridot_sim::arch::Architecture;
use tridot_sim::rtl::Case;
use tridot_sim::stepped::Job;
use tridot_sim::vectors::Vectors;
use tridot_sim::verify::dump::Format;
use tridot_sim::verify::wave::{Seen, Signals};
use tridot_sim::waveform::{self, Window};

use super::bytes::{flip_bits, splice, truncations};
use super::driver::{Mutant, Touched, fuzz};
use crate::random::{Random, cases};

/// Signals that every waveform of ours has; the bank takes the place of data.
const SIGNALS: &str = "format = 1\nclock = \"clk\"\nstart = \"tridot_top.machine.core.move\"\n\
                       valid = \"tridot_top.machine.core.full\"\ndata = \"tridot_top.machine.core.bank\"\nports = 1\n";

/// A waveform of a small layer, and what its outputs are.
fn shown(seed: u64) -> (Vec<u8>, Format) {
    let arch = Architecture::preset("tiny").unwrap();
    let mut random = Random::new(seed, 40);
    let case = Case::random("any", &arch, &mut |n| random.below_u64(n)).unwrap();
    let job = || Job::new(&case.network, 0, &arch, case.images, &case.codes).unwrap();
    let bytes = waveform::fst(job(), &arch, Window { first: 0, edges: 60 }).unwrap();
    let vectors = Vectors::new(&case.network, 0, &arch, case.images, &case.codes).unwrap();
    (bytes, Format::outputs(&case.network, 0, &vectors))
}

fn read(bytes: &[u8], outputs: Format) -> Result<Seen, String> {
    let signals = Signals::from_toml(SIGNALS).unwrap();
    signals.read(Cursor::new(bytes), outputs).map_err(|error| error.to_string())
}

/// Where blocks begin, by their lengths.
fn blocks(file: &[u8]) -> Vec<usize> {
    let mut starts = vec![0];
    while let Some(length) = file.get(starts[starts.len() - 1] + 1..).and_then(|b| b.first_chunk())
    {
        let next =
            starts[starts.len() - 1] + 1 + usize::try_from(u64::from_be_bytes(*length)).unwrap();
        if file.len() <= next {
            break;
        }
        starts.push(next);
    }
    starts
}

/// A block's kind, its length, or a number near one of its ends as something else.
fn block_mutant(random: &mut Random, file: &[u8]) -> Mutant {
    let mut bytes = file.to_vec();
    let starts = blocks(file);
    let block = random.below(starts.len());
    let end = starts.get(block + 1).copied().unwrap_or(file.len());
    let at = match random.below(4) {
        0 => starts[block],
        1 => starts[block] + 1 + random.below(8),
        2 => (starts[block] + 9 + random.below(40)).min(end - 1),
        _ => end - 1 - random.below(40.min(end - starts[block])),
    };
    let any = random.byte();
    bytes[at] = *random.pick(&[0, 1, 2, 0x7f, 0x80, 0xff, any]);
    let what = format!("byte {at} of block {block} is {}", bytes[at]);
    Mutant { what, touched: Touched::Structure, bytes }
}

#[test]
fn hostile_waveforms_are_refused_or_read() {
    let n_mutants = cases("FUZZ_MUTANTS", 1_500, 12_000);
    let files: Vec<_> = (0..6).map(shown).collect();
    let mut random = Random::new(0, 41);
    let mut accepted = 0;
    for (i, (file, outputs)) in files.iter().enumerate() {
        assert!(4 <= blocks(file).len());
        let mut mutants = truncations(&mut random, file, 200);
        for _ in 0..n_mutants / files.len() {
            mutants.push(match random.below(10) {
                0..=5 => block_mutant(&mut random, file),
                6 => splice(&mut random, file, &files[(i + 1) % files.len()].0),
                _ => flip_bits(&mut random, file),
            });
        }
        let tally = fuzz("waveform", mutants, |bytes| read(bytes, *outputs), |_, _| ());
        accepted += tally.accepted;
    }
    // Enough must come through that values are read, too.
    assert!(n_mutants / 50 < accepted, "only {accepted} accepted");
}
