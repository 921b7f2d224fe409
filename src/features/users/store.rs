//! SQL about users and their roles.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryableByName, RunQueryDsl, Selectable, SelectableHelper,
    sql_query, sql_types,
};
use serde_json::Value;
use uuid::Uuid;

use super::dto::UserQuery;
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::db::schema::{role_grants, sessions, users};
use crate::db::tree;
use crate::db::types::{At, Id, Json};
use crate::domain::permission::Role;
use crate::error::AppResult;
use crate::http::Ref;
use crate::per_backend;

/// A row of `users`, without the password's hash.
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = users)]
pub struct UserRow {
    pub id: Uuid,
    pub email: String,
    pub given_name: String,
    pub family_name: String,
    pub external_id: Option<String>,
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

pub fn find(conn: &mut Conn, who: &Ref) -> AppResult<Option<UserRow>> {
    let mut query = users::table.select(UserRow::as_select()).into_boxed();
    query = match who {
        Ref::Id(id) => query.filter(users::id.eq(Id(*id))),
        Ref::External(external) => query.filter(users::external_id.eq(external)),
    };
    Ok(query.first(conn).optional()?)
}

pub fn grants(conn: &mut Conn, ids: &[Uuid]) -> AppResult<Vec<GrantRow>> {
    Ok(role_grants::table
        .filter(role_grants::user_id.eq_any(ids.iter().map(|id| Id(*id))))
        .order((role_grants::user_id, role_grants::id))
        .select((role_grants::user_id, role_grants::role, role_grants::reach, role_grants::reach_id))
        .load(conn)?)
}

pub fn list(
    conn: &mut Conn,
    filter: &UserQuery,
    only_below: Option<Uuid>,
    page: &PageRequest,
) -> AppResult<Rows<UserRow>> {
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
    if let Some(manager) = filter.manager_id {
        query = query.filter(users::manager_id.eq(Id(manager)));
    }
    if let Some(manager) = only_below {
        query = query.filter(tree::is_below("users.id", manager));
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

/// The fields of a new user.
pub struct NewUser<'a> {
    pub id: Uuid,
    pub email: &'a str,
    pub given_name: &'a str,
    pub family_name: &'a str,
    pub external_id: Option<&'a str>,
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

pub fn set_password(conn: &mut Conn, id: Uuid, hash: Option<&str>) -> AppResult<()> {
    diesel::update(users::table.filter(users::id.eq(Id(id)))).set(users::password_hash.eq(hash)).execute(conn)?;
    Ok(())
}

pub fn password_hash(conn: &mut Conn, id: Uuid) -> AppResult<Option<String>> {
    Ok(users::table
        .filter(users::id.eq(Id(id)))
        .select(users::password_hash)
        .first::<Option<String>>(conn)
        .optional()?
        .flatten())
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

/// Whether `below` is somewhere under `above` in the tree of managers. Depth is bounded, so that a cycle ends.
pub fn is_below(conn: &mut Conn, below: Uuid, above: Uuid) -> AppResult<bool> {
    use crate::db::types::SqlId;
    let sql = |one: &str, two: &str| {
        format!(
            "WITH RECURSIVE chain (id, manager_id, depth) AS (\
             SELECT id, manager_id, 1 FROM users WHERE id = {one} UNION \
             SELECT u.id, u.manager_id, chain.depth + 1 FROM users u JOIN chain ON u.id = chain.manager_id WHERE chain.depth < 50) \
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

/// Which of these values another user has already: e-mail, external id.
pub fn taken(conn: &mut Conn, email: &str, external_id: Option<&str>, except: Uuid) -> AppResult<(bool, bool)> {
    let mut query =
        users::table.select((users::email_key, users::external_id)).filter(users::id.ne(Id(except))).into_boxed();
    let key = email.to_lowercase();
    query = match external_id {
        Some(external) => {
            use diesel::{BoolExpressionMethods, NullableExpressionMethods};
            query.filter(
                users::email_key.eq(key.clone()).or(users::external_id.eq(external.to_owned()).assume_not_null()),
            )
        }
        None => query.filter(users::email_key.eq(key.clone())),
    };
    let rows: Vec<(String, Option<String>)> = query.load(conn)?;
    let email_taken = rows.iter().any(|(k, _)| *k == key);
    let external_taken = external_id.is_some_and(|e| rows.iter().any(|(_, x)| x.as_deref() == Some(e)));
    Ok((email_taken, external_taken))
}

/// Whether there is any user at all.
pub fn any(conn: &mut Conn) -> AppResult<bool> {
    Ok(users::table.select(users::id).first::<Uuid>(conn).optional()?.is_some())
}

/// How many users there are, up to two.
pub fn one_or_two(conn: &mut Conn) -> AppResult<usize> {
    Ok(users::table.select(users::id).limit(2).load::<Uuid>(conn)?.len())
}
