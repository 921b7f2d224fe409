//! The tree of managers, in SQL that both databases understand.

use diesel::dsl::sql;
use diesel::expression::{AsExpression, SqlLiteral, UncheckedBind};
use diesel::sql_types::Bool;
use uuid::Uuid;

use super::types::{Id, SqlId};

/// Levels of managers that are looked at, so that a cycle ends.
pub const MAX_DEPTH: u32 = 50;

/// A condition with one id in it.
pub type WithId = SqlLiteral<Bool, UncheckedBind<SqlLiteral<Bool>, <Id as AsExpression<SqlId>>::Expression>>;

/// Holds for rows whose `column` names a user somewhere below this manager.
pub fn is_below(column: &'static str, manager: Uuid) -> WithId {
    sql::<Bool>(&format!(
        "{column} IN (WITH RECURSIVE below (id, depth) AS (SELECT id, 1 FROM users WHERE manager_id = "
    ))
    .bind::<SqlId, _>(Id(manager))
    .sql(&format!(
        " UNION SELECT u.id, below.depth + 1 FROM users u JOIN below ON u.manager_id = below.id WHERE below.depth < {MAX_DEPTH}) \
         SELECT id FROM below)"
    ))
}

/// A condition without a value in it.
pub type Plain = SqlLiteral<Bool>;

/// Holds for rows of `users` that are one of these people, or somewhere above one.
pub fn is_at_or_above(people: &[Uuid]) -> Plain {
    // Ids are written out: a list of any length cannot be bound within a fragment.
    let list: Vec<String> = people.iter().map(|id| format!("'{}'", id.hyphenated())).collect();
    sql::<Bool>(&format!(
        "users.id IN (WITH RECURSIVE up (id) AS (SELECT id FROM users WHERE id IN ({}) \
         UNION SELECT u.manager_id FROM users u JOIN up ON u.id = up.id WHERE u.manager_id IS NOT NULL) SELECT id FROM up)",
        list.join(", ")
    ))
}
