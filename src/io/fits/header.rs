//! Header cards: 80 characters each, keyword, value, comment (FITS standard 4.0, section 4).

/// Length of a card.
pub(super) const CARD: usize = 80;

/// Value of a keyword.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A string, without trailing blanks.
    Text(String),
    /// An integer.
    Int(i64),
    /// A real number.
    Real(f64),
    /// A logical.
    Bool(bool),
    /// No value, or one of a kind that is not read (complex numbers).
    None,
}

/// The keywords of one HDU.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Header {
    cards: Vec<(String, Value)>,
    history: Vec<String>,
}

impl Header {
    /// From whole cards up to, not including, END.
    pub(super) fn parse(cards: &[u8]) -> Self {
        let mut header = Self::default();
        // A string that ends with & goes on in the CONTINUE cards that follow it.
        let mut continues = false;
        for card in cards.chunks_exact(CARD) {
            // Headers are ASCII; so is everything that is cut out of them below.
            let text: String = card.iter().map(|b| if b.is_ascii() { *b as char } else { '?' }).collect();
            let key = text.get(..8).unwrap_or("").trim_end();
            let rest = text.get(8..).unwrap_or("");
            match key {
                "HISTORY" => header.history.push(rest.trim_end().to_string()),
                "COMMENT" | "" => {}
                "CONTINUE" => {
                    if let (true, Some((_, Value::Text(so_far))), Value::Text(more)) =
                        (continues, header.cards.last_mut(), parse_value(rest))
                    {
                        if so_far.ends_with('&') {
                            so_far.pop();
                        }
                        so_far.push_str(&more);
                        continues = more.ends_with('&');
                        continue;
                    }
                    continues = false;
                }
                "HIERARCH" => {
                    if let Some((name, value)) = rest.split_once('=') {
                        header.cards.push((name.trim().to_string(), parse_value(value)));
                    }
                }
                _ => {
                    if let Some(value) = rest.strip_prefix('=') {
                        let value = parse_value(value);
                        continues = matches!(&value, Value::Text(t) if t.ends_with('&'));
                        header.cards.push((key.to_string(), value));
                    }
                }
            }
        }
        header
    }

    /// All keywords and values in order; HISTORY and COMMENT are left out.
    pub fn cards(&self) -> &[(String, Value)] {
        &self.cards
    }

    /// The text of the HISTORY cards.
    pub fn history(&self) -> &[String] {
        &self.history
    }

    /// The first value of a keyword.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.cards.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// How often a keyword stands in the header.
    pub(super) fn count(&self, key: &str) -> usize {
        self.cards.iter().filter(|(k, _)| k == key).count()
    }

    /// A string value.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Value::Text(t) => Some(t.as_str()),
            _ => None,
        }
    }

    /// An integer value; a real number without a fraction counts.
    pub fn int(&self, key: &str) -> Option<i64> {
        match self.get(key)? {
            Value::Int(i) => Some(*i),
            Value::Real(r) if r.fract() == 0.0 && r.abs() < 9e15 => Some(*r as i64),
            _ => None,
        }
    }

    /// A number; one that was written as a string counts (old files have `'0.0'`).
    pub fn real(&self, key: &str) -> Option<f64> {
        match self.get(key)? {
            Value::Int(i) => Some(*i as f64),
            Value::Real(r) => Some(*r),
            Value::Text(t) => number(t.trim()),
            _ => None,
        }
    }

    /// A logical value.
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.get(key)? {
            Value::Bool(b) => Some(*b),
            _ => None,
        }
    }
}

/// A number as FITS writes it, with E or D exponents.
fn number(text: &str) -> Option<f64> {
    let starts = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    starts.then(|| text.replace(['D', 'd'], "E").parse().ok()).flatten()
}

/// The value in the part of a card after the equals sign.
fn parse_value(text: &str) -> Value {
    let text = text.trim_start();
    if let Some(rest) = text.strip_prefix('\'') {
        let mut out = String::new();
        let mut chars = rest.chars().peekable();
        while let Some(c) = chars.next() {
            if c == '\'' {
                if chars.peek() == Some(&'\'') {
                    chars.next();
                } else {
                    break;
                }
            }
            out.push(c);
        }
        out.truncate(out.trim_end().len());
        return Value::Text(out);
    }
    let bare = text.split('/').next().unwrap_or("").trim();
    match bare {
        "T" => Value::Bool(true),
        "F" => Value::Bool(false),
        _ => match bare.parse::<i64>() {
            Ok(i) => Value::Int(i),
            Err(_) => number(bare).map_or(Value::None, Value::Real),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str]) -> Header {
        let bytes: Vec<u8> = lines.iter().flat_map(|l| format!("{l:80}").into_bytes()).collect();
        Header::parse(&bytes)
    }

    #[test]
    fn values_of_all_kinds() {
        let h = parse(&[
            "SIMPLE  =                    T / conforms",
            "BITPIX  =                  -32",
            "CDELT1  =               -0.05D0 / degrees",
            "BUNIT   = 'cm2 s   '           / it''s a comment / with slash",
            "OBJECT  = 'O''Neill & Sons'",
            "LONG    = 'first &'",
            "CONTINUE  'second&'",
            "CONTINUE  '' / end",
            "HIERARCH ESO FOO = 3",
            "HISTORY one",
            "COMMENT x = 5",
            "EMPTY   =",
        ]);
        assert_eq!(h.flag("SIMPLE"), Some(true));
        assert_eq!(h.int("BITPIX"), Some(-32));
        assert_eq!(h.real("CDELT1"), Some(-0.05));
        assert_eq!(h.text("BUNIT"), Some("cm2 s"));
        assert_eq!(h.text("OBJECT"), Some("O'Neill & Sons"));
        assert_eq!(h.text("LONG"), Some("first second"));
        assert_eq!(h.int("ESO FOO"), Some(3));
        assert_eq!(h.history(), ["one"]);
        assert_eq!(h.get("EMPTY"), Some(&Value::None));
    }
}
