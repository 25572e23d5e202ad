use super::*;
use crate::arch::Parameters;
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
fn the_image_of_one_step_by_hand() {
    let image = Image::new(&network(), 0, &tiny(|_| ()), 1, &[1, 2, 3, 255]).unwrap();
    let [registers, codes, trits, scales, biases] = image.files().map(|(_, text)| text);
    // Shift 2, clamp to 0 and 255, one slice, one plane; a picture of one pixel, a kernel of one tap.
    let values = [0, 2, 0, 255, 1, 1, 1, 1, 4, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 4, 4, 0, 4, 4, 4];
    let words = registers.lines().map(|word| u32::from_str_radix(word, 16).unwrap());
    assert_eq!(words.collect::<Vec<_>>(), values);
    assert_eq!(codes, "01\n02\n03\nff\n");
    // Of the trits (+, +, −, 0) the lowest pair of bits is lane 0: 00 11 01 01. m = 3, bias −5 in 48 bits.
    assert_eq!([trits, scales, biases], ["35\n", "0003\n", "fffffffffffb\n"]);
    let sizes = Sizes { codes: 4, trits: 2, scales: 2, biases: 2, outputs: 2 };
    assert_eq!((image.outputs, image.sizes(), image.limit), (1, sizes, 258));
}

#[test]
fn registers_of_a_padded_strided_layer_by_hand() {
    let mut description = Description::clone(&network());
    let Operator::Dot(dot) = &mut description.layers[0].operator else { panic!("it is one") };
    // 5×4 pixels of 4 channels, kernel 3×2, steps 1 and 2, a pad above and two right: 4×3 pixels.
    let window = Window { kernel_height: 3, kernel_width: 2, stride_height: 1, stride_width: 2 };
    let pads = Pads { top: 1, right: 1, ..Pads::default() };
    dot.geometry = Geometry::Convolution { window, pads };
    dot.weights = Weights::Dbq { branches: 1, codes: vec![1; 24] };
    description.input.tensor.shape = Shape::new(5, 4, 4);
    description.layers[0].output.shape = Shape::new(4, 2, 1);
    let network = Network::new(description).unwrap();
    let image = Image::new(&network, 0, &tiny(|_| ()), 1, &[0; 80]).unwrap();
    let registers = &image.files()[0].1;
    let words = registers.lines().map(|word| u32::from_str_radix(word, 16).unwrap().cast_signed());
    // Next tap 4 codes on; next line of taps 4 pixels on less the one gone; first window a line of 16 before the
    // picture; next pixel 8 codes, next line 16 − 8, next image 5·16 − 3·16 − 8.
    let geometry = [5, 4, 4, 3, 2, 4, 2, 1, 8, -1, 0, 1, 2, 4, 12, -16, 8, 8, 24];
    assert_eq!(words.skip(6).collect::<Vec<_>>(), geometry);
}

#[test]
fn wrong_images_are_refused_by_layer() {
    let (network, arch) = (network(), tiny(|_| ()));
    let refusal = |codes: &[i64], images| {
        Image::new(&network, 0, &arch, images, codes).unwrap_err().to_string()
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
fn a_layer_of_the_vector_unit_is_refused_by_name() {
    let mut description = Description::clone(&network());
    let end = Requantize { shift: 1, low: 0, high: 255 };
    description.layers.push(Layer {
        name: "half".to_owned(),
        inputs: vec![TensorId::of_layer(0)],
        operator: Operator::Rescale { multiplier: 1, requantize: end },
        output: description.layers[0].output,
    });
    let network = Network::new(description).unwrap();
    let refusal = Image::new(&network, 1, &tiny(|_| ()), 1, &[0]).unwrap_err();
    assert_eq!(refusal.to_string(), "layer `half`: is of the vector unit, which the RTL has not");
}

#[test]
fn the_top_has_the_ports_of_the_machine() {
    let machine = LIBRARY.iter().find(|(name, _)| *name == "tridot_machine.sv").unwrap().1;
    let of_machine: Vec<&str> = machine
        .lines()
        .take_while(|line| *line != ");")
        .filter(|line| line.starts_with("    input logic") || line.starts_with("    output logic"))
        .map(|line| line.rsplit(' ').next().unwrap().trim_end_matches(','))
        .collect();
    let names = ports(&tiny(|_| ()), Sizes::SMALL).into_iter().map(|(_, name, _)| name);
    assert_eq!(of_machine, ["clk", "reset"].into_iter().chain(names).collect::<Vec<_>>());
}

fn parse(text: &str) -> Result<Observed, String> {
    Observed::parse(text, 1, &tiny(|_| ())).map_err(|error| error.to_string())
}

/// What the harness prints for the one step: 1 + 2 − 3 = 0.
const SEEN: &str = "move 6 00000000\nwrite 11 0 7\ndone 12 1 0\n";

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
        ("write 11 0 7\n", "observation: ends without `done`"),
        ("done 12 1 0\n", "observation: the outputs not written must be 0, got 1"),
        ("write 1 1 7", "observation, line 1: the address of an output must be below 1, got 1"),
        ("write 1 0", "observation, line 1: `` is no number"),
        ("write 1 0 7\nwrite 2 0 7", "observation, line 2: writes output 0 again"),
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
