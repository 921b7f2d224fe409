//! SQL about the ledger and what players have had of rules.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, QueryableByName, RunQueryDsl, Selectable,
    SelectableHelper, sql_query, sql_types,
};
use uuid::Uuid;

use super::PIECE;
use crate::db::Conn;
use crate::db::blocks::{self, Log};
use crate::db::bulk::{Bulk, Kind};
use crate::db::page::{PageRequest, Rows};
use crate::db::schema::{game_ledger as ledger, game_progress as progress, game_things as things};
use crate::db::tree;
use crate::db::types::{At, Id, SqlId};
use crate::db::units::people_of;
use crate::domain::game::cause::{self, Cause, Line};
use crate::domain::game::ledger::{Due, Entry};
use crate::domain::game::points::Progress;
use crate::domain::game::streak::Streak;
use crate::error::AppResult;
use crate::per_backend;

/// A row of `game_ledger`.
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = ledger)]
pub struct EntryRow {
    pub id: Uuid,
    pub game_id: Uuid,
    pub user_id: Uuid,
    pub team_id: Option<Uuid>,
    pub points: i64,
    pub kind: String,
    pub rule_key: Option<String>,
    pub reason: String,
    pub event_id: Option<Uuid>,
    pub corrects_id: Option<Uuid>,
    pub made_by: Option<Uuid>,
    pub dedup_key: Option<String>,
    pub at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
}

const ENTRIES: Bulk<14> = Bulk {
    table: "game_ledger",
    columns: [
        ("id", Kind::Id),
        ("game_id", Kind::Id),
        ("user_id", Kind::Id),
        ("team_id", Kind::Id),
        ("points", Kind::Whole),
        ("kind", Kind::Text),
        ("rule_key", Kind::Text),
        ("reason", Kind::Text),
        ("event_id", Kind::Id),
        ("corrects_id", Kind::Id),
        ("made_by", Kind::Id),
        ("dedup_key", Kind::Text),
        ("at", Kind::At),
        ("created_at", Kind::At),
    ],
    tail: "",
};

pub fn insert(conn: &mut Conn, rows: &[EntryRow]) -> AppResult<()> {
    let values = rows.iter().map(|row| {
        [
            row.id.into(),
            row.game_id.into(),
            row.user_id.into(),
            row.team_id.into(),
            row.points.into(),
            row.kind.as_str().into(),
            row.rule_key.as_deref().into(),
            row.reason.as_str().into(),
            row.event_id.into(),
            row.corrects_id.into(),
            row.made_by.into(),
            row.dedup_key.as_deref().into(),
            row.at.into(),
            row.created_at.into(),
        ]
    });
    ENTRIES.insert(conn, &values.collect::<Vec<_>>())?;
    Ok(())
}

pub fn find(conn: &mut Conn, game: Uuid, id: Uuid) -> AppResult<Option<EntryRow>> {
    let this = ledger::table.filter(ledger::id.eq(Id(id))).filter(ledger::game_id.eq(Id(game)));
    Ok(this.select(EntryRow::as_select()).first(conn).optional()?)
}

/// Which of these dedup keys are taken.
pub fn known_keys(conn: &mut Conn, keys: &[String]) -> AppResult<Vec<String>> {
    let rows: Vec<Option<String>> =
        ledger::table.filter(ledger::dedup_key.eq_any(keys.to_vec())).select(ledger::dedup_key).load(conn)?;
    Ok(rows.into_iter().flatten().collect())
}

/// Entries that these events caused, without what was taken back of them.
pub fn caused_by(conn: &mut Conn, events: &[Uuid]) -> AppResult<Vec<EntryRow>> {
    let mut all = Vec::new();
    for piece in events.chunks(PIECE) {
        all.extend(
            ledger::table
                .filter(ledger::event_id.eq_any(piece.iter().map(|id| Id(*id))))
                .filter(ledger::kind.eq_any(["rule", "award", "replay"]))
                .order(ledger::seq)
                .select(EntryRow::as_select())
                .load::<EntryRow>(conn)?,
        );
    }
    Ok(all)
}

/// What is left of an entry: its points with all corrections of it, with the corrections of those, and so on.
pub fn left_of(conn: &mut Conn, entry: Uuid) -> AppResult<i64> {
    #[derive(QueryableByName)]
    struct Left {
        #[diesel(sql_type = sql_types::BigInt)]
        points: i64,
    }
    let sql = "WITH RECURSIVE down (id, points) AS (SELECT id, points FROM game_ledger WHERE id = ?1 UNION ALL \
         SELECT l.id, l.points FROM down JOIN game_ledger l ON l.corrects_id = down.id) \
         SELECT CAST(COALESCE(SUM(points), 0) AS BIGINT) AS points FROM down";
    let left: Left = match conn {
        Conn::Pg(c) => sql_query(sql.replace('?', "$")).bind::<SqlId, _>(Id(entry)).get_result(c)?,
        Conn::Sqlite(c) => sql_query(sql).bind::<SqlId, _>(Id(entry)).get_result(c)?,
    };
    Ok(left.points)
}

/// The entry that was corrected first where an entry corrects another, which may itself correct another; the entry itself where it
/// corrects none. With its points.
pub fn first_of(conn: &mut Conn, entry: Uuid) -> AppResult<Option<(Uuid, i64)>> {
    #[derive(QueryableByName)]
    struct First {
        #[diesel(sql_type = SqlId)]
        id: Uuid,
        #[diesel(sql_type = sql_types::BigInt)]
        points: i64,
    }
    let sql = "WITH RECURSIVE up (id, points, corrects_id) AS (SELECT id, points, corrects_id FROM game_ledger WHERE id = ?1 \
         UNION ALL SELECT l.id, l.points, l.corrects_id FROM up JOIN game_ledger l ON l.id = up.corrects_id) \
         SELECT id, points FROM up WHERE corrects_id IS NULL";
    let first: Option<First> = match conn {
        Conn::Pg(c) => sql_query(sql.replace('?', "$")).bind::<SqlId, _>(Id(entry)).get_result(c).optional()?,
        Conn::Sqlite(c) => sql_query(sql).bind::<SqlId, _>(Id(entry)).get_result(c).optional()?,
    };
    Ok(first.map(|first| (first.id, first.points)))
}

/// What the corrections of each of these entries come to; those without corrections are left out.
pub fn corrected(conn: &mut Conn, entries: &[Uuid]) -> AppResult<HashMap<Uuid, i64>> {
    let mut all: HashMap<Uuid, i64> = HashMap::new();
    for piece in entries.chunks(PIECE) {
        let rows: Vec<(Option<Uuid>, i64)> = ledger::table
            .filter(ledger::corrects_id.eq_any(piece.iter().map(|id| Id(*id))))
            .select((ledger::corrects_id, ledger::points))
            .load(conn)?;
        for (entry, points) in rows {
            let sum = all.entry(entry.unwrap_or_default()).or_default();
            *sum = sum.saturating_add(points);
        }
    }
    Ok(all)
}

/// Somebody who does not see all: their own entries are seen, of people below them, and of those in the units.
#[derive(Debug, Clone)]
pub struct Sight {
    pub me: Uuid,
    pub units: Vec<Uuid>,
}

/// What a list of the ledger is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub sight: Option<Sight>,
    pub user: Option<Uuid>,
    pub team: Option<Uuid>,
    pub kind: Option<String>,
}

pub fn list(conn: &mut Conn, game: Uuid, filter: &Filter, page: &PageRequest) -> AppResult<Rows<EntryRow>> {
    let mut query = ledger::table
        .filter(ledger::game_id.eq(Id(game)))
        .select(EntryRow::as_select())
        .order(ledger::seq)
        .limit(page.fetch())
        .into_boxed();
    let after = page.after.map_or(Ok(0), |after| position(conn, after))?;
    query = match filter.user {
        Some(user) => query.filter(blocks::about_any(conn, Log::Ledger, &[user], after, i64::MAX)),
        None => query.filter(ledger::seq.gt(after)),
    };
    if let Some(Sight { me, units }) = &filter.sight {
        let mine = ledger::user_id.eq(Id(*me));
        let below = tree::is_below("game_ledger.user_id", *me);
        query = query.filter(mine.or(below).or(ledger::user_id.eq_any(people_of(units))));
    }
    if let Some(team) = filter.team {
        query = query.filter(ledger::team_id.eq(Id(team)));
    }
    if let Some(kind) = &filter.kind {
        query = query.filter(ledger::kind.eq(kind.clone()));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.id))
}

/// The position of an entry; of one that is not there, before all.
fn position(conn: &mut Conn, id: Uuid) -> AppResult<i64> {
    let this = ledger::table.filter(ledger::id.eq(Id(id))).select(ledger::seq);
    Ok(this.get_result(conn).optional()?.unwrap_or(0))
}

/// Whether a game has any entry.
pub fn any(conn: &mut Conn, game: Uuid) -> AppResult<bool> {
    let first = ledger::table.filter(ledger::game_id.eq(Id(game))).select(ledger::id).first::<Uuid>(conn);
    Ok(first.optional()?.is_some())
}

/// An entry that rules or replays made, or that took one back: id, kind, the entry it corrects, what counts.
#[derive(Debug, Clone)]
pub struct ByRule {
    pub id: Uuid,
    pub kind: String,
    pub corrects: Option<Uuid>,
    pub due: Due,
}

/// All entries that rules and replays made, and what took them back, page by page.
pub fn by_rules(conn: &mut Conn, game: Uuid, after: Option<Uuid>, limit: i64) -> AppResult<Vec<ByRule>> {
    let mut query = ledger::table
        .filter(ledger::game_id.eq(Id(game)))
        .filter(ledger::kind.eq_any(["rule", "replay", "reversal"]))
        .order(ledger::seq)
        .limit(limit)
        .select(EntryRow::as_select())
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(ledger::seq.gt(position(conn, after)?));
    }
    let rows: Vec<EntryRow> = query.load(conn)?;
    Ok(rows
        .into_iter()
        .map(|row| ByRule {
            id: row.id,
            kind: row.kind,
            corrects: row.corrects_id,
            due: Due {
                event: row.event_id,
                rule: row.rule_key,
                entry: Entry { user: row.user_id, team: row.team_id, points: row.points, at: row.at },
            },
        })
        .collect())
}

/// What was taken back by hand: event, key of the rule, when.
pub type Taken = (Uuid, String, DateTime<Utc>);

/// What people took back of what rules gave in a game, or gave these players there: a replay does not give it again. What follows
/// by itself from an event that is undone is not among it.
pub fn taken_by_hand(conn: &mut Conn, game: Uuid, users: Option<&[Uuid]>) -> AppResult<Vec<Taken>> {
    let mut query = ledger::table
        .filter(ledger::game_id.eq(Id(game)))
        .filter(ledger::kind.eq("reversal"))
        .filter(ledger::made_by.is_not_null())
        .order(ledger::seq)
        .select((ledger::event_id, ledger::rule_key, ledger::created_at))
        .into_boxed();
    if let Some(users) = users {
        query = query.filter(blocks::about_any(conn, Log::Ledger, users, 0, i64::MAX));
    }
    let rows: Vec<(Option<Uuid>, Option<String>, DateTime<Utc>)> = query.load(conn)?;
    Ok(rows.into_iter().filter_map(|(event, rule, at)| Some((event?, rule?, at))).collect())
}

/// The columns of a [`Line`], with the kind.
type LineRow = ((Uuid, Uuid, Option<Uuid>, Option<Uuid>, Option<String>, Option<Uuid>), (i64, DateTime<Utc>, String));
type LineColumns = (
    (ledger::id, ledger::user_id, ledger::team_id, ledger::event_id, ledger::rule_key, ledger::corrects_id),
    (ledger::points, ledger::at, ledger::kind),
);
const LINE: LineColumns = (
    (ledger::id, ledger::user_id, ledger::team_id, ledger::event_id, ledger::rule_key, ledger::corrects_id),
    (ledger::points, ledger::at, ledger::kind),
);

fn line(((id, user, team, event, rule, corrects), (points, at, kind)): LineRow) -> Line {
    let earned = matches!(kind.as_str(), "rule" | "award" | "replay");
    Line { id, user, team, event, rule, corrects, points, at, earned }
}

/// What is left of all that these players were given, by what it belongs to.
pub fn causes(conn: &mut Conn, game: Uuid, users: &[Uuid]) -> AppResult<HashMap<Uuid, Vec<Cause>>> {
    let mut all: HashMap<Uuid, Vec<Cause>> = HashMap::new();
    for piece in users.chunks(PIECE) {
        let rows: Vec<LineRow> = ledger::table
            .filter(ledger::game_id.eq(Id(game)))
            .filter(blocks::about_any(conn, Log::Ledger, piece, 0, i64::MAX))
            .order(ledger::seq)
            .select(LINE)
            .load(conn)?;
        for cause in cause::causes(rows.into_iter().map(line)) {
            all.entry(cause.user).or_default().push(cause);
        }
    }
    Ok(all)
}

/// Points and entries of these players that count from an instant on.
pub fn recent(
    conn: &mut Conn,
    game: Uuid,
    users: &[Uuid],
    since: DateTime<Utc>,
) -> AppResult<Vec<(Uuid, i64, DateTime<Utc>)>> {
    // Ids follow the clock, so the ids of an instant bound the rows that are read.
    let before = ledger::table.filter(ledger::id.lt(Id(first_id(since)))).order(ledger::id.desc()).select(ledger::seq);
    let before: Option<i64> = before.first(conn).optional()?;
    let mut all = Vec::new();
    for piece in users.chunks(PIECE) {
        let rows: Vec<(Uuid, i64, DateTime<Utc>)> = ledger::table
            .filter(ledger::game_id.eq(Id(game)))
            .filter(blocks::about_any(conn, Log::Ledger, piece, before.unwrap_or(0), i64::MAX))
            .filter(ledger::kind.eq_any(["rule", "award"]))
            .filter(ledger::at.ge(At(since)))
            .select((ledger::user_id, ledger::points, ledger::at))
            .load(conn)?;
        all.extend(rows);
    }
    Ok(all)
}

/// The least UUIDv7 of an instant.
fn first_id(at: DateTime<Utc>) -> Uuid {
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or_default();
    Uuid::from_u64_pair(millis << 16, 0)
}

/// What is left of what was earned for teams within a time.
pub fn of_teams_between(
    conn: &mut Conn,
    game: Uuid,
    teams: &[Uuid],
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> AppResult<Vec<Cause>> {
    let rows: Vec<LineRow> = ledger::table
        .filter(ledger::game_id.eq(Id(game)))
        .filter(ledger::team_id.eq_any(teams.iter().map(|id| Id(*id))))
        .filter(ledger::at.ge(At(from)))
        .filter(ledger::at.lt(At(until)))
        .order(ledger::seq)
        .select(LINE)
        .load(conn)?;
    Ok(cause::causes(rows.into_iter().map(line)))
}

pub(super) fn midnight(day: Option<NaiveDate>) -> Option<DateTime<Utc>> {
    day.map(|day| day.and_time(NaiveTime::MIN).and_utc())
}

type ProgressRow =
    (Uuid, String, i64, i64, Option<DateTime<Utc>>, Option<DateTime<Utc>>, i64, i64, i64, Option<DateTime<Utc>>);

/// What these players have had of the game's rules.
pub fn progress(conn: &mut Conn, game: Uuid, users: &[Uuid]) -> AppResult<Vec<(Uuid, String, Progress)>> {
    let mut all = Vec::new();
    for piece in users.chunks(PIECE) {
        let rows: Vec<ProgressRow> = progress::table
            .filter(progress::game_id.eq(Id(game)))
            .filter(progress::user_id.eq_any(piece.iter().map(|id| Id(*id))))
            .select((
                progress::user_id,
                progress::rule_key,
                progress::times,
                progress::points,
                progress::last_at,
                progress::day_at,
                progress::day_points,
                progress::streak_days,
                progress::streak_longest,
                progress::streak_last,
            ))
            .load(conn)?;
        all.extend(rows.into_iter().map(
            |(user, rule, times, points, last_at, day, day_points, days, longest, last)| {
                let streak = Streak { days, longest, last: last.map(|at| at.date_naive()) };
                let day = day.map(|at| at.date_naive());
                (user, rule, Progress { times, points, last_at, day, day_points, streak })
            },
        ));
    }
    Ok(all)
}

const PROGRESS: Bulk<11> = Bulk {
    table: "game_progress",
    columns: [
        ("game_id", Kind::Id),
        ("rule_key", Kind::Text),
        ("user_id", Kind::Id),
        ("times", Kind::Whole),
        ("points", Kind::Whole),
        ("last_at", Kind::At),
        ("day_at", Kind::At),
        ("day_points", Kind::Whole),
        ("streak_days", Kind::Whole),
        ("streak_longest", Kind::Whole),
        ("streak_last", Kind::At),
    ],
    tail: "ON CONFLICT (game_id, user_id, rule_key) DO UPDATE SET times = excluded.times, points = excluded.points, \
        last_at = excluded.last_at, day_at = excluded.day_at, day_points = excluded.day_points, \
        streak_days = excluded.streak_days, streak_longest = excluded.streak_longest, streak_last = excluded.streak_last",
};

pub fn save_progress(conn: &mut Conn, game: Uuid, rows: &[(&str, Uuid, &Progress)]) -> AppResult<()> {
    let values = rows.iter().map(|(rule, user, had)| {
        [
            game.into(),
            (*rule).into(),
            (*user).into(),
            had.times.into(),
            had.points.into(),
            had.last_at.into(),
            midnight(had.day).into(),
            had.day_points.into(),
            had.streak.days.into(),
            had.streak.longest.into(),
            midnight(had.streak.last).into(),
        ]
    });
    PROGRESS.insert(conn, &values.collect::<Vec<_>>())?;
    Ok(())
}

/// How often each rule gave points to these players.
pub fn times(conn: &mut Conn, game: Uuid, users: &[Uuid]) -> AppResult<HashMap<Uuid, HashMap<String, i64>>> {
    let mut all: HashMap<Uuid, HashMap<String, i64>> = HashMap::new();
    for (user, rule, had) in progress(conn, game, users)? {
        all.entry(user).or_default().insert(rule, had.times);
    }
    Ok(all)
}

/// Things for which `each` rules gave points, among these.
pub fn things(conn: &mut Conn, game: Uuid, users: &[Uuid], of: &[String]) -> AppResult<Vec<(String, Uuid, String)>> {
    let mut all = Vec::new();
    for piece in users.chunks(PIECE) {
        let rows: Vec<(String, Uuid, String)> = things::table
            .filter(things::game_id.eq(Id(game)))
            .filter(things::user_id.eq_any(piece.iter().map(|id| Id(*id))))
            .filter(things::thing.eq_any(of.to_vec()))
            .select((things::rule_key, things::user_id, things::thing))
            .load(conn)?;
        all.extend(rows);
    }
    Ok(all)
}

pub fn add_things(conn: &mut Conn, game: Uuid, rows: &[(String, Uuid, String)]) -> AppResult<()> {
    let values: Vec<_> = rows
        .iter()
        .map(|(rule, user, thing)| {
            (
                things::game_id.eq(Id(game)),
                things::user_id.eq(Id(*user)),
                things::rule_key.eq(rule),
                things::thing.eq(thing),
            )
        })
        .collect();
    for piece in values.chunks(PIECE) {
        per_backend!(conn, |c| diesel::insert_into(things::table).values(piece).on_conflict_do_nothing().execute(c))?;
    }
    Ok(())
}

/// Forgets that rules gave players points for things: rule, player, thing.
pub fn forget_had(conn: &mut Conn, game: Uuid, gone: &[(String, Uuid, String)]) -> AppResult<()> {
    for piece in gone.chunks(PIECE) {
        let users: Vec<Uuid> = piece.iter().map(|(_, user, _)| *user).collect::<BTreeSet<_>>().into_iter().collect();
        let of: Vec<String> = piece.iter().map(|(.., t)| t.clone()).collect::<BTreeSet<_>>().into_iter().collect();
        // What else these players had of these things stays.
        let mut kept = things(conn, game, &users, &of)?;
        kept.retain(|had| !piece.contains(had));
        let these = things::table
            .filter(things::game_id.eq(Id(game)))
            .filter(things::user_id.eq_any(users.iter().map(|id| Id(*id))))
            .filter(things::thing.eq_any(of));
        diesel::delete(these).execute(conn)?;
        add_things(conn, game, &kept)?;
    }
    Ok(())
}

/// Forgets what players have had, before a replay writes it anew.
pub fn forget_progress(conn: &mut Conn, game: Uuid) -> AppResult<()> {
    diesel::delete(progress::table.filter(progress::game_id.eq(Id(game)))).execute(conn)?;
    diesel::delete(things::table.filter(things::game_id.eq(Id(game)))).execute(conn)?;
    Ok(())
}

/// All entries of a game that hang on these events, with what corrects them and takes them back, in their order.
pub fn of_events(conn: &mut Conn, game: Uuid, events: &[Uuid]) -> AppResult<Vec<EntryRow>> {
    let mut all = Vec::new();
    for piece in events.chunks(PIECE) {
        all.extend(
            ledger::table
                .filter(ledger::event_id.eq_any(piece.iter().map(|id| Id(*id))))
                .order(ledger::seq)
                .select(EntryRow::as_select())
                .load::<EntryRow>(conn)?
                .into_iter()
                .filter(|entry| entry.game_id == game),
        );
    }
    Ok(all)
}

/// What people corrected of what rules gave for events.
pub fn corrections(conn: &mut Conn, game: Uuid) -> AppResult<Vec<EntryRow>> {
    Ok(ledger::table
        .filter(ledger::game_id.eq(Id(game)))
        .filter(ledger::kind.eq("correction"))
        .filter(ledger::event_id.is_not_null())
        .filter(ledger::rule_key.is_not_null())
        .order(ledger::seq)
        .select(EntryRow::as_select())
        .load(conn)?)
}
