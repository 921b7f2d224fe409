//! The ledger, levels, flags, and what players say and have.

use actix_web::{HttpRequest, get, post, put, web};
use uuid::Uuid;

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::features::games::dto::{
    BadgeAwardOut, CorrectionIn, EntryOut, FlagOut, FlagQuery, LedgerQuery, LevelsOut, PageQuery, PreferencesIn,
    PreferencesOut, ResolveFlagIn, UserPointsOut,
};
use crate::features::games::service::{badges, players, points};
use crate::http::answer::Page;
use crate::http::{Answer, Body, Conditions, Query, Ref, Retry, commit, query};

/// List the ledger
///
/// Every entry with its reason and cause, in the order in which they were booked; points never change, and every total is their sum. Players see their own, managers also those of the people below them and of their units, instructors, admins and clients all. Scope: `games:read`.
#[utoipa::path(tag = "games", operation_id = "list_ledger", params(("game_id" = Uuid, Path), LedgerQuery),
    responses((status = 200, description = "A page of entries.", body = Page<EntryOut>)),
    security(("user" = []), ("client" = ["games:read"]), ("bearer" = [])))]
#[get("/v1/games/{game_id}/ledger")]
pub async fn list_ledger(
    caller: Caller<need::GamesRead>,
    state: Anyone,
    request: HttpRequest,
    path: web::Path<Uuid>,
    query: Query<LedgerQuery>,
) -> AppResult<Answer> {
    let page = query::page(query.0.limit, query.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| points::list(conn, &ctx, *path, &query.0, &page)).await?;
    Answer::page(rows, &request)
}

/// Correct points
///
/// Adds an entry: points given or taken by hand, or with `corrects_id` another entry taken back. Counts for the team that the player is in now, or for that of the entry. Scope: `games:write`. Role: admin or instructor.
#[utoipa::path(tag = "games", operation_id = "correct_points", params(("game_id" = Uuid, Path)), request_body = CorrectionIn,
    responses((status = 201, description = "The new entry.", body = EntryOut, headers(("Location" = String)))),
    security(("user" = []), ("client" = ["games:write"]), ("bearer" = [])))]
#[post("/v1/games/{game_id}/ledger")]
pub async fn correct_points(
    caller: Caller<need::GamesWrite>,
    state: Anyone,
    retry: Retry,
    path: web::Path<Uuid>,
    body: Body<CorrectionIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let out = points::correct(conn, ctx, *path, body.input)?;
        Answer::created(&format!("/v1/games/{}/ledger", out.game_id), &out)
    })
    .await
}

/// Read the levels of a game
///
/// With the caller's points and level. Scope: `games:read`.
#[utoipa::path(tag = "games", operation_id = "get_levels", params(("game_id" = Uuid, Path)),
    responses((status = 200, description = "The levels.", body = LevelsOut)),
    security(("user" = []), ("client" = ["games:read"]), ("bearer" = [])))]
#[get("/v1/games/{game_id}/levels")]
pub async fn get_levels(caller: Caller<need::GamesRead>, state: Anyone, path: web::Path<Uuid>) -> AppResult<Answer> {
    let ctx = caller.0;
    let out = state.db.read(move |conn| points::levels(conn, &ctx, *path)).await?;
    Answer::ok(&out)
}

/// List flags for review
///
/// Who earned suspiciously fast, and what was given for a cause that was corrected since. Scope: `games:write`. Role: admin or instructor.
#[utoipa::path(tag = "games", operation_id = "list_flags", params(("game_id" = Uuid, Path), FlagQuery),
    responses((status = 200, description = "A page of flags, oldest first.", body = Page<FlagOut>)),
    security(("user" = []), ("client" = ["games:write"]), ("bearer" = [])))]
#[get("/v1/games/{game_id}/flags")]
pub async fn list_flags(
    caller: Caller<need::GamesWrite>,
    state: Anyone,
    request: HttpRequest,
    path: web::Path<Uuid>,
    query: Query<FlagQuery>,
) -> AppResult<Answer> {
    let page = query::page(query.0.limit, query.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| players::flags(conn, &ctx, *path, &query.0, &page)).await?;
    Answer::page(rows, &request)
}

/// Resolve a flag
///
/// Dismissed, all stays, and a prize that waited for it is given. Confirmed, the entry or badge that it is about is taken back, and what other deeds would have earned without it is given for them, so that it does not matter how late it is confirmed; a flag that is about neither takes nothing back by itself, but the player gets no prize of the game: the place stays the player's, and nobody moves up. So it is when the game is closed and the flag is about points, which stay in its final standings. Scope: `games:write`. Role: admin or instructor.
#[utoipa::path(tag = "games", operation_id = "resolve_flag", params(("game_id" = Uuid, Path), ("flag_id" = Uuid, Path)), request_body = ResolveFlagIn,
    responses((status = 200, description = "The resolved flag.", body = FlagOut)),
    security(("user" = []), ("client" = ["games:write"]), ("bearer" = [])))]
#[post("/v1/games/{game_id}/flags/{flag_id}/resolve")]
pub async fn resolve_flag(
    caller: Caller<need::GamesWrite>,
    state: Anyone,
    retry: Retry,
    path: web::Path<(Uuid, Uuid)>,
    body: Body<ResolveFlagIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let out = players::resolve(conn, ctx, path.0, path.1, body.input)?;
        Answer::ok(&out)
    })
    .await
}

/// Read a user's points
///
/// Points, level and streak in each game. Users see their own, managers those of their reports, instructors and admins of a unit those of its people. Scope: `games:read`.
#[utoipa::path(tag = "games", operation_id = "list_user_points", params(("user_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    responses((status = 200, description = "One item for each game.", body = UserPointsOut)),
    security(("user" = []), ("client" = ["games:read"]), ("bearer" = [])))]
#[get("/v1/users/{user_id}/points")]
pub async fn list_user_points(
    caller: Caller<need::GamesRead>,
    state: Anyone,
    path: web::Path<Ref>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let out = state.db.read(move |conn| points::of_user(conn, &ctx, &path)).await?;
    Answer::ok(&UserPointsOut { items: out })
}

/// List a user's badges
///
/// Those held now. Users see their own, managers those of their reports, instructors and admins of a unit those of its people. Scope: `games:read`.
#[utoipa::path(tag = "games", operation_id = "list_user_badges", params(("user_id" = String, Path, description = "Id or `ext:<external_id>`."), PageQuery),
    responses((status = 200, description = "A page of awards, oldest first.", body = Page<BadgeAwardOut>)),
    security(("user" = []), ("client" = ["games:read"]), ("bearer" = [])))]
#[get("/v1/users/{user_id}/badges")]
pub async fn list_user_badges(
    caller: Caller<need::GamesRead>,
    state: Anyone,
    request: HttpRequest,
    path: web::Path<Ref>,
    query: Query<PageQuery>,
) -> AppResult<Answer> {
    let page = query::page(query.0.limit, query.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| badges::of_user(conn, &ctx, &path, &page)).await?;
    Answer::page(rows, &request)
}

/// Read how I am shown
///
/// In leaderboards, to others.
#[utoipa::path(tag = "games", operation_id = "get_game_preferences",
    responses((status = 200, description = "The preferences.", body = PreferencesOut, headers(("ETag" = String)))),
    security(("user" = []), ("bearer" = [])))]
#[get("/v1/me/game-preferences")]
pub async fn get_game_preferences(
    caller: Caller<need::User>,
    state: Anyone,
    conditions: Conditions,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let out = state.db.read(move |conn| players::preferences(conn, &ctx)).await?;
    Ok(Answer::ok(&out)?.etag_of_body().unless_known(&conditions))
}

/// Choose how I am shown
///
/// By name, by a pseudonym, or not at all: who hides keeps the points but leaves the leaderboards at once, those of closed games too, whose other places stay as they are. Who is hidden when a game closes has no place among its players, and so no prize of theirs; what a team wins goes to all its members.
#[utoipa::path(tag = "games", operation_id = "set_game_preferences", request_body = PreferencesIn,
    responses((status = 200, description = "The preferences.", body = PreferencesOut, headers(("ETag" = String)))),
    security(("user" = []), ("bearer" = [])))]
#[put("/v1/me/game-preferences")]
pub async fn set_game_preferences(
    caller: Caller<need::User>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    body: Body<PreferencesIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let before = Answer::ok(&players::preferences(conn, ctx)?)?.etag_of_body();
        conditions.require_tag(|| Ok(before.value_of("etag").unwrap_or_default().to_owned()))?;
        let out = players::set_preferences(conn, ctx, &body.input)?;
        Ok(Answer::ok(&out)?.etag_of_body())
    })
    .await
}
