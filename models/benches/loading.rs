//! Pictures a second and core that are decoded and resized, and whether training at 224×224 waits for them.
//!
//! `cargo bench -p tridot-models --bench loading -- [NETWORK]`; `RAYON_NUM_THREADS` sets the threads.
//! The files are made first: colourful ones of 500×375 pixels, of the size and weight of those of ImageNet.

use std::path::Path;
use std::time::Instant;

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use tridot_models::data::{self, DataSet, Folder, Set};
use tridot_models::topology;
use tridot_models::train::{Texts, Trainer, TrainingData};
use tridot_sim::network::Shape;

/// Of the folder, and of the network in place of its own: a thousand would need a thousand files.
const CLASSES: usize = 16;
const SIZE: Shape = Shape::new(375, 500, 3);
const BATCH: usize = 16;
const STEPS: usize = 8;
/// Test pictures.
const TEST: usize = 400;

/// As many training pictures as steps take.
fn make(dir: &Path) -> std::io::Result<u64> {
    let pictures = data::picture_like(SIZE, 0, 64).expect("few pictures");
    let files: Vec<Vec<u8>> = (0..pictures.len())
        .map(|i| {
            let mut file = Vec::new();
            let mut encoder = Encoder::new(&mut file, 97);
            encoder.set_sampling_factor(SamplingFactor::F_2_2);
            encoder.encode(pictures.picture(i), 500, 375, ColorType::Rgb).expect("a good size");
            file
        })
        .collect();
    for (part, n) in [("train", BATCH * STEPS), ("val", TEST)] {
        for i in 0..n {
            let folder = dir.join(part).join(format!("class{:02}", i % CLASSES));
            std::fs::create_dir_all(&folder)?;
            std::fs::write(folder.join(format!("{i}.JPEG")), &files[i % files.len()])?;
        }
    }
    Ok(files.iter().map(|file| file.len() as u64).sum::<u64>() / files.len() as u64)
}

/// Pictures a second that this thread reads, decodes and resizes.
fn pictures_per_second_here(set: &Set) -> f64 {
    let start = Instant::now();
    for picture_idx in 0..TEST {
        std::hint::black_box(set.source().picture(picture_idx).expect("a good file"));
    }
    TEST as f64 / start.elapsed().as_secs_f64()
}

/// Pictures a second as tests read them, on threads of their own.
fn pictures_per_second(set: &Set) -> f64 {
    let indices: Vec<usize> = (0..TEST).collect();
    let read = || {
        let start = Instant::now();
        let each = &mut |_: &data::Pictures| Ok::<(), tridot_models::Error>(());
        set.source().batches(&indices, 64, each).expect("good files");
        TEST as f64 / start.elapsed().as_secs_f64()
    };
    // The first run fills the file cache.
    read();
    read()
}

/// The median time of a training step after the first two.
fn seconds_per_step(network: &str, data: &TrainingData<'_>) -> f64 {
    let plan = format!(
        "format = 1\nnetwork = \"{network}\"\nstart = \"scratch\"\n\
         [[stage]]\nweights = \"float\"\nepochs = 1\nbatch = {BATCH}\nlearning_rate = 0.01\n\
         augmentation = {{ resized_crop = {{}}, flip = true }}\n"
    );
    let text = topology::builtin_text(network).expect("a built-in network");
    let classes = topology::builtin(network).expect("a built-in network").classes;
    let network =
        text.replace(&format!("classes = {classes}\n"), &format!("classes = {CLASSES}\n"));
    let mut trainer = Trainer::new(Texts { plan, network }, None, data).expect("a good plan");
    let mut times = vec![];
    trainer.epoch(data, &mut |_| times.push(Instant::now())).expect("finite sums");
    let mut seconds: Vec<f64> =
        times.windows(2).skip(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

#[expect(clippy::print_stdout, reason = "the result of the bench")]
fn main() {
    let network = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let network = network.as_deref().unwrap_or("mobilenetv1");
    let input = topology::builtin(network).expect("a built-in network").input;
    let dir = std::env::temp_dir().join(format!("tridot-loading-{}", std::process::id()));
    let bytes = make(&dir).expect("room for a hundred megabytes");
    let folder = Folder::open(&dir).expect("the folder just made");
    let DataSet { name, classes, calibration, test } = folder.both(input).expect("good folders");
    let (loaded, here) = (pictures_per_second(&test), pictures_per_second_here(&test));
    println!(
        "{bytes} bytes, {SIZE} to {input}: {here:.0} pictures a second on one thread, {loaded:.0} on {}",
        rayon::current_num_threads()
    );
    let files = TrainingData { name, classes, training: calibration.source(), test: test.source() };
    let from_files = seconds_per_step(network, &files);
    let everything = (0..BATCH * STEPS).collect::<Vec<_>>();
    let pictures = calibration.source().pictures(&everything).expect("good files");
    let memory = TrainingData { training: (&pictures).into(), ..files };
    let from_memory = seconds_per_step(network, &memory);
    println!(
        "{network}, a step of {BATCH}: {from_files:.3} s from files, {from_memory:.3} s from memory; \
         it takes {:.0} pictures a second",
        BATCH as f64 / from_memory
    );
    std::fs::remove_dir_all(&dir).expect("the folder made above");
}
