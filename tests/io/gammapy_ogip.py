"""Spectra with Gammapy, for tests/io/ogip.rs.

Usage: python gammapy_ogip.py make FOLDER          writes spectra, as OGIP files and as gadf
       python gammapy_ogip.py json FILE [FILE …]   prints what Gammapy reads from spectra of either format
"""

import json
import sys
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from gammapy.data import GTI
from gammapy.datasets import SpectrumDataset, SpectrumDatasetOnOff
from gammapy.irf import EDispKernel, EDispKernelMap
from gammapy.maps import MapAxis, RegionGeom, RegionNDMap
from regions import CircleSkyRegion


def circle(lon, lat, radius):
    return CircleSkyRegion(SkyCoord(lon, lat, unit="deg"), radius * u.deg)


def make(folder):
    """Two spectra with other axes, one of them with several off regions and bins without response."""
    folder = Path(folder)
    for name, bins, off in [("one", 6, 1), ("many", 9, 3)]:
        energy = MapAxis.from_energy_bounds("0.3 TeV", "30 TeV", nbin=bins)
        true = MapAxis.from_energy_bounds("100 GeV", "60000 GeV", nbin=2 * bins, name="energy_true")
        geom = RegionGeom(circle(83.6, 22.0, 0.11), axes=[energy])
        regions = [circle(83.6 + np.cos(k), 22.0 + np.sin(k), 0.11) for k in range(off)]
        geom_off = RegionGeom.from_regions(regions, axes=[energy])
        random = np.random.default_rng(bins)
        dataset = SpectrumDataset.create(geom, energy_axis_true=true, name=name)
        dataset.counts.data = random.poisson(5.0, dataset.counts.data.shape).astype(float)
        dataset.exposure.quantity = random.uniform(1e8, 1e10, dataset.exposure.data.shape) * u.Unit("m2 s")
        dataset.exposure.meta["livetime"] = 1687.25 * u.s
        kernel = EDispKernel.from_gauss(true, energy, sigma=0.2, bias=0.05)
        # A row of two groups, and one of none.
        kernel.data[bins, 2] = 0
        kernel.data[1] = 0
        dataset.edisp = EDispKernelMap.from_edisp_kernel(kernel, geom=dataset.exposure.geom)
        dataset.mask_safe = RegionNDMap.from_geom(geom, data=np.arange(bins).reshape(-1, 1, 1) > 1)
        dataset.gti = GTI.create([0, 2000] * u.s, [1800, 3500] * u.s, "2020-01-01T00:00:00")
        counts_off = RegionNDMap.from_geom(geom_off, data=random.poisson(20.0, (bins, 1, 1)).astype(float))
        acceptance = RegionNDMap.from_geom(geom, data=random.uniform(0.5, 1.5, (bins, 1, 1)))
        acceptance_off = RegionNDMap.from_geom(geom_off, data=random.uniform(3, 4, (bins, 1, 1)))
        spectrum = SpectrumDatasetOnOff.from_spectrum_dataset(
            dataset=dataset,
            counts_off=counts_off,
            acceptance=acceptance,
            acceptance_off=acceptance_off,
            name=name,
        )
        spectrum.write(folder / f"gadf_{name}.fits", format="gadf")
        spectrum.write(folder / f"pha_{name}.fits", format="ogip")


def values(map_, unit=""):
    if map_ is None:
        return None
    return [float(v) for v in np.asarray(map_.quantity.to_value(unit), dtype=float).ravel()]


def describe(path):
    dataset = SpectrumDatasetOnOff.read(path)
    kernel = None if dataset.edisp is None else dataset.edisp.get_edisp_kernel()
    region = dataset.counts.geom.region
    gti = dataset.gti
    return {
        "name": dataset.name,
        "energy": list(dataset.counts.geom.axes["energy"].edges.to_value("TeV")),
        "energy_true": list(dataset.exposure.geom.axes["energy_true"].edges.to_value("TeV")),
        "counts": values(dataset.counts),
        "counts_off": values(dataset.counts_off),
        "acceptance": values(dataset.acceptance),
        "acceptance_off": values(dataset.acceptance_off),
        "alpha": values(dataset.alpha),
        "mask_safe": [bool(v) for v in dataset.mask_safe.data.ravel()],
        "exposure": values(dataset.exposure, "cm2 s"),
        "edisp": None if kernel is None else [[float(v) for v in row] for row in kernel.pdf_matrix],
        "edisp_exposure": None if kernel is None else values(dataset.edisp.exposure_map, "cm2 s"),
        "stat_sum": float(dataset.stat_sum()),
        "region": None
        if region is None
        else [region.center.icrs.ra.deg, region.center.icrs.dec.deg, region.radius.to_value("deg")],
        "gti_seconds": None if gti is None else float(gti.time_sum.to_value("s")),
    }


if sys.argv[1] == "make":
    make(sys.argv[2])
else:
    print(json.dumps({path: describe(path) for path in sys.argv[2:]}))
