//! Do the readers of a designer's dumps (hex and `.npy`) survive whatever a file may hold, and does what they
//! accept find its place among the golden vectors?

use tridot_sim::arch::Architecture;
use tridot_sim::network::Network;
use tridot_sim::rtl::Case;
use tridot_sim::vectors::{Vectors, npy};
use tridot_sim::verify::dump::Format;
use tridot_sim::verify::{Findings, Verifier};

use super::bytes::{flip_bits, splice, truncations};
use super::driver::{Mutant, Touched, fuzz};
use super::text::rearranged;
use crate::random::{Random, cases};

/// Bits of a wide word of accumulators.
const WIDE_BITS: usize = 48;

/// Words that a dump should not hold.
const HOSTILE: &[&str] = &[
    "x",
    "zz",
    "0X1",
    "-1",
    "+1",
    "_",
    "@",
    "@0",
    "@ffffffffffffffff",
    "@10000000000000000",
    "@-1",
    "//",
    "8000000000000000",
    "ffffffffffffffff",
    "ffffffffffff",
    "800000000000",
    "7fffffffffff",
    "00000000000000000000000000000000",
    "\u{7}",
    "\u{e9}",
    "\u{2028}",
];

/// Pieces of a header of `NumPy`, and what takes the place of one.
const HEADER: &[&str] =
    &["'descr'", "'fortran_order'", "'shape'", "False", "<i8", "(", ")", ",", "{", "'"];
const HEADERS: &[&str] = &[
    "",
    "True",
    "'",
    "(",
    "((",
    ")",
    "<u8",
    "|i1",
    ">i8",
    "<f8",
    "<i16",
    "|O",
    "(0,",
    "(-1,",
    "(18446744073709551615,",
    "(18446744073709551616,",
    "(4294967296, 4294967296, 0,",
    "(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,",
    "\u{7}",
    "\n",
];

/// A small layer with what its hardware must show.
struct Golden {
    network: Network,
    vectors: Vectors,
}

/// What a dump is of: its format, its values, and their comparison.
struct Quantity {
    format: Format,
    values: Vec<i64>,
    /// Digits of a word: of outputs and edges a narrow one, of accumulators a wide one.
    digits: usize,
    compare: fn(&Golden, &[i64]) -> Findings,
}

impl Golden {
    fn new(seed: u64) -> Self {
        let arch = Architecture::preset("tiny").unwrap();
        let mut random = Random::new(seed, 44);
        let case = Case::random("any", &arch, &mut |n| random.below_u64(n)).unwrap();
        let vectors = Vectors::new(&case.network, 0, &arch, case.images, &case.codes).unwrap();
        Self { network: case.network, vectors }
    }

    fn verifier(&self) -> Verifier<'_> {
        Verifier::new(&self.network, 0, &self.vectors)
    }

    fn quantities(&self) -> [Quantity; 3] {
        let edges = self.vectors.expected.written_at.iter().map(|edge| edge.cast_signed());
        [
            Quantity {
                format: Format::outputs(&self.network, 0, &self.vectors),
                values: self.vectors.expected.outputs.clone(),
                digits: self.network.layers[0].output.bits.div_ceil(4) as usize,
                compare: |golden, got| golden.verifier().outputs(got),
            },
            Quantity {
                format: Format::accumulators(&self.vectors),
                values: self.vectors.accumulators.clone(),
                digits: WIDE_BITS / 4,
                compare: |golden, got| golden.verifier().accumulators(got),
            },
            Quantity {
                format: Format::edges(&self.vectors),
                values: edges.collect(),
                digits: 8,
                compare: |golden, got| {
                    let got: Vec<u64> = got.iter().map(|edge| edge.cast_unsigned()).collect();
                    golden.verifier().edges(&got)
                },
            },
        ]
    }
}

impl Quantity {
    /// As `$writememh` writes it.
    fn hex(&self) -> String {
        let mask = u64::MAX >> (64 - 4 * self.digits);
        let word = |value: &i64| {
            format!("{:0width$x}\n", value.cast_unsigned() & mask, width = self.digits)
        };
        let words: String = self.values.iter().map(word).collect();
        format!("// 0x00000000\n{words}")
    }

    fn npy(&self) -> Vec<u8> {
        npy::encode(&[self.values.len()], npy::Type::I64, self.values.iter().copied())
    }

    /// As many values as the layer has, each equal or counted among those that differ, which have a kind.
    fn use_accepted(&self, golden: &Golden, got: &[i64]) {
        assert_eq!(got.len(), self.values.len());
        let findings = (self.compare)(golden, got);
        let differ = got.iter().zip(&self.values).filter(|(got, expected)| got != expected);
        let differ = differ.count() as u64;
        assert_eq!((findings.compared, findings.mismatches), (got.len() as u64, differ));
        assert_eq!(findings.kinds.values().sum::<u64>(), differ);
        let at = got.iter().zip(&self.values).position(|(got, expected)| got != expected);
        let first = findings.first.as_ref();
        assert_eq!(
            first.map(|first| (first.got, first.expected)),
            at.map(|at| (got[at], self.values[at]))
        );
        if let Some(first) = first {
            assert!(!first.describe(&golden.vectors).contains(char::is_control));
            let operands = golden.verifier().operands(first.index);
            assert_eq!(operands.accumulators.len(), operands.multipliers.len());
        }
    }
}

fn read_hex(bytes: &[u8], format: Format) -> Result<Vec<i64>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    format.read_hex(text).map_err(|error| error.to_string())
}

/// A word removed, repeated, exchanged, cut, lengthened or replaced.
fn word_mutant(random: &mut Random, file: &str) -> Mutant {
    let mut words: Vec<String> = file.lines().map(str::to_owned).collect();
    let at = random.below(words.len());
    let hostile = *random.pick(HOSTILE);
    let what = match random.below(6) {
        0..=2 => rearranged(random, &mut words),
        3 => {
            words[at].pop();
            format!("word {at} cut to `{}`", words[at])
        }
        4 => {
            words[at] += hostile;
            format!("word {at} with {hostile:?} behind it")
        }
        _ => {
            words[at] = hostile.to_owned();
            format!("word {at} is {hostile:?}")
        }
    };
    let between = *random.pick(&["\n", " ", "\r\n", "\t"]);
    let bytes = words.join(between).into_bytes();
    Mutant { what: format!("{what}, {between:?} between"), touched: Touched::Structure, bytes }
}

/// A piece of the header replaced, its length kept or not, or its length as something else.
fn header_mutant(random: &mut Random, file: &[u8]) -> Mutant {
    let length = usize::from(u16::from_le_bytes([file[8], file[9]]));
    let mut header = String::from_utf8(file[10..10 + length].to_vec()).unwrap();
    let mut claimed = length;
    let (piece, new) = (*random.pick(HEADER), *random.pick(HEADERS));
    let what = if random.percent(80) {
        header = header.replacen(piece, new, 1);
        if random.percent(70) {
            claimed = header.len();
        }
        format!("{piece:?} of the header is {new:?}, its length {claimed}")
    } else {
        claimed = *random.pick(&[0, 1, length - 1, length + 1, length + 64, 4096, 4097, 65_535]);
        format!("the length of the header is {claimed}")
    };
    let claimed = u16::try_from(claimed).unwrap().to_le_bytes();
    let bytes = [&file[..8], &claimed, header.as_bytes(), &file[10 + length..]].concat();
    Mutant { what, touched: Touched::Structure, bytes }
}

#[test]
fn a_dump_cut_anywhere_is_refused() {
    let golden = Golden::new(0);
    let mut random = Random::new(0, 45);
    for quantity in golden.quantities() {
        let (hex, npy) = (quantity.hex(), quantity.npy());
        assert_eq!(read_hex(hex.as_bytes(), quantity.format).as_ref(), Ok(&quantity.values));
        let hex = hex.trim_end();
        let mutants = truncations(&mut random, hex.as_bytes(), 2_000);
        let read = |bytes: &[u8]| read_hex(bytes, quantity.format);
        // Of a last word that is wide, as of accumulators, may be left what is a narrow one.
        let narrow = usize::from(quantity.digits == WIDE_BITS / 4);
        assert!(fuzz("hex dump, cut", mutants, read, |_, _| ()).accepted <= narrow);
        let mutants = truncations(&mut random, &npy, 2_000);
        let read =
            |bytes: &[u8]| quantity.format.read_npy(bytes).map_err(|error| error.to_string());
        assert_eq!(fuzz("npy dump, cut", mutants, read, |_, _| ()).accepted, 0);
    }
}

#[test]
fn hostile_dumps_are_refused_or_compared() {
    let n_mutants = cases("FUZZ_MUTANTS", 1_500, 12_000);
    let mut random = Random::new(0, 46);
    let (mut of_hex, mut of_npy) = (0, 0);
    for golden in (0..4).map(Golden::new) {
        for quantity in golden.quantities() {
            let (hex, npy) = (quantity.hex(), quantity.npy());
            let accepted = |got: &Vec<i64>, _: &[u8]| quantity.use_accepted(&golden, got);
            let mutants = (0..n_mutants / 12).map(|_| match random.below(10) {
                0..=5 => word_mutant(&mut random, &hex),
                6 => splice(&mut random, hex.as_bytes(), &npy),
                _ => flip_bits(&mut random, hex.as_bytes()),
            });
            let mutants: Vec<Mutant> = mutants.collect();
            let read = |bytes: &[u8]| read_hex(bytes, quantity.format);
            of_hex += fuzz("hex dump", mutants, read, accepted).accepted;
            let mutants = (0..n_mutants / 12).map(|_| match random.below(10) {
                0..=5 => header_mutant(&mut random, &npy),
                6 => splice(&mut random, &npy, hex.as_bytes()),
                _ => flip_bits(&mut random, &npy),
            });
            let mutants: Vec<Mutant> = mutants.collect();
            let read =
                |bytes: &[u8]| quantity.format.read_npy(bytes).map_err(|error| error.to_string());
            of_npy += fuzz("npy dump", mutants, read, accepted).accepted;
        }
    }
    assert!(n_mutants / 20 < of_hex, "only {of_hex} hex dumps accepted");
    assert!(n_mutants / 20 < of_npy, "only {of_npy} npy dumps accepted");
}
