#!/usr/bin/env python3
"""Fits from random starts, Gammapy's and Pevatron's: how many arrive, as a Markdown table.

    python3 benches/random_starts.py --data ../shared/data --starts 200

On ten datasets of every kind a power law is fitted from places at random: amplitudes within a factor of 1000 of the best
one, indices within 2 of it (uniform in the logarithm and in the index, the same for both). A fit arrives where it says that
it did and its statistic is within 0.02 of the lowest that any fit found; one that says so more than 0.1 above it claims a
minimum that is not one. --gammapy limits the starts that Gammapy gets (it takes seconds to minutes for a fit).

Needs Python 3.9 or newer and the network once: Gammapy 2.1 is installed into target/gammapy-venv. A Python that has it
already is taken from --python or PEVATRON_PYTHON.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

from side_by_side import ROOT, commit, cpu, gammapy_python

# Name, files, frame and position of the source (None: a spectrum), index and amplitude near the best ones.
CASES = [
    ("spectrum, W", ["spectra/hess-ogip/pha_obs23523.fits"], None, 2.6, 4e-11),
    ("two spectra together, W", ["spectra/hess-ogip/pha_obs23523.fits", "spectra/hess-ogip/pha_obs23526.fits"], None, 2.6, 4e-11),
    ("spectrum, 3 on and 2 off", ["@few"], None, 2.3, 4e-12),
    ("spectrum, Cash", ["@cash"], None, 2.6, 3e-11),
    ("flux points", ["spectra/flux-points/crab_hess_fp.fits"], None, 2.6, 4e-11),
    ("map, H.E.S.S. run", ["hess-crab-23523.fits.gz"], ("icrs", 83.63, 22.014), 2.6, 4e-11),
    ("map, H.E.S.S. stacked", ["hess-crab-cutout.fits.gz"], ("icrs", 83.63, 22.014), 2.6, 4e-11),
    ("map, CTA", ["cta-gc-cutout.fits.gz"], ("galactic", 0.0, 0.0), 2.4, 2e-12),
    ("map, Fermi-LAT", ["fermi-gc-cutout.fits.gz"], ("galactic", 0.0, 0.0), 2.4, 2e-12),
    ("map, on and off", ["hess-crab-onoff-cutout.fits.gz"], ("icrs", 83.63, 22.014), 2.6, 4e-11),
]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=str(ROOT.parent / "shared/data"), help="folder of the datasets")
    parser.add_argument("--starts", type=int, default=200, help="default 200")
    parser.add_argument("--gammapy", type=int, default=200, help="starts of Gammapy, 0: none (default 200)")
    parser.add_argument("--only", help="cases whose name holds this")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--python", default=os.environ.get("PEVATRON_PYTHON"), help="a Python that has Gammapy 2.1")
    parser.add_argument("--fitter", default=str(ROOT / "target/release/examples/fit_starts"))
    parser.add_argument("--json", metavar="FILE", help="also write what was found there")
    return parser.parse_args()


def yaml(position, dataset, index, amplitude):
    spatial = ""
    background = ""
    if position:
        frame, lon, lat = position
        spatial = f"""
    spatial:
        type: PointSpatialModel
        frame: {frame}
        parameters:
        - {{name: lon_0, value: {lon}, unit: deg, frozen: true}}
        - {{name: lat_0, value: {lat}, unit: deg, frozen: true}}"""
    if position and dataset:
        background = f"""
-   type: FoVBackgroundModel
    datasets_names: [{dataset}]
    spectral:
        type: PowerLawNormSpectralModel
        parameters:
        - {{name: tilt, value: 0.0, frozen: true}}
        - {{name: norm, value: 1.0}}
        - {{name: reference, value: 1.0, unit: TeV, frozen: true}}"""
    return f"""components:
-   name: source
    type: SkyModel
    spectral:
        type: PowerLawSpectralModel
        parameters:
        - {{name: index, value: {index}}}
        - {{name: amplitude, value: {amplitude:.3e}, unit: TeV-1 s-1 cm-2}}
        - {{name: reference, value: 1.0, unit: TeV, frozen: true}}{spatial}{background}
"""


def read(path):
    """Any dataset, by Gammapy."""
    from gammapy.datasets import FluxPointsDataset, MapDataset, MapDatasetOnOff, SpectrumDataset, SpectrumDatasetOnOff
    from gammapy.estimators import FluxPoints

    name = Path(path).name
    if name.startswith("pha_") or name == "few.fits":
        return SpectrumDatasetOnOff.read(path)
    if name.startswith("crab_hess_fp"):
        return FluxPointsDataset(data=FluxPoints.read(path), name="points")
    if name == "cash.fits":
        return SpectrumDataset.read(path)
    if "onoff" in name:
        return MapDatasetOnOff.read(path)
    return MapDataset.read(path)


def prepare(a, folder):
    """Datasets that are made here, and the name of the dataset of each case that takes a background model."""
    import astropy.units as u
    from astropy.coordinates import SkyCoord
    from gammapy.datasets import MapDataset, SpectrumDatasetOnOff
    from gammapy.maps import Map
    from regions import CircleSkyRegion

    few = SpectrumDatasetOnOff.read(f"{a['data']}/spectra/hess-ogip/pha_obs23523.fits")
    few.counts.data[...] = 0
    few.counts_off.data[...] = 0
    safe = few.mask_safe.data[:, 0, 0].nonzero()[0]
    for at, number in [(0, 1), (3, 1), (8, 1)]:
        few.counts.data[safe[at], 0, 0] = number
    for at, number in [(1, 1), (5, 1)]:
        few.counts_off.data[safe[at], 0, 0] = number
    few.write(f"{folder}/few.fits", overwrite=True)
    source = MapDataset.read(f"{a['data']}/hess-crab-cutout.fits.gz")
    region = CircleSkyRegion(SkyCoord(83.63, 22.014, unit="deg"), 0.2 * u.deg)
    spectrum = source.to_spectrum_dataset(region, containment_correction=True, name="cash")
    spectrum.write(f"{folder}/cash.fits", overwrite=True)
    names = {}
    for name, files, position, *_ in a["cases"]:
        if position and "onoff" not in files[0]:
            names[name] = MapDataset.read(f"{a['data']}/{files[0]}").name
    return names


def gammapy(a):
    """The fits of one case by Gammapy."""
    from gammapy.datasets import Datasets
    from gammapy.modeling import Fit
    from gammapy.modeling.models import Models

    datasets = Datasets([read(path) for path in a["files"]])
    models = Models.read(a["models"])
    datasets.models = models
    free = list(models.parameters.free_parameters)
    # The background's norm begins at the same value each time.
    rest = [p.value for p in free[2:]]
    found = []
    for start in a["starts"]:
        for parameter, value in zip(free, [*start, *rest]):
            parameter.value = value
        begun = time.time()
        try:
            result = Fit(optimize_opts={"backend": "minuit"}).optimize(datasets)
            found.append({"success": bool(result.success), "stat": float(result.total_stat), "message": str(result.message)})
        except Exception as error:  # what Gammapy cannot fit from there
            found.append({"success": False, "message": repr(error)})
        found[-1]["seconds"] = time.time() - begun
    return found


def inside(a):
    """The part that runs in the Python with Gammapy."""
    warnings.simplefilter("ignore")
    import logging

    logging.disable(logging.WARNING)
    print(json.dumps(prepare(a, a["folder"]) if a["do"] == "prepare" else gammapy(a)))


def with_gammapy(python, job):
    script = f"import sys; sys.path.insert(0, {str(ROOT / 'benches')!r}); import json, random_starts; " \
             "random_starts.inside(json.load(sys.stdin))"
    done = subprocess.run([python, "-c", script], input=json.dumps(job), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def judged(fits, best):
    """How many arrived, how many say so of a place that is no minimum, and the median of their seconds."""
    arrived = sum(f["success"] and f["stat"] < best + 0.02 for f in fits)
    wrong = sum(f["success"] and not f["stat"] < best + 0.1 for f in fits)
    seconds = sorted(f["seconds"] for f in fits)
    return arrived, wrong, seconds[len(seconds) // 2], seconds[-1]


def main():
    a = arguments()
    python = gammapy_python(a.python)
    print(f"{cpu()}, {os.cpu_count()} cores, commit {commit()}; {a.starts} starts, seed {a.seed}\n")
    print("| dataset | arrive: Gammapy | arrive: Pevatron | claim a minimum that is not one: Gammapy | Pevatron "
          "| median and longest fit: Gammapy | Pevatron |")
    print("|---|---|---|---|---|---|---|")
    everything = {}
    with tempfile.TemporaryDirectory() as folder:
        cases = [c for c in CASES if not a.only or a.only in c[0]]
        names = with_gammapy(python, {"do": "prepare", "data": a.data, "folder": folder, "cases": cases})
        for name, files, position, index, amplitude in cases:
            draw = random.Random(a.seed)
            paths = [f"{folder}/{f[1:]}.fits" if f.startswith("@") else f"{a.data}/{f}" for f in files]
            models = f"{folder}/models.yaml"
            Path(models).write_text(yaml(position, names.get(name), index, amplitude))
            starts = [
                (index + draw.uniform(-2, 2), amplitude * 10 ** draw.uniform(-3, 3)) for _ in range(a.starts)
            ]
            Path(f"{folder}/starts.txt").write_text("".join(f"{i!r} {v!r}\n" for i, v in starts))
            run = subprocess.run([a.fitter, models, f"{folder}/starts.txt", *paths], capture_output=True, text=True, check=False)
            if run.returncode:
                sys.exit(run.stderr)
            ours = [json.loads(line) for line in run.stdout.splitlines()]
            number = min(a.starts, a.gammapy)
            job = {"do": "fit", "files": paths, "models": models, "starts": starts[:number]}
            theirs = with_gammapy(python, job) if a.gammapy else []
            # A fit that went astray may end at a statistic of 0 that is none.
            best = min(f["stat"] for f in ours + theirs if f["success"])
            everything[name] = {"best": best, "pevatron": ours, "gammapy": theirs, "starts": starts}
            cells = [judged(fits, best) if fits else None for fits in (theirs, ours)]
            share = lambda cell, at, fits: f"{cell[at]} of {len(fits)}" if cell else "–"  # noqa: E731
            text = lambda cell: f"{cell[2]:.3g} s, {cell[3]:.3g} s" if cell else "–"  # noqa: E731
            print(f"| {name} | {share(cells[0], 0, theirs)} | {share(cells[1], 0, ours)} | {share(cells[0], 1, theirs)} "
                  f"| {share(cells[1], 1, ours)} | {text(cells[0])} | {text(cells[1])} |", flush=True)
    if a.json:
        Path(a.json).write_text(json.dumps(everything))


if __name__ == "__main__":
    main()
