"""Fits a source and a background with Gammapy, from the models and to the dataset given; prints statistic, values, errors.

The fit begins a second time where it ended, so that responses are those of the minimum: that one is timed. Minuit stops where
it expects to be 2e-4 above its minimum, which may be 0.014 errors away; what is printed is of a third fit, whose goal is 2e-6.
Called by `tests/fit/gammapy.rs`."""

import logging
import sys
import time

from gammapy.datasets import Datasets, MapDataset
from gammapy.modeling import Fit
from gammapy.modeling.models import Models

logging.disable(logging.WARNING)
models = Models.read(sys.argv[2])
for _ in range(2):
    datasets = Datasets([MapDataset.read(sys.argv[1])])
    datasets.models = models
    start = time.time()
    result = Fit().run(datasets)
    seconds = time.time() - start
# Errors by finite differences move with the strategy: those of the default one count.
errors = [p.error for p in models.parameters]
result = Fit(optimize_opts={"backend": "minuit", "tol": 1e-3, "strategy": 2}).run(datasets)
print("stat", result.total_stat, seconds)
for name, p, error in zip(models.parameters_unique_names, models.parameters, errors):
    if not p.frozen:
        print(name, p.value, error)
