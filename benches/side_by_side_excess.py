#!/usr/bin/env python3
"""Gammapy's ExcessMapEstimator and Pevatron's on the same dataset, in turn: medians and ratios as a Markdown table.

    python3 benches/side_by_side_excess.py dataset.fits.gz onoff.fits.gz --width 1.2deg --selection errn-errp,ul

Each file is a MapDataset or a MapDatasetOnOff, cut out to --width around its centre. Both times count from a dataset in
memory to flux maps in memory, both in a process that is running already; Gammapy has one process and Pevatron the threads
it is given. Rounds alternate which of the two comes first. All maps of the two are compared: the largest deviation of
norm, errors and limits in units of the error, and of sqrt_ts.

Needs Python 3.9 or newer and the network once: Gammapy 2.1 is installed into target/gammapy-venv. A Python that has it
already is taken from --python or PEVATRON_PYTHON.
"""
import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path

from side_by_side import ROOT, commit, cpu, gammapy_python, run, spread


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="+", help="MapDataset or MapDatasetOnOff files, each measured on its own")
    parser.add_argument("--width", help="of a cutout around the centre, e.g. 1.2deg (default: the whole map)")
    parser.add_argument("--correlation-radius", default="0.1deg")
    parser.add_argument("--selection", default="errn-errp,ul")
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    parser.add_argument("--repeat", type=int, default=5, help="runs of Pevatron per round (default 5); their median counts")
    parser.add_argument("--backend", default="cpu", help="of pevatron (default cpu)")
    parser.add_argument("--threads", default="", help="of pevatron (default: all cores)")
    parser.add_argument("--python", default=os.environ.get("PEVATRON_PYTHON"), help="a Python that has Gammapy 2.1")
    parser.add_argument("--pevatron", default=str(ROOT / "target/release/pevatron"), help="for the comparison of maps")
    parser.add_argument("--timer", default=str(ROOT / "target/release/examples/time_excess"))
    parser.add_argument("--json", metavar="FILE", help="also write what was measured there")
    return parser.parse_args()


def measure(a, path, folder):
    """One dataset; runs where Gammapy is."""
    import astropy.units as u
    import numpy as np
    from astropy.io import fits
    from gammapy.datasets import MapDataset, MapDatasetOnOff
    from gammapy.estimators import ExcessMapEstimator

    warnings.simplefilter("ignore")
    with fits.open(path) as hdus:
        kind = MapDatasetOnOff if "COUNTS_OFF" in hdus else MapDataset
    dataset = kind.read(path)
    if a["width"]:
        dataset = dataset.cutout(dataset.counts.geom.center_skydir, u.Quantity(a["width"]))
    file = str(Path(folder) / "dataset.fits")
    dataset.write(file, overwrite=True)
    dataset = kind.read(file)
    estimator = ExcessMapEstimator(a["correlation_radius"], selection_optional=a["selection"].split(","))
    theirs, ours, maps = [], [], None

    def gammapy():
        nonlocal maps
        begun = time.perf_counter()
        maps = estimator.run(dataset)
        theirs.append(time.perf_counter() - begun)

    def pevatron():
        command = [a["timer"], file, a["selection"], str(a["repeat"]), a["correlation_radius"], a["backend"], a["threads"]]
        ours.append(statistics.median(json.loads(run(command))))

    for number in range(a["rounds"]):
        for step in [pevatron, gammapy] if number % 2 == 0 else [gammapy, pevatron]:
            print(f"{Path(path).name}, round {number + 1} of {a['rounds']}: {step.__name__}", file=sys.stderr)
            step()

    flux = str(Path(folder) / "flux.fits")
    run([a["pevatron"], "excess", file, "-o", flux, "--overwrite", "--quiet", "--selection", a["selection"],
         "--correlation-radius", a["correlation_radius"], "--backend", a["backend"]])
    deviations = {}
    with fits.open(flux) as hdus:
        error = maps.norm_err.data
        with np.errstate(all="ignore"):
            for name in sorted(maps.available_quantities):
                if name.startswith("norm") or name == "sqrt_ts":
                    off = np.abs(hdus[name].data - getattr(maps, name).data)
                    off = off if name == "sqrt_ts" else off[error > 0] / error[error > 0]
                    deviations[name] = float(np.nanmax(off))
    return {"kind": kind.__name__, "shape": list(dataset.counts.data.shape), "gammapy": theirs, "pevatron": ours,
            "deviations": deviations}


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--measure":
        job = json.loads(Path(sys.argv[2]).read_text())
        print(json.dumps(measure(job["options"], job["path"], job["folder"])))
        return
    a = arguments()
    if a.rounds < 1 or a.repeat < 1:
        sys.exit("error: --rounds and --repeat must be at least 1")
    if not Path(a.timer).exists() or not Path(a.pevatron).exists():
        run(["cargo", "build", "--release", "--manifest-path", str(ROOT / "Cargo.toml"), "--bins", "--example", "time_excess"])
    python = gammapy_python(a.python)
    results = []
    for path in a.datasets:
        with tempfile.TemporaryDirectory() as folder:
            job = Path(folder) / "job.json"
            job.write_text(json.dumps({"options": vars(a), "path": str(Path(path).resolve()), "folder": folder}))
            results.append(json.loads(run([python, __file__, "--measure", str(job)])))
    print(f"Radius {a.correlation_radius}, selection {a.selection}; Pevatron: {a.backend}, threads: {a.threads or 'all cores'}\n")
    print("| dataset | Gammapy | Pevatron | ratio, round by round |")
    print("|---|---|---|---|")
    for r in results:
        ratios = [t / o for t, o in zip(r["gammapy"], r["pevatron"])]
        energies, ny, nx = r["shape"]
        print(f"| {r['kind']}, {nx} × {ny} × {energies} | {statistics.median(r['gammapy']):.4g} s ({spread(r['gammapy'])}) "
              f"| {1e3 * statistics.median(r['pevatron']):.3g} ms ({spread([1e3 * t for t in r['pevatron']])}) "
              f"| {statistics.median(ratios):.4g} ({spread(ratios)}) |")
    print()
    for r in results:
        print(f"{r['kind']}: largest deviations " + ", ".join(f"{k} {v:.1g}" for k, v in r["deviations"].items()))
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"Machine: {cpu()}, {os.cpu_count()} cores{load}. Commit: {commit()}. {a.rounds} rounds, alternating.")
    if a.json:
        Path(a.json).write_text(json.dumps({"results": results, "options": vars(a), "cpu": cpu(), "commit": commit()}, indent=1))


if __name__ == "__main__":
    main()
