//! Loads who is behind a token: users with their grants, clients with their scopes, users seen for the first time.

use std::sync::{Arc, LazyLock};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::dsl::exists;
use diesel::{ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl};
use quick_cache::sync::Cache;
use uuid::Uuid;

use super::outside::{Identity, UserField};
use crate::db::schema::{clients, revoked_tokens, role_grants, sessions, users};
use crate::db::types::{At, Id, Json};
use crate::db::{Conn, Db, access_version};
use crate::domain::organisation::is_reserved_email;
use crate::domain::permission::{Actor, Grant, Reach, Scope};
use crate::error::{AppError, AppResult, Code};
use crate::events::{self, NewEvent};
use crate::http::shapes::{Email, ExternalId, PersonName, Shape};
use crate::per_backend;
use crate::state::{Ctx, State};

fn gone(why: &str) -> AppError {
    AppError::new(Code::Unauthenticated, why)
}

type GrantColumns = (Option<String>, Option<String>, Option<Uuid>);

fn grants(rows: impl Iterator<Item = GrantColumns>) -> AppResult<Vec<Grant>> {
    let mut grants = Vec::new();
    for row in rows {
        if let (Some(role), Some(reach), Some(reach_id)) = row {
            let role = role.parse().map_err(AppError::internal)?;
            grants.push(Grant { role, reach: Reach::from_row(&reach, reach_id) });
        }
    }
    Ok(grants)
}

/// What the database says of a session and the person behind it.
#[derive(Debug, Clone)]
struct Login {
    user: Uuid,
    ended: bool,
    expires: DateTime<Utc>,
    state: String,
    revoked: bool,
    grants: Vec<Grant>,
}

impl Login {
    /// Whoever is logged in, if the log-in still stands.
    fn actor(&self, user: Uuid, now: DateTime<Utc>) -> AppResult<Actor> {
        if self.user != user || self.ended || self.expires <= now || self.revoked {
            return Err(gone("The session has ended. Log in again."));
        }
        if self.state != "active" {
            return Err(gone("The account is not active."));
        }
        Ok(Actor::User { id: user, grants: self.grants.clone() })
    }
}

/// Log-ins by session and token, with the version of access that they were read at.
static LOGINS: LazyLock<Logins> = LazyLock::new(|| Cache::new(10_000));

type Logins = Cache<(Uuid, Uuid), (i64, Arc<Login>)>;

/// One statement that knows of log-outs, revoked tokens, suspensions and roles.
fn login(conn: &mut Conn, session: Uuid, token: Uuid) -> AppResult<Option<Login>> {
    type Row = (Uuid, Option<DateTime<Utc>>, DateTime<Utc>, String, bool, GrantColumns);
    let query = sessions::table
        .inner_join(users::table)
        .left_join(role_grants::table.on(role_grants::user_id.eq(users::id)))
        .filter(sessions::id.eq(Id(session)))
        .select((
            users::id,
            sessions::ended_at,
            sessions::expires_at,
            users::state,
            exists(revoked_tokens::table.filter(revoked_tokens::jti.eq(Id(token)))),
            (role_grants::role.nullable(), role_grants::reach.nullable(), role_grants::reach_id.nullable()),
        ));
    let rows: Vec<Row> = per_backend!(conn, |c| query.load(c))?;
    let Some((user, ended, expires, state, revoked, _)) = rows.first().cloned() else { return Ok(None) };
    let grants = grants(rows.into_iter().map(|row| row.5))?;
    Ok(Some(Login { user, ended: ended.is_some(), expires, state, revoked, grants }))
}

/// The user of a session, as the database has it now. What was read before is used again while the version is the same.
pub(super) async fn user_of_session(
    db: &Db,
    user: Uuid,
    session: Uuid,
    token: Uuid,
    now: DateTime<Utc>,
) -> AppResult<Actor> {
    let key = (session, token);
    if let Some(recent) = db.recent_access_version()
        && let Some((_, login)) = LOGINS.get(&key).filter(|(read_at, _)| *read_at == recent)
    {
        return login.actor(user, now);
    }
    let found = db
        .read(move |conn: &mut Conn| {
            let version = access_version(conn)?;
            if let Some((_, login)) = LOGINS.get(&key).filter(|(read_at, _)| Some(*read_at) == version) {
                return Ok(Some(login));
            }
            let login = login(conn, session, token)?.map(Arc::new);
            if let (Some(version), Some(login)) = (version, &login) {
                LOGINS.insert(key, (version, Arc::clone(login)));
            }
            Ok(login)
        })
        .await?;
    let Some(login) = found else {
        return Err(gone("The session is gone. Log in again."));
    };
    login.actor(user, now)
}

/// A user without a session: behind an outside token, or one for whom a client acts.
pub(super) async fn user(db: &Db, user: Uuid, token: Uuid) -> AppResult<Actor> {
    type Row = (String, bool, GrantColumns);
    let rows = db
        .read_one(move |conn: &mut Conn| {
            let rows = users::table
                .left_join(role_grants::table.on(role_grants::user_id.eq(users::id)))
                .filter(users::id.eq(Id(user)))
                .select((
                    users::state,
                    exists(revoked_tokens::table.filter(revoked_tokens::jti.eq(Id(token)))),
                    (role_grants::role.nullable(), role_grants::reach.nullable(), role_grants::reach_id.nullable()),
                ));
            Ok(per_backend!(conn, |c| rows.load::<Row>(c))?)
        })
        .await?;
    match rows.first() {
        Some((state, false, _)) if state == "active" => {
            Ok(Actor::User { id: user, grants: grants(rows.into_iter().map(|row| row.2))? })
        }
        Some((_, true, _)) => Err(gone("The access token was revoked.")),
        _ => Err(gone("The account is not active.")),
    }
}

/// A client and the scopes of its token that it still has. Its last use is written at most once a minute, so that reads stay reads.
pub(super) async fn client(
    state: &State,
    client: Uuid,
    granted: &str,
    token: Uuid,
    now: DateTime<Utc>,
) -> AppResult<Vec<Scope>> {
    type Row = (String, serde_json::Value, Option<DateTime<Utc>>, bool);
    let row = state
        .db
        .read_one(move |conn: &mut Conn| {
            let row: Option<Row> = clients::table
                .filter(clients::id.eq(Id(client)))
                .select((
                    clients::state,
                    clients::scopes,
                    clients::last_used_at,
                    exists(revoked_tokens::table.filter(revoked_tokens::jti.eq(Id(token)))),
                ))
                .first(conn)
                .optional()?;
            Ok(row)
        })
        .await?;
    let Some((client_state, allowed, used, revoked)) = row else { return Err(gone("The client is gone.")) };
    if client_state != "active" {
        return Err(gone("The client is disabled."));
    }
    if revoked {
        return Err(gone("The access token was revoked."));
    }
    if used.is_none_or(|used| now.signed_duration_since(used) >= TimeDelta::minutes(1)) {
        let db = state.db.clone();
        actix_web::rt::spawn(async move {
            let stamped = db
                .write(move |conn| {
                    diesel::update(clients::table.filter(clients::id.eq(Id(client))))
                        .set(clients::last_used_at.eq(At(now)))
                        .execute(conn)?;
                    Ok(())
                })
                .await;
            if let Err(error) = stamped {
                log::debug!("the last use of client {client} is not written: {error}");
            }
        });
    }
    let allowed: Vec<Scope> = serde_json::from_value(allowed).map_err(AppError::internal)?;
    Ok(granted.split(' ').filter_map(|s| s.parse().ok()).filter(|s| allowed.contains(s)).collect())
}

fn find(conn: &mut Conn, identity: &Identity) -> AppResult<Option<Uuid>> {
    let mut query = users::table.select(users::id).into_boxed();
    query = match identity.field {
        UserField::Email => query.filter(users::email_key.eq(identity.value.to_lowercase())),
        UserField::ExternalId => query.filter(users::external_id.eq(identity.value.clone())),
    };
    Ok(query.first(conn).optional()?)
}

/// The user whom an outside identity means; made on first sight when the issuer is so configured.
pub(super) async fn outside_user(state: &State, identity: Identity, ctx: Ctx) -> AppResult<Uuid> {
    let nobody = || gone("The token is good, but nobody here is meant by it.");
    if identity.value.contains('\0') {
        return Err(nobody());
    }
    let (wanted, known) = (identity.clone(), identity.clone());
    if let Some(user) = state.db.read(move |conn| find(conn, &wanted)).await? {
        return Ok(user);
    }
    let Some(roles) = identity.create.clone() else { return Err(nobody()) };
    let Some(email) = identity.email.clone().filter(|email| Email::has(email) && !is_reserved_email(email)) else {
        return Err(gone("The token is good, but has no e-mail with which a user could be made."));
    };
    if identity.field == UserField::ExternalId && !ExternalId::has(&identity.value) {
        return Err(gone("The token is good, but no user could have the id that it names."));
    }
    let made = state
        .db
        .write(move |conn| {
            if let Some(user) = find(conn, &identity)? {
                return Ok(user);
            }
            let id = ctx.new_id();
            let short = |name: Option<String>| {
                let name = name.map(|name| name.chars().take(100).collect::<String>());
                name.filter(|name| PersonName::has(name)).unwrap_or_else(|| "–".into())
            };
            let external = (identity.field == UserField::ExternalId).then(|| identity.value.clone());
            diesel::insert_into(users::table)
                .values((
                    users::id.eq(Id(id)),
                    users::email.eq(&email),
                    users::email_key.eq(email.to_lowercase()),
                    users::given_name.eq(short(identity.given_name)),
                    users::family_name.eq(short(identity.family_name)),
                    users::external_id.eq(external),
                    users::state.eq("active"),
                    users::attributes.eq(Json(serde_json::json!({}))),
                    users::version.eq(1_i64),
                    users::created_at.eq(At(ctx.now)),
                    users::updated_at.eq(At(ctx.now)),
                ))
                .execute(conn)?;
            let rows: Vec<_> = roles
                .iter()
                .map(|role| {
                    (
                        role_grants::id.eq(Id(ctx.new_id())),
                        role_grants::user_id.eq(Id(id)),
                        role_grants::role.eq(role.as_str()),
                        role_grants::reach.eq("site"),
                        role_grants::reach_id.eq(Id(Uuid::nil())),
                        role_grants::created_at.eq(At(ctx.now)),
                    )
                })
                .collect();
            per_backend!(conn, |c| diesel::insert_into(role_grants::table).values(&rows).execute(c))?;
            let data = serde_json::json!({"source": "outside_identity", "issuer": identity.issuer});
            events::append(conn, &ctx, vec![NewEvent::new("user.created", "user", id).user(id).data(data)])?;
            Ok(id)
        })
        .await;
    match made {
        // Somebody else who came at the same moment was faster, with the same person or another one.
        Err(error) if error.code() == Code::Conflict => {
            state.db.read(move |conn| find(conn, &known)).await?.ok_or(error)
        }
        made => made,
    }
}
