//! Use cases about plans: make, read, start.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

use super::apply::JOB;
use super::dto::{ApplyIn, PlanOut, PlanProgress, PlanRowOut, PlanState, RowQuery, SyncQuery, SyncSettings};
use super::reading::{self, Format};
use super::store::{self, PlanRow, StoredRow};
use crate::db::page::{PageRequest, Rows};
use crate::db::{Conn, LockTable, lock_row};
use crate::domain::permission::{Act, Actor, Relation};
use crate::domain::sync::{self, Action, Employee, Options, Plan, PlannedRow};
use crate::error::{AppError, AppResult, Code, is_unique_violation};
use crate::events::{self, NewEvent};
use crate::jobs::queue;
use crate::state::{Ctx, State};

/// Hours for which a plan may be applied.
const VALID_HOURS: i64 = 24;
/// Rows that one transaction writes while a plan is made.
const PIECE: usize = 250;

fn value(of: &impl serde::Serialize) -> AppResult<Value> {
    serde_json::to_value(of).map_err(AppError::internal)
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> AppResult<T> {
    serde_json::from_value(value).map_err(AppError::internal)
}

fn out(row: PlanRow, now: DateTime<Utc>) -> AppResult<PlanOut> {
    let state: PlanState = read(Value::String(row.state))?;
    let expired = row.expires_at <= now && matches!(state, PlanState::Ready | PlanState::Blocked);
    Ok(PlanOut {
        id: row.id,
        state: if expired { PlanState::Expired } else { state },
        counts: read(row.counts)?,
        guards: read(row.guards)?,
        failure: row.failure,
        options: read(row.options)?,
        progress: PlanProgress { total: row.row_count, done: row.done_count, conflicts: row.conflict_count },
        expires_at: row.expires_at,
        created_at: row.created_at,
        updated_at: row.updated_at,
        // It changes no more, so the next version is free to tell that it has expired.
        version: row.version.saturating_add(i64::from(expired)),
    })
}

fn row_out(row: StoredRow) -> AppResult<PlanRowOut> {
    Ok(PlanRowOut {
        row: row.row_number,
        action: read(Value::String(row.action))?,
        state: read(Value::String(row.state))?,
        user_id: row.user_id,
        before: row.before_profile.map(read).transpose()?,
        after: row.after_profile.map(read).transpose()?,
        errors: read(row.errors)?,
    })
}

/// One list at a time is held in memory, whoever sends it: the others wait before their bodies are read.
static TURN: Semaphore = Semaphore::const_new(1);
/// Seconds for which a list waits for its turn.
const PATIENCE_SECONDS: u64 = 30;

/// Waits until no other list is being planned in this process; the turn ends when the answer is dropped.
///
/// # Errors
/// 429 when the others take too long.
pub async fn turn() -> AppResult<SemaphorePermit<'static>> {
    match tokio::time::timeout(Duration::from_secs(PATIENCE_SECONDS), TURN.acquire()).await {
        Ok(Ok(turn)) => Ok(turn),
        _ => Err(AppError::new(Code::TooMany, "Another list is being planned. Send this one again in a minute.")),
    }
}

/// Reads the list away from the HTTP threads: it may be large. Its digest stands for it from then on.
///
/// # Errors
/// As [`reading::employees`].
pub async fn read_list<B: AsRef<[u8]> + Send + 'static>(
    format: Format,
    raw: B,
    query: SyncQuery,
) -> AppResult<(Vec<Employee>, Options, Vec<u8>)> {
    let read = move || {
        let (list, options) = reading::employees(format, raw.as_ref(), &query)?;
        Ok((list, options, Sha256::digest(raw.as_ref()).to_vec()))
    };
    tokio::task::spawn_blocking(read).await.map_err(AppError::internal)?
}

/// A plan that was made, waiting for the write that makes it known.
pub struct Made {
    row: PlanRow,
}

/// Makes the plan: reads everybody, decides, and writes the rows in pieces, so that nobody waits behind it. Until [`publish`] nobody
/// can see it; when that never comes, it is forgotten when it expires.
///
/// # Errors
/// 403; database errors.
pub async fn make(state: &State, ctx: &Ctx, employees: Vec<Employee>, mut options: Options) -> AppResult<Made> {
    ctx.require(Act::SyncUsers, &Relation::default())?;
    let now = ctx.clone();
    let client = match &ctx.actor {
        Actor::Client { id, .. } => Some(*id),
        _ => None,
    };
    let (plan, employees, people, options) = state
        .db
        .read_slow(move |conn| {
            if let Some(client) = client
                && let Some((deactivate, error)) = store::client_settings(conn, client)?
            {
                options.max_deactivate_percent = options.max_deactivate_percent.min(deactivate);
                options.max_error_percent = options.max_error_percent.min(error);
            }
            let people = store::people(conn, client.is_some())?;
            let plan = sync::plan(&employees, &people, &options, || now.new_id());
            Ok((plan, employees, people, options))
        })
        .await?;
    let Plan { steps, counts, guards } = plan;
    let conflicts = i32::try_from(steps.iter().filter(|step| step.conflicts()).count()).map_err(AppError::internal)?;
    let to_apply = steps.iter().filter(|step| step.action != Action::Error).count();
    let row = PlanRow {
        id: ctx.new_id(),
        state: "making".into(),
        options: value(&options)?,
        counts: value(&counts)?,
        guards: value(&guards)?,
        row_count: i32::try_from(to_apply).map_err(AppError::internal)?,
        done_count: conflicts,
        conflict_count: conflicts,
        applying: None,
        made_by_kind: ctx.actor.kind().to_owned(),
        made_by: ctx.actor.id(),
        failure: None,
        applied_by_kind: None,
        applied_by: None,
        applied_via: None,
        version: 1,
        expires_at: ctx.now + TimeDelta::hours(VALID_HOURS),
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    let (plan_row, id) = (row.clone(), row.id);
    state.db.write(move |conn| store::insert_plan(conn, &plan_row)).await?;
    let mut rest = (0..).zip(steps).peekable();
    while rest.peek().is_some() {
        // Turned into rows, and into what is stored, a piece at a time: all of a long list would be as large again, twice.
        let row =
            |(seq, step): (i32, sync::Step)| stored(ctx, seq, step.conflicts(), sync::whole(step, &employees, &people));
        let piece = rest.by_ref().take(PIECE).map(row).collect::<AppResult<Vec<_>>>()?;
        state.db.write(move |conn| store::insert_rows(conn, id, &piece)).await?;
    }
    Ok(Made { row })
}

fn stored(ctx: &Ctx, seq: i32, conflicts: bool, row: PlannedRow) -> AppResult<StoredRow> {
    Ok(StoredRow {
        id: ctx.new_id(),
        seq,
        piece: row.piece,
        row_number: row.row,
        action: row.action.as_str().to_owned(),
        state: match row.action {
            Action::Error => "error",
            _ if conflicts => "conflict",
            _ => "pending",
        }
        .to_owned(),
        user_id: row.user,
        user_version: row.version,
        before_profile: row.before.as_ref().map(value).transpose()?,
        after_profile: row.after.as_ref().map(value).transpose()?,
        errors: value(&row.faults)?,
    })
}

/// Makes the plan known: ready, or blocked by its guards.
///
/// # Errors
/// Database errors.
pub fn publish(conn: &mut Conn, ctx: &Ctx, made: Made) -> AppResult<PlanOut> {
    let mut row = made.row;
    // Who was erased while the plan was made.
    let erased = i32::try_from(store::forget_erased(conn, row.id)?).map_err(AppError::internal)?;
    row.done_count = row.done_count.saturating_add(erased);
    row.conflict_count = row.conflict_count.saturating_add(erased);
    let blocked = row.guards.as_array().is_some_and(|guards| !guards.is_empty());
    row.state = if blocked { "blocked" } else { "ready" }.to_owned();
    store::save(conn, &row)?;
    let data = json!({"state": row.state, "counts": row.counts});
    events::append(conn, ctx, vec![NewEvent::new("sync.planned", "sync_plan", row.id).data(data)])?;
    out(row, ctx.now)
}

fn find(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<PlanRow> {
    ctx.require(Act::SyncUsers, &Relation::default())?;
    store::find(conn, id)?.filter(|row| row.state != "making").ok_or_else(|| AppError::not_found("plan"))
}

/// One plan.
///
/// # Errors
/// 403, 404.
pub fn get(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<PlanOut> {
    out(find(conn, ctx, id)?, ctx.now)
}

/// A page of a plan's rows.
///
/// # Errors
/// 403, 404.
pub fn rows(
    conn: &mut Conn,
    ctx: &Ctx,
    id: Uuid,
    filter: &RowQuery,
    page: &PageRequest,
) -> AppResult<Rows<PlanRowOut>> {
    let plan = find(conn, ctx, id)?;
    let rows = store::list_rows(conn, plan.id, filter, page)?;
    let items = rows.items.into_iter().map(row_out).collect::<AppResult<_>>()?;
    Ok(Rows { items, next: rows.next })
}

/// Starts to apply a plan; the worker does it. Applying an applied plan again changes nothing.
///
/// # Errors
/// 403, 404; 409 while it is blocked, when it has expired or failed, and while another plan is being applied.
pub fn start(conn: &mut Conn, ctx: &Ctx, id: Uuid, input: &ApplyIn) -> AppResult<PlanOut> {
    ctx.require(Act::SyncUsers, &Relation::default())?;
    end_stuck(conn, ctx)?;
    lock_row(conn, LockTable::SyncPlans, id)?;
    let mut row = find(conn, ctx, id)?;
    let state: PlanState = read(Value::String(row.state.clone()))?;
    match state {
        PlanState::Applying | PlanState::Applied => return out(row, ctx.now),
        PlanState::Blocked if !input.override_guards => {
            return Err(AppError::new(
                Code::WrongState,
                "The plan is blocked by its guards. Look at it; override_guards applies it all the same.",
            )
            .with("guards", row.guards));
        }
        PlanState::Failed => {
            return Err(AppError::new(Code::WrongState, "The plan has failed. Send the list again."));
        }
        PlanState::Blocked | PlanState::Ready | PlanState::Expired => {}
    }
    if row.expires_at <= ctx.now {
        return Err(AppError::new(Code::WrongState, "The plan has expired. Send the list again."));
    }
    row.state = "applying".into();
    row.applying = Some("yes".into());
    row.applied_by_kind = Some(ctx.actor.kind().to_owned());
    row.applied_by = ctx.actor.id();
    row.applied_via = ctx.via.as_ref().map(|via| via.client);
    row.version = row.version.saturating_add(1);
    row.updated_at = ctx.now;
    store::save(conn, &row).map_err(|error| {
        if is_unique_violation(&error) {
            AppError::new(Code::WrongState, "Another plan is being applied. Wait until it is done.")
        } else {
            error.into()
        }
    })?;
    let data = json!({"override_guards": input.override_guards});
    events::append(conn, ctx, vec![NewEvent::new("sync.apply_started", "sync_plan", row.id).data(data)])?;
    queue::enqueue(conn, JOB, Some(&key(id)), json!({"plan_id": id}), ctx.now, ctx.now)?;
    out(row, ctx.now)
}

/// Only one job for each plan waits or is under way.
fn key(plan: Uuid) -> String {
    format!("{JOB}:{plan}")
}

/// Ends plans that nobody applies any more, since their job was given up or is gone: else no other plan could ever be applied. What
/// they have applied stays applied.
fn end_stuck(conn: &mut Conn, ctx: &Ctx) -> AppResult<()> {
    // One at most is being applied.
    for id in store::applying(conn)? {
        if queue::any_with_key(conn, &key(id))? {
            continue;
        }
        lock_row(conn, LockTable::SyncPlans, id)?;
        // The job ends with its plan in one state or the other; what was read before the lock may be old.
        let Some(mut plan) = store::find(conn, id)?.filter(|plan| plan.state == "applying") else { continue };
        if queue::any_with_key(conn, &key(id))? {
            continue;
        }
        store::skip_rest(conn, id)?;
        plan.state = "failed".into();
        plan.applying = None;
        plan.failure = Some("The worker could not apply it and gave up after many attempts; its log says why.".into());
        plan.version = plan.version.saturating_add(1);
        plan.updated_at = ctx.now;
        store::save(conn, &plan)?;
        let data = json!({"done": plan.done_count, "conflicts": plan.conflict_count});
        events::append(conn, ctx, vec![NewEvent::new("sync.failed", "sync_plan", id).data(data)])?;
    }
    Ok(())
}

/// The job: ends plans whose own job was given up.
///
/// # Errors
/// Database errors.
pub fn end_stuck_plans(state: &State, _: &Value) -> AppResult<()> {
    if state.db.read_here(store::applying)?.is_empty() {
        return Ok(());
    }
    let ctx = state.system();
    state.db.write_here(move |conn| end_stuck(conn, &ctx))
}

fn require_client(conn: &mut Conn, ctx: &Ctx, client: Uuid) -> AppResult<()> {
    ctx.require(Act::ManageClients, &Relation::default())?;
    if store::client_exists(conn, client)? { Ok(()) } else { Err(AppError::not_found("client")) }
}

/// How strict the guards are for a client.
///
/// # Errors
/// 403, 404.
pub fn settings(conn: &mut Conn, ctx: &Ctx, client: Uuid) -> AppResult<SyncSettings> {
    require_client(conn, ctx, client)?;
    let default = Options::default();
    let (max_deactivate_percent, max_error_percent) =
        store::client_settings(conn, client)?.unwrap_or((default.max_deactivate_percent, default.max_error_percent));
    Ok(SyncSettings { max_deactivate_percent, max_error_percent })
}

/// Sets how strict the guards are for a client.
///
/// # Errors
/// 403, 404.
pub fn set_settings(conn: &mut Conn, ctx: &Ctx, client: Uuid, input: SyncSettings) -> AppResult<SyncSettings> {
    require_client(conn, ctx, client)?;
    store::save_settings(conn, client, (input.max_deactivate_percent, input.max_error_percent), ctx.now)?;
    events::append(conn, ctx, vec![NewEvent::new("client.updated", "client", client)])?;
    Ok(input)
}

/// The job: forgets plans a month after they expired, one in each transaction.
///
/// # Errors
/// Database errors.
pub fn forget_old(state: &State, _: &Value) -> AppResult<()> {
    let before = state.clock.now() - TimeDelta::days(30);
    while state.db.write_here(move |conn| store::delete_old(conn, before))?.is_some() {}
    Ok(())
}
