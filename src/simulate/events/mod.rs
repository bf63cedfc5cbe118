//! Event by event: from a dataset and its models to an event list (Gammapy's `MapDatasetEventSampler`).
//!
//! ```text
//! cells (energy, pixel) ─ place in the cell, energy in the bin, time ─ PSF ─ energy dispersion ─ those on the map
//! ```
//!
//! Time is cut into slices of about a million events, which are drawn, sorted and handed on one after the other: memory
//! does not grow with the number of events, and the list is in order of time. Within a slice each component is drawn in
//! blocks, each with a random stream of its own, so results do not depend on threads.

mod alias;
mod component;
mod edisp;
mod energy;
mod psf;
mod sky;
mod times;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson};
use rayon::prelude::*;

use self::component::{Component, Scene};
use self::edisp::EDispSampler;
use self::psf::PsfSampler;
use self::sky::{FieldOfView, position_of};
use self::times::{Livetime, TimeLaw};
use crate::control::Control;
use crate::data::{DetectorColumns, EventColumns, EventList, EventMeta, TrueColumns};
use crate::datasets::MapDataset;
use crate::error::{Error, Result};
use crate::maps::{Frame, SkyPosition, WcsGeom};

/// Events of a slice of time, about.
const SLICE_EVENTS: f64 = (1 << 20) as f64;

/// How often a slice of time is halved at most.
const HALVINGS: u32 = 24;

/// Events that are drawn from one random stream.
const BLOCK_EVENTS: u64 = 1 << 13;

/// More events than this are taken for a mistake.
const MOST_EVENTS: f64 = 2e9;

/// Most components: their number is part of that of a random stream.
const MOST_COMPONENTS: usize = 1 << 15;

/// The block whose stream decides how many events there are.
const NUMBER_BLOCK: u64 = (1 << 24) - 1;

/// Sets these streams apart from those of counts simulated with the same seed.
const EVENTS: u64 = 0x45_56_45_4e_54_53_00_01;

/// Options of [`EventSampler`].
///
/// ```
/// use pevatron::simulate::EventSamplerOptions;
/// let options = EventSamplerOptions { seed: 42, ..EventSamplerOptions::default() };
/// assert!(options.truth && options.pointing.is_none());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct EventSamplerOptions {
    /// The same seed gives the same events.
    pub seed: u64,
    /// One component, by the name of its model; `"background"` is the background whatever its model is called.
    pub component: Option<String>,
    /// Where the telescopes pointed: gives DETX and DETY.
    pub pointing: Option<SkyPosition>,
    /// With true energies and positions; those of background events are the reconstructed ones.
    pub truth: bool,
    /// Identifier of the observation.
    pub obs_id: String,
}

impl Default for EventSamplerOptions {
    fn default() -> Self {
        Self { seed: 0, component: None, pointing: None, truth: true, obs_id: "0".to_string() }
    }
}

/// Events of one component.
#[derive(Debug, Clone, PartialEq)]
pub struct ComponentEvents {
    /// Name of the model; `"background"` for a background without one.
    pub name: String,
    /// The number that its events have: 0 for the background, else that of the source, from 1 on.
    pub mc_id: i64,
    /// Expected before PSF and energy dispersion.
    pub expected: f64,
    /// Drawn.
    pub drawn: u64,
    /// Reconstructed in the pixels and energies of the dataset.
    pub kept: u64,
}

/// Draws events from a dataset.
pub struct EventSampler {
    components: Vec<Component>,
    livetime: Livetime,
    psf: Option<PsfSampler>,
    psf_in_reco: bool,
    edisp: Option<EDispSampler>,
    geom: WcsGeom,
    /// First and last edge of reconstructed energy.
    range_tev: (f64, f64),
    field: Option<FieldOfView>,
    meta: EventMeta,
    options: EventSamplerOptions,
}

impl std::fmt::Debug for EventSampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let components: Vec<(&str, f64)> = self.components.iter().map(|c| (c.name.as_str(), c.expected())).collect();
        f.debug_struct("EventSampler").field("components", &components).field("options", &self.options).finish()
    }
}

/// A slice of observed time, with how each component is distributed in it.
struct Slice {
    number: u64,
    laws: Vec<TimeLaw>,
    /// Events of each component.
    numbers: Vec<u64>,
}

/// Events of one block; they are put in order later.
#[derive(Default)]
struct Block {
    component: usize,
    time_s: Vec<f64>,
    ra_deg: Vec<f64>,
    dec_deg: Vec<f64>,
    energy_tev: Vec<f64>,
    truth: TrueColumns,
    detector: DetectorColumns,
}

impl EventSampler {
    /// Predicts the events of a dataset with its models, and prepares its responses. Exposure, background, PSF and energy
    /// dispersion are used where they are; what is not there is taken as perfect.
    ///
    /// # Errors
    /// [`Error::Input`] without good time intervals, without an exposure (for sources), for responses that do not fit,
    /// for predictions that are negative or not finite; [`Error::Options`] for a component that is not there or more than
    /// 2e9 expected events.
    pub fn new(dataset: &MapDataset, options: &EventSamplerOptions) -> Result<Self> {
        let gti = dataset.gti.as_ref().ok_or_else(|| dataset.missing("gti"))?;
        let livetime = Livetime::new(gti)?;
        let scene = Scene::new(dataset, gti)?;
        let components = components_of(dataset, &scene, options.component.as_deref())?;
        let expected: f64 = components.iter().map(Component::expected).sum();
        if expected.is_nan() || expected > MOST_EVENTS {
            return Err(Error::input("models", format!("predict {expected:.4e} events, more than {MOST_EVENTS:e}"))
                .with_help("check the units of amplitudes and exposure"));
        }
        let energy = dataset.energy_axis()?;
        let sources = components.iter().any(|c| !c.is_background());
        let (psf, edisp) = match (sources, dataset.exposure.as_ref()) {
            (true, Some(exposure)) => {
                let n_true = exposure.geom().axis("energy_true")?.nbin();
                let edisp = dataset.edisp.as_ref().map(|e| EDispSampler::new(e, n_true, energy)).transpose()?;
                (dataset.psf.as_ref().map(PsfSampler::new).transpose()?, edisp)
            }
            _ => (None, None),
        };
        let edges = energy.edges_tev()?;
        let range_tev = (edges[0], edges[edges.len() - 1]);
        let geom = dataset.wcs_geom()?.to_image();
        let pointing = match options.pointing {
            Some(pointing) => pointing,
            None => geom.center()?,
        };
        let text = |key: &str| dataset.meta.get(key).cloned().unwrap_or_default();
        let meta = EventMeta {
            obs_id: options.obs_id.clone(),
            telescope: text("TELESCOP"),
            instrument: text("INSTRUME"),
            object: dataset.models.sky_models(&dataset.name).next().and_then(|m| {
                let position = m.spatial.as_ref().and_then(|s| s.position())?;
                Some((m.name.clone(), position.to_frame(Frame::Icrs)))
            }),
            pointing: Some(pointing.to_frame(Frame::Icrs)),
            reference: gti.reference.clone(),
            gti: Some(gti.clone()),
            livetime_s: dataset.livetime_s,
            energy_range_tev: Some(range_tev),
            components: components.iter().map(|c| (c.mc_id, c.name.clone())).collect(),
        };
        Ok(Self {
            components,
            livetime,
            psf,
            psf_in_reco: dataset.psf.as_ref().is_some_and(crate::irf::PsfMap::is_in_reco_energy),
            edisp,
            geom,
            range_tev,
            field: options.pointing.map(FieldOfView::new),
            meta,
            options: options.clone(),
        })
    }

    /// What holds for all events.
    pub fn meta(&self) -> &EventMeta {
        &self.meta
    }

    /// The columns that events will have.
    pub fn columns(&self) -> EventColumns {
        EventColumns { mc_id: true, truth: self.options.truth, detector: self.field.is_some() }
    }

    /// Name and expected events (before PSF and energy dispersion) of each component.
    pub fn expected(&self) -> Vec<(String, f64)> {
        self.components.iter().map(|c| (c.name.clone(), c.expected())).collect()
    }

    /// Draws all events into memory, in order of time.
    ///
    /// # Errors
    /// As [`EventSampler::for_each_slice`].
    pub fn sample(&self, control: &Control) -> Result<EventList> {
        let mut all = self.empty();
        self.for_each_slice(control, &mut |slice| {
            all.append(slice);
            Ok(())
        })?;
        Ok(all)
    }

    /// Draws events and hands them on in slices of time, about a million each.
    ///
    /// # Errors
    /// [`Error::Input`] for a variation with time that is negative or not finite, [`Error::Cancelled`], or what `take`
    /// returns.
    pub fn for_each_slice(
        &self,
        control: &Control,
        take: &mut dyn FnMut(&EventList) -> Result<()>,
    ) -> Result<Vec<ComponentEvents>> {
        let mut told: Vec<ComponentEvents> = self
            .components
            .iter()
            .map(|c| ComponentEvents {
                name: c.name.clone(),
                mc_id: c.mc_id,
                expected: c.expected(),
                drawn: 0,
                kept: 0,
            })
            .collect();
        let expected: f64 = told.iter().map(|c| c.expected).sum();
        let mut next_id = 0;
        for (number, (from_s, to_s)) in self.slices()?.into_iter().enumerate() {
            control.check()?;
            let slice = self.slice(number as u64, from_s, to_s)?;
            let mut jobs = Vec::new();
            for (component, n) in slice.numbers.iter().enumerate() {
                told[component].drawn += n;
                let blocks = n.div_ceil(BLOCK_EVENTS);
                jobs.extend((0..blocks).map(|b| (component, b, BLOCK_EVENTS.min(n - b * BLOCK_EVENTS))));
            }
            let blocks: Vec<Block> = jobs
                .into_par_iter()
                .map(|(component, block, n)| {
                    control.check()?;
                    Ok(self.block(&slice, component, block, n))
                })
                .collect::<Result<_>>()?;
            for block in &blocks {
                told[block.component].kept += block.time_s.len() as u64;
            }
            let list = self.in_order(&blocks, next_id);
            next_id += list.len() as i64;
            take(&list)?;
            let drawn: u64 = told.iter().map(|c| c.drawn).sum();
            control.report("events", drawn, drawn.max(expected as u64));
        }
        Ok(told)
    }

    fn empty(&self) -> EventList {
        EventList {
            mc_id: Some(Vec::new()),
            truth: self.options.truth.then(TrueColumns::default),
            detector: self.field.is_some().then(DetectorColumns::default),
            meta: self.meta.clone(),
            ..EventList::default()
        }
    }

    /// Observed time in slices of about equal numbers of events: halved until that is so.
    fn slices(&self) -> Result<Vec<(f64, f64)>> {
        let total_s = self.livetime.total_s();
        let mut wholes = Vec::new();
        for c in &self.components {
            wholes.push(match &c.temporal {
                Some(model) => self.livetime.integral_days(model.as_ref(), 0.0, total_s)?,
                None => total_s,
            });
        }
        let mut done = Vec::new();
        let mut open = vec![(0.0, total_s, HALVINGS)];
        while let Some((from_s, to_s, halvings)) = open.pop() {
            let mut expected = 0.0;
            for (c, whole) in self.components.iter().zip(&wholes) {
                expected += c.expected() * self.fraction(c, *whole, from_s, to_s)?;
            }
            if expected > SLICE_EVENTS && halvings > 0 {
                let middle = 0.5 * (from_s + to_s);
                open.push((middle, to_s, halvings - 1));
                open.push((from_s, middle, halvings - 1));
            } else {
                done.push((from_s, to_s));
            }
        }
        Ok(done)
    }

    /// The share of a component's events between two observed times; `whole` is its integral over all of them.
    fn fraction(&self, component: &Component, whole: f64, from_s: f64, to_s: f64) -> Result<f64> {
        let part = match &component.temporal {
            Some(model) => self.livetime.integral_days(model.as_ref(), from_s, to_s)?,
            None => to_s - from_s,
        };
        Ok(if whole > 0.0 { (part / whole).clamp(0.0, 1.0) } else { 0.0 })
    }

    fn slice(&self, number: u64, from_s: f64, to_s: f64) -> Result<Slice> {
        let total_s = self.livetime.total_s();
        let (mut laws, mut numbers) = (Vec::new(), Vec::new());
        for (index, c) in self.components.iter().enumerate() {
            let model = c.temporal.as_deref();
            let whole = model.map_or(Ok(total_s), |m| self.livetime.integral_days(m, 0.0, total_s))?;
            let mean = c.expected() * self.fraction(c, whole, from_s, to_s)?;
            let n = match Poisson::new(mean) {
                Ok(poisson) if mean > 0.0 => poisson.sample(&mut self.stream(index, number, NUMBER_BLOCK)) as u64,
                _ => 0,
            };
            // Times are prepared only where there are events.
            let needed = model.filter(|_| n > 0);
            laws.push(TimeLaw::new(&self.livetime, needed, from_s, to_s)?);
            numbers.push(n);
        }
        Ok(Slice { number, laws, numbers })
    }

    fn stream(&self, component: usize, slice: u64, block: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.options.seed ^ EVENTS);
        let number = self.components[component].mc_id as u64;
        rng.set_stream((number << 48) | ((slice & 0xff_ffff) << 24) | (block & 0xff_ffff));
        rng
    }

    /// Events of one random stream.
    fn block(&self, slice: &Slice, index: usize, block: u64, n: u64) -> Block {
        let component = &self.components[index];
        let mut rng = self.stream(index, slice.number, block);
        let (law, model) = (&slice.laws[index], component.temporal.as_deref());
        let mut out = Block { component: index, ..Block::default() };
        for _ in 0..n {
            let time = law.draw(&self.livetime, model, &mut rng);
            let Some(origin) = component.draw(&mut rng) else { continue };
            let found = if component.is_background() {
                Some((origin.direction, origin.energy_tev))
            } else {
                self.reconstruct(&origin, &mut rng)
            };
            let Some((direction, energy_tev)) = found else { continue };
            let position = position_of(direction);
            out.time_s.push(time);
            out.ra_deg.push(position.lon_deg);
            out.dec_deg.push(position.lat_deg);
            out.energy_tev.push(energy_tev);
            if self.options.truth {
                let truth = position_of(origin.direction);
                out.truth.energy_tev.push(origin.energy_tev);
                out.truth.ra_deg.push(truth.lon_deg);
                out.truth.dec_deg.push(truth.lat_deg);
            }
            if let Some(field) = &self.field {
                let (x, y) = field.of(direction);
                out.detector.x_deg.push(x);
                out.detector.y_deg.push(y);
            }
        }
        out
    }

    /// Direction and energy as they are reconstructed; `None` for what is lost or lies outside of the dataset.
    fn reconstruct(&self, origin: &component::Origin, rng: &mut ChaCha8Rng) -> Option<(sky::Vector, f64)> {
        let energy_tev = match &self.edisp {
            Some(edisp) => edisp.draw(origin.direction, origin.energy_tev, origin.bin, rng)?,
            None => origin.energy_tev,
        };
        if !(energy_tev >= self.range_tev.0 && energy_tev < self.range_tev.1) {
            return None;
        }
        let psf_energy = if self.psf_in_reco { energy_tev } else { origin.energy_tev };
        let direction = match &self.psf {
            Some(psf) => psf.draw(origin.direction, psf_energy, rng)?,
            None => origin.direction,
        };
        self.geom.contains(position_of(direction)).then_some((direction, energy_tev))
    }

    /// The events of all blocks in order of time.
    fn in_order(&self, blocks: &[Block], first_id: i64) -> EventList {
        let mut places: Vec<(f64, u32, u32)> = Vec::with_capacity(blocks.iter().map(|b| b.time_s.len()).sum());
        for (i, block) in blocks.iter().enumerate() {
            places.extend(block.time_s.iter().enumerate().map(|(row, t)| (*t, i as u32, row as u32)));
        }
        // Equal times are in the order of blocks and rows, which is the same on any number of threads.
        places.par_sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        let gather = |column: &(dyn Fn(&Block) -> &[f64] + Sync)| -> Vec<f64> {
            places.par_iter().map(|(_, block, row)| column(&blocks[*block as usize])[*row as usize]).collect()
        };
        EventList {
            event_id: (first_id..first_id + places.len() as i64).collect(),
            time_s: gather(&|b| &b.time_s),
            ra_deg: gather(&|b| &b.ra_deg),
            dec_deg: gather(&|b| &b.dec_deg),
            energy_tev: gather(&|b| &b.energy_tev),
            mc_id: Some(places.iter().map(|(_, b, _)| self.components[blocks[*b as usize].component].mc_id).collect()),
            truth: self.options.truth.then(|| TrueColumns {
                energy_tev: gather(&|b| &b.truth.energy_tev),
                ra_deg: gather(&|b| &b.truth.ra_deg),
                dec_deg: gather(&|b| &b.truth.dec_deg),
            }),
            detector: self.field.is_some().then(|| DetectorColumns {
                x_deg: gather(&|b| &b.detector.x_deg),
                y_deg: gather(&|b| &b.detector.y_deg),
            }),
            meta: self.meta.clone(),
        }
    }
}

/// The background and the sources of a dataset, or the one that is asked for.
fn components_of(dataset: &MapDataset, scene: &Scene<'_>, wanted: Option<&str>) -> Result<Vec<Component>> {
    let models: Vec<_> = dataset.models.sky_models(&dataset.name).collect();
    if models.len() >= MOST_COMPONENTS {
        return Err(Error::unsupported(format!("{} models, more than {MOST_COMPONENTS}", models.len())));
    }
    let background = dataset.models.background(&dataset.name).map(|m| m.name.clone());
    let background = background.unwrap_or_else(|| "background".to_string());
    let is_source = |name: &str| models.iter().any(|m| m.name == name);
    let mut components = Vec::new();
    let background_wanted =
        wanted.is_none_or(|name| name == background || (name == "background" && !is_source("background")));
    if dataset.background.is_some() && background_wanted {
        components.push(scene.background(&background)?);
    }
    for (i, model) in models.iter().enumerate() {
        if wanted.is_none_or(|name| name == model.name) {
            components.push(scene.source(model, i as i64 + 1)?);
        }
    }
    if let (Some(name), true) = (wanted, components.is_empty()) {
        let mut there: Vec<&str> = models.iter().map(|m| m.name.as_str()).collect();
        if dataset.background.is_some() {
            there.push(&background);
        }
        return Err(Error::not_one_of("component", name, there));
    }
    Ok(components)
}
