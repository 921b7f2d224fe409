//! Booking: entries go into the ledger, and in the same transaction into every sum that is made of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;
use uuid::Uuid;

use super::Game;
use crate::db::Conn;
use crate::domain::game::Display;
use crate::domain::game::cause::{self, Cause};
use crate::domain::game::ledger::Total;
use crate::domain::game::period::Period;
use crate::domain::game::rank::Key;
use crate::domain::game::streak::Streak;
use crate::error::AppResult;
use crate::events::{self, NewEvent};
use crate::features::games::store::boards::{self, Change, Standing};
use crate::features::games::store::ledger::{self, EntryRow};
use crate::features::games::store::players::{self, Player};
use crate::features::games::store::ranking::{self, Move};
use crate::state::Ctx;

/// An entry to be booked.
#[derive(Debug, Clone)]
pub struct New {
    /// Whose.
    pub user: Uuid,
    /// The team held when it was earned.
    pub team: Option<Uuid>,
    /// How many.
    pub points: i64,
    /// `rule`, `award`, `correction`, `reversal` or `replay`.
    pub kind: &'static str,
    /// The rule that gave it.
    pub rule: Option<String>,
    /// For people.
    pub reason: String,
    /// The event that caused it.
    pub event: Option<Uuid>,
    /// The entry that it takes back or corrects.
    pub corrects: Option<Uuid>,
    /// Keeps whoever asks twice from booking twice.
    pub dedup: Option<String>,
    /// The instant that it counts for.
    pub at: DateTime<Utc>,
    /// It follows by itself from another: nobody made it by hand.
    pub follows: bool,
}

/// What a booking came to, all time.
#[derive(Debug, Clone, Default)]
pub struct Booked {
    /// Points of each player before.
    pub before: HashMap<Uuid, i64>,
    /// And after.
    pub after: HashMap<Uuid, i64>,
    /// Ids of the new entries, in order.
    pub ids: Vec<Uuid>,
    /// Whether rules gave points less often than before, so that badges may have lost their criteria though no sum is lower.
    pub recheck: bool,
}

/// How players are shown who did or did not say, and what is known of them.
fn displays(
    conn: &mut Conn,
    game: &Game,
    users: &[Uuid],
) -> AppResult<(HashMap<Uuid, Player>, HashMap<Uuid, Display>)> {
    let known = players::find(conn, game.id(), users)?;
    let preferred = players::preferences(conn, users)?;
    let shown = users
        .iter()
        .map(|user| {
            let own = known.get(user).and_then(|player| player.display);
            (*user, own.or_else(|| preferred.get(user).copied()).unwrap_or(game.settings.display))
        })
        .collect();
    Ok((known, shown))
}

/// How each of these players is to be shown.
///
/// # Errors
/// Database errors.
pub fn display_of(conn: &mut Conn, game: &Game, users: &[Uuid]) -> AppResult<HashMap<Uuid, Display>> {
    Ok(displays(conn, game, users)?.1)
}

/// The place of a sum in the order of its board, if it has one.
pub fn key_of(user: Uuid, standing: &Standing) -> Option<Key> {
    standing.listed.then(|| Key::new(standing.total.points, standing.total.reached_at.unwrap_or_default(), user))
}

/// Books entries in an open game whose row is locked. Entries of zero points are left out.
///
/// # Errors
/// Database errors.
pub fn book(conn: &mut Conn, ctx: &Ctx, game: &Game, entries: Vec<New>) -> AppResult<Booked> {
    let entries: Vec<New> = entries.into_iter().filter(|entry| entry.points != 0).collect();
    if entries.is_empty() {
        return Ok(Booked::default());
    }
    let users: Vec<Uuid> = entries.iter().map(|entry| entry.user).collect::<BTreeSet<_>>().into_iter().collect();
    let rows: Vec<EntryRow> = entries.iter().map(|entry| row(ctx, game, entry)).collect();
    ledger::insert(conn, &rows)?;

    // On which boards an instant counts: the same all day.
    let mut buckets: BTreeMap<NaiveDate, [String; 4]> = BTreeMap::new();
    for entry in &entries {
        let names = || Period::ALL.map(|period| game.bucket(period, entry.at));
        buckets.entry(entry.at.date_naive()).or_insert_with(names);
    }
    let names: BTreeSet<&String> = buckets.values().flatten().collect();
    let boards = boards::ensure(conn, game.id(), &names.into_iter().cloned().collect::<Vec<_>>())?;
    let bucket_of: HashMap<i64, &str> = boards.iter().map(|(bucket, board)| (*board, bucket.as_str())).collect();
    let all_time = boards.get(Period::All.as_str()).copied();
    let on: BTreeMap<NaiveDate, Vec<i64>> = buckets
        .into_iter()
        .map(|(day, names)| (day, names.iter().filter_map(|name| boards.get(name).copied()).collect()))
        .collect();
    let known_sums = boards::standings(conn, &bucket_of.keys().copied().collect::<Vec<_>>(), &users)?;
    // Who stands on each board already, and earns on the day of the last points once more, is shown as before and keeps the streak.
    let as_before = |entry: &New| {
        let day = entry.at.date_naive();
        let standing = |board: &i64| known_sums.get(&(*board, entry.user)).map(|found| found.standing);
        matches!(entry.kind, "rule" | "award")
            && all_time.and_then(|board| standing(&board)?.earned_on) == Some(day)
            && on.get(&day).is_some_and(|boards| boards.iter().all(|board| standing(board).is_some()))
    };
    let others: BTreeSet<Uuid> = entries.iter().filter(|entry| !as_before(entry)).map(|entry| entry.user).collect();
    let others: Vec<Uuid> = others.into_iter().collect();
    let (known, shown) = displays(conn, game, &others)?;
    let anew = Anew::load(conn, game, &entries, &known)?;
    let last_days = enter(
        conn,
        ctx,
        game,
        entries.iter().filter(|entry| others.binary_search(&entry.user).is_ok()),
        &known,
        &anew,
    )?;

    let (mut sums, mut by_team) = (Vec::new(), Vec::new());
    for entry in &entries {
        for board in on.get(&entry.at.date_naive()).into_iter().flatten() {
            sums.push(((entry.user, *board), (entry.points, entry.at)));
            if let Some(team) = entry.team {
                by_team.push(((*board, team, entry.user), (entry.points, entry.at)));
            }
        }
    }
    // The sums of a player lie side by side, so they are written in that order.
    let (sums, by_team) = (summed(sums), summed(by_team));
    let mut booked = Booked { ids: rows.iter().map(|row| row.id).collect(), ..Booked::default() };
    let (mut moves, mut changes) = (Vec::with_capacity(sums.len()), Vec::with_capacity(sums.len()));
    for ((user, board), sum) in sums {
        let found = known_sums.get(&(board, user));
        let old = found.map(|found| found.standing);
        let listed = shown.get(&user) != Some(&Display::Hidden);
        let mut new = old.unwrap_or(Standing { total: Total::default(), listed, earned_on: None });
        new.total.points = boards::checked(new.total.points.saturating_add(sum.points))?;
        // Of nothing that is left it is as good as any instant.
        let newest = new.total.reached_at.max(sum.reached_at);
        new.total.reached_at = anew.of(user).map_or(newest, |at| at.get(None, &bucket_of, board).or(newest));
        if all_time == Some(board) {
            new.earned_on = last_days.get(&user).copied().unwrap_or(new.earned_on);
            booked.before.insert(user, old.map_or(0, |standing| standing.total.points));
            booked.after.insert(user, new.total.points);
        }
        let old = old.and_then(|standing| key_of(user, &standing));
        moves.push(Move { board, old, new: key_of(user, &new) });
        changes.push(Change { board, user, new, old: found });
    }
    boards::save(conn, &changes)?;
    ranking::apply(conn, &moves)?;
    let reached: Vec<_> = by_team
        .iter()
        .filter_map(|((board, team, user), _)| {
            let at = anew.of(*user)?.get(Some(*team), &bucket_of, *board);
            Some((*board, *team, *user, at.unwrap_or(DateTime::UNIX_EPOCH)))
        })
        .collect();
    boards::add_to_teams(conn, &by_team)?;
    boards::set_reached(conn, &reached)?;
    tell(conn, ctx, game, &booked)?;
    Ok(booked)
}

/// Points with their instants, summed by what they are of, in its order.
fn summed<K: Ord + Copy>(mut parts: Vec<(K, (i64, DateTime<Utc>))>) -> Vec<(K, Total)> {
    parts.sort_unstable_by_key(|(of, _)| *of);
    let mut sums: Vec<(K, Total)> = Vec::with_capacity(parts.len());
    for (of, (points, at)) in parts {
        if sums.last().is_none_or(|(last, _)| *last != of) {
            sums.push((of, Total::default()));
        }
        if let Some((_, sum)) = sums.last_mut() {
            sum.add(points, at);
        }
    }
    sums
}

fn row(ctx: &Ctx, game: &Game, entry: &New) -> EntryRow {
    EntryRow {
        id: ctx.new_id(),
        game_id: game.id(),
        user_id: entry.user,
        team_id: entry.team,
        points: entry.points,
        kind: entry.kind.to_owned(),
        rule_key: entry.rule.clone(),
        reason: entry.reason.clone(),
        event_id: entry.event,
        corrects_id: entry.corrects,
        made_by: ctx.actor.id().filter(|_| !entry.follows),
        dedup_key: entry.dedup.clone(),
        at: entry.at,
        created_at: ctx.now,
    }
}

/// When sums were reached, by team (or none for the whole) and bucket.
struct Reached(HashMap<(Option<Uuid>, String), DateTime<Utc>>);

impl Reached {
    /// The instant of the sum on a board.
    fn get(&self, team: Option<Uuid>, bucket_of: &HashMap<i64, &str>, board: i64) -> Option<DateTime<Utc>> {
        self.0.get(&(team, (*bucket_of.get(&board)?).to_owned())).copied()
    }
}

/// Players of whom what was earned before has changed: what is left to them, and when their sums were reached.
struct Anew(HashMap<Uuid, (Vec<Cause>, Reached)>);

impl Anew {
    fn load(conn: &mut Conn, game: &Game, entries: &[New], known: &HashMap<Uuid, Player>) -> AppResult<Self> {
        let late = |entry: &&New| {
            let last = known.get(&entry.user).and_then(|player| player.streak.last);
            match entry.kind {
                "rule" => last.is_some_and(|last| entry.at.date_naive() < last),
                "award" => false,
                _ => entry.corrects.is_some() || entry.kind == "replay",
            }
        };
        let users: BTreeSet<Uuid> = entries.iter().filter(late).map(|entry| entry.user).collect();
        let left = ledger::causes(conn, game.id(), &users.into_iter().collect::<Vec<_>>())?;
        let buckets = |at| Period::ALL.into_iter().map(|period| game.bucket(period, at)).collect::<Vec<_>>();
        let with = |left: Vec<Cause>| {
            let reached = Reached(cause::reached(&left, buckets));
            (left, reached)
        };
        Ok(Self(left.into_iter().map(|(user, left)| (user, with(left))).collect()))
    }

    /// When the sums of a player were reached, if that is to be found anew.
    fn of(&self, user: Uuid) -> Option<&Reached> {
        self.0.get(&user).map(|(_, reached)| reached)
    }
}

/// Enters new players and counts days on which points were earned. Where what was earned before has changed, all days are counted
/// anew. Answers the last of these days of each.
fn enter<'a>(
    conn: &mut Conn,
    ctx: &Ctx,
    game: &Game,
    entries: impl Iterator<Item = &'a New>,
    known: &HashMap<Uuid, Player>,
    anew: &Anew,
) -> AppResult<BTreeMap<Uuid, Option<NaiveDate>>> {
    let mut changed: BTreeMap<Uuid, Player> = BTreeMap::new();
    for entry in entries {
        let fresh = Player { display: None, streak: Streak::default(), joined_at: ctx.now };
        let player = changed.entry(entry.user).or_insert_with(|| known.get(&entry.user).copied().unwrap_or(fresh));
        if entry.points > 0 && matches!(entry.kind, "rule" | "award") {
            player.streak.count(entry.at.date_naive());
        }
    }
    for (user, (left, _)) in &anew.0 {
        if let Some(player) = changed.get_mut(user) {
            player.streak = Streak::of(cause::days(left));
        }
    }
    let last_days = changed.iter().map(|(user, player)| (*user, player.streak.last)).collect();
    let rows: Vec<(Uuid, Player)> = changed
        .into_iter()
        .filter(|(user, player)| known.get(user).is_none_or(|old| old.streak != player.streak))
        .collect();
    players::save(conn, game.id(), &rows)?;
    Ok(last_days)
}

/// Counts anew on which days these players earned points.
///
/// # Errors
/// Database errors.
pub fn recount(conn: &mut Conn, game: &Game, users: &[Uuid]) -> AppResult<()> {
    let left = ledger::causes(conn, game.id(), users)?;
    let days = |user: &Uuid| left.get(user).map(|left| cause::days(left)).unwrap_or_default();
    let rows: Vec<(Uuid, Player)> = players::find(conn, game.id(), users)?
        .into_iter()
        .map(|(user, player)| (user, player.streak, Streak::of(days(&user)), player))
        .filter(|(_, old, new, _)| old != new)
        .map(|(user, _, streak, player)| (user, Player { streak, ..player }))
        .collect();
    players::save(conn, game.id(), &rows)?;
    boards::forget_days(conn, game.id(), &rows.iter().map(|(user, _)| *user).collect::<Vec<_>>())
}

/// Appends what happened to the event log: one event for each player, and one for each level that was reached.
fn tell(conn: &mut Conn, ctx: &Ctx, game: &Game, booked: &Booked) -> AppResult<()> {
    let mut log = Vec::new();
    let course = game.course();
    let event = |kind, user| {
        let event = NewEvent::new(kind, "game", game.id()).user(user);
        course.into_iter().fold(event, NewEvent::course)
    };
    let mut users: Vec<_> = booked.after.iter().collect();
    users.sort();
    for (user, after) in users {
        let before = booked.before.get(user).copied().unwrap_or(0);
        let data = json!({"game_id": game.id(), "points": after.saturating_sub(before), "total": after});
        log.push(event("points.changed", *user).data(data));
        let level = |points| game.settings.level_of(points).map_or(0, |(number, _)| number);
        if level(*after) > level(before)
            && let Some((number, reached)) = game.settings.level_of(*after)
        {
            let data = json!({"game_id": game.id(), "level": number, "name": reached.name, "total": after});
            log.push(event("level.reached", *user).data(data));
        }
    }
    events::append(conn, ctx, log)
}
