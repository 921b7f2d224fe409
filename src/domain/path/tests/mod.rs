//! What the path engine promises: each style's row of the table, and what holds for every course.

#![allow(clippy::as_conversions, reason = "small numbers")]

mod explained;
mod properties;
mod styles;

use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::facts::{Facts, Instant};
use crate::domain::learning::{self, AttemptResult, Happening, LearningEvent};
use crate::domain::outline::{Compiled, Outline, Style};
use crate::domain::path::{self, NextReason, NextStep, State};
use crate::domain::quiz::Counted;

/// A course and its one learner.
struct Course {
    outline: Compiled,
    facts: Facts,
    now: Instant,
    events: u128,
}

fn compile(style: Style, stages: Value) -> Compiled {
    let outline: Outline = serde_json::from_value(json!({ "stages": stages })).unwrap();
    Compiled::new(outline, style)
}

impl Course {
    fn new(style: Style, stages: Value) -> Self {
        Self::of(compile(style, stages))
    }

    fn of(outline: Compiled) -> Self {
        let now = "2026-11-23T09:00:00Z".parse().unwrap();
        Self { facts: Facts::new(now, outline.module_count()), outline, now, events: 0 }
    }

    fn state(&self, key: &str) -> State {
        path::standing(&self.outline, &self.facts, self.now).of(self.outline.ix(key).unwrap())
    }

    fn states(&self) -> Vec<(String, State)> {
        let standing = path::standing(&self.outline, &self.facts, self.now);
        self.outline.modules.iter().map(|m| m.key.clone()).zip(standing.modules).collect()
    }

    fn wait(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
    }

    fn act(&mut self, key: &str, what: Happening) -> Result<(), learning::Refusal> {
        self.wait(1);
        self.events += 1;
        let module = self.outline.ix(key).unwrap();
        let event = LearningEvent { id: Uuid::from_u128(self.events), module, at: self.now, sent_at: self.now, what };
        let (mut verdicts, _) =
            learning::record_events(&self.outline, &mut self.facts, &[event], &Default::default(), None, self.now);
        verdicts.remove(0)
    }

    fn open(&mut self, key: &str) -> Result<(), learning::Refusal> {
        self.act(key, Happening::Opened)
    }

    fn watch(&mut self, key: &str, from: f64, to: f64) -> Result<(), learning::Refusal> {
        self.act(key, Happening::Watched { from_seconds: from, to_seconds: to })
    }

    /// Takes a quiz; `false` when it may not be attempted.
    fn attempt(&mut self, key: &str, score: f64) -> bool {
        self.wait(1);
        let ix = self.outline.ix(key).unwrap();
        if learning::may_attempt(&self.outline, &self.facts, ix, self.now).is_err() {
            return false;
        }
        let quiz = self.outline.module(ix).quiz().unwrap();
        let record = self.facts.record(ix).cloned().unwrap_or_default();
        let result = AttemptResult {
            passed: score >= quiz.pass_percent,
            counted: Counted {
                score_percent: record.score.map_or(score, |old| old.max(score)),
                passed: score >= quiz.pass_percent || record.passed_at.is_some(),
            },
            finished: record.attempts + 1,
            at: self.now,
        };
        learning::attempt_finished(&self.outline, &mut self.facts, ix, result);
        true
    }

    fn choose(&mut self, stage: &str, branch: &str) -> Result<(), &'static str> {
        self.wait(1);
        learning::choose(&self.outline, &mut self.facts, stage, branch, self.now).map(drop).map_err(|r| r.code)
    }

    fn complete(&self) -> bool {
        path::standing(&self.outline, &self.facts, self.now).complete
    }

    fn percent(&self) -> f64 {
        path::standing(&self.outline, &self.facts, self.now).progress.percent
    }

    /// The next steps: key or stage, with the reason.
    fn next(&self) -> Vec<(String, NextReason)> {
        path::standing(&self.outline, &self.facts, self.now)
            .next
            .into_iter()
            .map(|step| match step {
                NextStep::Module { module, reason, .. } => (module, reason),
                NextStep::Choice { stage, reason, .. } => (stage, reason),
            })
            .collect()
    }
}

fn article(key: &str) -> Value {
    json!({"key": key, "title": key, "kind": "article", "content": {}})
}

fn video(key: &str) -> Value {
    json!({"key": key, "title": key, "kind": "video", "content": {"url": "https://v.example", "duration_seconds": 100}})
}

fn quiz(key: &str, role: &str, content: Value) -> Value {
    let mut quiz = json!({"key": key, "title": key, "kind": "quiz", "role": role, "content": {"items": [
        {"key": "q", "type": "true_false", "prompt": "?", "points": 1, "answer": true}]}});
    for (name, value) in content.as_object().unwrap() {
        quiz["content"][name] = value.clone();
    }
    quiz
}

fn with(mut module: Value, name: &str, value: Value) -> Value {
    module[name] = value;
    module
}

fn sequence(key: &str, order: &str, modules: Vec<Value>) -> Value {
    json!({"kind": "sequence", "key": key, "order": order, "modules": modules})
}

fn branch(key: &str, modules: Vec<Value>) -> Value {
    json!({"key": key, "title": key, "modules": modules})
}
