//! Cubes `[plane, y, x]` in the precision that they came in.

use ndarray::{Array3, ArrayView1, ArrayView2, ArrayView3, Axis, s};
use rayon::prelude::*;

use crate::error::{Error, Result};

/// Rows that a thread takes at once where there is little to do for each.
const ROWS_AT_LEAST: usize = 64;

/// A borrowed cube `[plane, y, x]`, single or double precision: what a file says in `f32` is never widened as a whole.
#[derive(Debug, Clone, Copy)]
pub enum CubeView<'a> {
    /// Single precision.
    F32(ArrayView3<'a, f32>),
    /// Double precision.
    F64(ArrayView3<'a, f64>),
}

/// One plane `[y, x]` of a [`CubeView`].
#[derive(Debug, Clone, Copy)]
pub enum PlaneView<'a> {
    /// Single precision.
    F32(ArrayView2<'a, f32>),
    /// Double precision.
    F64(ArrayView2<'a, f64>),
}

/// An owned cube `[plane, y, x]`, single or double precision.
#[derive(Debug, Clone, PartialEq)]
pub enum Cube {
    /// Single precision.
    F32(Array3<f32>),
    /// Double precision.
    F64(Array3<f64>),
}

impl Cube {
    /// Borrows the cube.
    pub fn view(&self) -> CubeView<'_> {
        match self {
            Self::F32(a) => CubeView::F32(a.view()),
            Self::F64(a) => CubeView::F64(a.view()),
        }
    }
}

impl<'a> CubeView<'a> {
    /// The same view for a shorter time, which may end before the borrow of `self`.
    pub fn shortened<'b>(&self) -> CubeView<'b>
    where
        'a: 'b,
    {
        match *self {
            Self::F32(a) => CubeView::F32(a.reborrow()),
            Self::F64(a) => CubeView::F64(a.reborrow()),
        }
    }

    /// The same view for as long as this borrow.
    pub fn reborrow(&self) -> CubeView<'_> {
        match self {
            Self::F32(a) => CubeView::F32(a.view()),
            Self::F64(a) => CubeView::F64(a.view()),
        }
    }

    /// `(planes, ny, nx)`.
    pub fn dim(&self) -> (usize, usize, usize) {
        match self {
            Self::F32(a) => a.dim(),
            Self::F64(a) => a.dim(),
        }
    }

    /// Value at `[plane, y, x]`.
    #[inline(always)]
    pub fn at(&self, plane: usize, y: usize, x: usize) -> f64 {
        match self {
            Self::F32(a) => f64::from(a[[plane, y, x]]),
            Self::F64(a) => a[[plane, y, x]],
        }
    }

    /// One plane.
    pub fn plane(&self, plane: usize) -> PlaneView<'a> {
        match *self {
            Self::F32(a) => PlaneView::F32(a.index_axis_move(Axis(0), plane)),
            Self::F64(a) => PlaneView::F64(a.index_axis_move(Axis(0), plane)),
        }
    }

    /// True where several planes are one plane in memory, as broadcasting makes them.
    pub fn repeats_a_plane(&self) -> bool {
        let stride = match self {
            Self::F32(a) => a.strides()[0],
            Self::F64(a) => a.strides()[0],
        };
        stride == 0 && self.dim().0 > 1
    }

    /// An owned double-precision copy.
    pub fn to_f64(&self) -> Array3<f64> {
        match self {
            Self::F32(a) => a.mapv(f64::from),
            Self::F64(a) => a.to_owned(),
        }
    }

    /// Fails on a NaN, an infinity or a value below `minimum`; `name` says which array.
    ///
    /// # Errors
    /// [`Error::Input`] naming the first offending `[plane, y, x]`.
    pub fn check_values(&self, name: &str, minimum: f64) -> Result<()> {
        let sound = match *self {
            Self::F32(a) => {
                all_rows(a, |row| row.iter().fold(true, |all, v| all & v.is_finite() & (f64::from(*v) >= minimum)))
            }
            Self::F64(a) => all_rows(a, |row| row.iter().fold(true, |all, v| all & v.is_finite() & (*v >= minimum))),
        };
        if sound {
            return Ok(());
        }
        let (planes, ny, nx) = self.dim();
        for (p, y, x) in ndarray::indices((planes, ny, nx)) {
            let v = self.at(p, y, x);
            if !(v.is_finite() && v >= minimum) {
                return Err(Error::input(
                    format!("{name}[{p}, {y}, {x}]"),
                    format!("found {v}, values must be finite and at least {minimum}"),
                ));
            }
        }
        Ok(())
    }

    /// True where `sound` holds for all values of `rows`, tested by threads.
    pub fn all(&self, sound: impl Fn(f64) -> bool + Sync) -> bool {
        match *self {
            Self::F32(a) => all_rows(a, |row| row.iter().fold(true, |all, v| all & sound(f64::from(*v)))),
            Self::F64(a) => all_rows(a, |row| row.iter().fold(true, |all, v| all & sound(*v))),
        }
    }
}

/// Whether all rows are sound; rows are tested by threads.
fn all_rows<T: Sync>(cube: ArrayView3<'_, T>, sound: impl Fn(ArrayView1<'_, T>) -> bool + Sync) -> bool {
    let (planes, ny, _) = cube.dim();
    (0..planes * ny)
        .into_par_iter()
        .with_min_len(ROWS_AT_LEAST)
        .all(|row| sound(cube.slice(s![row / ny, row % ny, ..])))
}

/// A cube of other columns of each row, in standard layout.
pub fn of_columns<T: Copy>(cube: ArrayView3<'_, T>, columns: &[usize]) -> Array3<T> {
    let (planes, ny, _) = cube.dim();
    Array3::from_shape_fn((planes, ny, columns.len()), |(p, y, x)| cube[[p, y, columns[x]]])
}

impl PlaneView<'_> {
    /// Copies part of a row, from column `first` on, into `out`.
    #[inline(always)]
    pub fn copy_row(&self, y: usize, first: usize, out: &mut [f64]) {
        match self {
            Self::F32(a) => match a.row(y).to_slice() {
                Some(row) => out.iter_mut().zip(&row[first..]).for_each(|(out, v)| *out = f64::from(*v)),
                None => out.iter_mut().zip(a.row(y).iter().skip(first)).for_each(|(out, v)| *out = f64::from(*v)),
            },
            Self::F64(a) => match a.row(y).to_slice() {
                Some(row) => out.iter_mut().zip(&row[first..]).for_each(|(out, v)| *out = *v),
                None => out.iter_mut().zip(a.row(y).iter().skip(first)).for_each(|(out, v)| *out = *v),
            },
        }
    }

    /// Value at `[y, x]`.
    #[inline(always)]
    pub fn at(&self, y: usize, x: usize) -> f64 {
        match self {
            Self::F32(a) => f64::from(a[[y, x]]),
            Self::F64(a) => a[[y, x]],
        }
    }

    /// `(ny, nx)`.
    pub fn dim(&self) -> (usize, usize) {
        match self {
            Self::F32(a) => a.dim(),
            Self::F64(a) => a.dim(),
        }
    }
}
