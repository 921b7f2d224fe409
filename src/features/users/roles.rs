//! Use cases about roles: for the site, over the people of a unit, in a course.

use serde_json::json;
use uuid::Uuid;

use super::dto::{RoleIn, RoleOut, RoleScope, ScopeKind};
use super::service::{find_for, forbid_changing_erased, forbid_granting};
use super::store::{self, RoleRow};
use crate::db::page::{PageRequest, Rows};
use crate::db::{Conn, LockWhole, lock_whole};
use crate::domain::permission::{Act, Reach, Relation, Role};
use crate::domain::sync::Lock;
use crate::error::{AppError, AppResult, Code, is_unique_violation};
use crate::events::{self, NewEvent};
use crate::features::groups;
use crate::http::Ref;
use crate::state::Ctx;

fn out((id, role, reach, reach_id, created_at): RoleRow) -> AppResult<RoleOut> {
    let (kind, of) = match Reach::from_row(&reach, reach_id) {
        Reach::Site => (ScopeKind::Site, None),
        Reach::Unit(id) => (ScopeKind::Unit, Some(id)),
        Reach::Course(id) => (ScopeKind::Course, Some(id)),
    };
    Ok(RoleOut { id, role: role.parse().map_err(AppError::internal)?, scope: RoleScope { kind, id: of }, created_at })
}

/// A page of a user's roles.
///
/// # Errors
/// 404 for users out of the caller's sight.
pub fn list(conn: &mut Conn, ctx: &Ctx, who: &Ref, page: &PageRequest) -> AppResult<Rows<RoleOut>> {
    let user = find_for(conn, ctx, who, Act::ReadUser)?;
    let rows = store::list_roles(conn, user.id, page)?;
    let items = rows.items.into_iter().map(out).collect::<AppResult<_>>()?;
    Ok(Rows { items, next: rows.next })
}

/// Whether the actor may give and take this role.
fn require(conn: &mut Conn, ctx: &Ctx, role: Role, reach: Reach) -> AppResult<()> {
    if role == Role::Admin {
        forbid_granting(ctx, &[role]).or_else(|error| match reach {
            // Who administers a unit may share that.
            Reach::Unit(_) if ctx.actor.kind() == "user" => Ok(()),
            _ => Err(error),
        })?;
    }
    match reach {
        Reach::Site => ctx.require(Act::GrantSiteRole, &Relation::default()),
        Reach::Unit(unit) => {
            let relation = groups::service::relation(conn, ctx, unit)?;
            ctx.require(Act::GrantUnitRole, &relation)
        }
        Reach::Course(course) => {
            let relation = Relation { course: Some(course), ..Relation::default() };
            ctx.require(Act::WriteCourse, &relation)
        }
    }
}

fn reach(conn: &mut Conn, input: &RoleIn) -> AppResult<Reach> {
    let missing = |what: &str| AppError::field("/scope/id", "unknown", format!("There is no such {what}."));
    match (input.scope.kind, input.scope.id.as_deref().and_then(Ref::parse)) {
        (ScopeKind::Site, _) => Ok(Reach::Site),
        (ScopeKind::Unit, Some(which)) => match groups::find(conn, &which) {
            Ok(row) if row.kind == "unit" => Ok(Reach::Unit(row.id)),
            _ => Err(missing("unit")),
        },
        (ScopeKind::Course, Some(which)) => {
            store::course_id(conn, &which)?.map(Reach::Course).ok_or_else(|| missing("course"))
        }
        (_, None) => Err(AppError::field("/scope/id", "required", "This scope needs an id.")),
    }
}

/// Grants a role.
///
/// # Errors
/// 403, 404; 409 when it is held already; 422 for a scope that does not exist.
pub fn grant(conn: &mut Conn, ctx: &Ctx, who: &Ref, input: &RoleIn) -> AppResult<(Uuid, RoleOut)> {
    let user = find_for(conn, ctx, who, Act::ReadUser).or_else(|_| find_for(conn, ctx, who, Act::WriteUser))?;
    let reach = reach(conn, input)?;
    require(conn, ctx, input.role, reach)?;
    forbid_changing_erased(user.id, &user.email)?;
    let (kind, id) = reach.to_row();
    let row: RoleRow = (ctx.new_id(), input.role.as_str().to_owned(), kind.to_owned(), id, ctx.now);
    store::insert_role(conn, user.id, &row).map_err(|error| {
        if is_unique_violation(&error) {
            AppError::new(Code::Conflict, "The user holds this role already.")
        } else {
            error.into()
        }
    })?;
    tell(conn, ctx, user.id, "user.role_granted", &row)?;
    Ok((user.id, out(row)?))
}

/// Takes a role away.
///
/// # Errors
/// 403, 404; 409 for one's own admin role.
pub fn revoke(conn: &mut Conn, ctx: &Ctx, who: &Ref, grant: Uuid) -> AppResult<()> {
    let user = find_for(conn, ctx, who, Act::ReadUser).or_else(|_| find_for(conn, ctx, who, Act::WriteUser))?;
    let row = store::find_role(conn, user.id, grant)?.ok_or_else(|| AppError::not_found("role"))?;
    let role = row.1.parse().map_err(AppError::internal)?;
    require(conn, ctx, role, Reach::from_row(&row.2, row.3))?;
    if role == Role::Admin && ctx.actor.user_id() == Some(user.id) {
        return Err(own_admin_role());
    }
    store::delete_role(conn, grant)?;
    if role == Role::Admin {
        keep_an_admin(conn)?;
    }
    tell(conn, ctx, user.id, "user.role_revoked", &row)
}

fn own_admin_role() -> AppError {
    AppError::new(Code::WrongState, "Nobody takes their own admin role; ask another admin.")
}

/// Refuses roles for the site that leave an admin who sets their own no longer one.
///
/// # Errors
/// 409.
pub(super) fn keep_own_admin_role(ctx: &Ctx, user: Uuid, roles: &[Role]) -> AppResult<()> {
    if ctx.actor.user_id() == Some(user) && ctx.actor.has_site_role(Role::Admin) && !roles.contains(&Role::Admin) {
        return Err(own_admin_role());
    }
    Ok(())
}

/// Refuses a change, made already in this transaction, that leaves nobody who administers the site: then only the database itself
/// could be asked to mend it.
///
/// # Errors
/// 409.
pub fn keep_an_admin(conn: &mut Conn) -> AppResult<()> {
    // Two admins who demote each other at once must not both be the one who stays.
    lock_whole(conn, LockWhole::Admins)?;
    if store::site_admins(conn)?.into_iter().any(|(_, active)| active) {
        return Ok(());
    }
    Err(AppError::new(Code::WrongState, Lock::LastAdmin.reason()).with("reason", "last_admin"))
}

fn tell(conn: &mut Conn, ctx: &Ctx, user: Uuid, kind: &'static str, row: &RoleRow) -> AppResult<()> {
    let (_, role, reach, reach_id, _) = row;
    let id = (reach != "site").then_some(reach_id);
    let data = json!({"role": role, "scope": {"kind": reach, "id": id}});
    events::append(conn, ctx, vec![NewEvent::new(kind, "user", user).user(user).data(data)])
}
