"""Events of one source through PSF and energy dispersion: Gammapy's sampler beside `pevatron simulate --events`.

    python3 benches/side_by_side_events.py DATASET [--bin target/release/pevatron] [--amplitude 3e-9] [--rounds 3]

In turn, in one run. Gammapy's time is that of sample_sources, sample_psf and sample_edisp, in memory; Pevatron's is that of
the whole command: start, reading, the background's events too, writing. Prints both, and the ratio per drawn event.
"""

import argparse
import json
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")

import astropy.units as u  # noqa: E402
from gammapy.data import GTI  # noqa: E402
from gammapy.datasets import MapDataset, MapDatasetEventSampler  # noqa: E402
from gammapy.modeling.models import GaussianSpatialModel, Models, PowerLawSpectralModel, SkyModel  # noqa: E402

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("dataset")
parser.add_argument("--bin", default="target/release/pevatron")
parser.add_argument("--amplitude", type=float, default=3e-9, help="of the source at 1 TeV, in cm-2 s-1 TeV-1")
parser.add_argument("--rounds", type=int, default=3)
args = parser.parse_args()

dataset = MapDataset.read(args.dataset, name="dataset")
# Gammapy draws times from a single interval only.
dataset.gti = GTI.create([0] * u.s, [5000] * u.s)
center = dataset.geoms["geom"].center_skydir
source = SkyModel(
    spectral_model=PowerLawSpectralModel(index=2.3, amplitude=args.amplitude * u.Unit("cm-2 s-1 TeV-1")),
    spatial_model=GaussianSpatialModel(
        lon_0=center.data.lon, lat_0=center.data.lat, sigma="0.2 deg", frame=center.frame.name
    ),
    name="source",
)
dataset.models = Models([source])

with tempfile.TemporaryDirectory() as folder:
    models, output = Path(folder) / "models.yaml", Path(folder) / "events.fits"
    Models([source]).write(models)
    for number in range(args.rounds):
        sampler = MapDatasetEventSampler(random_state=number)
        start = time.perf_counter()
        events = sampler.sample_sources(dataset)
        events = sampler.sample_psf(dataset.psf, events)
        events = sampler.sample_edisp(dataset.edisp, events)
        theirs = (time.perf_counter() - start) / len(events)
        command = [args.bin, "simulate", args.dataset, "--models", models, "--events", "-o", output]
        start = time.perf_counter()
        result = subprocess.run([*command, "--overwrite", "--json"], check=True, capture_output=True)
        seconds = time.perf_counter() - start
        drawn = sum(part["drawn"] for part in json.loads(result.stdout)["components"])
        ours = seconds / drawn
        print(
            f"Gammapy {len(events)} events, {1e6 * theirs:.1f} us each; Pevatron {drawn}, {seconds:.2f} s,"
            f" {1e6 * ours:.2f} us each; {theirs / ours:.0f} times"
        )
