"""Opens an event list with Gammapy and compares the counts that it makes with a map: EVENTS COUNTS.

Called by `tests/events/main.rs`."""

import sys
import warnings

import numpy as np
from astropy.coordinates import SkyCoord, SkyOffsetFrame
from astropy.io import fits
from gammapy.data import GTI, EventList
from gammapy.datasets import MapDataset
from gammapy.maps import Map

path, counts = sys.argv[1:]
with warnings.catch_warnings():
    warnings.simplefilter("error")
    with fits.open(path, checksum=True) as hdus:
        assert [h.name for h in hdus] == ["PRIMARY", "EVENTS", "GTI"], hdus.info()
        for hdu in hdus:
            assert hdu.verify_checksum() == 1 and hdu.verify_datasum() == 1, hdu.name
        hdus.verify("exception")
events = EventList.read(path, checksum=True)
gti = GTI.read(path)
assert abs(gti.time_sum.to_value("s") - 3600) < 1e-6, gti
table = events.table
print("events", len(table))
assert (table["EVENT_ID"] == np.arange(len(table))).all()
seconds = (events.time - gti.time_ref).to_value("s")
first, second = np.abs(seconds - 1900) <= 900 + 1e-5, np.abs(seconds - 4900) <= 900 + 1e-5
assert (first | second).all() and (np.diff(seconds) >= -1e-5).all()
assert table.meta["MMN00001"] == "point" and table.meta["MID00001"] == 1, table.meta
assert table.meta["OBS_ID"] == 4711 and table.meta["NMCIDS"] == 3
pointing = events.table.meta["RA_PNT"], events.table.meta["DEC_PNT"]
assert np.allclose(pointing, (83.63, 22.51), atol=1e-12)
offset = events.radec.transform_to(SkyOffsetFrame(origin=SkyCoord(*pointing, unit="deg")))
assert np.allclose(offset.lon.wrap_at("180d").deg, table["DETX"], atol=1e-9)
assert np.allclose(offset.lat.deg, table["DETY"], atol=1e-9)
ours = Map.read(counts, hdu="COUNTS")
filled = MapDataset.create(ours.geom).counts
filled.fill_events(events)
assert ours.data.sum() > 1000 and (filled.data == ours.data).all(), np.abs(filled.data - ours.data).sum()
print("same counts")
