//! Sound input that `tests/fuzz/main.rs` damages, small so that many can be tried, and the corpora for libFuzzer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::ArrayD;
use pevatron::datasets::{IrfAxes, MapDataset, MapDatasetOnOff};
use pevatron::io::WriteOptions;
use pevatron::irf::{EDisp, EDispKernelMap, gauss_response};
use pevatron::maps::{Geom, Map, MapAxis, MapData, RegionGeom, SkyPosition, SkyRegion, WcsGeom};
use pevatron::time::{Gti, TimeReference};

use super::fits_file::{FitsFile, Hdu};

pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// An HDU with these cards, of which text has its quotes.
fn hdu(cards: &[(&str, &str)], data: Vec<u8>) -> Hdu {
    let mut hdu = Hdu { cards: Vec::new(), data };
    cards.iter().for_each(|(key, value)| hdu.set(key, value));
    hdu
}

fn primary() -> Hdu {
    hdu(&[("SIMPLE", "T"), ("BITPIX", "8"), ("NAXIS", "0"), ("EXTEND", "T")], Vec::new())
}

/// A column of a table: name, format, unit, and the bytes of each row.
type Column<'a> = (&'a str, &'a str, &'a str, Vec<Vec<u8>>);

fn table(name: &str, columns: &[Column<'_>], heap: &[u8], keys: &[(&str, &str)]) -> Hdu {
    let rows = columns[0].3.len();
    let mut data = Vec::new();
    for row in 0..rows {
        columns.iter().for_each(|column| data.extend(&column.3[row]));
    }
    let width = (data.len() / rows).to_string();
    data.extend(heap);
    let (rows, heap, fields) = (rows.to_string(), heap.len().to_string(), columns.len().to_string());
    let cards = [
        ("XTENSION", "'BINTABLE'"),
        ("BITPIX", "8"),
        ("NAXIS", "2"),
        ("NAXIS1", &width),
        ("NAXIS2", &rows),
        ("PCOUNT", &heap),
        ("GCOUNT", "1"),
        ("TFIELDS", &fields),
    ];
    let mut hdu = hdu(&cards, data);
    for (n, (name, form, unit, _)) in columns.iter().enumerate() {
        hdu.set(&format!("TTYPE{}", n + 1), &format!("'{name}'"));
        hdu.set(&format!("TFORM{}", n + 1), &format!("'{form}'"));
        hdu.set(&format!("TUNIT{}", n + 1), &format!("'{unit}'"));
    }
    hdu.set("EXTNAME", &format!("'{name}'"));
    keys.iter().for_each(|(key, value)| hdu.set(key, value));
    hdu
}

fn doubles(values: &[f64]) -> Vec<Vec<u8>> {
    values.iter().map(|v| v.to_be_bytes().to_vec()).collect()
}

/// Files without checksums, so that changes reach the reader, and with them.
fn both(path: &Path) -> [FitsFile; 2] {
    let file = FitsFile::read(path);
    let mut bare = file.clone();
    for hdu in &mut bare.hdus {
        hdu.unset("CHECKSUM");
        hdu.unset("DATASUM");
    }
    [bare, file]
}

/// A dataset of few pixels with every part, and two larger ones.
pub fn fits() -> Vec<FitsFile> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fits");
    let energy = MapAxis::energy_bounds(1.0, 10.0, 2, "energy").unwrap();
    let geom = WcsGeom::create(SkyPosition::icrs(83.6, 22.0), 4, 3, (0.1, 0.1), "TAN", vec![energy]).unwrap();
    let mut dataset = MapDataset::create("small", &geom, &IrfAxes::default()).unwrap();
    dataset.gti = Some(Gti { intervals: vec![(0.0, 1800.0)], reference: TimeReference::default() });
    dataset.write(&path, &WriteOptions::default()).unwrap();
    let mut list: Vec<FitsFile> = both(&path).into();
    // Parts of it, which are read faster, so that more can be tried.
    let bare = list[0].clone();
    for parts in [&["COUNTS", "BACKGROUND"][..], &["COUNTS", "EXPOSURE", "MASK_SAFE", "GTI"], &["COUNTS"]] {
        let mut file = bare.clone();
        let kept = |name: &str| name == "PRIMARY" || parts.contains(&name.trim_end_matches("_BANDS"));
        file.hdus.retain(|h| kept(&h.value("EXTNAME").unwrap_or("PRIMARY".into())));
        list.extend(std::iter::repeat_n(file, 4));
    }
    list
}

/// Single compressed maps of all kinds.
pub fn tiles() -> Vec<FitsFile> {
    let whole = FitsFile::read(data("tiles.fits.gz"));
    let is_plane = |h: &&Hdu| h.value("ZIMAGE").is_some() && h.value("ZNAXIS").as_deref() == Some("2");
    let single = |h: &Hdu| {
        let mut map = h.clone();
        map.unset("CHECKSUM");
        map.unset("DATASUM");
        FitsFile { hdus: vec![primary(), map] }
    };
    whole.hdus.iter().filter(is_plane).map(single).collect()
}

pub fn flux() -> Vec<FitsFile> {
    let mut small = both(&data("ts-sim-joint/flux.fits.gz")).to_vec();
    // Fewer quantities are read faster.
    let names = ["PRIMARY", "NORM", "NORM_ERR", "TS", "NORM_BANDS", "NORM_ERR_BANDS", "TS_BANDS"];
    let mut part = small[0].clone();
    part.hdus.retain(|h| names.contains(&h.value("EXTNAME").unwrap_or("PRIMARY".into()).as_str()));
    small.extend(std::iter::repeat_n(part, 6));
    small
}

fn region_map(axes: &[&MapAxis], unit: &str, values: Vec<f64>) -> Map {
    let region = SkyRegion::circle(SkyPosition::icrs(83.63, 22.01), 0.11).unwrap();
    let geom = Geom::Region(RegionGeom::of(Some(region), axes.iter().map(|a| (*a).clone()).collect()));
    let data = ArrayD::from_shape_vec(geom.data_shape(), values).unwrap();
    Map::new(Arc::new(geom), unit.parse().unwrap(), MapData::F64(data)).unwrap()
}

/// A spectrum, its responses and its background, one after the other in one file.
pub fn spectra() -> Vec<FitsFile> {
    let energy = MapAxis::energy_bounds(0.3, 30.0, 3, "energy").unwrap();
    let truth = MapAxis::energy_bounds(0.1, 60.0, 4, "energy_true").unwrap();
    let matrix = gauss_response(&truth, &energy, 0.2, 0.05).unwrap();
    let exposure = || region_map(&[&truth], "cm2 s", vec![1e12; 4]);
    let edisp = EDispKernelMap {
        edisp: region_map(&[&energy, &truth], "", matrix.iter().copied().collect()),
        exposure: Some(region_map(&[&energy.squash(), &truth], "cm2 s", vec![1e12; 4])),
    };
    let spectrum = MapDatasetOnOff {
        on: MapDataset {
            name: "spectrum".into(),
            counts: Some(region_map(&[&energy], "", vec![3.0, 2.0, 0.0])),
            exposure: Some(exposure()),
            edisp: Some(EDisp::Kernel(edisp)),
            gti: Some(Gti { intervals: vec![(0.0, 1800.0)], reference: TimeReference::default() }),
            livetime_s: Some(1700.0),
            ..MapDataset::default()
        },
        counts_off: Some(region_map(&[&energy], "", vec![9.0, 5.0, 1.0])),
        acceptance: Some(region_map(&[&energy], "", vec![1.0; 3])),
        acceptance_off: Some(region_map(&[&energy], "", vec![4.0; 3])),
    };
    let folder = tempfile::tempdir().unwrap();
    spectrum.write_ogip(folder.path().join("pha.fits"), &WriteOptions::default()).unwrap();
    let mut whole = FitsFile { hdus: vec![primary()] };
    let mut names: Vec<PathBuf> = std::fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().path()).collect();
    names.sort_by_key(|name| !name.ends_with("pha.fits"));
    for name in names {
        whole.hdus.extend(both(&name)[0].hdus.iter().skip(1).cloned());
    }
    for hdu in &mut whole.hdus {
        for key in ["ANCRFILE", "RESPFILE", "BACKFILE"] {
            if hdu.value(key).is_some() {
                hdu.set(key, "'spectrum.fits'");
            }
        }
    }
    // Without the background, which must not come from the same HDU.
    let mut alone = whole.clone();
    alone.hdus[1].set("BACKFILE", "'none'");
    vec![whole, alone]
}

pub fn events() -> Vec<FitsFile> {
    let whole = |v: &[i64]| v.iter().map(|v| v.to_be_bytes().to_vec()).collect();
    let single = |v: &[f32]| v.iter().map(|v| v.to_be_bytes().to_vec()).collect();
    let columns = [
        ("EVENT_ID", "K", "", whole(&[1, 2, 3])),
        ("TIME", "D", "s", doubles(&[10.0, 20.0, 30.5])),
        ("RA", "E", "deg", single(&[83.6, 83.7, 83.5])),
        ("DEC", "E", "deg", single(&[22.0, 22.1, 21.9])),
        ("ENERGY", "E", "TeV", single(&[1.0, 2.5, 0.4])),
        ("MC_ID", "I", "", (0..3i16).map(|v| v.to_be_bytes().to_vec()).collect()),
    ];
    let times = [("MJDREFI", "51910"), ("MJDREFF", "7.4E-4"), ("TIMESYS", "'TT'"), ("TIMEUNIT", "'s'")];
    let gti = [("START", "D", "s", doubles(&[0.0])), ("STOP", "D", "s", doubles(&[40.0]))];
    vec![FitsFile { hdus: vec![primary(), table("EVENTS", &columns, &[], &times), table("GTI", &gti, &[], &times)] }]
}

/// FITS tables with columns of every kind, and flux points.
pub fn tables() -> Vec<FitsFile> {
    let array = |count: i32, offset: i32| [count.to_be_bytes(), offset.to_be_bytes()].concat();
    let heap: Vec<u8> = [1.5f32, 2.5, 3.5].iter().flat_map(|v| v.to_be_bytes()).collect();
    let columns = [
        ("name", "4A", "", vec![b"one ".to_vec(), b"two ".to_vec()]),
        ("flag", "2L", "", vec![b"TF".to_vec(), b"FT".to_vec()]),
        ("bits", "11X", "", vec![vec![1, 2], vec![3, 4]]),
        ("byte", "B", "", vec![vec![7], vec![200]]),
        ("short", "I", "m", vec![vec![0, 1], vec![0, 2]]),
        ("pair", "2J", "s", vec![vec![0; 8], vec![1; 8]]),
        ("long", "K", "", vec![vec![0; 8], vec![0xff; 8]]),
        ("real", "E", "TeV", vec![1f32.to_be_bytes().to_vec(), f32::NAN.to_be_bytes().to_vec()]),
        ("cube", "4D", "", vec![vec![0; 32], vec![63; 32]]),
        ("complex", "C", "", vec![vec![0; 8], vec![1; 8]]),
        ("list", "1PE(2)", "", vec![array(2, 0), array(1, 8)]),
    ];
    let keys = [("TSCAL5", "0.5"), ("TZERO5", "3.0"), ("TNULL6", "0"), ("TDIM9", "'(2,2)'"), ("TZERO4", "-128")];
    let points = [
        ("e_ref", "D", "TeV", doubles(&[1.0, 3.0])),
        ("dnde", "D", "cm-2 s-1 TeV-1", doubles(&[1e-12, 1e-13])),
        ("dnde_err", "D", "cm-2 s-1 TeV-1", doubles(&[1e-13, 3e-14])),
    ];
    let sed = [("SED_TYPE", "'dnde'")];
    vec![
        FitsFile { hdus: vec![primary(), table("TABLE", &columns, &heap, &keys)] },
        FitsFile { hdus: vec![primary(), table("FLUXPOINTS", &points, &[], &sed)] },
    ]
}

/// Texts by target.
pub fn texts(target: &str) -> Vec<String> {
    let read = |name: &str| std::fs::read_to_string(data(name)).unwrap();
    match target {
        "yaml" => ["ts-sim-null/models.yaml", "ts-sim-sum/kernel-model.yaml"].map(read).into(),
        "datasets" => vec![
            "datasets:\n- name: a\n  type: MapDataset\n  filename: a.fits\n- type: FluxPointsDataset\n  filename: \
             b.fits\n  stat_type: chi2\nmetadata:\n    creator: x\n"
                .into(),
            "components:\n-   name: s\n    type: SkyModel\n".into(),
        ],
        "tables" => vec![
            "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: e_ref, unit: TeV, datatype: float64}\n# - {name: dnde, unit: \
             cm-2 s-1 TeV-1, datatype: float64}\n# - {name: is_ul, datatype: bool}\n# - {name: scan, datatype: string, \
             subtype: 'float64[2]'}\n# meta: !!omap\n# - {SED_TYPE: dnde}\ne_ref dnde is_ul scan\n1.0 1e-12 False \
             [1.0,2.0]\n2.0 3e-13 True [0.5,null]\n"
                .into(),
            "# a comment\nenergy, flux, flux_err\n1.0, 2e-12, 3e-13\n2.0, 1e-12, nan\n".into(),
        ],
        "regions" => vec![
            "icrs; circle(83.63, 22.01, 0.11)".into(),
            "galactic;ellipse(10d, -5d, 0.5d, 30', 45) # text={a}".into(),
            "# Region file format: DS9\nfk5\ncircle(05:34:31.9,+22:00:52,600\")\nbox(1,2,3,4,5)\nannulus(1,2,0.1,0.2)\n\
             polygon(1,1,2,1,2,2)\npoint(83.6,22)\n-circle(3,3,1)\n"
                .into(),
        ],
        "quantities" => {
            ["1e-12 cm-2 s-1 TeV-1", "10GeV,100GeV,2TeV", "0.05 deg", "erg / (cm2 s)", "10**-12 cm^-2", "sqrt(m)"]
                .map(String::from)
                .into()
        }
        "columns" => ["e_min=e_ref:GeV", "norm=dnde:cm-2 s-1", "flux=dnde_err"].map(String::from).into(),
        other => panic!("{other} has no texts"),
    }
}
