//! Units and quantities of all spellings: against astropy (tests/units/astropy_units.py makes the table), and for texts of any kind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::time::{Duration, Instant};

use pevatron::units::{Angle, Energy, Quantity, Unit, parse_list};
use proptest::prelude::*;

#[test]
fn spellings_mean_what_astropy_says() {
    let text = include_str!("../data/units.csv");
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(';').collect();
        let [spelling, formats, factor, unit] = fields[..] else { panic!("{line}") };
        let factor: f64 = factor.parse().unwrap();
        count += 1;
        match spelling.parse::<Unit>().and_then(|u| u.factor_to_text(unit)) {
            // The kilogram of the Sun and of the atomic unit are measured; all others are exact to rounding.
            Ok(found) if (found / factor - 1.0).abs() < 1e-9 => {}
            Ok(found) => wrong.push(format!("'{spelling}' ({formats}): {found} where {factor} {unit} is right")),
            Err(e) => wrong.push(format!("'{spelling}' ({formats}): {e}")),
        }
    }
    assert!(count >= 300, "only {count} spellings");
    assert!(wrong.is_empty(), "{} of {count} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn spellings_of_people() {
    let factor =
        |a: &str, b: &str| a.parse::<Unit>().and_then(|u| u.factor_to_text(b)).unwrap_or_else(|e| panic!("{a}: {e}"));
    for (text, same) in [
        ("photons/cm2/s", "cm-2 s-1"),
        ("counts", ""),
        ("cts/s", "s-1"),
        ("events", ""),
        ("1/cm2/s/TeV", "cm-2 s-1 TeV-1"),
        ("1/cm2 s", "cm-2 s-1"),
        ("(cm2 s TeV)-1", "cm-2 s-1 TeV-1"),
        ("(cm2 s TeV)^-1", "cm-2 s-1 TeV-1"),
        ("(cm² s TeV)⁻¹", "cm-2 s-1 TeV-1"),
        ("cm−2·s−1", "cm-2 s-1"),
        ("10⁻¹² cm⁻²", "1e-12 cm-2"),
        ("1.5 x 10^-12 cm-2", "1.5e-12 cm-2"),
        ("cm ** -2", "cm-2"),
        ("m^0.5", "sqrt(m)"),
        ("m^(0.333)", "m(1/3)"),
        ("degrees", "deg"),
        ("seconds", "s"),
        ("sec", "s"),
        ("none", ""),
        ("milliJansky", "mJy"),
        ("kilometer", "km"),
        ("cm-2 1e-12", "1e-12 cm-2"),
        ("TeV*cm-2*s-1", "TeV cm-2 s-1"),
    ] {
        assert!((factor(text, same) - 1.0).abs() < 1e-12, "'{text}' is {} {same}", factor(text, same));
    }
    // Written for other tools: what they do not read is spelled anew.
    for (text, written) in [
        ("photons cm-2 s-1", "ph cm-2 s-1"),
        ("1e-12 cm-2", "10**-12 cm-2"),
        ("10**-12 cm-2 s-1", "10**-12 cm-2 s-1"),
        ("1 / (TeV s cm2)", "1 / (TeV s cm2)"),
        ("1/cm2/s", "cm-2 s-1"),
        ("cm⁻² µs⁻¹", "cm-2 us-1"),
        ("m^0.5", "m(1/2)"),
        ("(cm2 s)-1", "cm-2 s-1"),
    ] {
        assert_eq!(text.parse::<Unit>().unwrap().to_string(), written, "{text}");
    }
}

#[test]
fn what_is_ambiguous_or_no_unit_is_refused_with_the_reason() {
    for (text, reason) in [
        ("m/s*kg", "two ways"),
        ("erg/s cm-2", "two ways"),
        ("1/(cm2 s) TeV-1", "two ways"),
        ("m1/2", "two ways"),
        ("m^1/2", "two ways"),
        ("m0.5", "two ways"),
        ("m2.5", "two ways"),
        ("erg/10 cm2", "two ways"),
        ("m 2 s", "two ways"),
        ("1d-12 cm-2", "two ways"),
        ("mag", "logarithmic"),
        ("log(Hz)", "logarithmic"),
        ("[cm-2]", "logarithm"),
        ("mCrab", "Crab"),
        ("degC", "kelvin"),
        ("MJD", "'d'"),
        ("b", "barn"),
        ("cm --2", "sign"),
        ("cm^", "exponent"),
        ("cm^^2", "exponent"),
        ("cm2^2", "no power"),
        ("cm99999", "too large"),
        ("m^(1/7)", "simple fraction"),
        ("-2 m", "sign"),
        ("0 m", "positive"),
        ("1e400 m", "positive"),
        ("1e300 m 1e300 s", "beyond"),
        ("*m", "operator"),
        ("m*", "operator"),
        ("m//s", "operator"),
        ("m/", "operator"),
        ("()", "nothing"),
        ("(m", "not closed"),
        ("m)", "closes nothing"),
        ("erg(cm s)", "function"),
        ("\\frac{m}{s}", "LaTeX"),
        ("µ", "not a known unit"),
        ("1e-310 m", "beyond"),
        ("furlong", "not a known unit"),
        ("mev", "not a known unit"),
        ("cm-2 s-1 TEV-1", "not a known unit"),
    ] {
        let error = text.parse::<Unit>().unwrap_err().to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
    let help = |text: &str| text.parse::<Unit>().unwrap_err().help().unwrap_or_default().to_string();
    assert!(help("mev").contains("'MeV'") && help("mev").contains("'meV'"), "{}", help("mev"));
    assert!(help("TEV").contains("'TeV'") && help("JY").contains("'Jy'"), "{} {}", help("TEV"), help("JY"));
}

#[test]
fn long_texts_take_no_time() {
    let start = Instant::now();
    for text in
        ["(".repeat(100_000), "m ".repeat(100_000), "1".repeat(100_000), "m^".repeat(50_000), "𝛼".repeat(50_000)]
    {
        assert!(text.parse::<Unit>().is_err());
        let _ = (text.parse::<Quantity>(), Unit::parse_or_keep(&text), parse_list(&text));
    }
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

/// Pieces that units are made of, and some that they are not.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "cm", "s", "TeV", "erg", "m", "d", "e", "x", "sqrt", "photons", "sr", "beam", "J", "1", "2", "-2", "10",
        "1e-12", "2.5", "0", "**", "^", "*", ".", "/", " ", "(", ")", "(-2)", "(1/2)", "+", "-", "⁻²", "µ", "×", "·",
        "−", "Å", "%", "mag", "[", "\\", "\t",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|p| p.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_is_shown_and_read_again(text in pieces()) {
        if let Ok(unit) = text.parse::<Unit>() {
            let again: Unit = unit.to_string().parse().map_err(|e| TestCaseError::fail(format!("{text} -> {unit}: {e}")))?;
            prop_assert_eq!(&again, &unit, "{} -> {}", text, unit);
            let square = unit.times(&unit);
            if let Ok(read) = square.to_string().parse::<Unit>() {
                prop_assert_eq!(&read, &square, "{} squared", unit);
            }
        }
        if let Ok(q) = text.parse::<Quantity>() {
            prop_assert!(q.value.is_finite());
            let again: Quantity = q.to_string().parse().map_err(|e| TestCaseError::fail(format!("{text} -> {q}: {e}")))?;
            prop_assert_eq!(&again.unit, &q.unit);
            prop_assert_eq!(again.value, q.value);
        }
    }

    #[test]
    fn no_text_is_too_much(text in ".{0,40}") {
        let unit = Unit::parse_or_keep(&text);
        prop_assert!(unit.factor_to(&unit).is_ok());
        let _ = (text.parse::<Quantity>(), text.parse::<Angle>(), text.parse::<Energy>(), parse_list(&text));
    }

    #[test]
    fn a_number_and_its_unit_make_a_quantity(value in prop::num::f64::NORMAL, unit in prop::sample::select(vec!["cm-2 s-1", "deg", "", "/cm2"])) {
        let plain: Quantity = format!("{value:?} {unit}").parse().unwrap();
        prop_assert_eq!(plain.value, value);
        prop_assert_eq!(plain.unit, unit.parse::<Unit>().unwrap());
    }
}
