//! Use cases of reading: path, next steps, a module's content, why it is locked; now or as of a past instant.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::dto::{ModuleOut, NextOut, PathOut};
use super::learning::stored_events;
use super::state::{self, Loaded, load};
use super::store;
use crate::db::Conn;
use crate::domain::facts::ChosenBranch;
use crate::domain::learning::{self, AttemptResult, Exception, Past};
use crate::domain::outline::{Content, ModuleIx};
use crate::domain::past::{Then, Turn, then};
use crate::domain::path::{self, Access, State};
use crate::domain::permission::Act;
use crate::domain::quiz;
use crate::error::{AppError, AppResult, Code};
use crate::http::Conditions;
use crate::state::Ctx;

fn load_to_read(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<Loaded> {
    let row = state::find(conn, ctx, id, Act::ReadEnrollment)?;
    load(conn, row)
}

/// A `branch.chosen` event's data.
#[derive(serde::Deserialize)]
struct ChoiceMade {
    stage: String,
    branch: String,
    auto: bool,
}

/// A turn of a life with when it came.
type Dated = (DateTime<Utc>, Turn);

/// What the event log tells of a life: its turns, and the choices made until an instant.
fn life(conn: &mut Conn, id: Uuid, as_of: DateTime<Utc>) -> AppResult<(Vec<Dated>, Vec<Past>)> {
    let (mut turns, mut choices) = (Vec::new(), Vec::new());
    for (kind, data, at) in store::life(conn, id)? {
        let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or("active").to_owned();
        let number = |name: &str| data.get(name).and_then(Value::as_i64).and_then(|n| i32::try_from(n).ok());
        let turn = match kind.as_str() {
            "enrollment.created" => {
                number("revision").map(|revision| Turn::Created { status: text("status"), revision })
            }
            "enrollment.approved" => Some(Turn::Became(text("status"))),
            "enrollment.promoted" => Some(Turn::Promoted),
            "enrollment.upgraded" => number("from").map(Turn::Upgraded),
            "enrollment.reopened" => Some(Turn::Became("active".to_owned())),
            "enrollment.rejected" | "enrollment.withdrawn" => Some(Turn::Became("withdrawn".to_owned())),
            "enrollment.expired" => Some(Turn::Became("expired".to_owned())),
            "course.completed" => Some(Turn::Became("completed".to_owned())),
            _ => None,
        };
        turns.extend(turn.map(|turn| (at, turn)));
        // Choices that were changed later stand in the event log alone.
        if kind == "branch.chosen" && at <= as_of {
            let made: ChoiceMade = serde_json::from_value(data).map_err(AppError::internal)?;
            choices.push(Past::Choice(ChosenBranch { stage: made.stage, branch: made.branch, at, auto: made.auto }));
        }
    }
    Ok((turns, choices))
}

/// The enrollment as it was at a past instant, folded again from what was stored.
fn load_as_of(conn: &mut Conn, ctx: &Ctx, id: Uuid, as_of: DateTime<Utc>) -> AppResult<Loaded> {
    let mut row = state::find(conn, ctx, id, Act::ReadEnrollment)?;
    if as_of < row.created_at {
        return Err(AppError::field("?as_of", "before_enrollment", "The enrollment did not exist then."));
    }
    if as_of > ctx.now {
        return Err(AppError::field("?as_of", "in_future", "This instant lies in the future."));
    }
    let (turns, mut past) = life(conn, id, as_of)?;
    let now = Then { status: row.status.clone(), revision: row.revision, enrolled_at: row.enrolled_at };
    let then = then(&turns, now, row.created_at, as_of);
    if then.revision != row.revision {
        let revision = store::revision_id(conn, row.course_id, then.revision)?;
        row.revision_id = Some(revision.ok_or_else(|| AppError::internal("a revision that is gone"))?);
    }
    (row.status, row.revision, row.enrolled_at) = (then.status, then.revision, then.enrolled_at);
    if row.expires_at.is_some_and(|at| at <= as_of)
        && matches!(row.status.as_str(), "active" | "pending" | "waitlisted")
    {
        row.status = "expired".into();
    }
    let mut loaded = state::blank(conn, row)?;
    let outline = Arc::clone(&loaded.outline);
    let events = stored_events(conn, &loaded, &[], Some(as_of))?;
    for (key, kind, amount, at) in store::overrides(conn, id, as_of)? {
        let Some(ix) = outline.ix(&key) else { continue };
        let exception = match kind.as_str() {
            "waive" => Exception::Waive,
            "unlock" => Exception::Unlock,
            "complete" => Exception::Complete,
            _ => Exception::ExtraAttempts(amount.and_then(|n| u32::try_from(n).ok()).unwrap_or(1)),
        };
        past.push(Past::Exception(ix, exception, at));
    }
    past.extend(past_attempts(conn, &loaded, as_of)?);
    let mut facts = learning::rebuild(&outline, loaded.row.enrolled_at, loaded.row.cohort_start_at, events, past);
    if outline.needs.beyond_enrollment() {
        facts.learner = state::load_learner_as_of(conn, loaded.row.user_id, &outline.needs, as_of)?;
    }
    loaded.facts = Arc::new(facts);
    loaded.mark()?;
    Ok(loaded)
}

/// The attempts that are finished, by quiz, in order.
pub(super) fn taken(
    conn: &mut Conn,
    loaded: &Loaded,
    until: DateTime<Utc>,
) -> AppResult<BTreeMap<ModuleIx, Vec<learning::Taken>>> {
    let mut all: BTreeMap<ModuleIx, Vec<learning::Taken>> = BTreeMap::new();
    for (key, _, _, submitted, score, passed) in store::attempts_until(conn, loaded.row.id, until)? {
        if let (Some(ix), Some(at), Some(score)) = (loaded.outline.ix(&key), submitted, score) {
            all.entry(ix).or_default().push(learning::Taken { score, passed: passed.unwrap_or(false), at });
        }
    }
    Ok(all)
}

fn past_attempts(conn: &mut Conn, loaded: &Loaded, as_of: DateTime<Utc>) -> AppResult<Vec<Past>> {
    let mut scores: std::collections::HashMap<String, Vec<(f64, bool)>> = std::collections::HashMap::new();
    let mut past = Vec::new();
    for (key, id, started, submitted, score, passed) in store::attempts_until(conn, loaded.row.id, as_of)? {
        let Some(ix) = loaded.outline.ix(&key) else { continue };
        past.push(Past::AttemptStarted(ix, id, started));
        let (Some(at), Some(score), Some(passed)) = (submitted.filter(|at| *at <= as_of), score, passed) else {
            continue;
        };
        let Some(content) = loaded.outline.module(ix).quiz() else { continue };
        // By the pass mark of now, as an upgrade judges.
        let passed = passed || content.passes(score);
        let all = scores.entry(key).or_default();
        all.push((score, passed));
        let Some(counted) = quiz::counted(content.grading_method, content.pass_percent, all) else { continue };
        let finished = u32::try_from(all.len()).unwrap_or(u32::MAX);
        past.push(Past::Attempt(ix, AttemptResult { passed, counted, finished, at }));
    }
    Ok(past)
}

/// A path as it is answered.
pub enum PathText {
    /// The caller has it already, by this ETag.
    Known(String),
    /// JSON text, with its ETag when the path depends on nothing but the enrollment.
    Json(Vec<u8>, Option<String>),
}

/// The whole path, as JSON text: it borrows from the outline, which does not outlive this call. It is not computed for a caller who
/// has it already.
///
/// # Errors
/// 404; 422 for an instant at which there was no enrollment.
pub fn path_json(
    conn: &mut Conn,
    ctx: &Ctx,
    id: Uuid,
    as_of: Option<DateTime<Utc>>,
    conditions: &Conditions,
) -> AppResult<PathText> {
    let loaded = match as_of {
        Some(as_of) => load_as_of(conn, ctx, id, as_of)?,
        None => load_to_read(conn, ctx, id)?,
    };
    let outline = &loaded.outline;
    let alone =
        as_of.is_none() && !outline.time_sensitive && outline.needs == crate::domain::outline::FactNeeds::default();
    let tag = alone.then(|| format!("\"path-{}\"", loaded.row.version));
    if let Some(tag) = tag.as_ref().filter(|tag| conditions.knows(tag)) {
        return Ok(PathText::Known(tag.clone()));
    }
    let path = path::evaluate(outline, &loaded.facts, as_of.unwrap_or(ctx.now));
    let out = PathOut {
        enrollment_id: id,
        course_id: loaded.row.course_id,
        revision: loaded.row.revision,
        style: path.style,
        status: state::status(&loaded.row)?,
        progress: path.progress,
        stages: path.stages,
        next: path.next,
    };
    let mut json = Vec::with_capacity(outline.module_count().saturating_mul(400));
    serde_json::to_writer(&mut json, &out).map_err(AppError::internal)?;
    Ok(PathText::Json(json, tag))
}

/// What to do next.
///
/// # Errors
/// 404.
pub fn next(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<NextOut> {
    let loaded = load_to_read(conn, ctx, id)?;
    Ok(NextOut { items: loaded.standing(ctx).next })
}

/// Why a module is as it is.
///
/// # Errors
/// 404.
pub fn explain(conn: &mut Conn, ctx: &Ctx, id: Uuid, key: &str, as_of: Option<DateTime<Utc>>) -> AppResult<Access> {
    let loaded = match as_of {
        Some(as_of) => load_as_of(conn, ctx, id, as_of)?,
        None => load_to_read(conn, ctx, id)?,
    };
    let ix = loaded.ix(key)?;
    Ok(path::access(&loaded.outline, &loaded.facts, as_of.unwrap_or(ctx.now), ix))
}

/// The content as a learner may have it: of a quiz everything but its items, which come with an attempt.
fn visible(content: &Content) -> AppResult<Value> {
    match content {
        Content::Quiz(quiz) => Ok(json!({
            "item_count": quiz.items.len(),
            "points": quiz.items.iter().map(|item| item.common().points).sum::<f64>(),
            "pass_percent": quiz.pass_percent,
            "max_attempts": quiz.max_attempts,
            "remediation": quiz.remediation,
            "cooldown_seconds": quiz.cooldown_seconds,
            "grading_method": quiz.grading_method,
            "time_limit_seconds": quiz.time_limit_seconds,
        })),
        other => serde_json::to_value(other).map_err(AppError::internal),
    }
}

/// One module with its content.
///
/// # Errors
/// 403 with the reasons when it is locked, or the enrollment is not open for learning; 404.
pub fn module(conn: &mut Conn, ctx: &Ctx, id: Uuid, key: &str) -> AppResult<ModuleOut> {
    let loaded = load_to_read(conn, ctx, id)?;
    let ix = loaded.ix(key)?;
    if ctx.actor.user_id() == Some(loaded.row.user_id) {
        require_content(&loaded)?;
        let access = path::access(&loaded.outline, &loaded.facts, ctx.now, ix);
        if !access.state.open() {
            return Err(super::learning::refused(learning::refuse(&loaded.outline, ix, access)));
        }
    }
    let module = loaded.outline.module(ix);
    let record = loaded.facts.record(ix);
    let state = if loaded.facts.records.is_empty() { State::Available } else { loaded.standing(ctx).of(ix) };
    Ok(ModuleOut {
        key: module.key.clone(),
        title: module.title.clone(),
        summary: module.summary.clone(),
        kind: module.kind,
        role: module.role,
        state,
        content: visible(&module.content)?,
        completion: module.completion(),
        resume_at_seconds: record.and_then(|r| r.position_seconds),
        watched_percent: module
            .content
            .duration_seconds()
            .map(|length| record.map_or(0.0, |r| r.seen.percent_of(length))),
        score_percent: record.and_then(|r| r.score),
        attempts: record.map_or(0, |r| r.attempts),
        started_at: record.and_then(|r| r.started_at),
        completed_at: record.and_then(|r| r.completed_at),
    })
}

/// Content is for those whose enrollment is, or was, open for learning.
fn require_content(loaded: &Loaded) -> AppResult<()> {
    if matches!(loaded.row.status.as_str(), "active" | "completed") {
        return Ok(());
    }
    let reason = json!({"leaf": "enrollment", "required": "active", "actual": loaded.row.status, "met": false});
    Err(AppError::new(Code::ModuleLocked, format!("The enrollment is {}.", loaded.row.status))
        .with("reasons", [reason])
        .with("actions", json!([]))
        .with("opens_at", Value::Null))
}
