//! What an accuracy is paid with.

use crate::number::{balanced_unit_of, energy_unit, superscript};
use crate::record::Record;

/// A cost of one picture, or of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cost {
    Computational,
    Sparse,
    Representational,
    Storage,
    Cycles,
    Energy,
    Area,
}

impl Cost {
    pub(super) const ALL: [Self; 7] = [
        Self::Computational,
        Self::Sparse,
        Self::Representational,
        Self::Storage,
        Self::Cycles,
        Self::Energy,
        Self::Area,
    ];

    /// Whether it is the network's alone, on whatever machine.
    pub(super) const fn is_of_network(self) -> bool {
        match self {
            Self::Computational | Self::Sparse | Self::Representational | Self::Storage => true,
            Self::Cycles | Self::Energy | Self::Area => false,
        }
    }

    /// Whether an energy table decides it.
    pub(super) const fn is_priced(self) -> bool {
        matches!(self, Self::Energy | Self::Area)
    }

    /// For the name of a file.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Computational => "computational",
            Self::Sparse => "sparse",
            Self::Representational => "representational",
            Self::Storage => "storage",
            Self::Cycles => "cycles",
            Self::Energy => "energy",
            Self::Area => "area",
        }
    }

    /// For a caption.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Computational => "computational cost C_C of a picture",
            Self::Sparse => "sparse computational cost C_S of a picture",
            Self::Representational => "representational cost C_R of a picture",
            Self::Storage => "storage cost C_M",
            Self::Cycles => "cycles a picture",
            Self::Energy => "energy a picture",
            Self::Area => "area of the array",
        }
    }

    /// For the head of a column.
    pub(super) const fn column(self) -> &'static str {
        match self {
            Self::Computational => "computational_full_adders",
            Self::Sparse => "sparse_full_adders",
            Self::Representational => "representational_bits",
            Self::Storage => "storage_bits",
            Self::Cycles => "picture_cycles",
            Self::Energy => "picture_energy_pj",
            Self::Area => "area_um2",
        }
    }

    pub(super) fn of(self, record: &Record) -> Option<f64> {
        let measures = &record.measures;
        let images = record.inputs.images as f64;
        match self {
            Self::Computational => Some(measures.computational_full_adders as f64),
            Self::Sparse => measures.sparse_full_adders.map(|adders| adders as f64),
            Self::Representational => Some(measures.representational_bits as f64),
            Self::Storage => Some(measures.storage_bits as f64),
            Self::Cycles => Some(record.total.cycles.0 as f64 / images),
            Self::Energy => record.total.energy.map(|energy| energy.value() / images),
            Self::Area => record.area.map(|area| area.0),
        }
    }

    /// The label of an axis for these values, and what a value is divided by there.
    pub(super) fn label(self, values: &[f64]) -> (String, f64) {
        let (divisor, exponent) = balanced_unit_of(values);
        let times = if exponent == 0 {
            String::new()
        } else {
            format!("10{} ", superscript(&exponent.to_string()))
        };
        match self {
            Self::Computational => (format!("C_C ({times}1-bit full adders a picture)"), divisor),
            Self::Sparse => (format!("C_S ({times}1-bit full adders a picture)"), divisor),
            Self::Representational => (format!("C_R ({times}bits a picture)"), divisor),
            Self::Storage => (format!("C_M ({times}bits)"), divisor),
            Self::Cycles => (format!("{times}cycles a picture"), divisor),
            Self::Energy => {
                let (unit, divisor) = energy_unit(values);
                (format!("energy a picture ({unit})"), divisor)
            }
            Self::Area if 3 <= exponent => ("area of the array (mm²)".to_owned(), 1e6),
            Self::Area => (format!("area of the array ({times}µm²)"), divisor),
        }
    }
}
