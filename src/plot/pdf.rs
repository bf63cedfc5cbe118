//! A drawing as a PDF file of one page: lines and letters stay outlines, maps their own pixels.

use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::types::{ColorSpaceOperand, LineCapStyle, LineJoinStyle, PaintType, TilingType};
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, TextStr};
use resvg::tiny_skia::{Path, PathSegment, Transform};
use resvg::usvg::{
    ClipPath, Fill, FillRule, Group, Image, ImageKind, LineCap, LineJoin, Node, Paint, PaintOrder, Pattern, Stroke,
    Tree,
};

use crate::error::{Error, Result};

/// Points per px: 1200 px are 20 cm, as in a PNG.
const POINTS_PER_PX: f32 = 72.0 / 150.0;

/// The objects that every file has.
const CATALOGUE: i32 = 1;
const PAGES: i32 = 2;
const PAGE: i32 = 3;
const CONTENT: i32 = 4;
const INFO: i32 = 5;

/// The bytes of a file with the drawing on its page.
///
/// # Errors
/// For what our own drawings do not have: gradients, masks, pictures that are no PNG.
pub(super) fn write(tree: &Tree, title: &str) -> Result<Vec<u8>> {
    let (w, h) = (tree.size().width() * POINTS_PER_PX, tree.size().height() * POINTS_PER_PX);
    // PDF counts upwards.
    let page = Transform::from_row(POINTS_PER_PX, 0.0, 0.0, -POINTS_PER_PX, 0.0, h);
    let mut writer =
        Writer { pdf: Pdf::new(), last: INFO, page, states: Vec::new(), images: Vec::new(), tiles: Vec::new() };
    let mut content = Content::new();
    content.transform(matrix(page));
    writer.group(&mut content, tree.root())?;
    let content = deflated(&content.finish())?;
    writer.pdf.stream(Ref::new(CONTENT), &content).filter(Filter::FlateDecode);
    Ok(writer.finish(w, h, title))
}

/// Collects the objects of the file while the page is drawn.
struct Writer {
    pdf: Pdf,
    last: i32,
    /// From the drawing to the page.
    page: Transform,
    /// Opacities of fills and of strokes.
    states: Vec<((f32, f32), Ref)>,
    images: Vec<Ref>,
    /// Patterns.
    tiles: Vec<Ref>,
}

fn matrix(t: Transform) -> [f32; 6] {
    [t.sx, t.ky, t.kx, t.sy, t.tx, t.ty]
}

fn deflated(bytes: &[u8]) -> Result<Vec<u8>> {
    let failed = |e: std::io::Error| Error::input("picture", format!("PDF cannot be written: {e}"));
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).map_err(failed)?;
    encoder.finish().map_err(failed)
}

fn strange(what: &str) -> Error {
    Error::input("picture", format!("{what} cannot be written as PDF")).with_help("take .svg or .png")
}

impl Writer {
    fn new_ref(&mut self) -> Ref {
        self.last += 1;
        Ref::new(self.last)
    }

    fn group(&mut self, content: &mut Content, group: &Group) -> Result<()> {
        if group.mask().is_some() || !group.filters().is_empty() || group.opacity().get() < 1.0 {
            return Err(strange("a group with a mask"));
        }
        let plain = group.transform().is_identity() && group.clip_path().is_none();
        if !plain {
            content.save_state();
            content.transform(matrix(group.transform()));
        }
        if let Some(clip) = group.clip_path() {
            self.clip(content, clip);
        }
        for node in group.children() {
            match node {
                Node::Group(group) => self.group(content, group)?,
                Node::Text(text) => self.group(content, text.flattened())?,
                Node::Image(image) => self.image(content, image)?,
                Node::Path(path) => {
                    let at = path.abs_transform();
                    let (fill, stroke) = (path.fill(), path.stroke());
                    if path.paint_order() == PaintOrder::FillAndStroke {
                        self.fill(content, path.data(), fill, at)?;
                        self.stroke(content, path.data(), stroke)?;
                    } else {
                        self.stroke(content, path.data(), stroke)?;
                        self.fill(content, path.data(), fill, at)?;
                    }
                }
            }
        }
        if !plain {
            content.restore_state();
        }
        Ok(())
    }

    /// What follows is seen within the paths only.
    fn clip(&self, content: &mut Content, clip: &ClipPath) {
        fn add(content: &mut Content, group: &Group, transform: Transform) {
            let transform = transform.pre_concat(group.transform());
            for node in group.children() {
                match node {
                    Node::Group(group) => add(content, group, transform),
                    Node::Path(path) => {
                        if let Some(path) = path.data().clone().transform(transform) {
                            outline(content, &path);
                        }
                    }
                    Node::Image(_) | Node::Text(_) => {}
                }
            }
        }
        add(content, clip.root(), clip.transform());
        content.clip_nonzero().end_path();
    }

    /// Sets opacities; gives whether a state was saved that must be restored.
    fn opacity(&mut self, content: &mut Content, fill: f32, stroke: f32) -> bool {
        if fill >= 1.0 && stroke >= 1.0 {
            return false;
        }
        let known = self.states.iter().position(|(alphas, _)| *alphas == (fill, stroke));
        let index = known.unwrap_or_else(|| {
            let id = self.new_ref();
            self.pdf.ext_graphics(id).non_stroking_alpha(fill).stroking_alpha(stroke);
            self.states.push(((fill, stroke), id));
            self.states.len() - 1
        });
        content.save_state();
        content.set_parameters(Name(format!("G{index}").as_bytes()));
        true
    }

    fn fill(&mut self, content: &mut Content, path: &Path, fill: Option<&Fill>, at: Transform) -> Result<()> {
        let Some(fill) = fill else { return Ok(()) };
        let paint = match fill.paint() {
            Paint::Color(color) => Ok([color.red, color.green, color.blue].map(|c| f32::from(c) / 255.0)),
            Paint::Pattern(pattern) => Err(self.tile(pattern, at)?),
            Paint::LinearGradient(_) | Paint::RadialGradient(_) => return Err(strange("a gradient")),
        };
        let saved = self.opacity(content, fill.opacity().get(), 1.0);
        match paint {
            Ok([r, g, b]) => content.set_fill_rgb(r, g, b),
            Err(index) => content
                .set_fill_color_space(ColorSpaceOperand::Pattern)
                .set_fill_pattern([], Name(format!("P{index}").as_bytes())),
        };
        outline(content, path);
        match fill.rule() {
            FillRule::NonZero => content.fill_nonzero(),
            FillRule::EvenOdd => content.fill_even_odd(),
        };
        if saved {
            content.restore_state();
        }
        Ok(())
    }

    fn stroke(&mut self, content: &mut Content, path: &Path, stroke: Option<&Stroke>) -> Result<()> {
        let Some(stroke) = stroke else { return Ok(()) };
        let Paint::Color(color) = stroke.paint() else { return Err(strange("a line of a pattern")) };
        let saved = self.opacity(content, 1.0, stroke.opacity().get());
        let [r, g, b] = [color.red, color.green, color.blue].map(|c| f32::from(c) / 255.0);
        content.set_stroke_rgb(r, g, b).set_line_width(stroke.width().get());
        content.set_line_cap(match stroke.linecap() {
            LineCap::Butt => LineCapStyle::ButtCap,
            LineCap::Round => LineCapStyle::RoundCap,
            LineCap::Square => LineCapStyle::ProjectingSquareCap,
        });
        content.set_line_join(match stroke.linejoin() {
            LineJoin::Round => LineJoinStyle::RoundJoin,
            LineJoin::Bevel => LineJoinStyle::BevelJoin,
            LineJoin::Miter | LineJoin::MiterClip => LineJoinStyle::MiterJoin,
        });
        content.set_miter_limit(stroke.miterlimit().get());
        content.set_dash_pattern(stroke.dasharray().unwrap_or_default().iter().copied(), stroke.dashoffset());
        outline(content, path);
        content.stroke();
        if saved {
            content.restore_state();
        }
        Ok(())
    }

    /// A pattern that repeats over a path; `at` is the path's place in the drawing.
    fn tile(&mut self, pattern: &Arc<Pattern>, at: Transform) -> Result<usize> {
        let mut content = Content::new();
        self.group(&mut content, pattern.root())?;
        let content = deflated(&content.finish())?;
        let id = self.new_ref();
        let rect = pattern.rect();
        let states = self.states.clone();
        let mut tile = self.pdf.tiling_pattern(id, &content);
        tile.filter(Filter::FlateDecode);
        tile.paint_type(PaintType::Colored).tiling_type(TilingType::ConstantSpacing);
        tile.bbox(Rect::new(rect.x(), rect.y(), rect.right(), rect.bottom()));
        tile.x_step(rect.width()).y_step(rect.height());
        tile.matrix(matrix(self.page.pre_concat(at).pre_concat(pattern.transform())));
        let mut resources = tile.resources();
        let mut list = resources.ext_g_states();
        for (index, (_, state)) in states.iter().enumerate() {
            list.pair(Name(format!("G{index}").as_bytes()), *state);
        }
        list.finish();
        resources.finish();
        tile.finish();
        self.tiles.push(id);
        Ok(self.tiles.len() - 1)
    }

    fn image(&mut self, content: &mut Content, image: &Image) -> Result<()> {
        let ImageKind::PNG(bytes) = image.kind() else { return Err(strange("a picture that is no PNG")) };
        let (width, height, rgb, alpha) = decoded(bytes)?;
        let id = self.new_ref();
        let mask = alpha.map(|alpha| -> Result<Ref> {
            let id = self.new_ref();
            let samples = deflated(&alpha)?;
            let mut mask = self.pdf.image_xobject(id, &samples);
            mask.filter(Filter::FlateDecode);
            mask.width(width).height(height).bits_per_component(8).color_space().device_gray();
            Ok(id)
        });
        let mask = mask.transpose()?;
        let samples = deflated(&rgb)?;
        let mut object = self.pdf.image_xobject(id, &samples);
        object.filter(Filter::FlateDecode);
        object.width(width).height(height).bits_per_component(8).interpolate(false).color_space().device_rgb();
        if let Some(mask) = mask {
            object.s_mask(mask);
        }
        object.finish();
        let (w, h) = (image.size().width(), image.size().height());
        content.save_state();
        content.transform([w, 0.0, 0.0, -h, 0.0, h]);
        content.x_object(Name(format!("I{}", self.images.len()).as_bytes()));
        content.restore_state();
        self.images.push(id);
        Ok(())
    }

    fn finish(mut self, w: f32, h: f32, title: &str) -> Vec<u8> {
        let [catalogue, pages, page, content, info] = [CATALOGUE, PAGES, PAGE, CONTENT, INFO].map(Ref::new);
        self.pdf.catalog(catalogue).pages(pages);
        self.pdf.pages(pages).kids([page]).count(1);
        let mut sheet = self.pdf.page(page);
        sheet.media_box(Rect::new(0.0, 0.0, w, h)).parent(pages).contents(content);
        let mut resources = sheet.resources();
        let mut list = resources.ext_g_states();
        for (index, (_, id)) in self.states.iter().enumerate() {
            list.pair(Name(format!("G{index}").as_bytes()), *id);
        }
        list.finish();
        for (sort, ids) in [('I', &self.images), ('P', &self.tiles)] {
            let mut list = if sort == 'I' { resources.x_objects() } else { resources.patterns() };
            for (index, id) in ids.iter().enumerate() {
                list.pair(Name(format!("{sort}{index}").as_bytes()), *id);
            }
        }
        resources.finish();
        sheet.finish();
        let producer = concat!("Pevatron ", env!("CARGO_PKG_VERSION"));
        self.pdf.document_info(info).title(TextStr(title)).producer(TextStr(producer));
        self.pdf.finish()
    }
}

/// Adds a path to the content.
fn outline(content: &mut Content, path: &Path) {
    let mut last = (0.0, 0.0);
    for segment in path.segments() {
        match segment {
            PathSegment::MoveTo(p) => {
                content.move_to(p.x, p.y);
                last = (p.x, p.y);
            }
            PathSegment::LineTo(p) => {
                content.line_to(p.x, p.y);
                last = (p.x, p.y);
            }
            PathSegment::QuadTo(c, p) => {
                // The same curve has its two control points on the way to the one.
                let toward = |from: f32, c: f32| from + (c - from) * 2.0 / 3.0;
                let a = (toward(last.0, c.x), toward(last.1, c.y));
                let b = (toward(p.x, c.x), toward(p.y, c.y));
                content.cubic_to(a.0, a.1, b.0, b.1, p.x, p.y);
                last = (p.x, p.y);
            }
            PathSegment::CubicTo(a, b, p) => {
                content.cubic_to(a.x, a.y, b.x, b.y, p.x, p.y);
                last = (p.x, p.y);
            }
            PathSegment::Close => {
                content.close_path();
            }
        }
    }
}

/// Width, height, colours and, where any pixel is not opaque, opacities.
type Pixels = (i32, i32, Vec<u8>, Option<Vec<u8>>);

fn decoded(bytes: &[u8]) -> Result<Pixels> {
    let failed = |e: png::DecodingError| Error::input("picture", format!("PNG cannot be read back: {e}"));
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().map_err(failed)?;
    let mut pixels = vec![0; reader.output_buffer_size().ok_or_else(|| strange("a picture of that size"))?];
    let info = reader.next_frame(&mut pixels).map_err(failed)?;
    let (w, h) = (info.width as i32, info.height as i32);
    match info.color_type {
        png::ColorType::Rgb => Ok((w, h, pixels, None)),
        png::ColorType::Rgba => {
            let (mut rgb, mut alpha) = (Vec::new(), Vec::new());
            for pixel in pixels.chunks_exact(4) {
                rgb.extend_from_slice(&pixel[..3]);
                alpha.push(pixel[3]);
            }
            Ok((w, h, rgb, Some(alpha)))
        }
        _ => Err(strange("a picture of other colours than RGB")),
    }
}

#[cfg(test)]
mod tests;
