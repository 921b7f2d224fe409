//! Plays the story through the use cases that the API calls, each with the clock of its scene.

use std::collections::HashMap;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::content::{Demo, DemoPerson};
use super::story::{AUTHOR, Deed, OPENING_DAY, SCENES, Scene};
use super::{Login, Seeded};
use crate::db::Conn;
use crate::domain::learning::Exception;
use crate::domain::outline::{Completion, Content, Module, Outline};
use crate::domain::path::NextStep;
use crate::domain::permission::{Actor, Grant, Reach, Role};
use crate::error::{AppError, AppResult};
use crate::features::courses::dto::PublishIn;
use crate::features::enrollments::dto::{
    ChoiceIn, EnrollIn, EventIn, MarkedDoneEvent, OpenedEvent, TimeSpentEvent, WatchedEvent,
};
use crate::features::users::dto::UserIn;
use crate::features::{attempts, courses, enrollments, users};
use crate::http::{Conditions, Ref};
use crate::state::Ctx;

/// More steps than any demo course has; a learner who takes more goes round in circles.
const MOST_STEPS: usize = 100;

struct Stage<'a> {
    ctx: &'a Ctx,
    demo: &'a Demo,
    /// Everyone by what stands before the `@` of their e-mail.
    people: HashMap<&'a str, (Uuid, Actor)>,
    /// Enrollments by who and course.
    enrollments: HashMap<(&'a str, &'a str), Uuid>,
}

fn name(person: &DemoPerson) -> &str {
    person.email.split('@').next().unwrap_or_default()
}

fn missing(what: &str) -> AppError {
    AppError::internal(format_args!("the demo has no {what}"))
}

/// Makes the people and courses, then plays the scenes.
pub fn everything(conn: &mut Conn, ctx: &Ctx, demo: &Demo, hash: &str) -> AppResult<Seeded> {
    let mut stage = Stage { ctx, demo, people: HashMap::new(), enrollments: HashMap::new() };
    let logins = stage.people(conn, hash)?;
    let courses = stage.courses(conn)?;
    for scene in SCENES {
        stage.play(conn, scene).map_err(|error| {
            AppError::internal(format_args!("{} in {}, {:?}: {error}", scene.who, scene.course, scene.deed))
        })?;
    }
    Ok(Seeded { courses, logins, enrollments: stage.enrollments.len() })
}

impl<'a> Stage<'a> {
    fn time(&self, days_ago: u32, minute: u32) -> DateTime<Utc> {
        let midnight = self.ctx.now.duration_trunc(TimeDelta::days(1)).unwrap_or(self.ctx.now);
        midnight - TimeDelta::days(days_ago.into()) + TimeDelta::minutes(minute.into())
    }

    fn ctx(&self, who: &str, now: DateTime<Utc>) -> AppResult<Ctx> {
        let (_, actor) = self.people.get(who).ok_or_else(|| missing(who))?;
        Ok(Ctx { actor: actor.clone(), now, ..self.ctx.clone() })
    }

    fn people(&mut self, conn: &mut Conn, hash: &str) -> AppResult<Vec<Login>> {
        let ctx = Ctx { now: self.time(OPENING_DAY, 0), ..self.ctx.clone() };
        let mut logins = Vec::new();
        for person in &self.demo.people {
            let manager = person.manager.as_deref().and_then(|m| m.split('@').next());
            let manager_id = match manager {
                Some(manager) => Some(self.people.get(manager).ok_or_else(|| missing(manager))?.0),
                None => None,
            };
            let input = UserIn {
                email: person.email.clone(),
                given_name: person.given_name.clone(),
                family_name: person.family_name.clone(),
                password: None,
                external_id: Some(person.external_id.clone()),
                employee_number: None,
                unit_id: None,
                roles: Some(person.roles.clone()),
                attributes: Some(person.attributes.clone()),
                manager_id: manager_id.map(|id| id.to_string()),
                locale: Some(person.locale.clone()),
                time_zone: Some(person.time_zone.clone()),
            };
            let made = users::create(conn, &ctx, input, Some(hash.to_owned()))?;
            let grants = person.roles.iter().map(|role| Grant { role: *role, reach: Reach::Site }).collect();
            self.people.insert(name(person), (made.id, Actor::User { id: made.id, grants }));
            logins.push(Login {
                email: person.email.clone(),
                role: person.roles.first().map_or("learner", |role: &Role| role.as_str()),
                job: person.attributes.get("job_title").and_then(Value::as_str).unwrap_or_default().to_owned(),
            });
        }
        Ok(logins)
    }

    fn courses(&self, conn: &mut Conn) -> AppResult<Vec<String>> {
        let mut titles = Vec::new();
        let mut now = self.time(OPENING_DAY, 60);
        let unconditional = Conditions::default();
        for demo in &self.demo.courses {
            let course = courses::create(conn, &self.ctx(AUTHOR, now)?, demo.course.clone())?;
            let which = Ref::Id(course.id);
            now += TimeDelta::minutes(50);
            courses::replace_outline(conn, &self.ctx(AUTHOR, now)?, &which, demo.outline.clone(), &unconditional)?;
            now += TimeDelta::minutes(10);
            let input = PublishIn { notes: Some("First edition.".into()) };
            courses::publish(conn, &self.ctx(AUTHOR, now)?, &which, input, &unconditional)?;
            titles.push(course.title);
        }
        Ok(titles)
    }

    fn enrollment(&self, who: &'a str, scene: &Scene) -> AppResult<Uuid> {
        self.enrollments.get(&(who, scene.course)).copied().ok_or_else(|| missing("such enrollment"))
    }

    fn play(&mut self, conn: &mut Conn, scene: &Scene) -> AppResult<()> {
        let now = self.time(scene.days_ago, scene.minute);
        let ctx = self.ctx(scene.who, now)?;
        let unconditional = Conditions::default();
        match scene.deed {
            Deed::Enroll => self.enroll(conn, &ctx, scene, scene.who, EnrollIn::default())?,
            Deed::Assign(whom) => self.enroll(conn, &ctx, scene, whom, EnrollIn::default())?,
            Deed::AssignUntil(whom, days_ago) => {
                let expires_at = Some(self.time(days_ago, 0));
                self.enroll(conn, &ctx, scene, whom, EnrollIn { expires_at, ..EnrollIn::default() })?;
            }
            Deed::Approve(whom) => {
                enrollments::approve(conn, &ctx, self.enrollment(whom, scene)?, &unconditional)?;
            }
            Deed::Reject(whom) => {
                enrollments::reject(conn, &ctx, self.enrollment(whom, scene)?, &unconditional)?;
            }
            Deed::Withdraw => {
                enrollments::withdraw(conn, &ctx, self.enrollment(scene.who, scene)?, &unconditional)?;
            }
            Deed::Excuse(whom, module) => {
                let enrollment = self.enrollment(whom, scene)?;
                let reason = Some("Has taught this module herself.");
                enrollments::grant(conn, &ctx, enrollment, module, Exception::Waive, reason)?;
            }
            Deed::Begin(module) => self.learner(scene)?.begin(conn, &ctx, module)?,
            Deed::Fail(module) => self.learner(scene)?.fail(conn, ctx, module)?,
            Deed::Learn { until, badly, branches } => {
                let learner = Learner { until, branches, ..self.learner(scene)? };
                learner.learn(conn, ctx, badly)?;
            }
        }
        Ok(())
    }

    /// Whoever the scene is about, in its course.
    fn learner(&self, scene: &Scene) -> AppResult<Learner<'a>> {
        let course = self.demo.courses.iter().find(|c| c.course.external_id.as_deref() == Some(scene.course));
        let outline = &course.ok_or_else(|| missing(scene.course))?.outline;
        Ok(Learner { outline, enrollment: self.enrollment(scene.who, scene)?, until: "", branches: &[] })
    }

    fn enroll(
        &mut self,
        conn: &mut Conn,
        ctx: &Ctx,
        scene: &Scene,
        whom: &'static str,
        mut input: EnrollIn,
    ) -> AppResult<()> {
        let (id, _) = self.people.get(whom).ok_or_else(|| missing(whom))?;
        let course = self.demo.courses.iter().find(|c| c.course.external_id.as_deref() == Some(scene.course));
        input.user_id = Some(id.to_string());
        input.access_code = course.and_then(|c| c.course.access_code.clone());
        let made = enrollments::enroll(conn, ctx, &Ref::External(scene.course.into()), &input, &|| ctx.now)?;
        self.enrollments.insert((whom, scene.course), made.id);
        Ok(())
    }
}

/// Somebody who does what `next` says, one step after another.
struct Learner<'a> {
    outline: &'a Outline,
    enrollment: Uuid,
    until: &'a str,
    branches: &'a [&'a str],
}

impl Learner<'_> {
    fn begin(&self, conn: &mut Conn, ctx: &Ctx, key: &str) -> AppResult<()> {
        let module = self.outline.find_module(key).ok_or_else(|| missing(key))?;
        let id = ctx.new_id();
        let event = match &module.content {
            Content::Video(video) => {
                let to_seconds = (video.duration_seconds / 3.0).round();
                EventIn::Watched(WatchedEvent { id, module: key.into(), from_seconds: 0.0, to_seconds, at: None })
            }
            _ => EventIn::Opened(OpenedEvent { id, module: key.into(), at: None }),
        };
        enrollments::record(conn, ctx, self.enrollment, &[event], true).map(drop)
    }

    fn fail(&self, conn: &mut Conn, mut ctx: Ctx, key: &str) -> AppResult<()> {
        let module = self.outline.find_module(key).ok_or_else(|| missing(key))?;
        let limit = module.quiz().map_or(0, |quiz| quiz.max_attempts);
        for _ in 0..limit {
            self.quiz(conn, &mut ctx, module, false)?;
        }
        Ok(())
    }

    fn learn(&self, conn: &mut Conn, mut ctx: Ctx, badly: &[&str]) -> AppResult<()> {
        let mut badly = badly.to_vec();
        for _ in 0..MOST_STEPS {
            let step = enrollments::next(conn, &ctx, self.enrollment)?.items.into_iter().next();
            match step {
                None => return Ok(()),
                Some(NextStep::Choice { stage, branches, .. }) => {
                    let wish = branches.iter().find(|b| self.branches.contains(&b.as_str())).or(branches.first());
                    let branch = wish.cloned().ok_or_else(|| missing("branch to choose"))?;
                    enrollments::choose(conn, &ctx, self.enrollment, &ChoiceIn { stage, branch })?;
                    ctx.now += TimeDelta::minutes(1);
                }
                Some(NextStep::Module { module, .. }) => {
                    let well = !badly.contains(&module.as_str());
                    badly.retain(|key| *key != module);
                    let outline = self.outline.find_module(&module).ok_or_else(|| missing(&module))?;
                    self.take(conn, &mut ctx, outline, well)?;
                    if module == self.until {
                        return Ok(());
                    }
                }
            }
        }
        Err(missing("end to what is next"))
    }

    fn take(&self, conn: &mut Conn, ctx: &mut Ctx, module: &Module, well: bool) -> AppResult<()> {
        if module.quiz().is_some() {
            return self.quiz(conn, ctx, module, well);
        }
        let (id, key) = (ctx.new_id(), module.key.clone());
        let opened = EventIn::Opened(OpenedEvent { id, module: key.clone(), at: None });
        enrollments::record(conn, ctx, self.enrollment, &[opened], true)?;
        let (minutes, event) = match (&module.content, module.completion()) {
            (Content::Video(video), _) => {
                let to_seconds = video.duration_seconds;
                let watched = WatchedEvent { id: ctx.new_id(), module: key, from_seconds: 0.0, to_seconds, at: None };
                (6, Some(EventIn::Watched(watched)))
            }
            (_, Completion::TimeSpentSeconds(_)) => {
                let spent = TimeSpentEvent { id: ctx.new_id(), module: key, seconds: 480.0, at: None };
                (8, Some(EventIn::TimeSpent(spent)))
            }
            (_, Completion::MarkedByLearner(_)) => {
                (10, Some(EventIn::MarkedDone(MarkedDoneEvent { id: ctx.new_id(), module: key, at: None })))
            }
            _ => (4, None),
        };
        ctx.now += TimeDelta::minutes(minutes);
        if let Some(event) = event {
            enrollments::record(conn, ctx, self.enrollment, &[event], true)?;
        }
        Ok(())
    }

    /// One attempt. Whoever does badly gets the first question right and guesses the rest.
    fn quiz(&self, conn: &mut Conn, ctx: &mut Ctx, module: &Module, well: bool) -> AppResult<()> {
        let attempt = attempts::create(conn, ctx, self.enrollment, &module.key)?;
        let content = serde_json::to_value(&module.content).map_err(AppError::internal)?;
        let items = content.get("items").and_then(Value::as_array).ok_or_else(|| missing("items"))?;
        for (n, item) in items.iter().enumerate() {
            ctx.now += TimeDelta::minutes(1);
            let key = item.get("key").and_then(Value::as_str).unwrap_or_default();
            let given = if well || n == 0 { right(item) } else { wrong(item) };
            attempts::answer(conn, ctx, attempt.id, key, given, &Conditions::default())?;
        }
        ctx.now += TimeDelta::minutes(1);
        attempts::submit(conn, ctx, attempt.id)?;
        ctx.now += TimeDelta::minutes(2);
        Ok(())
    }
}

fn choices(item: &Value, correct: bool) -> Option<impl Iterator<Item = &Value>> {
    let all = item.get("choices")?.as_array()?;
    let is_right = |choice: &Value| choice.get("correct").and_then(Value::as_bool).unwrap_or(false);
    Some(all.iter().filter(move |choice| is_right(choice) == correct).filter_map(|choice| choice.get("key")))
}

fn right(item: &Value) -> Value {
    if let Some(keys) = choices(item, true) {
        return keys.cloned().collect();
    }
    let text = item.get("accepted").and_then(|accepted| accepted.get(0));
    item.get("answer").or(text).cloned().unwrap_or_default()
}

fn wrong(item: &Value) -> Value {
    if let Some(keys) = choices(item, false) {
        return keys.take(1).cloned().collect();
    }
    match item.get("answer") {
        Some(Value::Bool(right)) => json!(!right),
        Some(Value::Number(right)) => json!(right.as_f64().unwrap_or_default() + 1000.0),
        _ => json!("I do not know"),
    }
}
