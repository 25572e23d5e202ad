//! Are our operators candle's own? Values and gradients against the same functions composed in `f64`.

use candle_core::{Device, Var};

use super::*;

/// Numbers between −1 and 1 that repeat nowhere near.
fn noise(shape: &[usize], seed: u64) -> Tensor {
    let value = |i: u64| {
        let v = (i * 1013 + seed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (v >> 40) as f32 / 8_388_608.0 - 1.0
    };
    let n = shape.iter().product::<usize>() as u64;
    Tensor::from_vec((0..n).map(value).collect::<Vec<f32>>(), shape, &Device::Cpu).unwrap()
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn near(what: &str, ours: &Tensor, plain: &Tensor) {
    assert_eq!(ours.dims(), plain.dims(), "{what}");
    let (ours, plain) = (numbers(ours), numbers(plain));
    let most = plain.iter().fold(1.0, |most: f64, value| most.max(value.abs()));
    for (i, (ours, plain)) in ours.iter().zip(&plain).enumerate() {
        assert!((ours - plain).abs() < 3e-5 * most, "{what}, element {i}: {ours}, not {plain}");
    }
}

/// The same function of `f32` and of `f64` arguments: the first is ours, the second candle's. Where there
/// is a GPU and the feature for it, a third time there.
fn compare(arguments: &[Tensor], function: impl Fn(&[Tensor]) -> Result<Tensor, Error>) {
    let run = |dtype, device: &Device| {
        let var = |tensor: &Tensor| {
            let moved = tensor.to_dtype(dtype).unwrap().to_device(device).unwrap();
            Var::from_tensor(&moved).unwrap()
        };
        let vars: Vec<Var> = arguments.iter().map(var).collect();
        // Behind an operation, so that nothing that needs a gradient is a variable itself.
        let behind = |var: &Var| (var.as_tensor() * 2.0).unwrap();
        let out = function(&vars.iter().map(behind).collect::<Vec<_>>()).unwrap();
        let weights = noise(out.dims(), 99).to_dtype(dtype).unwrap().to_device(device).unwrap();
        let loss = (&out * weights).unwrap().sum_all().unwrap();
        let gradients = loss.backward().unwrap();
        let of_var = |var: &Var| gradients.get(var).unwrap().clone();
        (out, vars.iter().map(of_var).collect::<Vec<_>>())
    };
    let (plain, gradients) = run(DType::F64, &Device::Cpu);
    for device in [Some(Device::Cpu), gpu()].into_iter().flatten() {
        let (ours, our_gradients) = run(DType::F32, &device);
        near("values", &ours, &plain);
        for (i, (ours, plain)) in our_gradients.iter().zip(&gradients).enumerate() {
            near(&format!("gradient of argument {i}"), ours, plain);
        }
    }
}

fn gpu() -> Option<Device> {
    if cfg!(feature = "cuda") { Device::new_cuda(0).ok() } else { None }
}

/// Windows over pictures whose sides have different rests by the stride.
fn windows() -> Vec<(Window, Pads, [usize; 2])> {
    let pads = |top, left, bottom, right| Pads { top, left, bottom, right };
    vec![
        (Window::square(3, 1), pads(1, 1, 1, 1), [5, 7]),
        (Window::square(3, 2), pads(1, 1, 1, 1), [7, 8]),
        (Window::square(3, 2), pads(0, 0, 1, 1), [8, 9]),
        (Window::square(1, 1), pads(0, 0, 0, 0), [3, 5]),
        (Window::square(1, 2), pads(0, 0, 0, 0), [5, 6]),
        (Window::square(5, 3), pads(2, 1, 0, 2), [9, 8]),
    ]
}

#[test]
fn convolutions() {
    for (window, pads, [height, width]) in windows() {
        for (inputs, outputs) in [(3, 5), (17, 18), (16, 33)] {
            let x = noise(&[3, height, width, inputs], 1);
            let kernel = [outputs, window.kernel_height, window.kernel_width, inputs];
            let arguments = [x, noise(&kernel, 2)];
            compare(&arguments, |t| convolution(&t[0], &t[1], window, pads));
        }
    }
}

#[test]
fn depthwise_convolutions() {
    for (window, pads, [height, width]) in windows() {
        for channels in [1, 7, 16, 35] {
            let x = noise(&[3, height, width, channels], 3);
            let kernel = [channels, window.kernel_height, window.kernel_width];
            let arguments = [x, noise(&kernel, 4)];
            compare(&arguments, |t| depthwise(&t[0], &t[1], window, pads));
        }
    }
}

#[test]
fn linear_layers() {
    for [n, inputs, outputs] in [[1, 1, 1], [5, 19, 10], [33, 64, 17]] {
        let arguments = [noise(&[n, inputs], 5), noise(&[outputs, inputs], 6)];
        compare(&arguments, |t| linear(&t[0], &t[1]));
    }
}

#[test]
fn batch_norms_with_every_activation() {
    for activation in [Activation::Identity, Activation::Relu, Activation::Relu6] {
        for shape in [[3, 5, 4, 7], [2, 3, 3, 16], [5, 1, 1, 130]] {
            let channels = [shape[3]];
            // Wide enough for a limit of 6.
            let gamma = (noise(&channels, 8) * 4.0).unwrap();
            let arguments = [noise(&shape, 7), gamma, noise(&channels, 9)];
            compare(&arguments, |t| batch_norm(&t[0], &t[1], &t[2], 1e-3, activation));
        }
    }
}

#[test]
fn pools() {
    for (window, pads, [height, width]) in windows() {
        let arguments = [noise(&[2, height, width, 5], 10)];
        compare(&arguments, |t| max_pool(&t[0], window, pads));
        compare(&arguments, |t| average_pool(&t[0], window));
    }
}

#[test]
fn the_first_of_equals_has_the_gradient_of_a_pool() {
    for dtype in [DType::F32, DType::F64] {
        let x = Tensor::new(&[0.0, -1.0, 0.0, 0.0], &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
        let x = Var::from_tensor(&x.reshape((1, 2, 2, 1)).unwrap()).unwrap();
        let pads = Pads { top: 1, left: 1, bottom: 0, right: 0 };
        let y = max_pool(&x, Window::square(3, 1), pads).unwrap();
        let gradients = y.sum_all().unwrap().backward().unwrap();
        assert_eq!(numbers(gradients.get(&x).unwrap()), [1.0, 0.0, 0.0, 0.0], "{dtype:?}");
    }
}

#[test]
fn an_activation_is_flat_at_its_limits() {
    for dtype in [DType::F32, DType::F64] {
        let x = Tensor::new(&[0.0, 0.0], &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
        let x = Var::from_tensor(&x.reshape((2, 1, 1, 1)).unwrap()).unwrap();
        let parameter = |value: f64| {
            let tensor = Tensor::new(&[value], &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
            Var::from_tensor(&tensor).unwrap()
        };
        for (beta, activation) in [(0.0, Activation::Relu), (6.0, Activation::Relu6)] {
            let (gamma, beta) = (parameter(1.0), parameter(beta));
            let y = batch_norm(&x, &gamma, &beta, 1e-5, activation).unwrap();
            let gradients = y.sum_all().unwrap().backward().unwrap();
            assert_eq!(numbers(gradients.get(&beta).unwrap()), [0.0], "{dtype:?}");
        }
    }
}

#[test]
fn pictures_need_no_gradient() {
    let weights = Var::from_tensor(&noise(&[4, 3, 3, 3], 11)).unwrap();
    let x = noise(&[2, 5, 5, 3], 12);
    let y = convolution(&x, &weights, Window::square(3, 1), Pads::default()).unwrap();
    let gradients = y.sum_all().unwrap().backward().unwrap();
    assert!(gradients.get(&weights).is_some() && gradients.get(&x).is_none());
}

#[test]
fn what_does_not_fit_is_refused_in_one_line() {
    let x = noise(&[2, 5, 5, 3], 13);
    let weights = noise(&[4, 3, 3, 2], 14);
    let window = Window::square(3, 1);
    let refused = |result: Result<Tensor, Error>| result.unwrap_err().to_string();
    for (error, wanted) in [
        (
            refused(convolution(&x, &weights, window, Pads::default())),
            "convolution: the shape of the weights must be [4, 3, 3, 3], none of them 0, got [4, 3, 3, 2]",
        ),
        (
            refused(max_pool(&x, Window::square(7, 1), Pads::default())),
            "max pool: the kernel's height, which must fit the padded picture, must be between 1 and 5, got 7",
        ),
        (
            refused(depthwise(&x, &noise(&[2, 3, 3], 15), window, Pads::default())),
            "depthwise convolution: the shape of the weights must be [3, 3, 3], none of them 0, got [2, 3, 3]",
        ),
        (
            refused(batch_norm(&x, &noise(&[3], 1), &noise(&[3], 1), 0.0, Activation::Relu)),
            "batch norm: ε must be finite and positive, got 0",
        ),
    ] {
        assert_eq!(error, wanted);
    }
}
