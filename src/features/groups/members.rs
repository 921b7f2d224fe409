//! Use cases about who is in a group.

use uuid::Uuid;

use super::dto::{Depth, GroupKind, MemberOut, UserGroupOut};
use super::service::{find_for, sight};
use super::{flow, store};
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::db::turns::{self, Memberships};
use crate::domain::permission::{Act, Relation};
use crate::error::{AppError, AppResult, Code};
use crate::features::users;
use crate::http::Ref;
use crate::state::Ctx;

/// Members of a dynamic group follow from its condition; nobody puts them in or out.
fn require_listed(row: &store::GroupRow) -> AppResult<()> {
    if row.kind == GroupKind::Dynamic.as_str() {
        return Err(AppError::new(
            Code::WrongState,
            "The members of a dynamic group follow from its condition. Change the condition or the user's attributes.",
        ));
    }
    Ok(())
}

/// The user, if the actor may put them into a group: whoever administers a unit only may take its own people, not those of others.
fn person(conn: &mut Conn, ctx: &Ctx, who: &Ref) -> AppResult<Uuid> {
    let row = users::find(conn, who)?;
    let user = row.id;
    if !ctx.may(Act::WriteAnyGroup, &Relation::default()) {
        let mut relation = Relation::default();
        users::relate(conn, ctx, user, &mut relation)?;
        if !ctx.may(Act::WriteUser, &relation) {
            return Err(AppError::not_found("user"));
        }
    }
    users::service::forbid_changing_erased(user, &row.email)?;
    Ok(user)
}

/// Puts a user into a group. Courses assigned to the group, or to a unit above it, follow at once.
///
/// # Errors
/// 403, 404; 409 for a dynamic group and for whose data was erased.
pub fn add(conn: &mut Conn, ctx: &Ctx, which: &Ref, who: &Ref) -> AppResult<()> {
    turns::memberships(conn, Memberships::Change)?;
    let group = find_for(conn, ctx, which, Act::WriteGroup)?;
    require_listed(&group)?;
    let user = person(conn, ctx, who)?;
    turns::people(conn, &[user])?;
    if store::memberships(conn, &[group.id], &[user])?.is_empty() {
        flow::join(conn, ctx, &[(group.id, user)])?;
    }
    Ok(())
}

/// Takes a user out of a group.
///
/// # Errors
/// 403, 404; 409 for a dynamic group.
pub fn remove(conn: &mut Conn, ctx: &Ctx, which: &Ref, who: &Ref) -> AppResult<()> {
    turns::memberships(conn, Memberships::Change)?;
    let group = find_for(conn, ctx, which, Act::WriteGroup)?;
    require_listed(&group)?;
    let user = users::find(conn, who)?.id;
    turns::people(conn, &[user])?;
    if store::memberships(conn, &[group.id], &[user])?.is_empty() {
        return Err(AppError::not_found("member"));
    }
    flow::leave(conn, ctx, &[(group.id, user)])
}

/// Puts many users into a group and takes many out; those who are in, or out, already stay so. Whether the actor may write the
/// group must have been asked, and the turn with memberships been taken.
///
/// # Errors
/// 409 for a dynamic group.
pub fn change(conn: &mut Conn, ctx: &Ctx, group: &store::GroupRow, add: &[Uuid], remove: &[Uuid]) -> AppResult<()> {
    if add.is_empty() && remove.is_empty() {
        return Ok(());
    }
    require_listed(group)?;
    turns::people(conn, &[add, remove].concat())?;
    // In pieces: what follows for each member takes a statement for every 500 rows.
    for piece in remove.chunks(500) {
        let members = store::memberships(conn, &[group.id], piece)?;
        flow::leave(conn, ctx, &members)?;
    }
    for piece in add.chunks(500) {
        flow::join_new(conn, ctx, &piece.iter().map(|user| (group.id, *user)).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// A page of members.
///
/// # Errors
/// 403, 404.
pub fn list(conn: &mut Conn, ctx: &Ctx, which: &Ref, depth: Depth, page: &PageRequest) -> AppResult<Rows<MemberOut>> {
    let group = find_for(conn, ctx, which, Act::ReadMembers)?;
    let rows = match depth {
        Depth::Direct => store::list_members(conn, group.id, page)?,
        Depth::All => store::list_all_members(conn, group.id, page)?,
    };
    Ok(rows.map(|(user_id, email, given_name, family_name, joined_at)| MemberOut {
        user_id,
        email,
        given_name,
        family_name,
        joined_at,
    }))
}

/// A page of the groups that a user is in: all for the user and those who see all, else those within the caller's units.
///
/// # Errors
/// 404 for users out of the caller's sight.
pub fn list_of_user(conn: &mut Conn, ctx: &Ctx, who: &Ref, page: &PageRequest) -> AppResult<Rows<UserGroupOut>> {
    let user = users::find_for(conn, ctx, who, Act::ReadUser)?;
    let own = ctx.actor.user_id() == Some(user.id);
    let only = if own || ctx.actor.kind() == "client" { None } else { sight(ctx, Act::ReadGroup)? };
    let rows = store::list_of_user(conn, user.id, only.as_deref(), page)?;
    let items = rows
        .items
        .into_iter()
        .map(|(group_id, name, kind, joined_at)| {
            let kind = serde_json::from_value(kind.into()).map_err(AppError::internal)?;
            Ok(UserGroupOut { group_id, name, kind, joined_at })
        })
        .collect::<AppResult<_>>()?;
    Ok(Rows { items, next: rows.next })
}
