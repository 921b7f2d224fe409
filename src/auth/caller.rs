//! The authenticated caller as a typed argument: a handler names the scope it needs in its type, so it cannot be forgotten.

use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, http::header, web};
use uuid::Uuid;

use super::{actor, limits};
use crate::domain::permission::{Actor, Delegation, Scope};
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
    GroupsRead = Some(Scope::GroupsRead), "`groups:read`";
    GroupsWrite = Some(Scope::GroupsWrite), "`groups:write`";
    CoursesRead = Some(Scope::CoursesRead), "`courses:read`";
    CoursesWrite = Some(Scope::CoursesWrite), "`courses:write`";
    EnrollmentsRead = Some(Scope::EnrollmentsRead), "`enrollments:read`";
    EnrollmentsWrite = Some(Scope::EnrollmentsWrite), "`enrollments:write`";
    AssessmentRead = Some(Scope::AssessmentRead), "`assessment:read`";
    AssessmentWrite = Some(Scope::AssessmentWrite), "`assessment:write`";
    CompetenciesRead = Some(Scope::CompetenciesRead), "`competencies:read`";
    CompetenciesWrite = Some(Scope::CompetenciesWrite), "`competencies:write`";
    RulesRead = Some(Scope::RulesRead), "`rules:read`";
    RulesWrite = Some(Scope::RulesWrite), "`rules:write`";
    GamesRead = Some(Scope::GamesRead), "`games:read`";
    GamesWrite = Some(Scope::GamesWrite), "`games:write`";
    CertificatesRead = Some(Scope::CertificatesRead), "`certificates:read`";
    CertificatesWrite = Some(Scope::CertificatesWrite), "`certificates:write`";
    CommunityRead = Some(Scope::CommunityRead), "`community:read`";
    CommunityWrite = Some(Scope::CommunityWrite), "`community:write`";
    ReportsRead = Some(Scope::ReportsRead), "`reports:read`";
    ReportsWrite = Some(Scope::ReportsWrite), "`reports:write`";
    WebhooksRead = Some(Scope::WebhooksRead), "`webhooks:read`";
    WebhooksWrite = Some(Scope::WebhooksWrite), "`webhooks:write`";
    ChangesRead = Some(Scope::ChangesRead), "`changes:read`";
    ChangesWrite = Some(Scope::ChangesWrite), "`changes:write`";
    Scim = Some(Scope::Scim), "`scim`";
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
        let request = request.clone();
        let request_id = request.extensions().get::<RequestId>().map(|id| id.0.clone());
        Box::pin(async move {
            let state = state.ok_or_else(|| AppError::internal("no state"))?;
            let known = match token {
                Ok(token) => authenticate(&state, &token, request_id).await,
                Err(error) => Err(error),
            };
            let ctx = match known {
                Ok(ctx) => ctx,
                Err(error) => {
                    limits::count_refused(&request, &state)?;
                    return Err(error);
                }
            };
            limits::count(&request, &state, &ctx)?;
            require_scope(N::SCOPE, &ctx)?;
            Ok(Self(ctx, PhantomData))
        })
    }
}

impl<N: Need> Caller<N> {
    /// Whoever is behind the token now, for an answer that goes on: a log-out, a suspension, a role or scope taken away and the
    /// end of the token end it too.
    ///
    /// # Errors
    /// 401; 403 when a client lacks the scope by now.
    pub async fn again(state: &State, token: &str, request_id: Option<String>) -> AppResult<Ctx> {
        let ctx = authenticate(state, token, request_id).await?;
        require_scope(N::SCOPE, &ctx)?;
        Ok(ctx)
    }
}

fn require_scope(needed: Option<Scope>, ctx: &Ctx) -> AppResult<()> {
    let scopes = match (&ctx.actor, &ctx.via) {
        (Actor::Client { scopes, .. }, _) | (_, Some(Delegation { scopes, .. })) => scopes,
        _ => return Ok(()),
    };
    match needed {
        Some(needed) if scopes.contains(&needed) => Ok(()),
        // What only people do for themselves, the services judge.
        None if ctx.via.is_some() => Ok(()),
        Some(needed) => Err(AppError::new(Code::Forbidden, format!("The client needs the scope {}.", needed.as_str()))
            .with("missing", serde_json::json!({"scope": needed.as_str()}))),
        None => Err(AppError::new(Code::Forbidden, "Only a logged-in user can do this.")),
    }
}

/// The access token of a request.
///
/// # Errors
/// 401.
pub fn bearer(request: &HttpRequest) -> AppResult<String> {
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

/// Turns a token into a context: the signature first, then what the database knows of log-outs, suspensions and roles.
///
/// # Errors
/// 401 with what is wrong with the token.
pub async fn authenticate(state: &State, token: &str, request_id: Option<String>) -> AppResult<Ctx> {
    let now = state.clock.now();
    if state.outside.speaks_for(token) {
        return from_outside(state, token, request_id).await;
    }
    let claims = state.tokens.verify(token, now, &state.db).await?;
    let user = async |token| match claims.sid {
        Some(session) => actor::user_of_session(&state.db, claims.sub, session, token, now).await,
        None => actor::user(&state.db, claims.sub, token).await,
    };
    let scope = claims.scope.as_deref().unwrap_or_default();
    let (actor, via) = match (&claims.act, claims.sid) {
        (Some(act), _) => {
            let scopes = actor::client(state, act.sub, scope, claims.jti, now).await?;
            (user(claims.jti).await?.without_administration(), Some(Delegation { client: act.sub, scopes }))
        }
        (None, Some(_)) => (user(claims.jti).await?, None),
        (None, None) => {
            let scopes = actor::client(state, claims.sub, scope, claims.jti, now).await?;
            (Actor::Client { id: claims.sub, scopes }, None)
        }
    };
    Ok(Ctx { actor, now, request_id, session_id: claims.sid, via })
}

/// The user behind a token of a trusted issuer.
async fn from_outside(state: &State, token: &str, request_id: Option<String>) -> AppResult<Ctx> {
    let now = state.clock.now();
    let user = match state.outside.recall(token, now) {
        Some(user) => user,
        None => {
            let identity = state.outside.identify(token, now).await?;
            let expires = identity.expires;
            let ctx = Ctx { request_id: request_id.clone(), ..state.system() };
            let user = actor::outside_user(state, identity, ctx).await?;
            state.outside.remember(token, user, expires);
            user
        }
    };
    let actor = actor::user(&state.db, user, Uuid::nil()).await?;
    Ok(Ctx { actor, now, request_id, session_id: None, via: None })
}
