//! Who may provision. A client with the scope `scim` reads and writes users and groups over SCIM, and over nothing else.

use crate::domain::permission::{Act, Actor, Relation, Scope};
use crate::error::AppResult;
use crate::state::Ctx;

/// The context in which the use cases of users and groups do what SCIM asks for.
///
/// # Errors
/// 403.
pub fn authorised(ctx: &Ctx) -> AppResult<Ctx> {
    ctx.require(Act::Provision, &Relation::default())?;
    Ok(widened(ctx))
}

/// Here, the scope `scim` stands for those of users and groups.
pub fn widened(ctx: &Ctx) -> Ctx {
    let mut ctx = ctx.clone();
    let widen = |scopes: &mut Vec<Scope>| {
        if scopes.contains(&Scope::Scim) {
            scopes.extend([Scope::UsersRead, Scope::UsersWrite, Scope::GroupsRead, Scope::GroupsWrite]);
        }
    };
    if let Actor::Client { scopes, .. } = &mut ctx.actor {
        widen(scopes);
    }
    if let Some(via) = &mut ctx.via {
        widen(&mut via.scopes);
    }
    ctx
}
