//! Sums that keep their digits.

/// A compensated sum (Neumaier 1974): as good as twice the precision for the lengths met here.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    /// Adds a term.
    #[inline(always)]
    pub fn add(&mut self, term: f64) {
        let next = self.sum + term;
        self.lost += if self.sum.abs() >= term.abs() { (self.sum - next) + term } else { (term - next) + self.sum };
        self.sum = next;
    }

    /// The sum so far.
    #[inline(always)]
    pub fn value(self) -> f64 {
        self.sum + self.lost
    }

    /// The sum of all terms.
    pub fn of(terms: impl Iterator<Item = f64>) -> f64 {
        let mut sum = Self::default();
        for term in terms {
            sum.add(term);
        }
        sum.value()
    }
}
