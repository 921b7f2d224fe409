//! What happens outside of a course can move a learner within it: a profile that changes, a certificate, a badge, a group. The
//! path is computed from such facts whenever it is read; the stored progress, completion and certificate follow here, from the
//! event log, within a second.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::state;
use super::store;
use crate::db::Conn;
use crate::domain::learning::Changes;
use crate::error::AppResult;
use crate::events::Event;
use crate::events::dispatch::Consumer;
use crate::state::Ctx;

/// Reads the event log.
pub const CONSUMER: Consumer = Consumer { name: "enrollments", handle: follow };

/// Events that can change what conditions ask about a learner, by the beginning of their names.
const KINDS: [&str; 9] = [
    "user.",
    "group.",
    "enrollment.",
    "course.completed",
    "certificate.",
    "badge.",
    "points.",
    "level.",
    "competency.",
];

fn follow(conn: &mut Conn, ctx: &Ctx, events: &[Event]) -> AppResult<()> {
    let matters = |event: &&Event| KINDS.iter().any(|kind| event.kind.starts_with(kind));
    let people: BTreeSet<Uuid> = events.iter().filter(matters).filter_map(|event| event.user_id).collect();
    let people: Vec<Uuid> = people.into_iter().collect();
    for (id, revision) in store::active_of(conn, &people)? {
        if state::outline(conn, revision)?.needs.beyond_enrollment() {
            recompute(conn, ctx, id)?;
        }
    }
    Ok(())
}

/// Stores progress and completion anew where they are not what the facts say.
fn recompute(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<()> {
    let Some(row) = store::find_locked(conn, id)?.filter(|row| row.status == "active") else { return Ok(()) };
    let stored = state::progress(&row);
    let mut loaded = state::load(conn, row)?;
    let standing = loaded.standing(ctx);
    if standing.complete || standing.progress != stored {
        loaded.save(conn, ctx, &Changes::default(), Vec::new())?;
    }
    Ok(())
}
