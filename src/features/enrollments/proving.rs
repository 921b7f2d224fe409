//! What work in an enrollment proves of competencies, and a completion that a corrected grade takes back.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::dto::Status;
use super::settling::{Moved, taken_back, uncomplete};
use super::state::Loaded;
use super::store;
use crate::db::Conn;
use crate::domain::learning::{Changes, LearningEvent};
use crate::domain::mastery::book::Book;
use crate::domain::mastery::proof::{self, Proof};
use crate::error::AppResult;
use crate::events::{self, NewEvent};
use crate::features::competencies::{self, Why, Work};
use crate::state::Ctx;

impl Loaded {
    /// Writes what this call's work proves, and lets the path know. Answers which mastery changed, and which of it a correction
    /// lowered. In a course that assesses no competency it costs nothing.
    pub(super) fn prove(
        &mut self,
        conn: &mut Conn,
        ctx: &Ctx,
        changes: &Changes,
        log: &mut Vec<NewEvent>,
    ) -> AppResult<Moved> {
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
        let why = if self.corrects { Why::Corrected } else { Why::New };
        if !works.is_empty() {
            reckoned.push(competencies::prove(conn, ctx, self.row.user_id, &works, why)?);
        }
        let mut moved = Moved::default();
        for one in reckoned {
            let course = self.row.course_id;
            log.extend(one.events.into_iter().map(|event| event.course(course)));
            moved.changed.extend(one.changed.keys());
            if self.corrects {
                moved.refuted.extend(one.fallen);
            }
            if !self.facts.learner.competencies.is_empty() {
                Arc::make_mut(&mut self.facts_mut().learner).set_mastery(one.changed);
            }
        }
        Ok(moved)
    }

    /// What conditions need to know for several of these events in a row: the competencies that completing their modules proves, with
    /// all above them. Nothing where one event does not meet what another proved.
    pub(super) fn book(&self, conn: &mut Conn, events: &[LearningEvent]) -> AppResult<Option<Book>> {
        if events.len() < 2 || self.facts.learner.competencies.is_empty() {
            return Ok(None);
        }
        let open = events.iter().map(|event| event.module).collect::<BTreeSet<_>>().into_iter();
        let open = open.filter(|ix| self.facts.record(*ix).is_none_or(|record| record.completed_at.is_none()));
        let proved: BTreeSet<Uuid> =
            open.flat_map(|ix| proof::of_completion(self.outline.module(ix))).map(|proof| proof.competency).collect();
        if proved.is_empty() {
            return Ok(None);
        }
        competencies::book(conn, self.row.user_id, &proved.into_iter().collect::<Vec<_>>()).map(Some)
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

    /// Takes a completion back, with its certificate. Once the learner has enrolled again, it is over and no more active.
    pub(super) fn reopen(&mut self, conn: &mut Conn, ctx: &Ctx, log: &mut Vec<NewEvent>) -> AppResult<()> {
        if self.row.status != Status::Completed.as_str() {
            return Ok(());
        }
        let over = store::superseded(conn, &[self.row.id])?;
        uncomplete(&mut self.row, &over, ctx);
        log.extend(taken_back(conn, ctx, std::slice::from_ref(&self.row))?);
        Ok(())
    }

    /// What was done before the enrollment's time was up, and is seen only now, completes it all the same.
    pub fn in_time(&mut self, ctx: &Ctx, done_at: DateTime<Utc>) {
        if self.row.status == Status::Expired.as_str()
            && self.row.expires_at.is_some_and(|at| done_at < at)
            && self.standing(ctx).complete
        {
            self.row.status = Status::Active.as_str().to_owned();
            self.row.ended_at = None;
            self.facts_mut().closed = None;
        }
    }

    /// Completes anew what was taken back and ended since, now that a correction says again that all of it is done.
    pub(super) fn restore(&mut self, conn: &mut Conn) -> AppResult<bool> {
        let back = self.corrects
            && self.row.status == Status::Withdrawn.as_str()
            && !events::ids_of(conn, "course.completed", &[self.row.id])?.is_empty();
        if back {
            self.row.status = Status::Active.as_str().to_owned();
            self.row.ended_at = None;
        }
        Ok(back)
    }
}
