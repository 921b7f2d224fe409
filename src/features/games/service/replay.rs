//! Replay: the game's whole history scored again by its present rules. A dry run says who would gain and lose; applying it
//! books the difference as new entries and never changes an old one.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::json;
use uuid::Uuid;

use super::booking::{self, New};
use super::{Game, badges, find_locked, refuse, scoring};
use crate::db::Conn;
use crate::domain::facts::LearnerFacts;
use crate::domain::game::ledger::{Entry, adjustments, changes};
use crate::domain::game::points::Occurrence;
use crate::domain::game::scorer::Scorer;
use crate::domain::game::{PointRule, Repeat};
use crate::domain::permission::Act;
use crate::error::AppResult;
use crate::events;
use crate::features::games::dto::{ReplayChange, ReplayIn, ReplayOut};
use crate::features::games::store::{self, PIECE, ledger, teams};
use crate::state::Ctx;

/// Changes listed in an answer at most; the counts are of all.
const LISTED: usize = 1_000;

struct Scored {
    scorer: Scorer,
    due: Vec<Entry>,
    things: Vec<(String, Uuid, String)>,
}

/// Scores the game again by its rules, or previews others.
///
/// # Errors
/// 403, 404, 409, 422.
pub fn replay(conn: &mut Conn, ctx: &Ctx, id: Uuid, input: ReplayIn, dry_run: bool) -> AppResult<ReplayOut> {
    let game = find_locked(conn, ctx, id, Act::WriteGame)?;
    game.require_open()?;
    let mut game = Game::clone(&game);
    if let Some(rules) = input.point_rules {
        if !dry_run {
            return Err(crate::error::AppError::field(
                "/point_rules",
                "only_dry_run",
                "Other rules can only be tried; save them with PATCH, then replay.",
            ));
        }
        game.settings.point_rules = rules;
        refuse(game.settings.faults())?;
        game.settings.name_rules();
    }
    // What was taken back because its cause was undone is balanced by its reversal: it is neither given nor due.
    let undone: HashSet<Uuid> = ledger::reversed_events(conn, id)?.into_iter().collect();
    let mut given = Vec::new();
    let mut after = None;
    loop {
        let page = ledger::by_rules(conn, id, after, 5_000)?;
        let Some((last, ..)) = page.last() else { break };
        after = Some(*last);
        let kept = page.into_iter().filter(|(_, event, _)| event.is_none_or(|event| !undone.contains(&event)));
        given.extend(kept.map(|(_, _, entry)| entry));
    }
    let scored = history(conn, &game, &undone)?;
    let all = changes(&given, &scored.due);
    let gained = all.iter().filter(|change| change.after > change.before).count();
    let points: i64 = all.iter().map(|change| change.after.saturating_sub(change.before)).sum();
    let out = ReplayOut {
        dry_run,
        gain: gained,
        lose: all.len().saturating_sub(gained),
        points_change: points,
        items: all
            .iter()
            .take(LISTED)
            .map(|change| ReplayChange {
                user_id: change.user,
                before: change.before,
                after: change.after,
                change: change.after.saturating_sub(change.before),
            })
            .collect(),
        truncated: all.len() > LISTED,
    };
    if !dry_run {
        apply(conn, ctx, &game, &given, scored)?;
        let data = json!({"gain": out.gain, "lose": out.lose, "points_change": out.points_change});
        events::append(conn, ctx, vec![super::game::event("game.replayed", &game).data(data)])?;
    }
    Ok(out)
}

/// Scores everything that the dispatcher has handed to games so far; what comes later is scored live.
fn history(conn: &mut Conn, game: &Game, undone: &HashSet<Uuid>) -> AppResult<Scored> {
    let rules = &game.settings.point_rules;
    let kinds: BTreeSet<&str> = rules.iter().map(|rule| rule.event.as_str()).collect();
    let kinds: Vec<&str> = kinds.into_iter().collect();
    let until = events::cursor(conn, scoring::CONSUMER.name)?;
    let mut scored = Scored { scorer: Scorer::default(), due: Vec::new(), things: Vec::new() };
    let mut seq = 0;
    let piece = i64::try_from(PIECE).unwrap_or(500);
    loop {
        let page = events::of_kinds(conn, &kinds, seq, until, piece)?;
        let Some(last) = page.last() else { return Ok(scored) };
        seq = last.seq;
        let deeds: Vec<Occurrence> = page
            .into_iter()
            .filter_map(scoring::occurrence)
            .filter(|deed| game.counts_at(deed.at) && !undone.contains(&deed.event_id))
            .filter(|deed| game.row.scope_kind != "course" || game.row.scope_id == deed.course)
            .collect();
        score_page(conn, game, rules, &deeds, &mut scored)?;
    }
}

fn score_page(
    conn: &mut Conn,
    game: &Game,
    rules: &[PointRule],
    deeds: &[Occurrence],
    scored: &mut Scored,
) -> AppResult<()> {
    let users: Vec<Uuid> = deeds.iter().map(|deed| deed.user).collect::<BTreeSet<_>>().into_iter().collect();
    let users = super::game::within_scope(conn, game, users)?;
    let facts = scoring::facts(conn, game, &users)?;
    let stays = if game.has_teams() { teams::stays(conn, game.id(), &users)? } else { HashMap::new() };
    let nobody = LearnerFacts::default();
    for deed in deeds.iter().filter(|deed| users.binary_search(&deed.user).is_ok()) {
        let player = facts.get(&deed.user).unwrap_or(&nobody);
        let team = teams::held_at(stays.get(&deed.user), deed.at);
        for award in scored.scorer.score(rules, deed, player) {
            if rules.iter().any(|rule| rule.key == award.rule && rule.repeat == Repeat::Each) {
                scored.things.push((award.rule, deed.user, award.thing));
            }
            scored.due.push(Entry { user: deed.user, team, points: award.points, at: deed.at });
        }
    }
    Ok(())
}

fn apply(conn: &mut Conn, ctx: &Ctx, game: &Game, given: &[Entry], scored: Scored) -> AppResult<()> {
    let entries: Vec<New> = adjustments(given, &scored.due)
        .into_iter()
        .map(|entry| New {
            user: entry.user,
            team: entry.team,
            points: entry.points,
            kind: "replay",
            rule: None,
            reason: "The rules were changed and replayed.".to_owned(),
            event: None,
            corrects: None,
            dedup: None,
            at: entry.at,
        })
        .collect();
    for piece in entries.chunks(PIECE) {
        let booked = booking::book(conn, ctx, game, piece.to_vec())?;
        let mut users: Vec<Uuid> = booked.after.keys().copied().collect();
        users.sort_unstable();
        badges::by_criteria(conn, ctx, game, &users, &booked)?;
    }
    ledger::forget_progress(conn, game.id())?;
    let changed: Vec<_> =
        scored.scorer.changed().into_iter().map(|((rule, user), had)| (rule.as_str(), *user, had)).collect();
    ledger::save_progress(conn, game.id(), &changed)?;
    store::ledger::add_things(conn, game.id(), &scored.things)
}
