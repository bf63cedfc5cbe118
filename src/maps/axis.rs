//! Non-spatial axes: energy, energy_true, rad, migra, norm, time.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::time::TimeReference;
use crate::units::Unit;

/// In which scale values between nodes are interpolated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AxisInterp {
    /// Linear.
    Lin,
    /// Logarithmic.
    Log,
    /// Square root.
    Sqrt,
}

impl AxisInterp {
    fn forward(self, v: f64) -> f64 {
        match self {
            Self::Lin => v,
            Self::Log => v.ln(),
            Self::Sqrt => v.sqrt(),
        }
    }

    fn backward(self, v: f64) -> f64 {
        match self {
            Self::Lin => v,
            Self::Log => v.exp(),
            Self::Sqrt => v * v,
        }
    }
}

/// Whether the nodes of an axis are the edges of its bins or their centres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeType {
    /// Bins have edges; centres lie in the middle in the axis' scale.
    Edges,
    /// Values are known at nodes (Fermi exposures); edges are halfway in the axis' scale.
    Center,
    /// Each bin has a start and a stop of its own, with gaps between bins (times of a light curve).
    Intervals,
}

/// A non-spatial axis. Pixel coordinates: bin `i` is centred on `i`, its edges are `i ± 0.5`.
///
/// ```
/// use pevatron::maps::MapAxis;
/// let axis = MapAxis::energy_bounds(1.0, 100.0, 2, "energy")?;
/// assert!((axis.edges()[1] - 10.0).abs() < 1e-12);
/// assert!((axis.center()[0] - 10f64.sqrt()).abs() < 1e-12);
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MapAxis {
    name: String,
    unit: Unit,
    nodes: Vec<f64>,
    node_type: NodeType,
    interp: AxisInterp,
    reference: Option<TimeReference>,
    /// Where the values of the bins belong, if not in their middle.
    centers: Option<Vec<f64>>,
}

impl MapAxis {
    /// From bin edges (one more than bins), in `unit`, strictly increasing.
    ///
    /// # Errors
    /// [`Error::Input`] for fewer than two edges, or edges that do not increase, are not finite, or are not positive
    /// on a logarithmic axis.
    pub fn from_edges(name: &str, unit: Unit, edges: Vec<f64>, interp: AxisInterp) -> Result<Self> {
        Self::checked(name, unit, edges, NodeType::Edges, interp)
    }

    /// From nodes (bin centres), in `unit`, strictly increasing.
    ///
    /// # Errors
    /// As [`MapAxis::from_edges`], with at least one node.
    pub fn from_nodes(name: &str, unit: Unit, nodes: Vec<f64>, interp: AxisInterp) -> Result<Self> {
        Self::checked(name, unit, nodes, NodeType::Center, interp)
    }

    /// From bins with gaps between them: `(start, stop)` of each in `unit`, increasing, without overlap.
    ///
    /// # Errors
    /// [`Error::Input`] for no bin, a bin that does not end after it starts, or starts before the one before it ends.
    pub fn from_intervals(name: &str, unit: Unit, bins: &[(f64, f64)], interp: AxisInterp) -> Result<Self> {
        let wrong = |i: usize, problem: String| Err(Error::input(name, format!("bin {i} {problem}")));
        for (i, (start, stop)) in bins.iter().enumerate() {
            if !(start < stop && interp.forward(*start).is_finite() && interp.forward(*stop).is_finite()) {
                return wrong(i, format!("from {start} to {stop} is none"));
            }
            // Times of neighbours that touch differ in the last digits.
            let overlap = if i > 0 { bins[i - 1].1 - start } else { 0.0 };
            if overlap > 1e-9 * start.abs().max(stop - start) {
                return wrong(i, format!("starts at {start}, before the one before it ends at {}", bins[i - 1].1));
            }
        }
        if bins.is_empty() {
            return Err(Error::input(name, "no bins where at least 1 is needed"));
        }
        let nodes = bins.iter().flat_map(|(a, b)| [*a, *b]).collect();
        Ok(Self {
            name: name.into(),
            unit,
            nodes,
            node_type: NodeType::Intervals,
            interp,
            reference: None,
            centers: None,
        })
    }

    /// From points with bins of their own, which may have gaps or overlap: where each point belongs, and `(start, stop)` of
    /// its bin, both in `unit`; points do not decrease. A value that lies in several bins belongs to the one whose point is
    /// nearest.
    ///
    /// ```
    /// use pevatron::maps::{AxisInterp, MapAxis};
    /// let bins = [(1.0, 4.0), (2.0, 60.0)];
    /// let axis = MapAxis::from_points("energy", "TeV".parse()?, &[2.5, 6.0], &bins, AxisInterp::Log)?;
    /// assert_eq!((axis.center(), axis.bounds()), (vec![2.5, 6.0], bins.to_vec()));
    /// assert_eq!((axis.coord_to_idx(3.0), axis.coord_to_idx(3.99)), (Some(0), Some(1)));
    /// # Ok::<(), pevatron::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Input`] for no point, points that decrease, unlike numbers of them, or a bin that is none.
    pub fn from_points(
        name: &str,
        unit: Unit,
        centers: &[f64],
        bins: &[(f64, f64)],
        interp: AxisInterp,
    ) -> Result<Self> {
        let none = |v: f64| !interp.forward(v).is_finite();
        if centers.len() != bins.len() || bins.is_empty() {
            return Err(Error::input(name, format!("{} points with {} bins", centers.len(), bins.len())));
        }
        for (i, (start, stop)) in bins.iter().enumerate() {
            let center = centers[i];
            let is_bin = start < stop && ![*start, *stop, center].into_iter().any(none);
            if !is_bin {
                return Err(Error::input(name, format!("bin {i} from {start} to {stop} around {center} is none")));
            }
            if i > 0 && centers[i - 1] > center {
                return Err(Error::input(name, format!("point {i} ({center}) does not follow {}", centers[i - 1])));
            }
        }
        let nodes = bins.iter().flat_map(|(a, b)| [*a, *b]).collect();
        let centers = Some(centers.to_vec());
        Ok(Self { name: name.into(), unit, nodes, node_type: NodeType::Intervals, interp, reference: None, centers })
    }

    /// The same bins with points of their own, in the unit of the axis: the reference energies of a table.
    ///
    /// # Errors
    /// As [`MapAxis::from_points`], and for an axis without bins.
    pub fn with_centers(&self, centers: &[f64]) -> Result<Self> {
        if !self.has_bins() {
            return Err(Error::input(&self.name, "an axis of nodes has no other points"));
        }
        Self::from_points(&self.name, self.unit.clone(), centers, &self.bounds(), self.interp)?;
        Ok(Self { centers: Some(centers.to_vec()), ..self.clone() })
    }

    /// A time axis named `"time"`: bins `(start, stop)` in `unit` since a reference (Gammapy's `TimeMapAxis`).
    ///
    /// ```
    /// use pevatron::maps::MapAxis;
    /// use pevatron::time::TimeReference;
    /// let mjd = TimeReference { mjdrefi: 0, mjdreff: 0.0, timesys: "tt".into(), timeref: None };
    /// let axis = MapAxis::time(&[(53945.0, 53945.5), (53946.0, 53947.0)], "d".parse()?, mjd)?;
    /// assert_eq!(axis.center(), [53945.25, 53946.5]);
    /// assert_eq!(axis.coord_to_idx(53945.75), None);
    /// # Ok::<(), pevatron::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`MapAxis::from_intervals`], and where the unit is not a time.
    pub fn time(bins: &[(f64, f64)], unit: Unit, reference: TimeReference) -> Result<Self> {
        unit.factor_to_text("s").map_err(|_| Error::input("time", format!("'{unit}' is not a unit of time")))?;
        let axis = Self::from_intervals("time", unit, bins, AxisInterp::Lin)?;
        Ok(Self { reference: Some(reference), ..axis })
    }

    /// A logarithmic energy axis with `nbin` bins from `min_tev` to `max_tev`, in TeV.
    ///
    /// # Errors
    /// Where the bounds are not positive and increasing, or `nbin` is 0.
    pub fn energy_bounds(min_tev: f64, max_tev: f64, nbin: usize, name: &str) -> Result<Self> {
        if nbin == 0 || !(min_tev > 0.0 && max_tev > min_tev && max_tev.is_finite()) {
            return Err(Error::input(
                name,
                format!("{nbin} bins from {min_tev} to {max_tev} TeV do not make an energy axis"),
            ));
        }
        let (a, b) = (min_tev.ln(), max_tev.ln());
        let mut edges: Vec<f64> = (0..=nbin).map(|i| (a + (b - a) * i as f64 / nbin as f64).exp()).collect();
        edges[0] = min_tev;
        edges[nbin] = max_tev;
        Self::from_edges(name, "TeV".parse()?, edges, AxisInterp::Log)
    }

    fn checked(name: &str, unit: Unit, nodes: Vec<f64>, node_type: NodeType, interp: AxisInterp) -> Result<Self> {
        let needed = if node_type == NodeType::Edges { 2 } else { 1 };
        if nodes.len() < needed {
            return Err(Error::input(name, format!("{} nodes where at least {needed} are needed", nodes.len())));
        }
        for (i, pair) in nodes.windows(2).enumerate() {
            // NaN has no order and is refused, too.
            if pair[1].partial_cmp(&pair[0]) != Some(std::cmp::Ordering::Greater) {
                return Err(Error::input(name, format!("node {} ({}) does not follow {}", i + 1, pair[1], pair[0])));
            }
        }
        if let Some(v) = nodes.iter().find(|v| !interp.forward(**v).is_finite()) {
            return Err(Error::input(name, format!("value {v} cannot stand on this axis")));
        }
        Ok(Self { name: name.to_string(), unit, nodes, node_type, interp, reference: None, centers: None })
    }

    /// Name, e.g. `"energy"`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Unit of nodes, edges and centres.
    pub fn unit(&self) -> &Unit {
        &self.unit
    }

    /// What the values of a time axis count from; `None` on other axes.
    pub fn time_reference(&self) -> Option<&TimeReference> {
        self.reference.as_ref()
    }

    /// Edges, centres, or start and stop of each bin in turn, by [`MapAxis::node_type`].
    pub fn nodes(&self) -> &[f64] {
        &self.nodes
    }

    /// What the nodes are.
    pub fn node_type(&self) -> NodeType {
        self.node_type
    }

    /// Interpolation scale.
    pub fn interp(&self) -> AxisInterp {
        self.interp
    }

    /// Number of bins.
    pub fn nbin(&self) -> usize {
        match self.node_type {
            NodeType::Edges => self.nodes.len() - 1,
            NodeType::Center => self.nodes.len(),
            NodeType::Intervals => self.nodes.len() / 2,
        }
    }

    /// Bin edges, one more than bins. Bins with gaps have no common edges: here the starts, and the last stop; see
    /// [`MapAxis::bounds`].
    pub fn edges(&self) -> Vec<f64> {
        match self.node_type {
            NodeType::Edges => self.nodes.clone(),
            NodeType::Center => (0..=self.nbin()).map(|i| self.pix_to_coord(i as f64 - 0.5)).collect(),
            NodeType::Intervals => self.nodes.iter().step_by(2).chain(self.nodes.last()).copied().collect(),
        }
    }

    /// Start and stop of each bin.
    pub fn bounds(&self) -> Vec<(f64, f64)> {
        match self.node_type {
            NodeType::Intervals => self.nodes.chunks_exact(2).map(|b| (b[0], b[1])).collect(),
            _ => self.edges().windows(2).map(|w| (w[0], w[1])).collect(),
        }
    }

    /// True where bins have ends of their own (not only nodes).
    pub fn has_bins(&self) -> bool {
        self.node_type != NodeType::Center
    }

    /// Bin centres: the middle in the axis' scale (geometric mean on a logarithmic axis), or the points that the axis has.
    pub fn center(&self) -> Vec<f64> {
        if let Some(centers) = &self.centers {
            return centers.clone();
        }
        match self.node_type {
            NodeType::Edges | NodeType::Intervals => (0..self.nbin()).map(|i| self.pix_to_coord(i as f64)).collect(),
            NodeType::Center => self.nodes.clone(),
        }
    }

    /// Edges in TeV.
    ///
    /// # Errors
    /// Where the unit is not an energy.
    pub fn edges_tev(&self) -> Result<Vec<f64>> {
        self.in_unit(&self.edges(), "TeV")
    }

    /// Centres in TeV.
    ///
    /// # Errors
    /// Where the unit is not an energy.
    pub fn center_tev(&self) -> Result<Vec<f64>> {
        self.in_unit(&self.center(), "TeV")
    }

    /// `values` of this axis in another unit.
    ///
    /// # Errors
    /// Where the units differ in dimension.
    pub fn in_unit(&self, values: &[f64], unit: &str) -> Result<Vec<f64>> {
        let factor = self.unit.factor_to_text(unit).map_err(|e| e.at(&crate::error::Place::item_only(&self.name)))?;
        Ok(values.iter().map(|v| v * factor).collect())
    }

    /// Bin widths.
    pub fn bin_width(&self) -> Vec<f64> {
        self.bounds().iter().map(|(a, b)| b - a).collect()
    }

    /// Pixel coordinate of a value, extrapolated beyond the ends; bin centres are integers. NaN in the gaps between bins.
    pub fn coord_to_pix(&self, value: f64) -> f64 {
        if self.node_type == NodeType::Intervals {
            let bins = self.bounds();
            let sorted = bins.partition_point(|(start, _)| *start <= value).max(1) - 1;
            let bin = if self.overlaps() { self.nearest(value, &bins).unwrap_or(sorted) } else { sorted };
            let (a, b) = (self.interp.forward(bins[bin].0), self.interp.forward(bins[bin].1));
            let fraction = (self.interp.forward(value) - a) / (b - a);
            let gap = fraction >= 1.0 && bin + 1 < bins.len();
            return if gap { f64::NAN } else { bin as f64 + fraction - 0.5 };
        }
        let shift = if self.node_type == NodeType::Edges { -0.5 } else { 0.0 };
        let n = self.nodes.len();
        if n == 1 {
            return shift;
        }
        let upper = self.nodes.partition_point(|v| *v <= value).clamp(1, n - 1);
        let (a, b) = (self.interp.forward(self.nodes[upper - 1]), self.interp.forward(self.nodes[upper]));
        (upper - 1) as f64 + (self.interp.forward(value) - a) / (b - a) + shift
    }

    /// True where bins overlap.
    fn overlaps(&self) -> bool {
        self.centers.is_some() && self.nodes.windows(2).any(|w| w[1] < w[0])
    }

    /// Of the bins that hold a value the one whose point is nearest.
    fn nearest(&self, value: f64, bins: &[(f64, f64)]) -> Option<usize> {
        let centers = self.center();
        let distance = |i: &usize| (self.interp.forward(centers[*i]) - self.interp.forward(value)).abs();
        let holding = (0..bins.len()).filter(|i| bins[*i].0 <= value && value < bins[*i].1);
        holding.min_by(|a, b| distance(a).total_cmp(&distance(b)))
    }

    /// Value at a pixel coordinate, extrapolated beyond the ends.
    pub fn pix_to_coord(&self, pix: f64) -> f64 {
        if self.node_type == NodeType::Intervals {
            let bin = (pix + 0.5).floor().clamp(0.0, (self.nbin() - 1) as f64) as usize;
            return self.pix_to_coord_in(bin, pix + 0.5 - bin as f64);
        }
        let shift = if self.node_type == NodeType::Edges { 0.5 } else { 0.0 };
        let n = self.nodes.len();
        if n == 1 {
            return self.nodes[0];
        }
        let position = pix + shift;
        let lower = (position.floor().max(0.0) as usize).min(n - 2);
        let fraction = position - lower as f64;
        // Nodes come back as they were given, not through a logarithm.
        if fraction == 0.0 {
            return self.nodes[lower];
        }
        if fraction == 1.0 {
            return self.nodes[lower + 1];
        }
        let (a, b) = (self.interp.forward(self.nodes[lower]), self.interp.forward(self.nodes[lower + 1]));
        self.interp.backward(a + (b - a) * fraction)
    }

    /// Value at a fraction (0 to 1) of a bin with ends of its own.
    fn pix_to_coord_in(&self, bin: usize, fraction: f64) -> f64 {
        let (a, b) = (self.nodes[2 * bin], self.nodes[2 * bin + 1]);
        match fraction {
            0.0 => a,
            1.0 => b,
            _ => self.interp.backward(self.interp.forward(a) * (1.0 - fraction) + self.interp.forward(b) * fraction),
        }
    }

    /// Index of the bin that holds a value, `None` outside; the upper end belongs to no bin.
    pub fn coord_to_idx(&self, value: f64) -> Option<usize> {
        let pix = self.coord_to_pix(value);
        let index = (pix + 0.5).floor();
        (index >= 0.0 && index < self.nbin() as f64).then_some(index as usize)
    }

    /// The bins of a range as an axis of their own.
    ///
    /// # Errors
    /// Where the range is empty or beyond the axis.
    pub fn slice(&self, bins: Range<usize>) -> Result<Self> {
        if bins.is_empty() || bins.end > self.nbin() {
            return Err(Error::input(&self.name, format!("bins {bins:?} of {}", self.nbin())));
        }
        let centers = self.centers.as_ref().map(|c| c[bins.clone()].to_vec());
        let nodes = match self.node_type {
            NodeType::Edges => bins.start..bins.end + 1,
            NodeType::Center => bins,
            NodeType::Intervals => 2 * bins.start..2 * bins.end,
        };
        Ok(Self { nodes: self.nodes[nodes].to_vec(), centers, ..self.clone() })
    }

    /// One bin from the first edge to the last.
    pub fn squash(&self) -> Self {
        let bounds = self.bounds();
        let ends = bounds.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |e, b| (e.0.min(b.0), e.1.max(b.1)));
        Self { nodes: vec![ends.0, ends.1], node_type: NodeType::Edges, centers: None, ..self.clone() }
    }

    /// Each bin split into `factor` bins, equal in the axis' scale.
    pub fn upsample(&self, factor: usize) -> Self {
        let factor = factor.max(1);
        if factor == 1 {
            return self.clone();
        }
        let n = self.nbin() * factor;
        match self.node_type {
            NodeType::Edges => {
                let nodes = (0..=n).map(|i| self.pix_to_coord(i as f64 / factor as f64 - 0.5)).collect();
                Self { nodes, centers: None, ..self.clone() }
            }
            // The gaps stay: each bin is split for itself.
            NodeType::Intervals => {
                let part = |i: usize, end: usize| {
                    let bin = i / factor;
                    let fraction = (i % factor + end) as f64 / factor as f64;
                    self.pix_to_coord_in(bin, fraction)
                };
                let nodes = (0..n).flat_map(|i| [part(i, 0), part(i, 1)]).collect();
                Self { nodes, centers: None, ..self.clone() }
            }
            NodeType::Center => {
                let count = (self.nbin() - 1) * factor + 1;
                let nodes = (0..count).map(|i| self.pix_to_coord(i as f64 / factor as f64)).collect();
                Self { nodes, ..self.clone() }
            }
        }
    }

    /// The same axis under another name.
    pub fn renamed(&self, name: &str) -> Self {
        Self { name: name.to_string(), ..self.clone() }
    }

    /// The same nodes, in another unit.
    ///
    /// # Errors
    /// Where the units differ in dimension.
    pub fn to_unit(&self, unit: &str) -> Result<Self> {
        let factor = self.unit.factor_to_text(unit)?;
        let scaled = |values: &[f64]| -> Vec<f64> { values.iter().map(|v| v * factor).collect() };
        let centers = self.centers.as_deref().map(scaled);
        Ok(Self { nodes: scaled(&self.nodes), centers, unit: unit.parse()?, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_and_coordinates_are_inverse() {
        for interp in [AxisInterp::Lin, AxisInterp::Log, AxisInterp::Sqrt] {
            for axis in [
                MapAxis::from_edges("a", Unit::default(), vec![0.5, 1.0, 4.0, 5.0], interp).unwrap(),
                MapAxis::from_nodes("a", Unit::default(), vec![0.5, 1.0, 4.0, 5.0], interp).unwrap(),
            ] {
                for pix in [-0.9, -0.5, 0.0, 0.3, 1.5, 2.2, 2.5, 3.1] {
                    let back = axis.coord_to_pix(axis.pix_to_coord(pix));
                    assert!((back - pix).abs() < 1e-9, "{interp:?} {pix} {back}");
                }
            }
        }
    }

    #[test]
    fn ends_belong_to_the_right_bins() {
        let axis = MapAxis::from_edges("e", Unit::default(), vec![1.0, 10.0, 100.0], AxisInterp::Log).unwrap();
        assert_eq!(axis.coord_to_idx(1.0), Some(0));
        assert_eq!(axis.coord_to_idx(10.0), Some(1));
        assert_eq!(axis.coord_to_idx(100.0), None);
        assert_eq!(axis.coord_to_idx(0.99), None);
    }

    #[test]
    fn wrong_nodes_are_errors() {
        let make = |nodes: &[f64], interp| MapAxis::from_edges("e", Unit::default(), nodes.to_vec(), interp);
        assert!(make(&[1.0], AxisInterp::Lin).is_err());
        assert!(make(&[1.0, 1.0], AxisInterp::Lin).is_err());
        assert!(make(&[1.0, f64::NAN], AxisInterp::Lin).is_err());
        assert!(make(&[0.0, 1.0], AxisInterp::Log).is_err());
        assert!(make(&[0.0, 1.0], AxisInterp::Lin).is_ok());
    }
}
