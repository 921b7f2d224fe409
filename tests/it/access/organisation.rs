//! Rows about groups, roles, the HR sync and the audit log.

use super::{ADMINS, Row, row};
use crate::support::factory::unique;
use crate::support::json;
use crate::support::world::Who::{Admin, Author, Instructor, Manager, Owner};
use crate::support::world::{EVERYONE, Who, World};

const GROUP_READERS: &[Who] = &[Admin, Author, Instructor];
fn join(world: &World) {
    let path = format!("/v1/groups/{}/members/{}", world.id("group_id"), world.id("user_id"));
    world.app.admin().put(&path, json!({})).expect(204);
}

fn assign(world: &World) {
    let path = format!("/v1/courses/{}/group-enrollments/{}", world.id("course_id"), world.id("group_id"));
    world.app.admin().put(&path, json!({})).ok();
}

/// Gives the learner's role again, to be taken.
fn role(world: &World) {
    let path = format!("/v1/users/{}/roles", world.id("user_id"));
    let body = json!({"role": "learner", "scope": {"kind": "site"}});
    drop(world.app.admin().post(&path, body));
    let roles = world.app.admin().all(&path);
    let learner = roles.iter().find(|role| role["role"] == "learner").expect("the role");
    world.set("role_id", learner["id"].as_str().expect("an id").into());
}

/// A secret to delete, of a client of its own: each has two at most.
fn secret(world: &World) {
    world.add_client();
    let path = format!("/v1/clients/{}/secrets", world.id("client_id"));
    world.set("secret_id", world.app.admin().post(&path, json!({})).expect(201).id());
}

/// What the rows are about.
pub fn prepare(world: &World) {
    world.add_client();
    world.add_group();
    role(world);
    world.set("secret_id", world.id("client_id"));
    let employee = json!({"external_id": unique("hr-"), "email": format!("{}@example.org", unique("e")), "given_name": "E", "family_name": "E"});
    let body = json!({"employees": [employee], "options": {"deactivate_missing": false}});
    world.set("plan_id", world.app.admin().post("/v1/sync/plans", body).expect(201).id());
}

pub fn groups() -> Vec<Row> {
    vec![
        row("list_groups", &["groups:read"], GROUP_READERS),
        row("get_group", &["groups:read"], GROUP_READERS).seen_by(&[]),
        row("create_group", &["groups:write"], ADMINS).with(|_| json!({"name": unique("G "), "kind": "static"})),
        row("update_group", &["groups:write"], ADMINS).seen_by(GROUP_READERS).with(|_| json!({"name": unique("G ")})),
        row("write_groups_in_bulk", &["groups:write"], ADMINS)
            .with(|_| json!({"groups": [{"name": unique("G "), "kind": "static"}]})),
        row("add_group_member", &["groups:write"], ADMINS).seen_by(GROUP_READERS),
        row("list_group_members", &["groups:read"], &[Admin, Instructor]).seen_by(GROUP_READERS),
        row("get_group_mastery", &["competencies:read"], &[Admin, Instructor]).seen_by(GROUP_READERS),
        // A manager sees the person and not the groups.
        row("list_user_groups", &["users:read"], &[Admin, Owner]).seen_by(&[Manager]),
        row("remove_group_member", &["groups:write"], ADMINS).seen_by(GROUP_READERS).after(join),
        // Whoever does not see the group, as staff of one course do not, assigns it nothing.
        row("assign_group", &["enrollments:write", "groups:read"], &[Admin, Instructor])
            .seen_by(GROUP_READERS)
            .with(|_| json!({})),
        row("get_group_assignment", &["enrollments:read", "groups:read"], &[Admin, Instructor]).seen_by(GROUP_READERS),
        row("list_group_assignments", &["enrollments:read"], super::TEACHERS),
        row("unassign_group", &["enrollments:write", "groups:read"], &[Admin, Instructor])
            .seen_by(GROUP_READERS)
            .after(assign),
        row("delete_group", &["groups:write"], ADMINS).seen_by(GROUP_READERS).after(|world| world.add_group()),
    ]
}

pub fn sync_and_audit() -> Vec<Row> {
    vec![
        row("create_sync_plan", &["users:write"], ADMINS)
            .with(|_| json!({"employees": [], "options": {"deactivate_missing": false}})),
        row("get_sync_plan", &["users:write"], ADMINS),
        row("list_sync_plan_rows", &["users:write"], ADMINS),
        row("apply_sync_plan", &["users:write"], ADMINS).with(|_| json!({})),
        row("get_sync_settings", &[], ADMINS),
        row("set_sync_settings", &[], ADMINS)
            .with(|_| json!({"max_deactivate_percent": 5.0, "max_error_percent": 5.0})),
        row("create_client_secret", &[], ADMINS).with(|_| json!({})),
        row("delete_client_secret", &[], ADMINS).after(secret),
        row("list_audit", &[], ADMINS),
    ]
}

/// The last takes the learner's roles away, and then the learner.
pub fn roles_and_persons() -> Vec<Row> {
    vec![
        row("list_reports", &["users:read"], &[Admin, Manager, Owner]).seen_by(&[]),
        row("list_user_roles", &["users:read"], &[Admin, Manager, Owner]).seen_by(&[]),
        row("unlock_user", &["users:write"], ADMINS),
        row("write_users_in_bulk", &["users:write"], ADMINS).with(
            |_| json!({"users": [{"email": format!("{}@example.org", unique("new")), "given_name": "N", "family_name": "N"}]}),
        ),
        // Everybody may ask; what is not theirs is refused item by item.
        row("enroll_in_bulk", &["enrollments:write"], EVERYONE)
            .with(|world| json!({"enrollments": [{"course_id": world.id("course_id"), "user_id": world.id("user_id")}]})),
        row("export_user", &[], &[Admin, Owner]).seen_by(&[]),
        row("revoke_role", &["users:write"], ADMINS).seen_by(&[Manager, Owner]).after(role),
        row("grant_role", &["users:write"], ADMINS)
            .seen_by(&[Manager, Owner])
            .with(|_| json!({"role": "learner", "scope": {"kind": "site"}})),
        row("erase_user", &[], ADMINS)
            .with(|world| json!({"confirm": world.id("user_id")}))
            .after(|world| world.set("user_id", world.app.user("leaver").id().to_owned())),
    ]
}
