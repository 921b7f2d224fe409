//! Statements over a list of keys: `{list}` stands for a table `v(board, k, d)` that each database makes of one or three values.

use std::fmt::Write;

use diesel::pg::Pg;
use diesel::sqlite::Sqlite;
use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types};

use crate::db::Conn;
use crate::error::AppResult;

/// A row of some level: board and key; the empty key is before all others.
pub type Node = (i64, Vec<u8>);

/// A list of board, key and number, in the order of the table, so that a statement passes through its pages once.
#[derive(Debug)]
pub struct Keys(Vec<(i64, Vec<u8>, i64)>);

impl Keys {
    /// Sorts.
    pub fn new(rows: impl Iterator<Item = (i64, Vec<u8>, i64)>) -> Self {
        let mut rows: Vec<_> = rows.collect();
        rows.sort_unstable();
        Self(rows)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = &(i64, Vec<u8>, i64)> {
        self.0.iter()
    }

    /// As a JSON array of texts with fixed places, which SQLite takes apart far faster than arrays in an array: twenty characters
    /// for the board, twenty for the number, then the key in hex.
    fn json(&self) -> String {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let digit = |four: u8| char::from(HEX.get(usize::from(four)).copied().unwrap_or(b'0'));
        let mut text = String::from("[");
        for (n, (board, key, number)) in self.0.iter().enumerate() {
            text.push_str(if n == 0 { "\"" } else { ",\"" });
            let _ = write!(text, "{board:020}{number:020}");
            for byte in key {
                text.push(digit(byte >> 4));
                text.push(digit(byte & 15));
            }
            text.push('"');
        }
        text.push(']');
        text
    }
}

const SQLITE_LIST: &str = "(SELECT CAST(substr(value, 1, 20) AS INTEGER) AS board, CAST(substr(value, 21, 20) AS INTEGER) AS d, \
     unhex(substr(value, 41)) AS k FROM json_each(?1)) v";
const PG_LIST: &str = "unnest($1::bigint[], $3::bytea[], $4::bigint[]) AS v(board, k, d)";

macro_rules! bound {
    ($conn:ident, $sql:ident, $keys:ident, $level:ident, $run:ident) => {{
        use sql_types::{Array, BigInt, Binary, Integer, Text};
        match $conn {
            Conn::Pg(c) => {
                let boards: Vec<i64> = $keys.iter().map(|(board, ..)| *board).collect();
                let keys: Vec<&[u8]> = $keys.iter().map(|(_, key, _)| key.as_slice()).collect();
                let numbers: Vec<i64> = $keys.iter().map(|(.., number)| *number).collect();
                sql_query($sql.replace("{list}", PG_LIST).replace('?', "$"))
                    .bind::<Array<BigInt>, _>(boards)
                    .bind::<Integer, _>($level)
                    .bind::<Array<Binary>, _>(keys)
                    .bind::<Array<BigInt>, _>(numbers)
                    .$run(c)?
            }
            Conn::Sqlite(c) => sql_query($sql.replace("{list}", SQLITE_LIST))
                .bind::<Text, _>($keys.json())
                .bind::<Integer, _>($level)
                .$run(c)?,
        }
    }};
}

/// Runs a statement over a list on one level, `?2`; of an empty list, does nothing.
pub fn execute(conn: &mut Conn, sql: &str, keys: &Keys, level: i32) -> AppResult<()> {
    if !keys.is_empty() {
        bound!(conn, sql, keys, level, execute);
    }
    Ok(())
}

/// Runs a query over a list on one level, `?2`.
pub fn load<T>(conn: &mut Conn, sql: &str, keys: &Keys, level: i32) -> AppResult<Vec<T>>
where
    T: QueryableByName<Pg> + QueryableByName<Sqlite> + 'static,
{
    Ok(bound!(conn, sql, keys, level, load))
}
