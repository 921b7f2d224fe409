//! SQL about boards and the sums on them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use diesel::dsl::sql;
use diesel::upsert::excluded;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension, QueryDsl,
    Queryable, QueryableByName, RunQueryDsl, Selectable, SelectableHelper, sql_query, sql_types,
};
use uuid::Uuid;

use super::PIECE;
use super::ranking::{Board, Head};
use crate::db::Conn;
use crate::db::bulk::{ARRAYS, Bulk, Kind};
use crate::db::fixed::Bind;
use crate::db::schema::{
    game_boards as boards, game_standings as standings, game_team_points as points, game_team_totals as totals,
};
use crate::db::types::{At, Id, SqlId, SqlInstant, SqlTid, Tid};
use crate::domain::game::ledger::Total;
use crate::domain::game::period::Period;
use crate::error::{AppError, AppResult};
use crate::per_backend;

/// Ids of the boards of these buckets; those that are missing are made.
pub fn ensure(conn: &mut Conn, game: Uuid, buckets: &[String]) -> AppResult<HashMap<String, i64>> {
    let load = |conn: &mut Conn| -> AppResult<HashMap<String, i64>> {
        let rows: Vec<(String, i64)> = boards::table
            .filter(boards::game_id.eq(Id(game)))
            .filter(boards::bucket.eq_any(buckets.to_vec()))
            .select((boards::bucket, boards::id))
            .load(conn)?;
        Ok(rows.into_iter().collect())
    };
    let known = load(conn)?;
    let missing: Vec<_> = buckets
        .iter()
        .filter(|bucket| !known.contains_key(*bucket))
        .map(|bucket| (boards::game_id.eq(Id(game)), boards::bucket.eq(bucket)))
        .collect();
    if missing.is_empty() {
        return Ok(known);
    }
    per_backend!(conn, |c| diesel::insert_into(boards::table).values(&missing).execute(c))?;
    load(conn)
}

/// A board, and where one player stands on it.
pub type Mine = (Board, Option<(i64, DateTime<Utc>, bool)>);

/// The board of a bucket with one player's sum.
pub fn with_player(conn: &mut Conn, game: Uuid, bucket: &str, user: Uuid) -> AppResult<Option<Mine>> {
    type Row = ((i64, i64, i64), Option<i64>, Option<DateTime<Utc>>, Option<bool>);
    let row: Option<Row> = boards::table
        .left_join(standings::table.on(standings::board_id.eq(boards::id).and(standings::user_id.eq(Id(user)))))
        .filter(boards::game_id.eq(Id(game)))
        .filter(boards::bucket.eq(bucket))
        .select((
            (boards::id, boards::moved, boards::stamp),
            standings::points.nullable(),
            standings::reached_at.nullable(),
            standings::listed.nullable(),
        ))
        .first(conn)
        .optional()?;
    Ok(row.map(|((id, moved, stamp), points, at, listed)| {
        let board = Board { game, id, bucket: bucket.to_owned(), head: Head { moved, stamp } };
        (board, points.zip(at).zip(listed).map(|((p, a), l)| (p, a, l)))
    }))
}

fn of_bucket(conn: &mut Conn, game: Uuid, bucket: &str) -> AppResult<Option<i64>> {
    let this = boards::table.filter(boards::game_id.eq(Id(game))).filter(boards::bucket.eq(bucket));
    Ok(this.select(boards::id).first(conn).optional()?)
}

/// How many are listed on the board of a bucket.
pub fn players(conn: &mut Conn, game: Uuid, bucket: &str) -> AppResult<i64> {
    let row =
        boards::table.filter(boards::game_id.eq(Id(game))).filter(boards::bucket.eq(bucket)).select(boards::players);
    Ok(row.first(conn).optional()?.unwrap_or(0))
}

/// A player's sum on a board.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    pub total: Total,
    pub listed: bool,
    /// On the board of all time: the last day of the player's streak, so that it need not be looked up for each entry. None where
    /// that is not known.
    pub earned_on: Option<NaiveDate>,
}

/// A sum as it was read to be changed, in a transaction that holds the game's lock.
#[derive(Debug, Clone)]
pub struct Found {
    /// The sum.
    pub standing: Standing,
    /// Where Postgres has the row, until it is changed.
    place: Option<Tid>,
}

#[derive(Queryable, QueryableByName, Selectable)]
#[diesel(table_name = standings)]
struct SumRow {
    board_id: i64,
    user_id: Uuid,
    points: i64,
    reached_at: DateTime<Utc>,
    listed: bool,
    earned_on: Option<i32>,
}

impl From<SumRow> for Standing {
    fn from(row: SumRow) -> Self {
        Self {
            total: Total { points: row.points, reached_at: Some(row.reached_at) },
            listed: row.listed,
            earned_on: row.earned_on.and_then(NaiveDate::from_epoch_days),
        }
    }
}

#[derive(QueryableByName)]
struct PlacedRow {
    #[diesel(embed)]
    sum: SumRow,
    #[diesel(sql_type = SqlTid)]
    place: Tid,
}

/// The sums of these players on these boards.
pub fn standings(conn: &mut Conn, on: &[i64], users: &[Uuid]) -> AppResult<HashMap<(i64, Uuid), Found>> {
    use sql_types::{Array, BigInt};
    let mut all = HashMap::with_capacity(users.len().saturating_mul(on.len()));
    let mut add = |row: SumRow, place: Option<Tid>| {
        all.insert((row.board_id, row.user_id), Found { standing: row.into(), place });
    };
    match conn {
        // Player by player, as in `players::find`.
        Conn::Pg(c) => {
            for piece in users.chunks(ARRAYS) {
                let rows: Vec<PlacedRow> = sql_query(
                    "SELECT s.* FROM unnest($1) AS who (id) CROSS JOIN LATERAL (SELECT ctid AS place, board_id, user_id, points, \
                     reached_at, listed, earned_on FROM game_standings WHERE user_id = who.id AND board_id = ANY ($2) OFFSET 0) AS s",
                )
                .bind::<Array<sql_types::Uuid>, _>(piece)
                .bind::<Array<BigInt>, _>(on)
                .load(c)?;
                rows.into_iter().for_each(|row| add(row.sum, Some(row.place)));
            }
        }
        // A player's sums lie side by side. SQLite would rather look for each on its board, at another place for each board, unless
        // the board is no column of an index.
        Conn::Sqlite(c) => {
            for piece in users.chunks(PIECE) {
                let rows: Vec<SumRow> = standings::table
                    .filter(sql::<BigInt>("+game_standings.board_id").eq_any(on.to_vec()))
                    .filter(standings::user_id.eq_any(piece.iter().map(|id| Id(*id))))
                    .select(SumRow::as_select())
                    .load(c)?;
                rows.into_iter().for_each(|row| add(row, None));
            }
        }
    }
    Ok(all)
}

/// All sums of one player on the boards of games that are open.
pub fn of_player(conn: &mut Conn, user: Uuid, game: Option<Uuid>) -> AppResult<Vec<(i64, Uuid, Standing)>> {
    use crate::db::schema::games;
    let mut query = standings::table
        .inner_join(boards::table.on(boards::id.eq(standings::board_id)))
        .inner_join(games::table.on(games::id.eq(boards::game_id)))
        .filter(standings::user_id.eq(Id(user)))
        .filter(games::status.eq("open"))
        .select((games::id, SumRow::as_select()))
        .into_boxed();
    if let Some(game) = game {
        query = query.filter(games::id.eq(Id(game)));
    }
    let rows: Vec<(Uuid, SumRow)> = query.load(conn)?;
    Ok(rows.into_iter().map(|(game, row)| (row.board_id, game, row.into())).collect())
}

const STANDINGS: Bulk<6> = Bulk {
    table: "game_standings",
    columns: [
        ("board_id", Kind::Whole),
        ("user_id", Kind::Id),
        ("points", Kind::Whole),
        ("reached_at", Kind::At),
        ("listed", Kind::Flag),
        ("earned_on", Kind::Whole),
    ],
    tail: "ON CONFLICT (board_id, user_id) DO UPDATE SET points = excluded.points, reached_at = excluded.reached_at, \
        listed = excluded.listed, earned_on = excluded.earned_on",
};

/// A sum to be written.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// The board.
    pub board: i64,
    /// Whose.
    pub user: Uuid,
    /// What it comes to.
    pub new: Standing,
    /// As it was read before in this transaction, if it was.
    pub old: Option<&'a Found>,
}

/// Writes sums.
///
/// Postgres looks for a row that [`standings`] has read at its place: by its key, a sum costs twice as much.
pub fn save(conn: &mut Conn, changes: &[Change<'_>]) -> AppResult<()> {
    let at = |change: &Change<'_>| change.new.total.reached_at.unwrap_or(DateTime::UNIX_EPOCH);
    let day = |change: &Change<'_>| change.new.earned_on.map(|day| day.to_epoch_days());
    let place = |change: &Change<'_>| change.old.and_then(|old| old.place);
    let (there, others): (Vec<_>, Vec<_>) = changes.iter().partition(|change| place(change).is_some());
    if let Conn::Pg(c) = conn {
        use sql_types::{Array, BigInt, Bool, Integer, Nullable, Timestamptz};
        for piece in there.chunks(ARRAYS) {
            let done = sql_query(
                "UPDATE game_standings SET points = v.points, reached_at = v.reached_at, listed = v.listed, \
                 earned_on = v.earned_on FROM unnest($1, $2, $3, $4, $5) AS v (place, points, reached_at, listed, earned_on) \
                 WHERE game_standings.ctid = v.place",
            )
            .bind::<Array<SqlTid>, _>(piece.iter().copied().filter_map(place).collect::<Vec<_>>())
            .bind::<Array<BigInt>, _>(piece.iter().map(|change| change.new.total.points).collect::<Vec<_>>())
            .bind::<Array<Timestamptz>, _>(piece.iter().copied().map(at).collect::<Vec<_>>())
            .bind::<Array<Bool>, _>(piece.iter().map(|change| change.new.listed).collect::<Vec<_>>())
            .bind::<Array<Nullable<Integer>>, _>(piece.iter().map(|change| day(change)).collect::<Vec<_>>())
            .execute(c)?;
            if done != piece.len() {
                return Err(AppError::internal("a sum was changed by somebody without the game's lock"));
            }
        }
    }
    let values = others.iter().map(|change| {
        let new = change.new;
        let day = Bind::MaybeWhole(day(change).map(i64::from));
        [change.board.into(), change.user.into(), new.total.points.into(), at(change).into(), new.listed.into(), day]
    });
    STANDINGS.insert(conn, &values.collect::<Vec<_>>())?;
    Ok(())
}

/// Forgets on which day these players earned last, where that may have changed.
pub fn forget_days(conn: &mut Conn, game: Uuid, users: &[Uuid]) -> AppResult<()> {
    let Some(board) = of_bucket(conn, game, Period::All.as_str())? else { return Ok(()) };
    for piece in users.chunks(PIECE) {
        let these = standings::table
            .filter(standings::board_id.eq(board))
            .filter(standings::user_id.eq_any(piece.iter().map(|id| Id(*id))));
        diesel::update(these).set(standings::earned_on.eq(None::<i32>)).execute(conn)?;
    }
    Ok(())
}

const TEAM_POINTS: Bulk<5> = Bulk {
    table: "game_team_points",
    columns: [
        ("board_id", Kind::Whole),
        ("team_id", Kind::Id),
        ("user_id", Kind::Id),
        ("points", Kind::Whole),
        ("reached_at", Kind::At),
    ],
    tail: "ON CONFLICT (board_id, team_id, user_id) DO UPDATE SET points = game_team_points.points + excluded.points, \
        reached_at = CASE WHEN excluded.reached_at > game_team_points.reached_at THEN excluded.reached_at \
        ELSE game_team_points.reached_at END",
};

const TEAM_TOTALS: Bulk<4> = Bulk {
    table: "game_team_totals",
    columns: [("board_id", Kind::Whole), ("team_id", Kind::Id), ("points", Kind::Whole), ("reached_at", Kind::At)],
    tail: "ON CONFLICT (board_id, team_id) DO UPDATE SET points = game_team_totals.points + excluded.points, \
        reached_at = CASE WHEN excluded.reached_at > game_team_totals.reached_at THEN excluded.reached_at \
        ELSE game_team_totals.reached_at END",
};

/// Adds to what players earned for teams (board, team, player), and to the teams' sums.
pub fn add_to_teams(conn: &mut Conn, sums: &[((i64, Uuid, Uuid), Total)]) -> AppResult<()> {
    let at = |total: &Total| total.reached_at.unwrap_or(DateTime::UNIX_EPOCH);
    let players = sums.iter().map(|((board, team, user), total)| {
        [(*board).into(), (*team).into(), (*user).into(), total.points.into(), at(total).into()]
    });
    TEAM_POINTS.insert(conn, &players.collect::<Vec<_>>())?;
    let mut teams: BTreeMap<(i64, Uuid), Total> = BTreeMap::new();
    for ((board, team, _), total) in sums {
        let sum = teams.entry((*board, *team)).or_default();
        sum.points = sum.points.saturating_add(total.points);
        sum.reached_at = sum.reached_at.max(total.reached_at);
    }
    let teams = teams
        .iter()
        .map(|((board, team), total)| [(*board).into(), (*team).into(), total.points.into(), at(total).into()]);
    TEAM_TOTALS.insert(conn, &teams.collect::<Vec<_>>())?;
    Ok(())
}

/// Says anew when what players earned for teams was reached, after some of it was taken back: board, team, player, instant. Those
/// who have nothing left there get the beginning of time. The teams' sums follow.
pub fn set_reached(conn: &mut Conn, rows: &[(i64, Uuid, Uuid, DateTime<Utc>)]) -> AppResult<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let values: Vec<_> = rows
        .iter()
        .map(|(board, team, user, at)| {
            (
                points::board_id.eq(*board),
                points::team_id.eq(Id(*team)),
                points::user_id.eq(Id(*user)),
                points::points.eq(0_i64),
                points::reached_at.eq(At(*at)),
            )
        })
        .collect();
    for piece in values.chunks(PIECE) {
        per_backend!(conn, |c| diesel::insert_into(points::table)
            .values(piece)
            .on_conflict((points::board_id, points::team_id, points::user_id))
            .do_update()
            .set(points::reached_at.eq(excluded(points::reached_at)))
            .execute(c))?;
    }
    let on: BTreeSet<i64> = rows.iter().map(|(board, ..)| *board).collect();
    let of: BTreeSet<Uuid> = rows.iter().map(|(_, team, ..)| *team).collect();
    let newest = sql::<sql_types::Nullable<SqlInstant>>("max(game_team_points.reached_at)");
    let sums: Vec<(i64, Uuid, Option<DateTime<Utc>>)> = points::table
        .filter(points::board_id.eq_any(on))
        .filter(points::team_id.eq_any(of.into_iter().map(Id)))
        .group_by((points::board_id, points::team_id))
        .select((points::board_id, points::team_id, newest))
        .load(conn)?;
    let values: Vec<_> = sums
        .into_iter()
        .filter_map(|(board, team, at)| Some((board, team, at.filter(|at| *at > DateTime::UNIX_EPOCH)?)))
        .map(|(board, team, at)| {
            (
                totals::board_id.eq(board),
                totals::team_id.eq(Id(team)),
                totals::points.eq(0_i64),
                totals::reached_at.eq(At(at)),
            )
        })
        .collect();
    for piece in values.chunks(PIECE) {
        per_backend!(conn, |c| diesel::insert_into(totals::table)
            .values(piece)
            .on_conflict((totals::board_id, totals::team_id))
            .do_update()
            .set(totals::reached_at.eq(excluded(totals::reached_at)))
            .execute(c))?;
    }
    Ok(())
}

/// What counts of a team on a board.
#[derive(Debug, QueryableByName)]
pub struct TeamSums {
    #[diesel(sql_type = SqlId)]
    pub team_id: Uuid,
    #[diesel(sql_type = sql_types::Text)]
    pub name: String,
    #[diesel(sql_type = sql_types::BigInt)]
    pub points: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    pub members: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    pub gone: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    pub top: i64,
    #[diesel(sql_type = sql_types::Nullable<SqlInstant>)]
    pub reached_at: Option<DateTime<Utc>>,
}

/// All teams of a game with their sums on the board of a bucket: heads now, heads that left but earned, points of the k best.
pub fn teams(conn: &mut Conn, game: Uuid, bucket: &str, k: i64) -> AppResult<Vec<TeamSums>> {
    use sql_types::{BigInt, Text};
    let sql = "WITH board AS (SELECT id FROM game_boards WHERE game_id = ?1 AND bucket = ?2), \
        heads AS (SELECT team_id, COUNT(*) AS n FROM game_team_members WHERE game_id = ?1 AND left_at IS NULL GROUP BY team_id), \
        gone AS (SELECT p.team_id, COUNT(*) AS n FROM game_team_points p WHERE p.board_id = (SELECT id FROM board) \
            AND NOT EXISTS (SELECT 1 FROM game_team_members m WHERE m.game_id = ?1 AND m.user_id = p.user_id \
                AND m.team_id = p.team_id AND m.left_at IS NULL) GROUP BY p.team_id), \
        best AS (SELECT q.team_id, SUM(q.points) AS points FROM (SELECT p.team_id, p.points, \
            ROW_NUMBER() OVER (PARTITION BY p.team_id ORDER BY p.points DESC) AS place FROM game_team_points p \
            WHERE p.board_id = (SELECT id FROM board)) q WHERE q.place <= ?3 GROUP BY q.team_id) \
        SELECT t.id AS team_id, t.name, COALESCE(s.points, 0) AS points, COALESCE(heads.n, 0) AS members, \
            COALESCE(gone.n, 0) AS gone, CAST(COALESCE(best.points, 0) AS BIGINT) AS top, s.reached_at \
        FROM game_teams t LEFT JOIN game_team_totals s ON s.board_id = (SELECT id FROM board) AND s.team_id = t.id \
        LEFT JOIN heads ON heads.team_id = t.id LEFT JOIN gone ON gone.team_id = t.id LEFT JOIN best ON best.team_id = t.id \
        WHERE t.game_id = ?1";
    Ok(match conn {
        Conn::Pg(c) => sql_query(sql.replace('?', "$"))
            .bind::<SqlId, _>(Id(game))
            .bind::<Text, _>(bucket)
            .bind::<BigInt, _>(k)
            .load(c)?,
        Conn::Sqlite(c) => {
            sql_query(sql).bind::<SqlId, _>(Id(game)).bind::<Text, _>(bucket).bind::<BigInt, _>(k).load(c)?
        }
    })
}

/// Which part of a board is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    /// Those enrolled in a course.
    Course(Uuid),
    /// Those in a group; of a unit, all that lies below.
    Group(Uuid),
    /// The present members of a team.
    Team(Uuid),
}

/// The listed players of a part of a board. The cost is that of the part, not of the board.
pub fn part(conn: &mut Conn, board: i64, part: Part, most: i64) -> AppResult<Vec<(Uuid, i64, DateTime<Utc>)>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlId)]
        user_id: Uuid,
        #[diesel(sql_type = sql_types::BigInt)]
        points: i64,
        #[diesel(sql_type = SqlInstant)]
        reached_at: DateTime<Utc>,
    }
    let (members, id) = match part {
        Part::Course(id) => {
            ("SELECT DISTINCT user_id FROM enrollments WHERE course_id = ?2 AND status IN ('active', 'completed')", id)
        }
        Part::Group(id) => (
            "SELECT DISTINCT g.user_id FROM group_paths p JOIN group_members g ON g.group_id = p.group_id WHERE p.ancestor_id = ?2",
            id,
        ),
        Part::Team(id) => ("SELECT user_id FROM game_team_members WHERE team_id = ?2 AND left_at IS NULL", id),
    };
    let sql = format!(
        "SELECT s.user_id, s.points, s.reached_at FROM ({members}) m JOIN game_standings s ON s.board_id = ?1 \
         AND s.user_id = m.user_id WHERE s.listed ORDER BY s.points DESC, s.reached_at, s.user_id LIMIT ?3"
    );
    use sql_types::BigInt;
    let rows: Vec<Row> = match conn {
        Conn::Pg(c) => sql_query(sql.replace('?', "$"))
            .bind::<BigInt, _>(board)
            .bind::<SqlId, _>(Id(id))
            .bind::<BigInt, _>(most)
            .load(c)?,
        Conn::Sqlite(c) => {
            sql_query(sql).bind::<BigInt, _>(board).bind::<SqlId, _>(Id(id)).bind::<BigInt, _>(most).load(c)?
        }
    };
    Ok(rows.into_iter().map(|row| (row.user_id, row.points, row.reached_at)).collect())
}

/// Sums of one player in these games, all time.
pub fn all_time_of(conn: &mut Conn, user: Uuid, games: Option<&[Uuid]>) -> AppResult<Vec<(Uuid, i64)>> {
    let mut query = standings::table
        .inner_join(boards::table.on(boards::id.eq(standings::board_id)))
        .filter(standings::user_id.eq(Id(user)))
        .filter(boards::bucket.eq("all"))
        .order(boards::game_id)
        .select((boards::game_id, standings::points))
        .into_boxed();
    if let Some(games) = games {
        query = query.filter(boards::game_id.eq_any(games.iter().map(|id| Id(*id)).collect::<Vec<_>>()));
    }
    Ok(query.load(conn)?)
}

/// All-time sums of these players in one game.
pub fn all_time(conn: &mut Conn, game: Uuid, users: &[Uuid]) -> AppResult<HashMap<Uuid, i64>> {
    let Some(board) = of_bucket(conn, game, Period::All.as_str())? else { return Ok(HashMap::new()) };
    let found = standings(conn, &[board], users)?;
    Ok(found.into_iter().map(|((_, user), found)| (user, found.standing.total.points)).collect())
}

/// Checks that no sum went out of what keys can hold.
pub fn checked(points: i64) -> AppResult<i64> {
    const MOST: i64 = 1 << 53;
    if (-MOST..=MOST).contains(&points) { Ok(points) } else { Err(AppError::internal("a total left its range")) }
}

/// All-time sums of these players in these games.
pub fn all_time_of_many(conn: &mut Conn, games: &[Uuid], users: &[Uuid]) -> AppResult<HashMap<(Uuid, Uuid), i64>> {
    let rows: Vec<(Uuid, Uuid, i64)> = standings::table
        .inner_join(boards::table.on(boards::id.eq(standings::board_id)))
        .filter(boards::game_id.eq_any(games.iter().map(|id| Id(*id))))
        .filter(boards::bucket.eq("all"))
        .filter(standings::user_id.eq_any(users.iter().map(|id| Id(*id))))
        .select((boards::game_id, standings::user_id, standings::points))
        .load(conn)?;
    Ok(rows.into_iter().map(|(game, user, points)| ((game, user), points)).collect())
}

/// Open games in which a user has points.
pub fn open_games_of(conn: &mut Conn, user: Uuid, only: Option<Uuid>) -> AppResult<Vec<Uuid>> {
    let mut ids: Vec<Uuid> = of_player(conn, user, only)?.into_iter().map(|(_, game, _)| game).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// Whether anything was ever earned for a team.
pub fn team_has_points(conn: &mut Conn, team: Uuid) -> AppResult<bool> {
    use crate::db::schema::{game_ledger as ledger, game_teams as teams};
    let first = ledger::table
        .inner_join(teams::table.on(teams::game_id.eq(ledger::game_id)))
        .filter(teams::id.eq(Id(team)))
        .filter(ledger::team_id.eq(Id(team)))
        .select(ledger::id)
        .first::<Uuid>(conn);
    Ok(first.optional()?.is_some())
}
