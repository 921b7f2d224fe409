//! The bulk endpoint of groups: a thousand at a time, each with a verdict of its own. A parent may stand earlier in the list.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::dto::{GroupBulkIn, GroupIn};
use super::service::{self, check_parent, external_id_taken, new_row, require_for_kind, taken, unknown_parent};
use super::store::{self, GroupRow};
use super::{dynamic, service::created};
use crate::db::{Conn, LockWhole, lock_whole};
use crate::domain::permission::{Act, Relation};
use crate::error::{AppError, AppResult, Code};
use crate::events::{self, NewEvent};
use crate::http::Ref;
use crate::http::bulk::{BulkOut, BulkStatus, Mode, Verdicts, read_items};
use crate::state::Ctx;

/// Groups that items name, those of the database and those made earlier in the list, each with the chain of units above.
struct Known {
    by_id: HashMap<Uuid, (GroupRow, Vec<Uuid>)>,
    by_external: HashMap<String, Uuid>,
}

impl Known {
    fn load(conn: &mut Conn, items: &[(usize, GroupIn)]) -> AppResult<Self> {
        let (mut ids, mut externals) = (Vec::new(), Vec::new());
        for (_, item) in items {
            externals.extend(item.external_id.clone());
            match item.parent_id.as_deref().and_then(Ref::parse) {
                Some(Ref::Id(id)) => ids.push(id),
                Some(Ref::External(external)) => externals.push(external),
                None => {}
            }
        }
        let rows = store::find_many(conn, &ids, &externals)?;
        let mut chains: HashMap<Uuid, Vec<(i32, Uuid)>> = HashMap::new();
        for (group, above, distance) in store::paths_of(conn, &rows.iter().map(|row| row.id).collect::<Vec<_>>())? {
            chains.entry(group).or_default().push((distance, above));
        }
        let mut known = Self { by_id: HashMap::new(), by_external: HashMap::new() };
        for row in rows {
            let mut chain = chains.remove(&row.id).unwrap_or_default();
            chain.sort_unstable();
            known.add(row, chain.into_iter().map(|(_, above)| above).collect());
        }
        Ok(known)
    }

    fn add(&mut self, row: GroupRow, chain: Vec<Uuid>) {
        self.by_external.extend(row.external_id.clone().map(|external| (external, row.id)));
        self.by_id.insert(row.id, (row, chain));
    }

    fn find(&self, which: &Ref) -> Option<&(GroupRow, Vec<Uuid>)> {
        match which {
            Ref::Id(id) => self.by_id.get(id),
            Ref::External(external) => self.by_external.get(external).and_then(|id| self.by_id.get(id)),
        }
    }

    /// The unit that an item is to lie below, if the actor may write there.
    fn parent(&self, ctx: &Ctx, text: &str) -> AppResult<&(GroupRow, Vec<Uuid>)> {
        let found = Ref::parse(text).and_then(|which| self.find(&which)).ok_or_else(unknown_parent)?;
        check_parent(ctx, &found.0, &found.1)?;
        Ok(found)
    }
}

type Made = (GroupRow, Vec<(Uuid, Uuid, i32)>, Vec<Uuid>);

fn make(ctx: &Ctx, known: &Known, item: &GroupIn) -> AppResult<Made> {
    require_for_kind(ctx, item.kind)?;
    let above = match item.parent_id.as_deref() {
        Some(text) => Some(known.parent(ctx, text)?),
        None => {
            ctx.require(Act::WriteAnyGroup, &Relation::default())?;
            None
        }
    };
    let (row, paths) = new_row(ctx, item.clone(), above.map(|(row, chain)| (row.id, chain.as_slice())))?;
    let mut chain = vec![row.id];
    chain.extend(above.into_iter().flat_map(|(_, chain)| chain.iter().copied()));
    Ok((row, paths, chain))
}

/// The row with what the item says; kind and parent are not changed in bulk.
fn change(ctx: &Ctx, known: &Known, (row, chain): &(GroupRow, Vec<Uuid>), item: &GroupIn) -> AppResult<GroupRow> {
    if !ctx.may(Act::WriteGroup, &service::roles_over(ctx, chain)) {
        return Err(external_id_taken());
    }
    require_for_kind(ctx, service::kind(row)?)?;
    if row.kind != item.kind.as_str() {
        return Err(AppError::field("/kind", "not_allowed", "A group's kind cannot be changed."));
    }
    let parent = match item.parent_id.as_deref() {
        Some(text) => Some(known.parent(ctx, text)?.0.id),
        None => row.parent_id,
    };
    if parent != row.parent_id {
        return Err(AppError::new(Code::WrongState, "The group lies elsewhere in the tree; move it with PATCH."));
    }
    let mut new = row.clone();
    new.name = item.name.trim().to_owned();
    if let Some(condition) = &item.condition {
        new.condition = Some(serde_json::to_value(condition).map_err(AppError::internal)?);
    }
    Ok(new)
}

/// Makes, or changes, many groups; each gets a verdict of its own.
///
/// # Errors
/// Database errors; what is wrong with an item is in its verdict.
pub fn write(conn: &mut Conn, ctx: &Ctx, input: GroupBulkIn, dry_run: bool) -> AppResult<BulkOut> {
    if ctx.actor.units_for(Act::WriteGroup).is_empty() {
        ctx.require(Act::WriteGroup, &Relation::default())?;
    }
    if !dry_run {
        lock_whole(conn, LockWhole::UnitTree)?;
    }
    let mut verdicts = Verdicts::new(input.groups.len());
    let items = read_items::<GroupIn>(input.groups, &mut verdicts);
    let mut known = Known::load(conn, &items)?;
    let mut seen: HashSet<String> = HashSet::new();
    let (mut rows, mut paths, mut changes) = (Vec::new(), Vec::new(), Vec::new());
    for (index, item) in &items {
        if let Some(external) = &item.external_id
            && !seen.insert(external.clone())
        {
            let error = AppError::field("/external_id", "duplicate", "An earlier item of this call has the same.");
            verdicts.refuse(*index, error);
            continue;
        }
        let owner = item.external_id.as_ref().and_then(|e| known.find(&Ref::External(e.clone()))).cloned();
        match (owner, input.mode) {
            (None, _) => match make(ctx, &known, item) {
                Ok((row, new_paths, chain)) => {
                    verdicts.set(*index, BulkStatus::Created, Some(row.id).filter(|_| !dry_run));
                    known.add(row.clone(), chain);
                    rows.push(row);
                    paths.extend(new_paths);
                }
                Err(error) => verdicts.refuse(*index, error),
            },
            (Some(_), Mode::Create) => verdicts.refuse(*index, external_id_taken()),
            (Some(owner), Mode::Upsert) => match change(ctx, &known, &owner, item) {
                Ok(new) if new.name == owner.0.name && new.condition == owner.0.condition => {
                    verdicts.set(*index, BulkStatus::Unchanged, Some(new.id));
                }
                Ok(new) => {
                    verdicts.set(*index, BulkStatus::Updated, Some(new.id));
                    changes.push((owner.0.condition != new.condition, new));
                }
                Err(error) => verdicts.refuse(*index, error),
            },
        }
    }
    if !dry_run {
        store(conn, ctx, rows, &paths, changes)?;
    }
    Ok(verdicts.finish(dry_run))
}

fn store(
    conn: &mut Conn,
    ctx: &Ctx,
    rows: Vec<GroupRow>,
    paths: &[(Uuid, Uuid, i32)],
    changes: Vec<(bool, GroupRow)>,
) -> AppResult<()> {
    store::insert(conn, &rows, paths).map_err(taken)?;
    let mut log: Vec<NewEvent> = rows.iter().map(created).collect();
    log.extend(changes.iter().map(|(_, row)| NewEvent::new("group.updated", "group", row.id)));
    events::append(conn, ctx, log)?;
    let mut changed: Vec<GroupRow> = Vec::with_capacity(changes.len());
    let mut begin: Vec<Uuid> = rows.iter().filter(|row| row.evaluating).map(|row| row.id).collect();
    for (begins, mut row) in changes {
        row.version = row.version.saturating_add(1);
        row.updated_at = ctx.now;
        if begins {
            (row.evaluating, row.evaluated_until) = (true, None);
            begin.push(row.id);
        }
        changed.push(row);
    }
    store::update_many(conn, &changed)?;
    // Conditions of many groups are applied by the job, one group after the other.
    dynamic::begin_later(conn, ctx, &begin)
}
