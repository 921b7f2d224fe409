//! What a script may say: results that can be, of competencies that are there and that the quiz evaluates.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use uuid::Uuid;

use super::{MAX_STEPS, QuizResult, Script, Step};
use crate::domain::mastery::coverage::Touch;
use crate::domain::outline::Compiled;

/// Something that a script must not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub pointer: String,
    /// Stable name.
    pub code: &'static str,
    /// For people.
    pub detail: String,
}

const SHARE: RangeInclusive<f64> = 0.0..=1.0;
const WEIGHT: RangeInclusive<f64> = 0.001..=1000.0;

/// A reference token of a JSON pointer (RFC 6901 §3).
fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

/// Names every fault of a script; `known` are the competencies that there are among those it names. What a learner could not do is
/// none: the step is refused when it is played.
#[must_use]
pub fn check(script: &Script, outline: &Compiled, known: &BTreeSet<Uuid>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault =
        |pointer: String, code, detail: &str| faults.push(Fault { pointer, code, detail: detail.to_owned() });
    if script.steps.len() > MAX_STEPS {
        fault("/steps".to_owned(), "too_many", "A script has up to 1,000 steps.");
    }
    let mastery = &script.learner.mastery;
    let strange = mastery.strange.iter().map(|(key, share)| (escape(key), share, false));
    for (key, share, known) in
        mastery.iter().map(|(id, share)| (id.to_string(), share, known.contains(id))).chain(strange)
    {
        let pointer = || format!("/learner/mastery/{key}");
        if !known {
            fault(pointer(), "unknown_competency", "There is no such competency.");
        }
        if !SHARE.contains(share) {
            fault(pointer(), "out_of_range", "Mastery lies between 0 and 1.");
        }
    }
    for (n, step) in script.steps.iter().enumerate().take(MAX_STEPS) {
        match step {
            Step::Pass(result) => check_result(result, outline, &format!("/steps/{n}/pass"), true, &mut fault),
            Step::Fail(result) => check_result(result, outline, &format!("/steps/{n}/fail"), false, &mut fault),
            Step::Prove(step) => {
                let at = |field: &str| format!("/steps/{n}/prove/{field}");
                if !known.contains(&step.competency) {
                    fault(at("competency"), "unknown_competency", "There is no such competency.");
                }
                if !SHARE.contains(&step.score) {
                    fault(at("score"), "out_of_range", "A score lies between 0 and 1.");
                }
                if step.weight.is_some_and(|weight| !WEIGHT.contains(&weight)) {
                    fault(at("weight"), "out_of_range", "A weight lies between 0.001 and 1,000.");
                }
            }
            Step::AdvanceSeconds(seconds) if !seconds.holds() => {
                let detail = "Up to 100 years, 3,153,600,000 seconds, pass at once.";
                fault(format!("/steps/{n}/advance_seconds"), "out_of_range", detail);
            }
            Step::Complete(_) | Step::Choose(_) | Step::Waive(_) | Step::AdvanceSeconds(_) => {}
        }
    }
    faults
}

fn check_result(
    result: &QuizResult,
    outline: &Compiled,
    at: &str,
    passes: bool,
    fault: &mut impl FnMut(String, &'static str, &str),
) {
    let module = outline.ix(&result.module).map(|ix| outline.module(ix));
    if let Some(score) = result.score_percent {
        let pointer = format!("{at}/score_percent");
        let mark = module.and_then(|module| module.quiz()).map(|quiz| quiz.pass_percent);
        if !(0.0..=100.0).contains(&score) {
            fault(pointer, "out_of_range", "A score lies between 0 and 100 percent.");
        } else if passes && mark.is_some_and(|mark| score + 1e-9 < mark) {
            fault(pointer, "fails", "This score is below the pass mark of the quiz.");
        } else if !passes && mark.is_some_and(|mark| score > 0.0 && score + 1e-9 >= mark) {
            fault(pointer, "passes", "This score reaches the pass mark of the quiz.");
        }
    }
    let assessed: BTreeSet<Uuid> = module
        .map(|module| module.alignments())
        .unwrap_or_default()
        .into_iter()
        .filter(|alignment| alignment.touch == Touch::Assesses)
        .map(|alignment| alignment.competency)
        .collect();
    let strange = result.proves.strange.iter().map(|(key, share)| (escape(key), share, false));
    let proves = result.proves.iter().map(|(id, share)| (id.to_string(), share, assessed.contains(id)));
    for (key, score, assessed) in proves.chain(strange) {
        let pointer = || format!("{at}/proves/{key}");
        if module.is_some() && !assessed {
            fault(pointer(), "not_assessed", "The quiz does not evaluate this competency.");
        }
        if !SHARE.contains(score) {
            fault(pointer(), "out_of_range", "What is proved lies between 0 and 1.");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::outline::{Outline, Style};

    const A: Uuid = Uuid::from_u128(1);
    const B: Uuid = Uuid::from_u128(2);

    fn pointers(script: serde_json::Value) -> Vec<(String, &'static str)> {
        let item =
            json!({"key": "i", "type": "true_false", "prompt": "?", "answer": true, "competencies": [{"id": A}]});
        let quiz = json!({"key": "q", "title": "Q", "kind": "quiz", "content": {"pass_percent": 50, "items": [item]}});
        let stage = json!({"kind": "sequence", "key": "s", "order": "linear", "modules": [quiz]});
        let outline: Outline = serde_json::from_value(json!({"stages": [stage]})).unwrap();
        let script: Script = serde_json::from_value(script).unwrap();
        let found = check(&script, &Compiled::new(outline, Style::LinearAutoplay), &BTreeSet::from([A, B]));
        found.into_iter().map(|fault| (fault.pointer, fault.code)).collect()
    }

    #[test]
    fn every_fault_of_a_script_is_named_where_it_stands() {
        let nobody = Uuid::from_u128(9);
        let found = pointers(json!({"learner": {"mastery": {A.to_string(): 3, B.to_string(): -1}}, "steps": [
            {"prove": {"competency": A, "score": 2, "weight": -3}}, {"prove": {"competency": nobody, "score": 1}},
            {"pass": {"module": "q", "score_percent": -5}}, {"pass": {"module": "q", "score_percent": 500}},
            {"fail": {"module": "q", "score_percent": 100}}, {"pass": {"module": "q", "score_percent": 20}},
            {"pass": {"module": "q", "proves": {A.to_string(): 7, B.to_string(): 0.5}}}]}));
        let named = |pointer: String, code| (pointer, code);
        assert_eq!(
            found,
            [
                named(format!("/learner/mastery/{A}"), "out_of_range"),
                named(format!("/learner/mastery/{B}"), "out_of_range"),
                named("/steps/0/prove/score".into(), "out_of_range"),
                named("/steps/0/prove/weight".into(), "out_of_range"),
                named("/steps/1/prove/competency".into(), "unknown_competency"),
                named("/steps/2/pass/score_percent".into(), "out_of_range"),
                named("/steps/3/pass/score_percent".into(), "out_of_range"),
                named("/steps/4/fail/score_percent".into(), "passes"),
                named("/steps/5/pass/score_percent".into(), "fails"),
                named(format!("/steps/6/pass/proves/{A}"), "out_of_range"),
                named(format!("/steps/6/pass/proves/{B}"), "not_assessed")
            ]
        );
    }

    #[test]
    fn keys_that_are_no_ids_and_times_without_end_are_named_with_the_rest() {
        let found = pointers(json!({"learner": {"mastery": {"x/y": 7, A.to_string(): 3}}, "steps": [
            {"advance_seconds": u64::MAX}, {"advance_seconds": 3_153_600_001_u64}, {"advance_seconds": 3_153_600_000_u64},
            {"pass": {"module": "q", "proves": {"x": 0.5}}}]}));
        let named = |pointer: &str, code| (pointer.to_owned(), code);
        assert_eq!(
            found,
            [
                named(&format!("/learner/mastery/{A}"), "out_of_range"),
                named("/learner/mastery/x~1y", "unknown_competency"),
                named("/learner/mastery/x~1y", "out_of_range"),
                named("/steps/0/advance_seconds", "out_of_range"),
                named("/steps/1/advance_seconds", "out_of_range"),
                named("/steps/3/pass/proves/x", "not_assessed")
            ]
        );
        let steps = vec![json!({"advance_seconds": 1}); 1001];
        assert_eq!(pointers(json!({"steps": steps, "learner": {"mastery": {"x": 1}}})).len(), 2);
    }

    #[test]
    fn what_can_be_said_is_let_pass() {
        assert!(pointers(json!({"learner": {"mastery": {A.to_string(): 1}}, "steps": [
            {"pass": {"module": "q", "score_percent": 50, "proves": {A.to_string(): 0}}}, {"fail": {"module": "q"}},
            {"fail": {"module": "nowhere", "score_percent": 49.5}}, {"prove": {"competency": B, "score": 0, "weight": 2}}, {"advance_seconds": 5}]}))
        .is_empty());
    }
}
