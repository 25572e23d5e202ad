//! Whether two implementations agree, on every value of every tensor.

use std::fmt;

use crate::network::{Network, TensorId};

/// The first value in which two runs of a picture differ: first by tensor, then by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// The tensor.
    pub tensor: TensorId,
    /// The value's index in it, NHWC order.
    pub index: usize,
    /// What the reference computed; none where it has no such value.
    pub expected: Option<i64>,
    /// What the other computed; none where it has no such value.
    pub got: Option<i64>,
}

impl Difference {
    /// The difference with its place in the network, to be displayed.
    pub fn place<'a>(&self, network: &'a Network) -> Place<'a> {
        let shape = network.tensor(self.tensor).shape;
        let pixel = self.index / shape.channels;
        Place {
            layer: self.tensor.layer().map_or("input", |i| &network.layers[i].name),
            channel: self.index % shape.channels,
            row: pixel / shape.width,
            column: pixel % shape.width,
            expected: self.expected,
            got: self.got,
        }
    }
}

/// Where a difference lies; shown as ``layer `conv1`, channel 3, row 0, column 7: expected 5, got 6``.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The layer that makes the tensor, or `input`.
    pub layer: &'a str,
    /// Channel, from 0.
    pub channel: usize,
    /// Row, from 0.
    pub row: usize,
    /// Column, from 0.
    pub column: usize,
    /// What the reference computed.
    pub expected: Option<i64>,
    /// What the other computed.
    pub got: Option<i64>,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: Option<i64>| value.map_or("nothing".to_owned(), |v| v.to_string());
        write!(
            f,
            "layer `{}`, channel {}, row {}, column {}: expected {}, got {}",
            self.layer,
            self.channel,
            self.row,
            self.column,
            value(self.expected),
            value(self.got)
        )
    }
}

/// The first difference between two runs of one picture, each all tensors by id.
///
/// ```
/// use tridot_sim::{compare::first_difference, network::TensorId};
/// let difference = first_difference(&[vec![1, 2], vec![3]], &[vec![1, 2], vec![4]]).unwrap();
/// assert_eq!((difference.tensor, difference.index), (TensorId(1), 0));
/// assert_eq!((difference.expected, difference.got), (Some(3), Some(4)));
/// ```
pub fn first_difference(expected: &[Vec<i64>], got: &[Vec<i64>]) -> Option<Difference> {
    (0..expected.len().max(got.len())).find_map(|tensor_idx| {
        let (expected, got) = (tensor(expected, tensor_idx), tensor(got, tensor_idx));
        if expected == got {
            return None;
        }
        let length = expected.len().max(got.len());
        let index = (0..length).find(|&i| expected.get(i) != got.get(i))?;
        Some(Difference {
            tensor: TensorId(tensor_idx),
            index,
            expected: expected.get(index).copied(),
            got: got.get(index).copied(),
        })
    })
}

fn tensor(run: &[Vec<i64>], tensor_idx: usize) -> &[i64] {
    run.get(tensor_idx).map_or(&[], Vec::as_slice)
}

/// What was compared over some pictures, and what differed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// Values compared.
    pub values: u64,
    /// Values that differ, by tensor id.
    pub mismatches: Vec<u64>,
    /// The first difference of the first picture that has one, and that picture's index.
    pub first: Option<(usize, Difference)>,
}

impl Comparison {
    /// Adds one picture: all tensors by id, of the reference and of another implementation.
    pub fn add(&mut self, picture_idx: usize, expected: &[Vec<i64>], got: &[Vec<i64>]) {
        let n_tensors = expected.len().max(got.len());
        self.mismatches.resize(self.mismatches.len().max(n_tensors), 0);
        for (tensor_idx, mismatches) in self.mismatches.iter_mut().enumerate() {
            let (expected, got) = (tensor(expected, tensor_idx), tensor(got, tensor_idx));
            let unpaired = expected.len().abs_diff(got.len());
            let differ = expected.iter().zip(got).filter(|(expected, got)| expected != got).count();
            self.values += expected.len().max(got.len()) as u64;
            *mismatches += (differ + unpaired) as u64;
        }
        if self.first.is_none_or(|(first_idx, _)| picture_idx < first_idx)
            && let Some(difference) = first_difference(expected, got)
        {
            self.first = Some((picture_idx, difference));
        }
    }

    /// Adds what was compared elsewhere over other pictures.
    pub fn merge(&mut self, other: &Self) {
        self.values += other.values;
        self.mismatches.resize(self.mismatches.len().max(other.mismatches.len()), 0);
        for (mine, theirs) in self.mismatches.iter_mut().zip(&other.mismatches) {
            *mine += theirs;
        }
        self.first = match (self.first, other.first) {
            (Some(mine), Some(theirs)) => Some(if theirs.0 < mine.0 { theirs } else { mine }),
            (mine, theirs) => mine.or(theirs),
        };
    }

    /// Values that differ, of all tensors.
    pub fn total_mismatches(&self) -> u64 {
        self.mismatches.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_runs_have_no_difference_and_are_counted() {
        let run = vec![vec![1, 2], vec![3]];
        assert_eq!(first_difference(&run, &run), None);
        let mut comparison = Comparison::default();
        comparison.add(0, &run, &run);
        comparison.add(1, &run, &run);
        let expected = Comparison { values: 6, mismatches: vec![0, 0], first: None };
        assert_eq!(comparison, expected);
    }

    #[test]
    fn a_tensor_that_is_short_or_missing_differs() {
        let run = vec![vec![1, 2], vec![3]];
        let short = vec![vec![1]];
        let difference = first_difference(&run, &short).unwrap();
        assert_eq!((difference.tensor.0, difference.index), (0, 1));
        assert_eq!((difference.expected, difference.got), (Some(2), None));
        let mut comparison = Comparison::default();
        comparison.add(0, &run, &short);
        assert_eq!((comparison.values, comparison.mismatches), (3, vec![1, 1]));
    }

    #[test]
    fn merging_keeps_the_earliest_picture_whatever_the_order() {
        let run = |value| vec![vec![value, 0]];
        let mut late = Comparison::default();
        late.add(7, &run(1), &run(2));
        let mut early = Comparison::default();
        early.add(3, &run(1), &run(3));
        let mut a = late.clone();
        a.merge(&early);
        early.merge(&late);
        assert_eq!(a, early);
        assert_eq!((a.values, a.total_mismatches(), a.first.map(|f| f.0)), (4, 2, Some(3)));
        assert_eq!(a.first.map(|f| f.1.got), Some(Some(3)));
    }
}
