//! What work in an enrollment proves of competencies, and what mastery means for enrollments: those at hand, new ones, and others of the
//! same learner.

use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use super::dto::Status;
use super::state::{Loaded, load, outline, progress};
use super::store::{self, EnrollmentRow};
use crate::db::Conn;
use crate::domain::learning::Changes;
use crate::domain::mastery::proof::{self, Proof};
use crate::error::AppResult;
use crate::events::{self, NewEvent};
use crate::features::certificates;
use crate::features::competencies::{self, Work};
use crate::state::Ctx;

impl Loaded {
    /// Writes what this call's work proves, and lets the path know. Answers whose mastery changed. In a course that assesses no
    /// competency it costs nothing.
    pub(super) fn prove(
        &mut self,
        conn: &mut Conn,
        ctx: &Ctx,
        changes: &Changes,
        log: &mut Vec<NewEvent>,
    ) -> AppResult<Vec<Uuid>> {
        let mut reckoned = Vec::new();
        if let Some((source, module)) = self.withdrawn.take() {
            reckoned.push(competencies::withdraw(conn, ctx, self.row.user_id, source, &module)?);
        }
        let mut works = std::mem::take(&mut self.works);
        for ix in &changes.completed {
            let module = self.outline.module(*ix);
            let at = self.facts.record(*ix).and_then(|record| record.completed_at);
            let proofs = if at.is_some() { proof::of_completion(module) } else { Vec::new() };
            if !proofs.is_empty() {
                works.push(self.work("module", self.row.id, &module.key, at.unwrap_or(ctx.now), proofs));
            }
        }
        if !works.is_empty() {
            reckoned.push(competencies::prove(conn, ctx, self.row.user_id, &works)?);
        }
        let mut changed = Vec::new();
        for one in reckoned {
            let course = self.row.course_id;
            log.extend(one.events.into_iter().map(|event| event.course(course)));
            for (id, value) in one.changed {
                if self.facts.learner.competency(id).is_some() {
                    let learner = Arc::make_mut(&mut self.facts_mut().learner);
                    learner.competencies.iter_mut().filter(|f| f.competency == id).for_each(|f| f.mastery = value);
                }
                changed.push(id);
            }
        }
        Ok(changed)
    }

    /// A piece of work in this enrollment.
    #[must_use]
    pub fn work(
        &self,
        kind: &'static str,
        id: Uuid,
        module: &str,
        at: chrono::DateTime<chrono::Utc>,
        proofs: Vec<Proof>,
    ) -> Work {
        Work {
            kind,
            id,
            course: Some(self.row.course_id),
            enrollment: Some(self.row.id),
            module: Some(module.to_owned()),
            at,
            proofs,
            note: None,
        }
    }

    /// Takes a completion back, with its certificate; not once the learner has enrolled again.
    pub(super) fn reopen(&mut self, conn: &mut Conn, ctx: &Ctx, log: &mut Vec<NewEvent>) -> AppResult<()> {
        let newest = store::newest(conn, self.row.course_id, self.row.user_id)?;
        if self.row.status != Status::Completed.as_str() || newest.is_none_or(|(id, ..)| id != self.row.id) {
            return Ok(());
        }
        self.row.status = Status::Active.as_str().to_owned();
        self.row.completed_at = None;
        let undone: Vec<Uuid> =
            events::of_subject(conn, self.row.id, &["course.completed"])?.into_iter().map(|(id, ..)| id).collect();
        log.push(self.event("enrollment.reopened").data(json!({"undoes": undone})));
        log.extend(certificates::withdraw(conn, ctx, self.row.id, "A grade was corrected.")?);
        Ok(())
    }
}

/// Lets a new enrollment know what its learner masters already: progress, and completion when all of it is tested out. Costs nothing
/// in a course that asks about no competency.
///
/// # Errors
/// Database errors.
pub fn settle_new(conn: &mut Conn, ctx: &Ctx, row: EnrollmentRow) -> AppResult<EnrollmentRow> {
    let Some(revision) = row.revision_id.filter(|_| row.status == Status::Active.as_str()) else { return Ok(row) };
    if outline(conn, revision)?.needs.competencies.is_empty() {
        return Ok(row);
    }
    let mut loaded = load(conn, row)?;
    let standing = loaded.standing(ctx);
    if standing.complete || standing.progress != progress(&loaded.row) {
        loaded.save(conn, ctx, &Changes::default(), Vec::new())?;
    }
    Ok(loaded.row)
}

/// Brings along those of somebody's enrollments whose conditions ask about competencies that changed: progress, and completion
/// with its certificate. Few people have more than a handful, and nobody's competencies change in bulk.
///
/// # Errors
/// Database errors.
pub fn refresh(conn: &mut Conn, ctx: &Ctx, user: Uuid, changed: &[Uuid], except: Option<Uuid>) -> AppResult<()> {
    if changed.is_empty() {
        return Ok(());
    }
    for row in store::asking(conn, user, changed)?.into_iter().filter(|row| Some(row.id) != except) {
        let mut loaded = load(conn, row)?;
        let standing = loaded.standing(ctx);
        if standing.complete || standing.progress != progress(&loaded.row) {
            loaded.save(conn, ctx, &Changes::default(), Vec::new())?;
        }
    }
    Ok(())
}
