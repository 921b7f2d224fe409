//! Use cases about goals: job roles, who has them, how far they are.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use super::{due, require, targets};
use crate::db::page::{PageRequest, Rows};
use crate::db::{Conn, LockTable, lock_row};
use crate::domain::mastery::behind::behind_days;
use crate::domain::mastery::coverage::Touch;
use crate::domain::mastery::reach::{Reach, Tree};
use crate::domain::mastery::reaches;
use crate::domain::permission::{Act, Relation};
use crate::error::{AppError, AppResult, Faults};
use crate::events::{self, NewEvent};
use crate::features::competencies::dto::{
    GapOut, GoalIn, GoalLearnerOut, GoalOut, GoalPatch, HelpfulCourse, MAX_REQUIREMENTS, RequirementIn, UserGoalOut,
};
use crate::features::competencies::store::competencies::CompetencyRow;
use crate::features::competencies::store::evidence::MasteryRow;
use crate::features::competencies::store::goals::{GoalRow, Helper, Holder, Sight};
use crate::features::competencies::store::targets::TargetRow;
use crate::features::competencies::store::{self};
use crate::features::users;
use crate::http::{Conditions, Patch, Ref};
use crate::state::Ctx;

fn missing() -> AppError {
    AppError::not_found("goal")
}

fn out(row: GoalRow, targets: Vec<TargetRow>) -> GoalOut {
    GoalOut {
        id: row.id,
        title: row.title,
        description: row.description,
        requirements: targets.into_iter().map(targets::out).collect(),
        created_by: row.created_by,
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
    }
}

/// The rows of requirements. All that name what does not exist are named, with the faults found before.
fn rows(
    conn: &mut Conn,
    ctx: &Ctx,
    goal: Uuid,
    list: &[RequirementIn],
    mut faults: Faults,
) -> AppResult<Vec<TargetRow>> {
    // More than a goal may have are not looked for.
    let list = list.get(..MAX_REQUIREMENTS).unwrap_or(list);
    let ids: Vec<Uuid> = list.iter().map(|requirement| requirement.competency_id).collect();
    let found: HashMap<Uuid, CompetencyRow> =
        store::competencies::find_many(conn, &ids)?.into_iter().map(|row| (row.id, row)).collect();
    let mut made = Vec::new();
    for (n, requirement) in list.iter().enumerate() {
        let at = format!("/requirements/{n}");
        match found.get(&requirement.competency_id) {
            None => faults.add(format!("{at}/competency_id"), "unknown_competency", "There is no such competency."),
            Some(competency) => match targets::row(ctx, ("goal", goal), competency, &requirement.target(), &at) {
                Ok(row) => made.push(row),
                Err(error) => error.errors().iter().for_each(|fault| {
                    faults.add(fault.pointer.clone(), fault.code.clone(), fault.detail.clone());
                }),
            },
        }
    }
    faults.finish()?;
    Ok(made)
}

/// Makes a goal.
///
/// # Errors
/// 403; 422 for competencies or levels that do not exist.
pub fn create(conn: &mut Conn, ctx: &Ctx, input: GoalIn) -> AppResult<GoalOut> {
    require(ctx, Act::WriteGoal)?;
    let mut faults = Faults::new();
    input.find_faults(&mut faults);
    let row = GoalRow {
        id: ctx.new_id(),
        title: input.title.trim().to_owned(),
        description: input.description.unwrap_or_default(),
        version: 1,
        created_by: ctx.actor.user_id(),
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    let mut targets = rows(conn, ctx, row.id, &input.requirements, faults)?;
    targets.sort_by_key(|target| target.competency_id);
    store::goals::insert(conn, &row)?;
    store::targets::save(conn, &targets)?;
    events::append(conn, ctx, vec![NewEvent::new("goal.created", "goal", row.id)])?;
    Ok(out(row, targets))
}

/// One goal.
///
/// # Errors
/// 403, 404.
pub fn get(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<GoalOut> {
    require(ctx, Act::ReadGoal)?;
    let row = store::goals::find(conn, id)?.ok_or_else(missing)?;
    let targets = store::targets::of_scopes(conn, &[id])?;
    Ok(out(row, targets))
}

/// A page of goals.
///
/// # Errors
/// 403.
pub fn list(conn: &mut Conn, ctx: &Ctx, page: &PageRequest) -> AppResult<Rows<GoalOut>> {
    require(ctx, Act::ReadGoal)?;
    let rows = store::goals::list(conn, page)?;
    let ids: Vec<Uuid> = rows.items.iter().map(|row| row.id).collect();
    let mut targets = by_scope(store::targets::of_scopes(conn, &ids)?);
    Ok(rows.map(|row| {
        let own = targets.remove(&row.id).unwrap_or_default();
        out(row, own)
    }))
}

fn by_scope(targets: Vec<TargetRow>) -> HashMap<Uuid, Vec<TargetRow>> {
    let mut all: HashMap<Uuid, Vec<TargetRow>> = HashMap::new();
    for target in targets {
        all.entry(target.scope_id).or_default().push(target);
    }
    all
}

fn find_for(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<GoalRow> {
    require(ctx, Act::WriteGoal)?;
    lock_row(conn, LockTable::Goals, id)?;
    store::goals::find(conn, id)?.ok_or_else(missing)
}

/// Changes a goal; requirements that stay keep who was told of them.
///
/// # Errors
/// 403, 404, 412, 422.
pub fn update(conn: &mut Conn, ctx: &Ctx, id: Uuid, patch: GoalPatch, conditions: &Conditions) -> AppResult<GoalOut> {
    let mut row = find_for(conn, ctx, id)?;
    conditions.require(row.version)?;
    let mut faults = Faults::new();
    patch.find_faults(&mut faults);
    let targets = match &patch.requirements {
        Patch::Value(list) => Some(rows(conn, ctx, id, list, faults)?),
        _ => {
            faults.finish()?;
            None
        }
    };
    if let Patch::Value(title) = patch.title {
        row.title = title.trim().to_owned();
    }
    row.description = patch.description.over(Some(row.description)).unwrap_or_default();
    if let Some(targets) = targets {
        let kept: Vec<Uuid> = targets.iter().map(|target| target.competency_id).collect();
        store::targets::keep_only(conn, id, &kept)?;
        store::targets::save(conn, &targets)?;
    }
    row.version = row.version.saturating_add(1);
    row.updated_at = ctx.now;
    store::goals::update(conn, &row)?;
    events::append(conn, ctx, vec![NewEvent::new("goal.updated", "goal", id)])?;
    let targets = store::targets::of_scopes(conn, &[id])?;
    Ok(out(row, targets))
}

/// Deletes a goal; nobody has it any more.
///
/// # Errors
/// 403, 404, 412.
pub fn delete(conn: &mut Conn, ctx: &Ctx, id: Uuid, conditions: &Conditions) -> AppResult<()> {
    let row = find_for(conn, ctx, id)?;
    conditions.require(row.version)?;
    store::goals::delete(conn, id)?;
    events::append(conn, ctx, vec![NewEvent::new("goal.deleted", "goal", id)])
}

fn holder((user_id, given_name, family_name, assigned_at): Holder) -> GoalLearnerOut {
    GoalLearnerOut { user_id, given_name, family_name, assigned_at }
}

/// A page of those who have a goal: all, or for whoever looks after some people only, those among them.
///
/// # Errors
/// 403, 404.
pub fn learners(conn: &mut Conn, ctx: &Ctx, id: Uuid, page: &PageRequest) -> AppResult<Rows<GoalLearnerOut>> {
    let act = Act::ReadGoalLearners;
    let sight = match ctx.actor.user_id().filter(|_| !ctx.may(act, &Relation::default())) {
        Some(user) => {
            let units = ctx.actor.units_for(act);
            if units.is_empty() && !store::goals::manages(conn, user)? {
                require(ctx, act)?;
            }
            Sight::Below { user, units }
        }
        None => {
            require(ctx, act)?;
            Sight::All
        }
    };
    store::goals::find(conn, id)?.ok_or_else(missing)?;
    Ok(store::goals::holders(conn, id, &sight, page)?.map(holder))
}

/// Gives a goal to somebody; again changes nothing.
///
/// # Errors
/// 403, 404.
pub fn assign(conn: &mut Conn, ctx: &Ctx, id: Uuid, who: &Ref) -> AppResult<GoalLearnerOut> {
    store::goals::find(conn, id)?.ok_or_else(missing)?;
    let user = users::find_for(conn, ctx, who, Act::AssignGoal)?;
    if store::goals::assign(conn, id, user.id, ctx.actor.id(), ctx.now)? {
        events::append(conn, ctx, vec![NewEvent::new("goal.assigned", "goal", id).user(user.id)])?;
    }
    let made = store::goals::holder(conn, id, user.id)?;
    made.map(holder).ok_or_else(|| AppError::internal("the goal just assigned is not there"))
}

/// Takes a goal from somebody.
///
/// # Errors
/// 403, 404.
pub fn unassign(conn: &mut Conn, ctx: &Ctx, id: Uuid, who: &Ref) -> AppResult<()> {
    store::goals::find(conn, id)?.ok_or_else(missing)?;
    let user = users::find_for(conn, ctx, who, Act::AssignGoal)?;
    if store::goals::unassign(conn, id, user.id)? == 0 {
        return Err(missing());
    }
    events::append(conn, ctx, vec![NewEvent::new("goal.unassigned", "goal", id).user(user.id)])
}

/// Courses that help to reach the mastery that is asked of a competency, at most ten.
fn helpers(all: &[Helper], reach: &Reach, asked: f64) -> Vec<HelpfulCourse> {
    let mut courses: Vec<HelpfulCourse> = Vec::new();
    let touch = |name: &str| if name == Touch::Teaches.as_str() { Touch::Teaches } else { Touch::Assesses };
    for (_, course, title, touch, _) in all.iter().filter(|helper| reach.helps(helper.0, touch(&helper.3), asked)) {
        let at = courses.iter().position(|c| c.course_id == *course).unwrap_or_else(|| {
            let new = HelpfulCourse { course_id: *course, title: title.clone(), teaches: false, assesses: false };
            courses.push(new);
            courses.len().saturating_sub(1)
        });
        if let Some(known) = courses.get_mut(at) {
            known.teaches |= touch == "teaches";
            known.assesses |= touch == "assesses";
        }
    }
    // Whoever teaches and assesses closes a gap alone.
    courses.sort_by_key(|c| std::cmp::Reverse((c.teaches && c.assesses, c.teaches)));
    courses.truncate(10);
    courses
}

/// A page of somebody's goals with the gap and what closes it.
///
/// # Errors
/// 403, 404.
pub fn of_user(conn: &mut Conn, ctx: &Ctx, who: &Ref, page: &PageRequest) -> AppResult<Rows<UserGoalOut>> {
    let user = users::find_for(conn, ctx, who, Act::ReadMastery)?;
    let rows = store::goals::of_user(conn, user.id, page)?;
    let ids: Vec<Uuid> = rows.items.iter().map(|(goal, _)| goal.id).collect();
    let mut targets = by_scope(store::targets::of_scopes(conn, &ids)?);
    let wanted: Vec<Uuid> = targets.values().flatten().map(|target| target.competency_id).collect();
    let known: HashMap<Uuid, (CompetencyRow, Option<MasteryRow>)> =
        store::evidence::with_mastery_below(conn, user.id, &wanted)?
            .into_iter()
            .map(|pair| (pair.0.id, pair))
            .collect();
    let tree = known.values().map(|(row, _)| row.node()).collect::<AppResult<Tree>>()?;
    let value = |id: &Uuid| known.get(id).and_then(|(_, mastery)| mastery.as_ref()).and_then(|row| row.value);
    let unmet = |target: &&TargetRow| !value(&target.competency_id).is_some_and(|v| reaches(v, target.at_least));
    let open: Vec<Uuid> = targets.values().flatten().filter(unmet).map(|target| target.competency_id).collect();
    let counting: HashMap<Uuid, Reach> = open.iter().map(|id| (*id, tree.reach(*id).of(|id| value(&id)))).collect();
    let within: BTreeSet<Uuid> = counting.values().flat_map(Reach::ids).collect();
    let help = store::goals::courses_for(conn, &within.into_iter().collect::<Vec<_>>())?;
    Ok(rows.map(|(goal, assigned_at)| {
        let requirements: Vec<GapOut> = targets
            .remove(&goal.id)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|target| {
                let (competency, _) = known.get(&target.competency_id)?;
                let mastery = value(&target.competency_id);
                let met = mastery.is_some_and(|value| reaches(value, target.at_least));
                let due_at = due(target.due_at, target.due_days).map(|due| due.instant(assigned_at));
                Some(GapOut {
                    competency_id: competency.id,
                    key: competency.key.clone(),
                    title: competency.title.clone(),
                    at_least: target.at_least,
                    mastery,
                    gap: if met { 0.0 } else { (target.at_least - mastery.unwrap_or(0.0)).max(0.0) },
                    met,
                    due_at,
                    behind_days: due_at.and_then(|due| behind_days(mastery, target.at_least, due, ctx.now)),
                    courses: match counting.get(&competency.id).filter(|_| !met) {
                        Some(reach) => helpers(&help, reach, target.at_least),
                        None => Vec::new(),
                    },
                })
            })
            .collect();
        let count = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
        let met = count(requirements.iter().filter(|gap| gap.met).count());
        let all = count(requirements.len());
        UserGoalOut {
            goal_id: goal.id,
            title: goal.title,
            assigned_at,
            met_percent: if all > 0.0 { (met / all * 10_000.0).round() / 100.0 } else { 100.0 },
            requirements,
        }
    }))
}
