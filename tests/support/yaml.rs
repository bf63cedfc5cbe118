//! Files of models.

/// A point source with a power law, as components of a file of models. Numbers stand in it as they are given; the position
/// is ICRS, in degrees.
pub struct PointSource<'a> {
    pub name: &'a str,
    pub index: &'a str,
    /// In cm-2 s-1 TeV-1, at 1 TeV.
    pub amplitude: &'a str,
    pub position: (f64, f64),
    pub position_is_frozen: bool,
}

impl PointSource<'_> {
    pub fn yaml(&self) -> String {
        let Self { name, index, amplitude, position: (lon, lat), .. } = self;
        let frozen = if self.position_is_frozen { ", frozen: true" } else { "" };
        format!(
            "components:
-   name: {name}
    type: SkyModel
    spectral:
        type: PowerLawSpectralModel
        parameters:
        -   {{name: index, value: {index}}}
        -   {{name: amplitude, value: {amplitude}, unit: cm-2 s-1 TeV-1}}
        -   {{name: reference, value: 1.0, unit: TeV}}
    spatial:
        type: PointSpatialModel
        frame: icrs
        parameters:
        -   {{name: lon_0, value: {lon}, unit: deg{frozen}}}
        -   {{name: lat_0, value: {lat}, unit: deg{frozen}}}
"
        )
    }
}
