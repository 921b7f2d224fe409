//! What an enrollment was at a past instant, by what the event log tells of it.

use super::facts::Instant;

/// What the log tells of an enrollment's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// It was made, with this status, on this revision.
    Created {
        /// The status.
        status: String,
        /// The revision.
        revision: i32,
    },
    /// It got this status: it was approved, withdrawn, completed and so on.
    Became(String),
    /// It came off the waitlist, on the revision that was the newest.
    Promoted,
    /// It was moved to a newer revision from this one.
    Upgraded(i32),
}

/// What an enrollment was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Then {
    /// The status.
    pub status: String,
    /// The revision.
    pub revision: i32,
    /// When it began to be open for learning, or was made when it was not.
    pub enrolled_at: Instant,
}

/// Tells what an enrollment was at an instant, from its life in order and what it is now. What the log does not tell is as it is now.
#[must_use]
pub fn then(life: &[(Instant, Turn)], now: Then, created_at: Instant, as_of: Instant) -> Then {
    let before = || life.iter().filter(|(at, _)| *at <= as_of);
    let mut then = Then { enrolled_at: now.enrolled_at.min(created_at), ..now.clone() };
    let mut waited = false;
    for (at, turn) in before() {
        let status = match turn {
            Turn::Created { status, .. } | Turn::Became(status) => status.as_str(),
            Turn::Promoted => "active",
            Turn::Upgraded(_) => continue,
        };
        if status == "active" && waited {
            then.enrolled_at = *at;
        }
        waited = matches!(status, "pending" | "waitlisted");
        status.clone_into(&mut then.status);
    }
    if before().next().is_none() {
        then.enrolled_at = now.enrolled_at;
    }
    let created = life.iter().find_map(|(_, turn)| match turn {
        Turn::Created { revision, .. } => Some(*revision),
        _ => None,
    });
    let left = life.iter().filter(|(at, _)| *at > as_of).find_map(|(_, turn)| match turn {
        Turn::Upgraded(from) => Some(*from),
        // Whoever waits is on the revision of when they came.
        Turn::Promoted => created,
        _ => None,
    });
    then.revision = left.unwrap_or(now.revision);
    then
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;

    fn at(day: i64) -> Instant {
        DateTime::UNIX_EPOCH + TimeDelta::days(day)
    }

    #[test]
    fn it_was_what_the_log_says() {
        let became = |status: &str| Turn::Became(status.to_owned());
        let life = [
            (at(1), Turn::Created { status: "pending".into(), revision: 1 }),
            (at(2), became("waitlisted")),
            (at(3), Turn::Promoted),
            (at(4), Turn::Upgraded(2)),
            (at(5), became("completed")),
            (at(6), became("active")),
            (at(7), Turn::Upgraded(3)),
            (at(8), became("withdrawn")),
        ];
        let now = || Then { status: "withdrawn".into(), revision: 4, enrolled_at: at(3) };
        for (day, status, revision, enrolled) in [
            (1, "pending", 1, 1),
            (2, "waitlisted", 1, 1),
            (3, "active", 2, 3),
            (4, "active", 3, 3),
            (5, "completed", 3, 3),
            (6, "active", 3, 3),
            (7, "active", 4, 3),
            (8, "withdrawn", 4, 3),
        ] {
            let wanted = Then { status: status.into(), revision, enrolled_at: at(enrolled) };
            assert_eq!(then(&life, now(), at(1), at(day)), wanted, "on day {day}");
        }
    }

    #[test]
    fn without_a_log_it_was_as_it_is() {
        let now = Then { status: "active".into(), revision: 2, enrolled_at: at(3) };
        assert_eq!(then(&[], now.clone(), at(1), at(9)), now);
    }
}
