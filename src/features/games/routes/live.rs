//! Live standings as server-sent events.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpResponse, get, web};
use uuid::Uuid;

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::{AppError, AppResult};
use crate::features::games::dto::LiveOut;
use crate::features::games::service::leaderboard;
use crate::state::{Ctx, State};

/// Time between two looks at the standings.
const EVERY: Duration = Duration::from_secs(1);
/// Looks after which a comment is sent, so that proxies keep the connection open.
const QUIET: u32 = 15;
/// Looks after which the stream ends; clients connect again with a fresh token.
const MOST: u32 = 3_600;

struct Watch {
    state: State,
    ctx: Ctx,
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
        watch.ctx.now = watch.state.clock.now();
        let (ctx, game) = (watch.ctx.clone(), watch.game);
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
/// second. Ends when the game is closed, and after an hour. Scope: `games:read`.
#[utoipa::path(tag = "games", operation_id = "watch_game", params(("game_id" = Uuid, Path)),
    responses((status = 200, description = "A stream of events; each `data` is a LiveOut.", body = LiveOut, content_type = "text/event-stream")),
    security(("user" = []), ("client" = ["games:read"]), ("bearer" = [])))]
#[get("/v1/games/{game_id}/live")]
pub async fn watch_game(
    caller: Caller<need::GamesRead>,
    state: Anyone,
    path: web::Path<Uuid>,
) -> AppResult<HttpResponse> {
    let (ctx, game) = (caller.0, *path);
    // Whoever may not see it gets an answer, not a stream.
    let first = ctx.clone();
    state.db.read_slow(move |conn| leaderboard::live(conn, &first, game)).await?;
    let watch = Watch { state: state.get_ref().clone(), ctx, game, looks: 0, sent: None, over: false };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // A compressed stream is held back until a block is full.
        .insert_header(header::ContentEncoding::Identity)
        .streaming(futures_util::stream::unfold(watch, next)))
}
