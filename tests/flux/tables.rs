//! Tables as people publish them: energies in any order, edges that are rounded or overlap, reference energies anywhere in
//! their bins, times as dates, units that are none, names in capitals. Each value stays where the table has it.
#![cfg(all(feature = "fits-system", feature = "yaml"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use crate::support;
use pevatron::datasets::FluxPointsDataset;
use pevatron::flux::{FluxPoints, FluxPointsCollection, FluxQuantity, FromTable, SedType, TableFormat};
use pevatron::io::{FileKind, WriteOptions, file_kind};
use pevatron::maps::Map;
use pevatron::table::{Column, Table};
use pevatron::units::Unit;

/// An ECSV table: columns `name unit` (`name` alone: text), lines of meta, rows.
fn ecsv(columns: &[&str], meta: &[&str], rows: &str) -> String {
    let mut text = "# %ECSV 1.0\n# ---\n# datatype:\n".to_string();
    let mut names = Vec::new();
    for column in columns {
        let (name, unit) = column.split_once(' ').map_or((*column, None), |(n, u)| (n, Some(u)));
        names.push(name);
        text += &match unit {
            None => format!("# - {{name: {name}, datatype: string}}\n"),
            Some("") => format!("# - {{name: {name}, datatype: float64}}\n"),
            Some("bool") => format!("# - {{name: {name}, datatype: bool}}\n"),
            Some(unit) => format!("# - {{name: {name}, unit: '{unit}', datatype: float64}}\n"),
        };
    }
    text += "# meta: !!omap\n# - {made: here}\n";
    for line in meta {
        text += &format!("# - {{{line}}}\n");
    }
    format!("{text}# schema: astropy-2.0\n{}\n{rows}", names.join(" "))
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> std::path::PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn points(&self, text: &str) -> (FluxPoints, Vec<String>) {
        let path = self.write("points.ecsv", text);
        assert_eq!(file_kind(&path).unwrap(), FileKind::FluxPoints);
        FluxPoints::read(&path, &FromTable::default()).unwrap_or_else(|e| panic!("{e}\n{text}"))
    }

    fn error(&self, text: &str) -> pevatron::Error {
        FluxPoints::read(self.write("points.ecsv", text), &FromTable::default()).unwrap_err()
    }
}

fn values(map: &Map) -> Vec<f64> {
    map.data().iter().collect()
}

#[track_caller]
fn close(found: &[f64], wanted: &[f64]) {
    assert_eq!(found.len(), wanted.len(), "{found:?} {wanted:?}");
    for (a, b) in found.iter().zip(wanted) {
        assert!((a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * b.abs(), "{found:?} is not {wanted:?}");
    }
}

const DNDE: &str = "dnde cm-2 s-1 TeV-1";
const ERR: &str = "dnde_err cm-2 s-1 TeV-1";

/// All ways of a table: read, written as ECSV and as FITS, read again. Energies and fluxes stay what they are.
#[track_caller]
fn comes_back(points: &FluxPoints, energies: &[f64], dnde: &[f64]) {
    let folder = Folder::new();
    let check = |points: &FluxPoints| {
        close(&points.energy_ref_tev().unwrap(), energies);
        close(&values(&points.dnde().unwrap()), dnde);
    };
    check(points);
    for (name, sed) in [("a.ecsv", SedType::Dnde), ("b.fits", SedType::Dnde), ("c.ecsv", SedType::E2dnde)] {
        let path = folder.0.path().join(name);
        points.write(&path, sed, None, &WriteOptions::default()).unwrap();
        let (again, said) = FluxPoints::read(&path, &FromTable::default()).unwrap();
        check(&again);
        let known = ["reference model", "overlap", "UL_CONF"];
        let other: Vec<&String> = said.iter().filter(|w| !known.iter().any(|k| w.contains(k))).collect();
        assert!(other.is_empty(), "{other:?}");
        assert_eq!(again.energy_axis().unwrap().bounds().len(), points.energy_axis().unwrap().bounds().len());
    }
}

#[test]
fn energies_in_any_order_keep_their_values() {
    let folder = Folder::new();
    for rows in ["8 1e-14 1e-15\n2 3e-12 3e-13\n4 2e-13 2e-14\n", "2 3e-12 3e-13\n8 1e-14 1e-15\n4 2e-13 2e-14\n"] {
        let (points, _) = folder.points(&ecsv(&["e_ref TeV", DNDE, ERR], &["SED_TYPE: dnde"], rows));
        comes_back(&points, &[2.0, 4.0, 8.0], &[3e-12, 2e-13, 1e-14]);
        close(&values(&points.dnde_err().unwrap()), &[3e-13, 2e-14, 1e-15]);
    }
    // With bins, arrays in rows, texts, and masks.
    let rows = "4 3 6 2e-13 b False\n8 6 10 1e-14 c True\n2 1 3 3e-12 a True\n";
    let columns = ["e_ref TeV", "e_min TeV", "e_max TeV", DNDE, "note", "mask_fit bool"];
    let text = ecsv(&columns, &["SED_TYPE: dnde"], rows);
    let (points, _) = folder.points(&text);
    comes_back(&points, &[2.0, 4.0, 8.0], &[3e-12, 2e-13, 1e-14]);
    assert_eq!(points.energy_axis().unwrap().bounds(), [(1.0, 3.0), (3.0, 6.0), (6.0, 10.0)]);
    let dataset = FluxPointsDataset::read(folder.write("points.ecsv", &text)).unwrap();
    let mask: Vec<bool> = dataset.mask_fit.unwrap().data().iter().copied().collect();
    assert_eq!(mask, [true, false, true]);
    // Energies of a light curve, inside of its rows, and its rows.
    let mut curve = Table::new();
    let day: Unit = "d".parse().unwrap();
    curve.push(Column::floats("time_min", day.clone(), vec![55005.0, 55000.0])).unwrap();
    curve.push(Column::floats("time_max", day, vec![55006.0, 55001.0])).unwrap();
    let rows = |name: &str, unit: &str, v: [f64; 4]| {
        Column::floats(name, unit.parse().unwrap(), v.to_vec()).with_shape(vec![2]).unwrap()
    };
    curve.push(rows("e_min", "TeV", [10.0, 1.0, 10.0, 1.0])).unwrap();
    curve.push(rows("e_max", "TeV", [100.0, 10.0, 100.0, 10.0])).unwrap();
    curve.push(rows("flux", "cm-2 s-1", [4.0, 3.0, 2.0, 1.0])).unwrap();
    let (points, _) = FluxPoints::from_table(&curve, &FromTable::default()).unwrap();
    close(&values(&points.flux().unwrap()), &[1.0, 2.0, 3.0, 4.0]);
    assert_eq!(points.energy_min_tev().unwrap(), [1.0, 10.0]);
}

#[test]
fn reference_energies_stay_where_they_are() {
    let folder = Folder::new();
    let columns = ["e_ref TeV", "e_min TeV", "e_max TeV", DNDE, ERR];
    let rows = "0.53 0.4 1.0 3e-11 3e-12\n1.3 1.0 2.0 6e-12 7e-13\n6.0 2.0 60.0 1e-13 2e-14\n";
    let text = ecsv(&columns, &["SED_TYPE: dnde"], rows);
    let (points, said) = folder.points(&text);
    assert!(said.iter().all(|w| w.contains("reference model")), "{said:?}");
    comes_back(&points, &[0.53, 1.3, 6.0], &[3e-11, 6e-12, 1e-13]);
    // The table in other units, and the same with gaps.
    let table = points.to_table(SedType::E2dnde, None).unwrap();
    close(&table.floats("e_ref", "TeV").unwrap(), &[0.53, 1.3, 6.0]);
    close(&table.floats("e2dnde", "TeV cm-2 s-1").unwrap(), &[3e-11 * 0.2809, 6e-12 * 1.69, 3.6e-12]);
    let (points, _) = folder.points(&text.replace("6.0 2.0 60.0", "6.0 3.0 60.0"));
    comes_back(&points, &[0.53, 1.3, 6.0], &[3e-11, 6e-12, 1e-13]);
    // A slice keeps them, and a fit sees them: the model is taken at 6 TeV.
    close(&points.slice_energy_bins(1..3).unwrap().energy_ref_tev().unwrap(), &[1.3, 6.0]);
    let mut dataset = FluxPointsDataset::new("points", points).unwrap();
    let spectrum = pevatron::models::spectral::PowerLawSpectralModel::new(2.0, 1e-12, 1.0);
    let model = pevatron::models::SkyModel::new("source", std::sync::Arc::new(spectrum), None);
    dataset.models.components.push(pevatron::models::Model::Sky(model));
    close(&values(&dataset.flux_pred().unwrap()), &[1e-12 / 0.2809, 1e-12 / 1.69, 1e-12 / 36.0]);
    let (_, said) = folder.points(&text.replace("1.3 1.0", "2.3 1.0"));
    assert!(said.iter().any(|w| w.contains("2.3") && w.contains("outside of its bin")), "{said:?}");
}

#[test]
fn edges_that_overlap() {
    let folder = Folder::new();
    let columns = ["e_ref TeV", "e_min TeV", "e_max TeV", DNDE, ERR];
    let table = |rows: &str| ecsv(&columns, &["SED_TYPE: dnde"], rows);
    // Rounded: they touch.
    let (points, said) =
        folder.points(&table("0.6 0.45 0.799 3e-11 3e-12\n1.1 0.798 1.522 6e-12 7e-13\n2.1 1.521 2.9 1e-12 2e-13\n"));
    assert!(said.iter().all(|w| !w.contains("overlap")), "{said:?}");
    comes_back(&points, &[0.6, 1.1, 2.1], &[3e-11, 6e-12, 1e-12]);
    assert_eq!(points.energy_axis().unwrap().edges(), [0.45, 0.798, 1.521, 2.9]);
    // Truly: each keeps its own, nested ones and those of one energy too.
    let (points, said) = folder.points(&table(
        "0.6 0.4 1.0 3e-11 3e-12\n1.1 0.7 3.0 6e-12 7e-13\n2.1 1.5 2.5 1e-12 2e-13\n2.1 1.6 9 2e-12 2e-13\n",
    ));
    assert!(said.iter().any(|w| w.contains("overlap")), "{said:?}");
    comes_back(&points, &[0.6, 1.1, 2.1, 2.1], &[3e-11, 6e-12, 1e-12, 2e-12]);
    assert_eq!(points.energy_axis().unwrap().bounds(), [(0.4, 1.0), (0.7, 3.0), (1.5, 2.5), (1.6, 9.0)]);
    // Integral fluxes belong to their own bins.
    let columns = ["e_min TeV", "e_max TeV", "flux cm-2 s-1"];
    let (points, _) = folder.points(&ecsv(&columns, &["SED_TYPE: flux"], "1 10 1e-12\n1 100 2e-12\n5 50 3e-12\n"));
    close(&values(&points.flux().unwrap()), &[1e-12, 2e-12, 3e-12]);
    // Bins that are none: the energies alone.
    let (points, said) =
        folder.points(&table("0.6 0.6 0.6 3e-11 3e-12\n1.1 nan nan 6e-12 7e-13\n2.1 2.1 2.1 1e-12 2e-13\n"));
    assert!(said.iter().any(|w| w.contains("without their bins")), "{said:?}");
    comes_back(&points, &[0.6, 1.1, 2.1], &[3e-11, 6e-12, 1e-12]);
    let error = folder.error(&ecsv(&["e_ref TeV", DNDE], &["SED_TYPE: dnde"], "1 1e-12\n1 2e-12\n"));
    assert!(error.to_string().contains("two rows have the energy 1"), "{error}");
}

#[test]
fn units_that_are_none_matter_where_they_are_used() {
    let folder = Folder::new();
    let columns = ["e_ref TeV", DNDE, "foo furlong", "bar erg / Hz", "baz mag"];
    let (points, _) = folder.points(&ecsv(&columns, &["SED_TYPE: dnde"], "1 1e-11 1 2 3\n2 1e-12 1 2 3\n"));
    comes_back(&points, &[1.0, 2.0], &[1e-11, 1e-12]);
    for (column, words) in [
        ("dnde furlong", "furlong"),
        ("dnde cm-2 s-1 TEV-1", "TEV"),
        ("dnde Crab", "Crab Nebula"),
        ("dnde mag", "logarithmic"),
    ] {
        let error = folder.error(&ecsv(&["e_ref TeV", column], &["SED_TYPE: dnde"], "1 1e-11\n2 1e-12\n"));
        let text = error.to_string();
        assert!(text.contains(words) && text.contains("points.ecsv") && text.contains("dnde"), "{text}");
        assert!(error.program_help().unwrap().contains("--column dnde=dnde:UNIT"), "{:?}", error.help());
    }
    // Units that are replaced, known or not, in files of all kinds.
    let how = |columns: &[&str]| FromTable {
        columns: columns.iter().map(|c| c.parse().unwrap()).collect(),
        ..FromTable::default()
    };
    let text = ecsv(&["E GeV", "F furlong"], &[], "1000 5\n2000 3\n");
    let path = folder.write("other.ecsv", &text);
    let told = how(&["e_ref=E", "dnde=F:1e-12 cm-2 s-1 TeV-1"]);
    let (points, _) = FluxPoints::read(&path, &told).unwrap();
    comes_back(&points, &[1.0, 2.0], &[5e-12, 3e-12]);
    let told = how(&["e_ref=E:TeV", "dnde=F:1e-12 cm-2 s-1 TeV-1"]);
    close(
        &FluxPointsCollection::read(&path, &told).unwrap().0.iter().next().unwrap().1.energy_ref_tev().unwrap(),
        &[1e3, 2e3],
    );
    let error = FluxPoints::read(&path, &how(&["e_ref=E:parsnip", "dnde=F"])).unwrap_err();
    assert!(error.to_string().contains("parsnip"), "{error}");
    for (unit, factor) in
        [("10**-12 TeV-1 s-1 cm-2", 1e-12), ("2.5e-12 cm**-2/s/TeV", 2.5e-12), ("10-12 cm-2 s-1 TeV-1", 1e-12)]
    {
        let (points, _) =
            folder.points(&ecsv(&["e_ref TeV", &format!("dnde {unit}")], &["SED_TYPE: dnde"], "1 2\n2 4\n"));
        comes_back(&points, &[1.0, 2.0], &[2.0 * factor, 4.0 * factor]);
    }
}

#[test]
fn tables_in_the_style_of_others() {
    let folder = Folder::new();
    // gamma-cat: asymmetric errors and limits, no bins; capitals as FITS tools write.
    let columns = [
        "E_REF TeV",
        "DNDE cm-2 s-1 TeV-1",
        "DNDE_ERRN cm-2 s-1 TeV-1",
        "DNDE_ERRP cm-2 s-1 TeV-1",
        "DNDE_UL cm-2 s-1 TeV-1",
    ];
    let (points, _) =
        folder.points(&ecsv(&columns, &["SED_TYPE: dnde"], "1 1e-11 1e-12 2e-12 nan\n10 nan nan nan 3e-14\n"));
    comes_back(&points, &[1.0, 10.0], &[1e-11, f64::NAN]);
    close(&values(&points.dnde_errp().unwrap()), &[2e-12, f64::NAN]);
    close(&values(&points.is_ul().unwrap()), &[0.0, 1.0]);
    // Fermi and MAGIC: E^2 dN/dE in erg and TeV, energies in GeV and MeV.
    for (columns, row) in [
        (["e_min MeV", "e_max MeV", "e2dnde erg cm-2 s-1"], "100000 1000000 1.602176634e-12"),
        (["e_min GeV", "e_max GeV", "e2dnde TeV / (cm2 s)"], "100 1000 1e-12"),
        (["e_min GeV", "e_max GeV", "e2dnde 10**-9 GeV/cm**2/s"], "100 1000 1"),
    ] {
        let (points, _) = folder.points(&ecsv(&columns, &[], &format!("{row}\n")));
        comes_back(&points, &[0.1f64.sqrt()], &[1e-12 / 0.1]);
    }
    // HAWC and LHAASO: photons, and the limit's confidence unknown.
    let (points, said) = folder.points(&ecsv(
        &["e_ref TeV", "dnde photons/cm2/s/TeV", "dnde_ul photons/cm2/s/TeV"],
        &["UL_CONF: .nan"],
        "30 1e-15 nan\n100 nan 4e-17\n",
    ));
    comes_back(&points, &[30.0, 100.0], &[1e-15, f64::NAN]);
    assert!(said.iter().any(|w| w.contains("UL_CONF") && w.contains("not known")), "{said:?}");
    assert!(points.n_sigma_ul().is_nan());
    let table = points.to_table(SedType::Dnde, None).unwrap();
    assert!(FluxPoints::from_table(&table, &FromTable::default()).unwrap().0.n_sigma_ul().is_nan());
    let error = folder.error(&ecsv(&["e_ref TeV", DNDE], &["UL_CONF: 95"], "1 1e-12\n"));
    assert!(error.to_string().contains("between 0 and 1"), "{error}");
}

#[test]
fn times_of_light_curves_in_all_spellings() {
    let folder = Folder::new();
    let days = |points: &FluxPoints| -> Vec<f64> {
        let table = points.to_table(SedType::Flux, Some(TableFormat::LightCurve)).unwrap();
        [table.floats("time_min", "").unwrap(), table.floats("time_max", "").unwrap()].concat()
    };
    let energy = ["e_min TeV", "e_max TeV", "flux cm-2 s-1"];
    for (unit, meta, shift, scale, absolute) in [
        ("MJD", &[][..], 0.0, 1.0, true),
        ("mjd", &["TIMESYS: tt"][..], 0.0, 1.0, true),
        ("MJD (UTC)", &[], 0.0, 1.0, true),
        ("d", &[], 0.0, 1.0, false),
        ("", &["TIMEUNIT: d"], 0.0, 1.0, false),
        ("", &["TIMEUNIT: MJD"], 0.0, 1.0, true),
        ("", &[], 0.0, 1.0, false),
        ("JD", &[], 2_400_000.5, 1.0, true),
        ("d", &[], 2_400_000.5, 1.0, true),
        ("d", &["MJDREFI: 50000", "MJDREFF: 0.25"], -50000.25, 1.0, false),
        ("d", &["MJDREF: 50000.25"], -50000.25, 1.0, false),
        ("s", &["MJDREFI: 54000"], -54000.0, 86400.0, false),
        ("hr", &["MJDREFI: 54000"], -54000.0, 24.0, false),
        ("MJD", &["MJDREFI: 54000"], 0.0, 1.0, true),
    ] {
        let row = |a: f64, b: f64, f: f64| format!("{:?} {:?} 1 10 {f:?}\n", (a + shift) * scale, (b + shift) * scale);
        let (min, max) = (format!("time_min {unit}"), format!("time_max {unit}"));
        let columns: Vec<&str> = [min.as_str(), max.as_str()].into_iter().chain(energy).collect();
        let rows = row(55003.0, 55003.5, 3e-12) + &row(55000.0, 55000.5, 1e-12);
        let (points, said) = folder.points(&ecsv(&columns, meta, &rows));
        let found = days(&points);
        for (a, b) in found.iter().zip([55000.0, 55003.0, 55000.5, 55003.5]) {
            assert!((a - b).abs() < 1e-8, "{unit} {meta:?}: {found:?}");
        }
        close(&values(&points.flux().unwrap()), &[1e-12, 3e-12]);
        let left_out = said.iter().any(|w| w.contains("left out"));
        assert_eq!(left_out, absolute && meta.iter().any(|m| m.contains("MJDREF")), "{unit} {meta:?}: {said:?}");
    }
    let columns: Vec<&str> = ["time_min", "time_max"].into_iter().chain(energy).collect();
    let rows = "2009-06-18T00:00:00 2009-06-18T12:00:00 1 10 1e-12\n";
    close(&days(&folder.points(&ecsv(&columns, &[], rows)).0), &[55000.0, 55000.5]);
    // As astropy writes columns of times: their scale in ECSV, two parts of Julian dates in FITS.
    let columns: Vec<&str> = ["time_min ", "time_max "].into_iter().chain(energy).collect();
    let nested = "__serialized_columns__: {time_min: {format: mjd, scale: tt}, time_max: {format: mjd, scale: tt}}";
    let (points, _) = folder.points(&ecsv(&columns, &[nested], "55000 55001 1 10 1e-12\n"));
    let scale = |points: &FluxPoints| points.time_axis().unwrap().time_reference().unwrap().timesys.clone();
    assert_eq!((days(&points), scale(&points)), (vec![55000.0, 55001.0], "tt".to_string()));
    let mut table = Table::new();
    let day: Unit = "d".parse().unwrap();
    for (name, parts) in
        [("time_min", [2_455_004.0, -0.5, 2_455_000.0, 0.5]), ("time_max", [2_455_004.0, 0.5, 2_455_001.0, 0.5])]
    {
        table.push(Column::floats(name, day.clone(), parts.to_vec()).with_shape(vec![2]).unwrap()).unwrap();
    }
    for (name, unit, values) in
        [("e_min", "TeV", [1.0, 1.0]), ("e_max", "TeV", [10.0, 10.0]), ("flux", "cm-2 s-1", [3e-12, 1e-12])]
    {
        table.push(Column::floats(name, unit.parse().unwrap(), values.to_vec())).unwrap();
    }
    table.set_meta("JDREF", 0.0);
    table.set_meta("TIMESYS", "UTC");
    let path = folder.0.path().join("pairs.fits");
    table.write(&path, &WriteOptions::default()).unwrap();
    let mut file = support::fits_file::FitsFile::read(&path);
    ["CHECKSUM", "DATASUM"].iter().for_each(|key| file.hdus[1].unset(key));
    file.hdus[1].set("TCTYP1", "'TT'");
    file.hdus[1].set("TCTYP2", "'TT'");
    file.write(&path);
    let (points, said) = FluxPoints::read(&path, &FromTable::default()).unwrap();
    assert_eq!(
        (days(&points), scale(&points)),
        (vec![55000.0, 55003.0, 55001.0, 55004.0], "tt".to_string()),
        "{said:?}"
    );
    close(&values(&points.flux().unwrap()), &[1e-12, 3e-12]);
    let columns: Vec<&str> = ["time_min", "time_max"].into_iter().chain(energy).collect();
    let error = folder.error(&ecsv(&columns, &[], "yesterday today 1 10 1e-12\n"));
    assert!(error.to_string().contains("'yesterday'"), "{error}");
    let columns: Vec<&str> = ["time_min parsec", "time_max parsec"].into_iter().chain(energy).collect();
    let error = folder.error(&ecsv(&columns, &[], "1 2 1 10 1e-12\n"));
    assert!(error.program_help().unwrap().contains("--column time_min=time_min:d"), "{error}");
    // Rows of other energies are not a light curve.
    let columns: Vec<&str> = ["time_min MJD", "time_max MJD"].into_iter().chain(energy).collect();
    assert!(
        folder.error(&ecsv(&columns, &[], "1 2 1 10 1e-12\n2 3 10 100 1e-12\n")).to_string().contains("other energies")
    );
}

#[test]
fn tables_are_known_by_their_columns() {
    let folder = Folder::new();
    let text =
        ecsv(&["e_ref TeV", "e_min TeV", "e_max TeV", DNDE], &["SED_TYPE: dnde"], "1 0.5 2 1e-11\n4 2 8 1e-12\n");
    let path = folder.0.path().join("points.fits");
    folder.points(&text).0.write(&path, SedType::Dnde, None, &WriteOptions::default()).unwrap();
    let mut other = Table::new();
    other.push(Column::floats("START", "s".parse().unwrap(), vec![0.0])).unwrap();
    other.write(folder.0.path().join("other.fits"), &WriteOptions::default()).unwrap();
    // csspec names it SPECTRUM; others have other tables first.
    let named = |file: &str, name: &str| {
        let mut hdu = support::fits_file::FitsFile::read(folder.0.path().join(file)).hdus[1].clone();
        hdu.set("EXTNAME", &format!("'{name}'"));
        ["CHECKSUM", "DATASUM"].iter().for_each(|key| hdu.unset(key));
        hdu
    };
    for (name, tables) in [
        ("a.fits", vec![named("points.fits", "SPECTRUM")]),
        ("b.fits", vec![named("other.fits", "HISTORY"), named("points.fits", "SED")]),
        ("c.fits", vec![named("other.fits", "SPECTRUM"), named("points.fits", "FLUXPOINTS")]),
    ] {
        let mut file = support::fits_file::FitsFile::read(&path);
        file.hdus.truncate(1);
        file.hdus.extend(tables);
        let path = folder.0.path().join(name);
        file.write(&path);
        assert_eq!(file_kind(&path).unwrap(), FileKind::FluxPoints, "{name}");
        let (points, _) = FluxPoints::read(&path, &FromTable::default()).unwrap();
        close(&values(&points.dnde().unwrap()), &[1e-11, 1e-12]);
        assert!(points.get(FluxQuantity::Norm).is_some());
    }
}
