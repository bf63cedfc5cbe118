//! Writing SVG text: a drawing as a list of elements.

use std::fmt::Write;

use base64::Engine;

use super::font;

/// Colours of the drawing outside the map itself.
pub(super) mod ink {
    /// Frames, ticks and texts.
    pub const DARK: &str = "#1a1a1a";
    /// Titles of axes and secondary texts.
    pub const GREY: &str = "#444444";
    /// Signs and names on a map.
    pub const BLACK: &str = "#000000";
    /// Ground.
    pub const WHITE: &str = "#ffffff";
}

/// Where a text is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// One line of text.
pub(super) struct Text<'a> {
    pub text: &'a str,
    pub x: f64,
    /// Baseline.
    pub y: f64,
    pub size_px: f64,
    pub anchor: Anchor,
    pub fill: &'a str,
    /// Turned by 90° against the clock.
    pub upright: bool,
    /// A halo of that colour around the letters.
    pub halo: Option<&'a str>,
}

impl<'a> Text<'a> {
    pub fn new(text: &'a str, x: f64, y: f64, size_px: f64, anchor: Anchor) -> Self {
        Self { text, x, y, size_px, anchor, fill: ink::DARK, upright: false, halo: None }
    }

    pub fn grey(mut self) -> Self {
        self.fill = ink::GREY;
        self
    }

    pub fn upright(mut self) -> Self {
        self.upright = true;
        self
    }

    /// Dark letters in a white halo, or on a dark ground the other way round.
    pub fn haloed(mut self, on_dark: bool) -> Self {
        (self.fill, self.halo) = if on_dark { (ink::WHITE, Some(ink::BLACK)) } else { (ink::BLACK, Some(ink::WHITE)) };
        self
    }
}

/// A rectangle in px; y grows downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rect {
    pub x: f64,
    pub y: f64,
    pub w: f64,
    pub h: f64,
}

impl Rect {
    pub fn right(&self) -> f64 {
        self.x + self.w
    }

    pub fn bottom(&self) -> f64 {
        self.y + self.h
    }

    pub fn overlaps(&self, other: &Self) -> bool {
        self.x < other.right() && other.x < self.right() && self.y < other.bottom() && other.y < self.bottom()
    }

    pub fn holds(&self, other: &Self) -> bool {
        other.x >= self.x && other.right() <= self.right() && other.y >= self.y && other.bottom() <= self.bottom()
    }

    pub fn holds_point(&self, x: f64, y: f64) -> bool {
        x >= self.x && x <= self.right() && y >= self.y && y <= self.bottom()
    }
}

/// A number with at most two decimals, as SVG attributes have it.
pub(super) fn num(v: f64) -> String {
    let mut text = format!("{v:.2}");
    while text.contains('.') && (text.ends_with('0') || text.ends_with('.')) {
        text.pop();
    }
    if text == "-0" { "0".to_string() } else { text }
}

/// Text inside an element or attribute.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Not allowed in XML.
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// `M x y L x y …`, closed on demand.
pub(super) fn path_data(points: &[(f64, f64)], closed: bool) -> String {
    let mut data = String::with_capacity(points.len() * 14);
    for (i, (x, y)) in points.iter().enumerate() {
        let _ = write!(data, "{}{} {}", if i == 0 { "M" } else { "L" }, num(*x), num(*y));
    }
    if closed && !points.is_empty() {
        data.push('Z');
    }
    data
}

/// Elements of a drawing, in order, with identifiers that are unique within it.
#[derive(Debug, Default)]
pub(super) struct Canvas {
    body: String,
    next_id: usize,
}

impl Canvas {
    pub fn id(&mut self, stem: &str) -> String {
        self.next_id += 1;
        format!("{stem}{}", self.next_id)
    }

    pub fn raw(&mut self, text: &str) {
        self.body.push_str(text);
        self.body.push('\n');
    }

    /// A rectangle; `attributes` such as `fill="none" stroke="black"`.
    pub fn rect(&mut self, r: Rect, attributes: &str) {
        let (x, y, w, h) = (num(r.x), num(r.y), num(r.w), num(r.h));
        self.raw(&format!(r#"<rect x="{x}" y="{y}" width="{w}" height="{h}" {attributes}/>"#));
    }

    pub fn line(&mut self, a: (f64, f64), b: (f64, f64), attributes: &str) {
        self.path(&path_data(&[a, b], false), attributes);
    }

    pub fn path(&mut self, data: &str, attributes: &str) {
        if !data.is_empty() {
            self.raw(&format!(r#"<path d="{data}" {attributes}/>"#));
        }
    }

    /// A picture of pixels, stretched to a rectangle without smoothing.
    pub fn png(&mut self, bytes: &[u8], r: Rect) {
        let data = base64::engine::general_purpose::STANDARD.encode(bytes);
        let (x, y, w, h) = (num(r.x), num(r.y), num(r.w), num(r.h));
        self.raw(&format!(
            r#"<image x="{x}" y="{y}" width="{w}" height="{h}" preserveAspectRatio="none" style="image-rendering:pixelated" xlink:href="data:image/png;base64,{data}"/>"#
        ));
    }

    pub fn open(&mut self, attributes: &str) {
        self.raw(&format!("<g {attributes}>"));
    }

    pub fn close(&mut self) {
        self.raw("</g>");
    }

    pub fn text(&mut self, t: Text) {
        if t.text.is_empty() {
            return;
        }
        let anchor = match t.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (x, y) = (num(t.x), num(t.y));
        let turn = if t.upright { format!(r#" transform="rotate(-90 {x} {y})""#) } else { String::new() };
        let halo = t.halo.map_or_else(String::new, |colour| {
            let width = num(t.size_px * 0.2);
            format!(
                r#" stroke="{colour}" stroke-width="{width}" stroke-opacity="0.75" stroke-linejoin="round" paint-order="stroke""#
            )
        });
        let (size, fill) = (num(t.size_px), t.fill);
        let text = escape(&font::drawable(t.text));
        self.raw(&format!(
            r#"<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="{fill}"{halo}{turn}>{text}</text>"#
        ));
    }

    pub fn into_body(self) -> String {
        self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(num(12.0), "12");
        assert_eq!(num(-0.001), "0");
        assert_eq!(num(1.256), "1.26");
        assert_eq!(num(100.0), "100");
    }

    #[test]
    fn markup_in_texts_is_escaped() {
        let mut canvas = Canvas::default();
        canvas.text(Text::new("a<b & \"c\"", 1.0, 2.0, 10.0, Anchor::Start));
        assert!(canvas.into_body().contains("a&lt;b &amp; &quot;c&quot;</text>"));
    }
}
