//! The history of a game as it is known now: which deeds were undone or corrected since, and what the rules make of all the others.
//! A replay and what follows from an undone deed go by the same.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::badges::Grant;
use super::membership::Memberships;
use super::scoring::{self, occurrence, reason};
use super::{Game, membership};
use crate::db::Conn;
use crate::domain::facts::LearnerFacts;
use crate::domain::game::history::{History, Past};
use crate::domain::game::points::{Occurrence, condition_holds};
use crate::error::AppResult;
use crate::events::{self, Event};
use crate::features::games::store::{PIECE, ledger, teams};

/// The events that undo others or correct their scores; no others are looked at, live or in a replay.
const AMENDING: [&str; 7] = [
    "attempt.corrected",
    "attempt.deleted",
    "badge.revoked",
    "certificate.revoked",
    "competency.lost",
    "enrollment.reopened",
    "evidence.deleted",
];
/// Events that undo the one by which their subject came to be.
const REVOKING: [(&str, &str); 2] = [("badge.revoked", "badge.awarded"), ("certificate.revoked", "certificate.issued")];
/// People of whom the log is asked at once: of more, SQLite would rather go through the whole log.
const PEOPLE: usize = 50;
/// As [`PIECE`].
const PIECE_I64: i64 = 500;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fate {
    /// It is as if it had not happened.
    Undone,
    /// It happened with this score.
    Rescored(f64),
}

/// What became of an event, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Amendment {
    pub event: Uuid,
    pub fate: Fate,
    pub at: DateTime<Utc>,
}

impl Amendment {
    /// Takes account of it.
    pub fn apply(&self, past: &mut Past) {
        match self.fate {
            Fate::Undone => past.undo(self.event),
            Fate::Rescored(score) => past.rescore(self.event, score),
        }
    }
}

fn undone(event: &Event) -> impl Iterator<Item = Uuid> {
    let list = event.data.get("undoes").and_then(serde_json::Value::as_array);
    list.into_iter().flatten().filter_map(|id| Uuid::try_parse(id.as_str()?).ok())
}

fn rescored(event: &Event) -> impl Iterator<Item = (Uuid, f64)> {
    let list = event.data.get("rescores").and_then(serde_json::Value::as_object);
    list.into_iter().flatten().filter_map(|(id, score)| Some((Uuid::try_parse(id).ok()?, score.as_f64()?)))
}

/// Whether an event undoes others or corrects their scores.
pub(super) fn amends(event: &Event) -> bool {
    let kind = event.kind.as_str();
    AMENDING.contains(&kind)
        && (REVOKING.iter().any(|(revokes, _)| *revokes == kind)
            || undone(event).next().is_some()
            || rescored(event).next().is_some())
}

/// What these events say about others, in their order: a revoked certificate or badge undoes its issue, and the others list ids
/// under `data.undoes` and scores by id under `data.rescores`.
pub(super) fn amendments(conn: &mut Conn, log: &[&Event]) -> AppResult<Vec<Amendment>> {
    let mut by_subject: HashMap<(&str, Uuid), Vec<Uuid>> = HashMap::new();
    for (revokes, gave) in REVOKING {
        let subjects: Vec<Uuid> = log.iter().filter(|event| event.kind == revokes).map(|e| e.subject_id).collect();
        for piece in subjects.chunks(PIECE) {
            for (id, subject) in events::ids_of(conn, gave, piece)? {
                by_subject.entry((revokes, subject)).or_default().push(id);
            }
        }
    }
    let mut all = Vec::new();
    for event in log {
        let at = event.at;
        let subject = by_subject.get(&(event.kind.as_str(), event.subject_id)).into_iter().flatten().copied();
        all.extend(subject.chain(undone(event)).map(|event| Amendment { event, fate: Fate::Undone, at }));
        all.extend(rescored(event).map(|(event, score)| Amendment { event, fate: Fate::Rescored(score), at }));
    }
    Ok(all)
}

/// Users in pieces; one piece for everybody.
fn pieces(users: Option<&[Uuid]>) -> Vec<Option<&[Uuid]>> {
    users.map_or_else(|| vec![None], |users| users.chunks(PEOPLE).map(Some).collect())
}

/// What became of the deeds of all players, or of some, by a position in the log. What was undone when the game was over changes
/// nothing in it.
pub(super) fn past(conn: &mut Conn, game: &Game, users: Option<&[Uuid]>, until: i64) -> AppResult<Past> {
    let mut past = Past::default();
    let mut taken: HashMap<(Uuid, String), DateTime<Utc>> = HashMap::new();
    for piece in pieces(users) {
        let mut seq = 0;
        loop {
            let page = events::of_kinds(conn, &AMENDING, piece, seq, until, PIECE_I64)?;
            let Some(last) = page.last() else { break };
            seq = last.seq;
            let page: Vec<&Event> = page.iter().filter(|event| !game.term().over(event.at)).collect();
            amendments(conn, &page)?.iter().for_each(|amendment| amendment.apply(&mut past));
        }
        taken.extend(ledger::taken_by_hand(conn, game.id(), piece)?.into_iter().map(|(e, rule, at)| ((e, rule), at)));
    }
    let of: Vec<Uuid> = taken.keys().map(|(event, _)| *event).collect::<BTreeSet<_>>().into_iter().collect();
    let in_part: BTreeSet<Uuid> = ledger::caused_by(conn, &of)?
        .into_iter()
        .filter(|entry| entry.game_id == game.id())
        .filter_map(|entry| entry.event_id.zip(entry.rule_key))
        .filter(|cause| !taken.contains_key(cause))
        .map(|(event, _)| event)
        .collect();
    for ((event, rule), at) in taken {
        if !in_part.contains(&event) {
            past.take_all(event, at);
        }
        past.take(event, rule, at);
    }
    Ok(past)
}

/// Where what was given is kept: the same, with the undone events that gave anything counting all the same.
pub(super) fn keeping(conn: &mut Conn, game: &Game, past: Past) -> AppResult<Past> {
    let undone: Vec<Uuid> = past.undone().iter().copied().collect();
    let kept = ledger::caused_by(conn, &undone)?.into_iter().filter(|entry| entry.game_id == game.id());
    Ok(past.keeping(kept.filter_map(|entry| entry.event_id).collect()))
}

/// A badge that a deed earns.
#[derive(Debug, Clone)]
pub(super) struct Earned {
    pub grant: Grant,
    /// The award of another badge that earned it.
    pub through: Option<Uuid>,
    pub at: DateTime<Utc>,
}

impl Earned {
    /// The badge, who earned it, by which event.
    pub fn key(&self) -> (Uuid, Uuid, Option<Uuid>) {
        (self.grant.badge, self.grant.user, self.grant.event)
    }
}

/// What the rules make of a past.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub history: History,
    /// Badges that are earned by events, in the order of the log.
    pub earned: Vec<Earned>,
}

/// Scores all that happened up to a position in the log to all players, or to some, once for each of these pasts.
pub(super) fn tell(
    conn: &mut Conn,
    game: &Game,
    users: Option<&[Uuid]>,
    until: i64,
    pasts: &[Past],
) -> AppResult<Vec<Told>> {
    let by_rules = game.settings.point_rules.iter().map(|rule| rule.event.as_str());
    let by_badges = game.badges.iter().filter_map(|badge| badge.row.award_on.as_deref());
    let kinds: Vec<&str> = by_rules.chain(by_badges).collect::<BTreeSet<_>>().into_iter().collect();
    let mut all = vec![Told::default(); pasts.len()];
    if kinds.is_empty() {
        return Ok(all);
    }
    for piece in pieces(users) {
        let members = membership::load(conn, game, piece, 0)?;
        let mut seq = 0;
        loop {
            let page = events::of_kinds(conn, &kinds, piece, seq, until, PIECE_I64)?;
            let Some(last) = page.last() else { break };
            seq = last.seq;
            let counts = |deed: &Occurrence| scoring::within(game, deed) && members.in_scope(game, deed);
            let deeds: Vec<Occurrence> = page.into_iter().filter_map(occurrence).filter(counts).collect();
            tell_page(conn, game, &members, &deeds, pasts, &mut all)?;
        }
    }
    for told in &mut all {
        told.history = std::mem::take(&mut told.history).ended();
    }
    Ok(all)
}

fn tell_page(
    conn: &mut Conn,
    game: &Game,
    members: &Memberships,
    deeds: &[Occurrence],
    pasts: &[Past],
    all: &mut [Told],
) -> AppResult<()> {
    let users: Vec<Uuid> = deeds.iter().map(|deed| deed.user).collect::<BTreeSet<_>>().into_iter().collect();
    let facts = scoring::facts(conn, game, &users)?;
    let stays = if game.has_teams() { teams::stays(conn, game.id(), &users)? } else { HashMap::new() };
    let nobody = LearnerFacts::default();
    for deed in deeds {
        let player = members.of_then(facts.get(&deed.user).unwrap_or(&nobody), deed);
        let team = teams::held_at(stays.get(&deed.user), deed.at);
        for (told, past) in all.iter_mut().zip(pasts) {
            told.history.deed(&game.settings.point_rules, deed, &player, team, past);
            let Some(seen) = past.seen(deed) else { continue };
            let earns = |badge: &&super::Badge| {
                badge.row.award_on.as_deref() == Some(seen.kind.as_str())
                    && !seen.awards(badge.row.id)
                    && badge.award_where.as_ref().is_none_or(|only| condition_holds(only, &seen, &player))
            };
            told.earned.extend(game.badges.iter().filter(earns).map(|badge| Earned {
                grant: Grant {
                    badge: badge.row.id,
                    user: seen.user,
                    source: "event",
                    reason: reason(&seen),
                    event: Some(seen.event_id),
                },
                through: seen.award(),
                at: seen.at,
            }));
        }
    }
    Ok(())
}
