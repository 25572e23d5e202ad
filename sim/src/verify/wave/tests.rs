use std::io::Cursor;

use super::*;
use crate::network::Sign;

mod to_fst;

use to_fst::fst_of;

const TOML: &str = "format = 1\nclock = \"t.clk\"\nstart = \"t.start\"\nvalid = \"t.m.valid\"\n\
                    address = \"t.m.at\"\ndata = \"t.m.out\"\nports = 2\n";
const HEAD: &str = "$date today $end\n$scope module t $end\n$var wire 1 ! clk $end\n\
                    $var wire 1 \" start $end\n$scope module m $end\n$var wire 2 # valid [1:0] $end\n\
                    $var wire 4 $ at [3:0] $end\n$var wire 16 % out [15:0] $end\n$upscope $end\n\
                    $upscope $end\n$enddefinitions $end\n#0\n$dumpvars\n0!\n0\"\nb0 #\n$end\n";
/// Edge 0 samples start at 10; edge 1 writes output 1 as −1 on port 0; edge 2 outputs 0 and 2 as 5 and 127.
const BODY: &str = "#5\n1\"\n#10\n1!\n0\"\nb01 #\nb0001 $\nb11111111 %\n#15\n0!\n#20\n1!\nb11 #\nb1000 $\n\
                    b0111111100000101 %\n#25\n0!\n#30\n1!\nb0 #\n#35\n0!\n#40\n1!\n";

fn read_bytes(toml: &str, waveform: &[u8]) -> Result<Seen, String> {
    let outputs = Format::of(3, 8, Sign::Signed);
    let signals = Signals::from_toml(toml).map_err(|error| error.to_string())?;
    signals.read(Cursor::new(waveform), outputs).map_err(|error| error.to_string())
}

/// Reads a VCD, and an FST of the same changes in one block and in many: all must say the same.
fn read(toml: &str, vcd: &str) -> Result<Seen, String> {
    let seen = read_bytes(toml, vcd.as_bytes());
    if !vcd.is_empty() {
        for times_a_block in [2, 3, usize::MAX] {
            assert_eq!(read_bytes(toml, &fst_of(vcd, times_a_block)), seen, "{times_a_block}");
        }
    }
    seen
}

#[test]
fn outputs_of_a_waveform_by_hand() {
    let seen = read(TOML, &format!("{HEAD}{BODY}")).unwrap();
    assert_eq!(seen, Seen { outputs: vec![5, -1, 127], written_at: vec![2, 1, 2] });
    // Comments and strings among the changes change nothing.
    let more = BODY.replace("#15\n", "#15\n$comment 1! b11 # 1\" $end\nshello #\n");
    assert_eq!(read_bytes(TOML, format!("{HEAD}{more}").as_bytes()).as_ref(), Ok(&seen));
    // Without addresses, in the order in which they come, the lowest port first.
    let toml = TOML.replace("address = \"t.m.at\"\n", "");
    let seen = read(&toml, &format!("{HEAD}{BODY}")).unwrap();
    assert_eq!(seen, Seen { outputs: vec![-1, 5, 127], written_at: vec![1, 2, 2] });
}

#[test]
fn broken_waveforms_are_refused_with_edge_and_signal() {
    let whole = format!("{HEAD}{BODY}");
    let refusals = [
        (
            TOML,
            whole.replace("b1000 $", "b1x00 $"),
            "waveform, edge 2 at time 30: `t.m.at` has unknown bits: `x`",
        ),
        (
            TOML,
            whole.replace("b11 #", "bz1 #"),
            "waveform, edge 2 at time 30: `t.m.valid` has unknown bits: `z`",
        ),
        (
            TOML,
            whole.replace("b1000 $", "b1101 $"),
            "waveform, edge 2 at time 30: writes output 1 again",
        ),
        (
            TOML,
            whole.replace("b1000 $", "b1100 $"),
            "waveform, edge 2 at time 30: the address of an output in `t.m.at` must be below 3, got 3",
        ),
        (
            TOML,
            whole.replace("b11 #", "b01 #"),
            "waveform: the outputs that `t.m.valid` has not written by time 40 must be 0, got 1",
        ),
        (TOML, HEAD.to_owned(), "waveform: `t.start` is never 1 at a clock edge"),
        (TOML, String::new(), "waveform, signal `t.clk`: is not declared"),
        (
            TOML,
            whole.replace("wire 4 $", "wire 5 $"),
            "waveform, signal `t.m.at`: the bits must be a multiple of 2 between 2 and 1048576, got 5",
        ),
    ];
    for (toml, vcd, refusal) in refusals {
        assert_eq!(read(toml, &vcd).unwrap_err(), refusal);
    }
    // A start that is held ends the run, which is said.
    let held = whole.replace("1!\n0\"\nb01", "1!\nb01");
    assert_eq!(
        read(TOML, &held).unwrap_err(),
        "waveform: the outputs that `t.m.valid` has not written by time 20, where `t.start` is 1 again must be 0, \
         got 3"
    );
    let unnamed = TOML.replace("\"t.m.out\"", "\"\"");
    assert_eq!(
        read_bytes(&unnamed, whole.as_bytes()).unwrap_err(),
        "signals: data must be the path of a signal, got an empty one"
    );
    // Bits that are dumped one by one have one path, and values of their own.
    let second = "$var wire 4 $ at [3:0] $end\n$var wire 4 + at [7:4] $end\n";
    let apart = whole.replacen("$var wire 4 $ at [3:0] $end\n", second, 1);
    assert!(
        read_bytes(TOML, apart.as_bytes())
            .unwrap_err()
            .contains("`t.m.at`: is declared more than once")
    );
    let deep = |scope: &str, n: usize| read_bytes(TOML, scope.repeat(n).as_bytes()).unwrap_err();
    assert!(
        deep("$scope module a $end ", 1025).contains("the depth of scopes must be at most 1024")
    );
    let long = format!("$scope module {} $end ", "a".repeat(1000));
    assert!(deep(&long, 5).contains("the bytes of a path must be at most 4096"));
    assert_eq!(
        read(&TOML.replace("format = 1", "format = 2"), &whole).unwrap_err(),
        "signals: format must be 1, got 2"
    );
    assert!(read(&TOML.replace("ports", "port"), &whole).unwrap_err().contains("line 7"));
    for end in 0..whole.len() {
        // Cut short anywhere it is refused or, past the last write, complete.
        drop(read_bytes(TOML, &whole.as_bytes()[..end]));
    }
}

#[test]
fn an_fst_cut_short_or_changed_is_refused_or_read() {
    let whole = fst_of(&format!("{HEAD}{BODY}"), 2);
    let seen = read_bytes(TOML, &whole).unwrap();
    let mut complete = 0;
    for end in 0..whole.len() {
        match read_bytes(TOML, &whole[..end]) {
            Err(refusal) => assert!(refusal.starts_with("waveform"), "{end}: {refusal}"),
            // Without the last block, in which nothing is written.
            Ok(short) => {
                assert_eq!(short, seen);
                complete += 1;
            }
        }
    }
    assert_eq!(complete, 1);
    for at in 0..whole.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff, whole[at] ^ 1, whole[at] ^ 0x10] {
            let mut changed = whole.clone();
            changed[at] = value;
            if let Err(refusal) = read_bytes(TOML, &changed) {
                assert!(!refusal.is_empty() && !refusal.contains('\n'), "{refusal}");
            }
        }
    }
}

#[test]
fn an_fst_whose_writer_did_not_end_is_refused() {
    let whole = fst_of(&format!("{HEAD}{BODY}"), usize::MAX);
    let header = &whole[..330];
    let refusal = read_bytes(TOML, &[header, &[255, 0, 0, 0, 0, 0, 0, 0, 0]].concat());
    assert_eq!(
        refusal.unwrap_err(),
        "waveform: broken FST: no names of signals: its writer did not end"
    );
}

#[test]
fn words_of_a_vcd_do_not_fill_the_memory() {
    let long = format!("$comment {} $end {HEAD}", "x".repeat(MAX_BITS + 100));
    assert_eq!(
        read_bytes(TOML, long.as_bytes()).unwrap_err(),
        "waveform: the bytes of a word must be at most 1048640, got more"
    );
}
