"""Every model of Gammapy with random parameters and attributes, written as YAML, and what it is worth (`FOLDER`).

Called by `tests/models/gammapy.rs`, which has the files compared by `models_gammapy.py`."""

import json
import operator
import sys
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy.time import Time
from gammapy.data import GTI
from gammapy.maps import Map, MapAxis, RegionGeom, RegionNDMap, WcsGeom
from gammapy.modeling import models as gm
from gammapy.modeling.models import SPATIAL_MODEL_REGISTRY, SPECTRAL_MODEL_REGISTRY, TEMPORAL_MODEL_REGISTRY

RNG = np.random.default_rng(20)
EDGES = [0.02, 0.11, 0.7, 5.9, 49.9, 60.0, 300.0]
ENERGIES = [0.03, 0.3, 1.0, 4.5, 90.0]
# Those that need more than parameters are made below. Naima is another package, and ScaleSpectralModel is written
# without the model that it scales: nobody can read it back.
SPECIAL = [
    "CompoundSpectralModel",
    "TemplateSpectralModel",
    "TemplateNDSpectralModel",
    "PiecewiseNormSpectralModel",
    "EBLAbsorptionNormSpectralModel",
    "NaimaSpectralModel",
    "ScaleSpectralModel",
    "TemplateSpatialModel",
    "TemplateNDSpatialModel",
    "PiecewiseNormSpatialModel",
    "LightCurveTemplateTemporalModel",
    "TemplatePhaseCurveTemporalModel",
]
# A parameter's unit, and others that mean the same.
UNITS = {
    "TeV": ["TeV", "GeV", "MeV", "erg"],
    "TeV-1": ["TeV-1", "GeV-1"],
    "deg": ["deg", "arcmin", "rad"],
    "d": ["d", "h", "s"],
    "s-1 TeV-1 cm-2": ["cm-2 s-1 TeV-1", "cm-2 s-1 MeV-1", "m-2 s-1 GeV-1", "cm-2 s-1 erg-1"],
    "s-1 cm-2": ["cm-2 s-1", "m-2 s-1"],
}
EDGE_CASES = {
    "PowerLawSpectralModel": [{"index": 1.0}, {"index": 2.0}, {"index": -0.5}],
    "PowerLaw2SpectralModel": [{"index": 1.0}, {"index": 2.0}],
    "PowerLawNormSpectralModel": [{"tilt": 1.0}, {"tilt": 0.0}],
    "BrokenPowerLawSpectralModel": [{"index1": 1.0, "index2": 1.0}, {"index1": 2.0, "index2": 1.0}],
    "SmoothBrokenPowerLawSpectralModel": [{"index1": 3.0, "index2": 1.5}, {"index1": 2.0, "index2": 2.0}],
    "SuperExpCutoffPowerLaw4FGLDR3SpectralModel": [{"index_2": 0.0}, {"index_2": 1e-4}, {"expfactor": 0.0}],
    "ExpCutoffPowerLawSpectralModel": [{"lambda_": 0 / u.TeV}],
    "LogParabolaSpectralModel": [{"beta": 0.0}],
    "GaussianSpectralModel": [{"mean": 0.001 * u.TeV, "sigma": 1 * u.TeV}],
    "GaussianSpatialModel": [{"e": 0.9, "phi": 30 * u.deg}, {"sigma": 0.004 * u.deg}],
    "GeneralizedGaussianSpatialModel": [{"eta": 1.0, "e": 0.5}, {"eta": 0.1}],
    "DiskSpatialModel": [{"e": 0.6, "phi": -60 * u.deg}, {"edge_width": 1.0}],
    "SineTemporalModel": [{"amp": 0.0}],
}


def randomise(model):
    """Other values, units and attributes."""
    for p in model.parameters:
        names = ["lon_0", "lat_0", "t_ref"]
        if p.name not in names:
            p.value = (p.value if p.value != 0 else 0.1) * RNG.uniform(0.6, 1.6)
        if p.name == "e":
            p.value = RNG.choice([0.0, 0.3, 0.8])
        if p.name in ("eta", "width") or p.name == "edge_width":
            p.value = RNG.uniform(0.1, 0.6)
        for unit, others in UNITS.items():
            if p.unit == u.Unit(unit) and p.name not in names:
                p.quantity = p.quantity.to(RNG.choice(others))
        attributes(p)
    return model


def attributes(p):
    p.error = abs(p.value) * RNG.uniform(0, 0.3)
    p.frozen = bool(RNG.integers(2))
    if RNG.integers(2) and p.name not in ("e", "lat_0", "phi"):
        p.min, p.max = sorted([p.value - abs(p.value) * RNG.uniform(0.5, 2) - 1e-30, p.value + abs(p.value) + 1e-30])
    if p.name.startswith(("index", "alpha", "norm", "sigma")) and RNG.integers(2):
        p.prior = gm.GaussianPrior(mu=p.value, sigma=max(abs(p.value), 0.1))


def spectra(folder):
    for cls in SPECTRAL_MODEL_REGISTRY:
        if cls.__name__ in SPECIAL:
            continue
        for i in range(3):
            yield f"{cls.__name__}-{i}", randomise(cls())
        for i, case in enumerate(EDGE_CASES.get(cls.__name__, [])):
            yield f"{cls.__name__}-edge-{i}", cls(**case)
    pl = gm.PowerLawSpectralModel
    # Catalogues: 4FGL-DR4 (MeV, all conventions of the cutoff), 2FHL, 3HWC, HGPS, and a blazar behind the EBL.
    yield "4fgl-plec", gm.SuperExpCutoffPowerLaw4FGLDR3SpectralModel(
        amplitude="1.23e-12 cm-2 s-1 MeV-1", reference="1654.2 MeV", expfactor=0.43, index_1=2.1, index_2=0.667
    )
    yield "4fgl-dr2", gm.SuperExpCutoffPowerLaw4FGLSpectralModel(
        amplitude="1.23e-12 cm-2 s-1 MeV-1", reference="1654.2 MeV", expfactor=0.0067, index_1=1.7, index_2=0.667
    )
    yield "3fgl-plec", gm.SuperExpCutoffPowerLaw3FGLSpectralModel(
        amplitude="3e-12 cm-2 s-1 MeV-1", reference="800 MeV", ecut="2500 MeV", index_1=1.4, index_2=0.9
    )
    yield "4fgl-lp", gm.LogParabolaSpectralModel(
        amplitude="5e-13 cm-2 s-1 MeV-1", reference="1200 MeV", alpha=2.2, beta=0.12
    )
    yield "2fhl", gm.PowerLaw2SpectralModel(amplitude="1e-10 cm-2 s-1", index=2.8, emin="0.05 TeV", emax="2 TeV")
    yield "3hwc", pl(amplitude="3.2e-15 cm-2 s-1 TeV-1", reference="7 TeV", index=2.6)
    yield "hgps", gm.ExpCutoffPowerLawSpectralModel(
        amplitude="3e-12 cm-2 s-1 TeV-1", reference="1.2 TeV", index=1.9, lambda_="0.08 TeV-1"
    )
    ebl = gm.EBLAbsorptionNormSpectralModel(
        energy=[0.01, 0.1, 1, 10] * u.TeV,
        param=[0.05, 0.1, 0.4],
        data=np.array([[0.999, 0.99, 0.9, 0.3], [0.99, 0.98, 0.7, 0.1], [0.99, 0.9, 0.2, 1e-4]]),
        redshift=0.117,
        alpha_norm=1.0,
    )
    yield "blazar", pl(index=2.2) * ebl
    yield "sum", (pl(index=2.2) + gm.LogParabolaSpectralModel()) - gm.ConstantSpectralModel(const="1e-19 cm-2 s-1 TeV-1")
    yield "quotient", gm.CompoundSpectralModel(pl(), gm.PowerLawNormSpectralModel(norm=3, tilt=0.2), operator.truediv)
    yield "tilted", pl() * gm.PiecewiseNormSpectralModel([0.1, 1, 30] * u.TeV, norms=[1, 2, 0.5])
    energy = np.geomspace(10, 1e6, 30) * u.GeV
    values = 3e-9 * (energy.value / 20) ** -2.3 * np.exp(-energy.value / 3e4) * u.Unit("cm-2 s-1 MeV-1")
    yield "table", gm.TemplateSpectralModel(energy=energy, values=values)
    axes = [
        MapAxis.from_energy_bounds("0.01 TeV", "500 TeV", 25, name="energy_true"),
        MapAxis.from_nodes([0.5, 2, 10] * u.TeV, name="mass", interp="log"),
        MapAxis.from_edges([0, 1, 2.5], name="mix"),
    ]
    m = RegionNDMap.create(region=None, axes=axes, unit="cm-2 s-1 GeV-1")
    e, mass, mix = (c.value for c in (m.geom.get_coord()[a.name] for a in axes))
    m.data = 1e-12 * e**-2 * np.exp(-e / mass) * (1 + mix) + 1e-60
    path = str(folder / "nd.fits")
    m.write(path)
    nd = gm.TemplateNDSpectralModel(m, filename=path)
    nd.mass.value, nd.mix.value, nd.mix.frozen, nd.mass.error = 1.7, 0.8, True, 0.2
    yield "nd", nd


def shapes(folder):
    for cls in SPATIAL_MODEL_REGISTRY:
        if cls.__name__ in SPECIAL:
            continue
        for i in range(3):
            if cls is gm.ConstantSpatialModel:
                # Gammapy writes no other value than 1.
                yield f"{cls.__name__}-{i}", cls()
                continue
            where = {"lon_0": RNG.uniform(0, 360) * u.deg, "lat_0": RNG.uniform(-75, 75) * u.deg}
            yield f"{cls.__name__}-{i}", randomise(cls(**where, frame=["icrs", "galactic"][i % 2]))
        for i, case in enumerate(EDGE_CASES.get(cls.__name__, [])):
            yield f"{cls.__name__}-edge-{i}", cls(lon_0="83.6 deg", lat_0="22 deg", frame="icrs", **case)
    energy = MapAxis.from_energy_bounds("0.01 TeV", "500 TeV", 5, name="energy_true")
    for name, axes, kwargs in [
        ("flat", [], {}),
        ("cube", [energy], {"normalize": False}),
        ("normed", [energy], {}),
    ]:
        geom = WcsGeom.create(skydir=(83, 22), width=(4, 3), binsz=0.1, axes=axes, frame="icrs")
        m = Map.from_geom(geom, unit="sr-1", data=RNG.uniform(0.1, 2, size=geom.data_shape))
        path = str(folder / f"{name}.fits")
        m.write(path)
        yield f"template-{name}", gm.TemplateSpatialModel(m, filename=path, **kwargs)
    axes = [energy, MapAxis.from_nodes([0.5, 2, 10] * u.kpc, name="height", interp="log")]
    geom = WcsGeom.create(skydir=(83, 22), width=(4, 3), binsz=0.1, axes=axes, frame="icrs")
    m = Map.from_geom(geom, unit="sr-1", data=RNG.uniform(0.1, 2, size=geom.data_shape))
    path = str(folder / "nd-shape.fits")
    m.write(path)
    nd = gm.TemplateNDSpatialModel(m, filename=path)
    nd.height.quantity = 1.7e3 * u.pc
    nd.height.frozen = True
    yield "template-nd", nd


def variations(folder):
    t_ref = 55555.25
    for cls in TEMPORAL_MODEL_REGISTRY:
        if cls.__name__ in SPECIAL:
            continue
        for i in range(2):
            model = cls(scale=["utc", "tt"][i])
            if "t_ref" in model.parameters.names:
                model.t_ref.quantity = t_ref * u.d
            yield f"{cls.__name__}-{i}", randomise(model)
        for i, case in enumerate(EDGE_CASES.get(cls.__name__, [])):
            yield f"{cls.__name__}-edge-{i}", cls(**case)
    table = Table({"TIME": [0.0, 1.5, 3.0, 9.0] * u.d, "NORM": [1.0, 3.0, 0.5, 0.7]})
    table.meta = {"MJDREFI": 55555, "MJDREFF": 0.5, "TIMESYS": "utc", "TIMEUNIT": "d"}
    path = str(folder / "curve.fits")
    table.write(path, overwrite=True)
    yield "light-curve", gm.LightCurveTemplateTemporalModel.read(path)
    phases = Table({"PHASE": np.linspace(0.02, 0.98, 25), "NORM": RNG.uniform(0.1, 2, 25)})
    path = str(folder / "phases.fits")
    phases.write(path)
    for name, normalize in [("pulsar", True), ("pulsar-raw", False)]:
        phase = gm.TemplatePhaseCurveTemporalModel.read(
            path, normalize=normalize, t_ref=55550 * u.d, phi_ref=0.3, f0=2.1e-5 / u.s, f1=-1e-14 / u.s**2
        )
        yield name, phase
    axes = [
        MapAxis.from_nodes([0.0, 1.5, 3.0, 9.0] * u.d, name="time"),
        MapAxis.from_energy_bounds("0.01 TeV", "100 TeV", 4, name="energy"),
    ]
    m = RegionNDMap.create(region=None, axes=axes, data=RNG.uniform(0.1, 2, size=(4, 4, 1, 1)))
    curve = gm.LightCurveTemplateTemporalModel(m, t_ref=Time(55555.5, format="mjd", scale="utc"))
    curve.write(str(folder / "energies.fits"), format="map")
    yield "light-curve-energies", curve


def positions(model):
    """Around the centre, within and at the border, and far away; (lon, lat) in the model's frame."""
    if not hasattr(model, "lon_0"):
        return [(83.02, 22.03), (82.1, 21.7), (83.7, 23.2), (84.9, 22.0), (10.0, -3.0)]
    center = SkyCoord(model.lon_0.quantity, model.lat_0.quantity)
    radius = max(model.evaluation_radius, 0.1 * u.deg)
    rays = zip([10, 80, 170, 200, 300, 359] * u.deg, [0.05, 0.2, 0.35, 0.6, 0.9, 1.7])
    around = [center.directional_offset_by(a, f * radius) for a, f in rays]
    return [(p.ra.deg, p.dec.deg) for p in [center, *around]]


def main(folder):
    told = []
    components = []
    pl = gm.PowerLawSpectralModel
    for name, model in spectra(folder):
        name = f"s-{name}"
        is_norm = model.is_norm_spectral_model
        shape = gm.ConstantSpatialModel() if not is_norm else None
        flux = "" if is_norm else "cm-2 s-1 TeV-1"
        tev = 1 * u.TeV
        edges = EDGES * u.TeV
        components.append(gm.SkyModel(model, shape, name=name) if not is_norm else gm.SkyModel(pl() * model, name=name))
        told.append(
            {
                "name": name,
                "is_norm": bool(is_norm),
                "values": [float(np.squeeze(model(e * np.ones(1) * u.TeV).to_value(flux))) for e in ENERGIES],
                "integral": (model.integral(edges[:-1], edges[1:]) / tev).to_value(flux).ravel().tolist(),
                "energy_flux": (model.energy_flux(edges[:-1], edges[1:]) / tev**2).to_value(flux).ravel().tolist(),
            }
        )
    for name, model in shapes(folder):
        name = f"p-{name}"
        components.append(gm.SkyModel(pl(), model, name=name))
        where = positions(model)
        energy = 3.3 * u.TeV
        values = []
        if not isinstance(model, gm.PointSpatialModel):
            for lon, lat in where:
                kwargs = {"energy": energy * np.ones(1)} if model.is_energy_dependent else {}
                value = model(lon * np.ones(1) * u.deg, lat * np.ones(1) * u.deg, **kwargs)
                values.append(float(np.squeeze(value.to_value("sr-1"))))
        radius, size = model.evaluation_radius, model.evaluation_bin_size_min
        told.append(
            {
                "name": name,
                "where": where,
                "values": values,
                "radius": None if radius is None else radius.to_value("deg"),
                "bin": None if size is None else size.to_value("deg"),
            }
        )
    start = Time(55556.1, format="mjd", scale="utc")
    gti = GTI.create([0, 1.3, 3.1] * u.d, [0.5, 1.31, 4.4] * u.d, reference_time=start)
    gti_start, gti_stop = gti.time_start, gti.time_stop
    told.append(
        {
            "name": "gti",
            "intervals": np.transpose([(t - gti.time_ref).to_value("s") for t in (gti_start, gti_stop)]).tolist(),
            "reference": [int(np.floor(gti.time_ref.mjd)), float(gti.time_ref.mjd % 1), gti.time_ref.scale],
        }
    )
    for name, model in variations(folder):
        name = f"t-{name}"
        components.append(gm.SkyModel(pl(), temporal_model=model, name=name))
        times = Time([55555.6, 55556.2, 55557.9, 55561.0], format="mjd", scale=model.scale)
        kwargs = {"energy": [2.0] * u.TeV} if model.is_energy_dependent else {}

        def at(t):
            # Light curves want times, the others days.
            value = model.evaluate(t, **kwargs) if hasattr(model, "map") else model(t)
            return np.atleast_1d(np.squeeze(u.Quantity(value).to_value("")))

        entry = {"name": name, "times": times.mjd.tolist(), "values": at(times).tolist()}
        # The mean by a fine sum, and Gammapy's own where it has one.
        total, length = 0.0, 0.0
        for a, b in zip(gti_start, gti_stop):
            a, b = Time(a, scale=model.scale), Time(b, scale=model.scale)
            n = 20000
            total += float(np.mean(at(a + (b - a) * (np.arange(n) + 0.5) / n))) * (b - a).to_value("d")
            length += (b - a).to_value("d")
        entry["mean"] = total / length
        try:
            a, b = Time(gti_start, scale=model.scale), Time(gti_stop, scale=model.scale)
            # One by one: that of a phase curve takes no several intervals.
            parts = [float(np.squeeze(u.Quantity(model.integral(p, q)).to_value(""))) for p, q in zip(a, b)]
            entry["gammapy"] = float(np.average(parts, weights=(b - a).to_value("d")))
        except NotImplementedError:
            entry["gammapy"] = None
        told.append(entry)

    # A template of counts, and parameters that are one.
    axis = MapAxis.from_energy_bounds("0.1 TeV", "10 TeV", nbin=3)
    geom = WcsGeom.create(skydir=(83, 22), npix=(7, 5), binsz=0.1, axes=[axis], frame="icrs")
    counts = Map.from_geom(geom, data=RNG.uniform(0, 3, size=geom.data_shape))
    counts.write(folder / "counts.fits")
    npred = gm.TemplateNPredModel(counts, name="npred", filename=str(folder / "counts.fits"), datasets_names=["d"])
    npred.spectral_model = gm.PowerLawNormSpectralModel(norm=1.4, tilt=0.3)
    attributes(npred.spectral_model.norm)
    told.append({"name": "npred", "counts": npred.evaluate().data.ravel().tolist()})
    components.append(npred)
    components.append(gm.FoVBackgroundModel(dataset_name="d"))
    linked = pl()
    linked.index = next(c for c in components if c.name == "s-PowerLawSpectralModel-0").spectral_model.index
    components.append(gm.SkyModel(linked, name="linked"))

    models = gm.Models(components)
    # The covariance of so many parameters takes minutes; models_gammapy.py writes one.
    models.write(folder / "every.yaml", overwrite=True, write_covariance=False)
    models.write(folder / "full.yaml", overwrite=True, full_output=True, write_covariance=False)
    (folder / "told.json").write_text(json.dumps(told, default=float).replace("NaN", "null").replace("-Infinity", "null").replace("Infinity", "null"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
