"""Models that Gammapy writes (`write FOLDER`), and a comparison of what it reads with what it wrote (`compare A B`).

Called by `tests/models/gammapy.rs`."""

import sys
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.time import Time
from gammapy.maps import MapCoord
from gammapy.modeling.models import (
    EBLAbsorptionNormSpectralModel,
    ExpCutoffPowerLawSpectralModel,
    ExpDecayTemporalModel,
    FoVBackgroundModel,
    GaussianPrior,
    GaussianSpatialModel,
    GaussianTemporalModel,
    GeneralizedGaussianPrior,
    GeneralizedGaussianTemporalModel,
    LinearTemporalModel,
    LightCurveTemplateTemporalModel,
    LogUniformPrior,
    Models,
    PiecewiseNormSpatialModel,
    PiecewiseNormSpectralModel,
    PointSpatialModel,
    PowerLawSpectralModel,
    PowerLawTemporalModel,
    SineTemporalModel,
    SkyModel,
    TemplateSpectralModel,
    UniformPrior,
)


def write_absorption(path):
    """A table in the layout of those in Gammapy's data: energies in keV without a unit, a redshift twice."""
    from astropy.io import fits

    column = fits.Column
    redshifts = np.array([0.05, 0.1, 0.1, 0.4], dtype="f4")
    values = np.array([[0.99, 0.9, 0.3], [0.98, 0.7, 0.1], [0.98, 0.7, 0.1], [0.9, 0.2, 1e-4]], dtype="f4")
    parameters = [column("NAME", "12A", array=["redshift"]), column("VALUE", "4E", array=[redshifts])]
    energies = [column("ENERG_LO", "E", array=[5e7, 5e8, 5e9]), column("ENERG_HI", "E", array=[5e8, 5e9, 5e10])]
    spectra = [column("PARAMVAL", "E", array=redshifts), column("INTPSPEC", "3E", array=values)]
    tables = [("PARAMETERS", parameters), ("ENERGIES", energies), ("SPECTRA", spectra)]
    hdus = [fits.BinTableHDU.from_columns(columns, name=name) for name, columns in tables]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path, overwrite=True)


def models(folder):
    from astropy.table import Table

    pl = PowerLawSpectralModel
    a = SkyModel(pl(), PointSpatialModel(lon_0="83 deg", lat_0="22 deg"), name="a")
    b = SkyModel(ExpCutoffPowerLawSpectralModel(), GaussianSpatialModel(), name="b")
    b.spectral_model.index = a.spectral_model.index
    a.spectral_model.index.prior = GaussianPrior(mu=2.1, sigma=0.2)
    a.spectral_model.amplitude.prior = LogUniformPrior(min=1e-14, max=1e-10)
    b.spatial_model.sigma.prior = UniformPrior(min=0.01, max=2)
    b.spectral_model.lambda_.prior = GeneralizedGaussianPrior(mu=0.5, sigma=0.2, eta=0.7)
    a.spectral_model.amplitude.error = 1e-13
    b.spatial_model.sigma.error = 0.02
    piecewise = PiecewiseNormSpectralModel([1, 3, 10] * u.TeV, norms=[1, 2, 0.5])
    piecewise.parameters[1].frozen = True
    linear = PiecewiseNormSpectralModel([100, 300] * u.GeV, norms=[1, 2.5], interp="lin")
    ebl = EBLAbsorptionNormSpectralModel(
        energy=[0.1, 1, 10] * u.TeV,
        param=[0.05, 0.1, 0.4],
        data=np.array([[0.99, 0.9, 0.3], [0.98, 0.7, 0.1], [0.9, 0.2, 1e-4]]),
        redshift=0.2,
        alpha_norm=0.9,
    )
    absorption = folder / "absorption.fits"
    write_absorption(absorption)
    ebl_file = EBLAbsorptionNormSpectralModel.read(absorption, redshift=0.2)
    t = {"t_ref": Time(55555.25, format="mjd", scale="utc").mjd * u.d}
    table = Table({"TIME": [0.0, 1.5, 3.0] * u.d, "NORM": [1.0, 3.0, 0.5]})
    table.meta = {"MJDREFI": 55555, "MJDREFF": 0.5, "TIMESYS": "utc", "TIMEUNIT": "d"}
    path = folder / "curve.fits"
    table.write(path, overwrite=True)
    temporal = [
        ExpDecayTemporalModel(t0="3 d", **t),
        GaussianTemporalModel(sigma="50 h", **t),
        GeneralizedGaussianTemporalModel(t_rise="2 d", eta=0.7, **t),
        LinearTemporalModel(beta="0.1 d-1", **t),
        PowerLawTemporalModel(alpha=-0.8, **t),
        SineTemporalModel(amp=0.4, omega="2 rad/d", **t),
        LightCurveTemplateTemporalModel.read(path),
    ]
    coords = MapCoord.create(([359.0, 1.5, 0.5, 1.0, 359.5] * u.deg, [-1.0, -1.2, 0.1, 1.0, 0.8] * u.deg))
    nodes = PiecewiseNormSpatialModel(coords, norms=np.array([1.0, 1.2, 0.9, 1.1, 0.8]), frame="galactic")
    nodes.parameters["norm_2"].error = 0.1
    nodes.parameters["norm_3"].frozen = True
    gauss = GaussianSpatialModel(sigma="0.2 deg")
    bare = SkyModel(pl(), gauss, name="bare", apply_irf={"exposure": True, "psf": False, "edisp": False})
    # Gammapy cannot write an amplitude in TeV-1, but a table.
    table = TemplateSpectralModel([0.1, 1, 30] * u.TeV, [30, 2, 0.1] / u.TeV)
    counts = SkyModel(table, gauss.copy(), name="counts", apply_irf={"exposure": False, "psf": True, "edisp": True})
    varying = [SkyModel(pl(), temporal_model=m, name=f"t{i}") for i, m in enumerate(temporal)]
    return Models(
        [
            a,
            b,
            FoVBackgroundModel(dataset_name="d"),
            FoVBackgroundModel(dataset_name="e", spatial_model=nodes),
            FoVBackgroundModel(dataset_name="f", spatial_model=GaussianSpatialModel(sigma="2 deg", frame="galactic")),
            bare,
            counts,
            SkyModel(pl() * piecewise, name="pieces"),
            SkyModel(pl() * linear, name="lines"),
            SkyModel(pl() * ebl, name="absorbed"),
            SkyModel(pl() * ebl_file, name="absorbed-file"),
            *varying,
        ]
    )


def summary(path):
    read = Models.read(path)
    time = Time(55558.25, format="mjd", scale="utc")
    lines = []
    everything = list(read.parameters)
    for model in read:
        for name, p in zip(model.parameters_unique_names, model.parameters):
            prior = None if p.prior is None else (p.prior.tag[0], float(p.prior.weight), [q.value for q in p.prior.parameters])
            linked = sum(p is q for q in everything)
            lines.append((model.name, name, p.value, str(p.unit), p.error, p.min, p.max, p.frozen, prior, linked))
        spectral = model.spectral_model
        if getattr(model, "map", None) is not None:
            lines.append((model.name, model.evaluate().data.tolist(), model.datasets_names))
        lines.append((model.name, [float(spectral(e * u.TeV).value.squeeze()) for e in (0.2, 2, 20)]))
        if isinstance(model, FoVBackgroundModel) and model.spatial_model is not None:
            shape = model.spatial_model
            lines.append((shape.tag[0], shape.frame, np.round(float(shape(0.2 * u.deg, 0.1 * u.deg).value), 10)))
        lines.append((model.name, getattr(model, "apply_irf", None)))
        if getattr(model, "temporal_model", None) is not None:
            temporal = model.temporal_model
            # Light curves want times, and those of energies one value for each.
            value = temporal.evaluate(time) if hasattr(temporal, "map") else temporal(time)
            lines.append((model.name, temporal.scale, np.squeeze(u.Quantity(value).value).tolist()))
    if "covariance:" in Path(path).read_text():
        lines.append(np.round(read.covariance.data / 1e-30).diagonal().tolist())
    return lines


if __name__ == "__main__":
    if sys.argv[1] == "write":
        folder = Path(sys.argv[2])
        models(folder).write(folder / "gammapy.yaml", overwrite=True)
        time = Time(55558.25, format="mjd", scale="utc")
        for m in Models.read(folder / "gammapy.yaml"):
            values = [float(m.spectral_model(e * u.TeV).value.squeeze()) for e in (0.2, 2, 20)]
            temporal = getattr(m, "temporal_model", None)
            factor = 1.0 if temporal is None else float(np.squeeze(u.Quantity(temporal(time)).value))
            print(m.name, *values, factor)
    else:
        for x, y in zip(summary(sys.argv[2]), summary(sys.argv[3]), strict=True):
            assert repr(x) == repr(y), f"{x} became {y}"
