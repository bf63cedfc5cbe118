"""Makes with Gammapy the spectra that `tests/datasets/spectrum.rs` made, and compares all maps and numbers.

Usage: python gammapy_spectrum.py FOLDER. Exit code 1 and a message for each difference.
"""

import json
import sys
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from gammapy.datasets import Datasets, MapDataset, MapDatasetOnOff, SpectrumDataset, SpectrumDatasetOnOff
from gammapy.modeling import Fit
from gammapy.modeling.models import Models
from regions import CircleSkyRegion

sys.path.append(str(Path(__file__).resolve().parent.parent / "io"))
from gammapy_roundtrip import check, failures  # noqa: E402

folder = Path(sys.argv[1])
numbers = json.loads((folder / "numbers.json").read_text())
center = SkyCoord(numbers["lon"], numbers["lat"], unit="deg", frame=numbers["frame"])
region = CircleSkyRegion(center, numbers["radius"] * u.deg)
compared = 0


def close(ours, theirs, place, rtol=2e-5):
    global compared
    x, y = np.asarray(ours, "float64").ravel(), np.asarray(theirs, "float64").ravel()
    check(x.shape == y.shape, f"{place}: shape {x.shape} {y.shape}")
    if x.shape == y.shape:
        check(np.allclose(x, y, rtol=rtol, atol=rtol * 1e-3 * np.abs(y).max()), f"{place}: {x} {y}")
    compared += 1


def close_dataset(name, kind, theirs):
    ours = kind.read(folder / name)
    parts = ["counts", "exposure", "mask_safe"]
    parts += ["counts_off", "acceptance"] if kind is SpectrumDatasetOnOff else ["background"]
    for part in parts:
        a, b = getattr(ours, part), getattr(theirs, part)
        close(a.quantity.to_value(b.unit), b.data, f"{name} {part}")
        check(a.geom.region.center.separation(center).deg < 1e-6, f"{name} {part}: centre {a.geom.region}")
        check(np.isclose(a.geom.region.radius.to_value("deg"), numbers["radius"], rtol=1e-4), f"{name} {part}: radius")
    close(ours.edisp.get_edisp_kernel().pdf_matrix, theirs.edisp.get_edisp_kernel().pdf_matrix, f"{name} edisp", 1e-4)
    if kind is MapDataset:
        close(ours.psf.psf_map.data, theirs.psf.psf_map.data, f"{name} psf")
    return ours


a, b = (MapDataset.read(folder / f"{n}.fits", name=n) for n in "ab")
onoff = MapDatasetOnOff.read(folder / "onoff.fits", name="onoff")
spectrum = a.to_spectrum_dataset(region, name="spectrum")
corrected = a.to_spectrum_dataset(region, containment_correction=True, name="corrected")
part = a.to_region_map_dataset(region, name="part")
second = b.to_spectrum_dataset(region, containment_correction=True, name="second")
on = onoff.to_spectrum_dataset(region, containment_correction=True, name="on")
close_dataset("spectrum.fits", SpectrumDataset, spectrum)
close_dataset("corrected.fits", SpectrumDataset, corrected)
close_dataset("part.fits", MapDataset, part)
ours_on = close_dataset("on.fits", SpectrumDatasetOnOff, on)
defined = on.acceptance_off.data > 0
close(ours_on.acceptance_off.data[defined], on.acceptance_off.data[defined], "on acceptance_off")

models = Models.read(folder / "models.yaml")
for name, dataset, rtol in [("spectrum", spectrum, 2e-5), ("corrected", corrected, 2e-5), ("part", part, 2e-4)]:
    dataset.models = models
    close(numbers[f"npred_{name}"], dataset.npred().data, f"npred {name}", rtol)
part.models = Models.read(folder / "wide.yaml")
# Gammapy sums over the map's pixels, a few across the region.
close(numbers["npred_part_wide"], part.npred().data, "npred of a wide source", 0.03)
print("wide source, ratio to Gammapy:", np.array(numbers["npred_part_wide"]) / part.npred().data.ravel())
close(numbers["stat_corrected"], corrected.stat_sum(), "stat of the spectrum", 1e-5)

# Where Gammapy keeps no alpha (no off counts), nothing can be compared: its acceptance is set to ours.
on.acceptance_off.data = ours_on.acceptance_off.data
on.models = models
close(numbers["stat_on"], on.stat_sum(), "W statistic of the spectrum", 1e-5)
joint = Datasets([corrected, second, on])
joint.models = models
fit = Fit()
fit.run(joint)
result = fit.run(joint)
close(numbers["fit_stat"], joint.stat_sum(), "statistic of the fit", 1e-6)
for name, value, error in numbers["fit"]:
    theirs = models.parameters[name]
    check(abs(value - theirs.value) < 0.01 * theirs.error, f"{name}: {value} for {theirs.value} +- {theirs.error}")
    check(abs(error / theirs.error - 1) < 0.03, f"error of {name}: {error} for {theirs.error}")

joint.models = None
stacked = second.copy(name="stack")
stacked.stack(corrected)
ours = SpectrumDataset.read(folder / "stack.fits")
for name in ["counts", "background", "exposure", "mask_safe"]:
    close(getattr(ours, name).data, getattr(stacked, name).data, f"stack {name}")
close(ours.edisp.get_edisp_kernel().pdf_matrix, stacked.edisp.get_edisp_kernel().pdf_matrix, "stack edisp", 1e-4)

corrected.write(folder / "gammapy-corrected.fits")
on.write(folder / "gammapy-on.fits")
Datasets([corrected, on]).write(folder / "gammapy.yaml", overwrite=True)
print(f"{compared} maps and numbers")
if failures:
    print("\n".join(failures))
    sys.exit(1)
