//! A FITS file in pieces, to make broken ones: cards and data of each HDU can be changed, taken away or swapped.

use std::io::{Read, Write};
use std::path::Path;

const BLOCK: usize = 2880;
const CARD: usize = 80;

/// Header cards (80 characters each, without END) and data (without padding).
#[derive(Debug, Clone)]
pub struct Hdu {
    pub cards: Vec<String>,
    pub data: Vec<u8>,
}

#[derive(Debug, Clone)]
pub struct FitsFile {
    pub hdus: Vec<Hdu>,
}

impl Hdu {
    /// The value of a keyword as it stands in the card, without quotes.
    pub fn value(&self, key: &str) -> Option<String> {
        let card = self.cards.iter().find(|c| c[..8].trim_end() == key && c[8..].starts_with("= "))?;
        let text = card[10..].trim();
        Some(match text.strip_prefix('\'') {
            Some(rest) => rest.split('\'').next().unwrap().trim_end().to_string(),
            None => text.split('/').next().unwrap().trim().to_string(),
        })
    }

    fn number(&self, key: &str) -> usize {
        self.value(key).map_or(0, |v| v.parse().unwrap())
    }

    /// Puts a card in place of the one with its keyword, or at the end. `value` as it stands, text with its quotes.
    pub fn set(&mut self, key: &str, value: &str) {
        let card = format!("{:<80}", format!("{key:<8}= {value:>20}"));
        match self.cards.iter().position(|c| c[..8].trim_end() == key) {
            Some(i) => self.cards[i] = card,
            None => self.cards.push(card),
        }
    }

    /// Takes a card away.
    pub fn unset(&mut self, key: &str) {
        self.cards.retain(|c| c[..8].trim_end() != key);
    }

    /// Sets one value of a single-precision image.
    pub fn set_f32(&mut self, index: usize, value: f32) {
        assert_eq!(self.value("BITPIX").unwrap(), "-32");
        self.data[4 * index..4 * index + 4].copy_from_slice(&value.to_be_bytes());
    }

    fn data_bytes(&self) -> usize {
        let bits: i64 = self.value("BITPIX").unwrap().parse().unwrap();
        let naxis = self.number("NAXIS");
        if naxis == 0 {
            return 0;
        }
        let values: usize = (1..=naxis).map(|i| self.number(&format!("NAXIS{i}"))).product();
        bits.unsigned_abs() as usize / 8 * (self.number("PCOUNT") + values)
    }
}

impl FitsFile {
    /// Reads a file, gzip or not.
    pub fn read(path: impl AsRef<Path>) -> Self {
        let mut bytes = std::fs::read(path).unwrap();
        if bytes.starts_with(&[0x1f, 0x8b]) {
            let mut plain = Vec::new();
            flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).unwrap();
            bytes = plain;
        }
        let mut hdus = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let mut hdu = Hdu { cards: Vec::new(), data: Vec::new() };
            let mut end = at;
            for card in bytes[at..].chunks_exact(CARD) {
                end += CARD;
                let card = String::from_utf8(card.to_vec()).unwrap();
                if card.trim_end() == "END" {
                    break;
                }
                hdu.cards.push(card);
            }
            at += (end - at).div_ceil(BLOCK) * BLOCK;
            let size = hdu.data_bytes();
            hdu.data = bytes[at..at + size].to_vec();
            at += size.div_ceil(BLOCK) * BLOCK;
            hdus.push(hdu);
        }
        Self { hdus }
    }

    fn position(&self, name: &str) -> usize {
        let found = self.hdus.iter().position(|h| h.value("EXTNAME").as_deref() == Some(name));
        found.unwrap_or_else(|| panic!("there is no HDU {name}"))
    }

    pub fn hdu(&mut self, name: &str) -> &mut Hdu {
        let at = self.position(name);
        &mut self.hdus[at]
    }

    /// Takes an HDU away, and its bands.
    pub fn remove(&mut self, name: &str) {
        let bands = format!("{name}_BANDS");
        self.hdus.retain(|h| h.value("EXTNAME").is_none_or(|n| n != name && n != bands));
    }

    /// Puts the HDU of another file, and its bands, in place of ours.
    pub fn replace(&mut self, name: &str, other: &FitsFile) {
        for name in [name.to_string(), format!("{name}_BANDS")] {
            let at = self.position(&name);
            self.hdus[at] = other.hdus[other.position(&name)].clone();
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for hdu in &self.hdus {
            for card in &hdu.cards {
                out.extend_from_slice(&card.as_bytes()[..CARD]);
            }
            out.extend_from_slice(format!("{:<80}", "END").as_bytes());
            out.resize(out.len().div_ceil(BLOCK) * BLOCK, b' ');
            out.extend_from_slice(&hdu.data);
            out.resize(out.len().div_ceil(BLOCK) * BLOCK, 0);
        }
        out
    }

    pub fn write(&self, path: impl AsRef<Path>) {
        std::fs::write(path, self.bytes()).unwrap();
    }

    pub fn write_gz(&self, path: impl AsRef<Path>) {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&self.bytes()).unwrap();
        std::fs::write(path, encoder.finish().unwrap()).unwrap();
    }
}

/// A column of a table: TTYPE, TFORM, TUNIT and the bytes of each row.
pub type Cells = (&'static str, String, &'static str, Vec<Vec<u8>>);

/// A column of 32-bit integers.
pub fn whole(name: &'static str, values: &[i32]) -> Cells {
    (name, "J".into(), "", values.iter().map(|v| v.to_be_bytes().to_vec()).collect())
}

/// A column of double precision numbers.
pub fn real(name: &'static str, unit: &'static str, values: &[f64]) -> Cells {
    (name, "D".into(), unit, values.iter().map(|v| v.to_be_bytes().to_vec()).collect())
}

/// A column with a list of double precision numbers in each row.
pub fn lists(name: &'static str, unit: &'static str, rows: &[Vec<f64>]) -> Cells {
    let bytes = rows.iter().map(|row| row.iter().flat_map(|v| v.to_be_bytes()).collect()).collect();
    (name, format!("{}D", rows[0].len()), unit, bytes)
}

/// A column of texts.
pub fn texts(name: &'static str, values: &[&str]) -> Cells {
    (name, "24A".into(), "", values.iter().map(|v| format!("{v:<24}").into_bytes()).collect())
}

/// A text as it stands in a card.
pub fn quoted(text: &str) -> String {
    format!("'{text:<8}'")
}

/// A table of columns with more keywords, whose values are as they stand in the cards.
pub fn table_of(name: &str, columns: &[Cells], more: &[(&str, &str)]) -> Hdu {
    let rows = columns[0].3.len();
    let data: Vec<u8> = (0..rows).flat_map(|row| columns.iter().flat_map(move |c| c.3[row].clone())).collect();
    let mut hdu = Hdu { cards: Vec::new(), data };
    let width = hdu.data.len() / rows;
    for (key, value) in [
        ("XTENSION", quoted("BINTABLE")),
        ("BITPIX", "8".into()),
        ("NAXIS", "2".into()),
        ("NAXIS1", width.to_string()),
        ("NAXIS2", rows.to_string()),
        ("PCOUNT", "0".into()),
        ("GCOUNT", "1".into()),
        ("TFIELDS", columns.len().to_string()),
        ("EXTNAME", quoted(name)),
    ] {
        hdu.set(key, &value);
    }
    for (n, (name, form, unit, _)) in columns.iter().enumerate() {
        hdu.set(&format!("TTYPE{}", n + 1), &quoted(name));
        hdu.set(&format!("TFORM{}", n + 1), &quoted(form));
        if !unit.is_empty() {
            hdu.set(&format!("TUNIT{}", n + 1), &quoted(unit));
        }
    }
    for (key, value) in more {
        hdu.set(key, value);
    }
    hdu
}

/// A file of tables, behind an empty first HDU.
pub fn file_of(tables: Vec<Hdu>) -> FitsFile {
    let mut primary = Hdu { cards: Vec::new(), data: Vec::new() };
    for (key, value) in [("SIMPLE", "T"), ("BITPIX", "8"), ("NAXIS", "0")] {
        primary.set(key, value);
    }
    FitsFile { hdus: [vec![primary], tables].concat() }
}
