//! A finished drawing and its forms: SVG for everybody, PNG and PDF.

use std::sync::Arc;

use base64::Engine;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg;

use super::svg::{escape, ink};
use super::{font, pdf};
use crate::error::{Error, Result};

/// Pixels of the renderer per pixel of a PNG, per side: the drawing is averaged down, which gives map pixels of any
/// magnification even edges. Two costs 0.2 s for 1200 px of width.
const OVERSAMPLING: u32 = 2;

/// Largest number of pixels that a PNG may have.
const MAX_PIXELS: u64 = 1 << 28;

/// Resolution written into a PNG, px per metre: 150 dpi, 1200 px are 20 cm.
const PIXELS_PER_METRE: u32 = 5906;

/// A finished drawing.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    body: String,
    title: String,
    width_px: u32,
    height_px: u32,
}

impl Picture {
    pub(super) fn new(body: String, title: String, width_px: f64, height_px: f64) -> Self {
        // Neither XML nor the texts of a PNG can hold control characters.
        let title = title.replace(char::is_control, " ");
        Self { body, title, width_px: width_px.ceil().max(1.0) as u32, height_px: height_px.ceil().max(1.0) as u32 }
    }

    /// Width in px.
    pub fn width_px(&self) -> u32 {
        self.width_px
    }

    /// Height in px.
    pub fn height_px(&self) -> u32 {
        self.height_px
    }

    fn document(&self, style: &str) -> String {
        let (w, h, family) = (self.width_px, self.height_px, font::FAMILY);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"{w}\" \
             height=\"{h}\" viewBox=\"0 0 {w} {h}\" font-family=\"'{family}', sans-serif\">\n<title>{}</title>\n{style}\
             <rect width=\"{w}\" height=\"{h}\" fill=\"{}\"/>\n{}</svg>\n",
            escape(&self.title),
            ink::WHITE,
            self.body
        )
    }

    fn tree(&self) -> Result<usvg::Tree> {
        let mut options = usvg::Options { font_family: font::FAMILY.to_string(), ..usvg::Options::default() };
        // No system fonts: the picture is the same on every machine.
        let fonts = Arc::make_mut(&mut options.fontdb);
        fonts.load_font_data(font::BYTES.to_vec());
        fonts.set_sans_serif_family(font::FAMILY);
        usvg::Tree::from_str(&self.document(""), &options)
            .map_err(|e| Error::input("picture", format!("the drawing cannot be read back: {e}")))
    }

    /// The bytes of an SVG file with its letters as outlines: it looks the same in every program, without fonts.
    ///
    /// # Errors
    /// Where the drawing cannot be converted.
    pub fn to_svg(&self) -> Result<Vec<u8>> {
        let options = usvg::WriteOptions {
            preserve_text: false,
            coordinates_precision: 3,
            transforms_precision: 6,
            indent: usvg::Indent::None,
            ..usvg::WriteOptions::default()
        };
        let mut text = self.tree()?.to_string(&options);
        if let Some(end) = text.find('>') {
            text.insert_str(end + 1, &format!("<title>{}</title>", escape(&self.title)));
        }
        Ok(text.into_bytes())
    }

    /// The bytes of an SVG file whose texts stay text (found by a search, edited by hand), with the font embedded.
    /// Browsers show it as it is meant; some editors ignore embedded fonts, give them [`Picture::to_svg`].
    pub fn to_svg_with_text(&self) -> Vec<u8> {
        let font = base64::engine::general_purpose::STANDARD.encode(font::BYTES);
        let family = font::FAMILY;
        self.document(&format!(
            "<style>@font-face{{font-family:'{family}';src:url(data:font/ttf;base64,{font}) format('truetype')}}</style>\n"
        ))
        .into_bytes()
    }

    /// The bytes of a PDF file of one page, 20 cm wide for 1200 px, with letters as outlines: for papers.
    ///
    /// ```
    /// use pevatron::plot::{Chart, Series};
    /// let chart = Chart::new().x("Energy", "TeV").series(Series::line("a line", &[(1.0, 2.0), (3.0, 4.0)]));
    /// let bytes = chart.draw()?.to_pdf()?;
    /// assert!(bytes.starts_with(b"%PDF-1.") && bytes.ends_with(b"%%EOF"));
    /// # Ok::<(), pevatron::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where the drawing cannot be converted.
    pub fn to_pdf(&self) -> Result<Vec<u8>> {
        pdf::write(&self.tree()?, &self.title)
    }

    /// The bytes of a PNG file of [`Picture::width_px`] × [`Picture::height_px`].
    ///
    /// # Errors
    /// Where the drawing cannot be rendered.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        self.to_png_scaled(1.0)
    }

    /// The bytes of a PNG file, enlarged (2: twice as many pixels per side, for print).
    ///
    /// # Errors
    /// Scales that are not positive or give more than 2²⁸ pixels.
    pub fn to_png_scaled(&self, scale: f64) -> Result<Vec<u8>> {
        let size = |px: u32| (f64::from(px) * scale).round();
        let (width, height) = (size(self.width_px), size(self.height_px));
        if !(width >= 1.0 && height >= 1.0 && width * height <= MAX_PIXELS as f64) {
            return Err(Error::options("scale", format!("{scale} gives a picture of {width} × {height} px")));
        }
        let (width, height) = (width as u32, height as u32);
        let over = if u64::from(width) * u64::from(height) <= MAX_PIXELS / 16 { OVERSAMPLING } else { 1 };
        let mut pixmap = Pixmap::new(width * over, height * over)
            .ok_or_else(|| Error::options("scale", format!("a picture of {width} × {height} px cannot be held")))?;
        let stretch = |px: u32, base: u32| (px * over) as f32 / base as f32;
        let transform = Transform::from_scale(stretch(width, self.width_px), stretch(height, self.height_px));
        resvg::render(&self.tree()?, transform, &mut pixmap.as_mut());
        let rgb = average_down(pixmap.data(), width as usize, height as usize, over as usize);
        encode_png(&rgb, width, height, png::ColorType::Rgb, Some(&self.title), scale)
    }
}

/// RGB of blocks of `over` × `over` opaque RGBA pixels.
fn average_down(rgba: &[u8], width: usize, height: usize, over: usize) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(width * height * 3);
    let row_bytes = width * over * 4;
    let count = (over * over) as u32;
    for rows in rgba.chunks_exact(row_bytes * over).take(height) {
        for x in 0..width {
            for channel in 0..3 {
                let mut sum = count / 2;
                for row in rows.chunks_exact(row_bytes) {
                    for dx in 0..over {
                        sum += u32::from(row[(x * over + dx) * 4 + channel]);
                    }
                }
                rgb.push((sum / count) as u8);
            }
        }
    }
    rgb
}

/// A PNG file of 8-bit pixels; with a title it also gets the program's name and the resolution.
pub(super) fn encode_png(
    pixels: &[u8],
    width: u32,
    height: u32,
    colour: png::ColorType,
    title: Option<&str>,
    scale: f64,
) -> Result<Vec<u8>> {
    let failed = |e: png::EncodingError| Error::input("picture", format!("PNG cannot be written: {e}"));
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(colour);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    if let Some(title) = title {
        encoder.set_compression(png::Compression::Balanced);
        let density = (f64::from(PIXELS_PER_METRE) * scale).round() as u32;
        encoder.set_pixel_dims(Some(png::PixelDimensions { xppu: density, yppu: density, unit: png::Unit::Meter }));
        let software = concat!("Pevatron ", env!("CARGO_PKG_VERSION"));
        encoder.add_text_chunk("Software".into(), software.into()).map_err(failed)?;
        if !title.is_empty() {
            encoder.add_itxt_chunk("Title".into(), title.into()).map_err(failed)?;
        }
    }
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}
