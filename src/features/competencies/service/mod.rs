//! Use cases about competencies.

pub mod behind;
pub mod competencies;
pub mod drafts;
pub mod evidence;
pub mod frameworks;
pub mod goals;
pub mod importing;
pub mod matrix;
pub mod practice;
pub mod reading;
pub mod reckoning;
pub mod targets;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::store::competencies::{CompetencyRow, NodeRow};
use super::store::{self};
use crate::db::Conn;
use crate::domain::facts::{CompetencyFact, LearnerFacts};
use crate::domain::mastery::behind::Due;
use crate::domain::mastery::book::{Book, Entry, Rule};
use crate::domain::mastery::reach::{Node, Reach, Tree};
use crate::domain::mastery::rollup::Rollup;
use crate::domain::mastery::{Evidence, Level, Method, Params};
use crate::domain::outline::{Compiled, FactNeeds};
use crate::domain::permission::{Act, Relation};
use crate::domain::simulate::KnownCompetency;
use crate::error::{AppError, AppResult};
use crate::features::{courses, users};
use crate::http::Ref;
use crate::state::Ctx;

fn json<T: serde::de::DeserializeOwned>(text: &str) -> AppResult<T> {
    serde_json::from_str(text).map_err(AppError::internal)
}

fn text(value: &impl serde::Serialize) -> AppResult<String> {
    serde_json::to_string(value).map_err(AppError::internal)
}

/// A competency, read.
struct Competency {
    row: CompetencyRow,
    method: Method,
    params: Params,
    levels: Vec<Level>,
    rollup: Option<Rollup>,
}

impl Competency {
    fn read(row: CompetencyRow) -> AppResult<Self> {
        let params: Params = json(&row.params)?;
        let method = Method::new(&row.method, &params)
            .map_err(|_| AppError::internal(format_args!("competency {} has no valid method", row.id)))?;
        Ok(Self {
            method,
            params,
            levels: json(&row.levels)?,
            rollup: row.rollup.as_deref().map(json).transpose()?,
            row,
        })
    }
}

impl CompetencyRow {
    /// Where it stands in its tree.
    fn node(&self) -> AppResult<Node> {
        Ok(Node {
            id: self.id,
            parent: self.parent_id,
            rollup: self.rollup.as_deref().map(json).transpose()?,
            retired: self.retired_at.is_some(),
            required: self.required,
            points: self.points,
            at_least: self.mastered_at_least,
        })
    }
}

impl Competency {
    /// As a book has it.
    fn entry(&self) -> Entry {
        Entry {
            id: self.row.id,
            parent: self.row.parent_id,
            rule: self.rollup.map_or(Rule::Own(self.method), Rule::Below),
            retired: self.row.retired_at.is_some(),
            required: self.row.required,
            points: self.row.points,
            at_least: self.row.mastered_at_least,
        }
    }
}

/// When it is due, if it is.
fn due(due_at: Option<DateTime<Utc>>, due_days: Option<i32>) -> Option<Due> {
    due_at.map(Due::At).or_else(|| Some(Due::DaysAfterEnrollment(u32::try_from(due_days?).ok()?)))
}

/// Competencies that somebody names.
#[derive(Debug, Default)]
pub struct Named {
    /// The names of the levels of each that exists.
    pub levels: HashMap<Uuid, Vec<String>>,
    /// Those that roll up.
    pub rolls_up: HashSet<Uuid>,
}

/// Which of these ids are competencies, and what is known of them.
///
/// # Errors
/// Database errors.
pub fn existing(conn: &mut Conn, ids: &[Uuid]) -> AppResult<Named> {
    let mut named = Named::default();
    for row in store::competencies::find_many(conn, ids)? {
        let levels: Vec<Level> = json(&row.levels)?;
        named.levels.insert(row.id, levels.into_iter().map(|level| level.name).collect());
        named.rolls_up.extend(row.rollup.is_some().then_some(row.id));
    }
    Ok(named)
}

/// Which of these competencies are due in any course or goal.
///
/// # Errors
/// Database errors.
pub fn due_somewhere(conn: &mut Conn, ids: &[Uuid]) -> AppResult<HashSet<Uuid>> {
    Ok(store::targets::due(conn, ids)?.into_iter().collect())
}

/// These competencies in their tree, with all that counts for them.
fn tree(conn: &mut Conn, list: &[Uuid]) -> AppResult<Tree> {
    let rows = store::competencies::nodes_below(conn, list)?;
    let node = |(id, parent, rollup, retired, required, points, at_least): NodeRow| -> AppResult<Node> {
        let rollup = rollup.as_deref().map(json).transpose()?;
        Ok(Node { id, parent, rollup, retired, required, points, at_least })
    };
    rows.into_iter().map(node).collect()
}

/// What counts for each of these competencies.
///
/// # Errors
/// Database errors.
pub fn below(conn: &mut Conn, list: &[Uuid]) -> AppResult<HashMap<Uuid, Vec<Uuid>>> {
    let tree = tree(conn, list)?;
    Ok(list.iter().map(|id| (*id, tree.reach(*id).ids().collect())).collect())
}

/// What counts for each of these competencies, which roll up, and what each of these people masters of it.
struct Reaches {
    of: HashMap<Uuid, Reach>,
    mastery: HashMap<(Uuid, Uuid), f64>,
}

impl Reaches {
    fn load(conn: &mut Conn, users: &[Uuid], list: &[Uuid]) -> AppResult<Self> {
        if list.is_empty() {
            return Ok(Self { of: HashMap::new(), mastery: HashMap::new() });
        }
        let tree = tree(conn, list)?;
        let mastery = store::evidence::mastery_below(conn, users, list)?;
        Ok(Self {
            of: list.iter().map(|id| (*id, tree.reach(*id))).collect(),
            mastery: mastery.into_iter().map(|(user, id, value)| ((user, id), value)).collect(),
        })
    }

    fn get(&self, user: Uuid, competency: Uuid) -> Option<Reach> {
        self.of.get(&competency).map(|reach| reach.of(|id| self.mastery.get(&(user, id)).copied()))
    }
}

/// Adds what conditions ask about competencies to the facts of many, by one statement; by two more where they roll up.
///
/// # Errors
/// Database errors.
pub fn add_facts(conn: &mut Conn, needs: &FactNeeds, all: &mut HashMap<Uuid, LearnerFacts>) -> AppResult<()> {
    if needs.competencies.is_empty() && needs.dues.is_empty() {
        return Ok(());
    }
    let users: Vec<Uuid> = all.keys().copied().collect();
    let mut levels_of: HashMap<Uuid, Vec<Level>> = HashMap::new();
    let mut fact_of = |competency: Uuid, levels: &str, mastery: Option<f64>| -> AppResult<CompetencyFact> {
        let levels = match levels_of.get(&competency) {
            Some(known) => known.clone(),
            None => levels_of.entry(competency).or_insert(json(levels)?).clone(),
        };
        Ok(CompetencyFact { competency, mastery, levels, ..CompetencyFact::default() })
    };
    let mut rolling: Vec<Uuid> = Vec::new();
    if needs.dues.is_empty() {
        for (user, competency, levels, rolls_up, mastery) in store::evidence::facts(conn, &users, &needs.competencies)?
        {
            rolling.extend(rolls_up.then_some(competency));
            let fact = fact_of(competency, &levels, mastery)?;
            all.entry(user).or_default().competencies.push(fact);
        }
        return add_reaches(conn, &users, rolling, all);
    }
    let asked: Vec<Uuid> = needs.competencies.iter().chain(&needs.dues).copied().collect();
    for ((user, competency, levels, rolls_up, mastery), dues) in store::evidence::facts_with_dues(conn, &users, &asked)?
    {
        rolling.extend(rolls_up.then_some(competency));
        let facts = &mut all.entry(user).or_default().competencies;
        if !facts.iter().any(|fact| fact.competency == competency) {
            facts.push(fact_of(competency, &levels, mastery)?);
        }
        let (at_least, due_at, due_days, enrolled, assigned) = dues;
        let fact = facts.iter_mut().find(|fact| fact.competency == competency);
        if let (Some(fact), Some(at_least), Some(since)) = (fact, at_least, enrolled.or(assigned))
            && let Some(due) = due(due_at, due_days)
        {
            fact.dues.push((due.instant(since), at_least));
        }
    }
    add_reaches(conn, &users, rolling, all)
}

fn add_reaches(
    conn: &mut Conn,
    users: &[Uuid],
    mut rolling: Vec<Uuid>,
    all: &mut HashMap<Uuid, LearnerFacts>,
) -> AppResult<()> {
    if rolling.is_empty() {
        return Ok(());
    }
    rolling.sort_unstable();
    rolling.dedup();
    let reaches = Reaches::load(conn, users, &rolling)?;
    for (user, learner) in all {
        for fact in &mut learner.competencies {
            fact.reach = reaches.get(*user, fact.competency);
        }
    }
    Ok(())
}

/// Puts in place of a learner's mastery what it was at a past instant, by the evidence that was written down until then. What rolls
/// up does so from what was below it then, in the tree as it is now.
///
/// # Errors
/// Database errors.
pub fn as_of(conn: &mut Conn, user: Uuid, learner: &mut LearnerFacts, at: DateTime<Utc>) -> AppResult<()> {
    let asked: Vec<Uuid> = learner.competencies.iter().map(|fact| fact.competency).collect();
    if asked.is_empty() {
        return Ok(());
    }
    let mut book = Book::default();
    let rows = store::competencies::with_below(conn, &asked)?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    for row in rows {
        book.add(Competency::read(row)?.entry(), None);
    }
    for (id, competency, score, weight, at) in store::evidence::of_until(conn, user, &ids, at)? {
        book.note(competency, Evidence { id, score, weight, at });
    }
    book.reckon(&ids);
    learner.set_mastery(ids.into_iter().map(|id| (id, book.value(id))));
    Ok(())
}

/// The competencies that an outline and a script name, for a simulation in a course.
///
/// # Errors
/// Database errors.
pub fn for_simulation(
    conn: &mut Conn,
    course: Uuid,
    outline: &Compiled,
    named: &[Uuid],
) -> AppResult<Vec<KnownCompetency>> {
    let mut ids: Vec<Uuid> = outline.alignments.iter().map(|a| a.competency).collect();
    ids.extend(outline.needs.competencies.iter().chain(&outline.needs.dues).chain(named));
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let targets = store::targets::of_scopes(conn, &[course])?;
    let rows = store::competencies::with_below(conn, &ids)?;
    rows.into_iter()
        .map(|row| {
            let competency = Competency::read(row)?;
            let own = targets.iter().filter(|target| target.competency_id == competency.row.id);
            Ok(KnownCompetency {
                entry: competency.entry(),
                levels: competency.levels,
                dues: own.filter_map(|t| Some((due(t.due_at, t.due_days)?, t.at_least))).collect(),
            })
        })
        .collect()
}

/// Remembers which competencies a new revision teaches, assesses and asks about.
///
/// # Errors
/// Database errors.
pub fn index_revision(conn: &mut Conn, course: Uuid, revision: Uuid, outline: &Compiled) -> AppResult<()> {
    let mut rows: Vec<(Uuid, &'static str, f64)> = Vec::new();
    for alignment in &outline.alignments {
        let touch = alignment.touch.as_str();
        match rows.iter_mut().find(|(id, known, _)| *id == alignment.competency && *known == touch) {
            Some((.., weight)) => *weight += alignment.weight,
            None => rows.push((alignment.competency, touch, alignment.weight)),
        }
    }
    for id in outline.needs.competencies.iter().chain(&outline.needs.dues) {
        if !rows.iter().any(|(known, touch, _)| known == id && *touch == "asks") {
            rows.push((*id, "asks", 1.0));
        }
    }
    store::competencies::insert_alignments(conn, course, revision, &rows)
}

/// Finds a person whose mastery the actor may treat so. Who may do it in one course only must name it, and the person must
/// learn there. Answers the person and the course.
fn find_person(
    conn: &mut Conn,
    ctx: &Ctx,
    who: &Ref,
    course: Option<Uuid>,
    act: Act,
) -> AppResult<(users::UserRow, Option<Uuid>)> {
    let Some(course) = course else { return Ok((users::find_for(conn, ctx, who, act)?, None)) };
    let row = users::find(conn, who)?;
    let relation = courses::relation(course);
    if ctx.may(act, &relation) {
        let learns = crate::features::enrollments::learns(conn, course, row.id)?;
        return if learns { Ok((row, Some(course))) } else { Err(AppError::not_found("user")) };
    }
    Ok((users::find_for(conn, ctx, who, act)?, Some(course)))
}

/// As [`find_person`], for one competency: a right in one course reaches what that course is about, and `otherwise` is answered.
fn find_person_about(
    conn: &mut Conn,
    ctx: &Ctx,
    who: &Ref,
    course: Option<Uuid>,
    competency: Uuid,
    act: Act,
    otherwise: impl FnOnce() -> AppError,
) -> AppResult<(users::UserRow, Option<Uuid>)> {
    let found = find_person(conn, ctx, who, course, act)?;
    if let Some(course) = course
        && !ctx.may(act, &Relation::default())
        && !store::competencies::is_of_course(conn, course, competency)?
    {
        // Whoever may do it to the person beyond the course may do it here too.
        users::find_for(conn, ctx, who, act).map_err(|_| otherwise())?;
    }
    Ok(found)
}

/// Asks whether the actor may do this to frameworks or goals.
fn require(ctx: &Ctx, act: Act) -> AppResult<()> {
    ctx.require(act, &Relation::default())
}
