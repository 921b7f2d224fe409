//! Facts for which conditions hold together: tries the values that make a difference, and lets the conditions themselves judge.

use std::cell::Cell;
use std::collections::BTreeSet;

use super::subjects::{Assignment, Fact, Subject, Subjects};
use crate::domain::condition::{Condition, Env};
use crate::domain::facts::{Facts, Instant};
use crate::domain::outline::ModuleIx;

/// Most combinations that are tried for one question.
const MAX_TRIES: usize = 20_000;
/// Most combinations that are tried for one outline.
const MAX_TRIES_IN_ALL: usize = 400_000;

/// Facts that must go together at one instant.
pub(super) struct Question<'q> {
    /// The conditions that decide it.
    pub(super) conditions: Vec<&'q Condition>,
    /// Whether it is so.
    pub(super) test: &'q dyn Fn(Env<'_>) -> bool,
    /// Modules that are done by then.
    pub(super) done: &'q BTreeSet<ModuleIx>,
}

/// What a search came to.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Facts for which it is so; not more than asked for.
    pub(super) found: Vec<Assignment>,
    /// Whether there are no others: nothing was left untried.
    pub(super) certain: bool,
}

impl Answer {
    /// Whether it may be so: found, or not known to be impossible.
    pub(super) fn possible(&self) -> bool {
        !self.found.is_empty() || !self.certain
    }
}

/// Searches through facts of one outline, within a budget.
pub(super) struct Search<'a> {
    pub(super) subjects: Subjects<'a>,
    /// Modules that can be opened, as far as is known.
    pub(super) open: Vec<bool>,
    /// Whether staff may let learners off modules.
    pub(super) excused: bool,
    left: Cell<usize>,
}

/// One question on its way.
struct Run<'r, 'q> {
    question: &'r Question<'q>,
    values: Vec<(Subject, Vec<Fact>)>,
    limit: usize,
    tries: usize,
    current: Vec<Fact>,
    answer: Answer,
}

impl<'a> Search<'a> {
    pub(super) fn new(subjects: Subjects<'a>, excused: bool) -> Self {
        let open = vec![false; subjects.outline.module_count()];
        Self { subjects, open, excused, left: Cell::new(MAX_TRIES_IN_ALL) }
    }

    /// Whether a module is done when those after it open.
    fn fits_done(&self, subject: &Subject, fact: &Fact, done: &BTreeSet<ModuleIx>) -> bool {
        let (Subject::Module(ix), Fact::Record(record)) = (subject, fact) else { return true };
        !done.contains(ix)
            || self.subjects.outline.module(*ix).waive_when.is_some()
            || record.as_ref().is_some_and(|record| record.completed_at.is_some() || record.waived_at.is_some())
    }

    /// Looks for facts for which it is so; those `fixed` stay as they are.
    pub(super) fn solve(&self, question: &Question<'_>, fixed: &Assignment, limit: usize) -> Answer {
        let mut certain = true;
        let mut values = Vec::new();
        for subject in self.subjects.asked(&question.conditions) {
            let open = match subject {
                Subject::Module(ix) | Subject::Since(ix) => self.open.get(ix).copied().unwrap_or(false),
                _ => true,
            };
            let mut facts = match fixed.get(&subject) {
                Some(fact) => vec![fact.clone()],
                None => {
                    let (facts, exhaustive) = self.subjects.values(&subject, open, self.excused);
                    certain &= exhaustive;
                    facts
                }
            };
            facts.retain(|fact| self.fits_done(&subject, fact, question.done));
            values.push((subject, facts));
        }
        let answer = Answer { certain, ..Answer::default() };
        let tries = self.left.get().min(MAX_TRIES);
        let mut run = Run { question, values, limit, tries, current: Vec::new(), answer };
        let mut facts = Facts::new(self.subjects.now, self.subjects.outline.module_count());
        self.next(&mut run, &mut facts, self.subjects.now);
        self.left.set(self.left.get().saturating_sub(self.left.get().min(MAX_TRIES).saturating_sub(run.tries)));
        run.answer
    }

    /// Tries every value of the next subject with every one of those after it.
    fn next(&self, run: &mut Run<'_, '_>, facts: &mut Facts, now: Instant) {
        let depth = run.current.len();
        let Some((subject, values)) = run.values.get(depth).cloned() else {
            if run.tries == 0 {
                run.answer.certain = false;
                return;
            }
            run.tries = run.tries.saturating_sub(1);
            if (run.question.test)(Env::new(self.subjects.outline, facts, now)) {
                let subjects = run.values.iter().map(|(subject, _)| subject.clone());
                run.answer.found.push(subjects.zip(run.current.iter().cloned()).collect());
            }
            return;
        };
        for fact in values {
            if run.tries == 0 {
                run.answer.certain = false;
                return;
            }
            if run.answer.found.len() >= run.limit {
                return;
            }
            let mut now = now;
            self.subjects.apply(&subject, &fact, facts, &mut now);
            run.current.push(fact);
            self.next(run, facts, now);
            run.current.pop();
        }
    }
}
