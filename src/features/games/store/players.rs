//! SQL about players: how they are shown, their streaks, flags.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, Selectable, SelectableHelper,
    sql_query, sql_types,
};
use uuid::Uuid;

use super::PIECE;
use super::ledger::{EntryRow, midnight};
use crate::db::Conn;
use crate::db::bulk::{ARRAYS, Bulk, Kind};
use crate::db::page::{PageRequest, Rows};
use crate::db::schema::{game_flags as flags, game_players as players, game_preferences as preferences, users};
use crate::db::types::{At, Id};
use crate::domain::game::Display;
use crate::domain::game::streak::Streak;
use crate::error::AppResult;
use crate::per_backend;

/// A player of a game.
#[derive(Debug, Clone, Copy)]
pub struct Player {
    pub display: Option<Display>,
    pub streak: Streak,
    pub joined_at: DateTime<Utc>,
}

#[derive(diesel::Queryable, diesel::QueryableByName, Selectable)]
#[diesel(table_name = players)]
struct Row {
    user_id: Uuid,
    display: Option<String>,
    streak_days: i64,
    streak_longest: i64,
    streak_last: Option<DateTime<Utc>>,
    joined_at: DateTime<Utc>,
}

/// Those of these users who play.
pub fn find(conn: &mut Conn, game: Uuid, users: &[Uuid]) -> AppResult<HashMap<Uuid, Player>> {
    use sql_types::Array;
    let mut all = HashMap::with_capacity(users.len());
    let most = match conn {
        Conn::Pg(_) => ARRAYS,
        Conn::Sqlite(_) => PIECE,
    };
    for piece in users.chunks(most) {
        let rows: Vec<Row> = match conn {
            // One after the other: while a game fills, Postgres believes that it has hardly any players, and would rather look at all.
            Conn::Pg(c) => sql_query(
                "SELECT p.* FROM unnest($1) AS who (id) CROSS JOIN LATERAL (SELECT user_id, display, streak_days, streak_longest, \
                 streak_last, joined_at FROM game_players WHERE game_id = $2 AND user_id = who.id OFFSET 0) AS p",
            )
            .bind::<Array<sql_types::Uuid>, _>(piece)
            .bind::<sql_types::Uuid, _>(game)
            .load(c)?,
            Conn::Sqlite(c) => players::table
                .filter(players::game_id.eq(Id(game)))
                .filter(players::user_id.eq_any(piece.iter().map(|id| Id(*id))))
                .select(Row::as_select())
                .load(c)?,
        };
        all.extend(rows.into_iter().map(|row| {
            let streak = Streak {
                days: row.streak_days,
                longest: row.streak_longest,
                last: row.streak_last.map(|at| at.date_naive()),
            };
            let display = row.display.as_deref().and_then(Display::parse);
            (row.user_id, Player { display, streak, joined_at: row.joined_at })
        }));
    }
    Ok(all)
}

const PLAYERS: Bulk<7> = Bulk {
    table: "game_players",
    columns: [
        ("game_id", Kind::Id),
        ("user_id", Kind::Id),
        ("display", Kind::Text),
        ("streak_days", Kind::Whole),
        ("streak_longest", Kind::Whole),
        ("streak_last", Kind::At),
        ("joined_at", Kind::At),
    ],
    tail: "ON CONFLICT (game_id, user_id) DO UPDATE SET display = excluded.display, streak_days = excluded.streak_days, \
        streak_longest = excluded.streak_longest, streak_last = excluded.streak_last",
};

/// Enters or changes players.
pub fn save(conn: &mut Conn, game: Uuid, rows: &[(Uuid, Player)]) -> AppResult<()> {
    let values = rows.iter().map(|(user, player)| {
        [
            game.into(),
            (*user).into(),
            player.display.map(Display::as_str).into(),
            player.streak.days.into(),
            player.streak.longest.into(),
            midnight(player.streak.last).into(),
            player.joined_at.into(),
        ]
    });
    PLAYERS.insert(conn, &values.collect::<Vec<_>>())?;
    Ok(())
}

/// Players in order of id, with a limit.
pub fn ids(conn: &mut Conn, game: Uuid, after: Option<Uuid>, limit: i64) -> AppResult<Vec<Uuid>> {
    let mut query = players::table
        .filter(players::game_id.eq(Id(game)))
        .order(players::user_id)
        .limit(limit)
        .select(players::user_id)
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(players::user_id.gt(Id(after)));
    }
    Ok(query.load(conn)?)
}

/// Players who are active, in order of id, with a limit.
pub fn active(conn: &mut Conn, game: Uuid, limit: i64) -> AppResult<Vec<Uuid>> {
    let playing = players::table.filter(players::game_id.eq(Id(game))).select(players::user_id);
    Ok(users::table
        .filter(users::id.eq_any(playing))
        .filter(users::state.eq("active"))
        .order(users::id)
        .limit(limit)
        .select(users::id)
        .load(conn)?)
}

/// Those of these users who exist, each with whether they have left.
pub fn who_left(conn: &mut Conn, of: &[Uuid]) -> AppResult<HashMap<Uuid, bool>> {
    let mut all = HashMap::new();
    for piece in of.chunks(PIECE) {
        let rows: Vec<(Uuid, String)> = users::table
            .filter(users::id.eq_any(piece.iter().map(|id| Id(*id))))
            .select((users::id, users::state))
            .load(conn)?;
        all.extend(rows.into_iter().map(|(user, state)| (user, state == "left")));
    }
    Ok(all)
}

/// What these users prefer in all games.
pub fn preferences(conn: &mut Conn, of: &[Uuid]) -> AppResult<HashMap<Uuid, Display>> {
    let mut all = HashMap::new();
    for piece in of.chunks(PIECE) {
        let rows: Vec<(Uuid, String)> = preferences::table
            .filter(preferences::user_id.eq_any(piece.iter().map(|id| Id(*id))))
            .select((preferences::user_id, preferences::display))
            .load(conn)?;
        all.extend(rows.into_iter().filter_map(|(user, text)| Display::parse(&text).map(|display| (user, display))));
    }
    Ok(all)
}

pub fn set_preference(conn: &mut Conn, user: Uuid, display: Option<Display>, now: DateTime<Utc>) -> AppResult<()> {
    let Some(display) = display else {
        diesel::delete(preferences::table.filter(preferences::user_id.eq(Id(user)))).execute(conn)?;
        return Ok(());
    };
    let row = (
        preferences::user_id.eq(Id(user)),
        preferences::display.eq(display.as_str()),
        preferences::updated_at.eq(At(now)),
    );
    per_backend!(conn, |c| diesel::insert_into(preferences::table)
        .values(row)
        .on_conflict(preferences::user_id)
        .do_update()
        .set((preferences::display.eq(display.as_str()), preferences::updated_at.eq(At(now))))
        .execute(c))?;
    Ok(())
}

/// Display overrides of a user, by game.
pub fn overrides(conn: &mut Conn, user: Uuid) -> AppResult<Vec<(Uuid, Display)>> {
    let rows: Vec<(Uuid, Option<String>)> = players::table
        .filter(players::user_id.eq(Id(user)))
        .order(players::game_id)
        .select((players::game_id, players::display))
        .load(conn)?;
    Ok(rows
        .into_iter()
        .filter_map(|(game, text)| text.as_deref().and_then(Display::parse).map(|display| (game, display)))
        .collect())
}

/// Names of these users.
pub fn names(conn: &mut Conn, of: &[Uuid]) -> AppResult<HashMap<Uuid, (String, String)>> {
    let rows: Vec<(Uuid, String, String)> = users::table
        .filter(users::id.eq_any(of.iter().map(|id| Id(*id))))
        .select((users::id, users::given_name, users::family_name))
        .load(conn)?;
    Ok(rows.into_iter().map(|(id, given, family)| (id, (given, family))).collect())
}

/// A row of `game_flags`.
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = flags)]
pub struct FlagRow {
    pub id: Uuid,
    pub game_id: Uuid,
    pub user_id: Uuid,
    pub kind: String,
    pub detail: String,
    pub entry_id: Option<Uuid>,
    pub award_id: Option<Uuid>,
    pub state: String,
    pub note: Option<String>,
    pub resolved_by: Option<Uuid>,
    pub resolved_at: Option<DateTime<Utc>>,
    pub at: DateTime<Utc>,
}

/// Raises flags; one of the same kind that is open already stands for all.
pub fn raise(conn: &mut Conn, rows: &[FlagRow]) -> AppResult<()> {
    let values: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                flags::id.eq(Id(row.id)),
                flags::game_id.eq(Id(row.game_id)),
                flags::user_id.eq(Id(row.user_id)),
                flags::kind.eq(&row.kind),
                flags::detail.eq(&row.detail),
                flags::entry_id.eq(row.entry_id.map(Id)),
                flags::award_id.eq(row.award_id.map(Id)),
                flags::state.eq(&row.state),
                flags::at.eq(At(row.at)),
            )
        })
        .collect();
    for piece in values.chunks(PIECE) {
        per_backend!(conn, |c| diesel::insert_into(flags::table).values(piece).on_conflict_do_nothing().execute(c))?;
    }
    Ok(())
}

/// Those of these entries that no open flag is about.
pub fn without_flag(conn: &mut Conn, game: Uuid, entries: Vec<EntryRow>) -> AppResult<Vec<EntryRow>> {
    if entries.is_empty() {
        return Ok(entries);
    }
    let flagged: Vec<Option<Uuid>> = flags::table
        .filter(flags::game_id.eq(Id(game)))
        .filter(flags::state.eq("open"))
        .filter(flags::entry_id.is_not_null())
        .select(flags::entry_id)
        .load(conn)?;
    let mut seen: HashSet<Uuid> = flagged.into_iter().flatten().collect();
    Ok(entries.into_iter().filter(|entry| seen.insert(entry.id)).collect())
}

pub fn flag(conn: &mut Conn, game: Uuid, id: Uuid) -> AppResult<Option<FlagRow>> {
    let this = flags::table.filter(flags::id.eq(Id(id))).filter(flags::game_id.eq(Id(game)));
    Ok(this.select(FlagRow::as_select()).first(conn).optional()?)
}

pub fn resolve(conn: &mut Conn, row: &FlagRow) -> AppResult<()> {
    diesel::update(flags::table.filter(flags::id.eq(Id(row.id))))
        .set((
            flags::state.eq(&row.state),
            flags::note.eq(row.note.as_deref()),
            flags::resolved_by.eq(row.resolved_by.map(Id)),
            flags::resolved_at.eq(row.resolved_at.map(At)),
        ))
        .execute(conn)?;
    Ok(())
}

pub fn flags(conn: &mut Conn, game: Uuid, state: Option<&str>, page: &PageRequest) -> AppResult<Rows<FlagRow>> {
    let mut query = flags::table
        .filter(flags::game_id.eq(Id(game)))
        .select(FlagRow::as_select())
        .order(flags::id)
        .limit(page.fetch())
        .into_boxed();
    if let Some(after) = page.after {
        query = query.filter(flags::id.gt(Id(after)));
    }
    if let Some(state) = state {
        query = query.filter(flags::state.eq(state.to_owned()));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.id))
}

/// Players of a game who get no prize: an open flag speaks against them, or a confirmed one about the player. What a confirmed
/// flag about an entry or a badge took back is punishment enough.
pub fn suspects(conn: &mut Conn, game: Uuid) -> AppResult<Vec<Uuid>> {
    let about_player = flags::entry_id.is_null().and(flags::award_id.is_null());
    Ok(flags::table
        .filter(flags::game_id.eq(Id(game)))
        .filter(flags::state.eq("open").or(flags::state.eq("confirmed").and(about_player)))
        .select(flags::user_id)
        .distinct()
        .load(conn)?)
}

/// Those of the [`suspects`] who get none for good.
pub fn convicts(conn: &mut Conn, game: Uuid) -> AppResult<Vec<Uuid>> {
    Ok(flags::table
        .filter(flags::game_id.eq(Id(game)))
        .filter(flags::state.eq("confirmed"))
        .filter(flags::entry_id.is_null().and(flags::award_id.is_null()))
        .select(flags::user_id)
        .distinct()
        .load(conn)?)
}

/// A user's streaks, by game.
pub fn streaks_of(conn: &mut Conn, user: Uuid) -> AppResult<HashMap<Uuid, Streak>> {
    let rows: Vec<(Uuid, i64, i64, Option<DateTime<Utc>>)> = players::table
        .filter(players::user_id.eq(Id(user)))
        .select((players::game_id, players::streak_days, players::streak_longest, players::streak_last))
        .load(conn)?;
    Ok(rows
        .into_iter()
        .map(|(game, days, longest, last)| (game, Streak { days, longest, last: last.map(|at| at.date_naive()) }))
        .collect())
}

/// Open flags about what these players were given for a cause that was corrected.
pub fn open_about_causes(conn: &mut Conn, game: Uuid, users: &[Uuid]) -> AppResult<Vec<FlagRow>> {
    let mut all = Vec::new();
    for piece in users.chunks(PIECE) {
        all.extend(
            flags::table
                .filter(flags::game_id.eq(Id(game)))
                .filter(flags::state.eq("open"))
                .filter(flags::kind.eq("cause_corrected"))
                .filter(flags::user_id.eq_any(piece.iter().map(|id| Id(*id))))
                .order(flags::id)
                .select(FlagRow::as_select())
                .load::<FlagRow>(conn)?,
        );
    }
    Ok(all)
}

/// Entries of these players that people let stand when they were flagged.
pub fn dismissed(conn: &mut Conn, game: Uuid, users: &[Uuid]) -> AppResult<HashSet<Uuid>> {
    let mut all = HashSet::new();
    for piece in users.chunks(PIECE) {
        let rows: Vec<Option<Uuid>> = flags::table
            .filter(flags::game_id.eq(Id(game)))
            .filter(flags::state.eq("dismissed"))
            .filter(flags::resolved_by.is_not_null())
            .filter(flags::user_id.eq_any(piece.iter().map(|id| Id(*id))))
            .filter(flags::entry_id.is_not_null())
            .select(flags::entry_id)
            .load(conn)?;
        all.extend(rows.into_iter().flatten());
    }
    Ok(all)
}

/// Entries of these players whose flag about their cause was closed by itself.
pub fn closed_about_causes(conn: &mut Conn, game: Uuid, users: &[Uuid]) -> AppResult<HashSet<Uuid>> {
    let mut all = HashSet::new();
    for piece in users.chunks(PIECE) {
        let rows: Vec<Option<Uuid>> = flags::table
            .filter(flags::game_id.eq(Id(game)))
            .filter(flags::state.eq("dismissed"))
            .filter(flags::kind.eq("cause_corrected"))
            .filter(flags::resolved_by.is_null())
            .filter(flags::user_id.eq_any(piece.iter().map(|id| Id(*id))))
            .filter(flags::entry_id.is_not_null())
            .select(flags::entry_id)
            .load(conn)?;
        all.extend(rows.into_iter().flatten());
    }
    Ok(all)
}
