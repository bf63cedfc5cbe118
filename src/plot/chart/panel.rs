//! A chart as a panel of a figure: grid, axes, series and legend.

use super::super::colouring::ColourKey;
use super::super::figure::{Margins, Panel};
use super::super::font::{fit, shorten, widest};
use super::super::heat::HeatMap;
use super::super::scale::Scale;
use super::super::stretch::Stretch;
use super::super::style::MapStyle;
use super::super::svg::{Anchor, Canvas, Rect, Text, ink, num};
use super::super::{profiles, side_bar};
use super::place::Place;
use super::series::{Content, Series};
use super::{CAPITAL, Chart, LABEL_GAP, TICK};
use crate::error::Result;

impl Chart {
    /// Height of ticks, labels and name below the plot, px.
    fn axis_below_px(&self, font_px: f64) -> f64 {
        if self.x.bare {
            return TICK * font_px;
        }
        let name = if self.x.label(&self.scales().0).is_empty() { 0.0 } else { 0.65 + CAPITAL };
        (TICK + LABEL_GAP + CAPITAL + name) * font_px
    }

    /// Ticks with their labels, and a line through the plot at each label.
    fn draw_grid(&self, canvas: &mut Canvas, plot: Rect, font_px: f64, scales: &(Scale, Scale)) {
        let (tick, gap) = (TICK * font_px, LABEL_GAP * font_px);
        let thin = num(font_px / 18.0);
        let grid = format!(r##"stroke="#dddddd" stroke-width="{thin}""##);
        let stroke = format!(r#"stroke="{}" stroke-width="{thin}""#, ink::DARK);
        let (x_ticks, y_ticks) = self.ticks(plot.w, plot.h, font_px);
        for t in x_ticks {
            let x = plot.x + scales.0.position(t.value) * plot.w;
            let major = !t.label.is_empty();
            if major {
                canvas.line((x, plot.y), (x, plot.bottom()), &grid);
            }
            canvas.line((x, plot.bottom()), (x, plot.bottom() + if major { tick } else { 0.5 * tick }), &stroke);
            if self.x.bare {
                continue;
            }
            canvas.text(Text::new(
                &t.label,
                x,
                plot.bottom() + tick + gap + CAPITAL * font_px,
                font_px,
                Anchor::Middle,
            ));
        }
        for t in y_ticks {
            let y = plot.bottom() - scales.1.position(t.value) * plot.h;
            let major = !t.label.is_empty();
            if major {
                canvas.line((plot.x, y), (plot.right(), y), &grid);
            }
            canvas.line((plot.x - if major { tick } else { 0.5 * tick }, y), (plot.x, y), &stroke);
            canvas.text(Text::new(&t.label, plot.x - tick - gap, y + 0.5 * CAPITAL * font_px, font_px, Anchor::End));
        }
    }
}

impl Panel for Chart {
    fn aspect(&self) -> Option<f64> {
        Some(if self.aspect.is_finite() { self.aspect.clamp(0.05, 20.0) } else { 0.6 })
    }

    fn title(&self) -> &str {
        &self.title
    }

    fn label(&self) -> &str {
        &self.y.name
    }

    fn colour_key(&self) -> Option<ColourKey> {
        self.heat.as_ref().map(HeatMap::key)
    }

    fn stretch(&self) -> Stretch {
        self.heat.as_ref().map_or(Stretch::Linear, HeatMap::stretched)
    }

    fn colour(&mut self, style: &MapStyle) {
        if let Some(heat) = &mut self.heat {
            heat.restyle(style);
        }
    }

    fn value_range(&self) -> Option<(f64, f64)> {
        self.heat.as_ref().and_then(HeatMap::value_range)
    }

    fn set_value_range(&mut self, lo: f64, hi: f64) {
        if let Some(heat) = &mut self.heat {
            heat.set_range(lo, hi);
        }
    }

    fn settle(&mut self, width_px: f64, height_px: f64, font_px: f64) {
        self.legend = self.legend_place(width_px, height_px, font_px);
    }

    fn margins(&self, width_px: f64, height_px: f64, font_px: f64) -> Margins {
        let (x_ticks, y_ticks) = self.ticks(width_px, height_px, font_px);
        let y = self.scales().1;
        let y_name = if self.y.label(&y).is_empty() { 0.0 } else { 0.65 + 1.25 };
        let labels = widest(y_ticks.iter().map(|t| t.label.as_str()), font_px);
        Margins {
            left: labels + (TICK + LABEL_GAP + y_name + 0.2) * font_px,
            right: match (&self.profiles, &self.heat) {
                (Some(profiles), _) => {
                    side_bar::room(&profiles::scale(profiles.most), &profiles.name, height_px, font_px)
                }
                (None, Some(heat)) => side_bar::room(&heat.scale(), &heat.label(), height_px, font_px),
                (None, None) => 0.5 * widest(x_ticks.iter().map(|t| t.label.as_str()), font_px) + 0.3 * font_px,
            },
            bottom: self.axis_below_px(font_px)
                + self.legend_below_px(font_px)
                + if self.x.bare { 0.0 } else { 0.6 * font_px },
        }
    }

    fn draw(&self, canvas: &mut Canvas, plot: Rect, font_px: f64) -> Result<()> {
        let place = Place { plot, scales: self.scales() };
        self.draw_grid(canvas, plot, font_px, &place.scales);
        let clip = canvas.id("clip");
        let (x, y, w, h) = (num(plot.x), num(plot.y), num(plot.w), num(plot.h));
        canvas.raw(&format!(r#"<clipPath id="{clip}"><rect x="{x}" y="{y}" width="{w}" height="{h}"/></clipPath>"#));
        canvas.open(&format!(r#"clip-path="url(#{clip})""#));
        if let Some(profiles) = &self.profiles {
            profiles::draw(canvas, &profiles.columns, profiles.most, &place);
        }
        if let Some(heat) = &self.heat {
            heat.draw(canvas, &place)?;
        }
        let colours = self.colours();
        // Bands would take the colour off what they cover.
        let is_band = |series: &Series| matches!(series.content, Content::Band(_));
        for bands in [true, false] {
            for (series, colour) in self.series.iter().zip(&colours).filter(|(s, _)| is_band(s) == bands) {
                series.draw(canvas, font_px, colour, &place);
            }
        }
        canvas.close();
        if let Some(profiles) = &self.profiles {
            let scale = profiles::scale(profiles.most);
            side_bar::draw(canvas, plot, profiles::COLOURS, &scale, &profiles.name, font_px)?;
        } else if let Some(heat) = &self.heat {
            side_bar::draw(canvas, plot, heat.colour_map(), &heat.scale(), &heat.label(), font_px)?;
        }
        canvas.rect(plot, &format!(r#"fill="none" stroke="{}" stroke-width="{}""#, ink::DARK, num(font_px / 15.0)));
        self.draw_legend(canvas, plot, font_px, self.axis_below_px(font_px), &colours);

        let (tick, gap) = (TICK * font_px, LABEL_GAP * font_px);
        let x_name = self.x.label(&place.scales.0);
        let baseline = plot.bottom() + tick + gap + (2.0 * CAPITAL + 0.65) * font_px;
        let size = fit(&x_name, font_px, plot.w);
        if !self.x.bare {
            canvas.text(Text::new(&x_name, plot.x + 0.5 * plot.w, baseline, size, Anchor::Middle).grey());
        }
        let (_, y_ticks) = self.ticks(plot.w, plot.h, font_px);
        let labels = widest(y_ticks.iter().map(|t| t.label.as_str()), font_px);
        let (y_name, size) = shorten(&self.y.label(&place.scales.1), font_px, plot.h);
        let x = plot.x - tick - gap - labels - 0.65 * font_px;
        canvas.text(Text::new(&y_name, x, plot.y + 0.5 * plot.h, size, Anchor::Middle).grey().upright());
        Ok(())
    }
}
