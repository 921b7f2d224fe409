//! People and courses for tests, made through the API.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::{Client, TestApp};

static NEXT: AtomicU32 = AtomicU32::new(1);

/// A name that no other has in this process.
pub fn unique(start: &str) -> String {
    format!("{start}{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

impl TestApp {
    /// A new user without a password, and a client that acts as them.
    pub fn user(&self, name: &str) -> Client {
        self.user_with(name, json!({}))
    }

    /// A new user with these fields beside.
    pub fn user_with(&self, name: &str, fields: Value) -> Client {
        let mut body =
            json!({"email": format!("{}@example.org", unique(name)), "given_name": name, "family_name": "Example"});
        body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        let id = self.admin().post("/v1/users", body).expect(201).id();
        self.acting_as(&id)
    }

    /// A new user with a site role.
    pub fn staff(&self, role: &str) -> Client {
        self.user_with(role, json!({"roles": [role]}))
    }

    /// A new machine client with these scopes, holding a token.
    pub fn machine(&self, scopes: &[&str]) -> Client {
        self.machine_with(scopes, &[("grant_type", "client_credentials")])
    }

    /// A new machine client with these scopes, holding a token with which it acts as a user.
    pub fn acting_through(&self, scopes: &[String], user: &str) -> Client {
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", user),
            ("subject_token_type", "urn:cairn:params:oauth:token-type:user-id"),
        ];
        self.machine_with(&scopes.iter().map(String::as_str).collect::<Vec<_>>(), &fields)
    }

    fn machine_with(&self, scopes: &[&str], grant: &[(&str, &str)]) -> Client {
        let made = self
            .admin()
            .post(
                "/v1/clients",
                json!({"name": unique("client "), "scopes": scopes, "auth_method": "client_secret_post"}),
            )
            .expect(201);
        let (id, secret) =
            (made["client_id"].as_str().expect("an id"), made["client_secret"].as_str().expect("a secret"));
        let fields = [grant, &[("client_id", id), ("client_secret", secret)]].concat();
        let token = self.anyone().form("/oauth/token", &fields, &[]).expect(200);
        self.with_token(token["access_token"].as_str().expect("a token"))
    }

    /// A course of this style with this outline, published; its id.
    pub fn course(&self, style: &str, outline: &Value) -> String {
        self.course_with(json!({"title": unique("Course "), "style": style}), outline)
    }

    /// A course with these fields and this outline, published; its id.
    pub fn course_with(&self, fields: Value, outline: &Value) -> String {
        let id = self.admin().post("/v1/courses", fields).expect(201).id();
        self.admin().put(&format!("/v1/courses/{id}/outline"), outline.clone()).expect(200);
        self.admin().post(&format!("/v1/courses/{id}/publish"), json!({})).expect(201);
        id
    }
}

impl Client {
    /// Enrols the caller; the enrollment's id.
    #[track_caller]
    pub fn enroll(&self, course: &str) -> String {
        self.post(&format!("/v1/courses/{course}/enrollments"), json!({})).expect(201).id()
    }

    /// The states of all modules of an enrollment's path, by key.
    #[track_caller]
    pub fn states(&self, enrollment: &str) -> std::collections::BTreeMap<String, String> {
        let path = self.get(&format!("/v1/enrollments/{enrollment}/path")).expect(200);
        modules(&path.json)
            .into_iter()
            .map(|m| (m["key"].as_str().expect("a key").to_owned(), m["state"].as_str().expect("a state").to_owned()))
            .collect()
    }

    /// One learning event, with a new id.
    pub fn event(&self, enrollment: &str, mut event: Value) -> super::Answer {
        event["id"] = json!(uuid::Uuid::from_u128(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)) << 64 | 7));
        self.post(&format!("/v1/enrollments/{enrollment}/events"), event)
    }

    /// Opens a module, which completes an article.
    pub fn open(&self, enrollment: &str, module: &str) -> super::Answer {
        self.event(enrollment, json!({"type": "opened", "module": module}))
    }

    /// Watches a video from its beginning to this second.
    pub fn watch(&self, enrollment: &str, module: &str, seconds: f64) -> super::Answer {
        self.event(enrollment, json!({"type": "watched", "module": module, "from_seconds": 0, "to_seconds": seconds}))
    }

    /// Takes a quiz with these answers by item key; the answer to the submission.
    #[track_caller]
    pub fn attempt(&self, enrollment: &str, module: &str, answers: &Value) -> super::Answer {
        let attempt =
            self.post(&format!("/v1/enrollments/{enrollment}/modules/{module}/attempts"), json!({})).expect(201);
        let id = attempt.id();
        for (item, answer) in answers.as_object().expect("answers by item") {
            self.put(&format!("/v1/attempts/{id}/answers/{item}"), json!({"answer": answer})).ok();
        }
        self.post(&format!("/v1/attempts/{id}/submit"), json!({})).expect(200)
    }
}

/// All modules of a path, in order.
pub fn modules(path: &Value) -> Vec<Value> {
    let stages = path["stages"].as_array().expect("stages");
    let list = |value: &Value| value["modules"].as_array().cloned().unwrap_or_default();
    stages
        .iter()
        .flat_map(|stage| {
            let branches = stage["branches"].as_array().cloned().unwrap_or_default();
            list(stage).into_iter().chain(branches.into_iter().flat_map(|b| list(&b))).collect::<Vec<_>>()
        })
        .collect()
}

/// A sequence stage.
pub fn sequence(key: &str, order: &str, modules: Vec<Value>) -> Value {
    json!({"kind": "sequence", "key": key, "order": order, "modules": modules})
}

/// An article that is completed by opening it.
pub fn article(key: &str) -> Value {
    json!({"key": key, "title": key, "kind": "article", "content": {"markdown": "Text."}})
}

/// A video of 100 seconds.
pub fn video(key: &str) -> Value {
    json!({"key": key, "title": key, "kind": "video", "content": {"url": "https://media.example/v.mp4", "duration_seconds": 100}})
}

/// A quiz with one question `q` whose right answer is `a`, and further members of its content.
pub fn quiz(key: &str, role: &str, content: Value) -> Value {
    let mut quiz = json!({"key": key, "title": key, "kind": "quiz", "role": role, "content": {"items": [
        {"key": "q", "type": "single_choice", "prompt": "?", "points": 1,
         "choices": [{"key": "a", "text": "Right", "correct": true}, {"key": "b", "text": "Wrong"}]}]}});
    quiz["content"].as_object_mut().expect("content").extend(content.as_object().expect("an object").clone());
    quiz
}

/// The right answer to [`quiz`].
pub fn right() -> Value {
    json!({"q": ["a"]})
}

/// A wrong answer to [`quiz`].
pub fn wrong() -> Value {
    json!({"q": ["b"]})
}

/// So many learners, made in one statement, each with a session.
pub fn learners(app: &TestApp, count: usize) -> Vec<Client> {
    use cairn::db::schema::{role_grants, sessions, users};
    use cairn::db::types::{At, Id, Json};
    use diesel::{ExpressionMethods, RunQueryDsl};
    let now = app.state.clock.now();
    let people: Vec<(uuid::Uuid, uuid::Uuid)> =
        (0..count).map(|_| (cairn::clock::new_id(now), cairn::clock::new_id(now))).collect();
    let made = people.clone();
    app.state
        .db
        .write_here(move |conn| {
            for some in made.chunks(500) {
                let rows: Vec<_> = some
                    .iter()
                    .map(|(id, _)| {
                        (
                            users::id.eq(Id(*id)),
                            users::email.eq(format!("{id}@example.org")),
                            users::email_key.eq(format!("{id}@example.org")),
                            users::given_name.eq("Learner"),
                            users::family_name.eq("Example"),
                            users::state.eq("active"),
                            users::attributes.eq(Json(json!({}))),
                            users::version.eq(1_i64),
                            users::created_at.eq(At(now)),
                            users::updated_at.eq(At(now)),
                        )
                    })
                    .collect();
                let grants: Vec<_> = some
                    .iter()
                    .map(|(id, grant)| {
                        (
                            role_grants::id.eq(Id(*grant)),
                            role_grants::user_id.eq(Id(*id)),
                            role_grants::role.eq("learner"),
                            role_grants::reach.eq("site"),
                            role_grants::reach_id.eq(Id(uuid::Uuid::nil())),
                            role_grants::created_at.eq(At(now)),
                        )
                    })
                    .collect();
                let sessions: Vec<_> = some
                    .iter()
                    .map(|(id, session)| {
                        (
                            sessions::id.eq(Id(*session)),
                            sessions::user_id.eq(Id(*id)),
                            sessions::created_at.eq(At(now)),
                            sessions::refreshed_at.eq(At(now)),
                            sessions::expires_at.eq(At(now + chrono::TimeDelta::days(1))),
                        )
                    })
                    .collect();
                cairn::per_backend!(conn, |c| {
                    diesel::insert_into(users::table).values(&rows).execute(c)?;
                    diesel::insert_into(role_grants::table).values(&grants).execute(c)?;
                    diesel::insert_into(sessions::table).values(&sessions).execute(c)?;
                });
            }
            Ok(())
        })
        .expect("learners");
    people
        .into_iter()
        .map(|(id, session)| {
            let token = app
                .state
                .tokens
                .sign(id, Some(session), None, now, std::time::Duration::from_secs(86_400))
                .expect("a token");
            let mut client = app.with_token(&token);
            client.user_id = Some(id.to_string());
            client
        })
        .collect()
}
