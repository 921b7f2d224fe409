//! The connection that is SQLite or Postgres at run time.

use diesel::{PgConnection, SqliteConnection};

/// A connection to whichever database `DATABASE_URL` names.
///
/// Upserts, batch inserts, `UNION`, window functions and `FOR UPDATE` do not compile on it: see
/// [`per_backend!`](crate::per_backend).
#[derive(diesel::MultiConnection)]
pub enum Conn {
    /// A Postgres connection.
    Pg(PgConnection),
    /// A SQLite connection.
    Sqlite(SqliteConnection),
}

/// Runs the same Diesel expression on the concrete connection, for queries that do not compile on [`Conn`].
/// Only for `store.rs` files.
#[macro_export]
macro_rules! per_backend {
    ($conn:expr, |$c:ident| $query:expr) => {
        match $conn {
            $crate::db::Conn::Pg($c) => $query,
            $crate::db::Conn::Sqlite($c) => $query,
        }
    };
}
