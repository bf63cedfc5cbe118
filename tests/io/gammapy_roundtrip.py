"""Opens pairs of files with Gammapy and compares them: what it reads from the second equals what it reads from the first.

Usage: python gammapy_roundtrip.py KIND ORIGINAL REWRITTEN [KIND ORIGINAL REWRITTEN …]
KIND is dataset, fluxmaps or map:HDU. Models beside flux maps are found from the folder of each file. Exit code 1 and a
message for each difference. CHECKSUM and DATASUM of every rewritten HDU must be there and right.
"""

import os
import sys
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from gammapy.datasets import MapDataset
from gammapy.estimators import FluxMaps
from gammapy.maps import Map

failures = []


def check(ok, text):
    if not ok:
        failures.append(text)


def same_axes(a, b, place):
    check(a.names == b.names, f"{place}: axes {a.names} {b.names}")
    for x, y in zip(a, b):
        check(x.node_type == y.node_type, f"{place} {x.name}: node type")
        check(x.interp == y.interp, f"{place} {x.name}: interpolation")
        check(x.unit == y.unit, f"{place} {x.name}: unit {x.unit} {y.unit}")
        check(x.nbin == y.nbin and np.allclose(x.edges, y.edges, rtol=1e-6), f"{place} {x.name}: edges")


def same_map(a, b, place):
    check((a is None) == (b is None), f"{place}: one is missing")
    if a is None or b is None:
        return
    check(type(a.geom) is type(b.geom), f"{place}: {type(a.geom)} {type(b.geom)}")
    check(a.unit == b.unit, f"{place}: unit {a.unit} {b.unit}")
    check(a.data.shape == b.data.shape, f"{place}: shape {a.data.shape} {b.data.shape}")
    if a.data.shape == b.data.shape:
        x, y = np.asarray(a.data, "float64"), np.asarray(b.data, "float64")
        check(np.array_equal(x, y, equal_nan=True), f"{place}: values, up to {np.nanmax(np.abs(x - y))}")
    same_axes(a.geom.axes, b.geom.axes, place)
    if not a.geom.is_region:
        check(a.geom.frame == b.geom.frame, f"{place}: frame")
        ny, nx = a.data.shape[-2:]
        px, py = np.array([0.0, nx - 1, 1.3]), np.array([0.0, ny - 1, ny / 2])
        p, q = (np.array(g.wcs.wcs_pix2world(px, py, 0)) for g in (a.geom, b.geom))
        check(np.allclose(p, q, rtol=0, atol=1e-11, equal_nan=True), f"{place}: sky")


def same_gti(a, b, place):
    check((a is None) == (b is None), f"{place}: GTI")
    if a is not None and b is not None:
        check(len(a.table) == len(b.table), f"{place}: intervals")
        check(abs((a.time_start - b.time_start).to_value("s")).max() < 1e-6, f"{place}: times")
        check(abs((a.time_sum - b.time_sum).to_value("s")) < 1e-6, f"{place}: time sum")


def dataset(original, rewritten):
    a, b = MapDataset.read(original), MapDataset.read(rewritten)
    for name in ["counts", "exposure", "background", "mask_safe", "mask_fit"]:
        same_map(getattr(a, name), getattr(b, name), f"{rewritten} {name}")
    for name, inner in [("psf", "psf_map"), ("edisp", "edisp_map")]:
        x, y = getattr(a, name), getattr(b, name)
        check(type(x) is type(y), f"{rewritten} {name}: type")
        if x is not None and y is not None:
            same_map(getattr(x, inner), getattr(y, inner), f"{rewritten} {name}")
            same_map(x.exposure_map, y.exposure_map, f"{rewritten} {name} exposure")
    same_gti(a.gti, b.gti, rewritten)


def read_flux(path):
    # Gammapy opens MODEL relative to the working folder.
    folder = os.getcwd()
    os.chdir(Path(path).parent)
    try:
        return FluxMaps.read(Path(path).name)
    finally:
        os.chdir(folder)


def fluxmaps(original, rewritten):
    a, b = read_flux(original), read_flux(rewritten)
    check(a.sed_type_init == b.sed_type_init, f"{rewritten}: SED type {a.sed_type_init} {b.sed_type_init}")
    missing = set(a.available_quantities) - set(b.available_quantities)
    check(not missing, f"{rewritten}: {missing} are missing")
    for name in a.available_quantities:
        x, y = a._data[name], b._data[name]
        same_axes(x.geom.axes, y.geom.axes, f"{rewritten} {name}")
        u, v = (np.asarray(m.data, "float64") for m in (x, y))
        check(x.unit == y.unit, f"{rewritten} {name}: unit")
        check(np.allclose(u, v, rtol=1e-6 if x.data.dtype == np.float32 else 1e-9, atol=0, equal_nan=True), f"{rewritten} {name}: values")
    p, q = (m.reference_model.spectral_model.parameters for m in (a, b))
    check(p.names == q.names and np.allclose(p.value, q.value, rtol=1e-12), f"{rewritten}: reference model")
    same_gti(a.gti, b.gti, rewritten)


def checksums(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(path, checksum=True, memmap=False) as hdus:
            for h in hdus:
                h.data  # noqa: B018
                check("CHECKSUM" in h.header and "DATASUM" in h.header, f"{path}[{h.name}]: no checksum")
            hdus.verify("exception")


if __name__ == "__main__":
    arguments = iter(sys.argv[1:])
    for kind, original, rewritten in zip(arguments, arguments, arguments):
        checksums(rewritten)
        if kind == "dataset":
            dataset(original, rewritten)
        elif kind == "fluxmaps":
            fluxmaps(original, rewritten)
        else:
            hdu = kind.split(":")[1]
            new = None if hdu == "COUNTS" else hdu
            same_map(Map.read(original, hdu=hdu), Map.read(rewritten, hdu=new), rewritten)
    print("\n".join(failures) or "equal")
    sys.exit(bool(failures))
