"""Writes FITS images of all kinds that files of other tools have, and prints what astropy reads from them as JSON.

Usage: python astropy_files.py FOLDER
"""

import json
import sys
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

folder = Path(sys.argv[1])
rng = np.random.default_rng(1)
shape = (7, 9)


def sky(**extra):
    header = fits.Header()
    header.update(CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CRPIX1=4.5, CRPIX2=3.0, CRVAL1=83.6, CRVAL2=22.0)
    if "CD1_1" not in extra:
        header.update(CDELT1=-0.1, CDELT2=0.1)
    header.update({k: v for k, v in extra.items() if v is not None})
    for key in [k for k, v in extra.items() if v is None]:
        header.remove(key, ignore_missing=True)
    return header


floats = rng.normal(size=shape)
ints = rng.integers(-100, 30000, size=shape)
cases = {
    "u8": (ints.astype("u1"), sky()),
    "i16": (ints.astype("i2"), sky()),
    "u16": (ints.astype("u2") + 20000, sky()),
    "i32": (ints.astype("i4"), sky()),
    "i32-large": (ints.astype("i4") * 70001, sky()),
    "i64-large": (ints.astype("i8") * 2**33 + 1, sky()),
    "f32": (floats.astype("f4"), sky()),
    "f64": (floats, sky()),
    "cd": (floats, sky(CD1_1=-0.08, CD1_2=0.03, CD2_1=0.03, CD2_2=0.08)),
    "cd-turned": (floats, sky(CD1_1=0.0, CD1_2=0.1, CD2_1=0.1, CD2_2=0.0)),
    "pc": (floats, sky(PC1_1=0.8, PC1_2=-0.6, PC2_1=0.6, PC2_2=0.8)),
    "crota": (floats, sky(CROTA2=33.0, CDELT2=0.2)),
    "arcmin": (floats, sky(CUNIT1="arcmin", CUNIT2="arcmin", CRVAL1=83.6 * 60, CRVAL2=22 * 60.0, CDELT1=-6.0, CDELT2=6.0)),
    "rad": (floats, sky(CUNIT1="rad", CUNIT2="rad", CRVAL1=1.4, CRVAL2=0.4, CDELT1=-0.001, CDELT2=0.001)),
    "galactic": (floats, sky(CTYPE1="GLON-CAR", CTYPE2="GLAT-CAR", CRVAL1=0.0, CRVAL2=0.0)),
    "lonpole": (floats, sky(CTYPE1="GLON-AIT", CTYPE2="GLAT-AIT", CRVAL1=10.0, CRVAL2=0.0, LONPOLE=150.0)),
    "no-units": (floats, sky(RADESYS="FK5", EQUINOX=2000.0)),
}
out = {}


def describe(name, path, hdu=1):
    with fits.open(path) as hdus:
        data = np.asarray(hdus[hdu].data, "float64")
        wcs = WCS(hdus[hdu].header)
        lon, lat = wcs.wcs_pix2world([0.0, 8.0, 2.5], [0.0, 6.0, 1.0], 0)
    if wcs.wcs.radesys == "FK5":
        position = SkyCoord(lon, lat, unit="deg", frame="fk5").icrs
        lon, lat = position.ra.deg, position.dec.deg
    values = [None if np.isnan(v) else float(v) for v in data.ravel()]
    out[name] = {"path": str(path), "hdu": hdu, "values": values, "lon": [float(v) % 360 for v in lon], "lat": lat.tolist()}


for name, (data, header) in cases.items():
    path = folder / f"{name}.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(data, header, name="IMAGE")]).writeto(path)
    describe(name, path)

# Scaled integers, undefined pixels.
path = folder / "scaled.fits"
hdu = fits.ImageHDU(ints.astype("i2"), sky(), name="IMAGE")
hdu.header.update(BSCALE=0.25, BZERO=3.0, BLANK=int(ints.astype("i2")[3, 3]))
fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
describe("scaled", path)

for compression, data in [
    ("RICE_1", ints.astype("i4")),
    ("GZIP_1", ints.astype("i2")),
    ("GZIP_2", floats.astype("f4")),
]:
    path = folder / f"{compression}.fits"
    options = {} if data.dtype.kind == "i" else {"quantize_level": 0.0}
    hdu = fits.CompImageHDU(data, sky(), name="IMAGE", compression_type=compression, **options)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    describe(compression, path)

print(json.dumps(out))
