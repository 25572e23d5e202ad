//! The small VCDs of the tests as FST.

use std::collections::BTreeMap;

use fst_writer::{
    FstFileType, FstHeaderWriter, FstInfo, FstScopeType, FstSignalType, FstVarDirection, FstVarType,
};

/// The same changes as FST, so many times a block.
pub(super) fn fst_of(vcd: &str, times_a_block: usize) -> Vec<u8> {
    let info = FstInfo {
        start_time: 0,
        timescale_exponent: 0,
        version: String::new(),
        date: String::new(),
        file_type: FstFileType::Verilog,
    };
    let mut header = FstHeaderWriter::write_to_mem(&info).unwrap();
    let mut ids = BTreeMap::new();
    let (declarations, changes) =
        vcd.split_once("$enddefinitions $end").expect("declarations have an end");
    for line in declarations.lines() {
        match &line.split(' ').collect::<Vec<_>>()[..] {
            ["$scope", _, name, "$end"] => header.scope(*name, "", FstScopeType::Module).unwrap(),
            ["$upscope", "$end"] => header.up_scope().unwrap(),
            ["$var", _, bits, id, name @ .., "$end"] => {
                let bits: u32 = bits.parse().unwrap();
                let (kind, direction) = (FstSignalType::bit_vec(bits), FstVarDirection::Implicit);
                let signal =
                    header.var(name.join(" "), kind, FstVarType::Logic, direction, None).unwrap();
                ids.insert((*id).to_owned(), (signal, bits as usize));
            }
            _ => {}
        }
    }
    let mut body = header.finish().unwrap();
    let mut times = 0;
    let mut words = changes.split_ascii_whitespace();
    while let Some(word) = words.next() {
        let (first, rest) = word.split_at(1);
        match first {
            "#" => {
                if times != 0 && times % times_a_block == 0 {
                    body.flush().unwrap();
                }
                times += 1;
                body.time_change(rest.parse().unwrap()).unwrap();
            }
            "$" => {}
            _ => {
                let (value, id) =
                    if first == "b" { (rest, words.next().unwrap()) } else { (first, rest) };
                let (signal, bits) = ids[id];
                let fill = if value.starts_with('1') { "0" } else { &value[..1] };
                let value = fill.repeat(bits - value.len()) + value;
                body.signal_change(signal, value.as_bytes()).unwrap();
            }
        }
    }
    body.finish().unwrap().into_inner()
}
