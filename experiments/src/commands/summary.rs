//! What lies beside a network that is to be published: its plan, and a summary of what came out.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use tridot_sim::network::{Accuracy, Network};

use crate::files;
use crate::zoo::Summary;

/// What a training cost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    pub(crate) epochs: usize,
    pub(crate) hours: f64,
}

/// Refuses a network's file, or one beside it, that cannot be written or is an input.
pub(crate) fn check_outputs(output: &Path, with_summary: bool, inputs: &[&Path]) -> Result<()> {
    files::check_output(output, inputs)?;
    if with_summary {
        for extension in ["json", "toml"] {
            let beside = output.with_extension(extension);
            if beside == *output {
                bail!(
                    "{}: is where --summary writes: give the network another extension, as .safetensors",
                    output.display()
                );
            }
            files::check_output(&beside, inputs)?;
        }
    }
    Ok(())
}

/// Why there can be no summary of a network.
pub(crate) fn needs_labels(output: &Path) -> String {
    format!("{}: a summary needs labelled pictures", output.display())
}

/// Writes `.toml` and `.json` beside a network.
pub(crate) fn write(output: &Path, network: &Network, cost: Cost) -> Result<()> {
    let provenance = &network.provenance;
    let missing = || needs_labels(output);
    let integer = provenance.integer_accuracy.with_context(missing)?;
    let summary = Summary {
        format: 1,
        network: network.name.clone(),
        data: provenance.data.clone().with_context(missing)?,
        float_accuracy_percent: provenance.float_accuracy.map(Accuracy::percent),
        integer_accuracy_percent: integer.percent(),
        samples: integer.samples,
        epochs: cost.epochs,
        hours: (cost.hours * 100.0).round() / 100.0,
        seed: provenance.seed,
    };
    let mut json = serde_json::to_string_pretty(&summary)?;
    json.push('\n');
    files::write(&output.with_extension("json"), json.as_bytes())?;
    files::write(&output.with_extension("toml"), provenance.plan.as_bytes())
}
