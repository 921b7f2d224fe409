//! Use cases about personal data.

use uuid::Uuid;

use super::dto::{Erased, PersonalData};
use super::store;
use crate::db::turns::{self, Memberships};
use crate::db::{Conn, LockTable, LockWhole, lock_row, lock_whole, personal};
use crate::domain::permission::{Act, Relation};
use crate::error::{AppError, AppResult};
use crate::events::{self, NewEvent};
use crate::features::{sessions, sync, users};
use crate::http::{Ref, idempotency};
use crate::state::Ctx;

/// Everything held on a person.
///
/// # Errors
/// 404 also for those whose data the caller may not see.
pub fn export(conn: &mut Conn, ctx: &Ctx, who: &Ref) -> AppResult<PersonalData> {
    let user = users::find(conn, who)?.id;
    let relation = Relation { own: ctx.actor.user_id() == Some(user), ..Relation::default() };
    if relation.own {
        ctx.require(Act::ExportPerson, &relation)?;
    } else if !ctx.may(Act::ExportPerson, &relation) {
        return Err(AppError::not_found("user"));
    }
    Ok(PersonalData { user_id: user, exported_at: ctx.now, data: personal::rows_about(conn, user)? })
}

/// Notes that somebody got a person's data.
///
/// # Errors
/// Database errors.
pub fn log_export(conn: &mut Conn, ctx: &Ctx, user: Uuid) -> AppResult<()> {
    events::append(conn, ctx, vec![NewEvent::new("user.exported", "user", user).user(user)])
}

/// Erases what identifies a person.
///
/// # Errors
/// 403, 404; 422 when `confirm` is not the user's id or the caller means themselves.
pub fn erase(conn: &mut Conn, ctx: &Ctx, who: &Ref, confirm: Uuid) -> AppResult<Erased> {
    ctx.require(Act::ErasePerson, &Relation::default())?;
    let found = users::find(conn, who)?;
    let user = found.id;
    if confirm != user {
        return Err(AppError::field("/confirm", "not_confirmed", "This must be the user's id."));
    }
    if ctx.actor.user_id() == Some(user) {
        return Err(AppError::field("/confirm", "own_account", "Another admin must do this to you."));
    }
    // Their memberships end with them.
    turns::memberships(conn, Memberships::Change)?;
    // Before the user is locked: whoever applies a plan locks the plan first, then its people.
    sync::forget_person(conn, user)?;
    // Nobody gets them as a manager meanwhile.
    lock_whole(conn, LockWhole::Managers)?;
    lock_row(conn, LockTable::Users, user)?;
    if let Some(erased_at) = store::erased_at(conn, user)? {
        return Ok(Erased { user_id: user, erased_at, already_erased: true });
    }
    sessions::forget_failures(conn, &sessions::account_key(&found.email))?;
    store::erase(conn, user, ctx.actor.id(), ctx.now)?;
    idempotency::forget_person(conn, user)?;
    users::keep_an_admin(conn)?;
    events::append(conn, ctx, vec![NewEvent::new("user.erased", "user", user).user(user)])?;
    Ok(Erased { user_id: user, erased_at: ctx.now, already_erased: false })
}
