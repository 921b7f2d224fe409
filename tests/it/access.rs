//! Who may do what: a row for every operation, with a cell for each of nine people who stand in different ways to one course and one
//! learner, for a machine with exactly the scopes and one without each, and for nobody. Roles over units have their own tests in
//! `organisation.rs`.
//!
//! Who may not, but may see the thing, gets a 403 that names what is missing; to whom the thing is out of sight, it is not
//! there: 404. Those who may not are asked first; where the call has no body, also that it leaves no trace in the event log.

mod games;
mod organisation;

use std::collections::BTreeSet;

use diesel::{QueryDsl, RunQueryDsl};

use crate::openapi::{PUBLIC, operations};
use crate::support::factory::{article, sequence, unique};
use crate::support::world::Who::{
    Admin, Author, CourseAuthor, CourseInstructor, Instructor, Manager, OtherInstructor, Owner, Stranger,
};
use crate::support::world::{EVERYONE, Who, World};
use crate::support::{Answer, Client, TestApp, Value, json};

/// One operation: which scopes a machine needs (with none, no machine may), who may, who else may see what it is about.
struct Row {
    operation: &'static str,
    scopes: &'static [&'static str],
    may: &'static [Who],
    sees: &'static [Who],
    body: Option<fn(&World) -> Value>,
    before: fn(&World),
}

fn row(operation: &'static str, scopes: &'static [&'static str], may: &'static [Who]) -> Row {
    Row { operation, scopes, may, sees: EVERYONE, body: None, before: |_| {} }
}

impl Row {
    /// Out of sight of everybody else.
    fn seen_by(mut self, sees: &'static [Who]) -> Self {
        self.sees = sees;
        self
    }

    /// With this body, made anew for each call.
    fn with(mut self, body: fn(&World) -> Value) -> Self {
        self.body = Some(body);
        self
    }

    /// After this has been done, before each call of those who may.
    fn after(mut self, before: fn(&World)) -> Self {
        self.before = before;
        self
    }
}

const ADMINS: &[Who] = &[Admin];
const WRITERS: &[Who] = &[Admin, Author, CourseAuthor];
const TEACHERS: &[Who] = &[Admin, Instructor, CourseInstructor];
const STAFF: &[Who] = &[Admin, Author, Instructor, CourseAuthor, CourseInstructor];
const TEACHERS_AND_MANAGER: &[Who] = &[Admin, Instructor, CourseInstructor, Manager];
const TEACHERS_AND_OWNER: &[Who] = &[Admin, Instructor, CourseInstructor, Owner];
/// Who sees how a learner learns.
const WATCHERS: &[Who] = &[Admin, Instructor, CourseInstructor, Manager, Owner];

fn people() -> Vec<Row> {
    vec![
        row("get_me", &[], EVERYONE),
        row("update_me", &[], EVERYONE).with(|_| json!({"locale": "fr"})),
        row("list_users", &["users:read"], &[Admin, Manager]),
        row("get_user", &["users:read"], &[Admin, Manager, Owner]).seen_by(&[]),
        row("create_user", &["users:write"], ADMINS).with(
            |_| json!({"email": format!("{}@example.org", unique("new")), "given_name": "N", "family_name": "N"}),
        ),
        row("update_user", &["users:write"], ADMINS).seen_by(&[Manager, Owner]).with(|_| json!({"locale": "de"})),
        row("list_clients", &[], ADMINS),
        row("create_client", &[], ADMINS).with(|_| json!({"name": unique("client "), "scopes": []})),
        row("get_client", &[], ADMINS),
        row("update_client", &[], ADMINS).with(|_| json!({"name": unique("client ")})),
        row("delete_client", &[], ADMINS),
        row("set_clock", &[], ADMINS).with(|_| json!({"advance_seconds": 0})),
        // Everybody ends their own session, so this is the last.
        row("end_session", &[], EVERYONE),
    ]
}

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

fn scim_patch(path: &str) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{"op": "replace", "path": path, "value": unique("N")}]})
}

fn scim_search() -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "count": 1})
}

/// What identity providers do: admins, and machines with the scope; discovery and oneself are everybody's.
fn provisioning() -> Vec<Row> {
    let scim = &["scim"];
    vec![
        row("get_scim_config", scim, EVERYONE),
        row("list_scim_resource_types", scim, EVERYONE),
        row("get_scim_resource_type", scim, EVERYONE),
        row("list_scim_schemas", scim, EVERYONE),
        row("get_scim_schema", scim, EVERYONE),
        row("get_scim_me", &[], EVERYONE),
        row("update_scim_me", &[], EVERYONE).with(|_| scim_patch("nickName")),
        row("replace_scim_me", &[], ADMINS).with(|world| json!({"schemas": [USER], "userName": world.app.admin().get("/v1/me").expect(200)["email"], "displayName": "A"})),
        row("list_scim_users", scim, ADMINS),
        row("list_scim_groups", scim, ADMINS),
        row("list_scim_resources", scim, ADMINS),
        row("search_scim_resources", scim, ADMINS).with(|_| scim_search()),
        row("search_scim_users", scim, ADMINS).with(|_| scim_search()),
        row("search_scim_groups", scim, ADMINS).with(|_| scim_search()),
        row("create_scim_user", scim, ADMINS).with(|_| json!({"schemas": [USER], "userName": unique("new")})),
        row("get_scim_user", scim, ADMINS),
        row("replace_scim_user", scim, ADMINS).with(|_| json!({"schemas": [USER], "userName": unique("other")})),
        row("update_scim_user", scim, ADMINS).with(|_| scim_patch("displayName")),
        row("create_scim_group", scim, ADMINS).with(|_| json!({"schemas": [GROUP], "displayName": unique("G")})),
        row("get_scim_group", scim, ADMINS),
        row("replace_scim_group", scim, ADMINS).with(|_| json!({"schemas": [GROUP], "displayName": unique("G")})),
        row("update_scim_group", scim, ADMINS).with(|_| scim_patch("displayName")),
        row("write_scim_bulk", scim, ADMINS).with(|_| json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": []})),
        row("delete_scim_group", scim, ADMINS).after(|world| world.add_group()),
        row("delete_scim_user", scim, ADMINS).after(|world| world.set("user_id", world.app.user("leaver").id().to_owned())),
    ]
}

fn courses() -> Vec<Row> {
    vec![
        row("list_courses", &["courses:read"], EVERYONE),
        row("get_course", &["courses:read"], EVERYONE),
        row("create_course", &["courses:write"], &[Admin, Author])
            .with(|_| json!({"title": unique("Course "), "style": "random_access"})),
        row("update_course", &["courses:write"], WRITERS).with(|_| json!({"summary": "Shorter."})),
        // What is copied must be readable, and where it goes must be writable.
        row("duplicate_course", &["courses:read", "courses:write"], &[Admin, Author]).with(|_| json!({})),
        row("get_outline", &["courses:read"], STAFF),
        row("get_module", &["courses:read"], STAFF),
        row("update_module", &["courses:write"], WRITERS).with(|_| json!({"title": "A better title"})),
        row("lint_course", &["courses:read"], STAFF),
        row("simulate_course", &["courses:read"], STAFF).with(|_| json!({"steps": []})),
        row("publish_course", &["courses:write"], WRITERS).with(|_| json!({})),
        row("replace_outline", &["courses:write"], WRITERS)
            .with(|_| json!({"stages": [sequence("start", "any", vec![article("read")])]})),
        row("list_revisions", &["courses:read"], STAFF),
        row("get_revision", &["courses:read"], STAFF),
        row("list_staff", &["courses:read"], STAFF),
        row("set_staff_member", &["courses:write"], WRITERS).with(|_| json!({"role": "instructor"})),
        row("remove_staff_member", &["courses:write"], WRITERS).after(|world| {
            let path = format!("/v1/courses/{}/staff/{}", world.id("course_id"), world.id("user_id"));
            world.app.admin().put(&path, json!({"role": "instructor"})).ok();
        }),
        row("archive_course", &["courses:write"], WRITERS),
        row("restore_course", &["courses:write"], WRITERS),
    ]
}

/// A learner is let in and learns; one quiz is under way.
fn learning() -> Vec<Row> {
    vec![
        row("list_enrollments", &["enrollments:read"], EVERYONE),
        row("list_course_enrollments", &["enrollments:read"], EVERYONE),
        // For another, who reports to the manager. How learners enrol themselves is told with the four policies.
        row("create_enrollment", &["enrollments:write"], TEACHERS_AND_MANAGER).with(|world| {
            let report = world.app.user_with("report", json!({"manager_id": world.as_(Manager).id()}));
            json!({"user_id": report.id()})
        }),
        row("approve_enrollment", &["enrollments:write"], TEACHERS_AND_MANAGER).seen_by(WATCHERS),
        row("get_enrollment", &["enrollments:read"], WATCHERS).seen_by(&[]),
        row("get_path", &["enrollments:read"], WATCHERS).seen_by(&[]),
        row("get_next", &["enrollments:read"], WATCHERS).seen_by(&[]),
        row("get_enrolled_module", &["enrollments:read"], WATCHERS).seen_by(&[]),
        row("explain_module", &["enrollments:read"], WATCHERS).seen_by(&[]),
        row("record_events", &[], &[Admin, Owner]).seen_by(WATCHERS).with(|world| {
            let id = cairn::clock::new_id(world.app.state.clock.now());
            json!({"id": id, "type": "opened", "module": "read"})
        }),
        row("choose_branch", &[], &[Admin, Owner])
            .seen_by(WATCHERS)
            .with(|_| json!({"stage": "way", "branch": "left"})),
        row("complete_module", &["enrollments:write"], TEACHERS).seen_by(WATCHERS).with(|_| json!({"reason": "Seen."})),
        row("grant_override", &["enrollments:write"], TEACHERS).seen_by(WATCHERS).with(|_| json!({"kind": "waive"})),
    ]
}

fn quizzes() -> Vec<Row> {
    vec![
        row("create_attempt", &[], &[Admin, Owner]).seen_by(WATCHERS).with(|_| json!({})),
        row("list_attempts", &["assessment:read", "enrollments:read"], WATCHERS).seen_by(&[]),
        row("get_attempt", &["assessment:read", "enrollments:read"], WATCHERS).seen_by(&[]),
        row("answer_item", &[], &[Admin, Owner]).seen_by(WATCHERS).with(|_| json!({"answer": ["a"]})),
        row("submit_attempt", &[], &[Admin, Owner]).seen_by(WATCHERS),
    ]
}

fn leaving() -> Vec<Row> {
    vec![
        row("upgrade_enrollment", &["enrollments:write"], TEACHERS_AND_OWNER).seen_by(WATCHERS).with(|_| json!({})),
        row("withdraw_enrollment", &["enrollments:write"], TEACHERS_AND_OWNER).seen_by(WATCHERS),
    ]
}

fn coming_back() -> Vec<Row> {
    vec![row("reject_enrollment", &["enrollments:write"], TEACHERS_AND_MANAGER).seen_by(WATCHERS)]
}

fn certificates() -> Vec<Row> {
    vec![
        row("list_certificates", &["certificates:read"], EVERYONE),
        row("get_certificate", &["certificates:read"], WATCHERS).seen_by(&[]),
        row("revoke_certificate", &[], ADMINS).seen_by(WATCHERS).with(|_| json!({"reason": "Issued by mistake."})),
    ]
}

/// A framework, competency, goal or attempt that may be deleted, made again under the same id for each who tries.
fn spare(world: &World, table: &str) {
    use diesel::sql_query;
    let id = world.id(match table {
        "frameworks" => "framework_id",
        "competencies" => "competency_id",
        "goals" => "goal_id",
        "evidence" => "evidence_id",
        _ => "attempt_id",
    });
    let (owner, enrollment) = (world.as_(Owner).id().to_owned(), world.id("enrollment_id"));
    let keep = world.try_id("kept_framework").unwrap_or_default();
    let used = world.try_id("kept_competency").unwrap_or_default();
    let sqlite = matches!(world.app.state.db.url(), cairn::config::DatabaseUrl::Sqlite(_));
    let (now, no) = if sqlite { ("1", "0") } else { ("now()", "false") };
    let sql = match table {
        "frameworks" => format!(
            "INSERT INTO frameworks (id, title, description, edition, competency_count, version, created_at, updated_at) VALUES ('{id}', 'Spare', '', 1, 0, 1, {now}, {now})"
        ),
        "competencies" => format!(
            "INSERT INTO competencies (id, framework_id, key, title, title_key, position, method, params, levels, required, points, mastered_at_least, version, created_at, updated_at) VALUES ('{id}', '{keep}', '{id}', 'Spare', 'spare', 9, 'latest', '{{}}', '[]', {no}, 1, 0.8, 1, {now}, {now})"
        ),
        "goals" => format!(
            "INSERT INTO goals (id, title, description, version, created_at, updated_at) VALUES ('{id}', 'Spare', '', 1, {now}, {now})"
        ),
        "evidence" => format!(
            "INSERT INTO evidence (id, user_id, competency_id, score, weight, at, source_kind, source_id, recorded_at) VALUES ('{id}', '{owner}', '{used}', 1, 1, {now}, 'person', '{owner}', {now})"
        ),
        _ => format!(
            "INSERT INTO attempts (id, enrollment_id, module_key, number, state, seed, answers, started_at, version) VALUES ('{id}', '{enrollment}', 'check', 99, 'graded', 1, '{{}}', {now}, 1)"
        ),
    };
    world
        .app
        .state
        .db
        .write_here(move |conn| {
            match conn {
                cairn::db::Conn::Pg(c) => sql_query(format!("{sql} ON CONFLICT DO NOTHING")).execute(c)?,
                cairn::db::Conn::Sqlite(c) => sql_query(format!("{sql} ON CONFLICT DO NOTHING")).execute(c)?,
            };
            Ok(())
        })
        .unwrap();
}

const DESIGNERS: &[Who] = &[Admin, Author];
const DESIGNERS_AND_TEACHERS: &[Who] = &[Admin, Author, Instructor];
/// Who sees how far a person has come in everything.
const MENTORS: &[Who] = &[Admin, Instructor, Manager, Owner];

fn competencies() -> Vec<Row> {
    let (read, write) = (&["competencies:read"], &["competencies:write"]);
    vec![
        row("list_frameworks", read, EVERYONE),
        row("get_framework", read, EVERYONE),
        row("list_framework_versions", read, EVERYONE),
        row("export_framework", read, EVERYONE),
        row("create_framework", write, DESIGNERS).with(|_| json!({"title": unique("Framework ")})),
        row("import_framework", write, DESIGNERS).with(|_| {
            let id = unique("document-");
            let item = json!({"identifier": "one", "uri": "urn:y", "fullStatement": "One"});
            json!({"CFDocument": {"identifier": id, "uri": "urn:x", "title": id}, "CFItems": [item], "CFAssociations": []})
        }),
        row("update_framework", write, DESIGNERS).with(|_| json!({"description": "For everybody."})),
        row("list_competencies", read, EVERYONE),
        row("get_competency", read, EVERYONE),
        row("create_competency", write, DESIGNERS)
            .with(|world| json!({"framework_id": world.id("framework_id"), "key": unique("key-"), "title": "New"})),
        row("update_competency", write, DESIGNERS).with(|_| json!({"description": "More of it."})),
        row("get_coverage", read, STAFF),
        row("list_targets", read, STAFF),
        row("set_target", write, STAFF).with(|_| json!({"at_least": 0.7, "due_days": 7})),
        row("delete_target", write, STAFF).after(|world| {
            let path = format!("/v1/courses/{}/targets/{}", world.id("course_id"), world.id("competency_id"));
            world.app.admin().put(&path, json!({"at_least": 0.8})).ok();
        }),
        row("list_behind", read, TEACHERS),
        row("list_enrollment_targets", &["competencies:read", "enrollments:read"], WATCHERS).seen_by(&[]),
        row("get_course_mastery", read, TEACHERS),
        row("list_mastery", read, MENTORS).seen_by(&[]),
        row("get_mastery", read, MENTORS).seen_by(&[]),
        row("list_evidence", read, MENTORS).seen_by(&[]),
        row("record_evidence", write, &[Admin, Instructor])
            .seen_by(&[Manager, Owner])
            .with(|world| json!({"competency_id": world.id("competency_id"), "score": 0.7})),
        row("list_goals", read, EVERYONE),
        row("get_goal", read, EVERYONE),
        row("create_goal", write, DESIGNERS_AND_TEACHERS).with(|world| {
            json!({"title": "Lead", "requirements": [{"competency_id": world.id("competency_id"), "at_least": 0.5}]})
        }),
        row("update_goal", write, DESIGNERS_AND_TEACHERS).with(|_| json!({"description": "For everybody."})),
        row("list_goal_learners", read, &[Admin, Instructor, Manager]),
        row("assign_goal", write, &[Admin, Instructor, Manager]).seen_by(&[Owner]),
        row("unassign_goal", write, &[Admin, Instructor, Manager]).seen_by(&[Owner]).after(|world| {
            let path = format!("/v1/goals/{}/learners/{}", world.id("goal_id"), world.id("user_id"));
            world.app.admin().put(&path, json!({})).ok();
        }),
        row("list_user_goals", read, MENTORS).seen_by(&[]),
    ]
}

fn competencies_going() -> Vec<Row> {
    let write = &["competencies:write"];
    vec![
        row("delete_evidence", write, &[Admin, Instructor]).seen_by(&[Manager, Owner]).after(|w| spare(w, "evidence")),
        row("delete_goal", write, DESIGNERS_AND_TEACHERS).after(|w| spare(w, "goals")),
        row("delete_competency", write, DESIGNERS).after(|w| spare(w, "competencies")),
        row("delete_framework", write, DESIGNERS).after(|w| spare(w, "frameworks")),
    ]
}

/// After a quiz was handed in.
fn corrections() -> Vec<Row> {
    vec![
        row("get_practice_item", &[], &[Admin, Owner]).seen_by(WATCHERS),
        row("answer_practice_item", &[], &[Owner])
            .seen_by(WATCHERS)
            .with(|_| json!({"module": "check", "item": "q", "answer": ["a"]})),
        row("correct_attempt", &["assessment:write"], TEACHERS)
            .seen_by(WATCHERS)
            .with(|_| json!({"points": {"q": 1}, "reason": "The question was unclear."})),
        row("delete_attempt", &["assessment:write"], TEACHERS).seen_by(WATCHERS).after(|w| spare(w, "attempts")),
    ]
}

fn tables() -> Vec<Vec<Row>> {
    vec![
        people(),
        provisioning(),
        organisation::groups(),
        organisation::sync_and_audit(),
        organisation::roles_and_persons(),
        games::rows(),
        courses(),
        learning(),
        quizzes(),
        corrections(),
        leaving(),
        coming_back(),
        certificates(),
        competencies(),
        competencies_going(),
    ]
}

#[test]
fn every_operation_is_in_the_table() {
    let tables = tables();
    let rows = tables.iter().flatten().map(|row| row.operation);
    let known: BTreeSet<String> = rows.chain(PUBLIC.iter().copied()).map(str::to_owned).collect();
    let documented: BTreeSet<String> =
        operations().iter().map(|(_, _, op)| op["operationId"].as_str().unwrap().to_owned()).collect();
    let missing: Vec<&String> = documented.difference(&known).collect();
    let idle: Vec<&String> = known.difference(&documented).collect();
    assert!(missing.is_empty() && idle.is_empty(), "say who may: {missing:?}; no such operation: {idle:?}");
}

/// How many events there are: every change appends one.
fn changes(app: &TestApp) -> i64 {
    use cairn::db::schema::events;
    app.state.db.read_here(|conn| Ok(events::table.count().get_result(conn)?)).unwrap()
}

fn holds(world: &World, rows: &[Row]) {
    let operations = operations();
    for row in rows {
        let (method, path, op) = operations.iter().find(|(_, _, op)| op["operationId"] == row.operation).unwrap();
        let call = |client: &Client| -> Answer {
            let path = world.fill(path);
            let body = row.body.map(|body| body(world));
            client.call(&method.to_uppercase(), &path, body, &[])
        };
        let told =
            |who: &str, answer: &Answer| format!("{} by {who}: {} {}", row.operation, answer.status, answer.text());

        let documented: Vec<&Value> = op["security"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|way| way.get("machine_client")?.as_array())
            .flatten()
            .collect();
        assert_eq!(documented, row.scopes, "{}: the document's scopes", row.operation);

        refusals_leave_no_trace(world, row, |client| call(client), &told);

        let mut done = false;
        let machine = (!row.scopes.is_empty())
            .then(|| world.machine(&row.scopes.iter().map(|&scope| scope.to_owned()).collect::<Vec<_>>()));
        let people = row.may.iter().map(|who| (format!("{who:?}"), world.as_(*who).clone()));
        for (who, client) in people.chain(machine.map(|client| ("a machine".to_owned(), client))) {
            (row.before)(world);
            let mut answer = call(&client);
            // On Postgres the log is read up to the oldest transaction that runs, which may be another test's.
            while answer.status == 503 {
                world.app.dispatch();
                answer = call(&client);
            }
            // What the first has done, the next may find done.
            let fine = (200..300).contains(&answer.status) || (done && answer.status == 409);
            assert!(fine, "{}", told(&who, &answer));
            done = true;
        }
    }
}

/// SCIM's errors have no code of ours.
fn is_refusal(answer: &Answer, status: u16, code: &str) -> bool {
    answer.status == status
        && if answer.of_scim() {
            answer["status"].as_str() == Some(&status.to_string())
        } else {
            answer["code"] == code
        }
}

fn refusals_leave_no_trace(
    world: &World,
    row: &Row,
    call: impl Fn(&Client) -> Answer,
    told: &dyn Fn(&str, &Answer) -> String,
) {
    // Bodies may need people of their own; those are made before, and counted out.
    let refused = |who: &str, client: &Client, status: u16, code: &str| {
        if row.body.is_none() {
            let before = changes(world.app);
            let answer = call(client);
            assert_eq!(changes(world.app), before, "{} changed something", told(who, &answer));
            assert!(is_refusal(&answer, status, code), "{}", told(who, &answer));
            answer
        } else {
            let answer = call(client);
            assert!(is_refusal(&answer, status, code), "{}", told(who, &answer));
            answer
        }
    };
    refused("anyone", &world.app.anyone(), 401, "unauthenticated");
    for who in EVERYONE.iter().filter(|who| !row.may.contains(who)) {
        let name = format!("{who:?}");
        if row.sees.contains(who) {
            let answer = refused(&name, world.as_(*who), 403, "forbidden");
            let named = answer.of_scim() || answer["missing"]["roles"].is_array();
            assert!(named, "{}", told(&name, &answer));
        } else {
            refused(&name, world.as_(*who), 404, "not_found");
        }
    }
    if row.scopes.is_empty() {
        refused("a machine with every scope", &world.machine(&world.scopes_without(None)), 403, "forbidden");
    }
    if row.may == ADMINS {
        let through = world.through_machine(world.app.admin().id());
        let answer = call(&through);
        let refused = is_refusal(&answer, 403, "forbidden") || is_refusal(&answer, 404, "not_found");
        assert!(refused, "{}", told("a machine that acts as an admin", &answer));
    }
    for scope in row.scopes {
        let machine = world.machine(&world.scopes_without(Some(scope)));
        let answer = refused(&format!("a machine without {scope}"), &machine, 403, "forbidden");
        let named = answer["missing"]["scope"] == *scope || answer.of_scim() && answer.text().contains(scope);
        assert!(named, "{}", told("a machine", &answer));
    }
}

both! {
    fn people_and_machines(app) {
        let world = World::new(app);
        world.add_client();
        holds(&world, &people());
    }

    fn identity_providers(app) {
        let world = World::new(app);
        world.add_group();
        world.set("resource_type", "User".into());
        world.set("schema_id", USER.into());
        holds(&world, &provisioning());
    }

    fn groups_and_their_courses(app) {
        let world = World::new(app);
        world.approve();
        organisation::prepare(&world);
        holds(&world, &organisation::groups());
    }

    fn the_sync_and_the_audit_log(app) {
        let world = World::new(app);
        organisation::prepare(&world);
        holds(&world, &organisation::sync_and_audit());
    }

    fn games_teams_and_badges(app) {
        let world = World::new(app);
        games::prepare(&world);
        holds(&world, &games::rows());
    }

    fn roles_and_persons(app) {
        let world = World::new(app);
        organisation::prepare(&world);
        holds(&world, &organisation::roles_and_persons());
    }

    fn courses_and_their_staff(app) {
        let world = World::new(app);
        // Whom staff operations are about: somebody whom nothing else asks about.
        world.set("user_id", app.user("new_staff").id().to_owned());
        holds(&world, &courses());
    }

    fn learning_from_approval_to_withdrawal(app) {
        let world = World::new(app);
        holds(&world, &learning());
        world.set("module_key", "check".into());
        world.begin_attempt();
        holds(&world, &quizzes());
        holds(&world, &corrections());
        app.admin().patch(&format!("/v1/courses/{}/modules/more", world.id("course_id")), json!({"title": "Further"})).expect(200);
        app.admin().post(&format!("/v1/courses/{}/publish", world.id("course_id")), json!({})).expect(201);
        holds(&world, &leaving());
        world.set("enrollment_id", world.as_(Owner).enroll(&world.id("course_id")));
        holds(&world, &coming_back());
    }

    fn competencies_mastery_and_goals(app) {
        let world = World::new(app);
        world.add_competencies();
        holds(&world, &competencies());
        world.set("kept_framework", world.id("framework_id"));
        world.set("kept_competency", world.id("competency_id"));
        for name in ["framework_id", "competency_id", "goal_id", "evidence_id"] {
            world.set(name, cairn::clock::new_id(app.state.clock.now()).to_string());
        }
        for table in ["frameworks", "competencies", "goals", "evidence"] {
            spare(&world, table);
        }
        holds(&world, &competencies_going());
    }

    fn certificates_of_learners(app) {
        let world = World::new(app);
        world.approve();
        world.complete();
        holds(&world, &certificates());
    }

    fn what_is_public_asks_for_no_token(app) {
        let world = World::new(app);
        world.approve();
        world.complete();
        for (method, path, op) in operations() {
            if method == "get" && PUBLIC.contains(&op["operationId"].as_str().unwrap()) && world.knows(&path) {
                app.anyone().get(&world.fill(&path)).expect(200);
            }
        }
    }

    fn a_draft_is_out_of_sight_of_all_but_its_staff(app) {
        let world = World::new(app);
        let draft = app.admin().post("/v1/courses", json!({"title": "Draft", "style": "random_access"})).expect(201).id();
        for who in [Admin, Author, Instructor] {
            world.as_(who).get(&format!("/v1/courses/{draft}")).expect(200);
        }
        for who in [CourseAuthor, CourseInstructor, OtherInstructor, Manager, Owner, Stranger] {
            world.as_(who).get(&format!("/v1/courses/{draft}")).problem(404, "not_found");
            world.as_(who).post(&format!("/v1/courses/{draft}/enrollments"), json!({})).problem(404, "not_found");
            let seen = world.as_(who).all("/v1/courses");
            assert!(seen.iter().all(|course| course["id"] != json!(draft)), "{who:?} lists the draft");
        }
    }

    fn lists_show_to_each_what_they_may_see(app) {
        let world = World::new(app);
        let stranger = world.as_(Stranger).enroll(&world.id("course_id"));
        let both = [stranger, world.id("enrollment_id")];
        for (who, expected) in [(Admin, 2), (Instructor, 2), (CourseInstructor, 2), (Manager, 1), (Owner, 1), (Stranger, 1), (Author, 0), (CourseAuthor, 0), (OtherInstructor, 0)] {
            let path = format!("/v1/courses/{}/enrollments", world.id("course_id"));
            for list in ["/v1/enrollments", &path] {
                let seen = world.as_(who).all(list);
                assert_eq!(seen.len(), expected, "{who:?} in {list}");
                for one in &both {
                    let listed = seen.iter().any(|item| item["id"] == json!(one));
                    let read = world.as_(who).get(&format!("/v1/enrollments/{one}")).status == 200;
                    assert_eq!(listed, read, "{who:?}: whoever lists it reads it, and the other way round");
                }
            }
        }
    }

    fn a_machine_does_not_become_an_admin(app) {
        let world = World::new(app);
        let machine = world.machine(&world.scopes_without(None));
        let admin = format!("/v1/users/{}", app.admin().id());
        let before = app.admin().get(&admin).expect(200);
        for change in [json!({"password": "a-new-password"}), json!({"email": "mine@example.org"}), json!({"state": "suspended"}), json!({"roles": ["learner"]}), json!({"locale": "de"})] {
            machine.patch(&admin, change).problem(403, "forbidden");
        }
        let other = format!("/v1/users/{}", world.as_(Owner).id());
        machine.patch(&other, json!({"roles": ["admin"]})).problem(403, "forbidden");
        machine.post("/v1/users", json!({"email": "mine@example.org", "given_name": "M", "family_name": "M", "roles": ["admin"]})).problem(403, "forbidden");
        // Nor by acting as one.
        let boss = app.user_with("boss", json!({"roles": ["admin"]}));
        let through = world.through_machine(boss.id());
        assert_eq!(through.get("/v1/me").expect(200).id(), boss.id());
        for change in [json!({"password": "a-new-password"}), json!({"state": "suspended"}), json!({"roles": ["learner"]})] {
            through.patch(&admin, change).problem(404, "not_found");
        }
        let roles = format!("{other}/roles");
        through.post(&roles, json!({"role": "admin", "scope": {"kind": "site"}})).problem(404, "not_found");
        through.post(&format!("/v1/users/{}/roles", boss.id()), json!({"role": "author", "scope": {"kind": "site"}})).problem(403, "forbidden");
        through.get(&format!("{other}/export")).problem(404, "not_found");
        through.post("/v1/sync/plans", json!({"employees": []})).problem(403, "forbidden");
        assert_eq!(app.admin().get(&admin).expect(200).json, before.json);
    }
}
