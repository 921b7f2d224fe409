//! Teams and matches.

use actix_web::{HttpRequest, delete, get, patch, post, put, web};
use uuid::Uuid;

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::features::games::dto::{
    DrawIn, DrawOut, JoinIn, MatchList, MemberOut, MembershipOut, PageQuery, ScheduleIn, TeamIn, TeamOut, TeamPatch,
};
use crate::features::games::service::{draw, matches, teams};
use crate::http::answer::Page;
use crate::http::{Answer, Body, Conditions, Query, Ref, Retry, commit, query};

/// Create a team
///
/// Scope: `games:write`. Role: admin, author or instructor.
#[utoipa::path(tag = "games", operation_id = "create_team", params(("game_id" = Uuid, Path)), request_body = TeamIn,
    responses((status = 201, description = "The new team.", body = TeamOut, headers(("Location" = String), ("ETag" = String)))),
    security(("user" = []), ("client" = ["games:write"]), ("bearer" = [])))]
#[post("/v1/games/{game_id}/teams")]
pub async fn create_team(
    caller: Caller<need::GamesWrite>,
    state: Anyone,
    retry: Retry,
    path: web::Path<Uuid>,
    body: Body<TeamIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let out = teams::create(conn, ctx, *path, body.input)?;
        Ok(Answer::created(&format!("/v1/games/{}/teams/{}", out.game_id, out.id), &out)?.etag(out.version))
    })
    .await
}

/// List teams
///
/// In order of their making. Scope: `games:read`.
#[utoipa::path(tag = "games", operation_id = "list_teams", params(("game_id" = Uuid, Path), PageQuery),
    responses((status = 200, description = "A page of teams.", body = Page<TeamOut>)),
    security(("user" = []), ("client" = ["games:read"]), ("bearer" = [])))]
#[get("/v1/games/{game_id}/teams")]
pub async fn list_teams(
    caller: Caller<need::GamesRead>,
    state: Anyone,
    request: HttpRequest,
    path: web::Path<Uuid>,
    query: Query<PageQuery>,
) -> AppResult<Answer> {
    let page = query::page(query.0.limit, query.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| teams::list(conn, &ctx, *path, &page)).await?;
    Answer::page(rows, &request)
}

/// Draw teams
///
/// Deals players out evenly: sizes differ by at most one, and with `balance: points` strength by as little as was found by swapping two players at a time, which is close to the least there is. Whoever is in one of the teams and not dealt out stays and counts: then sizes are as even as those who stay allow, and no team grows beyond the limit of the game. The same seed, players and teams give the same teams. Scope: `games:write`. Role: admin, author or instructor.
#[utoipa::path(tag = "games", operation_id = "draw_teams", params(("game_id" = Uuid, Path)), request_body = DrawIn,
    responses((status = 200, description = "The teams.", body = DrawOut)),
    security(("user" = []), ("client" = ["games:write"]), ("bearer" = [])))]
#[post("/v1/games/{game_id}/teams/draw")]
pub async fn draw_teams(
    caller: Caller<need::GamesWrite>,
    state: Anyone,
    retry: Retry,
    path: web::Path<Uuid>,
    body: Body<DrawIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let out = draw::draw_teams(conn, ctx, *path, &body.input)?;
        Answer::ok(&out)
    })
    .await
}

/// Join a team
///
/// With the team's code, if the game lets players do so and there is room. Points earned from now on count for it.
#[utoipa::path(tag = "games", operation_id = "join_team", params(("game_id" = Uuid, Path)), request_body = JoinIn,
    responses((status = 200, description = "The team.", body = MembershipOut)),
    security(("user" = []), ("bearer" = [])))]
#[post("/v1/games/{game_id}/teams/join")]
pub async fn join_team(
    caller: Caller<need::User>,
    state: Anyone,
    retry: Retry,
    path: web::Path<Uuid>,
    body: Body<JoinIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let out = teams::join(conn, ctx, *path, &body.input)?;
        Answer::ok(&out)
    })
    .await
}

/// Read a team
///
/// Scope: `games:read`.
#[utoipa::path(tag = "games", operation_id = "get_team", params(("game_id" = Uuid, Path), ("team_id" = Uuid, Path)),
    responses((status = 200, description = "The team.", body = TeamOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["games:read"]), ("bearer" = [])))]
#[get("/v1/games/{game_id}/teams/{team_id}")]
pub async fn get_team(
    caller: Caller<need::GamesRead>,
    state: Anyone,
    conditions: Conditions,
    path: web::Path<(Uuid, Uuid)>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let out = state.db.read(move |conn| teams::get(conn, &ctx, path.0, path.1)).await?;
    Ok(Answer::ok(&out)?.etag(out.version).unless_known(&conditions))
}

/// Change a team
///
/// Its name, or a new code. Scope: `games:write`. Role: admin, author or instructor.
#[utoipa::path(tag = "games", operation_id = "update_team", params(("game_id" = Uuid, Path), ("team_id" = Uuid, Path)),
    request_body(content((TeamPatch = "application/merge-patch+json"), (TeamPatch = "application/json"))),
    responses((status = 200, description = "The changed team.", body = TeamOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["games:write"]), ("bearer" = [])))]
#[patch("/v1/games/{game_id}/teams/{team_id}")]
pub async fn update_team(
    caller: Caller<need::GamesWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    path: web::Path<(Uuid, Uuid)>,
    body: Body<TeamPatch>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let out = teams::update(conn, ctx, path.0, path.1, body.input, &conditions)?;
        Ok(Answer::ok(&out)?.etag(out.version))
    })
    .await
}

/// Delete a team
///
/// Only while nothing was earned for it and it stands in no match. Scope: `games:write`. Role: admin, author or instructor.
#[utoipa::path(tag = "games", operation_id = "delete_team", params(("game_id" = Uuid, Path), ("team_id" = Uuid, Path)),
    responses((status = 204, description = "Gone.")),
    security(("user" = []), ("client" = ["games:write"]), ("bearer" = [])))]
#[delete("/v1/games/{game_id}/teams/{team_id}")]
pub async fn delete_team(
    caller: Caller<need::GamesWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    path: web::Path<(Uuid, Uuid)>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        teams::delete(conn, ctx, path.0, path.1, &conditions)?;
        Ok(Answer::no_content())
    })
    .await
}

/// List a team's members
///
/// In order of joining. Who hides is shown to those who run the game and to themselves only. Scope: `games:read`.
#[utoipa::path(tag = "games", operation_id = "list_team_members", params(("game_id" = Uuid, Path), ("team_id" = Uuid, Path), PageQuery),
    responses((status = 200, description = "A page of members.", body = Page<MemberOut>)),
    security(("user" = []), ("client" = ["games:read"]), ("bearer" = [])))]
#[get("/v1/games/{game_id}/teams/{team_id}/members")]
pub async fn list_team_members(
    caller: Caller<need::GamesRead>,
    state: Anyone,
    request: HttpRequest,
    path: web::Path<(Uuid, Uuid)>,
    query: Query<PageQuery>,
) -> AppResult<Answer> {
    let page = query::page(query.0.limit, query.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| teams::members(conn, &ctx, path.0, path.1, &page)).await?;
    Answer::page(rows, &request)
}

/// Put a user into a team
///
/// Out of any other team of the game. Points count for the team held when they were earned. `If-Match` takes the tag of the team, which changes with its members. Scope: `games:write`. Role: admin, author or instructor.
#[utoipa::path(tag = "games", operation_id = "set_team_member", params(("game_id" = Uuid, Path), ("team_id" = Uuid, Path), ("user_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    responses((status = 200, description = "The team.", body = MembershipOut)),
    security(("user" = []), ("client" = ["games:write"]), ("bearer" = [])))]
#[put("/v1/games/{game_id}/teams/{team_id}/members/{user_id}")]
pub async fn set_team_member(
    caller: Caller<need::GamesWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    path: web::Path<(Uuid, Uuid, Ref)>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        let out = teams::set_member(conn, ctx, path.0, path.1, &path.2, &conditions)?;
        Answer::ok(&out)
    })
    .await
}

/// Take a user out of a team
///
/// Points earned for the team stay with it. `If-Match` takes the tag of the team, which changes with its members. Players may leave by themselves where they may join. Scope: `games:write`. Role: admin, author or instructor.
#[utoipa::path(tag = "games", operation_id = "remove_team_member", params(("game_id" = Uuid, Path), ("team_id" = Uuid, Path), ("user_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    responses((status = 204, description = "Out of the team.")),
    security(("user" = []), ("client" = ["games:write"]), ("bearer" = [])))]
#[delete("/v1/games/{game_id}/teams/{team_id}/members/{user_id}")]
pub async fn remove_team_member(
    caller: Caller<need::GamesWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    path: web::Path<(Uuid, Uuid, Ref)>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        teams::remove_member(conn, ctx, path.0, path.1, &path.2, &conditions)?;
        Ok(Answer::no_content())
    })
    .await
}

/// Schedule matches
///
/// Round-robin or knock-out between teams; each round is won by the points of that round. Scope: `games:write`. Role: admin, author or instructor.
#[utoipa::path(tag = "games", operation_id = "schedule_matches", params(("game_id" = Uuid, Path)), request_body = ScheduleIn,
    responses((status = 200, description = "The schedule.", body = MatchList)),
    security(("user" = []), ("client" = ["games:write"]), ("bearer" = [])))]
#[post("/v1/games/{game_id}/matches")]
pub async fn schedule_matches(
    caller: Caller<need::GamesWrite>,
    state: Anyone,
    retry: Retry,
    path: web::Path<Uuid>,
    body: Body<ScheduleIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let out = matches::create(conn, ctx, *path, &body.input)?;
        Answer::ok(&MatchList { items: out })
    })
    .await
}

/// List matches
///
/// All rounds. Scope: `games:read`.
#[utoipa::path(tag = "games", operation_id = "list_matches", params(("game_id" = Uuid, Path)),
    responses((status = 200, description = "The matches.", body = MatchList)),
    security(("user" = []), ("client" = ["games:read"]), ("bearer" = [])))]
#[get("/v1/games/{game_id}/matches")]
pub async fn list_matches(caller: Caller<need::GamesRead>, state: Anyone, path: web::Path<Uuid>) -> AppResult<Answer> {
    let ctx = caller.0;
    let out = state.db.read(move |conn| matches::list(conn, &ctx, *path)).await?;
    Answer::ok(&MatchList { items: out })
}
