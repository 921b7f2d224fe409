//! Who is in a unit, or in a group anywhere below it: a subquery that the lists of every area share.

use diesel::dsl::auto_type;
use diesel::{ExpressionMethods, JoinOnDsl, QueryDsl};
use uuid::Uuid;

use super::schema::{group_members, group_paths};
use super::types::Id;

/// Ids of the users in these units and in everything below them.
#[must_use]
pub fn people_of(units: &[Uuid]) -> people_in {
    people_in(units.iter().map(|id| Id(*id)).collect())
}

#[auto_type]
fn people_in(units: Vec<Id>) -> _ {
    group_members::table
        .inner_join(group_paths::table.on(group_paths::group_id.eq(group_members::group_id)))
        .filter(group_paths::ancestor_id.eq_any(units))
        .select(group_members::user_id)
}
