//! SQL about groups, as far as games ask. Until groups are there, none exists, and no game can be about one.

use uuid::Uuid;

use crate::db::Conn;
use crate::error::AppResult;

/// Whether a group exists.
pub fn exists(_: &mut Conn, _: Uuid) -> AppResult<bool> {
    Ok(false)
}

/// Those of these users (in order) who are in a group.
pub fn among(_: &mut Conn, _: Uuid, _: Vec<Uuid>) -> AppResult<Vec<Uuid>> {
    Ok(Vec::new())
}
