"""Computes with Gammapy what `tests/flux/points_dataset.rs` computed of flux points, and compares.

Usage: python gammapy_flux_points_dataset.py FOLDER, with cases.json in it. Each case is a file of flux points, the same
points as written by this project, a statistic and a power law. Writes gammapy.yaml with a dataset in it. Exit code 1 and a
message for each difference.
"""

import json
import logging
import sys
import warnings
from pathlib import Path

import numpy as np
from astropy.table import Table
from gammapy.datasets import Datasets, FluxPointsDataset
from gammapy.modeling.models import PowerLawSpectralModel, SkyModel
from gammapy.utils.interpolation import interpolate_profile

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
folder = Path(sys.argv[1])
failures = []


def sum_of_own_profiles(path, spectrum):
    """The statistic of points that have norms of their own each; `None` where all have the same.

    Gammapy takes the norms of the first point for all of them.
    """
    table = Table.read(path)
    norms = np.asarray(table["norm_scan"], "float64")
    if np.all(norms == norms[0]):
        return None
    norm = (spectrum(table["e_ref"].quantity) / table["ref_dnde"].quantity).to_value("")
    rise = np.abs(np.asarray(table["stat_scan"]) - np.asarray(table["stat"])[:, None])
    return sum(
        float(interpolate_profile(x, y, extrapolate=True)(v))
        for x, y, v in zip(norms, rise, norm)
        if np.all(np.isfinite(y))
    )


worst = 0.0
cases = json.loads((folder / "cases.json").read_text())
for case in cases:
    spectrum = PowerLawSpectralModel(
        index=case["index"], amplitude=f"{case['amplitude']} cm-2 s-1 TeV-1", reference="1 TeV"
    )
    for key in ["file", "written"]:
        place = f"{Path(case[key]).name} {case['stat_type']} {case['index']}"
        dataset = FluxPointsDataset.read(case[key], name="points")
        if key == "written":
            # Masks were written for chi2.
            dataset.mask_fit = None
            dataset.mask_safe = np.ones(dataset.data.dnde.data.shape, dtype=bool)
        dataset.models = SkyModel(spectral_model=spectrum, name="source")
        dataset.stat_type = case["stat_type"]
        theirs, ours = float(dataset.stat_sum()), case["stat_sum"]
        if case["stat_type"] == "profile":
            own = sum_of_own_profiles(case[key], spectrum)
            theirs = theirs if own is None else own
        off = abs(theirs - ours) / max(abs(theirs), 1.0)
        worst = max(worst, off)
        if not off < 1e-9:
            failures.append(f"{place}: stat_sum {ours}, not {theirs}")
        residuals = np.asarray(dataset.residuals("diff/model").to_value("")).ravel()
        found = np.array([np.nan if v is None else v for v in case["residuals"]])
        if not np.allclose(found, residuals, rtol=1e-9, equal_nan=True):
            failures.append(f"{place}: residuals {found}, not {residuals}")
        count = int(np.sum(np.asarray(dataset.mask)))
        if count != case["count"]:
            failures.append(f"{place}: {case['count']} points, not {count}")
dataset = FluxPointsDataset.read(cases[0]["file"], name="gp")
Datasets([dataset]).write(folder / "gammapy.yaml", overwrite=True)
print(f"{len(cases)} cases, statistics agree to {worst:.1e}")
print("\n".join(failures))
sys.exit(1 if failures else 0)
