//! What was given for a deed that is undone or corrected: taken back, kept or flagged, as the game says, together with all that
//! hung on it. Then the game stands as a replay would have it: as if the deed had not been done, or done with that score.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use super::booking::{self, Booked, New};
use super::history::{self, Amendment, Earned, Fate, Told};
use super::{Game, badges, clearing, criteria, scoring};
use crate::db::Conn;
use crate::domain::game::history::consequences;
use crate::domain::game::points::Occurrence;
use crate::domain::game::scorer::{Award, Scorer};
use crate::domain::game::standing::{self, By, Sum, stands};
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
    awards: Vec<AwardRow>,
    /// All that the log has up to here was scored before.
    until: i64,
    /// And the amendments are all that it has after that up to here.
    last: i64,
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
    let awards = badge_store::caused_by(conn, &causes)?;
    let last = amending.last().map_or(until, |event| event.seq);
    let batch = Batch { amendments, deeds, awards, until, last };
    for game in super::read(conn, rows)? {
        amend(conn, ctx, &game, &batch)?;
    }
    Ok(())
}

/// What was undone when a game was over, or is so later than the game was closed, changes nothing there.
fn amend(conn: &mut Conn, ctx: &Ctx, game: &Game, batch: &Batch) -> AppResult<()> {
    let mine: Vec<&Amendment> = batch.amendments.iter().filter(|one| !game.term().over(one.at)).collect();
    let amended: HashSet<Uuid> = mine.iter().map(|one| one.event).collect();
    let undone: HashSet<Uuid> = mine.iter().filter(|one| one.fate == Fate::Undone).map(|one| one.event).collect();
    let of =
        |id: Uuid, event: Option<Uuid>, set: &HashSet<Uuid>| id == game.id() && event.is_some_and(|e| set.contains(&e));
    let gave = given(conn, game, undone.iter().copied())?;
    let mut entries: Vec<&Left> = gave.values().flat_map(|gave| gave.left()).collect();
    entries.sort_unstable_by_key(|(entry, _)| entry.id);
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
    let undone_before: HashSet<Uuid> = before.undone().intersection(&undone).copied().collect();
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
        // Each correction of a grade says again which deeds do not hold: what people let stand then stands.
        let stands = players::dismissed(conn, game.id(), &users)?;
        let decided = |e: &EntryRow| stands.contains(&e.id) && e.event_id.is_some_and(|id| undone_before.contains(&id));
        lost.retain(|entry| !decided(entry));
        lost.extend(at_stake(conn, game, was, is, &undone)?);
        let lost = players::without_flag(conn, game.id(), lost)?;
        let flag = |entry: &EntryRow| badges::cause_flag(ctx, game.id(), entry.user_id, Some(entry.id), None);
        players::raise(conn, &lost.iter().map(flag).collect::<Vec<_>>())?;
        clearing::ask_again(conn, ctx, game, &users, batch.last)?;
    }
    let lost = follow_badges(conn, ctx, game, &awards, &undone, was, is)?;
    if moved || lost || !booked.ids.is_empty() {
        booked.recheck = true;
        criteria::by_criteria(conn, ctx, game, &users, &booked)?;
    }
    clearing::clear(conn, ctx, game, &users, batch.last)
}

/// What the ledger has of a cause.
#[derive(Debug, Default)]
pub(super) struct Gave {
    pub sum: Sum,
    /// The entries that gave it, each with what is left of it after all that corrects it.
    entries: Vec<Left>,
    roots: HashMap<Uuid, Uuid>,
}

impl Gave {
    /// The entries of which anything is left.
    fn left(&self) -> impl DoubleEndedIterator<Item = &Left> {
        self.entries.iter().filter(|(_, left)| *left != 0)
    }

    /// What is left of an entry that gave it; none for one that corrects another.
    pub fn left_of(&self, entry: Uuid) -> Option<i64> {
        self.entries.iter().find(|(one, _)| one.id == entry).map(|(_, left)| *left)
    }

    /// What settles a correction of one of its entries: it corrects the entry that gave it.
    pub fn settling(&self, corrected: &EntryRow, points: i64) -> New {
        let root = self.roots.get(&corrected.id).copied().unwrap_or(corrected.id);
        let mut new = reversal(&EntryRow { id: root, ..corrected.clone() }, points);
        new.reason = "So that it comes to what the rules and the corrections of it give.".to_owned();
        new.follows = true;
        new
    }
}

/// What rules gave for events, by event, rule and player.
type Given = HashMap<standing::Key, Gave>;

/// The dedup key of what is taken back of an entry because a flag was confirmed begins with this.
pub(super) const FLAGGED: &str = "flag:";

/// Who made an entry of a cause.
pub(super) fn by(entry: &EntryRow) -> By {
    match (entry.kind.as_str(), entry.dedup_key.as_deref()) {
        ("correction", Some(key)) if key.starts_with(FLAGGED) => By::Review,
        ("correction", _) => By::Hand,
        ("reversal", _) if entry.made_by.is_some() => By::Taken,
        _ => By::Rules,
    }
}

/// Whether what was given is kept when its cause is undone.
fn keeps(game: &Game) -> bool {
    game.settings.revocation != Revocation::Revoke
}

fn given(conn: &mut Conn, game: &Game, events: impl Iterator<Item = Uuid>) -> AppResult<Given> {
    let events: Vec<Uuid> = events.collect::<BTreeSet<_>>().into_iter().collect();
    let rows = ledger::of_events(conn, game.id(), &events)?;
    let roots = standing::roots(rows.iter().map(|row| (row.id, row.corrects_id)));
    let root = |id: Uuid| roots.get(&id).copied().unwrap_or(id);
    let mut left: HashMap<Uuid, i64> = HashMap::new();
    for row in &rows {
        let of = left.entry(root(row.id)).or_default();
        *of = of.saturating_add(row.points);
    }
    let mut all = Given::new();
    for row in rows {
        let gave = all.entry((row.event_id, row.rule_key.clone(), row.user_id)).or_default();
        gave.sum.add(row.points, by(&row));
        gave.roots.insert(row.id, root(row.id));
        if matches!(row.kind.as_str(), "rule" | "award" | "replay") {
            let left = left.get(&row.id).copied().unwrap_or(0);
            gave.entries.push((row, left));
        }
    }
    Ok(all)
}

/// What the ledger has of the cause of an entry, if a rule gave it for an event.
pub(super) fn gave(conn: &mut Conn, game: &Game, entry: &EntryRow) -> AppResult<Option<Gave>> {
    let (Some(event), Some(_)) = (entry.event_id, &entry.rule_key) else { return Ok(None) };
    let mut all = given(conn, game, std::iter::once(event))?;
    Ok(all.remove(&(Some(event), entry.rule_key.clone(), entry.user_id)))
}

/// What follows by itself when somebody corrects an entry of a cause by so many points.
pub(super) fn settles(conn: &mut Conn, game: &Game, entry: &EntryRow, gave: &Gave, points: i64) -> AppResult<i64> {
    let (Some(event), Some(rule)) = (entry.event_id, entry.rule_key.as_deref()) else { return Ok(0) };
    let users = [entry.user_id];
    let until = events::cursor(conn, scoring::CONSUMER.name)?;
    let mut past = history::past(conn, game, Some(&users), until)?;
    if keeps(game) {
        past = history::keeping(conn, game, past)?;
    }
    let mut due = None;
    if !past.settled(event, rule) {
        let told = history::tell(conn, game, Some(&users), until, &[past])?;
        due = Some(due_of(&told, event, rule));
    }
    Ok(gave.sum.settles(due, keeps(game), points))
}

/// What is due by a rule for an event.
fn due_of(told: &[Told], event: Uuid, rule: &str) -> i64 {
    let due = told.iter().flat_map(|told| &told.history.due);
    due.filter(|one| one.event == Some(event) && one.rule.as_deref() == Some(rule)).map(|one| one.entry.points).sum()
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
        let (sum, entries) = given.get(&key).map_or((Sum::default(), &[][..]), |gave| (gave.sum, &gave.entries));
        let mut points = one.to_book(sum.net, sum.by_hand(keeps(game)));
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
                follows: true,
            });
        }
        for (entry, left) in entries.iter().rev().filter(|(_, left)| *left > 0) {
            let back = points.saturating_neg().min(*left);
            if back > 0 {
                new.push(New { follows: true, ..reversal(entry, back.saturating_neg()) });
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
        // The cause as it is, not as it was at its best: what a reviewer took is no correction of that.
        if one.to_book(of.sum.net, of.sum.by_hand(false)) < 0 {
            entries.extend(of.entries.into_iter().filter(|(_, left)| *left > 0).map(|(entry, _)| entry));
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
/// one that is earned only now is given. Answers whether any has lost what it rested on.
fn follow_badges(
    conn: &mut Conn,
    ctx: &Ctx,
    game: &Game,
    awards: &[&AwardRow],
    undone: &HashSet<Uuid>,
    was: &Told,
    is: &Told,
) -> AppResult<bool> {
    let before: HashSet<_> = was.earned.iter().map(Earned::key).collect();
    let after: HashSet<_> = is.earned.iter().map(Earned::key).collect();
    let mut open: Vec<&AwardRow> = Vec::new();
    for award in awards {
        let key = (award.badge_id, award.user_id, award.event_id);
        let undone = award.event_id.is_some_and(|event| undone.contains(&event));
        if after.contains(&key) || !(undone || before.contains(&key)) {
            continue;
        }
        open.push(*award);
    }
    // One that finds another event may be what a further one can rest on: until no more do.
    loop {
        // What is kept anyway can carry others.
        let falling = open.iter().filter(|award| badges::policy(game, award) != Revocation::Keep);
        let falling: BTreeSet<Uuid> = falling.map(|award| award.id).collect();
        let mut rest = Vec::new();
        for award in &open {
            match other_deed(conn, game, award, &is.earned, &falling)? {
                Some(other) => badge_store::rest_on(conn, &[other])?,
                None => rest.push(*award),
            }
        }
        if rest.len() == open.len() {
            break;
        }
        open = rest;
    }
    let lost = !open.is_empty();
    badges::cause_gone(conn, ctx, game, open.into_iter().cloned().collect())?;
    let new = is.earned.iter().filter(|one| !before.contains(&one.key())).map(|one| one.grant.clone()).collect();
    badges::grant(conn, ctx, game, new)?;
    Ok(lost)
}

/// The same award for another deed that earns it, and that is not itself owed to one of these awards.
fn other_deed(
    conn: &mut Conn,
    game: &Game,
    award: &AwardRow,
    earned: &[Earned],
    falling: &BTreeSet<Uuid>,
) -> AppResult<Option<AwardRow>> {
    if award.source != "event" {
        return Ok(None);
    }
    for one in earned.iter().filter(|one| (one.grant.badge, one.grant.user) == (award.badge_id, award.user_id)) {
        if !hangs_on(conn, game, one.through, falling)? {
            let Earned { grant, .. } = one;
            return Ok(Some(AwardRow { event_id: grant.event, reason: grant.reason.clone(), ..award.clone() }));
        }
    }
    Ok(None)
}

/// Whether an award is one of these, or rests on one of them through any number of others, by event or by criteria.
fn hangs_on(conn: &mut Conn, game: &Game, award: Option<Uuid>, falling: &BTreeSet<Uuid>) -> AppResult<bool> {
    let mut open: Vec<Uuid> = award.into_iter().collect();
    let mut seen = HashSet::new();
    while let Some(id) = open.pop() {
        if falling.contains(&id) {
            return Ok(true);
        }
        let Some(award) = badge_store::find_award(conn, id)?.filter(|_| seen.insert(id)) else { continue };
        let events = events::by_ids(conn, &award.event_id.into_iter().collect::<Vec<_>>())?;
        open.extend(events.into_iter().filter_map(scoring::occurrence).filter_map(|deed| deed.award()));
        let badge = game.badges.iter().find(|badge| badge.row.id == award.badge_id && award.source == "criteria");
        for needed in badge.and_then(|badge| badge.criteria.as_ref()).into_iter().flat_map(|only| &only.badges) {
            open.extend(badge_store::live_award(conn, *needed, award.user_id)?.map(|award| award.id));
        }
    }
    Ok(false)
}

/// How much of what a rule gave for an event is not due any more, in a game whose policy is to ask, after somebody said that the
/// cause does not hold: all when the deed was undone, less when it was done with a lower score.
///
/// # Errors
/// Database errors.
pub(super) fn not_due(conn: &mut Conn, game: &Game, entry: &EntryRow, gave: &Gave, until: i64) -> AppResult<i64> {
    let (Some(event), Some(rule)) = (entry.event_id, entry.rule_key.as_deref()) else { return Ok(i64::MAX) };
    let past = history::past(conn, game, Some(&[entry.user_id]), until)?;
    let told = history::tell(conn, game, Some(&[entry.user_id]), until, &[past])?;
    let due = due_of(&told, event, rule);
    Ok(gave.sum.net.saturating_sub(stands(due, gave.sum.by_hand(false))))
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
pub(super) fn other_cause(conn: &mut Conn, game: &Game, award: &AwardRow, until: i64) -> AppResult<Option<AwardRow>> {
    if award.source != "event" {
        return Ok(None);
    }
    let users = [award.user_id];
    let past = history::past(conn, game, Some(&users), until)?;
    let told = history::tell(conn, game, Some(&users), until, &[past])?;
    let revoked = badge_store::last_revoked(conn, game.id())?;
    let last = revoked.get(&(award.badge_id, award.user_id));
    let earned = told.into_iter().flat_map(|told| told.earned);
    let later: Vec<Earned> = earned.filter(|one| last.is_none_or(|last| one.at > *last)).collect();
    other_deed(conn, game, award, &later, &BTreeSet::from([award.id]))
}

/// What other deeds would earn if what a rule gave for an undone deed, and is kept, were taken back after all.
///
/// # Errors
/// Database errors.
pub(super) fn regained(conn: &mut Conn, ctx: &Ctx, game: &Game, entry: &EntryRow, until: i64) -> AppResult<i64> {
    let Some((event, rule)) = entry.event_id.zip(entry.rule_key.clone()) else { return Ok(0) };
    let users = [entry.user_id];
    let past = history::past(conn, game, Some(&users), until)?;
    if !past.undone().contains(&event) || past.taken_at(event, &rule).is_some() {
        return Ok(0);
    }
    let before = history::keeping(conn, game, past)?;
    let mut after = before.clone();
    after.take(event, rule, ctx.now);
    let told = history::tell(conn, game, Some(&users), until, &[before, after])?;
    let [had, has] = told.as_slice() else { return Ok(0) };
    let follows = follow(conn, game, had, has, &HashSet::from([event]))?;
    Ok(follows.iter().map(|new| new.points).sum())
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
        let sum = given.get(&(Some(event), Some(rule.clone()), user)).map(|gave| gave.sum).unwrap_or_default();
        // A correction by hand has freed nothing of the rule's room, and uses none up.
        let by_rules = sum.by_rules();
        if by_rules <= 0 {
            continue;
        }
        let thing = deeds.get(&event).map(Occurrence::thing).unwrap_or_default();
        let mut award = Award { rule: rule.clone(), thing: thing.clone(), points: points.min(by_rules) };
        if sum.net > points {
            scorer.give_back_part(user, &award, entry.at);
        } else {
            award.points = by_rules;
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
        follows: false,
    }
}
