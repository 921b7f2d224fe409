//! Rows about people in tables that grow without end, by an index in blocks.
//!
//! Positions of such a log are cut into blocks of 65,536, and its index by person is sorted by block first. So a row goes to one of
//! the few hundred pages of the newest block; sorted by person alone, each would go to a page of its own out of all, which at a
//! million people costs more than all else that is written with it. Who asks for a person looks into each block: some microseconds
//! for every 65,536 rows.

use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::sql_types::Bool;
use uuid::Uuid;

use super::Conn;

/// A table with such an index.
#[derive(Debug, Clone, Copy)]
pub enum Log {
    /// The event log, with `events_by_person`.
    Events,
    /// The ledger of games, with `game_ledger_by_user`.
    Ledger,
}

/// Holds for rows about one of these people after a position and up to another. Nothing else should be asked of `seq`: SQLite would
/// take that for the way to the rows.
///
/// The texts name the index's expression, `seq >> 16`, and say in which order to look: block, person, row. Postgres gets the
/// positions as an array, since it guesses that a join will find half of the table.
pub fn about_any(conn: &Conn, log: Log, people: &[Uuid], after: i64, until: i64) -> SqlLiteral<Bool> {
    let log = match log {
        Log::Events => "events",
        Log::Ledger => "game_ledger",
    };
    // Written out: a list of any length cannot be bound within a fragment.
    let ids: Vec<String> = people.iter().map(|id| format!("'{}'", id.hyphenated())).collect();
    let ids = ids.join(", ");
    sql(&match conn {
        Conn::Sqlite(_) => format!(
            "{log}.seq IN (WITH RECURSIVE blocks (n) AS (SELECT {after} >> 16 UNION ALL SELECT n + 1 FROM blocks \
             WHERE n < (SELECT min({until}, max(seq)) >> 16 FROM {log})) SELECT l.seq FROM blocks CROSS JOIN {log} l \
             WHERE l.seq >> 16 = blocks.n AND l.user_id IN ({ids}) AND l.seq > {after} AND l.seq <= {until})"
        ),
        Conn::Pg(_) => format!(
            "{log}.seq = ANY (ARRAY(SELECT l.seq FROM generate_series({after}::bigint >> 16, \
             (SELECT least({until}::bigint >> 16, max(seq >> 16)) FROM {log})) AS blocks (n) \
             CROSS JOIN unnest(ARRAY[{ids}]::uuid[]) AS person (id) CROSS JOIN LATERAL \
             (SELECT seq FROM {log} WHERE seq >> 16 = blocks.n AND user_id = person.id OFFSET 0) AS l \
             WHERE l.seq > {after} AND l.seq <= {until}))"
        ),
    })
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;
    use diesel::{Connection, QueryDsl, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};

    use super::*;
    use crate::db::schema::events;

    #[test]
    fn all_rows_of_people_are_found_by_the_index() {
        #[derive(QueryableByName)]
        struct Step {
            #[diesel(sql_type = diesel::sql_types::Text)]
            detail: String,
        }
        let mut lite = SqliteConnection::establish(":memory:").unwrap();
        lite.batch_execute(
            "CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, user_id TEXT); \
             CREATE INDEX events_by_person ON events (seq >> 16, user_id);",
        )
        .unwrap();
        let of = |n: u128| Uuid::from_u128(n);
        let log = [(1, 1), (2, 2), (65_535, 1), (65_536, 1), (70_000, 3), (200_000, 2), (200_001, 1)];
        for (seq, user) in log {
            lite.batch_execute(&format!("INSERT INTO events VALUES ({seq}, '{}')", of(user))).unwrap();
        }
        let mut conn = Conn::Sqlite(lite);
        for (people, after, until) in [
            (vec![1], 0, i64::MAX),
            (vec![1, 2], 0, i64::MAX),
            (vec![2], 65_536, 200_000),
            (vec![1], 65_535, 65_536),
            (vec![9], 0, i64::MAX),
            (vec![3], 70_000, 70_000),
        ] {
            let ids: Vec<Uuid> = people.iter().map(|n| of(*n)).collect();
            let these = about_any(&conn, Log::Events, &ids, after, until);
            let Conn::Sqlite(c) = &mut conn else { panic!() };
            let found: Vec<i64> = events::table.filter(these).order(events::seq).select(events::seq).load(c).unwrap();
            let wanted = log.iter().filter(|(seq, user)| people.contains(user) && *seq > after && *seq <= until);
            assert_eq!(found, wanted.map(|(seq, _)| *seq).collect::<Vec<_>>(), "{people:?} {after} {until}");
        }
        let these = diesel::debug_query::<diesel::sqlite::Sqlite, _>(
            &events::table.filter(about_any(&conn, Log::Events, &[of(1)], 0, i64::MAX)).select(events::seq),
        )
        .to_string();
        let text = these.split(" -- binds").next().unwrap();
        let Conn::Sqlite(c) = &mut conn else { panic!() };
        let plan: Vec<Step> = sql_query(format!("EXPLAIN QUERY PLAN {text}")).load(c).unwrap();
        let plan: Vec<String> = plan.into_iter().map(|step| step.detail).collect();
        assert!(plan.iter().any(|step| step.contains("events_by_person (<expr>=? AND user_id=?")), "{plan:#?}");
    }

    #[test]
    fn an_empty_log_has_nobody() {
        let mut lite = SqliteConnection::establish(":memory:").unwrap();
        lite.batch_execute("CREATE TABLE events (seq INTEGER PRIMARY KEY, user_id TEXT);").unwrap();
        let mut conn = Conn::Sqlite(lite);
        let these = about_any(&conn, Log::Events, &[Uuid::nil()], 0, i64::MAX);
        let Conn::Sqlite(c) = &mut conn else { panic!() };
        let found: Vec<i64> = events::table.filter(these).select(events::seq).load(c).unwrap();
        assert!(found.is_empty());
    }
}
