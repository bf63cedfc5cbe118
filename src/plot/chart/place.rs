//! From values to the drawing.

use super::super::scale::Scale;
use super::super::stretch::Stretch;
use super::super::svg::Rect;

/// The area between the axes, and what they stand for.
pub(in crate::plot) struct Place {
    pub(in crate::plot) plot: Rect,
    pub(in crate::plot) scales: (Scale, Scale),
}

impl Place {
    /// `None` where a value is not finite, or not positive on a logarithmic axis.
    pub(in crate::plot) fn at(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        let usable = |scale: &Scale, v: f64| v.is_finite() && (scale.stretch != Stretch::Log || v > 0.0);
        (usable(&self.scales.0, x) && usable(&self.scales.1, y)).then(|| {
            // Far outside is as good as outside, and keeps the renderer's numbers small.
            let t = |scale: &Scale, v: f64| scale.position(v).clamp(-20.0, 20.0);
            (self.plot.x + t(&self.scales.0, x) * self.plot.w, self.plot.bottom() - t(&self.scales.1, y) * self.plot.h)
        })
    }

    /// The same with values that a logarithmic axis cannot show moved to its lower end.
    pub(super) fn at_clamped(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        let shown = |scale: &Scale, v: f64| if scale.stretch == Stretch::Log && v <= 0.0 { scale.lo } else { v };
        self.at((shown(&self.scales.0, x), shown(&self.scales.1, y)))
    }
}
