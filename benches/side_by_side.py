#!/usr/bin/env python3
"""Gammapy's TSMapEstimator and `pevatron tsmap` on the same dataset, in turn: medians and ratios as a Markdown table.

    cargo build --release
    python3 benches/side_by_side.py dataset.fits.gz --kernel-width 1deg --selection errn-errp,ul --sample 400

Needs Python 3.9 or newer and the network once: Gammapy 2.1 is installed into target/gammapy-venv. A Python that has it
already is taken from --python or PEVATRON_PYTHON. Both times count from datasets in memory to flux maps in memory;
Gammapy has one process and Pevatron the threads it is given. Rounds alternate which of the two comes first.
"""
import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PACKAGES = ["gammapy==2.1", "regions<0.12", "numba"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="+", help="MapDataset files of one sky geometry, fitted jointly")
    parser.add_argument("--models", help="models of the null hypothesis (YAML)")
    parser.add_argument("--kernel-model", help="test source (YAML)")
    parser.add_argument("--kernel-width", help="e.g. 1deg")
    parser.add_argument("--energy-edges", help="e.g. 10GeV,100GeV,2TeV")
    parser.add_argument("--sum-over-energy-groups", choices=["true", "false"], default="true")
    parser.add_argument("--selection", help="e.g. errn-errp,ul")
    parser.add_argument("--sample", type=int, help="pixels per energy group that Gammapy fits; scaled to all (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (default 0)")
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    parser.add_argument("--backend", default="auto", help="of pevatron (default auto)")
    parser.add_argument("--adapter", help="of pevatron")
    parser.add_argument("--threads", help="of pevatron (default: all cores)")
    parser.add_argument("--python", default=os.environ.get("PEVATRON_PYTHON"), help="a Python that has Gammapy 2.1")
    parser.add_argument("--pevatron", default=str(ROOT / "target/release/pevatron"), help="default target/release/pevatron")
    parser.add_argument("--json", metavar="FILE", help="also write what was measured there")
    return parser.parse_args()


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"error: {command[0]} failed with code {done.returncode}:\n{done.stderr.strip()[-2000:]}")
    return done.stdout


def gammapy_python(wanted):
    if wanted:
        return wanted
    folder = ROOT / "target" / "gammapy-venv"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = folder / "ready"
    if not ready.exists():
        print(f"installing {', '.join(PACKAGES)} into {folder}", file=sys.stderr)
        run([sys.executable, "-m", "venv", str(folder)])
        run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *PACKAGES])
        ready.touch()
    return str(python)


def pevatron_command(a, flux):
    command = [a.pevatron, "tsmap", *a.datasets, "-o", str(flux), "--overwrite", "--json", "--backend", a.backend]
    command += ["--sum-over-energy-groups", a.sum_over_energy_groups]
    for name in ["models", "kernel_model", "kernel_width", "energy_edges", "selection", "adapter", "threads"]:
        value = getattr(a, name)
        if value is not None:
            command += [f"--{name.replace('_', '-')}", value]
    return command


def cpu():
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def commit():
    if not shutil.which("git"):
        return "unknown"
    done = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout.strip() or "unknown"


def spread(values):
    return f"{min(values):.3g} – {max(values):.3g}"


def main():
    a = arguments()
    if a.rounds < 1:
        sys.exit("error: --rounds must be at least 1")
    if not shutil.which(a.pevatron):
        sys.exit(f"error: there is no {a.pevatron}\nhelp: cargo build --release, or --pevatron PATH")
    python = gammapy_python(a.python)
    theirs, ours, commands = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        flux = Path(folder) / "flux.fits"
        options = {
            "datasets": a.datasets, "models": a.models, "kernel_model": a.kernel_model, "kernel_width": a.kernel_width,
            "energy_edges": a.energy_edges, "sum_over_energy_groups": a.sum_over_energy_groups == "true",
            "selection": a.selection, "sample": a.sample, "seed": a.seed, "flux": str(flux),
        }
        job = Path(folder) / "options.json"
        job.write_text(json.dumps(options))

        def gammapy():
            theirs.append(json.loads(run([python, str(HERE / "time_gammapy.py"), str(job)])))

        def pevatron():
            begun = time.perf_counter()
            ours.append(json.loads(run(pevatron_command(a, flux))))
            commands.append(time.perf_counter() - begun)

        for number in range(a.rounds):
            # The first round begins with ours, whose file Gammapy's results are compared with.
            for step in [pevatron, gammapy] if number % 2 == 0 else [gammapy, pevatron]:
                print(f"round {number + 1} of {a.rounds}: {step.__name__}", file=sys.stderr)
                step()

    slow = [t["seconds"] for t in theirs]
    fast = [o["stages"]["estimate_seconds"] for o in ours]
    ratios = [s / f for s, f in zip(slow, fast)]
    fits = theirs[0]["pixels"]
    sampled = theirs[0]["fits"] < fits
    names = ", ".join(Path(path).name for path in a.datasets)
    engine = f"{ours[0]['backend']}, {ours[0]['adapter']}"
    print(f"{names}: {fits} fits in {theirs[0]['energy_groups']} energy groups"
          + (f"; Gammapy's time is scaled from {theirs[0]['fits']} of them" if sampled else "") + "\n")
    print("| program | median | spread | fits per second |")
    print("|---|---|---|---|")
    for name, values in [(f"Gammapy {theirs[0]['gammapy']}, one process", slow), (f"Pevatron ({engine})", fast),
                         ("Pevatron, whole command", commands)]:
        middle = statistics.median(values)
        print(f"| {name} | {middle:.4g} s | {spread(values)} s | {fits / middle:.4g} |")
    print(f"| ratio, round by round | {statistics.median(ratios):.4g} | {spread(ratios)} | |\n")
    off = theirs[0]["deviations"]
    if off:
        print(f"Norms of {off['pixels']} pixels differ by {off['median_sigma']:.2g} sigma (median), "
              f"{off['p99_sigma']:.2g} (99 %); Gammapy stops at a relative precision of 0.01.")
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"Machine: {cpu()}, {os.cpu_count()} cores{load}; {platform.system()}. Commit: {commit()}. "
          f"{a.rounds} rounds, alternating.")
    if a.json:
        record = {"gammapy": theirs, "pevatron": ours, "pevatron_command_seconds": commands, "ratios": ratios,
                  "options": options, "cpu": cpu(), "cores": os.cpu_count(), "commit": commit()}
        Path(a.json).write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
