"""Opens pairs of tables of flux points with Gammapy and compares them: original and rewritten.

Usage: python gammapy_flux_points.py ORIGINAL REWRITTEN [ORIGINAL REWRITTEN …]
Every norm, flux and statistic that Gammapy finds in the original must come out of the rewritten one. Exit code 1 and a
message for each difference.
"""

import logging
import sys
import warnings

import numpy as np
from gammapy.estimators import FluxPoints

QUANTITIES = ["norm", "norm_err", "norm_errn", "norm_errp", "norm_ul", "norm_sensitivity", "dnde", "dnde_ul", "e2dnde",
              "ts", "sqrt_ts", "stat", "stat_null", "npred", "npred_excess", "counts", "stat_scan", "is_ul"]
failures = []


def values(points, quantity):
    try:
        found = getattr(points, quantity)
    except (AttributeError, KeyError):
        return None
    return None if found is None else np.asarray(found.data, "float64").ravel()


def compare(original, rewritten):
    b = FluxPoints.read(rewritten)
    try:
        a = FluxPoints.read(original)
    except KeyError as error:
        # Gammapy 2.1 writes tables of maps (npred without counts) that it cannot read; ours it can.
        print(f"{rewritten}: read, the original is not ({error})")
        return
    if a.sed_type_init != b.sed_type_init:
        failures.append(f"{rewritten}: SED type {a.sed_type_init} {b.sed_type_init}")
    if a.geom.axes.names != b.geom.axes.names:
        failures.append(f"{rewritten}: axes {a.geom.axes.names} {b.geom.axes.names}")
    if "time" in a.geom.axes.names:
        x, y = a.geom.axes["time"], b.geom.axes["time"]
        if abs((x.time_min - y.time_min).to_value("s")).max() > 1e-4:
            failures.append(f"{rewritten}: times")
    compared = 0
    for quantity in QUANTITIES:
        x, y = values(a, quantity), values(b, quantity)
        if x is None:
            continue
        if y is None or x.shape != y.shape or not np.allclose(x, y, rtol=1e-6, atol=0, equal_nan=True):
            failures.append(f"{rewritten}: {quantity}\n  {x}\n  {y}")
        compared += 1
    print(f"{rewritten}: {compared} quantities")
    if compared < 2:
        failures.append(f"{rewritten}: nothing to compare")


warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
for original, rewritten in zip(sys.argv[1::2], sys.argv[2::2]):
    compare(original, rewritten)
for failure in failures:
    print(failure)
sys.exit(bool(failures))
