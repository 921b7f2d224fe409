//! Games: points from events into an append-only ledger, levels, badges, leaderboards, teams, matches, leagues.
//!
//! * `domain::game` says what the rules come to; nothing there knows a database.
//! * `service::scoring` is a consumer of the event log. Points are there **within a second** of the event that earns them, not
//!   in the answer to the call that caused it: what a call must show is computed before its commit, all else after.
//! * `service::booking` is the one way into the ledger. In the transaction of an entry it brings along every sum made of it:
//!   players' and teams' totals by bucket of time, and the log of moves that leaderboards follow.
//! * `store::ranking` explains how a rank is found without counting everybody.
//!
//! A game's row is locked by whoever books in it. The order of locks is: cursor of the event log, then games by id.

pub mod dto;
mod routes;
pub mod service;
mod store;

use crate::http::routes::Routes;
use crate::state::State;

pub use service::badges::award_by_rule as award_badge;
pub use service::criteria::{JOB as BADGE_JOB, award_to_rest as award_badges_to_rest};
pub use service::ending::close_due;
pub use service::leagues::roll_due as draw_due_leagues;
pub use service::matches::settle_due as settle_due_matches;
pub use service::points::{Given, add_facts, award as award_points};
pub use service::scoring::CONSUMER;

use crate::db::Conn;
use crate::error::AppResult;

/// Which of these ids are games or badges.
///
/// # Errors
/// Database errors.
pub fn existing(conn: &mut Conn, ids: &[uuid::Uuid]) -> AppResult<Vec<uuid::Uuid>> {
    store::badges::existing(conn, ids)
}

/// Keeps leaderboards that were asked for up to date while points come in, so that the next who asks need not wait for thousands
/// of moves. Runs as long as the process serves.
pub async fn follow_boards(state: State) {
    let mut ticks = actix_web::rt::time::interval(std::time::Duration::from_millis(200));
    let mut seen = None;
    let mut quiet = 0_u32;
    loop {
        ticks.tick().await;
        // What other processes commit is looked for now and then.
        let commits = state.db.commits().count();
        quiet = quiet.saturating_add(1);
        if !store::ranking::holds_any() || (seen == Some(commits) && quiet < 10) {
            continue;
        }
        (seen, quiet) = (Some(commits), 0);
        if let Err(error) = state.db.read_slow(store::ranking::follow_all).await {
            log::warn!("leaderboards could not be followed: {error}");
        }
    }
}

/// Registers the area's operations.
pub fn register(config: &mut Routes<'_, '_>) {
    config
        .service(routes::game::get_leaderboard)
        .service(routes::game::create_game)
        .service(routes::game::list_games)
        .service(routes::game::get_game)
        .service(routes::game::update_game)
        .service(routes::game::delete_game)
        .service(routes::game::close_game)
        .service(routes::game::get_game_report)
        .service(routes::game::replay_game)
        .service(routes::game::get_league)
        .service(routes::game::draw_leagues)
        .service(routes::live::watch_game)
        .service(routes::players::list_ledger)
        .service(routes::players::correct_points)
        .service(routes::players::get_levels)
        .service(routes::players::list_flags)
        .service(routes::players::resolve_flag)
        .service(routes::players::list_user_points)
        .service(routes::players::list_user_badges)
        .service(routes::players::get_game_preferences)
        .service(routes::players::set_game_preferences)
        .service(routes::teams::create_team)
        .service(routes::teams::list_teams)
        .service(routes::teams::draw_teams)
        .service(routes::teams::join_team)
        .service(routes::teams::get_team)
        .service(routes::teams::update_team)
        .service(routes::teams::delete_team)
        .service(routes::teams::list_team_members)
        .service(routes::teams::set_team_member)
        .service(routes::teams::remove_team_member)
        .service(routes::teams::schedule_matches)
        .service(routes::teams::list_matches)
        .service(routes::badges::create_badge)
        .service(routes::badges::list_badges)
        .service(routes::badges::get_badge)
        .service(routes::badges::update_badge)
        .service(routes::badges::delete_badge)
        .service(routes::badges::award_badge)
        .service(routes::badges::list_badge_awards)
        .service(routes::badges::revoke_badge_award)
        .service(routes::badges::get_badge_image);
}
