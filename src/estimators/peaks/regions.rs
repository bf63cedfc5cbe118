//! Region files of DS9.

use crate::maps::{Frame, SkyPosition};

/// A marked position: a point, or a circle or ellipse around it.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// Centre.
    pub position: SkyPosition,
    /// Half axes and the angle of the larger one from north to growing longitude, all in degrees, in the frame that the
    /// file is written in; `None`: a point.
    pub ellipse_deg: Option<(f64, f64, f64)>,
    /// Written beside it.
    pub label: String,
}

/// The text of a region file in a frame: one line per region, sizes in degrees.
pub fn ds9_regions(regions: &[Region], frame: Frame) -> String {
    let system = match frame {
        Frame::Icrs => "icrs",
        Frame::Galactic => "galactic",
    };
    let mut out = format!("# Region file format: DS9 version 4.1\nglobal color=green width=2\n{system}\n");
    for region in regions {
        let p = region.position.to_frame(frame);
        // Braces end a label, line breaks a region.
        let label: String =
            region.label.chars().map(|c| if c.is_control() || c == '{' || c == '}' { ' ' } else { c }).collect();
        let text = format!("text={{{label}}}");
        out += &match region.ellipse_deg {
            // DS9 counts the angle of the first axis from the x axis of the frame, east being left: 90 deg more.
            Some((major, minor, angle)) => format!(
                "ellipse({:.7},{:.7},{major:.7},{minor:.7},{:.3}) # {text}\n",
                p.lon_deg,
                p.lat_deg,
                (angle + 90.0).rem_euclid(180.0)
            ),
            None => format!("point({:.7},{:.7}) # point=cross {text}\n", p.lon_deg, p.lat_deg),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_kinds() {
        let position = SkyPosition::icrs(83.63, 22.01);
        let point = Region { position, ellipse_deg: None, label: "a {b}\n".into() };
        let ellipse = Region { position, ellipse_deg: Some((0.02, 0.01, 120.0)), label: "c".into() };
        let text = ds9_regions(&[point, ellipse], Frame::Icrs);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[2], "icrs");
        assert_eq!(lines[3], "point(83.6300000,22.0100000) # point=cross text={a  b  }");
        assert_eq!(lines[4], "ellipse(83.6300000,22.0100000,0.0200000,0.0100000,30.000) # text={c}");
        assert!(ds9_regions(&[], Frame::Galactic).contains("\ngalactic\n"));
    }
}
