//! Which hypothesis explains most of what differs.

use super::Kind;

/// What would have come out under a hypothesis; none where it says nothing.
pub(super) type Guess = (Kind, Option<i64>);

/// The kind of each wrong value. Every list of guesses has the same hypotheses in the same order.
///
/// Of two hypotheses that explain as many of the values left, the one that contradicts fewer of the right values
/// wins, then the first.
pub(super) fn kinds(wrong: &[(i64, Vec<Guess>)], right: &[(i64, Vec<Guess>)]) -> Vec<Kind> {
    let mut kinds = vec![None; wrong.len()];
    let hypotheses = wrong.first().map_or(0, |(_, guesses)| guesses.len());
    let contradicted: Vec<usize> = (0..hypotheses)
        .map(|i| {
            let differs = |(value, guesses): &&(i64, Vec<Guess>)| {
                guesses.get(i).is_some_and(|guess| guess.1.is_some_and(|guess| guess != *value))
            };
            right.iter().filter(differs).count()
        })
        .collect();
    loop {
        let explains = |at: usize, i: usize| wrong[at].1[i].1 == Some(wrong[at].0);
        let left = |i: usize| {
            let open = kinds.iter().enumerate().filter(|(_, kind)| kind.is_none());
            open.filter(|&(at, _)| explains(at, i)).count()
        };
        let best = (0..hypotheses)
            .map(|i| (left(i), std::cmp::Reverse((contradicted[i], i))))
            .max()
            .filter(|&(explained, _)| explained != 0);
        let Some((_, std::cmp::Reverse((_, best)))) = best else { break };
        for at in 0..wrong.len() {
            if kinds[at].is_none() && explains(at, best) {
                kinds[at] = Some(wrong[at].1[best].0);
            }
        }
    }
    kinds.into_iter().map(|kind| kind.unwrap_or(Kind::Value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hypothesis_that_explains_most_names_what_it_explains() {
        let guesses = |sign, bias| vec![(Kind::Sign, Some(sign)), (Kind::Bias, bias)];
        // Both explain the first; the second explains two, the last is explained by none.
        let wrong = [(1, guesses(1, Some(1))), (2, guesses(0, Some(2))), (3, guesses(0, None))];
        assert_eq!(kinds(&wrong, &[]), [Kind::Bias, Kind::Bias, Kind::Value]);
    }

    #[test]
    fn of_two_that_explain_as_much_the_one_that_fits_what_is_right_wins() {
        let guesses = |sign, bias| vec![(Kind::Sign, Some(sign)), (Kind::Bias, Some(bias))];
        let wrong = [(1, guesses(1, 1))];
        assert_eq!(kinds(&wrong, &[]), [Kind::Sign]);
        assert_eq!(kinds(&wrong, &[(5, guesses(4, 5))]), [Kind::Bias]);
    }
}
