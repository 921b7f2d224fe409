//! SQL about practice: estimates and answers.

use chrono::{DateTime, Utc};
use diesel::dsl::count_star;
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl};
use uuid::Uuid;

use crate::db::Conn;
use crate::db::schema::{practice_abilities as abilities, practice_answers as answers, practice_items as items};
use crate::db::types::{At, Id};
use crate::error::AppResult;
use crate::per_backend;

/// An estimate: logit, answers.
pub type Estimate = (f64, i32);

pub fn ability(conn: &mut Conn, user: Uuid, course: Uuid) -> AppResult<Option<Estimate>> {
    let row = abilities::table.filter(abilities::user_id.eq(Id(user))).filter(abilities::course_id.eq(Id(course)));
    Ok(row.select((abilities::logit, abilities::answers)).first(conn).optional()?)
}

/// Difficulties of the items of a course that were answered: module, item, estimate.
pub fn difficulties(conn: &mut Conn, course: Uuid) -> AppResult<Vec<(String, String, f64, i32)>> {
    Ok(items::table
        .filter(items::course_id.eq(Id(course)))
        .select((items::module_key, items::item_key, items::logit, items::answers))
        .load(conn)?)
}

/// How often each item was answered in an enrollment.
pub fn seen(conn: &mut Conn, enrollment: Uuid) -> AppResult<Vec<(String, String, i64)>> {
    Ok(answers::table
        .filter(answers::enrollment_id.eq(Id(enrollment)))
        .group_by((answers::module_key, answers::item_key))
        .select((answers::module_key, answers::item_key, count_star()))
        .load(conn)?)
}

pub fn set_ability(
    conn: &mut Conn,
    user: Uuid,
    course: Uuid,
    (logit, n): Estimate,
    now: DateTime<Utc>,
) -> AppResult<()> {
    let row = (
        abilities::user_id.eq(Id(user)),
        abilities::course_id.eq(Id(course)),
        abilities::logit.eq(logit),
        abilities::answers.eq(n),
        abilities::updated_at.eq(At(now)),
    );
    let change = (abilities::logit.eq(logit), abilities::answers.eq(n), abilities::updated_at.eq(At(now)));
    per_backend!(conn, |c| diesel::insert_into(abilities::table)
        .values(row)
        .on_conflict((abilities::user_id, abilities::course_id))
        .do_update()
        .set(change)
        .execute(c))?;
    Ok(())
}

pub fn set_difficulty(
    conn: &mut Conn,
    course: Uuid,
    (module, item): (&str, &str),
    (logit, n): Estimate,
) -> AppResult<()> {
    let row = (
        items::course_id.eq(Id(course)),
        items::module_key.eq(module),
        items::item_key.eq(item),
        items::logit.eq(logit),
        items::answers.eq(n),
    );
    per_backend!(conn, |c| diesel::insert_into(items::table)
        .values(row)
        .on_conflict((items::course_id, items::module_key, items::item_key))
        .do_update()
        .set((items::logit.eq(logit), items::answers.eq(n)))
        .execute(c))?;
    Ok(())
}

pub fn insert_answer(
    conn: &mut Conn,
    id: Uuid,
    enrollment: Uuid,
    (module, item): (&str, &str),
    score: f64,
    now: DateTime<Utc>,
) -> AppResult<()> {
    diesel::insert_into(answers::table)
        .values((
            answers::id.eq(Id(id)),
            answers::enrollment_id.eq(Id(enrollment)),
            answers::module_key.eq(module),
            answers::item_key.eq(item),
            answers::score.eq(score),
            answers::at.eq(At(now)),
        ))
        .execute(conn)?;
    Ok(())
}
