//! Teams drawn evenly.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::json;
use uuid::Uuid;

use super::teams::{MAX_TEAMS, code, enter, require_teams};
use super::{Game, find_locked, reach};
use crate::clock;
use crate::db::Conn;
use crate::db::page::PageRequest;
use crate::domain::game::draw::{self, Player};
use crate::domain::game::settings::MAX_POINTS;
use crate::domain::permission::Act;
use crate::error::{AppError, AppResult, Code, Faults};
use crate::events;
use crate::features::games::dto::{Balance, DrawIn, DrawOut, DrawnTeam};
use crate::features::games::store::teams::{self as store, TeamRow};
use crate::features::games::store::{boards, groups, players};
use crate::features::users::mass;
use crate::http::{Ref, schema};
use crate::state::Ctx;

/// Players in one draw at most.
const MAX_DRAWN: usize = 100_000;

/// Deals players out to teams evenly, from a seed that is answered and can be given again. Teams that are missing are made;
/// those in the draw leave the teams they were in, and all others stay where they are and count for what is even.
///
/// # Errors
/// 403, 404, 409, 422.
pub fn draw_teams(conn: &mut Conn, ctx: &Ctx, game: Uuid, input: &DrawIn) -> AppResult<DrawOut> {
    let game = find_locked(conn, ctx, game, Act::WriteGame)?;
    game.require_open(ctx.now)?;
    require_teams(&game)?;
    let seed = match input.seed {
        Some(seed) => seed,
        // What JavaScript can say exactly, so that the answer can be sent back as it is.
        None => clock::random_number()?.rem_euclid(1 << 53),
    };
    let Named { listed, strengths, pointers } = named(conn, ctx, &game, input)?;
    let everyone = match listed {
        Some(ids) => ids,
        None => everyone(conn, &game)?,
    };
    let wanted = usize::try_from(input.teams).unwrap_or(1).max(1);
    let limit = i64::try_from(wanted).unwrap_or(MAX_TEAMS);
    let old = store::list(conn, game.id(), &PageRequest { limit, after: None })?.items;
    let held = who_stays(conn, &old, &everyone)?;
    check_room(&game, &held, wanted, everyone.len())?;
    let counted: Vec<Uuid> = held.iter().flatten().chain(&everyone).copied().collect();
    weigh_all(&pointers, &counted)?;
    let points = boards::all_time(conn, game.id(), &counted)?;
    let player = |id: &Uuid| {
        let of = |known: &HashMap<Uuid, i64>| known.get(id).copied().unwrap_or(0);
        let points = strengths.as_ref().map_or_else(|| of(&points), of);
        Player { id: *id, points: points.clamp(MAX_POINTS.saturating_neg(), MAX_POINTS) }
    };
    let crowd: Vec<Player> = everyone.iter().map(player).collect();
    let mut held: Vec<Vec<Player>> = held.iter().map(|team| team.iter().map(player).collect()).collect();
    held.resize(wanted, Vec::new());
    let drawn = match input.balance.unwrap_or_default() {
        Balance::Size => draw::by_size(crowd, &held, seed),
        Balance::Points => draw::by_points(crowd, &held, seed),
    };
    let rows = ensure_teams(conn, ctx, &game, old, wanted)?;
    store::leave(conn, game.id(), &everyone, ctx.now)?;
    let stays: Vec<(Uuid, Uuid, Uuid)> = rows
        .iter()
        .zip(&drawn)
        .flat_map(|(row, team)| team.iter().map(|player| (ctx.new_id(), row.id, player.id)))
        .collect();
    store::join(conn, game.id(), &stays, ctx.now)?;
    enter(conn, ctx, &game, &everyone)?;
    let ids: Vec<Uuid> = store::names(conn, game.id())?.into_keys().collect();
    store::touch(conn, &ids, ctx.now)?;
    let data = json!({"game_id": game.id(), "seed": seed, "teams": wanted, "players": everyone.len()});
    events::append(conn, ctx, vec![super::game::event("game.teams_drawn", &game).data(data)])?;
    let whole: Vec<Vec<Player>> = held.into_iter().zip(&drawn).map(|(held, new)| [&held, &new[..]].concat()).collect();
    let spread = i64::try_from(draw::spread(&whole)).unwrap_or(i64::MAX);
    Ok(DrawOut {
        seed,
        players: everyone.len(),
        // Millionths of a point, shown to four decimals.
        strength_spread: crate::domain::game::team::from_millionths(spread),
        teams: rows
            .into_iter()
            .zip(whole.iter().zip(drawn))
            .map(|(row, (all, new))| DrawnTeam {
                id: row.id,
                name: row.name,
                size: all.len(),
                points: all.iter().map(|player| player.points).sum(),
                user_ids: new.iter().map(|player| player.id).collect(),
            })
            .collect(),
    })
}

/// Of each of these teams, who is in it and is not dealt out.
fn who_stays(conn: &mut Conn, teams: &[TeamRow], drawn: &[Uuid]) -> AppResult<Vec<Vec<Uuid>>> {
    let ids: Vec<Uuid> = teams.iter().map(|row| row.id).collect();
    let drawn: HashSet<Uuid> = drawn.iter().copied().collect();
    let mut held: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
    for (team, user) in store::all_members(conn, &ids)?.into_iter().filter(|(_, user)| !drawn.contains(user)) {
        held.entry(team).or_default().push(user);
    }
    Ok(ids.iter().map(|id| held.remove(id).unwrap_or_default()).collect())
}

/// Refuses a draw for which there is no room, with those who stay.
fn check_room(game: &Game, held: &[Vec<Uuid>], wanted: usize, players: usize) -> AppResult<()> {
    let Some(limit) = game.settings.team_size_limit else { return Ok(()) };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let new = wanted.saturating_sub(held.len()).saturating_mul(limit);
    let room = held.iter().fold(new, |room, team| room.saturating_add(limit.saturating_sub(team.len())));
    if players <= room {
        return Ok(());
    }
    let detail = format!("With {limit} in a team at most there is room for {room} more; more teams are needed.");
    Err(AppError::field("/teams", "too_few", detail))
}

/// Refuses strengths of those who are neither dealt out nor stay in one of the teams: they would weigh nothing.
fn weigh_all(strengths: &[(String, Uuid)], counted: &[Uuid]) -> AppResult<()> {
    let counted: HashSet<&Uuid> = counted.iter().collect();
    let mut faults = Faults::new();
    for (at, id) in strengths {
        let detail = "The user is not dealt out, nor in one of these teams.";
        faults.ensure(counted.contains(id), at, "not_drawn", detail);
    }
    faults.finish()
}

/// The teams to draw into: those there are, oldest first, and new ones.
fn ensure_teams(
    conn: &mut Conn,
    ctx: &Ctx,
    game: &Game,
    mut rows: Vec<TeamRow>,
    wanted: usize,
) -> AppResult<Vec<TeamRow>> {
    let names: HashSet<String> = store::names(conn, game.id())?.into_values().map(|name| name.to_lowercase()).collect();
    let mut new = Vec::new();
    let mut number = rows.len();
    while rows.len().saturating_add(new.len()) < wanted {
        number = number.saturating_add(1);
        let name = format!("Team {number}");
        if !names.contains(&name.to_lowercase()) {
            new.push(TeamRow {
                id: ctx.new_id(),
                game_id: game.id(),
                name,
                code: Some(code()?),
                version: 1,
                created_at: ctx.now,
                updated_at: ctx.now,
            });
        }
    }
    store::insert(conn, &new)?;
    rows.extend(new);
    Ok(rows)
}

/// Whom a draw names, by id.
struct Named {
    /// Who is dealt out, in order of id.
    listed: Option<Vec<Uuid>>,
    strengths: Option<HashMap<Uuid, i64>>,
    /// Where each of the strengths stands.
    pointers: Vec<(String, Uuid)>,
}

/// Settles whom a draw names. All must exist, in the actor's reach; who is dealt out stands in the list once and has not left.
fn named(conn: &mut Conn, ctx: &Ctx, game: &Game, input: &DrawIn) -> AppResult<Named> {
    let texts = || input.user_ids.iter().flatten().chain(input.strengths.iter().flat_map(HashMap::keys));
    let external: Vec<String> = texts().filter_map(|text| text.strip_prefix("ext:")).map(ToOwned::to_owned).collect();
    let external = mass::named(conn, &external)?;
    let id_of = |text: &str| match Ref::parse(text)? {
        Ref::Id(id) => Some(id),
        Ref::External(name) => external.get(&name).copied(),
    };
    let ids: Vec<Uuid> = texts().filter_map(|text| id_of(text)).collect::<BTreeSet<_>>().into_iter().collect();
    let left = players::who_left(conn, &ids)?;
    let reached = reach::among(conn, ctx, game, Act::WriteGame, &ids)?;
    let known = |text: &str| id_of(text).filter(|id| left.contains_key(id) && reached.contains(id));
    let mut faults = Faults::new();
    let mut listed = BTreeSet::new();
    for (n, text) in input.user_ids.iter().flatten().enumerate() {
        let at = format!("/user_ids/{n}");
        match known(text) {
            None => faults.add(at, "unknown_user", format!("There is no user {text}.")),
            Some(id) if left.get(&id) == Some(&true) => {
                faults.add(at, "user_left", "The user has left and plays no more.")
            }
            Some(id) => faults.ensure(listed.insert(id), &at, "duplicate", "A user stands in the list once."),
        }
    }
    let mut strengths = HashMap::new();
    let mut pointers = Vec::new();
    for (text, strength) in input.strengths.iter().flatten() {
        let at = format!("/strengths/{}", schema::escape(text));
        match known(text) {
            None => faults.add(at, "unknown_user", format!("There is no user {text}.")),
            Some(id) => {
                faults.ensure(strengths.insert(id, *strength).is_none(), &at, "duplicate", "This user is named twice.");
                pointers.push((at, id));
            }
        }
    }
    faults.finish()?;
    Ok(Named {
        listed: input.user_ids.as_ref().map(|_| listed.into_iter().collect()),
        strengths: input.strengths.as_ref().map(|_| strengths),
        pointers,
    })
}

/// Everybody who may play: the learners of its course, the members of its group; of a game of the site, all who have played.
fn everyone(conn: &mut Conn, game: &Game) -> AppResult<Vec<Uuid>> {
    let most = i64::try_from(MAX_DRAWN).unwrap_or(i64::MAX).saturating_add(1);
    let all = match (game.course(), game.group()) {
        (Some(course), _) => groups::learners(conn, game.id(), course, most)?,
        (None, Some(group)) => groups::everybody(conn, group, most)?,
        (None, None) => players::active(conn, game.id(), most)?,
    };
    if all.len() > MAX_DRAWN {
        return Err(AppError::new(Code::WrongState, format!("A draw takes at most {MAX_DRAWN} players.")));
    }
    Ok(all)
}
