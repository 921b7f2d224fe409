//! SQL about badges and who holds them.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use diesel::upsert::excluded;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, Selectable, SelectableHelper,
};
use uuid::Uuid;

use super::PIECE;
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::db::schema::{game_badge_awards as awards, game_badges as badges, games};
use crate::db::types::{At, Id};
use crate::error::AppResult;
use crate::per_backend;

/// A row of `game_badges`.
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = badges)]
pub struct BadgeRow {
    pub id: Uuid,
    pub game_id: Uuid,
    pub title: String,
    pub description: String,
    pub design: String,
    pub criteria: Option<String>,
    pub award_on: Option<String>,
    pub award_where: Option<String>,
    pub revocation: String,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A row of `game_badge_awards`.
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = awards)]
pub struct AwardRow {
    pub id: Uuid,
    pub badge_id: Uuid,
    pub game_id: Uuid,
    pub user_id: Uuid,
    pub source: String,
    pub reason: String,
    pub event_id: Option<Uuid>,
    pub awarded_by: Option<Uuid>,
    pub awarded_at: DateTime<Utc>,
    pub state: String,
    pub revoked_at: Option<DateTime<Utc>>,
    pub revoke_reason: Option<String>,
}

pub fn find(conn: &mut Conn, id: Uuid) -> AppResult<Option<BadgeRow>> {
    Ok(badges::table.filter(badges::id.eq(Id(id))).select(BadgeRow::as_select()).first(conn).optional()?)
}

pub fn of_game(conn: &mut Conn, game: Uuid) -> AppResult<Vec<BadgeRow>> {
    let these = badges::table.filter(badges::game_id.eq(Id(game))).order(badges::id);
    Ok(these.select(BadgeRow::as_select()).load(conn)?)
}

pub fn list(conn: &mut Conn, game: Uuid, page: &PageRequest) -> AppResult<Rows<BadgeRow>> {
    let mut query = badges::table
        .filter(badges::game_id.eq(Id(game)))
        .select(BadgeRow::as_select())
        .order(badges::id)
        .limit(page.fetch())
        .into_boxed();
    if let Some(after) = page.after {
        query = query.filter(badges::id.gt(Id(after)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.id))
}

/// Which of these ids are badges, and which are games.
pub fn existing(conn: &mut Conn, ids: &[Uuid]) -> AppResult<Vec<Uuid>> {
    let mut found: Vec<Uuid> =
        badges::table.filter(badges::id.eq_any(ids.iter().map(|id| Id(*id)))).select(badges::id).load(conn)?;
    found.extend(
        games::table.filter(games::id.eq_any(ids.iter().map(|id| Id(*id)))).select(games::id).load::<Uuid>(conn)?,
    );
    Ok(found)
}

pub fn insert(conn: &mut Conn, row: &BadgeRow) -> AppResult<()> {
    diesel::insert_into(badges::table)
        .values((
            badges::id.eq(Id(row.id)),
            badges::game_id.eq(Id(row.game_id)),
            badges::title.eq(&row.title),
            badges::description.eq(&row.description),
            badges::design.eq(&row.design),
            badges::criteria.eq(row.criteria.as_deref()),
            badges::award_on.eq(row.award_on.as_deref()),
            badges::award_where.eq(row.award_where.as_deref()),
            badges::revocation.eq(&row.revocation),
            badges::version.eq(row.version),
            badges::created_at.eq(At(row.created_at)),
            badges::updated_at.eq(At(row.updated_at)),
        ))
        .execute(conn)?;
    Ok(())
}

pub fn update(conn: &mut Conn, row: &BadgeRow) -> AppResult<()> {
    diesel::update(badges::table.filter(badges::id.eq(Id(row.id))))
        .set((
            badges::title.eq(&row.title),
            badges::description.eq(&row.description),
            badges::design.eq(&row.design),
            badges::criteria.eq(row.criteria.as_deref()),
            badges::award_on.eq(row.award_on.as_deref()),
            badges::award_where.eq(row.award_where.as_deref()),
            badges::revocation.eq(&row.revocation),
            badges::version.eq(row.version),
            badges::updated_at.eq(At(row.updated_at)),
        ))
        .execute(conn)?;
    Ok(())
}

pub fn delete(conn: &mut Conn, id: Uuid) -> AppResult<()> {
    diesel::delete(badges::table.filter(badges::id.eq(Id(id)))).execute(conn)?;
    Ok(())
}

/// Whether a badge was ever awarded.
pub fn was_awarded(conn: &mut Conn, badge: Uuid) -> AppResult<bool> {
    let first = awards::table.filter(awards::badge_id.eq(Id(badge))).select(awards::id).first::<Uuid>(conn);
    Ok(first.optional()?.is_some())
}

/// Badges by player.
pub type Held = HashMap<Uuid, BTreeSet<Uuid>>;

/// Badges of a game that these players hold.
pub fn held(conn: &mut Conn, game: Uuid, users: &[Uuid]) -> AppResult<Held> {
    let mut all = Held::new();
    for piece in users.chunks(PIECE) {
        let rows: Vec<(Uuid, Uuid)> = awards::table
            .filter(awards::game_id.eq(Id(game)))
            .filter(awards::user_id.eq_any(piece.iter().map(|id| Id(*id))))
            .filter(awards::state.ne("revoked"))
            .select((awards::user_id, awards::badge_id))
            .load(conn)?;
        for (user, badge) in rows {
            all.entry(user).or_default().insert(badge);
        }
    }
    Ok(all)
}

/// Badges of a game that these players hold, and those that somebody took from them by hand.
pub fn held_or_taken(conn: &mut Conn, game: Uuid, users: &[Uuid]) -> AppResult<(Held, Held)> {
    let (mut held, mut taken) = (Held::new(), Held::new());
    for piece in users.chunks(PIECE) {
        let rows: Vec<(Uuid, Uuid, String)> = awards::table
            .filter(awards::game_id.eq(Id(game)))
            .filter(awards::user_id.eq_any(piece.iter().map(|id| Id(*id))))
            .filter(awards::state.ne("revoked").or(awards::revoked_by_hand))
            .select((awards::user_id, awards::badge_id, awards::state))
            .load(conn)?;
        for (user, badge, state) in rows {
            let of = if state == "revoked" { &mut taken } else { &mut held };
            of.entry(user).or_default().insert(badge);
        }
    }
    Ok((held, taken))
}

/// Awards badges; one that is held already stays as it is. The caller tells those that are new by [`held`].
pub fn award(conn: &mut Conn, rows: &[AwardRow]) -> AppResult<()> {
    let values: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                awards::id.eq(Id(row.id)),
                awards::badge_id.eq(Id(row.badge_id)),
                awards::game_id.eq(Id(row.game_id)),
                awards::user_id.eq(Id(row.user_id)),
                awards::source.eq(&row.source),
                awards::reason.eq(&row.reason),
                awards::event_id.eq(row.event_id.map(Id)),
                awards::awarded_by.eq(row.awarded_by.map(Id)),
                awards::awarded_at.eq(At(row.awarded_at)),
                awards::state.eq(&row.state),
            )
        })
        .collect();
    for piece in values.chunks(PIECE) {
        per_backend!(conn, |c| diesel::insert_into(awards::table).values(piece).on_conflict_do_nothing().execute(c))?;
    }
    Ok(())
}

pub fn find_award(conn: &mut Conn, id: Uuid) -> AppResult<Option<AwardRow>> {
    Ok(awards::table.filter(awards::id.eq(Id(id))).select(AwardRow::as_select()).first(conn).optional()?)
}

/// Awards that these events caused and that are held.
pub fn caused_by(conn: &mut Conn, events: &[Uuid]) -> AppResult<Vec<AwardRow>> {
    let mut all = Vec::new();
    for piece in events.chunks(PIECE) {
        all.extend(
            awards::table
                .filter(awards::event_id.eq_any(piece.iter().map(|id| Id(*id))))
                .filter(awards::state.eq("held"))
                .order(awards::id)
                .select(AwardRow::as_select())
                .load::<AwardRow>(conn)?,
        );
    }
    Ok(all)
}

/// Lets awards rest on other events than before.
pub fn rest_on(conn: &mut Conn, rows: &[AwardRow]) -> AppResult<()> {
    let values: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                awards::id.eq(Id(row.id)),
                awards::badge_id.eq(Id(row.badge_id)),
                awards::game_id.eq(Id(row.game_id)),
                awards::user_id.eq(Id(row.user_id)),
                awards::source.eq(&row.source),
                awards::reason.eq(&row.reason),
                awards::event_id.eq(row.event_id.map(Id)),
                awards::awarded_at.eq(At(row.awarded_at)),
                awards::state.eq(&row.state),
            )
        })
        .collect();
    for piece in values.chunks(PIECE) {
        per_backend!(conn, |c| diesel::insert_into(awards::table)
            .values(piece)
            .on_conflict(awards::id)
            .do_update()
            .set((awards::event_id.eq(excluded(awards::event_id)), awards::reason.eq(excluded(awards::reason))))
            .execute(c))?;
    }
    Ok(())
}

/// When badges of a game were last taken from players: badge, player.
pub fn last_revoked(conn: &mut Conn, game: Uuid) -> AppResult<HashMap<(Uuid, Uuid), DateTime<Utc>>> {
    let rows: Vec<(Uuid, Uuid, Option<DateTime<Utc>>)> = awards::table
        .filter(awards::game_id.eq(Id(game)))
        .filter(awards::state.eq("revoked"))
        .order(awards::revoked_at)
        .select((awards::badge_id, awards::user_id, awards::revoked_at))
        .load(conn)?;
    Ok(rows.into_iter().filter_map(|(badge, user, at)| Some(((badge, user), at?))).collect())
}

/// Notes that somebody took an award back by hand.
pub fn taken_by_hand(conn: &mut Conn, award: Uuid) -> AppResult<()> {
    diesel::update(awards::table.filter(awards::id.eq(Id(award))))
        .set(awards::revoked_by_hand.eq(true))
        .execute(conn)?;
    Ok(())
}

/// Puts awards into a state, all at once.
pub fn set_state(
    conn: &mut Conn,
    ids: &[Uuid],
    state: &str,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> AppResult<()> {
    let revoked = (state == "revoked").then_some(At(now));
    diesel::update(awards::table.filter(awards::id.eq_any(ids.iter().map(|id| Id(*id)))))
        .set((awards::state.eq(state), awards::revoked_at.eq(revoked), awards::revoke_reason.eq(reason)))
        .execute(conn)?;
    Ok(())
}

/// What a list of awards is narrowed to.
#[derive(Debug, Clone, Copy)]
pub enum Of {
    /// One badge.
    Badge(Uuid),
    /// One user, who holds it now.
    User(Uuid),
}

pub fn awards(conn: &mut Conn, of: Of, page: &PageRequest) -> AppResult<Rows<AwardRow>> {
    let mut query = awards::table.select(AwardRow::as_select()).order(awards::id).limit(page.fetch()).into_boxed();
    query = match of {
        Of::Badge(badge) => query.filter(awards::badge_id.eq(Id(badge))),
        Of::User(user) => query.filter(awards::user_id.eq(Id(user))).filter(awards::state.ne("revoked")),
    };
    if let Some(after) = page.after {
        query = query.filter(awards::id.gt(Id(after)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.id))
}

/// The award of a badge that a user holds.
pub fn live_award(conn: &mut Conn, badge: Uuid, user: Uuid) -> AppResult<Option<AwardRow>> {
    Ok(awards::table
        .filter(awards::badge_id.eq(Id(badge)))
        .filter(awards::user_id.eq(Id(user)))
        .filter(awards::state.ne("revoked"))
        .select(AwardRow::as_select())
        .first(conn)
        .optional()?)
}

/// Awards by criteria that these players hold in a game.
pub fn by_criteria_of(conn: &mut Conn, game: Uuid, users: &[Uuid]) -> AppResult<Vec<AwardRow>> {
    let mut all = Vec::new();
    for piece in users.chunks(PIECE) {
        all.extend(
            awards::table
                .filter(awards::game_id.eq(Id(game)))
                .filter(awards::user_id.eq_any(piece.iter().map(|id| Id(*id))))
                .filter(awards::state.eq("held"))
                .filter(awards::source.eq("criteria"))
                .order(awards::id)
                .select(AwardRow::as_select())
                .load::<AwardRow>(conn)?,
        );
    }
    Ok(all)
}

/// Who of these holds which of these badges: badge, user.
pub fn holders(conn: &mut Conn, ids: &[Uuid], users: &[Uuid]) -> AppResult<Vec<(Uuid, Uuid)>> {
    Ok(awards::table
        .filter(awards::badge_id.eq_any(ids.iter().map(|id| Id(*id))))
        .filter(awards::user_id.eq_any(users.iter().map(|id| Id(*id))))
        .filter(awards::state.ne("revoked"))
        .select((awards::badge_id, awards::user_id))
        .load(conn)?)
}
