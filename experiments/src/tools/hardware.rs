//! The tools of hardware designers, and the simulators that they build.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// A tool that someone else wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Lints SystemVerilog, and turns it into C++.
    Verilator,
    /// Simulates SystemVerilog.
    Icarus,
    /// Synthesizes.
    Yosys,
}

impl Tool {
    /// The program, how it tells its version, the Debian package, the oldest version that is known to work as it would tell it.
    const fn facts(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Verilator => ("verilator", "--version", "verilator", "5.006"),
            Self::Icarus => ("iverilog", "-V", "iverilog", "11.0"),
            Self::Yosys => ("yosys", "-V", "yosys", "0.23"),
        }
    }

    /// Refuses a tool that is not there or too old; its version in its own words.
    pub(crate) fn version(self) -> Result<String> {
        let (program, flag, package, wanted) = self.facts();
        let (least, _) = version_in(wanted).expect("a version");
        let install = format!("install the package `{package}`, version {wanted} or later");
        let output = match Command::new(program).arg(flag).stdin(Stdio::null()).output() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                bail!("{program} is not there: {install}")
            }
            result => result.with_context(|| program.to_owned())?,
        };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let Some((version, text)) = version_in(&said).filter(|_| output.status.success()) else {
            bail!("{program} {flag} does not tell its version: {install}");
        };
        if version < least {
            bail!("{program}: the version must be at least {wanted}, got {text}: {install}");
        }
        Ok(text)
    }

    /// Runs a program beside the tool in a folder and hands its standard output to `read` as it comes; what `read` made of it, and
    /// what the program wrote on standard error.
    pub(crate) fn stream<T>(
        folder: &Path,
        program: &str,
        arguments: &[&str],
        read: impl FnOnce(&mut dyn BufRead) -> Result<T>,
    ) -> Result<(T, String)> {
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| program.to_owned())?;
        let mut output = BufReader::new(child.stdout.take().expect("its output is piped"));
        let mut errors = child.stderr.take().expect("its errors are piped");
        // Both are read at once: a program waits when one of its pipes is full.
        let (result, said) = std::thread::scope(|scope| {
            let said = scope.spawn(move || {
                let mut said = Vec::new();
                errors.read_to_end(&mut said).map(|_| said)
            });
            let result = read(&mut output);
            // A program whose output nobody reads any more ends.
            drop(output);
            (result, said.join().expect("reading does not panic"))
        });
        child.wait().with_context(|| program.to_owned())?;
        let said = said.with_context(|| program.to_owned())?;
        Ok((result?, String::from_utf8_lossy(&said).into_owned()))
    }

    /// Runs the tool in a folder.
    pub(crate) fn run<S: AsRef<OsStr>>(self, folder: &Path, arguments: &[S]) -> Result<Said> {
        let (program, ..) = self.facts();
        run(Command::new(program).args(arguments).current_dir(folder), program)
    }
}

/// The first word that begins with a digit, and the two numbers in it.
fn version_in(said: &str) -> Option<((u32, u32), String)> {
    let is_number = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    let word = said.split_whitespace().find(is_number)?;
    let mut parts = word.split(|c: char| !c.is_ascii_digit());
    let version = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((version, word.to_owned()))
}

/// What a process left behind.
#[derive(Debug)]
pub(crate) struct Said {
    /// Whether its exit code was 0.
    pub(crate) succeeded: bool,
    /// Standard output.
    pub(crate) output: String,
    /// Standard error.
    pub(crate) errors: String,
}

impl Said {
    /// The first line that tells of an error, or else of a warning, or else the last.
    pub(crate) fn complaint(&self) -> String {
        // Verilator counts its warnings in an error of its own.
        let is_count = |line: &&str| line.contains("Exiting due to");
        let lines = || self.errors.lines().chain(self.output.lines());
        let told =
            |word| lines().find(|line| line.to_lowercase().contains(word) && !is_count(line));
        let line = told("error").or(told("warning")).or(lines().last());
        line.unwrap_or("says nothing").to_owned()
    }

    /// Whether it ended well and warned of nothing.
    pub(crate) fn is_quiet(&self) -> bool {
        let warns = |text: &str| text.to_lowercase().contains("warning");
        self.succeeded && !warns(&self.output) && !warns(&self.errors)
    }
}

/// Runs a simulator that a tool built.
pub(crate) fn run_built<S: AsRef<OsStr>>(program: &Path, arguments: &[S]) -> Result<Said> {
    run(Command::new(program).args(arguments), &program.display().to_string())
}

fn run(command: &mut Command, name: &str) -> Result<Said> {
    let output = command.stdin(Stdio::null()).output().with_context(|| name.to_owned())?;
    Ok(Said {
        succeeded: output.status.success(),
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_in_the_words_of_the_tools() {
        let version = |said| version_in(said).map(|(version, _)| version);
        assert_eq!(version("Verilator 5.006 2023-01-22 rev (Debian 5.006-3)"), Some((5, 6)));
        assert_eq!(version("Icarus Verilog version 11.0 (stable) ()\n\nmore"), Some((11, 0)));
        assert_eq!(version("Yosys 0.23 (git sha1 7ce5011c24b)"), Some((0, 23)));
        assert_eq!(version("Verilator 4.038 2020-07-11"), Some((4, 38)));
        assert_eq!(version("no number"), None);
    }

    #[test]
    fn a_process_that_ends_badly_is_told_by_its_first_complaint() {
        let said = |errors: &str| Said {
            succeeded: false,
            output: "fine\n".to_owned(),
            errors: errors.to_owned(),
        };
        assert_eq!(
            said("note\n%Error: a.sv:1: no\n%Error: two\n").complaint(),
            "%Error: a.sv:1: no"
        );
        let warned = "%Warning-WIDTH: b.sv:2: wide\n%Error: Exiting due to 1 warning(s)\n";
        assert_eq!(said(warned).complaint(), "%Warning-WIDTH: b.sv:2: wide");
        assert_eq!(said("a warning\n%Error: c.sv:3: no\n").complaint(), "%Error: c.sv:3: no");
        assert_eq!(said("").complaint(), "fine");
        assert!(!said("").is_quiet());
    }
}
