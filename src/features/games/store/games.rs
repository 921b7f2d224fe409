//! SQL about games themselves.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension, QueryDsl,
    RunQueryDsl, Selectable, SelectableHelper,
};
use uuid::Uuid;

use crate::db::page::{PageRequest, Rows};
use crate::db::schema::{
    course_revisions as revisions, courses, game_players as players, games, group_members, group_paths,
};
use crate::db::types::{At, Id};
use crate::db::{Conn, LockTable, lock_row};
use crate::error::AppResult;
use crate::features::games::dto::GameQuery;
use crate::http::Ref;

/// A row of `games`.
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = games)]
pub struct GameRow {
    pub id: Uuid,
    pub title: String,
    pub description: String,
    pub scope_kind: String,
    pub scope_id: Option<Uuid>,
    pub status: String,
    pub mode: String,
    pub starts_at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
    pub seed: i64,
    pub settings: String,
    pub closed_at: Option<DateTime<Utc>>,
    pub report: Option<String>,
    pub version: i64,
    pub created_by: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

pub fn find(conn: &mut Conn, id: Uuid) -> AppResult<Option<GameRow>> {
    Ok(games::table.filter(games::id.eq(Id(id))).select(GameRow::as_select()).first(conn).optional()?)
}

/// Finds and locks; SQLite's one writer needs no lock.
pub fn find_locked(conn: &mut Conn, id: Uuid) -> AppResult<Option<GameRow>> {
    lock_row(conn, LockTable::Games, id)?;
    find(conn, id)
}

/// Locks several games, always in the same order, and reads them.
pub fn lock_all(conn: &mut Conn, ids: &[Uuid]) -> AppResult<Vec<GameRow>> {
    let query = games::table.filter(games::id.eq_any(ids.iter().map(|id| Id(*id)))).order(games::id);
    Ok(match conn {
        Conn::Pg(c) => query.select(GameRow::as_select()).for_update().load(c)?,
        Conn::Sqlite(c) => query.select(GameRow::as_select()).load(c)?,
    })
}

pub fn by_ids(conn: &mut Conn, ids: &[Uuid]) -> AppResult<Vec<GameRow>> {
    let these = games::table.filter(games::id.eq_any(ids.iter().map(|id| Id(*id))));
    Ok(these.order(games::id).select(GameRow::as_select()).load(conn)?)
}

/// Id and version of each game that is open.
pub fn open_versions(conn: &mut Conn) -> AppResult<Vec<(Uuid, i64)>> {
    Ok(games::table.filter(games::status.eq("open")).order(games::id).select((games::id, games::version)).load(conn)?)
}

/// Open games that should have ended by then.
pub fn due(conn: &mut Conn, by: DateTime<Utc>, limit: i64) -> AppResult<Vec<Uuid>> {
    Ok(games::table
        .filter(games::status.eq("open"))
        .filter(games::ends_at.le(At(by)))
        .order(games::ends_at)
        .limit(limit)
        .select(games::id)
        .load(conn)?)
}

/// Somebody who does not see the games of all groups: those of the units are seen, of the groups joined, and those played in.
#[derive(Debug, Clone)]
pub struct Sight {
    pub me: Uuid,
    pub units: Vec<Uuid>,
}

pub fn list(
    conn: &mut Conn,
    filter: &GameQuery,
    sight: Option<&Sight>,
    page: &PageRequest,
) -> AppResult<Rows<GameRow>> {
    let mut query = games::table.select(GameRow::as_select()).order(games::id).limit(page.fetch()).into_boxed();
    if let Some(after) = page.after {
        query = query.filter(games::id.gt(Id(after)));
    }
    if let Some(Sight { me, units }) = sight {
        let joined = group_paths::table
            .inner_join(group_members::table.on(group_members::group_id.eq(group_paths::group_id)))
            .filter(group_members::user_id.eq(Id(*me)))
            .select(group_paths::ancestor_id.nullable());
        let below = group_paths::table
            .filter(group_paths::ancestor_id.eq_any(units.iter().map(|id| Id(*id)).collect::<Vec<_>>()))
            .select(group_paths::group_id.nullable());
        let played = players::table.filter(players::user_id.eq(Id(*me))).select(players::game_id);
        query = query.filter(
            games::scope_kind
                .ne("group")
                .or(games::id.eq_any(played))
                .or(games::scope_id.eq_any(joined).or(games::scope_id.eq_any(below)).assume_not_null()),
        );
    }
    if let Some(status) = filter.status {
        query = query.filter(games::status.eq(status.as_str()));
    }
    if let Some(mode) = filter.mode {
        query = query.filter(games::mode.eq(mode.as_str()));
    }
    if let Some(course) = filter.course_id.as_ref().and_then(Ref::id) {
        query = query.filter(games::scope_kind.eq("course").and(games::scope_id.eq(Id(course))));
    }
    if let Some(group) = filter.group_id.as_ref().and_then(Ref::id) {
        query = query.filter(games::scope_kind.eq("group").and(games::scope_id.eq(Id(group))));
    }
    if let Some(since) = filter.updated_since {
        query = query.filter(games::updated_at.ge(At(since)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.id))
}

pub fn insert(conn: &mut Conn, row: &GameRow) -> AppResult<()> {
    diesel::insert_into(games::table)
        .values((
            games::id.eq(Id(row.id)),
            games::title.eq(&row.title),
            games::description.eq(&row.description),
            games::scope_kind.eq(&row.scope_kind),
            games::scope_id.eq(row.scope_id.map(Id)),
            games::status.eq(&row.status),
            games::mode.eq(&row.mode),
            games::starts_at.eq(At(row.starts_at)),
            games::ends_at.eq(row.ends_at.map(At)),
            games::seed.eq(row.seed),
            games::settings.eq(&row.settings),
            games::version.eq(row.version),
            games::created_by.eq(row.created_by.map(Id)),
            games::created_at.eq(At(row.created_at)),
            games::updated_at.eq(At(row.updated_at)),
        ))
        .execute(conn)?;
    Ok(())
}

/// Writes all changeable fields; the version must have been raised by the caller.
pub fn update(conn: &mut Conn, row: &GameRow) -> AppResult<()> {
    diesel::update(games::table.filter(games::id.eq(Id(row.id))))
        .set((
            games::title.eq(&row.title),
            games::description.eq(&row.description),
            games::status.eq(&row.status),
            games::mode.eq(&row.mode),
            games::starts_at.eq(At(row.starts_at)),
            games::ends_at.eq(row.ends_at.map(At)),
            games::settings.eq(&row.settings),
            games::closed_at.eq(row.closed_at.map(At)),
            games::report.eq(row.report.as_deref()),
            games::version.eq(row.version),
            games::updated_at.eq(At(row.updated_at)),
        ))
        .execute(conn)?;
    Ok(())
}

pub fn delete(conn: &mut Conn, id: Uuid) -> AppResult<()> {
    diesel::delete(games::table.filter(games::id.eq(Id(id)))).execute(conn)?;
    Ok(())
}

/// Outlines of a course as they stand in the database: the draft and the newest revision, or all older revisions.
pub fn outlines(conn: &mut Conn, course: Uuid, older: bool) -> AppResult<Vec<String>> {
    let all = revisions::table.filter(revisions::course_id.eq(Id(course))).select(revisions::outline);
    let its = courses::table.filter(courses::id.eq(Id(course)));
    let Some((draft, newest)) =
        its.select((courses::draft, courses::latest_revision)).first::<(String, i32)>(conn).optional()?
    else {
        return Ok(Vec::new());
    };
    if older {
        return Ok(all.filter(revisions::number.lt(newest)).load(conn)?);
    }
    let mut outlines: Vec<String> = all.filter(revisions::number.eq(newest)).load(conn)?;
    outlines.push(draft);
    Ok(outlines)
}

/// Which of these courses exist.
pub fn existing_courses(conn: &mut Conn, ids: &[Uuid]) -> AppResult<Vec<Uuid>> {
    Ok(courses::table.filter(courses::id.eq_any(ids.iter().map(|id| Id(*id)))).select(courses::id).load(conn)?)
}
