//! `/v1/games`, `/v1/games/{game_id}` and what is done with a whole game.

use actix_web::{HttpRequest, delete, get, patch, post, web};
use uuid::Uuid;

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::db::Conn;
use crate::error::AppResult;
use crate::events::dispatch;
use crate::features::games::dto::{
    BoardQuery, GameIn, GameOut, GamePatch, GameQuery, GameReport, LeaderboardOut, LeagueDrawOut, LeagueOut,
    LeagueQuery, ReplayIn, ReplayOut, ReplayQuery,
};
use crate::features::games::service::{ending, game, leaderboard, leagues, replay};
use crate::http::answer::Page;
use crate::http::{Answer, Body, Conditions, Query, Retry, commit, query};

/// Create a game
///
/// It counts what happens from `starts_at` on; what happened before the game was made is counted by a replay. Points follow within a second of the event that earns them. Scope: `games:write`. Role: admin, author or instructor.
#[utoipa::path(tag = "games", operation_id = "create_game", request_body = GameIn,
    responses((status = 201, description = "The new game.", body = GameOut, headers(("Location" = String), ("ETag" = String)))),
    security(("user" = []), ("client" = ["games:write"]), ("bearer" = [])))]
#[post("/v1/games")]
pub async fn create_game(
    caller: Caller<need::GamesWrite>,
    state: Anyone,
    retry: Retry,
    body: Body<GameIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let out = game::create(conn, ctx, body.input)?;
        Ok(Answer::created(&format!("/v1/games/{}", out.id), &out)?.etag(out.version))
    })
    .await
}

/// List games
///
/// In order of their making: those of the site and of courses; those of a group are shown to its members, to who has played in them, and to who may see the group. Scope: `games:read`.
#[utoipa::path(tag = "games", operation_id = "list_games", params(GameQuery),
    responses((status = 200, description = "A page of games.", body = Page<GameOut>)),
    security(("user" = []), ("client" = ["games:read"]), ("bearer" = [])))]
#[get("/v1/games")]
pub async fn list_games(
    caller: Caller<need::GamesRead>,
    state: Anyone,
    request: HttpRequest,
    query: Query<GameQuery>,
) -> AppResult<Answer> {
    let page = query::page(query.0.limit, query.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| game::list(conn, &ctx, query.0, &page)).await?;
    Answer::page(rows, &request)
}

/// Read a game
///
/// Scope: `games:read`.
#[utoipa::path(tag = "games", operation_id = "get_game", params(("game_id" = Uuid, Path)),
    responses((status = 200, description = "The game.", body = GameOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["games:read"]), ("bearer" = [])))]
#[get("/v1/games/{game_id}")]
pub async fn get_game(
    caller: Caller<need::GamesRead>,
    state: Anyone,
    conditions: Conditions,
    path: web::Path<Uuid>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let out = state.db.read(move |conn| game::get(conn, &ctx, *path)).await?;
    Ok(Answer::ok(&out)?.etag(out.version).unless_known(&conditions))
}

/// Change a game
///
/// A merge patch; a game that is over does not change: from the instant of `ends_at` on all writes are refused, though its status stays `open` for the seconds in which the standings are made final. New point rules count for what happens from now on; replay makes them count for all. Scope: `games:write`. Role: admin, author or instructor.
#[utoipa::path(tag = "games", operation_id = "update_game", params(("game_id" = Uuid, Path)),
    request_body(content((GamePatch = "application/merge-patch+json"), (GamePatch = "application/json"))),
    responses((status = 200, description = "The changed game.", body = GameOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["games:write"]), ("bearer" = [])))]
#[patch("/v1/games/{game_id}")]
pub async fn update_game(
    caller: Caller<need::GamesWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    path: web::Path<Uuid>,
    body: Body<GamePatch>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let out = game::update(conn, ctx, *path, body.input, &conditions)?;
        Ok(Answer::ok(&out)?.etag(out.version))
    })
    .await
}

/// Delete a game
///
/// Only while nobody has points in it; close it otherwise. Scope: `games:write`. Role: admin, author or instructor.
#[utoipa::path(tag = "games", operation_id = "delete_game", params(("game_id" = Uuid, Path)),
    responses((status = 204, description = "Gone.")),
    security(("user" = []), ("client" = ["games:write"]), ("bearer" = [])))]
#[delete("/v1/games/{game_id}")]
pub async fn delete_game(
    caller: Caller<need::GamesWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    path: web::Path<Uuid>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        game::delete(conn, ctx, *path, &conditions)?;
        Ok(Answer::no_content())
    })
    .await
}

/// Close a game
///
/// All that happened before is counted, then the standings are final: no later event, correction or replay changes them. Prizes are given once. A game with `ends_at` closes by itself. Scope: `games:write`. Role: admin, author or instructor.
#[utoipa::path(tag = "games", operation_id = "close_game", params(("game_id" = Uuid, Path)),
    responses((status = 200, description = "The final report.", body = GameReport)),
    security(("user" = []), ("client" = ["games:write"]), ("bearer" = [])))]
#[post("/v1/games/{game_id}/close")]
pub async fn close_game(
    caller: Caller<need::GamesWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    path: web::Path<Uuid>,
) -> AppResult<Answer> {
    let until = dispatch::settled(&state).await?;
    let clock = state.clone();
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        let out = ending::close(conn, ctx, *path, &conditions, until, &clock.clock)?;
        Answer::ok(&out)
    })
    .await
}

/// Read the final report
///
/// Final places, teams and prizes of a closed game. Scope: `games:write`. Role: admin or instructor.
#[utoipa::path(tag = "games", operation_id = "get_game_report", params(("game_id" = Uuid, Path)),
    responses((status = 200, description = "The report.", body = GameReport)),
    security(("user" = []), ("client" = ["games:write"]), ("bearer" = [])))]
#[get("/v1/games/{game_id}/report")]
pub async fn get_game_report(
    caller: Caller<need::GamesWrite>,
    state: Anyone,
    path: web::Path<Uuid>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let out = state.db.read(move |conn| ending::report(conn, &ctx, *path)).await?;
    Answer::ok(&out)
}

/// Replay a game
///
/// Scores the whole history again by the present rules and books the difference as new ledger entries, one for each event and rule, so that what is undone later takes back these too. Deeds that were undone count as not done, scores as they were corrected, a deed counts for the team and the groups that the player was in then, and what somebody took back by hand is not given again; badges that events earn are given too. With `dry_run=true` nothing is written and other rules can be tried: the answer says who would gain and lose. Scope: `games:write`. Role: admin, author or instructor.
#[utoipa::path(tag = "games", operation_id = "replay_game", params(("game_id" = Uuid, Path), ReplayQuery), request_body = ReplayIn,
    responses((status = 200, description = "Who gains and loses.", body = ReplayOut)),
    security(("user" = []), ("client" = ["games:write"]), ("bearer" = [])))]
#[post("/v1/games/{game_id}/replay")]
pub async fn replay_game(
    caller: Caller<need::GamesWrite>,
    state: Anyone,
    retry: Retry,
    path: web::Path<Uuid>,
    query: Query<ReplayQuery>,
    body: Body<ReplayIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let out = replay::replay(conn, ctx, *path, body.input, query.0.dry_run.unwrap_or(false))?;
        Answer::ok(&out)
    })
    .await
}

/// Read a leaderboard
///
/// Players or teams, of all time or one period, best first; ties go to whoever got there first. `around=me` shows the caller with neighbours. Who is hidden stands in no leaderboard; narrowing by a group is for its members and those who may see who is in it; pseudonyms stay the same within a game. The cost does not grow with the number of players, unless it is narrowed to a course, group or team: then it grows with that. The first look at a leaderboard after a start of the server puts it in order, which takes a second or two for each million players. Scope: `games:read`.
#[utoipa::path(tag = "games", operation_id = "get_leaderboard", params(("game_id" = Uuid, Path), BoardQuery),
    responses((status = 200, description = "The leaderboard.", body = LeaderboardOut)),
    security(("user" = []), ("client" = ["games:read"]), ("bearer" = [])))]
#[get("/v1/games/{game_id}/leaderboard")]
pub async fn get_leaderboard(
    caller: Caller<need::GamesRead>,
    state: Anyone,
    request: HttpRequest,
    path: web::Path<Uuid>,
    query: Query<BoardQuery>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let quick = leaderboard::is_at_hand(*path, &query.0);
    let read = move |conn: &mut Conn| leaderboard::get(conn, &ctx, *path, &query.0);
    let out = if quick { state.db.read(read).await? } else { state.db.read_slow(read).await? };
    let answer = Answer::ok(&out)?;
    Ok(match &out.next {
        None => answer,
        Some(cursor) => answer.header("link", &Answer::next_link(&request, cursor)),
    })
}

/// Read a league
///
/// The caller's group of this week or month, with who would rise and fall if it ended now. Scope: `games:read`.
#[utoipa::path(tag = "games", operation_id = "get_league", params(("game_id" = Uuid, Path), LeagueQuery),
    responses((status = 200, description = "The group.", body = LeagueOut)),
    security(("user" = []), ("client" = ["games:read"]), ("bearer" = [])))]
#[get("/v1/games/{game_id}/leagues")]
pub async fn get_league(
    caller: Caller<need::GamesRead>,
    state: Anyone,
    path: web::Path<Uuid>,
    query: Query<LeagueQuery>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let out = state.db.read(move |conn| leagues::get(conn, &ctx, *path, &query.0)).await?;
    Answer::ok(&out)
}

/// Draw leagues
///
/// Puts the players of the game into groups for the running period; later periods are drawn by themselves. Scope: `games:write`. Role: admin, author or instructor.
#[utoipa::path(tag = "games", operation_id = "draw_leagues", params(("game_id" = Uuid, Path)),
    responses((status = 200, description = "What was drawn.", body = LeagueDrawOut)),
    security(("user" = []), ("client" = ["games:write"]), ("bearer" = [])))]
#[post("/v1/games/{game_id}/leagues/draw")]
pub async fn draw_leagues(
    caller: Caller<need::GamesWrite>,
    state: Anyone,
    retry: Retry,
    path: web::Path<Uuid>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        let out = leagues::draw(conn, ctx, *path)?;
        Answer::ok(&out)
    })
    .await
}
