//! Mutants of JSON, as text that may repeat a key.

use serde_json::Value;

use crate::random::Random;

/// JSON whose maps are lists of entries.
#[derive(Clone)]
pub(crate) enum Json {
    /// A number, a string, a constant: as it is written.
    Atom(String),
    /// A list.
    List(Vec<Self>),
    /// A map; keys as they are written, quotes included.
    Map(Vec<(String, Self)>),
}

/// Atoms that a file should not hold.
const HOSTILE: &[&str] = &[
    "0",
    "1",
    "2",
    "-1",
    "255",
    "256",
    "65537",
    "2147483648",
    "-2147483649",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "1e999",
    "-1e999",
    "1e-999",
    "0.5",
    "NaN",
    "null",
    "true",
    "\"\"",
    "\"NaN\"",
    "\"x\\ny\"",
    "[]",
    "{}",
    "[[[[]]]]",
];

impl Json {
    /// Parses JSON.
    pub(crate) fn parse(text: &str) -> Self {
        Self::of(serde_json::from_str(text).expect("JSON to mutate"))
    }

    fn of(value: Value) -> Self {
        match value {
            Value::Array(list) => Self::List(list.into_iter().map(Self::of).collect()),
            Value::Object(map) => Self::Map(
                map.into_iter()
                    .map(|(key, value)| (Value::String(key).to_string(), Self::of(value)))
                    .collect(),
            ),
            atom @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                Self::Atom(atom.to_string())
            }
        }
    }

    /// The text.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Atom(atom) => atom.clone(),
            Self::List(list) => {
                format!("[{}]", list.iter().map(Self::text).collect::<Vec<_>>().join(","))
            }
            Self::Map(map) => {
                let entries = map.iter().map(|(key, value)| format!("{key}:{}", value.text()));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
            }
        }
    }

    /// Nodes of the tree, this one included.
    fn nodes(&self) -> usize {
        match self {
            Self::Atom(_) => 1,
            Self::List(list) => 1 + list.iter().map(Self::nodes).sum::<usize>(),
            Self::Map(map) => 1 + map.iter().map(|(_, value)| value.nodes()).sum::<usize>(),
        }
    }

    /// The node of this index, in the order of the text.
    fn node(&mut self, mut index: usize) -> &mut Self {
        if index == 0 {
            return self;
        }
        index -= 1;
        let children: Vec<&mut Self> = match self {
            Self::Atom(_) => unreachable!("an index below `nodes`"),
            Self::List(list) => list.iter_mut().collect(),
            Self::Map(map) => map.iter_mut().map(|(_, value)| value).collect(),
        };
        for child in children {
            let nodes = child.nodes();
            if index < nodes {
                return child.node(index);
            }
            index -= nodes;
        }
        unreachable!("an index below `nodes`")
    }

    /// Changes one random node and says how: a hostile atom, a number off by one, an entry removed,
    /// repeated, moved or renamed, a node replaced by another one of the tree.
    pub(crate) fn mutate(&mut self, random: &mut Random) -> String {
        let n_nodes = self.nodes();
        let other = self.node(random.below(n_nodes)).clone();
        let index = random.below(n_nodes);
        let node = self.node(index);
        if random.percent(10) {
            let what = format!("node {index} replaced by {}", brief(&other.text()));
            *node = other;
            return what;
        }
        match node {
            Self::Atom(atom) => {
                let new = mutated_atom(atom, random);
                let what = format!("node {index}: {} became {new}", brief(atom));
                *atom = new;
                what
            }
            Self::List(list) => format!("list {index}: {}", mutate_entries(list, random)),
            Self::Map(map) => {
                if !map.is_empty() && random.percent(25) {
                    let at = random.below(map.len());
                    let new = format!("\"{}x\"", map[at].0.trim_matches('"'));
                    let what = format!("map {index}: key {} became {new}", map[at].0);
                    map[at].0 = new;
                    return what;
                }
                format!("map {index}: {}", mutate_entries(map, random))
            }
        }
    }
}

fn brief(text: &str) -> String {
    text.chars().take(60).collect()
}

fn mutated_atom(atom: &str, random: &mut Random) -> String {
    match atom.parse::<i128>() {
        Ok(number) if random.percent(40) => {
            let near = [number + 1, number - 1, -number, number * 2, number << 16];
            random.pick(&near).to_string()
        }
        Ok(_) | Err(_) => (*random.pick(HOSTILE)).to_owned(),
    }
}

fn mutate_entries<T: Clone>(entries: &mut Vec<T>, random: &mut Random) -> String {
    if entries.is_empty() {
        return "empty, left alone".to_owned();
    }
    let at = random.below(entries.len());
    match random.below(4) {
        0 => {
            entries.remove(at);
            format!("entry {at} removed")
        }
        1 => {
            entries.insert(at, entries[at].clone());
            format!("entry {at} repeated")
        }
        2 => {
            let other = random.below(entries.len());
            entries.swap(at, other);
            format!("entries {at} and {other} swapped")
        }
        _ => {
            let times = random.size(2, 200);
            let copies = vec![entries[at].clone(); times];
            entries.splice(at..at, copies);
            format!("entry {at} repeated {times} times")
        }
    }
}
