//! Following the clock: conditions about time let modules appear, or test learners out of them, without anybody doing anything. When
//! that may happen next is written down for each active enrollment whose outline asks about time, and the worker looks at those whose
//! instant has come.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::seats;
use super::settling::{PIECE, settle_piece};
use super::state::Loaded;
use super::store;
use crate::db::Conn;
use crate::domain::path;
use crate::error::AppResult;
use crate::state::{Ctx, State};

/// When an enrollment is to be looked at again.
pub(super) type NextTurn = (Uuid, DateTime<Utc>);

impl Loaded {
    /// When time alone may next change where the learner stands.
    pub(super) fn next_turn(&self, ctx: &Ctx) -> Option<NextTurn> {
        let at = path::turns_at(&self.outline, &self.facts, ctx.now).filter(|_| self.row.status == "active");
        at.map(|at| (self.row.id, at))
    }

    /// The same where it is sooner than what is written down: to look too early does no harm, and most events write nothing.
    pub(super) fn sooner_turn(&self, ctx: &Ctx) -> Option<NextTurn> {
        let known = self.turns_at.filter(|at| *at > ctx.now);
        self.next_turn(ctx).filter(|(_, at)| known.is_none_or(|known| *at < known))
    }
}

/// Brings along the enrollments whose instant has come; run every few seconds, a piece at a time.
///
/// # Errors
/// Database errors.
pub fn settle_due(state: &State, _: &Value) -> AppResult<()> {
    let ctx = state.system();
    // Looking is a read; only what is found costs a write.
    while !state.db.read_here(|conn| store::due_turns(conn, ctx.now, 1))?.is_empty() {
        let ctx = ctx.clone();
        if !state.db.write_here(move |conn| turn(conn, &ctx))? {
            break;
        }
    }
    Ok(())
}

/// Settles those of a piece that nobody else is busy with; the others come next time. Answers whether there may be more.
fn turn(conn: &mut Conn, ctx: &Ctx) -> AppResult<bool> {
    let due = store::due_turns(conn, ctx.now, PIECE)?;
    let mut rows = store::lock_free(conn, &due)?;
    let looked_at: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    store::forget_turns(conn, &looked_at)?;
    rows.retain(|row| row.status == "active" && row.expires_at.is_none_or(|at| at > ctx.now));
    let freed = settle_piece(conn, ctx, rows)?.1;
    seats::promote_waiting(conn, ctx, &freed)?;
    Ok(looked_at.len() == PIECE)
}
