//! Mastery, reckoned from evidence in the same transaction.
//!
//! What was submitted first counts first, whenever it was graded: the value is reckoned from all evidence each time. Parents
//! that roll up are reckoned after their children, up to the top of the tree.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::Competency;
use crate::db::{Conn, lock_mastery};
use crate::domain::mastery::book::Book;
use crate::domain::mastery::proof::{Proof, Turn, turn};
use crate::domain::mastery::{Evidence, level_of, reaches};
use crate::error::AppResult;
use crate::events::{self, NewEvent};
use crate::features::competencies::store::evidence::{EvidenceRow, MasteryRow, Reckonable};
use crate::features::competencies::store::{self};
use crate::features::enrollments;
use crate::jobs::queue;
use crate::state::{Ctx, State};

/// The job that reckons everybody's mastery of a competency again.
pub const JOB: &str = "reckon_competency";
/// People whom one transaction reckons.
const PIECE: usize = 100;
/// People who are looked up at once.
const PEOPLE: i64 = 5000;

/// A piece of work that proves something.
#[derive(Debug, Clone)]
pub struct Work {
    /// `attempt`, `module` or `person`.
    pub kind: &'static str,
    /// The attempt, the enrollment, or who judged.
    pub id: Uuid,
    /// The course.
    pub course: Option<Uuid>,
    /// The enrollment.
    pub enrollment: Option<Uuid>,
    /// Key of the module.
    pub module: Option<String>,
    /// When it was submitted.
    pub at: DateTime<Utc>,
    /// What it proves.
    pub proofs: Vec<Proof>,
    /// What a person said.
    pub note: Option<String>,
}

/// What became of a person's mastery.
#[derive(Debug, Default)]
pub struct Reckoned {
    /// New values of those that changed.
    pub changed: HashMap<Uuid, Option<f64>>,
    /// Those of them whose value fell.
    pub fallen: Vec<Uuid>,
    /// What is to be told.
    pub events: Vec<NewEvent>,
    /// The evidence that was written for it.
    pub written: Vec<Uuid>,
}

/// Why mastery is reckoned again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// There is more to go by, or settings changed: what was mastered until then was mastered.
    New,
    /// What was gone by is corrected or taken back: what is not mastered any more is as if it had never been.
    Corrected,
}

/// Writes what pieces of work prove and reckons mastery again.
///
/// # Errors
/// Database errors.
pub fn prove(conn: &mut Conn, ctx: &Ctx, user: Uuid, works: &[Work], why: Why) -> AppResult<Reckoned> {
    let touched: Vec<Uuid> = works
        .iter()
        .flat_map(|work| &work.proofs)
        .map(|proof| proof.competency)
        .collect::<HashSet<_>>()
        .into_iter()
        .collect();
    if touched.is_empty() {
        return Ok(Reckoned::default());
    }
    lock_mastery(conn, user)?;
    // A course may name what was deleted since it was published.
    let known = store::evidence::to_reckon(conn, user, &touched)?;
    let exists: HashSet<Uuid> = known.iter().map(|(row, ..)| row.id).collect();
    let mut rows = Vec::new();
    for work in works {
        for proof in work.proofs.iter().filter(|proof| exists.contains(&proof.competency)) {
            rows.push(EvidenceRow {
                id: ctx.new_id(),
                user_id: user,
                competency_id: proof.competency,
                score: proof.score,
                weight: proof.weight,
                at: work.at,
                source_kind: work.kind.to_owned(),
                source_id: work.id,
                course_id: work.course,
                enrollment_id: work.enrollment,
                module_key: work.module.clone(),
                note: work.note.clone(),
                made_by: ctx.actor.id().filter(|_| work.kind == "person"),
                recorded_at: ctx.now,
            });
        }
    }
    if rows.is_empty() {
        return Ok(Reckoned::default());
    }
    store::evidence::save(conn, &rows)?;
    let written = rows.iter().map(|row| row.id).collect();
    Ok(Reckoned { written, ..reckon(conn, ctx, user, known, why)? })
}

/// Takes back what a piece of work said and reckons mastery again.
///
/// # Errors
/// Database errors.
pub fn withdraw(conn: &mut Conn, ctx: &Ctx, user: Uuid, source: Uuid, module: &str) -> AppResult<Reckoned> {
    let touched = store::evidence::competencies_of_source(conn, source, module)?;
    if touched.is_empty() {
        return Ok(Reckoned::default());
    }
    lock_mastery(conn, user)?;
    store::evidence::delete_source(conn, source, module)?;
    let known = store::evidence::to_reckon(conn, user, &touched)?;
    reckon(conn, ctx, user, known, Why::Corrected)
}

/// Competencies of a person as they are stored.
struct Kept {
    all: BTreeMap<Uuid, Competency>,
    before: HashMap<Uuid, MasteryRow>,
    marked: HashSet<Uuid>,
    book: Book,
}

impl Kept {
    fn keep(&mut self, (row, mastery, marked): Reckonable) -> AppResult<()> {
        let competency = Competency::read(row)?;
        let id = competency.row.id;
        if marked {
            self.marked.insert(id);
        }
        self.book.add(competency.entry(), mastery.as_ref().and_then(|row| row.value));
        self.before.extend(mastery.map(|row| (id, row)));
        self.all.entry(id).or_insert(competency);
        Ok(())
    }
}

/// These competencies with their evidence, all above them, and all that those which roll up do so from.
fn load(conn: &mut Conn, user: Uuid, known: Vec<Reckonable>) -> AppResult<Kept> {
    let (all, before, marked) = (BTreeMap::new(), HashMap::new(), HashSet::new());
    let mut kept = Kept { all, before, marked, book: Book::default() };
    let touched: Vec<Uuid> = known.iter().map(|(row, ..)| row.id).collect();
    let in_tree = known.iter().any(|(row, ..)| row.parent_id.is_some());
    for pair in known {
        kept.keep(pair)?;
    }
    if in_tree {
        for pair in store::evidence::above_to_reckon(conn, user, &touched)? {
            kept.keep(pair)?;
        }
    }
    let parents: Vec<Uuid> = kept.all.values().filter(|c| c.rollup.is_some()).map(|c| c.row.id).collect();
    if !parents.is_empty() {
        for (row, mastery) in store::evidence::children_with_mastery(conn, user, &parents)? {
            // Those that are reckoned are known already, with their marks.
            kept.keep((row, mastery, false))?;
        }
    }
    for (id, competency, score, weight, at) in store::evidence::of(conn, user, &touched)? {
        kept.book.note(competency, Evidence { id, score, weight, at });
    }
    Ok(kept)
}

/// A person's book of these competencies, to reckon with before anything is written.
///
/// # Errors
/// Database errors.
pub fn book(conn: &mut Conn, user: Uuid, list: &[Uuid]) -> AppResult<Book> {
    let known = store::evidence::to_reckon(conn, user, list)?;
    Ok(load(conn, user, known)?.book)
}

/// Reckons a person's mastery of these competencies, and of those above that roll up.
pub(super) fn reckon(conn: &mut Conn, ctx: &Ctx, user: Uuid, known: Vec<Reckonable>, why: Why) -> AppResult<Reckoned> {
    let touched: Vec<Uuid> = known.iter().map(|(row, ..)| row.id).collect();
    let mut kept = load(conn, user, known)?;
    let reckoned = kept.book.reckon(&touched);
    settle(conn, ctx, user, &kept, &reckoned, why)
}

/// Writes what changed, and says what is to be told of it.
fn settle(conn: &mut Conn, ctx: &Ctx, user: Uuid, kept: &Kept, reckoned: &[Uuid], why: Why) -> AppResult<Reckoned> {
    let mut done = Reckoned::default();
    let mut rows = Vec::new();
    let mut risen: Vec<Uuid> = Vec::new();
    for id in reckoned {
        let Some(competency) = kept.all.get(id) else { continue };
        let old = kept.before.get(id);
        let (was, is) = (old.and_then(|row| row.value), kept.book.value(*id));
        let level = level_of(is, &competency.levels).map(|level| level.name.clone());
        let count = match kept.book.evidence(*id) {
            [] if competency.rollup.is_some() => old.map_or(0, |row| row.evidence_count),
            own => i32::try_from(own.len()).unwrap_or(i32::MAX),
        };
        let mastered_before = old.is_some_and(|row| row.mastered_at.is_some());
        let turn = turn(mastered_before, is, competency.row.mastered_at_least);
        let mastered_at = match turn {
            Turn::Mastered => Some(ctx.now),
            Turn::Lost => None,
            Turn::Neither => old.and_then(|row| row.mastered_at),
        };
        let row = MasteryRow {
            user_id: user,
            competency_id: *id,
            value: is,
            level: level.clone(),
            evidence_count: count,
            mastered_at,
            updated_at: ctx.now,
        };
        let same = old.is_some_and(|old| MasteryRow { updated_at: old.updated_at, ..row.clone() } == *old);
        if same || (old.is_none() && is.is_none() && count == 0) {
            continue;
        }
        rows.push(row);
        if was != is {
            done.changed.insert(*id, is);
        }
        if is < was {
            done.fallen.push(*id);
        }
        if is > was && kept.marked.contains(id) {
            risen.push(*id);
        }
        let kind = match turn {
            Turn::Mastered => "competency.mastered",
            Turn::Lost => "competency.lost",
            Turn::Neither => continue,
        };
        let data =
            json!({"competency_id": id, "key": competency.row.key, "mastery": is, "before": was, "level": level});
        done.events.push(NewEvent::new(kind, "competency", *id).user(user).data(data));
    }
    store::evidence::save_mastery(conn, &rows)?;
    if why == Why::Corrected {
        undo_mastered(conn, user, &mut done.events)?;
    }
    if !risen.is_empty() {
        caught_up(conn, user, &risen, &kept.book)?;
    }
    Ok(done)
}

/// Lets what is lost undo the event that told of its mastery, for those who went by it.
fn undo_mastered(conn: &mut Conn, user: Uuid, events: &mut [NewEvent]) -> AppResult<()> {
    let lost = |event: &NewEvent| event.kind == "competency.lost";
    if !events.iter().any(lost) {
        return Ok(());
    }
    let told = events::of_kinds(conn, &["competency.mastered"], Some(&[user]), 0, i64::MAX, i64::MAX)?;
    let newest: HashMap<Uuid, Uuid> = told.into_iter().map(|event| (event.subject_id, event.id)).collect();
    for event in events.iter_mut().filter(|event| lost(event)) {
        if let (Some(id), Some(data)) = (newest.get(&event.subject_id), event.data.as_object_mut()) {
            data.insert("undoes".into(), json!([id]));
        }
    }
    Ok(())
}

/// Who caught up may be told to be behind again.
fn caught_up(conn: &mut Conn, user: Uuid, risen: &[Uuid], book: &Book) -> AppResult<()> {
    let reached: Vec<Uuid> = store::targets::marked(conn, user, risen)?
        .into_iter()
        .filter(|(_, competency, at_least)| book.value(*competency).is_some_and(|value| reaches(value, *at_least)))
        .map(|(target, ..)| target)
        .collect();
    if reached.is_empty() { Ok(()) } else { store::targets::unmark(conn, user, &reached) }
}

/// Tells of a reckoning outside of an enrollment, and brings the person's enrollments along that ask about it. What evidence taken
/// back lowers is no longer what a completion may rest on; evidence that is new leaves completions as they are.
pub(super) fn tell(
    conn: &mut Conn,
    ctx: &Ctx,
    user: Uuid,
    reckoned: Reckoned,
    corrects: bool,
    mut log: Vec<NewEvent>,
) -> AppResult<()> {
    log.extend(reckoned.events);
    events::append(conn, ctx, log)?;
    let refuted = if corrects { reckoned.fallen } else { Vec::new() };
    let moved = enrollments::Moved { changed: reckoned.changed.into_keys().collect(), refuted };
    enrollments::refresh(conn, ctx, user, &moved, None)
}

/// Asks the worker to reckon everybody's mastery of these competencies of one framework again, after they or what stands below them
/// changed.
pub(super) fn enqueue(conn: &mut Conn, ctx: &Ctx, competencies: &[Uuid]) -> AppResult<()> {
    if competencies.is_empty() {
        return Ok(());
    }
    // No key: a job that runs already may have passed those whom the newest change moves.
    queue::enqueue(conn, JOB, None, json!({"competencies": competencies}), ctx.now, ctx.now)
}

/// Reckons everybody's mastery of some competencies again, a piece at a time; run by the worker after their settings or their tree
/// changed.
///
/// # Errors
/// Database errors.
pub fn reckon_all(state: &State, payload: &serde_json::Value) -> AppResult<()> {
    let id = |value: &serde_json::Value| value.as_str().and_then(|text| Uuid::try_parse(text).ok());
    let named = payload.get("competencies").and_then(|list| list.as_array());
    // One that waits since before an upgrade names a single competency.
    let single = payload.get("competency_id");
    let list: Arc<[Uuid]> = named.into_iter().flatten().chain(single).filter_map(id).collect();
    let mut after = None;
    while !list.is_empty() {
        let (these, from) = (Arc::clone(&list), after);
        let people = state.db.read_here(move |conn| store::evidence::people_about(conn, &these, from, PEOPLE))?;
        let Some(last) = people.last().copied() else { break };
        for piece in people.chunks(PIECE) {
            let (piece, these, ctx) = (piece.to_vec(), Arc::clone(&list), state.system());
            state.db.write_here(move |conn| reckon_people(conn, &ctx, &piece, &these))?;
        }
        after = Some(last);
    }
    Ok(())
}

/// Reckons what these people have to do with of these competencies.
fn reckon_people(conn: &mut Conn, ctx: &Ctx, people: &[Uuid], list: &[Uuid]) -> AppResult<()> {
    let list: HashSet<Uuid> = list.iter().copied().collect();
    let mut of: BTreeMap<Uuid, BTreeSet<Uuid>> = BTreeMap::new();
    for (user, competency, parent) in store::evidence::places(conn, people)? {
        // Of whom only what is below is known, the parent is reckoned too.
        let touched = [Some(competency), parent].into_iter().flatten().filter(|id| list.contains(id));
        of.entry(user).or_default().extend(touched);
    }
    // One person after the other: each has its own evidence, tree and enrollments.
    for (user, touched) in of.into_iter().filter(|(_, touched)| !touched.is_empty()) {
        let touched: Vec<Uuid> = touched.into_iter().collect();
        lock_mastery(conn, user)?;
        let known = store::evidence::to_reckon(conn, user, &touched)?;
        let reckoned = reckon(conn, ctx, user, known, Why::New)?;
        tell(conn, ctx, user, reckoned, false, Vec::new())?;
    }
    Ok(())
}
