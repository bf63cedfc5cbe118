//! Counts statistics against Gammapy's tables and against their definitions.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

/// The rows of a table of golden data, by column; `None` (and SKIPPED) where it is not there.
fn table(name: &str) -> Option<Vec<Vec<String>>> {
    let folder = std::env::var("PEVATRON_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").to_string());
    let path = PathBuf::from(folder).join("golden").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("SKIPPED: no {}", path.display());
        return None;
    };
    Some(text.lines().skip(1).map(|l| l.split(',').map(String::from).collect()).collect())
}

fn number(text: &str) -> f64 {
    if text.is_empty() { 0.0 } else { text.parse().unwrap() }
}

/// Equal to `limit` of the larger of the value and `scale`.
fn close(found: f64, wanted: f64, scale: f64, limit: f64) -> bool {
    (found.is_nan() && wanted.is_nan()) || (found - wanted).abs() <= limit * wanted.abs().max(scale)
}

#[test]
fn fit_statistics_are_gammapys() {
    let Some(rows) = table("stat_table.csv") else { return };
    assert_eq!(rows.len(), 600);
    for row in &rows {
        let [n_on, n_off, alpha, mu, mu_bkg, stat, other, gof] = [1, 2, 3, 4, 5, 6, 7, 8].map(|i| number(&row[i]));
        if row[0] == "cash" {
            assert!(close(cash(n_on, mu), stat, 0.0, 1e-12), "{row:?}: {}", cash(n_on, mu));
            // Gammapy's own difference of large terms has this rounding.
            let scale = 1e-20 + 1e-3 * (n_on * n_on.max(1.0).ln() + mu.abs());
            assert!(close(cstat(n_on, mu), other, scale, 1e-12), "{row:?}: {}", cstat(n_on, mu));
        } else {
            let found = [
                wstat_mu_bkg(n_on, n_off, alpha, mu),
                wstat(n_on, n_off, alpha, mu, None, true),
                wstat(n_on, n_off, alpha, mu, None, false),
                wstat_gof_terms(n_on, n_off),
            ];
            let scale = gof.abs().max(1e-3);
            for ((found, wanted), scale) in found.iter().zip([mu_bkg, stat, other, gof]).zip([1e-3, scale, scale, 0.0])
            {
                assert!(close(*found, wanted, scale, 1e-12), "{row:?}: {found} for {wanted}");
            }
            let given = wstat(n_on, n_off, alpha, mu, Some(mu_bkg), true);
            // Where the on region is expected empty, a rounded background is on the wrong side of a pole.
            if n_on == 0.0 || mu + alpha * mu_bkg > 1e-6 {
                assert!(close(given, stat, scale, 1e-11), "{row:?}: {given} with its background");
            }
        }
    }
}

#[test]
fn counts_statistics_are_gammapys() {
    let Some(rows) = table("counts_statistic.csv") else { return };
    assert_eq!(rows.len(), 210);
    for row in &rows {
        let [n_on, n_off, alpha, mu_bkg, mu_sig] = [1, 2, 3, 4, 5].map(|i| number(&row[i]));
        let stat: &dyn CountsStatistic = if row[0] == "cash" {
            &CashCountsStatistic { n_on, mu_bkg }
        } else {
            &WStatCountsStatistic { n_on, n_off, alpha, mu_sig }
        };
        let found = [
            stat.n_sig(),
            stat.ts(),
            stat.sqrt_ts(),
            stat.error(),
            stat.compute_errn(1.0),
            stat.compute_errp(1.0),
            stat.compute_upper_limit(2.0),
            stat.compute_upper_limit(3.0),
            stat.n_sig_matching_significance(5.0),
        ];
        // What Gammapy loses in its differences of likelihoods, and through W of a rounded argument.
        let lost = 4e-16 * (stat.stat_null().abs() + stat.stat_max().abs() + 2.0 * wstat_gof_terms(n_on, n_off).abs());
        let error = stat.error().max(1.0);
        let slack = [0.0, lost, lost.sqrt().min(lost / stat.sqrt_ts().abs().max(1e-12)), 0.0];
        let rounded = 4e-16 * n_on.max(n_off) * n_on.max(n_off).sqrt();
        for (column, found) in found.iter().enumerate() {
            let wanted = number(&row[6 + column]);
            let allowed = 1e-12 * wanted.abs().max(error) + slack.get(column).copied().unwrap_or(rounded + 4e-12);
            let same = (found.is_nan() && wanted.is_nan()) || (found - wanted).abs() <= allowed;
            assert!(same, "{row:?}, column {}: {found} for {wanted}, {allowed:e} is allowed", 6 + column);
        }
    }
}

#[test]
fn what_is_not_defined_is_nan_and_nothing_is_infinite() {
    for alpha in [0.0, f64::NAN, f64::INFINITY, -1.0] {
        let stat = WStatCountsStatistic { n_on: 3.0, n_off: 2.0, alpha, mu_sig: 0.0 };
        for value in [
            stat.ts(),
            stat.compute_errn(1.0),
            stat.compute_errp(1.0),
            stat.compute_upper_limit(2.0),
            stat.n_sig_matching_significance(5.0),
        ] {
            assert!(value.is_nan(), "alpha {alpha}: {value}");
        }
    }
    let unknown = CashCountsStatistic { n_on: 3.0, mu_bkg: f64::NAN };
    assert!(unknown.ts().is_nan() && unknown.sqrt_ts().is_nan() && unknown.compute_upper_limit(2.0).is_nan());
    assert!(unknown.n_sig_matching_significance(5.0).is_nan());
    let no_background = CashCountsStatistic { n_on: 3.0, mu_bkg: 0.0 };
    assert!(no_background.ts().is_finite() && no_background.n_sig_matching_significance(5.0).is_nan());
}

/// Where Gammapy's brackets end before the root: n_sig ± 2 n (error + 1).
#[test]
fn roots_beyond_gammapys_brackets_are_found() {
    for (n_on, n_off, alpha, n_sigma) in [
        (0.0, 0.0, 3.0, 2.0),
        (1.0, 1.0, 1e-4, 5.0),
        (0.0, 1.0, 20.0, 3.0),
        (1.0, 0.0, 30.0, 4.0),
        (0.0, 0.0, 1.0, 10.0),
    ] {
        let stat = WStatCountsStatistic { n_on, n_off, alpha, mu_sig: 0.0 };
        for distance in [stat.compute_errn(n_sigma), stat.compute_errp(n_sigma)] {
            assert!(distance > 0.0 && distance.is_finite(), "{stat:?}: {distance}");
        }
        let rise = |t: f64| wstat(n_on, n_off, alpha, stat.n_sig() + t, None, true);
        let floor = wstat(n_on, n_off, alpha, stat.n_sig(), None, true);
        for t in [stat.compute_errp(n_sigma), -stat.compute_errn(n_sigma)] {
            assert!((rise(t) - floor - n_sigma * n_sigma).abs() < 1e-9 * n_sigma * n_sigma, "{stat:?} at {t}");
        }
    }
}

fn counts() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        (1..20u32).prop_map(f64::from),
        (20..100_000u32).prop_map(f64::from),
        (1e5..1e9f64).prop_map(f64::round)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Errors and limits are where −2 ln L has risen by n², by sums of deviances; all are finite and of the right sign.
    #[test]
    fn distances_keep_their_definition(
        n_on in counts(), n_off in counts(), log_alpha in -4.0..1.5f64, mu_sig in 0.0..20.0f64, n_sigma in 0.1..8.0f64
    ) {
        let stat = WStatCountsStatistic { n_on, n_off, alpha: 10f64.powf(log_alpha), mu_sig };
        let c = 0.5 * n_sigma * n_sigma;
        let best = n_on - stat.n_bkg();
        let (errn, errp) = (stat.compute_errn(n_sigma), stat.compute_errp(n_sigma));
        prop_assert!(errn > 0.0 && errp > 0.0 && errn.is_finite() && errp.is_finite(), "{stat:?}: {errn} {errp}");
        // A distance that is small beside the counts loses digits when it is added to them.
        let lost = |t: f64| 1e-11 + 1e-15 * (best.abs() + n_on + stat.n_bkg()) / t * 4.0;
        for (signal, t) in [(best - errn, errn), (best + errp, errp)] {
            let rise = stat.rise(signal).0;
            prop_assert!((rise / c - 1.0).abs() < lost(t), "{stat:?}: {rise} for {c} at {signal}, {t}");
        }
        prop_assert!((stat.compute_upper_limit(n_sigma) - (stat.n_sig() + errp)).abs() == 0.0);
        prop_assert!(stat.ts() >= 0.0 && stat.ts().is_finite());
    }

    /// An excess of the sensitivity has the significance; with more background it is larger.
    #[test]
    fn sensitivity_is_the_inverse_of_significance(
        n_off in counts(), log_alpha in -4.0..1.5f64, mu_bkg in 1e-12..1e9f64, n_sigma in 0.1..8.0f64
    ) {
        let alpha = 10f64.powf(log_alpha);
        let measured = WStatCountsStatistic { n_on: 0.0, n_off, alpha, mu_sig: 0.0 };
        let excess = measured.n_sig_matching_significance(n_sigma);
        prop_assert!(excess > 0.0 && excess.is_finite(), "{measured:?}: {excess}");
        let seen = WStatCountsStatistic { n_on: measured.n_bkg() + excess, ..measured };
        let digits = 1e-10 + 1e-15 * measured.n_bkg() / excess * 10.0;
        prop_assert!((seen.sqrt_ts() / n_sigma - 1.0).abs() < digits, "{seen:?}: {} for {n_sigma}", seen.sqrt_ts());
        let more = WStatCountsStatistic { n_off: n_off + 1.0, ..measured };
        prop_assert!(more.n_sig_matching_significance(n_sigma) > excess);

        let known = CashCountsStatistic { n_on: 0.0, mu_bkg };
        let excess = known.n_sig_matching_significance(n_sigma);
        let seen = CashCountsStatistic { n_on: mu_bkg + excess, mu_bkg };
        let digits = 1e-10 + 1e-15 * mu_bkg / excess * 10.0;
        prop_assert!((seen.sqrt_ts() / n_sigma - 1.0).abs() < digits, "{seen:?}: {} for {n_sigma}", seen.sqrt_ts());
    }

    /// With a large off region the background is as good as known.
    #[test]
    fn much_off_time_is_a_known_background(n_on in 0..200u32, mu_bkg in 0.5..100.0f64, n_sigma in 0.5..5.0f64) {
        let n_on = f64::from(n_on);
        let alpha = 1e-9;
        let known = CashCountsStatistic { n_on, mu_bkg };
        let measured = WStatCountsStatistic { n_on, n_off: mu_bkg / alpha, alpha, mu_sig: 0.0 };
        prop_assert!((known.ts() - measured.ts()).abs() < 1e-5 * (1.0 + known.ts()));
        let (a, b) = (known.n_sig_matching_significance(n_sigma), measured.n_sig_matching_significance(n_sigma));
        prop_assert!((a - b).abs() < 1e-5 * a);
        if n_on > 0.0 {
            for (a, b) in [
                (known.compute_errn(n_sigma), measured.compute_errn(n_sigma)),
                (known.compute_errp(n_sigma), measured.compute_errp(n_sigma)),
            ] {
                // What is left of the uncertainty of the background.
                let off = 3.0 * n_sigma * (alpha * mu_bkg).sqrt();
                prop_assert!((a - b).abs() < 1e-6 * (1.0 + a) + off, "{known:?}: {a} {b}");
            }
        }
    }
}
