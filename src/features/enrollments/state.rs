//! The facts of a path: loaded with the enrollment, kept in memory by their tag, stored with what followed from a change.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::{Value, json};
use uuid::Uuid;

use super::dto::{EnrollmentBrief, Status};
use super::store::{self, EnrollmentRow};
use super::{seats, settling};
use crate::clock;
use crate::db::Conn;
use crate::domain::facts::{ChosenBranch, CourseFact, Facts, GroupFact, HeldCertificate, LearnerFacts};
use crate::domain::learning::Changes;
use crate::domain::outline::{Compiled, FactNeeds, ModuleIx};
use crate::domain::path::{self, Progress, Standing};
use crate::domain::permission::{Act, Relation};
use crate::error::{AppError, AppResult, Code};
use crate::events::NewEvent;
use crate::features::competencies::{self, Work};
use crate::features::{courses, games, users};
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
    load_many(conn, vec![row])?.pop().ok_or_else(|| AppError::internal("an enrollment that was not loaded"))
}

/// Loads outlines and facts of enrollments, in their order, by as many statements as for one.
///
/// # Errors
/// Database errors.
pub(super) fn load_many(conn: &mut Conn, rows: Vec<EnrollmentRow>) -> AppResult<Vec<Loaded>> {
    let mut all = Vec::with_capacity(rows.len());
    let mut unknown = Vec::new();
    let mut asking = BTreeSet::new();
    let mut needs = FactNeeds::default();
    for row in rows {
        let revision = row.revision_id.ok_or_else(|| AppError::internal("an enrollment without a revision"))?;
        let outline = outline(conn, revision)?;
        let facts = match FACTS.get(&row.id) {
            Some((tag, facts)) if tag == row.facts_tag => facts,
            _ => {
                unknown.push(all.len());
                Arc::new(begun(&row, &outline))
            }
        };
        if outline.needs.beyond_enrollment() {
            asking.insert(row.user_id);
            needs.extend(&outline.needs);
        }
        all.push(Loaded { row, outline, facts, works: Vec::new(), withdrawn: None, reopens: false });
    }
    load_facts(conn, &mut all, &unknown)?;
    if needs.beyond_enrollment() {
        // What lies outside of the enrollment may have changed without its tag, so it is read every time.
        let learners = load_learners(conn, &asking.into_iter().collect::<Vec<_>>(), &needs)?;
        for loaded in all.iter_mut().filter(|loaded| loaded.outline.needs.beyond_enrollment()) {
            let learner = learners.get(&loaded.row.user_id).cloned().unwrap_or_default();
            loaded.facts_mut().learner = learner;
        }
    }
    for loaded in &mut all {
        if let Some(status) = closed(&loaded.row)? {
            loaded.facts_mut().closed = Some(status);
        }
    }
    Ok(all)
}

/// The status of an enrollment in which nothing can be learned.
///
/// # Errors
/// As [`status`].
pub fn closed(row: &EnrollmentRow) -> AppResult<Option<&'static str>> {
    let status = status(row)?;
    Ok((!matches!(status, Status::Active | Status::Completed)).then(|| status.as_str()))
}

/// The facts of an enrollment in which nothing has happened.
fn begun(row: &EnrollmentRow, outline: &Compiled) -> Facts {
    let mut facts = Facts::new(row.enrolled_at, outline.module_count());
    facts.cohort_start_at = row.cohort_start_at;
    facts.last_event_at = row.last_event_at;
    facts
}

/// Adds what happened in the enrollments at these positions, and remembers it.
fn load_facts(conn: &mut Conn, all: &mut [Loaded], unknown: &[usize]) -> AppResult<()> {
    if unknown.is_empty() {
        return Ok(());
    }
    let chooses = |outline: &Compiled| {
        outline.stages.iter().any(|stage| matches!(stage.shape, crate::domain::outline::StageShape::Choice { .. }))
    };
    let mut at: HashMap<Uuid, usize> = HashMap::new();
    let mut choosing = Vec::new();
    for n in unknown {
        let Some(loaded) = all.get(*n) else { continue };
        at.insert(loaded.row.id, *n);
        if chooses(&loaded.outline) {
            choosing.push(loaded.row.id);
        }
    }
    let ids: Vec<Uuid> = at.keys().copied().collect();
    for (enrollment, key, data) in store::records(conn, &ids)? {
        let Some(loaded) = at.get(&enrollment).and_then(|n| all.get_mut(*n)) else { continue };
        let outline = Arc::clone(&loaded.outline);
        if let Some(slot) = outline.ix(&key).and_then(|ix| loaded.facts_mut().records.get_mut(ix)) {
            *slot = Some(Arc::new(serde_json::from_str(&data).map_err(AppError::internal)?));
        }
    }
    if !choosing.is_empty() {
        for (enrollment, (stage, branch, chosen_at, auto)) in store::choices(conn, &choosing)? {
            if let Some(loaded) = at.get(&enrollment).and_then(|n| all.get_mut(*n)) {
                loaded.facts_mut().choices.push(ChosenBranch { stage, branch, at: chosen_at, auto });
            }
        }
    }
    for loaded in unknown.iter().filter_map(|n| all.get(*n)) {
        loaded.keep();
    }
    Ok(())
}

/// Loads what conditions ask about a learner.
///
/// # Errors
/// Database errors.
pub fn load_learner(conn: &mut Conn, user: Uuid, needs: &FactNeeds) -> AppResult<Arc<LearnerFacts>> {
    Ok(load_learners(conn, &[user], needs)?.remove(&user).unwrap_or_default())
}

/// Loads what conditions ask about learners, by as many statements as for one.
fn load_learners(conn: &mut Conn, users: &[Uuid], needs: &FactNeeds) -> AppResult<HashMap<Uuid, Arc<LearnerFacts>>> {
    let mut all: HashMap<Uuid, LearnerFacts> = users.iter().map(|id| (*id, LearnerFacts::default())).collect();
    if needs.attributes {
        for (user, attributes) in store::attributes(conn, users)? {
            if let (Some(learner), Value::Object(attributes)) = (all.get_mut(&user), attributes) {
                learner.attributes = attributes;
            }
        }
    }
    if !needs.certificates.is_empty() {
        for (user, course, issued_at, expires_at, revoked) in store::certificates_of(conn, users, &needs.certificates)?
        {
            let held = HeldCertificate { course, issued_at, expires_at, revoked: revoked.is_some() };
            all.entry(user).or_default().certificates.push(held);
        }
    }
    if !needs.courses.is_empty() {
        for (user, course, status) in store::courses_of(conn, users, &needs.courses)? {
            all.entry(user).or_default().courses.push(CourseFact { course, completed: status == "completed" });
        }
    }
    if !needs.groups.is_empty() {
        let mut existing = BTreeSet::new();
        let mut members = HashSet::new();
        for (group, member) in store::groups_of(conn, users, &needs.groups)? {
            existing.insert(group);
            members.extend(member.map(|user| (group, user)));
        }
        for (user, learner) in &mut all {
            let fact = |group: &Uuid| GroupFact { group: *group, member: members.contains(&(*group, *user)) };
            learner.groups = existing.iter().map(fact).collect();
        }
    }
    games::add_facts(conn, needs, &mut all)?;
    competencies::add_facts(conn, needs, &mut all)?;
    Ok(all.into_iter().map(|(user, learner)| (user, Arc::new(learner))).collect())
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
        self.row.last_event_at = self.facts.last_event_at;
        if self.row.started_at.is_none() && !changes.started.is_empty() {
            self.row.started_at = Some(ctx.now);
        }
        if self.reopens && !standing.complete {
            self.reopen(conn, ctx, &mut log)?;
        }
        let completes = self.stand(ctx, &standing)?;
        if self.row.status != before {
            store::update(conn, &self.row)?;
        } else {
            store::update_progress(conn, &self.row)?;
        }
        self.tell(changes, &mut log);
        let completed = if completes { std::slice::from_ref(&self.row) } else { &[] };
        let (freed, certificates) = settling::complete(conn, ctx, completed, log)?;
        let certificate_id = certificates.get(&self.row.id).copied();
        seats::promote_waiting(conn, ctx, &freed)?;
        self.keep();
        settling::refresh(conn, ctx, self.row.user_id, &proved, Some(self.row.id))?;
        Ok(Outcome { standing, certificate_id })
    }

    /// Remembers the facts by the row's tag, for whoever loads the enrollment next.
    pub(super) fn keep(&self) {
        FACTS.insert(self.row.id, (self.row.facts_tag, Arc::clone(&self.facts)));
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
