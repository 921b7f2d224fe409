//! SQL about groups, as far as games ask.

use diesel::{BoolExpressionMethods, ExpressionMethods, JoinOnDsl, QueryDsl, RunQueryDsl};
use uuid::Uuid;

use crate::db::Conn;
use crate::db::schema::{enrollments, game_players, group_members, group_paths, groups, users};
use crate::db::types::Id;
use crate::db::units::people_of;
use crate::error::AppResult;

/// Which of these groups exist.
pub fn existing(conn: &mut Conn, of: &[Uuid]) -> AppResult<Vec<Uuid>> {
    Ok(groups::table.filter(groups::id.eq_any(of.iter().map(|id| Id(*id)))).select(groups::id).load(conn)?)
}

/// Which of these users are in which of these groups; of a unit, all that lies below counts: group, user.
pub fn memberships(conn: &mut Conn, of: &[Uuid], users: &[Uuid]) -> AppResult<Vec<(Uuid, Uuid)>> {
    Ok(group_paths::table
        .inner_join(group_members::table.on(group_members::group_id.eq(group_paths::group_id)))
        .filter(group_paths::ancestor_id.eq_any(of.iter().map(|id| Id(*id))))
        .filter(group_members::user_id.eq_any(users.iter().map(|id| Id(*id))))
        .select((group_paths::ancestor_id, group_members::user_id))
        .distinct()
        .load(conn)?)
}

/// What lies within these groups, each of which lies within itself: the group that was asked about, one within it.
pub fn within(conn: &mut Conn, of: &[Uuid]) -> AppResult<Vec<(Uuid, Uuid)>> {
    Ok(group_paths::table
        .filter(group_paths::ancestor_id.eq_any(of.iter().map(|id| Id(*id))))
        .select((group_paths::ancestor_id, group_paths::group_id))
        .load(conn)?)
}

/// Everybody, or who of these, is in one of these groups or below: the group that they are in themselves, the user.
pub fn members_within(conn: &mut Conn, of: &[Uuid], users: Option<&[Uuid]>) -> AppResult<Vec<(Uuid, Uuid)>> {
    let members = group_paths::table
        .inner_join(group_members::table.on(group_members::group_id.eq(group_paths::group_id)))
        .filter(group_paths::ancestor_id.eq_any(of.iter().map(|id| Id(*id)).collect::<Vec<_>>()))
        .select((group_members::group_id, group_members::user_id))
        .distinct();
    let Some(users) = users else { return Ok(members.load(conn)?) };
    let mut found: Vec<(Uuid, Uuid)> = Vec::new();
    for some in users.chunks(500) {
        let these = some.iter().map(|id| Id(*id)).collect::<Vec<_>>();
        found.extend(members.clone().filter(group_members::user_id.eq_any(these)).load::<(Uuid, Uuid)>(conn)?);
    }
    Ok(found)
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

/// Those of these users who learn in a course, or have completed it.
pub fn learning(conn: &mut Conn, course: Uuid, users: &[Uuid]) -> AppResult<Vec<Uuid>> {
    let mut found: Vec<Uuid> = Vec::new();
    for some in users.chunks(500) {
        let learners = enrollments::table
            .filter(enrollments::course_id.eq(Id(course)))
            .filter(enrollments::user_id.eq_any(some.iter().map(|id| Id(*id))))
            .filter(enrollments::status.eq_any(["active", "completed"]));
        found.extend(learners.select(enrollments::user_id).load::<Uuid>(conn)?);
    }
    Ok(found)
}

/// Everybody of a group, below it included, who has not left, in order of id.
pub fn everybody(conn: &mut Conn, group: Uuid, most: i64) -> AppResult<Vec<Uuid>> {
    Ok(users::table
        .filter(users::id.eq_any(people_of(&[group])))
        .filter(users::state.eq("active"))
        .order(users::id)
        .limit(most)
        .select(users::id)
        .load(conn)?)
}

/// Everybody who learns in a course, and has not left, in order of id. Whoever has completed it still plays where it gave points.
pub fn learners(conn: &mut Conn, game: Uuid, course: Uuid, most: i64) -> AppResult<Vec<Uuid>> {
    let learning = enrollments::table.filter(enrollments::course_id.eq(Id(course)));
    let active = learning.filter(enrollments::status.eq("active")).select(enrollments::user_id);
    let completed = learning.filter(enrollments::status.eq("completed")).select(enrollments::user_id);
    let playing = game_players::table.filter(game_players::game_id.eq(Id(game))).select(game_players::user_id);
    let plays = users::id.eq_any(completed).and(users::id.eq_any(playing));
    Ok(users::table
        .filter(users::id.eq_any(active).or(plays))
        .filter(users::state.eq("active"))
        .order(users::id)
        .limit(most)
        .select(users::id)
        .load(conn)?)
}
