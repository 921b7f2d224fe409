//! Buckets of time for which points are summed: all time, calendar week, month, season.

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A kind of bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// All time.
    #[default]
    All,
    /// The week, Monday to Sunday.
    Week,
    /// The calendar month.
    Month,
    /// The game's season: so many days from its start, or the calendar quarter.
    Season,
}

impl Period {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::All, Self::Week, Self::Month, Self::Season];

    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Week => "week",
            Self::Month => "month",
            Self::Season => "season",
        }
    }
}

/// What a game's seasons are counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seasons {
    /// The first day of the first season.
    pub from: NaiveDate,
    /// Days of one; calendar quarters when absent.
    pub days: Option<u32>,
}

/// The first day of the bucket that an instant lies in; `None` for all time.
#[must_use]
pub fn first_day(period: Period, at: DateTime<Utc>, seasons: Seasons) -> Option<NaiveDate> {
    let day = at.date_naive();
    match period {
        Period::All => None,
        Period::Week => day.checked_sub_days(Days::new(day.weekday().num_days_from_monday().into())),
        Period::Month => day.with_day(1),
        Period::Season => match seasons.days {
            None => NaiveDate::from_ymd_opt(day.year(), (day.month0() / 3).saturating_mul(3).saturating_add(1), 1),
            Some(days) => {
                let length = i64::from(days.max(1));
                let number = (day - seasons.from).num_days().div_euclid(length);
                seasons.from.checked_add_signed(TimeDelta::try_days(number.saturating_mul(length))?)
            }
        },
    }
}

/// The name of the bucket that an instant lies in, such as `all`, `week:2026-11-23`.
#[must_use]
pub fn bucket(period: Period, at: DateTime<Utc>, seasons: Seasons) -> String {
    match first_day(period, at, seasons) {
        None => period.as_str().to_owned(),
        Some(day) => format!("{}:{day}", period.as_str()),
    }
}

/// The instant at which the bucket after that of `at` begins; `None` for all time.
#[must_use]
pub fn next_start(period: Period, at: DateTime<Utc>, seasons: Seasons) -> Option<DateTime<Utc>> {
    let first = first_day(period, at, seasons)?;
    let next = match period {
        Period::All => return None,
        Period::Week => first.checked_add_days(Days::new(7))?,
        Period::Month => first.checked_add_months(chrono::Months::new(1))?,
        Period::Season => match seasons.days {
            None => first.checked_add_months(chrono::Months::new(3))?,
            Some(days) => first.checked_add_days(Days::new(days.max(1).into()))?,
        },
    };
    Some(next.and_time(chrono::NaiveTime::MIN).and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn buckets_begin_where_calendars_say() {
        let quarters = Seasons { from: NaiveDate::from_ymd_opt(2026, 1, 5).unwrap(), days: None };
        let tens = Seasons { days: Some(10), ..quarters };
        for (period, instant, seasons, name) in [
            (Period::All, "2026-11-24T10:00:00Z", quarters, "all"),
            (Period::Week, "2026-11-24T10:00:00Z", quarters, "week:2026-11-23"),
            (Period::Week, "2026-11-23T00:00:00Z", quarters, "week:2026-11-23"),
            (Period::Week, "2026-11-22T23:59:59Z", quarters, "week:2026-11-16"),
            (Period::Week, "2027-01-01T00:00:00Z", quarters, "week:2026-12-28"),
            (Period::Month, "2026-11-30T23:59:59Z", quarters, "month:2026-11-01"),
            (Period::Season, "2026-11-30T23:59:59Z", quarters, "season:2026-10-01"),
            (Period::Season, "2026-01-14T00:00:00Z", tens, "season:2026-01-05"),
            (Period::Season, "2026-01-15T00:00:00Z", tens, "season:2026-01-15"),
            (Period::Season, "2026-01-04T00:00:00Z", tens, "season:2025-12-26"),
        ] {
            assert_eq!(bucket(period, at(instant), seasons), name);
        }
    }

    #[test]
    fn the_next_bucket_begins_where_this_one_ends() {
        let seasons = Seasons { from: NaiveDate::from_ymd_opt(2026, 1, 5).unwrap(), days: Some(10) };
        for period in [Period::Week, Period::Month, Period::Season] {
            let now = at("2026-12-30T10:00:00Z");
            let next = next_start(period, now, seasons).unwrap();
            assert_ne!(bucket(period, next, seasons), bucket(period, now, seasons));
            assert_eq!(bucket(period, next - TimeDelta::microseconds(1), seasons), bucket(period, now, seasons));
        }
    }
}
