//! SQL about groups, as far as games ask.

use diesel::{ExpressionMethods, JoinOnDsl, QueryDsl, RunQueryDsl};
use uuid::Uuid;

use crate::db::Conn;
use crate::db::schema::{group_members, group_paths, groups};
use crate::db::types::Id;
use crate::error::AppResult;

/// Whether a group exists.
pub fn exists(conn: &mut Conn, group: Uuid) -> AppResult<bool> {
    let found = groups::table.filter(groups::id.eq(Id(group)));
    Ok(diesel::select(diesel::dsl::exists(found)).get_result(conn)?)
}

/// Those of these users (in order) who are in a group; of a unit, all that lies below counts.
pub fn among(conn: &mut Conn, group: Uuid, users: Vec<Uuid>) -> AppResult<Vec<Uuid>> {
    let mut members: Vec<Uuid> = Vec::new();
    for some in users.chunks(500) {
        let found: Vec<Uuid> = group_paths::table
            .inner_join(group_members::table.on(group_members::group_id.eq(group_paths::group_id)))
            .filter(group_paths::ancestor_id.eq(Id(group)))
            .filter(group_members::user_id.eq_any(some.iter().map(|id| Id(*id))))
            .select(group_members::user_id)
            .distinct()
            .load(conn)?;
        members.extend(found);
    }
    let members: std::collections::HashSet<Uuid> = members.into_iter().collect();
    Ok(users.into_iter().filter(|user| members.contains(user)).collect())
}
