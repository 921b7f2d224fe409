//! Who sees what: the game of a group is for its members, its players and those who see the group; the members of a group are
//! shown to those who are among them or may see who is in it, and so
//! are the learners of a course.

use std::sync::Arc;

use uuid::Uuid;

use super::Game;
use crate::db::Conn;
use crate::domain::permission::{Act, Relation};
use crate::error::{AppError, AppResult};
use crate::features::games::store::games::Sight;
use crate::features::games::store::{groups, players};
use crate::features::groups::service::relation;
use crate::state::Ctx;

/// Fills in the roles that the actor holds over the unit that a game is of.
///
/// # Errors
/// Database errors.
pub fn with_unit_roles(conn: &mut Conn, ctx: &Ctx, game: Arc<Game>) -> AppResult<Arc<Game>> {
    let Some(group) = game.group() else { return Ok(game) };
    let roles = relation(conn, ctx, group)?.unit_roles;
    if roles == game.unit_roles {
        return Ok(game);
    }
    Ok(Arc::new(Game { unit_roles: roles, ..Game::clone(&game) }))
}

/// Whether the actor may know of a game. Games of the site and of courses are in the sight of all who may read games; machines
/// see what their scopes say.
///
/// # Errors
/// Database errors.
pub fn sees(conn: &mut Conn, ctx: &Ctx, game: &Game) -> AppResult<bool> {
    let (Some(group), Some(me)) = (game.group(), ctx.actor.user_id()) else { return Ok(true) };
    if ctx.actor.may(Act::ReadGroup, &game.relation()).is_ok() {
        return Ok(true);
    }
    // Whoever played and left the group still finds the points.
    Ok(!groups::among(conn, group, vec![me])?.is_empty() || players::find(conn, game.id(), &[me])?.contains_key(&me))
}

/// What a list of games is limited to.
pub fn limits(ctx: &Ctx) -> Option<Sight> {
    let me = ctx.actor.user_id()?;
    if ctx.actor.may(Act::ReadGroup, &Relation::default()).is_ok() {
        return None;
    }
    Some(Sight { me, units: ctx.actor.units_for(Act::ReadGroup) })
}

/// Refuses to show who is in a group to somebody who may not see that.
///
/// # Errors
/// 404; 422 for those who may see all groups, when there is none of this id.
pub fn require_members(conn: &mut Conn, ctx: &Ctx, group: Uuid) -> AppResult<()> {
    let Some(me) = ctx.actor.user_id() else { return exists(conn, group) };
    if ctx.actor.may(Act::ReadMembers, &relation(conn, ctx, group)?).is_ok() {
        return exists(conn, group);
    }
    if groups::among(conn, group, vec![me])?.is_empty() {
        return Err(AppError::not_found("group"));
    }
    Ok(())
}

fn exists(conn: &mut Conn, group: Uuid) -> AppResult<()> {
    if groups::existing(conn, &[group])?.is_empty() {
        return Err(AppError::field("?group_id", "unknown_group", "There is no such group."));
    }
    Ok(())
}

/// Whether the actor may know who learns in a course: those who see its enrollments, and who learns there too. Machines see what
/// their scopes say.
///
/// # Errors
/// Database errors.
pub fn sees_learners(conn: &mut Conn, ctx: &Ctx, course: Uuid) -> AppResult<bool> {
    let Some(me) = ctx.actor.user_id() else { return Ok(true) };
    if ctx.actor.may(Act::ReadEnrollment, &Relation { course: Some(course), ..Relation::default() }).is_ok() {
        return Ok(true);
    }
    Ok(!groups::learning(conn, course, &[me])?.is_empty())
}
