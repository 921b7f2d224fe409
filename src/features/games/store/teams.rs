//! SQL about teams and who was in them when.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, Selectable, SelectableHelper,
};
use uuid::Uuid;

use super::PIECE;
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::db::schema::{game_team_members as members, game_teams as teams, games};
use crate::db::types::{At, Id};
use crate::error::{AppError, AppResult, is_unique_violation};
use crate::per_backend;

/// A row of `game_teams`.
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = teams)]
pub struct TeamRow {
    pub id: Uuid,
    pub game_id: Uuid,
    pub name: String,
    pub code: Option<String>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

pub fn find(conn: &mut Conn, game: Uuid, id: Uuid) -> AppResult<Option<TeamRow>> {
    let this = teams::table.filter(teams::id.eq(Id(id))).filter(teams::game_id.eq(Id(game)));
    Ok(this.select(TeamRow::as_select()).first(conn).optional()?)
}

pub fn by_code(conn: &mut Conn, game: Uuid, code: &str) -> AppResult<Option<TeamRow>> {
    let this = teams::table.filter(teams::code.eq(code)).filter(teams::game_id.eq(Id(game)));
    Ok(this.select(TeamRow::as_select()).first(conn).optional()?)
}

pub fn list(conn: &mut Conn, game: Uuid, page: &PageRequest) -> AppResult<Rows<TeamRow>> {
    let mut query = teams::table
        .filter(teams::game_id.eq(Id(game)))
        .select(TeamRow::as_select())
        .order(teams::id)
        .limit(page.fetch())
        .into_boxed();
    if let Some(after) = page.after {
        query = query.filter(teams::id.gt(Id(after)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.id))
}

pub fn names(conn: &mut Conn, game: Uuid) -> AppResult<HashMap<Uuid, String>> {
    let rows: Vec<(Uuid, String)> =
        teams::table.filter(teams::game_id.eq(Id(game))).select((teams::id, teams::name)).load(conn)?;
    Ok(rows.into_iter().collect())
}

pub fn count(conn: &mut Conn, game: Uuid) -> AppResult<i64> {
    Ok(teams::table.filter(teams::game_id.eq(Id(game))).count().get_result(conn)?)
}

fn taken(error: diesel::result::Error) -> AppError {
    if is_unique_violation(&error) {
        AppError::field("/name", "taken", "Another team of the game has this name.")
    } else {
        error.into()
    }
}

pub fn insert(conn: &mut Conn, rows: &[TeamRow]) -> AppResult<()> {
    let values: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                teams::id.eq(Id(row.id)),
                teams::game_id.eq(Id(row.game_id)),
                teams::name.eq(&row.name),
                teams::name_key.eq(row.name.to_lowercase()),
                teams::code.eq(row.code.as_deref()),
                teams::version.eq(row.version),
                teams::created_at.eq(At(row.created_at)),
                teams::updated_at.eq(At(row.updated_at)),
            )
        })
        .collect();
    for piece in values.chunks(PIECE) {
        per_backend!(conn, |c| diesel::insert_into(teams::table).values(piece).execute(c)).map_err(taken)?;
    }
    Ok(())
}

pub fn update(conn: &mut Conn, row: &TeamRow) -> AppResult<()> {
    diesel::update(teams::table.filter(teams::id.eq(Id(row.id))))
        .set((
            teams::name.eq(&row.name),
            teams::name_key.eq(row.name.to_lowercase()),
            teams::code.eq(row.code.as_deref()),
            teams::version.eq(row.version),
            teams::updated_at.eq(At(row.updated_at)),
        ))
        .execute(conn)
        .map(drop)
        .map_err(taken)
}

/// Raises the versions of teams whose members changed: how many there are is part of a team.
pub fn touch(conn: &mut Conn, ids: &[Uuid], now: DateTime<Utc>) -> AppResult<()> {
    for piece in ids.chunks(PIECE) {
        let these = teams::table.filter(teams::id.eq_any(piece.iter().map(|id| Id(*id))));
        let new = (teams::version.eq(teams::version + 1), teams::updated_at.eq(At(now)));
        diesel::update(these).set(new).execute(conn)?;
    }
    Ok(())
}

pub fn delete(conn: &mut Conn, id: Uuid) -> AppResult<()> {
    diesel::delete(teams::table.filter(teams::id.eq(Id(id)))).execute(conn)?;
    Ok(())
}

/// Somebody's time in a team.
pub type Stay = (Uuid, Uuid, DateTime<Utc>, Option<DateTime<Utc>>);

/// Every stay of these players, oldest first: user, team, from, until.
pub fn stays(conn: &mut Conn, game: Uuid, users: &[Uuid]) -> AppResult<HashMap<Uuid, Vec<Stay>>> {
    let mut all: HashMap<Uuid, Vec<Stay>> = HashMap::new();
    for piece in users.chunks(PIECE) {
        let rows: Vec<Stay> = members::table
            .filter(members::game_id.eq(Id(game)))
            .filter(members::user_id.eq_any(piece.iter().map(|id| Id(*id))))
            .order((members::user_id, members::joined_at))
            .select((members::user_id, members::team_id, members::joined_at, members::left_at))
            .load(conn)?;
        for stay in rows {
            all.entry(stay.0).or_default().push(stay);
        }
    }
    Ok(all)
}

/// The team held at an instant.
#[must_use]
pub fn held_at(stays: Option<&Vec<Stay>>, at: DateTime<Utc>) -> Option<Uuid> {
    let held = |stay: &&Stay| stay.2 <= at && stay.3.is_none_or(|left| at < left);
    stays?.iter().rev().find(held).map(|stay| stay.1)
}

/// The present teams of these players.
pub fn current(conn: &mut Conn, game: Uuid, users: &[Uuid]) -> AppResult<HashMap<Uuid, Uuid>> {
    let mut all = HashMap::new();
    for piece in users.chunks(PIECE) {
        let rows: Vec<(Uuid, Uuid)> = members::table
            .filter(members::game_id.eq(Id(game)))
            .filter(members::user_id.eq_any(piece.iter().map(|id| Id(*id))))
            .filter(members::left_at.is_null())
            .select((members::user_id, members::team_id))
            .load(conn)?;
        all.extend(rows);
    }
    Ok(all)
}

/// How many are in each of these teams.
pub fn sizes(conn: &mut Conn, of: &[Uuid]) -> AppResult<HashMap<Uuid, i64>> {
    let rows: Vec<(Uuid, i64)> = members::table
        .filter(members::team_id.eq_any(of.iter().map(|id| Id(*id))))
        .filter(members::left_at.is_null())
        .group_by(members::team_id)
        .select((members::team_id, diesel::dsl::count_star()))
        .load(conn)?;
    Ok(rows.into_iter().collect())
}

/// Members of a team, in order of joining: row id, user, since.
pub fn members(conn: &mut Conn, team: Uuid, page: &PageRequest) -> AppResult<Rows<(Uuid, Uuid, DateTime<Utc>)>> {
    let mut query = members::table
        .filter(members::team_id.eq(Id(team)))
        .filter(members::left_at.is_null())
        .order(members::id)
        .limit(page.fetch())
        .select((members::id, members::user_id, members::joined_at))
        .into_boxed();
    if let Some(after) = page.after {
        query = query.filter(members::id.gt(Id(after)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.0))
}

/// All present members of these teams: team, user.
pub fn all_members(conn: &mut Conn, of: &[Uuid]) -> AppResult<Vec<(Uuid, Uuid)>> {
    Ok(members::table
        .filter(members::team_id.eq_any(of.iter().map(|id| Id(*id))))
        .filter(members::left_at.is_null())
        .order(members::id)
        .select((members::team_id, members::user_id))
        .load(conn)?)
}

/// Puts players into teams: id of the stay, team, user.
pub fn join(conn: &mut Conn, game: Uuid, rows: &[(Uuid, Uuid, Uuid)], now: DateTime<Utc>) -> AppResult<()> {
    let values: Vec<_> = rows
        .iter()
        .map(|(id, team, user)| {
            (
                members::id.eq(Id(*id)),
                members::game_id.eq(Id(game)),
                members::team_id.eq(Id(*team)),
                members::user_id.eq(Id(*user)),
                members::joined_at.eq(At(now)),
                members::left_at.eq(None::<At>),
            )
        })
        .collect();
    for piece in values.chunks(PIECE) {
        per_backend!(conn, |c| diesel::insert_into(members::table).values(piece).execute(c))?;
    }
    Ok(())
}

/// Takes players out of the teams that they are in.
pub fn leave(conn: &mut Conn, game: Uuid, users: &[Uuid], now: DateTime<Utc>) -> AppResult<usize> {
    let mut left: usize = 0;
    for piece in users.chunks(PIECE) {
        let these = members::table
            .filter(members::game_id.eq(Id(game)))
            .filter(members::user_id.eq_any(piece.iter().map(|id| Id(*id))).and(members::left_at.is_null()));
        left = left.saturating_add(diesel::update(these).set(members::left_at.eq(At(now))).execute(conn)?);
    }
    Ok(left)
}

/// Takes people out of all teams of games that are open; in a game that is over nothing changes.
pub fn leave_all(conn: &mut Conn, users: &[Uuid], now: DateTime<Utc>) -> AppResult<()> {
    for piece in users.chunks(PIECE) {
        let open = games::table.filter(games::status.eq("open")).select(games::id);
        let these = members::table
            .filter(members::game_id.eq_any(open))
            .filter(members::user_id.eq_any(piece.iter().map(|id| Id(*id))).and(members::left_at.is_null()));
        diesel::update(these).set(members::left_at.eq(At(now))).execute(conn)?;
    }
    Ok(())
}
