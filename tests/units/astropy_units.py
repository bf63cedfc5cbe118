"""What astropy makes of many spellings of units: writes data/units.csv, which tests/units/quantities.rs reads.

    python tests/units/astropy_units.py

A line: the spelling; the formats of astropy that read it (generic, fits, ogip, cds), which agree; the factor; the unit that it belongs
to, in SI units. What is counted (ct, ph, pix, bin, chan, vox, adu, electron) is left out of units, as Pevatron leaves it out: the one
wanted difference. Spellings that no format reads, or that two of them read differently, are not written.
"""
import itertools
import warnings
from pathlib import Path

from astropy import units as u

warnings.simplefilter("ignore")
COUNTED = {"ct", "ph", "pix", "bin", "chan", "vox", "adu", "electron"}
OUT = Path(__file__).parent / "data" / "units.csv"


def join(parts, power, separator):
    return separator.join(name + (power.format(p) if p != 1 else "") for name, p in parts)


def spellings():
    products = [
        [("cm", -2), ("s", -1)], [("cm", -2), ("s", -1), ("TeV", -1)], [("m", -2), ("s", -1), ("MeV", -1)],
        [("erg", 1), ("cm", -2), ("s", -1)], [("TeV", 1), ("cm", -2), ("s", -1)], [("cm", 2), ("s", 1)], [("ph", 1), ("cm", -2), ("s", -1)],
        [("photon", 1), ("cm", -2), ("s", -1), ("keV", -1)], [("GeV", -1), ("cm", -2), ("s", -1), ("sr", -1)], [("count", 1), ("s", -1)],
        [("MeV", 1), ("cm", -2), ("s", -1)],
    ]
    for parts, power, separator in itertools.product(products, ["{}", "^{}", "**{}", "({})", "**({})", "^({})"], [" ", ".", "*", " * "]):
        yield join(parts, power, separator)
    factors = ["1e-12", "1.0e-12", "2.5e-12", "1.5e4", "10**-12", "10^-12", "10**(-12)", "10(-12)", "10-12", "10+3", "10**3", "1000", "0.5", "1.E-3"]
    for factor, unit, separator in itertools.product(factors, ["cm-2 s-1", "cm2 s", "cm**(-2) s**(-1)", "TeV-1.s-1.cm-2"], [" ", "", " * ", "."]):
        yield factor + separator + unit
    yield from """
        erg/cm2/s|erg/(cm2 s)|erg/cm2 s|erg / (cm2 s)|erg/cm**2/s|erg cm**(-2)/s|ph/cm2/s/MeV|photon/cm**2/s/keV|1/(cm2 s TeV)|1 / (TeV s cm2)|/s|/cm2/s
        km/s/Mpc|m/s/kg|m/(s kg)|m/s kg|W/m2/Hz|W/(m2 Hz)|W m-2 Hz-1|count/s/keV|count/s/cm**2|erg/s|10**3 erg cm**(-2)|10+3J/m/s/kpc2|1.5x10+11m
        1.5×10+11m|10+15s|10-15s|km.s-1|kW/h|mW/m2|[cm]2|---|-|0.1nm|1.6e-12erg|sqrt(m)|sqrt(erg/cm)|m**(1/2)|m(1/2)|m^(3/2)|m**0.5|m(0.5)|m**2.5
        cm⁻²|cm⁻² s⁻¹|TeV⁻¹ s⁻¹ cm⁻²|µm|μm|Å|°|′|″|Ohm|ohm|cm-2s-1|ph cm-2s-1|cm+2|  m  |s^-1/cm^2|%|percent|(m)**2|(m/s)**2
        hr|h|ks|d|day|yr|year|a|min|Ms|Gyr|Myr|kyr|ms|us|ns|s|second|minute|hour|wk|week|sday|Angstrom|angstrom|AA|um|micron|nm|mm|cm|dm|m|km
        pc|kpc|Mpc|Gpc|AU|au|lyr|klyr|solRad|R_sun|Rsun|solMass|Msun|M_sun|solLum|Lsun|L_sun|eV|meV|keV|MeV|GeV|TeV|PeV|EeV|ZeV|erg|J|kJ|MJ|Ry
        Hz|kHz|MHz|GHz|THz|Bq|Ci|W|kW|mW|kg|g|mg|ug|Mg|t|u|N|dyn|Pa|hPa|kPa|MPa|bar|mbar|Jy|mJy|uJy|kJy|MJy|MJy/sr|Jy/beam|mJy/beam|Gy|Sv
        deg|arcmin|arcsec|mas|uas|rad|mrad|urad|sr|deg2|arcmin2|arcsec2|deg-2|arcsec^2|hourangle|barn|mbarn|ubarn|l|K|mK|A|mA|C|V|kV|F|S|H|Wb|T|mT|G|mG|uG
        nG|Gauss|D|cd|lm|lx|mol|R|bit|byte|kbit|count|ct|ph|photon|pix|pixel|bin|chan|voxel|vox|adu|electron|beam
        TeV cm-2 s-1 deg-2|erg cm-2 s-1 arcsec-2|keV cm2/(s sr)|GeV/(cm3)|GeV2/cm5|GeV cm-3|cm3/s|cm-5|keV cm-2 s-1 keV-1|s-1 sr-1 m-2 GeV-1
        MeV/cm2/s/sr|(MeV/cm2)/s|count/(s deg2)|ct/pix|adu/s|1/(s sr MeV)|m2 s sr|cm2 s sr|m^2 s|m**2*s|m2.s|erg.cm-2.s-1.Angstrom-1
        10**-14 erg/cm2/s|1e-14 erg/cm2/s|10-14W/m2|10-20erg.s-1.cm-2.Angstrom-1|10**-11 ph cm-2 s-1|1e-11 cm-2 s-1 TeV-1|1e-9 GeV/cm2/s
    """.strip().replace("\n        ", "|").replace("\n", "|").split("|")


def row(spelling):
    found = {}
    for form in ("generic", "fits", "ogip", "cds"):
        try:
            unit = u.Unit(spelling, format=form).decompose()
        except Exception:
            continue
        if isinstance(unit, u.UnitBase):
            parts = sorted((b.name, p) for b, p in zip(unit.bases, unit.powers) if b.name not in COUNTED)
            found[form] = (unit.scale, " ".join(f"{name}({p})" for name, p in parts))
    scales = {f"{scale:.12g} {unit}" for scale, unit in found.values()}
    if len(scales) != 1:
        print(f"{'differs' if found else 'refused'}: {spelling!r} {found}")
        return None
    scale, unit = next(iter(found.values()))
    return f"{spelling};{'+'.join(found)};{scale:.17g};{unit}"


lines = dict.fromkeys(filter(None, map(row, (s.strip(" ") if s.strip() in ("-",) else s for s in spellings()))))
OUT.write_text("spelling;formats;factor;unit\n" + "\n".join(lines) + "\n", encoding="utf-8")
print(len(lines), "spellings")
