use super::*;
use crate::arch::Parameters;
use crate::mapping::{Mapping, Work};
use crate::network::{
    Description, Digits, Dot, DotOutput, Geometry, Input, Layer, Network, Operator, Pads,
    Provenance, Requantize, Shape, Sign, TensorId, TensorType, Weights, Window,
};

/// A 1×1 convolution of 4 channels to 1 on one pixel, `dbq` of one branch with trits (+, +, −, 0).
fn network() -> Network {
    let tensor = |channels, bits| TensorType {
        shape: Shape::new(1, 1, channels),
        bits,
        sign: Sign::Unsigned,
        scale: 1.0,
    };
    let dot = Dot {
        geometry: Geometry::Convolution { window: Window::square(1, 1), pads: Pads::default() },
        weights: Weights::Dbq { branches: 1, codes: vec![2, 2, 0, 1] },
        multipliers: vec![3],
        bias: vec![-5],
        output: DotOutput::Requantize(Requantize { shift: 2, low: 0, high: 255 }),
    };
    Network::new(Description {
        name: "one".to_owned(),
        digits: Digits::Csd,
        scale_bits: 16,
        input: Input { tensor: tensor(4, 8), tables: vec![[0; 256]; 4] },
        layers: vec![Layer {
            name: "dot".to_owned(),
            inputs: vec![TensorId::INPUT],
            operator: Operator::Dot(dot),
            output: tensor(1, 8),
        }],
        provenance: Provenance::default(),
    })
    .unwrap()
}

fn tiny(change: impl FnOnce(&mut Parameters)) -> Architecture {
    let mut parameters = Architecture::preset("tiny").unwrap().into_parameters();
    parameters.lanes = 4;
    change(&mut parameters);
    Architecture::new(parameters).unwrap()
}

#[test]
fn the_stimulus_of_one_step_by_hand() {
    let text = stimulus(&network(), 0, &tiny(|_| ()), 1, &[1, 2, 3, 255]).unwrap();
    // One round of one value: m = 3, bias −5 in 48 bits. One step: lane 0 is the lowest byte, and of the
    // trits (+, +, −, 0) the lowest pair of bits: 00 11 01 01.
    let expected = "limit 258 1\nlayer 0 0 0 2 0 255\narray 1 1 1 1\n\
                    rounds 1\n1 1 1 1 1 1 0003 fffffffffffb\n\
                    steps 1\n0 1 0 1 0 ff030201 35\n";
    assert_eq!(text, expected);
}

#[test]
fn bit_slices_go_least_significant_first() {
    let arch = tiny(|p| p.activation_bits_per_step = 4);
    let text = stimulus(&network(), 0, &arch, 1, &[0x21, 0x43, 0x65, 0x87]).unwrap();
    let steps: Vec<&str> = text.lines().skip_while(|line| *line != "steps 2").skip(1).collect();
    assert_eq!(steps, ["0 1 0 0 0 7531 35", "0 0 0 1 4 8642 35"]);
}

#[test]
fn wrong_stimuli_are_refused_by_layer() {
    let (network, arch) = (network(), tiny(|_| ()));
    let refusal = |codes: &[i64], images| {
        stimulus(&network, 0, &arch, images, codes).unwrap_err().to_string()
    };
    assert_eq!(
        refusal(&[0; 3], 1),
        "layer `dot`: the number of input codes must be 4 for each of at least 1 image, got 3"
    );
    assert_eq!(
        refusal(&[], 0),
        "layer `dot`: the number of input codes must be 4 for each of at least 1 image, got 0"
    );
    assert_eq!(
        refusal(&[0, 0, -1, 0], 1),
        "layer `dot`: an input code must be between 0 and 255, got -1"
    );
}

#[test]
fn the_top_has_the_ports_of_the_core() {
    let core = LIBRARY.iter().find(|(name, _)| *name == "tridot_core.sv").unwrap().1;
    let of_core: Vec<&str> = core
        .lines()
        .take_while(|line| *line != ");")
        .filter(|line| line.starts_with("    input logic") || line.starts_with("    output logic"))
        .map(|line| line.rsplit(' ').next().unwrap().trim_end_matches(','))
        .collect();
    let names = ports(&tiny(|_| ())).into_iter().map(|(_, name, _)| name);
    assert_eq!(of_core, ["clk", "reset"].into_iter().chain(names).collect::<Vec<_>>());
}

fn parse(text: &str) -> Result<Observed, String> {
    let (network, arch) = (network(), tiny(|_| ()));
    let mapping = Mapping::new(&Work::of(&network, 0, 1).unwrap(), &arch).unwrap();
    Observed::parse(text, &mapping, &arch).map_err(|error| error.to_string())
}

/// What the harness prints for the one step: 1 + 2 − 3 = 0.
const SEEN: &str = "move 6 00000000\nwrite 11 0 0 0 7\ndone 12 1 0\n";

#[test]
fn an_observation_by_hand() {
    let seen = parse(SEEN).unwrap();
    assert_eq!((seen.outputs, seen.written_at), (vec![7], vec![11]));
    assert_eq!(seen.moves, [Move { edge: 6, accumulators: vec![0] }]);
    assert_eq!([seen.cycles, seen.steps, seen.stalls], [12, 1, 0]);
}

#[test]
fn broken_observations_are_refused_in_one_line() {
    let refusals = [
        ("write 11 0 0 0 7\n", "observation: ends without `done`"),
        ("done 12 1 0\n", "observation: the outputs not written must be 0, got 1"),
        ("write 1 1 0 0 7", "observation, line 1: is of no round"),
        ("write 1 0 1 0 7", "observation, line 1: is of no row, segment or column with an output"),
        ("write 1 0 0 0", "observation, line 1: is of no row, segment or column with an output"),
        ("write 1 0 0", "observation, line 1: is cut short"),
        ("write 1 0 0 0 7\nwrite 2 0 0 0 7", "observation, line 2: writes output 0 again"),
        ("write x", "observation, line 1: `x` is no number"),
        ("refused a move", "observation, line 1: refused a move"),
    ];
    for (text, refusal) in refusals {
        assert_eq!(parse(text).unwrap_err(), refusal, "{text}");
    }
    for end in 0..SEEN.len() {
        // The last digit of `done` and the end of its line are not missed.
        assert_eq!(parse(&SEEN[..end]).is_ok(), SEEN.len() - 1 <= end, "cut at byte {end}");
    }
}
