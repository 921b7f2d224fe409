//! Leaderboards. The board of a whole game answers from its counted ranking, whatever its size; the board of a part of it (a
//! course, a group, a team) costs what the part costs.

use std::cmp::Ordering;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Game, booking, find, players, sight};
use crate::db::Conn;
use crate::db::page::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::domain::game::order::Order;
use crate::domain::game::period::Period;
use crate::domain::game::rank::{Key, Place};
use crate::domain::game::team::{self, Standing};
use crate::domain::game::{Display, View};
use crate::domain::permission::Act;
use crate::error::{AppError, AppResult, Faults};
use crate::features::courses::service as courses;
use crate::features::games::dto::{Around, BoardItem, BoardQuery, LeaderboardOut, TeamBrief};
use crate::features::games::store::boards::{self, Part};
use crate::features::games::store::{ranking, teams};
use crate::features::groups::service as groups;
use crate::state::Ctx;

/// Players of a part of a board at most; a group beyond it is shown up to here.
const MOST_OF_A_PART: i64 = 100_000;

fn unreadable() -> AppError {
    AppError::field("?after", "invalid_cursor", "This is not a cursor that a leaderboard of Cairn gave out.")
}

fn place_of_cursor(text: &str) -> AppResult<Place> {
    URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| Place::from_slice(&bytes)).ok_or_else(unreadable)
}

fn cursor_of(place: &Place) -> String {
    URL_SAFE_NO_PAD.encode(place.to_bytes())
}

fn check(query: &BoardQuery) -> AppResult<i64> {
    let mut faults = Faults::new();
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        faults.add("?limit", "out_of_range", format!("limit must be between 1 and {MAX_LIMIT}."));
    }
    let parts = [query.course_id.is_some(), query.group_id.is_some(), query.team_id.is_some()];
    if parts.iter().filter(|given| **given).count() > 1 {
        faults.add("?team_id", "too_many", "Narrow by one of course_id, group_id and team_id.");
    }
    if query.around.is_some() && query.after.is_some() {
        faults.add("?after", "not_with_around", "A page around the caller has no page after it.");
    }
    if query.view == Some(View::Teams) && parts.contains(&true) {
        faults.add("?view", "not_with_part", "Teams are not narrowed.");
    }
    faults.finish()?;
    Ok(limit)
}

/// Whether a leaderboard can be answered at once. What is not in memory yet is put in order first, which takes a moment for each
/// hundred thousand players and is no work for a thread that serves others.
#[must_use]
pub fn is_at_hand(id: Uuid, query: &BoardQuery) -> bool {
    query.view == Some(View::Teams) || ranking::is_held(id, query.period.unwrap_or_default().as_str())
}

/// A leaderboard.
///
/// # Errors
/// 404, 422.
pub fn get(conn: &mut Conn, ctx: &Ctx, id: Uuid, query: &BoardQuery) -> AppResult<LeaderboardOut> {
    let limit = check(query)?;
    let game = find(conn, ctx, id, Act::ReadGame)?;
    let period = query.period.unwrap_or_default();
    // What is shown of a game that is over is its last week, month and season.
    let at = query.at.unwrap_or_else(|| game.row.closed_at.map_or(ctx.now, |closed| closed.min(ctx.now)));
    let bucket = game.bucket(period, at);
    let mut board = match query.view.unwrap_or_default() {
        View::Teams => of_teams(conn, ctx, &game, &bucket, query, limit)?,
        View::Players => match part(conn, ctx, &game, query)? {
            Some(rows) => of_part(conn, ctx, &game, &bucket, query, limit, rows)?,
            None => of_players(conn, ctx, &game, &bucket, query, limit)?,
        },
    };
    board.view = query.view.unwrap_or_default();
    board.period = period;
    board.period_start = crate::domain::game::period::first_day(period, at, game.seasons());
    board.frozen = game.row.status != "open";
    Ok(board)
}

/// The part of the game that is asked for.
fn part(conn: &mut Conn, ctx: &Ctx, game: &Game, query: &BoardQuery) -> AppResult<Option<Part>> {
    if let Some(team) = query.team_id {
        teams::find(conn, game.id(), team)?
            .ok_or_else(|| AppError::field("?team_id", "unknown_team", "The game has no such team."))?;
        return Ok(Some(Part::Team(team)));
    }
    if let Some(group) = &query.group_id {
        // One that does not exist is refused like one that is out of sight.
        let group = groups::id_of(conn, group)?.unwrap_or_default();
        sight::require_members(conn, ctx, group)?;
        return Ok(Some(Part::Group(group)));
    }
    if let Some(course) = &query.course_id {
        let unknown = || AppError::field("?course_id", "unknown_course", "There is no such course.");
        let course = courses::id_of(conn, course)?;
        // Who is in a course is not for everybody; one whose learners are out of sight looks like none.
        let seen = course.map(|course| sight::sees_learners(conn, ctx, course).map(|sees| sees.then_some(course)));
        return Ok(Some(Part::Course(seen.transpose()?.flatten().ok_or_else(unknown)?)));
    }
    Ok(None)
}

type Ranked = (i64, Uuid, i64, DateTime<Utc>);

fn ranked(first: i64, keys: &[Key]) -> Vec<Ranked> {
    keys.iter().zip(first..).map(|(key, rank)| (rank, key.id(), key.points(), key.reached_at())).collect()
}

fn number(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn key_of((_, user, points, at): &Ranked) -> Key {
    Key::new(*points, *at, *user)
}

/// What is read of a board at once, so that it fits together.
#[derive(Default)]
struct Page {
    /// How many stand before the caller.
    mine: Option<usize>,
    /// How many stand before the first key.
    first: usize,
    keys: Vec<Key>,
    /// Where the page ends, if there is more.
    end: Option<Place>,
    total: usize,
}

impl Page {
    fn around(order: &Order, key: &Key, size: usize) -> Self {
        let mine = order.before(key);
        let mut keys = order.just_before(key, size / 2);
        let first = mine.saturating_sub(keys.len());
        keys.push(*key);
        keys.extend(order.after(Some(key), size.saturating_sub(keys.len())));
        Self { mine: Some(mine), first, keys, end: None, total: order.len() }
    }

    fn after(order: &Order, from: Option<&Place>, size: usize) -> Self {
        let equals = |place: &Place| order.before(&place.end()).saturating_sub(order.before(place.start()));
        let most = from.map_or(0, |place| place.most_shown().min(equals(place)));
        let mut keys = order.after(from.map(Place::start), most.saturating_add(size).saturating_add(1));
        let shown = from.map_or(0, |place| place.shown_of(&keys));
        keys.drain(..shown);
        let first = from.map_or(0, |place| order.before(place.start())).saturating_add(shown);
        let more = keys.len() > size;
        keys.truncate(size);
        let end = keys.last().filter(|_| more).map(|last| {
            let equals = order.before(last).saturating_sub(order.before(&last.first_of_its_equals()));
            Place::after(last, equals.saturating_add(1))
        });
        Self { mine: None, first, keys, end, total: order.len() }
    }
}

fn of_players(
    conn: &mut Conn,
    ctx: &Ctx,
    game: &Game,
    bucket: &str,
    query: &BoardQuery,
    limit: i64,
) -> AppResult<LeaderboardOut> {
    let me = ctx.actor.user_id().unwrap_or_default();
    let Some((board, mine)) = boards::with_player(conn, game.id(), bucket, me)? else {
        return Ok(LeaderboardOut::default());
    };
    let hides = mine.is_some() && hides_now(conn, game, me)?;
    let my_key = mine.filter(|(_, _, listed)| *listed && !hides).map(|(points, at, _)| Key::new(points, at, me));
    let from = query.after.as_deref().filter(|_| query.around.is_none()).map(place_of_cursor).transpose()?;
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let page = ranking::look(conn, &board, |order| match (query.around, &my_key) {
        (Some(Around::Me), Some(key)) => Page::around(order, key, size),
        (Some(Around::Me), None) => Page { total: order.len(), ..Page::default() },
        (None, _) => Page { mine: my_key.map(|key| order.before(&key)), ..Page::after(order, from.as_ref(), size) },
    })?;
    let items = items_of(conn, ctx, game, ranked(number(page.first).saturating_add(1), &page.keys))?;
    Ok(LeaderboardOut {
        items,
        next: page.end.as_ref().map(cursor_of),
        my_rank: page.mine.map(|before| number(before).saturating_add(1)),
        my_points: mine.map(|(points, ..)| points),
        total: number(page.total),
        ..LeaderboardOut::default()
    })
}

/// Whether somebody hides on a board that is frozen, where they still have a place.
fn hides_now(conn: &mut Conn, game: &Game, user: Uuid) -> AppResult<bool> {
    let frozen = game.row.status != "open";
    Ok(frozen && booking::display_of(conn, game, &[user])?.get(&user) == Some(&Display::Hidden))
}

fn items_of(conn: &mut Conn, ctx: &Ctx, game: &Game, rows: Vec<Ranked>) -> AppResult<Vec<BoardItem>> {
    let users: Vec<Uuid> = rows.iter().map(|(_, user, ..)| *user).collect();
    let shown = players::shown_or_hidden(conn, ctx, game, &users)?;
    // On a board that is frozen nobody moves up: who hides now is left out, and all others keep their ranks.
    let hides = |user: &Uuid| game.row.status != "open" && shown.get(user).is_some_and(|(_, hidden)| *hidden);
    let (of, names) = if game.has_teams() && !users.is_empty() {
        (teams::current(conn, game.id(), &users)?, teams::names(conn, game.id())?)
    } else {
        Default::default()
    };
    Ok(rows
        .into_iter()
        .filter(|(_, user, ..)| !hides(user))
        .map(|(rank, user, points, at)| BoardItem {
            rank,
            points,
            score: None,
            level: game.settings.level_of(points).map(|(_, level)| level.name.clone()),
            user: shown.get(&user).map(|(out, _)| out.clone()),
            team: of.get(&user).and_then(|id| names.get(id).map(|name| TeamBrief { id: *id, name: name.clone() })),
            members: None,
            reached_at: Some(at),
        })
        .collect())
}

fn of_part(
    conn: &mut Conn,
    ctx: &Ctx,
    game: &Game,
    bucket: &str,
    query: &BoardQuery,
    limit: i64,
    asked: Part,
) -> AppResult<LeaderboardOut> {
    let me = ctx.actor.user_id().unwrap_or_default();
    let Some((board, _)) = boards::with_player(conn, game.id(), bucket, me)? else {
        return Ok(LeaderboardOut::default());
    };
    let rows = boards::part(conn, board.id, asked, MOST_OF_A_PART)?;
    let all: Vec<Ranked> =
        rows.into_iter().zip(1..).map(|((user, points, at), rank)| (rank, user, points, at)).collect();
    let points = all.iter().find(|(_, user, ..)| *user == me).copied();
    let hides = points.is_some() && hides_now(conn, game, me)?;
    let mine = points.filter(|_| !hides);
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let from = match (query.around, mine) {
        (Some(Around::Me), Some((rank, ..))) => {
            usize::try_from(rank.saturating_sub(1)).unwrap_or(0).saturating_sub(size / 2)
        }
        (Some(Around::Me), None) => all.len(),
        (None, _) => match query.after.as_deref().map(place_of_cursor).transpose()? {
            Some(place) => {
                let first = all.partition_point(|row| key_of(row) <= *place.start());
                let equals: Vec<Key> = all.iter().skip(first).take(place.most_shown()).map(key_of).collect();
                first.saturating_add(place.shown_of(&equals))
            }
            None => 0,
        },
    };
    let rows: Vec<Ranked> = all.iter().skip(from).take(size).copied().collect();
    let last = rows.last().filter(|(rank, ..)| query.around.is_none() && *rank < total);
    let end = last.map(|last| {
        let start = key_of(last).first_of_its_equals();
        let through = usize::try_from(last.0).unwrap_or(usize::MAX);
        Place::after(&start, through.saturating_sub(all.partition_point(|row| key_of(row) <= start)))
    });
    Ok(LeaderboardOut {
        items: items_of(conn, ctx, game, rows)?,
        next: end.as_ref().map(cursor_of),
        my_rank: mine.map(|(rank, ..)| rank),
        my_points: points.map(|(_, _, points, _)| points),
        total,
        ..LeaderboardOut::default()
    })
}

/// All teams of a game in order, with their names and present sizes.
///
/// # Errors
/// Database errors.
pub fn team_standings(conn: &mut Conn, game: &Game, bucket: &str) -> AppResult<Vec<BoardItem>> {
    let rows = boards::teams(conn, game.id(), bucket, game.top_k())?;
    let mut order: Vec<Standing> = rows
        .iter()
        .map(|row| Standing {
            team: row.team_id,
            sum: row.points,
            heads: row.members.saturating_add(row.gone),
            top: row.top,
            reached_at: row.reached_at,
        })
        .collect();
    let rule = game.settings.team_score;
    team::rank(&mut order, rule);
    let by_id: std::collections::HashMap<Uuid, &boards::TeamSums> = rows.iter().map(|row| (row.team_id, row)).collect();
    Ok(order
        .iter()
        .zip(1..)
        .filter_map(|(standing, rank)| {
            let row = by_id.get(&standing.team)?;
            Some(BoardItem {
                rank,
                points: standing.sum,
                score: Some(standing.score(rule).value()),
                level: None,
                user: None,
                team: Some(TeamBrief { id: standing.team, name: row.name.clone() }),
                members: Some(row.members),
                reached_at: standing.reached_at,
            })
        })
        .collect())
}

fn of_teams(
    conn: &mut Conn,
    ctx: &Ctx,
    game: &Game,
    bucket: &str,
    query: &BoardQuery,
    limit: i64,
) -> AppResult<LeaderboardOut> {
    let all = team_standings(conn, game, bucket)?;
    let my_team = match ctx.actor.user_id() {
        Some(me) => teams::current(conn, game.id(), &[me])?.get(&me).copied(),
        None => None,
    };
    let mine = all.iter().find(|item| item.team.as_ref().map(|team| team.id) == my_team && my_team.is_some()).cloned();
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let from = match (query.around, &mine) {
        (Some(Around::Me), Some(item)) => {
            usize::try_from(item.rank.saturating_sub(1)).unwrap_or(0).saturating_sub(size / 2)
        }
        (Some(Around::Me), None) => all.len(),
        // The order of teams changes while points come in, so a cursor is the rank that was shown last.
        (None, _) => match query.after.as_deref() {
            Some(text) => {
                let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| unreadable())?;
                std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok()).ok_or_else(unreadable)?
            }
            None => 0,
        },
    };
    let items: Vec<BoardItem> = all.into_iter().skip(from).take(size).collect();
    let last = items.last().map(|item| item.rank);
    let more = last.is_some_and(|rank| rank.cmp(&total) == Ordering::Less) && query.around.is_none();
    Ok(LeaderboardOut {
        items,
        next: last.filter(|_| more).map(|rank| URL_SAFE_NO_PAD.encode(rank.to_string())),
        my_rank: mine.as_ref().map(|item| item.rank),
        my_points: mine.as_ref().map(|item| item.points),
        total,
        ..LeaderboardOut::default()
    })
}

/// What the live stream shows: the top of both views, as JSON, with what makes it change.
///
/// # Errors
/// 404.
pub fn live(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<crate::features::games::dto::LiveOut> {
    let query = |view| BoardQuery { view: Some(view), limit: Some(20), ..BoardQuery::default() };
    let game = find(conn, ctx, id, Act::ReadGame)?;
    let players = get(conn, ctx, id, &query(View::Players))?;
    let teams = if game.has_teams() { Some(get(conn, ctx, id, &query(View::Teams))?) } else { None };
    Ok(crate::features::games::dto::LiveOut { status: game.row.status.clone(), players, teams })
}

/// A page of the whole board, all time, from a rank on: for prizes and reports.
///
/// # Errors
/// Database errors.
pub(super) fn top(conn: &mut Conn, game: &Game, limit: i64) -> AppResult<Vec<Ranked>> {
    let Some((board, _)) = boards::with_player(conn, game.id(), Period::All.as_str(), Uuid::nil())? else {
        return Ok(Vec::new());
    };
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(ranked(1, &ranking::within(conn, &board, |order| order.after(None, size))?))
}
