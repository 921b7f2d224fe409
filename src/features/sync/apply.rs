//! The job that applies a plan: a piece of rows in each transaction, which also records how they fared. So a crash loses nothing and
//! repeats nothing, and nobody waits long behind it.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Value, json};
use uuid::Uuid;

use super::store::{self, PlanRow, StoredRow};
use crate::db::turns::{self, Memberships};
use crate::db::{Conn, LockTable, LockWhole, lock_row, lock_whole};
use crate::domain::organisation::manager_cycles;
use crate::domain::permission::{Actor, Delegation, Role};
use crate::domain::sync::{Action, Lock, Profile, RowFault};
use crate::error::{AppError, AppResult};
use crate::events::{self, NewEvent};
use crate::features::users::mass::{self, Change, Create};
use crate::features::users::{UserRow, managers_above};
use crate::state::{Ctx, State};

/// The job's name.
pub const JOB: &str = "apply_sync_plan";

/// The job: applies a plan to its end, or goes on where a crash stopped it.
///
/// # Errors
/// Database errors.
pub fn apply_plan(state: &State, payload: &Value) -> AppResult<()> {
    let id = payload.get("plan_id").and_then(Value::as_str).and_then(|text| Uuid::try_parse(text).ok());
    let id = id.ok_or_else(|| AppError::internal("the job names no plan"))?;
    while apply_piece(state, id)? {}
    Ok(())
}

/// Applies the next piece in one transaction; answers whether there is more.
///
/// # Errors
/// Database errors.
pub fn apply_piece(state: &State, id: Uuid) -> AppResult<bool> {
    let mut ctx = state.system();
    state.db.write_here(move |conn| {
        turns::memberships(conn, Memberships::Change)?;
        turns::many_users(conn)?;
        lock_row(conn, LockTable::SyncPlans, id)?;
        let Some(mut plan) = store::find(conn, id)?.filter(|plan| plan.state == "applying") else { return Ok(false) };
        ctx = of_whoever_applies(ctx, &plan);
        let rows = store::next_piece(conn, id)?;
        if rows.is_empty() {
            finish(conn, &ctx, plan)?;
            return Ok(false);
        }
        let (rows, above) = with_needed(conn, id, rows)?;
        piece(conn, &ctx, &mut plan, &rows, &above)?;
        Ok(true)
    })
}

/// What the plan changes is done by whoever applies it. Whether they may was asked at the start, so no right is needed any more.
fn of_whoever_applies(ctx: Ctx, plan: &PlanRow) -> Ctx {
    let actor = match (plan.applied_by_kind.as_deref(), plan.applied_by) {
        (Some("user"), Some(id)) => Actor::User { id, grants: Vec::new() },
        (Some("client"), Some(id)) => Actor::Client { id, scopes: Vec::new() },
        _ => Actor::System,
    };
    let via = plan.applied_via.map(|client| Delegation { client, scopes: Vec::new() });
    Ctx { actor, via, request_id: Some(format!("sync:{}", plan.id)), ..ctx }
}

fn finish(conn: &mut Conn, ctx: &Ctx, mut plan: PlanRow) -> AppResult<()> {
    plan.state = "applied".into();
    plan.applying = None;
    plan.version = plan.version.saturating_add(1);
    plan.updated_at = ctx.now;
    store::save(conn, &plan)?;
    let data = json!({"done": plan.done_count, "conflicts": plan.conflict_count});
    events::append(conn, ctx, vec![NewEvent::new("sync.applied", "sync_plan", plan.id).data(data)])
}

/// Rows that cannot be applied, by why.
#[derive(Default)]
struct Conflicts(BTreeMap<(&'static str, &'static str), Vec<i32>>);

impl Conflicts {
    fn add(&mut self, row: &StoredRow, column: &'static str, detail: &'static str) {
        self.0.entry((column, detail)).or_default().push(row.seq);
    }
}

/// A row on its way: what it wants, and why it cannot have it.
struct Work<'a> {
    row: &'a StoredRow,
    user: Uuid,
    after: Profile,
    before: Option<&'a UserRow>,
    refused: Option<(&'static str, &'static str)>,
}

impl Work<'_> {
    /// Whether the user can log in until this has been applied, and not any more then.
    fn goes(&self) -> bool {
        self.before.is_some_and(|before| before.state == "active") && self.after.state != "active"
    }

    /// Whether the user gets another manager.
    fn moves(&self) -> bool {
        self.before.is_none_or(|before| before.manager_id != self.after.manager_id)
    }
}

/// The manager that a row gives its user.
fn manager_of(row: &StoredRow) -> Option<Uuid> {
    Uuid::try_parse(row.after_profile.as_ref()?.get("manager_id")?.as_str()?).ok()
}

/// Who reports to whom once these have been applied.
fn reporting(above: &HashMap<Uuid, Uuid>, rows: impl Iterator<Item = (Uuid, Option<Uuid>)>) -> HashMap<Uuid, Uuid> {
    let mut edges = above.clone();
    for (user, manager) in rows {
        match manager {
            Some(manager) => edges.insert(user, manager),
            None => edges.remove(&user),
        };
    }
    edges
}

/// The rows with those without which managers would go round in a circle until later pieces have been applied, as when two change
/// places; and who reports to whom above them. Nobody else changes that until the transaction ends.
fn with_needed(
    conn: &mut Conn,
    plan: Uuid,
    mut rows: Vec<StoredRow>,
) -> AppResult<(Vec<StoredRow>, HashMap<Uuid, Uuid>)> {
    if rows.iter().all(|row| manager_of(row).is_none()) {
        return Ok((rows, HashMap::new()));
    }
    lock_whole(conn, LockWhole::Managers)?;
    loop {
        let managers: HashSet<Uuid> = rows.iter().filter_map(manager_of).collect();
        let above = managers_above(conn, &managers.into_iter().collect::<Vec<_>>())?.into_iter().collect();
        let told = rows.iter().filter_map(|row| Some((row.user_id?, manager_of(row))));
        let circles = manager_cycles(&reporting(&above, told));
        let here: HashSet<Uuid> = rows.iter().filter_map(|row| row.user_id).collect();
        let others: Vec<Uuid> = circles.into_iter().flatten().filter(|user| !here.contains(user)).collect();
        // A circle that is still there when nobody on it waits is refused; each further round takes in one piece at least.
        let more = if others.is_empty() { Vec::new() } else { store::pieces_of(conn, plan, &others)? };
        if more.is_empty() {
            rows.sort_unstable_by_key(|row| (row.piece, row.seq));
            return Ok((rows, above));
        }
        rows.extend(more);
    }
}

fn piece(
    conn: &mut Conn,
    ctx: &Ctx,
    plan: &mut PlanRow,
    rows: &[StoredRow],
    above: &HashMap<Uuid, Uuid>,
) -> AppResult<()> {
    let mut wanted: Vec<(&StoredRow, Uuid, Profile)> = Vec::with_capacity(rows.len());
    for row in rows {
        if let (Some(user), Some(after)) = (row.user_id, &row.after_profile) {
            wanted.push((row, user, serde_json::from_value(after.clone()).map_err(AppError::internal)?));
        }
    }
    // Those who are to change, and whoever has a key that one of them is to have, in one statement; locked on Postgres.
    let found = mass::find_for_sync(conn, &wanted.iter().map(|(_, user, after)| (*user, after)).collect::<Vec<_>>())?;
    let known: HashMap<Uuid, &UserRow> = found.iter().map(|row| (row.id, row)).collect();
    // Whoever sets an admin's e-mail is one soon: a plan that a machine has made, or applies, changes none.
    let admins: HashSet<Uuid> = if plan.made_by_kind == "client" || ctx.actor.kind() == "client" {
        mass::admins(conn, &found.iter().map(|row| row.id).collect::<Vec<_>>())?
    } else {
        HashSet::new()
    };
    let managers: HashSet<Uuid> = wanted.iter().filter_map(|(.., after)| after.manager_id).collect();
    let there = mass::existing(conn, &managers.into_iter().collect::<Vec<_>>())?;
    let names =
        mass::names_over_scim(conn, &wanted.iter().map(|(.., after)| after.email.to_lowercase()).collect::<Vec<_>>())?;
    let mut works: Vec<Work<'_>> = wanted
        .into_iter()
        .map(|(row, user, after)| {
            let before = known.get(&user).copied();
            let fresh = match before {
                None => row.action == Action::Create.as_str(),
                Some(before) => Some(before.version) == row.user_version,
            };
            let refused = match fresh {
                _ if admins.contains(&user) => Some(("", Lock::Admin.reason())),
                false => Some(("", "The user has changed since the plan was made.")),
                true if takes_name(&names, user, &after, before) => {
                    Some(("email", "Another user has this as userName over SCIM."))
                }
                true => None,
            };
            Work { row, user, after, before, refused }
        })
        .collect();
    // Nobody else changes who administers from here on.
    let administer = if works.iter().any(Work::goes) {
        lock_whole(conn, LockWhole::Admins)?;
        mass::site_admins(conn)?
    } else {
        HashMap::new()
    };
    refuse_what_follows(&mut works, &found, &there, above, &administer);
    let (mut creates, mut changes) = (Vec::new(), Vec::new());
    let (mut applied, mut conflicts) = (Vec::new(), Conflicts::default());
    for work in works {
        match (work.refused, work.before) {
            (Some((column, detail)), _) => conflicts.add(work.row, column, detail),
            (None, None) => {
                let row = new_row(ctx, work.user, work.after);
                creates.push(Create { row, password_hash: None, roles: vec![Role::Learner], unit: None });
                applied.push(work.row.seq);
            }
            (None, Some(before)) => {
                let row = changed(before, work.after);
                changes.push(Change { before: before.clone(), row, password_hash: None, roles: None, unit: None });
                applied.push(work.row.seq);
            }
        }
    }
    mass::write(conn, ctx, &creates, &changes)?;
    store::mark_rows(conn, plan.id, &applied, "applied", json!([]))?;
    let mut lost: usize = 0;
    for ((column, detail), seqs) in &conflicts.0 {
        let fault = RowFault::new(column, "conflict", *detail);
        store::mark_rows(conn, plan.id, seqs, "conflict", json!([fault]))?;
        lost = lost.saturating_add(seqs.len());
    }
    let number = |n: usize| i32::try_from(n).map_err(AppError::internal);
    plan.done_count = plan.done_count.saturating_add(number(rows.len())?);
    plan.conflict_count = plan.conflict_count.saturating_add(number(lost)?);
    plan.version = plan.version.saturating_add(1);
    plan.updated_at = ctx.now;
    store::save(conn, plan)?;
    Ok(())
}

/// Whether the row gives its user an e-mail that is another's name over SCIM.
fn takes_name(names: &HashMap<String, (Uuid, String)>, user: Uuid, after: &Profile, before: Option<&UserRow>) -> bool {
    let email = after.email.to_lowercase();
    if before.is_some_and(|before| before.email.to_lowercase() == email) {
        return false;
    }
    names.get(&email).is_some_and(|(holder, own)| *holder != user && *own != email)
}

/// Refuses rows that need what a refused row would have brought: a manager, or a key that it would have given up; and those that would
/// leave nobody of those who `administer`, of whom it says whether they can log in now. Each round refuses one more at least, so there
/// is an end.
fn refuse_what_follows(
    works: &mut [Work<'_>],
    found: &[UserRow],
    there: &HashSet<Uuid>,
    above: &HashMap<Uuid, Uuid>,
    administer: &HashMap<Uuid, bool>,
) {
    let mut holders: HashMap<(&'static str, String), Uuid> = HashMap::with_capacity(found.len());
    for row in found {
        holders
            .extend(keys(&row.email, row.external_id.as_ref(), row.employee_number.as_ref()).map(|key| (key, row.id)));
    }
    loop {
        let alive: HashMap<Uuid, HashSet<(&'static str, String)>> = works
            .iter()
            .filter(|work| work.refused.is_none())
            .map(|work| (work.user, keys_of(&work.after).collect()))
            .collect();
        let told = works.iter().filter(|work| work.refused.is_none()).map(|work| (work.user, work.after.manager_id));
        let circles: HashSet<Uuid> = manager_cycles(&reporting(above, told)).into_iter().flatten().collect();
        let states: HashMap<Uuid, bool> = works
            .iter()
            .filter(|work| work.refused.is_none())
            .map(|work| (work.user, work.after.state == "active"))
            .collect();
        let leaderless = !administer.iter().any(|(user, active)| states.get(user).copied().unwrap_or(*active));
        let mut changed = false;
        for work in works.iter_mut().filter(|work| work.refused.is_none()) {
            let taken = keys_of(&work.after).find(|key| {
                holders.get(key).is_some_and(|holder| {
                    *holder != work.user && alive.get(holder).is_none_or(|keeps| keeps.contains(key))
                })
            });
            let lost = work.after.manager_id.is_some_and(|id| !there.contains(&id) && !alive.contains_key(&id));
            if leaderless && work.goes() && administer.contains_key(&work.user) {
                work.refused = Some(("", Lock::LastAdmin.reason()));
            } else if lost && work.moves() {
                work.refused = Some((
                    "manager_external_id",
                    "There is no such manager: not made, or erased since the plan was made.",
                ));
            } else if circles.contains(&work.user) && work.moves() {
                let detail =
                    "Managers have changed since the plan was made: this would make the user their own manager.";
                work.refused = Some(("manager_external_id", detail));
            } else if let Some((column, _)) = taken {
                work.refused = Some((column, "Another user has taken this since the plan was made."));
            }
            changed |= work.refused.is_some();
        }
        if !changed {
            return;
        }
    }
}

/// What nobody else may have at the same time.
fn keys(
    email: &str,
    external: Option<&String>,
    number: Option<&String>,
) -> impl Iterator<Item = (&'static str, String)> + use<> {
    let external = external.cloned().map(|id| ("external_id", id));
    let number = number.cloned().map(|number| ("employee_number", number));
    [Some(("email", email.to_lowercase())), external, number].into_iter().flatten()
}

fn keys_of(profile: &Profile) -> impl Iterator<Item = (&'static str, String)> + use<> {
    keys(&profile.email, profile.external_id.as_ref(), profile.employee_number.as_ref())
}

fn new_row(ctx: &Ctx, id: Uuid, after: Profile) -> UserRow {
    UserRow {
        id,
        email: after.email,
        given_name: after.given_name,
        family_name: after.family_name,
        external_id: after.external_id,
        employee_number: after.employee_number,
        state: after.state,
        attributes: Value::Object(after.attributes),
        manager_id: after.manager_id,
        locale: None,
        time_zone: None,
        version: 1,
        last_login_at: None,
        created_at: ctx.now,
        updated_at: ctx.now,
    }
}

fn changed(before: &UserRow, after: Profile) -> UserRow {
    UserRow {
        email: after.email,
        given_name: after.given_name,
        family_name: after.family_name,
        external_id: after.external_id,
        employee_number: after.employee_number,
        state: after.state,
        attributes: Value::Object(after.attributes),
        manager_id: after.manager_id,
        ..before.clone()
    }
}
