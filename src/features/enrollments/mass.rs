//! Many enrollments at once: the bulk endpoint, courses assigned to groups. As many statements for one as for a thousand, apart from
//! the rows written.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::dto::Status;
use super::seats::promote_waiting;
use super::settling::settle;
use super::state;
use super::store::{self, EnrollmentRow};
use crate::clock;
use crate::db::Conn;
use crate::domain::facts::Facts;
use crate::domain::path;
use crate::error::{AppError, AppResult, Code, is_unique_violation};
use crate::events::{self, NewEvent};
use crate::features::courses::{self, CourseRow};
use crate::state::Ctx;

/// Those of these people who are, or were, enrolled in a course.
///
/// # Errors
/// Database errors.
pub fn ever_enrolled(conn: &mut Conn, course: Uuid, people: &[Uuid]) -> AppResult<HashSet<Uuid>> {
    Ok(store::newest_of(conn, people, &[course])?.into_iter().map(|(user, ..)| user).collect())
}

/// Whom to enrol where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The course.
    pub course: Uuid,
    /// The learner.
    pub user: Uuid,
    /// When the learner's cohort begins.
    pub cohort_start_at: Option<DateTime<Utc>>,
    /// When the enrollment ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Wanted {
    /// A user in a course, without dates.
    #[must_use]
    pub fn new(course: Uuid, user: Uuid) -> Self {
        Self { course, user, cohort_start_at: None, expires_at: None }
    }
}

/// How learners came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Staff or a client enrolled them.
    Assigned,
    /// Their group was assigned the course. Who has completed it already is left in peace.
    Group,
    /// A rule enrolled them.
    Rule,
}

impl Source {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Group => "group",
            Self::Rule => "rule",
        }
    }
}

/// What became of one wish.
#[derive(Debug, Clone)]
pub enum Enrolled {
    /// Enrolled, or to be when nothing is written.
    Created(Uuid),
    /// A live (or, for groups, completed) enrollment exists.
    Exists(Uuid),
    /// Not possible.
    Refused(AppError),
}

/// Everything needed to decide, loaded in as many statements whatever the number.
pub(super) struct Plan {
    rows: Vec<EnrollmentRow>,
    /// The verdicts, in the order of the wishes.
    pub verdicts: Vec<Enrolled>,
}

/// Enrols people in courses; answers what became of each wish, in order.
///
/// # Errors
/// Database errors.
pub fn enroll_many(conn: &mut Conn, ctx: &Ctx, wanted: &[Wanted], source: Source) -> AppResult<Vec<Enrolled>> {
    let plan = plan(conn, ctx, wanted, source)?;
    write(conn, ctx, plan)
}

/// Decides without writing.
pub(super) fn plan(conn: &mut Conn, ctx: &Ctx, wanted: &[Wanted], source: Source) -> AppResult<Plan> {
    let courses: Vec<Uuid> = wanted.iter().map(|w| w.course).collect::<BTreeSet<_>>().into_iter().collect();
    let people: Vec<Uuid> = wanted.iter().map(|w| w.user).collect::<BTreeSet<_>>().into_iter().collect();
    let known: HashMap<Uuid, CourseRow> =
        courses::rows(conn, &courses)?.into_iter().map(|course| (course.id, course)).collect();
    let with_seats: Vec<Uuid> =
        known.values().filter(|course| course.seats.is_some()).map(|course| course.id).collect();
    store::lock_courses(conn, &with_seats)?;
    let active: BTreeSet<Uuid> = store::active_users(conn, &people)?.into_iter().collect();
    let mut newest: HashMap<(Uuid, Uuid), (Uuid, String, i32)> = HashMap::new();
    for (user, course, id, status, generation) in store::newest_of(conn, &people, &courses)? {
        let slot = newest.entry((user, course)).or_insert((id, status.clone(), generation));
        if slot.2 < generation {
            *slot = (id, status, generation);
        }
    }
    let mut free: HashMap<Uuid, i64> = HashMap::new();
    if !with_seats.is_empty() {
        let taken: HashMap<Uuid, i64> = store::count_active_of(conn, &with_seats)?.into_iter().collect();
        for course in known.values() {
            if let Some(seats) = course.seats {
                free.insert(course.id, i64::from(seats).saturating_sub(taken.get(&course.id).copied().unwrap_or(0)));
            }
        }
    }
    let revisions: HashMap<Uuid, Uuid> = store::latest_revisions(conn, &courses)?.into_iter().collect();
    let mut starts: HashMap<Uuid, path::Progress> = HashMap::new();
    for (course, revision) in &revisions {
        let outline = state::outline(conn, *revision)?;
        let facts = Facts::new(ctx.now, outline.module_count());
        starts.insert(*course, path::standing(&outline, &facts, ctx.now).progress);
    }
    let mut plan = Plan { rows: Vec::new(), verdicts: Vec::with_capacity(wanted.len()) };
    let mut now_in: HashMap<(Uuid, Uuid), Uuid> = HashMap::new();
    for wish in wanted {
        let verdict = match (known.get(&wish.course), revisions.get(&wish.course), starts.get(&wish.course)) {
            (None, ..) => {
                Enrolled::Refused(AppError::field("/course_id", "unknown_course", "There is no such course."))
            }
            (Some(course), ..) if course.status == "archived" => Enrolled::Refused(AppError::new(
                Code::EnrollmentClosed,
                "The course is archived and takes no new enrollments.",
            )),
            (Some(course), Some(revision), Some(start)) if course.status == "published" => {
                let key = (wish.user, wish.course);
                let before = newest.get(&key);
                let live = before.filter(|(_, status, _)| {
                    matches!(status.as_str(), "active" | "pending" | "waitlisted")
                        || (source == Source::Group && status == "completed")
                });
                if let Some(id) = live.map(|(id, ..)| *id).or_else(|| now_in.get(&key).copied()) {
                    Enrolled::Exists(id)
                } else if !active.contains(&wish.user) {
                    Enrolled::Refused(AppError::field(
                        "/user_id",
                        "unknown_user",
                        "There is no such user, or they are not active.",
                    ))
                } else {
                    let seat = match free.get_mut(&course.id) {
                        None => true,
                        Some(left) => {
                            *left = left.saturating_sub(1);
                            *left >= 0
                        }
                    };
                    let generation = before.map_or(1, |(.., generation)| generation.saturating_add(1));
                    let row = row(ctx, wish, source, course, *revision, *start, generation, seat)?;
                    now_in.insert(key, row.id);
                    let id = row.id;
                    plan.rows.push(row);
                    Enrolled::Created(id)
                }
            }
            _ => Enrolled::Refused(AppError::new(Code::WrongState, "The course has not been published yet.")),
        };
        plan.verdicts.push(verdict);
    }
    Ok(plan)
}

#[expect(clippy::too_many_arguments, reason = "the parts of one row, used once")]
fn row(
    ctx: &Ctx,
    wish: &Wanted,
    source: Source,
    course: &CourseRow,
    revision: Uuid,
    start: path::Progress,
    generation: i32,
    seat: bool,
) -> AppResult<EnrollmentRow> {
    Ok(EnrollmentRow {
        id: ctx.new_id(),
        course_id: course.id,
        user_id: wish.user,
        revision_id: Some(revision),
        revision: course.latest_revision,
        generation,
        status: if seat { Status::Active } else { Status::Waitlisted }.as_str().to_owned(),
        source: source.as_str().to_owned(),
        enrolled_by: ctx.actor.id(),
        waitlist_seq: None,
        cohort_start_at: wish.cohort_start_at,
        enrolled_at: ctx.now,
        started_at: None,
        completed_at: None,
        ended_at: None,
        expires_at: wish.expires_at,
        percent: start.percent,
        done_weight: start.done_weight,
        total_weight: start.total_weight,
        last_event_at: None,
        facts_tag: clock::random_number()?,
        version: 1,
        created_at: ctx.now,
        updated_at: ctx.now,
        updated_hour: store::hour_of(ctx.now),
    })
}

/// Writes what was decided.
pub(super) fn write(conn: &mut Conn, ctx: &Ctx, mut plan: Plan) -> AppResult<Vec<Enrolled>> {
    let mut waiting: BTreeMap<Uuid, i64> = BTreeMap::new();
    for row in plan.rows.iter().filter(|row| row.status == "waitlisted") {
        let count = waiting.entry(row.course_id).or_default();
        *count = count.saturating_add(1);
    }
    let mut next = store::take_places_in_line(conn, &waiting.into_iter().collect::<Vec<_>>())?;
    for row in plan.rows.iter_mut().filter(|row| row.status == "waitlisted") {
        if let Some(place) = next.get_mut(&row.course_id) {
            row.waitlist_seq = Some(*place);
            *place = place.saturating_add(1);
        }
    }
    store::insert_many(conn, &plan.rows).map_err(|error| {
        if is_unique_violation(&error) {
            AppError::new(Code::Conflict, "Somebody enrolled one of these learners at the same moment. Try again.")
        } else {
            error.into()
        }
    })?;
    let log = plan
        .rows
        .iter()
        .map(|row| {
            let data = json!({"status": row.status, "source": row.source, "generation": row.generation, "revision": row.revision});
            NewEvent::new("enrollment.created", "enrollment", row.id).course(row.course_id).user(row.user_id).data(data)
        })
        .collect();
    events::append(conn, ctx, log)?;
    // What they master, hold and belong to already counts at once.
    settle(conn, ctx, plan.rows)?;
    Ok(plan.verdicts)
}

/// Withdraws those of these pairs of course and person whom their group enrolled and who have not completed the course; freed seats
/// go on.
///
/// # Errors
/// Database errors.
pub fn withdraw_groups(conn: &mut Conn, ctx: &Ctx, pairs: &BTreeSet<(Uuid, Uuid)>) -> AppResult<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    let courses: BTreeSet<Uuid> = pairs.iter().map(|(course, _)| *course).collect();
    let people: BTreeSet<Uuid> = pairs.iter().map(|(_, user)| *user).collect();
    let [courses, people] = [courses, people].map(|set| set.into_iter().collect::<Vec<_>>());
    let mut found = store::live_by_source(conn, &courses, &people, Source::Group.as_str())?;
    found.retain(|(_, course, user, _)| pairs.contains(&(*course, *user)));
    if found.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = found.iter().map(|(id, ..)| *id).collect();
    store::withdraw_many(conn, &ids, ctx.now)?;
    let log = found
        .iter()
        .map(|(id, course, user, _)| {
            let event = NewEvent::new("enrollment.withdrawn", "enrollment", *id).course(*course).user(*user);
            event.data(json!({"status": "withdrawn", "reason": "left_group"}))
        })
        .collect();
    events::append(conn, ctx, log)?;
    // Whoever only waited when they were looked up may hold a seat by now.
    let left: BTreeSet<Uuid> = found.iter().map(|(_, course, ..)| *course).collect();
    promote_waiting(conn, ctx, &left.into_iter().collect::<Vec<_>>())
}
