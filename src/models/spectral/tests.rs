//! Against Gammapy 2.1, and integrals against quadrature.

use proptest::prelude::*;

use super::*;

type Case = (Box<dyn SpectralModel>, [f64; 5], [f64; 4], [f64; 4]);

const ENERGIES: [f64; 5] = [0.05, 0.7, 1.501, 9.0, 150.0];
const EDGES: [f64; 5] = [0.1, 0.7, 5.9, 49.9, 60.0];

/// Per model Gammapy 2.1's numbers, in TeV, cm-2 and s-1, with `m` the same model there:
/// `[m(e * np.ones(1)) for e in ENERGIES]`, `m.integral(EDGES[:-1], EDGES[1:])`, `m.energy_flux(EDGES[:-1], EDGES[1:])`.
#[rustfmt::skip]
fn gammapy() -> Vec<Case> {
    vec![
        (
            Box::new(PowerLawSpectralModel::new(2.3, 3e-12, 1.5)),
            [7.490316009614885e-9, 1.7314328719493963e-11, 2.995405055169157e-12, 4.868255675565548e-14, 7.535659294528747e-17],
            [1.0767742161787187e-10, 8.73954724495845e-12, 5.471900538885631e-13, 7.747950707689163e-15],
            [2.2420155827119596e-11, 1.3360569432910913e-11, 7.0566554898675886e-12, 4.2298947412899007e-13],
        ),
        (
            Box::new(PowerLawSpectralModel::new(1.0, 3e-12, 1.5)),
            [9e-11, 6.42857142857143e-12, 2.998001332445037e-12, 5e-13, 3.0000000000000005e-14],
            [8.756595670748911e-12, 9.59232282682683e-12, 9.607808933306098e-12, 8.294560175908251e-13],
            [2.7e-12, 2.34e-11, 1.98e-10, 4.545000000000001e-11],
        ),
        (
            Box::new(PowerLawSpectralModel::new(2.0, 3e-12, 1.5)),
            [2.7e-9, 1.3775510204081637e-11, 2.9960039964474055e-12, 8.333333333333334e-14, 3.0000000000000004e-16],
            [5.7857142857142864e-11, 8.498789346246977e-12, 1.0087972555280052e-12, 2.2770541082164335e-14],
            [1.3134893506123364e-11, 1.4388484240240242e-11, 1.4411713399959144e-11, 1.2441840263862375e-12],
        ),
        (
            Box::new(PowerLawNormSpectralModel::new(0.3, 1.2, 2.0)),
            [3.629102574398662, 1.6442234306872257, 1.3079045091938788, 0.764218403479972, 0.328596449861591],
            [1.2231166788760977, 5.6669757033961385, 25.277166974030244, 4.488078378046896],
            [0.456583534358801, 17.28798996631033, 651.8331621956729, 246.41120015431338],
        ),
        (
            Box::new(PowerLaw2SpectralModel::new(2e-11, 2.4, 0.5, 80.0)),
            [1.4078119195047237e-8, 2.49940913220448e-11, 4.006443171259441e-12, 5.443655405459374e-14, 6.359948904918211e-17],
            [1.7802472656434485e-10, 1.1864995136101071e-11, 6.002375818161669e-13, 7.235717158639929e-15],
            [3.60648584093737e-11, 1.7565918529879518e-11, 7.495712826309478e-12, 3.9491306454704183e-13],
        ),
        (
            Box::new(ExpCutoffPowerLawSpectralModel::new(1.8, 3e-12, 1.5, 0.2, 1.0)),
            [1.3539311131946593e-9, 1.0282715536107262e-11, 2.2193462898517978e-12, 1.9711466515513666e-14, 7.051585849983607e-29],
            [3.693171710021526e-11, 6.03935940237229e-12, 1.8348047559450185e-13, 9.787283628969076e-19],
            [8.756259176635973e-12, 9.51995909474891e-12, 1.5773841858915956e-12, 5.19988564484194e-17],
        ),
        (
            Box::new(ExpCutoffPowerLawSpectralModel::new(1.8, 3e-12, 1.5, 0.2, 0.6)),
            [1.2839182849396147e-9, 8.697916570341008e-12, 1.8434247194649938e-12, 2.87413300179957e-14, 3.425561034941402e-19],
            [3.3182876155300906e-11, 5.118583487791527e-12, 2.8651752805726556e-13, 7.078251095391017e-16],
            [7.75472207781388e-12, 8.244655479796187e-12, 3.0709192370336038e-12, 3.8424089514442914e-14],
        ),
        (
            Box::new(GaussianSpectralModel::new(3e-12, 5.0, 12.0)),
            [9.160118970646393e-14, 9.35336248555285e-14, 9.558462344723808e-14, 9.434580692324829e-14, 1.9671837516577936e-45],
            [5.559735797729251e-14, 5.095371186736172e-13, 1.4100478620194155e-12, 2.6734149703933067e-16],
            [2.2292219226236886e-14, 1.6949416346942922e-12, 2.1358729324945794e-11, 1.4038524966561262e-14],
        ),
        (
            Box::new(LogParabola2SpectralModel::new(3e-12, 2.0, 2.3, 0.12, 5.0)),
            [1.8902888202304474e-09, 2.619359517491273e-11, 5.569493438600926e-12, 8.485130389724364e-14, 2.5071824191518868e-17],
            [8.237387164139359e-11, 1.538137058536263e-11, 8.869317995640072e-13, 5.822970426493711e-15],
            [2.0492869450086006e-11, 2.4555708179160472e-11, 1.0231576938840192e-11, 3.172842489033585e-13],
        ),
        (
            Box::new(MeyerCrabSpectralModel::default()),
            [2.709292243076604e-08, 8.182082568561718e-11, 1.1798731838112526e-11, 9.517276316663579e-14, 2.6552579556108414e-17],
            [5.267810258074242e-10, 3.556505809667813e-11, 9.907115321461739e-13, 5.718014216315148e-15],
            [1.1092423770012776e-10, 4.9436983935983106e-11, 1.0997569943795616e-11, 3.1160734661202215e-13],
        ),
        (
            Box::new(ExpCutoffPowerLawNormSpectralModel::new(0.2, 1.3, 1.5, 0.2, 1.0)),
            [2.5411169813423586, 1.3162572267730837, 0.9627427619244235, 0.15016994952964766, 4.842937844200792e-14],
            [0.969116137283122, 3.3326301996561276, 1.3691290380114807, 0.00012786534714126133],
            [0.3646537778692001, 8.976686394023453, 14.428697472532368, 0.006818989379723262],
        ),
        (
            Box::new(ExpCutoffPowerLaw3FGLSpectralModel::new(1.8, 3e-12, 1.5, 6.0)),
            [1.7413818476228413e-9, 1.351496669850592e-11, 2.9959039982198092e-12, 3.4164958824606175e-14, 1.3437944021470525e-26],
            [4.779806753537021e-11, 8.17772678244642e-12, 3.154973170557164e-13, 7.41280617852658e-18],
            [1.136440197592765e-11, 1.3173228398826244e-11, 2.8206076608666094e-12, 3.955178174543798e-16],
        ),
        (
            Box::new(SuperExpCutoffPowerLaw3FGLSpectralModel::new(3e-12, 1.5, 6.0, 1.4, 0.8)),
            [4.774482808264373e-10, 1.013702716238235e-11, 2.9966750088888312e-12, 8.516745873959351e-14, 1.3090382770073809e-20],
            [2.3039896574154723e-11, 8.16749532563542e-12, 8.216492421066892e-13, 8.039882731068312e-16],
            [6.1525830523062815e-12, 1.5127970193504252e-11, 8.6499880561323e-12, 4.343302909194652e-14],
        ),
        (
            Box::new(LogParabolaSpectralModel::new(3e-12, 2.0, 2.3, 0.12)),
            [2.8358450175157624e-9, 2.939862768412914e-11, 5.748062700454302e-12, 7.191750492576008e-14, 1.5596019980286097e-17],
            [1.0546768969205482e-10, 1.6066656626206004e-11, 7.428148781064845e-13, 4.0495227588134584e-15],
            [2.539184167827901e-11, 2.4757537906411277e-11, 8.31941530982646e-12, 2.205835741022159e-13],
        ),
        (
            Box::new(LogParabolaNormSpectralModel::new(1.1, 2.0, 0.3, 0.12)),
            [0.6498811498473626, 1.3204883601454673, 1.187119176117072, 0.5339874740737686, 0.032166791209340045],
            [0.7532747478027375, 4.947447934471641, 11.688023181686198, 1.1045372400326083],
            [0.3099964738248444, 14.898139015439506, 254.66005045656448, 60.506916262580084],
        ),
        (
            Box::new(BrokenPowerLawSpectralModel::new(1.7, 3.1, 3e-12, 3.0)),
            [3.1621202426365444e-9, 3.56090772432619e-11, 9.735992057485605e-12, 9.95509399823069e-14, 1.622984010734979e-17],
            [1.0342758957983994e-10, 2.600167928306276e-11, 1.0238977556461909e-12, 3.753371080339636e-15],
            [2.5719603905270585e-11, 4.47182924797635e-11, 1.0550507818197317e-11, 2.044481381356664e-13],
        ),
        (
            Box::new(SmoothBrokenPowerLawSpectralModel::new(1.7, 3.1, 3e-12, 3.0, 1.5, 0.7)),
            [9.730674680811748e-10, 1.0560710439129784e-11, 2.5627788115087256e-12, 2.846191576983135e-14, 4.9939210304060564e-18],
            [3.1630526373161955e-11, 6.778049504951481e-12, 2.893175023628864e-13, 1.152768295079066e-15],
            [7.830280878931258e-12, 1.09783318306518e-11, 3.0434709441733776e-12, 6.279265581587031e-14],
        ),
        (
            Box::new(SmoothBrokenPowerLawSpectralModel::new(3.1, 1.7, 3e-12, 3.0, 1.5, 0.7)),
            [1.1383651159744622e-7, 3.3061063964637506e-11, 3.50059691288346e-12, 5.819053881108468e-14, 4.526899353422103e-16],
            [6.233021454843191e-10, 1.2001255870287954e-11, 7.672314237697037e-13, 2.5418481203664104e-14],
            [1.0702741140099743e-10, 1.6208036256138482e-11, 1.1932516710940998e-11, 1.3900308442147388e-12],
        ),
        (
            Box::new(SmoothBrokenPowerLawSpectralModel::new(2.0, 2.0, 3e-12, 3.0, 1.5, 0.7)),
            [2.7e-9, 1.3775510204081637e-11, 2.9960039964474055e-12, 8.333333333333334e-14, 3.0000000000000004e-16],
            [5.785714285714287e-11, 8.498789346246975e-12, 1.0087972555280045e-12, 2.277054108216454e-14],
            [1.3134893506123382e-11, 1.4388484240240268e-11, 1.4411713399959113e-11, 1.2441840263862404e-12],
        ),
        (
            Box::new(SuperExpCutoffPowerLaw4FGLSpectralModel::new(3e-12, 1.5, 1e-4, 1.4, 0.6)),
            [5.456997230371493e-10, 1.0506082926592543e-11, 2.9965936427107875e-12, 9.163897670037411e-14, 2.5275631719543485e-18],
            [2.5092748461423115e-11, 8.211459854587346e-12, 9.45461593559362e-13, 4.081424388650005e-15],
            [6.615873943709829e-12, 1.5093923003195637e-11, 1.1024493392390536e-11, 2.217354109923218e-13],
        ),
        (
            Box::new(SuperExpCutoffPowerLaw4FGLDR3SpectralModel::new(3e-12, 1.5, 0.2, 1.4, 0.6)),
            [1.8308040439869824e-10, 8.2933192086756e-12, 2.997202105170817e-12, 1.518432212791221e-13, 5.769207311892013e-18],
            [1.4001156789965108e-11, 8.384451173596456e-12, 1.6190034642095683e-12, 9.379803329049745e-15],
            [4.075144491939128e-12, 1.7143095029958745e-11, 2.0009853181314985e-11, 5.097072740553178e-13],
        ),
        (
            Box::new(ConstantSpectralModel::new(2e-13)),
            [2e-13, 2e-13, 2e-13, 2e-13, 2e-13],
            [1.1999999999999994e-13, 1.0400000000000002e-12, 8.799999999999992e-12, 2.020000000000007e-12],
            [4.799999999999994e-14, 3.4320000000000003e-12, 2.4552000000000005e-10, 1.109990000000003e-10],
        ),
        (
            Box::new(TemplateSpectralModel::new(vec![0.1, 1.0, 10.0, 100.0], vec![1e-9, 2e-11, 1e-13, 3e-16]).unwrap()),
            [3.2466908199276523e-9, 3.6660955452430147e-11, 7.855480088785152e-12, 1.2743518633465846e-13, 1.0786097954024096e-16],
            [1.0635267711368406e-10, 2.1946300896635336e-11, 1.3582391156973533e-12, 1.3897269973270968e-14],
            [2.645539742351878e-11, 3.42641363839952e-11, 1.6590851705124027e-11, 7.582258385295218e-13],
        ),
    ]
}

fn assert_close(what: &str, found: &[f64], expected: &[f64], rel: f64) {
    assert_eq!(found.len(), expected.len());
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a / b - 1.0).abs() <= rel, "{what}[{i}]: {a:e}, expected {b:e}, off by {:e}", a / b - 1.0);
    }
}

#[test]
fn values_and_integrals_are_gammapys() {
    for (model, dnde, flux, eflux) in gammapy() {
        let name = format!("{model:?}");
        assert_close(&name, &ENERGIES.map(|e| model.evaluate(e)), &dnde, 1e-12);
        assert_close(&name, &model.integral_bins(&EDGES), &flux, 1e-11);
        assert_close(&name, &model.energy_flux_bins(&EDGES), &eflux, 1e-11);
    }
}

#[test]
fn single_bins_have_their_own_number_of_nodes() {
    // >>> LogParabolaSpectralModel(amplitude="3e-12 cm-2 s-1 TeV-1", reference="2 TeV", alpha=2.3, beta=0.12)
    // ...     .integral(0.1 * u.TeV, 0.7 * u.TeV)
    let model = LogParabolaSpectralModel::new(3e-12, 2.0, 2.3, 0.12);
    assert_close("flux", &[model.integral(0.1, 0.7)], &[1.0546749480120766e-10], 1e-12);
}

#[test]
fn all_models_agree_with_quadrature() {
    for (model, ..) in gammapy() {
        for w in EDGES.windows(2) {
            let flux = integrate::adaptive(|e| model.evaluate(e), w[0], w[1]);
            let eflux = integrate::adaptive(|e| e * model.evaluate(e), w[0], w[1]);
            let name = format!("{model:?} {w:?}");
            assert_close(&name, &[model.integral_exact(w[0], w[1])], &[flux], 1e-9);
            assert_close(&name, &[model.energy_flux_exact(w[0], w[1])], &[eflux], 1e-9);
            // What the trapezoids miss: 6e-4 in the steepest bin here, 10 e-foldings beyond the cutoff.
            assert_close(&name, &[model.integral(w[0], w[1])], &[flux], 2e-3);
        }
    }
}

#[test]
fn defaults_are_gammapys() {
    // >>> cls()(2 * u.TeV)
    for (tag, expected) in [
        ("pl", 2.5e-13),
        ("pl-2", 1e-12 / (1.0 / 0.1 - 1.0 / 100.0) / 4.0),
        ("pl-norm", 1.0),
        ("bpl", 2.5e-13),
        ("ecpl", 1e-12 * 2f64.powf(-1.5) * (-0.2f64).exp()),
        ("lp", 1e-12 * 0.2f64.powf(-2.0 - 0.2f64.ln())),
        ("const", 1e-12),
    ] {
        assert_close(tag, &[from_parameters(tag, &[]).unwrap().evaluate(2.0)], &[expected], 1e-12);
    }
    for (tag, short) in SPECTRAL_TAGS {
        let model = from_parameters(tag, &[]).unwrap();
        assert_eq!(model.tag(), *tag);
        assert_eq!(format!("{model:?}"), format!("{:?}", from_parameters(short, &[]).unwrap()));
        for p in model.parameters() {
            assert!(p.value.is_finite() && (p.unit.is_dimensionless() || !p.unit.to_string().is_empty()));
        }
    }
}

#[test]
fn units_of_parameters_are_converted() {
    let mut parameters = PowerLawSpectralModel::new(2.0, 3e-12, 1.0).parameters().to_vec();
    parameters[1] = Parameter::new("amplitude", 3e-21, "keV-1 s-1 cm-2".parse().unwrap());
    parameters[2] = Parameter::new("reference", 1e9, "keV".parse().unwrap());
    parameters.reverse();
    let model = PowerLawSpectralModel::from_parameters(&parameters).unwrap();
    assert_close("keV", &[model.evaluate(2.0)], &[0.75e-12], 1e-12);
    assert_eq!(model.parameters()[2].unit.to_string(), "keV");
}

#[test]
fn wrong_parameters_are_named() {
    let bad = [Parameter::new("reference", 1.0, "cm".parse().unwrap())];
    let message = from_parameters("pl", &bad).unwrap_err().to_string();
    assert!(message.contains("PowerLawSpectralModel.reference") && message.contains("cm"), "{message}");
    let bad = [Parameter::new("index", f64::NAN, "".parse().unwrap())];
    assert!(from_parameters("pl", &bad).unwrap_err().to_string().contains("index"));
    let error = from_parameters("NaimaSpectralModel", &[]).unwrap_err();
    assert!(error.to_string().contains("NaimaSpectralModel") && error.help().unwrap().contains("PowerLaw2"));
}

#[test]
fn compounds_join_two_spectra() {
    let pl: Arc<dyn SpectralModel> = Arc::new(PowerLawSpectralModel::new(2.3, 3e-12, 1.5));
    let norm: Arc<dyn SpectralModel> = Arc::new(PowerLawNormSpectralModel::new(0.3, 1.2, 2.0));
    // >>> (PowerLawSpectralModel(index=2.3, ...) * PowerLawNormSpectralModel(tilt=0.3, ...)).integral(...)
    let model = CompoundSpectralModel::new(pl.clone(), norm, CompoundOperator::Mul);
    let scale = 3e-12 * 1.2 * 1.5f64.powf(2.3) * 2f64.powf(0.3);
    assert_close("mul", &[model.evaluate(3.0)], &[scale * 3f64.powf(-2.6)], 1e-12);
    let flux: Vec<f64> = EDGES.windows(2).map(|w| scale * integrate::power_law(2.6, 1.0, w[0], w[1])).collect();
    assert_close("mul", &model.integral_bins(&EDGES), &flux, 1e-12);
    let mut parameters = model.parameters().to_vec();
    assert_eq!(parameters.len(), 6);
    parameters[4].value = 2.4;
    assert_close(
        "norm",
        &[model.with_parameters(&parameters).unwrap().evaluate(1.0)],
        &[2.0 * model.evaluate(1.0)],
        1e-12,
    );
    assert!(model.with_parameters(&parameters[1..]).is_err() && !model.is_norm());
    for (name, expected) in [("add", 2.0), ("sub", 0.0)] {
        let sum = CompoundSpectralModel::new(pl.clone(), pl.clone(), name.parse().unwrap());
        assert!((sum.evaluate(1.0) - expected * pl.evaluate(1.0)).abs() < 1e-24);
    }
    assert!("pow".parse::<CompoundOperator>().is_err());
}

#[test]
fn zero_amplitudes_give_zeros() {
    let zero: [Box<dyn SpectralModel>; 5] = [
        Box::new(PowerLawSpectralModel::new(2.0, 0.0, 1.0)),
        Box::new(LogParabolaSpectralModel::new(0.0, 1.0, 2.0, 0.1)),
        Box::new(BrokenPowerLawSpectralModel::new(2.0, 3.0, 0.0, 1.0)),
        Box::new(ConstantSpectralModel::new(0.0)),
        Box::new(ExpCutoffPowerLawSpectralModel::new(2.0, 0.0, 1.0, 0.1, 1.0)),
    ];
    for model in zero {
        assert_eq!(model.integral_bins(&EDGES), vec![0.0; 4]);
        assert_eq!(model.energy_flux_bins(&EDGES), vec![0.0; 4]);
        assert_eq!(model.integral_exact(1.0, 10.0), 0.0);
    }
    let table = TemplateSpectralModel::new(vec![1.0, 10.0], vec![0.0, 0.0]).unwrap();
    assert_eq!((table.evaluate(3.0), table.integral(1.0, 10.0)), (0.0, 0.0));
}

#[test]
fn tables_are_checked() {
    for (energies, values) in [
        (vec![], vec![]),
        (vec![1.0, 2.0], vec![1.0]),
        (vec![2.0, 1.0], vec![1.0, 1.0]),
        (vec![-1.0, 1.0], vec![1.0, 1.0]),
        (vec![1.0, 2.0], vec![1.0, f64::NAN]),
    ] {
        assert!(TemplateSpectralModel::new(energies, values).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn integrals_of_random_models_agree_with_quadrature(
        index in -1.0..4.0f64, curvature in 0.0..0.5f64, reference in 0.05..20.0f64,
        min in 0.01..10.0f64, decades in 0.05..2.0f64,
    ) {
        let max = min * 10f64.powf(decades);
        let models: [Box<dyn SpectralModel>; 6] = [
            Box::new(PowerLawSpectralModel::new(index, 1e-12, reference)),
            Box::new(PowerLaw2SpectralModel::new(1e-12, index, 0.1, 30.0)),
            Box::new(BrokenPowerLawSpectralModel::new(index, index + 1.0, 1e-12, reference)),
            Box::new(LogParabolaSpectralModel::new(1e-12, reference, index, curvature)),
            Box::new(ExpCutoffPowerLawSpectralModel::new(index, 1e-12, reference, curvature / 100.0, 1.0)),
            Box::new(SmoothBrokenPowerLawSpectralModel::new(index, index - 1.0, 1e-12, reference, 1.0, 0.5)),
        ];
        for model in models {
            // In two parts, so that no panel holds the kink of the broken power law.
            let middle = reference.clamp(min, max);
            let quad = |f: &dyn Fn(f64) -> f64| {
                integrate::adaptive(f, min, middle) + integrate::adaptive(f, middle, max)
            };
            let flux = quad(&|e| model.evaluate(e));
            let eflux = quad(&|e| e * model.evaluate(e));
            prop_assert!((model.integral_exact(min, max) / flux - 1.0).abs() < 1e-9, "{model:?}");
            prop_assert!((model.energy_flux_exact(min, max) / eflux - 1.0).abs() < 1e-9, "{model:?}");
            prop_assert!((model.integral(min, max) / flux - 1.0).abs() < 1e-3, "{model:?}");
            prop_assert!((model.energy_flux(min, max) / eflux - 1.0).abs() < 1e-3, "{model:?}");
        }
    }
}

#[test]
fn lines_have_digits_in_their_tails() {
    let line = GaussianSpectralModel::new(1.0, 1.0, 0.1);
    // erfc(15 / sqrt(2)) / 2, where a difference of two erf is 0.
    assert!((line.integral(2.5, 100.0) / 3.670_966_199_2e-51 - 1.0).abs() < 1e-9, "{:e}", line.integral(2.5, 100.0));
    let mirrored = GaussianSpectralModel::new(1.0, 5.0, 0.1);
    assert!((mirrored.integral(3.0, 3.5) / line.integral(2.5, 3.0) - 1.0).abs() < 1e-6);
}

#[test]
fn crabs_have_names() {
    for (name, at_1_tev) in [
        ("meyer", 3.345_720_1e-11),
        ("hegra", 2.83e-11),
        ("hess_pl", 3.45e-11),
        ("hess_ecpl", 3.76e-11 * (-1.0f64 / 14.3).exp()),
        ("magic_lp", 3.23e-11),
        ("magic_ecpl", 3.8e-11 * (-1.0f64 / 6.0).exp()),
    ] {
        let found = crab(name).unwrap().evaluate(1.0);
        assert!((found / at_1_tev - 1.0).abs() < 1e-7, "{name}: {found:e}");
    }
    assert!(crab("lobster").unwrap_err().help().unwrap().contains("hess_pl"));
}

/// A spectrum at 4 energies for 3 values of one parameter and 2 bins of another.
fn nd(values: impl Fn(f64, f64, f64) -> f64, unit: &str) -> crate::Result<TemplateNDSpectralModel> {
    use crate::maps::{AxisInterp, Geom, Map, MapAxis, RegionGeom};
    let energies = vec![0.1, 1.0, 10.0, 100.0];
    let energy = MapAxis::from_nodes("energy_true", "TeV".parse()?, energies.clone(), AxisInterp::Log)?;
    let mass = MapAxis::from_nodes("mass", "TeV".parse()?, vec![1.0, 10.0, 100.0], AxisInterp::Log)?;
    let mix = MapAxis::from_edges("mix", "".parse()?, vec![0.0, 1.0, 2.0], AxisInterp::Lin)?;
    let geom = Geom::Region(RegionGeom::new(None, None, vec![energy, mass, mix]));
    let mut cube = ndarray::Array3::zeros((24, 1, 1));
    for (i, v) in cube.iter_mut().enumerate() {
        *v = values(energies[i % 4], [1.0, 10.0, 100.0][i / 4 % 3], [0.5, 1.5][i / 12]);
    }
    TemplateNDSpectralModel::new(Arc::new(Map::from_cube(Arc::new(geom), unit.parse()?, cube)?))
}

#[test]
fn tables_of_parameters_are_interpolated() {
    // A power of everything is a plane in logarithms, so it comes back in between and beyond.
    let law = |e: f64, mass: f64, mix: f64| 1e-12 * e.powf(-2.0) * mass.powf(0.3) * (0.4 * mix).exp();
    let model = nd(law, "cm-2 s-1 GeV-1").unwrap();
    let names: Vec<&str> = model.parameters().iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["mass", "mix"]);
    let p = &model.parameters()[1];
    assert_eq!((p.value, p.min, p.max), (1.0, 0.0, 2.0));
    assert_eq!((model.parameters()[0].min, model.parameters()[0].max), (1.0, 100.0));
    let given = [
        Parameter::new("mass", 3e4, "GeV".parse().unwrap()),
        Parameter { frozen: true, ..Parameter::new("mix", 1.25, "".parse().unwrap()) },
    ];
    let moved = model.with_parameters(&given).unwrap();
    assert!(moved.parameters()[1].frozen);
    for energy in [0.03, 0.4, 7.0, 300.0] {
        let wanted = 1e3 * law(energy, 30.0, 1.25);
        assert!((moved.evaluate(energy) / wanted - 1.0).abs() < 1e-12, "{energy}");
    }
    // A place without a number counts as 0, and a whole row of zeros is 0.
    assert_eq!(nd(|_, _, _| f64::NAN, "cm-2 s-1 TeV-1").unwrap().evaluate(1.0), 0.0);
    assert!(nd(law, "").unwrap().is_norm() && !model.is_norm());
    assert!(nd(law, "sr").unwrap_err().to_string().contains("'sr'"));
    let error = model.with_parameters(&[Parameter::new("mass", 1.0, "deg".parse().unwrap())]).unwrap_err();
    assert!(error.to_string().contains("mass"), "{error}");
}
