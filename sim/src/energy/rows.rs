//! What has a row of its own in a calibrated table, by the names of its file.

use serde::Deserialize;

use crate::arch::FlipFlops;

/// What toggles have a row of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Net {
    /// Toggled bits of the row buses.
    ActivationBus,
    /// Toggled bits of the column buses.
    WeightBus,
    /// Toggled bits of a row bus, in each engine that it reaches.
    ActivationFanOut,
    /// Toggled bits of a column bus, in each engine that it reaches.
    WeightFanOut,
    /// Toggled bits of operand registers.
    Operand,
    /// Toggled bits of leaves.
    Leaves,
    /// Toggled bits of the trees' adders.
    Tree,
    /// Toggled bits of accumulators.
    Accumulators,
    /// Toggled bits of the multipliers' accumulator inputs.
    ScalerOperand,
    /// Toggled bits of their m.
    ScalerScale,
    /// Toggled bits of their partial products.
    ScalerPartialProducts,
    /// Toggled bits of their products.
    ScalerProduct,
    /// Toggled bits of the adders of y.
    ScalerY,
}

impl Net {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::ActivationBus,
        Self::WeightBus,
        Self::ActivationFanOut,
        Self::WeightFanOut,
        Self::Operand,
        Self::Leaves,
        Self::Tree,
        Self::Accumulators,
        Self::ScalerOperand,
        Self::ScalerScale,
        Self::ScalerPartialProducts,
        Self::ScalerProduct,
        Self::ScalerY,
    ];

    /// The key of its row below `toggle`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ActivationBus => "activation_bus",
            Self::WeightBus => "weight_bus",
            Self::ActivationFanOut => "activation_fan_out",
            Self::WeightFanOut => "weight_fan_out",
            Self::Operand => "operand",
            Self::Leaves => "leaves",
            Self::Tree => "tree",
            Self::Accumulators => "accumulators",
            Self::ScalerOperand => "scaler_operand",
            Self::ScalerScale => "scaler_scale",
            Self::ScalerPartialProducts => "scaler_partial_products",
            Self::ScalerProduct => "scaler_product",
            Self::ScalerY => "scaler_y",
        }
    }
}

/// Flip-flops whose load enables have a row of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Those of the row and column buses.
    Bus,
    /// Those of the engines.
    Engine,
    /// Those of shadow bank and scalers.
    Scaler,
}

impl Group {
    /// The key of its row below `handover`, `handover_to_empty` and `handover_to_full`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bus => "bus",
            Self::Engine => "engine",
            Self::Scaler => "scaler",
        }
    }

    /// How many of an array's are its.
    pub(crate) fn count(self, flip_flops: &FlipFlops) -> u64 {
        match self {
            Self::Bus => flip_flops.of_buses(),
            Self::Engine => flip_flops.of_engines(),
            Self::Scaler => flip_flops.of_scalers(),
        }
    }
}
