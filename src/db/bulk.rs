//! Many rows for one table, by statements that stay prepared however many they are.
//!
//! A list of `VALUES` has another text for each number of rows, so each is parsed and planned anew, for as long as it takes to write
//! the rows. [`Bulk`] sends Postgres one array for each column, or one value where all rows have the same, as entries of a booking and
//! their events have in most columns. SQLite gets `VALUES` in [`PIECES`] of few sizes; rows one by one would look for their places in
//! each index from its root. A budget counts at most one statement for each 500 rows.

use std::cell::Cell;

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz};
use diesel::sqlite::Sqlite;
use diesel::{QueryResult, RunQueryDsl};
use uuid::Uuid;

use super::Conn;
use super::fixed::{Bind, bind_sqlite};

/// Rows that a budget counts as one statement.
const PIECE: usize = 500;
/// Rows of one statement on Postgres.
pub const ARRAYS: usize = 2_000;
/// Rows from which on it is worth while to look whether they have the same in a column. Fewer get along with one text.
const MANY: usize = 32;
/// Rows of one statement on SQLite: as many as fit of the first, then of the second, then of the third.
const PIECES: [usize; 3] = [125, 10, 1];

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Ids: [`Bind::Id`], [`Bind::MaybeId`].
    Id,
    /// Whole numbers: [`Bind::Whole`], [`Bind::MaybeWhole`].
    Whole,
    /// Truth values: [`Bind::Flag`].
    Flag,
    /// Text: [`Bind::Text`], [`Bind::MaybeText`].
    Text,
    /// JSON as text: [`Bind::Text`].
    Json,
    /// Instants: [`Bind::At`].
    At,
}

/// Where rows go, and what to do with those that are there.
#[derive(Debug, Clone, Copy)]
pub struct Bulk<const N: usize> {
    /// The table.
    pub table: &'static str,
    /// Its columns in the order of the values.
    pub columns: [(&'static str, Kind); N],
    /// What follows, such as `ON CONFLICT …`; it must mean the same on both databases.
    pub tail: &'static str,
}

thread_local! {
    /// Whether this thread is at the second or a later row of a piece.
    static WITHIN: Cell<bool> = const { Cell::new(false) };
}

/// Whether the statement that runs is one with the one before it.
pub(super) fn is_counted_already() -> bool {
    WITHIN.get()
}

impl<const N: usize> Bulk<N> {
    /// Inserts the rows in their order; how many were inserted or changed.
    ///
    /// # Errors
    /// Database errors. Rows before the one that failed stay until the transaction is rolled back.
    pub fn insert(&self, conn: &mut Conn, rows: &[[Bind<'_>; N]]) -> QueryResult<usize> {
        let mut done: usize = 0;
        match conn {
            Conn::Pg(c) => {
                for rows in rows.chunks(ARRAYS) {
                    done = done.saturating_add(ByColumn::new(self, rows).execute(c)?);
                }
            }
            Conn::Sqlite(c) => {
                let (mut at, mut rest) = (0, rows);
                while !rest.is_empty() {
                    let fits = PIECES.into_iter().find(|size| *size <= rest.len()).unwrap_or(1);
                    let (rows, others) = rest.split_at(fits);
                    WITHIN.set(at % PIECE != 0);
                    let result = Values { into: self, rows }.execute(c);
                    WITHIN.set(false);
                    done = done.saturating_add(result?);
                    at += fits;
                    rest = others;
                }
            }
        }
        Ok(done)
    }
}

/// Rows for SQLite.
struct Values<'a, const N: usize> {
    into: &'a Bulk<N>,
    rows: &'a [[Bind<'a>; N]],
}

impl<const N: usize> QueryFragment<Sqlite> for Values<'_, N> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("INSERT INTO ");
        out.push_sql(self.into.table);
        for (at, (name, _)) in self.into.columns.iter().enumerate() {
            out.push_sql(if at == 0 { " (" } else { ", " });
            out.push_sql(name);
        }
        out.push_sql(") VALUES ");
        for (at, row) in self.rows.iter().enumerate() {
            out.push_sql(if at == 0 { "(" } else { "), (" });
            for (at, value) in row.iter().enumerate() {
                out.push_sql(if at == 0 { "" } else { ", " });
                bind_sqlite(&mut out, value)?;
            }
        }
        out.push_sql(") ");
        out.push_sql(self.into.tail);
        Ok(())
    }
}

impl<const N: usize> QueryId for Values<'_, N> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C, const N: usize> RunQueryDsl<C> for Values<'_, N> {}

/// The values of a column, for Postgres.
enum Column<'a> {
    Id(Vec<Option<Uuid>>),
    Whole(Vec<Option<i64>>),
    Flag(Vec<Option<bool>>),
    Text(Vec<Option<&'a str>>),
    At(Vec<Option<DateTime<Utc>>>),
}

impl<'a> Column<'a> {
    fn of<'r>(kind: Kind, values: impl Iterator<Item = Option<&'r Bind<'a>>>) -> Self
    where
        'a: 'r,
    {
        let values = values.map(|value| value.copied());
        match kind {
            Kind::Id => Self::Id(values.map(|value| value.and_then(Bind::id)).collect()),
            Kind::Whole => Self::Whole(values.map(|value| value.and_then(Bind::whole)).collect()),
            Kind::Flag => Self::Flag(values.map(|value| value.and_then(Bind::flag)).collect()),
            Kind::Text | Kind::Json => Self::Text(values.map(|value| value.and_then(Bind::text)).collect()),
            Kind::At => Self::At(values.map(|value| value.and_then(Bind::at)).collect()),
        }
    }
}

impl<'a> Column<'a> {
    /// Whether many rows have all the same here.
    fn is_same(&self) -> bool {
        fn all<T: PartialEq>(values: &[T]) -> bool {
            values.len() >= MANY && values.first().is_some_and(|first| values.iter().all(|value| value == first))
        }
        match self {
            Self::Id(values) => all(values),
            Self::Whole(values) => all(values),
            Self::Flag(values) => all(values),
            Self::Text(values) => all(values),
            Self::At(values) => all(values),
        }
    }

    fn bind_all<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        match self {
            Self::Id(all) => out.push_bind_param::<Array<Nullable<diesel::sql_types::Uuid>>, _>(all),
            Self::Whole(all) => out.push_bind_param::<Array<Nullable<BigInt>>, _>(all),
            Self::Flag(all) => out.push_bind_param::<Array<Nullable<Bool>>, _>(all),
            Self::Text(all) => out.push_bind_param::<Array<Nullable<Text>>, _>(all),
            Self::At(all) => out.push_bind_param::<Array<Nullable<Timestamptz>>, _>(all),
        }
    }

    fn bind_first<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        match self {
            Self::Id(all) => first(all, |one| out.push_bind_param::<Nullable<diesel::sql_types::Uuid>, _>(one)),
            Self::Whole(all) => first(all, |one| out.push_bind_param::<Nullable<BigInt>, _>(one)),
            Self::Flag(all) => first(all, |one| out.push_bind_param::<Nullable<Bool>, _>(one)),
            Self::Text(all) => first(all, |one| out.push_bind_param::<Nullable<Text>, _>(one)),
            Self::At(all) => first(all, |one| out.push_bind_param::<Nullable<Timestamptz>, _>(one)),
        }
    }
}

fn first<'b, T>(all: &'b [T], bind: impl FnOnce(&'b T) -> QueryResult<()>) -> QueryResult<()> {
    all.first().map_or(Ok(()), bind)
}

/// Rows for Postgres, column by column.
struct ByColumn<'a, const N: usize> {
    into: &'a Bulk<N>,
    /// Each with whether all rows have the same.
    columns: Vec<(Column<'a>, bool)>,
}

impl<'a, const N: usize> ByColumn<'a, N> {
    fn new(into: &'a Bulk<N>, rows: &'a [[Bind<'a>; N]]) -> Self {
        let columns = into.columns.iter().enumerate().map(|(at, (_, kind))| {
            let column = Column::of(*kind, rows.iter().map(|row| row.get(at)));
            // A list of at least one array says how many rows there are.
            let same = at > 0 && column.is_same();
            (column, same)
        });
        Self { into, columns: columns.collect() }
    }
}

impl<const N: usize> QueryFragment<Pg> for ByColumn<'_, N> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let named = || self.into.columns.iter().zip(&self.columns).enumerate();
        out.push_sql("INSERT INTO ");
        out.push_sql(self.into.table);
        for (at, ((name, _), _)) in named() {
            out.push_sql(if at == 0 { " (" } else { ", " });
            out.push_sql(name);
        }
        out.push_sql(") SELECT ");
        for (at, ((name, kind), (column, same))) in named() {
            out.push_sql(if at == 0 { "" } else { ", " });
            if *same {
                column.bind_first(&mut out)?;
            } else {
                out.push_sql(name);
            }
            out.push_sql(if *kind == Kind::Json { "::jsonb" } else { "" });
        }
        out.push_sql(" FROM unnest(");
        for (at, (_, (column, _))) in named().filter(|(_, (_, (_, same)))| !same) {
            out.push_sql(if at == 0 { "" } else { ", " });
            column.bind_all(&mut out)?;
        }
        out.push_sql(") AS v (");
        for (at, ((name, _), _)) in named().filter(|(_, (_, (_, same)))| !same) {
            out.push_sql(if at == 0 { "" } else { ", " });
            out.push_sql(name);
        }
        out.push_sql(") ");
        out.push_sql(self.into.tail);
        Ok(())
    }
}

impl<const N: usize> QueryId for ByColumn<'_, N> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C, const N: usize> RunQueryDsl<C> for ByColumn<'_, N> {}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;
    use diesel::sql_types::Integer;
    use diesel::{Connection, QueryableByName, SqliteConnection, debug_query, sql_query};

    use super::*;

    const THINGS: Bulk<4> = Bulk {
        table: "things",
        columns: [("id", Kind::Id), ("n", Kind::Whole), ("name", Kind::Text), ("open", Kind::Flag)],
        tail: "ON CONFLICT (id) DO UPDATE SET n = excluded.n",
    };

    fn row(id: u128, n: i64, name: Option<&str>) -> [Bind<'_>; 4] {
        [Uuid::from_u128(id).into(), n.into(), Bind::MaybeText(name), Bind::Flag(true)]
    }

    #[test]
    fn rows_are_inserted_or_changed_in_order() {
        #[derive(QueryableByName, PartialEq, Debug)]
        struct Row {
            #[diesel(sql_type = BigInt)]
            n: i64,
            #[diesel(sql_type = Nullable<Text>)]
            name: Option<String>,
            #[diesel(sql_type = Integer)]
            open: i32,
        }
        let mut lite = SqliteConnection::establish(":memory:").unwrap();
        lite.batch_execute(
            "CREATE TABLE things (id TEXT PRIMARY KEY, n INTEGER NOT NULL, name TEXT, open INTEGER NOT NULL) STRICT",
        )
        .unwrap();
        let mut conn = Conn::Sqlite(lite);
        let rows = [row(1, 5, Some("one")), row(2, 6, None), row(1, 7, Some("other"))];
        assert_eq!(THINGS.insert(&mut conn, &rows).unwrap(), 3);
        let many: Vec<_> = (100..361).map(|id| row(id, 1, None)).collect();
        assert_eq!(THINGS.insert(&mut conn, &many).unwrap(), 261);
        assert_eq!(THINGS.insert(&mut conn, &[]).unwrap(), 0);
        let Conn::Sqlite(c) = &mut conn else { panic!() };
        let all: Vec<Row> = sql_query("SELECT n, name, open FROM things WHERE n > 1 ORDER BY id").load(c).unwrap();
        assert_eq!(all, [Row { n: 7, name: Some("one".into()), open: 1 }, Row { n: 6, name: None, open: 1 }]);
    }

    #[test]
    fn postgres_gets_an_array_for_each_column() {
        let rows = [row(1, 5, Some("one")), row(2, 6, None)];
        let text = debug_query::<Pg, _>(&ByColumn::new(&THINGS, &rows)).to_string();
        assert!(
            text.starts_with(
                "INSERT INTO things (id, n, name, open) SELECT id, n, name, open FROM unnest($1, $2, $3, $4) \
                 AS v (id, n, name, open) ON CONFLICT (id) DO UPDATE SET n = excluded.n"
            ),
            "{text}"
        );
    }

    #[test]
    fn what_many_rows_have_the_same_is_sent_once() {
        let rows: Vec<_> = (0..40).map(|id| row(id, 7, Some("one"))).collect();
        let text = debug_query::<Pg, _>(&ByColumn::new(&THINGS, &rows)).to_string();
        assert!(
            text.starts_with(
                "INSERT INTO things (id, n, name, open) SELECT id, $1, $2, $3 FROM unnest($4) AS v (id) ON CONFLICT"
            ),
            "{text}"
        );
        let rows = vec![row(1, 7, None); 40];
        let text = debug_query::<Pg, _>(&ByColumn::new(&THINGS, &rows)).to_string();
        assert!(text.contains("SELECT id, $1, $2, $3 FROM unnest($4) AS v (id)"), "{text}");
    }
}
