"""Predicts counts with Gammapy and writes the map: `DATASET MODELS OUT background|signal`, once or several times.

Called by `tests/datasets/npred_gammapy.rs`."""

import logging
import sys

from gammapy.datasets import MapDataset
from gammapy.modeling.models import Models

logging.disable(logging.WARNING)
arguments = sys.argv[1:]
while arguments:
    dataset, models, out, what = arguments[:4]
    arguments = arguments[4:]
    dataset = MapDataset.read(dataset)
    dataset.models = Models.read(models)
    npred = dataset.npred_background() if what == "background" else dataset.npred_signal()
    npred.write(out)
