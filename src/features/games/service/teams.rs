//! Use cases about teams: made by hand, joined by a code; `draw` deals players out.

use serde_json::json;
use uuid::Uuid;

use super::{Game, find, find_locked, players, reach, sees_all};
use crate::clock;
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::domain::permission::{Act, Relation};
use crate::error::{AppError, AppResult, Code};
use crate::events::{self, NewEvent};
use crate::features::games::dto::{JoinIn, MemberOut, MembershipOut, TeamIn, TeamOut, TeamPatch};
use crate::features::games::store::teams::{self as store, TeamRow};
use crate::features::games::store::{boards, matches, players as player_store};
use crate::features::users;
use crate::http::{Conditions, Patch, Ref};
use crate::state::Ctx;

/// Teams of one game at most.
pub(super) const MAX_TEAMS: i64 = 1_000;

fn out(row: TeamRow, members: i64, code: bool) -> TeamOut {
    TeamOut {
        id: row.id,
        game_id: row.game_id,
        name: row.name,
        code: row.code.filter(|_| code),
        members,
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
    }
}

/// Eight letters and digits that are told apart easily.
pub(super) fn code() -> AppResult<String> {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let bytes = clock::random::<8>()?;
    Ok(bytes.iter().map(|b| char::from(ALPHABET.get(usize::from(b % 32)).copied().unwrap_or(b'0'))).collect())
}

pub(super) fn require_teams(game: &Game) -> AppResult<()> {
    if game.has_teams() {
        return Ok(());
    }
    Err(AppError::new(Code::WrongState, "This game is played alone; set its mode to teams first."))
}

/// Makes a team.
///
/// # Errors
/// 403, 404, 409, 422.
pub fn create(conn: &mut Conn, ctx: &Ctx, game: Uuid, input: TeamIn) -> AppResult<TeamOut> {
    let game = find_locked(conn, ctx, game, Act::WriteGame)?;
    game.require_open(ctx.now)?;
    require_teams(&game)?;
    if store::count(conn, game.id())? >= MAX_TEAMS {
        return Err(AppError::new(Code::WrongState, format!("A game has at most {MAX_TEAMS} teams.")));
    }
    let row = TeamRow {
        id: ctx.new_id(),
        game_id: game.id(),
        name: input.name.trim().to_owned(),
        code: Some(code()?),
        version: 1,
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    store::insert(conn, std::slice::from_ref(&row))?;
    events::append(conn, ctx, vec![event("team.created", &game, row.id)])?;
    Ok(out(row, 0, true))
}

fn event(kind: &'static str, game: &Game, team: Uuid) -> NewEvent {
    let event = NewEvent::new(kind, "team", team).data(json!({"game_id": game.id()}));
    game.course().into_iter().fold(event, NewEvent::course)
}

/// A page of a game's teams. Codes are shown to those who run the game.
///
/// # Errors
/// 404.
pub fn list(conn: &mut Conn, ctx: &Ctx, game: Uuid, page: &PageRequest) -> AppResult<Rows<TeamOut>> {
    let game = find(conn, ctx, game, Act::ReadGame)?;
    let rows = store::list(conn, game.id(), page)?;
    let ids: Vec<Uuid> = rows.items.iter().map(|row| row.id).collect();
    let sizes = store::sizes(conn, &ids)?;
    let all = sees_all(ctx, &game);
    Ok(rows.map(|row| {
        let size = sizes.get(&row.id).copied().unwrap_or(0);
        out(row, size, all)
    }))
}

fn team_of(conn: &mut Conn, game: &Game, team: Uuid) -> AppResult<TeamRow> {
    store::find(conn, game.id(), team)?.ok_or_else(|| AppError::not_found("team"))
}

/// One team.
///
/// # Errors
/// 404.
pub fn get(conn: &mut Conn, ctx: &Ctx, game: Uuid, team: Uuid) -> AppResult<TeamOut> {
    let game = find(conn, ctx, game, Act::ReadGame)?;
    let row = team_of(conn, &game, team)?;
    let size = store::sizes(conn, &[team])?.get(&team).copied().unwrap_or(0);
    Ok(out(row, size, sees_all(ctx, &game)))
}

/// Renames a team or gives it a new code.
///
/// # Errors
/// 403, 404, 409, 412, 422.
pub fn update(
    conn: &mut Conn,
    ctx: &Ctx,
    game: Uuid,
    team: Uuid,
    patch: TeamPatch,
    conditions: &Conditions,
) -> AppResult<TeamOut> {
    let game = find_locked(conn, ctx, game, Act::WriteGame)?;
    let mut row = team_of(conn, &game, team)?;
    conditions.require(row.version)?;
    game.require_open(ctx.now)?;
    if let Patch::Value(name) = patch.name {
        name.trim().clone_into(&mut row.name);
    }
    if patch.new_code == Some(true) {
        row.code = Some(code()?);
    }
    row.version = row.version.saturating_add(1);
    row.updated_at = ctx.now;
    store::update(conn, &row)?;
    events::append(conn, ctx, vec![event("team.updated", &game, team)])?;
    let size = store::sizes(conn, &[team])?.get(&team).copied().unwrap_or(0);
    Ok(out(row, size, true))
}

/// Deletes a team that nobody earned anything for.
///
/// # Errors
/// 403, 404, 409, 412.
pub fn delete(conn: &mut Conn, ctx: &Ctx, game: Uuid, team: Uuid, conditions: &Conditions) -> AppResult<()> {
    let game = find_locked(conn, ctx, game, Act::WriteGame)?;
    let row = team_of(conn, &game, team)?;
    conditions.require(row.version)?;
    game.require_open(ctx.now)?;
    if boards::team_has_points(conn, team)? {
        return Err(AppError::new(Code::WrongState, "Points were earned for this team; it belongs to the record now."));
    }
    if matches::has_team(conn, game.id(), team)? {
        let detail = "The team stands in the schedule of matches; draw that up without it first, before it begins.";
        return Err(AppError::new(Code::WrongState, detail));
    }
    store::delete(conn, team)?;
    events::append(conn, ctx, vec![event("team.deleted", &game, team)])
}

/// A page of a team's members. Who hides is shown to those who run the game and to themselves only.
///
/// # Errors
/// 404.
pub fn members(conn: &mut Conn, ctx: &Ctx, game: Uuid, team: Uuid, page: &PageRequest) -> AppResult<Rows<MemberOut>> {
    let game = find(conn, ctx, game, Act::ReadGame)?;
    team_of(conn, &game, team)?;
    let rows = store::members(conn, team, page)?;
    let users: Vec<Uuid> = rows.items.iter().map(|(_, user, _)| *user).collect();
    let shown = players::seen(conn, ctx, &game, &users)?;
    let items = rows
        .items
        .into_iter()
        .filter_map(|(_, user, joined_at)| Some(MemberOut { user: shown.get(&user)?.clone(), joined_at }))
        .collect();
    Ok(Rows { items, next: rows.next })
}

/// Puts a user into a team, out of any other team of the game. What was earned before stays with the other.
fn put_in(conn: &mut Conn, ctx: &Ctx, game: &Game, row: &TeamRow, user: Uuid) -> AppResult<MembershipOut> {
    let now = store::current(conn, game.id(), &[user])?.get(&user).copied();
    if now != Some(row.id) {
        let size = store::sizes(conn, &[row.id])?.get(&row.id).copied().unwrap_or(0);
        if game.settings.team_size_limit.is_some_and(|limit| size >= i64::from(limit)) {
            return Err(AppError::new(Code::WrongState, "The team is full."));
        }
        store::leave(conn, game.id(), &[user], ctx.now)?;
        store::join(conn, game.id(), &[(ctx.new_id(), row.id, user)], ctx.now)?;
        enter(conn, ctx, game, &[user])?;
        store::touch(conn, &now.into_iter().chain([row.id]).collect::<Vec<_>>(), ctx.now)?;
        let left = now.map(|team| event("team.left", game, team).user(user));
        events::append(conn, ctx, left.into_iter().chain([event("team.joined", game, row.id).user(user)]).collect())?;
    }
    Ok(MembershipOut { game_id: game.id(), team_id: row.id, team: row.name.clone(), user_id: user })
}

/// Makes players of those who are not yet.
pub(super) fn enter(conn: &mut Conn, ctx: &Ctx, game: &Game, users: &[Uuid]) -> AppResult<()> {
    let known = player_store::find(conn, game.id(), users)?;
    let fresh = player_store::Player { display: None, streak: Default::default(), joined_at: ctx.now };
    let new: Vec<_> = users.iter().filter(|user| !known.contains_key(user)).map(|user| (*user, fresh)).collect();
    player_store::save(conn, game.id(), &new)
}

/// Puts somebody into a team, by those who run the game.
///
/// # Errors
/// 403, 404, 409, 412.
pub fn set_member(
    conn: &mut Conn,
    ctx: &Ctx,
    game: Uuid,
    team: Uuid,
    who: &Ref,
    conditions: &Conditions,
) -> AppResult<MembershipOut> {
    let game = find_locked(conn, ctx, game, Act::WriteGame)?;
    let row = team_of(conn, &game, team)?;
    conditions.require(row.version)?;
    game.require_open(ctx.now)?;
    require_teams(&game)?;
    let user = reach::one(conn, ctx, &game, Act::WriteGame, who)?.ok_or_else(|| AppError::not_found("user"))?;
    if user.state == "left" {
        return Err(AppError::new(Code::WrongState, "The user has left and plays no more."));
    }
    put_in(conn, ctx, &game, &row, user.id)
}

/// Joins a team by its code, if the game lets players do so.
///
/// # Errors
/// 403, 404, 409.
pub fn join(conn: &mut Conn, ctx: &Ctx, game: Uuid, input: &JoinIn) -> AppResult<MembershipOut> {
    let game = find_locked(conn, ctx, game, Act::Play)?;
    let user = ctx.user()?;
    game.require_open(ctx.now)?;
    require_teams(&game)?;
    if !game.settings.open_teams {
        return Err(AppError::new(Code::Forbidden, "In this game teams are put together by those who run it."));
    }
    let code = input.code.trim().to_uppercase();
    let row = store::by_code(conn, game.id(), &code)?
        .ok_or_else(|| AppError::new(Code::AccessCodeWrong, "No team of this game has this code."))?;
    put_in(conn, ctx, &game, &row, user)
}

/// Takes somebody out of a team: those who run the game, or the member. The points earned for the team stay with it.
///
/// # Errors
/// 403, 404, 409, 412.
pub fn remove_member(
    conn: &mut Conn,
    ctx: &Ctx,
    game: Uuid,
    team: Uuid,
    who: &Ref,
    conditions: &Conditions,
) -> AppResult<()> {
    // Of people it is asked below: whoever may not take out others may take out themselves.
    let act = if ctx.actor.user_id().is_some() { Act::ReadGame } else { Act::WriteGame };
    let game = find_locked(conn, ctx, game, act)?;
    let row = team_of(conn, &game, team)?;
    let user = users::id_of(conn, who)?;
    let own = user.is_some() && ctx.actor.user_id() == user && game.settings.open_teams;
    if !own {
        ctx.require(Act::WriteGame, &game.relation())?;
    } else {
        ctx.require(Act::Play, &Relation { own, ..game.relation() })?;
    }
    conditions.require(row.version)?;
    game.require_open(ctx.now)?;
    // Whom the caller does not see is no member, like whoever does not exist.
    let user = user.ok_or_else(|| AppError::not_found("member"))?;
    if store::current(conn, game.id(), &[user])?.get(&user) != Some(&row.id) {
        return Err(AppError::not_found("member"));
    }
    store::leave(conn, game.id(), &[user], ctx.now)?;
    store::touch(conn, &[row.id], ctx.now)?;
    events::append(conn, ctx, vec![event("team.left", &game, team).user(user)])
}
