//! The grammar of units: what FITS, OGIP, CDS and astropy write.
//!
//! | | spellings |
//! |---|---|
//! | products | `cm-2 s-1`, `cm-2.s-1`, `cm-2*s-1`, `cm-2·s-1`, `cm-2s-1` |
//! | quotients | `erg/cm2/s`, `erg/(cm2 s)`, `/cm2/s`; blanks and points bind closer than `/`: `erg/cm2 s` = `erg/(cm2 s)` |
//! | powers | `cm-2`, `cm^-2`, `cm**-2`, `cm(-2)`, `cm⁻²`, `m**(1/2)`, `m^0.5`, `sqrt(m)`, `(cm2 s)-1` |
//! | factors | `2.5e-12 cm-2`, `10**-12 cm-2`, `10^-12`, `10+3`, `10-3`, `10⁻³`, `1.5x10+11` |
//!
//! What two of them read differently is refused with the reason, as is what looks like a unit but is none.

use super::atoms::{Dims, PARTS, find, like, refusal};
use crate::error::{Error, Result};

/// Longest text of a unit and deepest parentheses.
const LONGEST: usize = 400;
const DEEPEST: usize = 20;
/// Largest exponent.
const LARGEST: i32 = 1000;

/// What a text means, and its spelling for files.
pub(super) struct Parsed {
    pub(super) text: String,
    pub(super) scale: f64,
    pub(super) dims: Dims,
}

/// A factor of the product: a number, or a unit with its name.
struct Factor {
    name: Option<String>,
    scale: f64,
    dims: Dims,
    /// In 60ths.
    power: i32,
}

/// What stood before a factor.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    Number,
    Unit,
    Group,
}

struct Parser<'a> {
    text: &'a str,
    chars: Vec<char>,
    at: usize,
    factors: Vec<Factor>,
    /// True while every spelling so far is one that FITS or astropy reads as well.
    plain: bool,
}

/// Parses a text.
pub(super) fn parse(text: &str) -> Result<Parsed> {
    let text = text.trim();
    let none = ["", "-", "--", "---", "none", "unitless", "dimensionless"];
    if none.contains(&text.to_lowercase().as_str()) {
        return Ok(Parsed { text: String::new(), scale: 1.0, dims: Dims::default() });
    }
    if text.len() > LONGEST {
        let start: String = text.chars().take(40).collect();
        return Err(Error::input("unit", format!("'{start}…' is too long for a unit ({} bytes)", text.len())));
    }
    let mut parser = Parser { text, chars: Vec::with_capacity(text.len()), at: 0, factors: Vec::new(), plain: true };
    parser.plain = text.is_ascii();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            // A prefix only: 'u' alone is the atomic mass.
            'µ' | 'μ' if rest.clone().next().is_some_and(char::is_alphabetic) => parser.chars.push('u'),
            '\u{212b}' => parser.chars.push('Å'),
            'Ω' | '\u{2126}' => parser.chars.extend("Ohm".chars()),
            '−' | '–' => parser.chars.push('-'),
            '·' | '⋅' | '∙' | '∗' | '•' => parser.chars.push('*'),
            c if c.is_whitespace() => parser.chars.push(' '),
            c => parser.chars.push(c),
        }
    }
    parser.product(0)?;
    if parser.peek().is_some() {
        return Err(parser.wrong("a ')' closes nothing"));
    }
    parser.finish()
}

impl Parser<'_> {
    fn wrong(&self, problem: &str) -> Error {
        Error::input("unit", format!("'{}' is not a unit: {problem}", self.text))
            .with_help("units are spelled as in FITS or astropy, e.g. 'cm-2 s-1 TeV-1'")
    }

    fn ambiguous(&self, problem: &str, remedy: &str) -> Error {
        Error::input("unit", format!("'{}' can be read in two ways: {problem}", self.text)).with_help(remedy)
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn after(&self, n: usize) -> Option<char> {
        self.chars.get(self.at + n).copied()
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.at += usize::from(found);
        found
    }

    fn blanks(&mut self) -> bool {
        let start = self.at;
        while self.peek() == Some(' ') {
            self.at += 1;
        }
        self.at > start
    }

    /// A product, up to its end or a closing parenthesis.
    fn product(&mut self, depth: usize) -> Result<()> {
        if depth > DEEPEST {
            return Err(self.wrong("its parentheses are nested too deeply"));
        }
        let first = self.factors.len();
        let mut before = Before::Nothing;
        let mut inverse = false;
        let mut needed = false;
        // What follows a '/' without parentheses, and how many of them there were behind a number.
        let (mut behind_number, mut slashed) = (false, 0);
        loop {
            self.blanks();
            let Some(c) = self.peek().filter(|c| *c != ')') else { break };
            let mut explicit = false;
            match c {
                '/' => {
                    self.at += 1;
                    if needed {
                        return Err(self.wrong("an operator follows an operator"));
                    }
                    if before == Before::Nothing {
                        self.plain = false;
                    }
                    behind_number |= before == Before::Number || before == Before::Nothing;
                    (inverse, needed, before) =
                        (true, true, if before == Before::Nothing { Before::Unit } else { before });
                    continue;
                }
                '*' if self.after(1) == Some('*') => return Err(self.wrong("a '**' stands behind no unit")),
                '*' | '.' if c == '*' || !self.after(1).is_some_and(|c| c.is_ascii_digit()) => {
                    self.at += 1;
                    if needed || before == Before::Nothing {
                        return Err(self.wrong("an operator follows no unit"));
                    }
                    if c == '*' && inverse {
                        return Err(self.ambiguous(
                            "what follows the '*' is above or below the '/'",
                            "put what belongs together in parentheses, or write powers: 'cm-2 s-1'",
                        ));
                    }
                    self.blanks();
                    explicit = true;
                }
                '.' if before != Before::Nothing && self.at > 0 && self.chars[self.at - 1] != ' ' && !needed => {
                    return Err(self.ambiguous(
                        "the point is a product or belongs to a number",
                        "separate units by blanks, and put broken exponents in parentheses",
                    ));
                }
                _ => {}
            }
            let joined = inverse && !needed;
            let from = self.factors.len();
            let group_before = before == Before::Group;
            before = self.term(depth, before, explicit, needed && inverse)?;
            needed = false;
            if joined {
                let negative = self.factors[from..].iter().any(|f| f.power < 0);
                if negative || group_before || before == Before::Number {
                    return Err(self.ambiguous(
                        "what follows the quotient is above or below the '/'",
                        "put what belongs together in parentheses, or write powers: 'cm-2 s-1'",
                    ));
                }
            }
            if inverse {
                slashed += 1;
                self.factors[from..].iter_mut().for_each(|f| f.power = -f.power);
            }
        }
        if needed || before == Before::Nothing || self.factors.len() == first {
            return Err(self.wrong(if needed { "nothing follows its operator" } else { "there is nothing in it" }));
        }
        if behind_number && slashed > 1 {
            self.plain = false;
        }
        Ok(())
    }

    /// A number, a unit with its power, or a group.
    fn term(&mut self, depth: usize, before: Before, explicit: bool, below: bool) -> Result<Before> {
        let Some(c) = self.peek() else { return Err(self.wrong("nothing follows its operator")) };
        let from = self.factors.len();
        if c.is_ascii_digit() || c == '.' {
            if below {
                return Err(self.ambiguous(
                    "the number behind the '/' is a divisor or part of a power",
                    "put broken powers in parentheses, as in 'm**(1/2)', and factors in front: '10**-4 erg cm-2'",
                ));
            }
            self.number(before, explicit)?;
            return Ok(Before::Number);
        }
        if c == '(' {
            self.at += 1;
            self.group(depth, from)?;
            if let Some(power) = self.power(true)? {
                self.plain = false;
                self.raise(from, power)?;
            }
            return Ok(Before::Group);
        }
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_alphabetic() || "_°′″%".contains(c)) {
            self.at += 1;
        }
        let name: String = self.chars[start..self.at].iter().collect();
        if name.is_empty() {
            return Err(match c {
                '-' | '+' => self.wrong("a sign stands behind no unit (and a unit has none)"),
                '\\' | '{' | '}' | '$' => self.wrong("LaTeX is not read"),
                '[' | ']' => self.wrong("brackets stand for a logarithm (CDS), which cannot be multiplied"),
                _ => self.wrong(&format!("'{c}' has no meaning here")),
            });
        }
        if name == "sqrt" && self.eat('(') {
            self.group(depth, from)?;
            if self.power(true)?.is_some() {
                return Err(self.wrong("a root has no power"));
            }
            self.raise(from, PARTS / 2)?;
            return Ok(Before::Group);
        }
        let Some(found) = find(&name) else { return Err(self.unknown(&name)) };
        self.plain &= found.rename.is_none();
        let name = found.rename.map_or(name, str::to_string);
        let power = self.power(false)?.unwrap_or(PARTS);
        self.factors.push(Factor { name: Some(name), scale: found.scale, dims: found.dims, power });
        Ok(Before::Unit)
    }

    fn unknown(&self, name: &str) -> Error {
        if let Some(why) = refusal(name) {
            return Error::input("unit", format!("'{name}' in '{}' cannot be a unit: {why}", self.text));
        }
        let error = Error::input("unit", format!("'{name}' in '{}' is not a known unit", self.text));
        let like: Vec<String> = like(name).iter().map(|n| format!("'{n}'")).collect();
        if like.is_empty() {
            error.with_help("units are spelled as in FITS or astropy, e.g. 'cm-2 s-1 TeV-1'")
        } else {
            error.with_help(format!("did you mean {}?", like.join(" or ")))
        }
    }

    /// The rest of a group, its parenthesis being open.
    fn group(&mut self, depth: usize, from: usize) -> Result<()> {
        self.product(depth + 1)?;
        if !self.eat(')') {
            return Err(self.wrong("a '(' is not closed"));
        }
        if self.factors.len() == from {
            return Err(self.wrong("there is nothing in its parentheses"));
        }
        Ok(())
    }

    fn raise(&mut self, from: usize, power: i32) -> Result<()> {
        for i in from..self.factors.len() {
            let product = i64::from(self.factors[i].power) * i64::from(power);
            let whole = product % i64::from(PARTS) == 0;
            let raised = i32::try_from(product / i64::from(PARTS)).ok().filter(|p| p.abs() <= LARGEST * PARTS);
            let Some(raised) = raised.filter(|_| whole) else {
                return Err(self.wrong("an exponent is too large or no simple fraction"));
            };
            self.factors[i].power = raised;
        }
        Ok(())
    }

    /// The power behind a unit or a group in 60ths; `None` where there is none.
    fn power(&mut self, of_group: bool) -> Result<Option<i32>> {
        let start = self.at;
        // Blanks may stand around the operators of powers only.
        self.blanks();
        let operator = if self.peek() == Some('*') && self.after(1) == Some('*') {
            self.at += 2;
            true
        } else {
            self.eat('^')
        };
        if operator {
            self.blanks();
            let power = if self.eat('(') { self.fraction()? } else { self.bare(true)? };
            let Some(power) = power else { return Err(self.wrong("an exponent is not a number")) };
            return self.alone(power).map(Some);
        }
        self.at = start;
        match self.peek() {
            Some('(') if !of_group => {
                self.at += 1;
                match self.fraction()? {
                    Some(power) => self.alone(power).map(Some),
                    None => Err(self.wrong("a unit is not a function: a blank or '*' is missing before the '('")),
                }
            }
            Some(c) if superscript(c).is_some() => {
                let mut text = String::new();
                while let Some(c) = self.peek().and_then(superscript) {
                    text.push(c);
                    self.at += 1;
                }
                match text.parse::<i32>().ok().and_then(|p| p.checked_mul(PARTS)) {
                    Some(power) => self.alone(power).map(Some),
                    None => Err(self.wrong("an exponent is not a number")),
                }
            }
            Some('+' | '-') if !self.after(1).is_some_and(|c| c.is_ascii_digit()) => {
                Err(self.wrong("a sign stands behind a unit without a number"))
            }
            Some(c) if c.is_ascii_digit() || c == '+' || c == '-' => match self.bare(false)? {
                Some(power) => self.alone(power).map(Some),
                None => Err(self.wrong("an exponent is not a number")),
            },
            _ => Ok(None),
        }
    }

    /// Checks that a power ends where it ends, and its size.
    fn alone(&self, power: i32) -> Result<i32> {
        if power.abs() > LARGEST * PARTS {
            return Err(self.wrong("an exponent is too large"));
        }
        let digit = |n: usize| self.after(n).is_some_and(|c| c.is_ascii_digit());
        match self.peek() {
            Some('/') if digit(1) => Err(self.ambiguous(
                "the number behind the '/' is a divisor or part of the power",
                "put broken powers in parentheses, as in 'm**(1/2)'",
            )),
            Some('.') if digit(1) => Err(self.ambiguous(
                "the point is a product or belongs to the power",
                "put broken powers in parentheses, as in 'm**(1/2)' or 'm^(0.5)'",
            )),
            Some('^') => Err(self.wrong("a power has no power")),
            Some('*') if self.after(1) == Some('*') => Err(self.wrong("a power has no power")),
            Some('+' | '-') => Err(self.wrong("a sign stands behind a power")),
            _ => Ok(power),
        }
    }

    fn digits(&mut self) -> String {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        self.chars[start..self.at].iter().collect()
    }

    /// An exponent without parentheses: digits with a sign, and a fraction behind a point where it is `decimal`.
    fn bare(&mut self, decimal: bool) -> Result<Option<i32>> {
        let negative = self.peek() == Some('-');
        if negative || self.peek() == Some('+') {
            self.at += 1;
        }
        let mut text = self.digits();
        if text.is_empty() {
            return Ok(None);
        }
        if decimal && self.peek() == Some('.') && self.after(1).is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            self.plain = false;
            text = format!("{text}.{}", self.digits());
        }
        let power = self.sixtieths(&text)?;
        Ok(Some(if negative { -power } else { power }))
    }

    /// A decimal number in 60ths.
    fn sixtieths(&self, text: &str) -> Result<i32> {
        let parts = text.parse::<f64>().unwrap_or(f64::NAN) * f64::from(PARTS);
        // Thirds are rounded where they are written: 0.333.
        let near = parts.round();
        if near.abs() > f64::from(LARGEST * PARTS) || (parts - near).abs() > 0.05 || parts.is_nan() {
            return Err(self.wrong(&format!("the exponent {text} is too large or no simple fraction")));
        }
        Ok(near as i32)
    }

    /// An exponent in parentheses, the first one being open: `-2)`, `1/2)`, `0.5)`. `None`, where it began, for anything
    /// else.
    fn fraction(&mut self) -> Result<Option<i32>> {
        let start = self.at;
        let inside: String = self.chars[start..].iter().take_while(|c| **c != ')').collect();
        let length = inside.chars().count();
        let trimmed = inside.trim();
        if self.chars.get(start + length) != Some(&')')
            || trimmed.is_empty()
            || !trimmed.chars().all(|c| c.is_ascii_digit() || "+-./ ".contains(c))
        {
            return Ok(None);
        }
        self.at = start + length + 1;
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|v| v.is_finite());
        let value = match trimmed.split_once('/') {
            Some((above, below)) => number(above).zip(number(below).filter(|v| *v != 0.0)).map(|(a, b)| a / b),
            None => number(trimmed),
        };
        self.plain &= !trimmed.contains('.');
        match value {
            Some(value) => self.sixtieths(&value.to_string()).map(Some),
            None => Err(self.wrong(&format!("'({trimmed})' is not an exponent"))),
        }
    }

    /// A factor: a number, a power of ten.
    fn number(&mut self, before: Before, explicit: bool) -> Result<()> {
        let start = self.at;
        let mut text = self.digits();
        let exponent_at = |parser: &Self, n: usize| {
            matches!(parser.after(n), Some('e' | 'E'))
                && match parser.after(n + 1) {
                    Some('+' | '-') => parser.after(n + 2).is_some_and(|c| c.is_ascii_digit()),
                    c => c.is_some_and(|c| c.is_ascii_digit()),
                }
        };
        if self.peek() == Some('.') && (self.after(1).is_some_and(|c| c.is_ascii_digit()) || exponent_at(self, 1)) {
            self.at += 1;
            text = format!("{text}.{}", self.digits());
        }
        let whole = !text.contains('.');
        let mut exponent = false;
        if exponent_at(self, 0) {
            self.at += 1;
            let sign = match self.peek() {
                Some(c @ ('+' | '-')) => {
                    self.at += 1;
                    c.to_string()
                }
                _ => String::new(),
            };
            text = format!("{text}e{sign}{}", self.digits());
            exponent = true;
        } else if matches!(self.peek(), Some('d' | 'D'))
            && matches!(self.after(1), Some(c) if c.is_ascii_digit() || c == '+' || c == '-')
        {
            return Err(self.ambiguous(
                "the letter behind the number is an exponent (Fortran) or a unit",
                "write 1e-12 for a number, and a blank before a unit",
            ));
        }
        let Ok(mut value) = text.parse::<f64>() else { return Err(self.wrong(&format!("'{text}' is not a number"))) };
        let is_ten = text == "10";
        let mut of_ten = false;
        let signed = matches!(self.peek(), Some('+' | '-'));
        if signed && !is_ten {
            return Err(self.wrong("a sign stands behind a number that is not 10"));
        }
        let at = self.at;
        // "10 (cm2 s)" is a product: only a number in the parenthesis makes it a power.
        let opens = self.peek() == Some('(');
        let is_power = !opens || (is_ten && self.clone_fraction());
        if is_power && let Some(power) = self.power(false)? {
            of_ten = is_ten;
            if power % PARTS == 0 && is_ten {
                value = format!("1e{}", power / PARTS).parse().unwrap_or(f64::NAN);
            } else {
                value = value.powf(f64::from(power) / f64::from(PARTS));
                self.plain = false;
            }
        } else {
            self.at = at;
        }
        if before == Before::Unit || before == Before::Group || (before == Before::Number && !explicit) {
            self.plain = false;
            let integer = whole && !exponent && !of_ten;
            if !explicit && (integer || (before == Before::Number && !of_ten)) {
                return Err(self.ambiguous(
                    &format!("the number {text} is a factor or a power"),
                    "write powers directly behind their unit, and factors in front: '10**-12 cm-2'",
                ));
            }
        }
        if !(value.is_finite() && value > 0.0) {
            return Err(self.wrong("its factor is not positive and finite"));
        }
        // 1e-12 is not FITS; 10**-12 is read by all.
        self.plain &= text == "1" || of_ten || !is_power_of_ten(value);
        self.factors.push(Factor { name: None, scale: value, dims: Dims::default(), power: PARTS });
        // 1.5x10+11, as CDS writes.
        let here = self.at;
        self.blanks();
        if matches!(self.peek(), Some('x' | '×')) {
            self.at += 1;
            self.blanks();
            if self.peek() == Some('1') && self.after(1) == Some('0') && start < here {
                self.plain = false;
                return self.number(Before::Number, true);
            }
            if self.chars.get(here..self.at).is_some_and(|c| c.contains(&'×')) {
                self.at = here;
                return Err(self.wrong("a '×' stands between a number and a power of ten only"));
            }
        }
        self.at = here;
        Ok(())
    }

    /// True where an exponent in parentheses follows.
    fn clone_fraction(&self) -> bool {
        let inside = self.chars[self.at + 1..].iter().take_while(|c| **c != ')');
        let mut some = false;
        inside.fold(true, |all, c| {
            some = true;
            all && (c.is_ascii_digit() || "+-./ ".contains(*c))
        }) && some
    }

    fn finish(self) -> Result<Parsed> {
        let mut scale = 1.0;
        let mut dims = Dims::default();
        for factor in &self.factors {
            scale *= match factor.power % PARTS {
                0 => factor.scale.powi(factor.power / PARTS),
                _ => factor.scale.powf(f64::from(factor.power) / f64::from(PARTS)),
            };
            for (total, dim) in dims.iter_mut().zip(factor.dims) {
                let more = i64::from(dim) * i64::from(factor.power);
                let sum = i64::from(*total) + more / i64::from(PARTS);
                let fits = more % i64::from(PARTS) == 0 && sum.abs() <= 8 * i64::from(LARGEST * PARTS);
                *total = i32::try_from(sum).ok().filter(|_| fits).unwrap_or(i32::MAX);
            }
        }
        if dims.contains(&i32::MAX) {
            return Err(self.wrong("its exponents are too large or no simple fractions"));
        }
        if !(1e-300..=1e300).contains(&scale) {
            return Err(self.wrong("its factor is beyond what numbers hold"));
        }
        let text = if self.plain { self.text.to_string() } else { self.spelled() };
        Ok(Parsed { text, scale, dims })
    }

    /// The product as FITS and astropy read it: `10**-12 cm-2 s-1`.
    fn spelled(&self) -> String {
        let numbers: f64 = self
            .factors
            .iter()
            .filter(|f| f.name.is_none())
            .map(|f| f.scale.powf(f64::from(f.power) / f64::from(PARTS)))
            .product();
        let mut words = Vec::new();
        if is_power_of_ten(numbers) {
            words.push(format!("10**{}", numbers.log10().round()));
        } else if numbers != 1.0 {
            words.push(format!("{numbers:e}"));
        }
        for factor in &self.factors {
            let Some(name) = &factor.name else { continue };
            words.push(match (factor.power / PARTS, factor.power % PARTS) {
                (1, 0) => name.clone(),
                (power, 0) => format!("{name}{power}"),
                _ => {
                    let common = (1..=PARTS).rev().find(|n| factor.power % n == 0 && PARTS % n == 0).unwrap_or(1);
                    format!("{name}({}/{})", factor.power / common, PARTS / common)
                }
            });
        }
        words.join(" ")
    }
}

/// True for 10, 0.1, 1e-12, … but not 1.
fn is_power_of_ten(value: f64) -> bool {
    let power = value.log10().round();
    value != 1.0 && power.abs() < 300.0 && format!("1e{power}").parse() == Ok(value)
}

/// The digit or sign of a superscript.
fn superscript(c: char) -> Option<char> {
    let at = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺".chars().position(|s| s == c)?;
    "0123456789-+".chars().nth(at)
}
