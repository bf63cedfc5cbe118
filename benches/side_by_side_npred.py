#!/usr/bin/env python3
"""Predicted counts of many sources, Gammapy's and Pevatron's, in turn: medians and ratios as a Markdown table.

    python3 benches/side_by_side_npred.py --sources 200 --rounds 3

Makes a cube of --shape pixels with PSF and energy dispersion that vary over the sky, and --sources models: seven tenths of
them points, the rest Gaussians, disks, rotated ellipses, and one template that fills the map. Measured in memory, both in a
process that is running already: `MapDataset.npred` with nothing kept from before, then once more after one spectral
parameter and after one position have changed, where both sides keep what has not. Gammapy has one process, Pevatron one
thread and then all cores. Rounds alternate which of the two comes first.

The maps are compared in blocks of 100 x 100 pixels: the largest difference in units of the block's largest predicted counts.
Then --alone sources with power laws, each without the others: the largest difference in units of the source's own largest.

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

STEPS = ["cold", "spectral", "position"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="500x400x10", help="pixels and reconstructed energies (default 500x400x10)")
    parser.add_argument("--true-energies", type=int, default=12, help="default 12")
    parser.add_argument("--sources", type=int, default=200, help="default 200")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    parser.add_argument("--repeat", type=int, default=3, help="runs of Pevatron per round (default 3); their median counts")
    parser.add_argument("--alone", type=int, default=20, help="sources that are compared one by one, too (default 20)")
    parser.add_argument("--backend", default="cpu", help="of pevatron (default cpu)")
    parser.add_argument("--threads", default="", help="of the run of pevatron with many (default: all cores)")
    parser.add_argument("--keep", metavar="FOLDER", help="leave dataset.fits, models.yaml and the maps there")
    parser.add_argument("--python", default=os.environ.get("PEVATRON_PYTHON"), help="a Python that has Gammapy 2.1")
    parser.add_argument("--timer", default=str(ROOT / "target/release/examples/time_npred"))
    parser.add_argument("--json", metavar="FILE", help="also write what was measured there")
    return parser.parse_args()


def make_dataset(a):
    """A cube whose responses vary with energy and position."""
    import astropy.units as u
    import numpy as np
    from gammapy.datasets import MapDataset
    from gammapy.irf import EDispKernelMap
    from gammapy.maps import MapAxis, WcsGeom

    nx, ny, ne = (int(v) for v in a["shape"].split("x"))
    energy = MapAxis.from_energy_bounds("0.5 TeV", "50 TeV", nbin=ne)
    true = MapAxis.from_energy_bounds("0.3 TeV", "80 TeV", nbin=a["true_energies"], name="energy_true")
    rad = MapAxis.from_bounds(0, 0.66, nbin=66, unit="deg", name="rad")
    geom = WcsGeom.create(npix=(nx, ny), binsz=0.02, proj="CAR", frame="galactic", skydir=(0, 0), axes=[energy])
    dataset = MapDataset.create(geom, energy_axis_true=true, rad_axis=rad, binsz_irf=1.0, name="survey")
    yy, xx = np.mgrid[0:ny, 0:nx]
    falls = 10.0 ** -np.linspace(0, 1, ne)[:, None, None]
    dataset.background.data = (0.05 * falls * (1 + 0.3 * np.sin(xx / 137.0) * np.cos(yy / 91.0))).astype("float32")
    area = (1e9 * np.log10(true.center.value / 0.1) * 3.6e5 * 1e4)[:, None, None] / 1e3
    dataset.exposure.data = (area * (1 + 0.3 * np.sin(xx / 211.0 + 1) * np.cos(yy / 173.0))).astype("float32")
    coarse = dataset.psf.psf_map.geom
    ky, kx = np.mgrid[0 : coarse.data_shape[-2], 0 : coarse.data_shape[-1]]
    sigma = (0.09 * true.center.value ** -0.15)[:, None, None, None] * (1 + 0.1 * np.sin(kx / 3.0) * np.cos(ky / 2.0))
    r = rad.center.to_value("deg")[None, :, None, None]
    density = np.exp(-0.5 * (r / sigma) ** 2) / (2 * np.pi * np.radians(sigma) ** 2)
    dataset.psf.psf_map.quantity = u.Quantity(density.astype("float32"), "sr-1")
    dataset.psf.exposure_map.data += 1.0
    dataset.edisp = EDispKernelMap.from_gauss(energy, true, sigma=0.15, bias=0.0, geom=coarse.to_image())
    dataset.edisp.exposure_map.data += 1.0
    dataset.mask_safe.data[...] = True
    return dataset


def make_models(a, dataset, folder):
    """Sources of all kinds; the first is a point."""
    import astropy.units as u
    import numpy as np
    from gammapy.maps import Map, WcsGeom
    from gammapy.modeling import models as m

    rng = np.random.default_rng(a["seed"])
    image = dataset.counts.geom.to_image()
    nx, ny = image.data_shape[1], image.data_shape[0]
    deg = u.deg
    models = m.Models()
    for i in range(a["sources"]):
        center = image.pix_to_coord((rng.uniform(0, nx - 1), rng.uniform(0, ny - 1)))
        where = dict(lon_0=center[0], lat_0=center[1], frame="galactic")
        kind = i % 20
        if i == a["sources"] - 1:
            wide = WcsGeom.create(skydir=image.center_skydir, width=(0.02 * nx, 0.02 * ny), binsz=0.05, proj="CAR", frame="galactic")
            coord = wide.get_coord()
            glow = np.exp(-0.5 * (coord["lat"].to_value("deg") / 0.8) ** 2)
            template = Map.from_geom(wide, data=glow.astype("float32"), unit="sr-1")
            file = str(Path(folder) / "template.fits")
            template.write(file, overwrite=True)
            spatial = m.TemplateSpatialModel(template, filename=file, normalize=True)
        elif kind < 14:
            spatial = m.PointSpatialModel(**where)
        elif kind < 16:
            spatial = m.GaussianSpatialModel(sigma=rng.uniform(0.05, 0.25) * deg, **where)
        elif kind < 18:
            spatial = m.DiskSpatialModel(r_0=rng.uniform(0.1, 0.5) * deg, **where)
        else:
            spatial = m.GaussianSpatialModel(sigma=rng.uniform(0.1, 0.3) * deg, e=rng.uniform(0.5, 0.9),
                                             phi=rng.uniform(-180, 180) * deg, **where)
        amplitude = 10 ** rng.uniform(-13, -11.5) * u.Unit("cm-2 s-1 TeV-1")
        index = rng.uniform(1.8, 3.0)
        spectral = [
            lambda: m.PowerLawSpectralModel(index=index, amplitude=amplitude),
            lambda: m.ExpCutoffPowerLawSpectralModel(index=index, amplitude=amplitude, lambda_=0.1 / u.TeV),
            lambda: m.LogParabolaSpectralModel(alpha=index, beta=0.1, amplitude=amplitude),
        ][i % 3]()
        models.append(m.SkyModel(spectral_model=spectral, spatial_model=spatial, name=f"source-{i:04d}"))
    return models


def measure(a, folder):
    """Runs where Gammapy is."""
    import numpy as np
    from gammapy.datasets import MapDataset
    from gammapy.maps import Map
    from gammapy.modeling.models import Models

    warnings.simplefilter("ignore")
    data, yaml, out = (str(Path(folder) / name) for name in ["dataset.fits", "models.yaml", "npred.fits"])
    made = make_dataset(a)
    models = make_models(a, made, folder)
    made.write(data, overwrite=True)
    models.write(yaml, overwrite=True)
    dataset = MapDataset.read(data, name="survey")
    models = Models.read(yaml)
    theirs = {step: [] for step in STEPS}
    ours = {name: {step: [] for step in STEPS} for name in ["one", "many"]}

    def gammapy(step):
        begun = time.perf_counter()
        npred = dataset.npred()
        theirs[step].append(time.perf_counter() - begun)
        return npred

    def pevatron(name, threads):
        found = json.loads(run([a["timer"], data, yaml, str(a["repeat"]), a["backend"], threads, out]))
        for step in STEPS:
            ours[name][step].append(statistics.median(found[step]))

    reference = None
    for number in range(a["rounds"]):
        def ours_now():
            pevatron("one", "1")
            pevatron("many", a["threads"])

        def theirs_now():
            nonlocal reference
            dataset.models = models.copy()
            reference = gammapy("cold").data
            changed = dataset.models[0]
            changed.spectral_model.index.value += 0.01
            gammapy("spectral")
            changed.spatial_model.lon_0.value += 0.005
            gammapy("position")

        for step in [ours_now, theirs_now] if number % 2 == 0 else [theirs_now, ours_now]:
            print(f"round {number + 1} of {a['rounds']}: {step.__name__}", file=sys.stderr)
            step()

    found = Map.read(out).data
    _, ny, nx = reference.shape
    blocks = [np.s_[:, y : y + 100, x : x + 100] for y in range(0, ny, 100) for x in range(0, nx, 100)]
    worst = max(float(np.abs(found - reference)[block].max() / reference[block].max()) for block in blocks)
    alone = []
    for model in [model for model in models if model.spectral_model.tag[1] == "pl"][: a["alone"]]:
        if model.spatial_model.tag[1] == "template":
            continue
        dataset.models = Models([model.copy(name=model.name)])
        dataset.models.write(yaml, overwrite=True)
        run([a["timer"], data, yaml, "1", a["backend"], "", out])
        theirs_alone = dataset.npred().data
        largest = (theirs_alone - dataset.background.data).max()
        alone.append(float(np.abs(Map.read(out).data - theirs_alone).max() / largest))
        print(f"{model.name} ({model.spatial_model.tag[1]}): {alone[-1]:.1g}", file=sys.stderr)
    return {"gammapy": theirs, "pevatron": ours, "deviation": worst, "alone": alone, "deviation_sum": float(abs(found.sum() / reference.sum() - 1))}


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--measure":
        job = json.loads(Path(sys.argv[2]).read_text())
        print(json.dumps(measure(job["options"], job["folder"])))
        return
    a = arguments()
    if a.rounds < 1 or a.repeat < 1 or a.sources < 1:
        sys.exit("error: --rounds, --repeat and --sources must be at least 1")
    if not Path(a.timer).exists():
        run(["cargo", "build", "--release", "--manifest-path", str(ROOT / "Cargo.toml"), "--example", "time_npred"])
    python = gammapy_python(a.python)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(a.keep or temporary).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        job = Path(temporary) / "job.json"
        job.write_text(json.dumps({"options": vars(a), "folder": str(folder)}))
        r = json.loads(run([python, __file__, "--measure", str(job)]))
    print(f"{a.shape}, {a.true_energies} true energies, {a.sources} sources; Pevatron: {a.backend}\n")
    print("| predicted counts | Gammapy | Pevatron, 1 thread | ratio | Pevatron, all threads | ratio |")
    print("|---|---|---|---|---|---|")
    names = {"cold": "nothing kept", "spectral": "one spectral index changed", "position": "one position changed"}
    for step in STEPS:
        cells = [f"{statistics.median(r['gammapy'][step]):.4g} s ({spread(r['gammapy'][step])})"]
        for name in ["one", "many"]:
            own = r["pevatron"][name][step]
            ratios = [t / o for t, o in zip(r["gammapy"][step], own)]
            cells.append(f"{1e3 * statistics.median(own):.3g} ms ({spread([1e3 * t for t in own])})")
            cells.append(f"{statistics.median(ratios):.4g} ({spread(ratios)})")
        print(f"| {names[step]} | " + " | ".join(cells) + " |")
    print(f"\nLargest difference {r['deviation']:.1g} of a block's largest; of the sum {r['deviation_sum']:.1g}.")
    if r["alone"]:
        print(f"{len(r['alone'])} sources one by one: at most {max(r['alone']):.1g} of the source's largest.")
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"Machine: {cpu()}, {os.cpu_count()} cores{load}. Commit: {commit()}. {a.rounds} rounds, alternating.")
    if a.json:
        Path(a.json).write_text(json.dumps({"results": r, "options": vars(a), "cpu": cpu(), "commit": commit()}, indent=1))


if __name__ == "__main__":
    main()
