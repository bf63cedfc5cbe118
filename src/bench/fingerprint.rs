//! A 64-bit fingerprint of numbers: the same bits give the same fingerprint on every machine. It tells apart inputs
//! and results of benchmarks; it protects against nobody.

use ndarray::{ArrayBase, Data, Dimension};

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// FNV-1a over 64-bit words instead of bytes, with a final mix so that the high bits of a word reach the low ones.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fingerprint(u64);

impl Fingerprint {
    pub(super) fn new() -> Self {
        Self(OFFSET)
    }

    pub(super) fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word ^ (word >> 32)).wrapping_mul(PRIME);
    }

    pub(super) fn single<S: Data<Elem = f32>, D: Dimension>(&mut self, array: &ArrayBase<S, D>) {
        array.shape().iter().for_each(|n| self.word(*n as u64));
        array.iter().for_each(|v| self.word(u64::from(v.to_bits())));
    }

    pub(super) fn double<S: Data<Elem = f64>, D: Dimension>(&mut self, array: &ArrayBase<S, D>) {
        array.shape().iter().for_each(|n| self.word(*n as u64));
        array.iter().for_each(|v| self.word(v.to_bits()));
    }

    pub(super) fn finish(self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ (mixed >> 33)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn of(values: [f64; 3]) -> u64 {
        let mut print = Fingerprint::new();
        print.double(&array![values[0], values[1], values[2]]);
        print.finish()
    }

    #[test]
    fn one_bit_or_the_order_changes_it() {
        assert_eq!(of([1.0, 2.0, 3.0]), of([1.0, 2.0, 3.0]));
        let all = [of([1.0, 2.0, 3.0]), of([2.0, 1.0, 3.0]), of([1.0, 2.0, 3.0f64.next_up()]), of([-1.0, 2.0, 3.0])];
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b), "{all:x?}");
        }
    }
}
