//! Use cases about who writes and teaches a course.

use serde_json::json;
use uuid::Uuid;

use super::dto::{StaffIn, StaffOut};
use super::service::{find, find_for, named, relation};
use super::store;
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::domain::permission::{Act, Role};
use crate::error::{AppError, AppResult};
use crate::events::{self, NewEvent};
use crate::features::users;
use crate::http::Ref;
use crate::state::Ctx;

fn out((id, user_id, role, created_at): store::StaffRow) -> AppResult<StaffOut> {
    Ok(StaffOut { id, user_id, role: named(&role)?, created_at })
}

/// A page of the course's staff.
///
/// # Errors
/// 403, 404.
pub fn list(conn: &mut Conn, ctx: &Ctx, which: &Ref, page: &PageRequest) -> AppResult<Rows<StaffOut>> {
    let course = find(conn, ctx, which, Act::ReadOutline)?;
    ctx.require(Act::ReadOutline, &relation(course.id))?;
    let rows = store::list_staff(conn, course.id, page)?;
    let items = rows.items.into_iter().map(out).collect::<AppResult<_>>()?;
    Ok(Rows { items, next: rows.next })
}

/// Gives a user one role in the course, replacing the one held.
///
/// # Errors
/// 403, 404; 409 for somebody whose data was erased.
pub fn set(conn: &mut Conn, ctx: &Ctx, which: &Ref, who: &Ref, input: &StaffIn) -> AppResult<StaffOut> {
    let course = find_for(conn, ctx, which, Act::WriteCourse)?;
    let user = users::find(conn, who)?;
    users::service::forbid_changing_erased(user.id, &user.email)?;
    store::remove_staff(conn, course.id, user.id)?;
    let role = Role::from(input.role);
    let row = (ctx.new_id(), user.id, role.as_str().to_owned(), ctx.now);
    store::insert_staff(conn, &row, course.id)?;
    let event = NewEvent::new("course.staff_changed", "course", course.id).course(course.id).user(user.id);
    events::append(conn, ctx, vec![event.data(json!({"role": role}))])?;
    out(row)
}

/// Takes a user's role in the course away.
///
/// # Errors
/// 403, 404.
pub fn remove(conn: &mut Conn, ctx: &Ctx, which: &Ref, who: &Ref) -> AppResult<()> {
    let course = find_for(conn, ctx, which, Act::WriteCourse)?;
    let user: Uuid = users::find(conn, who)?.id;
    if store::remove_staff(conn, course.id, user)? == 0 {
        return Err(AppError::not_found("member of staff"));
    }
    let event = NewEvent::new("course.staff_changed", "course", course.id).course(course.id).user(user);
    events::append(conn, ctx, vec![event.data(json!({"role": null}))])
}
