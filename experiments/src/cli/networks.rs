//! Arguments of the commands that make networks and look at them with pictures.

use std::path::PathBuf;

use clap::Args;

/// The whole road in one command: train, quantize, check, simulate, draw.
///
/// Without options: a small network on the built-in synthetic pictures, in float and with 1, 2 and 3
/// ternary branches, on all built-in architectures. The same command goes on where it was stopped.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tridot quickstart\n  tridot quickstart --plan experiments/plans/resnet20-fronts.toml \
                        --data cifar-10-batches-bin --from resnet20_cifar10.safetensors --out fronts"
)]
pub(crate) struct QuickstartArgs {
    /// Folder of everything that is made: new, empty, or of the same road.
    #[arg(short, long, value_name = "DIR", default_value = "quickstart")]
    pub(crate) out: PathBuf,
    /// A road of one's own (TOML): its variants, architectures and energy table [default: the built-in one].
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Folder that directly holds `test_batch.bin` (CIFAR-10), `y_labels.csv` (Visual Wake Words) or
    /// `train` and `val` (JPEG files in class folders) [default: the built-in synthetic pictures].
    #[arg(long, value_name = "DIR", requires = "plan")]
    pub(crate) data: Option<PathBuf>,
    /// Trained weights, for a road that does not train them: as `train` takes them.
    #[arg(long, value_name = "CHECKPOINT", requires = "plan")]
    pub(crate) from: Option<PathBuf>,
}

/// Train a network after a plan: in float, then with soft ternary branches that harden.
///
/// Writes `checkpoint.safetensors`, a line of `log.jsonl` and `curves` after every epoch. The same command goes on
/// after the last whole epoch, with the same bytes as if nothing had stopped it.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tridot train experiments/plans/quickstart-float.toml --synthetic --out float\n  \
                        tridot train experiments/plans/resnet20-b2.toml --data cifar-10-batches-bin \
                        --from resnet20_cifar10.safetensors --out b2"
)]
pub(crate) struct TrainArgs {
    /// The training plan (TOML): network, stages, schemes of layers; docs/training-plan.md lists the keys.
    pub(crate) plan: PathBuf,
    #[command(flatten)]
    pub(crate) source: TrainingSource,
    /// Folder of the checkpoint and the log: new, empty, or of the same training.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Trained weights to start from: float ones as safetensors, a PyTorch zip file or a checkpoint of
    /// `train`, or an integer network, by its file or its name.
    #[arg(long, value_name = "CHECKPOINT")]
    pub(crate) from: Option<PathBuf>,
    /// Go on from the checkpoint in the folder, and refuse if there is none.
    #[arg(long)]
    pub(crate) resume: bool,
}

/// Pictures to train on.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct TrainingSource {
    /// Folder that directly holds `test_batch.bin` (CIFAR-10), `y_labels.csv` (Visual Wake Words) or
    /// `train` and `val` (JPEG files in class folders, as `train/CLASS/*.JPEG`; resized to the network's
    /// input).
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The built-in synthetic set of ten classes, of the plan's seed and sizes.
    #[arg(long)]
    pub(crate) synthetic: bool,
}

/// A checkpoint of `train` becomes an integer network, with its accuracy.
///
/// Folds batch norm, branch scales and clips into integers. Batch norm is re-estimated where that lowers
/// the loss on held-back training pictures. The float accuracy that is recorded is that of the float
/// network that quantized training began with.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tridot export b2/checkpoint.safetensors --data cifar-10-batches-bin -o resnet20-b2.safetensors"
)]
pub(crate) struct ExportArgs {
    /// A checkpoint of a quantized stage of `train`.
    pub(crate) checkpoint: PathBuf,
    #[command(flatten)]
    pub(crate) source: TrainingSource,
    /// The integer network to write.
    #[arg(short, long, value_name = "NET")]
    pub(crate) output: PathBuf,
    /// Export even where a layer's worst rounding error exceeds one output step.
    #[arg(long)]
    pub(crate) allow_rounding_error: bool,
    /// Also write, beside NET, its plan (.toml) and a summary of accuracies and costs (.json).
    #[arg(long)]
    pub(crate) summary: bool,
}

/// Post-training quantization: trained weights become an integer network.
///
/// Fits ternary branches to the weights, measures activation ranges on calibration pictures,
/// re-estimates batch norm where that lowers the loss on held-back ones, and exports.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tridot quantize resnet20_cifar10.safetensors --data cifar-10-batches-bin \
                        --branches 2 -o resnet20-b2.safetensors"
)]
pub(crate) struct QuantizeArgs {
    /// Trained weights: float ones as safetensors or a PyTorch zip file, or an integer network, by its
    /// file or its name.
    pub(crate) checkpoint: PathBuf,
    #[command(flatten)]
    pub(crate) source: Source,
    /// The integer network to write.
    #[arg(short, long, value_name = "NET")]
    pub(crate) output: PathBuf,
    /// Built-in name or network file [default: found by tensor names and shapes, or an integer network's own].
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) network: Option<String>,
    /// Ternary branches of every layer that is neither first, last nor depthwise [default: 2].
    #[arg(long, value_name = "B", conflicts_with = "plan", value_parser = clap::value_parser!(u32).range(1..=5))]
    pub(crate) branches: Option<u32>,
    /// A quantization plan (TOML): a scheme for each layer, activation bits, scales per layer or channel.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Pictures that calibrate [default: the plan's, 1024].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) calibration_samples: Option<u32>,
    /// Seed of the choice of pictures.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Export even where a layer's worst rounding error exceeds one output step.
    #[arg(long)]
    pub(crate) allow_rounding_error: bool,
    /// Also write, beside NET, its plan (.toml) and a summary of accuracies and costs (.json).
    #[arg(long)]
    pub(crate) summary: bool,
}

/// Where pictures come from.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Source {
    /// Folder that directly holds `test_batch.bin` (CIFAR-10), `y_labels.csv` (Visual Wake Words) or
    /// `train` and `val` (JPEG files in class folders, as `train/CLASS/*.JPEG`; resized to the network's
    /// input).
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Pictures made by code: the synthetic set of ten classes where the network fits it (32×32×3), else
    /// pictures of its own size that show nothing, for checks and not for accuracy.
    #[arg(long)]
    pub(crate) synthetic: bool,
}

/// Integer accuracy of a network on a test set.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tridot accuracy resnet20-cifar10-b2 --data cifar-10-batches-bin"
)]
pub(crate) struct AccuracyArgs {
    /// The integer network: a file, or a trained network's name (`tridot networks`).
    pub(crate) net: PathBuf,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Seed of the synthetic set.
    #[arg(long, default_value_t = 0, conflicts_with = "data")]
    pub(crate) seed: u64,
}

/// Bit-exact agreement of all implementations, on every tensor of every layer.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tridot check resnet20-b2.safetensors --data cifar-10-batches-bin --samples 100\n  \
                        tridot check resnet20-b2.safetensors --data cifar-10-batches-bin --arch edge,wide\n  \
                        tridot check resnet20-b2.safetensors --data cifar-10-batches-bin --samples 1 --arch tiny --rtl"
)]
pub(crate) struct CheckArgs {
    /// The integer network: a file, or a trained network's name (`tridot networks`).
    pub(crate) net: PathBuf,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Also run the stepped model on these architectures (names or files, with commas between, or `all`)
    /// and compare its outputs with the reference and its counters with the fast model.
    #[arg(long, value_name = "A", value_delimiter = ',')]
    pub(crate) arch: Vec<String>,
    /// Also run the RTL of each architecture in Verilator on every dot-product layer, and compare its outputs, edges,
    /// accumulators and cycles with the stepped and the fast model.
    #[arg(long, requires = "arch")]
    pub(crate) rtl: bool,
    /// Pictures to compare.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) samples: u32,
    /// Seed of synthetic pictures.
    #[arg(long, default_value_t = 0, conflicts_with = "data")]
    pub(crate) seed: u64,
}

/// The trace of some test pictures: the integer input and output of every layer.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tridot record resnet20-b2.safetensors --data cifar-10-batches-bin \
                        --samples 4 -o resnet20-b2-trace.safetensors"
)]
pub(crate) struct RecordArgs {
    /// The integer network: a file, or a trained network's name (`tridot networks`).
    pub(crate) net: PathBuf,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Pictures to record.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) samples: u32,
    /// Seed of synthetic pictures.
    #[arg(long, default_value_t = 0, conflicts_with = "data")]
    pub(crate) seed: u64,
    /// The trace to write.
    #[arg(short, long, value_name = "TRACE")]
    pub(crate) output: PathBuf,
}

/// The built-in networks: shapes, and those that are trained.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tridot networks --show resnet20 > my-network.toml")]
pub(crate) struct NetworksArgs {
    /// Print this network's file, or the plan that a trained one was made by, to start from.
    #[arg(long, value_name = "NAME")]
    pub(crate) show: Option<String>,
}
