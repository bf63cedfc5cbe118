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
