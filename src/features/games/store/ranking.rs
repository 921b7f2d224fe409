//! Ranks without counting everybody: a skip list with widths, kept in one table.
//!
//! Level 0 of `game_ranking` has a row for each listed player of a board, in the order of their keys ([`Key`]: points, who
//! got there first, id). A key of height h (drawn from its own bytes, one in 32ʰ) has a row on levels 1 to h too, and so
//! does the empty key. The row (l, k) says how many players stand from k up to the next key of level l. A rank is the sum, from
//! the top level down, of the rows that lie wholly before a key: about 16 rows on each of five levels, for ten thousand
//! players as for ten million, in one statement.
//!
//! A player who moves changes one row on each level; about one in 32 also splits or joins two, which are counted again from the
//! level below (32 rows each). [`apply`] does so for a whole batch over many boards at once, in the transaction of the ledger
//! entries. Since heights follow from keys alone, the rows depend on who stands where, never on how they got there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use diesel::{ExpressionMethods, QueryDsl, QueryableByName, RunQueryDsl, sql_query, sql_types};

use crate::db::Conn;
use crate::db::schema::game_ranking as ranking;
use crate::domain::game::rank::{Key, LEVELS};
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

/// A row of some level: board and key; the empty key is before all others.
type Node = (i64, Vec<u8>);

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

/// The list `[[board, key in hex, number], …]` as a table `v(board, k, d)`, and how each database writes it.
const SQLITE_LIST: &str = "(SELECT json_extract(value, '$[0]') AS board, unhex(json_extract(value, '$[1]')) AS k, \
     json_extract(value, '$[2]') AS d FROM json_each(?1)) v";
const PG_LIST: &str = "(SELECT (e.value->>0)::bigint AS board, decode(e.value->>1, 'hex') AS k, (e.value->>2)::bigint AS d \
     FROM jsonb_array_elements($1::jsonb) AS e(value)) v";

fn list<'a>(rows: impl Iterator<Item = (i64, &'a [u8], i64)>) -> String {
    let mut text = String::from("[");
    for (n, (board, key, number)) in rows.enumerate() {
        let _ = write!(text, "{}[{board},\"", if n == 0 { "" } else { "," });
        for byte in key {
            let _ = write!(text, "{byte:02x}");
        }
        let _ = write!(text, "\",{number}]");
    }
    text.push(']');
    text
}

/// Runs a statement over such a list on one level. `{list}` stands for the list; `?2` is the level.
fn execute(conn: &mut Conn, sql: &str, json: &str, level: i32) -> AppResult<usize> {
    use sql_types::{Integer, Text};
    Ok(match conn {
        Conn::Pg(c) => {
            let sql = sql.replace("{list}", PG_LIST).replace('?', "$");
            sql_query(sql).bind::<Text, _>(json).bind::<Integer, _>(level).execute(c)?
        }
        Conn::Sqlite(c) => {
            let sql = sql.replace("{list}", SQLITE_LIST);
            sql_query(sql).bind::<Text, _>(json).bind::<Integer, _>(level).execute(c)?
        }
    })
}

/// The rows of a level that keys fall under; `d` 1 asks for the row strictly before the key.
fn nodes_of(conn: &mut Conn, json: &str, level: i32) -> AppResult<Vec<Found>> {
    use sql_types::{Integer, Text};
    let sql = "SELECT v.board, v.k, v.d, (SELECT r.key FROM game_ranking r WHERE r.board_id = v.board AND r.level = ?2 \
               AND r.key <= v.k AND (v.d = 0 OR r.key <> v.k) ORDER BY r.key DESC LIMIT 1) AS node FROM {list}";
    Ok(match conn {
        Conn::Pg(c) => {
            let sql = sql.replace("{list}", PG_LIST).replace('?', "$");
            sql_query(sql).bind::<Text, _>(json).bind::<Integer, _>(level).load(c)?
        }
        Conn::Sqlite(c) => {
            sql_query(sql.replace("{list}", SQLITE_LIST)).bind::<Text, _>(json).bind::<Integer, _>(level).load(c)?
        }
    })
}

const INSERT: &str = "INSERT INTO game_ranking (board_id, level, key, n) SELECT v.board, ?2, v.k, v.d FROM {list}";
const DELETE: &str =
    "DELETE FROM game_ranking WHERE (board_id, level, key) IN (SELECT v.board, CAST(?2 AS INTEGER), v.k FROM {list})";
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
        let json = list(boards.iter().map(|board| (*board, [].as_slice(), 0)));
        execute(conn, INSERT, &json, level.into())?;
    }
    Ok(())
}

/// Moves players, each at most once per board.
pub fn apply(conn: &mut Conn, moves: &[Move]) -> AppResult<()> {
    let moved = |m: &&Move| m.old != m.new;
    let old: Vec<(i64, Key)> = moves.iter().filter(moved).filter_map(|m| m.old.map(|key| (m.board, key))).collect();
    let new: Vec<(i64, Key)> = moves.iter().filter(moved).filter_map(|m| m.new.map(|key| (m.board, key))).collect();
    if !old.is_empty() {
        execute(conn, DELETE, &list(old.iter().map(|(board, key)| (*board, key.as_bytes(), 0))), 0)?;
    }
    if !new.is_empty() {
        execute(conn, INSERT, &list(new.iter().map(|(board, key)| (*board, key.as_bytes(), 1))), 0)?;
    }
    // How many more players stand under each row of the level below.
    let mut flow: BTreeMap<Node, i64> = BTreeMap::new();
    for (keys, by) in [(&old, -1), (&new, 1)] {
        for (board, key) in keys {
            *flow.entry((*board, key.as_bytes().to_vec())).or_default() += by;
        }
    }
    for level in 1..=LEVELS {
        flow = carry(conn, level, &old, &new, flow)?;
    }
    Ok(())
}

/// Brings one level up to date and answers what it passes on to the next.
fn carry(
    conn: &mut Conn,
    level: u8,
    old: &[(i64, Key)],
    new: &[(i64, Key)],
    flow: BTreeMap<Node, i64>,
) -> AppResult<BTreeMap<Node, i64>> {
    let tall = |keys: &[(i64, Key)]| -> Vec<(i64, Key)> {
        keys.iter().filter(|(_, key)| key.height() >= level).copied().collect()
    };
    let (gone, come) = (tall(old), tall(new));
    let db_level = i32::from(level);
    if !gone.is_empty() {
        execute(conn, DELETE, &list(gone.iter().map(|(board, key)| (*board, key.as_bytes(), 0))), db_level)?;
    }
    if !come.is_empty() {
        execute(conn, INSERT, &list(come.iter().map(|(board, key)| (*board, key.as_bytes(), 0))), db_level)?;
    }
    // Rows that split or joined: the new ones, and those before new and vanished ones.
    let mut dirty: BTreeSet<Node> = come.iter().map(|(board, key)| (*board, key.as_bytes().to_vec())).collect();
    let asked = flow.iter().filter(|(_, d)| **d != 0).map(|((board, key), _)| (*board, key.as_slice(), 0));
    let before = gone.iter().chain(&come).map(|(board, key)| (*board, key.as_bytes(), 1));
    let json = list(asked.chain(before));
    if json == "[]" {
        return Ok(BTreeMap::new());
    }
    let mut up: BTreeMap<Node, i64> = BTreeMap::new();
    for found in nodes_of(conn, &json, db_level)? {
        let node = (found.board, found.node.unwrap_or_default());
        if found.d == 1 {
            dirty.insert(node);
        } else if let Some(by) = flow.get(&(found.board, found.k)) {
            *up.entry(node).or_default() += by;
        }
    }
    let sums = || up.iter().filter(|(node, by)| **by != 0 && !dirty.contains(*node));
    if sums().next().is_some() {
        execute(conn, ADD, &list(sums().map(|((board, key), by)| (*board, key.as_slice(), *by))), db_level)?;
    }
    if !dirty.is_empty() {
        let sql = recount_sql(conn);
        execute(conn, &sql, &list(dirty.iter().map(|(board, key)| (*board, key.as_slice(), 0))), db_level)?;
    }
    Ok(up)
}

/// How many stand before a key, which need not be there.
pub fn before(conn: &mut Conn, board: i64, key: &Key) -> AppResult<i64> {
    use sql_types::{BigInt, Binary};
    let mut ctes = Vec::new();
    let mut sums = Vec::new();
    for level in 1..=LEVELS {
        ctes.push(format!(
            "p{level} AS (SELECT key AS k FROM game_ranking WHERE board_id = ?1 AND level = {level} AND key <= ?2 ORDER BY key DESC LIMIT 1)"
        ));
    }
    for level in 0..=LEVELS {
        let from = if level == LEVELS { String::new() } else { format!(" AND key >= (SELECT k FROM p{})", level + 1) };
        let to = if level == 0 { "?2".to_owned() } else { format!("(SELECT k FROM p{level})") };
        sums.push(format!(
            "(SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM game_ranking WHERE board_id = ?1 AND level = {level}{from} AND key < {to})"
        ));
    }
    let sql = format!("WITH {} SELECT {} AS n", ctes.join(", "), sums.join(" + "));
    let row: Count = match conn {
        Conn::Pg(c) => {
            sql_query(sql.replace('?', "$")).bind::<BigInt, _>(board).bind::<Binary, _>(key.as_bytes()).get_result(c)?
        }
        Conn::Sqlite(c) => sql_query(sql).bind::<BigInt, _>(board).bind::<Binary, _>(key.as_bytes()).get_result(c)?,
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
