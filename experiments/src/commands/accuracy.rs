//! `tridot accuracy`: integer accuracy on a test set.

use anyhow::{Result, bail};
use serde::Serialize;
use tridot_models::data::{PICTURES_AT_ONCE, Set, Source};
use tridot_sim::kernels::{Backend, Prepared, Scratch};
use tridot_sim::network::{Accuracy, Network};

use super::pictures;
use crate::cli::{AccuracyArgs, Verdict};
use crate::print::{Printer, percent};
use crate::{files, threads};

#[derive(Serialize)]
struct Report {
    network: String,
    data: String,
    samples: u64,
    correct: u64,
    integer_accuracy_percent: f64,
    float_accuracy_percent: Option<f64>,
}

pub(crate) fn run(arguments: &AccuracyArgs, printer: &Printer) -> Result<Verdict> {
    let network = files::read_network(&arguments.net)?;
    let (shape, classes) = pictures::wanted(&network);
    let (test, data) = match &arguments.source.data {
        Some(dir) => {
            let folder = pictures::open(dir, shape, classes)?;
            (folder.test(shape)?, folder.name())
        }
        None => match pictures::synthetic_test(shape, classes, arguments.seed) {
            Some(set) => (Set::Memory(set.test), set.name),
            None => bail!(
                "{}: the synthetic set has ten classes of 32×32×3 pictures, the network {classes} of {shape}",
                arguments.net.display()
            ),
        },
    };
    let accuracy = integer_accuracy(&network, test.source(), printer)?;
    pictures::tell_unreadable(&[test.source()], printer);
    let float = network.provenance.float_accuracy;
    printer.line(format_args!("{} on {data}", network.name));
    let row = |what: &str, accuracy: Accuracy| {
        vec![
            what.to_owned(),
            accuracy.correct.to_string(),
            accuracy.samples.to_string(),
            percent(accuracy.percent()),
        ]
    };
    let mut rows = vec![row("integer", accuracy)];
    let of =
        network.provenance.data.as_deref().map_or(String::new(), |data| format!(", on {data}"));
    rows.extend(float.map(|float| row(&format!("float, as recorded at export{of}"), float)));
    printer.table(&["network", "correct", "pictures", "accuracy_percent"], rows);
    printer.object(
        "accuracy",
        &Report {
            network: network.name.clone(),
            data: data.to_owned(),
            samples: accuracy.samples,
            correct: accuracy.correct,
            integer_accuracy_percent: accuracy.percent(),
            float_accuracy_percent: float.map(Accuracy::percent),
        },
    )?;
    Ok(Verdict::Yes)
}

/// Classifies all pictures that can be read on all threads with the fastest kernels of this processor.
pub(crate) fn integer_accuracy(
    network: &Network,
    test: Source<'_>,
    printer: &Printer,
) -> Result<Accuracy> {
    let prepared = Prepared::new(network, Backend::best())?;
    let bar = printer.bar("integer accuracy", test.len() as u64);
    let everything: Vec<usize> = (0..test.len()).collect();
    let mut all = Accuracy { samples: 0, correct: 0 };
    test.batches(&everything, PICTURES_AT_ONCE, &mut |some| {
        let correct = threads::map(
            some.len(),
            || Scratch::new(&prepared),
            |scratch, i| {
                let logits = prepared.run(scratch, some.picture(i))?;
                bar.inc(1);
                Ok(u64::from(argmax(logits) == usize::from(some.labels[i])))
            },
        )?;
        all.samples += correct.len() as u64;
        all.correct += correct.iter().sum::<u64>();
        Ok::<(), anyhow::Error>(())
    })?;
    bar.finish_and_clear();
    Ok(all)
}

/// The index of the largest value, the first of equals.
fn argmax(values: &[i64]) -> usize {
    let best = values.iter().enumerate().max_by_key(|&(i, value)| (value, std::cmp::Reverse(i)));
    best.map_or(0, |(i, _)| i)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_first_of_equal_classes_wins() {
        assert_eq!(super::argmax(&[-3, 7, 7, 2]), 1);
    }
}
