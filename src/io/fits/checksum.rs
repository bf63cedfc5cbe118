//! The checksums of HDUs (FITS standard 4.0, section 4.4.2.7 and appendix J), for data that are never in memory as a
//! whole.

/// Ones' complement sum of 32-bit words, in the order of bytes that files have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Checksum(u64);

impl Checksum {
    /// Adds bytes; each call adds whole words of four bytes, the last one is filled up with 0.
    pub fn add(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<4>();
        // 2^32 words of 32 bits fit; sums are carried around at the end of each call.
        let mut sum: u64 = words.iter().map(|w| u64::from(u32::from_be_bytes(*w))).sum();
        if !rest.is_empty() {
            let mut last = [0; 4];
            last[..rest.len()].copy_from_slice(rest);
            sum += u64::from(u32::from_be_bytes(last));
        }
        self.join(Self(sum));
    }

    /// Adds the sum of other words.
    pub fn join(&mut self, other: Self) {
        self.0 = u64::from(Self(self.0).value()) + u64::from(other.value());
    }

    /// The sum, carries taken around.
    pub fn value(self) -> u32 {
        let mut sum = self.0;
        while sum > u64::from(u32::MAX) {
            sum = (sum >> 32) + (sum & u64::from(u32::MAX));
        }
        sum as u32
    }

    /// The value of CHECKSUM that makes the sum of an HDU all ones, where this is the sum with a value of zeros.
    pub fn encoded(self) -> String {
        let complement = (!self.value()).to_be_bytes();
        let mut text = [0u8; 16];
        for (i, byte) in complement.into_iter().enumerate() {
            let mut letters = [byte / 4 + b'0'; 4];
            letters[0] += byte % 4;
            // Two letters move apart until none is a punctuation mark; their sum stays.
            let marks = |c: u8| (b':'..=b'@').contains(&c) || (b'['..=b'`').contains(&c);
            for pair in letters.chunks_exact_mut(2) {
                while marks(pair[0]) || marks(pair[1]) {
                    pair[0] += 1;
                    pair[1] -= 1;
                }
            }
            for (j, letter) in letters.into_iter().enumerate() {
                // The value starts one byte after a whole word.
                text[(4 * j + i + 1) % 16] = letter;
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the standard's appendix J: the sum 868229149 is encoded as this.
    #[test]
    fn encoding_is_that_of_the_standard() {
        assert_eq!(Checksum(868_229_149).encoded(), "hcHjjc9ghcEghc9g");
    }

    #[test]
    fn parts_make_the_same_sum() {
        let bytes: Vec<u8> = (0..4000u32).map(|i| (i * i % 251) as u8).collect();
        let mut whole = Checksum::default();
        whole.add(&bytes);
        let mut parts = Checksum::default();
        for part in bytes.chunks(36) {
            let mut sum = Checksum::default();
            sum.add(part);
            parts.join(sum);
        }
        assert_eq!(whole.value(), parts.value());
        let mut ones = Checksum::default();
        ones.add(&[0xff; 8]);
        assert_eq!(ones.value(), u32::MAX);
    }
}
