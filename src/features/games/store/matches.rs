//! SQL about matches.

use chrono::{DateTime, Utc};
use diesel::upsert::excluded;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, Selectable, SelectableHelper,
};
use uuid::Uuid;

use super::PIECE;
use crate::db::Conn;
use crate::db::schema::game_matches as matches;
use crate::db::types::{At, Id};
use crate::error::AppResult;
use crate::per_backend;

/// A row of `game_matches`.
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = matches)]
pub struct MatchRow {
    pub id: Uuid,
    pub game_id: Uuid,
    pub format: String,
    pub round: i32,
    pub slot: i32,
    pub home_team_id: Option<Uuid>,
    pub away_team_id: Option<Uuid>,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub state: String,
    pub home_score: Option<f64>,
    pub away_score: Option<f64>,
    pub winner_id: Option<Uuid>,
}

macro_rules! values {
    ($row:expr) => {{
        let row = $row;
        (
            matches::id.eq(Id(row.id)),
            matches::game_id.eq(Id(row.game_id)),
            matches::format.eq(&row.format),
            matches::round.eq(row.round),
            matches::slot.eq(row.slot),
            matches::home_team_id.eq(row.home_team_id.map(Id)),
            matches::away_team_id.eq(row.away_team_id.map(Id)),
            matches::starts_at.eq(At(row.starts_at)),
            matches::ends_at.eq(At(row.ends_at)),
            matches::state.eq(&row.state),
            matches::home_score.eq(row.home_score),
            matches::away_score.eq(row.away_score),
            matches::winner_id.eq(row.winner_id.map(Id)),
        )
    }};
}

pub fn insert(conn: &mut Conn, rows: &[MatchRow]) -> AppResult<()> {
    let values: Vec<_> = rows.iter().map(|row| values!(row)).collect();
    for piece in values.chunks(PIECE) {
        per_backend!(conn, |c| diesel::insert_into(matches::table).values(piece).execute(c))?;
    }
    Ok(())
}

pub fn of_game(conn: &mut Conn, game: Uuid) -> AppResult<Vec<MatchRow>> {
    Ok(matches::table
        .filter(matches::game_id.eq(Id(game)))
        .order((matches::round, matches::slot))
        .select(MatchRow::as_select())
        .load(conn)?)
}

/// Games with matches that are over by then and not yet decided.
pub fn due(conn: &mut Conn, by: DateTime<Utc>) -> AppResult<Vec<Uuid>> {
    Ok(matches::table
        .filter(matches::state.eq("scheduled"))
        .filter(matches::ends_at.le(At(by)))
        .select(matches::game_id)
        .distinct()
        .limit(100)
        .load(conn)?)
}

/// Writes what can change of matches that exist.
pub fn save(conn: &mut Conn, rows: &[MatchRow]) -> AppResult<()> {
    let values: Vec<_> = rows.iter().map(|row| values!(row)).collect();
    for piece in values.chunks(PIECE) {
        per_backend!(conn, |c| diesel::insert_into(matches::table)
            .values(piece)
            .on_conflict(matches::id)
            .do_update()
            .set((
                matches::home_team_id.eq(excluded(matches::home_team_id)),
                matches::away_team_id.eq(excluded(matches::away_team_id)),
                matches::state.eq(excluded(matches::state)),
                matches::home_score.eq(excluded(matches::home_score)),
                matches::away_score.eq(excluded(matches::away_score)),
                matches::winner_id.eq(excluded(matches::winner_id)),
            ))
            .execute(c))?;
    }
    Ok(())
}

/// Whether a team stands in the schedule of a game.
pub fn has_team(conn: &mut Conn, game: Uuid, team: Uuid) -> AppResult<bool> {
    let these = matches::table
        .filter(matches::game_id.eq(Id(game)))
        .filter(matches::home_team_id.eq(Id(team)).or(matches::away_team_id.eq(Id(team))));
    Ok(these.select(matches::id).first::<Uuid>(conn).optional()?.is_some())
}

/// Calls off the matches of a game that would end after an instant.
pub fn cancel(conn: &mut Conn, game: Uuid, after: DateTime<Utc>) -> AppResult<()> {
    let these = matches::table
        .filter(matches::game_id.eq(Id(game)))
        .filter(matches::state.eq("scheduled"))
        .filter(matches::ends_at.gt(At(after)));
    diesel::update(these).set(matches::state.eq("cancelled")).execute(conn)?;
    Ok(())
}

pub fn clear(conn: &mut Conn, game: Uuid) -> AppResult<()> {
    diesel::delete(matches::table.filter(matches::game_id.eq(Id(game)))).execute(conn)?;
    Ok(())
}
