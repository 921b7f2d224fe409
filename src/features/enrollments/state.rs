//! An enrollment with its facts: found, loaded, and stored with what followed from a change.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::dto::{EnrollmentBrief, Status};
pub(super) use super::loading::{blank, load_learner_as_of, load_many};
pub use super::loading::{load, load_all, load_learner, outline};
use super::store::{self, EnrollmentRow};
use super::{seats, settling};
use crate::clock;
use crate::db::Conn;
use crate::domain::facts::{ChosenBranch, Facts};
use crate::domain::learning::Changes;
use crate::domain::outline::{Compiled, ModuleIx};
use crate::domain::path::{self, Progress, Standing};
use crate::domain::permission::{Act, Relation};
use crate::error::{AppError, AppResult, Code};
use crate::events::NewEvent;
use crate::features::certificates;
use crate::features::competencies::Work;
use crate::features::users;
use crate::state::Ctx;

/// An enrollment with its outline and facts.
pub struct Loaded {
    /// The enrollment.
    pub row: EnrollmentRow,
    /// The outline that it is pinned to.
    pub outline: Arc<Compiled>,
    /// What is known of the learner.
    pub facts: Arc<Facts>,
    /// What graded work of this call proves; written with the rest.
    pub works: Vec<Work>,
    /// Graded work, by id and module, whose evidence this call takes back.
    pub withdrawn: Option<(Uuid, String)>,
    /// Whether this call corrects a grade: what it lowers takes back what was completed on it elsewhere.
    pub corrects: bool,
    /// Whether a completion that does not hold any more is taken back: when a grade was corrected.
    pub reopens: bool,
    /// When time alone next changes where the learner stands, as far as was known when this was loaded.
    pub turns_at: Option<DateTime<Utc>>,
}

/// How the actor stands to an enrollment; asks for the chain of managers only when nothing else allows the act.
fn authorize(conn: &mut Conn, ctx: &Ctx, row: &EnrollmentRow, act: Act) -> AppResult<()> {
    let mut relation =
        Relation { own: ctx.actor.user_id() == Some(row.user_id), course: Some(row.course_id), ..Relation::default() };
    if ctx.may(act, &relation) {
        return Ok(());
    }
    users::relate(conn, ctx, row.user_id, &mut relation)?;
    if !ctx.may(Act::ReadEnrollment, &relation) {
        // What a machine sees is a matter of its scopes alone, so it is told which one is missing.
        if ctx.actor.kind() == "client" {
            ctx.require(Act::ReadEnrollment, &relation)?;
        }
        return Err(AppError::not_found("enrollment"));
    }
    ctx.require(act, &relation)
}

/// Finds an enrollment that the actor may treat so; out of sight looks like not found.
///
/// # Errors
/// 404; 403 when it may be seen but not treated so.
pub fn find(conn: &mut Conn, ctx: &Ctx, id: Uuid, act: Act) -> AppResult<EnrollmentRow> {
    let row = store::find(conn, id)?.ok_or_else(|| AppError::not_found("enrollment"))?;
    authorize(conn, ctx, &row, act)?;
    Ok(lapsed(row, ctx))
}

/// An enrollment whose time is up is expired from that instant on, also before the sweep has written it down.
#[must_use]
pub fn lapsed(mut row: EnrollmentRow, ctx: &Ctx) -> EnrollmentRow {
    if let Some(at) = row.expires_at.filter(|at| *at <= ctx.now)
        && matches!(row.status.as_str(), "active" | "pending" | "waitlisted")
    {
        row.status = Status::Expired.as_str().to_owned();
        row.ended_at = Some(at);
        row.waitlist_seq = None;
    }
    row
}

/// As [`find`], locked until the transaction ends.
///
/// # Errors
/// As [`find`].
pub fn find_locked(conn: &mut Conn, ctx: &Ctx, id: Uuid, act: Act) -> AppResult<EnrollmentRow> {
    let row = store::find_locked(conn, id)?.ok_or_else(|| AppError::not_found("enrollment"))?;
    authorize(conn, ctx, &row, act)?;
    Ok(lapsed(row, ctx))
}

/// As [`find_locked`], by one of its attempts, which is to be read after this.
///
/// # Errors
/// As [`find_locked`]; 404 for an attempt that does not exist.
pub fn find_locked_of(conn: &mut Conn, ctx: &Ctx, attempt: Uuid, act: Act) -> AppResult<EnrollmentRow> {
    let missing = || AppError::not_found("attempt");
    let row = store::locked_of_attempt(conn, attempt)?.ok_or_else(missing)?;
    authorize(conn, ctx, &row, act).map_err(|error| error.when_missing(missing))?;
    Ok(lapsed(row, ctx))
}

/// The status of an enrollment in which nothing can be learned.
///
/// # Errors
/// As [`status`].
pub fn closed(row: &EnrollmentRow) -> AppResult<Option<&'static str>> {
    let status = status(row)?;
    Ok((!matches!(status, Status::Active | Status::Completed)).then(|| status.as_str()))
}

/// Refuses learning in an enrollment that is not, or not any more, open for it.
///
/// # Errors
/// 409.
pub fn require_learning(row: &EnrollmentRow, now: chrono::DateTime<chrono::Utc>) -> AppResult<()> {
    let over = row.expires_at.is_some_and(|at| at <= now);
    if matches!(row.status.as_str(), "active" | "completed") && !over {
        return Ok(());
    }
    let status = if over { "expired" } else { &row.status };
    Err(AppError::new(Code::WrongState, format!("The enrollment is {status}; learning needs an active one."))
        .with("enrollment_status", status))
}

/// What a change came to.
pub struct Outcome {
    /// Where the learner stands now.
    pub standing: Standing,
    /// The certificate that the enrollment holds, if the course is completed.
    pub certificate_id: Option<Uuid>,
}

impl Loaded {
    /// The facts, to change them.
    pub fn facts_mut(&mut self) -> &mut Facts {
        Arc::make_mut(&mut self.facts)
    }

    /// Where the learner stands.
    #[must_use]
    pub fn standing(&self, ctx: &Ctx) -> Standing {
        path::standing(&self.outline, &self.facts, ctx.now)
    }

    /// The position of a module.
    ///
    /// # Errors
    /// 404.
    pub fn ix(&self, key: &str) -> AppResult<ModuleIx> {
        self.outline.ix(key).ok_or_else(|| AppError::new(Code::NotFound, format!("The course has no module `{key}`.")))
    }

    /// The enrollment in short.
    ///
    /// # Errors
    /// Never, unless the database holds an unknown status.
    pub fn brief(&self) -> AppResult<EnrollmentBrief> {
        Ok(EnrollmentBrief { id: self.row.id, status: status(&self.row)?, progress: progress(&self.row) })
    }

    /// Stores what changed and all that follows from it, in this transaction: records, choices, progress, completion,
    /// certificate, events, freed seats.
    ///
    /// # Errors
    /// Database errors.
    pub fn save(
        &mut self,
        conn: &mut Conn,
        ctx: &Ctx,
        changes: &Changes,
        mut log: Vec<NewEvent>,
    ) -> AppResult<Outcome> {
        let before = self.row.status.clone();
        let records: Vec<_> = changes
            .records
            .iter()
            .filter_map(|ix| self.facts.record(*ix).map(|record| (self.outline.module(*ix).key.as_str(), record)))
            .collect();
        store::save_records(conn, self.row.id, &records)?;
        if !changes.unchosen.is_empty() {
            let branches: Vec<&str> = changes.unchosen.iter().map(|(_, branch)| branch.as_str()).collect();
            store::delete_choices(conn, self.row.id, &branches)?;
        }
        if !changes.chosen.is_empty() {
            let rows: Vec<_> =
                changes.chosen.iter().map(|c| (c.stage.clone(), c.branch.clone(), c.at, c.auto)).collect();
            store::insert_choices(conn, self.row.id, &rows)?;
        }
        // What only an attempt began that is gone was never begun.
        let forgets = self.withdrawn.is_some();
        let moved = self.prove(conn, ctx, changes, &mut log)?;
        let mut standing = self.standing(ctx);
        self.row.last_event_at = self.facts.last_event_at;
        self.row.started_at = {
            // Modules of an older revision that did not come along were begun all the same.
            let known = self.row.started_at.filter(|_| !forgets);
            [self.facts.started_at(), known].into_iter().flatten().min()
        };
        if self.reopens && !standing.complete {
            self.reopen(conn, ctx, &mut log)?;
            self.mark()?;
            standing = self.standing(ctx);
        } else if standing.complete && self.restore(conn)? {
            self.mark()?;
            standing = self.standing(ctx);
        }
        let completes = self.stand(ctx, &standing)?;
        store::set_turns(conn, self.sooner_turn(ctx).as_slice())?;
        if self.row.status != before {
            store::update(conn, &self.row)?;
        } else {
            store::update_progress(conn, &self.row)?;
        }
        self.tell(changes, &mut log);
        let completed = if completes { std::slice::from_ref(&self.row) } else { &[] };
        let (freed, made) = settling::complete(conn, ctx, completed, log)?;
        let issued = made.get(&self.row.id).copied();
        seats::promote_waiting(conn, ctx, &freed)?;
        self.keep();
        settling::refresh(conn, ctx, self.row.user_id, &moved, Some(self.row.id))?;
        let certificate_id = if issued.is_some() { issued } else { self.certificate(conn)? };
        Ok(Outcome { standing, certificate_id })
    }

    /// The certificate that the enrollment holds once it is completed, whichever call completed it: whoever lost the first answer
    /// and asks again, and whoever came second in a race, gets it all the same.
    ///
    /// # Errors
    /// Database errors.
    pub fn certificate(&self, conn: &mut Conn) -> AppResult<Option<Uuid>> {
        if self.row.status != Status::Completed.as_str() {
            return Ok(None);
        }
        certificates::valid_id_of(conn, self.row.id)
    }

    /// Raises the version and draws a new tag.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn touch(&mut self, ctx: &Ctx) -> AppResult<()> {
        self.row.version = self.row.version.saturating_add(1);
        self.row.facts_tag = clock::random_number()?;
        self.row.updated_at = ctx.now;
        Ok(())
    }

    /// An event about this enrollment.
    #[must_use]
    pub fn event(&self, kind: &'static str) -> NewEvent {
        NewEvent::new(kind, "enrollment", self.row.id).course(self.row.course_id).user(self.row.user_id)
    }

    fn tell(&self, changes: &Changes, log: &mut Vec<NewEvent>) {
        let module = |ix: &ModuleIx| json!({"module": self.outline.module(*ix).key});
        let done = |ix: &ModuleIx| {
            let mut data = module(ix);
            if let (Some(score), Value::Object(data)) = (self.facts.record(*ix).and_then(|r| r.score), &mut data) {
                data.insert("score_percent".into(), json!(score));
            }
            data
        };
        log.extend(changes.started.iter().map(|ix| self.event("module.started").data(module(ix))));
        log.extend(changes.completed.iter().map(|ix| self.event("module.completed").data(done(ix))));
        log.extend(changes.reopened.iter().map(|ix| self.event("module.reopened").data(module(ix))));
        let branch = |c: &ChosenBranch| json!({"stage": c.stage, "branch": c.branch, "auto": c.auto});
        log.extend(changes.chosen.iter().map(|c| self.event("branch.chosen").data(branch(c))));
    }
}

/// The status of an enrollment.
///
/// # Errors
/// Never, unless the database holds an unknown one.
pub fn status(row: &EnrollmentRow) -> AppResult<Status> {
    serde_json::from_value(Value::String(row.status.clone())).map_err(AppError::internal)
}

/// The progress of an enrollment as it is stored.
#[must_use]
pub fn progress(row: &EnrollmentRow) -> Progress {
    Progress { percent: row.percent, done_weight: row.done_weight, total_weight: row.total_weight }
}
