//! A small world in which everybody who can stand in some way to a course and a learner is there once.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};

use super::factory::{article, quiz, right, sequence, unique};
use super::{Client, TestApp, Value, json};

/// How somebody stands to the world's course and its learner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Admin,
    /// Holds the role for the whole site.
    Author,
    /// Holds the role for the whole site.
    Instructor,
    /// Writes this course only.
    CourseAuthor,
    /// Teaches this course only.
    CourseInstructor,
    /// Teaches another course only.
    OtherInstructor,
    /// The learner reports to them.
    Manager,
    /// The learner, whose enrollment, attempt and certificate it is.
    Owner,
    /// Another learner.
    Stranger,
}

/// All of them.
pub const EVERYONE: &[Who] = &[
    Who::Admin,
    Who::Author,
    Who::Instructor,
    Who::CourseAuthor,
    Who::CourseInstructor,
    Who::OtherInstructor,
    Who::Manager,
    Who::Owner,
    Who::Stranger,
];

/// See [`World::new`].
pub struct World<'a> {
    pub app: &'a TestApp,
    people: Vec<(Who, Client)>,
    ids: RefCell<BTreeMap<&'static str, String>>,
    machines: RefCell<HashMap<Vec<String>, Client>>,
    all_scopes: OnceCell<Vec<String>>,
}

impl<'a> World<'a> {
    /// A published course whose learner waits for approval.
    pub fn new(app: &'a TestApp) -> Self {
        let manager = app.user("manager");
        let owner = app.user_with("owner", json!({"manager_id": manager.id(), "external_id": unique("hr-")}));
        let people = vec![
            (Who::Admin, app.admin().clone()),
            (Who::Author, app.staff("author")),
            (Who::Instructor, app.staff("instructor")),
            (Who::CourseAuthor, app.user("course_author")),
            (Who::CourseInstructor, app.user("course_instructor")),
            (Who::OtherInstructor, app.user("other_instructor")),
            (Who::Manager, manager),
            (Who::Owner, owner),
            (Who::Stranger, app.user("stranger")),
        ];
        let branch = |key: &str, module: &str| json!({"key": key, "title": key, "modules": [article(module)]});
        let outline = json!({"stages": [
            sequence("start", "any", vec![article("read")]),
            {"kind": "choice", "key": "way", "choose": "one", "branches": [branch("left", "left1"), branch("right", "right1")]},
            sequence("end", "any", vec![article("more"), quiz("check", "core", json!({"practice": true}))]),
        ]});
        let fields = json!({"title": "Ours", "style": "dynamic_branching", "enrollment_policy": "approval", "issues_certificate": true});
        let course = app.course_with(fields, &outline);
        let other = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![article("x")])]}));
        let world =
            Self { app, people, ids: RefCell::default(), machines: RefCell::default(), all_scopes: OnceCell::new() };
        for (who, course, role) in [
            (Who::CourseAuthor, &course, "author"),
            (Who::CourseInstructor, &course, "instructor"),
            (Who::OtherInstructor, &other, "instructor"),
        ] {
            let path = format!("/v1/courses/{course}/staff/{}", world.as_(who).id());
            app.admin().put(&path, json!({"role": role})).ok();
        }
        world.set("course_id", course.clone());
        world.set("user_id", world.as_(Who::Owner).id().to_owned());
        world.set("module_key", "read".into());
        world.set("revision", "1".into());
        world.set("enrollment_id", world.as_(Who::Owner).enroll(&course));
        world
    }

    /// The client of one of them.
    pub fn as_(&self, who: Who) -> &Client {
        self.people.iter().find(|(one, _)| *one == who).map(|(_, client)| client).expect("everybody is there")
    }

    /// The value of a path parameter.
    pub fn id(&self, name: &str) -> String {
        self.ids.borrow().get(name).cloned().unwrap_or_else(|| panic!("the world has no {name}"))
    }

    /// The value of a path parameter, if it has one.
    pub fn try_id(&self, name: &str) -> Option<String> {
        self.ids.borrow().get(name).cloned()
    }

    /// Whether there is a value for every parameter of this path.
    pub fn knows(&self, path: &str) -> bool {
        let names = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        names.into_iter().all(|name| self.ids.borrow().contains_key(name))
    }

    /// Sets the value of a path parameter.
    pub fn set(&self, name: &'static str, value: String) {
        self.ids.borrow_mut().insert(name, value);
    }

    /// A path of the document with its parameters filled.
    pub fn fill(&self, path: &str) -> String {
        let mut out = path.to_owned();
        while let (Some(from), Some(to)) = (out.find('{'), out.find('}')) {
            let value = self.id(&out[from + 1..to]);
            out.replace_range(from..=to, &value);
        }
        out
    }

    /// Approves the learner.
    pub fn approve(&self) {
        self.app.admin().post(&format!("/v1/enrollments/{}/approve", self.id("enrollment_id")), json!({})).expect(200);
    }

    /// The learner, who chose the left branch, walks it and begins the quiz behind it.
    pub fn begin_attempt(&self) {
        self.as_(Who::Owner).open(&self.id("enrollment_id"), "left1").expect(200);
        let path = format!("/v1/enrollments/{}/modules/check/attempts", self.id("enrollment_id"));
        self.set("attempt_id", self.as_(Who::Owner).post(&path, json!({})).expect(201).id());
        self.set("item_key", "q".into());
    }

    /// The learner, who is approved, takes the whole course and gets the certificate.
    pub fn complete(&self) {
        let (owner, enrollment) = (self.as_(Who::Owner), self.id("enrollment_id"));
        owner.open(&enrollment, "read").expect(200);
        let choice = json!({"stage": "way", "branch": "left"});
        owner.post(&format!("/v1/enrollments/{enrollment}/choices"), choice).ok();
        owner.open(&enrollment, "left1").expect(200);
        owner.open(&enrollment, "more").expect(200);
        self.set("attempt_id", owner.attempt(&enrollment, "check", &right()).id());
        self.set("item_key", "q".into());
        let certificate = owner.all("/v1/certificates").pop().expect("a certificate");
        self.set("certificate_id", certificate["id"].as_str().expect("an id").into());
        self.set("serial", certificate["serial"].as_str().expect("a serial").into());
    }

    /// A framework with a competency that the course aims at, a goal that the learner has, and what was judged of the learner.
    pub fn add_competencies(&self) {
        let admin = self.app.admin();
        let made = json!({"title": unique("Framework "), "competencies": [{"key": "listen", "title": "Listen"}]});
        let framework = admin.post("/v1/frameworks", made).expect(201).id();
        let list = admin.all(&format!("/v1/competencies?framework_id={framework}"));
        let competency = list[0]["id"].as_str().expect("an id").to_owned();
        let path = format!("/v1/courses/{}/targets/{competency}", self.id("course_id"));
        admin.put(&path, json!({"at_least": 0.8, "due_days": 14})).expect(200);
        let requirements = json!([{"competency_id": competency, "at_least": 0.8}]);
        let goal = admin.post("/v1/goals", json!({"title": "Lead", "requirements": requirements})).expect(201).id();
        let owner = self.as_(Who::Owner).id();
        admin.put(&format!("/v1/goals/{goal}/learners/{owner}"), json!({})).expect(200);
        let judged = json!({"competency_id": competency, "score": 0.5});
        let evidence = admin.post(&format!("/v1/users/{owner}/evidence"), judged).expect(201).id();
        self.set("framework_id", framework);
        self.set("competency_id", competency);
        self.set("goal_id", goal);
        self.set("evidence_id", evidence);
    }

    /// A machine client to be read and changed.
    pub fn add_client(&self) {
        let made = self.app.admin().post("/v1/clients", json!({"name": unique("client "), "scopes": ["users:read"]}));
        self.set("client_id", made.expect(201)["client_id"].as_str().expect("an id").into());
    }

    /// A group without members.
    pub fn add_group(&self) {
        let made = self.app.admin().post("/v1/groups", json!({"name": unique("Group "), "kind": "static"}));
        self.set("group_id", made.expect(201).id());
    }

    /// A machine with exactly these scopes.
    pub fn machine(&self, scopes: &[String]) -> Client {
        let make = || self.app.machine(&scopes.iter().map(String::as_str).collect::<Vec<_>>());
        self.machines.borrow_mut().entry(scopes.to_vec()).or_insert_with(make).clone()
    }

    /// A machine with every scope that acts as this user.
    pub fn through_machine(&self, user: &str) -> Client {
        let make = || self.app.acting_through(&self.scopes_without(None), user);
        self.machines.borrow_mut().entry(vec!["acts as".into(), user.to_owned()]).or_insert_with(make).clone()
    }

    /// Every scope but this one, as the document lists them.
    pub fn scopes_without(&self, without: Option<&str>) -> Vec<String> {
        let all = self.all_scopes.get_or_init(|| {
            let document: Value = serde_json::from_str(cairn::http::openapi::text()).expect("JSON");
            let all = document["components"]["schemas"]["Scope"]["enum"].as_array().expect("the scopes").clone();
            all.into_iter().map(|scope| scope.as_str().expect("a name").to_owned()).collect()
        });
        all.iter().filter(|scope| Some(scope.as_str()) != without).cloned().collect()
    }
}
