//! What was given for a cause that is undone: taken back, kept or flagged, as the game says. What is taken back uses up neither
//! `once` nor a cap any longer, in the live game as in its replay.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::booking::{self, New};
use super::{Game, badges, criteria, scoring};
use crate::db::Conn;
use crate::domain::game::scorer::{Award, Scorer};
use crate::domain::game::{Repeat, Revocation};
use crate::error::AppResult;
use crate::events::{self, Event};
use crate::features::games::store::ledger::{self, EntryRow};
use crate::features::games::store::players::{self, FlagRow};
use crate::features::games::store::{badges as badge_store, games};
use crate::state::Ctx;

fn listed(event: &Event) -> impl Iterator<Item = Uuid> {
    let list = event.data.get("undoes").and_then(serde_json::Value::as_array);
    list.into_iter().flatten().filter_map(|id| Uuid::try_parse(id.as_str()?).ok())
}

/// Whether an event undoes others.
pub(super) fn undoes(event: &Event) -> bool {
    event.kind == "certificate.revoked" || listed(event).next().is_some()
}

/// Takes back, keeps or flags what was given for events that these undo: a revoked certificate undoes its issue, and any event
/// may list ids under `data.undoes`.
///
/// # Errors
/// Database errors.
pub(super) fn take_back(conn: &mut Conn, ctx: &Ctx, log: &[Event]) -> AppResult<()> {
    let revoked: HashMap<Uuid, DateTime<Utc>> =
        log.iter().filter(|event| event.kind == "certificate.revoked").map(|e| (e.subject_id, e.at)).collect();
    let mut undone: HashMap<Uuid, DateTime<Utc>> = HashMap::new();
    if !revoked.is_empty() {
        let subjects: Vec<Uuid> = revoked.keys().copied().collect();
        let issued = events::ids_of(conn, "certificate.issued", &subjects)?;
        undone.extend(issued.into_iter().filter_map(|(id, subject)| Some((id, *revoked.get(&subject)?))));
    }
    undone.extend(log.iter().flat_map(|event| listed(event).map(|id| (id, event.at))));
    if undone.is_empty() { Ok(()) } else { undo(conn, ctx, &undone) }
}

/// Undoes what events caused, by the policy of each game and badge. What was undone when a game was over, or is so later than the
/// game was closed, changes nothing there.
fn undo(conn: &mut Conn, ctx: &Ctx, undone: &HashMap<Uuid, DateTime<Utc>>) -> AppResult<()> {
    let causes: Vec<Uuid> = undone.keys().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let concerned = |conn: &mut Conn| -> AppResult<_> {
        Ok((ledger::caused_by(conn, &causes)?, badge_store::caused_by(conn, &causes)?))
    };
    let (entries, awards) = concerned(conn)?;
    let ids: BTreeSet<Uuid> = entries.iter().map(|e| e.game_id).chain(awards.iter().map(|a| a.game_id)).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let rows = games::lock_all(conn, &ids.into_iter().collect::<Vec<_>>())?;
    // Read again: somebody may have taken back by hand what was there before the lock.
    let (entries, awards) = concerned(conn)?;
    let corrected = ledger::corrected(conn, &entries.iter().map(|entry| entry.id).collect::<Vec<_>>())?;
    for game in super::read(conn, rows)? {
        let concerns = |of: Uuid, event: Option<Uuid>| {
            of == game.id() && event.and_then(|event| undone.get(&event)).is_some_and(|at| !game.term().over(*at))
        };
        let mine: Vec<(&EntryRow, i64)> = entries
            .iter()
            .filter(|entry| concerns(entry.game_id, entry.event_id))
            .map(|entry| (entry, entry.points.saturating_add(corrected.get(&entry.id).copied().unwrap_or(0))))
            .filter(|(_, left)| *left != 0)
            .collect();
        match game.settings.revocation {
            Revocation::Keep => {}
            Revocation::Review => {
                let flags: Vec<FlagRow> = mine
                    .iter()
                    .map(|(entry, _)| badges::cause_flag(ctx, game.id(), entry.user_id, Some(entry.id), None))
                    .collect();
                players::raise(conn, &flags)?;
            }
            Revocation::Revoke => {
                free(conn, &game, &mine.iter().map(|(entry, _)| *entry).collect::<Vec<_>>())?;
                let back = mine
                    .iter()
                    .map(|(entry, left)| New {
                        decided_at: entry.event_id.and_then(|event| undone.get(&event)).copied(),
                        ..reversal(entry, left.saturating_neg())
                    })
                    .collect();
                let mut booked = booking::book(conn, ctx, &game, back)?;
                booked.recheck = true;
                let users: Vec<Uuid> = booked.after.keys().copied().collect::<BTreeSet<_>>().into_iter().collect();
                criteria::by_criteria(conn, ctx, &game, &users, &booked)?;
            }
        }
        let lost: Vec<_> = awards.iter().filter(|award| concerns(award.game_id, award.event_id)).cloned().collect();
        badges::cause_gone(conn, ctx, &game, lost)?;
    }
    Ok(())
}

/// Lets rules give again what these entries gave, which is taken back whole.
///
/// # Errors
/// Database errors.
pub(super) fn free(conn: &mut Conn, game: &Game, entries: &[&EntryRow]) -> AppResult<()> {
    let given: Vec<(&EntryRow, &String)> = entries
        .iter()
        .filter(|entry| entry.kind == "rule")
        .filter_map(|entry| Some((*entry, entry.rule_key.as_ref()?)))
        .collect();
    if given.is_empty() {
        return Ok(());
    }
    let users: Vec<Uuid> = given.iter().map(|(entry, _)| entry.user_id).collect::<BTreeSet<_>>().into_iter().collect();
    let mut scorer = Scorer::default();
    for (user, rule, progress) in ledger::progress(conn, game.id(), &users)? {
        scorer.load(rule, user, progress);
    }
    let each = |key: &String| game.settings.point_rules.iter().any(|r| r.key == *key && r.repeat == Repeat::Each);
    let causes: Vec<Uuid> = given.iter().filter(|(_, rule)| each(rule)).filter_map(|(e, _)| e.event_id).collect();
    let things: HashMap<Uuid, String> = if causes.is_empty() {
        HashMap::new()
    } else {
        let deeds = events::by_ids(conn, &causes)?.into_iter().filter_map(scoring::occurrence);
        deeds.map(|deed| (deed.event_id, deed.thing())).collect()
    };
    let mut gone = HashSet::new();
    for (entry, rule) in given {
        let thing = entry.event_id.and_then(|event| things.get(&event)).cloned().unwrap_or_default();
        gone.insert((rule.clone(), entry.user_id, thing.clone()));
        scorer.give_back(entry.user_id, &Award { rule: rule.clone(), thing, points: entry.points }, entry.at);
    }
    let changed: Vec<_> = scorer.changed().into_iter().map(|((rule, user), had)| (rule.as_str(), *user, had)).collect();
    ledger::save_progress(conn, game.id(), &changed)?;
    if things.is_empty() {
        return Ok(());
    }
    // What else these players had of these things stays.
    let of: Vec<String> = things.into_values().collect::<BTreeSet<_>>().into_iter().collect();
    let mut kept = ledger::things(conn, game.id(), &users, &of)?;
    kept.retain(|had| !gone.contains(had));
    ledger::forget_things(conn, game.id(), &users, &of)?;
    ledger::add_things(conn, game.id(), &kept)
}

/// The entry that takes back so much of another, for the same instant and team.
pub(super) fn reversal(entry: &EntryRow, points: i64) -> New {
    New {
        user: entry.user_id,
        team: entry.team_id,
        points,
        kind: "reversal",
        rule: entry.rule_key.clone(),
        reason: format!("Taken back: {}", entry.reason),
        event: entry.event_id,
        corrects: Some(entry.id),
        dedup: None,
        at: entry.at,
        decided_at: None,
    }
}
