//! Live standings as server-sent events.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, web};
use uuid::Uuid;

use crate::auth::caller::{bearer, need};
use crate::auth::{Anyone, Caller};
use crate::error::{AppError, AppResult};
use crate::features::games::dto::LiveOut;
use crate::features::games::service::leaderboard;
use crate::state::State;

/// Time between two looks at the standings.
const EVERY: Duration = Duration::from_secs(1);
/// Looks after which a comment is sent, so that proxies keep the connection open.
const QUIET: u32 = 15;
/// Looks after which the stream ends; clients connect again with a fresh token.
const MOST: u32 = 3_600;

struct Watch {
    state: State,
    /// Whoever watches is asked for anew at each look, so that the stream does not outlive the right to it.
    token: String,
    request_id: Option<String>,
    game: Uuid,
    looks: u32,
    sent: Option<String>,
    over: bool,
}

/// What is sent next: standings that changed, or now and then a comment.
async fn next(mut watch: Watch) -> Option<(Result<web::Bytes, AppError>, Watch)> {
    if watch.over || watch.looks >= MOST {
        return None;
    }
    let mut quiet = 0_u32;
    loop {
        if watch.looks > 0 {
            actix_web::rt::time::sleep(EVERY).await;
        }
        watch.looks = watch.looks.saturating_add(1);
        let known = Caller::<need::GamesRead>::again(&watch.state, &watch.token, watch.request_id.clone()).await;
        let (ctx, game) = match known {
            Ok(ctx) => (ctx, watch.game),
            Err(_) => return None,
        };
        let look = watch.state.db.read(move |conn| leaderboard::live(conn, &ctx, game)).await;
        let text = match look.and_then(|live: LiveOut| {
            watch.over = live.status != "open";
            serde_json::to_string(&live).map_err(AppError::internal)
        }) {
            Ok(text) => text,
            Err(error) => {
                // The answer has begun, so an error ends the stream; the client asks again and is told.
                log::warn!("a live stream ended: {error}");
                return None;
            }
        };
        if watch.sent.as_ref() != Some(&text) {
            let event = format!("event: standings\ndata: {text}\n\n");
            watch.sent = Some(text);
            return Some((Ok(event.into()), watch));
        }
        quiet = quiet.saturating_add(1);
        if quiet >= QUIET {
            return Some((Ok(web::Bytes::from_static(b": still here\n\n")), watch));
        }
    }
}

/// Watch the standings live
///
/// Server-sent events: `standings` with the first 20 players and teams, at once and whenever they change, looked at each
/// second. Ends when the game is closed, when the token ends or the caller may not see the game any more, and after an hour; connect
/// again with a fresh token. Scope: `games:read`.
#[utoipa::path(tag = "games", operation_id = "watch_game", params(("game_id" = Uuid, Path)),
    responses((status = 200, description = "A stream of events; each `data` is a LiveOut.", body = LiveOut, content_type = "text/event-stream")),
    security(("user" = []), ("client" = ["games:read"]), ("bearer" = [])))]
#[get("/v1/games/{game_id}/live")]
pub async fn watch_game(
    caller: Caller<need::GamesRead>,
    state: Anyone,
    request: HttpRequest,
    path: web::Path<Uuid>,
) -> AppResult<HttpResponse> {
    let token = bearer(&request)?;
    let (ctx, game) = (caller.0, *path);
    // Whoever may not see it gets an answer, not a stream.
    let request_id = ctx.request_id.clone();
    state.db.read_slow(move |conn| leaderboard::live(conn, &ctx, game)).await?;
    let watch = Watch { state: state.get_ref().clone(), token, request_id, game, looks: 0, sent: None, over: false };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // A compressed stream is held back until a block is full.
        .insert_header(header::ContentEncoding::Identity)
        .streaming(futures_util::stream::unfold(watch, next)))
}
