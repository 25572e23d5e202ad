//! What is fitted: the energy of each group of parts, from quantities that the machine models count.

use super::fit::{Observation, cross_validated, error, fit};
use super::netlist::Part;
use super::power::ByPart;
use super::stimulus::Stimulus;
use crate::arch::Architecture;

/// A quantity that has a price. ENERGY.md, section 9, says why these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantity {
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
    /// Toggled bits of their products.
    ScalerProduct,
    /// Toggled bits of the adders of y.
    ScalerY,
    /// Flip-flops of the buses, each time that the scalers begin to take.
    StartBus,
    /// Flip-flops of the engines, likewise.
    StartEngine,
    /// Flip-flops of shadow bank and scalers, likewise.
    StartScaler,
    /// Flip-flops of the buses, each time that the array freezes.
    FreezeBus,
    /// Flip-flops of the engines, likewise.
    FreezeEngine,
    /// Flip-flops of the shadow bank, each time that the scalers choose among several rows.
    Select,
}

/// Parts that are fitted together, what their energy is taken to depend on, and what in arrays it depends on besides.
type Fit = (&'static [Part], &'static [Quantity], Quantity);

const GROUPS: [Fit; 3] = [
    (
        &[Part::Bus],
        &[Quantity::ActivationBus, Quantity::WeightBus, Quantity::StartBus],
        Quantity::FreezeBus,
    ),
    (
        &[Part::Engine, Part::Tree],
        &[
            Quantity::ActivationFanOut,
            Quantity::WeightFanOut,
            Quantity::Operand,
            Quantity::Leaves,
            Quantity::Tree,
            Quantity::Accumulators,
            Quantity::StartEngine,
        ],
        Quantity::FreezeEngine,
    ),
    (
        &[Part::Scaler],
        &[
            Quantity::Accumulators,
            Quantity::ScalerOperand,
            Quantity::ScalerScale,
            Quantity::ScalerProduct,
            Quantity::ScalerY,
            Quantity::StartScaler,
        ],
        Quantity::Select,
    ),
];

impl Quantity {
    /// All of them.
    pub const ALL: [Self; 18] = [
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
        Self::ScalerProduct,
        Self::ScalerY,
        Self::StartBus,
        Self::StartEngine,
        Self::StartScaler,
        Self::FreezeBus,
        Self::FreezeEngine,
        Self::Select,
    ];

    /// The row of an energy table.
    pub const fn row(self) -> &'static str {
        match self {
            Self::ActivationBus => "toggle.activation_bus",
            Self::WeightBus => "toggle.weight_bus",
            Self::ActivationFanOut => "toggle.activation_fan_out",
            Self::WeightFanOut => "toggle.weight_fan_out",
            Self::Operand => "toggle.operand",
            Self::Leaves => "toggle.leaves",
            Self::Tree => "toggle.tree",
            Self::Accumulators => "toggle.accumulators",
            Self::ScalerOperand => "toggle.scaler_operand",
            Self::ScalerScale => "toggle.scaler_scale",
            Self::ScalerProduct => "toggle.scaler_product",
            Self::ScalerY => "toggle.scaler_y",
            Self::StartBus => "start.bus",
            Self::StartEngine => "start.engine",
            Self::StartScaler => "start.scaler",
            Self::FreezeBus => "freeze.bus",
            Self::FreezeEngine => "freeze.engine",
            Self::Select => "select",
        }
    }

    /// How much of it there is in a window.
    pub fn amount(self, window: &Stimulus, arch: &Architecture) -> f64 {
        let toggles = window.toggles.of_all_tiles();
        let flip_flops = arch.flip_flops();
        let starts = window.counts.scaler_starts();
        let amount = match self {
            Self::ActivationBus => toggles.activation_bus,
            Self::WeightBus => toggles.weight_bus,
            Self::ActivationFanOut => toggles.activation_bus * arch.columns as u64,
            Self::WeightFanOut => toggles.weight_bus * arch.rows as u64,
            Self::Operand => toggles.operand,
            Self::Leaves => toggles.leaves,
            Self::Tree => toggles.tree.iter().sum(),
            Self::Accumulators => toggles.accumulators,
            Self::ScalerOperand => toggles.scaler_operand,
            Self::ScalerScale => toggles.scaler_scale,
            Self::ScalerProduct => toggles.scaler_product,
            Self::ScalerY => toggles.scaler_y,
            Self::StartBus => starts * flip_flops.of_buses(),
            Self::StartEngine => starts * flip_flops.of_engines(),
            Self::StartScaler => starts * flip_flops.of_scalers(),
            Self::FreezeBus => window.counts.freezes() * flip_flops.of_buses(),
            Self::FreezeEngine => window.counts.freezes() * flip_flops.of_engines(),
            Self::Select => window.counts.scaler_cycles.0 * arch.selected_flip_flops(),
        };
        amount as f64
    }
}

/// What a window costs on gates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// fJ of toggles by part, without the clock.
    pub toggles_fj: ByPart,
    /// fJ of the clock.
    pub clock_fj: f64,
    /// fJ of leakage.
    pub leakage_fj: f64,
}

impl Measured {
    /// All of it.
    pub fn total_fj(&self) -> f64 {
        self.toggles_fj.iter().sum::<f64>() + self.clock_fj + self.leakage_fj
    }
}

/// Windows of one core.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Its architecture.
    pub arch: &'a Architecture,
    /// What the models count.
    pub windows: &'a [Stimulus],
    /// What the gates cost.
    pub measured: &'a [Measured],
}

impl Seen<'_> {
    /// What some parts cost in each window, and what there was of some quantities.
    fn observations(&self, parts: &[Part], quantities: &[Quantity]) -> Vec<Observation> {
        let windows = self.windows.iter().zip(self.measured);
        let observation = |(window, measured): (&Stimulus, &Measured)| Observation {
            amounts: quantities.iter().map(|one| one.amount(window, self.arch)).collect(),
            cost: parts.iter().map(|&part| measured.toggles_fj[part as usize]).sum(),
            total: measured.total_fj(),
        };
        windows.map(observation).collect()
    }
}

/// fJ a cycle of the clock of flip-flops that are not counted, for the array and for each column, from the clocks of one engine and of
/// 2×2 engines; `flip_flop_fj` is that of one flip-flop.
pub fn control_fj(
    flip_flop_fj: f64,
    one: (f64, &Architecture),
    four: (f64, &Architecture),
) -> (f64, f64) {
    let uncounted = |(clock_fj, arch): (f64, &Architecture)| {
        (clock_fj - flip_flop_fj * arch.flip_flops().total() as f64).max(0.0)
    };
    let (one, four) = (uncounted(one), uncounted(four));
    let column = (four - one).clamp(0.0, one);
    (one - column, column)
}

/// Prices in fJ, and how well they foretell.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// Of each quantity, in the order of [`Quantity::ALL`].
    pub prices_fj: Vec<f64>,
    /// Of each window, those of the engine first: the relative error of the prices that were fitted to it and all others.
    pub errors: Vec<f64>,
    /// Of each window: that of prices that were fitted to all others.
    pub cross_validated: Vec<f64>,
}

impl Fitted {
    /// Fits prices to windows of one engine, and those of what only arrays do to what they leave of the windows of an array. Cross-validated errors of the array's windows are of these prices: all but three never saw them.
    pub fn new(one: &Seen<'_>, array: &Seen<'_>) -> Self {
        let mut fitted = Self {
            prices_fj: vec![0.0; Quantity::ALL.len()],
            errors: vec![0.0; one.windows.len() + array.windows.len()],
            cross_validated: vec![0.0; one.windows.len() + array.windows.len()],
        };
        for (parts, quantities, of_arrays) in GROUPS {
            let of_one = one.observations(parts, quantities);
            let of_array = array.observations(parts, quantities);
            let prices = fit(&of_one);
            for (quantity, price) in quantities.iter().zip(&prices) {
                fitted.prices_fj[*quantity as usize] += price;
            }
            let mut left: Vec<f64> = of_array.iter().map(|seen| error(&prices, seen)).collect();
            let price = fitted.fit_rest(of_arrays, array, &of_array, &left);
            for ((left, seen), window) in left.iter_mut().zip(&of_array).zip(array.windows) {
                *left += price * of_arrays.amount(window, array.arch) / seen.total;
            }
            let errors = of_one.iter().map(|seen| error(&prices, seen)).chain(left.iter().copied());
            fitted.errors.iter_mut().zip(errors).for_each(|(sum, error)| *sum += error);
            let errors = cross_validated(&of_one).into_iter().chain(left);
            fitted.cross_validated.iter_mut().zip(errors).for_each(|(sum, error)| *sum += error);
        }
        fitted
    }

    /// The price of a quantity that leaves least of an array's relative errors.
    fn fit_rest(
        &mut self,
        quantity: Quantity,
        array: &Seen<'_>,
        observations: &[Observation],
        left: &[f64],
    ) -> f64 {
        let seen = observations.iter().zip(left).zip(array.windows);
        let seen: Vec<Observation> = seen
            .map(|((seen, left), window)| Observation {
                amounts: vec![quantity.amount(window, array.arch)],
                cost: -left * seen.total,
                total: seen.total,
            })
            .collect();
        let price = fit(&seen)[0];
        self.prices_fj[quantity as usize] = price;
        price
    }
}
