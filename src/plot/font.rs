//! The embedded font: its bytes for the renderer, its advance widths for the layout.

use std::collections::HashMap;
use std::sync::OnceLock;

/// DejaVu Sans, the signs that scientific labels need (licence beside the file).
pub(super) const BYTES: &[u8] = include_bytes!("fonts/DejaVuSans-subset.ttf");

/// Name of the family inside the file.
pub(super) const FAMILY: &str = "DejaVu Sans";

/// Drawn where the font has no sign, so that nothing vanishes silently.
const SUBSTITUTE: char = '□';

/// Advance of signs in em.
struct Advances(HashMap<char, f64>);

fn u16_at(offset: usize) -> Option<usize> {
    let bytes = BYTES.get(offset..offset.checked_add(2)?)?;
    Some(usize::from(bytes[0]) << 8 | usize::from(bytes[1]))
}

fn table(tag: &[u8; 4]) -> Option<usize> {
    let count = u16_at(4)?;
    (0..count).map(|i| 12 + 16 * i).find_map(|record| {
        let found = BYTES.get(record..record + 4)? == tag;
        let offset = u16_at(record + 8)? << 16 | u16_at(record + 10)?;
        found.then_some(offset)
    })
}

/// Reads `cmap` (format 4), `hhea`, `hmtx` and `head` of the embedded file.
fn read() -> Option<Advances> {
    let em = u16_at(table(b"head")? + 18)? as f64;
    let metrics = u16_at(table(b"hhea")? + 34)?;
    let hmtx = table(b"hmtx")?;
    let cmap = table(b"cmap")?;
    let subtable = (0..u16_at(cmap + 2)?).find_map(|i| {
        let record = cmap + 4 + 8 * i;
        let start = cmap + (u16_at(record + 4)? << 16 | u16_at(record + 6)?);
        (u16_at(start)? == 4).then_some(start)
    })?;
    let segments = u16_at(subtable + 6)? / 2;
    let ends = subtable + 14;
    let starts = ends + 2 * segments + 2;
    let deltas = starts + 2 * segments;
    let offsets = deltas + 2 * segments;
    let mut advances = HashMap::new();
    for s in 0..segments {
        let (start, end) = (u16_at(starts + 2 * s)?, u16_at(ends + 2 * s)?);
        let (delta, offset) = (u16_at(deltas + 2 * s)?, u16_at(offsets + 2 * s)?);
        for code in start..=end {
            let glyph = if offset == 0 {
                (code + delta) & 0xffff
            } else {
                let raw = u16_at(offsets + 2 * s + offset + 2 * (code - start))?;
                if raw == 0 { 0 } else { (raw + delta) & 0xffff }
            };
            if glyph != 0
                && let Some(sign) = u32::try_from(code).ok().and_then(char::from_u32)
            {
                let advance = u16_at(hmtx + 4 * glyph.min(metrics.saturating_sub(1)))?;
                advances.insert(sign, advance as f64 / em);
            }
        }
    }
    Some(Advances(advances))
}

fn advances() -> &'static Advances {
    static ADVANCES: OnceLock<Advances> = OnceLock::new();
    ADVANCES.get_or_init(|| read().unwrap_or_else(|| Advances(HashMap::new())))
}

/// Width of a text in px at a font size in px.
pub(super) fn text_width_px(text: &str, size_px: f64) -> f64 {
    let table = &advances().0;
    text.chars().map(|c| table.get(&c).copied().unwrap_or(0.77)).sum::<f64>() * size_px
}

/// The text with signs that the font lacks replaced by a box; line breaks and tabs become blanks.
pub(super) fn drawable(text: &str) -> String {
    let table = &advances().0;
    let replace = |c: char| match c {
        c if c.is_whitespace() && !table.contains_key(&c) => ' ',
        c if table.contains_key(&c) => c,
        _ => SUBSTITUTE,
    };
    text.chars().map(replace).collect()
}

/// Width of the widest of the texts.
pub(super) fn widest<'a>(texts: impl Iterator<Item = &'a str>, size_px: f64) -> f64 {
    texts.map(|t| text_width_px(t, size_px)).fold(0.0, f64::max)
}

/// The font size, smaller where the text would be longer than `room_px`.
pub(super) fn fit(text: &str, size_px: f64, room_px: f64) -> f64 {
    let width = text_width_px(text, size_px);
    if width > room_px { size_px * room_px / width } else { size_px }
}

/// Text and font size: first smaller letters, then fewer, the unit at the end last.
pub(super) fn shorten(text: &str, size_px: f64, room_px: f64) -> (String, f64) {
    const LEAST: f64 = 0.75;
    let size = fit(text, size_px, room_px);
    if size >= LEAST * size_px {
        return (text.to_string(), size);
    }
    let (name, unit) = text.rfind(" [").map_or((text, ""), |i| text.split_at(i));
    let mut kept: Vec<char> = name.chars().collect();
    while kept.pop().is_some() {
        let shorter = format!("{}…{unit}", kept.iter().collect::<String>().trim_end());
        let size = fit(&shorter, size_px, room_px);
        if size >= LEAST * size_px || kept.is_empty() {
            return (shorter, size);
        }
    }
    (text.to_string(), size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advances_of_dejavu_sans() {
        // From the font's hmtx table (2048 units per em): digits 1303, M 1767, √ 1305.
        assert!((text_width_px("0", 2048.0) - 1303.0).abs() < 0.5);
        assert!((text_width_px("√TS", 2048.0) - 1305.0 - 1251.0 - 1300.0).abs() < 0.5);
        assert!((text_width_px("MM", 2048.0) - 2.0 * 1767.0).abs() < 0.5);
    }

    #[test]
    fn the_signs_of_labels_are_there() {
        let signs = "√TS σ μ Δ ° ′ ″ ± − × · ⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹ ₀₁₂ ≤ ≥ – — … γ é ü Å ⊙ ∞";
        assert_eq!(drawable(signs), signs);
        assert_eq!(drawable("a\t中\n"), "a □ ");
    }
}
