//! Plans of square real transforms in single and double precision.
//!
//! Transforms of rustfft are generic: whoever makes a plan compiles the butterflies of every size for every instruction
//! set. This crate does it for `f32` and `f64`, so that the library, which is edited, does not.
//!
//! ```
//! use pevatron_fft::{Planned, num_complex::Complex};
//!
//! let plans = f64::plans(16);
//! let mut row = vec![1.0; 16];
//! let mut spectrum = vec![Complex::default(); 9];
//! plans.rows.process(&mut row, &mut spectrum).unwrap();
//! assert_eq!(spectrum[0].re, 16.0);
//! assert!(spectrum[1..].iter().all(|v| v.norm() < 1e-12));
//! ```

use std::sync::Arc;

pub use rustfft::{FftNum, num_complex};

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::{Fft, FftPlanner};

/// The transforms of a square of `side * side` real numbers: its rows, and the columns of their spectra.
pub struct Plans<T: FftNum> {
    /// A row to its spectrum.
    pub rows: Arc<dyn RealToComplex<T>>,
    /// A spectrum to its row.
    pub rows_back: Arc<dyn ComplexToReal<T>>,
    /// A column of spectra.
    pub columns: Arc<dyn Fft<T>>,
    /// A column of spectra, back.
    pub columns_back: Arc<dyn Fft<T>>,
}

/// A precision whose transforms are compiled here.
pub trait Planned: FftNum {
    /// The plans of a square with sides of `side` numbers.
    fn plans(side: usize) -> Plans<Self>;
}

macro_rules! planned {
    ($($number:ty),*) => {
        $(impl Planned for $number {
            // Inlined, the butterflies would be the caller's.
            #[inline(never)]
            fn plans(side: usize) -> Plans<Self> {
                let mut real = RealFftPlanner::<Self>::new();
                let mut complex = FftPlanner::<Self>::new();
                Plans {
                    rows: real.plan_fft_forward(side),
                    rows_back: real.plan_fft_inverse(side),
                    columns: complex.plan_fft_forward(side),
                    columns_back: complex.plan_fft_inverse(side),
                }
            }
        })*
    };
}

planned!(f32, f64);
