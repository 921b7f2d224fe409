//! Users and groups as SCIM shows them.

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::store::groups::MemberRow;
use super::store::users::Row;
use super::store::{groups as group_store, users as user_store};
use crate::db::Conn;
use crate::domain::scim::input::schemas_of;
use crate::domain::scim::person::{Kept, put_together, shown_name};
use crate::domain::scim::schemas::{ENTERPRISE, GROUPS, ResourceType, USERS};
use crate::error::AppResult;
use crate::features::groups::GroupRow;
use crate::http::conditional::shown_tag;

/// What costs a statement, and is loaded for those who need it only.
#[derive(Debug, Clone, Copy, Default)]
pub struct Needs {
    /// The groups of users.
    pub groups: bool,
    /// The members of groups.
    pub members: bool,
    /// The managers' names.
    pub manager_names: bool,
    /// The tags of users, which cover groups and managers' names.
    pub tags: bool,
}

/// A resource with its tag.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its id.
    pub id: Uuid,
    /// Its ETag, which is weak: of a group it does not tell when members change their names.
    pub tag: String,
    /// Where it is.
    pub location: String,
    /// All of it.
    pub resource: Map<String, Value>,
}

fn time(at: DateTime<Utc>) -> Value {
    Value::from(at.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// What the server sets of every resource.
fn finish(
    mut resource: Map<String, Value>,
    of: &ResourceType,
    id: Uuid,
    tag: String,
    (created, changed): (DateTime<Utc>, DateTime<Utc>),
    base: &str,
) -> Shown {
    let location = format!("{base}{}/{id}", of.endpoint);
    let meta = json!({"resourceType": of.name, "created": time(created), "lastModified": time(changed), "location": location, "version": tag});
    resource.insert("schemas".into(), schemas_of(&resource, of));
    resource.insert("id".into(), json!(id));
    resource.insert("meta".into(), meta);
    Shown { id, tag, location, resource }
}

/// The tag of a user, which covers the groups and the manager's name too.
pub fn user_tag(conn: &mut Conn, row: &Row, base: &str) -> AppResult<String> {
    let shown = users(conn, std::slice::from_ref(row), Needs { tags: true, ..Needs::default() }, base)?;
    Ok(shown.into_iter().next().map(|one| one.tag).unwrap_or_default())
}

/// The resource of a user as its clients write it.
pub fn written(row: &Row) -> Map<String, Value> {
    let user = &row.user;
    put_together(&Kept {
        id: user.id,
        user_name: row.user_name.as_deref(),
        email: &user.email,
        given_name: &user.given_name,
        family_name: &user.family_name,
        external_id: user.external_id.as_deref(),
        employee_number: user.employee_number.as_deref(),
        manager: user.manager_id,
        active: user.state == "active",
        locale: user.locale.as_deref(),
        time_zone: user.time_zone.as_deref(),
        attributes: &user.attributes,
        document: row.document(),
    })
}

/// These users, in the same order.
pub fn users(conn: &mut Conn, rows: &[Row], needs: Needs, base: &str) -> AppResult<Vec<Shown>> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.user.id).collect();
    let mut groups: HashMap<Uuid, Vec<Value>> = HashMap::new();
    if needs.groups || needs.tags {
        for (user, group, name) in user_store::groups_of(conn, &ids)? {
            let place = format!("{base}{}/{group}", GROUPS.endpoint);
            let one = json!({"value": group, "$ref": place, "display": name, "type": "direct"});
            groups.entry(user).or_default().push(one);
        }
    }
    let managers: Vec<Uuid> = rows.iter().filter_map(|row| row.user.manager_id).collect();
    let mut names: HashMap<Uuid, String> = HashMap::new();
    if (needs.manager_names || needs.tags) && !managers.is_empty() {
        let found = user_store::names(conn, &managers)?;
        names.extend(
            found.into_iter().map(|(id, display, given, family)| (id, shown_name(display.as_deref(), &given, &family))),
        );
    }
    let shown = rows.iter().map(|row| {
        let mut resource = written(row);
        if let Some(groups) = groups.remove(&row.user.id) {
            resource.insert("groups".into(), Value::Array(groups));
        }
        if let Some(manager) = row.user.manager_id
            && let Some(Value::Object(enterprise)) = resource.get_mut(ENTERPRISE)
        {
            let mut shown = json!({"value": manager, "$ref": format!("{base}{}/{manager}", USERS.endpoint)});
            if let (Some(name), Some(members)) = (names.get(&manager), shown.as_object_mut()) {
                members.insert("displayName".into(), Value::from(name.as_str()));
            }
            enterprise.insert("manager".into(), shown);
        }
        let times = (row.user.created_at, row.user.updated_at);
        let tag = format!("W/{}", shown_tag(row.user.version, &resource));
        finish(resource, &USERS, row.user.id, tag, times, base)
    });
    Ok(shown.collect())
}

/// How many members a group has, and since when the last one.
pub type Size = (i64, Option<DateTime<Utc>>);

/// The sizes of groups; those without members are missing.
pub fn sizes(conn: &mut Conn, ids: &[Uuid]) -> AppResult<HashMap<Uuid, Size>> {
    Ok(group_store::sizes(conn, ids)?.into_iter().map(|(id, members, since)| (id, (members, since))).collect())
}

/// The tag of a group: its version, how many members there are and since when the last. Who has left does not come back to the
/// same instant, so no two states of a group have the same.
pub fn group_tag(row: &GroupRow, (members, since): Size) -> String {
    let since = since.map_or(0, |at| at.timestamp_micros());
    format!("W/\"{}-{members}-{since:x}\"", row.version)
}

/// These groups, in the same order.
pub fn groups(conn: &mut Conn, rows: &[GroupRow], needs: Needs, base: &str) -> AppResult<Vec<Shown>> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let sizes = sizes(conn, &ids)?;
    let mut members: HashMap<Uuid, Vec<Value>> = HashMap::new();
    if needs.members && !sizes.is_empty() {
        for row in group_store::members(conn, &ids)? {
            members.entry(row.0).or_default().push(member(row, base));
        }
    }
    let shown = rows.iter().map(|row| {
        let size = sizes.get(&row.id).copied().unwrap_or_default();
        let mut resource = Map::from_iter([("displayName".to_owned(), Value::from(row.name.as_str()))]);
        if let Some(external) = &row.external_id {
            resource.insert("externalId".into(), Value::from(external.as_str()));
        }
        if let Some(members) = members.remove(&row.id) {
            resource.insert("members".into(), Value::Array(members));
        }
        let changed = size.1.map_or(row.updated_at, |since| since.max(row.updated_at));
        finish(resource, &GROUPS, row.id, group_tag(row, size), (row.created_at, changed), base)
    });
    Ok(shown.collect())
}

fn member((_, user, display, given, family): MemberRow, base: &str) -> Value {
    let place = format!("{base}{}/{user}", USERS.endpoint);
    json!({"value": user, "$ref": place, "type": "User", "display": shown_name(display.as_deref(), &given, &family)})
}
