//! Texts of numbers and units: minus signs, powers of ten, superscripts.

use crate::units::Unit;

/// A power in superscript digits: `-12` gives `⁻¹²`.
pub fn superscript(power: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let sign = if power < 0 { "⁻" } else { "" };
    let digits = power.unsigned_abs().to_string();
    sign.chars().chain(digits.bytes().map(|d| DIGITS[usize::from(d - b'0')])).collect()
}

/// A unit as it is printed: powers as superscripts, divisions as negative powers. What is not a unit is left as it is.
///
/// ```
/// use pevatron::plot::unit_label;
/// assert_eq!(unit_label("cm-2 s-1 TeV-1"), "cm⁻² s⁻¹ TeV⁻¹");
/// assert_eq!(unit_label("1e-12 / (cm2 s)"), "10⁻¹² cm⁻² s⁻¹");
/// ```
pub fn unit_label(unit: &str) -> String {
    // sqrt(…): powers of powers are left to the reader.
    let letters: Vec<char> = unit.chars().collect();
    let function = letters.windows(3).any(|w| w[1] == '(' && w[0].is_alphabetic() && w[2].is_alphabetic());
    if function || unit.parse::<Unit>().is_err() {
        return unit.trim().to_string();
    }
    let mut words: Vec<String> = Vec::new();
    let mut inverse = false;
    let mut group_inverse = false;
    let spaced = unit.replace("**", "^").replace(['*', '.'], " ").replace('/', " / ");
    // Numbers keep their point: only a point between words divides.
    let spaced = if unit.split_whitespace().next().is_some_and(|w| w.parse::<f64>().is_ok()) {
        unit.replace("**", "^").replace('*', " ").replace('/', " / ")
    } else {
        spaced
    };
    for word in spaced.split_whitespace() {
        if word == "/" {
            inverse = true;
            continue;
        }
        let opens = word.starts_with('(');
        if opens {
            group_inverse = inverse;
        }
        let sign = if inverse || group_inverse { -1 } else { 1 };
        inverse = false;
        if word.ends_with(')') && (opens || !word.contains('(')) {
            group_inverse = false;
        }
        words.extend(unit_word(word, sign));
    }
    words.join(" ")
}

fn unit_word(word: &str, sign: i32) -> Option<String> {
    let bare = word.trim_matches(['(', ')']);
    if bare.is_empty() || bare == "1" {
        return None;
    }
    if let Ok(number) = bare.parse::<f64>() {
        let power = number.log10();
        let whole = power.is_finite() && power.fract() == 0.0;
        return Some(if whole { format!("10{}", superscript(sign * power as i32)) } else { bare.replace('-', "−") });
    }
    let end = bare.find(|c: char| !c.is_alphabetic() && c != '°').unwrap_or(bare.len());
    let (name, power) = bare.split_at(end);
    let power = power.trim_start_matches('^').trim_matches(['(', ')']);
    let power = if power.is_empty() { Some(1) } else { power.parse::<i32>().ok() };
    Some(match power.map(|p| p * sign) {
        Some(1) => name.to_string(),
        Some(p) => format!("{name}{}", superscript(p)),
        None => bare.to_string(),
    })
}

/// A number with that many decimals and a true minus sign; never "−0".
pub(super) fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let zero = text.bytes().all(|c| matches!(c, b'-' | b'0' | b'.'));
    if zero { text.trim_start_matches('-').to_string() } else { text.replace('-', "−") }
}

/// A number in up to six significant digits without trailing zeros.
pub(super) fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".into() } else { value.to_string() };
    }
    let power = value.abs().log10().floor() as i32;
    if (-4..6).contains(&power) {
        let text = fixed(value, usize::try_from(5 - power).unwrap_or(0));
        let trimmed = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        return trimmed.to_string();
    }
    scientific(value)
}

/// Three digits, without zeros at the end.
pub(super) fn rounded(value: f64) -> String {
    let digits = (2 - value.abs().log10().floor() as i32).clamp(0, 6) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}

/// `10⁻³`, `2×10⁻³`, `1.5×10⁻³`.
pub(super) fn scientific(value: f64) -> String {
    let text = format!("{value:.3e}");
    let Some((mantissa, power)) = text.split_once('e') else { return text };
    let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.').replace('-', "−");
    let power = superscript(power.parse().unwrap_or(0));
    match mantissa.as_str() {
        "1" => format!("10{power}"),
        "−1" => format!("−10{power}"),
        _ => format!("{mantissa}×10{power}"),
    }
}

/// Name of a quantity with its unit and a power of ten taken out of the numbers: `flux [10⁻¹² cm⁻² s⁻¹]`.
pub(super) fn quantity_label(name: &str, unit: &str, power: i32) -> String {
    let unit = unit_label(unit);
    let factor = if power == 0 { String::new() } else { format!("10{}", superscript(power)) };
    let bracket = match (factor.is_empty(), unit.is_empty()) {
        (true, true) => return name.to_string(),
        (true, false) => unit,
        (false, true) => factor,
        (false, false) => format!("{factor} {unit}"),
    };
    if name.is_empty() { format!("[{bracket}]") } else { format!("{name} [{bracket}]") }
}

/// An energy in the unit that reads best.
pub(super) fn energy_text(tev: f64) -> String {
    let (unit, factor) = match tev {
        t if t < 1e-6 => ("keV", 1e9),
        t if t < 1e-3 => ("MeV", 1e6),
        t if t < 0.9995 => ("GeV", 1e3),
        _ => ("TeV", 1.0),
    };
    format!("{} {unit}", rounded(tev * factor))
}

/// A range of energies, the unit once where it is the same.
pub(super) fn range_text(lo: f64, hi: f64) -> String {
    let (lo, hi) = (energy_text(lo), energy_text(hi));
    match (lo.split_once(' '), hi.split_once(' ')) {
        (Some((value, a)), Some((_, b))) if a == b => format!("{value} – {hi}"),
        _ => format!("{lo} – {hi}"),
    }
}

/// An angle in degrees, up to three digits.
pub(super) fn angle_text(deg: f64) -> String {
    format!("{}°", rounded(deg))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_files() {
        for (unit, label) in [
            ("cm-2 s-1", "cm⁻² s⁻¹"),
            ("cm**-2/s/sr", "cm⁻² s⁻¹ sr⁻¹"),
            ("1 / (cm2 s TeV)", "cm⁻² s⁻¹ TeV⁻¹"),
            ("ph.cm^-2.s^-1", "ph cm⁻² s⁻¹"),
            ("cm(-2) s(-1)", "cm⁻² s⁻¹"),
            ("m2 s", "m² s"),
            ("1e-12 cm-2", "10⁻¹² cm⁻²"),
            ("1.5 m", "1.5 m"),
            ("", ""),
            ("1/s", "s⁻¹"),
            ("sqrt(TS)", "sqrt(TS)"),
            ("σ above (what?)", "σ above (what?)"),
        ] {
            assert_eq!(unit_label(unit), label, "{unit}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(fixed(-0.04, 1), "0.0");
        assert_eq!(fixed(-1.5, 1), "−1.5");
        assert_eq!(short(0.05), "0.05");
        assert_eq!(short(-20.0), "−20");
        assert_eq!(short(2e-12), "2×10⁻¹²");
        assert_eq!(scientific(1e-12), "10⁻¹²");
        assert_eq!(quantity_label("flux", "cm-2 s-1", -12), "flux [10⁻¹² cm⁻² s⁻¹]");
        assert_eq!(quantity_label("counts", "", 0), "counts");
        assert_eq!(quantity_label("counts", "", 4), "counts [10⁴]");
    }
}
