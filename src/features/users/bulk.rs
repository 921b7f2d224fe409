//! The bulk endpoint of users: a thousand at a time, each with a verdict of its own.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::Value;
use uuid::Uuid;

use super::dto::{UserBulkIn, UserIn};
use super::mass::{self, Change, Create};
use super::roles::keep_own_admin_role;
use super::service::{self, forbid_granting, taken};
use super::store::{self, Identity, UserRow};
use crate::db::turns::{self, Memberships};
use crate::db::{Conn, LockWhole, lock_whole};
use crate::domain::organisation::{Ties, manager_cycles, may_be_changed_by_unit_admin};
use crate::domain::permission::{Act, Relation, Role};
use crate::error::{AppError, AppResult, Code};
use crate::http::bulk::{BulkOut, BulkStatus, Mode, Verdicts, read_items};
use crate::state::Ctx;

/// What one item finds in the database.
struct Known {
    rows: Vec<UserRow>,
    by_email: HashMap<String, usize>,
    by_external: HashMap<String, usize>,
    by_number: HashMap<String, usize>,
    /// Of whom which item speaks most clearly, by position in [`Known::keys`].
    claims: HashMap<usize, usize>,
}

impl Known {
    fn new(rows: Vec<UserRow>) -> Self {
        let mut known = Self {
            by_email: HashMap::with_capacity(rows.len()),
            by_external: HashMap::with_capacity(rows.len()),
            by_number: HashMap::new(),
            claims: HashMap::new(),
            rows: Vec::new(),
        };
        for (ix, row) in rows.iter().enumerate() {
            known.by_email.insert(row.email.to_lowercase(), ix);
            known.by_external.extend(row.external_id.clone().map(|id| (id, ix)));
            known.by_number.extend(row.employee_number.clone().map(|number| (number, ix)));
        }
        known.rows = rows;
        known
    }

    /// Who has the item's external id, who its employee number, who its e-mail.
    fn keys(&self, item: &UserIn) -> [Option<usize>; 3] {
        let external = item.external_id.as_ref().and_then(|id| self.by_external.get(id));
        let number = item.employee_number.as_ref().and_then(|number| self.by_number.get(number));
        [external, number, self.by_email.get(&item.email.to_lowercase())].map(|ix| ix.copied())
    }

    /// The first of them, and by which key.
    fn first(&self, item: &UserIn) -> Option<(usize, usize)> {
        self.keys(item).into_iter().enumerate().find_map(|(key, ix)| Some((ix?, key)))
    }

    /// Notes of whom these items speak. Where one names somebody by a clearer key than another does, the other is about whoever gets
    /// what that somebody gives up.
    fn claim(&mut self, items: &[(usize, UserIn)]) {
        for (ix, key) in items.iter().filter_map(|(_, item)| self.first(item)).collect::<Vec<_>>() {
            self.claims.entry(ix).and_modify(|best| *best = key.min(*best)).or_insert(key);
        }
    }

    /// Whom the item is about: who has its external id, else its employee number, else its e-mail.
    fn owner(&self, item: &UserIn) -> Option<&UserRow> {
        let (ix, key) = self.first(item)?;
        self.rows.get(ix).filter(|_| self.claims.get(&ix).is_none_or(|best| key <= *best))
    }

    /// Everybody who has one of the item's keys, except one.
    fn others(&self, item: &UserIn, except: Option<Uuid>) -> Vec<Identity> {
        let found: BTreeSet<usize> = self.keys(item).into_iter().flatten().collect();
        found
            .into_iter()
            .filter_map(|ix| self.rows.get(ix))
            .filter(|row| Some(row.id) != except)
            .map(|row| (row.id, row.email.to_lowercase(), row.external_id.clone(), row.employee_number.clone()))
            .collect()
    }
}

/// The manager that an item names, once its references are settled.
fn manager_of(item: &UserIn) -> Option<Uuid> {
    item.manager_id.as_deref().and_then(|text| Uuid::try_parse(text).ok())
}

/// The unit that an item names, once its references are settled.
fn unit_of(item: &UserIn) -> Option<Uuid> {
    item.unit_id.as_deref().and_then(|text| Uuid::try_parse(text).ok())
}

/// Turns `ext:<external_id>` into ids, all in one statement for managers and one for units; what nobody has becomes the nil id.
fn settle(conn: &mut Conn, items: &mut [(usize, UserIn)]) -> AppResult<()> {
    type Find = fn(&mut Conn, &[String]) -> AppResult<Vec<(String, Uuid)>>;
    type Field = fn(&mut UserIn) -> &mut Option<String>;
    let fields: [(Field, Find); 2] =
        [(|item| &mut item.manager_id, store::named), (|item| &mut item.unit_id, store::units_named)];
    for (field, find) in fields {
        let external =
            |item: &mut UserIn| field(item).as_deref().and_then(|text| text.strip_prefix("ext:")).map(str::to_owned);
        let named: BTreeSet<String> = items.iter_mut().filter_map(|(_, item)| external(item)).collect();
        if named.is_empty() {
            continue;
        }
        let known: HashMap<String, Uuid> = find(conn, &named.into_iter().collect::<Vec<_>>())?.into_iter().collect();
        for (_, item) in items.iter_mut() {
            if let Some(name) = external(item) {
                *field(item) = Some(known.get(&name).copied().unwrap_or_default().to_string());
            }
        }
    }
    Ok(())
}

/// Refuses items that share a key with an earlier one.
fn refuse_twins(items: &mut Vec<(usize, UserIn)>, verdicts: &mut Verdicts) {
    let mut seen: HashSet<(&'static str, String)> = HashSet::new();
    items.retain(|(index, item)| {
        let mut keys = vec![("/email", item.email.to_lowercase())];
        keys.extend(item.external_id.clone().map(|id| ("/external_id", id)));
        keys.extend(item.employee_number.clone().map(|number| ("/employee_number", number)));
        if let Some((pointer, _)) = keys.iter().find(|key| seen.contains(*key)) {
            verdicts
                .refuse(*index, AppError::field(pointer, "duplicate", "An earlier item of this call has the same."));
            return false;
        }
        seen.extend(keys);
        true
    });
}

/// What the actor may do, asked once for all items.
struct Rights {
    everybody: bool,
    /// A machine client, which may not change admins.
    machine: bool,
    /// Those, when a machine asks.
    admins: HashSet<Uuid>,
    reached: HashSet<Uuid>,
    administered: HashSet<Uuid>,
    ties: HashMap<Uuid, Ties>,
    managers: HashSet<Uuid>,
}

impl Rights {
    fn load(conn: &mut Conn, ctx: &Ctx, known: &Known, items: &[(usize, UserIn)]) -> AppResult<Self> {
        let everybody = ctx.may(Act::WriteUser, &Relation::default());
        let named: Vec<Uuid> =
            items.iter().filter_map(|(_, item)| manager_of(item)).collect::<BTreeSet<_>>().into_iter().collect();
        let mut rights = Self {
            everybody,
            machine: ctx.actor.kind() == "client",
            admins: HashSet::new(),
            reached: HashSet::new(),
            administered: HashSet::new(),
            ties: HashMap::new(),
            managers: if named.is_empty() { HashSet::new() } else { store::existing(conn, &named)? },
        };
        let mut people: Vec<Uuid> = known.rows.iter().map(|row| row.id).collect();
        if rights.machine {
            rights.admins = mass::admins(conn, &people)?;
        }
        if !everybody {
            rights.administered = store::units_below(conn, &ctx.actor.units_for(Act::WriteUser))?.into_iter().collect();
            rights.ties = service::ties(conn, ctx, &people, &rights.administered)?;
            people.extend(&named);
            rights.reached = service::reach_for(conn, ctx, Act::WriteUser, &people)?;
            rights.managers.retain(|id| rights.reached.contains(id) || ctx.actor.user_id() == Some(*id));
        }
        Ok(rights)
    }

    fn unit(&self, ctx: &Ctx, item: &UserIn, units: &HashSet<Uuid>) -> AppResult<()> {
        let unknown = || AppError::field("/unit_id", "unknown_group", "There is no such unit, or you may not see it.");
        match unit_of(item) {
            Some(unit) if !units.contains(&unit) => Err(unknown()),
            Some(unit) if self.everybody || self.administered.contains(&unit) => Ok(()),
            Some(_) => Err(unknown()),
            None if self.everybody => Ok(()),
            None => {
                ctx.require(Act::WriteUser, &Relation::default()).map_err(|error| match self.administered.is_empty() {
                    true => error,
                    false => AppError::field("/unit_id", "required", "Name the unit of yours that the user joins."),
                })
            }
        }
    }

    fn change(&self, ctx: &Ctx, row: &UserRow, item: &UserIn) -> AppResult<()> {
        service::forbid_changing_erased(row.id, &row.email)?;
        // Whoever sets an admin's password or e-mail is one soon.
        if self.admins.contains(&row.id) {
            return Err(AppError::new(Code::Forbidden, "Only an admin can change an admin."));
        }
        if let Some(roles) = &item.roles {
            keep_own_admin_role(ctx, row.id, roles)?;
        }
        if self.everybody {
            return Ok(());
        }
        let free = self.ties.get(&row.id).is_none_or(|ties| may_be_changed_by_unit_admin(ties, &self.administered));
        if !self.reached.contains(&row.id) || !free {
            let key = (row.id, row.email.to_lowercase(), row.external_id.clone(), row.employee_number.clone());
            taken(&[key], &item.email.to_lowercase(), item.external_id.as_deref(), item.employee_number.as_deref())?;
        }
        Ok(())
    }

    fn manager(&self, item: &UserIn) -> AppResult<()> {
        match manager_of(item) {
            Some(id) if !self.managers.contains(&id) => {
                Err(AppError::field("/manager_id", "unknown_user", "There is no such user."))
            }
            _ => Ok(()),
        }
    }
}

fn new_row(ctx: &Ctx, item: &UserIn) -> UserRow {
    let attributes = item.attributes.clone().unwrap_or_default();
    UserRow {
        id: ctx.new_id(),
        email: item.email.clone(),
        given_name: item.given_name.trim().to_owned(),
        family_name: item.family_name.trim().to_owned(),
        external_id: item.external_id.clone(),
        employee_number: item.employee_number.clone(),
        state: "active".into(),
        attributes: Value::Object(attributes.into_iter().filter(|(_, value)| !value.is_null()).collect()),
        manager_id: manager_of(item),
        locale: item.locale.clone(),
        time_zone: item.time_zone.clone(),
        version: 1,
        last_login_at: None,
        created_at: ctx.now,
        updated_at: ctx.now,
    }
}

/// The row with what the item gives; what it leaves out stays.
fn changed(row: &UserRow, item: &UserIn) -> UserRow {
    let mut new = row.clone();
    new.email = item.email.clone();
    new.given_name = item.given_name.trim().to_owned();
    new.family_name = item.family_name.trim().to_owned();
    new.external_id = item.external_id.clone().or(new.external_id);
    new.employee_number = item.employee_number.clone().or(new.employee_number);
    if let Some(attributes) = item.attributes.clone() {
        service::merge(&mut new.attributes, attributes);
    }
    new.manager_id = manager_of(item).or(new.manager_id);
    new.locale = item.locale.clone().or(new.locale);
    new.time_zone = item.time_zone.clone().or(new.time_zone);
    new
}

/// Makes, or changes, many users; each gets a verdict of its own. `hashes` are those of the passwords given, by position.
///
/// # Errors
/// 403 for those who may write nobody; what is wrong with an item is in its verdict.
pub fn write(
    conn: &mut Conn,
    ctx: &Ctx,
    input: UserBulkIn,
    hashes: HashMap<usize, String>,
    dry_run: bool,
) -> AppResult<BulkOut> {
    if ctx.actor.units_for(Act::WriteUser).is_empty() {
        ctx.require(Act::WriteUser, &Relation::default())?;
    }
    let mut verdicts = Verdicts::new(input.users.len());
    let mut items = read_items::<UserIn>(input.users, &mut verdicts);
    refuse_twins(&mut items, &mut verdicts);
    if dry_run {
        return attempt(conn, ctx, (items, input.mode), &hashes, verdicts, true);
    }
    turns::memberships(conn, Memberships::Change)?;
    turns::many_users(conn)?;
    if items.iter().any(|(_, user)| user.manager_id.is_some()) {
        lock_whole(conn, LockWhole::Managers)?;
    }
    // Whoever takes a key by another way in must not undo the whole call: the item is about them then, or gets its verdict.
    turns::until_settled(conn, |conn| attempt(conn, ctx, (items.clone(), input.mode), &hashes, verdicts.clone(), false))
}

/// Judges the items by what is there now, and writes those that are good.
fn attempt(
    conn: &mut Conn,
    ctx: &Ctx,
    (mut items, mode): (Vec<(usize, UserIn)>, Mode),
    hashes: &HashMap<usize, String>,
    mut verdicts: Verdicts,
    dry_run: bool,
) -> AppResult<BulkOut> {
    settle(conn, &mut items)?;
    let mut known = Known::new(store::find_with_any(
        conn,
        items.iter().map(|(_, item)| item.email.to_lowercase()).collect(),
        items.iter().filter_map(|(_, item)| item.external_id.clone()).collect(),
        items.iter().filter_map(|(_, item)| item.employee_number.clone()).collect(),
    )?);
    if mode == Mode::Upsert {
        known.claim(&items);
    }
    let rights = Rights::load(conn, ctx, &known, &items)?;
    let named: Vec<Uuid> =
        items.iter().filter_map(|(_, item)| unit_of(item)).collect::<BTreeSet<_>>().into_iter().collect();
    let units = if named.is_empty() { HashSet::new() } else { store::existing_units(conn, &named)? };
    let mut creates: Vec<(usize, Create)> = Vec::new();
    let mut changes: Vec<(usize, Change)> = Vec::new();
    let handed_on = HandedOn::new(&known, &items, mode);
    let mut relies: HashMap<usize, Vec<Uuid>> = HashMap::new();
    for (index, item) in &items {
        let owner = known.owner(item);
        let mut others = |except: Option<Uuid>| {
            let (given, others) = known.others(item, except).into_iter().partition(|other| handed_on.to(item, other));
            let given: Vec<Identity> = given;
            if !given.is_empty() {
                relies.insert(*index, given.iter().map(|other| other.0).collect());
            }
            others
        };
        let checked = match (owner, mode) {
            (Some(row), Mode::Upsert) => rights.change(ctx, row, item).and_then(|()| {
                let others: Vec<Identity> = others(Some(row.id));
                same_person(row, item)?;
                taken(&others, &item.email.to_lowercase(), item.external_id.as_deref(), item.employee_number.as_deref())
            }),
            _ => {
                let others: Vec<Identity> = others(None);
                taken(&others, &item.email.to_lowercase(), item.external_id.as_deref(), item.employee_number.as_deref())
                    .and_then(|()| rights.unit(ctx, item, &units))
            }
        };
        let checked = checked
            .and_then(|()| rights.manager(item))
            .and_then(|()| service::forbid_reserved(&item.email, owner.map(|row| row.email.as_str())))
            .and_then(|()| forbid_granting(ctx, item.roles.as_deref().unwrap_or_default()));
        if let Err(error) = checked {
            verdicts.refuse(*index, error);
            continue;
        }
        let hash = hashes.get(index).cloned();
        match owner {
            None => creates.push((
                *index,
                Create {
                    row: new_row(ctx, item),
                    password_hash: hash,
                    roles: item.roles.clone().unwrap_or_else(|| vec![Role::Learner]),
                    unit: unit_of(item),
                },
            )),
            Some(before) => {
                let row = changed(before, item);
                if row == *before && hash.is_none() && item.roles.is_none() && item.unit_id.is_none() {
                    verdicts.set(*index, BulkStatus::Unchanged, Some(before.id));
                    continue;
                }
                let unit = unit_of(item);
                let roles = item.roles.clone();
                changes.push((*index, Change { before: before.clone(), row, password_hash: hash, roles, unit }));
            }
        }
    }
    refuse_cycles(conn, &mut changes, &mut verdicts)?;
    refuse_stranded(&mut creates, &mut changes, &relies, &mut verdicts);
    for (index, create) in &creates {
        verdicts.set(*index, BulkStatus::Created, Some(create.row.id).filter(|_| !dry_run));
    }
    for (index, change) in &changes {
        verdicts.set(*index, BulkStatus::Updated, Some(change.row.id));
    }
    if !dry_run {
        let creates: Vec<Create> = creates.into_iter().map(|(_, create)| create).collect();
        let changes: Vec<Change> = changes.into_iter().map(|(_, change)| change).collect();
        mass::write(conn, ctx, &creates, &changes)?;
    }
    Ok(verdicts.finish(dry_run))
}

/// What those whom the call changes will have: e-mail in lower case and employee number. Who gives up a key in the same call gives it to
/// whoever asks for it there. Nobody is in it of whom two items speak.
struct HandedOn(HashMap<Uuid, Option<(String, Option<String>)>>);

impl HandedOn {
    fn new(known: &Known, items: &[(usize, UserIn)], mode: Mode) -> Self {
        let mut will_have = HashMap::new();
        for (_, item) in items.iter().filter(|_| mode == Mode::Upsert) {
            if let Some(row) = known.owner(item) {
                let new = changed(row, item);
                let keys = Some((new.email.to_lowercase(), new.employee_number));
                will_have.entry(row.id).and_modify(|slot| *slot = None).or_insert(keys);
            }
        }
        Self(will_have)
    }

    /// Whether everything that the item asks for of the other's is given up.
    fn to(&self, item: &UserIn, other: &Identity) -> bool {
        let Some(Some((email, number))) = self.0.get(&other.0) else { return false };
        (item.email.to_lowercase() != other.1 || *email != other.1)
            && (item.external_id.is_none() || item.external_id != other.2)
            && (item.employee_number.is_none() || item.employee_number != other.3 || *number != other.3)
    }
}

/// Refuses items that were to get a key of somebody who is not changed after all.
fn refuse_stranded(
    creates: &mut Vec<(usize, Create)>,
    changes: &mut Vec<(usize, Change)>,
    relies: &HashMap<usize, Vec<Uuid>>,
    verdicts: &mut Verdicts,
) {
    loop {
        let size = creates.len().saturating_add(changes.len());
        let changing: HashSet<Uuid> = changes.iter().map(|(_, change)| change.row.id).collect();
        let mut keep = |index: usize| {
            let kept = relies.get(&index).is_none_or(|of| of.iter().all(|id| changing.contains(id)));
            if !kept {
                let detail =
                    "Another user has this e-mail or employee number, and the item that would change it is refused.";
                verdicts.refuse(index, AppError::new(Code::Conflict, detail));
            }
            kept
        };
        creates.retain(|(index, _)| keep(*index));
        changes.retain(|(index, _)| keep(*index));
        if creates.len().saturating_add(changes.len()) == size {
            return;
        }
    }
}

/// A user who was matched by e-mail or number but has another external id is somebody else.
fn same_person(row: &UserRow, item: &UserIn) -> AppResult<()> {
    if item.external_id.is_some() && row.external_id.is_some() && item.external_id != row.external_id {
        return Err(AppError::new(
            Code::Conflict,
            "A user with another external id has this e-mail or employee number.",
        ));
    }
    Ok(())
}

/// Refuses changes of managers that would close a circle.
fn refuse_cycles(conn: &mut Conn, changes: &mut Vec<(usize, Change)>, verdicts: &mut Verdicts) -> AppResult<()> {
    if changes.iter().all(|(_, change)| change.row.manager_id == change.before.manager_id) {
        return Ok(());
    }
    let mut edges: HashMap<Uuid, Uuid> = store::manager_edges(conn)?.into_iter().collect();
    edges.extend(changes.iter().filter_map(|(_, change)| Some((change.row.id, change.row.manager_id?))));
    let circling: HashSet<Uuid> = manager_cycles(&edges).into_iter().flatten().collect();
    changes.retain(|(index, change)| {
        let good = !circling.contains(&change.row.id);
        if !good {
            let error = AppError::field("/manager_id", "cycle", "This would make the user their own manager.");
            verdicts.refuse(*index, error);
        }
        good
    });
    Ok(())
}
