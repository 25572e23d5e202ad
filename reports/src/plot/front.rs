//! Accuracy against a cost, with the front of all points.

use std::collections::{BTreeMap, BTreeSet};

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, Point as Place, Stroke, drawing, text_width};
use super::cost::Cost;
use super::legend::{self, Entry, shortened};
use super::study::{Group, Point, Study, front_of, of_all_networks, studies, word};
use super::style::{FRONT, GUIDE, Inside, OTHER, SERIES, Series, THIN};
use super::{Figure, FileNames, SMALL, TEXT, WIDTH, commands, csv_of, warnings};
use crate::distinct::{Names, Workload};
use crate::record::Record;
use tridot_sim::digest::Digest;

/// Height of the plotted area.
const PLOT_HEIGHT: f64 = 118.0;
/// Left edge of the plotted area.
const LEFT: f64 = 34.0;
/// Least distance between the names at the right.
const NAME_DISTANCE: f64 = 7.2;

/// Integer accuracy against each cost that the Records know: a figure for each cost of each network and data set,
/// and for each energy table where that decides the cost; the same for all networks of a data set together.
pub fn fronts(records: &[Record]) -> Vec<Figure> {
    let mut file_names = FileNames::default();
    let mut figures = Vec::new();
    let names = Names::of(records);
    let mut studies = studies(records, &names);
    studies.extend(of_all_networks(&studies));
    for study in studies {
        let looks = Looks::of(&study);
        for cost in Cost::ALL {
            let groups = study.comparable(cost);
            for group in &groups {
                let points = study.points(&group.records, cost);
                if points.is_empty() {
                    continue;
                }
                let table = group.table.map_or(String::new(), |table| names.table(table));
                let (network, data) = (study.network.unwrap_or("all"), study.data.unwrap_or(""));
                let besides = besides(group, &groups);
                let name = file_names.take(&[network, data, cost.name(), &table, &besides]);
                let front = front_of(&points);
                let chart =
                    Chart { study: &study, looks: &looks, cost, points: &points, front: &front };
                figures.push(Figure {
                    name,
                    caption: chart.caption(group),
                    svg: chart.svg(),
                    csv: chart.csv(),
                    commands: commands(points.iter().map(|point| point.record)),
                });
            }
        }
    }
    figures
}

/// What else the name of a figure needs where there are others of the same table.
fn besides(group: &Group<'_>, groups: &[Group<'_>]) -> String {
    if groups.iter().filter(|other| other.table == group.table).count() < 2 {
        return String::new();
    }
    let batch = || group.images.map_or(String::new(), |images| format!("batch-{images}"));
    group.workload.as_ref().map_or_else(batch, Workload::name)
}

/// How the architectures of a study look, the same in all its figures.
struct Looks<'a>(BTreeMap<&'a str, Series>);

impl<'a> Looks<'a> {
    /// Where there are more architectures than looks, those with most points on a front get one.
    fn of(study: &Study<'a>) -> Self {
        let mut on_front: BTreeMap<&str, usize> = BTreeMap::new();
        for record in &study.records {
            on_front.insert(study.machine(record), 0);
        }
        for record in study.on_fronts() {
            *on_front.entry(study.machine(record)).or_default() += 1;
        }
        let mut ranked: Vec<_> = on_front.into_iter().collect();
        ranked.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let chosen: BTreeSet<_> = ranked.iter().take(SERIES.len()).map(|&(name, _)| name).collect();
        Self(chosen.into_iter().zip(SERIES).collect())
    }

    fn look(&self, machine: &str) -> Series {
        self.0.get(machine).copied().unwrap_or(OTHER)
    }
}

struct Chart<'a, 'b> {
    study: &'b Study<'a>,
    looks: &'b Looks<'a>,
    cost: Cost,
    points: &'b [Point<'a>],
    front: &'b [usize],
}

/// Where values lie on the drawing.
struct Frame {
    x: Axis,
    y: Axis,
    /// What a cost is divided by on the axis.
    divisor: f64,
    top: f64,
    right: f64,
}

impl Frame {
    fn place(&self, point: &Point<'_>) -> Place {
        let x = LEFT + (self.right - LEFT) * self.x.place(point.cost / self.divisor);
        (x, self.height(point.accuracy))
    }

    fn height(&self, accuracy: f64) -> f64 {
        self.top + PLOT_HEIGHT * (1.0 - self.y.place(accuracy))
    }

    fn bottom(&self) -> f64 {
        self.top + PLOT_HEIGHT
    }
}

impl<'a> Chart<'a, '_> {
    fn caption(&self, group: &Group<'_>) -> String {
        let of = self.study.data.map_or(String::new(), |data| format!(" on {data}"));
        let machines = if self.cost.is_of_network() { "" } else { " A line is an architecture." };
        let mut caption = format!(
            "Integer accuracy of {}{of} against {}. Full marks are on the Pareto front.{machines}",
            self.study.network.unwrap_or("all networks"),
            self.cost.words()
        );
        if let Some(table) = group.table {
            caption = format!("{caption} Energy table: {}.", self.study.names.table(table));
        }
        if let Some(workload) = &group.workload {
            caption = format!("{caption} Input: {}.", workload.words());
        }
        if let Some(images) = group.images.filter(|&images| images != 1) {
            caption = format!("{caption} Batches of {images} pictures.");
        }
        if self.cost.is_priced() {
            caption += &warnings(self.points.iter().map(|point| point.record));
        }
        caption
    }

    fn csv(&self) -> String {
        let heads = [
            "network",
            "data",
            "scheme",
            "granularity",
            "activation_bits",
            "seed",
            "architecture",
            "on_front",
            "integer_accuracy_samples",
            "integer_accuracy_percent",
            self.cost.column(),
        ]
        .map(str::to_owned);
        let row = |(idx, point): (usize, &Point<'a>)| {
            let network = &point.record.inputs.network;
            let granularity = network.granularity.map_or("", word);
            let is_of_network = self.cost.is_of_network();
            let architecture = self.study.machine(point.record);
            vec![
                network.name.clone(),
                network.data.clone().unwrap_or_default(),
                network.scheme.clone(),
                granularity.to_owned(),
                network.activation_bits.clone(),
                network.seed.to_string(),
                if is_of_network { String::new() } else { architecture.to_owned() },
                if self.front.contains(&idx) { "yes" } else { "no" }.to_owned(),
                network.integer_accuracy.map_or_else(String::new, |a| a.samples.to_string()),
                point.accuracy.to_string(),
                point.cost.to_string(),
            ]
        };
        csv_of(&heads, self.points.iter().enumerate().map(row))
    }

    /// The architectures that have points, with their looks; one without a name where the machine does not matter.
    fn series(&self) -> Vec<(&'a str, Series, Vec<Point<'a>>)> {
        if self.cost.is_of_network() {
            return vec![("", SERIES[0], self.points.to_vec())];
        }
        let mut series: BTreeMap<&str, Vec<Point<'a>>> = BTreeMap::new();
        for point in self.points {
            series.entry(self.study.machine(point.record)).or_default().push(*point);
        }
        let with_look =
            |(name, points): (&'a str, Vec<Point<'a>>)| (name, self.looks.look(name), points);
        series.into_iter().map(with_look).collect()
    }

    fn svg(&self) -> String {
        let costs: Vec<_> = self.points.iter().map(|point| point.cost).collect();
        let accuracies: Vec<_> = self.points.iter().map(|point| point.accuracy).collect();
        let (label, divisor) = self.cost.label(&costs);
        let scaled: Vec<_> = costs.iter().map(|cost| cost / divisor).collect();
        let names = self.names();
        let names_width =
            names.values().map(|(name, _)| text_width(name, SMALL)).fold(0.0, f64::max);
        let legend = self.legend();
        let frame = Frame {
            x: Axis::of_costs(&scaled),
            y: Axis::of_values(&accuracies),
            divisor,
            top: 3.0 + legend::height(&legend),
            right: WIDTH - 12.0 - names_width,
        };
        drawing(WIDTH, frame.bottom() + 25.0, |canvas| {
            draw_axes(canvas, &frame, &label);
            for entry in &legend {
                entry.draw(canvas);
            }
            draw_names(canvas, &frame, &names);
            self.draw_data(canvas, &frame);
        })
    }

    /// The names of the networks in the figure with their accuracy; only those on the front where not all fit, and
    /// none where not even these do.
    fn names(&self) -> BTreeMap<Digest, (String, f64)> {
        let labels = self.study.labels();
        let of = |points: &mut dyn Iterator<Item = &Point<'a>>| -> BTreeMap<Digest, (String, f64)> {
            points
                .map(|point| {
                    let digest = point.record.inputs.network.digest;
                    (digest, (shortened(&labels[&digest], 75.0), point.accuracy))
                })
                .collect()
        };
        let fit = |names: &BTreeMap<_, _>| names.len() as f64 * NAME_DISTANCE <= PLOT_HEIGHT;
        let all = of(&mut self.points.iter());
        if fit(&all) {
            return all;
        }
        let on_front = of(&mut self.front.iter().map(|&idx| &self.points[idx]));
        if fit(&on_front) { on_front } else { BTreeMap::new() }
    }

    fn draw_data(&self, canvas: &mut Canvas<'_>, frame: &Frame) {
        let steps: Vec<Place> =
            self.front.iter().map(|&idx| frame.place(&self.points[idx])).collect();
        canvas.line(&staircase(&steps), FRONT);
        let series = self.series();
        for (name, look, points) in &series {
            let is_own = !name.is_empty() && self.looks.0.contains_key(name);
            if is_own {
                let own: Vec<_> =
                    front_of(points).into_iter().map(|idx| frame.place(&points[idx])).collect();
                canvas.line(&own, look.stroke());
            }
        }
        // Empty marks first, so that they hide no full one.
        for inside in [Inside::Empty, Inside::Full] {
            for (idx, point) in self.points.iter().enumerate() {
                let is_on_front = self.front.contains(&idx);
                if is_on_front == (inside == Inside::Full) {
                    let of_network = self.cost.is_of_network();
                    let machine = self.study.machine(point.record);
                    let look = if of_network { SERIES[0] } else { self.looks.look(machine) };
                    look.mark(canvas, frame.place(point), inside);
                }
            }
        }
    }

    /// The entries of the legend, row by row within the figure's width.
    fn legend(&self) -> Vec<Entry> {
        let mut entries = vec![(FRONT, None, "Pareto front".to_owned())];
        let mut n_others = 0;
        for (name, look, _) in self.series() {
            if self.looks.0.contains_key(name) {
                entries.push((look.stroke(), Some(look), shortened(name, 80.0)));
            } else if !name.is_empty() {
                n_others += 1;
            }
        }
        if 0 < n_others {
            entries.push((OTHER.stroke(), Some(OTHER), format!("{n_others} others")));
        }
        legend::placed(entries, LEFT)
    }
}

/// From point to point, first across, then up.
fn staircase(points: &[Place]) -> Vec<Place> {
    let mut steps: Vec<Place> = Vec::new();
    for &(x, y) in points {
        if let Some(&(_, before)) = steps.last() {
            steps.push((x, before));
        }
        steps.push((x, y));
    }
    steps
}

fn draw_axes(canvas: &mut Canvas<'_>, frame: &Frame, label: &str) {
    let (top, bottom, right) = (frame.top, frame.bottom(), frame.right);
    for (value, text) in &frame.y.ticks {
        let y = frame.height(*value);
        canvas.line(&[(LEFT, y), (LEFT + 2.5, y)], THIN);
        canvas.text(text, (LEFT - 2.5, y), TEXT, Anchor::End);
    }
    let x_of = |value: f64| LEFT + (right - LEFT) * frame.x.place(value);
    for &value in &frame.x.minor {
        canvas.line(&[(x_of(value), bottom), (x_of(value), bottom - 1.5)], THIN);
    }
    for (value, text) in &frame.x.ticks {
        canvas.line(&[(x_of(*value), bottom), (x_of(*value), bottom - 2.5)], THIN);
        canvas.text(text, (x_of(*value), bottom + 6.5), TEXT, Anchor::Middle);
    }
    let corners = [(LEFT, top), (LEFT, bottom), (right, bottom), (right, top), (LEFT, top)];
    canvas.line(&corners, THIN);
    canvas.text(label, (f64::midpoint(LEFT, right), bottom + 17.0), TEXT, Anchor::Middle);
    canvas.text("integer accuracy (%)", (6.0, f64::midpoint(top, bottom)), TEXT, Anchor::Upwards);
}

/// Each network's name at the right of its accuracy, moved where names would touch.
fn draw_names(canvas: &mut Canvas<'_>, frame: &Frame, names: &BTreeMap<Digest, (String, f64)>) {
    let mut rows: Vec<_> =
        names.values().map(|(name, accuracy)| (frame.height(*accuracy), name)).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(b.1)));
    let wanted: Vec<_> = rows.iter().map(|row| row.0).collect();
    let places = spread(&wanted, NAME_DISTANCE, frame.top + 2.0, frame.bottom() - 2.0);
    for ((y, name), at) in rows.into_iter().zip(places) {
        canvas.line(&[(LEFT, y), (frame.right, y)], GUIDE);
        canvas.line(&[(frame.right, y), (frame.right + 7.0, at)], Stroke { width: 0.3, ..THIN });
        canvas.text(name, (frame.right + 8.5, at), SMALL, Anchor::Begin);
    }
}

/// Places in the order of these, at least so far apart and near them, between low and high if they fit there.
pub(super) fn spread(wanted: &[f64], distance: f64, low: f64, high: f64) -> Vec<f64> {
    // Groups of places that touch: where the first one wants to be on average, and how many they are.
    let mut groups: Vec<(f64, usize)> = Vec::new();
    for &place in wanted {
        let mut group = (place.clamp(low, high), 1);
        while let Some(&(before, count)) = groups.last() {
            if before + distance * count as f64 <= group.0 {
                break;
            }
            groups.pop();
            let sum = before * count as f64 + (group.0 - distance * count as f64) * group.1 as f64;
            group = (sum / (count + group.1) as f64, count + group.1);
            let room = high - distance * (group.1 - 1) as f64;
            group.0 = group.0.min(room).max(low);
        }
        groups.push(group);
    }
    let in_group =
        |(first, count): (f64, usize)| (0..count).map(move |i| first + distance * i as f64);
    groups.into_iter().flat_map(in_group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_order_and_distance() {
        assert_eq!(spread(&[10.0, 50.0], 7.0, 0.0, 100.0), [10.0, 50.0]);
        assert_eq!(spread(&[10.0, 10.0], 6.0, 0.0, 100.0), [7.0, 13.0]);
        assert_eq!(spread(&[1.0, 1.0, 2.0], 6.0, 0.0, 100.0), [0.0, 6.0, 12.0]);
        assert_eq!(spread(&[99.0, 100.0], 6.0, 0.0, 100.0), [94.0, 100.0]);
        for n in 0..14_u32 {
            let wanted: Vec<_> = (0..n).map(|i| f64::from(i * i * 7 % 101)).collect();
            let mut sorted = wanted.clone();
            sorted.sort_by(f64::total_cmp);
            let places = spread(&sorted, 7.0, 0.0, 100.0);
            assert!(places.windows(2).all(|pair| 6.999 <= pair[1] - pair[0]), "{places:?}");
            assert!(places.iter().all(|place| (-0.001..=100.001).contains(place)), "{places:?}");
        }
    }

    #[test]
    fn a_staircase_goes_across_before_it_rises() {
        assert_eq!(staircase(&[(0.0, 9.0), (5.0, 3.0)]), [(0.0, 9.0), (5.0, 9.0), (5.0, 3.0)]);
        assert_eq!(staircase(&[]), []);
    }
}
