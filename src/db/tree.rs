//! The tree of managers, in SQL that both databases understand.

use diesel::dsl::sql;
use diesel::expression::{AsExpression, SqlLiteral, UncheckedBind};
use diesel::sql_types::Bool;
use uuid::Uuid;

use super::types::{Id, SqlId};

/// A condition with one id in it.
pub type WithId = SqlLiteral<Bool, UncheckedBind<SqlLiteral<Bool>, <Id as AsExpression<SqlId>>::Expression>>;

/// Holds for rows whose `column` names a user somewhere below this manager, however deep: nobody is visited twice, so the tree itself
/// is the bound, and a circle ends too.
pub fn is_below(column: &'static str, manager: Uuid) -> WithId {
    sql::<Bool>(&format!("{column} IN (WITH RECURSIVE below (id) AS (SELECT id FROM users WHERE manager_id = "))
        .bind::<SqlId, _>(Id(manager))
        .sql(" UNION SELECT u.id FROM users u JOIN below ON u.manager_id = below.id) SELECT id FROM below)")
}

/// A condition without a value in it.
pub type Plain = SqlLiteral<Bool>;

/// Ids are written out: a list of any length cannot be bound within a fragment.
fn written(people: &[Uuid]) -> String {
    people.iter().map(|id| format!("'{}'", id.hyphenated())).collect::<Vec<_>>().join(", ")
}

/// Holds for rows of `users` that are one of these people, or somewhere above one.
pub fn is_at_or_above(people: &[Uuid]) -> Plain {
    sql::<Bool>(&format!(
        "users.id IN (WITH RECURSIVE up (id) AS (SELECT id FROM users WHERE id IN ({}) \
         UNION SELECT u.manager_id FROM users u JOIN up ON u.id = up.id WHERE u.manager_id IS NOT NULL) SELECT id FROM up)",
        written(people)
    ))
}

/// Holds for rows of `users` that are somewhere below one of these people.
pub fn is_below_any(people: &[Uuid]) -> Plain {
    sql::<Bool>(&format!(
        "users.id IN (WITH RECURSIVE below (id) AS (SELECT id FROM users WHERE manager_id IN ({}) \
         UNION SELECT u.id FROM users u JOIN below ON u.manager_id = below.id) SELECT id FROM below)",
        written(people)
    ))
}
