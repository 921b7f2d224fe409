//! The facts of a path: loaded with the enrollment, kept in memory by their tag, stored with what followed from a change.

use std::sync::{Arc, LazyLock};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::{Value, json};
use uuid::Uuid;

use super::dto::{EnrollmentBrief, Status};
use super::proving;
use super::store::{self, EnrollmentRow};
use crate::clock;
use crate::db::Conn;
use crate::domain::facts::{ChosenBranch, CourseFact, Facts, GroupFact, HeldCertificate, LearnerFacts};
use crate::domain::learning::Changes;
use crate::domain::outline::{Compiled, ModuleIx};
use crate::domain::path::{self, Progress, Standing};
use crate::domain::permission::{Act, Relation};
use crate::error::{AppError, AppResult, Code};
use crate::events::{self, NewEvent};
use crate::features::competencies::{self, Work};
use crate::features::{certificates, courses, games, users};
use crate::state::Ctx;

/// Outlines by revision. A revision never changes, so there is nothing to invalidate.
static OUTLINES: LazyLock<Cache<Uuid, Arc<Compiled>>> = LazyLock::new(|| Cache::new(256));

/// Facts by enrollment, with the tag that the enrollment had. Every change writes a new random tag in its transaction, so facts
/// of a transaction that was rolled back, or of before another process's change, are recognised and not used.
static FACTS: LazyLock<Cache<Uuid, (i64, Arc<Facts>), BySize>> =
    LazyLock::new(|| Cache::with_weighter(2_000, 24 << 20, BySize));

#[derive(Clone)]
struct BySize;

impl Weighter<Uuid, (i64, Arc<Facts>)> for BySize {
    fn weight(&self, _: &Uuid, (_, facts): &(i64, Arc<Facts>)) -> u64 {
        let used = facts.records.iter().flatten().count();
        u64::try_from(256 + facts.records.len() * 8 + used * 320 + facts.choices.len() * 96).unwrap_or(u64::MAX)
    }
}

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
    /// Whether a completion that does not hold any more is taken back: when a grade was corrected.
    pub reopens: bool,
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

/// The outline of a revision.
///
/// # Errors
/// Database errors.
pub fn outline(conn: &mut Conn, revision: Uuid) -> AppResult<Arc<Compiled>> {
    if let Some(known) = OUTLINES.get(&revision) {
        return Ok(known);
    }
    let compiled = Arc::new(courses::compile_revision(conn, revision)?);
    OUTLINES.insert(revision, Arc::clone(&compiled));
    Ok(compiled)
}

/// Loads outline and facts of an enrollment.
///
/// # Errors
/// Database errors.
pub fn load(conn: &mut Conn, row: EnrollmentRow) -> AppResult<Loaded> {
    let revision = row.revision_id.ok_or_else(|| AppError::internal("an enrollment without a revision"))?;
    let outline = outline(conn, revision)?;
    let mut facts = match FACTS.get(&row.id) {
        Some((tag, facts)) if tag == row.facts_tag => facts,
        _ => {
            let facts = Arc::new(load_facts(conn, &row, &outline)?);
            FACTS.insert(row.id, (row.facts_tag, Arc::clone(&facts)));
            facts
        }
    };
    let needs = &outline.needs;
    if needs.beyond_enrollment() {
        // What lies outside of the enrollment may have changed without its tag, so it is read every time.
        let learner = load_learner(conn, row.user_id, &outline)?;
        Arc::make_mut(&mut facts).learner = Arc::new(learner);
    }
    if let Some(status) = closed(&row)? {
        Arc::make_mut(&mut facts).closed = Some(status);
    }
    Ok(Loaded { row, outline, facts, works: Vec::new(), withdrawn: None, reopens: false })
}

/// The status of an enrollment in which nothing can be learned.
///
/// # Errors
/// As [`status`].
pub fn closed(row: &EnrollmentRow) -> AppResult<Option<&'static str>> {
    let status = status(row)?;
    Ok((!matches!(status, Status::Active | Status::Completed)).then(|| status.as_str()))
}

fn load_facts(conn: &mut Conn, row: &EnrollmentRow, outline: &Compiled) -> AppResult<Facts> {
    let mut facts = Facts::new(row.enrolled_at, outline.module_count());
    facts.cohort_start_at = row.cohort_start_at;
    facts.last_event_at = row.last_event_at;
    for (key, data) in store::records(conn, row.id)? {
        if let Some(slot) = outline.ix(&key).and_then(|ix| facts.records.get_mut(ix)) {
            *slot = Some(Arc::new(serde_json::from_str(&data).map_err(AppError::internal)?));
        }
    }
    if outline.stages.iter().any(|stage| matches!(stage.shape, crate::domain::outline::StageShape::Choice { .. })) {
        facts.choices = store::choices(conn, row.id)?
            .into_iter()
            .map(|(stage, branch, at, auto)| ChosenBranch { stage, branch, at, auto })
            .collect();
    }
    Ok(facts)
}

/// Loads what the outline's conditions ask about the learner.
///
/// # Errors
/// Database errors.
pub fn load_learner(conn: &mut Conn, user: Uuid, outline: &Compiled) -> AppResult<LearnerFacts> {
    let needs = &outline.needs;
    let mut learner = LearnerFacts::default();
    if needs.attributes
        && let Value::Object(attributes) = store::attributes(conn, user)?
    {
        learner.attributes = attributes;
    }
    if !needs.certificates.is_empty() {
        learner.certificates = store::certificates_of(conn, user, &needs.certificates)?
            .into_iter()
            .map(|(course, issued_at, expires_at, revoked)| HeldCertificate {
                course,
                issued_at,
                expires_at,
                revoked: revoked.is_some(),
            })
            .collect();
    }
    if !needs.courses.is_empty() {
        learner.courses = store::courses_of(conn, user, &needs.courses)?
            .into_iter()
            .map(|(course, status)| CourseFact { course, completed: status == "completed" })
            .collect();
    }
    games::load_facts(conn, user, needs, &mut learner)?;
    competencies::load_facts(conn, user, needs, &mut learner)?;
    if !needs.groups.is_empty() {
        learner.groups = store::groups_of(conn, user, &needs.groups)?
            .into_iter()
            .map(|(group, membership)| GroupFact { group, member: membership > 0 })
            .collect();
    }
    Ok(learner)
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
    /// The certificate, if this completed the course.
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
        let proved = self.prove(conn, ctx, changes, &mut log)?;
        let standing = self.standing(ctx);
        let mut certificate_id = None;
        self.row.percent = standing.progress.percent;
        self.row.done_weight = standing.progress.done_weight;
        self.row.total_weight = standing.progress.total_weight;
        self.row.last_event_at = self.facts.last_event_at;
        if self.row.started_at.is_none() && !changes.started.is_empty() {
            self.row.started_at = Some(ctx.now);
        }
        let completes = standing.complete && self.row.status == Status::Active.as_str();
        if self.reopens && !standing.complete {
            self.reopen(conn, ctx, &mut log)?;
        }
        if completes {
            self.row.status = Status::Completed.as_str().to_owned();
            self.row.completed_at = Some(ctx.now);
        }
        self.touch(ctx)?;
        if self.row.status != before {
            store::update(conn, &self.row)?;
        } else {
            store::update_progress(conn, &self.row)?;
        }
        self.tell(changes, &mut log);
        if completes {
            log.push(
                self.event("course.completed")
                    .data(json!({"enrollment_id": self.row.id, "generation": self.row.generation})),
            );
            let (id, issued) = certificates::issue_on_completion(conn, ctx, &self.row)?;
            certificate_id = id;
            log.extend(issued);
        }
        events::append(conn, ctx, log)?;
        if completes {
            super::mass::promote_waiting(conn, ctx, self.row.course_id)?;
        }
        FACTS.insert(self.row.id, (self.row.facts_tag, Arc::clone(&self.facts)));
        proving::refresh(conn, ctx, self.row.user_id, &proved, Some(self.row.id))?;
        Ok(Outcome { standing, certificate_id })
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
