//! SQL about groups, the tree, members and assigned courses.

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, JoinOnDsl, OptionalExtension, QueryDsl, RunQueryDsl, Selectable, SelectableHelper};
use serde_json::Value;
use uuid::Uuid;

use super::dto::GroupQuery;
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::db::schema::{group_enrollments, group_members, group_paths, groups, role_grants, users};
use crate::db::types::{At, Id, Json};
use crate::db::units::people_of;
use crate::error::AppResult;
use crate::http::Ref;
use crate::per_backend;

/// A row of `groups`.
#[expect(missing_docs, reason = "the columns of the table")]
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = groups)]
pub struct GroupRow {
    pub id: Uuid,
    pub external_id: Option<String>,
    pub name: String,
    pub kind: String,
    pub parent_id: Option<Uuid>,
    pub depth: i32,
    pub condition: Option<Value>,
    pub evaluated_until: Option<Uuid>,
    pub evaluating: bool,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

fn ids(list: &[Uuid]) -> Vec<Id> {
    list.iter().map(|id| Id(*id)).collect()
}

pub fn find(conn: &mut Conn, which: &crate::http::Ref) -> AppResult<Option<GroupRow>> {
    use crate::http::Ref;
    let query = groups::table.select(GroupRow::as_select()).into_boxed();
    let query = match which {
        Ref::Id(id) => query.filter(groups::id.eq(Id(*id))),
        Ref::External(external) => query.filter(groups::external_id.eq(external.clone())),
    };
    Ok(query.first(conn).optional()?)
}

/// Groups by id or external id, in one statement.
pub fn find_many(conn: &mut Conn, by_id: &[Uuid], by_external: &[String]) -> AppResult<Vec<GroupRow>> {
    use diesel::{BoolExpressionMethods, NullableExpressionMethods};
    Ok(groups::table
        .filter(groups::id.eq_any(ids(by_id)).or(groups::external_id.eq_any(by_external.to_vec()).assume_not_null()))
        .select(GroupRow::as_select())
        .load(conn)?)
}

/// A page of groups; only what lies in these units when some are given.
pub fn list(
    conn: &mut Conn,
    filter: &GroupQuery,
    below: Option<&[Uuid]>,
    page: &PageRequest,
) -> AppResult<Rows<GroupRow>> {
    let mut query = groups::table.select(GroupRow::as_select()).order(groups::id).limit(page.fetch()).into_boxed();
    if let Some(units) = below {
        let seen = group_paths::table.filter(group_paths::ancestor_id.eq_any(ids(units))).select(group_paths::group_id);
        query = query.filter(groups::id.eq_any(seen));
    }
    if let Some(after) = page.after {
        query = query.filter(groups::id.gt(Id(after)));
    }
    if let Some(kind) = filter.kind {
        query = query.filter(groups::kind.eq(kind.as_str()));
    }
    if let Some(parent) = filter.parent_id.as_ref().and_then(Ref::id) {
        query = query.filter(groups::parent_id.eq(Id(parent)));
    }
    if let Some(name) = &filter.name {
        query = query.filter(groups::name_key.eq(name.trim().to_lowercase()));
    }
    if let Some(external) = &filter.external_id {
        query = query.filter(groups::external_id.eq(external.clone()));
    }
    if let Some(since) = filter.updated_since {
        query = query.filter(groups::updated_at.ge(At(since)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.id))
}

/// Writes new groups with their paths.
pub fn insert(conn: &mut Conn, rows: &[GroupRow], paths: &[(Uuid, Uuid, i32)]) -> diesel::QueryResult<()> {
    for piece in rows.chunks(500) {
        let values: Vec<_> = piece
            .iter()
            .map(|row| {
                (
                    groups::id.eq(Id(row.id)),
                    groups::external_id.eq(row.external_id.clone()),
                    groups::name.eq(row.name.clone()),
                    groups::name_key.eq(row.name.to_lowercase()),
                    groups::kind.eq(row.kind.clone()),
                    groups::parent_id.eq(row.parent_id.map(Id)),
                    groups::depth.eq(row.depth),
                    groups::condition.eq(row.condition.clone().map(Json)),
                    groups::evaluating.eq(row.evaluating),
                    groups::version.eq(row.version),
                    groups::created_at.eq(At(row.created_at)),
                    groups::updated_at.eq(At(row.updated_at)),
                )
            })
            .collect();
        per_backend!(conn, |c| diesel::insert_into(groups::table).values(&values).execute(c))?;
    }
    insert_paths(conn, paths)
}

pub fn insert_paths(conn: &mut Conn, paths: &[(Uuid, Uuid, i32)]) -> diesel::QueryResult<()> {
    for piece in paths.chunks(500) {
        let values: Vec<_> = piece
            .iter()
            .map(|(group, above, distance)| {
                (
                    group_paths::group_id.eq(Id(*group)),
                    group_paths::ancestor_id.eq(Id(*above)),
                    group_paths::distance.eq(*distance),
                )
            })
            .collect();
        per_backend!(conn, |c| diesel::insert_into(group_paths::table).values(&values).execute(c))?;
    }
    Ok(())
}

/// Writes the changeable fields.
pub fn update(conn: &mut Conn, row: &GroupRow) -> diesel::QueryResult<()> {
    diesel::update(groups::table.filter(groups::id.eq(Id(row.id))))
        .set((
            groups::external_id.eq(row.external_id.as_deref()),
            groups::name.eq(&row.name),
            groups::name_key.eq(row.name.to_lowercase()),
            groups::parent_id.eq(row.parent_id.map(Id)),
            groups::depth.eq(row.depth),
            groups::condition.eq(row.condition.clone().map(Json)),
            groups::evaluated_until.eq(row.evaluated_until.map(Id)),
            groups::evaluating.eq(row.evaluating),
            groups::version.eq(row.version),
            groups::updated_at.eq(At(row.updated_at)),
        ))
        .execute(conn)
        .map(drop)
}

/// Writes names and conditions of many rows, 500 in each statement: the rows are bound as one JSON document.
pub fn update_many(conn: &mut Conn, rows: &[GroupRow]) -> diesel::QueryResult<()> {
    use crate::db::types::SqlJson;
    use diesel::sql_query;
    const SET: &str = "UPDATE groups SET name = u.name, name_key = u.name_key, condition = u.condition, \
         evaluating = u.evaluating, version = u.version, updated_at = u.updated_at, \
         evaluated_until = CASE WHEN u.evaluating THEN NULL ELSE groups.evaluated_until END FROM ";
    for piece in rows.chunks(500) {
        let pg = matches!(conn, Conn::Pg(_));
        let values: Vec<Value> = piece
            .iter()
            .map(|row| {
                let at = if pg {
                    row.updated_at.to_rfc3339().into()
                } else {
                    Value::from(row.updated_at.timestamp_micros())
                };
                serde_json::json!({
                    "id": row.id, "name": row.name, "name_key": row.name.to_lowercase(), "condition": row.condition,
                    "evaluating": row.evaluating, "version": row.version, "updated_at": at,
                })
            })
            .collect();
        let values = Json(Value::Array(values));
        match conn {
            Conn::Pg(c) => sql_query(format!(
                "{SET} jsonb_to_recordset($1) AS u (id uuid, name text, name_key text, condition jsonb, evaluating boolean, \
                 version bigint, updated_at timestamptz) WHERE groups.id = u.id"
            ))
            .bind::<SqlJson, _>(values)
            .execute(c)?,
            Conn::Sqlite(c) => sql_query(format!(
                "{SET} (SELECT value ->> 'id' AS id, value ->> 'name' AS name, value ->> 'name_key' AS name_key, \
                 NULLIF(value -> 'condition', 'null') AS condition, value ->> 'evaluating' AS evaluating, \
                 value ->> 'version' AS version, value ->> 'updated_at' AS updated_at FROM json_each(?1)) AS u \
                 WHERE groups.id = u.id"
            ))
            .bind::<SqlJson, _>(values)
            .execute(c)?,
        };
    }
    Ok(())
}

/// The units above a group, nearest first, itself at distance 0.
pub fn above(conn: &mut Conn, group: Uuid) -> AppResult<Vec<(Uuid, i32)>> {
    Ok(group_paths::table
        .filter(group_paths::group_id.eq(Id(group)))
        .order(group_paths::distance)
        .select((group_paths::ancestor_id, group_paths::distance))
        .load(conn)?)
}

/// Chains of several groups: group, ancestor, distance.
pub fn paths_of(conn: &mut Conn, of: &[Uuid]) -> AppResult<Vec<(Uuid, Uuid, i32)>> {
    Ok(group_paths::table
        .filter(group_paths::group_id.eq_any(ids(of)))
        .select((group_paths::group_id, group_paths::ancestor_id, group_paths::distance))
        .load(conn)?)
}

/// A group and all below it with their distance from it.
pub fn below(conn: &mut Conn, group: Uuid) -> AppResult<Vec<(Uuid, i32)>> {
    Ok(group_paths::table
        .filter(group_paths::ancestor_id.eq(Id(group)))
        .select((group_paths::group_id, group_paths::distance))
        .load(conn)?)
}

/// Takes a subtree from all units above it and puts it below others, with new depths.
pub fn move_subtree(
    conn: &mut Conn,
    subtree: &[(Uuid, i32)],
    paths: &[(Uuid, Uuid, i32)],
    deeper_by: i32,
) -> AppResult<()> {
    let members: Vec<Uuid> = subtree.iter().map(|(id, _)| *id).collect();
    diesel::delete(
        group_paths::table
            .filter(group_paths::group_id.eq_any(ids(&members)))
            .filter(group_paths::ancestor_id.ne_all(ids(&members))),
    )
    .execute(conn)?;
    insert_paths(conn, paths)?;
    diesel::update(groups::table.filter(groups::id.eq_any(ids(&members))))
        .set(groups::depth.eq(groups::depth + deeper_by))
        .execute(conn)?;
    Ok(())
}

pub fn has_children(conn: &mut Conn, group: Uuid) -> AppResult<bool> {
    let child = groups::table.filter(groups::parent_id.eq(Id(group))).select(groups::id);
    Ok(child.first::<Uuid>(conn).optional()?.is_some())
}

pub fn delete(conn: &mut Conn, group: Uuid) -> AppResult<()> {
    diesel::delete(
        role_grants::table.filter(role_grants::reach.eq("unit")).filter(role_grants::reach_id.eq(Id(group))),
    )
    .execute(conn)?;
    diesel::delete(groups::table.filter(groups::id.eq(Id(group)))).execute(conn)?;
    Ok(())
}

/// Dynamic groups with their conditions. Whoever changes a condition judges everybody by it later, in a turn alone with memberships.
pub fn conditions(conn: &mut Conn) -> AppResult<Vec<(Uuid, Option<Value>)>> {
    let dynamic =
        groups::table.filter(groups::kind.eq("dynamic")).order(groups::id).select((groups::id, groups::condition));
    Ok(dynamic.load(conn)?)
}

/// Which of these users are in which of these groups.
pub fn memberships(conn: &mut Conn, of_groups: &[Uuid], of_users: &[Uuid]) -> AppResult<Vec<(Uuid, Uuid)>> {
    Ok(group_members::table
        .filter(group_members::group_id.eq_any(ids(of_groups)))
        .filter(group_members::user_id.eq_any(ids(of_users)))
        .select((group_members::group_id, group_members::user_id))
        .load(conn)?)
}

/// Puts users into groups; those that are in already stay as they are.
pub fn insert_members(conn: &mut Conn, pairs: &[(Uuid, Uuid)], now: DateTime<Utc>) -> AppResult<()> {
    for piece in pairs.chunks(500) {
        let values: Vec<_> = piece
            .iter()
            .map(|(group, user)| {
                (
                    group_members::group_id.eq(Id(*group)),
                    group_members::user_id.eq(Id(*user)),
                    group_members::joined_at.eq(At(now)),
                )
            })
            .collect();
        per_backend!(conn, |c| diesel::insert_into(group_members::table)
            .values(&values)
            .on_conflict_do_nothing()
            .execute(c))?;
    }
    Ok(())
}

/// Takes users out of groups: pairs of group and user, 500 in each statement.
pub fn delete_memberships(conn: &mut Conn, pairs: &[(Uuid, Uuid)]) -> AppResult<()> {
    use crate::db::types::SqlJson;
    use diesel::sql_query;
    for piece in pairs.chunks(500) {
        let these = Json(Value::Array(piece.iter().map(|(g, u)| serde_json::json!({"g": g, "u": u})).collect()));
        match conn {
            Conn::Pg(c) => sql_query(
                "DELETE FROM group_members m USING jsonb_to_recordset($1) AS x (g uuid, u uuid) \
                 WHERE m.group_id = x.g AND m.user_id = x.u",
            )
            .bind::<SqlJson, _>(these)
            .execute(c)?,
            Conn::Sqlite(c) => sql_query(
                "DELETE FROM group_members WHERE (group_id, user_id) IN \
                 (SELECT value ->> 'g', value ->> 'u' FROM json_each(?1))",
            )
            .bind::<SqlJson, _>(these)
            .execute(c)?,
        };
    }
    Ok(())
}

/// A member: user, e-mail, names, since when.
pub type MemberRow = (Uuid, String, String, String, DateTime<Utc>);

/// A page of a group's own members.
pub fn list_members(conn: &mut Conn, group: Uuid, page: &PageRequest) -> AppResult<Rows<MemberRow>> {
    let mut query = group_members::table
        .inner_join(users::table)
        .filter(group_members::group_id.eq(Id(group)))
        .order(group_members::user_id)
        .limit(page.fetch())
        .select((users::id, users::email, users::given_name, users::family_name, group_members::joined_at))
        .into_boxed();
    if let Some(after) = page.after {
        query = query.filter(group_members::user_id.gt(Id(after)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row: &MemberRow| row.0))
}

/// A page of the members of a group and all below it, each once, since they first came into any of these.
pub fn list_all_members(conn: &mut Conn, group: Uuid, page: &PageRequest) -> AppResult<Rows<MemberRow>> {
    use crate::db::types::{SqlId, SqlInstant};
    let since = diesel::dsl::sql::<SqlInstant>(
        "(SELECT min(m.joined_at) FROM group_members m JOIN group_paths p ON p.group_id = m.group_id \
         WHERE m.user_id = users.id AND p.ancestor_id = ",
    )
    .bind::<SqlId, _>(Id(group))
    .sql(")");
    let mut query = users::table
        .filter(users::id.eq_any(people_of(&[group])))
        .order(users::id)
        .limit(page.fetch())
        .select((users::id, users::email, users::given_name, users::family_name, since))
        .into_boxed();
    if let Some(after) = page.after {
        query = query.filter(users::id.gt(Id(after)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row: &MemberRow| row.0))
}

/// A group of a user: group, name, kind, since when.
pub type UserGroupRow = (Uuid, String, String, DateTime<Utc>);

/// A page of the groups that a user is in; only those in these units when some are given.
pub fn list_of_user(
    conn: &mut Conn,
    user: Uuid,
    only: Option<&[Uuid]>,
    page: &PageRequest,
) -> AppResult<Rows<UserGroupRow>> {
    let mut query = group_members::table
        .inner_join(groups::table)
        .filter(group_members::user_id.eq(Id(user)))
        .order(group_members::group_id)
        .limit(page.fetch())
        .select((groups::id, groups::name, groups::kind, group_members::joined_at))
        .into_boxed();
    if let Some(units) = only {
        let seen = group_paths::table.filter(group_paths::ancestor_id.eq_any(ids(units))).select(group_paths::group_id);
        query = query.filter(groups::id.eq_any(seen));
    }
    if let Some(after) = page.after {
        query = query.filter(group_members::group_id.gt(Id(after)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row: &UserGroupRow| row.0))
}

/// The next users after one, with their attributes, which nobody changes while somebody has the turn alone with memberships.
pub fn next_users(conn: &mut Conn, after: Option<Uuid>, n: i64) -> AppResult<Vec<(Uuid, Value)>> {
    Ok(users::table
        .filter(users::id.gt(Id(after.unwrap_or_else(Uuid::nil))))
        .order(users::id)
        .limit(n)
        .select((users::id, users::attributes))
        .load(conn)?)
}

/// The next people of a group and all below it, after one, each once.
pub fn next_people(conn: &mut Conn, group: Uuid, after: Option<Uuid>, n: i64) -> AppResult<Vec<Uuid>> {
    Ok(group_members::table
        .inner_join(group_paths::table.on(group_paths::group_id.eq(group_members::group_id)))
        .filter(group_paths::ancestor_id.eq(Id(group)))
        .filter(group_members::user_id.gt(Id(after.unwrap_or_else(Uuid::nil))))
        .order(group_members::user_id)
        .limit(n)
        .select(group_members::user_id)
        .distinct()
        .load(conn)?)
}

/// A row of `group_enrollments`.
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = group_enrollments)]
pub struct AssignmentRow {
    pub course_id: Uuid,
    pub group_id: Uuid,
    pub withdraw_on_leave: bool,
    pub state: String,
    pub done_until: Option<Uuid>,
    pub made_by: Option<Uuid>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

pub fn assignment(conn: &mut Conn, course: Uuid, group: Uuid) -> AppResult<Option<AssignmentRow>> {
    let row = group_enrollments::table
        .filter(group_enrollments::course_id.eq(Id(course)))
        .filter(group_enrollments::group_id.eq(Id(group)));
    Ok(match conn {
        Conn::Pg(c) => row.select(AssignmentRow::as_select()).for_update().first(c).optional()?,
        Conn::Sqlite(c) => row.select(AssignmentRow::as_select()).first(c).optional()?,
    })
}

pub fn save_assignment(conn: &mut Conn, row: &AssignmentRow) -> diesel::QueryResult<()> {
    let changed = (
        group_enrollments::withdraw_on_leave.eq(row.withdraw_on_leave),
        group_enrollments::state.eq(row.state.clone()),
        group_enrollments::done_until.eq(row.done_until.map(Id)),
        group_enrollments::version.eq(row.version),
        group_enrollments::updated_at.eq(At(row.updated_at)),
    );
    let values = (
        group_enrollments::course_id.eq(Id(row.course_id)),
        group_enrollments::group_id.eq(Id(row.group_id)),
        group_enrollments::made_by.eq(row.made_by.map(Id)),
        group_enrollments::created_at.eq(At(row.created_at)),
        changed.clone(),
    );
    per_backend!(conn, |c| diesel::insert_into(group_enrollments::table)
        .values(values)
        .on_conflict((group_enrollments::course_id, group_enrollments::group_id))
        .do_update()
        .set(changed)
        .execute(c))
    .map(drop)
}

/// Begins all assignments of a course anew, but those that are ending; answers how many.
pub fn renew_assignments(conn: &mut Conn, course: Uuid, now: DateTime<Utc>) -> diesel::QueryResult<usize> {
    let these = group_enrollments::table.filter(group_enrollments::course_id.eq(Id(course)));
    diesel::update(these.filter(group_enrollments::state.ne("ending")))
        .set((
            group_enrollments::state.eq("enrolling"),
            group_enrollments::done_until.eq(None::<Id>),
            group_enrollments::version.eq(group_enrollments::version + 1),
            group_enrollments::updated_at.eq(At(now)),
        ))
        .execute(conn)
}

/// The first group of those whose assignment of the course is being applied or ended.
pub fn unfinished_assignment(conn: &mut Conn, course: Uuid) -> AppResult<Option<Uuid>> {
    let these = group_enrollments::table
        .filter(group_enrollments::course_id.eq(Id(course)))
        .filter(group_enrollments::state.ne("current"));
    Ok(these.order(group_enrollments::group_id).select(group_enrollments::group_id).first(conn).optional()?)
}

pub fn delete_assignment(conn: &mut Conn, course: Uuid, group: Uuid) -> AppResult<()> {
    diesel::delete(
        group_enrollments::table
            .filter(group_enrollments::course_id.eq(Id(course)))
            .filter(group_enrollments::group_id.eq(Id(group))),
    )
    .execute(conn)?;
    Ok(())
}

/// A page of a course's assignments, in order of group; only groups in these units when some are given.
pub fn list_assignments(
    conn: &mut Conn,
    course: Uuid,
    only: Option<&[Uuid]>,
    page: &PageRequest,
) -> AppResult<Rows<AssignmentRow>> {
    let mut query = group_enrollments::table
        .filter(group_enrollments::course_id.eq(Id(course)))
        .order(group_enrollments::group_id)
        .limit(page.fetch())
        .select(AssignmentRow::as_select())
        .into_boxed();
    if let Some(units) = only {
        let seen = group_paths::table.filter(group_paths::ancestor_id.eq_any(ids(units))).select(group_paths::group_id);
        query = query.filter(group_enrollments::group_id.eq_any(seen));
    }
    if let Some(after) = page.after {
        query = query.filter(group_enrollments::group_id.gt(Id(after)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.group_id))
}

pub fn has_assignments(conn: &mut Conn, group: Uuid) -> AppResult<bool> {
    let one =
        group_enrollments::table.filter(group_enrollments::group_id.eq(Id(group))).select(group_enrollments::course_id);
    Ok(one.first::<Uuid>(conn).optional()?.is_some())
}

/// Courses assigned to these groups or to units above them: the group, the course, the assigned group, whether leaving withdraws.
pub fn assigned_to(conn: &mut Conn, of: &[Uuid]) -> AppResult<Vec<(Uuid, Uuid, Uuid, bool)>> {
    Ok(group_enrollments::table
        .inner_join(group_paths::table.on(group_paths::ancestor_id.eq(group_enrollments::group_id)))
        .filter(group_paths::group_id.eq_any(ids(of)))
        .filter(group_enrollments::state.ne("ending"))
        .select((
            group_paths::group_id,
            group_enrollments::course_id,
            group_enrollments::group_id,
            group_enrollments::withdraw_on_leave,
        ))
        .load(conn)?)
}

/// Courses assigned to these units themselves: the course, the unit, whether leaving withdraws.
pub fn assigned_at(conn: &mut Conn, units: &[Uuid]) -> AppResult<Vec<(Uuid, Uuid, bool)>> {
    Ok(group_enrollments::table
        .filter(group_enrollments::group_id.eq_any(ids(units)))
        .filter(group_enrollments::state.ne("ending"))
        .select((group_enrollments::course_id, group_enrollments::group_id, group_enrollments::withdraw_on_leave))
        .load(conn)?)
}

/// For each of these users the courses that any of their groups, or a unit above, has been assigned.
pub fn assigned_by_user(conn: &mut Conn, who: &[Uuid]) -> AppResult<Vec<(Uuid, Uuid)>> {
    Ok(group_enrollments::table
        .inner_join(group_paths::table.on(group_paths::ancestor_id.eq(group_enrollments::group_id)))
        .inner_join(group_members::table.on(group_members::group_id.eq(group_paths::group_id)))
        .filter(group_members::user_id.eq_any(ids(who)))
        .filter(group_enrollments::state.ne("ending"))
        .select((group_members::user_id, group_enrollments::course_id))
        .distinct()
        .load(conn)?)
}
