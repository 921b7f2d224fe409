//! Mastery, evidence, coverage, the matrix of a class.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use uuid::Uuid;

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::{AppError, AppResult, Code};
use crate::features::competencies::dto::{
    CoverageOut, CoverageQuery, EvidenceIn, EvidenceOut, EvidenceQuery, GroupMatrixQuery, InCourse, MasteryDetail,
    MasteryOut, MasteryQuery, MatrixOut, MatrixQuery,
};
use crate::features::competencies::service::{evidence, matrix, reading};
use crate::http::accept;
use crate::http::answer::Page;
use crate::http::{Answer, Body, Query, Ref, Retry, commit, query};

/// List a person's mastery
///
/// How far they have come in each competency of which there is evidence. People see their own, managers that of the people below, instructors that of all, and with `course_id` of the learners of their course. Scope: `competencies:read`.
#[utoipa::path(tag = "competencies", operation_id = "list_mastery", params(("user_id" = String, Path, description = "Id or `ext:<external_id>`."), MasteryQuery),
    responses((status = 200, description = "A page of mastery.", body = Page<MasteryOut>)),
    security(("user" = []), ("client" = ["competencies:read"]), ("bearer" = [])))]
#[get("/v1/users/{user_id}/mastery")]
pub async fn list_mastery(
    caller: Caller<need::CompetenciesRead>,
    state: Anyone,
    request: HttpRequest,
    path: web::Path<Ref>,
    filter: Query<MasteryQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| reading::list(conn, &ctx, &path, &filter.0, &page)).await?;
    Answer::page(rows, &request)
}

/// Read mastery with its provenance
///
/// The evidence, weights, method and formula that made the value, in the order in which the work was submitted. With `course_id` the evidence is only that of the course: what was shown elsewhere counts, and is not shown. Scope: `competencies:read`.
#[utoipa::path(tag = "competencies", operation_id = "get_mastery", params(("user_id" = String, Path, description = "Id or `ext:<external_id>`."), ("competency_id" = Uuid, Path), InCourse),
    responses((status = 200, description = "The mastery.", body = MasteryDetail)),
    security(("user" = []), ("client" = ["competencies:read"]), ("bearer" = [])))]
#[get("/v1/users/{user_id}/mastery/{competency_id}")]
pub async fn get_mastery(
    caller: Caller<need::CompetenciesRead>,
    state: Anyone,
    path: web::Path<(Ref, Uuid)>,
    filter: Query<InCourse>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let found = state.db.read(move |conn| reading::get(conn, &ctx, &path.0, path.1, &filter.0)).await?;
    Answer::ok(&found)
}

/// List a person's evidence
///
/// What graded work and people's judgement prove, in the order in which it was written down. Scope: `competencies:read`.
#[utoipa::path(tag = "competencies", operation_id = "list_evidence", params(("user_id" = String, Path, description = "Id or `ext:<external_id>`."), EvidenceQuery),
    responses((status = 200, description = "A page of evidence.", body = Page<EvidenceOut>)),
    security(("user" = []), ("client" = ["competencies:read"]), ("bearer" = [])))]
#[get("/v1/users/{user_id}/evidence")]
pub async fn list_evidence(
    caller: Caller<need::CompetenciesRead>,
    state: Anyone,
    request: HttpRequest,
    path: web::Path<Ref>,
    filter: Query<EvidenceQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| evidence::list(conn, &ctx, &path, &filter.0, &page)).await?;
    Answer::page(rows, &request)
}

/// Record evidence
///
/// By a person's judgement of what was seen; mastery follows at once, and what hangs on it. Scope: `competencies:write`. Role: admin or instructor; an instructor of one course names it.
#[utoipa::path(tag = "competencies", operation_id = "record_evidence", params(("user_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    request_body = EvidenceIn,
    responses((status = 201, description = "The evidence.", body = EvidenceOut, headers(("Location" = String)))),
    security(("user" = []), ("client" = ["competencies:write"]), ("bearer" = [])))]
#[post("/v1/users/{user_id}/evidence")]
pub async fn record_evidence(
    caller: Caller<need::CompetenciesWrite>,
    state: Anyone,
    retry: Retry,
    path: web::Path<Ref>,
    body: Body<EvidenceIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let made = evidence::record(conn, ctx, &path, body.input)?;
        Answer::created(&format!("/v1/users/{}/evidence", *path), &made)
    })
    .await
}

/// Take evidence back
///
/// Only what a person recorded: evidence of graded work goes with its attempt. Scope: `competencies:write`. Role: admin or instructor.
#[utoipa::path(tag = "competencies", operation_id = "delete_evidence", params(("evidence_id" = Uuid, Path)),
    responses((status = 204, description = "Gone.")),
    security(("user" = []), ("client" = ["competencies:write"]), ("bearer" = [])))]
#[delete("/v1/evidence/{evidence_id}")]
pub async fn delete_evidence(
    caller: Caller<need::CompetenciesWrite>,
    state: Anyone,
    retry: Retry,
    path: web::Path<Uuid>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        evidence::delete(conn, ctx, *path)?;
        Ok(Answer::no_content())
    })
    .await
}

/// Read a course's coverage
///
/// Which competencies it teaches and assesses, and where it has gaps: of the draft, or of a revision. Scope: `competencies:read`. Role: admin, author or instructor.
#[utoipa::path(tag = "competencies", operation_id = "get_coverage", params(("course_id" = String, Path, description = "Id or `ext:<external_id>`."), CoverageQuery),
    responses((status = 200, description = "The coverage.", body = CoverageOut)),
    security(("user" = []), ("client" = ["competencies:read"]), ("bearer" = [])))]
#[get("/v1/courses/{course_id}/coverage")]
pub async fn get_coverage(
    caller: Caller<need::CompetenciesRead>,
    state: Anyone,
    path: web::Path<Ref>,
    filter: Query<CoverageQuery>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let found = state.db.read(move |conn| reading::course_coverage(conn, &ctx, &path, filter.0.revision)).await?;
    Answer::ok(&found)
}

enum Picture {
    Json,
    Csv,
    Svg,
}

/// What `Accept` asks for; JSON when it does not say.
fn picture(request: &HttpRequest) -> AppResult<Picture> {
    let values: Vec<&str> = request.headers().get_all(header::ACCEPT).filter_map(|value| value.to_str().ok()).collect();
    match accept::preferred(&values.join(","), &["application/json", "text/csv", "image/svg+xml"]) {
        Some(0) => Ok(Picture::Json),
        Some(1) => Ok(Picture::Csv),
        Some(_) => Ok(Picture::Svg),
        None => Err(AppError::new(Code::NotAcceptable, "There is application/json, text/csv and image/svg+xml.")),
    }
}

/// Read a class's mastery
///
/// Learners × competencies, a page of learners at a time: as JSON, as CSV, or as an SVG heat map, by `Accept`. The next page of a table or picture is in the `Link` header. Scope: `competencies:read`. Role: admin or instructor.
#[utoipa::path(tag = "competencies", operation_id = "get_course_mastery",
    params(("course_id" = String, Path, description = "Id or `ext:<external_id>`."), MatrixQuery),
    responses((status = 200, description = "A page of the matrix.", content((MatrixOut = "application/json"), (String = "text/csv"), (String = "image/svg+xml")))),
    security(("user" = []), ("client" = ["competencies:read"]), ("bearer" = [])))]
#[get("/v1/courses/{course_id}/mastery")]
pub async fn get_course_mastery(
    caller: Caller<need::CompetenciesRead>,
    state: Anyone,
    request: HttpRequest,
    path: web::Path<Ref>,
    filter: Query<MatrixQuery>,
) -> AppResult<HttpResponse> {
    let picture = picture(&request)?;
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let found = state.db.read(move |conn| matrix::page(conn, &ctx, &path, &filter.0, &page)).await?;
    draw(&request, &picture, &found)
}

fn draw(request: &HttpRequest, picture: &Picture, found: &MatrixOut) -> AppResult<HttpResponse> {
    let mut answer = HttpResponse::Ok();
    if let Some(cursor) = &found.next {
        answer.insert_header((header::LINK, Answer::next_link(request, cursor)));
    }
    answer.insert_header((header::VARY, "accept"));
    Ok(match picture {
        Picture::Json => answer.json(found),
        Picture::Csv => answer.content_type("text/csv; charset=utf-8").body(matrix::csv(found)?),
        Picture::Svg => answer.content_type("image/svg+xml").body(matrix::svg(found)),
    })
}

/// Read a group's mastery
///
/// The people of a group, and of a unit all that are below it, × competencies across courses, a page of people at a time: as JSON, as CSV, or as an SVG heat map, by `Accept`. The columns are what the courses assigned to the group, or to a unit above it, are about, or those of one framework. The next page of a table or picture is in the `Link` header. Scope: `competencies:read`. Role: admin or instructor; manager of the unit.
#[utoipa::path(tag = "competencies", operation_id = "get_group_mastery",
    params(("group_id" = String, Path, description = "Id or `ext:<external_id>`."), GroupMatrixQuery),
    responses((status = 200, description = "A page of the matrix.", content((MatrixOut = "application/json"), (String = "text/csv"), (String = "image/svg+xml")))),
    security(("user" = []), ("client" = ["competencies:read"]), ("bearer" = [])))]
#[get("/v1/groups/{group_id}/mastery")]
pub async fn get_group_mastery(
    caller: Caller<need::CompetenciesRead>,
    state: Anyone,
    request: HttpRequest,
    path: web::Path<Ref>,
    filter: Query<GroupMatrixQuery>,
) -> AppResult<HttpResponse> {
    let picture = picture(&request)?;
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let found = state.db.read(move |conn| matrix::group_page(conn, &ctx, &path, &filter.0, &page)).await?;
    draw(&request, &picture, &found)
}
