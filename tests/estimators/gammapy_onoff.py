"""Opens pairs of MapDatasetOnOff files with Gammapy: what it reads from the second equals what it reads from the first.

Usage: python gammapy_onoff.py ORIGINAL REWRITTEN [ORIGINAL REWRITTEN …]. Exit code 1 and a message for each difference.
"""

import sys
from pathlib import Path

import numpy as np
from gammapy.datasets import MapDatasetOnOff

sys.path.append(str(Path(__file__).resolve().parent.parent / "io"))
from gammapy_roundtrip import check, checksums, failures, same_gti, same_map

arguments = iter(sys.argv[1:])
for original, rewritten in zip(arguments, arguments):
    checksums(rewritten)
    a, b = MapDatasetOnOff.read(original), MapDatasetOnOff.read(rewritten)
    for name in ["counts", "counts_off", "acceptance", "acceptance_off", "exposure", "mask_safe", "mask_fit"]:
        same_map(getattr(a, name), getattr(b, name), f"{rewritten} {name}")
    for name, inner in [("psf", "psf_map"), ("edisp", "edisp_map")]:
        x, y = getattr(a, name), getattr(b, name)
        check(type(x) is type(y), f"{rewritten} {name}: type")
        same_map(getattr(x, inner), getattr(y, inner), f"{rewritten} {name}")
        same_map(x.exposure_map, y.exposure_map, f"{rewritten} {name} exposure")
    same_map(a.alpha, b.alpha, f"{rewritten} alpha")
    check(np.isclose(a.stat_sum(), b.stat_sum(), rtol=1e-12), f"{rewritten}: statistic {a.stat_sum()} {b.stat_sum()}")
    same_gti(a.gti, b.gti, rewritten)
print("\n".join(failures) or "equal")
sys.exit(bool(failures))
