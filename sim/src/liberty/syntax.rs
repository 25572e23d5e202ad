//! The text of a library as groups and attributes, which borrow from it.

use crate::Error;
use crate::error::line_and_column;

/// How deep groups may lie in each other.
const MAX_DEPTH: usize = 16;

/// `name (arguments) { … }`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group<'a> {
    pub(super) name: &'a str,
    pub(super) arguments: Vec<&'a str>,
    pub(super) attributes: Vec<Attribute<'a>>,
    pub(super) groups: Vec<Self>,
    /// Where its name begins.
    pub(super) offset: usize,
}

/// `name : value;` or `name (values);`, values without quotation marks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Attribute<'a> {
    pub(super) name: &'a str,
    pub(super) values: Vec<&'a str>,
    /// Whether it is written with parentheses.
    pub(super) is_list: bool,
}

impl<'a> Group<'a> {
    /// The first argument, or nothing.
    pub(super) fn argument(&self) -> &'a str {
        self.arguments.first().copied().unwrap_or("")
    }

    /// All groups of a name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.groups.iter().filter(move |group| group.name == name)
    }

    /// The first group of a name.
    pub(super) fn group(&self, name: &str) -> Option<&Self> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// The values of an attribute.
    pub(super) fn list(&self, name: &str) -> Option<&[&'a str]> {
        let found = self.attributes.iter().find(|attribute| attribute.name == name);
        found.map(|attribute| attribute.values.as_slice())
    }

    /// The first value of an attribute.
    pub(super) fn value(&self, name: &str) -> Option<&'a str> {
        self.list(name).and_then(|values| values.first().copied())
    }
}

/// Reads a text that is one `library` group. `place` names the file.
pub(super) fn parse<'a>(place: &str, text: &'a str) -> Result<Group<'a>, Error> {
    let mut parser = Parser { place, text, at: 0 };
    parser.skip()?;
    let library = match parser.statement(0)? {
        Statement::Group(group) if group.name == "library" => group,
        Statement::Group(_) | Statement::Attribute(_) => {
            return Err(parser.wrong(0, "a liberty file begins with a group `library`"));
        }
    };
    parser.skip()?;
    if parser.at == text.len() {
        return Ok(library);
    }
    Err(parser.wrong(parser.at, "more text after the group `library`"))
}

enum Statement<'a> {
    Group(Group<'a>),
    Attribute(Attribute<'a>),
}

struct Parser<'p, 'a> {
    place: &'p str,
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'_, 'a> {
    fn wrong(&self, offset: usize, reason: &str) -> Error {
        let place = format!("{}, {}", self.place, line_and_column(self.text, offset));
        Error::malformed(place, reason).on_one_line()
    }

    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    /// Passes space, comments, and the ends of lines that go on.
    fn skip(&mut self) -> Result<(), Error> {
        loop {
            match self.rest() {
                [b' ' | b'\t' | b'\r' | b'\n' | b'\\', ..] => self.at += 1,
                [b'/', b'*', ..] => {
                    let Some(length) = self.text[self.at..].find("*/") else {
                        return Err(self.wrong(self.at, "a comment has no end"));
                    };
                    self.at += length + 2;
                }
                [b'/', b'/', ..] => {
                    self.at += self.rest().iter().take_while(|&&byte| byte != b'\n').count();
                }
                _ => return Ok(()),
            }
        }
    }

    fn eat(&mut self, byte: u8) -> Result<bool, Error> {
        self.skip()?;
        let is_there = self.rest().first() == Some(&byte);
        self.at += usize::from(is_there);
        Ok(is_there)
    }

    /// A word or a text in quotation marks, without these.
    fn word(&mut self) -> Result<&'a str, Error> {
        let start = self.at;
        if self.rest().first() == Some(&b'"') {
            let Some(length) = self.text[start + 1..].find('"') else {
                return Err(self.wrong(start, "a text has no closing quotation mark"));
            };
            self.at = start + length + 2;
            return Ok(self.text[start + 1..=start + length].trim());
        }
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b"(){}:;,\"\\".contains(byte);
        let length = self.rest().iter().take_while(|byte| !ends(byte)).count();
        if length == 0 {
            return Err(self.wrong(start, "a name or a value is missing"));
        }
        self.at += length;
        Ok(&self.text[start..self.at])
    }

    /// What follows a colon: to the semicolon, the end of the line or of the group.
    fn simple_value(&mut self) -> Result<&'a str, Error> {
        self.skip()?;
        if self.rest().first() == Some(&b'"') {
            return self.word();
        }
        let start = self.at;
        self.at += self.rest().iter().take_while(|&&byte| !b";\n}".contains(&byte)).count();
        Ok(self.text[start..self.at].trim())
    }

    fn statement(&mut self, depth: usize) -> Result<Statement<'a>, Error> {
        let offset = self.at;
        let name = self.word()?;
        if self.eat(b':')? {
            let values = vec![self.simple_value()?];
            self.eat(b';')?;
            return Ok(Statement::Attribute(Attribute { name, values, is_list: false }));
        }
        if !self.eat(b'(')? {
            return Err(self.wrong(self.at, "`:` or `(` is missing after a name"));
        }
        let mut arguments = Vec::new();
        while !self.eat(b')')? {
            arguments.push(self.word()?);
            self.eat(b',')?;
        }
        if !self.eat(b'{')? {
            self.eat(b';')?;
            return Ok(Statement::Attribute(Attribute { name, values: arguments, is_list: true }));
        }
        if depth == MAX_DEPTH {
            return Err(self.wrong(offset, "groups lie too deep in each other"));
        }
        let mut group =
            Group { name, arguments, attributes: Vec::new(), groups: Vec::new(), offset };
        while !self.eat(b'}')? {
            if self.eat(b';')? {
                continue;
            }
            if self.at == self.text.len() {
                return Err(self.wrong(offset, &format!("the group `{name}` has no end")));
            }
            match self.statement(depth + 1)? {
                Statement::Group(inner) => group.groups.push(inner),
                Statement::Attribute(attribute) => group.attributes.push(attribute),
            }
        }
        Ok(Statement::Group(group))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_attributes_of_every_form() {
        let text = "/* c */ library (\"a\") { // d\n time_unit : \"1ns\";\n k : 0.3 * VDD ;\n \
                    v (1, \"2, 3\", \\\n 4);\n cell (x) { area : 2 } ; }\n";
        let library = parse("f", text).unwrap();
        assert_eq!(library.argument(), "a");
        assert_eq!(library.value("time_unit"), Some("1ns"));
        assert_eq!(library.value("k"), Some("0.3 * VDD"));
        assert_eq!(library.list("v").unwrap(), ["1", "2, 3", "4"]);
        let cell = library.group("cell").unwrap();
        assert_eq!((cell.argument(), cell.value("area")), ("x", Some("2")));
    }

    #[test]
    fn what_is_no_library_is_refused_with_its_place() {
        let refused = |text| parse("f.lib", text).unwrap_err().to_string();
        assert_eq!(refused(""), "f.lib, line 1, column 1: a name or a value is missing");
        assert_eq!(
            refused("cell (a) { }"),
            "f.lib, line 1, column 1: a liberty file begins with a group `library`"
        );
        assert_eq!(
            refused("library (a) {\n cell (b) {"),
            "f.lib, line 2, column 2: the group `cell` has no end"
        );
        assert_eq!(
            refused("library (a) { x : \"1"),
            "f.lib, line 1, column 19: a text has no closing quotation mark"
        );
        assert_eq!(
            refused("library (a) { x y }"),
            "f.lib, line 1, column 17: `:` or `(` is missing after a name"
        );
        assert_eq!(refused("library (a) { /* x"), "f.lib, line 1, column 15: a comment has no end");
        assert_eq!(
            refused("library (a) { } cell (b) { }"),
            "f.lib, line 1, column 17: more text after the group `library`"
        );
        assert!(refused(&"a () {".repeat(100)).contains("too deep"));
    }
}
