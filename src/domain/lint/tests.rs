//! What the linter calls unreachable, and what it does not.

use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

const NOW: &str = "2026-11-23T09:00:00Z";
const G: Uuid = Uuid::from_u128(1);
const H: Uuid = Uuid::from_u128(2);
const C: Uuid = Uuid::from_u128(3);

fn article(key: &str) -> Value {
    json!({"key": key, "title": key, "kind": "article", "content": {}})
}

/// A quiz with so many items of one point each.
fn quiz(key: &str, items: usize, content: Value) -> Value {
    let items: Vec<Value> = (0..items)
        .map(|n| json!({"key": format!("q{n}"), "type": "true_false", "prompt": "?", "answer": true}))
        .collect();
    let mut quiz = json!({"key": key, "title": key, "kind": "quiz", "content": {"items": items}});
    for (name, value) in content.as_object().unwrap() {
        let whole = matches!(name.as_str(), "completion" | "role");
        (if whole { &mut quiz[name] } else { &mut quiz["content"][name] }).clone_from(value);
    }
    quiz
}

fn when(mut module: Value, when: Value) -> Value {
    module["when"] = when;
    module
}

fn hidden(key: &str, condition: Value) -> Value {
    let mut module = when(article(key), condition);
    module["unmet"] = json!("hide");
    module
}

fn sequence(modules: Vec<Value>) -> Value {
    json!({"kind": "sequence", "key": format!("s-{}", modules[0]["key"].as_str().unwrap()), "modules": modules})
}

/// A choice of one branch; each has a module with its key. Null stands for no condition.
fn choice(route: &str, branches: &[(&str, Value)]) -> Value {
    let branches: Vec<Value> = branches
        .iter()
        .map(|(key, condition)| {
            let mut branch = json!({"key": format!("b-{key}"), "title": key, "modules": [article(key)]});
            if !condition.is_null() {
                branch["when"] = condition.clone();
            }
            branch
        })
        .collect();
    json!({"kind": "choice", "key": "c", "choose": "one", "route": route, "branches": branches})
}

fn report(stages: Vec<Value>) -> LintReport {
    let outline: Outline = serde_json::from_value(json!({ "stages": stages })).unwrap();
    let style = Style::DynamicBranching;
    lint(&outline, style, DeliveryMode::SelfPaced, &[G, H, C], NOW.parse().unwrap())
}

/// Codes of the errors with the keys of the modules that they are about.
fn errors(stages: Vec<Value>) -> Vec<String> {
    let whole = json!({ "stages": stages });
    let found = report(stages).errors.into_iter();
    found
        .map(|f| match whole.pointer(&f.pointer).and_then(|at| at["key"].as_str()) {
            Some(key) => format!("{} {key}", f.code),
            None => f.code.to_owned(),
        })
        .collect()
}

fn score(at_least: Value, below: Value) -> Value {
    let mut leaf = json!({"module": "p"});
    for (name, value) in [("at_least", at_least), ("below", below)] {
        if !value.is_null() {
            leaf[name] = value;
        }
    }
    json!({ "score": leaf })
}

fn attribute(op: &str, value: Value) -> Value {
    json!({"attribute": {"name": "d", "op": op, "value": value}})
}

fn submitted(items: usize, pass: f64) -> Value {
    quiz("p", items, json!({"pass_percent": pass, "completion": {"submitted": true}}))
}

/// What comes after the quiz `p`, whose completion does not ask for a score.
fn after(items: usize, pass: f64, route: &str, branches: &[(&str, Value)]) -> Vec<Value> {
    vec![sequence(vec![submitted(items, pass)]), choice(route, branches)]
}

#[test]
fn every_score_that_a_quiz_can_give_leads_somewhere() {
    let branches = [
        ("lo", score(Value::Null, json!(50))),
        ("mid", score(json!(50), json!(75))),
        ("hi", score(json!(75), Value::Null)),
    ];
    for pass in [0.0, 25.0, 50.0, 60.0, 75.0, 80.0, 100.0] {
        for route in ["auto", "learner"] {
            assert_eq!(errors(after(4, pass, route, &branches)), [""; 0], "{pass} {route}");
            // Of one, or of three items nobody has half.
            assert_eq!(errors(after(1, pass, route, &branches)), ["unreachable_module mid"], "{pass} {route}");
        }
    }
    let third = [("lo", score(Value::Null, json!(34))), ("mid", score(json!(34), json!(66))), ("hi", Value::Null)];
    assert_eq!(errors(after(3, 60.0, "auto", &third)), ["unreachable_module mid"]);
    let mut average = after(1, 60.0, "auto", &branches);
    average[0]["modules"][0]["content"]["grading_method"] = json!("average");
    assert_eq!(errors(average.clone()), [""; 0], "the mean of several attempts");
    average[0]["modules"][0]["content"]["max_attempts"] = json!(1);
    assert_eq!(errors(average), ["unreachable_module mid"]);
}

#[test]
fn a_score_that_no_quiz_gives_locks_for_ever() {
    let course = |items, module: Value| {
        vec![sequence(vec![quiz("p", items, json!({"pass_percent": 50})), module, article("z")])]
    };
    let band = score(json!(40), json!(60));
    let found = errors(course(1, when(article("a"), band.clone())));
    assert!(found.contains(&"not_completable".to_owned()) && found.contains(&"unreachable_module a".to_owned()));
    assert_eq!(errors(course(2, when(article("a"), band.clone()))), [""; 0], "half of two");
    assert_eq!(errors(course(1, hidden("a", band))), ["unreachable_module a"], "nobody misses what is hidden");
    // Who must pass has no score below the pass mark.
    let low = errors(vec![
        sequence(vec![quiz("p", 4, json!({"pass_percent": 75}))]),
        choice("auto", &[("lo", score(Value::Null, json!(75))), ("hi", Value::Null)]),
    ]);
    assert_eq!(low, ["unreachable_module lo"]);
}

#[test]
fn a_lock_that_only_a_middling_score_opens_has_a_witness() {
    let modules = vec![submitted(4, 100.0), when(article("a"), score(json!(50), json!(75))), article("z")];
    assert_eq!(errors(vec![sequence(modules)]), [""; 0]);
    let three = vec![submitted(4, 100.0), when(article("a"), json!({"attempts": {"module": "p", "at_least": 3}}))];
    assert_eq!(errors(vec![sequence(three.clone())]), [""; 0]);
    let mut two = three;
    two[0]["content"]["max_attempts"] = json!(2);
    let found = errors(vec![sequence(two)]);
    assert!(found.contains(&"not_completable".to_owned()) && found.contains(&"unreachable_module a".to_owned()));
    // Both at once: an attribute and a group, a score and a choice.
    let both =
        json!({"all": [attribute("equals", json!("x")), {"not": {"group": {"id": G}}}, score(json!(20), json!(30))]});
    let found = errors(vec![sequence(vec![
        submitted(4, 100.0),
        when(article("a"), both),
        hidden("b", json!({"group": {"id": G}})),
    ])]);
    assert_eq!(found, [""; 0]);
}

#[test]
fn learners_differ() {
    let group = |id: Uuid| json!({"group": {"id": id}});
    let other = |name: &str| json!({"attribute": {"name": name, "op": "equals", "value": true}});
    let one_and_two = [attribute("equals", json!(1)), attribute("equals", json!(2))];
    let cases: Vec<Vec<Value>> = vec![
        one_and_two.to_vec(),
        [one_and_two.as_slice(), &[Value::Null]].concat(),
        vec![attribute("in", json!(["a", "b"])), attribute("in", json!(["b", "c"])), Value::Null],
        vec![attribute("contains", json!("x")), attribute("contains", json!("y"))],
        vec![
            attribute("starts_with", json!("x")),
            attribute("equals", json!("y")),
            attribute("not_equals", json!("y")),
        ],
        vec![other("x"), other("y")],
        vec![group(G), group(H)],
        vec![other("x"), group(G), Value::Null],
        vec![json!({"not": group(G)}), group(G)],
        vec![
            json!({"course": {"id": C, "is": "completed"}}),
            json!({"course": {"id": C, "is": "enrolled"}}),
            Value::Null,
        ],
        vec![json!({"certificate": {"course": C}}), json!({"certificate": {"course": C, "valid": false}}), Value::Null],
        vec![
            json!({"points": {"game": G, "at_least": 50}}),
            json!({"points": {"game": G, "at_least": 10}}),
            Value::Null,
        ],
        vec![
            json!({"competency": {"id": C, "at_least": 0.8}}),
            json!({"competency": {"id": C, "at_least": 0.4}}),
            Value::Null,
        ],
        vec![
            json!({"competency": {"id": C, "at_least": "expert"}}),
            json!({"competency": {"id": C, "at_least": "novice"}}),
            Value::Null,
        ],
        vec![
            json!({"behind": {"competency": C, "days": 7}}),
            json!({"behind": {"competency": C, "days": 2}}),
            Value::Null,
        ],
    ];
    for conditions in cases {
        let keys = ["x", "y", "z"];
        let branches: Vec<(&str, Value)> = keys.into_iter().zip(conditions.clone()).collect();
        for route in ["auto", "learner"] {
            let stages = vec![sequence(vec![article("a")]), choice(route, &branches)];
            assert_eq!(errors(stages), [""; 0], "{route} {conditions:?}");
        }
        let modules = branches.into_iter().filter(|(_, c)| !c.is_null()).map(|(key, c)| hidden(key, c));
        let stages = vec![sequence([article("a")].into_iter().chain(modules).collect())];
        assert_eq!(errors(stages), [""; 0], "hidden {conditions:?}");
    }
}

#[test]
fn what_an_earlier_branch_always_takes_is_unreachable() {
    let one = attribute("equals", json!(1));
    let cases = [
        (vec![("x", one.clone()), ("y", one.clone())], "unreachable_module y"),
        (vec![("x", Value::Null), ("y", one.clone())], "unreachable_module y"),
        (vec![("x", attribute("in", json!([1, 2]))), ("y", one.clone()), ("z", Value::Null)], "unreachable_module y"),
        (vec![("x", json!({"all": [one, attribute("equals", json!(2))]})), ("y", Value::Null)], "unreachable_module x"),
    ];
    for (branches, expected) in cases {
        assert_eq!(errors(vec![sequence(vec![article("a")]), choice("auto", &branches)]), [expected], "{branches:?}");
    }
}

#[test]
fn a_quiz_that_need_not_be_passed_splits_those_who_did() {
    let passed = json!({"module": {"key": "p", "is": "passed"}});
    let split = [("x", passed.clone()), ("y", json!({ "not": passed }))];
    assert_eq!(errors(after(4, 60.0, "auto", &split)), [""; 0]);
    assert_eq!(errors(after(4, 60.0, "learner", &split)), [""; 0]);
    let lo = || ("lo", score(Value::Null, json!(50)));
    let gap = [lo(), ("hi", score(json!(75), Value::Null)), ("rest", Value::Null)];
    assert_eq!(errors(after(4, 60.0, "auto", &gap)), [""; 0]);
    // Where all scores are taken, only whoever has none comes to the rest.
    let whole = [lo(), ("hi", score(json!(50), Value::Null)), ("rest", Value::Null)];
    let found = report(after(4, 60.0, "auto", &whole));
    assert!(found.errors.is_empty(), "{:?}", found.errors);
    let warned: Vec<_> = found.warnings.iter().map(|f| (f.code, f.pointer.as_str())).collect();
    assert_eq!(warned, [("reached_by_excuse_only", "/stages/1/branches/2/modules/0")]);
}

#[test]
fn time_and_effort_open_things() {
    let optional = |mut module: Value| {
        module["role"] = json!("optional");
        module
    };
    let cases = [
        json!({"date": {"from": "2027-01-01T00:00:00Z"}}),
        json!({"attempts": {"module": "p", "at_least": 3}}),
        json!({"module": {"key": "o", "is": "completed"}}),
        json!({"inactive": {"days": 3}}),
        json!({"attempts": {"module": "p", "at_least": 2}}),
        json!({"elapsed": {"since": "enrolled", "at_least_seconds": 86_400}}),
        json!({"elapsed": {"since": {"module": "p"}, "at_least_seconds": 86_400}}),
        json!({"date": {"from": "2027-01-01T00:00:00Z", "until": "2027-02-01T00:00:00Z"}}),
    ];
    for condition in cases {
        let start = sequence(vec![quiz("p", 4, json!({})), optional(article("o"))]);
        for route in ["auto", "learner"] {
            let branches = [("x", condition.clone()), ("y", Value::Null)];
            assert_eq!(errors(vec![start.clone(), choice(route, &branches)]), [""; 0], "{route} {condition}");
            let alone = [("x", condition.clone()), ("y", condition.clone())];
            let expected: &[&str] = if route == "auto" { &["unreachable_module y"] } else { &[] };
            assert_eq!(errors(vec![start.clone(), choice(route, &alone)]), expected, "{route} {condition}");
        }
        let linear = vec![start.clone(), sequence(vec![hidden("x", condition.clone()), article("y")])];
        assert_eq!(errors(linear), [""; 0], "hidden {condition}");
        let locked = vec![start, sequence(vec![when(article("x"), condition.clone()), article("y")])];
        assert_eq!(errors(locked), [""; 0], "locked {condition}");
    }
    let past = json!({"date": {"until": "2020-01-01T00:00:00Z"}});
    assert_eq!(errors(vec![sequence(vec![article("a"), hidden("x", past)])]), ["unreachable_module x"]);
    let once = quiz("p", 4, json!({"max_attempts": 1}));
    let twice = hidden("x", json!({"attempts": {"module": "p", "at_least": 2}}));
    assert_eq!(errors(vec![sequence(vec![once, twice])]), ["unreachable_module x"]);
}

#[test]
fn what_waits_for_the_unreachable_opens_only_by_excuse() {
    let never = json!({"all": [attribute("equals", json!(1)), attribute("equals", json!(2))]});
    let done = |key: &str| json!({"module": {"key": key, "is": "completed"}});
    let modules = vec![article("a"), hidden("x", never), hidden("y", done("x")), hidden("z", done("y"))];
    assert_eq!(errors(vec![sequence(modules.clone())]), ["unreachable_module x"]);
    let warned = report(vec![sequence(modules)]).warnings;
    let warned: Vec<_> = warned.iter().map(|f| (f.code, f.pointer.as_str())).collect();
    let excused = |at| ("reached_by_excuse_only", at);
    assert_eq!(warned, [excused("/stages/0/modules/2"), excused("/stages/0/modules/3")]);
}

#[test]
fn more_questions_than_can_be_tried_are_no_error() {
    let many = |op: &str| {
        let leaf = |n: usize| json!({"attribute": {"name": format!("a{n}"), "op": op, "value": n}});
        Value::Array((0..24).map(leaf).collect())
    };
    // Nothing equals two things, but that is found only by trying all that the others can be.
    let never =
        json!({"all": [{"any": many("not_equals")}, attribute("equals", json!(1)), attribute("equals", json!(2))]});
    assert_eq!(errors(vec![sequence(vec![article("a"), hidden("x", never)])]), [""; 0]);
}

#[test]
fn a_quiz_that_is_completed_by_looking_at_it_can_be_completed() {
    let looked_at = quiz("p", 1, json!({"completion": {"viewed": true}}));
    assert_eq!(errors(vec![sequence(vec![looked_at, hidden("x", score(json!(60), Value::Null))])]), [""; 0]);
}

#[test]
fn a_branch_that_can_be_empty_is_warned_of() {
    let mut stage = choice("learner", &[("x", Value::Null), ("y", Value::Null)]);
    stage["branches"][1]["modules"] = json!([hidden("y", json!({"group": {"id": G}}))]);
    let found = report(vec![sequence(vec![article("a")]), stage]);
    assert!(found.errors.is_empty());
    let warned: Vec<_> = found.warnings.iter().map(|f| (f.code, f.pointer.as_str())).collect();
    assert_eq!(warned, [("branch_may_be_empty", "/stages/1/branches/1/modules")]);
}

#[test]
fn practice_that_tells_what_is_kept_from_the_learner_is_named() {
    let warned = |content: Value| {
        let warnings = report(vec![sequence(vec![quiz("q", 1, content)])]).warnings.into_iter();
        warnings.map(|finding| format!("{} {}", finding.pointer, finding.code)).collect::<Vec<_>>()
    };
    let expected = ["/stages/0/modules/0/content/practice practice_tells_answers"];
    assert_eq!(warned(json!({"practice": true, "max_attempts": 1})), expected);
    assert_eq!(warned(json!({"practice": true, "review": {"correctness": false}})), expected);
    assert!(warned(json!({"practice": true})).is_empty() && warned(json!({"max_attempts": 1})).is_empty());
}
