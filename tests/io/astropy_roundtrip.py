"""Opens pairs of files with astropy alone and compares them: where Gammapy is not at hand.

Usage: python astropy_roundtrip.py KIND ORIGINAL REWRITTEN [KIND ORIGINAL REWRITTEN …]
Every image of the original is in the rewritten file with equal values, unit and pixel grid; CHECKSUM and DATASUM of
every rewritten HDU are there and right. Exit code 1 and a message for each difference.
"""

import sys
import warnings

import numpy as np
from astropy.io import fits

failures = []
compared = 0


def check(ok, text):
    if not ok:
        failures.append(text)


def compare(kind, original, rewritten):
    global compared
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with fits.open(original, memmap=False) as a, fits.open(rewritten, memmap=False, checksum=True) as b:
            only = kind.split(":")[1] if ":" in kind else None
            images = [h for h in a if isinstance(h, fits.ImageHDU) and h.data is not None]
            for hdu in images if only is None else [a[only]]:
                if not isinstance(hdu, fits.ImageHDU):
                    continue
                place = f"{rewritten}[{hdu.name}]"
                # A single map may stand in the primary HDU.
                if hdu.name not in b and (only is None or b[0].data is None):
                    check(False, f"{place}: missing")
                    continue
                other = b[hdu.name] if hdu.name in b else b[0]
                x, y = np.asarray(hdu.data, float), np.asarray(other.data, float)
                check(x.shape == y.shape, f"{place}: shape {x.shape} {y.shape}")
                if x.shape == y.shape:
                    check(np.allclose(x, y, rtol=1e-6, atol=0, equal_nan=True), f"{place}: values differ")
                for key in ["CTYPE1", "CTYPE2", "CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CDELT1", "CDELT2"]:
                    u, v = hdu.header.get(key), other.header.get(key)
                    same = u == v or (isinstance(u, float) and abs(u - v) <= 1e-9 * max(1, abs(u)))
                    check(same, f"{place}: {key} {u} {v}")
                compared += 1
            for hdu in b:
                check("CHECKSUM" in hdu.header and "DATASUM" in hdu.header, f"{rewritten}[{hdu.name}]: no checksum")
    for warning in caught:
        check("hecksum" not in str(warning.message), f"{rewritten}: {warning.message}")


arguments = sys.argv[1:]
for i in range(0, len(arguments), 3):
    compare(*arguments[i : i + 3])
for failure in failures:
    print(failure)
print(f"{compared} images compared")
sys.exit(bool(failures))
