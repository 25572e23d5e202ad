//! VCD: text, of which one word is held at a time.

use std::io::BufRead;

use super::{MAX_BITS, Sampler, Scopes, unreadable};
use crate::Error;

/// The longest word: a value of the widest signal, and a few characters more.
const MAX_WORD_BYTES: usize = MAX_BITS + 64;

/// Reads a VCD from its beginning; ends where it ends, or where the sampler has enough.
pub(super) fn read(input: &mut impl BufRead, sampler: &mut Sampler<'_>) -> Result<(), Error> {
    let mut words = Words { input, word: Vec::new() };
    declarations(&mut words, sampler)?;
    sampler.declared()?;
    while words.next()? {
        match words.word[0] {
            b'#' => {
                let time = std::str::from_utf8(&words.word[1..]).ok();
                let Some(time) = time.and_then(|digits| digits.parse().ok()) else {
                    let word = String::from_utf8_lossy(&words.word).into_owned();
                    let reason = format!("`{}` is no time", word.escape_debug());
                    return Err(Error::malformed("waveform", reason));
                };
                if !sampler.advance(time)? {
                    break;
                }
            }
            b'b' | b'B' => {
                let value = words.word[1..].to_vec();
                if !words.next()? {
                    break;
                }
                sampler.change(&words.word, &value);
            }
            // Of a real number or a string a signal that is watched has none.
            b'r' | b'R' | b's' | b'S' => {
                words.next()?;
            }
            b'$' if words.word == b"$comment" => drop(words.up_to_end()?),
            b'0' | b'1' | b'x' | b'X' | b'z' | b'Z' => {
                let (value, id) = words.word.split_at(1);
                sampler.change(id, value);
            }
            // $dumpvars and its like stand around changes.
            _ => {}
        }
    }
    Ok(())
}

/// Declarations up to their end.
fn declarations(
    words: &mut Words<'_, impl BufRead>,
    sampler: &mut Sampler<'_>,
) -> Result<(), Error> {
    let mut scopes = Scopes::default();
    while words.next()? {
        let keyword = words.word.clone();
        if !keyword.starts_with(b"$") {
            continue;
        }
        let rest = words.up_to_end()?;
        match &*keyword {
            b"$enddefinitions" => break,
            b"$scope" => scopes.enter(rest.get(1).map_or("", String::as_str))?,
            b"$upscope" => scopes.leave(),
            b"$var" => {
                let [_, bits, id, name, ..] = &rest[..] else {
                    return Err(Error::malformed("waveform", "a $var is cut short"));
                };
                let name = name.split('[').next().unwrap_or_default();
                let path = scopes.path_of(name)?;
                sampler.declare(path, id.as_bytes(), bits.parse().unwrap_or(0))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Words apart by white space.
struct Words<'a, R> {
    input: &'a mut R,
    word: Vec<u8>,
}

impl<R: BufRead> Words<'_, R> {
    /// Reads the next word; false at the end.
    fn next(&mut self) -> Result<bool, Error> {
        self.word.clear();
        loop {
            let bytes = self.input.fill_buf().map_err(|error| unreadable(&error))?;
            if bytes.is_empty() {
                return Ok(!self.word.is_empty());
            }
            let is_space = |byte: &u8| byte.is_ascii_whitespace();
            let leading = || bytes.iter().take_while(|&byte| is_space(byte)).count();
            let spaces = if self.word.is_empty() { leading() } else { 0 };
            let rest = &bytes[spaces..];
            let length = rest.iter().position(is_space).unwrap_or(rest.len());
            self.word.extend_from_slice(&rest[..length]);
            let is_whole = length < rest.len() && !self.word.is_empty();
            self.input.consume(spaces + length);
            if MAX_WORD_BYTES < self.word.len() {
                let limit = format!("at most {MAX_WORD_BYTES}");
                return Err(Error::limit("waveform", "the bytes of a word", limit, "more"));
            }
            if is_whole {
                return Ok(true);
            }
        }
    }

    /// The words up to `$end`; of a long comment only the first.
    fn up_to_end(&mut self) -> Result<Vec<String>, Error> {
        const KEPT: usize = 8;
        let mut rest = Vec::new();
        while self.next()? && self.word != b"$end" {
            if rest.len() < KEPT {
                rest.push(String::from_utf8_lossy(&self.word).into_owned());
            }
        }
        Ok(rest)
    }
}
