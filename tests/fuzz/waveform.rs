//! Does the reader of waveforms survive whatever an FST or a VCD may hold?

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
use super::text::rearranged;
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
    let bytes = waveform::fst(job(), &arch, Window { first: 0, edges: 4_000 }).unwrap();
    let vectors = Vectors::new(&case.network, 0, &arch, case.images, &case.codes).unwrap();
    (bytes, Format::outputs(&case.network, 0, &vectors))
}

fn read(bytes: &[u8], outputs: Format) -> Result<Seen, String> {
    read_signals(SIGNALS, bytes, outputs)
}

fn read_signals(toml: &str, bytes: &[u8], outputs: Format) -> Result<Seen, String> {
    let signals = Signals::from_toml(toml).unwrap();
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
    // A layer of which every move of the bank is one output: what is sound is read to its end.
    let is_read = |(file, outputs): &(Vec<u8>, Format)| read(file, *outputs).is_ok();
    let files: Vec<_> = (0..200).map(shown).filter(is_read).take(4).collect();
    assert_eq!(files.len(), 4);
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

/// Signals of the VCD below.
const VCD_SIGNALS: &str = "format = 1\nclock = \"t.clk\"\nstart = \"t.start\"\nvalid = \"t.m.valid\"\n\
                           address = \"t.m.at\"\ndata = \"t.m.out\"\nports = 1\n";

/// A VCD in which a small layer writes an output at every edge, and what it shows.
fn shown_as_text(seed: u64) -> (String, Format, Seen, u32) {
    let arch = Architecture::preset("tiny").unwrap();
    let mut random = Random::new(seed, 47);
    let case = Case::random("any", &arch, &mut |n| random.below_u64(n)).unwrap();
    let vectors = Vectors::new(&case.network, 0, &arch, case.images, &case.codes).unwrap();
    let bits = case.network.layers[0].output.bits;
    let outputs = vectors.expected.outputs.clone();
    let head = format!(
        "$date today $end\n$timescale 1ns $end\n$scope module t $end\n$var wire 1 ! clk $end\n\
         $var wire 1 \" start $end\n$scope module m $end\n$var reg 1 # valid $end\n\
         $var wire 16 $ at [15:0] $end\n$var wire {bits} % out [{}:0] $end\n$var real 64 & load $end\n\
         $upscope $end\n$upscope $end\n$enddefinitions $end\n#0\n$dumpvars\n0!\n1\"\n0#\nbx $\nbz %\n\
         r0.5 &\n$end\n#5\n1!\n0\"\n#6\n1#\n",
        bits - 1
    );
    let mask = u64::MAX >> (64 - bits);
    let write = |(at, output): (usize, &i64)| {
        let (time, output) = (10 * (at + 1), output.cast_unsigned() & mask);
        let change = format!("b{at:b} $\nb{output:0width$b} %", width = bits as usize);
        format!("{change}\n#{time}\n0!\n#{}\n1!\n#{}\n", time + 5, time + 6)
    };
    let body: String = outputs.iter().enumerate().map(write).collect();
    let written_at = (1..=outputs.len() as u64).collect();
    (head + &body, Format::outputs(&case.network, 0, &vectors), Seen { outputs, written_at }, bits)
}

/// Words that a VCD should not hold where they stand.
const HOSTILE: &[&str] = &[
    "",
    "$end",
    "$var",
    "$var wire 1 ! clk $end",
    "$var wire 0 ! clk $end",
    "$var wire 18446744073709551616 % out $end",
    "$scope",
    "$upscope $end",
    "$enddefinitions $end",
    "$comment",
    "#",
    "#-1",
    "#0",
    "#18446744073709551615",
    "#18446744073709551616",
    "b",
    "b %",
    "bx %",
    "b2 %",
    "b11111111111111111111111111111111111111111111111111111111111111111111111111 %",
    "b1111111111111111 $",
    "r",
    "1",
    "x!",
    "1\"",
    "\u{7}\u{e9}",
];

/// A line removed, repeated, exchanged or replaced, or a word of it gone.
fn line_mutant(random: &mut Random, file: &str) -> Mutant {
    let mut lines: Vec<String> = file.lines().map(str::to_owned).collect();
    let at = random.below(lines.len());
    let what = match random.below(5) {
        0..=2 => rearranged(random, &mut lines),
        3 => {
            let mut words: Vec<&str> = lines[at].split(' ').collect();
            words.remove(random.below(words.len()));
            lines[at] = words.join(" ");
            format!("line {at} became `{}`", lines[at])
        }
        _ => {
            let hostile = *random.pick(HOSTILE);
            lines[at] = hostile.to_owned();
            format!("line {at} became {hostile:?}")
        }
    };
    Mutant { what, touched: Touched::Structure, bytes: lines.join("\n").into_bytes() }
}

#[test]
fn hostile_vcds_are_refused_or_read() {
    let n_mutants = cases("FUZZ_MUTANTS", 1_500, 12_000);
    let files: Vec<_> = (0..6).map(shown_as_text).collect();
    let mut random = Random::new(0, 48);
    let mut accepted = 0;
    for (i, (file, outputs, seen, bits)) in files.iter().enumerate() {
        let read = |bytes: &[u8]| read_signals(VCD_SIGNALS, bytes, *outputs);
        assert_eq!(read(file.as_bytes()).as_ref(), Ok(seen));
        // The header, where little is much, as often as the changes, of which there are many.
        let (head, body) = file.split_at(file.find("#6").unwrap());
        let mut mutants = truncations(&mut random, file.as_bytes(), 200);
        for _ in 0..n_mutants / files.len() {
            mutants.push(match random.below(10) {
                0..=2 => {
                    let Mutant { what, touched, mut bytes } = line_mutant(&mut random, head);
                    bytes.push(b'\n');
                    bytes.extend_from_slice(body.as_bytes());
                    Mutant { what, touched, bytes }
                }
                3..=5 => line_mutant(&mut random, file),
                6 => {
                    let other = files[(i + 1) % files.len()].0.as_bytes();
                    splice(&mut random, file.as_bytes(), other)
                }
                _ => flip_bits(&mut random, file.as_bytes()),
            });
        }
        let use_accepted = |got: &Seen, _: &[u8]| {
            // Each output in the range of its tensor, each written within the file.
            let edges = file.matches("1!").count() as u64 + 64;
            assert_eq!(got.outputs.len(), seen.outputs.len());
            assert!(got.written_at.iter().all(|&edge| edge < edges));
            let range = 1_i64 << bits.min(&48);
            assert!(got.outputs.iter().all(|output| (-range..range).contains(output)));
        };
        accepted += fuzz("VCD", mutants, read, use_accepted).accepted;
    }
    assert!(n_mutants / 50 < accepted, "only {accepted} accepted");
}
