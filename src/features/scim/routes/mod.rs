//! The handlers, one file for each kind of path.

pub mod body;
pub mod bulk;
pub mod discovery;
pub mod groups;
pub mod me;
pub mod search;
pub mod users;

use super::dto::ShownQuery;
use super::fault::checked;
use crate::domain::scim::project::Projection;
use crate::domain::scim::schemas::ResourceType;
use crate::error::AppResult;
use crate::http::{Answer, Query};

/// What an answer shows of one resource.
fn projection(query: &Query<ShownQuery>, of: &ResourceType) -> AppResult<Projection> {
    checked(Projection::parse(query.0.attributes.as_deref(), query.0.excluded_attributes.as_deref(), of))
}

/// The answer with a resource.
fn shown(shown: &super::view::Shown) -> AppResult<Answer> {
    Ok(Answer::scim(200, &shown.resource)?.header("etag", &shown.tag))
}
