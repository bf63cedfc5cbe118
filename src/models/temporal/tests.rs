use super::*;
use crate::time::TimeReference;
use crate::units::Unit;

fn set(tag: &str, values: &[(&str, f64)]) -> Arc<dyn TemporalModel> {
    let defaults = from_parameters(tag, &[], "utc").unwrap();
    let given: Vec<Parameter> = values
        .iter()
        .map(|(name, value)| {
            let unit: Unit = defaults.parameters().iter().find(|p| p.name == *name).unwrap().unit.clone();
            Parameter::new(name, *value, unit)
        })
        .collect();
    from_parameters(tag, &given, "utc").unwrap()
}

fn models() -> Vec<Arc<dyn TemporalModel>> {
    vec![
        set("const", &[]),
        set("linear", &[("alpha", 1.2), ("beta", 0.03), ("t_ref", 55555.0)]),
        set("exp-decay", &[("t0", 3.0), ("t_ref", 55555.0)]),
        set("gauss", &[("sigma", 2.0), ("t_ref", 55557.0)]),
        set("gengauss", &[("t_rise", 1.0), ("t_decay", 3.0), ("eta", 0.7), ("t_ref", 55557.0)]),
        set("powerlaw", &[("alpha", -1.3), ("t_ref", 55550.0)]),
        set("powerlaw", &[("alpha", -1.0), ("t_ref", 55550.0)]),
        set("sinus", &[("amp", 0.4), ("omega", 2.1), ("t_ref", 55555.0)]),
    ]
}

#[test]
fn integrals_are_those_of_the_values() {
    for model in models() {
        for (start, stop) in [(55556.0, 55559.5), (55556.5, 55556.6), (55560.0, 55570.0)] {
            let n = 20_000;
            let step = (stop - start) / f64::from(n);
            let sum: f64 = (0..n).map(|i| model.evaluate(start + (f64::from(i) + 0.5) * step)).sum();
            let found = model.integral_days(start, stop);
            assert!((found / (sum * step) - 1.0).abs() < 1e-5, "{}: {found} {}", model.tag(), sum * step);
        }
    }
}

/// Gammapy's `evaluate` at MJD 55558.25.
#[test]
fn values_are_gammapys() {
    let wanted = [
        1.0,
        1.2975,
        (-3.25f64 / 3.0).exp(),
        (-0.5f64 * 0.625 * 0.625).exp(),
        (-0.5 * (1.25f64 / 3.0).powf(1.0 / 0.7)).exp(),
        8.25f64.powf(-1.3),
        1.0 / 8.25,
        1.0 + 0.4 * (2.1f64 * 3.25).sin(),
    ];
    for (model, wanted) in models().iter().zip(wanted) {
        let found = model.evaluate(55558.25);
        assert!((found / wanted - 1.0).abs() < 1e-9, "{}: {found} {wanted}", model.tag());
    }
}

#[test]
fn means_are_over_all_intervals_in_the_models_scale() {
    let gti = Gti {
        intervals: vec![(0.0, 86400.0), (2.0 * 86400.0, 5.0 * 86400.0)],
        reference: TimeReference { mjdrefi: 55555, mjdreff: 0.0, timesys: "tt".into(), timeref: None },
    };
    assert_eq!(mean(&ConstantTemporalModel::default(), &gti).unwrap(), 1.0);
    let line = set("linear", &[("alpha", 0.0), ("beta", 1.0), ("t_ref", 55555.0)]);
    // (0.5 + 2.5 + 3.5 + 4.5) / 4 days, less the 66.184 s by which TT is ahead of UTC.
    let wanted = 2.75 - 66.184 / 86400.0;
    assert!((mean(line.as_ref(), &gti).unwrap() - wanted).abs() < 1e-9);
    assert_eq!(mean(line.as_ref(), &Gti::default()).unwrap(), 1.0);
}

#[test]
fn light_curves_end_at_zero() {
    let curve = LightCurveTemplateTemporalModel::new(55555.0, vec![0.0, 1.0, 2.0], vec![1.0, 3.0, 1.0]).unwrap();
    assert_eq!(curve.evaluate(55554.75), 0.5);
    assert_eq!(curve.evaluate(55558.0), 0.0);
    let integral = curve.integral_days(55554.0, 55560.0);
    assert!((integral - (0.25 + 2.0 + 2.0 + 0.25)).abs() < 1e-6, "{integral}");
    assert!(LightCurveTemplateTemporalModel::new(0.0, vec![0.0], vec![1.0]).is_err());
    assert!(LightCurveTemplateTemporalModel::new(0.0, vec![0.0, 0.0], vec![1.0, 1.0]).is_err());
}

#[test]
fn unknown_names_and_scales_are_refused() {
    assert!(from_parameters("FlareTemporalModel", &[], "utc").is_err());
    assert!(from_parameters("gauss", &[], "local").is_err());
    let given = Parameter::new("sigma", 1.0, "TeV".parse().unwrap());
    assert!(from_parameters("gauss", &[given], "utc").is_err());
}

#[test]
fn light_curves_of_energies_are_exponentials() {
    use crate::maps::{AxisInterp, MapAxis};
    let axis = MapAxis::from_nodes("energy", "GeV".parse().unwrap(), vec![100.0, 1e4], AxisInterp::Log).unwrap();
    // exp(-t) at 0.1 TeV, exp(-2 t) at 10 TeV: exp(-1.5 t) in the middle.
    let norms = ndarray::Array2::from_shape_fn((2, 3), |(e, t)| (-((e + 1) as f64) * t as f64).exp());
    let days = vec![0.0, 1.0, 2.0];
    let model = LightCurveTemplateTemporalModel::with_energies(55555.0, days.clone(), axis.clone(), &norms).unwrap();
    assert!(model.is_energy_dependent() && model.is_map());
    for (energy, rate) in [(0.1, 1.0f64), (1.0, 1.5), (10.0, 2.0)] {
        let found = model.evaluate_at(55556.3, energy);
        assert!((found / (-1.3 * rate).exp() - 1.0).abs() < 1e-9, "{energy}: {found}");
        let wanted = ((-0.2 * rate).exp() - (-1.9 * rate).exp()) / rate;
        let found = model.integral_days_at(55555.2, 55556.9, energy);
        assert!((found / wanted - 1.0).abs() < 1e-9, "{energy}: {found}");
    }
    assert!((model.evaluate(55556.0) / model.evaluate_at(55556.0, 1.0) - 1.0).abs() < 1e-12);
    let moved = model.with_parameters(&[Parameter::new("t_ref", 55556.0, "d".parse().unwrap())]).unwrap();
    assert!((moved.evaluate_at(55557.3, 10.0) / (-2.6f64).exp() - 1.0).abs() < 1e-9);
    let wrong = ndarray::Array2::from_elem((3, 3), 1.0);
    assert!(LightCurveTemplateTemporalModel::with_energies(55555.0, days.clone(), axis.clone(), &wrong).is_err());
    let broken = ndarray::Array2::from_elem((2, 3), f64::NAN);
    assert!(LightCurveTemplateTemporalModel::with_energies(55555.0, days, axis, &broken).is_err());
}
