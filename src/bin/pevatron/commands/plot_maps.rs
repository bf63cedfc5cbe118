//! Pictures of maps: flux maps by energy group, and any map plane by plane.

use ndarray::Array2;
use pevatron::flux::{FluxMaps, SedType};
use pevatron::maps::Map;
use pevatron::plot::{ColourMap, Figure, MapImage, Marker, Stretch};
use pevatron::{Error, Result};

use super::energies::{chosen, range_text};
use super::picture::Look;
use super::plot::contours;
use crate::args::PlotArgs;
use crate::report;

/// Pictures of more energy groups than this would be unreadable; the groups are then summed or must be chosen.
pub const MOST_PANELS: usize = 12;

/// A picture of flux maps: one panel per energy group.
pub struct FluxPicture<'a> {
    pub quantity: &'a str,
    /// The group that is drawn; all without.
    pub energy: Option<&'a str>,
    pub contours: Vec<f64>,
    /// The markers of an energy group.
    pub markers: &'a dyn Fn(usize) -> Vec<Marker>,
    pub look: &'a Look,
}

/// The significances of flux maps, as other commands draw them.
pub fn sqrt_ts_figure(maps: &FluxMaps, markers: &[Marker], look: &Look) -> Result<Figure> {
    let markers = |_| markers.to_vec();
    FluxPicture { quantity: "sqrt_ts", energy: None, contours: Vec::new(), markers: &markers, look }.figure(maps)
}

impl FluxPicture<'_> {
    pub fn figure(&self, maps: &FluxMaps) -> Result<Figure> {
        let quantity = match self.quantity {
            // Gammapy's name.
            "excess" => "npred_excess",
            quantity => quantity,
        };
        let mut names = Vec::new();
        let mut found = None;
        for sed in SedType::ALL {
            for (name, map) in maps.to_maps(sed).unwrap_or_default() {
                if name == quantity && found.is_none() {
                    found = Some(map.into_owned());
                } else if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        let map =
            found.ok_or_else(|| Error::not_one_of("quantity", self.quantity, names.iter().map(String::as_str)))?;
        let geom = map.wcs_geom()?.to_image();
        let edges = map.geom().axis("energy")?.edges_tev()?;
        let groups = chosen(self.energy, edges.len() - 1, Some(&edges))?;
        if groups.len() > MOST_PANELS {
            return Err(Error::options("energy", format!("{} energy groups are too many panels", groups.len()))
                .with_help(format!("choose one of 0 to {}", edges.len() - 2)));
        }
        let mut figure = Figure::new().shared_range(true);
        // Wide maps stay legible one below the other.
        if groups.len() <= 4 && 2 * geom.nx() >= 3 * geom.ny() {
            figure = figure.columns(1);
        }
        for group in &groups {
            let (low, high) = (edges[*group], edges[group + 1]);
            let image = MapImage::new(&map.plane_f64(*group), &geom)?
                .title(range_text(low, high))
                .markers((self.markers)(*group));
            let image = self.look.with_psf(image, Some((low, high)))?;
            // Fluxes fall by orders of magnitude from group to group, on one scale for all.
            let spread = groups.len() > 1 && !map.unit().to_string().is_empty();
            let image = if spread { image.stretch(Stretch::Asinh) } else { image };
            let image = if self.contours.is_empty() { image } else { image.contours(&self.contours) };
            figure = figure.panel(styled(image, quantity, map.unit().to_string()));
        }
        Ok(figure)
    }
}

/// One panel per energy bin of a map.
pub fn panels_figure(map: &Map, quantity: &str, look: &Look) -> Result<Figure> {
    let geom = map.wcs_geom()?.to_image();
    let edges = map.geom().axis("energy")?.edges_tev()?;
    if edges.len() - 1 > MOST_PANELS {
        return Err(Error::options("png", format!("{} energy groups are too many panels", edges.len() - 1)));
    }
    let mut figure = Figure::new();
    for (group, pair) in edges.windows(2).enumerate() {
        let image = MapImage::new(&map.plane_f64(group), &geom)?.title(range_text(pair[0], pair[1]));
        let image = look.with_psf(image, Some((pair[0], pair[1])))?;
        figure = figure.panel(styled(image, quantity, map.unit().to_string()));
    }
    Ok(figure)
}

/// One panel per plane of a map, or their sum where they add up.
pub fn map_figure(map: &Map, name: &str, args: &PlotArgs, markers: &[Marker], look: &Look) -> Result<Figure> {
    let geom = map.wcs_geom()?.to_image();
    let contours = contours(args)?;
    let planes = map.planes();
    let summed = args.energy.is_none() && planes > 1 && adds_up(name, map);
    let edges = energies_of(map);
    let shown: Vec<usize> = match args.energy.as_deref() {
        Some(energy) => chosen(Some(energy), planes, edges.as_deref())?,
        None if summed => vec![0],
        // Exposures of different energies do not add up to anything, and look alike.
        None if name.eq_ignore_ascii_case("exposure") || planes > MOST_PANELS => vec![planes / 2],
        None => (0..planes).collect(),
    };
    if planes > shown.len() && !summed && args.energy.is_none() && !args.common.quiet {
        let file_name = args.file.display();
        let last = planes - 1;
        report::warning(&format!("{file_name}: plane {} of 0 to {last} is drawn; --energy chooses one", shown[0]));
    }
    let mut figure = Figure::new().shared_range(true);
    if (2..=4).contains(&shown.len()) && 2 * geom.nx() >= 3 * geom.ny() {
        figure = figure.columns(1);
    }
    for plane in &shown {
        let image = match summed {
            true => (0..planes).fold(Array2::zeros((geom.ny(), geom.nx())), |sum, p| sum + map.plane_f64(p)),
            false => map.plane_f64(*plane),
        };
        let title = match &edges {
            _ if planes < 2 || summed => String::new(),
            Some(edges) => range_text(edges[*plane], edges[plane + 1]),
            None => format!("plane {plane}"),
        };
        let tev = edges.as_ref().map(|e| if summed { (e[0], e[planes]) } else { (e[*plane], e[plane + 1]) });
        let panel = MapImage::new(&image, &geom)?.markers(markers.iter().cloned()).contours(&contours).title(title);
        figure = figure.panel(styled(look.with_psf(panel, tev)?, name, map.unit().to_string()));
    }
    Ok(figure)
}

/// Whether the planes of a map make sense as a sum: numbers of events do, significances and fluxes do not.
fn adds_up(name: &str, map: &Map) -> bool {
    let name = name.to_lowercase();
    let counted = ["count", "npred", "background", "excess", "event", "signal"].iter().any(|n| name.contains(n));
    let nameless = name.is_empty() || name == "primary";
    (counted || nameless) && map.unit().is_dimensionless()
}

/// The edges of the energies of planes that have nothing else but energies.
fn energies_of(map: &Map) -> Option<Vec<f64>> {
    let [axis] = map.geom().axes() else { return None };
    let edges = axis.name().starts_with("energy").then(|| axis.edges_tev().ok()).flatten()?;
    (edges.len() == map.planes() + 1).then_some(edges)
}

fn styled(image: MapImage, quantity: &str, unit: String) -> MapImage {
    match quantity.to_lowercase().as_str() {
        "sqrt_ts" => image.significance(),
        name if name.contains("significance") || name.contains("sqrt_ts") => {
            image.significance().quantity(quantity.replace('_', " "), unit)
        }
        "ts" => image.quantity("TS", unit).colours(ColourMap::Inferno).stretch(Stretch::Sqrt),
        "counts" => image.quantity("counts", unit).colours(ColourMap::Inferno).stretch(Stretch::Sqrt),
        _ => image.quantity(quantity.replace('_', " "), unit).colours(ColourMap::Viridis),
    }
}
