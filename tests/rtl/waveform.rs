//! Does a waveform of the stepped model show what a dump of the RTL shows, signal by signal, edge by edge?

use std::collections::BTreeMap;
use std::io::Cursor;

use tridot_sim::arch::Architecture;
use tridot_sim::rtl::Case;
use tridot_sim::stepped::Job;
use tridot_sim::vectors::Vectors;
use tridot_sim::verify::dump::Format;
use tridot_sim::verify::wave::Signals;
use tridot_sim::verify::{Findings, Kind, Verifier};
use tridot_sim::waveform::{self, PERIOD, Window};
use wellen::simple::{Waveform, read, read_from_reader};

use super::bench::Bench;
use super::cases;
use super::tools::has;

/// Of each signal below `machine`, its value after each edge as binary digits.
type Values = BTreeMap<String, Vec<String>>;

/// Values at the times of edges, the first of which is at `start`.
fn values(wave: &mut Waveform, start: u64, edges: u64) -> Values {
    let names = |wave: &Waveform| -> Vec<_> {
        let hierarchy = wave.hierarchy();
        let vars = hierarchy.all_vars().map(|var| {
            let var = &hierarchy[var];
            (var.full_name(hierarchy), var.signal_ref())
        });
        vars.collect()
    };
    let mut all = Values::new();
    for (name, signal) in names(wave) {
        let Some((_, name)) = name.split_once(".machine.") else { continue };
        wave.load_signals(&[signal]);
        let times = wave.time_table().to_vec();
        let held = wave.get_signal(signal).unwrap();
        let at = |edge: u64| {
            let time = start + edge * PERIOD;
            let index = times.partition_point(|&at| at <= time).checked_sub(1)?;
            let offset = held.get_offset(u32::try_from(index).unwrap())?;
            held.get_value_at(&offset, 0).to_bit_string()
        };
        let values = (0..edges).map(|edge| at(edge).unwrap_or_default()).collect();
        all.insert(name.to_owned(), values);
        wave.unload_signals(&[signal]);
    }
    all
}

/// The time at which the RTL is busy first: after edge 0.
fn first_edge(dump: &mut Waveform) -> u64 {
    let hierarchy = dump.hierarchy();
    let busy = hierarchy
        .all_vars()
        .find(|&var| hierarchy[var].full_name(hierarchy).ends_with("bench.machine.busy"));
    let signal = hierarchy[busy.unwrap()].signal_ref();
    dump.load_signals(&[signal]);
    let times = dump.time_table().to_vec();
    let held = dump.get_signal(signal).unwrap();
    let is_busy = |index: &usize| {
        let offset = held.get_offset(u32::try_from(*index).unwrap());
        let value = offset.and_then(|offset| held.get_value_at(&offset, 0).to_bit_string());
        value.is_some_and(|value| value == "1")
    };
    times[(0..times.len()).find(is_busy).unwrap()]
}

/// Compares all signals of a layer; how many there are.
fn compare(bench: &Bench<'_>, arch: &Architecture, case: &Case) -> usize {
    let (passed, said) = bench.run(case, &["+dump=dump.vcd"]);
    assert!(passed, "{}, {}: {said}", arch.name, case.name);
    let job = || Job::new(&case.network, 0, arch, case.images, &case.codes).unwrap();
    let edges = job().run().counts.cycles.0;
    let window = Window { first: 0, edges };
    let bytes = waveform::fst(job(), arch, window).unwrap();
    let mut shown = read_from_reader(Cursor::new(bytes)).unwrap();
    // After edge k the time is a period later than at reset, before edge 0.
    let shown = values(&mut shown, PERIOD, edges);
    let mut dump = read(bench.path("dump.vcd")).unwrap();
    let start = first_edge(&mut dump);
    let dump = values(&mut dump, start, edges);
    assert!(shown.contains_key("core.scaler.column[0].scaler.partials"));
    for (name, values) in &shown {
        let rtl = dump.get(name).unwrap_or_else(|| panic!("{}: no {name} in the RTL", arch.name));
        let differs = values.iter().zip(rtl).position(|(shown, rtl)| shown != rtl);
        if let Some(edge) = differs {
            let (shown, rtl) = (&values[edge], &rtl[edge]);
            panic!(
                "{}, {}: {name} after edge {edge}: shown {shown}, on the RTL {rtl}",
                arch.name, case.name
            );
        }
    }
    shown.len()
}

/// Reads outputs and edges from the dump of a run, as `verify` does from a designer's.
fn verified(bench: &Bench<'_>, arch: &Architecture, case: &Case) -> (Findings, Findings) {
    bench.run(case, &["+dump=dump.vcd"]);
    let machine = "tridot_bench_top.bench.machine";
    let signals = Signals::from_toml(&format!(
        "format = 1\nclock = \"{machine}.clk\"\nstart = \"{machine}.start\"\nvalid = \"{machine}.write\"\n\
         address = \"{machine}.write_address\"\ndata = \"{machine}.write_data\"\nports = {}\n",
        arch.columns * arch.multipliers
    ))
    .unwrap();
    let vectors = Vectors::new(&case.network, 0, arch, case.images, &case.codes).unwrap();
    let dump = std::io::BufReader::new(std::fs::File::open(bench.path("dump.vcd")).unwrap());
    let seen = signals.read(dump, Format::outputs(&case.network, 0, &vectors)).unwrap();
    let verifier = Verifier::new(&case.network, 0, &vectors);
    (verifier.outputs(&seen.outputs), verifier.edges(&seen.written_at))
}

#[test]
fn signals_of_a_dump_are_verified() {
    if !has("signals of a dump", "iverilog", "-V") {
        return;
    }
    let setup = cases::small();
    let case = &setup.cases[1];
    let bench = Bench::compile(&setup.arch, &[]);
    let (outputs, edges) = verified(&bench, &setup.arch, case);
    assert_eq!((outputs.mismatches, edges.mismatches), (0, 0));
    assert_eq!((outputs.compared, edges.compared), (70, 70));
    let change = ("tridot_scaler_column.sv", "(y + half) >>> shift", "y >>> shift");
    let (outputs, edges) = verified(&Bench::compile(&setup.arch, &[change]), &setup.arch, case);
    assert_eq!(outputs.kinds.keys().collect::<Vec<_>>(), [&Kind::Rounding]);
    assert_eq!(edges.mismatches, 0);
}

#[test]
fn waveforms_of_the_stepped_model_are_those_of_the_rtl() {
    if !has("waveforms of the rtl", "iverilog", "-V") {
        return;
    }
    for setup in [cases::small, cases::segments, cases::one_lane, cases::wide] {
        let setup = setup();
        let bench = Bench::compile(&setup.arch, &[]);
        for case in &setup.cases {
            let signals = compare(&bench, &setup.arch, case);
            println!("{}, {}: {signals} signals", setup.arch.name, case.name);
            assert!(30 < signals);
        }
    }
}
