//! Quick runs of the program, in a folder with a dataset, models and flux maps.

use std::fs;
use std::process::{Child, Output};
use std::time::{Duration, Instant};

use super::program::Place;

/// A quick run that writes maps, their model and a picture.
pub const TSMAP: [&str; 8] = ["tsmap", "in.fits", "-o", "out.fits", "--backend", "cpu", "--kernel-width", "0.2deg"];

pub fn tsmap<'a>(more: &[&'a str]) -> Vec<&'a str> {
    TSMAP.into_iter().chain(more.iter().copied()).collect()
}

pub fn models(name: &str, index: f64) -> String {
    format!(
        "components:\n- name: {name}\n  type: SkyModel\n  spectral:\n    type: PowerLawSpectralModel\n    parameters:\n    - \
         name: index\n      value: {index}\n    - name: amplitude\n      value: 1.0e-12\n      unit: TeV-1 s-1 cm-2\n    - \
         name: reference\n      value: 1.0\n      unit: TeV\n  spatial:\n    type: PointSpatialModel\n    frame: icrs\n    \
         parameters:\n    - name: lon_0\n      value: 83.63\n      unit: deg\n    - name: lat_0\n      value: 22.01\n      \
         unit: deg\n- type: FoVBackgroundModel\n  datasets_names: [in]\n  spectral:\n    type: PowerLawNormSpectralModel\n    \
         parameters:\n    - name: norm\n      value: 1.0\n"
    )
}

/// A folder with a dataset, models and flux maps.
pub fn place() -> Place {
    let place = Place::with(|_| ());
    fs::write(place.path("m.yaml"), models("src", 2.0)).unwrap();
    place.works(&["tsmap", "in.fits", "-o", "flux.fits", "--backend", "cpu", "--kernel-width", "0.2deg", "--quiet"]);
    place
}

pub fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits for the end of a process; a test must not hang.
#[track_caller]
pub fn within(child: &mut Child, limit: Duration) -> std::process::ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > limit {
            child.kill().unwrap();
            panic!("it goes on after {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
