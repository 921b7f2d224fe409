//! Use cases about points: the ledger, corrections, what a user has in all games, facts for conditions.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use super::booking::{self, New};
use super::{Game, criteria, find, find_locked, reach, read, sees_all, undoing};
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::domain::facts::{BadgeFact, GameFact, LearnerFacts};
use crate::domain::game::ledger::{Refused, correction, within};
use crate::domain::game::settings::MAX_POINTS;
use crate::domain::outline::FactNeeds;
use crate::domain::permission::{Act, Relation};
use crate::error::{AppError, AppResult, Code};
use crate::features::games::dto::{CorrectionIn, EntryOut, LedgerQuery, LevelOut, UserGamePoints};
use crate::features::games::store::ledger::{self, EntryRow, Filter, Sight};
use crate::features::games::store::{self, boards, players, teams};
use crate::features::users;
use crate::http::Ref;
use crate::state::Ctx;

fn out(row: EntryRow) -> EntryOut {
    EntryOut {
        id: row.id,
        game_id: row.game_id,
        user_id: row.user_id,
        team_id: row.team_id,
        points: row.points,
        kind: row.kind,
        rule: row.rule_key,
        reason: row.reason,
        event_id: row.event_id,
        corrects_id: row.corrects_id,
        made_by: row.made_by,
        at: row.at,
        created_at: row.created_at,
    }
}

/// A page of the ledger, oldest first: all of it for those who run the game; for others their own entries, those of the people
/// below them and of the units that they look after.
///
/// # Errors
/// 403, 404.
pub fn list(
    conn: &mut Conn,
    ctx: &Ctx,
    id: Uuid,
    query: &LedgerQuery,
    page: &PageRequest,
) -> AppResult<Rows<EntryOut>> {
    let game = find(conn, ctx, id, Act::ReadGame)?;
    let me = ctx.actor.user_id();
    let mut asked = query.user_id.clone();
    Ref::settle(&mut asked, |who| users::id_of(conn, who))?;
    let mut user = asked.as_ref().and_then(Ref::id);
    let mut sight = None;
    if !ctx.may(Act::ReadPoints, &game.relation()) {
        let me = me.ok_or_else(|| AppError::not_found("ledger"))?;
        let own = user.is_none_or(|asked| asked == me);
        let mut relation = Relation { own, ..game.relation() };
        if let Some(asked) = user.filter(|_| !own) {
            users::relate(conn, ctx, asked, &mut relation)?;
        }
        ctx.require(Act::ReadPoints, &relation)?;
        if user.is_none() {
            let units = ctx.actor.units_for(Act::ReadPoints);
            let leads = !units.is_empty() || users::has_reports(conn, me)?;
            (user, sight) = if leads { (None, Some(Sight { me, units })) } else { (Some(me), None) };
        }
    }
    let filter = Filter { sight, user, team: query.team_id, kind: query.kind.map(|kind| kind.as_str().to_owned()) };
    Ok(ledger::list(conn, id, &filter, page)?.map(out))
}

/// Adds a correction to the ledger: points given or taken by hand, or another entry taken back. What corrects an entry counts
/// for the instant and the team of that entry, so that week, match and team come out as if it had been right from the start; a
/// match that is decided and a league that is drawn stay as they are.
///
/// # Errors
/// 403, 404, 409, 422.
pub fn correct(conn: &mut Conn, ctx: &Ctx, id: Uuid, input: CorrectionIn) -> AppResult<EntryOut> {
    let game = find_locked(conn, ctx, id, Act::RefereeGame)?;
    game.require_running(ctx.now)?;
    let mut whole = None;
    let mut follows = Vec::new();
    let entry = match (input.corrects_id, input.user_id.as_deref()) {
        (Some(other), user) => {
            let unknown = || AppError::field("/corrects_id", "unknown_entry", "The game has no such entry.");
            let other = ledger::find(conn, id, other)?.ok_or_else(unknown)?;
            if let Some(user) = user
                && reach::named(conn, ctx, &game, Act::RefereeGame, user)?.id != other.user_id
            {
                return Err(AppError::field("/user_id", "other_user", "The entry belongs to somebody else."));
            }
            let gave = undoing::gave(conn, &game, &other)?;
            // What corrects a correction is one too, and takes back nothing whole.
            let again = gave.is_some() && matches!(other.kind.as_str(), "correction" | "reversal");
            // Nor does what is left when all that the rules gave was taken before: people gave it since.
            let part = again || gave.as_ref().is_some_and(|gave| gave.sum.by_rules() <= 0);
            let left = match gave.as_ref().and_then(|gave| gave.left_of(other.id)) {
                Some(left) => left,
                // Nothing gives this again, so what is left of it follows from what people did to it alone.
                None if gave.is_none() => ledger::left_of(conn, other.id)?,
                None => {
                    let corrected = ledger::corrected(conn, &[other.id])?.get(&other.id).copied().unwrap_or(0);
                    other.points.saturating_add(corrected)
                }
            };
            let corrected = left.saturating_sub(other.points);
            let mut points = correction(other.points, corrected, input.points).map_err(refused)?;
            if let Some(gave) = &gave
                && !again
            {
                points = within(gave.sum.net, points, input.points).map_err(refused)?;
            }
            if gave.is_none()
                && let Some((first, given)) = ledger::first_of(conn, other.id)?
                && first != other.id
            {
                // Nor does a correction of a correction turn what was given into a loss.
                let left = ledger::left_of(conn, first)?;
                correction(given, left.saturating_sub(given), Some(points)).map_err(refused)?;
            }
            let mut entry = undoing::reversal(&other, points);
            entry.reason = input.reason;
            if let Some(gave) = gave.filter(|_| again || points > 0) {
                let settling = undoing::settles(conn, &game, &other, &gave, points)?;
                follows.extend((settling != 0).then(|| gave.settling(&other, settling)));
            }
            if input.points.is_some() || part {
                // A part of it: then it is a correction and may be followed by another.
                entry.kind = "correction";
            } else {
                whole = Some((other, points.saturating_neg()));
            }
            entry
        }
        (None, None) => return Err(AppError::field("/user_id", "required", "Say whose points are corrected.")),
        (None, Some(user)) => {
            let points = input.points.ok_or_else(|| AppError::field("/points", "required", "Say how many points."))?;
            let user = reach::named_player(conn, ctx, &game, Act::RefereeGame, user)?;
            let team = teams::current(conn, id, &[user])?.get(&user).copied();
            New {
                user,
                team: team.filter(|_| game.has_teams()),
                points,
                kind: "correction",
                rule: None,
                reason: input.reason,
                event: None,
                corrects: None,
                dedup: None,
                at: ctx.now,
                follows: false,
            }
        }
    };
    if entry.points == 0 || entry.points.abs() > MAX_POINTS {
        return Err(AppError::field("/points", "out_of_range", "Points lie within 10^9 and are not 0."));
    }
    let mut entries = vec![entry];
    if let Some((other, left)) = whole {
        follows.extend(undoing::let_go(conn, ctx, &game, &other, left)?);
    }
    entries.extend(follows);
    several(conn, ctx, &game, entries)
}

fn refused(why: Refused) -> AppError {
    match why {
        Refused::NothingLeft => AppError::new(Code::WrongState, "The entry was taken back already.").with("left", 0),
        Refused::MoreThanLeft { left } => AppError::field(
            "/points",
            "out_of_range",
            format!("Of this entry {left} points are left; no more than that can be taken back."),
        ),
    }
}

/// Books entries of one player; answers the first.
fn several(conn: &mut Conn, ctx: &Ctx, game: &Game, entries: Vec<New>) -> AppResult<EntryOut> {
    let user = entries.first().map(|entry| entry.user).unwrap_or_default();
    let booked = booking::book(conn, ctx, game, entries)?;
    criteria::by_criteria(conn, ctx, game, &[user], &booked)?;
    let new = booked.ids.first().copied().ok_or_else(|| AppError::internal("nothing was booked"))?;
    ledger::find(conn, game.id(), new)?.map(out).ok_or_else(|| AppError::internal("the entry is gone"))
}

/// Points that another part of Cairn gives, such as an automation rule.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// To whom.
    pub user: Uuid,
    /// How many; negative ones take away.
    pub points: i64,
    /// For people.
    pub reason: &'a str,
    /// The event that caused it.
    pub event: Option<Uuid>,
    /// The same text books once.
    pub dedup: &'a str,
}

/// Gives points for another part of Cairn. Answers whether it was new.
///
/// # Errors
/// 404; 409 when the game is closed.
pub fn award(conn: &mut Conn, ctx: &Ctx, game: Uuid, given: &Given<'_>) -> AppResult<bool> {
    let Given { user, points, reason, event, dedup } = *given;
    let game = find_locked(conn, ctx, game, Act::RefereeGame)?;
    game.require_running(ctx.now)?;
    if users::find(conn, &Ref::Id(user))?.state == "left" {
        return Err(AppError::new(Code::WrongState, "The user has left, so there are no more points."));
    }
    let key = format!("award:{dedup}");
    if !ledger::known_keys(conn, std::slice::from_ref(&key))?.is_empty() {
        return Ok(false);
    }
    let team = teams::current(conn, game.id(), &[user])?.get(&user).copied().filter(|_| game.has_teams());
    let points = points.clamp(MAX_POINTS.saturating_neg(), MAX_POINTS);
    let reason = reason.to_owned();
    let entry = New {
        user,
        team,
        points,
        kind: "award",
        rule: None,
        reason,
        event,
        corrects: None,
        dedup: Some(key),
        at: ctx.now,
        follows: false,
    };
    let booked = booking::book(conn, ctx, &game, vec![entry])?;
    criteria::by_criteria(conn, ctx, &game, &[user], &booked)?;
    Ok(!booked.ids.is_empty())
}

fn level(game: &Game, points: i64) -> Option<LevelOut> {
    game.settings.level_of(points).map(|(number, level)| LevelOut {
        number,
        name: level.name.clone(),
        points: level.points,
    })
}

/// What a user has in each game.
///
/// # Errors
/// 404.
pub fn of_user(conn: &mut Conn, ctx: &Ctx, who: &Ref) -> AppResult<Vec<UserGamePoints>> {
    let user = users::find(conn, who)?;
    let mut relation = Relation { own: ctx.actor.user_id() == Some(user.id), ..Relation::default() };
    if !ctx.may(Act::ReadPoints, &relation) {
        users::relate(conn, ctx, user.id, &mut relation)?;
    }
    if !ctx.may(Act::ReadPoints, &relation) {
        return Err(AppError::not_found("user"));
    }
    let sums = boards::all_time_of(conn, user.id, None)?;
    let ids: Vec<Uuid> = sums.iter().map(|(game, _)| *game).collect();
    let rows = store::games::by_ids(conn, &ids)?;
    let streaks = players::streaks_of(conn, user.id)?;
    let today = ctx.now.date_naive();
    let by_game: HashMap<Uuid, i64> = sums.into_iter().collect();
    let mut items = Vec::new();
    for game in read(conn, rows)? {
        let points = by_game.get(&game.id()).copied().unwrap_or(0);
        let streak = streaks.get(&game.id()).copied().unwrap_or_default();
        let next = game.settings.next_level(points);
        items.push(UserGamePoints {
            game_id: game.id(),
            title: game.row.title.clone(),
            status: game.row.status.clone(),
            points,
            level: level(&game, points),
            next_level: next
                .map(|level| (level.name.clone(), level.points.saturating_sub(points)))
                .map(|(name, missing)| crate::features::games::dto::NextLevel { name, points_missing: missing }),
            streak_days: streak.as_of(today),
            longest_streak_days: streak.longest,
        });
    }
    Ok(items)
}

/// Adds what conditions ask about badges and games to the facts of many.
///
/// # Errors
/// Database errors.
pub fn add_facts(conn: &mut Conn, needs: &FactNeeds, all: &mut HashMap<Uuid, LearnerFacts>) -> AppResult<()> {
    let users: Vec<Uuid> = all.keys().copied().collect::<BTreeSet<_>>().into_iter().collect();
    if !needs.badges.is_empty() {
        let known = store::badges::existing(conn, &needs.badges)?;
        let held: BTreeSet<(Uuid, Uuid)> = store::badges::holders(conn, &needs.badges, &users)?.into_iter().collect();
        for (user, facts) in all.iter_mut() {
            let fact = |badge: &Uuid| BadgeFact { badge: *badge, held: held.contains(&(*badge, *user)) };
            facts.badges = known.iter().map(fact).collect();
        }
    }
    if !needs.games.is_empty() {
        let rows = store::games::by_ids(conn, &needs.games)?;
        let games = read(conn, rows)?;
        let sums = boards::all_time_of_many(conn, &needs.games, &users)?;
        for (user, facts) in all.iter_mut() {
            facts.games = games
                .iter()
                .map(|game| {
                    let points = sums.get(&(game.id(), *user)).copied().unwrap_or(0);
                    GameFact { game: game.id(), points, level: game.settings.level_of(points).map_or(0, |(n, _)| n) }
                })
                .collect();
        }
    }
    Ok(())
}

/// The levels of a game with the caller's place in them.
///
/// # Errors
/// 404.
pub fn levels(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<crate::features::games::dto::LevelsOut> {
    let game = find(conn, ctx, id, Act::ReadGame)?;
    let mine = match ctx.actor.user_id() {
        Some(user) => boards::all_time(conn, id, &[user])?.get(&user).copied(),
        None => None,
    };
    Ok(crate::features::games::dto::LevelsOut {
        items: game
            .settings
            .levels
            .iter()
            .zip(1_u32..)
            .map(|(level, number)| LevelOut { number, name: level.name.clone(), points: level.points })
            .collect(),
        points: mine,
        level: mine.and_then(|points| level(&game, points)),
    })
}

/// Whether the caller may see everything in a game.
pub(super) fn referee(ctx: &Ctx, game: &Game) -> bool {
    sees_all(ctx, game)
}
