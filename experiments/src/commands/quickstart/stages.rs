//! The stages of a road, each a command line.

use std::path::PathBuf;

use anyhow::Result;

use super::road::{Road, Variant, Way};
use crate::cli::{QuickstartArgs, line};
use crate::{files, zoo};

/// Where the pictures come from, as every command takes it.
#[derive(Debug)]
pub(super) struct Source {
    arguments: Vec<String>,
    from: Option<String>,
}

impl Source {
    /// Paths are made absolute: the commands run in another folder.
    pub(super) fn of(arguments: &QuickstartArgs) -> Result<Self> {
        let absolute = |path: &PathBuf| -> Result<String> { files::absolute(path) };
        // A name of the zoo is one everywhere.
        let from = |path: &PathBuf| match path.to_str().and_then(zoo::find) {
            Some(entry) => Ok(entry.name.to_owned()),
            None => absolute(path),
        };
        Ok(Self {
            arguments: match &arguments.data {
                Some(dir) => vec!["--data".to_owned(), absolute(dir)?],
                None => vec!["--synthetic".to_owned()],
            },
            from: arguments.from.as_ref().map(from).transpose()?,
        })
    }
}

/// A command, and what it makes.
#[derive(Debug)]
pub(super) struct Stage {
    /// What it does, for people.
    pub(super) title: String,
    /// The command without `tridot`.
    pub(super) arguments: Vec<String>,
    /// Files that are there when it is done; none where it is to run each time.
    pub(super) makes: Vec<String>,
}

impl Stage {
    fn new(title: String, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self { title, arguments, makes: Vec::new() }
    }

    fn with_pictures(mut self, source: &Source) -> Self {
        self.arguments.extend(source.arguments.iter().cloned());
        self
    }

    fn making(mut self, file: &str) -> Self {
        self.makes.push(file.to_owned());
        self
    }

    /// As a user types it.
    pub(super) fn line(&self) -> String {
        line(self.arguments.iter().map(String::as_str))
    }
}

/// The integer network of a variant, in the output folder.
pub(super) fn network_file(variant: &Variant) -> String {
    format!("networks/{}.safetensors", variant.name)
}

/// All stages, in order.
pub(super) fn all(road: &Road, source: &Source) -> Vec<Stage> {
    let mut stages = Vec::new();
    let float = match (&road.float, &source.from) {
        (Some(plan), _) => {
            let plan = format!("plans/{plan}");
            let stage = Stage::new(
                "train in float".to_owned(),
                &["train", &plan, "--out", "training/float"],
            );
            stages.push(stage.with_pictures(source));
            "training/float/checkpoint.safetensors".to_owned()
        }
        (None, Some(from)) => from.clone(),
        (None, None) => unreachable!("a road without a float network was refused"),
    };
    for variant in &road.variants {
        make(variant, &float, source, &mut stages);
    }
    for variant in &road.variants {
        compare_and_record(road, variant, source, &mut stages);
    }
    for variant in &road.variants {
        for arch in &road.architectures {
            let title = format!("{}: simulate on {arch}", variant.name);
            let (net, trace) = (network_file(variant), trace_file(variant));
            let (arch, energy) = (Road::in_folder(arch), Road::in_folder(&road.energy));
            let arguments = [
                "simulate", &net, "--arch", &arch, "--energy", &energy, "--trace", &trace, "-o",
                ".",
            ];
            stages.push(Stage::new(title, &arguments));
        }
    }
    stages.push(Stage::new(
        "draw fronts, tables, page".to_owned(),
        &["report", "records.csv", "-o", ".", "--force"],
    ));
    stages
}

fn trace_file(variant: &Variant) -> String {
    format!("traces/{}.safetensors", variant.name)
}

fn make(variant: &Variant, float: &str, source: &Source, stages: &mut Vec<Stage>) {
    let (name, net) = (&variant.name, network_file(variant));
    match &variant.way {
        Way::Train(plan) => {
            let (plan, out) = (format!("plans/{plan}"), format!("training/{name}"));
            let train = Stage::new(
                format!("{name}: fine-tune"),
                &["train", &plan, "--from", float, "--out", &out],
            );
            // A finished training reads its data only to find that it is finished.
            stages.push(train.with_pictures(source).making(&net));
            let checkpoint = format!("{out}/checkpoint.safetensors");
            let export =
                Stage::new(format!("{name}: export"), &["export", &checkpoint, "-o", &net]);
            stages.push(export.with_pictures(source).making(&net));
        }
        Way::Quantize(plan) => {
            let plan = format!("plans/{plan}");
            let quantize = Stage::new(
                format!("{name}: quantize without training"),
                &["quantize", float, "--plan", &plan, "-o", &net],
            );
            stages.push(quantize.with_pictures(source).making(&net));
        }
    }
}

fn compare_and_record(road: &Road, variant: &Variant, source: &Source, stages: &mut Vec<Stage>) {
    let (net, trace) = (network_file(variant), trace_file(variant));
    let archs: Vec<_> = road.architectures.iter().map(|name| Road::in_folder(name)).collect();
    let archs = archs.join(",");
    let samples = road.check_samples.to_string();
    let check = Stage::new(
        format!("{}: check every bit and cycle", variant.name),
        &["check", &net, "--samples", &samples, "--arch", &archs],
    );
    stages.push(check.with_pictures(source));
    let samples = road.trace_samples.to_string();
    let record = Stage::new(
        format!("{}: record a trace", variant.name),
        &["record", &net, "--samples", &samples, "-o", &trace],
    );
    stages.push(record.with_pictures(source).making(&trace));
}
