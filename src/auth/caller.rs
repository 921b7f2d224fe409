//! The authenticated caller as a typed argument: a handler names the scope it needs in its type, so it cannot be forgotten.

use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, http::header, web};
use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl};
use uuid::Uuid;

use crate::db::schema::{clients, role_grants, sessions, users};
use crate::db::types::Id;
use crate::db::{Conn, Db};
use crate::domain::permission::{Actor, Grant, Reach, Scope};
use crate::error::{AppError, AppResult, Code};
use crate::state::{Ctx, State};

/// The scope that a machine client needs for an operation. Users need none: their roles decide in the service.
pub trait Need: 'static {
    /// The scope; `None` lets no client in.
    const SCOPE: Option<Scope>;
}

macro_rules! needs {
    ($($name:ident = $scope:expr, $doc:literal;)+) => {
        /// Markers for [`Caller`].
        pub mod need {
            use super::{Need, Scope};
            $(#[doc = $doc] pub struct $name; impl Need for $name { const SCOPE: Option<Scope> = $scope; })+
        }
    };
}

needs! {
    User = None, "A logged-in user; no clients.";
    UsersRead = Some(Scope::UsersRead), "`users:read`";
    UsersWrite = Some(Scope::UsersWrite), "`users:write`";
    CoursesRead = Some(Scope::CoursesRead), "`courses:read`";
    CoursesWrite = Some(Scope::CoursesWrite), "`courses:write`";
    EnrollmentsRead = Some(Scope::EnrollmentsRead), "`enrollments:read`";
    EnrollmentsWrite = Some(Scope::EnrollmentsWrite), "`enrollments:write`";
    AssessmentRead = Some(Scope::AssessmentRead), "`assessment:read`";
    CertificatesRead = Some(Scope::CertificatesRead), "`certificates:read`";
}

/// Whoever is behind a valid access token, with the scope `N` if it is a client.
pub struct Caller<N: Need>(pub Ctx, PhantomData<N>);

/// The caller of a public operation.
pub type Anyone = web::Data<State>;

impl<N: Need> Deref for Caller<N> {
    type Target = Ctx;
    fn deref(&self) -> &Ctx {
        &self.0
    }
}

/// The request's id, put into the request by the outermost middleware.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

impl<N: Need> FromRequest for Caller<N> {
    type Error = AppError;
    type Future = Pin<Box<dyn Future<Output = AppResult<Self>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let state = request.app_data::<web::Data<State>>().cloned();
        let token = bearer(request);
        let request_id = request.extensions().get::<RequestId>().map(|id| id.0.clone());
        Box::pin(async move {
            let state = state.ok_or_else(|| AppError::internal("no state"))?;
            let ctx = authenticate(&state, &token?, request_id).await?;
            if let Actor::Client { scopes, .. } = &ctx.actor {
                match N::SCOPE {
                    Some(needed) if scopes.contains(&needed) => {}
                    Some(needed) => {
                        return Err(AppError::new(
                            Code::Forbidden,
                            format!("The client needs the scope {}.", needed.as_str()),
                        )
                        .with("missing", serde_json::json!({"scope": needed.as_str()})));
                    }
                    None => return Err(AppError::new(Code::Forbidden, "Only a logged-in user can do this.")),
                }
            }
            Ok(Self(ctx, PhantomData))
        })
    }
}

fn bearer(request: &HttpRequest) -> AppResult<String> {
    let value = request.headers().get(header::AUTHORIZATION).ok_or_else(|| {
        AppError::new(
            Code::Unauthenticated,
            "Send an access token: Authorization: Bearer <token>. POST /v1/sessions gives one.",
        )
    })?;
    let text =
        value.to_str().map_err(|_| AppError::new(Code::Unauthenticated, "The Authorization header cannot be read."))?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim().to_owned()),
        _ => Err(AppError::new(Code::Unauthenticated, "The Authorization header must be: Bearer <token>.")),
    }
}

/// Turns a token into a context: the signature first, then one statement that knows of log-outs, suspensions and roles.
async fn authenticate(state: &State, token: &str, request_id: Option<String>) -> AppResult<Ctx> {
    let now = state.clock.now();
    let claims = state.tokens.verify(token, now, &state.db).await?;
    let actor = match claims.sid {
        Some(session) => load_user(&state.db, claims.sub, session, now).await?,
        None => {
            let granted = claims.scope.unwrap_or_default();
            load_client(&state.db, claims.sub, granted).await?
        }
    };
    Ok(Ctx { actor, now, request_id, session_id: claims.sid })
}

fn gone(why: &str) -> AppError {
    AppError::new(Code::Unauthenticated, why)
}

async fn load_user(db: &Db, user: Uuid, session: Uuid, now: DateTime<Utc>) -> AppResult<Actor> {
    type Row = (Uuid, Option<DateTime<Utc>>, DateTime<Utc>, String, Option<String>, Option<String>, Option<Uuid>);
    let rows = db
        .read_one(move |conn: &mut Conn| {
            let rows: Vec<Row> = sessions::table
                .inner_join(users::table)
                .left_join(role_grants::table.on(role_grants::user_id.eq(users::id)))
                .filter(sessions::id.eq(Id(session)))
                .select((
                    users::id,
                    sessions::ended_at,
                    sessions::expires_at,
                    users::state,
                    role_grants::role.nullable(),
                    role_grants::reach.nullable(),
                    role_grants::reach_id.nullable(),
                ))
                .load(conn)?;
            Ok(rows)
        })
        .await?;
    let Some((id, ended, expires, state, ..)) = rows.first() else {
        return Err(gone("The session is gone. Log in again."));
    };
    if *id != user || ended.is_some() || *expires <= now {
        return Err(gone("The session has ended. Log in again."));
    }
    if state != "active" {
        return Err(gone("The account is not active."));
    }
    let mut grants = Vec::with_capacity(rows.len());
    for (.., role, reach, reach_id) in &rows {
        if let (Some(role), Some(reach), Some(reach_id)) = (role, reach, reach_id) {
            let role = role.parse().map_err(AppError::internal)?;
            grants.push(Grant { role, reach: if reach == "course" { Reach::Course(*reach_id) } else { Reach::Site } });
        }
    }
    Ok(Actor::User { id: user, grants })
}

async fn load_client(db: &Db, client: Uuid, granted: String) -> AppResult<Actor> {
    let row = db
        .read_one(move |conn: &mut Conn| {
            let row: Option<(String, serde_json::Value)> = clients::table
                .filter(clients::id.eq(Id(client)))
                .select((clients::state, clients::scopes))
                .first(conn)
                .optional()?;
            Ok(row)
        })
        .await?;
    let Some((state, allowed)) = row else { return Err(gone("The client is gone.")) };
    if state != "active" {
        return Err(gone("The client is disabled."));
    }
    let allowed: Vec<Scope> = serde_json::from_value(allowed).map_err(AppError::internal)?;
    let scopes = granted.split(' ').filter_map(|s| s.parse().ok()).filter(|s| allowed.contains(s)).collect();
    Ok(Actor::Client { id: client, scopes })
}
