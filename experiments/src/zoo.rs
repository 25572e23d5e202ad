//! Trained networks that are built in: the files of `models/zoo`, by name.

#[cfg(feature = "train")]
mod summary;

#[cfg(feature = "train")]
pub(crate) use summary::Summary;

/// A network of the zoo.
#[derive(Debug)]
pub(crate) struct Entry {
    /// `NETWORK-DATA-SCHEME`, e.g. `resnet20-cifar10-b2`.
    pub(crate) name: &'static str,
    /// The integer network.
    pub(crate) network: &'static [u8],
    /// The plan that it was trained or quantized by.
    #[cfg(feature = "train")]
    pub(crate) plan: &'static str,
    #[cfg(feature = "train")]
    summary: &'static str,
}

macro_rules! entries {
    ($($name:literal),* $(,)?) => {
        &[$(Entry {
            name: $name,
            network: include_bytes!(concat!("../../models/zoo/", $name, ".safetensors")),
            #[cfg(feature = "train")]
            plan: include_str!(concat!("../../models/zoo/", $name, ".toml")),
            #[cfg(feature = "train")]
            summary: include_str!(concat!("../../models/zoo/", $name, ".json")),
        }),*]
    };
}

const ENTRIES: &[Entry] = entries![
    "resnet20-cifar10-f8",
    "resnet20-cifar10-b3",
    "resnet20-cifar10-b2",
    "resnet20-cifar10-b1",
    "mobilenetv1-0.5-cifar10-f8",
    "mobilenetv1-0.5-cifar10-b2",
    "mobilenetv1-0.5-cifar10-b1",
    "mobilenetv2-0.5-cifar10-f8",
    "mobilenetv2-0.5-cifar10-b2",
    "mobilenetv2-0.5-cifar10-b1",
    "shufflenetv2-0.5-cifar10-f8",
    "shufflenetv2-0.5-cifar10-b2",
    "shufflenetv2-0.5-cifar10-b1",
    "mobilenetv1-0.25-96-vww01-f8",
    "mobilenetv1-0.25-96-vww01-b3",
    "mobilenetv1-0.25-96-vww01-b2",
];

/// All of them.
#[cfg(feature = "train")]
pub(crate) const fn entries() -> &'static [Entry] {
    ENTRIES
}

/// That of a name.
pub(crate) fn find(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.name == name)
}

/// Their names.
pub(crate) fn names() -> Vec<&'static str> {
    ENTRIES.iter().map(|entry| entry.name).collect()
}

#[cfg(feature = "train")]
impl Entry {
    /// What came out.
    pub(crate) fn summary(&self) -> Summary {
        serde_json::from_str(self.summary).expect("a test reads every summary")
    }
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use std::collections::BTreeSet;

    use tridot_sim::network::Network;

    use super::*;

    /// All files together, in bytes.
    const MOST: usize = 12_000_000;

    #[test]
    fn every_file_of_the_folder_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/zoo");
        let files = std::fs::read_dir(folder).unwrap();
        let found = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        // Plans of the float networks that others began with stand alone.
        let found: BTreeSet<String> = found.filter(|name| !name.ends_with("-float.toml")).collect();
        let wanted: BTreeSet<String> = names()
            .into_iter()
            .flat_map(|name| ["safetensors", "toml", "json"].map(|kind| format!("{name}.{kind}")))
            .chain(["NOTICE.md".to_owned()])
            .collect();
        assert_eq!(found, wanted);
        let bytes = |e: &Entry| e.network.len() + e.plan.len() + e.summary.len();
        assert!(ENTRIES.iter().map(bytes).sum::<usize>() <= MOST);
    }

    #[test]
    fn plan_and_summary_are_those_of_the_network() {
        for entry in ENTRIES {
            let network = Network::from_bytes(entry.network).unwrap();
            assert!(network.to_bytes() == entry.network, "{}", entry.name);
            let (provenance, summary) = (&network.provenance, entry.summary());
            assert_eq!(provenance.plan, entry.plan, "{}", entry.name);
            assert_eq!(provenance.data.as_ref(), Some(&summary.data), "{}", entry.name);
            assert_eq!(provenance.seed, summary.seed);
            assert_eq!((summary.format, &network.name), (1, &summary.network));
            let accuracy = provenance.integer_accuracy.unwrap();
            assert_eq!(accuracy.samples, summary.samples);
            assert!((accuracy.percent() - summary.integer_accuracy_percent).abs() < 1e-9);
            let start = format!("{}-", network.name);
            assert!(
                entry.name.starts_with(&start) || entry.name.contains("-vww01-"),
                "{}",
                entry.name
            );
        }
    }
}
