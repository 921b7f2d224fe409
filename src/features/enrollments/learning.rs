//! Use cases of doing: learning events, choices, exceptions, upgrades.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Value, json};
use uuid::Uuid;

use super::dto::{ActOut, ChoiceIn, EventIn, EventResult, EventStatus, EventsOut, OverrideIn, UpgradeIn, UpgradeOut};
use super::state::{self, Loaded, find_locked, load, require_learning};
use super::store::{self, NewOverride, StoredEvent};
use crate::db::Conn;
use crate::domain::learning::{self, Changes, EventFault, Exception, Happening, LearningEvent, Refusal, Timing};
use crate::domain::outline::ModuleIx;
use crate::domain::path;
use crate::domain::permission::Act;
use crate::domain::upgrade;
use crate::error::{AppError, AppResult, Code, Fault, Faults};
use crate::features::courses;
use crate::http::Conditions;
use crate::http::body::from_value;
use crate::state::Ctx;

/// Turns a refusal of the domain into an error: 403 for what is locked, 409 for what a state forbids, 422 for what makes no sense.
#[must_use]
pub fn refused(refusal: Refusal) -> AppError {
    let code = match refusal.code {
        "module_locked" | "stage_locked" | "branch_locked" | "branch_unfinished" => Code::ModuleLocked,
        "module_hidden" => Code::ModuleHidden,
        "attempts_exhausted" | "choice_begun" | "nothing_to_choose" | "routed_automatically" => Code::WrongState,
        _ => Code::EventRejected,
    };
    let mut error = AppError::new(code, refusal.detail).with("reason", refusal.code);
    if !refusal.faults.is_empty() {
        let fault = |f: EventFault| Fault { pointer: format!("/{}", f.member), code: f.code.into(), detail: f.detail };
        error = error.with_errors(refusal.faults.into_iter().map(fault).collect());
    }
    if let Some(access) = refusal.access {
        error = error
            .with("state", access.state)
            .with("reasons", access.reasons)
            .with("actions", access.actions)
            .with("opens_at", access.opens_at);
    }
    error
}

/// An event with where it stood in the batch.
type Numbered = (usize, LearningEvent);

struct Sorted {
    results: Vec<Option<EventResult>>,
    events: Vec<Numbered>,
    /// The first of those that cannot be events of this course, as an error.
    refused: Option<AppError>,
}

fn rejected(id: Uuid, error: &AppError) -> EventResult {
    EventResult { id, status: EventStatus::Rejected, error: Some(error.verdict()) }
}

/// Sets aside duplicates and what cannot be an event of this course.
fn sort(conn: &mut Conn, loaded: &Loaded, input: &[EventIn], ctx: &Ctx) -> AppResult<Sorted> {
    let ids: Vec<Uuid> = input.iter().map(|event| event.parts().0).collect();
    let mut known: HashSet<Uuid> = store::known_events(conn, loaded.row.id, &ids)?.into_iter().collect();
    let mut sorted = Sorted { results: vec![None; input.len()], events: Vec::new(), refused: None };
    for (n, event) in input.iter().enumerate() {
        let (id, key, at, what) = event.parts();
        let verdict = if known.contains(&id) {
            Some(EventResult { id, status: EventStatus::Duplicate, error: None })
        } else {
            let module = loaded.outline.ix(key);
            let timing = learning::settle_time(at, loaded.row.enrolled_at, ctx.now);
            // All that is wrong with it at once: whoever mends one fault should not meet the next.
            let mut faults = Vec::new();
            if module.is_none() {
                let detail = format!("The course has no module `{key}`.");
                faults.push(EventFault::new("module", "unknown_module", detail));
            }
            faults.extend(learning::faults(&loaded.outline, module, what));
            faults.extend(timing.as_ref().err().cloned());
            match (module, timing, Refusal::of_faults(faults)) {
                (Some(module), Ok(Timing { at, sent_at }), None) => {
                    known.insert(id);
                    sorted.events.push((n, LearningEvent { id, module, at, sent_at, what }));
                    None
                }
                (_, _, refusal) => refusal.map(|refusal| {
                    let error = refused(refusal);
                    let verdict = rejected(id, &error);
                    sorted.refused.get_or_insert(error);
                    verdict
                }),
            }
        };
        if let Some(slot) = sorted.results.get_mut(n) {
            *slot = verdict;
        }
    }
    Ok(sorted)
}

/// The stored events of modules whose record must be folded again.
fn history(
    conn: &mut Conn,
    loaded: &Loaded,
    modules: &BTreeSet<ModuleIx>,
) -> AppResult<HashMap<ModuleIx, Vec<LearningEvent>>> {
    if modules.is_empty() {
        return Ok(HashMap::new());
    }
    let keys: Vec<&str> = modules.iter().map(|ix| loaded.outline.module(*ix).key.as_str()).collect();
    let mut all: HashMap<ModuleIx, Vec<LearningEvent>> = HashMap::new();
    for event in stored_events(conn, loaded, &keys, None)? {
        all.entry(event.module).or_default().push(event);
    }
    Ok(all)
}

/// Stored events of some modules, or all, as the domain has them.
pub(super) fn stored_events(
    conn: &mut Conn,
    loaded: &Loaded,
    keys: &[&str],
    until: Option<chrono::DateTime<chrono::Utc>>,
) -> AppResult<Vec<LearningEvent>> {
    let mut all = Vec::new();
    for (event, received_at) in store::events(conn, loaded.row.id, keys, until)? {
        let Timing { at, sent_at } = Timing::of(event.sent_at, loaded.row.enrolled_at, received_at);
        let Some(module) = loaded.outline.ix(&event.module).filter(|_| until.is_none_or(|until| at <= until)) else {
            continue;
        };
        let what: Happening = serde_json::from_str(&event.data).map_err(AppError::internal)?;
        all.push(LearningEvent { id: event.id, module, at, sent_at, what });
    }
    Ok(all)
}

/// Applies a batch of learning events as they were sent; also one that cannot be read gets a verdict, by its id.
///
/// # Errors
/// 403, 404, 409; 422 naming every fault of the batch when an event's id cannot be read.
pub fn record_batch(conn: &mut Conn, ctx: &Ctx, id: Uuid, input: Vec<Value>) -> AppResult<EventsOut> {
    // What is wrong with any of them, told only when the batch is refused: who has to send it again mends all at once.
    let mut faults = Faults::new();
    let mut nameless = false;
    let mut unreadable: Vec<(usize, EventResult)> = Vec::new();
    let mut events = Vec::with_capacity(input.len());
    for (n, value) in input.into_iter().enumerate() {
        let named = value.get("id").and_then(Value::as_str).and_then(|text| Uuid::try_parse(text).ok());
        match from_value::<EventIn>(value) {
            Ok(event) => events.push(event),
            Err(error) => {
                for fault in error.errors() {
                    faults.add(format!("/events/{n}{}", fault.pointer), fault.code.clone(), fault.detail.clone());
                }
                match named {
                    Some(id) => unreadable.push((n, rejected(id, &error))),
                    None => nameless = true,
                }
            }
        }
    }
    if nameless {
        faults.finish()?;
    }
    let mut out = record(conn, ctx, id, &events, false)?;
    for (n, verdict) in unreadable {
        out.results.insert(n.min(out.results.len()), verdict);
    }
    Ok(out)
}

/// Applies learning events; each gets its own verdict.
///
/// # Errors
/// 403, 404, 409. One event alone that is rejected is an error itself.
pub fn record(conn: &mut Conn, ctx: &Ctx, id: Uuid, input: &[EventIn], alone: bool) -> AppResult<EventsOut> {
    let row = find_locked(conn, ctx, id, Act::Learn)?;
    require_learning(&row, ctx.now)?;
    let mut loaded = load(conn, row)?;
    let mut sorted = sort(conn, &loaded, input, ctx)?;
    if let Some(error) = sorted.refused.take().filter(|_| alone) {
        return Err(error);
    }
    let events: Vec<LearningEvent> = sorted.events.iter().map(|(_, event)| event.clone()).collect();
    let late = learning::needs_history(&loaded.facts, &events);
    let history = history(conn, &loaded, &late)?;
    let outline = std::sync::Arc::clone(&loaded.outline);
    let mut book = loaded.book(conn, &events)?;
    let (verdicts, changes) =
        learning::record_events(&outline, loaded.facts_mut(), &events, &history, book.as_mut(), ctx.now);
    let mut accepted = Vec::new();
    for ((n, event), verdict) in sorted.events.iter().zip(verdicts) {
        let result = match verdict {
            Ok(()) => {
                let data = serde_json::to_string(&event.what).map_err(AppError::internal)?;
                let module = outline.module(event.module).key.clone();
                accepted.push(StoredEvent { id: event.id, module, sent_at: event.sent_at, data });
                EventResult { id: event.id, status: EventStatus::Applied, error: None }
            }
            Err(refusal) => {
                let error = refused(refusal);
                if alone {
                    return Err(error);
                }
                rejected(event.id, &error)
            }
        };
        if let Some(slot) = sorted.results.get_mut(*n) {
            *slot = Some(result);
        }
    }
    let results: Vec<EventResult> = sorted.results.into_iter().flatten().collect();
    if accepted.is_empty() {
        let standing = loaded.standing(ctx);
        let certificate_id = loaded.certificate(conn)?;
        return Ok(EventsOut { results, enrollment: loaded.brief()?, next: standing.next, certificate_id });
    }
    store::insert_events(conn, id, &accepted, ctx.now)?;
    let outcome = loaded.save(conn, ctx, &changes, Vec::new())?;
    Ok(EventsOut {
        results,
        enrollment: loaded.brief()?,
        next: outcome.standing.next,
        certificate_id: outcome.certificate_id,
    })
}

fn acted(
    conn: &mut Conn,
    ctx: &Ctx,
    loaded: &mut Loaded,
    changes: &Changes,
    log: Vec<crate::events::NewEvent>,
) -> AppResult<ActOut> {
    let outcome = loaded.save(conn, ctx, changes, log)?;
    Ok(ActOut { enrollment: loaded.brief()?, next: outcome.standing.next, certificate_id: outcome.certificate_id })
}

/// Chooses a branch.
///
/// # Errors
/// 403, 404, 409, 422.
pub fn choose(conn: &mut Conn, ctx: &Ctx, id: Uuid, input: &ChoiceIn) -> AppResult<ActOut> {
    let row = find_locked(conn, ctx, id, Act::Learn)?;
    require_learning(&row, ctx.now)?;
    let mut loaded = load(conn, row)?;
    let outline = std::sync::Arc::clone(&loaded.outline);
    let changes =
        learning::choose(&outline, loaded.facts_mut(), &input.stage, &input.branch, ctx.now).map_err(|refusal| {
            let at = match refusal.code {
                "unknown_stage" | "not_a_choice" => Some("/stage"),
                "unknown_branch" => Some("/branch"),
                _ => None,
            };
            match at {
                Some(at) => AppError::field(at, refusal.code, refusal.detail),
                None => refused(refusal),
            }
        })?;
    acted(conn, ctx, &mut loaded, &changes, Vec::new())
}

fn number(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// Grants an exception, or completes a module by an instructor's word.
///
/// # Errors
/// 403, 404, 409.
pub fn grant(
    conn: &mut Conn,
    ctx: &Ctx,
    id: Uuid,
    key: &str,
    exception: Exception,
    reason: Option<&str>,
) -> AppResult<ActOut> {
    let row = find_locked(conn, ctx, id, Act::GrantException)?;
    require_learning(&row, ctx.now)?;
    let mut loaded = load(conn, row)?;
    let ix = loaded.ix(key)?;
    let (kind, amount) = match exception {
        Exception::Waive => ("waive", None),
        Exception::Unlock => ("unlock", None),
        Exception::ExtraAttempts(n) => ("extra_attempts", Some(number(n))),
        Exception::Complete => ("complete", None),
    };
    if matches!(exception, Exception::ExtraAttempts(_)) && loaded.outline.module(ix).quiz().is_none() {
        return Err(AppError::field("/kind", "not_a_quiz", format!("`{key}` is no quiz, so it has no attempts.")));
    }
    let outline = std::sync::Arc::clone(&loaded.outline);
    let changes = learning::grant(&outline, loaded.facts_mut(), ix, exception, ctx.now);
    let new = NewOverride {
        id: ctx.new_id(),
        enrollment: id,
        module: key,
        kind,
        amount,
        reason,
        made_by: ctx.actor.id(),
        at: ctx.now,
    };
    store::insert_override(conn, &new)?;
    let log = vec![
        loaded.event("override.granted").data(json!({"module": key, "kind": kind, "amount": amount, "reason": reason})),
    ];
    acted(conn, ctx, &mut loaded, &changes, log)
}

/// The domain's word for what an override grants.
#[must_use]
pub fn exception(input: &OverrideIn) -> Exception {
    match input {
        OverrideIn::Waive(_) => Exception::Waive,
        OverrideIn::Unlock(_) => Exception::Unlock,
        OverrideIn::ExtraAttempts(extra) => Exception::ExtraAttempts(extra.attempts),
    }
}

/// Moves an enrollment to a newer revision; with `dry_run` only tells what would go along.
///
/// # Errors
/// 403, 404, 409, 412, 422.
pub fn upgrade(
    conn: &mut Conn,
    ctx: &Ctx,
    id: Uuid,
    input: &UpgradeIn,
    conditions: &Conditions,
) -> AppResult<UpgradeOut> {
    let row = find_locked(conn, ctx, id, Act::LeaveOrUpgrade)?;
    conditions.require(row.version)?;
    require_learning(&row, ctx.now)?;
    let course = courses::row(conn, row.course_id)?.ok_or_else(|| AppError::not_found("course"))?;
    let (from, to) = (row.revision, input.revision.unwrap_or(course.latest_revision));
    let target = store::revision_id(conn, row.course_id, to)?;
    let target =
        target.ok_or_else(|| AppError::field("/revision", "unknown_revision", "The course has no such revision."))?;
    if to <= from {
        return Err(AppError::new(Code::WrongState, format!("The enrollment is on revision {from} already.")));
    }
    let mut loaded = load(conn, row)?;
    let new = state::outline(conn, target)?;
    let carried = upgrade::carry_over(&loaded.outline, &new, &loaded.facts);
    let mut facts = carried.facts;
    if new.needs != loaded.outline.needs {
        facts.learner = state::load_learner(conn, loaded.row.user_id, &new.needs)?;
    }
    loaded.outline = std::sync::Arc::clone(&new);
    loaded.facts = std::sync::Arc::new(facts);
    loaded.row.revision = to;
    loaded.row.revision_id = Some(target);
    loaded.mark()?;
    let events = stored_events(conn, &loaded, &[], None)?;
    let taken = super::reading::taken(conn, &loaded, ctx.now)?;
    let changes = learning::judge_anew(&new, loaded.facts_mut(), events, &taken, ctx.now);
    let mut next = None;
    let mut certificate_id = None;
    if input.dry_run {
        let standing = path::standing(&loaded.outline, &loaded.facts, ctx.now);
        loaded.stand(ctx, &standing)?;
        next = Some(standing.next);
    } else {
        // Records of modules that are gone stay in the learning events; the path of the new revision has no place for them.
        let gone: Vec<String> = carried.dropped.iter().map(|d| d.key.clone()).collect();
        store::delete_records_of(conn, id, &gone)?;
        let branches: Vec<&str> = gone.iter().map(String::as_str).collect();
        store::delete_choices(conn, id, &branches)?;
        store::move_to_revision(conn, id, (target, to))?;
        let data = json!({"from": from, "to": to, "carried": carried.carried.len(), "dropped": carried.dropped});
        let log = vec![loaded.event("enrollment.upgraded").data(data)];
        let outcome = loaded.save(conn, ctx, &changes, log)?;
        certificate_id = outcome.certificate_id;
        next = next.or(Some(outcome.standing.next));
    }
    Ok(UpgradeOut {
        enrollment: loaded.brief()?,
        from_revision: from,
        to_revision: to,
        carried: carried.carried,
        dropped: carried.dropped,
        next: next.unwrap_or_default(),
        certificate_id,
    })
}
