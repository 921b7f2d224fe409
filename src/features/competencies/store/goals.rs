//! SQL about goals.

use chrono::{DateTime, Utc};
use diesel::dsl::exists;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, OptionalExtension, QueryDsl, RunQueryDsl, Selectable,
    SelectableHelper,
};
use uuid::Uuid;

use super::ids;
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::db::schema::{
    competency_targets as targets, course_revisions as revisions, courses, goal_learners, goals,
    revision_competencies as alignments, users,
};
use crate::db::tree;
use crate::db::types::{At, Id};
use crate::db::units::people_of;
use crate::error::AppResult;
use crate::per_backend;

/// A row of `goals`.
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = goals)]
pub struct GoalRow {
    pub id: Uuid,
    pub title: String,
    pub description: String,
    pub version: i64,
    pub created_by: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

pub fn find(conn: &mut Conn, id: Uuid) -> AppResult<Option<GoalRow>> {
    Ok(goals::table.filter(goals::id.eq(Id(id))).select(GoalRow::as_select()).get_result(conn).optional()?)
}

pub fn list(conn: &mut Conn, page: &PageRequest) -> AppResult<Rows<GoalRow>> {
    let mut query = goals::table.select(GoalRow::as_select()).order(goals::id).limit(page.fetch()).into_boxed();
    if let Some(after) = page.after {
        query = query.filter(goals::id.gt(Id(after)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.id))
}

pub fn insert(conn: &mut Conn, row: &GoalRow) -> AppResult<()> {
    diesel::insert_into(goals::table)
        .values((
            goals::id.eq(Id(row.id)),
            goals::title.eq(&row.title),
            goals::description.eq(&row.description),
            goals::version.eq(row.version),
            goals::created_by.eq(row.created_by.map(Id)),
            goals::created_at.eq(At(row.created_at)),
            goals::updated_at.eq(At(row.updated_at)),
        ))
        .execute(conn)?;
    Ok(())
}

pub fn update(conn: &mut Conn, row: &GoalRow) -> AppResult<()> {
    diesel::update(goals::table.filter(goals::id.eq(Id(row.id))))
        .set((
            goals::title.eq(&row.title),
            goals::description.eq(&row.description),
            goals::version.eq(row.version),
            goals::updated_at.eq(At(row.updated_at)),
        ))
        .execute(conn)?;
    Ok(())
}

pub fn delete(conn: &mut Conn, id: Uuid) -> AppResult<()> {
    diesel::delete(targets::table.filter(targets::scope_id.eq(Id(id)))).execute(conn)?;
    diesel::delete(goals::table.filter(goals::id.eq(Id(id)))).execute(conn)?;
    Ok(())
}

/// Assigns a goal; who has it keeps the day on which it was assigned first. Answers whether it is new.
pub fn assign(conn: &mut Conn, goal: Uuid, user: Uuid, by: Option<Uuid>, now: DateTime<Utc>) -> AppResult<bool> {
    let row = (
        goal_learners::goal_id.eq(Id(goal)),
        goal_learners::user_id.eq(Id(user)),
        goal_learners::assigned_by.eq(by.map(Id)),
        goal_learners::assigned_at.eq(At(now)),
    );
    let made = per_backend!(conn, |c| diesel::insert_into(goal_learners::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(made > 0)
}

pub fn unassign(conn: &mut Conn, goal: Uuid, user: Uuid) -> AppResult<usize> {
    let row = goal_learners::table.filter(goal_learners::goal_id.eq(Id(goal)));
    Ok(diesel::delete(row.filter(goal_learners::user_id.eq(Id(user)))).execute(conn)?)
}

/// Who has a goal: user, given name, family name, since when.
pub type Holder = (Uuid, String, String, DateTime<Utc>);

pub fn holder(conn: &mut Conn, goal: Uuid, user: Uuid) -> AppResult<Option<Holder>> {
    Ok(goal_learners::table
        .inner_join(users::table.on(users::id.eq(goal_learners::user_id)))
        .filter(goal_learners::goal_id.eq(Id(goal)))
        .filter(goal_learners::user_id.eq(Id(user)))
        .select((users::id, users::given_name, users::family_name, goal_learners::assigned_at))
        .first(conn)
        .optional()?)
}

/// Whom a list of holders shows.
pub enum Sight {
    /// Everybody.
    All,
    /// The people of these units, and everybody below.
    Below {
        /// The caller.
        user: Uuid,
        /// Units whose people the caller looks after.
        units: Vec<Uuid>,
    },
}

/// Whether anybody reports to this person.
pub fn manages(conn: &mut Conn, user: Uuid) -> AppResult<bool> {
    let reports = users::table.filter(users::manager_id.eq(Some(Id(user))));
    Ok(diesel::select(exists(reports)).get_result(conn)?)
}

pub fn holders(conn: &mut Conn, goal: Uuid, sight: &Sight, page: &PageRequest) -> AppResult<Rows<Holder>> {
    let mut query = goal_learners::table
        .inner_join(users::table.on(users::id.eq(goal_learners::user_id)))
        .filter(goal_learners::goal_id.eq(Id(goal)))
        .order(goal_learners::user_id)
        .limit(page.fetch())
        .select((users::id, users::given_name, users::family_name, goal_learners::assigned_at))
        .into_boxed();
    if let Sight::Below { user, units } = sight {
        let below = tree::is_below("goal_learners.user_id", *user);
        query = query.filter(goal_learners::user_id.eq_any(people_of(units)).or(below));
    }
    if let Some(after) = page.after {
        query = query.filter(goal_learners::user_id.gt(Id(after)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row: &Holder| row.0))
}

/// A page of a person's goals, with since when.
pub fn of_user(conn: &mut Conn, user: Uuid, page: &PageRequest) -> AppResult<Rows<(GoalRow, DateTime<Utc>)>> {
    let mut query = goal_learners::table
        .inner_join(goals::table.on(goals::id.eq(goal_learners::goal_id)))
        .filter(goal_learners::user_id.eq(Id(user)))
        .order(goal_learners::goal_id)
        .limit(page.fetch())
        .select((GoalRow::as_select(), goal_learners::assigned_at))
        .into_boxed();
    if let Some(after) = page.after {
        query = query.filter(goal_learners::goal_id.gt(Id(after)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |(row, _)| row.id))
}

/// A published course that touches a competency: competency, course, title, touch, weight.
pub type Helper = (Uuid, Uuid, String, String, f64);

/// Published courses whose newest revision teaches or assesses any of these.
pub fn courses_for(conn: &mut Conn, list: &[Uuid]) -> AppResult<Vec<Helper>> {
    let newest = revisions::course_id.eq(courses::id).and(revisions::number.eq(courses::latest_revision));
    Ok(courses::table
        .inner_join(revisions::table.on(newest))
        .inner_join(alignments::table.on(alignments::revision_id.eq(revisions::id)))
        .filter(alignments::competency_id.eq_any(ids(list)))
        .filter(alignments::touch.ne("asks"))
        .filter(courses::status.eq("published"))
        .order((alignments::weight.desc(), courses::id))
        .select((alignments::competency_id, courses::id, courses::title, alignments::touch, alignments::weight))
        .limit(500)
        .load(conn)?)
}
