//! Whose turn it is on Postgres, where more than one row has to stay as it is. On SQLite the one writer is alone, and nobody waits.
//!
//! In this order, or two could wait for each other for ever: the tree of units, memberships, many users, who reports to whom
//! ([`super::LockWhole::Managers`]), rows of groups, rows of users by id, all else.

use diesel::connection::Connection;
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl, sql_query, sql_types};
use uuid::Uuid;

use super::Conn;
use super::schema::users;
use super::types::Id;
use crate::error::{AppResult, Code};

/// How often a write is tried when others take what it was about to take. Each failure is the success of one of them, so a burst of single
/// writes costs as many tries.
const TRIES: usize = 20;

/// What somebody does with who is in which group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memberships {
    /// Changes memberships of people, or what decides about them: attributes, state. Many may at once.
    Change,
    /// Goes through everybody in a group, or changes what follows from being in it: courses, the place in the tree, the condition.
    /// Alone, so that whoever comes or goes meanwhile is either seen by it or sees what it did.
    Oversee,
}

/// Waits for a turn with memberships, which lasts until the transaction ends. One for all groups: in which groups people are, and what
/// lies above these, is known only once it cannot change any more. To be taken before anything is read that depends on it.
///
/// # Errors
/// Database errors.
pub fn memberships(conn: &mut Conn, what: Memberships) -> diesel::QueryResult<()> {
    if let Conn::Pg(pg) = conn {
        let sql = match what {
            Memberships::Change => "SELECT pg_advisory_xact_lock_shared($1)",
            Memberships::Oversee => "SELECT pg_advisory_xact_lock($1)",
        };
        sql_query(sql).bind::<sql_types::BigInt, _>(0x006d_656d_6265_7273_i64).execute(pg)?;
    }
    Ok(())
}

/// Queues up behind others who write many users at once, whose unique keys may be the same in another order.
///
/// # Errors
/// Database errors.
pub fn many_users(conn: &mut Conn) -> diesel::QueryResult<()> {
    if let Conn::Pg(pg) = conn {
        sql_query("SELECT pg_advisory_xact_lock($1)").bind::<sql_types::BigInt, _>(0x0075_7365_7273_i64).execute(pg)?;
    }
    Ok(())
}

/// Locks these users in order of id: what follows from one membership depends on the others that a person has.
///
/// # Errors
/// Database errors.
pub fn people(conn: &mut Conn, ids: &[Uuid]) -> diesel::QueryResult<()> {
    if let Conn::Pg(pg) = conn {
        let these = users::table.filter(users::id.eq_any(ids.iter().map(|id| Id(*id)))).order(users::id);
        these.select(users::id).for_no_key_update().load::<Uuid>(pg)?;
    }
    Ok(())
}

/// Does a write; on Postgres all of it again, from what is there by then, when it fails because somebody took a unique key meanwhile.
///
/// # Errors
/// Whatever the write answers.
pub fn until_settled<T>(conn: &mut Conn, mut write: impl FnMut(&mut Conn) -> AppResult<T>) -> AppResult<T> {
    if matches!(conn, Conn::Pg(_)) {
        for _ in 1..TRIES {
            match conn.transaction(&mut write) {
                Err(error) if error.code() == Code::Conflict => {}
                done => return done,
            }
        }
    }
    write(conn)
}
