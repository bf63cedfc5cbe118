//! Rice's code of integers (Rice, Yeh and Miller 1993; FITS standard 4.0, section 10.4.1).
//!
//! ```text
//! first value ─ for each block of pixels: split, as a short number ─ for each pixel: its difference from the last one
//! ```
//!
//! Differences have their sign in the lowest bit. Where the split is s, the bits above the lowest s of a difference are
//! counted out as so many zeros and a one, the others follow. A split of 0 says that all differences are 0, the highest
//! one that they are written out in full.

/// Bits that come first byte first, highest bit first.
struct Bits<'a> {
    bytes: &'a [u8],
    /// The next bits, from the top; what is not filled is 0.
    ahead: u64,
    filled: u32,
}

impl Bits<'_> {
    fn fill(&mut self) {
        while self.filled <= 56
            && let Some((byte, rest)) = self.bytes.split_first()
        {
            self.ahead |= u64::from(*byte) << (56 - self.filled);
            self.filled += 8;
            self.bytes = rest;
        }
    }

    /// The next `count` bits, 32 at most; `None` at the end.
    #[inline]
    fn take(&mut self, count: u32) -> Option<u32> {
        if count == 0 {
            return Some(0);
        }
        if self.filled < count {
            self.fill();
            if self.filled < count {
                return None;
            }
        }
        let value = (self.ahead >> (64 - count)) as u32;
        self.ahead <<= count;
        self.filled -= count;
        Some(value)
    }

    /// How many zeros stand before the next one, which is passed, too.
    #[inline]
    fn zeros(&mut self) -> Option<u64> {
        let mut zeros = 0;
        while self.ahead == 0 {
            zeros += u64::from(self.filled);
            self.filled = 0;
            self.fill();
            if self.filled == 0 {
                return None;
            }
        }
        let more = self.ahead.leading_zeros();
        self.ahead = (self.ahead << more) << 1;
        self.filled -= more + 1;
        Some(zeros + u64::from(more))
    }

    /// Whole bytes that are left.
    fn left(&self) -> usize {
        self.bytes.len() + self.filled as usize / 8
    }
}

/// Bytes that may follow what is needed: some writers fill up whole words.
const FILLING: usize = 7;

/// Bits in which the split of a block is written, for values of 1, 2 or 4 bytes.
pub(super) fn split_bits(bytes: usize) -> u32 {
    match bytes {
        1 => 3,
        2 => 4,
        _ => 5,
    }
}

/// Fills `out` with the values of a tile: of 1 byte without, of 2 and 4 bytes with a sign.
///
/// # Errors
/// What is wrong with the bytes.
pub(super) fn decode(stream: &[u8], bytes: usize, block: usize, out: &mut [i32]) -> Result<(), String> {
    let width = 8 * bytes as u32;
    let split_bits = split_bits(bytes);
    let in_full = match bytes {
        1 => 6,
        2 => 14,
        _ => 25,
    };
    let signed = |value: u32| match bytes {
        1 => i32::from(value as u8),
        2 => i32::from(value as u16 as i16),
        _ => value as i32,
    };
    let total = out.len();
    let ends = |pixel: usize| format!("the RICE code ends at pixel {pixel} of {total}");
    let mut bits = Bits { bytes: stream, ahead: 0, filled: 0 };
    let mut last = bits.take(width).ok_or_else(|| ends(0))?;
    for (n, part) in out.chunks_mut(block.max(1)).enumerate() {
        let at = n * block;
        let split = bits.take(split_bits).ok_or_else(|| ends(at))?;
        if split == 0 {
            part.fill(signed(last));
            continue;
        }
        let split = split - 1;
        if split > in_full {
            return Err(format!("the RICE code has no block with a split of {split} (pixel {at})"));
        }
        for (i, value) in part.iter_mut().enumerate() {
            let difference = if split == in_full {
                bits.take(width).ok_or_else(|| ends(at + i))?
            } else {
                let high = bits.zeros().ok_or_else(|| ends(at + i))?;
                if high >> (width - split) != 0 {
                    return Err(format!("the RICE code has a difference of more than {width} bits (pixel {})", at + i));
                }
                (high as u32) << split | bits.take(split).ok_or_else(|| ends(at + i))?
            };
            let difference = if difference & 1 == 0 { difference >> 1 } else { !(difference >> 1) };
            last = last.wrapping_add(difference);
            *value = signed(last);
        }
    }
    match bits.left() {
        0..=FILLING => Ok(()),
        left => Err(format!("{left} bytes follow the RICE code of the {total} pixels of the tile")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code of two blocks by hand: 5, then differences +1 and −1 (split 1), then none.
    #[test]
    fn a_code_by_hand() {
        // 8 bits: 5; 3 bits: split 1 + 1; differences 2 → high 1, low 0: "01" "0"; 1 → high 0, low 1: "1" "1"; 3 bits: 0.
        let bits = "00000101 010 010 11 000";
        let digits: Vec<u8> = bits.bytes().filter(|b| *b != b' ').map(|b| b - b'0').collect();
        let bytes: Vec<u8> =
            digits.chunks(8).map(|c| c.iter().enumerate().fold(0, |byte, (i, bit)| byte | bit << (7 - i))).collect();
        let mut out = [0; 4];
        decode(&bytes, 1, 2, &mut out).unwrap();
        assert_eq!(out, [6, 5, 5, 5]);
        assert!(decode(&bytes[..1], 1, 2, &mut out).is_err());
        assert!(decode(&[], 4, 32, &mut out).is_err());
    }

    #[test]
    fn no_bytes_end_the_process() {
        let mut seed = 1u64;
        for length in 0..200 {
            let bytes: Vec<u8> = (0..length)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (seed >> 56) as u8 & (seed >> 40) as u8
                })
                .collect();
            for (size, block) in [(1, 16), (2, 32), (4, 32), (4, 1), (2, 64)] {
                let mut out = vec![0; 300];
                let _ = decode(&bytes, size, block, &mut out);
            }
        }
    }
}
