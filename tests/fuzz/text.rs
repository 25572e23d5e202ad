//! Mutants of text files such as TOML.

use super::driver::{Mutant, Touched};
use crate::random::Random;

/// Values that a file should not hold.
const HOSTILE: &[&str] = &[
    "0",
    "1",
    "-1",
    "255",
    "65537",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "0.5",
    "true",
    "\"\"",
    "\"x\"",
    "[]",
    "{}",
    "[1, 2",
    "1979-05-27",
    "'''",
];

/// A line removed, repeated, moved or joined, a key misspelt, or a value replaced.
pub(crate) fn structure_mutant(random: &mut Random, file: &str) -> Mutant {
    let mut lines: Vec<String> = file.lines().map(str::to_owned).collect();
    let at = random.below(lines.len());
    let what = match random.below(6) {
        0 => {
            lines.remove(at);
            format!("line {at} removed")
        }
        1 => {
            lines.insert(at, lines[at].clone());
            format!("line {at} repeated")
        }
        2 => {
            let other = random.below(lines.len());
            lines.swap(at, other);
            format!("lines {at} and {other} swapped")
        }
        3 => {
            lines[at].insert(0, 'x');
            format!("line {at} misspelt")
        }
        4 => {
            let value = random.pick(HOSTILE);
            match lines[at].split_once('=') {
                Some((key, _)) => lines[at] = format!("{key}= {value}"),
                None => lines[at] = (*value).to_owned(),
            }
            format!("the value of line {at} became {value}")
        }
        _ => {
            let (number, line) = replaced_number(random, &lines[at]);
            lines[at] = line;
            format!("a number of line {at} became {number}")
        }
    };
    Mutant { what, touched: Touched::Structure, bytes: lines.join("\n").into_bytes() }
}

/// A piece of a file removed, another put in front of it once more, or both exchanged.
pub(crate) fn rearranged(random: &mut Random, pieces: &mut Vec<String>) -> String {
    let (at, other) = (random.below(pieces.len()), random.below(pieces.len()));
    match random.below(3) {
        0 => format!("piece {at} `{}` removed", pieces.remove(at)),
        1 => {
            pieces.insert(at, pieces[other].clone());
            format!("piece {other} repeated at {at}")
        }
        _ => {
            pieces.swap(at, other);
            format!("pieces {at} and {other} exchanged")
        }
    }
}

/// One run of digits of the line, if it has any, becomes something else.
fn replaced_number(random: &mut Random, line: &str) -> (String, String) {
    let starts: Vec<usize> = line
        .char_indices()
        .filter(|&(i, c)| c.is_ascii_digit() && !line[..i].ends_with(|c: char| c.is_ascii_digit()))
        .map(|(i, _)| i)
        .collect();
    if starts.is_empty() {
        return ("nothing".to_owned(), line.to_owned());
    }
    let begin = *random.pick(&starts);
    let rest = line[begin..].trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = &line[begin..line.len() - rest.len()];
    let number = digits.parse::<i128>().unwrap_or(0);
    let near = [number + 1, number - 1, 0, number * 1000, i128::from(i64::MAX)];
    let new = random.pick(&near).to_string();
    let changed = format!("{}{new}{rest}", &line[..begin]);
    (new, changed)
}
