//! What is said of a lock is true: its actions can be done and open it; what is over or waits is closed.

use super::*;
use crate::domain::facts::CompetencyFact;
use crate::domain::mastery::reach::{Node, Reach, Tree};
use crate::domain::mastery::rollup::Rollup;
use crate::domain::path::Access;

fn access(c: &Course, key: &str) -> Access {
    path::access(&c.outline, &c.facts, c.now, c.outline.ix(key).unwrap())
}

/// The actions on a module as `verb target`.
fn actions(c: &Course, key: &str) -> Vec<String> {
    let target = |a: &crate::domain::path::Action| {
        a.module.clone().or_else(|| a.branches.as_ref().map(|b| b.join(","))).unwrap_or_default()
    };
    access(c, key).actions.iter().map(|a| format!("{} {}", a.r#do, target(a)).trim().to_owned()).collect()
}

fn hurdle(content: Value) -> Value {
    quiz("h", "hurdle", content)
}

#[test]
fn an_event_that_comes_late_does_not_undo_the_review() {
    let modules = vec![article("a"), hurdle(json!({"remediation": ["a"], "max_attempts": 0}))];
    let mut c = Course::new(Style::LinearHurdles, json!([sequence("s", "linear", modules)]));
    c.open("a").unwrap();
    let first = c.now;
    c.wait(10);
    assert!(c.attempt("h", 0.0));
    let late = LearningEvent {
        id: Uuid::from_u128(900),
        module: 0,
        at: first + TimeDelta::seconds(5),
        sent_at: first + TimeDelta::seconds(5),
        what: Happening::Opened,
    };
    let known = LearningEvent { id: Uuid::from_u128(1), module: 0, at: first, sent_at: first, what: Happening::Opened };
    let again = |c: &Course| LearningEvent {
        id: Uuid::from_u128(901),
        module: 0,
        at: c.now,
        sent_at: c.now,
        what: Happening::Opened,
    };
    let mut other = Course {
        outline: compile(
            Style::LinearHurdles,
            json!([sequence("s", "linear", vec![article("a"), hurdle(json!({"remediation": ["a"]}))])]),
        ),
        facts: c.facts.clone(),
        now: c.now,
        events: 0,
    };
    let send = |c: &mut Course, event: LearningEvent, stored: Vec<LearningEvent>| {
        let late = learning::needs_history(&c.facts, std::slice::from_ref(&event));
        let history = if late.is_empty() { Default::default() } else { [(0, stored)].into() };
        let (verdicts, _) = learning::record_events(&c.outline, &mut c.facts, &[event], &history, None, c.now);
        assert!(verdicts[0].is_ok());
    };
    send(&mut c, late.clone(), vec![known.clone()]);
    assert_eq!(c.state("h"), State::Locked, "what came before the failure is no review");
    c.wait(60);
    let now = again(&c);
    send(&mut c, now.clone(), Vec::new());
    assert!(c.state("h").open());

    other.now = c.now;
    send(&mut other, now.clone(), Vec::new());
    assert!(other.state("h").open());
    send(&mut other, late, vec![known, now]);
    assert!(other.state("h").open(), "the other order ends the same");
}

#[test]
fn a_playlist_goes_on_past_what_is_optional() {
    let optional = with(video("o"), "role", json!("optional"));
    let mut c =
        Course::new(Style::LinearAutoplay, json!([sequence("s", "linear", vec![video("v"), optional, video("w")])]));
    c.watch("v", 0.0, 100.0).unwrap();
    let next = path::standing(&c.outline, &c.facts, c.now).next;
    assert_eq!(next, [NextStep::Module { module: "w".into(), reason: NextReason::Autoplay, autoplay: true }]);
}

#[test]
fn a_branch_is_offered_only_while_the_choice_can_be_made() {
    let stage = json!({"kind": "choice", "key": "t", "choose": "one", "branches": [
        branch("A", vec![article("a1")]), branch("B", vec![article("b1"), article("b2")]), branch("C", vec![article("c1")])]});
    let mut c = Course::new(Style::DynamicBranching, json!([stage]));
    assert_eq!(actions(&c, "a1"), ["choose_branch A"], "its own branch opens it, no other");
    c.choose("t", "B").unwrap();
    assert_eq!(actions(&c, "a1"), ["choose_branch A"], "nothing was begun, so the choice can be changed");
    c.open("b1").unwrap();
    assert_eq!(actions(&c, "a1"), [""; 0]);
    assert_eq!(c.choose("t", "A"), Err("choice_begun"));
}

#[test]
fn what_lies_behind_a_failed_hurdle_names_what_the_hurdle_asks() {
    let remedial =
        with(with(article("r"), "when", json!({"module": {"key": "h", "is": "failed"}})), "unmet", json!("hide"));
    let modules = vec![
        article("a"),
        with(remedial, "role", json!("remedial")),
        hurdle(json!({"remediation": ["a"], "cooldown_seconds": 600, "max_attempts": 2})),
        article("z"),
    ];
    let mut c = Course::new(Style::LinearHurdles, json!([sequence("s", "linear", modules)]));
    c.open("a").unwrap();
    assert_eq!(actions(&c, "z"), ["pass_module h"]);
    assert!(c.attempt("h", 0.0));
    assert_eq!(actions(&c, "h"), ["complete_module r", "complete_module a", "wait"]);
    assert_eq!(actions(&c, "z"), actions(&c, "h"));
    c.open("r").unwrap();
    c.open("a").unwrap();
    assert!(c.attempt("h", 0.0));
    assert_eq!(c.state("h"), State::Failed);
    assert_eq!(
        (actions(&c, "h"), actions(&c, "z")),
        (vec!["ask_instructor h".to_owned()], vec!["ask_instructor h".to_owned()])
    );
}

#[test]
fn a_score_that_is_too_low_asks_for_another_attempt_while_there_is_one() {
    let advanced = with(article("x"), "when", json!({"score": {"module": "q", "at_least": 80.0}}));
    let q = quiz("q", "core", json!({"max_attempts": 2, "pass_percent": 50.0}));
    let mut c = Course::new(Style::DynamicBranching, json!([sequence("s", "any", vec![q, advanced])]));
    assert_eq!(actions(&c, "x"), ["pass_module q"]);
    assert!(c.attempt("q", 60.0));
    assert_eq!(actions(&c, "x"), ["retake_module q"], "it is passed, so passing is not what is missing");
    assert!(c.attempt("q", 60.0));
    assert_eq!(actions(&c, "x"), ["ask_instructor q"]);
}

#[test]
fn time_that_has_not_begun_is_begun_by_its_module() {
    let waiting = with(article("x"), "when", json!({"elapsed": {"since": {"module": "a"}, "at_least_seconds": 60}}));
    let later = with(article("y"), "when", json!({"not": {"date": {"until": "2026-12-01T00:00:00Z"}}}));
    let idle = with(article("z"), "when", json!({"inactive": {"days": 3}}));
    let mut c = Course::new(
        Style::RandomAccess,
        json!([sequence("s", "any", vec![article("a"), waiting, later, idle, quiz("f", "final", json!({}))])]),
    );
    assert_eq!(actions(&c, "x"), ["complete_module a"]);
    assert_eq!((actions(&c, "y"), actions(&c, "z")), (vec!["wait".to_owned()], vec!["wait".to_owned()]));
    c.open("a").unwrap();
    assert_eq!(actions(&c, "x"), ["wait"]);
    assert_eq!(access(&c, "x").opens_at, Some(c.now + TimeDelta::seconds(60)));
}

#[test]
fn numbers_are_the_same_however_they_are_written() {
    let here = with(article("x"), "when", json!({"attribute": {"name": "n", "op": "equals", "value": 5.0}}));
    let among = with(article("y"), "when", json!({"attribute": {"name": "n", "op": "in", "value": [4, 5.0]}}));
    let other = with(article("z"), "when", json!({"attribute": {"name": "n", "op": "not_equals", "value": 5.0}}));
    let mut c = Course::new(
        Style::RandomAccess,
        json!([sequence("s", "any", vec![here, among, other, quiz("f", "final", json!({}))])]),
    );
    std::sync::Arc::make_mut(&mut c.facts.learner).attributes.insert("n".into(), json!(5));
    assert_eq!((c.state("x"), c.state("y"), c.state("z")), (State::Available, State::Available, State::Locked));
}

#[test]
fn nothing_is_open_in_an_enrollment_that_waits_or_is_over() {
    let mut c = Course::new(
        Style::LinearHurdles,
        json!([sequence("s", "linear", vec![article("a"), quiz("h", "hurdle", json!({}))])]),
    );
    c.facts.closed = Some("withdrawn");
    assert_eq!((c.state("a"), c.next().len()), (State::Locked, 0));
    let why = serde_json::to_value(access(&c, "a")).unwrap();
    assert_eq!(
        why["reasons"],
        json!([{"leaf": "enrollment", "required": "active", "actual": "withdrawn", "met": false}])
    );
    assert_eq!((&why["actions"], &why["opens_at"]), (&json!([]), &Value::Null));
}

#[test]
fn for_whom_nothing_counts_nothing_is_complete() {
    let hidden =
        with(with(article("a"), "when", json!({"attribute": {"name": "n", "op": "exists"}})), "unmet", json!("hide"));
    let c = Course::new(Style::DynamicBranching, json!([sequence("s", "any", vec![hidden])]));
    let standing = path::standing(&c.outline, &c.facts, c.now);
    assert!(!standing.complete);
    let text = serde_json::to_string(&standing.progress).unwrap();
    assert_eq!(text, r#"{"percent":0.0,"done_weight":0.0,"total_weight":0.0}"#, "no minus zero either");
}

#[test]
fn the_linter_lets_pass_what_only_some_can_open() {
    use crate::domain::lint;
    let not_sales = json!({"all": [
        {"not": {"attribute": {"name": "department", "op": "equals", "value": "Sales"}}},
        {"attribute": {"name": "site", "op": "equals", "value": "Lyon"}}, {"not": {"group": {"id": Uuid::from_u128(4)}}}]});
    let modules = vec![with(article("x"), "when", not_sales), quiz("f", "final", json!({}))];
    let outline: Outline = serde_json::from_value(json!({"stages": [sequence("s", "any", modules)]})).unwrap();
    let report = lint::lint(
        &outline,
        Style::RandomAccess,
        crate::domain::outline::DeliveryMode::SelfPaced,
        &[Uuid::from_u128(4)],
        "2026-11-23T09:00:00Z".parse().unwrap(),
    );
    assert!(report.errors.is_empty(), "{:?}", report.errors);
}

/// A course of this stage with a learner whose mastery of one competency is this.
fn knowing(order: &str, modules: Vec<Value>, id: Uuid, mastery: Option<f64>) -> Course {
    let mut c = Course::new(Style::DynamicBranching, json!([sequence("s", order, modules)]));
    let fact = CompetencyFact { competency: id, mastery, ..CompetencyFact::default() };
    std::sync::Arc::make_mut(&mut c.facts.learner).competencies = vec![fact];
    c
}

#[test]
fn a_lock_of_mastery_is_opened_by_what_proves_it() {
    let k = Uuid::from_u128(7);
    let asks = json!({"competency": {"id": k, "at_least": 0.8}});
    let about = |module: Value, touch: &str| with(module, "competencies", json!([{"id": k, "touch": touch}]));
    let dg =
        |attempts: u32| about(quiz("dg", "core", json!({"max_attempts": attempts, "pass_percent": 50.0})), "assesses");
    let own = || with(about(quiz("own", "core", json!({})), "assesses"), "when", asks.clone());
    let hidden = || {
        with(
            with(about(article("h"), "assesses"), "when", json!({"attribute": {"name": "n", "op": "exists"}})),
            "unmet",
            json!("hide"),
        )
    };
    let mut c = knowing("linear", vec![dg(2), about(article("text"), "teaches"), hidden(), own()], k, None);
    assert_eq!(
        actions(&c, "own"),
        ["complete_module text", "pass_module dg"],
        "neither itself, nor what only teaches, nor what is hidden"
    );
    assert!(c.attempt("dg", 60.0));
    c.open("text").unwrap();
    std::sync::Arc::make_mut(&mut c.facts.learner).set_mastery([(k, Some(0.6))]);
    assert_eq!(actions(&c, "own"), ["retake_module dg"]);
    assert_eq!(c.next(), [("dg".to_owned(), NextReason::Remedial)], "nothing else is open");
    assert!(c.attempt("dg", 60.0));
    assert_eq!((actions(&c, "own"), c.next().len()), (vec!["ask_instructor dg".to_owned()], 0));

    // In a branch that was not chosen a module opens itself as little.
    let way = json!({"kind": "choice", "key": "t", "choose": "one", "route": "auto", "branches": [
        {"key": "hard", "title": "hard", "when": asks, "modules": [about(quiz("hq", "core", json!({})), "assesses")]}, branch("easy", vec![article("e")])]});
    let mut c = Course::new(Style::DynamicBranching, json!([sequence("s", "linear", vec![dg(0)]), way]));
    let fact = CompetencyFact { competency: k, mastery: Some(0.1), ..CompetencyFact::default() };
    std::sync::Arc::make_mut(&mut c.facts.learner).competencies = vec![fact];
    assert!(c.attempt("dg", 60.0));
    assert_eq!((c.state("hq"), actions(&c, "hq")), (State::NotChosen, vec!["retake_module dg".to_owned()]));
}

#[test]
fn only_what_can_be_taken_is_suggested() {
    let k = Uuid::from_u128(7);
    let about = |module: Value| with(module, "competencies", json!([{"id": k}]));
    let asks = json!({"competency": {"id": k, "at_least": 0.8}});
    let modules = vec![
        about(article("text")),
        with(
            with(about(article("secret")), "when", json!({"attribute": {"name": "n", "op": "exists"}})),
            "unmet",
            json!("hide"),
        ),
        with(about(article("own")), "when", asks),
        about(quiz("once", "core", json!({"max_attempts": 1, "pass_percent": 0.0}))),
        about(quiz("q", "core", json!({}))),
    ];
    let mut c = knowing("any", modules, k, Some(0.1));
    let suggested = |c: &Course| path::suggestions(&c.outline, &c.facts, c.now, &Reach::alone(k), 0.8);
    assert_eq!(suggested(&c), ["text", "once", "q"]);
    assert!(c.attempt("once", 10.0));
    c.open("text").unwrap();
    assert_eq!(suggested(&c), ["q", "text"], "what has no attempts left helps nobody; what was read can be read again");
}

#[test]
fn what_rolls_up_is_opened_and_closed_by_what_counts_for_it() {
    let (par, kid, other) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
    let node =
        |id, parent, rollup| Node { id, parent, rollup, retired: false, required: true, points: 1.0, at_least: 0.8 };
    let tree: Tree =
        [node(par, None, Some(Rollup::AllRequired)), node(kid, Some(par), None), node(other, Some(par), None)]
            .into_iter()
            .collect();
    let about = |module: Value, id: Uuid| with(module, "competencies", json!([{"id": id}]));
    let asks = json!({"competency": {"id": par, "at_least": 0.8}});
    let modules = vec![
        about(article("text"), kid),
        about(quiz("kq", "core", json!({"pass_percent": 0.0})), kid),
        about(quiz("oq", "core", json!({"pass_percent": 0.0})), other),
        about(quiz("pq", "core", json!({"pass_percent": 0.0})), par),
        with(about(quiz("own", "core", json!({})), other), "when", asks),
    ];
    let mut c = knowing("any", modules, par, None);
    let due = c.now - TimeDelta::days(1);
    let fact = &mut std::sync::Arc::make_mut(&mut c.facts.learner).competencies[0];
    (fact.reach, fact.dues) = (Some(tree.reach(par)), vec![(due, 0.8)]);
    let suggested = |c: &Course| {
        let reach = c.facts.learner.competencies[0].reach.clone().unwrap();
        path::suggestions(&c.outline, &c.facts, c.now, &reach, 0.8)
    };
    let late = |c: &Course| -> Vec<String> {
        c.next().into_iter().filter(|(_, why)| *why == NextReason::Due).map(|(key, _)| key).collect()
    };
    assert_eq!(actions(&c, "own"), ["pass_module kq", "pass_module oq"], "what rolls up is not proved by itself");
    assert_eq!(suggested(&c), ["text", "kq", "oq"]);
    assert_eq!(late(&c), ["text", "kq", "oq"]);
    std::sync::Arc::make_mut(&mut c.facts.learner).set_mastery([(kid, Some(0.9))]);
    assert_eq!(actions(&c, "own"), ["pass_module oq"], "what is reached opens nothing");
    assert_eq!((suggested(&c), late(&c)), (vec!["oq".to_owned()], vec!["oq".to_owned()]));
}

#[test]
fn whoever_no_branch_lets_in_is_sent_back_to_what_opens_one() {
    let k = Uuid::from_u128(7);
    let about = |module: Value| with(module, "competencies", json!([{"id": k}]));
    let asks = |n: f64| json!({"competency": {"id": k, "at_least": n}});
    for route in ["auto", "learner"] {
        let way = json!({"kind": "choice", "key": "t", "choose": "one", "route": route, "branches": [
            {"key": "hard", "title": "hard", "when": asks(0.9), "modules": [article("h"), article("h2")]},
            {"key": "easy", "title": "easy", "when": asks(0.5), "modules": [article("e")]}]});
        let p = about(quiz("p", "core", json!({"pass_percent": 0.0})));
        let mut c = Course::new(Style::DynamicBranching, json!([sequence("s", "linear", vec![p]), way]));
        std::sync::Arc::make_mut(&mut c.facts.learner).competencies =
            vec![CompetencyFact { competency: k, mastery: None, ..CompetencyFact::default() }];
        assert!(c.attempt("p", 0.0));
        std::sync::Arc::make_mut(&mut c.facts.learner).set_mastery([(k, Some(0.0))]);
        assert_eq!(c.next(), [("p".to_owned(), NextReason::Remedial)], "{route}");
        assert!(c.attempt("p", 100.0));
        std::sync::Arc::make_mut(&mut c.facts.learner).set_mastery([(k, Some(0.6))]);
        assert_ne!(c.next()[0].0, "p", "{route}: a way is open");
    }
}

#[test]
fn nothing_is_to_be_done_about_a_branch_that_cannot_be_taken_any_more() {
    let k = Uuid::from_u128(7);
    let about = |module: Value| with(module, "competencies", json!([{"id": k}]));
    let asks = json!({"competency": {"id": k, "at_least": 0.8}});
    let course = |first: &str, second: &str| {
        let branch = |key: &str| match key {
            "hard" => json!({"key": "hard", "title": "hard", "when": asks, "modules": [article("h"), article("h2")]}),
            _ => branch("easy", vec![article("e"), article("e2")]),
        };
        let way = json!({"kind": "choice", "key": "t", "choose": "one", "route": "auto", "branches": [branch(first), branch(second)]});
        let p = about(quiz("p", "core", json!({"pass_percent": 0.0})));
        let mut c = Course::new(Style::DynamicBranching, json!([sequence("s", "linear", vec![p]), way]));
        std::sync::Arc::make_mut(&mut c.facts.learner).competencies =
            vec![CompetencyFact { competency: k, mastery: Some(0.1), ..CompetencyFact::default() }];
        assert!(c.attempt("p", 10.0));
        c
    };
    let mut c = course("hard", "easy");
    assert_eq!((c.state("h"), actions(&c, "h")), (State::NotChosen, vec!["retake_module p".to_owned()]));
    c.open("e").unwrap();
    for key in ["h", "h2"] {
        assert_eq!((c.state(key), actions(&c, key).len()), (State::NotChosen, 0), "{key}: the other branch is begun");
        assert!(!access(&c, key).reasons.is_empty());
    }
    let c = course("easy", "hard");
    assert_eq!((c.state("h"), actions(&c, "h").len()), (State::NotChosen, 0), "the first that fits is kept");
}
