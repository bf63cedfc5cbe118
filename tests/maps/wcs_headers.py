"""Headers of images in all conventions, and where astropy sees their pixels: JSON on stdout.

    python tests/maps/wcs_headers.py SEED NUMBER > tests/data/wcs_headers.json

Each line has the cards of a header, the frame of the positions (icrs or galactic), and [x, y, lon, lat] of 0-based pixels.
"""

import json
import sys
import warnings

import numpy as np
from astropy.coordinates import BarycentricMeanEcliptic, SkyCoord, Supergalactic
from astropy.io import fits
from astropy.time import Time
from astropy.wcs import WCS
from astropy.wcs.utils import wcs_to_celestial_frame

warnings.simplefilter("ignore")
SIZE = 48, 32
PROJECTIONS = ["CAR", "CEA", "MER", "TAN", "SIN", "ARC", "STG", "ZEA", "AIT", "MOL", "SFL"]
SYSTEMS = [
    ("RA", {}), ("RA", {"RADESYS": "ICRS", "EQUINOX": 1950.0}), ("GLON", {}),
    ("RA", {"RADESYS": "FK5"}), ("RA", {"RADECSYS": "FK5", "EQUINOX": 1975.0}), ("RA", {"EQUINOX": 2000.0}),
    ("RA", {"EQUINOX": 2026.5}), ("RA", {"EPOCH": 1950.0}), ("RA", {"EQUINOX": 1950.0}), ("RA", {"RADESYS": "FK4"}),
    ("RA", {"RADESYS": "FK4", "EQUINOX": 1900.0}), ("RA", {"RADESYS": "FK4-NO-E", "EQUINOX": 1950.0}),
    ("RA", {"RADESYS": "FK4-NO-E", "EQUINOX": 1975.0}), ("ELON", {}), ("ELON", {"EQUINOX": 1990.0}), ("SLON", {}),
]
LATITUDES = {"RA": "DEC", "GLON": "GLAT", "ELON": "ELAT", "SLON": "SLAT"}
UNITS = {"deg": 1.0, "arcmin": 60.0, "arcsec": 3600.0, "rad": np.pi / 180, None: 1.0}


def linear(rng, cdelt, angle, lat):
    """Keywords of increments and a rotation in one of the conventions; `lat`: number of the axis of latitude."""
    c, s = np.cos(angle), np.sin(angle)
    pc = np.array([[c, -s * cdelt[1] / cdelt[0]], [s * cdelt[0] / cdelt[1], c]])
    cards = {"CDELT1": cdelt[0], "CDELT2": cdelt[1]}
    kind = rng.integers(7)
    if kind == 0:
        return cards
    if kind == 1:
        return {**cards, f"CROTA{lat}": float(np.degrees(angle))}
    if kind == 2:
        return {**cards, "CROTA1": float(np.degrees(angle)), "CROTA2": float(np.degrees(angle))}
    pairs = [(i, j) for i in (1, 2) for j in (1, 2)]
    if kind == 3:
        return {**cards, **{f"PC{i}_{j}": pc[i - 1, j - 1] for i, j in pairs}}
    if kind == 4:
        return {**cards, **{f"PC{i:03}{j:03}": pc[i - 1, j - 1] for i, j in pairs}}
    cd = {f"CD{i}_{j}": pc[i - 1, j - 1] * cdelt[i - 1] for i, j in pairs}
    return cd if kind == 5 else {**cd, **cards, "CROTA2": 12.0}


def header(rng):
    name, system = SYSTEMS[rng.integers(len(SYSTEMS))]
    projection = PROJECTIONS[rng.integers(len(PROJECTIONS))]
    lon, lat = (1, 2) if rng.random() < 0.8 else (2, 1)
    unit = list(UNITS)[rng.integers(len(UNITS))] if rng.random() < 0.4 else "deg"
    scale = UNITS[unit]
    cards = {"NAXIS": 2, "NAXIS1": SIZE[0], "NAXIS2": SIZE[1]}
    dash = lambda text: f"{text:-<4}-{projection}"
    case = str.lower if rng.random() < 0.1 else str
    cards |= {f"CTYPE{lon}": case(dash(name)), f"CTYPE{lat}": case(dash(LATITUDES[name]))}
    if case is str.lower:  # astropy knows capitals only
        cards["lower"] = True
    cards |= {"CRPIX1": rng.uniform(-20, 60), "CRPIX2": rng.uniform(-20, 60)}
    b = rng.choice([0.0, 0.0, 90.0, -90.0, *rng.uniform(-90, 90, 6)])
    cards |= {f"CRVAL{lon}": rng.uniform(-180, 360) * scale, f"CRVAL{lat}": b * scale}
    step = rng.choice([0.02, 0.1, 1.0], 2) * rng.choice([-1, 1], 2) * scale
    cards |= linear(rng, step, rng.uniform(-np.pi, np.pi), lat)
    if unit:
        cards |= {"CUNIT1": unit, "CUNIT2": unit}
    if rng.random() < 0.3:
        cards["LONPOLE"] = rng.uniform(-180, 180)
    if rng.random() < 0.2:
        cards["LATPOLE"] = rng.uniform(-90, 90)
    if rng.random() < 0.15:
        cards |= {f"PV{lon}_1": float(rng.choice([0.0, 30.0, -75.0])), f"PV{lon}_2": rng.uniform(-60, 60)}
        if rng.random() < 0.5:
            cards[f"PV{lon}_0"] = 1.0
    if rng.random() < 0.15:
        cards |= {f"PV{lon}_3": rng.uniform(-180, 180), f"PV{lon}_4": rng.uniform(-90, 90)}
    if projection == "CEA" and rng.random() < 0.7:
        cards[f"PV{lat}_1"] = rng.uniform(0.2, 1.0)
    return cards | system


def frame_of(wcs, cards):
    name = wcs.wcs.ctype[wcs.wcs.lng][:4]
    if name == "SLON":
        return Supergalactic(), "galactic"
    if name == "ELON":
        return BarycentricMeanEcliptic(equinox=Time(cards.get("EQUINOX", 2000.0), format="jyear")), "icrs"
    return wcs_to_celestial_frame(wcs), "galactic" if name == "GLON" else "icrs"


def main():
    rng, number, seen = np.random.default_rng(int(sys.argv[1])), int(sys.argv[2]), 0
    while seen < number:
        cards = header(rng)
        upper = cards.pop("lower", False)
        text = fits.Header(cards | ({f"CTYPE{i}": cards[f"CTYPE{i}"].upper() for i in (1, 2)} if upper else {}))
        try:
            wcs = WCS(text.tostring())
            wcs.wcs.set()
        except Exception:  # impossible poles
            continue
        x, y = rng.uniform(-0.5, SIZE[0] - 0.5, 6), rng.uniform(-0.5, SIZE[1] - 0.5, 6)
        out = wcs.wcs_pix2world(np.stack([x, y], 1), 0)
        lon, lat = out[:, wcs.wcs.lng], out[:, wcs.wcs.lat]
        good = np.isfinite(lon) & np.isfinite(lat)
        if not good.any():
            continue
        frame, target = frame_of(wcs, cards)
        sky = SkyCoord(lon[good], lat[good], unit="deg", frame=frame).transform_to(target)
        points = np.stack([x[good], y[good], sky.spherical.lon.deg, sky.spherical.lat.deg], 1)
        cards = {k: float(v) if isinstance(v, np.floating) else v for k, v in cards.items()}
        print(json.dumps({"cards": cards, "frame": target, "points": points.tolist()}))
        seen += 1


main()
