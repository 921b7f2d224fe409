//! Dates as people write them. Which way round is never guessed: a list says it.

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the dates of a list are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DateStyle {
    /// `2026-11-24`.
    #[default]
    Iso,
    /// `24.11.2026`, `24/11/2026`, `24-11-2026`; ISO too.
    DayFirst,
    /// `11/24/2026`; ISO too.
    MonthFirst,
}

/// Reads a date of this style as `YYYY-MM-DD`.
#[must_use]
pub fn read(text: &str, style: DateStyle) -> Option<String> {
    let text = text.trim();
    let formats: &[&str] = match style {
        DateStyle::Iso => &["%Y-%m-%d"],
        DateStyle::DayFirst => &["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y"],
        DateStyle::MonthFirst => &["%Y-%m-%d", "%m/%d/%Y", "%m-%d-%Y"],
    };
    let year_first = text.split(['-', '.', '/']).next().is_some_and(|part| part.len() == 4);
    formats
        .iter()
        .filter(|format| format.starts_with("%Y") == year_first)
        .find_map(|format| NaiveDate::parse_from_str(text, format).ok())
        // A year of two digits would be read as one of antiquity.
        .filter(|date| (1000..=9999).contains(&date.year()))
        .map(|date| date.format("%Y-%m-%d").to_string())
}
