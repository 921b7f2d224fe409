//! Use cases about who reports to whom.

use super::dto::{Depth, UserOut};
use super::service::{find_for, is_below, outs};
use super::store;
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::domain::permission::{Act, Relation};
use crate::error::AppResult;
use crate::http::Ref;
use crate::state::Ctx;

/// A page of those who report to a user.
///
/// # Errors
/// 404 for users out of the caller's sight.
pub fn list(conn: &mut Conn, ctx: &Ctx, who: &Ref, depth: Depth, page: &PageRequest) -> AppResult<Rows<UserOut>> {
    let manager = find_for(conn, ctx, who, Act::ReadReports)?;
    // Who sees the manager by a role for a unit sees of the reports the people of that unit.
    let whole = ctx.may(Act::ReadReports, &Relation::default())
        || ctx.actor.user_id() == Some(manager.id)
        || is_below(conn, ctx, manager.id)?;
    let units = (!whole).then(|| ctx.actor.units_for(Act::ReadReports));
    let rows = store::reports(conn, manager.id, depth == Depth::All, units.as_deref(), page)?;
    outs(conn, rows)
}
