//! What gates measured beside what the simulator foretold, layer by layer.

use tridot_sim::calibrate::fit::Errors;

use super::axis::Axis;
use super::bars::{
    BAR, LEGEND_ROW, MAX_NAME_WIDTH, ROW, draw_box, draw_legend, draw_ticks, legend,
};
use super::canvas::{Anchor, Canvas, text_width};
use super::legend::shortened;
use super::style::{FILLS, Inside, SERIES, THIN};
use super::{Figure, SMALL, TEXT, WIDTH, csv_of};
use crate::number::energy_unit;

/// Width of the panel of errors, of what both panels share.
const ERRORS: f64 = 0.34;
/// Between the panels.
const GAP: f64 = 12.0;
/// The least that the axis of errors reaches, in percent.
const LEAST_ERROR: f64 = 10.0;

/// The energy of a window of a layer, twice.
#[derive(Debug, Clone, PartialEq)]
pub struct SideBySide {
    /// The layer's name.
    pub layer: String,
    /// Clock edges of the window.
    pub edges: u64,
    /// What gates measured, pJ.
    pub gates_pj: f64,
    /// What the simulator foretold, pJ.
    pub simulator_pj: f64,
}

impl SideBySide {
    fn error_percent(&self) -> f64 {
        100.0 * (self.simulator_pj / self.gates_pj - 1.0)
    }

    /// Both energies per cycle.
    fn per_cycle(&self) -> [f64; 2] {
        [self.gates_pj, self.simulator_pj].map(|energy| energy / self.edges as f64)
    }
}

/// A figure of bars, those of gates above those of the simulator, with the errors beside them; none without rows.
pub fn gates(title: &str, rows: &[SideBySide]) -> Option<Figure> {
    let errors: Vec<f64> = rows.iter().map(SideBySide::error_percent).collect();
    let Errors { mean, worst } = Errors::of(&errors);
    (!rows.is_empty()).then(|| Figure {
        name: "energy".to_owned(),
        caption: format!(
            "Energy per cycle by gate-level simulation and by the simulator: {title}. Mean error {mean:.2} %, worst \
             {worst:.2} %."
        ),
        svg: svg(rows),
        csv: csv(rows),
        commands: Vec::new(),
    })
}

fn csv(rows: &[SideBySide]) -> String {
    let heads = ["layer", "edges", "gates_pj", "simulator_pj", "error_percent"].map(str::to_owned);
    let row = |row: &SideBySide| {
        let SideBySide { layer, edges, gates_pj, simulator_pj } = row;
        let error = format!("{:.2}", row.error_percent());
        vec![
            layer.clone(),
            edges.to_string(),
            gates_pj.to_string(),
            simulator_pj.to_string(),
            error,
        ]
    };
    csv_of(&heads, rows.iter().map(row))
}

/// Where a panel lies from left to right, and what it measures.
struct Panel {
    left: f64,
    right: f64,
    axis: Axis,
    label: String,
}

impl Panel {
    fn x_of(&self, value: f64) -> f64 {
        self.left + (self.right - self.left) * self.axis.place(value)
    }

    fn draw(&self, canvas: &mut Canvas<'_>, top: f64, bottom: f64) {
        draw_ticks(canvas, &self.axis, (top, bottom), |value| self.x_of(value));
        let middle = f64::midpoint(self.left, self.right);
        canvas.text(&self.label, (middle, bottom + 18.0), TEXT, Anchor::Middle);
    }
}

fn svg(rows: &[SideBySide]) -> String {
    let names: Vec<_> = rows.iter().map(|row| shortened(&row.layer, MAX_NAME_WIDTH)).collect();
    let left = 6.0 + names.iter().map(|name| text_width(name, SMALL)).fold(20.0, f64::max);
    let right = WIDTH - 8.0;
    let between = right - (right - left) * ERRORS;
    let largest: Vec<f64> = rows.iter().flat_map(SideBySide::per_cycle).collect();
    let (unit, divisor) = energy_unit(&largest);
    let energy = Panel {
        left,
        right: between - GAP,
        axis: Axis::from_zero(largest.into_iter().fold(0.0, f64::max) / divisor),
        label: format!("energy per cycle ({unit})"),
    };
    let worst = rows.iter().map(|row| row.error_percent().abs()).fold(LEAST_ERROR, f64::max);
    let error = Panel {
        left: between,
        right,
        axis: Axis::of_values(&[-worst, worst]),
        label: "error (%)".to_owned(),
    };
    let parts = ["gates", "simulator"].map(str::to_owned);
    let legend = legend(&parts);
    let top = 3.0 + LEGEND_ROW;
    let bottom = top + 2.0 + ROW * rows.len() as f64;
    super::canvas::drawing(WIDTH, bottom + 25.0, |canvas| {
        draw_legend(canvas, &legend, &parts);
        energy.draw(canvas, top, bottom);
        error.draw(canvas, top, bottom);
        let zero = error.x_of(0.0);
        canvas.line(&[(zero, top), (zero, bottom)], THIN);
        for (i, (row, name)) in rows.iter().zip(&names).enumerate() {
            let y = top + 1.0 + ROW * (i as f64 + 0.5);
            canvas.text(name, (left - 3.0, y), SMALL, Anchor::End);
            let [gates, simulator] = row.per_cycle().map(|value| energy.x_of(value / divisor));
            let half = BAR / 2.0;
            draw_box(canvas, (left, y - half), (gates, y), FILLS[0]);
            draw_box(canvas, (left, y), (simulator, y + half), FILLS[1]);
            SERIES[0].mark(canvas, (error.x_of(row.error_percent()), y), Inside::Full);
        }
        for panel in [&energy, &error] {
            canvas.line(&[(panel.left, bottom), (panel.right, bottom)], THIN);
        }
        canvas.line(&[(left, top), (left, bottom)], THIN);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<SideBySide> {
        let row = |layer: &str, gates_pj, simulator_pj| SideBySide {
            layer: layer.to_owned(),
            edges: 10,
            gates_pj,
            simulator_pj,
        };
        vec![row("conv1", 1000.0, 1020.0), row("fc", 400.0, 384.0)]
    }

    #[test]
    fn a_figure_says_how_far_off_the_simulator_is() {
        let figure = gates("a network", &rows()).unwrap();
        assert_eq!(
            figure.csv,
            "layer,edges,gates_pj,simulator_pj,error_percent\nconv1,10,1000,1020,2.00\nfc,10,400,384,-4.00\n"
        );
        assert!(figure.caption.ends_with("a network. Mean error 3.00 %, worst 4.00 %."));
        for text in ["conv1", "fc", "gates", "simulator", "energy per cycle (pJ)", "error (%)"] {
            assert!(figure.svg.contains(text), "no {text}");
        }
        assert!(!figure.svg.contains("NaN"));
        assert!(gates("nothing", &[]).is_none());
    }
}
