//! What is in the files.

use std::io::Read;

use ndarray::Array2;

use super::super::{MapImage, Marker, NanStyle};
use super::*;
use crate::maps::{Frame, SkyPosition, WcsGeom};

fn number(text: &str) -> usize {
    text.split(|c: char| !c.is_ascii_digit()).find(|t| !t.is_empty()).unwrap().parse().unwrap()
}

/// The part of a file that begins with an object and ends with the word.
fn object(bytes: &[u8], start: usize, end: &str) -> Vec<u8> {
    let rest = &bytes[start..];
    rest[..rest.windows(end.len()).position(|w| w == end.as_bytes()).unwrap()].to_vec()
}

fn inflated(object: &[u8]) -> Vec<u8> {
    let head = object.windows(6).position(|w| w == b"stream").unwrap();
    let text = String::from_utf8_lossy(&object[..head]).into_owned();
    assert!(text.contains("/FlateDecode"), "{text}");
    let length = number(text.split("/Length").nth(1).unwrap());
    let data = &object[head + 7..head + 7 + length];
    let mut out = Vec::new();
    flate2::read::ZlibDecoder::new(data).read_to_end(&mut out).unwrap();
    out
}

#[test]
fn a_map_is_a_page_of_lines_and_pixels() {
    let center = SkyPosition { lon_deg: 0.0, lat_deg: 0.0, frame: Frame::Galactic };
    let geom = WcsGeom::create(center, 30, 20, (0.1, 0.1), "CAR", vec![]).unwrap();
    let values = Array2::from_shape_fn((20, 30), |(y, x)| if x < 3 { f64::NAN } else { (x * y) as f64 });
    let marker = Marker::new(center).label("(a) source");
    let map = MapImage::new(&values, &geom).unwrap().title("Karte (é)").marker(marker);
    let picture = map.clone().draw().unwrap();
    let bytes = picture.to_pdf().unwrap();
    assert_eq!(bytes, picture.to_pdf().unwrap(), "the same drawing gives the same file");
    // Every object is where the table says.
    let tail = String::from_utf8_lossy(&bytes[bytes.len() - 60..]).into_owned();
    let table = number(tail.split("startxref").nth(1).unwrap());
    assert!(bytes[table..].starts_with(b"xref"));
    let entries = String::from_utf8_lossy(&bytes[table..]).into_owned();
    let starts: Vec<usize> =
        entries.lines().filter(|l| l.trim_end().ends_with(" n")).map(|l| number(&l[..10])).collect();
    assert!(starts.len() > 7, "{entries}");
    let (mut images, mut tiles, mut pages) = (0, 0, 0);
    for (i, start) in starts.iter().enumerate() {
        let text = object(&bytes, *start, "endobj");
        assert!(text.starts_with(format!("{} 0 obj", i + 1).as_bytes()));
        let words = String::from_utf8_lossy(&text).into_owned();
        if words.contains("/Subtype /Image") {
            let (w, h) =
                (number(words.split("/Width").nth(1).unwrap()), number(words.split("/Height").nth(1).unwrap()));
            let channels = if words.contains("/DeviceRGB") { 3 } else { 1 };
            assert_eq!(inflated(&text).len(), w * h * channels);
            images += 1;
        } else if words.contains("/PatternType") {
            tiles += 1;
        } else if words.contains("/Type /Page\n") || words.contains("/Type /Page ") {
            pages += 1;
            let width = f64::from(picture.width_px()) * 0.48;
            assert!(words.contains(&format!("/MediaBox [0 0 {width}")), "{words}");
        } else if i + 1 == CONTENT as usize {
            let content = String::from_utf8(inflated(&text)).unwrap();
            let count = |op: &str| content.lines().filter(|l| l.split(' ').next_back() == Some(op)).count();
            assert_eq!(count("q"), count("Q"));
            assert!(count("W") >= 1 && count("Do") == 2 && count("f") > 30 && count("scn") == 1, "{content}");
            assert!(!content.contains("NaN") && !content.contains("inf"));
        }
    }
    // The map with its opacities, and the bar; the hatching of what has no value.
    assert_eq!((images, tiles, pages), (3, 1, 1));
    let plain = map.nan(NanStyle::Blank).draw().unwrap().to_pdf().unwrap();
    assert!(plain.len() < bytes.len());
}

#[test]
fn curves_of_two_points_have_four() {
    let mut path = resvg::tiny_skia::PathBuilder::new();
    path.move_to(0.0, 0.0);
    path.quad_to(3.0, 3.0, 6.0, 0.0);
    path.close();
    let mut content = Content::new();
    outline(&mut content, &path.finish().unwrap());
    let content = content.finish();
    let text = String::from_utf8_lossy(content.as_slice()).into_owned();
    assert_eq!(text.split_whitespace().collect::<Vec<_>>().join(" "), "0 0 m 2 2 4 2 6 0 c h");
}
