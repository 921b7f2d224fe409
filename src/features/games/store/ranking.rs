//! Ranks without counting everybody: a skip list with widths, kept in one table.
//!
//! Level 0 of `game_ranking` has a row for each listed player of a board, in the order of their keys ([`Key`]: points, who
//! got there first, id). A key of height h (drawn from its own bytes, one in 1024ʰ) has a row on levels 1 to h too, and so
//! does the empty key. The row (l, k) says how many players stand from k up to the next key of level l. A rank is the sum, from
//! the top level down, of the rows that lie wholly before a key: about 512 rows on each level, for ten thousand players as
//! for ten million, in one statement.
//!
//! A player who moves changes one row on each level, which a batch changes once for all of its moves; about one move in 512
//! also splits or joins two rows, which are counted again from the level below (1024 rows each). [`apply`] does so for a whole
//! batch over many boards at once, in the transaction of the ledger entries. Since heights follow from keys alone, the rows
//! depend on who stands where, never on how they got there.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use diesel::{ExpressionMethods, QueryDsl, QueryableByName, RunQueryDsl, sql_types};

use super::lists::{Keys, Node, execute, load};
use crate::db::Conn;
use crate::db::fixed::Fixed;
use crate::db::schema::game_ranking as ranking;
use crate::domain::game::rank::{FANOUT, Key, LEVELS};
use crate::error::AppResult;

/// A player of a board who moves, enters (`old` absent) or leaves (`new` absent).
#[derive(Debug, Clone, Copy)]
pub struct Move {
    /// The board.
    pub board: i64,
    /// Key until now.
    pub old: Option<Key>,
    /// Key from now on.
    pub new: Option<Key>,
}

/// A board and a key on it.
type Placed = (i64, Key);

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = sql_types::BigInt)]
    board: i64,
    #[diesel(sql_type = sql_types::Binary)]
    k: Vec<u8>,
    #[diesel(sql_type = sql_types::BigInt)]
    d: i64,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Binary>)]
    node: Option<Vec<u8>>,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = sql_types::BigInt)]
    n: i64,
}

/// So many rows of a level are read in order in the time in which one is looked up by itself.
const LOOK_UP: i64 = 8;

/// The rows of a level that keys fall under; `d` 1 asks for the row strictly before the key.
fn nodes_of(conn: &mut Conn, keys: &Keys, level: i32, totals: &HashMap<i64, i64>) -> AppResult<Vec<Found>> {
    let asked = i64::try_from(keys.len()).unwrap_or(i64::MAX);
    let each = i64::from(FANOUT).saturating_pow(level.unsigned_abs());
    let there = totals.values().map(|total| total / each).fold(0, i64::saturating_add);
    if there > asked.saturating_mul(LOOK_UP) {
        return load(conn, NODES, keys, level);
    }
    let rows: Vec<(i64, Vec<u8>)> = ranking::table
        .filter(ranking::board_id.eq_any(totals.keys().copied()))
        .filter(ranking::level.eq(level))
        .select((ranking::board_id, ranking::key))
        .load(conn)?;
    let rows: BTreeSet<Node> = rows.into_iter().collect();
    let found = keys.iter().map(|(board, key, d)| {
        let this = (*board, key.clone());
        let mut before = rows.range((*board, Vec::new())..=this);
        let last = before.next_back().filter(|node| *d == 0 || node.1 != *key).or_else(|| before.next_back());
        Found { board: *board, k: key.clone(), d: *d, node: last.map(|(_, key)| key.clone()) }
    });
    Ok(found.collect())
}

const NODES: &str = "SELECT v.board, v.k, v.d, (SELECT r.key FROM game_ranking r WHERE r.board_id = v.board AND r.level = ?2 \
    AND r.key <= v.k AND (v.d = 0 OR r.key <> v.k) ORDER BY r.key DESC LIMIT 1) AS node FROM {list}";
const INSERT: &str = "INSERT INTO game_ranking (board_id, level, key, n) SELECT v.board, ?2, v.k, v.d FROM {list}";
// In this order of columns, SQLite looks each key up; with the board first it reads all of the board.
const DELETE: &str =
    "DELETE FROM game_ranking WHERE level = ?2 AND (key, board_id) IN (SELECT v.k, v.board FROM {list})";
const ADD: &str = "UPDATE game_ranking SET n = game_ranking.n + v.d FROM {list} \
     WHERE game_ranking.board_id = v.board AND game_ranking.level = ?2 AND game_ranking.key = v.k";

/// Counts rows of a level again from the level below. `x'…'` is a literal after all keys.
fn recount_sql(conn: &Conn) -> String {
    let end = "ff".repeat(33);
    let end = match conn {
        Conn::Pg(_) => format!("'\\x{end}'::bytea"),
        Conn::Sqlite(_) => format!("x'{end}'"),
    };
    format!(
        "UPDATE game_ranking SET n = (SELECT CAST(COALESCE(SUM(c.n), 0) AS BIGINT) FROM game_ranking c \
         WHERE c.board_id = game_ranking.board_id AND c.level = game_ranking.level - 1 AND c.key >= game_ranking.key \
         AND c.key < COALESCE((SELECT x.key FROM game_ranking x WHERE x.board_id = game_ranking.board_id \
         AND x.level = game_ranking.level AND x.key > game_ranking.key ORDER BY x.key LIMIT 1), {end})) \
         FROM {{list}} WHERE game_ranking.board_id = v.board AND game_ranking.level = ?2 AND game_ranking.key = v.k"
    )
}

/// Gives new boards their empty keys.
pub fn open(conn: &mut Conn, boards: &[i64]) -> AppResult<()> {
    for level in 1..=LEVELS {
        let keys = Keys::new(boards.iter().map(|board| (*board, Vec::new(), 0)));
        execute(conn, INSERT, &keys, level.into())?;
    }
    Ok(())
}

/// Moves players, each at most once per board.
pub fn apply(conn: &mut Conn, moves: &[Move]) -> AppResult<()> {
    let moved = |m: &&Move| m.old != m.new;
    let old: Vec<(i64, Key)> = moves.iter().filter(moved).filter_map(|m| m.old.map(|key| (m.board, key))).collect();
    let new: Vec<(i64, Key)> = moves.iter().filter(moved).filter_map(|m| m.new.map(|key| (m.board, key))).collect();
    execute(conn, DELETE, &keys_of(&old, 0), 0)?;
    execute(conn, INSERT, &keys_of(&new, 1), 0)?;
    // How many more players stand under each row of the level below.
    let mut flow: BTreeMap<Node, i64> = BTreeMap::new();
    for (keys, by) in [(&old, -1), (&new, 1)] {
        for (board, key) in keys {
            *flow.entry((*board, key.as_bytes().to_vec())).or_default() += by;
        }
    }
    if flow.is_empty() {
        return Ok(());
    }
    let totals = totals(conn, &flow)?;
    for level in 1..=LEVELS {
        flow = carry(conn, level, (&old, &new), flow, &totals)?;
    }
    Ok(())
}

fn keys_of(keys: &[(i64, Key)], number: i64) -> Keys {
    Keys::new(keys.iter().map(|(board, key)| (*board, key.as_bytes().to_vec(), number)))
}

/// How many are listed on each of these boards.
fn totals(conn: &mut Conn, flow: &BTreeMap<Node, i64>) -> AppResult<HashMap<i64, i64>> {
    let boards: BTreeSet<i64> = flow.keys().map(|(board, _)| *board).collect();
    let mut totals: HashMap<i64, i64> = boards.iter().map(|board| (*board, 0)).collect();
    let rows: Vec<(i64, i64)> = ranking::table
        .filter(ranking::board_id.eq_any(boards))
        .filter(ranking::level.eq(i32::from(LEVELS)))
        .select((ranking::board_id, ranking::n))
        .load(conn)?;
    for (board, n) in rows {
        *totals.entry(board).or_default() += n;
    }
    Ok(totals)
}

/// Brings one level up to date and answers what it passes on to the next.
fn carry(
    conn: &mut Conn,
    level: u8,
    (old, new): (&[Placed], &[Placed]),
    flow: BTreeMap<Node, i64>,
    totals: &HashMap<i64, i64>,
) -> AppResult<BTreeMap<Node, i64>> {
    let tall = |keys: &[(i64, Key)]| -> Vec<(i64, Key)> {
        keys.iter().filter(|(_, key)| key.height() >= level).copied().collect()
    };
    let (gone, come) = (tall(old), tall(new));
    let db_level = i32::from(level);
    execute(conn, DELETE, &keys_of(&gone, 0), db_level)?;
    execute(conn, INSERT, &keys_of(&come, 0), db_level)?;
    // Rows that split or joined: the new ones, and those before new and vanished ones.
    let mut dirty: BTreeSet<Node> = come.iter().map(|(board, key)| (*board, key.as_bytes().to_vec())).collect();
    let asked = flow.iter().filter(|(_, d)| **d != 0).map(|((board, key), _)| (*board, key.clone(), 0));
    let before = gone.iter().chain(&come).map(|(board, key)| (*board, key.as_bytes().to_vec(), 1));
    let asked = Keys::new(asked.chain(before));
    if asked.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut up: BTreeMap<Node, i64> = BTreeMap::new();
    for found in nodes_of(conn, &asked, db_level, totals)? {
        let node = (found.board, found.node.unwrap_or_default());
        if found.d == 1 {
            dirty.insert(node);
        } else if let Some(by) = flow.get(&(found.board, found.k)) {
            *up.entry(node).or_default() += by;
        }
    }
    let sums = up.iter().filter(|(node, by)| **by != 0 && !dirty.contains(*node));
    execute(conn, ADD, &Keys::new(sums.map(|((board, key), by)| (*board, key.clone(), *by))), db_level)?;
    let recount = recount_sql(conn);
    execute(conn, &recount, &Keys::new(dirty.into_iter().map(|(board, key)| (board, key, 0))), db_level)?;
    Ok(up)
}

/// [`before`] for two levels of counts: the rows before the last of level 2, from there those before the last of level 1, and
/// from there the players.
const BEFORE: &str = "WITH p2 AS (SELECT key AS k FROM game_ranking WHERE board_id = ? AND level = 2 AND key <= ? ORDER BY key DESC LIMIT 1), \
    p1 AS (SELECT key AS k FROM game_ranking WHERE board_id = ? AND level = 1 AND key <= ? ORDER BY key DESC LIMIT 1) \
    SELECT (SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM game_ranking WHERE board_id = ? AND level = 2 AND key < (SELECT k FROM p2)) \
    + (SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM game_ranking WHERE board_id = ? AND level = 1 \
        AND key >= (SELECT k FROM p2) AND key < (SELECT k FROM p1)) \
    + (SELECT COUNT(*) FROM game_ranking WHERE board_id = ? AND level = 0 AND key >= (SELECT k FROM p1) AND key < ?) AS n";
const _: () = assert!(LEVELS == 2, "BEFORE is written for two levels");

/// How many stand before a key, which need not be there.
pub fn before(conn: &mut Conn, board: i64, key: &Key) -> AppResult<i64> {
    let (board, key) = (board.into(), key.as_bytes().into());
    let query = Fixed::new(BEFORE, [board, key, board, key, board, board, board, key]);
    let row: Count = match conn {
        Conn::Pg(c) => query.get_result(c)?,
        Conn::Sqlite(c) => query.get_result(c)?,
    };
    Ok(row.n)
}

/// How many are listed.
pub fn count(conn: &mut Conn, board: i64) -> AppResult<i64> {
    let rows: Vec<i64> = ranking::table
        .filter(ranking::board_id.eq(board))
        .filter(ranking::level.eq(i32::from(LEVELS)))
        .select(ranking::n)
        .load(conn)?;
    Ok(rows.iter().sum())
}

/// The keys after one, in order.
pub fn after(conn: &mut Conn, board: i64, key: Option<&Key>, limit: i64) -> AppResult<Vec<Key>> {
    let from = key.map(|key| key.as_bytes().to_vec()).unwrap_or_default();
    let rows: Vec<Vec<u8>> = ranking::table
        .filter(ranking::board_id.eq(board))
        .filter(ranking::level.eq(0))
        .filter(ranking::key.gt(from))
        .order(ranking::key)
        .limit(limit)
        .select(ranking::key)
        .load(conn)?;
    Ok(rows.iter().filter_map(|bytes| Key::from_slice(bytes)).collect())
}

/// The keys right before one, in order.
pub fn just_before(conn: &mut Conn, board: i64, key: &Key, limit: i64) -> AppResult<Vec<Key>> {
    let mut rows: Vec<Vec<u8>> = ranking::table
        .filter(ranking::board_id.eq(board))
        .filter(ranking::level.eq(0))
        .filter(ranking::key.lt(key.as_bytes().to_vec()))
        .order(ranking::key.desc())
        .limit(limit)
        .select(ranking::key)
        .load(conn)?;
    rows.reverse();
    Ok(rows.iter().filter_map(|bytes| Key::from_slice(bytes)).collect())
}

/// Whether a key is on a board.
pub fn holds(conn: &mut Conn, board: i64, key: &Key) -> AppResult<bool> {
    use diesel::OptionalExtension;
    let row = ranking::table.find((board, 0, key.as_bytes().to_vec())).select(ranking::n).first::<i64>(conn);
    Ok(row.optional()?.is_some())
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use diesel::connection::SimpleConnection;
    use diesel::{Connection, SqliteConnection};
    use uuid::Uuid;

    use super::*;

    /// Numbers that look like chance and are the same each time.
    fn next(seed: &mut u64) -> u64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *seed >> 33
    }

    /// So many players that rows of counts split and join again and again.
    #[test]
    fn ranks_agree_with_a_plain_sort_whoever_comes_moves_and_goes() {
        let mut sqlite = SqliteConnection::establish(":memory:").unwrap();
        let table = "CREATE TABLE game_ranking (board_id INTEGER NOT NULL, level INTEGER NOT NULL, key BLOB NOT NULL, \
             n INTEGER NOT NULL, PRIMARY KEY (board_id, level, key)) STRICT, WITHOUT ROWID";
        sqlite.batch_execute(table).unwrap();
        let conn = &mut Conn::Sqlite(sqlite);
        open(conn, &[1, 2]).unwrap();
        let mut places: HashMap<(i64, u64), Key> = HashMap::new();
        let (mut seed, mut split, mut joined) = (7, 0, 0);
        for round in 0..24 {
            let mut moves = HashMap::new();
            // Batches of all sizes; the later rounds take more players away than they bring.
            let size = if round % 3 == 0 { 40 } else { 3_000 };
            for _ in 0..size {
                let place = (1 + i64::from(next(&mut seed).is_multiple_of(4)), next(&mut seed) % 9_000);
                let old = places.get(&place).copied();
                let leaves = next(&mut seed) % 10 < if round < 14 { 1 } else { 7 };
                let points = i64::try_from(next(&mut seed) % 500).unwrap();
                let key = Key::new(points, DateTime::UNIX_EPOCH, Uuid::from_u128(place.1.into()));
                let new = Some(key).filter(|_| !leaves);
                moves.entry(place).or_insert(Move { board: place.0, old, new });
            }
            for (place, m) in &moves {
                split += usize::from(m.new != m.old && m.new.is_some_and(|key| key.height() > 0));
                joined += usize::from(m.new != m.old && m.old.is_some_and(|key| key.height() > 0));
                match m.new {
                    Some(key) => places.insert(*place, key),
                    None => places.remove(place),
                };
            }
            apply(conn, &moves.into_values().collect::<Vec<_>>()).unwrap();
            for board in [1, 2] {
                let sorted: BTreeSet<Key> =
                    places.iter().filter(|((on, _), _)| *on == board).map(|(_, key)| *key).collect();
                assert_eq!(count(conn, board).unwrap(), i64::try_from(sorted.len()).unwrap());
                for (place, key) in sorted.iter().enumerate().step_by(61) {
                    assert_eq!(before(conn, board, key).unwrap(), i64::try_from(place).unwrap(), "round {round}");
                }
                let last = sorted.last().copied().unwrap();
                assert_eq!(before(conn, board, &last).unwrap() + 1, i64::try_from(sorted.len()).unwrap());
            }
        }
        assert!(split > 5 && joined > 2, "{split} rows split, {joined} joined");
    }
}
