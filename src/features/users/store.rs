//! SQL about users and their roles.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryableByName, RunQueryDsl, Selectable, SelectableHelper,
    sql_query, sql_types,
};
use serde_json::Value;
use uuid::Uuid;

use super::dto::UserQuery;
use super::mass::{Change, Create};
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::db::schema::{group_members, group_paths, role_grants, sessions, users};
use crate::db::tree;
use crate::db::types::{At, Id, Json};
use crate::db::units::people_of;
use crate::domain::organisation::is_erased;
use crate::domain::permission::Role;
use crate::error::AppResult;
use crate::http::Ref;
use crate::per_backend;

/// A row of `users`, without the password's hash.
#[expect(missing_docs, reason = "the columns of the table")]
#[derive(Debug, Clone, PartialEq, diesel::Queryable, Selectable)]
#[diesel(table_name = users)]
pub struct UserRow {
    pub id: Uuid,
    pub email: String,
    pub given_name: String,
    pub family_name: String,
    pub external_id: Option<String>,
    pub employee_number: Option<String>,
    pub state: String,
    pub attributes: Value,
    pub manager_id: Option<Uuid>,
    pub locale: Option<String>,
    pub time_zone: Option<String>,
    pub version: i64,
    pub last_login_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A row of `role_grants`: user, role, reach, what it reaches.
pub type GrantRow = (Uuid, String, String, Uuid);

/// Given and family names of users.
pub fn names(conn: &mut Conn, ids: &[Uuid]) -> AppResult<Vec<(Uuid, String, String)>> {
    let rows = users::table.filter(users::id.eq_any(ids.iter().map(|id| Id(*id))));
    Ok(rows.select((users::id, users::given_name, users::family_name)).load(conn)?)
}

pub fn find(conn: &mut Conn, who: &Ref) -> AppResult<Option<UserRow>> {
    let mut query = users::table.select(UserRow::as_select()).into_boxed();
    query = match who {
        Ref::Id(id) => query.filter(users::id.eq(Id(*id))),
        Ref::External(external) => query.filter(users::external_id.eq(external)),
    };
    Ok(query.get_result(conn).optional()?)
}

pub fn grants(conn: &mut Conn, ids: &[Uuid]) -> AppResult<Vec<GrantRow>> {
    Ok(role_grants::table
        .filter(role_grants::user_id.eq_any(ids.iter().map(|id| Id(*id))))
        .order((role_grants::user_id, role_grants::id))
        .select((role_grants::user_id, role_grants::role, role_grants::reach, role_grants::reach_id))
        .load(conn)?)
}

/// Which users a list shows.
pub enum Sight {
    /// All.
    All,
    /// Everybody below a manager, and the people of units.
    Some {
        /// The manager.
        below: Uuid,
        /// Units whose people the caller looks after.
        units: Vec<Uuid>,
    },
}

pub fn list(conn: &mut Conn, filter: &UserQuery, sight: &Sight, page: &PageRequest) -> AppResult<Rows<UserRow>> {
    let mut query = users::table.select(UserRow::as_select()).order(users::id).limit(page.fetch()).into_boxed();
    if let Some(after) = page.after {
        query = query.filter(users::id.gt(Id(after)));
    }
    if let Some(state) = filter.state {
        query = query.filter(users::state.eq(state.as_str()));
    }
    if let Some(email) = &filter.email {
        query = query.filter(users::email_key.eq(email.to_lowercase()));
    }
    if let Some(external) = &filter.external_id {
        query = query.filter(users::external_id.eq(external.clone()));
    }
    if let Some(manager) = filter.manager_id.as_ref().and_then(Ref::id) {
        query = query.filter(users::manager_id.eq(Id(manager)));
    }
    match sight {
        Sight::All => {}
        Sight::Some { below, units } if units.is_empty() => query = query.filter(tree::is_below("users.id", *below)),
        Sight::Some { below, units } => {
            use diesel::BoolExpressionMethods;
            query = query.filter(tree::is_below("users.id", *below).or(users::id.eq_any(people_of(units))));
        }
    }
    if let Some(unit) = filter.unit_id.as_ref().and_then(Ref::id) {
        query = query.filter(users::id.eq_any(people_of(&[unit])));
    }
    if let Some(number) = &filter.employee_number {
        query = query.filter(users::employee_number.eq(number.clone()));
    }
    if let Some(since) = filter.updated_since {
        query = query.filter(users::updated_at.ge(At(since)));
    }
    if let Some(role) = filter.role {
        let holders = role_grants::table
            .filter(role_grants::role.eq(role.as_str()))
            .filter(role_grants::reach.eq("site"))
            .select(role_grants::user_id);
        query = query.filter(users::id.eq_any(holders));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.id))
}

/// Which of these units the user belongs to, directly or below.
pub fn units_around(conn: &mut Conn, user: Uuid, units: &[Uuid]) -> AppResult<Vec<Uuid>> {
    use diesel::JoinOnDsl;
    Ok(group_members::table
        .inner_join(group_paths::table.on(group_paths::group_id.eq(group_members::group_id)))
        .filter(group_members::user_id.eq(Id(user)))
        .filter(group_paths::ancestor_id.eq_any(units.iter().map(|id| Id(*id))))
        .select(group_paths::ancestor_id)
        .distinct()
        .load(conn)?)
}

/// These units and all below them.
pub fn units_below(conn: &mut Conn, units: &[Uuid]) -> AppResult<Vec<Uuid>> {
    Ok(group_paths::table
        .filter(group_paths::ancestor_id.eq_any(units.iter().map(|id| Id(*id))))
        .select(group_paths::group_id)
        .distinct()
        .load(conn)?)
}

/// The fields of a new user.
pub struct NewUser<'a> {
    pub id: Uuid,
    pub email: &'a str,
    pub given_name: &'a str,
    pub family_name: &'a str,
    pub external_id: Option<&'a str>,
    pub employee_number: Option<&'a str>,
    pub password_hash: Option<&'a str>,
    pub attributes: Value,
    pub manager_id: Option<Uuid>,
    pub locale: Option<&'a str>,
    pub time_zone: Option<&'a str>,
    pub now: DateTime<Utc>,
}

pub fn insert(conn: &mut Conn, new: &NewUser<'_>) -> diesel::QueryResult<()> {
    diesel::insert_into(users::table)
        .values((
            users::id.eq(Id(new.id)),
            users::email.eq(new.email),
            users::email_key.eq(new.email.to_lowercase()),
            users::given_name.eq(new.given_name),
            users::family_name.eq(new.family_name),
            users::external_id.eq(new.external_id),
            users::employee_number.eq(new.employee_number),
            users::password_hash.eq(new.password_hash),
            users::state.eq("active"),
            users::attributes.eq(Json(new.attributes.clone())),
            users::manager_id.eq(new.manager_id.map(Id)),
            users::locale.eq(new.locale),
            users::time_zone.eq(new.time_zone),
            users::version.eq(1),
            users::created_at.eq(At(new.now)),
            users::updated_at.eq(At(new.now)),
        ))
        .execute(conn)
        .map(drop)
}

/// Writes all changeable fields of the row; its version must have been raised by the caller.
pub fn update(conn: &mut Conn, row: &UserRow) -> diesel::QueryResult<()> {
    diesel::update(users::table.filter(users::id.eq(Id(row.id))))
        .set((
            users::email.eq(&row.email),
            users::email_key.eq(row.email.to_lowercase()),
            users::given_name.eq(&row.given_name),
            users::family_name.eq(&row.family_name),
            users::external_id.eq(row.external_id.as_deref()),
            users::employee_number.eq(row.employee_number.as_deref()),
            users::state.eq(&row.state),
            users::attributes.eq(Json(row.attributes.clone())),
            users::manager_id.eq(row.manager_id.map(Id)),
            users::locale.eq(row.locale.as_deref()),
            users::time_zone.eq(row.time_zone.as_deref()),
            users::version.eq(row.version),
            users::updated_at.eq(At(row.updated_at)),
        ))
        .execute(conn)
        .map(drop)
}

pub fn insert_many(conn: &mut Conn, new: &[Create]) -> diesel::QueryResult<()> {
    for piece in new.chunks(500) {
        let values: Vec<_> = piece
            .iter()
            .map(|create| {
                let row = &create.row;
                (
                    users::id.eq(Id(row.id)),
                    users::email.eq(row.email.clone()),
                    users::email_key.eq(row.email.to_lowercase()),
                    users::given_name.eq(row.given_name.clone()),
                    users::family_name.eq(row.family_name.clone()),
                    users::external_id.eq(row.external_id.clone()),
                    users::employee_number.eq(row.employee_number.clone()),
                    users::password_hash.eq(create.password_hash.clone()),
                    users::state.eq(row.state.clone()),
                    users::attributes.eq(Json(row.attributes.clone())),
                    users::manager_id.eq(row.manager_id.map(Id)),
                    users::locale.eq(row.locale.clone()),
                    users::time_zone.eq(row.time_zone.clone()),
                    users::version.eq(row.version),
                    users::created_at.eq(At(row.created_at)),
                    users::updated_at.eq(At(row.updated_at)),
                )
            })
            .collect();
        per_backend!(conn, |c| diesel::insert_into(users::table).values(&values).execute(c))?;
    }
    Ok(())
}

/// Writes the changeable fields of many rows, 500 in each statement: the rows are bound as one JSON document.
pub fn update_many(conn: &mut Conn, changes: &[Change], now: DateTime<Utc>) -> diesel::QueryResult<()> {
    use crate::db::types::{SqlInstant, SqlJson};
    const SET: &str = "UPDATE users SET email = u.email, email_key = u.email_key, given_name = u.given_name, \
         family_name = u.family_name, external_id = u.external_id, employee_number = u.employee_number, state = u.state, \
         attributes = u.attributes, manager_id = u.manager_id, locale = u.locale, time_zone = u.time_zone, \
         password_hash = COALESCE(u.password_hash, users.password_hash), version = users.version + 1, updated_at = ";
    for piece in changes.chunks(500) {
        let rows: Vec<Value> = piece
            .iter()
            .map(|change| {
                let row = &change.row;
                serde_json::json!({
                    "id": row.id, "email": row.email, "email_key": row.email.to_lowercase(), "given_name": row.given_name,
                    "family_name": row.family_name, "external_id": row.external_id, "employee_number": row.employee_number,
                    "state": row.state, "attributes": row.attributes, "manager_id": row.manager_id, "locale": row.locale,
                    "time_zone": row.time_zone, "password_hash": change.password_hash,
                })
            })
            .collect();
        let rows = Json(Value::Array(rows));
        match conn {
            Conn::Pg(c) => sql_query(format!(
                "{SET}$2 FROM jsonb_to_recordset($1) AS u (id uuid, email text, email_key text, given_name text, \
                 family_name text, external_id text, employee_number text, state text, attributes jsonb, manager_id uuid, \
                 locale text, time_zone text, password_hash text) WHERE users.id = u.id"
            ))
            .bind::<SqlJson, _>(rows)
            .bind::<SqlInstant, _>(At(now))
            .execute(c)?,
            Conn::Sqlite(c) => sql_query(format!(
                "{SET}?2 FROM (SELECT value ->> 'id' AS id, value ->> 'email' AS email, value ->> 'email_key' AS email_key, \
                 value ->> 'given_name' AS given_name, value ->> 'family_name' AS family_name, \
                 value ->> 'external_id' AS external_id, value ->> 'employee_number' AS employee_number, \
                 value ->> 'state' AS state, value -> 'attributes' AS attributes, value ->> 'manager_id' AS manager_id, \
                 value ->> 'locale' AS locale, value ->> 'time_zone' AS time_zone, value ->> 'password_hash' AS password_hash \
                 FROM json_each(?1)) AS u WHERE users.id = u.id"
            ))
            .bind::<SqlJson, _>(rows)
            .bind::<SqlInstant, _>(At(now))
            .execute(c)?,
        };
    }
    Ok(())
}

/// Lets go of the unique keys of these users until they get others in the same transaction. An id is nobody's e-mail.
pub fn release_keys(conn: &mut Conn, ids: &[Uuid]) -> AppResult<()> {
    for piece in ids.chunks(500) {
        let these = users::table.filter(users::id.eq_any(piece.iter().map(|id| Id(*id))));
        diesel::update(these)
            .set((
                users::email_key.eq(diesel::dsl::sql::<diesel::sql_types::Text>("CAST(id AS text)")),
                users::external_id.eq(None::<String>),
                users::employee_number.eq(None::<String>),
            ))
            .execute(conn)?;
    }
    Ok(())
}

/// The users that have one of these e-mails (in lower case), external ids or employee numbers; locked on Postgres.
pub fn find_with_any(
    conn: &mut Conn,
    emails: Vec<String>,
    external_ids: Vec<String>,
    numbers: Vec<String>,
) -> AppResult<Vec<UserRow>> {
    find_by_id_or_key(conn, &[], emails, external_ids, numbers)
}

/// The users with these ids, and those that have one of these e-mails, external ids or employee numbers; locked on Postgres.
pub fn find_by_id_or_key(
    conn: &mut Conn,
    ids: &[Uuid],
    emails: Vec<String>,
    external_ids: Vec<String>,
    numbers: Vec<String>,
) -> AppResult<Vec<UserRow>> {
    use diesel::{BoolExpressionMethods, NullableExpressionMethods};
    let found = users::table
        .filter(
            users::email_key
                .eq_any(emails)
                .or(users::id.eq_any(ids.iter().map(|id| Id(*id))))
                .or(users::external_id.eq_any(external_ids).assume_not_null())
                .or(users::employee_number.eq_any(numbers).assume_not_null()),
        )
        .order(users::id);
    Ok(match conn {
        Conn::Pg(c) => found.select(UserRow::as_select()).for_no_key_update().load(c)?,
        Conn::Sqlite(c) => found.select(UserRow::as_select()).load(c)?,
    })
}

/// The users with these external ids: external id, id.
pub fn named(conn: &mut Conn, externals: &[String]) -> AppResult<Vec<(String, Uuid)>> {
    use diesel::NullableExpressionMethods;
    let named = users::external_id.assume_not_null();
    Ok(users::table.filter(named.eq_any(externals.to_vec())).select((named, users::id)).load(conn)?)
}

/// The users with these names over SCIM, in lower case: name, id, e-mail in lower case.
pub fn named_over_scim(conn: &mut Conn, names: &[String]) -> AppResult<Vec<(String, Uuid, String)>> {
    use diesel::NullableExpressionMethods;
    let name = users::user_name_key.assume_not_null();
    let found = users::table.filter(users::user_name_key.is_not_null()).filter(name.eq_any(names.to_vec()));
    Ok(found.select((name, users::id, users::email_key)).load(conn)?)
}

/// The units with these external ids: external id, id.
pub fn units_named(conn: &mut Conn, externals: &[String]) -> AppResult<Vec<(String, Uuid)>> {
    use crate::db::schema::groups;
    use diesel::NullableExpressionMethods;
    let named = groups::external_id.assume_not_null();
    Ok(groups::table
        .filter(named.eq_any(externals.to_vec()))
        .filter(groups::kind.eq("unit"))
        .select((named, groups::id))
        .load(conn)?)
}

/// Which of these users exist, and have not been erased.
pub fn existing(conn: &mut Conn, ids: &[Uuid]) -> AppResult<HashSet<Uuid>> {
    let these = users::table.filter(users::id.eq_any(ids.iter().map(|id| Id(*id))));
    let found: Vec<(Uuid, String)> = these.select((users::id, users::email)).load(conn)?;
    Ok(found.into_iter().filter(|(id, email)| !is_erased(*id, email)).map(|(id, _)| id).collect())
}

/// Everybody among these people and somewhere above them who has a manager, with the manager.
///
/// # Errors
/// Database errors.
pub fn managers_above(conn: &mut Conn, people: &[Uuid]) -> AppResult<Vec<(Uuid, Uuid)>> {
    if people.is_empty() {
        return Ok(Vec::new());
    }
    let above = users::table.filter(tree::is_at_or_above(people)).filter(users::manager_id.is_not_null());
    let rows: Vec<(Uuid, Option<Uuid>)> = above.select((users::id, users::manager_id)).load(conn)?;
    Ok(rows.into_iter().filter_map(|(user, manager)| Some((user, manager?))).collect())
}

/// Everybody somewhere below one of these people, with the manager.
pub fn edges_below(conn: &mut Conn, people: &[Uuid]) -> AppResult<Vec<(Uuid, Uuid)>> {
    if people.is_empty() {
        return Ok(Vec::new());
    }
    let below = users::table.filter(tree::is_below_any(people));
    let rows: Vec<(Uuid, Option<Uuid>)> = below.select((users::id, users::manager_id)).load(conn)?;
    Ok(rows.into_iter().filter_map(|(user, manager)| Some((user, manager?))).collect())
}

/// The units that these people are in, directly: unit, user.
pub fn units_of(conn: &mut Conn, people: &[Uuid]) -> AppResult<Vec<(Uuid, Uuid)>> {
    use crate::db::schema::groups;
    use diesel::JoinOnDsl;
    Ok(group_members::table
        .inner_join(groups::table.on(groups::id.eq(group_members::group_id)))
        .filter(groups::kind.eq("unit"))
        .filter(group_members::user_id.eq_any(people.iter().map(|id| Id(*id))))
        .select((group_members::group_id, group_members::user_id))
        .load(conn)?)
}

/// Which of these are units.
pub fn existing_units(conn: &mut Conn, ids: &[Uuid]) -> AppResult<HashSet<Uuid>> {
    use crate::db::schema::groups;
    let found: Vec<Uuid> = groups::table
        .filter(groups::id.eq_any(ids.iter().map(|id| Id(*id))))
        .filter(groups::kind.eq("unit"))
        .select(groups::id)
        .load(conn)?;
    Ok(found.into_iter().collect())
}

/// Everybody who has a manager, with the manager.
pub fn manager_edges(conn: &mut Conn) -> AppResult<Vec<(Uuid, Uuid)>> {
    let rows: Vec<(Uuid, Option<Uuid>)> =
        users::table.filter(users::manager_id.is_not_null()).select((users::id, users::manager_id)).load(conn)?;
    Ok(rows.into_iter().filter_map(|(user, manager)| Some((user, manager?))).collect())
}

pub fn delete_site_roles(conn: &mut Conn, of: &[Uuid]) -> AppResult<()> {
    if !of.is_empty() {
        let of = role_grants::table.filter(role_grants::user_id.eq_any(of.iter().map(|id| Id(*id))));
        diesel::delete(of.filter(role_grants::reach.eq("site"))).execute(conn)?;
    }
    Ok(())
}

/// Writes roles for the site: grant, user, role.
pub fn insert_site_roles(conn: &mut Conn, rows: &[(Uuid, Uuid, Role)], now: DateTime<Utc>) -> AppResult<()> {
    for piece in rows.chunks(500) {
        let values: Vec<_> = piece
            .iter()
            .map(|(id, user, role)| {
                (
                    role_grants::id.eq(Id(*id)),
                    role_grants::user_id.eq(Id(*user)),
                    role_grants::role.eq(role.as_str()),
                    role_grants::reach.eq("site"),
                    role_grants::reach_id.eq(Id(Uuid::nil())),
                    role_grants::created_at.eq(At(now)),
                )
            })
            .collect();
        per_backend!(conn, |c| diesel::insert_into(role_grants::table).values(&values).execute(c))?;
    }
    Ok(())
}

/// Ends all sessions of these users.
pub fn end_sessions_of(conn: &mut Conn, of: &[Uuid], reason: &str, now: DateTime<Utc>) -> AppResult<()> {
    if !of.is_empty() {
        let theirs = sessions::table.filter(sessions::user_id.eq_any(of.iter().map(|id| Id(*id))));
        diesel::update(theirs.filter(sessions::ended_at.is_null()))
            .set((sessions::ended_at.eq(At(now)), sessions::end_reason.eq(reason)))
            .execute(conn)?;
    }
    Ok(())
}

pub fn set_password(conn: &mut Conn, id: Uuid, hash: Option<&str>) -> AppResult<()> {
    diesel::update(users::table.filter(users::id.eq(Id(id)))).set(users::password_hash.eq(hash)).execute(conn)?;
    Ok(())
}

pub fn replace_site_roles(
    conn: &mut Conn,
    id: Uuid,
    roles: &[Role],
    ids: impl Fn() -> Uuid,
    now: DateTime<Utc>,
) -> AppResult<()> {
    diesel::delete(role_grants::table.filter(role_grants::user_id.eq(Id(id))).filter(role_grants::reach.eq("site")))
        .execute(conn)?;
    let rows: Vec<_> = roles
        .iter()
        .map(|role| {
            (
                role_grants::id.eq(Id(ids())),
                role_grants::user_id.eq(Id(id)),
                role_grants::role.eq(role.as_str()),
                role_grants::reach.eq("site"),
                role_grants::reach_id.eq(Id(Uuid::nil())),
                role_grants::created_at.eq(At(now)),
            )
        })
        .collect();
    per_backend!(conn, |c| diesel::insert_into(role_grants::table).values(&rows).execute(c))?;
    Ok(())
}

/// Ends the user's sessions, except one.
pub fn end_sessions(
    conn: &mut Conn,
    user: Uuid,
    except: Option<Uuid>,
    reason: &str,
    now: DateTime<Utc>,
) -> AppResult<()> {
    let live = sessions::table.filter(sessions::user_id.eq(Id(user))).filter(sessions::ended_at.is_null());
    let kept = except.unwrap_or_else(Uuid::nil);
    diesel::update(live.filter(sessions::id.ne(Id(kept))))
        .set((sessions::ended_at.eq(At(now)), sessions::end_reason.eq(reason)))
        .execute(conn)?;
    Ok(())
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = sql_types::Integer)]
    #[expect(dead_code, reason = "only whether there is a row matters")]
    found: i32,
}

/// Whether anybody has this manager.
pub fn has_reports(conn: &mut Conn, manager: Uuid) -> AppResult<bool> {
    let reports = users::table.filter(users::manager_id.eq(Id(manager)));
    Ok(diesel::select(diesel::dsl::exists(reports)).get_result(conn)?)
}

/// Whether `below` is somewhere under `above` in the tree of managers, however deep. Nobody is visited twice, so a circle ends too.
pub fn is_below(conn: &mut Conn, below: Uuid, above: Uuid) -> AppResult<bool> {
    use crate::db::types::SqlId;
    let sql = |one: &str, two: &str| {
        format!(
            "WITH RECURSIVE chain (id, manager_id) AS (SELECT id, manager_id FROM users WHERE id = {one} UNION \
             SELECT u.id, u.manager_id FROM users u JOIN chain ON u.id = chain.manager_id) \
             SELECT 1 AS found FROM chain WHERE manager_id = {two} LIMIT 1"
        )
    };
    let rows: Vec<Found> = match conn {
        Conn::Pg(c) => sql_query(sql("$1", "$2")).bind::<SqlId, _>(Id(below)).bind::<SqlId, _>(Id(above)).load(c)?,
        Conn::Sqlite(c) => {
            sql_query(sql("?1", "?2")).bind::<SqlId, _>(Id(below)).bind::<SqlId, _>(Id(above)).load(c)?
        }
    };
    Ok(!rows.is_empty())
}

/// Which of these people are somewhere below a manager.
pub fn below_among(conn: &mut Conn, manager: Uuid, people: &[Uuid]) -> AppResult<Vec<Uuid>> {
    Ok(users::table
        .filter(users::id.eq_any(people.iter().map(|id| Id(*id))))
        .filter(tree::is_below("users.id", manager))
        .select(users::id)
        .load(conn)?)
}

/// Which of these people belong to one of these units or a group below it.
pub fn in_units_among(conn: &mut Conn, units: &[Uuid], people: &[Uuid]) -> AppResult<Vec<Uuid>> {
    Ok(users::table
        .filter(users::id.eq_any(people.iter().map(|id| Id(*id))))
        .filter(users::id.eq_any(people_of(units)))
        .select(users::id)
        .load(conn)?)
}

/// A page of those who report to a manager: directly, or all below.
pub fn reports(
    conn: &mut Conn,
    manager: Uuid,
    all: bool,
    units: Option<&[Uuid]>,
    page: &PageRequest,
) -> AppResult<Rows<UserRow>> {
    let mut query = users::table.select(UserRow::as_select()).order(users::id).limit(page.fetch()).into_boxed();
    query = if all {
        query.filter(tree::is_below("users.id", manager))
    } else {
        query.filter(users::manager_id.eq(Id(manager)))
    };
    if let Some(units) = units {
        query = query.filter(users::id.eq_any(people_of(units)));
    }
    if let Some(after) = page.after {
        query = query.filter(users::id.gt(Id(after)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.id))
}

/// The id of the course that is meant, if there is one.
pub fn course_id(conn: &mut Conn, which: &Ref) -> AppResult<Option<Uuid>> {
    use crate::db::schema::courses;
    let mut query = courses::table.select(courses::id).into_boxed();
    query = match which {
        Ref::Id(id) => query.filter(courses::id.eq(Id(*id))),
        Ref::External(external) => query.filter(courses::external_id.eq(external)),
    };
    Ok(query.get_result(conn).optional()?)
}

/// A stored grant: id, role, reach, what it reaches, since when.
pub type RoleRow = (Uuid, String, String, Uuid, DateTime<Utc>);

/// A page of a user's grants, in order of granting.
pub fn list_roles(conn: &mut Conn, user: Uuid, page: &PageRequest) -> AppResult<Rows<RoleRow>> {
    let mut query = role_grants::table
        .filter(role_grants::user_id.eq(Id(user)))
        .order(role_grants::id)
        .limit(page.fetch())
        .select((
            role_grants::id,
            role_grants::role,
            role_grants::reach,
            role_grants::reach_id,
            role_grants::created_at,
        ))
        .into_boxed();
    if let Some(after) = page.after {
        query = query.filter(role_grants::id.gt(Id(after)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row: &RoleRow| row.0))
}

pub fn find_role(conn: &mut Conn, user: Uuid, grant: Uuid) -> AppResult<Option<RoleRow>> {
    Ok(role_grants::table
        .filter(role_grants::user_id.eq(Id(user)))
        .filter(role_grants::id.eq(Id(grant)))
        .select((
            role_grants::id,
            role_grants::role,
            role_grants::reach,
            role_grants::reach_id,
            role_grants::created_at,
        ))
        .first(conn)
        .optional()?)
}

pub fn insert_role(conn: &mut Conn, user: Uuid, row: &RoleRow) -> diesel::QueryResult<()> {
    let (id, role, reach, reach_id, at) = row;
    diesel::insert_into(role_grants::table)
        .values((
            role_grants::id.eq(Id(*id)),
            role_grants::user_id.eq(Id(user)),
            role_grants::role.eq(role),
            role_grants::reach.eq(reach),
            role_grants::reach_id.eq(Id(*reach_id)),
            role_grants::created_at.eq(At(*at)),
        ))
        .execute(conn)
        .map(drop)
}

pub fn delete_role(conn: &mut Conn, grant: Uuid) -> AppResult<()> {
    diesel::delete(role_grants::table.filter(role_grants::id.eq(Id(grant)))).execute(conn)?;
    Ok(())
}

/// What identifies a user: id, e-mail in lower case, external id, employee number.
pub type Identity = (Uuid, String, Option<String>, Option<String>);

/// The users that have one of these e-mails (in lower case; also as their name over SCIM), external ids or employee numbers.
pub fn with_any(
    conn: &mut Conn,
    emails: Vec<String>,
    external_ids: Vec<String>,
    numbers: Vec<String>,
) -> AppResult<Vec<Identity>> {
    use diesel::{BoolExpressionMethods, NullableExpressionMethods};
    type Found = (Uuid, String, Option<String>, Option<String>, Option<String>);
    let found: Vec<Found> = users::table
        .filter(
            users::email_key
                .eq_any(emails.clone())
                .or(users::user_name_key.eq_any(emails).assume_not_null())
                .or(users::external_id.eq_any(external_ids).assume_not_null())
                .or(users::employee_number.eq_any(numbers).assume_not_null()),
        )
        .select((users::id, users::email_key, users::external_id, users::employee_number, users::user_name_key))
        .load(conn)?;
    // Whoever has no name over SCIM goes by the e-mail there, so a name counts as one.
    let identities = found.into_iter().flat_map(|(id, email, external, number, name)| {
        let as_name = name.filter(|name| *name != email).map(|name| (id, name, None, None));
        std::iter::once((id, email, external, number)).chain(as_name)
    });
    Ok(identities.collect())
}

/// Whether there is any user at all.
pub fn any(conn: &mut Conn) -> AppResult<bool> {
    Ok(users::table.select(users::id).first::<Uuid>(conn).optional()?.is_some())
}

/// Who administers the site, each with whether they can log in.
pub fn site_admins(conn: &mut Conn) -> AppResult<Vec<(Uuid, bool)>> {
    use diesel::JoinOnDsl;
    Ok(role_grants::table
        .inner_join(users::table.on(users::id.eq(role_grants::user_id)))
        .filter(role_grants::role.eq(Role::Admin.as_str()))
        .filter(role_grants::reach.eq("site"))
        .select((users::id, users::state.eq("active")))
        .load(conn)?)
}

/// How many users there are, up to two.
pub fn one_or_two(conn: &mut Conn) -> AppResult<usize> {
    Ok(users::table.select(users::id).limit(2).load::<Uuid>(conn)?.len())
}
