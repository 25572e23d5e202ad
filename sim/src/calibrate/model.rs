//! What is fitted: the energy of each group of parts, from quantities that the machine models count.

use super::fit::{Observation, cross_validated, error, fit};
use super::netlist::Part;
use super::power::ByPart;
use super::stimulus::Stimulus;
use crate::arch::Architecture;
use crate::energy::{Group, Net};

/// A quantity that has a price. ENERGY.md, section 9, says why these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Toggled bits.
    Toggle(Net),
    /// Flip-flops at each hand-over of one row.
    Handover(Group),
    /// Flip-flops at each hand-over of several rows to an empty shadow bank.
    HandoverToEmpty(Group),
    /// Flip-flops at each hand-over of several rows to a shadow bank that gives its last values.
    HandoverToFull(Group),
    /// Toggled bits of the multipliers' accumulator inputs, which choose among several rows.
    SelectOperand,
    /// Toggled bits of the adders of y, whose partial y is chosen among those of several rows.
    SelectY,
}

/// Parts that are fitted together, what their energy is taken to depend on, and what in arrays it depends on besides.
type Fit = (&'static [Part], &'static [Quantity], &'static [Quantity]);

const GROUPS: [Fit; 3] = [
    (
        &[Part::Bus],
        &[
            Quantity::Toggle(Net::ActivationBus),
            Quantity::Toggle(Net::WeightBus),
            Quantity::Handover(Group::Bus),
        ],
        &[Quantity::HandoverToEmpty(Group::Bus), Quantity::HandoverToFull(Group::Bus)],
    ),
    (
        &[Part::Engine, Part::Tree],
        &[
            Quantity::Toggle(Net::ActivationFanOut),
            Quantity::Toggle(Net::WeightFanOut),
            Quantity::Toggle(Net::Operand),
            Quantity::Toggle(Net::Leaves),
            Quantity::Toggle(Net::Tree),
            Quantity::Toggle(Net::Accumulators),
            Quantity::Handover(Group::Engine),
        ],
        &[Quantity::HandoverToEmpty(Group::Engine), Quantity::HandoverToFull(Group::Engine)],
    ),
    (
        &[Part::Scaler],
        &[
            Quantity::Toggle(Net::Accumulators),
            Quantity::Toggle(Net::ScalerScale),
            Quantity::Toggle(Net::ScalerPartialProducts),
            Quantity::Toggle(Net::ScalerProduct),
            Quantity::Toggle(Net::ScalerY),
            Quantity::Handover(Group::Scaler),
        ],
        &[
            Quantity::HandoverToEmpty(Group::Scaler),
            Quantity::HandoverToFull(Group::Scaler),
            Quantity::SelectOperand,
            Quantity::SelectY,
        ],
    ),
];

impl Quantity {
    /// All of them, in the order of a table's rows.
    pub fn all() -> impl Iterator<Item = Self> {
        let toggles = Net::ALL.into_iter().map(Self::Toggle);
        let groups = || [Group::Bus, Group::Engine, Group::Scaler].into_iter();
        toggles
            .chain(groups().map(Self::Handover))
            .chain(groups().map(Self::HandoverToEmpty))
            .chain(groups().map(Self::HandoverToFull))
            .chain([Self::SelectOperand, Self::SelectY])
    }

    /// Whether one engine alone never does it.
    pub(super) const fn is_of_arrays(self) -> bool {
        matches!(
            self,
            Self::HandoverToEmpty(_)
                | Self::HandoverToFull(_)
                | Self::SelectOperand
                | Self::SelectY
        )
    }

    /// The row of an energy table.
    pub fn row(self) -> String {
        match self {
            Self::Toggle(net) => format!("toggle.{}", net.name()),
            Self::Handover(group) => format!("handover.{}", group.name()),
            Self::HandoverToEmpty(group) => format!("handover_to_empty.{}", group.name()),
            Self::HandoverToFull(group) => format!("handover_to_full.{}", group.name()),
            Self::SelectOperand => "select.operand".to_owned(),
            Self::SelectY => "select.y".to_owned(),
        }
    }

    /// How much of it there is in a window.
    pub fn amount(self, window: &Stimulus, arch: &Architecture) -> f64 {
        let counts = &window.counts;
        let (to_empty, to_full) = counts.handovers();
        let one_row = arch.rows == 1;
        let flip_flops = |group: Group| group.count(arch.flip_flops());
        let amount = match self {
            _ if self.is_of_arrays() && one_row => 0,
            Self::Handover(_) if !one_row => 0,
            Self::Toggle(net) => toggled(net, window, arch),
            Self::Handover(group) => (to_empty + to_full) * flip_flops(group),
            Self::HandoverToEmpty(group) => to_empty * flip_flops(group),
            Self::HandoverToFull(group) => to_full * flip_flops(group),
            Self::SelectOperand => toggled(Net::ScalerOperand, window, arch),
            Self::SelectY => toggled(Net::ScalerY, window, arch),
        };
        amount as f64
    }
}

fn toggled(net: Net, window: &Stimulus, arch: &Architecture) -> u64 {
    let toggles = window.toggles.of_all_tiles();
    match net {
        Net::ActivationBus => toggles.activation_bus,
        Net::WeightBus => toggles.weight_bus,
        Net::ActivationFanOut => toggles.activation_bus * arch.columns as u64,
        Net::WeightFanOut => toggles.weight_bus * arch.rows as u64,
        Net::Operand => toggles.operand,
        Net::Leaves => toggles.leaves,
        Net::Tree => toggles.tree.iter().sum(),
        Net::Accumulators => toggles.accumulators,
        Net::ScalerOperand => toggles.scaler_operand,
        Net::ScalerScale => toggles.scaler_scale,
        Net::ScalerPartialProducts => toggles.scaler_partial_products,
        Net::ScalerProduct => toggles.scaler_product,
        Net::ScalerY => toggles.scaler_y,
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

    /// What prices leave of each window, and what there was of some other quantities.
    fn rest(
        &self,
        parts: &[Part],
        quantities: &[Quantity],
        prices: &[f64],
        others: &[Quantity],
    ) -> Vec<Observation> {
        let priced = self.observations(parts, quantities);
        let rest = |(mut other, seen): (Observation, Observation)| {
            other.cost = -error(prices, &seen) * seen.total;
            other
        };
        self.observations(parts, others).into_iter().zip(priced).map(rest).collect()
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
    /// Of each quantity, in the order of [`Quantity::all`].
    pub prices_fj: Vec<(Quantity, f64)>,
    /// Of each window, those of the engine first: the relative error of the prices that were fitted to it and all others.
    pub errors: Vec<f64>,
    /// Of each window: that of prices that were fitted to all others.
    pub cross_validated: Vec<f64>,
}

impl Fitted {
    /// Fits prices to windows of one engine, and those of what only arrays do to what they leave of the windows of an array.
    pub fn new(one: &Seen<'_>, array: &Seen<'_>) -> Self {
        let mut fitted = Self {
            prices_fj: Quantity::all().map(|quantity| (quantity, 0.0)).collect(),
            errors: vec![0.0; one.windows.len() + array.windows.len()],
            cross_validated: vec![0.0; one.windows.len() + array.windows.len()],
        };
        for (parts, quantities, of_arrays) in GROUPS {
            let of_one = one.observations(parts, quantities);
            let prices = fit(&of_one);
            let rest = array.rest(parts, quantities, &prices, of_arrays);
            let rest_prices = fit(&rest);
            let priced = quantities.iter().zip(&prices).chain(of_arrays.iter().zip(&rest_prices));
            priced.for_each(|(quantity, price)| *fitted.price_mut(*quantity) += price);
            let errors = of_one.iter().map(|seen| error(&prices, seen));
            let errors = errors.chain(rest.iter().map(|seen| error(&rest_prices, seen)));
            fitted.errors.iter_mut().zip(errors).for_each(|(sum, error)| *sum += error);
            let errors = cross_validated(&of_one).into_iter().chain(cross_validated(&rest));
            fitted.cross_validated.iter_mut().zip(errors).for_each(|(sum, error)| *sum += error);
        }
        fitted
    }

    /// fJ of a quantity.
    pub fn price(&self, quantity: Quantity) -> f64 {
        let row = self.prices_fj.iter().find(|row| row.0 == quantity);
        row.expect("every quantity has a price").1
    }

    fn price_mut(&mut self, quantity: Quantity) -> &mut f64 {
        let row = self.prices_fj.iter_mut().find(|row| row.0 == quantity);
        &mut row.expect("every quantity has a price").1
    }
}
