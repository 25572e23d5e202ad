//! Programs are found, run, and talked to line by line.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::files;

/// A program by its name, in the folders of `PATH`.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Runs a program to its end; a failure is told with the last line that it wrote on standard error.
pub(crate) fn run<S: AsRef<OsStr>>(program: &Path, arguments: &[S]) -> Result<()> {
    let place = || program.display().to_string();
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .with_context(place)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("{}: {}: {}", place(), output.status, last_line(&said));
    }
    Ok(())
}

fn last_line(text: &str) -> &str {
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing")
}

/// A running program that answers every line with a line. Dropped, it is told to end by the end of its
/// input, and waited for.
#[derive(Debug)]
pub(crate) struct Conversation {
    place: String,
    child: Child,
    /// None once it was told to end.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// What it writes on standard error.
    complaints: File,
}

impl Conversation {
    /// Starts a program with some environment variables set.
    pub(crate) fn start<S: AsRef<OsStr>>(
        program: &Path,
        arguments: &[S],
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let place = program.display().to_string();
        let complaints = files::unnamed()?;
        let mut child = Command::new(program)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(complaints.try_clone().with_context(|| place.clone())?)
            .spawn()
            .with_context(|| place.clone())?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        Ok(Self { place, child, input, output, complaints })
    }

    /// Writes a line and waits for the one that answers it.
    pub(crate) fn ask(&mut self, line: &str) -> Result<String> {
        let input = self.input.as_mut().expect("it is told to end when dropped");
        // Where this fails, the program has ended, and the missing answer says more.
        drop(input.write_all(format!("{line}\n").as_bytes()).and_then(|()| input.flush()));
        let mut answer = String::new();
        self.output.read_line(&mut answer).with_context(|| self.place.clone())?;
        if answer.is_empty() { Err(self.ended()) } else { Ok(answer) }
    }

    fn ended(&mut self) -> anyhow::Error {
        let said = files::text_from_start(&mut self.complaints).unwrap_or_default();
        anyhow!("{}: ended: {}", self.place, last_line(&said))
    }

    /// The most memory that it held so far; none where the system does not say.
    pub(crate) fn peak_memory_bytes(&self) -> Option<u64> {
        files::peak_memory_bytes_of(self.child.id())
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.input = None;
        drop(self.child.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_run_and_talked_to() {
        let cat = find("cat").expect("every system of ours has it");
        assert!(find("no-such-program-of-ours").is_none());
        assert!(run(&cat, &["/dev/null"]).is_ok());
        let error = run(&cat, &["/absent/file"]).unwrap_err().to_string();
        assert!(error.contains("/absent/file") && !error.contains('\n'), "{error}");
        let mut echo = Conversation::start::<&str>(&cat, &[], &[]).unwrap();
        assert_eq!(echo.ask("one").unwrap(), "one\n");
        assert_eq!(echo.ask("two").unwrap(), "two\n");
        if cfg!(target_os = "linux") {
            assert!(0 < echo.peak_memory_bytes().unwrap());
        }
    }

    #[test]
    fn a_program_that_ends_is_told_with_its_last_complaint() {
        let cat = find("cat").unwrap();
        let mut gone = Conversation::start(&cat, &["/absent/file"], &[]).unwrap();
        let error = gone.ask("anyone").unwrap_err().to_string();
        assert!(error.contains("ended: ") && error.contains("/absent/file"), "{error}");
    }
}
