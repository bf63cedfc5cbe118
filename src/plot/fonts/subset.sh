#!/bin/sh
# Makes DejaVuSans-subset.ttf out of DejaVu Sans 2.37 (Debian: fonts-dejavu-core) with pyftsubset of fonttools 4.68.
set -eu
cd "$(dirname "$0")"
UNICODES="U+0020-007E,U+00A0-00FF,U+0131,U+0152-0153,U+0391-03A9,U+03B1-03C9,U+03D1,U+03D5,U+2009,U+200A,\
U+202F,U+2010-2015,U+2018-201D,U+2020-2022,U+2026,U+2032-2033,U+2070-207F,U+2080-208E,U+210F,U+2190-2193,\
U+2202,U+2207,U+2211,U+2212,U+221A,U+221D,U+221E,U+222B,U+2248,U+2260,\
U+2264-2265,U+226A-226B,U+2299,U+02B0,U+1D48,U+02B0,U+02B3,U+02E2,U+1D50,U+22C5,\
U+25CB,U+25CF,U+25A1,U+2605,U+2606"
pyftsubset "${1:-/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf}" --unicodes="$UNICODES" \
    --output-file=DejaVuSans-subset.ttf --layout-features=kern,mark --no-hinting --name-IDs=0,1,2,3,4,5,6,13,14
