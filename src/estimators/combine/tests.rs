//! Windows of several epochs, fitted one by one and combined from their errors, against the joint fit of all their bins.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson};

use super::likeness::{Guess, Known};
use super::profile::{Best, Profile, Sum};
use crate::kernels::TsMapSettings;
use crate::kernels::ts_map::{TsMapStatus, Window, WindowFit, fit_window};

/// Bins of a window, with a peaked source over a background that varies.
const BINS: usize = 40;

fn window(counts: f64, share: f64, source: f64, random: &mut ChaCha8Rng) -> Window {
    let mut window = Window::default();
    for bin in 0..BINS {
        let shape = (-0.15 * bin as f64).exp();
        let background = counts * share / BINS as f64 * (1.0 + 0.3 * (bin as f64).sin());
        let model = shape * share;
        let expected = background + source * model;
        let n = Poisson::new(expected.max(1e-12)).map_or(0.0, |p| p.sample(random));
        window.push(n, background, model);
    }
    window
}

fn known(fit: &WindowFit) -> Known {
    let walls = TsMapStatus::AT_BOUND | TsMapStatus::NO_COUNTS | TsMapStatus::COUNTS_WITHOUT_MODEL;
    Known {
        norm: fit.norm,
        err: Some(fit.norm_err),
        errn: Some(fit.errn),
        errp: Some(fit.errp),
        n_sigma: 1.0,
        ul: Some(fit.ul),
        n_sigma_ul: 2.0,
        ts: Some(fit.ts),
        model: Some(fit.npred_reference),
        at_bound: Some(fit.status & walls != 0),
    }
}

/// Largest of the deviations in norm, errp and limit (in errors) and sqrt_ts.
fn deviation(best: &Best, joint: &WindowFit) -> f64 {
    let sigma = if joint.status & TsMapStatus::AT_BOUND != 0 { joint.errp } else { joint.norm_err };
    let roots = ((-best.stat).max(0.0).sqrt() - joint.ts.max(0.0).sqrt()).abs();
    [best.norm - joint.norm, best.errp - joint.errp, best.ul - joint.ul]
        .into_iter()
        .map(|d| d.abs() / sigma)
        .fold(roots, |a, b| if b > a || b.is_nan() { b } else { a })
}

#[test]
fn epochs_are_the_joint_fit_or_marked() {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let shares: [&[f64]; 7] = [
        &[0.5, 0.5],
        &[0.99, 0.01],
        &[0.999, 0.001],
        &[0.4, 0.35, 0.25],
        &[0.9, 0.07, 0.03],
        &[0.5, 0.3, 0.15, 0.04, 0.01],
        &[0.2, 0.2, 0.2, 0.2, 0.2],
    ];
    let (mut all, mut marked_ones) = (0, 0);
    for counts in [0.02f64, 0.2, 1.0, 5.0, 20.0, 100.0] {
        let (mut marked, mut off, mut worst, mut pixels, mut said) = (0, 0, 0.0f64, 0, String::new());
        for shares in shares {
            for sky in 0..60 {
                let source = if sky % 2 == 0 { 0.0 } else { 0.6 * f64::from(sky % 7) * (1.0 + counts).sqrt() };
                let windows: Vec<Window> =
                    shares.iter().map(|share| window(counts, *share, source, &mut random)).collect();
                let mut together = Window::default();
                for w in &windows {
                    together.counts.extend(&w.counts);
                    together.background.extend(&w.background);
                    together.model.extend(&w.model);
                }
                let settings = TsMapSettings::default();
                let joint = fit_window(&together, None, &settings);
                let fits: Vec<WindowFit> = windows.iter().map(|w| fit_window(w, None, &settings)).collect();
                let profiles: Vec<Profile> = fits.iter().filter_map(|f| Profile::from_errors(&known(f))).collect();
                assert_eq!(profiles.len(), windows.len());
                let best = Sum::new(&profiles, Guess::Best).unwrap().best(1.0, 2.0).unwrap();
                let other = Sum::new(&profiles, Guess::Other).unwrap().best(1.0, 2.0).unwrap();
                pixels += 1;
                if !super::alike(&best, &other) || profiles.iter().any(|p| p.is_delicate(best.norm)) {
                    marked += 1;
                    continue;
                }
                let deviation = deviation(&best, &joint);
                off += usize::from(deviation.is_nan() || deviation > 0.1);
                if deviation.is_nan() || deviation > worst {
                    worst = deviation;
                    said = format!("{shares:?}: {best:?} for {joint:?} of {fits:?}");
                }
            }
        }
        println!("{counts} counts: {pixels} pixels, {marked} marked, worst {worst:.3}, {off} off");
        assert!(off == 0, "{counts} counts: {off} of {pixels} are off and not marked, by up to {worst}: {said}");
        (all, marked_ones) = (all + pixels, marked_ones + marked);
    }
    assert!(10 * marked_ones < all, "{marked_ones} of {all} are marked");
}
