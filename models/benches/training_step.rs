//! Seconds of one training step: float, and quantized with 2 branches.
//!
//! `cargo bench -p tridot-models --bench training_step -- [NETWORK [BATCH [float|quantized]]]`; `RAYON_NUM_THREADS` sets the
//! threads.

use std::time::Instant;

use tridot_models::data::{self, Pictures};
use tridot_models::topology;
use tridot_models::train::{Texts, Trainer, TrainingData};

const STEPS: usize = 12;

fn plan(network: &str, batch: usize, quantized: bool) -> String {
    let head = format!("format = 1\nnetwork = \"{network}\"\nstart = \"scratch\"\n");
    let stage = format!("[[stage]]\nepochs = 1\nbatch = {batch}\nlearning_rate = 0.01\n");
    let rest = if quantized {
        "weights = \"quantized\"\ntemperature = { from = 10.0, to = 100.0 }\n\
         [quantization]\nothers = \"dbq(2)\"\ncalibration = { samples = 64 }\n"
    } else {
        "weights = \"float\"\n"
    };
    format!("{head}{stage}{rest}")
}

/// The median time of a step after the first two, which fill the buffers.
fn seconds_per_step(network: &str, batch: usize, quantized: bool, pictures: &Pictures) -> f64 {
    let network_text = topology::builtin_text(network).expect("a built-in network").to_owned();
    let texts = Texts { plan: plan(network, batch, quantized), network: network_text };
    let classes = topology::builtin(network).expect("a built-in network").classes;
    let mut test = pictures.clone();
    test.truncate(1);
    let data =
        TrainingData { name: "bench", classes, training: pictures.into(), test: (&test).into() };
    let mut trainer = Trainer::new(texts, None, &data).expect("a good plan");
    let mut times = vec![];
    trainer.epoch(&data, &mut |_| times.push(Instant::now())).expect("finite sums");
    let mut seconds: Vec<f64> =
        times.windows(2).skip(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

#[expect(clippy::print_stdout, reason = "the result of the bench")]
fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let network = arguments.first().map_or("resnet20", String::as_str);
    let batch = arguments.get(1).map_or(128, |batch| batch.parse().expect("a number of pictures"));
    let shape = topology::builtin(network).expect("a built-in network").input;
    let pictures = data::picture_like(shape, 0, batch * STEPS).expect("few small pictures");
    for (quantized, what) in [(false, "float"), (true, "quantized")] {
        if arguments.get(2).is_some_and(|only| only != what) {
            continue;
        }
        let seconds = seconds_per_step(network, batch, quantized, &pictures);
        println!("{network}, {what}: {seconds:.3} s a step of {batch} pictures");
    }
}
