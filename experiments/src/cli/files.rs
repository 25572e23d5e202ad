//! Arguments of the commands that read one file and count.

use std::path::PathBuf;

use clap::Args;

/// Complexity by layer, on no machine: full adders, bits to represent, bits to store.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  tridot complexity resnet20 --uniform 8,8\n  \
                        tridot complexity resnet20 --ternary 2\n  tridot complexity resnet20-b2.safetensors")]
pub(crate) struct ComplexityArgs {
    /// An integer network's file or a trained network's name; or, with --uniform or --ternary, a network file or
    /// a built-in name.
    #[arg(value_name = "NET|NAME")]
    pub(crate) subject: String,
    /// From shapes alone: every weight has W bits and every activation A bits.
    #[arg(long, value_name = "W,A", value_parser = parse_uniform, conflicts_with = "ternary")]
    pub(crate) uniform: Option<(u32, u32)>,
    /// From shapes alone: every layer is a sum of B ternary branches, activations have A bits [default: 8].
    #[arg(long, value_name = "B[,A]", value_parser = parse_ternary)]
    pub(crate) ternary: Option<(u32, u32)>,
}

/// What is in a file: an integer network, a trace, a checkpoint, a network file, a plan, an architecture
/// or an energy table.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tridot inspect resnet20-b2.safetensors")]
pub(crate) struct InspectArgs {
    /// The name of a trained network; a file; or, where there is none, the name of another network, an architecture
    /// or an energy table that is built in.
    pub(crate) file: PathBuf,
}

fn parse_pair(
    text: &str,
    limits: &[std::ops::RangeInclusive<u32>; 2],
    default: Option<u32>,
) -> Result<(u32, u32), String> {
    let mut parts = text.split(',');
    let mut next = |limit: &std::ops::RangeInclusive<u32>, default: Option<u32>| {
        let value = match (parts.next(), default) {
            (Some(part), _) => {
                part.trim().parse().map_err(|_| format!("`{part}` is no whole number"))?
            }
            (None, Some(value)) => value,
            (None, None) => return Err("two numbers are needed, with a comma between".to_owned()),
        };
        if limit.contains(&value) {
            return Ok(value);
        }
        Err(format!("must be between {} and {}, got {value}", limit.start(), limit.end()))
    };
    let pair = (next(&limits[0], None)?, next(&limits[1], default)?);
    if parts.next().is_some() { Err("too many numbers".to_owned()) } else { Ok(pair) }
}

fn parse_uniform(text: &str) -> Result<(u32, u32), String> {
    parse_pair(text, &[1..=32, 1..=32], None)
}

fn parse_ternary(text: &str) -> Result<(u32, u32), String> {
    parse_pair(text, &[1..=5, 1..=32], Some(8))
}
