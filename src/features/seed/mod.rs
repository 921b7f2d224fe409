//! Demo data: five courses about asynchronous training, a dozen people, and what they have learnt in the past month.
//!
//! `content` holds the courses and people, `story` says who did what and when, `play` does it through the use cases that the
//! API calls, so that the data is what the API would have made.

mod content;
mod play;
mod story;

use crate::auth::passwords;
use crate::error::{AppError, AppResult, Code};
use crate::features::{courses, enrollments, users};
use crate::state::State;

/// The password of every demo log-in.
pub const PASSWORD: &str = "learn-in-my-own-time";

/// A log-in that was made.
#[derive(Debug)]
pub struct Login {
    /// Their e-mail.
    pub email: String,
    /// Their role.
    pub role: &'static str,
    /// What they do.
    pub job: String,
}

/// What was made.
#[derive(Debug)]
pub struct Seeded {
    /// Titles of the courses.
    pub courses: Vec<String>,
    /// Who can log in with [`PASSWORD`].
    pub logins: Vec<Login>,
    /// How many enrollments there are.
    pub enrollments: usize,
}

/// Fills an empty database, all or nothing.
///
/// # Errors
/// 409 when there are courses, or people besides the first admin.
pub fn run(state: &State) -> AppResult<Seeded> {
    let demo = content::load()?;
    let hash = passwords::hash_here(PASSWORD)?;
    let ctx = state.system();
    let seeded = state.db.write_here(move |conn| {
        if courses::any(conn)? || users::any_but_one(conn)? {
            return Err(AppError::new(
                Code::WrongState,
                "The database has courses or people already; demo data goes into an empty one. \
                 Name another file, for instance DATABASE_URL=sqlite:demo.db.",
            ));
        }
        play::everything(conn, &ctx, &demo, &hash)
    })?;
    // One of them was given a last day that has passed; the worker would find it within a minute.
    enrollments::expire_due(state, &serde_json::Value::Null)?;
    Ok(seeded)
}
