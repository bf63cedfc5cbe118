"""What Gammapy reads from FITS files, as JSON: one document with the maps, axes and intervals of each file.

Usage: python gammapy_read.py FILE...
"""

import json
import sys

import numpy as np
from astropy.io import fits
from gammapy.data import GTI
from gammapy.maps import Map


def axis(ax):
    return {
        "name": ax.name,
        "unit": ax.unit.to_string(),
        "node_type": ax.node_type,
        "interp": ax.interp,
        "edges": [float(v) for v in ax.edges.value],
        "center": [float(v) for v in ax.center.value],
    }


def describe(m):
    data = np.asarray(m.data, dtype="float64")
    finite = data[np.isfinite(data)]
    out = {
        "shape": list(data.shape),
        "unit": m.unit.to_string(),
        "sum": float(finite.sum()),
        "max": float(finite.max()) if finite.size else 0.0,
        "nan": int(np.isnan(data).sum()),
        # Positions count: values weighted with their index.
        "moment": float((np.nan_to_num(data, posinf=0, neginf=0).ravel() * np.arange(data.size)).sum() / data.size),
        "axes": [axis(ax) for ax in m.geom.axes],
        "region": m.geom.is_region,
    }
    if not m.geom.is_region:
        lon, lat = m.geom.wcs.wcs_pix2world(1.5, 0.5, 0)
        out["frame"] = m.geom.frame
        out["sky"] = [float(lon) % 360, float(lat)]
        out["scales"] = [float(v) for v in m.geom.pixel_scales.to_value("deg")]
    return out


def read(path):
    out = {"maps": {}}
    with fits.open(path, memmap=False) as hdus:
        names = [h.name for h in hdus]
        for h in hdus:
            image = h.is_image and h.header["NAXIS"] > 0
            table = not h.is_image and "DATA" in h.columns.names
            if image or table:
                out["maps"][h.name] = describe(
                    Map.from_hdulist(hdus, hdu=h.name, format="gadf" if table else None)
                )
        if "GTI" in names:
            gti = GTI.from_table_hdu(hdus["GTI"])
            out["gti"] = {"n": len(gti.table), "sum": float(gti.time_sum.to_value("s"))}
        out["sed_type"] = hdus[0].header.get("SED_TYPE")
    return out


if __name__ == "__main__":
    print(json.dumps({path: read(path) for path in sys.argv[1:]}))
