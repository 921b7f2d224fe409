//! `/v1/courses/{course_id}/outline`, `/modules`, `/lint`, `/publish`, `/revisions`, `/simulate`.

use actix_web::{HttpRequest, get, patch, post, put, web};
use serde::Deserialize;
use serde_json::Value;

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::domain::lint::LintReport;
use crate::domain::outline::{Module, Outline};
use crate::domain::simulate::{Script, Simulation};
use crate::error::AppResult;
use crate::features::courses::dto::{PageQuery, PublishIn, Published, RevisionDetail, RevisionOut};
use crate::features::courses::outline as service;
use crate::http::answer::Page;
use crate::http::{Answer, Body, Conditions, Input, Query, Ref, Retry, commit, query};

impl Input for Outline {}

impl Input for Script {}

/// A merge patch (RFC 7396) of one module, checked against the module that it makes.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object, example = json!({"title": "A better title"}))]
pub struct ModulePatch(serde_json::Map<String, Value>);

impl Input for ModulePatch {}

/// Read the draft's outline
///
/// The whole draft as one document, with the answers in it. Scope: `courses:read`. Role: admin, author or instructor.
#[utoipa::path(tag = "authoring", operation_id = "get_outline", params(("course_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    responses((status = 200, description = "The draft.", body = Outline, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["courses:read"]), ("bearer" = [])))]
#[get("/v1/courses/{course_id}/outline")]
pub async fn get_outline(
    caller: Caller<need::CoursesRead>,
    state: Anyone,
    conditions: Conditions,
    course_id: web::Path<Ref>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let (outline, version) = state.db.read(move |conn| service::get(conn, &ctx, &course_id)).await?;
    Ok(Answer::ok(&outline)?.etag(version).unless_known(&conditions))
}

/// Replace the draft's outline
///
/// A draft may be unfinished: its shape is checked here, its sense by the linter before publishing. Scope: `courses:write`. Role: admin or author.
#[utoipa::path(tag = "authoring", operation_id = "replace_outline", params(("course_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    request_body = Outline,
    responses((status = 200, description = "The draft as it was stored.", body = Outline, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["courses:write"]), ("bearer" = [])))]
#[put("/v1/courses/{course_id}/outline")]
pub async fn replace_outline(
    caller: Caller<need::CoursesWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    course_id: web::Path<Ref>,
    body: Body<Outline>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let (outline, version) = service::replace(conn, ctx, &course_id, body.input, &conditions)?;
        Ok(Answer::ok(&outline)?.etag(version))
    })
    .await
}

/// Read a module of the draft
///
/// Scope: `courses:read`. Role: admin, author or instructor.
#[utoipa::path(tag = "authoring", operation_id = "get_module",
    params(("course_id" = String, Path, description = "Id or `ext:<external_id>`."), ("module_key" = String, Path)),
    responses((status = 200, description = "The module.", body = Module, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["courses:read"]), ("bearer" = [])))]
#[get("/v1/courses/{course_id}/modules/{module_key}")]
pub async fn get_module(
    caller: Caller<need::CoursesRead>,
    state: Anyone,
    conditions: Conditions,
    path: web::Path<(Ref, String)>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let (module, version) = state.db.read(move |conn| service::get_module(conn, &ctx, &path.0, &path.1)).await?;
    Ok(Answer::ok(&module)?.etag(version).unless_known(&conditions))
}

/// Change a module of the draft
///
/// A merge patch (RFC 7396). The ETag is the course's. Scope: `courses:write`. Role: admin or author.
#[utoipa::path(tag = "authoring", operation_id = "update_module",
    params(("course_id" = String, Path, description = "Id or `ext:<external_id>`."), ("module_key" = String, Path)),
    request_body(content((ModulePatch = "application/merge-patch+json"), (ModulePatch = "application/json"))),
    responses((status = 200, description = "The changed module.", body = Module, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["courses:write"]), ("bearer" = [])))]
#[patch("/v1/courses/{course_id}/modules/{module_key}")]
pub async fn update_module(
    caller: Caller<need::CoursesWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    path: web::Path<(Ref, String)>,
    body: Body<ModulePatch>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let patch = Value::Object(body.input.0);
        let (module, version) = service::update_module(conn, ctx, &path.0, &path.1, patch, &conditions)?;
        Ok(Answer::ok(&module)?.etag(version))
    })
    .await
}

/// Lint the draft
///
/// Errors prevent publishing, warnings do not. A course without errors can be completed by some learner; a module is called unreachable only when that is certain. Scope: `courses:read`. Role: admin, author or instructor.
#[utoipa::path(tag = "authoring", operation_id = "lint_course", params(("course_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    responses((status = 200, description = "What the linter found.", body = LintReport)),
    security(("user" = []), ("client" = ["courses:read"]), ("bearer" = [])))]
#[post("/v1/courses/{course_id}/lint")]
pub async fn lint_course(
    caller: Caller<need::CoursesRead>,
    state: Anyone,
    course_id: web::Path<Ref>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let report = state.db.read_slow(move |conn| service::lint_draft(conn, &ctx, &course_id)).await?;
    Answer::ok(&report)
}

/// Publish the draft
///
/// Makes the next numbered, immutable revision. 422 `lint_failed` lists the linter's errors. Scope: `courses:write`. Role: admin or author.
#[utoipa::path(tag = "authoring", operation_id = "publish_course", params(("course_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    request_body = PublishIn,
    responses((status = 201, description = "The new revision.", body = Published, headers(("Location" = String)))),
    security(("user" = []), ("client" = ["courses:write"]), ("bearer" = [])))]
#[post("/v1/courses/{course_id}/publish")]
pub async fn publish_course(
    caller: Caller<need::CoursesWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    course_id: web::Path<Ref>,
    body: Body<PublishIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let published = service::publish(conn, ctx, &course_id, body.input, &conditions)?;
        let revision = &published.revision;
        Answer::created(&format!("/v1/courses/{}/revisions/{}", revision.course_id, revision.revision), &published)
    })
    .await
}

/// List revisions
///
/// Oldest first. Scope: `courses:read`. Role: admin, author or instructor.
#[utoipa::path(tag = "authoring", operation_id = "list_revisions", params(("course_id" = String, Path, description = "Id or `ext:<external_id>`."), PageQuery),
    responses((status = 200, description = "A page of revisions.", body = Page<RevisionOut>)),
    security(("user" = []), ("client" = ["courses:read"]), ("bearer" = [])))]
#[get("/v1/courses/{course_id}/revisions")]
pub async fn list_revisions(
    caller: Caller<need::CoursesRead>,
    state: Anyone,
    request: HttpRequest,
    course_id: web::Path<Ref>,
    filter: Query<PageQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| service::list_revisions(conn, &ctx, &course_id, &page)).await?;
    Answer::page(rows, &request)
}

/// Read a revision
///
/// With its outline. It never changes. Scope: `courses:read`. Role: admin, author or instructor.
#[utoipa::path(tag = "authoring", operation_id = "get_revision",
    params(("course_id" = String, Path, description = "Id or `ext:<external_id>`."), ("revision" = i32, Path)),
    responses((status = 200, description = "The revision.", body = RevisionDetail, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["courses:read"]), ("bearer" = [])))]
#[get("/v1/courses/{course_id}/revisions/{revision}")]
pub async fn get_revision(
    caller: Caller<need::CoursesRead>,
    state: Anyone,
    conditions: Conditions,
    path: web::Path<(Ref, i32)>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let revision = state.db.read(move |conn| service::get_revision(conn, &ctx, &path.0, path.1)).await?;
    Ok(Answer::ok(&revision)?.etag_of_body().unless_known(&conditions))
}

/// Simulate learners
///
/// Plays a script of hypothetical results on the draft or a revision and tells what opens and closes after each step. Nothing is written. Scope: `courses:read`. Role: admin, author or instructor.
#[utoipa::path(tag = "authoring", operation_id = "simulate_course", params(("course_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    request_body = Script, responses((status = 200, description = "What happened.", body = Simulation)),
    security(("user" = []), ("client" = ["courses:read"]), ("bearer" = [])))]
#[post("/v1/courses/{course_id}/simulate")]
pub async fn simulate_course(
    caller: Caller<need::CoursesRead>,
    state: Anyone,
    course_id: web::Path<Ref>,
    body: Body<Script>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let outcome = state.db.read_slow(move |conn| service::simulate(conn, &ctx, &course_id, &body.input)).await?;
    Answer::ok(&outcome)
}
