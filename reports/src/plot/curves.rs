//! How a training went: what changed from epoch to epoch.

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, Point as Place, Stroke, drawing};
use super::legend::{self, Entry};
use super::style::{GUIDE, Inside, SERIES, Series, THIN};
use super::{Figure, TEXT, WIDTH, csv_of};
use crate::training::{Epoch, Layer};

/// Height of the plotted area.
const PLOT_HEIGHT: f64 = 100.0;
/// Left and right edge of the plotted area.
const LEFT: f64 = 34.0;
const RIGHT: f64 = WIDTH - 6.0;
/// Epochs of which each gets a mark.
const MAX_MARKED: usize = 12;

/// Loss, accuracies, temperature, and of the layers' ternary branches the scales and the zeros: a figure for each that
/// the epochs know. The same title stands in every caption.
pub fn training(title: &str, epochs: &[Epoch]) -> Vec<Figure> {
    let of = |value: fn(&Epoch) -> Option<f64>| epochs.iter().map(value).collect::<Vec<_>>();
    let mut charts = vec![
        Chart {
            name: "loss",
            words: "Mean loss over the batches of each epoch, with soft weights where they are quantized.",
            label: "loss",
            column: "loss",
            curves: vec![Curve::plain(0, "loss", of(|epoch| Some(epoch.loss)))],
        },
        Chart {
            name: "accuracy",
            words: "Accuracy over the batches of each epoch, as they were trained (augmented, with soft weights where they \
                    are quantized), and of held-back training pictures after it, with hard weights.",
            label: "accuracy (%)",
            column: "accuracy_percent",
            curves: vec![
                Curve::plain(0, "training", of(|epoch| Some(epoch.training_accuracy_percent))),
                Curve::plain(1, "held_back", of(|epoch| epoch.held_back_accuracy_percent)),
            ],
        },
        Chart {
            name: "learning-rate",
            words: "Learning rate in the last step of each epoch.",
            label: "learning rate",
            column: "learning_rate",
            curves: vec![Curve::plain(0, "learning_rate", of(|epoch| Some(epoch.learning_rate)))],
        },
        Chart {
            name: "temperature",
            words: "Temperature of the soft quantizer in the last step of each epoch.",
            label: "temperature",
            column: "temperature",
            curves: vec![Curve::plain(0, "temperature", of(|epoch| epoch.temperature))],
        },
        Chart {
            name: "scales",
            words: "Branch scales over the root mean square of the layer's weights at the start of quantized training: \
                    median over the layers (thick), least and most (thin).",
            label: "relative branch scale α/s",
            column: "relative_scale",
            curves: of_layers(epochs, |layer| &layer.relative_scales),
        },
        Chart {
            name: "zeros",
            words: "Zero trits of each branch: median over the layers (thick), least and most (thin).",
            label: "zero trits (%)",
            column: "zero_trits_percent",
            curves: of_layers(epochs, |layer| &layer.zero_trits_percent),
        },
    ];
    for chart in &mut charts {
        chart.curves.retain(|curve| curve.values.iter().any(Option::is_some));
    }
    charts.retain(|chart| !chart.curves.is_empty());
    charts.iter().map(|chart| chart.figure(title, epochs)).collect()
}

/// Median, least and most over the layers of each branch.
fn of_layers(epochs: &[Epoch], values: fn(&Layer) -> &Vec<f64>) -> Vec<Curve> {
    let counts = epochs.iter().flat_map(|epoch| &epoch.layers).map(|layer| values(layer).len());
    let mut curves = Vec::new();
    for branch in 0..counts.max().unwrap_or(0) {
        let sorted = |epoch: &Epoch| -> Vec<f64> {
            let of_branch = epoch.layers.iter().filter_map(|layer| values(layer).get(branch));
            let mut sorted: Vec<f64> = of_branch.copied().collect();
            sorted.sort_by(f64::total_cmp);
            sorted
        };
        let sorted: Vec<Vec<f64>> = epochs.iter().map(sorted).collect();
        let of = |value: fn(&[f64]) -> Option<f64>| sorted.iter().map(|all| value(all)).collect();
        let name = format!("branch_{}", branch + 1);
        let look = branch % SERIES.len();
        let curve = |what: &str, weight, values| Curve {
            look,
            weight,
            name: format!("{name}_{what}"),
            values,
        };
        curves.push(curve("least", Weight::Thin, of(|all| all.first().copied())));
        curves.push(curve("most", Weight::Thin, of(|all| all.last().copied())));
        curves.push(curve("median", Weight::Thick, of(median)));
    }
    curves
}

fn median(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some(f64::midpoint(lower, upper))
}

/// How strongly a curve is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    Thin,
    Plain,
    Thick,
}

/// A value for each epoch that has one.
struct Curve {
    /// Index in [`SERIES`].
    look: usize,
    weight: Weight,
    /// As a column's head; in the legend with spaces.
    name: String,
    values: Vec<Option<f64>>,
}

impl Curve {
    fn plain(look: usize, name: &str, values: Vec<Option<f64>>) -> Self {
        Self { look, weight: Weight::Plain, name: name.to_owned(), values }
    }

    const fn series(&self) -> Series {
        SERIES[self.look]
    }

    const fn stroke(&self) -> Stroke {
        let stroke = self.series().stroke();
        match self.weight {
            Weight::Thin => Stroke { width: 0.35, ..stroke },
            Weight::Plain => stroke,
            Weight::Thick => Stroke { width: 1.1, ..stroke },
        }
    }
}

struct Chart {
    /// For the name of a file.
    name: &'static str,
    words: &'static str,
    /// Of the upright axis, for all curves.
    label: &'static str,
    column: &'static str,
    curves: Vec<Curve>,
}

impl Chart {
    fn figure(&self, title: &str, epochs: &[Epoch]) -> Figure {
        Figure {
            name: self.name.to_owned(),
            caption: format!("{title}. {}", self.words),
            svg: self.svg(epochs),
            csv: self.csv(epochs),
            commands: Vec::new(),
        }
    }

    fn csv(&self, epochs: &[Epoch]) -> String {
        let mut heads = vec!["stage".to_owned(), "epoch".to_owned()];
        heads.extend(self.curves.iter().map(|curve| {
            if curve.name == self.column {
                self.column.to_owned()
            } else {
                format!("{}_{}", curve.name, self.column)
            }
        }));
        let row = |(i, epoch): (usize, &Epoch)| {
            let mut row = vec![epoch.stage.to_string(), epoch.epoch.to_string()];
            let cell = |curve: &Curve| curve.values[i].map_or_else(String::new, |v| v.to_string());
            row.extend(self.curves.iter().map(cell));
            row
        };
        csv_of(&heads, epochs.iter().enumerate().map(row))
    }

    fn svg(&self, epochs: &[Epoch]) -> String {
        let legend = self.legend();
        let values: Vec<f64> =
            self.curves.iter().flat_map(|curve| curve.values.iter().flatten().copied()).collect();
        let y = if self.column == "temperature" {
            Axis::of_costs(&values)
        } else {
            Axis::of_values(&values)
        };
        let (x, top) = (Axis::of_counts(epochs.len()), 4.0 + legend::height(&legend));
        let frame = Frame { x, y, top };
        drawing(WIDTH, top + PLOT_HEIGHT + 25.0, |canvas| {
            frame.draw(canvas, &self.upright(), epochs);
            for entry in &legend {
                entry.draw(canvas);
            }
            for curve in &self.curves {
                draw(canvas, &frame, curve);
            }
        })
    }

    /// Of the upright axis: a single curve is named there.
    fn upright(&self) -> String {
        match &self.curves[..] {
            [only] if only.name != self.column => format!("{} {}", only.name, self.label),
            _ => self.label.to_owned(),
        }
    }

    /// None for a single curve, which the axis names.
    fn legend(&self) -> Vec<Entry> {
        let named = self.curves.iter().filter(|curve| curve.weight != Weight::Thin);
        let entries = named.map(|curve| {
            let mark = (curve.values.len() <= MAX_MARKED).then(|| curve.series());
            (curve.stroke(), mark, curve.name.trim_end_matches("_median").replace('_', " "))
        });
        let entries: Vec<_> = entries.collect();
        if entries.len() < 2 { Vec::new() } else { legend::placed(entries, LEFT) }
    }
}

/// Where values lie on the drawing.
struct Frame {
    x: Axis,
    y: Axis,
    top: f64,
}

impl Frame {
    fn x_of(&self, epoch: f64) -> f64 {
        LEFT + (RIGHT - LEFT) * self.x.place(epoch)
    }

    fn y_of(&self, value: f64) -> f64 {
        self.top + PLOT_HEIGHT * (1.0 - self.y.place(value))
    }

    fn draw(&self, canvas: &mut Canvas<'_>, label: &str, epochs: &[Epoch]) {
        let (top, bottom) = (self.top, self.top + PLOT_HEIGHT);
        // Between two stages.
        for (i, pair) in epochs.windows(2).enumerate() {
            if pair[0].stage != pair[1].stage {
                let x = self.x_of(i as f64 + 1.5);
                canvas.line(&[(x, top), (x, bottom)], Stroke { dashes: &[2.0, 2.0], ..GUIDE });
            }
        }
        for (value, text) in &self.y.ticks {
            let y = self.y_of(*value);
            canvas.line(&[(LEFT, y), (LEFT + 2.5, y)], THIN);
            canvas.text(text, (LEFT - 2.5, y), TEXT, Anchor::End);
        }
        for &value in &self.y.minor {
            canvas.line(&[(LEFT, self.y_of(value)), (LEFT + 1.5, self.y_of(value))], THIN);
        }
        for (value, text) in &self.x.ticks {
            let x = self.x_of(*value);
            canvas.line(&[(x, bottom), (x, bottom - 2.5)], THIN);
            canvas.text(text, (x, bottom + 6.5), TEXT, Anchor::Middle);
        }
        let corners = [(LEFT, top), (LEFT, bottom), (RIGHT, bottom), (RIGHT, top), (LEFT, top)];
        canvas.line(&corners, THIN);
        let middle = f64::midpoint(LEFT, RIGHT);
        canvas.text("epoch", (middle, bottom + 17.0), TEXT, Anchor::Middle);
        canvas.text(label, (6.0, f64::midpoint(top, bottom)), TEXT, Anchor::Upwards);
    }
}

/// A line through each run of epochs that have a value.
fn draw(canvas: &mut Canvas<'_>, frame: &Frame, curve: &Curve) {
    let place = |i: usize, value: f64| (frame.x_of(i as f64 + 1.0), frame.y_of(value));
    let mut i = 0;
    for run in curve.values.split(Option::is_none) {
        let places: Vec<Place> =
            run.iter().flatten().enumerate().map(|(j, &value)| place(i + j, value)).collect();
        canvas.line(&places, curve.stroke());
        if curve.values.len() <= MAX_MARKED && curve.weight != Weight::Thin {
            for &at in &places {
                curve.series().mark(canvas, at, Inside::Full);
            }
        }
        i += run.len() + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(stage: usize, epoch: usize, zeros: &[[f64; 2]]) -> Epoch {
        let layer = |zeros: &[f64; 2]| Layer {
            name: "a".to_owned(),
            relative_scales: vec![1.0, 0.5],
            zero_trits_percent: zeros.to_vec(),
        };
        Epoch {
            stage,
            epoch,
            loss: 1.0 / epoch as f64,
            training_accuracy_percent: 50.0 + epoch as f64,
            held_back_accuracy_percent: None,
            learning_rate: 0.1,
            temperature: (stage == 2).then_some(10.0 * epoch as f64),
            layers: zeros.iter().map(layer).collect(),
        }
    }

    #[test]
    fn figures_hold_what_the_epochs_know() {
        let names = |epochs: &[Epoch]| -> Vec<String> {
            training("small", epochs).into_iter().map(|figure| figure.name).collect()
        };
        let float = [epoch(1, 1, &[])];
        assert_eq!(names(&float), ["loss", "accuracy", "learning-rate"]);
        let zeros = [[10.0, 90.0], [20.0, 70.0], [60.0, 80.0]];
        let all = [epoch(1, 1, &[]), epoch(2, 1, &zeros), epoch(2, 2, &zeros[..2])];
        let figures = training("small", &all);
        assert_eq!(figures.len(), 6);
        let zeros = figures.iter().find(|figure| figure.name == "zeros").unwrap();
        let lines: Vec<&str> = zeros.csv.lines().collect();
        assert_eq!(
            lines[0],
            "stage,epoch,branch_1_least_zero_trits_percent,branch_1_most_zero_trits_percent,\
             branch_1_median_zero_trits_percent,branch_2_least_zero_trits_percent,\
             branch_2_most_zero_trits_percent,branch_2_median_zero_trits_percent"
        );
        assert_eq!(lines[1], "1,1,,,,,,");
        assert_eq!(lines[2], "2,1,10,60,20,70,90,80");
        assert_eq!(lines[3], "2,2,10,20,15,70,90,80");
        assert!(zeros.caption.starts_with("small. Zero trits"));
        let loss = &figures[0];
        assert_eq!(loss.csv, "stage,epoch,loss\n1,1,1\n2,1,1\n2,2,0.5\n");
        assert!(loss.svg.contains("\nloss\n"), "{}", loss.svg);
        let accuracy = &figures[1];
        assert!(accuracy.csv.starts_with("stage,epoch,training_accuracy_percent\n1,1,51\n"));
        assert!(accuracy.svg.contains("\ntraining accuracy (%)\n"), "{}", accuracy.svg);
        assert!(loss.svg.contains("epoch") && figures.iter().all(|f| !f.svg.contains("NaN")));
    }

    #[test]
    fn no_epoch_is_no_figure() {
        assert!(training("nothing", &[]).is_empty());
    }
}
