//! The bulk endpoint of enrollments: course and learner, a thousand at a time.

use std::collections::{BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use super::dto::{EnrollItem, EnrollmentBulkIn};
use super::mass::{self, Enrolled, Source, Wanted};
use super::store;
use crate::db::Conn;
use crate::domain::permission::{Act, Relation};
use crate::error::{AppError, AppResult};
use crate::features::{courses, users};
use crate::http::Ref;
use crate::http::bulk::{BulkOut, BulkStatus, Verdicts, read_items};
use crate::state::Ctx;

/// Ids by what a `Ref` says.
#[derive(Default)]
struct Names {
    ids: Vec<Uuid>,
    externals: Vec<String>,
}

impl Names {
    fn add(&mut self, which: Ref) {
        match which {
            Ref::Id(id) => self.ids.push(id),
            Ref::External(external) => self.externals.push(external),
        }
    }
}

fn resolve(known: &[(Uuid, Option<String>)]) -> HashMap<Ref, Uuid> {
    let mut map = HashMap::with_capacity(known.len().saturating_mul(2));
    for (id, external) in known {
        map.insert(Ref::Id(*id), *id);
        if let Some(external) = external {
            map.insert(Ref::External(external.clone()), *id);
        }
    }
    map
}

/// Enrols each learner in the course beside it; each gets a verdict of its own.
///
/// # Errors
/// Database errors; what is wrong with an item is in its verdict.
pub fn enroll(conn: &mut Conn, ctx: &Ctx, input: EnrollmentBulkIn, dry_run: bool) -> AppResult<BulkOut> {
    let mut verdicts = Verdicts::new(input.enrollments.len());
    let items = read_items::<EnrollItem>(input.enrollments, &mut verdicts);
    let (mut of_courses, mut of_users) = (Names::default(), Names::default());
    for (_, item) in &items {
        Ref::parse(&item.course_id).into_iter().for_each(|which| of_courses.add(which));
        Ref::parse(&item.user_id).into_iter().for_each(|who| of_users.add(who));
    }
    let courses = resolve(&courses::ids_of(conn, &of_courses.ids, &of_courses.externals)?);
    let users = resolve(&store::users_named(conn, &of_users.ids, &of_users.externals)?);
    let people: Vec<Uuid> = users.values().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let reach = users::reach_for(conn, ctx, Act::EnrollOthers, &people)?;
    let mut wanted = Vec::with_capacity(items.len());
    let mut places = Vec::with_capacity(items.len());
    for (index, item) in &items {
        let course = Ref::parse(&item.course_id).and_then(|which| courses.get(&which).copied());
        let user = Ref::parse(&item.user_id).and_then(|who| users.get(&who).copied());
        let Some(course) = course else {
            verdicts.refuse(*index, AppError::field("/course_id", "unknown_course", "There is no such course."));
            continue;
        };
        let unknown = || AppError::field("/user_id", "unknown_user", "There is no such user, or they are not active.");
        let Some(user) = user else {
            verdicts.refuse(*index, unknown());
            continue;
        };
        let relation = Relation { course: Some(course), ..Relation::default() };
        if !ctx.may(Act::EnrollOthers, &relation) && !reach.contains(&user) {
            let refusal = ctx.require(Act::EnrollOthers, &relation).err().unwrap_or_else(unknown);
            verdicts.refuse(*index, refusal);
            continue;
        }
        if item.expires_at.is_some_and(|at| at <= ctx.now) {
            let detail = "An enrollment cannot end before it begins.";
            verdicts.refuse(*index, AppError::field("/expires_at", "in_past", detail));
            continue;
        }
        wanted.push(Wanted { course, user, cohort_start_at: item.cohort_start_at, expires_at: item.expires_at });
        places.push(*index);
    }
    let plan = mass::plan(conn, ctx, &wanted, Source::Assigned)?;
    let outcomes = if dry_run { plan.verdicts } else { mass::write(conn, ctx, plan)? };
    let mut made: HashSet<Uuid> = HashSet::new();
    for (index, outcome) in places.into_iter().zip(outcomes) {
        match outcome {
            Enrolled::Created(id) => {
                made.insert(id);
                verdicts.set(index, BulkStatus::Created, Some(id).filter(|_| !dry_run));
            }
            // What an earlier item of the call makes does not exist yet in a dry run, so it has no id to tell.
            Enrolled::Exists(id) => {
                verdicts.set(index, BulkStatus::Unchanged, Some(id).filter(|id| !dry_run || !made.contains(id)));
            }
            Enrolled::Refused(error) => verdicts.refuse(index, error),
        }
    }
    Ok(verdicts.finish(dry_run))
}
