//! Loading enrollments: outlines and facts, kept in memory by what tells that they are current.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, Utc};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::Value;
use uuid::Uuid;

use super::dto::Status;
use super::state::{Loaded, closed};
use super::store::{self, EnrollmentRow};
use crate::db::Conn;
use crate::domain::facts::{ChosenBranch, CourseFact, Facts, GroupFact, HeldCertificate, LearnerFacts};
use crate::domain::outline::{Compiled, FactNeeds, StageShape};
use crate::domain::path;
use crate::error::{AppError, AppResult};
use crate::features::{competencies, courses, games};

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

/// Finds enrollments that have begun and loads them, by as many statements as for one.
///
/// # Errors
/// Database errors.
pub fn load_all(conn: &mut Conn, ids: &[Uuid]) -> AppResult<Vec<Loaded>> {
    let rows = if ids.is_empty() { Vec::new() } else { store::find_many(conn, ids)? };
    load_many(conn, rows)
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
        all.push(Loaded::new(row, outline, facts));
    }
    load_facts(conn, &mut all, &unknown)?;
    if needs.beyond_enrollment() {
        // What lies outside of the enrollment may have changed without its tag, so it is read every time.
        let learners = load_learners(conn, &asking.into_iter().collect::<Vec<_>>(), &needs, None)?;
        for loaded in all.iter_mut().filter(|loaded| loaded.outline.needs.beyond_enrollment()) {
            let learner = learners.get(&loaded.row.user_id).cloned().unwrap_or_default();
            loaded.facts_mut().learner = learner;
        }
    }
    for loaded in &mut all {
        loaded.mark()?;
        if loaded.row.status == Status::Active.as_str() {
            loaded.turns_at = path::turns_at(&loaded.outline, &loaded.facts, loaded.row.updated_at);
        }
    }
    Ok(all)
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
    let chooses =
        |outline: &Compiled| outline.stages.iter().any(|stage| matches!(stage.shape, StageShape::Choice { .. }));
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
    Ok(load_learners(conn, &[user], needs, None)?.remove(&user).unwrap_or_default())
}

/// Loads what conditions ask about a learner as it was at a past instant: mastery, courses and certificates. Of profile attributes,
/// groups, badges and points no history is kept in a form that could be asked, so they are as they are now.
///
/// # Errors
/// Database errors.
pub(super) fn load_learner_as_of(
    conn: &mut Conn,
    user: Uuid,
    needs: &FactNeeds,
    as_of: DateTime<Utc>,
) -> AppResult<Arc<LearnerFacts>> {
    let mut learner = load_learners(conn, &[user], needs, Some(as_of))?.remove(&user).unwrap_or_default();
    if !learner.competencies.is_empty() {
        competencies::as_of(conn, user, Arc::make_mut(&mut learner), as_of)?;
    }
    Ok(learner)
}

/// Loads what conditions ask about learners, by as many statements as for one.
fn load_learners(
    conn: &mut Conn,
    users: &[Uuid],
    needs: &FactNeeds,
    as_of: Option<DateTime<Utc>>,
) -> AppResult<HashMap<Uuid, Arc<LearnerFacts>>> {
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
            if as_of.is_some_and(|as_of| issued_at > as_of) {
                continue;
            }
            let revoked = revoked.is_some_and(|at| as_of.is_none_or(|as_of| at <= as_of));
            let held = HeldCertificate { course, issued_at, expires_at, revoked };
            all.entry(user).or_default().certificates.push(held);
        }
    }
    if !needs.courses.is_empty() {
        for (user, course, completed) in store::courses_of(conn, users, &needs.courses, as_of)? {
            all.entry(user).or_default().courses.push(CourseFact { course, completed });
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

/// An enrollment of whose facts nothing is known yet.
///
/// # Errors
/// Database errors.
pub(super) fn blank(conn: &mut Conn, row: EnrollmentRow) -> AppResult<Loaded> {
    let revision = row.revision_id.ok_or_else(|| AppError::internal("an enrollment without a revision"))?;
    let outline = outline(conn, revision)?;
    let facts = Arc::new(begun(&row, &outline));
    Ok(Loaded::new(row, outline, facts))
}

impl Loaded {
    /// An enrollment of which this call has changed nothing yet.
    fn new(row: EnrollmentRow, outline: Arc<Compiled>, facts: Arc<Facts>) -> Self {
        Self {
            row,
            outline,
            facts,
            works: Vec::new(),
            withdrawn: None,
            corrects: false,
            reopens: false,
            turns_at: None,
        }
    }

    /// Lets the facts know what the enrollment's status means for the path.
    pub(super) fn mark(&mut self) -> AppResult<()> {
        let (closed, achieved) = (closed(&self.row)?, self.row.status == Status::Completed.as_str());
        if (self.facts.closed, self.facts.achieved) != (closed, achieved) {
            let facts = self.facts_mut();
            (facts.closed, facts.achieved) = (closed, achieved);
        }
        Ok(())
    }

    /// Remembers the facts by the row's tag, for whoever loads the enrollment next.
    pub(super) fn keep(&self) {
        FACTS.insert(self.row.id, (self.row.facts_tag, Arc::clone(&self.facts)));
    }
}
