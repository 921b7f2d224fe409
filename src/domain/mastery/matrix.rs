//! The mastery of a class as a picture: a heat map in SVG.

use std::fmt::Write;

use super::method::reaches;

/// What a heat map shows.
#[derive(Debug, Clone)]
pub struct Heat {
    /// Titles of the competencies, each with the mastery from which it counts as mastered.
    pub columns: Vec<(String, f64)>,
    /// Names of the learners, each with a value for every column.
    pub rows: Vec<(String, Vec<Option<f64>>)>,
}

const CELL: usize = 26;
const LEFT: usize = 190;
const TOP: usize = 170;

/// Text as it may stand in XML; what XML cannot hold is left out.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return escape(text);
    }
    let cut: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", escape(&cut))
}

/// From pale to strong; colours that people who confuse red and green tell apart.
fn colour(value: f64) -> String {
    let mix = |from: f64, to: f64| (from + (to - from) * value.clamp(0.0, 1.0)).round();
    format!("rgb({},{},{})", mix(247.0, 8.0), mix(251.0, 81.0), mix(255.0, 156.0))
}

impl Heat {
    /// The picture. Each cell tells its learner, competency and value as a title; who mastered has a bar below.
    #[must_use]
    pub fn svg(&self) -> String {
        let width = LEFT.saturating_add(self.columns.len().saturating_mul(CELL)).saturating_add(20);
        let height = TOP.saturating_add(self.rows.len().saturating_mul(CELL)).saturating_add(20);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"sans-serif\" font-size=\"12\" role=\"img\"><title>Mastery of a class</title>\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
        );
        for (n, (title, _)) in self.columns.iter().enumerate() {
            let x = LEFT.saturating_add(n.saturating_mul(CELL)).saturating_add(17);
            let y = TOP.saturating_sub(8);
            let _ =
                write!(svg, "<text x=\"{x}\" y=\"{y}\" transform=\"rotate(-60 {x} {y})\">{}</text>", short(title, 26));
        }
        for (n, (name, values)) in self.rows.iter().enumerate() {
            let y = TOP.saturating_add(n.saturating_mul(CELL));
            let _ = write!(svg, "<text x=\"8\" y=\"{}\">{}</text>", y.saturating_add(17), short(name, 26));
            for (m, (value, (title, threshold))) in values.iter().zip(&self.columns).enumerate() {
                self.cell(&mut svg, (LEFT.saturating_add(m.saturating_mul(CELL)), y), name, title, *value, *threshold);
            }
        }
        svg.push_str("</svg>");
        svg
    }

    fn cell(
        &self,
        svg: &mut String,
        (x, y): (usize, usize),
        name: &str,
        title: &str,
        value: Option<f64>,
        threshold: f64,
    ) {
        let size = CELL.saturating_sub(2);
        let (fill, told) = match value {
            Some(value) => (colour(value), format!("{:.0} %", value * 100.0)),
            None => ("#eeeeee".to_owned(), "no evidence".to_owned()),
        };
        let _ = write!(
            svg,
            "<g><title>{}, {}: {told}</title><rect x=\"{x}\" y=\"{y}\" width=\"{size}\" height=\"{size}\" fill=\"{fill}\"/>",
            escape(name),
            escape(title)
        );
        if value.is_some_and(|value| reaches(value, threshold)) {
            let bar = y.saturating_add(size).saturating_sub(4);
            let _ = write!(svg, "<rect x=\"{x}\" y=\"{bar}\" width=\"{size}\" height=\"4\" fill=\"#f5a623\"/>");
        }
        svg.push_str("</g>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out_and_each_cell_tells_its_value() {
        let heat = Heat {
            columns: vec![("<b>&\u{0}".to_owned(), 0.8), ("Ask".to_owned(), 0.8)],
            rows: vec![("\"Ada\"".to_owned(), vec![Some(0.8), None])],
        };
        let svg = heat.svg();
        assert!(svg.contains("<title>&quot;Ada&quot;, &lt;b&gt;&amp;: 80 %</title>"), "{svg}");
        assert!(svg.contains("Ask: no evidence"));
        assert_eq!(svg.matches("#f5a623").count(), 1);
        assert!(!svg.contains('\u{0}'));
    }
}
