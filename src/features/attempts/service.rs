//! Use cases about attempts.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::dto::{AttemptCorrection, AttemptOut, AttemptState, SubmitOut};
use super::store::{self, AttemptRow};
use crate::clock;
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::domain::bounds::later;
use crate::domain::learning::{self, AttemptResult, Changes};
use crate::domain::mastery::proof;
use crate::domain::outline::Compiled;
use crate::domain::permission::Act;
use crate::domain::quiz::{self, Counted, QuizContent};
use crate::error::{AppError, AppResult, Code, Fault};
use crate::features::enrollments::refused;
use crate::features::enrollments::state::{self, Loaded, find_locked, find_locked_of, load, require_learning};
use crate::http::Conditions;
use crate::state::{Ctx, State};

pub(super) fn answers_of(row: &AttemptRow) -> AppResult<BTreeMap<String, Value>> {
    serde_json::from_str(&row.answers).map_err(AppError::internal)
}

fn seed(row: &AttemptRow) -> u64 {
    row.seed.cast_unsigned()
}

/// What a person changed of the grade.
pub(super) fn correction_of(row: &AttemptRow) -> AppResult<Option<AttemptCorrection>> {
    row.correction.as_deref().map(|text| serde_json::from_str(text).map_err(AppError::internal)).transpose()
}

pub(super) fn out(row: AttemptRow, quiz: &QuizContent) -> AppResult<AttemptOut> {
    let answers = answers_of(&row)?;
    let graded = row.state == "graded";
    let correction = correction_of(&row)?;
    Ok(AttemptOut {
        items: quiz.view(seed(&row)),
        results: if graded {
            quiz::grade_corrected(quiz, &answers, correction.as_ref().map(|c| c.grade()).as_ref()).items
        } else {
            Vec::new()
        },
        correction,
        answers,
        id: row.id,
        enrollment_id: row.enrollment_id,
        module: row.module_key,
        number: row.number,
        state: if graded { AttemptState::Graded } else { AttemptState::InProgress },
        started_at: row.started_at,
        deadline: row.deadline,
        submitted_at: row.submitted_at,
        points: row.points,
        max_points: row.max_points,
        score_percent: row.score_percent,
        passed: row.passed,
        version: row.version,
    })
}

/// The outline with which an attempt began: an upgrade of the enrollment since then does not change what was asked.
pub(super) fn outline_of(conn: &mut Conn, loaded: &Loaded, attempt: &AttemptRow) -> AppResult<Arc<Compiled>> {
    match attempt.revision_id.filter(|revision| loaded.row.revision_id != Some(*revision)) {
        Some(revision) => state::outline(conn, revision),
        None => Ok(Arc::clone(&loaded.outline)),
    }
}

pub(super) fn quiz_in<'a>(outline: &'a Compiled, key: &str) -> AppResult<&'a QuizContent> {
    let module = outline.ix(key).map(|ix| outline.module(ix));
    module.and_then(|module| module.quiz()).ok_or_else(|| AppError::not_found("attempt"))
}

/// An attempt with its quiz, as whoever asks may see it.
fn shown(conn: &mut Conn, ctx: &Ctx, loaded: &Loaded, attempt: AttemptRow) -> AppResult<AttemptOut> {
    let outline = outline_of(conn, loaded, &attempt)?;
    let quiz = quiz_in(&outline, &attempt.module_key)?;
    let mut shown = out(attempt, quiz)?;
    // What the review keeps from learners, a correction does not tell them either.
    if let Some(correction) = shown.correction.as_mut()
        && !quiz.review.marks
        && ctx.actor.user_id() == Some(loaded.row.user_id)
    {
        correction.points.clear();
    }
    Ok(shown)
}

/// Begins an attempt, or gives the one in progress again: a learner who lost the connection must not lose an attempt.
///
/// # Errors
/// 403 with reasons when the quiz is locked; 404; 409 when no attempts are left.
pub fn create(conn: &mut Conn, ctx: &Ctx, enrollment: Uuid, key: &str) -> AppResult<AttemptOut> {
    let row = find_locked(conn, ctx, enrollment, Act::Learn)?;
    require_learning(&row, ctx.now)?;
    let mut loaded = load(conn, row)?;
    let ix = loaded.ix(key)?;
    if let Some(open) = loaded.facts.record(ix).and_then(|r| r.open_attempt)
        && let Some(attempt) = store::find(conn, open)?
        && attempt.state == "in_progress"
    {
        if attempt.deadline.is_none_or(|deadline| deadline > ctx.now) {
            return shown(conn, ctx, &loaded, attempt);
        }
        finish(conn, ctx, &mut loaded, attempt)?;
    }
    learning::may_attempt(&loaded.outline, &loaded.facts, ix, ctx.now).map_err(refused)?;
    let quiz = quiz_in(&loaded.outline, key)?;
    let limit = quiz.time_limit_seconds.and_then(|s| TimeDelta::try_seconds(i64::try_from(s).ok()?));
    let attempt = AttemptRow {
        id: ctx.new_id(),
        enrollment_id: enrollment,
        module_key: key.to_owned(),
        number: store::last_number(conn, enrollment, key)?.saturating_add(1),
        state: "in_progress".into(),
        seed: clock::random_number()?,
        answers: "{}".into(),
        started_at: ctx.now,
        deadline: limit.map(|limit| later(ctx.now, limit)),
        submitted_at: None,
        points: None,
        max_points: None,
        score_percent: None,
        passed: None,
        version: 1,
        revision_id: loaded.row.revision_id,
        correction: None,
    };
    store::insert(conn, &attempt)?;
    let answer = out(attempt.clone(), quiz)?;
    let outline = Arc::clone(&loaded.outline);
    let changes = learning::attempt_started(&outline, loaded.facts_mut(), ix, attempt.id, ctx.now);
    let log = vec![
        loaded
            .event("attempt.started")
            .data(json!({"module": key, "attempt_id": attempt.id, "number": attempt.number})),
    ];
    loaded.save(conn, ctx, &changes, log)?;
    Ok(answer)
}

fn find_to_read(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<(AttemptRow, Loaded)> {
    let missing = || AppError::not_found("attempt");
    let attempt = store::find(conn, id)?.ok_or_else(missing)?;
    let row =
        state::find(conn, ctx, attempt.enrollment_id, Act::ReadEnrollment).map_err(|e| e.when_missing(missing))?;
    Ok((attempt, load(conn, row)?))
}

fn find_to_write(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<(AttemptRow, Loaded)> {
    let row = find_locked_of(conn, ctx, id, Act::Learn)?;
    require_learning(&row, ctx.now)?;
    let attempt = store::find(conn, id)?.ok_or_else(|| AppError::not_found("attempt"))?;
    Ok((attempt, load(conn, row)?))
}

/// One attempt.
///
/// # Errors
/// 404.
pub fn get(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<AttemptOut> {
    let (attempt, loaded) = find_to_read(conn, ctx, id)?;
    shown(conn, ctx, &loaded, attempt)
}

/// A page of attempts at a quiz, oldest first.
///
/// # Errors
/// 404.
pub fn list(
    conn: &mut Conn,
    ctx: &Ctx,
    enrollment: Uuid,
    key: &str,
    page: &PageRequest,
) -> AppResult<Rows<AttemptOut>> {
    let row = state::find(conn, ctx, enrollment, Act::ReadEnrollment)?;
    let loaded = load(conn, row)?;
    loaded.ix(key)?;
    let rows = store::list(conn, enrollment, key, page)?;
    // The outlines are kept in memory; a page spans few revisions.
    let items = rows.items.into_iter().map(|row| shown(conn, ctx, &loaded, row)).collect::<AppResult<_>>()?;
    Ok(Rows { items, next: rows.next })
}

fn require_open(attempt: &AttemptRow, now: DateTime<Utc>) -> AppResult<()> {
    if attempt.state != "in_progress" {
        return Err(AppError::new(Code::WrongState, "The attempt was submitted; it takes no more answers."));
    }
    if attempt.deadline.is_some_and(|deadline| deadline <= now) {
        return Err(AppError::new(Code::WrongState, "The attempt's time is up; it takes no more answers."));
    }
    Ok(())
}

/// Saves the answer to one item.
///
/// # Errors
/// 404; 409 when the attempt takes no more; 422 with every fault of the answer.
pub fn answer(
    conn: &mut Conn,
    ctx: &Ctx,
    id: Uuid,
    item_key: &str,
    answer: Value,
    conditions: &Conditions,
) -> AppResult<AttemptOut> {
    let (mut attempt, loaded) = find_to_write(conn, ctx, id)?;
    conditions.require(attempt.version)?;
    let outline = outline_of(conn, &loaded, &attempt)?;
    let quiz = quiz_in(&outline, &attempt.module_key)?;
    let item = quiz
        .item(item_key)
        .ok_or_else(|| AppError::new(Code::NotFound, format!("The quiz has no item `{item_key}`.")))?;
    quiz::check_answer(item, &answer).map_err(|faults| {
        let faults = faults.into_iter().map(|f| Fault { pointer: f.pointer, code: f.code.into(), detail: f.detail });
        AppError::invalid(faults.collect())
    })?;
    require_open(&attempt, ctx.now)?;
    let mut answers = answers_of(&attempt)?;
    if answer.is_null() {
        answers.remove(item_key);
    } else {
        answers.insert(item_key.to_owned(), answer);
    }
    attempt.answers = serde_json::to_string(&answers).map_err(AppError::internal)?;
    attempt.version = attempt.version.saturating_add(1);
    store::update(conn, &attempt)?;
    out(attempt, quiz)
}

/// Submits and grades an attempt. One that was submitted before, or by the deadline, answers its result again.
///
/// # Errors
/// 404, 409.
pub fn submit(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<SubmitOut> {
    let (attempt, mut loaded) = find_to_write(conn, ctx, id)?;
    if attempt.state != "in_progress" {
        let next = loaded.standing(ctx).next;
        let attempt = shown(conn, ctx, &loaded, attempt)?;
        let certificate_id = loaded.certificate(conn)?;
        return Ok(SubmitOut { attempt, enrollment: loaded.brief()?, next, certificate_id });
    }
    finish(conn, ctx, &mut loaded, attempt)
}

fn finish(conn: &mut Conn, ctx: &Ctx, loaded: &mut Loaded, mut attempt: AttemptRow) -> AppResult<SubmitOut> {
    let asked = outline_of(conn, loaded, &attempt)?;
    let quiz = quiz_in(&asked, &attempt.module_key)?;
    let graded = quiz::grade(quiz, &answers_of(&attempt)?);
    // Whoever comes after the deadline has submitted at the deadline.
    let at = attempt.deadline.map_or(ctx.now, |deadline| deadline.min(ctx.now));
    let mut scores = store::scores(conn, attempt.enrollment_id, &attempt.module_key)?;
    scores.push((graded.score_percent, graded.passed));
    let counted = quiz::counted(quiz.grading_method, quiz.pass_percent, &scores)
        .unwrap_or(Counted { score_percent: graded.score_percent, passed: graded.passed });
    attempt.state = "graded".into();
    attempt.submitted_at = Some(at);
    attempt.points = Some(graded.points);
    attempt.max_points = Some(graded.max_points);
    attempt.score_percent = Some(graded.score_percent);
    attempt.passed = Some(graded.passed);
    attempt.version = attempt.version.saturating_add(1);
    store::update(conn, &attempt)?;
    let result =
        AttemptResult { passed: graded.passed, counted, finished: u32::try_from(scores.len()).unwrap_or(u32::MAX), at };
    // Where an upgrade took the quiz away, the attempt stays in the history and moves nothing.
    let outline = Arc::clone(&loaded.outline);
    let here = outline.ix(&attempt.module_key).filter(|ix| outline.module(*ix).quiz().is_some());
    let changes =
        here.map_or_else(Changes::default, |ix| learning::attempt_finished(&outline, loaded.facts_mut(), ix, result));
    let proofs = here.map_or_else(Vec::new, |_| {
        // What was proved is what the questions of then were aligned to.
        let module = asked.ix(&attempt.module_key).map(|ix| asked.module(ix));
        module.map_or_else(Vec::new, |module| proof::of_attempt(module, &graded.shares, graded.score_percent))
    });
    if !proofs.is_empty() {
        let work = loaded.work("attempt", attempt.id, &attempt.module_key, at, proofs);
        loaded.works.push(work);
    }
    let data = json!({
        "module": attempt.module_key, "attempt_id": attempt.id, "number": attempt.number,
        "score_percent": graded.score_percent, "counted_score_percent": counted.score_percent,
    });
    let log = vec![loaded.event(if graded.passed { "quiz.passed" } else { "quiz.failed" }).data(data)];
    loaded.in_time(ctx, at);
    let outcome = loaded.save(conn, ctx, &changes, log)?;
    Ok(SubmitOut {
        attempt: shown(conn, ctx, loaded, attempt)?,
        enrollment: loaded.brief()?,
        next: outcome.standing.next,
        certificate_id: outcome.certificate_id,
    })
}

/// Submits attempts whose time is up, with the answers saved until then; run every few seconds, one transaction each.
///
/// # Errors
/// Database errors.
pub fn submit_overdue(state: &State, _: &Value) -> AppResult<()> {
    let now = state.clock.now();
    let due = state.db.read_here(move |conn| store::overdue(conn, now, 200))?;
    for id in due {
        let ctx = state.system();
        state.db.write_here(move |conn| {
            let Some(attempt) = store::find(conn, id)? else { return Ok(()) };
            let row = find_locked(conn, &ctx, attempt.enrollment_id, Act::Learn)?;
            let Some(attempt) = store::find(conn, id)?.filter(|a| a.state == "in_progress") else { return Ok(()) };
            let mut loaded = load(conn, row)?;
            finish(conn, &ctx, &mut loaded, attempt).map(drop)
        })?;
    }
    Ok(())
}
