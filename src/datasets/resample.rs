//! Datasets padded and downsampled.

use super::map::MapDataset;
use crate::error::Result;
use crate::maps::{Map, Mask, Weights};

impl MapDataset {
    /// `pad_y`, `pad_x` pixels of zeros (masks: false) on each side of counts, background, exposure and masks.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for region geometries.
    pub fn pad(&self, pad_y: usize, pad_x: usize) -> Result<Self> {
        let map = |m: &Option<Map>| m.as_ref().map(|m| m.pad(pad_y, pad_x, 0.0)).transpose();
        let mask = |m: &Option<Mask>| m.as_ref().map(|m| m.pad(pad_y, pad_x, false)).transpose();
        Ok(Self {
            counts: map(&self.counts)?,
            background: map(&self.background)?,
            exposure: map(&self.exposure)?,
            mask_safe: mask(&self.mask_safe)?,
            mask_fit: mask(&self.mask_fit)?,
            ..self.clone()
        })
    }

    /// `factor` × `factor` pixels merged: counts and background summed inside mask_safe, exposure averaged, masks
    /// true where any pixel was (Gammapy's `downsample`).
    ///
    /// # Errors
    /// [`crate::Error::Input`] where the sides are not divisible.
    pub fn downsample(&self, factor: usize) -> Result<Self> {
        if factor == 1 {
            return Ok(self.clone());
        }
        let weights = self.mask_safe.as_ref().map_or(Weights::One, Weights::Mask);
        let sum = |m: &Option<Map>| m.as_ref().map(|m| m.downsample(factor, true, weights)).transpose();
        Ok(Self {
            counts: sum(&self.counts)?,
            background: sum(&self.background)?,
            exposure: self.exposure.as_ref().map(|m| m.downsample(factor, false, Weights::One)).transpose()?,
            mask_safe: self.mask_safe.as_ref().map(|m| m.downsample(factor)).transpose()?,
            mask_fit: self.mask_fit.as_ref().map(|m| m.downsample(factor)).transpose()?,
            ..self.clone()
        })
    }
}
