//! Small layers of every kind, made from a recipe and numbers that the caller draws.

use crate::Error;
use crate::arch::Architecture;
use crate::mapping::{Mapping, Work};
use crate::network::{
    Description, Digits, Dot, DotOutput, Geometry, Input, Layer, Network, Operator, Pads,
    Provenance, Requantize, Shape, Sign, TensorId, TensorType, Weights, Window,
};

/// Draws a number below a positive one, each as likely as any other.
pub type Draw<'a> = &'a mut dyn FnMut(u64) -> u64;

/// A network of one layer, with the codes of its pictures.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it is, for people.
    pub name: String,
    /// The network; its only layer is `dot`.
    pub network: Network,
    /// Pictures.
    pub images: usize,
    /// Input codes of all pictures, NHWC.
    pub codes: Vec<i64>,
}

/// What a layer is made from.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// Which inputs each output reads.
    pub kind: Kind,
    /// How weights become planes.
    pub weights: Scheme,
    /// Bits of an input code.
    pub bits: u32,
    /// Whether input codes are signed.
    pub sign: Sign,
    /// Height, width and channels of the input.
    pub input: (usize, usize, usize),
    /// Output channels, but of a depthwise layer.
    pub channels: usize,
    /// Pictures.
    pub images: usize,
    /// Whether y itself is the output.
    pub raw: bool,
    /// Bits of the multipliers, at most 16.
    pub scale_bits: u32,
}

/// The kind of a layer. Pads are on the top and on the right, as wide as the kernel leaves them.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A convolution.
    Convolution(Window),
    /// A depthwise convolution.
    Depthwise(Window),
    /// A linear layer.
    Linear,
}

/// The weights of a layer.
#[derive(Debug, Clone, Copy)]
pub enum Scheme {
    /// So many branches.
    Dbq(u32),
    /// So many bits.
    Fixed(u32, Digits),
}

impl Case {
    /// The layer of a recipe, with drawn weights and codes.
    pub fn new(name: &str, recipe: Recipe, draw: Draw) -> Result<Self, Error> {
        let input = Shape::new(recipe.input.0, recipe.input.1, recipe.input.2);
        let network = network(recipe, input, draw)?;
        let offset = if recipe.sign == Sign::Signed { 1 << (recipe.bits - 1) } else { 0 };
        // A third of the codes are zero, as after a ReLU.
        let mut code = || {
            let code = between(draw, -offset, (1 << recipe.bits) - 1 - offset);
            if draw(3) == 0 { 0 } else { code }
        };
        let codes = (0..recipe.images * input.elements()).map(|_| code()).collect();
        Ok(Self { name: name.to_owned(), network, images: recipe.images, codes })
    }

    /// A layer of any kind and size that runs on an architecture; refuses one on which none of a thousand does.
    pub fn random(name: &str, arch: &Architecture, draw: Draw) -> Result<Self, Error> {
        const TRIES: usize = 1000;
        for _ in 0..TRIES {
            let case = Self::new(name, Recipe::random(arch, draw), draw)?;
            if Work::of(&case.network, 0, case.images).is_some_and(|work| work.fits(arch).is_ok()) {
                return Ok(case);
            }
        }
        let place = format!("architecture `{}`", arch.name);
        Err(Error::malformed(place, format!("runs none of {TRIES} small random layers")))
    }

    /// The layer on an architecture.
    pub fn mapping(&self, arch: &Architecture) -> Result<Mapping, Error> {
        let work = Work::of(&self.network, 0, self.images).expect("its layer is a dot product");
        Mapping::new(&work, arch)
    }
}

impl Recipe {
    /// Any recipe: short dot products of few bits, which the scaler binds, in two of five.
    fn random(arch: &Architecture, draw: Draw) -> Self {
        let short = draw(5) < 2;
        let most = if short { 1 } else { 3 };
        let window = Window {
            kernel_height: size(draw, 1, most),
            kernel_width: size(draw, 1, most),
            stride_height: size(draw, 1, 2),
            stride_width: size(draw, 1, 2),
        };
        let kind = match draw(3) {
            0 => Kind::Convolution(window),
            1 => Kind::Depthwise(window),
            _ => Kind::Linear,
        };
        let weights = match draw(4) {
            0 => Scheme::Fixed(bits(draw, 2, 8), Digits::Csd),
            1 => Scheme::Fixed(bits(draw, 2, 8), Digits::SignMagnitude),
            _ => Scheme::Dbq(bits(draw, 1, 5)),
        };
        Self {
            kind,
            weights,
            bits: bits(draw, 2, if short { 3 } else { 8 }),
            sign: if draw(2) == 0 { Sign::Unsigned } else { Sign::Signed },
            input: (size(draw, 1, 4), size(draw, 1, 4), size(draw, 1, 9)),
            channels: size(draw, 1, 9),
            images: size(draw, 1, 2),
            raw: draw(100) < 15,
            scale_bits: arch.scale_bits.min(16),
        }
    }
}

fn between(draw: Draw, low: i64, high: i64) -> i64 {
    low + draw((high - low + 1).unsigned_abs()).cast_signed()
}

fn size(draw: Draw, low: usize, high: usize) -> usize {
    low + usize::try_from(draw((high - low + 1) as u64)).expect("a small number")
}

fn bits(draw: Draw, low: u32, high: u32) -> u32 {
    low + u32::try_from(draw(u64::from(high - low + 1))).expect("a small number")
}

fn network(recipe: Recipe, input: Shape, draw: Draw) -> Result<Network, Error> {
    let (geometry, output) = geometry(recipe, input);
    let count = output.channels * geometry.fan_in(input);
    let weights = match recipe.weights {
        Scheme::Dbq(branches) => {
            let mut code = || u8::try_from(draw(3_u64.pow(branches))).expect("3^5 codes");
            Weights::Dbq { branches, codes: (0..count).map(|_| code()).collect() }
        }
        Scheme::Fixed(bits, _) => {
            let most = (1 << (bits - 1)) - 1;
            let mut value = || i16::try_from(between(draw, -most, most)).expect("16 bits");
            Weights::Fixed { bits, values: (0..count).map(|_| value()).collect() }
        }
    };
    let digits = if let Scheme::Fixed(_, digits) = recipe.weights { digits } else { Digits::Csd };
    // Outputs spread over the range and beyond it: most sums stay below 2^11.
    let most = (1 << (recipe.scale_bits - 1)) - 1;
    let mut multiplier = || i32::try_from(between(draw, -most, most)).expect("16 bits");
    let multipliers = output.channels * weights.multipliers_per_channel();
    let multipliers = (0..multipliers).map(|_| multiplier()).collect();
    let most = 1 << (recipe.scale_bits + 8);
    let bias = (0..output.channels).map(|_| between(draw, -most, most)).collect();
    let end = Requantize { shift: recipe.scale_bits + 1, low: -100, high: 127 };
    let output_type = if recipe.raw { DotOutput::Raw } else { DotOutput::Requantize(end) };
    let tensor = |shape, bits, sign| TensorType { shape, bits, sign, scale: 1.0 };
    Network::new(Description {
        name: "case".to_owned(),
        digits,
        scale_bits: recipe.scale_bits,
        input: Input {
            tensor: tensor(input, recipe.bits, recipe.sign),
            tables: vec![[0; 256]; input.channels],
        },
        layers: vec![Layer {
            name: "dot".to_owned(),
            inputs: vec![TensorId::INPUT],
            operator: Operator::Dot(Dot {
                geometry,
                weights,
                multipliers,
                bias,
                output: output_type,
            }),
            output: tensor(output, if recipe.raw { 48 } else { 8 }, Sign::Signed),
        }],
        provenance: Provenance::default(),
    })
}

fn geometry(recipe: Recipe, input: Shape) -> (Geometry, Shape) {
    let (window, channels) = match recipe.kind {
        Kind::Linear => return (Geometry::Linear, Shape::new(1, 1, recipe.channels)),
        Kind::Convolution(window) => (window, recipe.channels),
        Kind::Depthwise(window) => (window, input.channels),
    };
    let pads =
        Pads { top: window.kernel_height - 1, right: window.kernel_width - 1, ..Pads::default() };
    let height = (input.height + pads.top - window.kernel_height) / window.stride_height + 1;
    let width = (input.width + pads.right - window.kernel_width) / window.stride_width + 1;
    let geometry = match recipe.kind {
        Kind::Depthwise(_) => Geometry::Depthwise { window, pads },
        Kind::Convolution(_) | Kind::Linear => Geometry::Convolution { window, pads },
    };
    (geometry, Shape::new(height, width, channels))
}
