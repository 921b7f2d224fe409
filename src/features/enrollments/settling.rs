//! Bringing what is stored of enrollments along with what is known of their learners: progress, and completion with its certificate
//! and freed seat. The path is computed from the facts whenever it is read; what reports and lists show is stored, and this is the
//! one way in which it follows. As many statements for one enrollment as for five hundred.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Value, json};
use uuid::Uuid;

use super::dto::Status;
use super::seats;
use super::state::{Loaded, load_many, outline, progress};
use super::store::{self, EnrollmentRow};
use crate::db::Conn;
use crate::error::{AppError, AppResult};
use crate::events::dispatch::Consumer;
use crate::events::{self, Event, NewEvent};
use crate::features::certificates;
use crate::jobs::queue;
use crate::state::{Ctx, State};

/// The job that settles the enrollments of a person whom another transaction was busy with.
pub const JOB: &str = "settle_enrollments";

/// Reads the event log. What happens outside of a course can move a learner within it: a profile that changes, a certificate, a
/// badge, a group.
pub const CONSUMER: Consumer = Consumer { name: "enrollments", handle: follow };

/// Events that can change what conditions ask about a learner, by the beginning of their names. Mastery is not among them: whoever
/// reckons it settles in the same transaction. Only that time has passed is told by an event alone.
const KINDS: [&str; 9] = [
    "user.",
    "group.",
    "enrollment.",
    "course.completed",
    "certificate.",
    "badge.",
    "points.",
    "level.",
    "competency.behind",
];

/// Enrollments in one statement at most.
pub(super) const PIECE: usize = 500;

/// Stores anew where learners stand, wherever that is not what the facts say; answers the enrollments as they are now. They must be
/// locked, or new. A seat that a completion frees goes on, and whoever gets it is settled too.
///
/// # Errors
/// Database errors.
pub(super) fn settle(conn: &mut Conn, ctx: &Ctx, rows: Vec<EnrollmentRow>) -> AppResult<Vec<EnrollmentRow>> {
    let mut given = Vec::with_capacity(rows.len());
    let mut rest = rows;
    while !rest.is_empty() {
        let piece: Vec<EnrollmentRow> = rest.drain(..rest.len().min(PIECE)).collect();
        let (settled, freed) = settle_piece(conn, ctx, piece)?;
        given.extend(settled);
        seats::promote_waiting(conn, ctx, &freed)?;
    }
    Ok(given)
}

/// Settles as many as one statement takes; answers them, and the courses in which seats became free.
pub(super) fn settle_piece(
    conn: &mut Conn,
    ctx: &Ctx,
    rows: Vec<EnrollmentRow>,
) -> AppResult<(Vec<EnrollmentRow>, Vec<Uuid>)> {
    let mut kept = Vec::with_capacity(rows.len());
    let mut asking = Vec::new();
    for row in rows {
        // Outlines are kept in memory; a piece spans few revisions.
        let asks = match row.revision_id.filter(|_| row.status == "active") {
            Some(revision) => {
                let outline = outline(conn, revision)?;
                outline.needs.beyond_enrollment() || outline.time_sensitive
            }
            None => false,
        };
        if asks { asking.push(row) } else { kept.push(row) }
    }
    let mut changed = Vec::new();
    let mut completed = Vec::new();
    let mut turns = Vec::new();
    for mut loaded in load_many(conn, asking)? {
        let standing = loaded.standing(ctx);
        if !standing.complete {
            turns.extend(loaded.next_turn(ctx));
        }
        if !standing.complete && standing.progress == progress(&loaded.row) {
            kept.push(loaded.row);
            continue;
        }
        if loaded.stand(ctx, &standing)? {
            completed.push(loaded.row.clone());
        }
        loaded.keep();
        changed.push(loaded.row);
    }
    store::set_turns(conn, &turns)?;
    store::update_many(conn, &changed)?;
    let freed = complete(conn, ctx, &completed, Vec::new())?.0;
    kept.extend(changed);
    Ok((kept, freed))
}

/// Tells of completions and issues their certificates, after what else is to be told; answers the courses in which seats became
/// free, and the certificates by enrollment.
pub(super) fn complete(
    conn: &mut Conn,
    ctx: &Ctx,
    completed: &[EnrollmentRow],
    mut log: Vec<NewEvent>,
) -> AppResult<(Vec<Uuid>, HashMap<Uuid, Uuid>)> {
    let mut issued = HashMap::new();
    if !completed.is_empty() {
        log.extend(completed.iter().map(|row| {
            NewEvent::new("course.completed", "enrollment", row.id)
                .course(row.course_id)
                .user(row.user_id)
                .data(json!({"enrollment_id": row.id, "generation": row.generation}))
        }));
        let (certificates, told) = certificates::issue_on_completion(conn, ctx, completed)?;
        issued = certificates;
        log.extend(told);
    }
    events::append(conn, ctx, log)?;
    let freed: BTreeSet<Uuid> = completed.iter().map(|row| row.course_id).collect();
    Ok((freed.into_iter().collect(), issued))
}

/// Competencies of a person whose mastery changed.
#[derive(Debug, Default)]
pub struct Moved {
    /// All of them.
    pub changed: Vec<Uuid>,
    /// Those that a correction lowered: what was completed on them is judged anew.
    pub refuted: Vec<Uuid>,
}

/// Brings along those of somebody's other enrollments whose conditions ask about competencies that changed, and takes completions
/// back that rest on what a correction refuted. Those that another transaction holds cannot be waited for, since it may wait for this
/// one; they are settled by a job once this one is done.
///
/// # Errors
/// Database errors.
pub fn refresh(conn: &mut Conn, ctx: &Ctx, user: Uuid, moved: &Moved, except: Option<Uuid>) -> AppResult<()> {
    if moved.changed.is_empty() {
        return Ok(());
    }
    let mut asking = store::asking(conn, user, &moved.changed, except)?;
    if !moved.refuted.is_empty() {
        asking.extend(store::completed_asking(conn, user, &moved.refuted, except)?);
    }
    if asking.is_empty() {
        return Ok(());
    }
    let rows = store::lock_free(conn, &asking)?;
    if rows.len() < asking.len() {
        // What one correction refuted is not what another did, so only jobs without any are the same.
        let key = moved.refuted.is_empty().then(|| format!("{JOB}:{user}"));
        let payload = json!({"user_id": user, "refuted": moved.refuted});
        queue::enqueue(conn, JOB, key.as_deref(), payload, ctx.now, ctx.now)?;
    }
    let (completed, rest): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.status == "completed");
    take_back(conn, ctx, completed)?;
    settle(conn, ctx, rest).map(drop)
}

/// What becomes of a completion that does not hold any more: the learner goes on, but where they have enrolled again since.
pub(super) fn uncomplete(row: &mut EnrollmentRow, over: &HashSet<Uuid>, ctx: &Ctx) {
    let ended = over.contains(&row.id);
    row.status = if ended { Status::Withdrawn } else { Status::Active }.as_str().to_owned();
    row.ended_at = ended.then_some(ctx.now);
    row.completed_at = None;
}

/// Takes those of these completions back that do not hold any more, as they are locked.
fn take_back(conn: &mut Conn, ctx: &Ctx, rows: Vec<EnrollmentRow>) -> AppResult<()> {
    let mut fallen = load_many(conn, rows)?;
    fallen.retain(|loaded| !loaded.standing(ctx).complete);
    if fallen.is_empty() {
        return Ok(());
    }
    let over = store::superseded(conn, &fallen.iter().map(|loaded| loaded.row.id).collect::<Vec<_>>())?;
    let (mut taken, mut turns) = (Vec::new(), Vec::new());
    for mut loaded in fallen {
        uncomplete(&mut loaded.row, &over, ctx);
        loaded.mark()?;
        let standing = loaded.standing(ctx);
        loaded.stand(ctx, &standing)?;
        loaded.keep();
        turns.extend(loaded.next_turn(ctx));
        taken.push(loaded.row);
    }
    store::set_turns(conn, &turns)?;
    store::update_many(conn, &taken)?;
    let log = taken_back(conn, ctx, &taken)?;
    events::append(conn, ctx, log)
}

/// Revokes the certificates of completions that are taken back; answers what is to be told of both.
pub(super) fn taken_back(conn: &mut Conn, ctx: &Ctx, rows: &[EnrollmentRow]) -> AppResult<Vec<NewEvent>> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let told = events::ids_of(conn, "course.completed", &ids)?;
    let mut log: Vec<NewEvent> = rows
        .iter()
        .map(|row| {
            let undone: Vec<Uuid> = told.iter().filter(|(_, of)| *of == row.id).map(|(id, _)| *id).collect();
            let event = NewEvent::new("enrollment.reopened", "enrollment", row.id);
            event.course(row.course_id).user(row.user_id).data(json!({"undoes": undone}))
        })
        .collect();
    log.extend(rows.iter().filter(|row| row.ended_at.is_some()).map(|row| {
        let event = NewEvent::new("enrollment.withdrawn", "enrollment", row.id).course(row.course_id).user(row.user_id);
        event.data(json!({"status": row.status, "reason": "enrolled_again"}))
    }));
    log.extend(certificates::withdraw(conn, ctx, &ids, "A grade was corrected.")?);
    Ok(log)
}

/// Settles the enrollments of one person; run by the worker.
///
/// # Errors
/// Database errors.
pub fn settle_person(state: &State, payload: &Value) -> AppResult<()> {
    let user = payload.get("user_id").and_then(Value::as_str).and_then(|text| Uuid::try_parse(text).ok());
    let Some(user) = user else { return Ok(()) };
    let refuted = payload.get("refuted").cloned().unwrap_or_else(|| json!([]));
    let refuted: Vec<Uuid> = serde_json::from_value(refuted).map_err(AppError::internal)?;
    let ctx = state.system();
    state.db.write_here(move |conn| {
        if !refuted.is_empty() {
            let completed = store::completed_asking(conn, user, &refuted, None)?;
            let mut rows = store::find_many_locked(conn, &completed)?;
            rows.retain(|row| row.status == "completed");
            take_back(conn, &ctx, rows)?;
        }
        settle_people(conn, &ctx, &[user])
    })
}

fn follow(conn: &mut Conn, ctx: &Ctx, events: &[Event]) -> AppResult<()> {
    let matters = |event: &&Event| KINDS.iter().any(|kind| event.kind.starts_with(kind));
    let people: BTreeSet<Uuid> = events.iter().filter(matters).filter_map(|event| event.user_id).collect();
    settle_people(conn, ctx, &people.into_iter().collect::<Vec<_>>())?;
    // Whoever is back takes the seat that was kept from them while they could not learn.
    let back = events.iter().filter(|event| event.kind == "user.state_changed").filter_map(|event| event.user_id);
    let lines = store::waited_for(conn, &back.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>())?;
    seats::promote_waiting(conn, ctx, &lines)
}

fn settle_people(conn: &mut Conn, ctx: &Ctx, people: &[Uuid]) -> AppResult<()> {
    let mut asking = Vec::new();
    for (id, revision) in store::active_of(conn, people)? {
        // Outlines are kept in memory.
        if outline(conn, revision)?.needs.beyond_enrollment() {
            asking.push(id);
        }
    }
    // All are locked before any seat goes on, since whoever holds an enrollment may wait for its course.
    let mut rows = Vec::with_capacity(asking.len());
    for piece in asking.chunks(PIECE) {
        rows.extend(store::find_many_locked(conn, piece)?);
    }
    settle(conn, ctx, rows).map(drop)
}

impl Loaded {
    /// Puts where the learner stands into the row, with a new version; answers whether that completes the course.
    pub(super) fn stand(&mut self, ctx: &Ctx, standing: &crate::domain::path::Standing) -> AppResult<bool> {
        self.row.percent = standing.progress.percent;
        self.row.done_weight = standing.progress.done_weight;
        self.row.total_weight = standing.progress.total_weight;
        let completes = standing.complete && self.row.status == "active";
        if completes {
            self.row.status = "completed".to_owned();
            self.row.completed_at = Some(ctx.now);
        }
        self.touch(ctx)?;
        Ok(completes)
    }
}
