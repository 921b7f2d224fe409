//! Statements that stay prepared although diesel would prepare them anew.
//!
//! Diesel keeps what it can tell to be the same statement each time. Of updates, upserts and plain SQL it cannot, so their text is
//! parsed on every call, which is most of what a small write costs on SQLite. [`Fixed`] is for the few that run for each
//! learning event, and for transaction control. Its text never depends on a value; only `store.rs` files write any.

use chrono::{DateTime, Utc};
use diesel::backend::Backend;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Binary, Bool, Double, Nullable, Text, Untyped};
use diesel::sqlite::Sqlite;
use diesel::{QueryResult, RunQueryDsl};
use uuid::Uuid;

use super::Conn;
use super::types::{At, Id, SqlId, SqlInstant};

/// A value of a [`Fixed`] statement.
#[derive(Debug, Clone, Copy)]
pub enum Bind<'a> {
    /// An id.
    Id(Id),
    /// An id, or none.
    MaybeId(Option<Id>),
    /// An instant, or none.
    At(Option<At>),
    /// Text.
    Text(&'a str),
    /// Text, or none.
    MaybeText(Option<&'a str>),
    /// A truth value.
    Flag(bool),
    /// A whole number.
    Whole(i64),
    /// A whole number, or none.
    MaybeWhole(Option<i64>),
    /// A number, or none.
    Real(Option<f64>),
    /// Bytes.
    Bytes(&'a [u8]),
}

impl<'a> Bind<'a> {
    /// The id, if it is one.
    pub(super) fn id(self) -> Option<Uuid> {
        match self {
            Self::Id(Id(id)) | Self::MaybeId(Some(Id(id))) => Some(id),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub(super) fn whole(self) -> Option<i64> {
        match self {
            Self::Whole(whole) | Self::MaybeWhole(Some(whole)) => Some(whole),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub(super) fn flag(self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(flag),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub(super) fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) | Self::MaybeText(Some(text)) => Some(text),
            _ => None,
        }
    }

    /// The instant, if it is one.
    pub(super) fn at(self) -> Option<DateTime<Utc>> {
        match self {
            Self::At(Some(At(at))) => Some(at),
            _ => None,
        }
    }
}

impl From<Uuid> for Bind<'_> {
    fn from(id: Uuid) -> Self {
        Self::Id(Id(id))
    }
}
impl From<Option<Uuid>> for Bind<'_> {
    fn from(id: Option<Uuid>) -> Self {
        Self::MaybeId(id.map(Id))
    }
}
impl From<DateTime<Utc>> for Bind<'_> {
    fn from(at: DateTime<Utc>) -> Self {
        Self::At(Some(At(at)))
    }
}
impl From<Option<DateTime<Utc>>> for Bind<'_> {
    fn from(at: Option<DateTime<Utc>>) -> Self {
        Self::At(at.map(At))
    }
}
impl<'a> From<&'a str> for Bind<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}
impl<'a> From<Option<&'a str>> for Bind<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::MaybeText(text)
    }
}
impl From<bool> for Bind<'_> {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}
impl<'a> From<&'a [u8]> for Bind<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}
impl From<i64> for Bind<'_> {
    fn from(whole: i64) -> Self {
        Self::Whole(whole)
    }
}
impl From<f64> for Bind<'_> {
    fn from(real: f64) -> Self {
        Self::Real(Some(real))
    }
}
impl From<Option<f64>> for Bind<'_> {
    fn from(real: Option<f64>) -> Self {
        Self::Real(real)
    }
}

/// A statement with `?` for each of its values.
#[derive(Debug)]
pub struct Fixed<'a, const N: usize> {
    sql: &'static str,
    binds: [Bind<'a>; N],
}

impl<'a, const N: usize> Fixed<'a, N> {
    /// A statement that means the same on both databases.
    #[must_use]
    pub fn new(sql: &'static str, binds: [Bind<'a>; N]) -> Self {
        Self { sql, binds }
    }

    /// Runs it; how many rows it changed.
    ///
    /// # Errors
    /// Database errors.
    pub fn run(self, conn: &mut Conn) -> QueryResult<usize> {
        match conn {
            Conn::Pg(c) => self.execute(c),
            Conn::Sqlite(c) => self.execute(c),
        }
    }

    fn walk<'b, DB: Backend>(
        &'b self,
        mut out: AstPass<'_, 'b, DB>,
        bind: impl Fn(&mut AstPass<'_, 'b, DB>, &'b Bind<'a>) -> QueryResult<()>,
    ) -> QueryResult<()> {
        let mut pieces = self.sql.split('?');
        out.push_sql(pieces.next().unwrap_or_default());
        for (piece, value) in pieces.zip(&self.binds) {
            bind(&mut out, value)?;
            out.push_sql(piece);
        }
        Ok(())
    }
}

/// A statement with rows of values between its head and its tail, such as an update from `VALUES`.
#[derive(Debug, Clone)]
pub struct FixedRows<'a> {
    head: &'static str,
    rows: Vec<Vec<Bind<'a>>>,
    tail: &'static str,
}

impl<'a> FixedRows<'a> {
    /// A statement that means the same on both databases; there must be a row.
    #[must_use]
    pub fn new(head: &'static str, rows: Vec<Vec<Bind<'a>>>, tail: &'static str) -> Self {
        Self { head, rows, tail }
    }

    /// Runs it; how many rows it changed.
    ///
    /// # Errors
    /// Database errors.
    pub fn run(self, conn: &mut Conn) -> QueryResult<usize> {
        match conn {
            Conn::Pg(c) => self.execute(c),
            Conn::Sqlite(c) => self.execute(c),
        }
    }

    fn walk<'b, DB: Backend>(
        &'b self,
        mut out: AstPass<'_, 'b, DB>,
        bind: impl Fn(&mut AstPass<'_, 'b, DB>, &'b Bind<'a>) -> QueryResult<()>,
    ) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        out.push_sql(self.head);
        for (n, row) in self.rows.iter().enumerate() {
            out.push_sql(if n == 0 { "(" } else { "), (" });
            for (n, value) in row.iter().enumerate() {
                out.push_sql(if n == 0 { "" } else { ", " });
                bind(&mut out, value)?;
            }
        }
        out.push_sql(")");
        out.push_sql(self.tail);
        Ok(())
    }
}

macro_rules! bind {
    ($name:ident, $backend:ty) => {
        /// Binds a value.
        pub(super) fn $name<'b>(out: &mut AstPass<'_, 'b, $backend>, value: &'b Bind<'_>) -> QueryResult<()> {
            match value {
                Bind::Id(id) => out.push_bind_param::<SqlId, _>(id),
                Bind::MaybeId(id) => out.push_bind_param::<Nullable<SqlId>, _>(id),
                Bind::At(at) => out.push_bind_param::<Nullable<SqlInstant>, _>(at),
                Bind::Text(text) => out.push_bind_param::<Text, _>(text),
                Bind::MaybeText(text) => out.push_bind_param::<Nullable<Text>, _>(text),
                Bind::Flag(flag) => out.push_bind_param::<Bool, _>(flag),
                Bind::Whole(whole) => out.push_bind_param::<BigInt, _>(whole),
                Bind::MaybeWhole(whole) => out.push_bind_param::<Nullable<BigInt>, _>(whole),
                Bind::Real(real) => out.push_bind_param::<Nullable<Double>, _>(real),
                Bind::Bytes(bytes) => out.push_bind_param::<Binary, _>(*bytes),
            }
        }
    };
}
bind!(bind_postgres, Pg);
bind!(bind_sqlite, Sqlite);

macro_rules! fragment {
    ($backend:ty, $bind:ident, $statement:ty $(, $n:ident)?) => {
        impl$(<const $n: usize>)? QueryFragment<$backend> for $statement {
            fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, $backend>) -> QueryResult<()> {
                self.walk(out, |out, value| $bind(out, value))
            }
        }
    };
}
fragment!(Pg, bind_postgres, Fixed<'_, N>, N);
fragment!(Sqlite, bind_sqlite, Fixed<'_, N>, N);
fragment!(Pg, bind_postgres, FixedRows<'_>);
fragment!(Sqlite, bind_sqlite, FixedRows<'_>);

impl QueryId for FixedRows<'_> {
    type QueryId = ();
    // Its text depends on the number of rows.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C> RunQueryDsl<C> for FixedRows<'_> {}

impl<const N: usize> QueryId for Fixed<'_, N> {
    type QueryId = ();
    // The text tells one from another.
    const HAS_STATIC_QUERY_ID: bool = false;
}

/// What it answers is read by name, as that of `sql_query`.
impl<const N: usize> Query for Fixed<'_, N> {
    type SqlType = Untyped;
}

impl<C, const N: usize> RunQueryDsl<C> for Fixed<'_, N> {}
