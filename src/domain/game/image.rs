//! Badge images as SVG, so that no designer is needed: six shapes, six symbols, any two colours.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The outline of a badge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// A medal with a notched rim and a ribbon.
    #[default]
    Medal,
    /// A shield.
    Shield,
    /// A hexagon.
    Hexagon,
    /// A many-pointed star.
    Burst,
    /// A circle.
    Circle,
    /// A square on its corner.
    Diamond,
}

/// What stands in the middle of a badge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Symbol {
    /// A five-pointed star.
    #[default]
    Star,
    /// A check mark.
    Check,
    /// A flame.
    Flame,
    /// A cup.
    Cup,
    /// A book.
    Book,
    /// A bolt.
    Bolt,
    /// Up to three letters or digits; see [`Design::text`].
    Text,
}

/// How a badge looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"shape": "medal", "symbol": "star", "color": "#1d4ed8", "accent": "#fbbf24"}))]
pub struct Design {
    /// Outline.
    #[schema(required = false)]
    pub shape: Shape,
    /// What stands in the middle.
    #[schema(required = false)]
    pub symbol: Symbol,
    /// Main colour, as `#rrggbb`.
    #[schema(required = false, pattern = "^#[0-9a-fA-F]{6}$")]
    pub color: String,
    /// Second colour, as `#rrggbb`.
    #[schema(required = false, pattern = "^#[0-9a-fA-F]{6}$")]
    pub accent: String,
    /// For the symbol `text`: 1 to 3 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 3)]
    pub text: Option<String>,
}

impl Default for Design {
    fn default() -> Self {
        Self {
            shape: Shape::default(),
            symbol: Symbol::default(),
            color: "#1d4ed8".into(),
            accent: "#fbbf24".into(),
            text: None,
        }
    }
}

fn is_color(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

impl Design {
    /// Every fault that types alone let through.
    #[must_use]
    pub fn faults(&self) -> Vec<super::settings::Fault> {
        let mut faults = Vec::new();
        for (name, color) in [("color", &self.color), ("accent", &self.accent)] {
            if !is_color(color) {
                faults.push((format!("/design/{name}"), "invalid_color", "Write a colour as #rrggbb.".to_owned()));
            }
        }
        let letters = self.text.as_ref().map(|text| text.chars().count());
        if letters.is_some_and(|n| !(1..=3).contains(&n)) || (self.symbol == Symbol::Text && letters.is_none()) {
            faults.push(("/design/text".into(), "length", "The text has 1 to 3 characters.".to_owned()));
        }
        faults
    }
}

/// Points on one or two circles around the centre, as an SVG point list.
fn ring(count: u32, outer: f64, inner: f64) -> String {
    let mut points = String::new();
    for n in 0..count {
        let radius = if n % 2 == 0 { outer } else { inner };
        let angle = std::f64::consts::TAU * f64::from(n) / f64::from(count) - std::f64::consts::FRAC_PI_2;
        let _ = write!(points, "{:.2},{:.2} ", 100.0 + radius * angle.cos(), 100.0 + radius * angle.sin());
    }
    points
}

fn outline(shape: Shape, style: &str, scale: f64) -> String {
    let r = 88.0 * scale;
    match shape {
        Shape::Circle => format!(r#"<circle cx="100" cy="100" r="{r:.2}" {style}/>"#),
        Shape::Medal => format!(r#"<polygon points="{}" {style}/>"#, ring(48, 80.0 * scale, 74.0 * scale)),
        Shape::Burst => format!(r#"<polygon points="{}" {style}/>"#, ring(24, r, 72.0 * scale)),
        Shape::Hexagon => format!(r#"<polygon points="{}" {style}/>"#, ring(6, r, r)),
        Shape::Diamond => format!(r#"<polygon points="{}" {style}/>"#, ring(4, 96.0 * scale, 96.0 * scale)),
        Shape::Shield => format!(
            r#"<path transform="translate(100 100) scale({scale:.3})" d="M0 -88 L72 -64 V-4 C72 42 38 72 0 90 C-38 72 -72 42 -72 -4 V-64 Z" {style}/>"#
        ),
    }
}

/// Writes a text so that it is text in XML too.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            // XML 1.0 has neither control characters nor these two.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => safe.push(c),
        }
    }
    safe
}

fn symbol(design: &Design) -> String {
    let fill = r##"fill="#ffffff""##;
    let line = r##"fill="none" stroke="#ffffff" stroke-width="12" stroke-linecap="round" stroke-linejoin="round""##;
    match design.symbol {
        Symbol::Star => format!(r#"<polygon points="{}" {fill}/>"#, ring(10, 44.0, 19.0)),
        Symbol::Check => format!(r#"<path d="M68 102 L91 125 L134 78" {line}/>"#),
        Symbol::Flame => format!(
            r#"<path d="M102 54 C106 78 134 86 134 114 C134 134 119 147 100 147 C81 147 66 134 66 114 C66 100 74 92 80 82 C84 92 88 94 92 96 C90 80 94 66 102 54 Z" {fill}/>"#
        ),
        Symbol::Cup => format!(
            r#"<path d="M72 60 H128 V86 C128 106 116 118 106 121 V134 H122 V146 H78 V134 H94 V121 C84 118 72 106 72 86 Z" {fill}/><path d="M72 68 H56 C56 90 64 98 76 100 M128 68 H144 C144 90 136 98 124 100" {line} style="stroke-width:7"/>"#
        ),
        Symbol::Book => format!(
            r#"<path d="M100 72 C86 62 70 60 56 62 V134 C70 132 86 134 100 144 C114 134 130 132 144 134 V62 C130 60 114 62 100 72 Z" {fill}/><path d="M100 76 V140" stroke="{}" stroke-width="5"/>"#,
            design.color
        ),
        Symbol::Bolt => format!(r#"<polygon points="110,48 66,110 95,110 88,152 134,88 104,88" {fill}/>"#),
        Symbol::Text => format!(
            r#"<text x="100" y="103" {fill} font-family="system-ui, sans-serif" font-size="56" font-weight="700" text-anchor="middle" dominant-baseline="central">{}</text>"#,
            escape(design.text.as_deref().unwrap_or_default())
        ),
    }
}

/// The image of a badge.
#[must_use]
pub fn svg(title: &str, design: &Design) -> String {
    let mut svg = String::with_capacity(3000);
    let title = escape(title);
    let (color, accent) = (&design.color, &design.accent);
    svg.push_str(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200" width="200" height="200" role="img" "#,
    );
    let _ = write!(svg, r#"aria-label="{title}"><title>{title}</title>"#);
    let _ = write!(
        svg,
        r##"<defs><linearGradient id="g" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#ffffff" stop-opacity=".28"/><stop offset="1" stop-color="#000000" stop-opacity=".18"/></linearGradient></defs>"##
    );
    if design.shape == Shape::Medal {
        let _ =
            write!(svg, r#"<path d="M62 130 L46 196 L78 182 L100 198 L122 182 L154 196 L138 130 Z" fill="{accent}"/>"#);
    }
    svg.push_str(&outline(design.shape, &format!(r#"fill="{accent}""#), 1.0));
    svg.push_str(&outline(design.shape, &format!(r#"fill="{color}""#), 0.88));
    svg.push_str(&outline(design.shape, r#"fill="url(#g)""#, 0.88));
    svg.push_str(&outline(design.shape, &format!(r#"fill="none" stroke="{accent}" stroke-width="2.5""#), 0.76));
    svg.push_str(&symbol(design));
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_design_is_one_closed_document_that_carries_no_markup_of_others() {
        use Symbol::{Bolt, Book, Check, Cup, Flame, Star, Text};
        for shape in [Shape::Medal, Shape::Shield, Shape::Hexagon, Shape::Burst, Shape::Circle, Shape::Diamond] {
            for symbol in [Star, Check, Flame, Cup, Book, Bolt, Text] {
                let design = Design { shape, symbol, text: Some("<&>".into()), ..Design::default() };
                assert!(design.faults().is_empty());
                let image = svg("A <script>\u{1}\u{fffe} & \"more\"", &design);
                assert!(image.starts_with("<svg ") && image.ends_with("</svg>"));
                assert!(!image.contains("<script") && !image.contains("& ") && !image.contains(['\u{1}', '\u{fffe}']));
            }
        }
    }

    #[test]
    fn wrong_colours_and_long_texts_are_refused() {
        let design =
            Design { color: "red".into(), accent: "#12345g".into(), symbol: Symbol::Text, ..Design::default() };
        let at: Vec<String> = design.faults().into_iter().map(|(at, ..)| at).collect();
        assert_eq!(at, ["/design/color", "/design/accent", "/design/text"]);
    }
}
