//! `tridot export`: a checkpoint of `train` becomes an integer network.

use std::path::Path;

use anyhow::{Context as _, Result};
use tridot_models::calibrate::CalibrationSet;
use tridot_models::export::{self, RoundingLimit};
use tridot_models::train::Trainer;
use tridot_sim::network::Network;

use super::{accuracy, pictures, quantize, summary, train, training_set};
use crate::cli::{ExportArgs, Verdict};
use crate::files;
use crate::print::Printer;

pub(crate) fn run(arguments: &ExportArgs, printer: &Printer) -> Result<Verdict> {
    let inputs: Vec<&Path> = std::iter::once(&arguments.checkpoint)
        .chain(&arguments.source.data)
        .map(AsRef::as_ref)
        .collect();
    summary::check_outputs(&arguments.output, arguments.summary, &inputs)?;
    let place = || arguments.checkpoint.display().to_string();
    let bytes = files::read(&arguments.checkpoint, files::MAX_CHECKPOINT_BYTES)?;
    let trainer = Trainer::resume(&bytes).with_context(place)?;
    let cost =
        if arguments.summary { Some(train::cost(&arguments.checkpoint, &trainer)?) } else { None };
    let topology = &trainer.float_network().topology;
    let set = training_set::load(&arguments.source, trainer.plan(), topology)?;
    trainer.check_data(&training_set::borrowed(&set)).with_context(place)?;
    let waiting = printer.spinner("fold and calibrate");
    let calibration =
        CalibrationSet { name: set.name, pictures: set.calibration.source(), labelled: true };
    let quantized = trainer.quantized_network(&calibration).with_context(place)?;
    let limit =
        if arguments.allow_rounding_error { RoundingLimit::None } else { RoundingLimit::OneStep };
    let exported = export::network(&quantized, limit)?;
    waiting.finish_and_clear();
    let integer = accuracy::integer_accuracy(&exported.network, set.test.source(), printer)?;
    pictures::tell_unreadable(&[set.calibration.source(), set.test.source()], printer);
    let mut description = exported.network.into_description();
    description.provenance.integer_accuracy = Some(integer);
    let network = Network::new(description)?;
    files::write(&arguments.output, &network.to_bytes())?;
    if let Some(cost) = cost {
        summary::write(&arguments.output, &network, cost)?;
    }
    let output = arguments.output.display().to_string();
    quantize::tell(&network, &exported.layers, output, "export", printer)?;
    Ok(Verdict::Yes)
}
