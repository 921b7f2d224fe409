//! Use cases about evidence: by a person's judgement, taken back, listed.

use serde_json::json;
use uuid::Uuid;

use super::reckoning::{Why, Work, prove, reckon, tell};
use super::{find_person, find_person_about};
use crate::db::page::{PageRequest, Rows};
use crate::db::{Conn, lock_mastery};
use crate::domain::mastery::proof::Proof;
use crate::domain::permission::Act;
use crate::error::{AppError, AppResult, Code, Faults};
use crate::events::{self, NewEvent};
use crate::features::competencies::dto::{EvidenceIn, EvidenceOut, EvidenceQuery, EvidenceSource};
use crate::features::competencies::store::evidence::EvidenceRow;
use crate::features::competencies::store::{self};
use crate::http::Ref;
use crate::state::Ctx;

pub(super) fn out(row: EvidenceRow) -> EvidenceOut {
    EvidenceOut {
        id: row.id,
        competency_id: row.competency_id,
        score: row.score,
        weight: row.weight,
        at: row.at,
        recorded_at: row.recorded_at,
        note: row.note,
        source: EvidenceSource {
            kind: row.source_kind,
            id: row.source_id,
            course_id: row.course_id,
            enrollment_id: row.enrollment_id,
            module: row.module_key,
        },
    }
}

/// Adds evidence by a person's judgement.
///
/// # Errors
/// 403, 404; 409 for somebody who left; 422 for a competency that does not exist or rolls up, or an instant that lies ahead.
pub fn record(conn: &mut Conn, ctx: &Ctx, who: &Ref, input: EvidenceIn) -> AppResult<EvidenceOut> {
    let competency = input.competency_id;
    let foreign = || AppError::field("/competency_id", "not_in_course", "The course is not about this competency.");
    let (user, course) = find_person_about(conn, ctx, who, input.course_id, competency, Act::RecordEvidence, foreign)?;
    if user.state == "left" {
        let detail = "They have left; what they have shown stays as it is.";
        return Err(AppError::new(Code::WrongState, detail).with("user_state", user.state));
    }
    let mut faults = Faults::new();
    match store::competencies::find(conn, competency)? {
        None => faults.add("/competency_id", "unknown_competency", "There is no such competency."),
        Some(row) if row.rollup.is_some() => {
            let detail = "Its mastery follows from the competencies below it; give evidence of one of those.";
            faults.add("/competency_id", "rolls_up", detail);
        }
        Some(_) => {}
    }
    let at = input.at.unwrap_or(ctx.now);
    faults.ensure(at <= ctx.now, "/at", "in_future", "This instant lies in the future.");
    faults.finish()?;
    let weight = input.weight.unwrap_or(1.0);
    let work = Work {
        kind: "person",
        id: ctx.actor.id().unwrap_or_default(),
        course,
        enrollment: None,
        module: None,
        at,
        proofs: vec![Proof { competency: input.competency_id, score: input.score, weight }],
        note: input.note,
    };
    let reckoned = prove(conn, ctx, user.id, &[work], Why::New)?;
    let missing = || AppError::internal("the evidence just written is not there");
    let written = reckoned.written.first().copied().ok_or_else(missing)?;
    let row = store::evidence::find(conn, written)?.ok_or_else(missing)?;
    let data =
        json!({"competency_id": input.competency_id, "score": input.score, "weight": weight, "evidence_id": row.id});
    let mut event = NewEvent::new("evidence.recorded", "competency", input.competency_id).user(user.id).data(data);
    event.course_id = course;
    tell(conn, ctx, user.id, reckoned, false, vec![event])?;
    Ok(out(row))
}

/// Takes evidence back that a person gave.
///
/// # Errors
/// 403, 404; 409 for what graded work left, which goes with its attempt.
pub fn delete(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<()> {
    let missing = || AppError::not_found("evidence");
    let row = store::evidence::find(conn, id)?.ok_or_else(missing)?;
    let found = find_person(conn, ctx, &Ref::Id(row.user_id), row.course_id, Act::RecordEvidence);
    if let Err(error) = found {
        // Who may see the person's mastery is told that it is a matter of rights.
        return match find_person(conn, ctx, &Ref::Id(row.user_id), row.course_id, Act::ReadMastery) {
            Ok(_) => Err(error),
            Err(hidden) => Err(hidden.when_missing(missing)),
        };
    }
    if row.source_kind != "person" {
        let detail = "Evidence of graded work goes with its attempt: correct or delete that.";
        return Err(AppError::new(Code::WrongState, detail));
    }
    lock_mastery(conn, row.user_id)?;
    store::evidence::delete(conn, id)?;
    let known = store::evidence::to_reckon(conn, row.user_id, &[row.competency_id])?;
    let reckoned = reckon(conn, ctx, row.user_id, known, Why::Corrected)?;
    let told = events::of_kinds(conn, &["evidence.recorded"], Some(&[row.user_id]), 0, i64::MAX, i64::MAX)?;
    let of_this = told.iter().filter(|event| event.data.get("evidence_id") == Some(&json!(id)));
    let undoes: Vec<Uuid> = of_this.map(|event| event.id).collect();
    let data = json!({"competency_id": row.competency_id, "score": row.score, "evidence_id": id, "undoes": undoes});
    let mut event = NewEvent::new("evidence.deleted", "competency", row.competency_id).user(row.user_id).data(data);
    event.course_id = row.course_id;
    tell(conn, ctx, row.user_id, reckoned, true, vec![event])
}

/// A page of a person's evidence.
///
/// # Errors
/// 403, 404.
pub fn list(
    conn: &mut Conn,
    ctx: &Ctx,
    who: &Ref,
    filter: &EvidenceQuery,
    page: &PageRequest,
) -> AppResult<Rows<EvidenceOut>> {
    let (user, course) = find_person(conn, ctx, who, filter.course_id, Act::ReadMastery)?;
    Ok(store::evidence::list(conn, user.id, filter.competency_id, course, page)?.map(out))
}
