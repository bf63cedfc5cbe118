"""Writes tile-compressed images of all kinds with astropy, each followed by the values that astropy reads from it.

Usage: python astropy_tiles.py SEED WIDTH HEIGHT OUT.fits[.gz]
HDUs come in pairs: Tn is compressed, Vn is an image of 64-bit floats. tests/data/tiles.fits.gz: SEED 1, 11 by 9.
"""

import io
import sys

import numpy as np
from astropy.io import fits

seed, width, height, out = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
rng = np.random.default_rng(seed)
plane, cube = (height, width), (3, height, width)
TILES = {plane: [None, (5, 7), plane, (1, 4)], cube: [None, (2, 5, 9), (3, 1, width), cube]}
pairs = []


def wcs():
    header = fits.Header()
    for axis, (ctype, delta) in enumerate([("GLON-CAR", -0.1), ("GLAT-CAR", 0.1)], 1):
        header[f"CTYPE{axis}"] = ctype
        header[f"CUNIT{axis}"] = "deg"
        header[f"CRPIX{axis}"] = 1.0
        header[f"CRVAL{axis}"] = 0.0
        header[f"CDELT{axis}"] = delta
    return header


def add(data, kind, tile, **options):
    number = len(pairs) // 2
    hdu = fits.CompImageHDU(
        data, header=wcs(), name=f"T{number}", compression_type=kind, tile_shape=tile, **options
    )
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(buffer)
    values = fits.open(io.BytesIO(buffer.getvalue()))[1].data
    pairs.append((buffer.getvalue(), number))
    pairs.append((fits.ImageHDU(values.astype("f8"), header=wcs(), name=f"V{number}"), number))


# Whole numbers, signed and not, smooth, noisy and wild.
for dtype in ["u1", "i2", "u2", "i4", "u4", "i8", "u8"]:
    info = np.iinfo(dtype)
    for shape in [plane, cube]:
        smooth = (np.cumsum(rng.integers(-2, 3, shape), axis=-1) + 60).astype(dtype)
        wild = rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
        flat = np.full(shape, 7, dtype)
        for kind in ["RICE_1", "GZIP_1", "GZIP_2", "NOCOMPRESS"]:
            if kind == "RICE_1" and dtype in ["i8", "u8"]:
                continue
            tile = TILES[shape][rng.integers(4)]
            add([smooth, wild, flat][rng.integers(3)], kind, tile)

# Real numbers, rounded in all ways or not, with NaN, exact zeros, and tiles that cannot be rounded.
for dtype in ["f4", "f8"]:
    for shape in [plane, cube]:
        for kind in ["RICE_1", "GZIP_1", "GZIP_2"]:
            for method in [-1, 1, 2]:
                data = rng.normal(3, 2, shape).astype(dtype)
                data[rng.random(shape) < 0.1] = 0
                data[..., 4, :] = 1.25
                if rng.random() < 0.5:
                    data[rng.random(shape) < 0.05] = np.nan
                tile = TILES[shape][rng.integers(4)]
                level = [16, 4, -0.01][rng.integers(3)]
                seeds = int(rng.integers(1, 10001))
                add(data, kind, tile, quantize_level=level, quantize_method=method, dither_seed=seeds)
            if kind != "RICE_1":
                data = rng.normal(3, 2, shape).astype(dtype)
                data[0, ...].flat[3] = np.nan
                add(data, kind, TILES[shape][rng.integers(4)], quantize_level=0)

edges = np.geomspace(1, 8, 4)
columns = [
    fits.Column("CHANNEL", "I", array=np.arange(3)),
    fits.Column("E_MIN", "D", "TeV", array=edges[:-1]),
    fits.Column("E_MAX", "D", "TeV", array=edges[1:]),
]
whole = io.BytesIO()
fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns, name="EBOUNDS")]).writeto(whole)
whole = whole.getvalue()
for hdu, _ in pairs:
    if isinstance(hdu, bytes):
        whole += hdu[2880:]
    else:
        buffer = io.BytesIO()
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(buffer)
        whole += buffer.getvalue()[2880:]
if out.endswith(".gz"):
    import gzip

    whole = gzip.compress(whole, mtime=0)
open(out, "wb").write(whole)
print(len(pairs) // 2, "images")
