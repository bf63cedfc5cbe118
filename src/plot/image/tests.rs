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

/// How many pixels of a picture have a colour.
fn count(picture: &Picture, colour: [u8; 3]) -> usize {
    let (_, _, pixels) = decoded(&picture.to_png().unwrap());
    pixels.chunks_exact(3).filter(|p| **p == colour).count()
}

#[test]
fn styles_are_for_what_looks_like_the_first_map() {
    let counts = |v: f64| flat(Array2::from_elem((20, 20), v)).quantity("counts", "").range(0.0, 10.0);
    let significance = flat(Array2::from_elem((20, 20), 5.0)).significance();
    let style = || MapStyle::new().colours(ColourMap::Hot).vmax(4.0);
    let draw = |style: MapStyle| {
        Figure::new().panel(counts(3.0)).panel(counts(4.0)).panel(significance.clone()).map_style(style).draw()
    };
    let picture = draw(style()).unwrap();
    // Three quarters and the end of the map that was asked for; 5σ stays a full orange.
    for colour in [ColourMap::Hot.colour(0.75), ColourMap::Hot.colour(1.0), ColourMap::Diverging.colour(0.5)] {
        assert!(count(&picture, colour) > 20_000, "{colour:?}");
    }
    for colour in [ColourMap::Viridis.colour(0.3), ColourMap::Hot.colour(0.3)] {
        assert!(count(&picture, colour) < 200, "{colour:?}");
    }
    // One scale each: a constant map lies in the middle of its own.
    let each = draw(MapStyle::new().one_scale(false)).unwrap();
    assert!(count(&each, ColourMap::Viridis.colour(0.5)) > 40_000);
    let problem = |style: MapStyle| draw(style).unwrap_err().to_string();
    assert!(problem(MapStyle::new().vmin(12.0)).contains("not below the largest value"));
    assert!(problem(MapStyle::new().vmin(f64::NAN)).contains("finite"));
    assert!(problem(style().vmin(-1.0).stretch(Stretch::Log)).contains("logarithmic"));
    let negative =
        Figure::new().panel(flat(Array2::from_elem((5, 5), -2.0))).map_style(MapStyle::new().stretch(Stretch::Log));
    assert!(negative.draw().unwrap_err().to_string().contains("above 0"));
    let chart = || Figure::new().panel(super::super::Chart::new());
    assert!(chart().draw().is_ok());
    assert!(chart().map_style(MapStyle::new().vmax(1.0)).draw().unwrap_err().to_string().contains("none"));
    assert!(chart().map_style(MapStyle::new().sexagesimal(true)).draw().unwrap_err().to_string().contains("none"));
}

#[test]
fn maps_of_different_quantities_do_not_share_a_scale() {
    let map = |name: &str, top: f64| {
        flat(Array2::from_shape_fn((9, 9), |(y, x)| top * (y * 9 + x) as f64 / 80.0)).quantity(name, "")
    };
    let figure = Figure::new().panel(map("a", 8.0)).panel(map("a", 2.0)).panel(map("b", 600.0)).shared_range(true);
    let text = String::from_utf8(figure.draw().unwrap().to_svg_with_text()).unwrap();
    assert_eq!((text.matches(">8<").count(), text.matches(">600<").count()), (2, 1), "{text}");
}

#[test]
fn colours_around_zero_are_centred_where_there_are_both_signs() {
    let both = flat(ndarray::array![[-2.0, 0.0], [0.0, 8.0]]).colours(ColourMap::Coolwarm).range(-8.0, 8.0);
    assert!(count(&both.draw().unwrap(), ColourMap::Coolwarm.colour(0.0)) > 50_000);
    let positive = flat(ndarray::array![[0.0, 4.0], [4.0, 8.0]]).colours(ColourMap::Coolwarm).range(0.0, 8.0);
    let picture = positive.draw().unwrap();
    for position in [-1.0, 0.0, 1.0] {
        assert!(count(&picture, ColourMap::Coolwarm.colour(position)) > 50_000, "{position}");
    }
}

#[test]
fn coordinates_circle_and_bar() {
    let values = Array2::from_elem((60, 100), 1.0);
    // 5° by 3° in galactic coordinates.
    let map = || flat(values.clone()).sexagesimal(true).psf_circle(0.2, "PSF").scale_bar(ScaleBar::Auto);
    let text = svg(map());
    for wanted in [">PSF<", ">1°<", ">359°<", ">−0°20′<", ">1°00′<"] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let long = format!("PSF {}", "of a very long name ".repeat(6));
    assert!(svg(map().psf_circle(0.2, long)).contains(">PSF<"), "what has no room is shortened");
    // A name beside the circle finds another place.
    let corner = crate::maps::SkyPosition { lon_deg: 1.95, lat_deg: -1.05, frame: Frame::Galactic };
    assert!(svg(map().marker(Marker::new(corner).label("source"))).contains(">source<"));
    for (image, word) in [
        (map().psf_circle(1.6, ""), "psf_circle"),
        (map().psf_circle(f64::NAN, ""), "psf_circle"),
        (map().scale_bar(ScaleBar::Deg(4.9)), "scale_bar"),
        (map().scale_bar(ScaleBar::Deg(0.0)), "scale_bar"),
    ] {
        assert!(image.draw().unwrap_err().to_string().contains(word), "{word}");
    }
    // The whole sky: its corners are none.
    let sky = MapImage::with_mapping(&Array2::from_elem((90, 180), 1.0), Arc::new(WholeSky)).unwrap();
    let text = svg(sky.sexagesimal(true).psf_circle(5.0, "PSF").scale_bar(ScaleBar::Auto));
    assert!(text.contains(">PSF<") && text.contains(">60°<") && !text.contains("NaN"), "{text}");
}
