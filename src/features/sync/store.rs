//! SQL about sync plans and their rows.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, Selectable, SelectableHelper,
};
use serde_json::Value;
use uuid::Uuid;

use super::dto::RowQuery;
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::db::schema::{
    clients, erasures, role_grants, sync_plan_rows as rows, sync_plans as plans, sync_settings as settings, users,
};
use crate::db::types::{At, Id, Json};
use crate::domain::organisation::is_erased;
use crate::domain::permission::Role;
use crate::domain::sync::{Lock, Person, Profile, RowFault};
use crate::error::AppResult;
use crate::per_backend;

/// A row of `sync_plans`.
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = plans)]
pub struct PlanRow {
    pub id: Uuid,
    pub state: String,
    pub options: Value,
    pub counts: Value,
    pub guards: Value,
    pub row_count: i32,
    pub done_count: i32,
    pub conflict_count: i32,
    pub applying: Option<String>,
    pub made_by_kind: String,
    pub made_by: Option<Uuid>,
    pub failure: Option<String>,
    pub applied_by_kind: Option<String>,
    pub applied_by: Option<Uuid>,
    pub applied_via: Option<Uuid>,
    pub version: i64,
    pub expires_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A row of `sync_plan_rows`.
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = rows)]
pub struct StoredRow {
    pub id: Uuid,
    pub seq: i32,
    pub piece: i32,
    pub row_number: Option<i64>,
    pub action: String,
    pub state: String,
    pub user_id: Option<Uuid>,
    pub user_version: Option<i64>,
    pub before_profile: Option<Value>,
    pub after_profile: Option<Value>,
    pub errors: Value,
}

/// Everybody who is known, as far as a list may change them; one that a machine sends changes no admin.
pub fn people(conn: &mut Conn, by_machine: bool) -> AppResult<Vec<Person>> {
    type Names = (String, String, String, Option<String>);
    type Row = (Uuid, i64, Option<String>, Option<String>, Names, Value, Option<Uuid>, String);
    let holders = role_grants::table.filter(role_grants::role.eq(Role::Admin.as_str()));
    let holders: Vec<(Uuid, String)> = holders.select((role_grants::user_id, role_grants::reach)).load(conn)?;
    let of_site: HashSet<Uuid> = holders.iter().filter(|(_, reach)| reach == "site").map(|(user, _)| *user).collect();
    let admins: HashSet<Uuid> =
        if by_machine { holders.into_iter().map(|(user, _)| user).collect() } else { HashSet::new() };
    let all: Vec<Row> = users::table
        .order(users::id)
        .select((
            users::id,
            users::version,
            users::external_id,
            users::employee_number,
            (users::email, users::given_name, users::family_name, users::user_name_key),
            users::attributes,
            users::manager_id,
            users::state,
        ))
        .load(conn)?;
    Ok(all
        .into_iter()
        .map(
            |(
                id,
                version,
                external_id,
                employee_number,
                (email, given_name, family_name, user_name),
                attributes,
                manager_id,
                state,
            )| {
                let attributes = match attributes {
                    Value::Object(attributes) => attributes,
                    _ => serde_json::Map::new(),
                };
                let locked = if is_erased(id, &email) {
                    Some(Lock::Erased)
                } else {
                    admins.contains(&id).then_some(Lock::Admin)
                };
                let profile = Profile {
                    external_id,
                    employee_number,
                    email,
                    given_name,
                    family_name,
                    attributes,
                    manager_id,
                    state,
                };
                Person { id, version, profile, user_name, administers: of_site.contains(&id), locked }
            },
        )
        .collect())
}

pub fn insert_plan(conn: &mut Conn, plan: &PlanRow) -> AppResult<()> {
    diesel::insert_into(plans::table)
        .values((
            plans::id.eq(Id(plan.id)),
            plans::state.eq(&plan.state),
            plans::options.eq(Json(plan.options.clone())),
            plans::counts.eq(Json(plan.counts.clone())),
            plans::guards.eq(Json(plan.guards.clone())),
            plans::row_count.eq(plan.row_count),
            plans::done_count.eq(plan.done_count),
            plans::conflict_count.eq(plan.conflict_count),
            plans::made_by_kind.eq(&plan.made_by_kind),
            plans::made_by.eq(plan.made_by.map(Id)),
            plans::version.eq(plan.version),
            plans::expires_at.eq(At(plan.expires_at)),
            plans::created_at.eq(At(plan.created_at)),
            plans::updated_at.eq(At(plan.updated_at)),
        ))
        .execute(conn)?;
    Ok(())
}

pub fn find(conn: &mut Conn, id: Uuid) -> AppResult<Option<PlanRow>> {
    Ok(plans::table.filter(plans::id.eq(Id(id))).select(PlanRow::as_select()).first(conn).optional()?)
}

/// Writes the changeable fields of a plan.
pub fn save(conn: &mut Conn, plan: &PlanRow) -> diesel::QueryResult<()> {
    diesel::update(plans::table.filter(plans::id.eq(Id(plan.id))))
        .set((
            plans::state.eq(&plan.state),
            plans::done_count.eq(plan.done_count),
            plans::conflict_count.eq(plan.conflict_count),
            plans::applying.eq(plan.applying.as_deref()),
            plans::failure.eq(plan.failure.as_deref()),
            plans::applied_by_kind.eq(plan.applied_by_kind.as_deref()),
            plans::applied_by.eq(plan.applied_by.map(Id)),
            plans::applied_via.eq(plan.applied_via.map(Id)),
            plans::version.eq(plan.version),
            plans::updated_at.eq(At(plan.updated_at)),
        ))
        .execute(conn)
        .map(drop)
}

pub fn insert_rows(conn: &mut Conn, plan: Uuid, new: &[StoredRow]) -> AppResult<()> {
    for piece in new.chunks(500) {
        let values: Vec<_> = piece
            .iter()
            .map(|row| {
                (
                    rows::plan_id.eq(Id(plan)),
                    rows::id.eq(Id(row.id)),
                    rows::seq.eq(row.seq),
                    rows::piece.eq(row.piece),
                    rows::row_number.eq(row.row_number),
                    rows::action.eq(row.action.clone()),
                    rows::state.eq(row.state.clone()),
                    rows::user_id.eq(row.user_id.map(Id)),
                    rows::user_version.eq(row.user_version),
                    rows::before_profile.eq(row.before_profile.clone().map(Json)),
                    rows::after_profile.eq(row.after_profile.clone().map(Json)),
                    rows::errors.eq(Json(row.errors.clone())),
                )
            })
            .collect();
        per_backend!(conn, |c| diesel::insert_into(rows::table).values(&values).execute(c))?;
    }
    Ok(())
}

pub fn list_rows(conn: &mut Conn, plan: Uuid, filter: &RowQuery, page: &PageRequest) -> AppResult<Rows<StoredRow>> {
    let mut query = rows::table
        .filter(rows::plan_id.eq(Id(plan)))
        .order(rows::id)
        .limit(page.fetch())
        .select(StoredRow::as_select())
        .into_boxed();
    if let Some(action) = filter.action {
        query = query.filter(rows::action.eq(action.as_str()));
    }
    if let Some(state) = filter.state {
        let name = serde_json::to_value(state).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        query = query.filter(rows::state.eq(name));
    }
    if let Some(after) = page.after {
        query = query.filter(rows::id.gt(Id(after)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.id))
}

/// The rows of the next piece to apply.
pub fn next_piece(conn: &mut Conn, plan: Uuid) -> AppResult<Vec<StoredRow>> {
    let pending = || rows::table.filter(rows::plan_id.eq(Id(plan))).filter(rows::state.eq("pending"));
    let next: Option<i32> = pending().order((rows::piece, rows::seq)).select(rows::piece).first(conn).optional()?;
    let Some(piece) = next else { return Ok(Vec::new()) };
    Ok(pending().filter(rows::piece.eq(piece)).order(rows::seq).select(StoredRow::as_select()).load(conn)?)
}

/// The rows that wait in the pieces in which these people stand.
pub fn pieces_of(conn: &mut Conn, plan: Uuid, people: &[Uuid]) -> AppResult<Vec<StoredRow>> {
    use diesel::NullableExpressionMethods;
    let pending = || rows::table.filter(rows::plan_id.eq(Id(plan))).filter(rows::state.eq("pending"));
    let people: Vec<Id> = people.iter().map(|id| Id(*id)).collect();
    let theirs = pending().filter(rows::user_id.is_not_null()).filter(rows::user_id.assume_not_null().eq_any(people));
    let pieces: Vec<i32> = theirs.select(rows::piece).distinct().load(conn)?;
    if pieces.is_empty() {
        return Ok(Vec::new());
    }
    Ok(pending().filter(rows::piece.eq_any(pieces)).select(StoredRow::as_select()).load(conn)?)
}

/// Records how rows fared.
pub fn mark_rows(conn: &mut Conn, plan: Uuid, seqs: &[i32], state: &str, errors: Value) -> AppResult<()> {
    if !seqs.is_empty() {
        let these = rows::table.filter(rows::plan_id.eq(Id(plan))).filter(rows::seq.eq_any(seqs.to_vec()));
        diesel::update(these).set((rows::state.eq(state), rows::errors.eq(Json(errors)))).execute(conn)?;
    }
    Ok(())
}

/// Blanks the rows of all plans about a person who is erased: what was not applied never will be. The plans are locked before the
/// rows, as when they are applied.
///
/// # Errors
/// Database errors.
pub fn forget_person(conn: &mut Conn, user: Uuid) -> AppResult<()> {
    use diesel::NullableExpressionMethods;
    let theirs = || rows::table.filter(rows::user_id.assume_not_null().eq(Id(user)).and(rows::user_id.is_not_null()));
    let waiting = theirs().filter(rows::state.eq("pending")).select(rows::plan_id);
    // A person stands in a plan once among what is to be applied.
    diesel::update(plans::table.filter(plans::id.eq_any(waiting)))
        .set((
            plans::done_count.eq(plans::done_count + 1),
            plans::conflict_count.eq(plans::conflict_count + 1),
            plans::version.eq(plans::version + 1),
        ))
        .execute(conn)?;
    let fault = serde_json::json!([RowFault::new("", "conflict", Lock::Erased.reason())]);
    diesel::update(theirs().filter(rows::state.eq("pending")))
        .set((rows::state.eq("conflict"), rows::errors.eq(Json(fault))))
        .execute(conn)?;
    diesel::update(theirs())
        .set((rows::before_profile.eq(None::<Json>), rows::after_profile.eq(None::<Json>)))
        .execute(conn)?;
    Ok(())
}

/// Blanks the rows of a plan about people who are erased by now; answers how many of them were waiting to be applied.
pub fn forget_erased(conn: &mut Conn, plan: Uuid) -> AppResult<usize> {
    use diesel::NullableExpressionMethods;
    let erased = erasures::table.select(erasures::user_id);
    let theirs = || {
        let of = rows::table.filter(rows::plan_id.eq(Id(plan))).filter(rows::user_id.is_not_null());
        of.filter(rows::user_id.assume_not_null().eq_any(erased))
    };
    let fault = serde_json::json!([RowFault::new("", "conflict", Lock::Erased.reason())]);
    let waiting = diesel::update(theirs().filter(rows::state.eq("pending")))
        .set((rows::state.eq("conflict"), rows::errors.eq(Json(fault))))
        .execute(conn)?;
    diesel::update(theirs())
        .set((rows::before_profile.eq(None::<Json>), rows::after_profile.eq(None::<Json>)))
        .execute(conn)?;
    Ok(waiting)
}

/// Plans that are being applied.
pub fn applying(conn: &mut Conn) -> AppResult<Vec<Uuid>> {
    Ok(plans::table.filter(plans::state.eq("applying")).select(plans::id).load(conn)?)
}

/// Records that what waits in a plan is not applied any more.
pub fn skip_rest(conn: &mut Conn, plan: Uuid) -> AppResult<()> {
    let rest = rows::table.filter(rows::plan_id.eq(Id(plan))).filter(rows::state.eq("pending"));
    diesel::update(rest).set(rows::state.eq("skipped")).execute(conn)?;
    Ok(())
}

/// Plans that can no longer be applied, and those whose making was broken off; their rows go with them.
pub fn delete_old(conn: &mut Conn, before: DateTime<Utc>) -> AppResult<Option<Uuid>> {
    let old: Option<Uuid> = plans::table
        .filter(plans::state.ne("applying"))
        .filter(plans::expires_at.lt(At(before)))
        .select(plans::id)
        .first(conn)
        .optional()?;
    if let Some(id) = old {
        diesel::delete(plans::table.filter(plans::id.eq(Id(id)))).execute(conn)?;
    }
    Ok(old)
}

pub fn client_settings(conn: &mut Conn, client: Uuid) -> AppResult<Option<(f64, f64)>> {
    Ok(settings::table
        .filter(settings::client_id.eq(Id(client)))
        .select((settings::max_deactivate_percent, settings::max_error_percent))
        .first(conn)
        .optional()?)
}

pub fn client_exists(conn: &mut Conn, client: Uuid) -> AppResult<bool> {
    let found = clients::table.filter(clients::id.eq(Id(client))).select(clients::id).first::<Uuid>(conn);
    Ok(found.optional()?.is_some())
}

pub fn save_settings(conn: &mut Conn, client: Uuid, values: (f64, f64), now: DateTime<Utc>) -> AppResult<()> {
    let changed = (
        settings::max_deactivate_percent.eq(values.0),
        settings::max_error_percent.eq(values.1),
        settings::updated_at.eq(At(now)),
    );
    let row = (settings::client_id.eq(Id(client)), changed);
    per_backend!(conn, |c| diesel::insert_into(settings::table)
        .values(row)
        .on_conflict(settings::client_id)
        .do_update()
        .set(changed)
        .execute(c))?;
    Ok(())
}
