//! A command as a shell reads it.

/// The command of these arguments, without `tridot` among them.
pub(crate) fn line<'a>(arguments: impl IntoIterator<Item = &'a str>) -> String {
    let words = arguments.into_iter().map(word);
    std::iter::once("tridot".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// One argument, quoted where a shell would take it apart.
pub(crate) fn word(argument: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./,=".contains(c);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_gets_the_arguments_back() {
        let arguments = ["simulate", "my nets/a'b.safetensors", "--arch", "edge", "", "$x"];
        let text = line(arguments);
        assert_eq!(text, r"tridot simulate 'my nets/a'\''b.safetensors' --arch edge '' '$x'");
        let echo = format!("tridot() {{ printf '%s\\n' \"$@\"; }}; {text}");
        let output = std::process::Command::new("sh").args(["-c", &echo]).output().unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        assert_eq!(lines.lines().collect::<Vec<_>>(), arguments);
    }
}
