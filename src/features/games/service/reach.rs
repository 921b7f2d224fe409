//! Whom the actor may draw into a game: give points or a badge, put into a team. Whoever may do it everywhere does it to
//! anybody; whoever may because of a course or a unit does it to those whom the game is for, who play in it already, or who are
//! people of that unit. Others look like nobody, so that no id can be tried out.

use std::collections::HashSet;

use uuid::Uuid;

use super::Game;
use crate::db::Conn;
use crate::domain::permission::{Act, Relation};
use crate::error::{AppError, AppResult, Code};
use crate::features::games::store::{PIECE, groups, players};
use crate::features::users::{self, UserRow};
use crate::http::Ref;
use crate::state::Ctx;

/// Those of these people to whom the actor may do this.
///
/// # Errors
/// Database errors.
pub fn among(conn: &mut Conn, ctx: &Ctx, game: &Game, act: Act, people: &[Uuid]) -> AppResult<HashSet<Uuid>> {
    if ctx.may(act, &Relation::default()) {
        return Ok(people.iter().copied().collect());
    }
    let mut reached: HashSet<Uuid> = players::find(conn, game.id(), people)?.into_keys().collect();
    if let Some(group) = game.group() {
        reached.extend(groups::among(conn, group, people.to_vec())?);
    }
    if let Some(course) = game.course() {
        reached.extend(groups::learning(conn, course, people)?);
    }
    for piece in people.chunks(PIECE) {
        reached.extend(users::reach_for(conn, ctx, act, piece)?);
    }
    Ok(reached)
}

/// The user who is meant, if the actor may do this to them.
///
/// # Errors
/// Database errors.
pub fn one(conn: &mut Conn, ctx: &Ctx, game: &Game, act: Act, who: &Ref) -> AppResult<Option<UserRow>> {
    let row = match users::find(conn, who) {
        Err(error) if error.code() == Code::NotFound => return Ok(None),
        found => found?,
    };
    let reached = among(conn, ctx, game, act, &[row.id])?;
    Ok(Some(row).filter(|row| reached.contains(&row.id)))
}

/// The user whom a body names as `user_id`.
///
/// # Errors
/// 422.
pub fn named(conn: &mut Conn, ctx: &Ctx, game: &Game, act: Act, text: &str) -> AppResult<UserRow> {
    let who = Ref::parse(text)
        .ok_or_else(|| AppError::field("/user_id", "wrong_format", "This is neither an id nor ext:<external_id>."))?;
    one(conn, ctx, game, act, &who)?
        .ok_or_else(|| AppError::field("/user_id", "unknown_user", "There is no such user."))
}

/// As [`named`], who may still play: whoever left, or was erased, plays no more.
///
/// # Errors
/// 422.
pub fn named_player(conn: &mut Conn, ctx: &Ctx, game: &Game, act: Act, text: &str) -> AppResult<Uuid> {
    let user = named(conn, ctx, game, act, text)?;
    if user.state == "left" {
        return Err(AppError::field("/user_id", "user_left", "The user has left and plays no more."));
    }
    Ok(user.id)
}
