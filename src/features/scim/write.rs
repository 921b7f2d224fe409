//! One write: reads what was sent, hashes a password before the transaction, and answers. Single requests and bulk share it.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::fault::{checked, fault};
use super::groups::{self, GroupChanges};
use super::keeping;
use super::users::{self, Edit, Made};
use super::view::Shown;
use crate::db::turns::{self, Memberships};
use crate::domain::permission::{Act, Relation};
use crate::domain::scim::project::Projection;
use crate::domain::scim::schemas::{GROUPS, USERS};
use crate::domain::scim::{ErrorType, input, patch};
use crate::error::{AppError, AppResult};
use crate::http::{Answer, Bytes, Conditions, Patch, Retry, commit};
use crate::state::{Ctx, State};

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// A new user.
    Users,
    /// This user.
    User(Uuid),
    /// The caller.
    Me,
    /// A new group.
    Groups,
    /// This group.
    Group(Uuid),
}

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// A new one is made.
    Create,
    /// It is replaced.
    Replace,
    /// It is changed in parts.
    Patch,
    /// It goes.
    Delete,
}

/// A write.
#[derive(Debug)]
pub struct Write {
    /// What.
    pub to: To,
    /// How.
    pub how: How,
    /// With what.
    pub body: Map<String, Value>,
    /// If what.
    pub conditions: Conditions,
    /// What the answer shows.
    pub projection: Projection,
}

/// What was read of the body.
enum Input {
    User(Map<String, Value>),
    UserChange(Made),
    Group(Map<String, Value>),
    GroupChange(GroupChanges),
    Nothing,
}

fn read(write: Write) -> AppResult<(Input, Patch<String>)> {
    let Write { to, how, body, .. } = write;
    match (to, how) {
        (To::Users, How::Create) => {
            let mut resource = checked(input::resource(&body, &USERS))?;
            let password = keeping::take_password(&mut resource)?;
            Ok((Input::User(resource), password))
        }
        (To::User(_) | To::Me, How::Replace) => {
            let mut resource = checked(input::resource(&body, &USERS))?;
            let password = keeping::take_password(&mut resource)?;
            Ok((Input::UserChange(Made::Replaced(resource)), password))
        }
        (To::User(_) | To::Me, How::Patch) => {
            let operations = checked(patch::parse(&Value::Object(body), &USERS))?;
            let password = keeping::patched_password(&operations)?;
            Ok((Input::UserChange(Made::Patched(operations)), password))
        }
        (To::Groups, How::Create) => Ok((Input::Group(checked(input::resource(&body, &GROUPS))?), Patch::Absent)),
        (To::Group(_), How::Replace) => {
            let resource = checked(input::resource(&body, &GROUPS))?;
            Ok((Input::GroupChange(GroupChanges::replaced(&resource)?), Patch::Absent))
        }
        (To::Group(_), How::Patch) => {
            let operations = checked(patch::parse(&Value::Object(body), &GROUPS))?;
            Ok((Input::GroupChange(GroupChanges::patched(&operations)?), Patch::Absent))
        }
        (To::User(_) | To::Group(_), How::Delete) => Ok((Input::Nothing, Patch::Absent)),
        _ => Err(fault(ErrorType::InvalidPath, "This method does not go with this path.")),
    }
}

fn answer(status: u16, shown: &Shown) -> AppResult<Answer> {
    let answer = Answer::scim(status, &shown.resource)?.header("etag", &shown.tag);
    Ok(if status == 201 { answer.header("location", &shown.location) } else { answer })
}

/// Writes in one transaction and answers when it is durable.
///
/// # Errors
/// 400, 403, 404, 409, 412.
pub async fn run(state: &State, ctx: &Ctx, retry: Retry, raw: &Bytes, write: Write) -> AppResult<Answer> {
    if write.to != To::Me {
        ctx.require(Act::Provision, &Relation::default())?;
    }
    let base = super::base(state);
    let (to, conditions, projection) = (write.to, write.conditions.clone(), write.projection.clone());
    let (input, password) = read(write)?;
    let hash = match password {
        Patch::Value(password) => Patch::Value(state.passwords.hash(password).await?),
        Patch::Null => Patch::Null,
        Patch::Absent => Patch::Absent,
    };
    commit(state, ctx, retry, raw, move |conn, ctx| {
        // Whoever deletes a group takes a turn alone.
        if !matches!((&input, to), (Input::Nothing, To::Group(_))) {
            turns::memberships(conn, Memberships::Change)?;
        }
        match (input, to) {
            (Input::User(resource), _) => {
                let shown = users::create(conn, ctx, resource, hash.over(None), &projection, &base)?;
                answer(201, &shown)
            }
            (Input::Group(resource), _) => answer(201, &groups::create(conn, ctx, &resource, &projection, &base)?),
            (Input::UserChange(made), To::Me) => {
                answer(200, &users::change_me(conn, ctx, Edit { made, hash, conditions }, &projection, &base)?)
            }
            (Input::UserChange(made), To::User(id)) => {
                answer(200, &users::change(conn, ctx, id, Edit { made, hash, conditions }, &projection, &base)?)
            }
            (Input::GroupChange(changes), To::Group(id)) => {
                answer(200, &groups::change(conn, ctx, id, changes, &conditions, &projection, &base)?)
            }
            (Input::Nothing, To::User(id)) => {
                users::leave(conn, ctx, id, &conditions, &base)?;
                Ok(Answer::no_content())
            }
            (Input::Nothing, To::Group(id)) => {
                groups::delete(conn, ctx, id, &conditions)?;
                Ok(Answer::no_content())
            }
            _ => Err(AppError::internal("a write that does not go with what it is about")),
        }
    })
    .await
}
