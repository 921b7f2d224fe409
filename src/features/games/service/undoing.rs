//! What was given for a deed that is undone or corrected: taken back, kept or flagged, as the game says, together with all that
//! hung on it. Then the game stands as a replay would have it: as if the deed had not been done, or done with that score.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use super::booking::{self, Booked, New};
use super::history::{self, Amendment, Earned, Fate, Told};
use super::{Game, badges, criteria, scoring};
use crate::db::Conn;
use crate::domain::game::history::consequences;
use crate::domain::game::points::Occurrence;
use crate::domain::game::scorer::{Award, Scorer};
use crate::domain::game::{Repeat, Revocation};
use crate::error::AppResult;
use crate::events::{self, Event};
use crate::features::games::store::badges::AwardRow;
use crate::features::games::store::ledger::{self, EntryRow};
use crate::features::games::store::{PIECE, badges as badge_store, games, players};
use crate::state::Ctx;

/// An entry, and how much is left of it.
type Left = (EntryRow, i64);

/// What is known of a batch of amendments.
struct Batch {
    amendments: Vec<Amendment>,
    deeds: Vec<Occurrence>,
    /// What these deeds gave, in all games.
    entries: Vec<Left>,
    awards: Vec<AwardRow>,
    /// All that the log has up to here was scored before.
    until: i64,
}

/// Follows events that undo others or correct their scores, in each game by its policy and that of each badge.
///
/// # Errors
/// Database errors.
pub(super) fn take_back(conn: &mut Conn, ctx: &Ctx, log: &[Event]) -> AppResult<()> {
    let amending: Vec<&Event> = log.iter().filter(|event| history::amends(event)).collect();
    let Some(until) = amending.first().map(|event| event.seq.saturating_sub(1)) else { return Ok(()) };
    let amendments = history::amendments(conn, &amending)?;
    let causes: Vec<Uuid> = amendments.iter().map(|one| one.event).collect::<BTreeSet<_>>().into_iter().collect();
    if causes.is_empty() {
        return Ok(());
    }
    let mut deeds = Vec::new();
    for piece in causes.chunks(PIECE) {
        deeds.extend(events::by_ids(conn, piece)?.into_iter().filter_map(scoring::occurrence));
    }
    let mut concerned: BTreeSet<Uuid> = scoring::concerned(conn, &deeds)?.into_iter().collect();
    concerned.extend(ledger::caused_by(conn, &causes)?.iter().map(|entry| entry.game_id));
    concerned.extend(badge_store::caused_by(conn, &causes)?.iter().map(|award| award.game_id));
    if concerned.is_empty() {
        return Ok(());
    }
    let rows = games::lock_all(conn, &concerned.into_iter().collect::<Vec<_>>())?;
    // Read with the lock: somebody may have taken back by hand what was there before.
    let entries = ledger::caused_by(conn, &causes)?;
    let entries = left(conn, entries)?;
    let awards = badge_store::caused_by(conn, &causes)?;
    let batch = Batch { amendments, deeds, entries, awards, until };
    for game in super::read(conn, rows)? {
        amend(conn, ctx, &game, &batch)?;
    }
    Ok(())
}

/// What is left of entries after their corrections; those of which nothing is left are left out.
fn left(conn: &mut Conn, entries: Vec<EntryRow>) -> AppResult<Vec<Left>> {
    let corrected = ledger::corrected(conn, &entries.iter().map(|entry| entry.id).collect::<Vec<_>>())?;
    let left = |entry: &EntryRow| entry.points.saturating_add(corrected.get(&entry.id).copied().unwrap_or(0));
    Ok(entries.into_iter().map(|entry| (left(&entry), entry)).filter(|one| one.0 != 0).map(|(n, e)| (e, n)).collect())
}

/// What was undone when a game was over, or is so later than the game was closed, changes nothing there.
fn amend(conn: &mut Conn, ctx: &Ctx, game: &Game, batch: &Batch) -> AppResult<()> {
    let mine: Vec<&Amendment> = batch.amendments.iter().filter(|one| !game.term().over(one.at)).collect();
    let amended: HashSet<Uuid> = mine.iter().map(|one| one.event).collect();
    let undone: HashSet<Uuid> = mine.iter().filter(|one| one.fate == Fate::Undone).map(|one| one.event).collect();
    let of =
        |id: Uuid, event: Option<Uuid>, set: &HashSet<Uuid>| id == game.id() && event.is_some_and(|e| set.contains(&e));
    let entries: Vec<&Left> = batch.entries.iter().filter(|(e, _)| of(e.game_id, e.event_id, &undone)).collect();
    let awards: Vec<&AwardRow> = batch.awards.iter().filter(|a| of(a.game_id, a.event_id, &amended)).collect();
    let deeds = batch.deeds.iter().filter(|deed| amended.contains(&deed.event_id) && scoring::within(game, deed));
    let users: BTreeSet<Uuid> = deeds
        .map(|deed| deed.user)
        .chain(entries.iter().map(|(entry, _)| entry.user_id))
        .chain(awards.iter().map(|award| award.user_id))
        .collect();
    if users.is_empty() {
        return Ok(());
    }
    let users: Vec<Uuid> = users.into_iter().collect();
    let before = history::past(conn, game, Some(&users), batch.until)?;
    let mut after = before.clone();
    mine.iter().for_each(|one| one.apply(&mut after));
    let takes = game.settings.revocation == Revocation::Revoke;
    let mut pasts = vec![before.clone(), after.clone()];
    if !takes {
        let kept = after.undone().clone();
        pasts.extend([before.keeping(kept.clone()), after.keeping(kept)]);
    }
    let told = history::tell(conn, game, Some(&users), batch.until, &pasts)?;
    let [was, is, ..] = told.as_slice() else { return Ok(()) };
    // What counts for the ledger: where what was given is kept, only what there is to gain.
    let (had, has) = match told.get(2..) {
        Some([had, has]) => (had, has),
        _ => (was, is),
    };
    let mut booked = Booked::default();
    let mut new = follow(conn, game, had, has, &undone)?;
    if takes {
        new.extend(entries.iter().map(|(entry, left)| reversal(entry, left.saturating_neg())));
        // What the present rules would not have given for these deeds is not among what they were thought to have had.
        let known: HashSet<(Option<Uuid>, Option<&str>)> =
            was.history.due.iter().map(|due| (due.event, due.rule.as_deref())).collect();
        let unknown = |(e, _): &&&Left| !known.contains(&(e.event_id, e.rule_key.as_deref()));
        free(conn, game, &entries.iter().filter(unknown).map(|(e, left)| (e, *left)).collect::<Vec<_>>())?;
    }
    let moved = move_progress(conn, game, &users, had, has)?;
    if !new.is_empty() {
        booked = booking::book(conn, ctx, game, new)?;
    }
    if game.settings.revocation == Revocation::Review {
        let mut lost: Vec<EntryRow> = entries.iter().map(|(entry, _)| entry.clone()).collect();
        lost.extend(at_stake(conn, game, was, is, &undone)?);
        let lost = players::without_flag(conn, game.id(), lost)?;
        let flag = |entry: &EntryRow| badges::cause_flag(ctx, game.id(), entry.user_id, Some(entry.id), None);
        players::raise(conn, &lost.iter().map(flag).collect::<Vec<_>>())?;
    }
    follow_badges(conn, ctx, game, &awards, &undone, was, is)?;
    if moved || !booked.ids.is_empty() {
        booked.recheck = true;
        criteria::by_criteria(conn, ctx, game, &users, &booked)?;
    }
    Ok(())
}

/// What rules gave for events, by event, rule and player.
type Given = HashMap<(Option<Uuid>, Option<String>, Uuid), Vec<Left>>;

fn given(conn: &mut Conn, game: &Game, events: impl Iterator<Item = Uuid>) -> AppResult<Given> {
    let events: Vec<Uuid> = events.collect::<BTreeSet<_>>().into_iter().collect();
    let mut rows = ledger::caused_by(conn, &events)?;
    rows.retain(|entry| entry.game_id == game.id());
    let mut all = Given::new();
    for one in left(conn, rows)? {
        all.entry((one.0.event_id, one.0.rule_key.clone(), one.0.user_id)).or_default().push(one);
    }
    Ok(all)
}

/// The entries that follow for other deeds than those that are undone: a run of days that is broken, a cap or `once` that is free
/// again, a score that is another.
fn follow(conn: &mut Conn, game: &Game, had: &Told, has: &Told, undone: &HashSet<Uuid>) -> AppResult<Vec<New>> {
    let mut all = consequences(&had.history.due, &has.history.due);
    all.retain(|one| one.due.event.is_some_and(|event| !undone.contains(&event)));
    let given = given(conn, game, all.iter().filter_map(|one| one.due.event))?;
    let events: Vec<Uuid> = all.iter().filter(|one| one.change > 0).filter_map(|one| one.due.event).collect();
    let mut reasons: HashMap<Uuid, String> = HashMap::new();
    for piece in events.chunks(PIECE) {
        let deeds = events::by_ids(conn, piece)?.into_iter().filter_map(scoring::occurrence);
        reasons.extend(deeds.map(|deed| (deed.event_id, scoring::reason(&deed))));
    }
    let mut new = Vec::new();
    for one in all {
        let key = (one.due.event, one.due.rule.clone(), one.due.entry.user);
        let entries = given.get(&key).map_or(&[][..], Vec::as_slice);
        let mut points = one.to_book(entries.iter().map(|(_, left)| *left).sum());
        if points > 0 {
            let reason = one.due.event.and_then(|event| reasons.get(&event)).map_or("", String::as_str);
            new.push(New {
                user: one.due.entry.user,
                team: one.due.entry.team,
                points,
                kind: "rule",
                rule: one.due.rule,
                reason: format!("After a correction: {reason}"),
                event: one.due.event,
                corrects: None,
                dedup: None,
                at: one.due.entry.at,
            });
        }
        for (entry, left) in entries.iter().rev().filter(|(_, left)| *left > 0) {
            let back = points.saturating_neg().min(*left);
            if back > 0 {
                new.push(reversal(entry, back.saturating_neg()));
                points = points.saturating_add(back);
            }
        }
    }
    Ok(new)
}

/// The entries of other deeds that would be taken back.
fn at_stake(conn: &mut Conn, game: &Game, was: &Told, is: &Told, undone: &HashSet<Uuid>) -> AppResult<Vec<EntryRow>> {
    let mut all = consequences(&was.history.due, &is.history.due);
    all.retain(|one| one.change < 0 && one.due.event.is_some_and(|event| !undone.contains(&event)));
    let mut given = given(conn, game, all.iter().filter_map(|one| one.due.event))?;
    let mut entries = Vec::new();
    for one in all {
        let of = given.remove(&(one.due.event, one.due.rule.clone(), one.due.entry.user)).unwrap_or_default();
        if one.to_book(of.iter().map(|(_, left)| *left).sum()) < 0 {
            entries.extend(of.into_iter().filter(|(_, left)| *left > 0).map(|(entry, _)| entry));
        }
    }
    Ok(entries)
}

/// Brings what players have had of rules in line with the past as it is known now. Answers whether anything changed.
fn move_progress(conn: &mut Conn, game: &Game, players: &[Uuid], had: &Told, has: &Told) -> AppResult<bool> {
    let (before, after) = (&had.history.scorer, &has.history.scorer);
    let changed: BTreeSet<_> = before
        .accounts()
        .chain(after.accounts())
        .filter(|(rule, user)| before.progress(rule, *user) != after.progress(rule, *user))
        .collect();
    let each = game.settings.point_rules.iter().filter(|rule| rule.repeat == Repeat::Each);
    let each: HashSet<&str> = each.map(|rule| rule.key.as_str()).collect();
    let (things_before, things_after) = (before.things(&each), after.things(&each));
    ledger::forget_had(conn, game.id(), &things_before.difference(&things_after).cloned().collect::<Vec<_>>())?;
    ledger::add_things(conn, game.id(), &things_after.difference(&things_before).cloned().collect::<Vec<_>>())?;
    if changed.is_empty() {
        return Ok(false);
    }
    let live: HashMap<(String, Uuid), _> = ledger::progress(conn, game.id(), players)?
        .into_iter()
        .map(|(user, rule, progress)| ((rule, user), progress))
        .collect();
    let moved: Vec<_> = changed
        .into_iter()
        .map(|account| {
            let (rule, user) = (account.0.as_str(), account.1);
            let now = live.get(account).copied().unwrap_or_default();
            (rule, user, now.moved(&before.progress(rule, user), &after.progress(rule, user)))
        })
        .collect();
    ledger::save_progress(
        conn,
        game.id(),
        &moved.iter().map(|(rule, user, had)| (*rule, *user, had)).collect::<Vec<_>>(),
    )?;
    Ok(true)
}

/// Badges that events earned: one whose event does not earn it any more is held for another that does, or treated by its policy;
/// one that is earned only now is given.
fn follow_badges(
    conn: &mut Conn,
    ctx: &Ctx,
    game: &Game,
    awards: &[&AwardRow],
    undone: &HashSet<Uuid>,
    was: &Told,
    is: &Told,
) -> AppResult<()> {
    let before: HashSet<_> = was.earned.iter().map(Earned::key).collect();
    let after: HashSet<_> = is.earned.iter().map(Earned::key).collect();
    let mut gone = Vec::new();
    let mut other = Vec::new();
    for award in awards {
        let key = (award.badge_id, award.user_id, award.event_id);
        let undone = award.event_id.is_some_and(|event| undone.contains(&event));
        if after.contains(&key) || !(undone || before.contains(&key)) {
            continue;
        }
        let same = |one: &&Earned| (one.grant.badge, one.grant.user) == (award.badge_id, award.user_id);
        match is.earned.iter().find(same).filter(|_| award.source == "event") {
            Some(Earned { grant, .. }) => {
                other.push(AwardRow { event_id: grant.event, reason: grant.reason.clone(), ..(*award).clone() });
            }
            None => gone.push((*award).clone()),
        }
    }
    badge_store::rest_on(conn, &other)?;
    badges::cause_gone(conn, ctx, game, gone)?;
    let new = is.earned.iter().filter(|one| !before.contains(&one.key())).map(|one| one.grant.clone()).collect();
    badges::grant(conn, ctx, game, new).map(drop)
}

/// How much of what a rule gave for an event is not due any more, in a game whose policy is to ask, after somebody said that the
/// cause does not hold: all when the deed was undone, less when it was done with a lower score.
///
/// # Errors
/// Database errors.
pub(super) fn not_due(conn: &mut Conn, game: &Game, entry: &EntryRow) -> AppResult<i64> {
    let (Some(event), Some(rule)) = (entry.event_id, entry.rule_key.as_deref()) else { return Ok(i64::MAX) };
    let until = events::cursor(conn, scoring::CONSUMER.name)?;
    let past = history::past(conn, game, Some(&[entry.user_id]), until)?;
    let told = history::tell(conn, game, Some(&[entry.user_id]), until, &[past])?;
    let due = told.iter().flat_map(|told| &told.history.due);
    let due: i64 =
        due.filter(|one| one.event == Some(event) && one.rule.as_deref() == Some(rule)).map(|d| d.entry.points).sum();
    let given = given(conn, game, std::iter::once(event))?;
    let of = given.get(&(Some(event), entry.rule_key.clone(), entry.user_id)).map_or(&[][..], Vec::as_slice);
    Ok(of.iter().map(|(_, left)| *left).sum::<i64>().saturating_sub(due))
}

/// Lets rules give again what is left of an entry, which is about to be taken back. When its deed was undone before and the points
/// stayed, that deed is as if it had never been from now on: answers what follows for the others that it kept from earning.
///
/// # Errors
/// Database errors.
pub(super) fn let_go(conn: &mut Conn, ctx: &Ctx, game: &Game, entry: &EntryRow, left: i64) -> AppResult<Vec<New>> {
    let cause = entry.event_id.zip(entry.rule_key.clone()).filter(|_| game.settings.revocation != Revocation::Revoke);
    if let Some((event, rule)) = cause {
        let users = [entry.user_id];
        let until = events::cursor(conn, scoring::CONSUMER.name)?;
        let past = history::past(conn, game, Some(&users), until)?;
        if past.undone().contains(&event) {
            if past.taken_at(event, &rule).is_some() {
                return Ok(Vec::new());
            }
            let before = history::keeping(conn, game, past)?;
            let mut after = before.clone();
            after.take(event, rule, ctx.now);
            let told = history::tell(conn, game, Some(&users), until, &[before, after])?;
            if let [had, has] = told.as_slice() {
                let follows = follow(conn, game, had, has, &HashSet::from([event]))?;
                if move_progress(conn, game, &users, had, has)? || !follows.is_empty() {
                    return Ok(follows);
                }
            }
        }
    }
    free(conn, game, &[(entry, left)])?;
    Ok(Vec::new())
}

/// The same award for another deed, if there is one that earns it and came after the badge was last taken from the player.
///
/// # Errors
/// Database errors.
pub(super) fn other_cause(conn: &mut Conn, game: &Game, award: &AwardRow) -> AppResult<Option<AwardRow>> {
    if award.source != "event" {
        return Ok(None);
    }
    let users = [award.user_id];
    let until = events::cursor(conn, scoring::CONSUMER.name)?;
    let past = history::past(conn, game, Some(&users), until)?;
    let told = history::tell(conn, game, Some(&users), until, &[past])?;
    let revoked = badge_store::last_revoked(conn, game.id())?;
    let last = revoked.get(&(award.badge_id, award.user_id));
    let mut earned = told.into_iter().flat_map(|told| told.earned);
    let found = earned.find(|one| {
        (one.grant.badge, one.grant.user) == (award.badge_id, award.user_id) && last.is_none_or(|last| one.at > *last)
    });
    Ok(found.map(|Earned { grant, .. }| AwardRow { event_id: grant.event, reason: grant.reason, ..award.clone() }))
}

/// Lets rules give again what is left of these entries, which is about to be taken back.
///
/// # Errors
/// Database errors.
fn free(conn: &mut Conn, game: &Game, entries: &[(&EntryRow, i64)]) -> AppResult<()> {
    let mut back: BTreeMap<(String, Uuid, Uuid), (i64, &EntryRow)> = BTreeMap::new();
    for (entry, left) in entries.iter().filter(|(entry, _)| entry.kind != "award") {
        let (Some(rule), Some(event)) = (entry.rule_key.clone(), entry.event_id) else { continue };
        let sum = back.entry((rule, entry.user_id, event)).or_insert((0, entry));
        sum.0 = sum.0.saturating_add(*left);
    }
    if back.is_empty() {
        return Ok(());
    }
    let users: Vec<Uuid> = back.keys().map(|(_, user, _)| *user).collect::<BTreeSet<_>>().into_iter().collect();
    let mut scorer = Scorer::default();
    for (user, rule, progress) in ledger::progress(conn, game.id(), &users)? {
        scorer.load(rule, user, progress);
    }
    let mut deeds: HashMap<Uuid, Occurrence> = HashMap::new();
    let causes: Vec<Uuid> = back.keys().map(|(.., event)| *event).collect::<BTreeSet<_>>().into_iter().collect();
    for piece in causes.chunks(PIECE) {
        let found = events::by_ids(conn, piece)?.into_iter().filter_map(scoring::occurrence);
        deeds.extend(found.map(|deed| (deed.event_id, deed)));
    }
    let given = given(conn, game, causes.into_iter())?;
    let mut gone = Vec::new();
    for ((rule, user, event), (points, entry)) in back {
        let of = given.get(&(Some(event), Some(rule.clone()), user)).map_or(&[][..], Vec::as_slice);
        let thing = deeds.get(&event).map(Occurrence::thing).unwrap_or_default();
        let award = Award { rule: rule.clone(), thing: thing.clone(), points };
        if of.iter().map(|(_, left)| *left).sum::<i64>() > points {
            scorer.give_back_part(user, &award, entry.at);
        } else {
            scorer.give_back(user, &award, entry.at);
            gone.push((rule, user, thing));
        }
    }
    let changed: Vec<_> = scorer.changed().into_iter().map(|((rule, user), had)| (rule.as_str(), *user, had)).collect();
    ledger::save_progress(conn, game.id(), &changed)?;
    ledger::forget_had(conn, game.id(), &gone)
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
    }
}
