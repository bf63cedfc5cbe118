//! Drawing one of many cells in constant time: Walker's alias method, set up as Vose (1991, IEEE TSE 17, 972) has it.

use rand::{Rng, RngExt};

use crate::error::{Error, Result};

/// Two cells that share a slot: the first up to the threshold, the second above it.
#[derive(Debug, Clone, Copy)]
struct Slot {
    threshold: f64,
    own: u32,
    other: u32,
}

/// Cells with probabilities.
#[derive(Debug, Clone, Default)]
pub(super) struct Alias {
    slots: Vec<Slot>,
    total: f64,
}

impl Alias {
    /// From cells and weights; those of weight 0 are never drawn.
    ///
    /// # Errors
    /// [`Error::Input`] for a weight that is negative or not finite.
    pub fn new(what: &str, weights: impl Iterator<Item = (u32, f64)>) -> Result<Self> {
        let mut slots = Vec::new();
        let mut total = 0.0;
        for (cell, weight) in weights {
            if !(weight >= 0.0 && weight.is_finite()) {
                return Err(Error::input(what, format!("predicts {weight} events in a bin, which cannot be drawn"))
                    .with_help("predicted events are finite and not negative"));
            }
            if weight > 0.0 {
                slots.push(Slot { threshold: weight, own: cell, other: cell });
                total += weight;
            }
        }
        let scale = slots.len() as f64 / total;
        slots.iter_mut().for_each(|s| s.threshold *= scale);
        // Slots below 1 are filled up with cells above 1 until none is left but for rounding.
        let (mut small, mut large): (Vec<u32>, Vec<u32>) =
            (0..slots.len() as u32).partition(|i| slots[*i as usize].threshold < 1.0);
        while let (Some(s), Some(l)) = (small.pop(), large.pop()) {
            slots[s as usize].other = slots[l as usize].own;
            let rest = slots[l as usize].threshold - (1.0 - slots[s as usize].threshold);
            slots[l as usize].threshold = rest;
            if rest < 1.0 { small.push(l) } else { large.push(l) }
        }
        for i in small.into_iter().chain(large) {
            slots[i as usize].threshold = 1.0;
        }
        Ok(Self { slots, total })
    }

    /// The sum of all weights.
    pub fn total(&self) -> f64 {
        self.total
    }

    /// A cell; `None` where there are none.
    pub fn draw(&self, rng: &mut impl Rng) -> Option<u32> {
        let place = rng.random::<f64>() * self.slots.len() as f64;
        let slot = self.slots.get(place as usize)?;
        Some(if place.fract() < slot.threshold { slot.own } else { slot.other })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn cells_come_as_often_as_they_weigh() {
        let weights = [0.0, 1.0, 7.5, 0.25, 0.0, 3.0, 1e-9];
        let alias = Alias::new("a", weights.iter().enumerate().map(|(i, w)| (i as u32, *w))).unwrap();
        assert!((alias.total() - 11.75).abs() < 1e-8);
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut found = [0.0; 7];
        const N: usize = 400_000;
        for _ in 0..N {
            found[alias.draw(&mut rng).unwrap() as usize] += 1.0;
        }
        for (n, w) in found.iter().zip(weights) {
            let expected = N as f64 * w / alias.total();
            assert!((n - expected).abs() < 4.5 * expected.sqrt().max(1.0), "{n} for {expected}");
        }
    }

    #[test]
    fn empty_and_impossible_weights() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        assert_eq!(Alias::new("a", [(1, 0.0)].into_iter()).unwrap().draw(&mut rng), None);
        for weight in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(Alias::new("a", [(1, weight)].into_iter()).is_err());
        }
    }
}
