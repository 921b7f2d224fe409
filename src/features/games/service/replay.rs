//! Replay: the game's whole history scored again by its present rules. A dry run says who would gain and lose; applying it
//! books the difference as new entries and never changes an old one.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::booking::{self, Booked, New};
use super::{Game, criteria, find_locked, refuse, scoring};
use crate::db::Conn;
use crate::domain::facts::LearnerFacts;
use crate::domain::game::ledger::{Entry, adjustments, changes};
use crate::domain::game::points::Occurrence;
use crate::domain::game::scorer::{Award, Scorer};
use crate::domain::game::{PointRule, Repeat};
use crate::domain::permission::Act;
use crate::error::AppResult;
use crate::events;
use crate::features::games::dto::{ReplayChange, ReplayIn, ReplayOut};
use crate::features::games::store::{PIECE, ledger, players, teams};
use crate::state::Ctx;

/// Changes listed in an answer at most; the counts are of all.
const LISTED: usize = 1_000;
/// As [`PIECE`].
const PIECE_I64: i64 = 500;

/// What was given and taken back because its cause was undone.
#[derive(Default)]
struct Undone {
    rules: HashMap<(Uuid, String), DateTime<Utc>>,
    whole: HashMap<Uuid, DateTime<Utc>>,
}

impl Undone {
    /// When what a rule gives for an event was taken back. Of an event of which all was taken back, that holds for every rule.
    fn at(&self, event: Uuid, rule: &str) -> Option<DateTime<Utc>> {
        self.rules.get(&(event, rule.to_owned())).or_else(|| self.whole.get(&event)).copied()
    }
}

/// Points that are given in the course of the history and taken back later in it.
struct Lent {
    until: DateTime<Utc>,
    award: Award,
    at: DateTime<Utc>,
}

struct Scored {
    scorer: Scorer,
    due: Vec<Entry>,
    things: Vec<(String, Uuid, String)>,
    lent: HashMap<Uuid, Vec<Lent>>,
}

impl Scored {
    /// Gives back what was undone before an instant, as the live game did at that point.
    fn settle(&mut self, user: Uuid, now: DateTime<Utc>) {
        let Some(lent) = self.lent.get_mut(&user) else { return };
        for back in lent.extract_if(.., |lent| lent.until <= now) {
            self.scorer.give_back(user, &back.award, back.at);
        }
    }

    fn settle_all(&mut self) {
        for (user, lent) in std::mem::take(&mut self.lent) {
            for back in lent {
                self.scorer.give_back(user, &back.award, back.at);
            }
        }
    }
}

/// Scores the game again by its rules, or previews others.
///
/// # Errors
/// 403, 404, 409, 422.
pub fn replay(conn: &mut Conn, ctx: &Ctx, id: Uuid, input: ReplayIn, dry_run: bool) -> AppResult<ReplayOut> {
    let game = find_locked(conn, ctx, id, Act::WriteGame)?;
    game.require_open(ctx.now)?;
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
    let mut undone = Undone::default();
    for (event, rule, at) in ledger::reversed(conn, id)? {
        undone.whole.insert(event, at);
        undone.rules.extend(rule.map(|rule| ((event, rule), at)));
    }
    let mut given = Vec::new();
    let mut in_part = HashSet::new();
    let mut after = None;
    loop {
        let page = ledger::by_rules(conn, id, after, 5_000)?;
        let Some((last, ..)) = page.last() else { break };
        after = Some(*last);
        for (_, event, rule, entry) in page {
            if event.zip(rule).is_some_and(|cause| undone.rules.contains_key(&cause)) {
                continue;
            }
            in_part.extend(event);
            given.push(entry);
        }
    }
    undone.whole.retain(|event, _| !in_part.contains(event));
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
fn history(conn: &mut Conn, game: &Game, undone: &Undone) -> AppResult<Scored> {
    let rules = &game.settings.point_rules;
    let kinds: BTreeSet<&str> = rules.iter().map(|rule| rule.event.as_str()).collect();
    let kinds: Vec<&str> = kinds.into_iter().collect();
    let until = events::cursor(conn, scoring::CONSUMER.name)?;
    let mut scored = Scored { scorer: Scorer::default(), due: Vec::new(), things: Vec::new(), lent: HashMap::new() };
    let mut seq = 0;
    loop {
        let page = events::of_kinds(conn, &kinds, seq, until, PIECE_I64)?;
        let Some(last) = page.last() else {
            scored.settle_all();
            return Ok(scored);
        };
        seq = last.seq;
        let deeds: Vec<Occurrence> = page
            .into_iter()
            .filter_map(scoring::occurrence)
            .filter(|deed| game.term().counts(deed.at))
            .filter(|deed| game.course().is_none() || game.course() == deed.course)
            .collect();
        score_page(conn, game, undone, &deeds, &mut scored)?;
    }
}

fn score_page(
    conn: &mut Conn,
    game: &Game,
    undone: &Undone,
    deeds: &[Occurrence],
    scored: &mut Scored,
) -> AppResult<()> {
    let rules: &[PointRule] = &game.settings.point_rules;
    let users: Vec<Uuid> = deeds.iter().map(|deed| deed.user).collect::<BTreeSet<_>>().into_iter().collect();
    let users = super::game::within_scope(conn, game, users)?;
    let facts = scoring::facts(conn, game, &users)?;
    let stays = if game.has_teams() { teams::stays(conn, game.id(), &users)? } else { HashMap::new() };
    let nobody = LearnerFacts::default();
    for deed in deeds.iter().filter(|deed| users.binary_search(&deed.user).is_ok()) {
        let player = facts.get(&deed.user).unwrap_or(&nobody);
        let team = teams::held_at(stays.get(&deed.user), deed.at);
        scored.settle(deed.user, deed.at);
        for award in scored.scorer.score(rules, deed, player) {
            if let Some(until) = undone.at(deed.event_id, &award.rule) {
                scored.lent.entry(deed.user).or_default().push(Lent { until, award, at: deed.at });
                continue;
            }
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
            decided_at: None,
        })
        .collect();
    ledger::forget_progress(conn, game.id())?;
    let changed: Vec<_> =
        scored.scorer.changed().into_iter().map(|((rule, user), had)| (rule.as_str(), *user, had)).collect();
    ledger::save_progress(conn, game.id(), &changed)?;
    ledger::add_things(conn, game.id(), &scored.things)?;
    for piece in entries.chunks(PIECE) {
        booking::book(conn, ctx, game, piece.to_vec())?;
    }
    if game.badges.iter().all(|badge| badge.criteria.is_none()) {
        return Ok(());
    }
    // Whoever has neither gained nor lost points may still have had them of a rule more or less often than before.
    let all = Booked { recheck: true, ..Booked::default() };
    let mut after = None;
    loop {
        let users = players::ids(conn, game.id(), after, PIECE_I64)?;
        let Some(last) = users.last() else { return Ok(()) };
        after = Some(*last);
        criteria::by_criteria(conn, ctx, game, &users, &all)?;
    }
}
