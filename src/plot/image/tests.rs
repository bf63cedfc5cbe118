//! What is in the drawings of maps.

use super::super::mapping::toy::{Flat, WholeSky};
use super::*;
use crate::maps::Frame;

fn flat(values: Array2<f64>) -> MapImage {
    let (ny, nx) = values.dim();
    MapImage::with_mapping(&values, Arc::new(Flat { lon: 0.0, lat: 0.0, step: 0.05, nx, ny })).unwrap()
}

fn svg(image: MapImage) -> String {
    String::from_utf8(image.draw().unwrap().to_svg_with_text()).unwrap()
}

fn decoded(bytes: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!(info.color_type, png::ColorType::Rgb);
    (info.width, info.height, pixels)
}

#[test]
fn texts_of_a_significance_map() {
    let values = Array2::from_shape_fn((60, 100), |(y, x)| if (y, x) == (30, 50) { 31.0 } else { 0.5 });
    let text = svg(flat(values).significance().title("10 – 84 GeV"));
    for wanted in [
        "<title>10 – 84 GeV</title>",
        ">√TS<",
        ">5<",
        ">−5<",
        ">20<",
        ">2.5°<",
        ">359.5°<",
        ">−1.5°<",
        ">Galactic latitude<",
    ] {
        assert!(text.contains(wanted), "{wanted}");
    }
    assert!(!text.contains("url(#hatch") && !text.contains("NaN"));
}

#[test]
fn powers_of_ten_and_units_stand_at_the_bar() {
    let values = Array2::from_shape_fn((10, 10), |(y, x)| 1e-13 * (y * 10 + x) as f64);
    let text = svg(flat(values).quantity("flux", "cm-2 s-1"));
    assert!(text.contains(">flux [10⁻¹² cm⁻² s⁻¹]<"), "{text}");
}

#[test]
fn odd_maps_are_drawn() {
    let one = |v: f64| Array2::from_elem((1, 1), v);
    let mixed = ndarray::array![[-1.0, 0.0], [f64::NAN, 5.0]];
    for stretch in [Stretch::Linear, Stretch::Sqrt, Stretch::Log, Stretch::Asinh, Stretch::Significance] {
        for values in [one(3.0), one(0.0), one(-2.0), one(f64::NAN), one(f64::INFINITY), one(1e-320), mixed.clone()] {
            for colours in [ColourMap::Viridis, ColourMap::Diverging] {
                let text = svg(flat(values.clone()).stretch(stretch).colours(colours).contours(&[1.0]));
                assert!(!text.contains("NaN") && !text.contains("inf"), "{stretch:?} {values}");
                assert_eq!(text.contains("url(#hatch"), values.iter().any(|v| v.is_nan()));
            }
        }
    }
    assert!(MapImage::with_mapping(&Array2::zeros((0, 3)), Arc::new(WholeSky)).is_err());
}

#[test]
fn the_png_shows_the_values_with_the_first_row_below() {
    let values = ndarray::array![[-5.0, 5.0], [0.0, f64::NAN]];
    let picture = flat(values).significance().graticule(false).width_px(400).draw().unwrap();
    let (width, height, pixels) = decoded(&picture.to_png().unwrap());
    assert_eq!((width, height), (picture.width_px(), picture.height_px()));
    let counted = |rgb: [u8; 3]| pixels.chunks_exact(3).filter(|p| **p == rgb).count();
    for value in [-0.5, 0.0, 0.5] {
        assert!(counted(ColourMap::Diverging.colour(value)) > 5000, "{value}");
    }
    let orange = pixels.chunks_exact(3).position(|p| *p == ColourMap::Diverging.colour(0.5)).unwrap();
    let white = pixels.chunks_exact(3).position(|p| *p == ColourMap::Diverging.colour(0.0)).unwrap();
    assert!(white < orange, "the second row of values must be above the first");
    let doubled = decoded(&picture.to_png_scaled(2.0).unwrap());
    assert_eq!((doubled.0, doubled.1), (2 * width, 2 * height));
    assert!(picture.to_png_scaled(0.0).is_err() && picture.to_png_scaled(f64::NAN).is_err());
}

#[test]
fn pngs_carry_title_and_program() {
    let bytes = flat(Array2::zeros((2, 2))).title("√TS map").width_px(200).draw().unwrap().to_png().unwrap();
    let reader = png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
    assert_eq!(reader.info().uncompressed_latin1_text[0].text, concat!("Pevatron ", env!("CARGO_PKG_VERSION")));
    assert_eq!(reader.info().utf8_text[0].get_text().unwrap(), "√TS map");
}

#[test]
fn the_whole_sky_has_labels_inside_and_no_axis_names() {
    let values = Array2::from_elem((90, 180), 1.0);
    let text = svg(MapImage::with_mapping(&values, Arc::new(WholeSky)).unwrap());
    assert!(text.contains(">Equatorial coordinates (ICRS)<") && !text.contains(">Declination<"));
    assert!(text.contains(">330°<") && text.contains(">−60°<"));
}

#[test]
fn outlines_need_no_font() {
    let bytes = flat(Array2::zeros((2, 2))).title("a <b> & c").width_px(200).draw().unwrap().to_svg().unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(!text.contains("<text") && text.contains("<title>a &lt;b&gt; &amp; c</title>"));
    assert!(text.contains("image-rendering:pixelated"));
}

#[test]
fn markers_outside_are_left_out_and_names_do_not_cover_each_other() {
    let at = |lon_deg: f64, name: &str| {
        Marker::new(crate::maps::SkyPosition { lon_deg, lat_deg: 0.0, frame: Frame::Galactic }).label(name)
    };
    let image = flat(Array2::zeros((60, 100)));
    let text = svg(image.markers([at(0.0, "inside"), at(50.0, "outside")]).marker(at(1.0, "ring").radius_deg(0.3)));
    assert!(text.contains(">inside<") && text.contains(">ring<") && !text.contains(">outside<"));
}

#[test]
fn folded_maps_share_one_bar_and_one_range() {
    let values = Array2::from_shape_fn((10, 250), |(_, x)| x as f64);
    let image = flat(values).title("survey").quantity("counts", "");
    let picture = image.folded(3).draw().unwrap();
    let text = String::from_utf8(picture.to_svg_with_text()).unwrap();
    assert_eq!(text.matches(">counts<").count(), 1);
    assert_eq!(text.matches(">Galactic longitude<").count(), 1);
    assert_eq!(text.matches(">survey<").count(), 2, "as the title of file and figure");
}

#[test]
fn large_maps_are_thinned_and_keep_their_peaks() {
    let mut values = Array2::zeros((1500, 1500));
    values[[700, 701]] = 9.0;
    let plot = Rect { x: 0.0, y: 0.0, w: 300.0, h: 300.0 };
    let peak = flat(values.clone()).significance().thinned(plot).unwrap();
    assert_eq!((peak.dim(), peak[[140, 140]]), ((300, 300), 9.0));
    let mean = flat(values).thinned(plot).unwrap();
    assert!(mean.dim() == (600, 600) && (mean.sum() * 6.25 - 9.0).abs() < 1e-9);
}

#[test]
fn same_input_same_bytes() {
    let draw = || flat(Array2::from_shape_fn((7, 9), |(y, x)| (y * x) as f64)).contours(&[10.0]).draw().unwrap();
    assert_eq!(draw(), draw());
}
