//! What a learner does, applied to the facts: learning events, attempts, choices, exceptions.
//!
//! The record of a module is a fold over its events in the order in which their sender says that they happened, ids deciding
//! between those of one instant, so the order of arrival does not matter: an event that comes late makes the record be folded again
//! from the stored ones ([`needs_history`]).

mod choosing;
mod rebuild;
mod upgrading;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{SubsecRound, TimeDelta};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::facts::{ChosenBranch, Facts, Instant, ModuleRecord, Redo};
use super::mastery::book::Book;
use super::mastery::proof;
use super::outline::{Compiled, Completion, ModuleIx, ModuleKind, StageShape};
use super::path::{self, Access, Standing, State, fulfilled};
use super::quiz::Counted;

pub use self::choosing::choose;
pub use self::rebuild::{Past, rebuild};
pub use self::upgrading::{Taken, judge_anew};

/// What happened in a module.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Happening {
    /// The learner opened it.
    Opened,
    /// The learner watched a part of the video.
    Watched {
        /// From this second of the video.
        from_seconds: f64,
        /// To this second.
        to_seconds: f64,
    },
    /// The learner is at this second.
    Position {
        /// Where.
        seconds: f64,
    },
    /// The learner spent some time in it.
    TimeSpent {
        /// How long.
        seconds: f64,
    },
    /// The learner says it is done.
    MarkedDone,
}

/// A learning event, with its module looked up and its time settled.
#[derive(Debug, Clone, PartialEq)]
pub struct LearningEvent {
    /// Chosen by the client; the same id twice is the same event.
    pub id: Uuid,
    /// Where.
    pub module: ModuleIx,
    /// When it counts.
    pub at: Instant,
    /// When it was by its sender's clock, which decides the order: a clock that is wrong is still wrong in the same way throughout.
    pub sent_at: Instant,
    /// What.
    pub what: Happening,
}

impl LearningEvent {
    /// What events of a module are folded by.
    fn order(&self) -> (Instant, Uuid) {
        (self.sent_at, self.id)
    }
}

/// The time of an event: as its sender says, and as it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// When it was by its sender's clock.
    pub sent_at: Instant,
    /// When it counts: not before the enrollment, not after it was received.
    pub at: Instant,
}

impl Timing {
    /// Settles the time of an event that was received.
    #[must_use]
    pub fn of(sent_at: Instant, enrolled_at: Instant, received_at: Instant) -> Self {
        Self { sent_at, at: sent_at.min(received_at).max(enrolled_at) }
    }
}

/// Minutes by which a client's clock may be ahead.
pub const CLOCK_SKEW_MINUTES: i64 = 5;
/// Longest time that one event may report, in seconds.
const MAX_SPENT_SECONDS: f64 = 86_400.0;

/// Why an event or an act was refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// Stable name.
    pub code: &'static str,
    /// For people.
    pub detail: String,
    /// Why the module is locked, when that is why.
    pub access: Option<Box<Access>>,
    /// Members of the event that are wrong, each by its name.
    pub faults: Vec<EventFault>,
}

/// Something wrong with one member of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFault {
    /// The member.
    pub member: &'static str,
    /// Stable name.
    pub code: &'static str,
    /// For people.
    pub detail: String,
}

impl EventFault {
    /// The fault of this member.
    #[must_use]
    pub fn new(member: &'static str, code: &'static str, detail: impl Into<String>) -> Self {
        Self { member, code, detail: detail.into() }
    }
}

impl Refusal {
    fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), access: None, faults: Vec::new() }
    }

    /// Refused for what is wrong with the event itself: the first fault gives it its name.
    #[must_use]
    pub fn of_faults(faults: Vec<EventFault>) -> Option<Self> {
        let first = faults.first()?;
        let detail = match faults.as_slice() {
            [one] => one.detail.clone(),
            many => format!("{} faults were found in the event.", many.len()),
        };
        Some(Self { code: first.code, detail, access: None, faults })
    }

    /// Refused because of how the module stands.
    fn locked(key: &str, access: Access) -> Self {
        let (code, detail) = match access.state {
            State::Hidden => ("module_hidden", format!("The module `{key}` is not part of this learner's path.")),
            State::Failed => ("attempts_exhausted", format!("No attempts are left at `{key}`.")),
            _ => ("module_locked", format!("The module `{key}` is locked.")),
        };
        Self { code, detail, access: Some(Box::new(access)), faults: Vec::new() }
    }
}

/// What changed, for the server to store and to tell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// Modules whose record changed.
    pub records: BTreeSet<ModuleIx>,
    /// Modules begun.
    pub started: Vec<ModuleIx>,
    /// Modules completed or waived.
    pub completed: Vec<ModuleIx>,
    /// Branches newly chosen, by the learner or the engine.
    pub chosen: Vec<ChosenBranch>,
    /// Choices taken back: stage and branch.
    pub unchosen: Vec<(String, String)>,
    /// Modules that are not completed any more, since a grade was corrected.
    pub reopened: Vec<ModuleIx>,
}

/// Settles the time of an event that comes in; one that names none is of now.
///
/// # Errors
/// When it lies further ahead than a clock may be wrong.
pub fn settle_time(at: Option<Instant>, enrolled_at: Instant, now: Instant) -> Result<Timing, EventFault> {
    let at = at.unwrap_or(now);
    if at > now + TimeDelta::minutes(CLOCK_SKEW_MINUTES) {
        return Err(EventFault::new("at", "event_in_future", "The event's time lies in the future."));
    }
    // As it is stored, so that it does not sort otherwise once it is read again.
    Ok(Timing::of(at.trunc_subsecs(6), enrolled_at, now))
}

/// Every fault of an event that shows without knowing where the learner stands; of a module that is not there, what is wrong
/// wherever it had happened.
#[must_use]
pub fn faults(outline: &Compiled, module: Option<ModuleIx>, what: Happening) -> Vec<EventFault> {
    let module = module.map(|ix| outline.module(ix));
    let duration = module.and_then(|module| module.content.duration_seconds());
    let beyond = |at: f64| duration.is_some_and(|d| at > d + 1.0);
    let mut faults = Vec::new();
    let mut add = |member, code, detail: String| faults.push(EventFault::new(member, code, detail));
    match what {
        Happening::Watched { from_seconds, to_seconds } => {
            if let Some(module) = module.filter(|module| module.kind != ModuleKind::Video) {
                add("module", "not_a_video", format!("`{}` is no video that could be watched.", module.key));
            }
            if from_seconds.is_nan() || from_seconds < 0.0 {
                add("from_seconds", "invalid_interval", "from_seconds must be at least 0.".into());
            }
            if from_seconds.partial_cmp(&to_seconds) != Some(std::cmp::Ordering::Less) {
                add("to_seconds", "invalid_interval", "to_seconds must be more than from_seconds.".into());
            }
            if let Some(module) = module.filter(|_| beyond(to_seconds)) {
                add("to_seconds", "beyond_the_end", format!("The video `{}` is shorter than to_seconds.", module.key));
            }
        }
        Happening::Position { seconds } => {
            if seconds < 0.0 || beyond(seconds) {
                add("seconds", "invalid_position", "seconds must lie within the module.".into());
            }
        }
        Happening::TimeSpent { seconds } => {
            if !(seconds > 0.0 && seconds <= MAX_SPENT_SECONDS) {
                add("seconds", "invalid_duration", "seconds must be more than 0 and at most 86,400.".into());
            }
        }
        Happening::MarkedDone => {
            if let Some(module) = module.filter(|m| !matches!(m.completion(), Completion::MarkedByLearner(_))) {
                add("module", "not_markable", format!("`{}` is not completed by the learner's own mark.", module.key));
            }
        }
        Happening::Opened => {}
    }
    faults
}

/// Checks what can be checked of an event without knowing where the learner stands.
fn check(outline: &Compiled, event: &LearningEvent) -> Result<(), Refusal> {
    Refusal::of_faults(faults(outline, Some(event.module), event.what)).map_or(Ok(()), Err)
}

/// Modules of which these events come late, or at the very instant of what is known (then their ids decide the order), so that
/// their stored events are needed to fold their record again.
#[must_use]
pub fn needs_history(facts: &Facts, events: &[LearningEvent]) -> BTreeSet<ModuleIx> {
    let late = |event: &&LearningEvent| {
        facts.record(event.module).and_then(ModuleRecord::newest_sent).is_some_and(|last| event.sent_at <= last)
    };
    events.iter().filter(late).map(|event| event.module).collect()
}

/// Folds one event into a record; events of a module must come in their order.
fn fold(record: &mut ModuleRecord, outline: &Compiled, event: &LearningEvent) {
    let module = outline.module(event.module);
    let duration = module.content.duration_seconds();
    let completion = module.completion();
    let at = event.at;
    record.last_sent_at = Some(record.newest_sent().map_or(event.sent_at, |last| last.max(event.sent_at)));
    record.last_event_at = Some(record.last_event_at.map_or(at, |last| last.max(at)));
    if !matches!(event.what, Happening::Position { .. }) {
        record.started_at = Some(record.started_at.map_or(at, |first| first.min(at)));
    }
    let end = duration.unwrap_or(f64::MAX);
    // Of what came before the hurdle was failed, nothing counts as taking it again.
    let mut waiting = record.redo.as_mut().filter(|redo| at > redo.since);
    match event.what {
        Happening::Watched { from_seconds, to_seconds } => {
            record.seen.add(from_seconds.min(end), to_seconds.min(end));
            record.position_seconds = Some(to_seconds.min(end));
            if let Some(redo) = waiting.as_mut() {
                redo.seen.add(from_seconds.min(end), to_seconds.min(end));
            }
        }
        Happening::Position { seconds } => record.position_seconds = Some(seconds.min(end)),
        Happening::TimeSpent { seconds } => {
            record.spent_seconds += seconds;
            if let Some(redo) = waiting.as_mut() {
                redo.spent_seconds += seconds;
            }
        }
        Happening::Opened | Happening::MarkedDone => {}
    }
    let by_this = match completion {
        Completion::Viewed(_) => matches!(event.what, Happening::Opened | Happening::Watched { .. }),
        Completion::MarkedByLearner(_) => event.what == Happening::MarkedDone,
        Completion::WatchedPercent(_) | Completion::TimeSpentSeconds(_) => fulfilled(completion, record, duration),
        _ => false,
    };
    if by_this && record.completed_at.is_none() {
        record.completed_at = Some(at);
    }
    // Work that only staff can confirm is taken again by opening it again.
    let opened_again = matches!(event.what, Happening::Opened | Happening::Watched { .. } | Happening::MarkedDone);
    if let Some(redo) = record.redo.as_mut().filter(|redo| redo.done_at.is_none() && at > redo.since) {
        let done = match completion {
            Completion::WatchedPercent(_) | Completion::TimeSpentSeconds(_) => {
                let since = ModuleRecord {
                    seen: redo.seen.clone(),
                    spent_seconds: redo.spent_seconds,
                    ..ModuleRecord::default()
                };
                fulfilled(completion, &since, duration)
            }
            Completion::MarkedByLearner(_) => event.what == Happening::MarkedDone,
            Completion::Passed(_) | Completion::ScoreAtLeast(_) => false,
            _ => opened_again,
        };
        if done {
            redo.done_at = Some(at);
        }
    }
}

/// Whether learning events can complete a module.
fn by_events(outline: &Compiled, ix: ModuleIx) -> bool {
    matches!(
        outline.module(ix).completion(),
        Completion::Viewed(_)
            | Completion::WatchedPercent(_)
            | Completion::TimeSpentSeconds(_)
            | Completion::MarkedByLearner(_)
    )
}

/// What attempts and staff contributed to a record, without its events.
fn without_events(record: &ModuleRecord) -> ModuleRecord {
    ModuleRecord {
        seen: super::intervals::Intervals::default(),
        spent_seconds: 0.0,
        position_seconds: None,
        last_event_at: None,
        last_sent_at: None,
        completed_at: None,
        redo: record.redo.as_ref().map(|redo| Redo::since(redo.since)),
        ..record.clone()
    }
}

/// Folds events onto a record of before them; what the record came to without knowing all of them is not taken back.
fn refold(
    known: &ModuleRecord,
    before: ModuleRecord,
    outline: &Compiled,
    ix: ModuleIx,
    events: &mut [LearningEvent],
) -> ModuleRecord {
    events.sort_by_key(LearningEvent::order);
    let mut fresh = before;
    for event in events.iter() {
        fold(&mut fresh, outline, event);
    }
    // Completion is never taken back: it may have come from staff, or from a quiz.
    fresh.completed_at = match (fresh.completed_at, known.completed_at) {
        (Some(new), Some(old)) if by_events(outline, ix) => Some(new.min(old)),
        (new, old) => old.or(new),
    };
    if let (Some(redo), Some(done)) = (fresh.redo.as_mut(), known.redo.as_ref().and_then(|redo| redo.done_at)) {
        redo.done_at = redo.done_at.or(Some(done));
    }
    fresh
}

/// The verdict on each event, in the order in which they were given.
pub type Verdicts = Vec<Result<(), Refusal>>;

/// Applies learning events. Events of one batch are taken in their order; those that meet a locked module are tried
/// again after the others, so that the order within the batch does not matter. What one of them proves opens what it opens for the
/// rest, as far as the book knows the competencies.
pub fn record_events(
    outline: &Compiled,
    facts: &mut Facts,
    events: &[LearningEvent],
    history: &HashMap<ModuleIx, Vec<LearningEvent>>,
    mut book: Option<&mut Book>,
    now: Instant,
) -> (Verdicts, Changes) {
    let before = facts.clone();
    let mut verdicts: Vec<Option<Result<(), Refusal>>> =
        events.iter().map(|event| check(outline, event).err().map(Err)).collect();
    let mut order: Vec<usize> = (0..events.len()).collect();
    order.sort_by_key(|n| events.get(*n).map(LearningEvent::order));
    let mut applied: BTreeMap<ModuleIx, Vec<LearningEvent>> = BTreeMap::new();
    let mut judge = Judge::default();
    loop {
        let mut progressed = false;
        for &n in &order {
            let (Some(event), Some(None)) = (events.get(n), verdicts.get(n)) else { continue };
            if !judge.open(outline, facts, event) {
                continue;
            }
            let earlier = applied.entry(event.module).or_default();
            // One that waited for its module to open may come before those of the batch that did not.
            let waited = earlier.last().is_some_and(|last| last.order() > event.order());
            let place = earlier.partition_point(|other| other.order() < event.order());
            earlier.insert(place, event.clone());
            let was = facts.record(event.module).cloned();
            let newest = was.as_ref().and_then(ModuleRecord::newest_sent);
            let late = history.contains_key(&event.module) && newest.is_some_and(|newest| event.sent_at <= newest);
            if waited || late {
                let mut all = earlier.clone();
                let known = was.clone().unwrap_or_default();
                let old = match history.get(&event.module) {
                    Some(stored) => {
                        all.extend(stored.iter().cloned());
                        without_events(&known)
                    }
                    None => before.record(event.module).cloned().unwrap_or_default(),
                };
                *facts.record_mut(event.module) = refold(&known, old, outline, event.module, &mut all);
            } else {
                fold(facts.record_mut(event.module), outline, event);
            }
            facts.last_event_at = Some(facts.last_event_at.map_or(event.at, |last| last.max(event.at)));
            let is = facts.record(event.module);
            if settles(was.as_ref()) != settles(is) {
                judge.forget();
            }
            let done = is.and_then(|record| record.completed_at);
            if let (Some(book), Some(at), None) =
                (book.as_deref_mut(), done, was.and_then(|record| record.completed_at))
            {
                let proofs = proof::of_completion(outline.module(event.module));
                let changed = book.prove(&proofs, Uuid::max(), at);
                Arc::make_mut(&mut facts.learner).set_mastery(changed);
            }
            if let Some(slot) = verdicts.get_mut(n) {
                *slot = Some(Ok(()));
            }
            progressed = true;
        }
        if !progressed || verdicts.iter().all(Option::is_some) {
            break;
        }
    }
    let verdicts = verdicts
        .into_iter()
        .zip(events)
        .map(|(verdict, event)| {
            verdict.unwrap_or_else(|| {
                let access = path::access(outline, facts, event.at, event.module);
                Err(Refusal::locked(&outline.module(event.module).key, access))
            })
        })
        .collect();
    let changes = remember(outline, &before, facts, applied.keys().copied().collect(), now);
    (verdicts, changes)
}

/// What of a record other modules can depend on.
fn settles(record: Option<&ModuleRecord>) -> (bool, bool, bool) {
    record.map_or((false, false, false), |r| {
        (r.started_at.is_some(), r.completed_at.is_some(), r.redo.as_ref().is_some_and(|redo| redo.done_at.is_some()))
    })
}

/// Knows which modules are open, and computes it again only when something changed that matters.
#[derive(Default)]
struct Judge {
    known: Option<Standing>,
}

impl Judge {
    fn open(&mut self, outline: &Compiled, facts: &Facts, event: &LearningEvent) -> bool {
        // A module once completed stays open, whatever the rest says.
        if facts.record(event.module).is_some_and(|r| r.completed_at.is_some()) {
            return true;
        }
        if outline.time_sensitive || self.known.is_none() {
            self.known = Some(path::standing(outline, facts, event.at));
        }
        self.known.as_ref().is_some_and(|standing| standing.of(event.module).open())
    }

    fn forget(&mut self) {
        self.known = None;
    }
}

/// Compares the facts with those before, and makes choices of the engine last once something in their branch was begun.
fn remember(
    outline: &Compiled,
    before: &Facts,
    facts: &mut Facts,
    touched: BTreeSet<ModuleIx>,
    now: Instant,
) -> Changes {
    let mut changes = Changes { records: touched, ..Changes::default() };
    for &ix in &changes.records {
        let (was, is) = (before.record(ix), facts.record(ix));
        let done = |r: Option<&ModuleRecord>| r.is_some_and(|r| r.completed_at.is_some() || r.waived_at.is_some());
        let begun = |r: Option<&ModuleRecord>| r.is_some_and(|r| r.started_at.is_some());
        if begun(is) && !begun(was) {
            changes.started.push(ix);
        }
        if done(is) && !done(was) {
            changes.completed.push(ix);
        }
    }
    if !changes.started.is_empty() || !changes.completed.is_empty() {
        for auto in path::standing(outline, facts, now).auto_choices {
            let begun = branch_range(outline, &auto.stage, &auto.branch)
                .is_some_and(|mut range| range.any(|ix| facts.record(ix).is_some_and(ModuleRecord::started)));
            if begun {
                let choice = ChosenBranch { stage: auto.stage, branch: auto.branch, at: now, auto: true };
                facts.choices.push(choice.clone());
                changes.chosen.push(choice);
            }
        }
    }
    changes
}

fn branch_range(outline: &Compiled, stage: &str, branch: &str) -> Option<std::ops::Range<ModuleIx>> {
    match &outline.stage(stage)?.shape {
        StageShape::Choice { branches, .. } => branches.iter().find(|b| b.key == branch).map(|b| b.modules.clone()),
        StageShape::Sequence(_) => None,
    }
}

/// Whether a quiz may be attempted now.
///
/// # Errors
/// Why not: no quiz, locked, no attempts left.
pub fn may_attempt(outline: &Compiled, facts: &Facts, ix: ModuleIx, now: Instant) -> Result<(), Refusal> {
    let module = outline.module(ix);
    let Some(quiz) = module.quiz() else {
        return Err(Refusal::new("not_a_quiz", format!("`{}` is no quiz that could be attempted.", module.key)));
    };
    let access = path::access(outline, facts, now, ix);
    if !access.state.open() || access.state == State::Failed {
        return Err(Refusal::locked(&module.key, access));
    }
    let record = facts.record(ix).cloned().unwrap_or_default();
    let limit = quiz.max_attempts.saturating_add(record.extra_attempts);
    if quiz.max_attempts > 0 && record.attempts >= limit {
        return Err(Refusal::new("attempts_exhausted", format!("No attempts are left at `{}`.", module.key)));
    }
    Ok(())
}

/// An attempt began.
pub fn attempt_started(outline: &Compiled, facts: &mut Facts, ix: ModuleIx, attempt: Uuid, now: Instant) -> Changes {
    let before = facts.clone();
    let record = facts.record_mut(ix);
    record.started_at = Some(record.started_at.map_or(now, |first| first.min(now)));
    record.open_attempt = Some(attempt);
    facts.last_event_at = Some(now);
    remember(outline, &before, facts, BTreeSet::from([ix]), now)
}

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttemptResult {
    /// Whether this attempt passed.
    pub passed: bool,
    /// What counts, over all finished attempts.
    pub counted: Counted,
    /// How many attempts are finished now.
    pub finished: u32,
    /// When it was submitted.
    pub at: Instant,
}

/// Puts the grade that counts after an attempt into the record. Once passed, a quiz stays so.
fn grade(record: &mut ModuleRecord, result: AttemptResult) {
    record.score = Some(result.counted.score_percent);
    if result.counted.passed {
        record.passed_at = record.passed_at.or(Some(result.at));
        record.failed_at = None;
    } else if record.passed_at.is_none() {
        record.failed_at = Some(result.at);
    }
}

/// An attempt ended: passes, fails and sends back, completes.
pub fn attempt_finished(outline: &Compiled, facts: &mut Facts, ix: ModuleIx, result: AttemptResult) -> Changes {
    let before = facts.clone();
    let module = outline.module(ix);
    let mut touched = BTreeSet::from([ix]);
    let record = facts.record_mut(ix);
    record.open_attempt = None;
    record.attempts = result.finished;
    record.started_at = record.started_at.or(Some(result.at));
    grade(record, result);
    if let Some(redo) = record.redo.as_mut().filter(|redo| result.passed && redo.done_at.is_none()) {
        redo.done_at = Some(result.at);
    }
    if record.completed_at.is_none() && fulfilled(module.completion(), record, None) {
        record.completed_at = Some(result.at);
    }
    // A quiz that is completed by something else than passing must not send anybody back.
    let sends_back =
        !result.counted.passed && facts.record(ix).is_some_and(|r| r.failed_at.is_some() && r.completed_at.is_none());
    for remedial in outline.remediation_of(ix).iter().copied().filter(|_| sends_back) {
        facts.record_mut(remedial).redo = Some(Redo::since(result.at));
        touched.insert(remedial);
    }
    facts.last_event_at = Some(facts.last_event_at.map_or(result.at, |last| last.max(result.at)));
    remember(outline, &before, facts, touched, result.at)
}

/// The attempts at a quiz are others than before: one was deleted, or its grade corrected. The record is made again from those that
/// count now; `begun_at` is when the first of those that there are began, `granted_at` when staff said that the module is done, which
/// stays.
pub fn attempts_changed(
    outline: &Compiled,
    facts: &mut Facts,
    ix: ModuleIx,
    results: &[AttemptResult],
    begun_at: Option<Instant>,
    granted_at: Option<Instant>,
    now: Instant,
) -> Changes {
    let before = facts.clone();
    let completion = outline.module(ix).completion();
    let record = facts.record_mut(ix);
    (record.attempts, record.score, record.passed_at, record.failed_at) = (0, None, None, None);
    record.completed_at = granted_at;
    // What was opened besides stays begun; what only an attempt began that is gone was never begun.
    if record.last_event_at.is_none() {
        record.started_at = [begun_at, granted_at].into_iter().flatten().min();
    }
    for result in results {
        record.attempts = result.finished;
        grade(record, *result);
        if record.completed_at.is_none() && fulfilled(completion, record, None) {
            record.completed_at = Some(result.at);
        }
    }
    let done = |facts: &Facts| facts.record(ix).is_some_and(|r| r.completed_at.is_some() || r.waived_at.is_some());
    let reopened = done(&before) && !done(facts);
    let mut changes = remember(outline, &before, facts, BTreeSet::from([ix]), now);
    changes.reopened.extend(reopened.then_some(ix));
    changes
}

/// What staff grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exception {
    /// The module need not be done.
    Waive,
    /// The module is open whatever stands before it.
    Unlock,
    /// So many attempts more.
    ExtraAttempts(u32),
    /// The module is done, because an instructor says so.
    Complete,
}

/// Applies what staff grant.
pub fn grant(outline: &Compiled, facts: &mut Facts, ix: ModuleIx, exception: Exception, now: Instant) -> Changes {
    let before = facts.clone();
    let record = facts.record_mut(ix);
    match exception {
        Exception::Waive => record.waived_at = record.waived_at.or(Some(now)),
        Exception::Unlock => record.unlocked_at = record.unlocked_at.or(Some(now)),
        Exception::ExtraAttempts(n) => record.extra_attempts = record.extra_attempts.saturating_add(n),
        Exception::Complete => {
            record.started_at = record.started_at.or(Some(now));
            record.completed_at = record.completed_at.or(Some(now));
            if let Some(redo) = record.redo.as_mut() {
                redo.done_at = redo.done_at.or(Some(now));
            }
        }
    }
    remember(outline, &before, facts, BTreeSet::from([ix]), now)
}

/// The refusal of a module that is not open.
#[must_use]
pub fn refuse(outline: &Compiled, ix: ModuleIx, access: Access) -> Refusal {
    Refusal::locked(&outline.module(ix).key, access)
}
