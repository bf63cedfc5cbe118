#!/usr/bin/env python3
"""Time Gammapy's TSMapEstimator.run with one process, from datasets in memory to flux maps in memory.

Called by side_by_side.py, and by hand: time_gammapy.py OPTIONS.json prints one JSON document. With `sample` N, only N
random pixels per energy group are fitted, and the time of the fits is scaled up to all pixels; the preparation is always
done in full. With `flux`, norms and errors of the fitted pixels are compared with that file's. Needs Gammapy 2.1.
"""
import json
import re
import sys
import time
import warnings

warnings.simplefilter("ignore")


def quantity(text):
    from astropy.units import Quantity

    match = re.fullmatch(r"\s*([-+0-9.]+(?:[eE][-+]?[0-9]+)?)\s*([A-Za-z].*)", text)
    return Quantity(float(match[1]), match[2])


def estimator(options):
    from astropy.units import Quantity
    from gammapy.estimators import TSMapEstimator
    from gammapy.modeling.models import Models

    def value(name, convert):
        return None if options.get(name) is None else convert(options[name])

    return TSMapEstimator(
        kernel_model=value("kernel_model", lambda path: Models.read(path)[0]),
        kernel_width=value("kernel_width", quantity),
        energy_edges=value("energy_edges", lambda text: Quantity([quantity(e) for e in text.split(",")])),
        sum_over_energy_groups=options.get("sum_over_energy_groups", True),
        selection_optional=value("selection", lambda text: text.split(",")),
        n_jobs=1,
    )


class Sampler:
    """Stands in for the function that maps pixels to fits: fits some of them, and notes how long that takes."""

    def __init__(self, module, count, seed):
        import numpy as np

        self.fit = module._ts_value
        self.original = module.parallel.run_multiprocessing
        self.count, self.random, self.nan = count, np.random.default_rng(seed), np.nan
        self.pixels = self.fits = self.groups = 0
        self.seconds = self.scaled = 0.0

    def __call__(self, function, inputs, **options):
        if function is not self.fit:
            return self.original(function, inputs, **options)
        jobs = list(inputs)
        chosen = range(len(jobs))
        if self.count and self.count < len(jobs):
            chosen = sorted(self.random.choice(len(jobs), self.count, replace=False))
        begun = time.perf_counter()
        done = {int(k): function(*jobs[k]) for k in chosen}
        seconds = time.perf_counter() - begun
        self.groups += 1
        self.pixels += len(jobs)
        self.fits += len(done)
        self.seconds += seconds
        self.scaled += seconds * len(jobs) / len(done)
        # Pixels that were not fitted are NaN in the maps, so that nobody takes them for results.
        keys = next(iter(done.values()))
        empty = {key: self.nan * value if hasattr(value, "shape") else self.nan for key, value in keys.items()}
        return [done.get(k, empty) for k in range(len(jobs))]


def deviations(maps, path):
    """|difference of norm| over norm_err, of the pixels that both have: median and largest of 99 %."""
    import numpy as np
    from astropy.io import fits

    norm, error = maps.norm.data, maps.norm_err.data
    other = np.reshape(fits.getdata(path, "NORM"), norm.shape)
    both = np.isfinite(norm) & np.isfinite(other) & np.isfinite(error) & (error > 0)
    off = np.abs(norm - other)[both] / error[both]
    if not off.size:
        return None
    return {"pixels": int(off.size), "median_sigma": float(np.median(off)), "p99_sigma": float(np.percentile(off, 99))}


def main():
    with open(sys.argv[1]) as file:
        options = json.load(file)

    import gammapy
    from gammapy.datasets import Datasets, MapDataset
    from gammapy.estimators.map import ts as module
    from gammapy.modeling.models import Models

    datasets = Datasets([MapDataset.read(path) for path in options["datasets"]])
    if options.get("models"):
        datasets.models = Models.read(options["models"])
    ts_maps = estimator(options)
    sampler = Sampler(module, options.get("sample"), options.get("seed", 0))
    module.parallel.run_multiprocessing = sampler
    begun = time.perf_counter()
    maps = ts_maps.run(datasets)
    spent = time.perf_counter() - begun
    print(json.dumps({
        "seconds": spent - sampler.seconds + sampler.scaled,
        "seconds_spent": spent,
        "pixels": sampler.pixels,
        "fits": sampler.fits,
        "energy_groups": sampler.groups,
        "gammapy": gammapy.__version__,
        "deviations": deviations(maps, options["flux"]) if options.get("flux") else None,
    }))


if __name__ == "__main__":
    main()
