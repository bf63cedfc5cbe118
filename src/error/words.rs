//! Numbers in sentences.

/// A number with what it counts, and the verb that follows: `1 bin has`, `3 bins have`.
///
/// `noun` and `verb` are those of one; a regular noun gets its `s`.
pub(crate) fn of_number(number: usize, noun: &str, verb: &str) -> String {
    format!("{} {}", counted(number, noun), verb_of(number, verb))
}

/// The verb that follows a number, from that of one: `has` for 1, `have` for all others.
pub(crate) fn verb_of(number: usize, verb: &str) -> &str {
    match (number, verb) {
        (1, verb) => verb,
        (_, "has") => "have",
        (_, "is") => "are",
        (_, verb) => verb.strip_suffix('s').unwrap_or(verb),
    }
}

/// A number with what it counts: `1 pixel`, `0 pixels`.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::{counted, of_number};

    #[test]
    fn one_and_many() {
        assert_eq!([0, 1, 2].map(|n| counted(n, "pixel")), ["0 pixels", "1 pixel", "2 pixels"]);
        assert_eq!([1, 2].map(|n| of_number(n, "bin", "has")), ["1 bin has", "2 bins have"]);
        assert_eq!([0, 1].map(|n| of_number(n, "value", "is")), ["0 values are", "1 value is"]);
        assert_eq!([1, 7].map(|n| of_number(n, "row", "sums")), ["1 row sums", "7 rows sum"]);
    }
}
