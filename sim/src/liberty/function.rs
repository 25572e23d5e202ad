//! Boolean functions of pins, as the attribute `function` writes them.

use crate::Error;

/// How deep parentheses may lie in each other.
const MAX_DEPTH: usize = 32;
/// Operators and pins of an expression, and so how deep its tree is at most.
const MAX_TERMS: usize = 1024;

/// A Boolean expression over pins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Function {
    /// 0 or 1.
    Constant(bool),
    /// A pin, by name.
    Pin(String),
    /// Not.
    Not(Box<Self>),
    /// And.
    And(Box<Self>, Box<Self>),
    /// Or.
    Or(Box<Self>, Box<Self>),
    /// Exclusive or.
    Xor(Box<Self>, Box<Self>),
}

impl Function {
    /// Reads an expression; `place` names where it stands.
    pub(super) fn parse(place: &dyn Fn() -> String, text: &str) -> Result<Self, Error> {
        let mut parser = Parser { place, text, at: 0, depth: 0, terms: 0 };
        let function = parser.or()?;
        if parser.peek().is_some() {
            return Err(parser.wrong());
        }
        Ok(function)
    }

    /// Calls `see` with the name of each pin, in order.
    pub fn pins<'a>(&'a self, see: &mut impl FnMut(&'a str)) {
        match self {
            Self::Constant(_) => {}
            Self::Pin(name) => see(name),
            Self::Not(one) => one.pins(see),
            Self::And(a, b) | Self::Or(a, b) | Self::Xor(a, b) => {
                a.pins(see);
                b.pins(see);
            }
        }
    }

    /// The expression in Verilog, with the net of each pin in place of its name.
    pub fn verilog(&self, net: &impl Fn(&str) -> String) -> String {
        let two = |a: &Self, operator: char, b: &Self| {
            format!("({} {operator} {})", a.verilog(net), b.verilog(net))
        };
        match self {
            Self::Constant(value) => format!("1'b{}", u8::from(*value)),
            Self::Pin(name) => net(name),
            Self::Not(one) => format!("~{}", one.verilog(net)),
            Self::And(a, b) => two(a, '&', b),
            Self::Or(a, b) => two(a, '|', b),
            Self::Xor(a, b) => two(a, '^', b),
        }
    }
}

/// From the loosest to the tightest: or, and, exclusive or, not.
struct Parser<'a> {
    place: &'a dyn Fn() -> String,
    text: &'a str,
    at: usize,
    depth: usize,
    terms: usize,
}

impl Parser<'_> {
    /// One operator or pin more.
    fn count(&mut self) -> Result<(), Error> {
        self.terms += 1;
        if self.terms <= MAX_TERMS {
            return Ok(());
        }
        let limit = format!("at most {MAX_TERMS}");
        Err(Error::limit((self.place)(), "operators and pins of a function", limit, "more"))
    }

    fn wrong(&self) -> Error {
        let reason = format!("byte {} of the function `{}` cannot be read", self.at, self.text);
        Error::malformed((self.place)(), reason).on_one_line()
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, bytes: &[u8]) -> bool {
        let is_there = self.peek().is_some_and(|byte| bytes.contains(&byte));
        self.at += usize::from(is_there);
        is_there
    }

    fn or(&mut self) -> Result<Function, Error> {
        let mut left = self.and()?;
        while self.eat(b"|+") {
            self.count()?;
            left = Function::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Function, Error> {
        let mut left = self.xor()?;
        loop {
            // Two operands side by side are an And too.
            let begins = |byte: u8| b"!(_".contains(&byte) || byte.is_ascii_alphanumeric();
            if !self.eat(b"&*") && !self.peek().is_some_and(begins) {
                return Ok(left);
            }
            self.count()?;
            left = Function::And(Box::new(left), Box::new(self.xor()?));
        }
    }

    fn xor(&mut self) -> Result<Function, Error> {
        let mut left = self.not()?;
        while self.eat(b"^") {
            self.count()?;
            left = Function::Xor(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Function, Error> {
        self.depth += 1;
        if MAX_DEPTH < self.depth {
            return Err(self.wrong());
        }
        let mut one = if self.eat(b"!") {
            Function::Not(Box::new(self.not()?))
        } else if self.eat(b"(") {
            let inner = self.or()?;
            if !self.eat(b")") {
                return Err(self.wrong());
            }
            inner
        } else {
            self.pin()?
        };
        while self.eat(b"'") {
            self.count()?;
            one = Function::Not(Box::new(one));
        }
        self.depth -= 1;
        Ok(one)
    }

    fn pin(&mut self) -> Result<Function, Error> {
        self.count()?;
        self.peek();
        let rest = &self.text.as_bytes()[self.at..];
        let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_[]".contains(byte);
        let length = rest.iter().take_while(is_name).count();
        let name = &self.text[self.at..self.at + length];
        match name {
            "" => return Err(self.wrong()),
            "0" | "1" => {
                self.at += length;
                return Ok(Function::Constant(name == "1"));
            }
            _ => self.at += length,
        }
        Ok(Function::Pin(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_an_expression() {
        let verilog =
            |text| Function::parse(&|| "f".to_owned(), text).unwrap().verilog(&str::to_owned);
        assert_eq!(verilog("(!A) | (!B)"), "(~A | ~B)");
        assert_eq!(verilog("A B + C'"), "((A & B) | ~C)");
        assert_eq!(verilog("A*B^C"), "(A & (B ^ C))");
        assert_eq!(verilog("!(A&!B)"), "~(A & ~B)");
        assert_eq!(verilog("1"), "1'b1");
        let mut pins = Vec::new();
        Function::parse(&|| "f".to_owned(), "A&(B|A)")
            .unwrap()
            .pins(&mut |pin| pins.push(pin.to_owned()));
        assert_eq!(pins, ["A", "B", "A"]);
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in ["", "A &", "(A", "A)", "A ? B", "é", &"(".repeat(100), &"!".repeat(100)] {
            let error = Function::parse(&|| "f".to_owned(), text).unwrap_err().to_string();
            assert!(error.contains("cannot be read"), "{error}");
        }
        for (one, next) in [("A", "'"), ("A", "|A"), ("A", "&A"), ("A", "^A"), ("A", " A")] {
            let error =
                Function::parse(&|| "f".to_owned(), &format!("{one}{}", next.repeat(300_000)))
                    .unwrap_err();
            assert_eq!(
                error.to_string(),
                "f: operators and pins of a function must be at most 1024, got more"
            );
        }
    }
}
