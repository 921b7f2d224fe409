//! Badges and their images.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};
use uuid::Uuid;

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::features::games::dto::{
    AwardBadgeIn, BadgeAwardOut, BadgeIn, BadgeOut, BadgePatch, PageQuery, RevokeBadgeIn,
};
use crate::features::games::service::badges;
use crate::http::answer::Page;
use crate::http::{Answer, Body, Conditions, Query, Retry, commit, query};

/// Create a badge
///
/// Earned by criteria, by an event, by automation rules, as a prize, or given by hand. Scope: `games:write`. Role: admin, author or instructor.
#[utoipa::path(tag = "games", operation_id = "create_badge", params(("game_id" = Uuid, Path)), request_body = BadgeIn,
    responses((status = 201, description = "The new badge.", body = BadgeOut, headers(("Location" = String), ("ETag" = String)))),
    security(("user" = []), ("client" = ["games:write"]), ("bearer" = [])))]
#[post("/v1/games/{game_id}/badges")]
pub async fn create_badge(
    caller: Caller<need::GamesWrite>,
    state: Anyone,
    retry: Retry,
    path: web::Path<Uuid>,
    body: Body<BadgeIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let out = badges::create(conn, ctx, *path, body.input)?;
        Ok(Answer::created(&format!("/v1/badges/{}", out.id), &out)?.etag(out.version))
    })
    .await
}

/// List badges
///
/// In order of their making. Scope: `games:read`.
#[utoipa::path(tag = "games", operation_id = "list_badges", params(("game_id" = Uuid, Path), PageQuery),
    responses((status = 200, description = "A page of badges.", body = Page<BadgeOut>)),
    security(("user" = []), ("client" = ["games:read"]), ("bearer" = [])))]
#[get("/v1/games/{game_id}/badges")]
pub async fn list_badges(
    caller: Caller<need::GamesRead>,
    state: Anyone,
    request: HttpRequest,
    path: web::Path<Uuid>,
    query: Query<PageQuery>,
) -> AppResult<Answer> {
    let page = query::page(query.0.limit, query.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| badges::list(conn, &ctx, *path, &page)).await?;
    Answer::page(rows, &request)
}

/// Read a badge
///
/// Scope: `games:read`.
#[utoipa::path(tag = "games", operation_id = "get_badge", params(("badge_id" = Uuid, Path)),
    responses((status = 200, description = "The badge.", body = BadgeOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["games:read"]), ("bearer" = [])))]
#[get("/v1/badges/{badge_id}")]
pub async fn get_badge(
    caller: Caller<need::GamesRead>,
    state: Anyone,
    conditions: Conditions,
    path: web::Path<Uuid>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let out = state.db.read(move |conn| badges::get(conn, &ctx, *path)).await?;
    Ok(Answer::ok(&out)?.etag(out.version).unless_known(&conditions))
}

/// Change a badge
///
/// A merge patch; those who hold it keep it. Scope: `games:write`. Role: admin, author or instructor.
#[utoipa::path(tag = "games", operation_id = "update_badge", params(("badge_id" = Uuid, Path)),
    request_body(content((BadgePatch = "application/merge-patch+json"), (BadgePatch = "application/json"))),
    responses((status = 200, description = "The changed badge.", body = BadgeOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["games:write"]), ("bearer" = [])))]
#[patch("/v1/badges/{badge_id}")]
pub async fn update_badge(
    caller: Caller<need::GamesWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    path: web::Path<Uuid>,
    body: Body<BadgePatch>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let out = badges::update(conn, ctx, *path, body.input, &conditions)?;
        Ok(Answer::ok(&out)?.etag(out.version))
    })
    .await
}

/// Delete a badge
///
/// Only while nobody was ever awarded it. Scope: `games:write`. Role: admin, author or instructor.
#[utoipa::path(tag = "games", operation_id = "delete_badge", params(("badge_id" = Uuid, Path)),
    responses((status = 204, description = "Gone.")),
    security(("user" = []), ("client" = ["games:write"]), ("bearer" = [])))]
#[delete("/v1/badges/{badge_id}")]
pub async fn delete_badge(
    caller: Caller<need::GamesWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    path: web::Path<Uuid>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        badges::delete(conn, ctx, *path, &conditions)?;
        Ok(Answer::no_content())
    })
    .await
}

/// Give a badge
///
/// By hand. Who holds it already keeps that award. Scope: `games:write`. Role: admin or instructor.
#[utoipa::path(tag = "games", operation_id = "award_badge", params(("badge_id" = Uuid, Path)), request_body = AwardBadgeIn,
    responses((status = 200, description = "The award.", body = BadgeAwardOut)),
    security(("user" = []), ("client" = ["games:write"]), ("bearer" = [])))]
#[post("/v1/badges/{badge_id}/awards")]
pub async fn award_badge(
    caller: Caller<need::GamesWrite>,
    state: Anyone,
    retry: Retry,
    path: web::Path<Uuid>,
    body: Body<AwardBadgeIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let out = badges::award(conn, ctx, *path, body.input)?;
        Answer::ok(&out)
    })
    .await
}

/// List who was awarded a badge
///
/// Revoked awards too. Scope: `games:write`. Role: admin or instructor.
#[utoipa::path(tag = "games", operation_id = "list_badge_awards", params(("badge_id" = Uuid, Path), PageQuery),
    responses((status = 200, description = "A page of awards, oldest first.", body = Page<BadgeAwardOut>)),
    security(("user" = []), ("client" = ["games:write"]), ("bearer" = [])))]
#[get("/v1/badges/{badge_id}/awards")]
pub async fn list_badge_awards(
    caller: Caller<need::GamesWrite>,
    state: Anyone,
    request: HttpRequest,
    path: web::Path<Uuid>,
    query: Query<PageQuery>,
) -> AppResult<Answer> {
    let page = query::page(query.0.limit, query.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| badges::awards(conn, &ctx, *path, &page)).await?;
    Answer::page(rows, &request)
}

/// Take a badge back
///
/// Its criteria do not give it again, in whatever way they are met; a later deed that earns it does, and so do hands, prizes and automation rules. Scope: `games:write`. Role: admin or instructor.
#[utoipa::path(tag = "games", operation_id = "revoke_badge_award", params(("badge_id" = Uuid, Path), ("award_id" = Uuid, Path)), request_body = RevokeBadgeIn,
    responses((status = 200, description = "The revoked award.", body = BadgeAwardOut)),
    security(("user" = []), ("client" = ["games:write"]), ("bearer" = [])))]
#[post("/v1/badges/{badge_id}/awards/{award_id}/revoke")]
pub async fn revoke_badge_award(
    caller: Caller<need::GamesWrite>,
    state: Anyone,
    retry: Retry,
    path: web::Path<(Uuid, Uuid)>,
    body: Body<RevokeBadgeIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let out = badges::revoke(conn, ctx, path.0, path.1, body.input)?;
        Answer::ok(&out)
    })
    .await
}

/// Read the image of a badge
///
/// An SVG drawn from the badge's design; for anyone, no log-in.
#[utoipa::path(tag = "games", operation_id = "get_badge_image", params(("badge_id" = Uuid, Path)),
    responses((status = 200, description = "The image.", body = String, content_type = "image/svg+xml", headers(("ETag" = String)))))]
#[get("/v1/badges/{badge_id}/image.svg")]
pub async fn get_badge_image(state: Anyone, conditions: Conditions, path: web::Path<Uuid>) -> AppResult<HttpResponse> {
    let (image, version) = state.db.read(move |conn| badges::svg(conn, *path)).await?;
    let tag = crate::http::conditional::version_tag(version);
    if conditions.knows(&tag) {
        return Ok(HttpResponse::NotModified().insert_header((header::ETAG, tag)).finish());
    }
    Ok(HttpResponse::Ok()
        .content_type("image/svg+xml")
        .insert_header((header::ETAG, tag))
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"))
        .body(image))
}
