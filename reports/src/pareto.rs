//! Exact Pareto fronts in any number of objectives.

use std::cmp::Ordering;

/// Which values of an objective are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Goal {
    /// Small ones.
    Least,
    /// Large ones.
    Most,
}

/// The points that no other point dominates, as indices in ascending order.
///
/// A point dominates another if it is at least as good in every objective and better in one. So of equal points
/// none dominates the other: all of them are on the front, or none is. Infinities are values like others.
///
/// O(n log n) for up to two objectives, else O(n · front). Panics on NaN, and on a point that has not one value
/// for each goal.
///
/// ```
/// use tridot_reports::pareto::{Goal, front};
/// // (cycles, accuracy): the second is dominated by the first; the last two are equal.
/// let points = [[100.0, 90.0], [200.0, 90.0], [300.0, 92.0], [300.0, 92.0]];
/// assert_eq!(front(&points, &[Goal::Least, Goal::Most]), [0, 2, 3]);
/// ```
pub fn front<P: AsRef<[f64]>>(points: &[P], goals: &[Goal]) -> Vec<usize> {
    for (point_idx, point) in points.iter().enumerate() {
        let point = point.as_ref();
        assert_eq!(point.len(), goals.len(), "point {point_idx}: one value for each goal");
        assert!(!point.iter().any(|value| value.is_nan()), "point {point_idx}: NaN has no place");
    }
    let order = |a: usize, b: usize| compare(points[a].as_ref(), points[b].as_ref(), goals);
    let mut indices: Vec<usize> = (0..points.len()).collect();
    // Best first: only an earlier point can dominate a later one.
    indices.sort_by(|&a, &b| order(a, b));
    let mut front = match *goals {
        [_, second] => {
            staircase(&indices, |idx| points[idx].as_ref()[1], second, |a, b| order(a, b).is_eq())
        }
        _ => undominated(&indices, |idx| points[idx].as_ref(), goals),
    };
    front.sort_unstable();
    front
}

/// Whether the first value is better than the second, equal or worse: less, equal, greater.
fn better(a: f64, b: f64, goal: Goal) -> Ordering {
    let order = a.partial_cmp(&b).expect("no NaN");
    match goal {
        Goal::Least => order,
        Goal::Most => order.reverse(),
    }
}

/// Objective by objective, the better value first.
fn compare(a: &[f64], b: &[f64], goals: &[Goal]) -> Ordering {
    let orders = a.iter().zip(b).zip(goals).map(|((&a, &b), &goal)| better(a, b, goal));
    orders.fold(Ordering::Equal, Ordering::then)
}

/// Two objectives: along the first, best first, a point is on the front if its second value is better than all
/// before it, or if it equals the last point of the front.
fn staircase(
    indices: &[usize],
    second: impl Fn(usize) -> f64,
    goal: Goal,
    equal: impl Fn(usize, usize) -> bool,
) -> Vec<usize> {
    let mut front: Vec<usize> = Vec::new();
    for &idx in indices {
        let on_front = front.last().is_none_or(|&last| {
            better(second(idx), second(last), goal).is_lt() || equal(idx, last)
        });
        if on_front {
            front.push(idx);
        }
    }
    front
}

/// Any number of objectives: each point against the front of those before it.
fn undominated<'a>(
    indices: &[usize],
    point: impl Fn(usize) -> &'a [f64],
    goals: &[Goal],
) -> Vec<usize> {
    let dominates = |a: &[f64], b: &[f64]| {
        let orders = || a.iter().zip(b).zip(goals).map(|((&a, &b), &goal)| better(a, b, goal));
        orders().all(Ordering::is_le) && orders().any(Ordering::is_lt)
    };
    let mut front: Vec<usize> = Vec::new();
    for &idx in indices {
        if !front.iter().any(|&other| dominates(point(other), point(idx))) {
            front.push(idx);
        }
    }
    front
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, word by word.
    fn by_definition(points: &[Vec<f64>], goals: &[Goal]) -> Vec<usize> {
        let good = |value: f64, goal| if goal == Goal::Most { value } else { -value };
        let dominates = |a: &[f64], b: &[f64]| {
            let mut is_better = false;
            for (i, &goal) in goals.iter().enumerate() {
                if good(a[i], goal) < good(b[i], goal) {
                    return false;
                }
                is_better |= good(b[i], goal) < good(a[i], goal);
            }
            is_better
        };
        (0..points.len())
            .filter(|&i| !points.iter().any(|other| dominates(other, &points[i])))
            .collect()
    }

    /// Up to 60 points of up to five objectives on a coarse grid, so that ties and duplicates are common.
    fn cases() -> impl Strategy<Value = (Vec<Vec<f64>>, Vec<Goal>)> {
        (0_usize..6, 1_u32..12).prop_flat_map(|(objectives, grid)| {
            let value = prop_oneof![
                20 => (0..grid).prop_map(f64::from),
                1 => Just(f64::INFINITY),
                1 => Just(f64::NEG_INFINITY),
                1 => Just(-0.0),
            ];
            let points = prop::collection::vec(prop::collection::vec(value, objectives), 0..60);
            let goal = prop_oneof![Just(Goal::Least), Just(Goal::Most)];
            (points, prop::collection::vec(goal, objectives))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn a_front_is_what_its_definition_says((points, goals) in cases()) {
            prop_assert_eq!(front(&points, &goals), by_definition(&points, &goals));
        }
    }

    #[test]
    fn the_cases_have_ties_duplicates_and_dominated_points() {
        use proptest::strategy::ValueTree as _;
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let (mut two, mut more, mut duplicates, mut dominated) = (0, 0, 0, 0);
        for _ in 0..1_000 {
            let (points, goals) = cases().new_tree(&mut runner).unwrap().current();
            two += usize::from(goals.len() == 2);
            more += usize::from(2 < goals.len());
            let is_twice = |i: usize| points[..i].contains(&points[i]);
            duplicates += usize::from((0..points.len()).any(is_twice));
            dominated += usize::from(front(&points, &goals).len() < points.len());
        }
        let reach = [two, more, duplicates, dominated];
        assert!(reach.iter().all(|&cases| 100 <= cases), "{reach:?} of 1000");
    }

    #[test]
    #[should_panic(expected = "point 1: NaN has no place")]
    fn nan_is_refused() {
        front(&[[0.0], [f64::NAN]], &[Goal::Least]);
    }
}
