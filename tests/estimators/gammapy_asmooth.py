"""Adaptive smoothing by Gammapy, written as one FITS file per map.

Usage: python gammapy_asmooth.py DATASET FOLDER METHOD THRESHOLD SCALE_DEG,SCALE_DEG,... EDGE_TEV,EDGE_TEV,...|none
"""

import sys

import astropy.units as u
import numpy as np
from gammapy.datasets import MapDataset
from gammapy.estimators import ASmoothMapEstimator

dataset = MapDataset.read(sys.argv[1])
edges = None if sys.argv[6] == "none" else [float(v) for v in sys.argv[6].split(",")] * u.TeV
estimator = ASmoothMapEstimator(
    scales=np.array([float(v) for v in sys.argv[5].split(",")]) * u.deg,
    method=sys.argv[3],
    threshold=float(sys.argv[4]),
    energy_edges=edges,
)
for name, values in estimator.run(dataset).items():
    values.write(f"{sys.argv[2]}/{name}.fits")
