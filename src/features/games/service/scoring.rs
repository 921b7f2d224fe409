//! The consumer of the event log that gives points and badges; `undoing` takes back what was given for a cause that is undone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::TimeDelta;
use uuid::Uuid;

use super::booking::{self, Booked, New};
use super::{Badge, Game, badges, clearing, criteria, history, membership, undoing};
use crate::db::Conn;
use crate::domain::condition::Condition;
use crate::domain::facts::LearnerFacts;
use crate::domain::game::Repeat;
use crate::domain::game::points::{Occurrence, condition_holds};
use crate::domain::game::scorer::Scorer;
use crate::domain::outline::FactNeeds;
use crate::error::AppResult;
use crate::events::Event;
use crate::events::dispatch::Consumer;
use crate::features::games::store::players::FlagRow;
use crate::features::games::store::{self, teams};
use crate::state::Ctx;

/// Gives points within a second of the event.
pub const CONSUMER: Consumer = Consumer { name: "games", handle: consume };

/// An event as games see it, if it is somebody's deed.
pub(super) fn occurrence(event: Event) -> Option<Occurrence> {
    Some(Occurrence {
        event_id: event.id,
        seq: event.seq,
        user: event.user_id?,
        kind: event.kind,
        at: event.at,
        course: event.course_id,
        subject: event.subject_id,
        data: event.data,
    })
}

fn consume(conn: &mut Conn, ctx: &Ctx, log: &[Event]) -> AppResult<()> {
    // In the order of the log: what is undone may have been given a moment before, and what it freed is given again after.
    for piece in log.chunk_by(|one, next| history::amends(one) || !history::amends(next)) {
        undoing::take_back(conn, ctx, piece)?;
        give(conn, ctx, piece)?;
    }
    // Whoever is erased plays no more: no team counts them among its members.
    let erased = log.iter().filter(|event| event.kind == "user.erased").filter_map(|event| event.user_id);
    teams::leave_all(conn, &erased.collect::<Vec<_>>(), ctx.now)
}

fn give(conn: &mut Conn, ctx: &Ctx, log: &[Event]) -> AppResult<()> {
    let deeds: Vec<Occurrence> = log.iter().cloned().filter_map(occurrence).collect();
    let concerned = concerned(conn, &deeds)?;
    if concerned.is_empty() {
        return Ok(());
    }
    let rows = store::games::lock_all(conn, &concerned)?;
    for game in super::read(conn, rows)? {
        let mine: Vec<&Occurrence> = deeds.iter().filter(|deed| concerns(&game, deed)).collect();
        score(conn, ctx, &game, &mine)?;
    }
    Ok(())
}

/// The open games that give anything for one of these deeds.
pub(super) fn concerned(conn: &mut Conn, deeds: &[Occurrence]) -> AppResult<Vec<Uuid>> {
    let versions = if deeds.is_empty() { Vec::new() } else { store::games::open_versions(conn)? };
    if versions.is_empty() {
        return Ok(Vec::new());
    }
    let unknown: Vec<Uuid> =
        versions.iter().filter(|key| super::GAMES.get(*key).is_none()).map(|(id, _)| *id).collect();
    if !unknown.is_empty() {
        let rows = store::games::by_ids(conn, &unknown)?;
        super::read(conn, rows)?;
    }
    Ok(versions
        .iter()
        .filter_map(|key| super::GAMES.get(key))
        .filter(|game| deeds.iter().any(|deed| concerns(game, deed)))
        .map(|game| game.id())
        .collect())
}

/// Whether a game gives anything for such an event, at this time, in this scope. Who was in a group is looked up later.
fn concerns(game: &Game, deed: &Occurrence) -> bool {
    let named = game.settings.point_rules.iter().any(|rule| rule.event == deed.kind)
        || game.badges.iter().any(|badge| badge.row.award_on.as_deref() == Some(deed.kind.as_str()));
    named && within(game, deed)
}

/// Whether a deed was done in the course and the time of a game.
pub(super) fn within(game: &Game, deed: &Occurrence) -> bool {
    let in_course = game.row.scope_kind != "course" || game.row.scope_id == deed.course;
    in_course && game.term().counts(deed.at)
}

/// What the conditions of a game's rules and badges ask about players.
pub(super) fn needs(game: &Game) -> FactNeeds {
    let rules = game.settings.point_rules.iter().filter_map(|rule| rule.only_where.as_ref());
    let badges = game.badges.iter().filter_map(|badge| badge.award_where.as_ref());
    FactNeeds::of(&Condition::All(rules.chain(badges).cloned().collect()))
}

/// What is known of these players.
pub(super) fn facts(conn: &mut Conn, game: &Game, users: &[Uuid]) -> AppResult<HashMap<Uuid, LearnerFacts>> {
    let needs = needs(game);
    if !needs.beyond_enrollment() {
        return Ok(HashMap::new());
    }
    let mut all = store::facts::load(conn, users, &needs)?;
    super::points::add_facts(conn, &needs, &mut all)?;
    Ok(all)
}

fn score(conn: &mut Conn, ctx: &Ctx, game: &Arc<Game>, deeds: &[&Occurrence]) -> AppResult<()> {
    let doers = |deeds: &[&Occurrence]| -> Vec<Uuid> {
        deeds.iter().map(|deed| deed.user).collect::<BTreeSet<_>>().into_iter().collect()
    };
    let Some(first) = deeds.iter().map(|deed| deed.seq).min() else { return Ok(()) };
    let last = deeds.iter().map(|deed| deed.seq).max().unwrap_or(first);
    let members = membership::load(conn, game, Some(&doers(deeds)), first)?;
    let deeds: Vec<&Occurrence> = deeds.iter().filter(|deed| members.in_scope(game, deed)).copied().collect();
    if deeds.is_empty() {
        return Ok(());
    }
    let users = doers(&deeds);
    let facts = facts(conn, game, &users)?;
    let stays = if game.has_teams() { teams::stays(conn, game.id(), &users)? } else { HashMap::new() };
    let mut scorer = Scorer::default();
    for (user, rule, progress) in store::ledger::progress(conn, game.id(), &users)? {
        scorer.load(rule, user, progress);
    }
    if game.settings.point_rules.iter().any(|rule| rule.repeat == Repeat::Each) {
        let things: Vec<String> = deeds.iter().map(|deed| deed.thing()).collect::<BTreeSet<_>>().into_iter().collect();
        for (rule, user, thing) in store::ledger::things(conn, game.id(), &users, &things)? {
            scorer.load_thing(rule, user, thing);
        }
    }
    let (mut entries, mut things, mut earned) = (Vec::new(), Vec::new(), Vec::new());
    let nobody = LearnerFacts::default();
    for deed in deeds {
        let player = members.of_then(facts.get(&deed.user).unwrap_or(&nobody), deed);
        let team = teams::held_at(stays.get(&deed.user), deed.at);
        for award in scorer.score(&game.settings.point_rules, deed, &player) {
            let each = game.settings.point_rules.iter().any(|r| r.key == award.rule && r.repeat == Repeat::Each);
            if each {
                things.push((award.rule.clone(), deed.user, award.thing.clone()));
            }
            entries.push(New {
                user: deed.user,
                team,
                points: award.points,
                kind: "rule",
                reason: reason(deed),
                dedup: Some(format!("{}:{}:{}", game.id(), award.rule, deed.event_id)),
                rule: Some(award.rule),
                event: Some(deed.event_id),
                corrects: None,
                at: deed.at,
                follows: false,
            });
        }
        let by_event = |badge: &&Badge| {
            badge.row.award_on.as_deref() == Some(deed.kind.as_str())
                && !deed.awards(badge.row.id)
                && badge.award_where.as_ref().is_none_or(|only| condition_holds(only, deed, &player))
        };
        earned.extend(game.badges.iter().filter(by_event).map(|badge| badges::Grant {
            badge: badge.row.id,
            user: deed.user,
            source: "event",
            reason: reason(deed),
            event: Some(deed.event_id),
        }));
    }
    let changed: Vec<_> = scorer.changed().into_iter().map(|((rule, user), had)| (rule.as_str(), *user, had)).collect();
    store::ledger::save_progress(conn, game.id(), &changed)?;
    store::ledger::add_things(conn, game.id(), &things)?;
    let booked = booking::book(conn, ctx, game, entries)?;
    badges::grant(conn, ctx, game, earned)?;
    criteria::by_criteria(conn, ctx, game, &users, &booked)?;
    clearing::clear(conn, ctx, game, &users, last)?;
    watch(conn, ctx, game, &booked)
}

/// What an event was about, for people.
pub(super) fn reason(deed: &Occurrence) -> String {
    match deed.module() {
        Some(module) => format!("{} {module}", deed.kind),
        None => deed.kind.clone(),
    }
}

/// Flags players who earn faster than the game's guard allows.
fn watch(conn: &mut Conn, ctx: &Ctx, game: &Game, booked: &Booked) -> AppResult<()> {
    let Some(guard) = game.settings.guard else { return Ok(()) };
    let mut users: Vec<Uuid> = booked.after.keys().copied().collect();
    users.sort_unstable();
    if users.is_empty() {
        return Ok(());
    }
    let minute = ctx.now - TimeDelta::minutes(1);
    let mut sums: BTreeMap<Uuid, (i64, i64)> = BTreeMap::new();
    for (user, points, at) in store::ledger::recent(conn, game.id(), &users, ctx.now - TimeDelta::hours(1))? {
        let sum = sums.entry(user).or_default();
        sum.0 = sum.0.saturating_add(points);
        sum.1 = sum.1.saturating_add(i64::from(at >= minute));
    }
    let mut flags = Vec::new();
    let mut flag = |user, kind: &str, detail: String| {
        flags.push(FlagRow {
            id: ctx.new_id(),
            game_id: game.id(),
            user_id: user,
            kind: kind.to_owned(),
            detail,
            entry_id: None,
            award_id: None,
            state: "open".to_owned(),
            note: None,
            resolved_by: None,
            resolved_at: None,
            at: ctx.now,
        });
    };
    for (user, (points, awards)) in sums {
        if guard.max_points_per_hour.is_some_and(|most| points > most) {
            flag(user, "too_many_points", format!("{points} points within an hour."));
        }
        if guard.max_awards_per_minute.is_some_and(|most| awards > most) {
            flag(user, "too_fast", format!("{awards} entries within a minute."));
        }
    }
    store::players::raise(conn, &flags)
}
