//! The job that tells of those who fall behind: each crossing once, until they catch up.

use serde_json::json;

use super::due;
use super::targets::suggestions;
use crate::db::Conn;
use crate::domain::mastery::behind::behind_days;
use crate::error::AppResult;
use crate::events::{self, NewEvent};
use crate::features::competencies::store::targets::BehindRow;
use crate::features::competencies::store::{self};
use crate::state::{Ctx, State};

/// People whom one transaction tells of.
const PIECE: i64 = 500;

/// Tells of everybody who crossed the days of a target and was not told of; run every few minutes, a piece at a time.
///
/// # Errors
/// Database errors.
pub fn tell_due(state: &State, _: &serde_json::Value) -> AppResult<()> {
    loop {
        let ctx = state.system();
        // Looking is a read; only what is found costs a write.
        let now = ctx.now;
        let any = state.db.read_here(move |conn| {
            Ok(!store::targets::crossed_in_courses(conn, now, 1)?.is_empty()
                || !store::targets::crossed_in_goals(conn, now, 1)?.is_empty())
        })?;
        if !any {
            return Ok(());
        }
        state.db.write_here(move |conn| {
            let mut rows = store::targets::crossed_in_courses(conn, ctx.now, PIECE)?;
            rows.extend(store::targets::crossed_in_goals(conn, ctx.now, PIECE)?);
            tell(conn, &ctx, &rows)
        })?;
    }
}

fn tell(conn: &mut Conn, ctx: &Ctx, rows: &[BehindRow]) -> AppResult<()> {
    store::targets::mark(conn, rows, ctx.now)?;
    let helps = suggestions(conn, ctx, rows)?;
    let mut log = Vec::with_capacity(rows.len());
    for (row, modules) in rows.iter().zip(helps) {
        let Some(due_at) = due(row.due_at, row.due_days).map(|due| due.instant(row.since)) else { continue };
        let days = behind_days(row.value, row.at_least, due_at, ctx.now);
        let kind = if row.enrollment.is_some() { "course" } else { "goal" };
        let data = json!({
            "competency_id": row.competency, "behind_days": days, "due_at": due_at, "at_least": row.at_least, "mastery": row.value,
            "target": {"kind": kind, "id": row.scope}, "enrollment_id": row.enrollment, "suggested_modules": modules,
        });
        let mut event = NewEvent::new("competency.behind", "competency", row.competency).user(row.user).data(data);
        event.course_id = row.enrollment.map(|_| row.scope);
        log.push(event);
    }
    events::append(conn, ctx, log)
}
