"""Does with Gammapy what `tests/datasets/gammapy.rs` did with datasets, and compares all maps and numbers.

Usage: python gammapy_datasets.py FOLDER. The folder holds datasets (a.fits, b.fits, c.fits with another energy threshold;
onoff-a.fits, onoff-b.fits), models.yaml, and what was made of them. Exit code 1 and a message for each difference.
"""

import json
import sys
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from gammapy.datasets import Datasets, MapDataset, MapDatasetOnOff
from gammapy.maps import Map, MapAxis
from gammapy.modeling.models import FoVBackgroundModel, Models

sys.path.append(str(Path(__file__).resolve().parent.parent / "io"))
from gammapy_roundtrip import check, failures  # noqa: E402

folder = Path(sys.argv[1])
numbers = json.loads((folder / "numbers.json").read_text())
compared = 0


def close_map(ours, theirs, place, rtol=4e-6):
    """Equal to single precision: Gammapy stacks and averages in it."""
    global compared
    check((ours is None) == (theirs is None), f"{place}: one is missing ({ours is None}, {theirs is None})")
    if ours is None or theirs is None:
        return
    check(ours.data.shape == theirs.data.shape, f"{place}: shape {ours.data.shape} {theirs.data.shape}")
    if ours.data.shape != theirs.data.shape:
        return
    if not ours.geom.is_region:
        check(ours.geom.wcs.wcs.compare(theirs.geom.wcs.wcs, tolerance=1e-6), f"{place}: sky")
    for x, y in zip(ours.geom.axes, theirs.geom.axes):
        check(x.name == y.name and u.allclose(x.edges, y.edges, rtol=1e-6), f"{place}: axis {y.name}")
    x = np.nan_to_num(np.asarray(ours.quantity.to_value(theirs.unit), "float64"), nan=-1)
    y = np.nan_to_num(np.asarray(theirs.data, "float64"), nan=-1)
    off = np.abs(x - y) - rtol * np.maximum(np.abs(x), np.abs(y))
    worst = np.unravel_index(np.argmax(off), off.shape)
    check(off.max() <= 1e-7 * np.abs(y).max(), f"{place}: {x[worst]} for {y[worst]} at {worst}")
    compared += 1


def close_dataset(name, theirs, off_is_zero=True):
    kind = MapDatasetOnOff if isinstance(theirs, MapDatasetOnOff) else MapDataset
    ours = kind.read(folder / name)
    parts = ["counts", "exposure", "mask_safe", "mask_fit"]
    parts += ["counts_off", "acceptance", "acceptance_off"] if kind is MapDatasetOnOff else ["background"]
    for part in parts:
        a, b = getattr(ours, part), getattr(theirs, part)
        if part == "acceptance_off":
            # Without off counts or background Gammapy has NaN or infinity.
            b.data[~np.isfinite(b.data)] = a.data[~np.isfinite(b.data)]
        close_map(a, b, f"{name} {part}")
    for part, inner in [("psf", "psf_map"), ("edisp", "edisp_map")]:
        a, b = getattr(ours, part), getattr(theirs, part)
        close_map(getattr(a, inner), getattr(b, inner), f"{name} {part}")
        close_map(a.exposure_map, b.exposure_map, f"{name} {part} exposure")
    a, b = ours.gti, theirs.gti
    check(len(a.table) == len(b.table), f"{name}: intervals {len(a.table)} {len(b.table)}")
    if len(a.table) == len(b.table) > 0:
        check(abs((a.time_start - b.time_start).to_value("s")).max() < 1e-5, f"{name}: starts")
        check(abs((a.time_stop - b.time_stop).to_value("s")).max() < 1e-5, f"{name}: stops")
    lives = [d.exposure.meta.get("livetime", np.nan * u.s).to_value("s") for d in (ours, theirs)]
    check(np.allclose(*lives, equal_nan=True), f"{name}: livetime {lives}")


def close_number(ours, theirs, place, rtol=1e-9):
    global compared
    theirs = float(theirs)
    ours = np.nan if ours is None else ours
    same = np.isclose(ours, theirs, rtol=rtol, atol=0, equal_nan=True)
    check(same, f"{place}: {ours} for {theirs}")
    compared += 1


def close_info(ours, theirs, place):
    """Sums in single precision there."""
    for key, value in theirs.items():
        if key in ["name", "stat_type"]:
            check(ours[key] == value, f"{place} {key}: {ours[key]} for {value}")
        elif key == "stat_sum" and np.isnan(value):
            continue  # without models there, with and without here
        elif key == "counts":
            check(int(ours[key]) == value, f"{place} {key}: {ours[key]} for {value}")
        else:
            value = value.to_value("m2 s" if "exposure" in key else ("s-1" if "rate" in key else "s")) if hasattr(value, "unit") else value
            close_number(ours[key], value, f"{place} {key}", 2e-5 if key in ["excess", "sqrt_ts", "excess_rate"] else 2e-6)


a, b, c = (MapDataset.read(folder / f"{n}.fits") for n in "abc")

for name, others in [("stack-ab.fits", [a, b]), ("stack-abc.fits", [a, b, c])]:
    close_dataset(name, Datasets(others).stack_reduce(name="sum"))
created = MapDataset.create(
    a.counts.geom,
    energy_axis_true=a.exposure.geom.axes["energy_true"],
    rad_axis=a.psf.psf_map.geom.axes["rad"],
    binsz_irf=0.5 * u.deg,
    name="created",
)
close_dataset("created.fits", created)
for other in [a, c]:
    created.stack(other)
close_dataset("created-ac.fits", created)
close_dataset("masked.fits", c.to_masked())

at = SkyCoord(83.4, 22.1, unit="deg", frame="icrs")
cut = a.cutout(at, (0.5 * u.deg, 0.3 * u.deg))
close_dataset("cutout.fits", cut)
whole = a.to_masked()
whole.stack(cut)
close_dataset("stack-cutout.fits", whole)
close_dataset("pad.fits", a.pad((3, 2)))
close_dataset("downsample.fits", c.downsample(4))
close_dataset("downsample-energy.fits", c.downsample(2, axis_name="energy"))
edges = c.counts.geom.axes["energy"].edges
close_dataset("resample.fits", c.resample_energy_axis(MapAxis.from_energy_edges(edges[[0, 1, 4]])))
close_dataset("image.fits", c.to_image())
# All at once it fails on the exposures of responses.
sliced = c.slice_by_idx({"energy_true": slice(2, 9), "rad": slice(0, 20)}).slice_by_idx({"energy": slice(1, 3)})
close_dataset("slice-idx.fits", sliced)
close_dataset("slice-energy.fits", c.slice_by_energy(1.2 * edges[1], 0.9 * edges[3]))

onoff = [MapDatasetOnOff.read(folder / f"onoff-{n}.fits") for n in "ab"]
close_dataset("onoff-stack.fits", Datasets(onoff).stack_reduce(name="sum"))
close_dataset("onoff-cutout.fits", onoff[0].cutout(at, 0.4 * u.deg))
close_dataset("onoff-downsample.fits", onoff[0].downsample(2))
close_dataset("onoff-image.fits", onoff[1].to_image())
close_dataset("onoff-slice.fits", onoff[1].slice_by_idx({"energy": slice(1, 3)}))
close_number(numbers["onoff_stat_sum"], Datasets(onoff).stat_sum(), "onoff stat_sum")
close_info(numbers["onoff_info"], onoff[0].info_dict(), "onoff info")

close_info(numbers["info"], c.info_dict(), "info")
close_info(numbers["info_all"], c.info_dict(in_safe_data_range=False), "info, all bins")
close_number(numbers["stat_sum"], Datasets([a, b, c]).stat_sum(), "stat_sum")
for which in ["energy_range", "energy_range_safe"]:
    for ours, theirs in zip(["min", "max"], getattr(c, which)):
        close_map(Map.read(folder / f"{which}-{ours}.fits"), theirs, f"{which} {ours}")
close_map(Map.read(folder / "mask-psf.fits"), c.mask_safe_psf, "mask_safe_psf")
close_map(Map.read(folder / "excess.fits"), c.excess, "excess")

# Predicted counts of sources are in single precision there.
models = Models.read(folder / "models.yaml")
background = FoVBackgroundModel(dataset_name=c.name)
background.spectral_model.norm.value = 1.3
background.spectral_model.tilt.value = 0.2
c.models = Models([*models, background])
close_number(numbers["stat_sum_models"], c.stat_sum(), "stat_sum with models", 1e-6)
close_info(numbers["info_models"], c.info_dict(), "info with models")
close_map(Map.read(folder / "stat_array.fits"), Map.from_geom(c.counts.geom, data=c.stat_array()), "stat_array", 1e-4)
for method, name in [("diff", "diff"), ("diff/sqrt(model)", "sqrt"), ("diff/model", "model")]:
    plain, smooth = c.residuals(method), c.residuals(method, width=0.1 * u.deg, kernel="gauss")
    for theirs, kind in [(plain, "plain"), (smooth, "smooth")]:
        theirs.data[~np.isfinite(theirs.data)] = np.nan
        close_map(Map.read(folder / f"residuals-{name}-{kind}.fits"), theirs, f"residuals {method} {kind}", 2e-4)
onoff[0].models = models
close_number(numbers["onoff_stat_sum_models"], onoff[0].stat_sum(), "onoff stat_sum with models", 1e-6)

# The list of datasets and models.
read = Datasets.read(folder / "list.yaml", folder / "list-models.yaml", lazy=False, checksum=False)
check(read.names == ["a", "b", "c", "onoff a"], f"names {read.names}")
check([d.tag for d in read][-1] == "MapDatasetOnOff", "type")
check(read.models.names == [*models.names, "c-bkg"], f"models {read.models.names}")
close_number(numbers["list_stat_sum"], read.stat_sum(), "stat_sum of the list", 1e-6)
both = Datasets([a, b])
both.write(folder / "gammapy.yaml", folder / "gammapy-models.yaml", overwrite=True)

print("\n".join(failures) or f"{compared} maps and numbers are equal")
sys.exit(bool(failures))
