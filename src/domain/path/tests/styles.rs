//! The five styles, row by row.

use serde_json::json;

use super::*;
use crate::domain::facts::CompetencyFact;

#[test]
fn linear_autoplay_is_a_playlist() {
    let mut c =
        Course::new(Style::LinearAutoplay, json!([sequence("s", "linear", vec![video("a"), video("b"), video("c")])]));
    assert_eq!(c.states().iter().map(|s| s.1).collect::<Vec<_>>(), [State::Available, State::Locked, State::Locked]);
    assert!(c.watch("b", 0.0, 100.0).is_err(), "the second waits for the first");
    c.watch("a", 0.0, 60.0).unwrap();
    assert_eq!(c.state("a"), State::InProgress);
    assert_eq!(c.facts.record(0).unwrap().position_seconds, Some(60.0), "it resumes at the exact second");
    c.watch("a", 99.0, 100.0).unwrap();
    assert_eq!(c.state("a"), State::InProgress, "skipping ahead earns nothing");
    c.watch("a", 50.0, 95.0).unwrap();
    assert_eq!((c.state("a"), c.state("b")), (State::Completed, State::Available));
    let next = path::standing(&c.outline, &c.facts, c.now).next;
    assert_eq!(next, [NextStep::Module { module: "b".into(), reason: NextReason::Autoplay, autoplay: true }]);
    c.watch("a", 0.0, 10.0).unwrap();
    assert_eq!(c.state("a"), State::Completed, "watching again takes nothing back");
    c.watch("b", 0.0, 100.0).unwrap();
    c.watch("c", 0.0, 100.0).unwrap();
    assert!(c.complete() && c.percent() == 100.0 && c.next().is_empty());
}

#[test]
fn a_hurdle_holds_everything_behind_it_until_it_is_passed() {
    let hurdle = quiz("check", "hurdle", json!({"pass_percent": 70, "max_attempts": 3, "remediation": ["a"]}));
    let mut c = Course::new(
        Style::LinearHurdles,
        json!([
            sequence("s", "linear", vec![video("a"), hurdle, article("b")]),
            sequence("t", "linear", vec![article("c")])
        ]),
    );
    c.watch("a", 0.0, 100.0).unwrap();
    assert_eq!(c.next(), [("check".to_owned(), NextReason::Hurdle)]);
    assert!(c.attempt("check", 60.0));
    assert_eq!((c.state("check"), c.state("b"), c.state("c")), (State::Locked, State::Locked, State::Locked));
    assert_eq!(c.next(), [("a".to_owned(), NextReason::Remedial)], "a failed hurdle demands action");
    assert!(!c.attempt("check", 100.0), "no second attempt before the review");
    c.watch("a", 0.0, 50.0).unwrap();
    assert!(!c.attempt("check", 100.0), "half of the review is not enough");
    c.watch("a", 50.0, 100.0).unwrap();
    assert!(c.attempt("check", 80.0));
    assert_eq!((c.state("check"), c.state("b"), c.state("c")), (State::Completed, State::Available, State::Locked));
    c.open("b").unwrap();
    c.open("c").unwrap();
    assert!(c.complete());
}

#[test]
fn a_cool_down_does_in_place_of_the_review() {
    let hurdle = quiz("check", "hurdle", json!({"pass_percent": 70, "remediation": ["a"], "cooldown_seconds": 3600}));
    let mut c = Course::new(Style::LinearHurdles, json!([sequence("s", "linear", vec![article("a"), hurdle])]));
    c.open("a").unwrap();
    assert!(c.attempt("check", 0.0));
    let access = path::access(&c.outline, &c.facts, c.now, 1);
    assert_eq!((access.state, access.opens_at), (State::Locked, Some(c.now + TimeDelta::seconds(3600))));
    c.wait(3599);
    assert_eq!(c.state("check"), State::Locked);
    c.wait(1);
    assert_eq!(c.state("check"), State::Available.max_of(c.state("check")));
    assert!(c.attempt("check", 100.0) && c.complete());
}

#[test]
fn without_attempts_left_a_hurdle_is_failed_until_staff_help() {
    let hurdle = quiz("check", "hurdle", json!({"pass_percent": 70, "max_attempts": 1}));
    let mut c = Course::new(Style::LinearHurdles, json!([sequence("s", "linear", vec![hurdle, article("b")])]));
    assert!(c.attempt("check", 0.0));
    assert_eq!((c.state("check"), c.state("b")), (State::Failed, State::Locked));
    assert!(!c.attempt("check", 100.0) && c.next().is_empty());
    learning::grant(&c.outline, &mut c.facts, 0, learning::Exception::ExtraAttempts(1), c.now);
    assert!(c.attempt("check", 100.0));
    assert_eq!(c.state("b"), State::Available);
}

#[test]
fn random_access_is_open_from_the_start_and_complete_with_the_final() {
    let stages = json!([
        sequence("s", "any", vec![article("a"), quiz("qa", "core", json!({"max_attempts": 1})), video("b")]),
        sequence("e", "any", vec![quiz("end", "final", json!({}))]),
    ]);
    let mut c = Course::new(Style::RandomAccess, stages.clone());
    assert!(c.states().iter().all(|(_, state)| *state == State::Available));
    assert_eq!(c.next().last().unwrap(), &("end".to_owned(), NextReason::Final));
    assert!(c.attempt("qa", 0.0));
    assert_eq!(c.state("b"), State::Available, "a module's quiz never blocks");
    assert!(c.attempt("end", 100.0));
    assert!(c.complete() && c.percent() == 100.0, "the final decides");

    let outline: Outline = serde_json::from_value(json!({"stages": [
        sequence("s", "any", vec![article("a"), with(article("x"), "role", json!("optional"))]),
        sequence("e", "any", vec![quiz("end", "final", json!({}))]),
    ], "complete_when": "final_and_core"}))
    .unwrap();
    let mut c = Course::of(Compiled::new(outline, Style::RandomAccess));
    assert!(c.attempt("end", 100.0));
    assert!(!c.complete(), "the author asked for the core modules too");
    c.open("a").unwrap();
    assert!(c.complete(), "optional ones never count");
}

fn branching(choose: serde_json::Value, exclusive: bool) -> Course {
    let style = if choose == "all" { Style::StaticBranching } else { Style::DynamicBranching };
    Course::new(
        style,
        json!([
            sequence("intro", "linear", vec![article("hello")]),
            {"kind": "choice", "key": "tracks", "choose": choose, "exclusive": exclusive, "branches": [
                branch("a", vec![article("a1"), quiz("a2", "core", json!({}))]),
                branch("b", vec![article("b1"), quiz("b2", "core", json!({}))]),
                branch("c", vec![quiz("c1", "core", json!({}))]),
            ]},
        ]),
    )
}

#[test]
fn static_branching_goes_through_every_branch_one_after_the_other() {
    let mut c = branching(json!("all"), true);
    assert_eq!(c.choose("tracks", "b"), Err("stage_locked"), "the opening comes first");
    c.open("hello").unwrap();
    assert_eq!(c.next(), [("tracks".to_owned(), NextReason::ChooseBranch)]);
    c.choose("tracks", "b").unwrap();
    assert_eq!((c.state("b1"), c.state("a1"), c.state("c1")), (State::Available, State::Locked, State::Locked));
    c.choose("tracks", "c").unwrap();
    c.choose("tracks", "b").unwrap();
    c.open("b1").unwrap();
    assert_eq!(c.choose("tracks", "a"), Err("branch_unfinished"), "no jump before the quiz is passed");
    assert!(c.attempt("b2", 0.0));
    assert_eq!(c.choose("tracks", "a"), Err("branch_unfinished"));
    assert!(c.attempt("b2", 100.0));
    c.choose("tracks", "c").unwrap();
    assert!(c.attempt("c1", 100.0) && !c.complete(), "all must be finished");
    c.choose("tracks", "a").unwrap();
    c.open("a1").unwrap();
    assert!(c.attempt("a2", 100.0) && c.complete());
}

#[test]
fn dynamic_branching_ends_with_the_chosen_pathway() {
    let mut c = branching(json!("one"), false);
    c.open("hello").unwrap();
    c.choose("tracks", "a").unwrap();
    assert_eq!(c.state("b1"), State::NotChosen);
    c.choose("tracks", "c").unwrap();
    assert_eq!(
        (c.state("c1"), c.state("a1")),
        (State::Available, State::NotChosen),
        "until it is begun a choice may be changed"
    );
    assert!(c.attempt("c1", 0.0));
    assert_eq!(c.choose("tracks", "a"), Err("choice_begun"));
    assert!(c.attempt("c1", 100.0) && c.complete() && c.percent() == 100.0);

    let mut c = branching(json!({"at_least": 2}), false);
    c.open("hello").unwrap();
    c.choose("tracks", "c").unwrap();
    assert!(c.attempt("c1", 100.0) && !c.complete());
    c.choose("tracks", "b").unwrap();
    c.open("b1").unwrap();
    assert!(c.attempt("b2", 100.0) && c.complete());
}

#[test]
fn the_engine_routes_by_performance_and_shows_remedial_and_advanced_modules() {
    let course = || {
        Course::new(
            Style::DynamicBranching,
            json!([
                sequence("start", "linear", vec![quiz("entry", "core", json!({"pass_percent": 0}))]),
                {"kind": "choice", "key": "level", "choose": "one", "route": "auto", "branches": [
                    {"key": "fast", "title": "Fast", "when": {"score": {"module": "entry", "at_least": 80}}, "modules": [article("summary")]},
                    {"key": "slow", "title": "Slow", "modules": [article("basics"), article("practice")]},
                ]},
                sequence("end", "linear", vec![
                    with(with(with(article("help"), "role", json!("remedial")), "when", json!({"score": {"module": "entry", "below": 50}})), "unmet", json!("hide")),
                    article("last"),
                    with(with(with(article("more"), "role", json!("advanced")), "when", json!({"score": {"module": "entry", "at_least": 80}})), "unmet", json!("hide")),
                ]),
            ]),
        )
    };
    let mut expert = course();
    assert!(expert.attempt("entry", 95.0));
    assert_eq!(
        (expert.state("summary"), expert.state("basics"), expert.state("help")),
        (State::Available, State::NotChosen, State::Hidden)
    );
    expert.open("summary").unwrap();
    expert.open("last").unwrap();
    assert_eq!(expert.next(), [("more".to_owned(), NextReason::Continue)]);

    let mut beginner = course();
    assert!(beginner.attempt("entry", 20.0));
    for module in ["basics", "practice"] {
        beginner.open(module).unwrap();
    }
    assert_eq!(beginner.next()[0], ("help".to_owned(), NextReason::Remedial), "remedial modules come first");
    assert_eq!((beginner.state("last"), beginner.state("more")), (State::Locked, State::Hidden));
    beginner.open("help").unwrap();
    beginner.open("last").unwrap();
    assert!(beginner.complete(), "what is hidden is as if absent");
}

#[test]
fn tested_out_modules_are_waived_and_count_as_done() {
    let mut c = Course::new(
        Style::LinearHurdles,
        json!([sequence(
            "s",
            "linear",
            vec![
                quiz("entry", "optional", json!({})),
                with(article("basics"), "waive_when", json!({"score": {"module": "entry", "at_least": 80}})),
                quiz("end", "hurdle", json!({})),
            ]
        )]),
    );
    assert!(c.attempt("entry", 100.0));
    assert_eq!((c.state("basics"), c.state("end")), (State::Waived, State::Available));
    assert_eq!(c.percent(), 50.0);
}

#[test]
fn releases_open_week_by_week() {
    let released = |key, days: u32| with(article(key), "release", json!({"since": "cohort_start", "after_days": days}));
    let mut c =
        Course::new(Style::LinearHurdles, json!([sequence("s", "any", vec![released("w1", 0), released("w2", 7)])]));
    c.facts.cohort_start_at = Some(c.now + TimeDelta::days(1));
    assert_eq!(c.state("w1"), State::Locked);
    c.wait(86_400);
    assert_eq!((c.state("w1"), c.state("w2")), (State::Available, State::Locked));
    assert_eq!(path::access(&c.outline, &c.facts, c.now, 1).opens_at, Some(c.now + TimeDelta::days(7)));
    c.wait(7 * 86_400);
    assert_eq!(c.state("w2"), State::Available);
}

impl State {
    /// Available or begun: an attempted quiz is begun.
    fn max_of(self, other: State) -> State {
        if other == State::InProgress { other } else { self }
    }
}

#[test]
fn what_is_due_says_so_and_goes_first_where_the_order_is_free() {
    let c = Uuid::from_u128(7);
    let about = |key: &str, role: &str, when: Value| {
        let mut module = json!({"key": key, "title": key, "kind": "article", "role": role, "content": {}, "competencies": [{"id": c}]});
        if !when.is_null() {
            module["when"] = when;
            module["unmet"] = json!("hide");
        }
        module
    };
    let free = json!({"key": "free", "title": "Free", "kind": "article", "content": {}});
    let mut course = Course::new(
        Style::DynamicBranching,
        json!([{"kind": "sequence", "key": "s", "order": "any", "modules": [free, about("lesson", "core", Value::Null),
            about("rescue", "remedial", json!({"behind": {"competency": c, "days": 2}})),
            about("help", "remedial", json!({"not": {"behind": {"competency": c, "days": 9}}}))]}]),
    );
    let due = course.now + TimeDelta::days(1);
    let steps = |course: &Course| -> Vec<(String, NextReason)> {
        let next = path::standing(&course.outline, &course.facts, course.now).next;
        let step = |step| match step {
            NextStep::Module { module, reason, .. } => (module, reason),
            NextStep::Choice { stage, reason, .. } => (stage, reason),
        };
        next.into_iter().map(step).collect()
    };
    let named =
        |list: &[(&str, NextReason)]| list.iter().map(|(key, why)| ((*key).to_owned(), *why)).collect::<Vec<_>>();
    let fact =
        CompetencyFact { competency: c, mastery: Some(0.2), dues: vec![(due, 0.8)], ..CompetencyFact::default() };
    std::sync::Arc::make_mut(&mut course.facts.learner).competencies = vec![fact];
    let (go, help, now) = (NextReason::Continue, NextReason::Remedial, NextReason::Due);
    assert_eq!(steps(&course), named(&[("free", go), ("lesson", go), ("help", help)]));
    course.wait(86_400);
    assert_eq!(steps(&course), named(&[("lesson", now), ("free", go), ("help", help)]));
    course.wait(2 * 86_400);
    assert_eq!(steps(&course), named(&[("lesson", now), ("rescue", now), ("free", go), ("help", help)]));
    std::sync::Arc::make_mut(&mut course.facts.learner).set_mastery([(c, Some(0.8))]);
    assert_eq!(
        steps(&course),
        named(&[("free", go), ("lesson", go), ("help", help)]),
        "who has caught up is not pressed"
    );
}
