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
