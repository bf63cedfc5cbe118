"""Peaks of flux maps as Gammapy finds them, and what astropy reads from a table of ours, as JSON.

Usage: python gammapy_peaks.py peaks THRESHOLD MIN_DISTANCE_DEG FILE...
       python gammapy_peaks.py table FILE.ecsv
"""

import json
import os
import sys

import astropy.units as u
import numpy as np
from astropy.table import Table
from gammapy.estimators import FluxMaps
from gammapy.estimators.utils import find_peaks, find_peaks_in_flux_map


def plain(value):
    """A value for JSON: what is not finite or missing is null."""
    if value is np.ma.masked:
        return None
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not np.isfinite(value) else value


def peaks(threshold, distance, path):
    # The reference model is looked for in the folder that Python runs in.
    os.chdir(os.path.dirname(os.path.abspath(path)))
    maps = FluxMaps.read(path)
    out = {"bins": [], "table": None}
    sqrt_ts = maps.sqrt_ts
    for i in range(sqrt_ts.geom.axes["energy"].nbin):
        image = sqrt_ts.slice_by_idx({"energy": slice(i, i + 1)}).copy()
        table = find_peaks(image, threshold, distance * u.deg)
        # Above a negative threshold, pixels without a value are peaks of 0.
        table = [r for r in table if np.isfinite(sqrt_ts.data[i, r["y"], r["x"]])]
        rows = [[int(r["y"]), int(r["x"]), float(r["value"]), float(r["ra"]), float(r["dec"])] for r in table]
        out["bins"].append(rows)
    if sqrt_ts.geom.is_flat and "norm_err" in maps.available_quantities:
        table = find_peaks_in_flux_map(maps, threshold, distance * u.deg)
        if len(table):
            table = table[np.isfinite(sqrt_ts.data[0, table["y"], table["x"]])]
        out["table"] = {
            name: [plain(v) for v in np.asarray(table[name], dtype=float)]
            for name in table.colnames
            if np.asarray(table[name]).ndim == 1
        }
    return out


def table(path):
    t = Table.read(path, format="ascii.ecsv")
    return {
        "rows": len(t),
        "meta": {k: v for k, v in t.meta.items()},
        "units": {name: str(t[name].unit or "") for name in t.colnames},
        "types": {name: str(t[name].dtype) for name in t.colnames},
        "columns": {name: [plain(v) for v in t[name]] for name in t.colnames},
    }


if __name__ == "__main__":
    if sys.argv[1] == "peaks":
        threshold, distance = float(sys.argv[2]), float(sys.argv[3])
        print(json.dumps({p: peaks(threshold, distance, p) for p in sys.argv[4:]}))
    else:
        print(json.dumps(table(sys.argv[2])))
