#!/usr/bin/env python3
"""Makes everything in this folder: simulated datasets, Gammapy's TS maps of them, and the exact solutions.

    python make.py [CASE ...]

Needs gammapy 2.1 with regions < 0.12 (README.md says which versions made the files that are committed).
Seeds are fixed: the same versions give the same numbers.  Files are written beside this script.
"""

import contextlib
import json
import os
import platform
import sys
import time
import unittest.mock
import warnings
from pathlib import Path

import astropy
import astropy.units as u
import gammapy
import numpy as np
import scipy
from astropy.io import fits
from gammapy.data import GTI
from gammapy.datasets import Datasets, MapDataset
from gammapy.estimators import TSMapEstimator
from gammapy.irf import EDispKernelMap, PSFKernel, PSFMap
from gammapy.maps import Map, MapAxis, WcsGeom, WcsNDMap
from gammapy.modeling import models as gm
from scipy import ndimage
from scipy.optimize import brentq

warnings.simplefilter("ignore")
HERE = Path(__file__).resolve().parent

RECO = MapAxis.from_energy_bounds("0.5 TeV", "20 TeV", nbin=4)
TRUE = MapAxis.from_energy_bounds("0.3 TeV", "30 TeV", nbin=6, name="energy_true")
RAD = MapAxis.from_bounds(0, 0.5, nbin=50, node_type="edges", unit="deg", name="rad")


# ------------------------------------------------------------------------------------------------ datasets
def falling_off(geom, center, width_deg):
    """1 at the centre of the camera, falling as a Gaussian."""
    offset = geom.to_image().separation(center).deg
    return np.exp(-0.5 * (offset / width_deg) ** 2)


def simulate(name, geom, seed, camera, area_cm2, hours, background_per_bin, models, mask_safe, mask_fit=None):
    """A dataset with Poisson counts.  `mask_safe` and `mask_fit` give a boolean cube for the reco geometry."""
    cube = geom.to_cube([RECO])
    dataset = MapDataset.create(cube, energy_axis_true=TRUE, rad_axis=RAD, name=name)
    shape = falling_off(geom, camera, 1.6)

    aperture = area_cm2 * np.clip(TRUE.center.to_value("TeV") / 1.0, 0.2, 3.0) ** 0.4
    exposure = aperture[:, None, None] * shape * hours * 3600
    dataset.exposure = Map.from_geom(geom.to_cube([TRUE]), data=exposure.astype("float32"), unit="cm2 s")

    level = background_per_bin * (RECO.center / RECO.center[0]).to_value("") ** -1.1
    background = level[:, None, None] * falling_off(geom, camera, 1.1)
    dataset.background = Map.from_geom(cube, data=background.astype("float32"))

    # Responses on a coarse grid around the field, so that the position in them matters.
    coarse = WcsGeom.create(skydir=geom.center_skydir, frame=geom.frame, proj=geom.projection, binsz=1.0, npix=(3, 3))
    sigma = 0.075 * (TRUE.center.to_value("TeV")) ** -0.25 + 0.01
    psf = PSFMap.from_gauss(TRUE, RAD, sigma * u.deg, geom=coarse)
    tilt = 1 + 0.1 * np.arange(3)[None, None, None, :] + 0.05 * np.arange(3)[None, None, :, None]
    rad = RAD.center.to_value("deg")[None, :, None, None]
    psf.psf_map.data = (psf.psf_map.data * np.exp(-0.3 * tilt * rad / 0.1)).astype("float32")
    dataset.psf = psf
    dataset.edisp = EDispKernelMap.from_gauss(RECO, TRUE, sigma=0.18, bias=0.02, geom=coarse)
    for irf in (dataset.psf, dataset.edisp):
        irf._irf_map = single(irf._irf_map)
        irf.exposure_map = single(irf.exposure_map)

    dataset.mask_safe = Map.from_geom(cube, data=mask_safe(cube))
    if mask_fit is not None:
        dataset.mask_fit = Map.from_geom(cube, data=mask_fit(cube))
    dataset.gti = GTI.create(0 * u.h, hours * u.h, reference_time="2024-02-03T04:05:06")
    dataset.models = gm.Models(models)
    expected = np.clip(dataset.npred().data, 0, None) * dataset.mask_safe.data
    counts = np.random.default_rng(seed).poisson(expected)
    dataset.counts = Map.from_geom(cube, data=counts.astype("float32"))
    dataset.models = None
    dataset.write(HERE / f"{name}.fits.gz", overwrite=True)


def single(m):
    return Map.from_geom(m.geom, data=m.data.astype("float32"), unit=m.unit)


def source(name, lon, lat, frame, index, amplitude, sigma=None):
    position = dict(lon_0=f"{lon} deg", lat_0=f"{lat} deg", frame=frame)
    spatial = gm.PointSpatialModel(**position) if sigma is None else gm.GaussianSpatialModel(sigma=f"{sigma} deg", **position)
    spectral = gm.PowerLawSpectralModel(index=index, amplitude=f"{amplitude} cm-2 s-1 TeV-1", reference="1 TeV")
    return gm.SkyModel(spatial_model=spatial, spectral_model=spectral, name=name)


def hole(cube, x, y, radii_px):
    """True outside circles whose radius depends on the energy bin."""
    ny, nx = cube.data_shape[-2:]
    jj, ii = np.mgrid[:ny, :nx]
    return np.array([np.hypot(ii - x, jj - y) >= r for r in radii_px])


def make_datasets():
    car = WcsGeom.create(skydir=(12.0, 0.6), frame="galactic", proj="CAR", binsz=0.05, npix=(40, 32))
    simulate(
        "sim-car",
        car,
        seed=20260101,
        camera=car.center_skydir.directional_offset_by(70 * u.deg, 0.4 * u.deg),
        area_cm2=6e9,
        hours=5.0,
        background_per_bin=2.2,
        models=[
            source("bright", 12.21, 0.47, "galactic", 2.2, 4e-12),
            source("wide", 11.6, 0.93, "galactic", 2.5, 5e-12, sigma=0.12),
        ],
        mask_safe=lambda cube: hole(cube, 30, 9, [6, 4, 2, 0]),
    )
    tan = WcsGeom.create(skydir=(150.0, -40.0), frame="icrs", proj="TAN", binsz=0.04, npix=(25, 25))
    point = source("point", 150.05, -39.93, "icrs", 2.3, 3e-12)
    for k, (x, y, radii, hours, area) in enumerate([(4, 20, [8, 5, 3, 0], 2.0, 6e9), (22, 3, [3, 6, 9, 12], 3.5, 3e9)]):
        simulate(
            f"sim-tan-{k + 1}",
            tan,
            seed=20260102 + k,
            camera=tan.center_skydir.directional_offset_by((40 + 150 * k) * u.deg, 0.3 * u.deg),
            area_cm2=area,
            hours=hours,
            background_per_bin=0.7 + 0.5 * k,
            models=[point],
            mask_safe=lambda cube, x=x, y=y, radii=radii: hole(cube, x, y, radii),
            mask_fit=None if k == 0 else lambda cube: np.broadcast_to(np.arange(25) < 23, cube.data_shape).copy(),
        )


# ------------------------------------------------------------------------------------- the exact solution
TRUNCATION = 1e-25
FAILED, DIFFERS, CLIP, NO_COUNTS, SINGLE_BIN, NO_MODEL = 1, 2, 4, 8, 16, 32
FITTED = ["norm", "ts", "norm_err", "norm_errn", "norm_errp", "norm_ul"]
QUANTITIES = [*FITTED, "stat", "stat_null", "npred", "npred_excess"]


def truncated(mu):
    return np.where(mu > TRUNCATION, mu, TRUNCATION)


def stat(x, c, b, m):
    t = truncated(b + x * m)
    return 2 * np.sum(t - np.where(c > 0, c * np.log(t), 0))


def stat_change(x, x0, c, b, m):
    """stat(x) - stat(x0), as a sum of differences: no cancellation of large sums."""
    mu, mu0 = b + x * m, b + x0 * m
    ordinary = (mu > TRUNCATION) & (mu0 > TRUNCATION)
    step = (x - x0) * m
    t, t0 = truncated(mu), truncated(mu0)
    linear = np.where(ordinary, step, t - t0)
    with np.errstate(all="ignore"):
        log = np.where(ordinary, np.log1p(step / np.where(ordinary, mu0, 1)), np.log(t) - np.log(t0))
    return 2 * np.sum(linear - np.where(c > 0, c * log, 0))


def crossing(level, x0, first_step, sign, c, b, m):
    """Distance to the nearest x on one side of x0 with stat(x) = stat(x0) + level."""
    rise = lambda d: stat_change(x0 + sign * d, x0, c, b, m) - level  # noqa: E731
    low, high = 0.0, first_step
    for _ in range(200):
        if rise(high) >= 0:
            return brentq(rise, low, high, xtol=1e-300, rtol=1e-15, maxiter=500)
        low, high = high, 1.6 * high
    return np.nan


def solve(c, b, m, n_sigma, n_sigma_ul):
    """The fit of one window with counts c, background b and model m (predicted counts for norm 1)."""
    on = m > 0
    flags = (NO_COUNTS if c.sum() <= 0 else 0) | (SINGLE_BIN if (on & (c > 0)).sum() == 1 and c.sum() > 0 else 0)
    out = dict.fromkeys(QUANTITIES, np.nan)
    out["stat_null"], out["npred"] = stat(0, c, b, m), b.sum()
    if not on.any():
        return out | dict(ts=0.0, stat=out["stat_null"], npred_excess=0.0), flags | NO_MODEL
    ratio, total = b[on] / m[on], m[on].sum()
    lowest = -ratio.min()
    with_counts = c[on] > 0
    if not with_counts.any():
        norm, flags = lowest, flags | CLIP
    else:
        # The unknown is the distance z from the pole at x = -pole: f = sum m - sum c / (z + ratio - pole).
        counts, shifted = c[on][with_counts], ratio[with_counts]
        pole = shifted.min()
        shifted = shifted - pole
        f = lambda z: total - np.sum(counts / (z + shifted))  # noqa: E731
        low, high = counts[shifted == 0].sum() / total * (1 - 1e-13), counts.sum() / total * (1 + 1e-13)
        norm = brentq(f, low, high, xtol=1e-300, rtol=1e-15, maxiter=500) - pole
        if norm < lowest:
            norm, flags = lowest, flags | CLIP
    mu = b + norm * m
    use = (c > 0) & on & (mu != 0)
    curvature = np.sum((m[use] / mu[use]) ** 2 * c[use])
    error = n_sigma / np.sqrt(curvature) if curvature > 0 else np.inf
    step = 0.1 * error if curvature > 0 else 0.05 * n_sigma**2 / total
    out["norm"], out["norm_err"] = norm, error
    out["ts"] = -stat_change(norm, 0.0, c, b, m)
    if curvature > 0:
        out["norm_errn"] = crossing(n_sigma**2, norm, step, -1, c, b, m)
    out["norm_errp"] = crossing(n_sigma**2, norm, step, 1, c, b, m)
    out["norm_ul"] = norm + crossing(n_sigma_ul**2, norm, step, 1, c, b, m)
    out["stat"] = stat(norm, c, b, m)
    out["npred_excess"] = norm * m.sum()
    out["npred"] += out["npred_excess"]
    return out, flags


class ExactFit:
    """Takes the place of Gammapy's fit of one pixel."""

    def __init__(self, n_sigma, n_sigma_ul):
        self.n_sigma, self.n_sigma_ul = n_sigma, n_sigma_ul

    def run(self, dataset):
        arrays = [np.asarray(a, dtype=float) for a in (dataset.counts, dataset.background, dataset.model)]
        result, flags = solve(*arrays, self.n_sigma, self.n_sigma_ul)
        return result | dict(flags=flags, success=True)


class ExactTSMapEstimator(TSMapEstimator):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._flux_estimator = ExactFit(self.n_sigma, self.n_sigma_ul)

    @property
    def selection_all(self):
        return [*QUANTITIES, "flags", "success"]


@contextlib.contextmanager
def double_precision():
    """Gammapy with double precision where it rounds to single, and with sums where it uses Fourier transforms."""
    from_geom, init = Map.from_geom, WcsNDMap.__init__

    def from_geom_double(geom, meta=None, data=None, unit="", dtype="float64"):
        return from_geom(geom, meta=meta, data=data, unit=unit, dtype=dtype)

    def init_double(self, geom, data=None, dtype="float64", meta=None, unit=""):
        init(self, geom, data=data, dtype=dtype, meta=meta, unit=unit)

    def convolve(self, kernel, method="fft", mode="same"):
        geom = self.geom
        if isinstance(kernel, PSFKernel):
            if geom.is_image:
                geom = geom.to_cube(kernel.psf_kernel_map.geom.axes)
            kernel = kernel.psf_kernel_map.data
        image, kernel = (np.asarray(a, dtype=float) for a in (self.data, kernel))
        shape = np.broadcast_shapes(image.shape[:-2], kernel.shape[:-2])
        images = np.broadcast_to(image, shape + image.shape[-2:])
        kernels = np.broadcast_to(kernel, shape + kernel.shape[-2:])
        data = np.empty(images.shape)
        for index in np.ndindex(*shape):
            data[index] = ndimage.convolve(images[index], kernels[index], mode="constant")
        return self._init_copy(data=data, geom=geom)

    patch = unittest.mock.patch.object
    with patch(Map, "from_geom", staticmethod(from_geom_double)), patch(WcsNDMap, "__init__", init_double):
        with patch(WcsNDMap, "convolve", convolve):
            yield


# ------------------------------------------------------------------------------------------------- cases
SELECTION = ["errn-errp", "ul"]


def point(index=2.0):
    return gm.SkyModel(
        spatial_model=gm.PointSpatialModel(), spectral_model=gm.PowerLawSpectralModel(index=index), name="ts-kernel"
    )


def gauss(sigma, index=2.0):
    return gm.SkyModel(
        spatial_model=gm.GaussianSpatialModel(sigma=f"{sigma} deg"),
        spectral_model=gm.PowerLawSpectralModel(index=index),
        name="ts-kernel",
    )


CASES = {
    "ts-sim-cube": dict(
        what="two energy groups, the bins of each fitted together; a hole in the safe mask that depends on energy",
        datasets=["sim-car"],
        kernel_model=lambda: point(2.0),
        options=dict(kernel_width="0.5 deg", sum_over_energy_groups=False, energy_edges=["0.5 TeV", "3 TeV", "20 TeV"]),
    ),
    "ts-sim-sum": dict(
        what="counts summed over one group, Gaussian test source, other numbers of sigmas",
        datasets=["sim-car"],
        # Not 0.06 deg: 5 sigma to both sides would be 12 pixels, an even number around the centre of a pixel, and
        # rounding errors of the projection would decide where Gammapy cuts.
        kernel_model=lambda: gauss(0.055, 2.4),
        options=dict(
            kernel_width="0.6 deg", sum_over_energy_groups=True, energy_edges=["1 TeV", "20 TeV"], n_sigma=2, n_sigma_ul=3
        ),
    ),
    "ts-sim-joint": dict(
        what="two datasets of one geometry with different masks and exposures, fitted together",
        datasets=["sim-tan-1", "sim-tan-2"],
        kernel_model=lambda: point(2.3),
        options=dict(kernel_width="0.4 deg", sum_over_energy_groups=False, energy_edges=["0.5 TeV", "20 TeV"]),
    ),
    "ts-sim-null": dict(
        what="a Gaussian source and a tilted background in the null hypothesis, counts summed",
        datasets=["sim-car"],
        kernel_model=lambda: point(2.0),
        models=lambda: [
            source("wide", 11.6, 0.93, "galactic", 2.5, 5e-12, sigma=0.12),
            gm.FoVBackgroundModel(
                spectral_model=gm.PowerLawNormSpectralModel(norm=1.04, tilt=0.03, reference="1 TeV"), dataset_name="sim-car"
            ),
        ],
        options=dict(kernel_width="0.4 deg", sum_over_energy_groups=True, energy_edges=["0.5 TeV", "20 TeV"]),
    ),
}


def write_yaml(models, name):
    gm.Models(models).write(name, overwrite=True, write_covariance=False)


def run_case(name, spec):
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    os.chdir(folder)  # paths in headers stay relative

    def read():
        datasets = Datasets([MapDataset.read(f"../{d}.fits.gz") for d in spec["datasets"]])
        if "models" in spec:
            datasets.models = gm.Models(spec["models"]())
        return datasets

    kernel_model = spec["kernel_model"]()
    write_yaml([kernel_model], "kernel-model.yaml")
    if "models" in spec:
        write_yaml(spec["models"](), "models.yaml")
    options = dict(rtol=1e-9, selection_optional=SELECTION) | spec["options"]
    kwargs = dict(options, n_jobs=1, energy_edges=u.Quantity([u.Quantity(e) for e in options["energy_edges"]]))

    start = time.perf_counter()
    theirs = TSMapEstimator(kernel_model=kernel_model, **kwargs).run(read())
    seconds = time.perf_counter() - start
    with double_precision():
        exact = ExactTSMapEstimator(kernel_model=kernel_model, **kwargs).run(read())

    report, flags = compare(theirs._data, exact._data)
    write_exact(exact._data, flags, theirs._data["norm"].geom)
    # Single precision is what Gammapy's own numbers are good for, and half the size.
    for key, m in theirs._data.items():
        if m.data.dtype == np.float64:
            m.data = m.data.astype("float32")
    theirs.write("flux.fits.gz", filename_model="flux_model.yaml", overwrite=True, sed_type="likelihood")

    edges = theirs._data["norm"].geom.axes["energy"].edges.to_value("TeV")
    case = dict(
        name=name,
        description=spec["what"],
        estimator="TSMapEstimator",
        datasets=[f"../{d}.fits.gz" for d in spec["datasets"]],
        models="models.yaml" if "models" in spec else None,
        kernel_model="kernel-model.yaml",
        options=options,
        energy_groups=len(edges) - 1,
        energy_edges_result=[f"{float(e)!r} TeV" for e in edges],
        shape=list(theirs._data["norm"].data.shape),
        pixels_fitted=int(np.isfinite(exact._data["ts"].data).sum()),
        gammapy_seconds=round(seconds, 2),
        outputs=dict(flux="flux.fits.gz", exact_f64="exact_f64.fits.gz"),
        exact_f64_vs_gammapy=report,
        versions=dict(
            gammapy=gammapy.__version__,
            numpy=np.__version__,
            scipy=scipy.__version__,
            astropy=astropy.__version__,
            python=platform.python_version(),
        ),
    )
    Path("case.json").write_text(json.dumps(case, indent=1) + "\n")
    print(f"{name}: {seconds:.1f} s, {case['pixels_fitted']} fits, {report}")


def compare(theirs, exact):
    """Largest distances of Gammapy's maps from the exact ones, and the flags of the pixels where it is far off.

    Gammapy's single precision is in here too, so that "differs" means more than 1e-4 sigma.
    """
    flags = np.nan_to_num(exact["flags"].data).astype("int16")
    sigma = exact["norm_err"].data
    sigma = np.where(np.isfinite(sigma), sigma, exact["norm_errp"].data)
    failed = ~theirs["success"].data.astype(bool) & np.isfinite(exact["norm"].data)
    flags[failed] |= FAILED
    report = {}
    with np.errstate(all="ignore"):
        for key in FITTED:
            a, b = theirs[key].data, exact[key].data
            root = np.maximum(np.sqrt(np.abs(a)) + np.sqrt(np.abs(b)), 0.1)
            d = np.abs(a - b) / (root if key == "ts" else sigma)
            flags[np.isfinite(b) & ~np.isfinite(a)] |= FAILED
            flags[np.isfinite(d) & (d > 1e-4)] |= DIFFERS
            report["sqrt_ts" if key == "ts" else key] = float(f"{np.nanmax(np.where(np.isfinite(d), d, np.nan)):.2g}")
    for bit, word in [(1, "failed"), (2, "differs"), (4, "clip"), (8, "no_counts"), (16, "single_bin"), (32, "no_model")]:
        report[f"n_{word}"] = int(((flags & bit) > 0).sum())
    return report, flags


def write_exact(maps, flags, geom):
    hdus = fits.HDUList([fits.PrimaryHDU()])
    hdus[0].header["SED_TYPE"] = "likelihood"
    hdus[0].header["MODEL"] = "flux_model.yaml"
    planes = {key: maps[key].data.astype("float64") for key in QUANTITIES} | dict(flags=flags)
    for key, data in planes.items():
        hdus.extend(Map.from_geom(geom, data=data).to_hdulist(hdu=key, hdu_bands=f"{key}_BANDS")[1:])
    hdus.writeto("exact_f64.fits.gz", overwrite=True)


def main(names):
    make_datasets()
    for name, spec in CASES.items():
        if not names or name in names:
            run_case(name, spec)


if __name__ == "__main__":
    main(sys.argv[1:])
