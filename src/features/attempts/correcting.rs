//! Use cases that change what was graded: correcting a grade, deleting an attempt. The record of the quiz, mastery, progress and a
//! completion with its certificate follow in the same transaction; what games gave for it goes by the event's `undoes`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::dto::{AttemptCorrection, CorrectIn, SubmitOut};
use super::service::{answers_of, out, outline_of, quiz_in};
use super::store::{self, AttemptRow};
use crate::db::Conn;
use crate::domain::learning::{self, AttemptResult, Changes};
use crate::domain::mastery::proof;
use crate::domain::outline::ModuleIx;
use crate::domain::permission::Act;
use crate::domain::quiz;
use crate::error::{AppError, AppResult, Code, Faults};
use crate::events;
use crate::features::enrollments::completed_by_staff;
use crate::features::enrollments::state::{Loaded, find_locked_of, load};
use crate::http::Conditions;
use crate::http::schema::escape;
use crate::state::Ctx;

fn find(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<(AttemptRow, Loaded)> {
    let row = find_locked_of(conn, ctx, id, Act::CorrectGrade)?;
    let attempt = store::find(conn, id)?.ok_or_else(|| AppError::not_found("attempt"))?;
    Ok((attempt, load(conn, row)?))
}

/// Makes the record of a quiz again from the attempts that count now. Answers what changed, and what counted after each of them.
fn follow(conn: &mut Conn, ctx: &Ctx, loaded: &mut Loaded, ix: ModuleIx) -> AppResult<(Changes, Vec<AttemptResult>)> {
    let complete = loaded.standing(ctx).complete;
    let outline = std::sync::Arc::clone(&loaded.outline);
    let module = outline.module(ix);
    let quiz = module.quiz().ok_or_else(|| AppError::not_found("attempt"))?;
    let mut scores = Vec::new();
    let mut results = Vec::new();
    for (at, score, passed) in store::finished(conn, loaded.row.id, &module.key)? {
        let (Some(at), Some(score)) = (at, score) else { continue };
        // By the pass mark of now, as an upgrade judges.
        let passed = passed.unwrap_or(false) || quiz.passes(score);
        scores.push((score, passed));
        let Some(counted) = quiz::counted(quiz.grading_method, quiz.pass_percent, &scores) else { continue };
        results.push(AttemptResult { passed, counted, finished: u32::try_from(scores.len()).unwrap_or(u32::MAX), at });
    }
    let begun = store::first_begun(conn, loaded.row.id, &module.key)?;
    let granted = completed_by_staff(conn, loaded.row.id, &module.key)?;
    // A course that asks for more than it did when it was completed is not taken back for that.
    loaded.reopens = complete;
    loaded.corrects = true;
    let changes = learning::attempts_changed(&outline, loaded.facts_mut(), ix, &results, begun, granted, ctx.now);
    Ok((changes, results))
}

/// What becomes of the events that told of an attempt and of what followed from it, for those who went by them.
struct Amended {
    /// Events that do not hold any more.
    undoes: Vec<Uuid>,
    /// Events that hold, each with the score that it has now.
    rescores: BTreeMap<Uuid, f64>,
}

/// What becomes of the events about an attempt that passed or not, and is now graded so, or deleted.
fn amended(
    conn: &mut Conn,
    loaded: &Loaded,
    attempt: &AttemptRow,
    was_passed: bool,
    now: Option<&quiz::Graded>,
    (changes, results): &(Changes, Vec<AttemptResult>),
) -> AppResult<Amended> {
    let kinds = ["quiz.passed", "quiz.failed", "module.completed", "attempt.started"];
    let mut amended = Amended { undoes: Vec::new(), rescores: BTreeMap::new() };
    for event in events::about(conn, loaded.row.id, &kinds)? {
        let score = match event.kind.as_str() {
            "module.completed" if event.data.get("module") != Some(&json!(attempt.module_key)) => continue,
            "module.completed" if !changes.reopened.is_empty() => None,
            "module.completed" if event.data.get("score_percent").is_none() => continue,
            "module.completed" => {
                // What counted when it was completed.
                let then = results.iter().rev().find(|result| result.at <= event.at).or(results.first());
                let Some(then) = then else { continue };
                Some(then.counted.score_percent)
            }
            _ if event.data.get("attempt_id") != Some(&json!(attempt.id)) => continue,
            // Whatever the grade is, the attempt was begun.
            "attempt.started" if now.is_some() => continue,
            kind => now
                .filter(|now| now.passed == was_passed && now.passed == (kind == "quiz.passed"))
                .map(|n| n.score_percent),
        };
        match score {
            Some(score) => drop(amended.rescores.insert(event.id, score)),
            None => amended.undoes.push(event.id),
        }
    }
    Ok(amended)
}

/// Corrects the grade of an attempt.
///
/// # Errors
/// 403, 404, 412; 409 while the attempt is in progress; 422 for items that the quiz does not have.
pub fn correct(
    conn: &mut Conn,
    ctx: &Ctx,
    id: Uuid,
    input: CorrectIn,
    conditions: &Conditions,
) -> AppResult<SubmitOut> {
    let (mut attempt, mut loaded) = find(conn, ctx, id)?;
    conditions.require(attempt.version)?;
    if attempt.state != "graded" {
        return Err(AppError::new(Code::WrongState, "The attempt is in progress; it has no grade yet."));
    }
    let ix = loaded.ix(&attempt.module_key)?;
    let outline = outline_of(conn, &loaded, &attempt)?;
    let quiz = quiz_in(&outline, &attempt.module_key)?;
    let mut faults = Faults::new();
    input.find_faults(&mut faults);
    for (key, points) in input.points.iter().flatten() {
        match quiz.item(key) {
            None => faults.add(format!("/points/{}", escape(key)), "unknown_item", "The quiz has no such item."),
            Some(item) if !(0.0..=item.common().points).contains(points) => {
                faults.add(
                    format!("/points/{}", escape(key)),
                    "out_of_range",
                    "An item earns from 0 to what it is worth.",
                );
            }
            Some(_) => {}
        }
    }
    faults.finish()?;
    let correction = AttemptCorrection {
        points: input.points.unwrap_or_default(),
        score_percent: input.score_percent,
        reason: input.reason,
        corrected_by: ctx.actor.id(),
        corrected_at: ctx.now,
    };
    let graded = quiz::grade_corrected(quiz, &answers_of(&attempt)?, Some(&correction.grade()));
    let (before, was_passed) = (attempt.score_percent, attempt.passed.unwrap_or(false));
    attempt.correction = Some(serde_json::to_string(&correction).map_err(AppError::internal)?);
    attempt.points = Some(graded.points);
    attempt.max_points = Some(graded.max_points);
    attempt.score_percent = Some(graded.score_percent);
    attempt.passed = Some(graded.passed);
    attempt.version = attempt.version.saturating_add(1);
    store::update(conn, &attempt)?;
    let changes = follow(conn, ctx, &mut loaded, ix)?;
    let at = attempt.submitted_at.unwrap_or(ctx.now);
    let asked = outline.ix(&attempt.module_key).unwrap_or(ix);
    let proofs = proof::of_attempt(outline.module(asked), &graded.shares, graded.score_percent);
    if !proofs.is_empty() {
        let work = loaded.work("attempt", attempt.id, &attempt.module_key, at, proofs);
        loaded.works.push(work);
    }
    let Amended { undoes, rescores } = amended(conn, &loaded, &attempt, was_passed, Some(&graded), &changes)?;
    let data = json!({
        "module": attempt.module_key, "attempt_id": attempt.id, "number": attempt.number, "before_percent": before,
        "score_percent": graded.score_percent, "passed": graded.passed, "undoes": undoes,
        "rescores": rescores,
    });
    let mut log = vec![loaded.event("attempt.corrected").data(data)];
    if graded.passed != was_passed {
        let kind = if graded.passed { "quiz.passed" } else { "quiz.failed" };
        log.push(loaded.event(kind).data(data_of(&attempt, graded.score_percent)));
    }
    let outcome = loaded.save(conn, ctx, &changes.0, log)?;
    Ok(SubmitOut {
        attempt: out(attempt, quiz)?,
        enrollment: loaded.brief()?,
        next: outcome.standing.next,
        certificate_id: outcome.certificate_id,
    })
}

fn data_of(attempt: &AttemptRow, percent: f64) -> Value {
    json!({
        "module": attempt.module_key, "attempt_id": attempt.id, "number": attempt.number, "score_percent": percent,
        "counted_score_percent": percent,
    })
}

/// Deletes an attempt, as if it had never been: the learner has it again, and what it proved is gone.
///
/// # Errors
/// 403, 404, 412.
pub fn delete(conn: &mut Conn, ctx: &Ctx, id: Uuid, conditions: &Conditions) -> AppResult<()> {
    let (attempt, mut loaded) = find(conn, ctx, id)?;
    conditions.require(attempt.version)?;
    quiz_in(&loaded.outline, &attempt.module_key)?;
    let ix = loaded.ix(&attempt.module_key)?;
    store::delete(conn, id)?;
    let record = loaded.facts_mut().record_mut(ix);
    record.open_attempt = record.open_attempt.filter(|open| *open != id);
    let changes = follow(conn, ctx, &mut loaded, ix)?;
    loaded.withdrawn = Some((id, attempt.module_key.clone()));
    let passed = attempt.passed.unwrap_or(false);
    let Amended { undoes, rescores } = amended(conn, &loaded, &attempt, passed, None, &changes)?;
    let data = json!({
        "module": attempt.module_key, "attempt_id": id, "number": attempt.number, "score_percent": attempt.score_percent,
        "undoes": undoes, "rescores": rescores,
    });
    let log = vec![loaded.event("attempt.deleted").data(data)];
    loaded.save(conn, ctx, &changes.0, log)?;
    Ok(())
}
