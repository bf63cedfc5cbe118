//! One axis of a chart: its name, unit, kind and ends.

use super::super::label;
use super::super::scale::Scale;
use super::super::stretch::Stretch;

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ChartAxis {
    pub(super) name: String,
    pub(super) unit: String,
    pub(super) log: bool,
    pub(super) range: Option<(f64, f64)>,
    /// Numbers of a logarithmic axis as powers of ten.
    pub(super) powers: bool,
    /// Without name and labels: the panel below has them.
    pub(super) bare: bool,
}

impl ChartAxis {
    /// The axis around the values, a little wider than they are.
    pub(super) fn scale(&self, values: impl Iterator<Item = f64>) -> Scale {
        self.ends(values).with_powers(self.powers)
    }

    fn ends(&self, values: impl Iterator<Item = f64>) -> Scale {
        let stretch = if self.log { Stretch::Log } else { Stretch::Linear };
        if let Some((lo, hi)) = self.range {
            return Scale::new(stretch, lo, hi);
        }
        let usable = values.filter(|v| v.is_finite() && (!self.log || *v > 0.0));
        let ends = usable.fold(None, |ends: Option<(f64, f64)>, v| match ends {
            Some((lo, hi)) => Some((lo.min(v), hi.max(v))),
            None => Some((v, v)),
        });
        let (lo, hi) = ends.unwrap_or(if self.log { (1.0, 10.0) } else { (0.0, 1.0) });
        let tight = Scale::new(stretch, lo, hi);
        if lo == hi { tight } else { Scale::new(stretch, tight.value(-0.05), tight.value(1.05)) }
    }

    pub(super) fn label(&self, scale: &Scale) -> String {
        label::quantity_label(&self.name, &self.unit, scale.label_power())
    }
}
