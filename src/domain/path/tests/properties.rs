//! What holds for every course and every learner.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::domain::learning::Timing;
use crate::domain::lint;
use crate::domain::outline::DeliveryMode;

/// What a generated course is made of.
#[derive(Debug, Clone)]
struct Plan {
    style: Style,
    stages: Vec<StagePlan>,
    /// Whether conditions may ask for less than something, or for the contrary.
    contrary: bool,
}

#[derive(Debug, Clone)]
struct StagePlan {
    modules: Vec<ModulePlan>,
    any_order: bool,
    /// `None` for a sequence; else how branches are chosen: 0 all, 1 one, 2 at least two.
    choice: Option<u8>,
    exclusive: bool,
}

#[derive(Debug, Clone)]
struct ModulePlan {
    kind: u8,
    role: u8,
    /// A condition about this earlier module.
    when: Option<(u16, u8)>,
    waive: Option<u16>,
    hide: bool,
    remediation: Option<u16>,
    weight: u8,
}

fn module_plan() -> impl Strategy<Value = ModulePlan> {
    (
        0..6_u8,
        0..8_u8,
        prop::option::weighted(0.25, (any::<u16>(), 0..4_u8)),
        prop::option::weighted(0.1, any::<u16>()),
        any::<bool>(),
        prop::option::weighted(0.5, any::<u16>()),
        1..4_u8,
    )
        .prop_map(|(kind, role, when, waive, hide, remediation, weight)| ModulePlan {
            kind,
            role,
            when,
            waive,
            hide,
            remediation,
            weight,
        })
}

fn plan(contrary: bool) -> impl Strategy<Value = Plan> {
    let stage = (
        prop::collection::vec(module_plan(), 1..5),
        any::<bool>(),
        prop::option::weighted(0.4, 0..3_u8),
        any::<bool>(),
    )
        .prop_map(|(modules, any_order, choice, exclusive)| StagePlan { modules, any_order, choice, exclusive });
    (0..5_u8, prop::collection::vec(stage, 1..4)).prop_map(move |(style, stages)| Plan {
        style: [
            Style::LinearAutoplay,
            Style::LinearHurdles,
            Style::RandomAccess,
            Style::StaticBranching,
            Style::DynamicBranching,
        ][usize::from(style)],
        stages,
        contrary,
    })
}

/// The outline of a plan.
fn draw(plan: &Plan) -> Outline {
    let mut keys: Vec<(String, bool)> = Vec::new();
    let module = |module: &ModulePlan, keys: &mut Vec<(String, bool)>| {
        let key = format!("m{}", keys.len());
        let is_quiz = module.kind >= 4;
        let mut made = match module.kind {
            0 | 1 => article(&key),
            2 | 3 => video(&key),
            _ => quiz(&key, "core", json!({"pass_percent": 60})),
        };
        let roles: &[&str] = if is_quiz {
            &["core", "core", "hurdle", "hurdle", "optional", "final", "core", "hurdle"]
        } else {
            &["core", "core", "core", "optional", "remedial", "advanced", "core", "core"]
        };
        made["role"] = json!(roles[usize::from(module.role)]);
        made["weight"] = json!(module.weight);
        let earlier = |n: u16| keys.get(usize::from(n) % keys.len().max(1)).cloned();
        if let Some((key, earlier_quiz, what)) = module.when.and_then(|(n, what)| earlier(n).map(|(k, q)| (k, q, what)))
        {
            let leaf = match (earlier_quiz, what) {
                (true, 0) => json!({"score": {"module": key, "at_least": 50}}),
                (true, 1) if plan.contrary => json!({"score": {"module": key, "below": 50}}),
                (true, _) => json!({"module": {"key": key, "is": "passed"}}),
                (false, 0) => json!({"module": {"key": key, "is": "started"}}),
                (false, 1) if plan.contrary => json!({"not": {"module": {"key": key, "is": "completed"}}}),
                (false, _) => json!({"module": {"key": key, "is": "completed"}}),
            };
            made["when"] = leaf;
            made["unmet"] = json!(if module.hide { "hide" } else { "lock" });
        }
        if let Some((key, true)) = module.waive.and_then(earlier) {
            made["waive_when"] = json!({"score": {"module": key, "at_least": 90}});
        }
        if is_quiz && let Some((key, false)) = module.remediation.and_then(earlier) {
            made["content"]["remediation"] = json!([key]);
        }
        keys.push((key, is_quiz));
        made
    };
    let mut stages = Vec::new();
    for (s, stage) in plan.stages.iter().enumerate() {
        let key = format!("s{s}");
        let any = plan.style == Style::RandomAccess || (stage.any_order && plan.style != Style::LinearAutoplay);
        match stage.choice.filter(|_| matches!(plan.style, Style::StaticBranching | Style::DynamicBranching)) {
            None => {
                let modules = stage.modules.iter().map(|m| module(m, &mut keys)).collect();
                stages.push(sequence(&key, if any { "any" } else { "linear" }, modules));
            }
            Some(how) => {
                let branches: Vec<Value> = stage
                    .modules
                    .iter()
                    .enumerate()
                    .map(|(b, m)| {
                        let mut modules = vec![module(m, &mut keys)];
                        let end = format!("m{}", keys.len());
                        modules.push(quiz(&end, "core", json!({"pass_percent": 60})));
                        keys.push((end, true));
                        branch(&format!("b{s}x{b}"), modules)
                    })
                    .collect();
                let choose = match how {
                    0 => json!("all"),
                    1 => json!("one"),
                    _ => json!({"at_least": 2.min(branches.len())}),
                };
                stages.push(json!({"kind": "choice", "key": key, "choose": choose, "exclusive": stage.exclusive, "branches": branches}));
            }
        }
    }
    if plan.style == Style::RandomAccess {
        stages.push(sequence("end", "any", vec![quiz("the-end", "final", json!({}))]));
    }
    serde_json::from_value(json!({ "stages": stages })).unwrap()
}

/// What a learner tries, one after the other.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Open(u16),
    Watch(u16, u8, u8),
    Attempt(u16, u8),
    Choose(u16, u16),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        3 => any::<u16>().prop_map(Deed::Open),
        2 => (any::<u16>(), 0..100_u8, 1..101_u8).prop_map(|(m, a, b)| Deed::Watch(m, a, b)),
        2 => (any::<u16>(), 0..101_u8).prop_map(|(m, score)| Deed::Attempt(m, score)),
        1 => (any::<u16>(), any::<u16>()).prop_map(|(s, b)| Deed::Choose(s, b)),
    ];
    prop::collection::vec(deed, 0..40)
}

/// Tries a deed; what may not be done is refused and changes nothing.
fn attempt_deed(c: &mut Course, deed: Deed) {
    let key = |c: &Course, n: u16| c.outline.modules[usize::from(n) % c.outline.module_count()].key.clone();
    match deed {
        Deed::Open(m) => {
            let key = key(c, m);
            let _ = c.open(&key);
        }
        Deed::Watch(m, a, b) => {
            let key = key(c, m);
            let _ = c.watch(&key, f64::from(a.min(b)), f64::from(a.max(b)));
        }
        Deed::Attempt(m, score) => {
            let key = key(c, m);
            if c.outline.module(c.outline.ix(&key).unwrap()).quiz().is_some() {
                c.attempt(&key, f64::from(score));
            }
        }
        Deed::Choose(s, b) => {
            let stage = &c.outline.stages[usize::from(s) % c.outline.stages.len()];
            let stage_key = stage.key.clone();
            if let crate::domain::outline::StageShape::Choice { branches, .. } = &stage.shape {
                let branch = branches[usize::from(b) % branches.len()].key.clone();
                let _ = c.choose(&stage_key, &branch);
            }
        }
    }
}

/// Does what the linter's witness does; whether that completes the course.
fn replay(c: &mut Course, witness: lint::Witness) -> bool {
    c.facts.learner = std::sync::Arc::new(witness.learner);
    for (at, deed) in witness.deeds {
        c.now = c.now.max(at);
        match deed {
            lint::Deed::Attempt(ix, score) => {
                let key = c.outline.module(ix).key.clone();
                assert!([0.0, 100.0].contains(&score), "a quiz of one question gives no other score");
                assert!(c.attempt(&key, score), "{key} may not be attempted");
            }
            lint::Deed::Complete(ix) => {
                let module = c.outline.module(ix);
                let (key, video) = (module.key.clone(), module.content.duration_seconds().is_some());
                if video { c.watch(&key, 0.0, 100.0) } else { c.open(&key) }.unwrap();
            }
            lint::Deed::Choose(stage, branch) => c.choose(&stage, &branch).unwrap(),
        }
    }
    c.complete()
}

/// Does whatever `next` says until nothing is left; what is open beside is looked at when there is nothing else.
fn follow(c: &mut Course, first_fails: bool, score: f64, branch: usize) -> bool {
    let mut failed = std::collections::HashSet::new();
    for _ in 0..c.outline.module_count() * 8 + 64 {
        let standing = path::standing(&c.outline, &c.facts, c.now);
        if standing.complete {
            return true;
        }
        let step = standing.next.first().cloned();
        let todo = match step {
            Some(NextStep::Choice { stage, branches, .. }) => {
                c.choose(&stage, &branches[branch.min(branches.len() - 1)]).unwrap();
                continue;
            }
            Some(NextStep::Module { module, .. }) => module,
            None => match (0..c.outline.module_count())
                .find(|ix| matches!(standing.of(*ix), State::Available | State::InProgress))
            {
                Some(ix) => c.outline.module(ix).key.clone(),
                None => return false,
            },
        };
        let ix = c.outline.ix(&todo).unwrap();
        if c.outline.module(ix).quiz().is_some() {
            let score = if first_fails && failed.insert(ix) { 0.0 } else { score };
            assert!(c.attempt(&todo, score), "`next` named {todo}, which may not be attempted");
        } else if c.outline.module(ix).content.duration_seconds().is_some() {
            c.watch(&todo, 0.0, 100.0).unwrap();
        } else {
            c.open(&todo).unwrap();
        }
    }
    path::standing(&c.outline, &c.facts, c.now).complete
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// The same outline, facts and time give the same answer, and the short answer agrees with the long one.
    #[test]
    fn the_path_is_deterministic(plan in plan(true), deeds in deeds()) {
        let mut c = Course::of(Compiled::new(draw(&plan), plan.style));
        for deed in deeds {
            attempt_deed(&mut c, deed);
        }
        let standing = path::standing(&c.outline, &c.facts, c.now);
        prop_assert_eq!(&standing, &path::standing(&c.outline, &c.facts.clone(), c.now));
        let json = |path| serde_json::to_value(path).unwrap();
        let long = json(path::evaluate(&c.outline, &c.facts, c.now));
        prop_assert_eq!(&long, &json(path::evaluate(&c.outline, &c.facts, c.now)));
        prop_assert_eq!(&long["progress"], &serde_json::to_value(standing.progress).unwrap());
        prop_assert!(standing.progress.percent <= 100.0 && (standing.progress.percent < 100.0) != standing.complete);
        for ix in 0..c.outline.module_count() {
            let access = path::access(&c.outline, &c.facts, c.now, ix);
            prop_assert_eq!(access.state, standing.of(ix));
            prop_assert!(access.state != State::Locked || !access.reasons.is_empty(), "a lock says why");
        }
    }

    /// Where no condition asks for less, doing something well never closes what was open.
    #[test]
    fn more_facts_never_close_what_was_open(plan in plan(false), deeds in deeds()) {
        let mut c = Course::of(Compiled::new(draw(&plan), plan.style));
        for deed in deeds {
            // A failed quiz sends back, and a choice decides against the others: both close by their nature.
            let deed = match deed {
                Deed::Attempt(m, _) => Deed::Attempt(m, 100),
                other => other,
            };
            let before = c.states();
            attempt_deed(&mut c, deed);
            if matches!(deed, Deed::Choose(..)) {
                continue;
            }
            // What a condition brings to light may stand before what was open.
            if before.iter().zip(c.states()).any(|((_, was), (_, is))| *was == State::Hidden && is != State::Hidden) {
                continue;
            }
            for ((key, was), (_, is)) in before.iter().zip(c.states()) {
                prop_assert!(!was.open() || is.open(), "{key} was {was:?} and is {is:?} after {deed:?}");
                prop_assert!(!was.done() || is.done(), "{key} was {was:?} and is {is:?} after {deed:?}");
            }
        }
    }

    /// A course that the linter let pass is completed by some learner who does what `next` says.
    #[test]
    fn a_linted_course_can_be_completed(plan in plan(true)) {
        let outline = draw(&plan);
        let report = lint::lint(&outline, plan.style, DeliveryMode::SelfPaced, &[], now());
        prop_assume!(report.errors.is_empty());
        let course = || Course::of(Compiled::new(outline.clone(), plan.style));
        let witness = lint::completed_by(&course().outline, now());
        prop_assert!(witness.is_some_and(|witness| replay(&mut course(), witness)));
        // Whoever follows `next` instead may come to an end before, but is never refused.
        for (fails, score) in [(false, 100.0), (true, 100.0), (false, 60.0), (true, 60.0)] {
            for branch in 0..4 {
                let _ = follow(&mut course(), fails, score, branch);
            }
        }
    }

    /// What the linter calls unreachable nobody ever opens.
    #[test]
    fn the_unreachable_is_never_reached(plan in plan(true), deeds in deeds()) {
        let outline = draw(&plan);
        let report = lint::lint(&outline, plan.style, DeliveryMode::SelfPaced, &[], now());
        let whole = serde_json::to_value(&outline).unwrap();
        let unreachable = report.errors.iter().filter(|f| f.code == "unreachable_module");
        let unreachable: Vec<String> =
            unreachable.map(|f| whole.pointer(&f.pointer).unwrap()["key"].as_str().unwrap().to_owned()).collect();
        let mut c = Course::of(Compiled::new(outline, plan.style));
        for deed in deeds.into_iter().filter(|_| !unreachable.is_empty()) {
            // A quiz of one question is right or wrong.
            attempt_deed(&mut c, match deed {
                Deed::Attempt(m, score) => Deed::Attempt(m, if score < 50 { 0 } else { 100 }),
                other => other,
            });
            let opened = c.states().into_iter().find(|(key, state)| state.open() && unreachable.contains(key));
            prop_assert_eq!(opened, None);
        }
    }

    /// Whoever is neither through nor stuck is told what to do.
    #[test]
    fn next_is_never_empty_while_something_can_be_done(plan in plan(false), deeds in deeds()) {
        let outline = draw(&plan);
        prop_assume!(lint::lint(&outline, plan.style, DeliveryMode::SelfPaced, &[], now()).errors.is_empty());
        let mut c = Course::of(Compiled::new(outline, plan.style));
        for deed in deeds {
            attempt_deed(&mut c, deed);
            let standing = path::standing(&c.outline, &c.facts, c.now);
            let doable = (0..c.outline.module_count()).any(|ix| {
                standing.counts[ix] && matches!(standing.of(ix), State::Available | State::InProgress)
            });
            prop_assert!(standing.complete || !doable || !standing.next.is_empty(), "{:?}", c.states());
        }
    }

    /// Whatever the order of arrival, however often and in however many calls: the same events make the same facts.
    #[test]
    fn the_order_of_arrival_does_not_matter(
        plan in plan(false),
        what in prop::collection::vec((any::<u16>(), 0..5_u8, 0..100_u8, 1..101_u8, 0..5_000_u32), 1..30),
        keys in prop::collection::vec(any::<u32>(), 30),
        cut in 1..30_usize,
        spread in 1..5_000_u32,
    ) {
        // In one call also behind locks; in several calls where everything is open.
        for style in [plan.style, Style::RandomAccess] {
            let plan = Plan { style, ..plan.clone() };
            let mut outline = draw(&plan);
            if style == Style::RandomAccess {
                for stage in &mut outline.stages {
                    if let crate::domain::outline::Stage::Sequence(s) = stage {
                        s.modules.iter_mut().for_each(|m| (m.when, m.waive_when) = (None, None));
                    }
                }
            }
            let c = Course::of(Compiled::new(outline, style));
            let now = c.now + TimeDelta::seconds(10_000);
            let events: Vec<LearningEvent> = what.iter().enumerate().map(|(n, (m, kind, a, b, at))| {
                let module = usize::from(*m) % c.outline.module_count();
                let what = match kind {
                    0 => Happening::Opened,
                    1 | 2 => Happening::Watched { from_seconds: f64::from(*a.min(b)), to_seconds: f64::from(*a.max(b)) },
                    3 => Happening::Position { seconds: f64::from(*a) },
                    _ => Happening::TimeSpent { seconds: f64::from(*b) },
                };
                // Of a slow clock, and often of the same instant.
                let sent_at = c.now + TimeDelta::seconds(i64::from(*at % spread) - 100);
                let Timing { at, sent_at } = Timing::of(sent_at, c.now, now);
                LearningEvent { id: Uuid::from_u128(n as u128), module, at, sent_at, what }
            }).collect();
            let mut shuffled = events.clone();
            shuffled.sort_by_key(|e| keys[e.id.as_u128() as usize % keys.len()]);
            let run = |batches: Vec<Vec<LearningEvent>>| {
                let mut facts = c.facts.clone();
                let mut stored: HashMap<usize, Vec<LearningEvent>> = HashMap::new();
                for batch in batches {
                    let needed = learning::needs_history(&facts, &batch);
                    let history = stored.iter().filter(|(m, _)| needed.contains(m)).map(|(m, e)| (*m, e.clone())).collect();
                    let (verdicts, _) = learning::record_events(&c.outline, &mut facts, &batch, &history, None, now);
                    for (event, verdict) in batch.into_iter().zip(verdicts) {
                        if verdict.is_ok() {
                            stored.entry(event.module).or_default().push(event);
                        }
                    }
                }
                facts
            };
            prop_assert_eq!(run(vec![events.clone()]), run(vec![shuffled.clone()]));
            if style == Style::RandomAccess {
                let batches = shuffled.chunks(cut).map(<[LearningEvent]>::to_vec).collect();
                prop_assert_eq!(run(vec![events]), run(batches));
            }
        }
    }
}

fn now() -> Instant {
    "2026-11-23T09:00:00Z".parse().unwrap()
}
