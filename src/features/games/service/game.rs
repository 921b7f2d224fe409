//! Use cases about games themselves.

use uuid::Uuid;

use super::{Game, criteria, find, find_locked, refuse, sees_all, sight, targets};
use crate::clock;
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::domain::game::settings::Fault;
use crate::domain::game::{Display, GameScope, Mode, ScopeKind, Settings, View};
use crate::domain::permission::{Act, Relation, Roles};
use crate::error::{AppError, AppResult, Code};
use crate::events::{self, NewEvent};
use crate::features::courses::service as courses;
use crate::features::games::dto::{GameIn, GameOut, GamePatch, GameQuery, ScopeIn};
use crate::features::games::store::games::{self as store, GameRow};
use crate::features::games::store::ledger;
use crate::features::groups::service as units;
use crate::http::{Conditions, Patch, Ref};
use crate::state::Ctx;

/// What the outside sees of a game.
pub(super) fn out(ctx: &Ctx, game: &Game) -> AppResult<GameOut> {
    let row = &game.row;
    let settings = game.settings.clone();
    let kind = match row.scope_kind.as_str() {
        "course" => ScopeKind::Course,
        "group" => ScopeKind::Group,
        _ => ScopeKind::Site,
    };
    Ok(GameOut {
        id: row.id,
        title: row.title.clone(),
        description: row.description.clone(),
        scope: GameScope { kind, id: row.scope_id },
        status: row.status.clone(),
        mode: if game.has_teams() { Mode::Teams } else { Mode::Individual },
        starts_at: row.starts_at,
        ends_at: row.ends_at,
        closed_at: row.closed_at,
        team_score: settings.team_score,
        team_size_limit: settings.team_size_limit,
        open_teams: settings.open_teams,
        point_rules: settings.point_rules,
        levels: settings.levels,
        display: settings.display,
        // How cheats are caught is for those who catch them.
        guard: settings.guard.filter(|_| sees_all(ctx, game)),
        revocation: settings.revocation,
        leagues: settings.leagues,
        prizes: settings.prizes,
        season_days: settings.season_days,
        created_by: row.created_by,
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
    })
}

/// What is wrong with settings in themselves, or names what does not exist.
fn check(conn: &mut Conn, settings: &Settings, row: &GameRow, badges: &[Uuid]) -> AppResult<Vec<Fault>> {
    let mut faults = settings.faults();
    for (n, prize) in settings.prizes.iter().enumerate() {
        if prize.view == View::Teams && row.mode == Mode::Individual.as_str() {
            let detail = "No team can win it: this game is played alone.";
            faults.push((format!("/prizes/{n}/view"), "needs_teams", detail.into()));
        }
        if prize.badge_id.is_some_and(|id| !badges.contains(&id)) {
            faults.push((format!("/prizes/{n}/badge_id"), "unknown_badge", "The game has no badge of this id.".into()));
        }
    }
    if row.ends_at.is_some_and(|end| end <= row.starts_at) {
        faults.push(("/ends_at".into(), "out_of_range", "A game ends after it starts.".into()));
    }
    let conditions: Vec<_> = settings
        .point_rules
        .iter()
        .enumerate()
        .filter_map(|(n, rule)| Some((format!("/point_rules/{n}/where"), rule.only_where.as_ref()?)))
        .collect();
    let within =
        targets::Within { game: row.id, settings, course: row.scope_id.filter(|_| row.scope_kind == "course") };
    faults.extend(targets::faults(conn, &within, &conditions)?);
    Ok(faults)
}

/// The course or group that a scope names, if there is one, and the fault if there should be.
fn settle_scope(conn: &mut Conn, input: &ScopeIn) -> AppResult<(GameScope, Vec<Fault>)> {
    let named = input.id.as_deref().and_then(Ref::parse);
    let (id, fault) = match (input.kind, named) {
        (ScopeKind::Site, None) => (None, None),
        (ScopeKind::Site, Some(_)) => (None, Some(("not_expected", "The site has no id."))),
        (_, None) => (None, Some(("required", "Say which course or group."))),
        (ScopeKind::Course, Some(which)) => {
            (courses::id_of(conn, &which)?, Some(("unknown_course", "There is no such course.")))
        }
        (ScopeKind::Group, Some(which)) => {
            (units::id_of(conn, &which)?, Some(("unknown_group", "There is no such group.")))
        }
    };
    let fault = fault.filter(|_| id.is_none());
    let faults = fault.map(|(code, detail)| ("/scope/id".to_owned(), code, detail.to_owned()));
    Ok((GameScope { kind: input.kind, id }, faults.into_iter().collect()))
}

/// Makes a game; it counts from `starts_at` on.
///
/// # Errors
/// 403, 422.
pub fn create(conn: &mut Conn, ctx: &Ctx, input: GameIn) -> AppResult<GameOut> {
    let (scope, mut faults) = settle_scope(conn, &input.scope.unwrap_or_default())?;
    let course = scope.id.filter(|_| scope.kind == ScopeKind::Course);
    let unit_roles = match scope.id.filter(|_| scope.kind == ScopeKind::Group) {
        Some(group) => units::relation(conn, ctx, group)?.unit_roles,
        None => Roles::default(),
    };
    ctx.require(Act::WriteGame, &Relation { course, unit_roles, ..Relation::default() })?;
    let mut settings = Settings {
        team_score: input.team_score.unwrap_or_default(),
        team_size_limit: input.team_size_limit,
        open_teams: input.open_teams.unwrap_or(false),
        point_rules: input.point_rules.unwrap_or_default(),
        levels: input.levels.unwrap_or_default(),
        display: input.display.unwrap_or_default(),
        guard: input.guard,
        revocation: input.revocation.unwrap_or_default(),
        leagues: input.leagues,
        prizes: input.prizes.unwrap_or_default(),
        season_days: input.season_days,
    };
    let mut row = GameRow {
        id: ctx.new_id(),
        title: input.title,
        description: input.description.unwrap_or_default(),
        scope_kind: scope.kind.as_str().to_owned(),
        scope_id: scope.id,
        status: "open".to_owned(),
        mode: input.mode.unwrap_or_default().as_str().to_owned(),
        starts_at: input.starts_at.unwrap_or(ctx.now),
        ends_at: input.ends_at,
        seed: clock::random_number()?,
        settings: String::new(),
        closed_at: None,
        report: None,
        version: 1,
        created_by: ctx.actor.user_id(),
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    faults.extend(check(conn, &settings, &row, &[])?);
    refuse(faults)?;
    settings.name_rules();
    row.settings = serde_json::to_string(&settings).map_err(AppError::internal)?;
    store::insert(conn, &row)?;
    let event = NewEvent::new("game.created", "game", row.id);
    events::append(conn, ctx, vec![course.into_iter().fold(event, NewEvent::course)])?;
    out(ctx, &Game { row, settings, badges: Vec::new(), unit_roles })
}

/// One game.
///
/// # Errors
/// 404.
pub fn get(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<GameOut> {
    out(ctx, &*find(conn, ctx, id, Act::ReadGame)?)
}

/// A page of games: those of the site and of courses, and of groups those whose group the actor sees, is in, or played for.
///
/// # Errors
/// Database errors.
pub fn list(conn: &mut Conn, ctx: &Ctx, mut filter: GameQuery, page: &PageRequest) -> AppResult<Rows<GameOut>> {
    Ref::settle(&mut filter.course_id, |which| courses::id_of(conn, which))?;
    Ref::settle(&mut filter.group_id, |which| units::id_of(conn, which))?;
    let course = filter.course_id.as_ref().and_then(Ref::id);
    ctx.require(Act::ReadGame, &Relation { course, ..Relation::default() })?;
    let rows = store::list(conn, &filter, sight::limits(ctx).as_ref(), page)?;
    let items = rows
        .items
        .into_iter()
        .map(|row| {
            let settings = serde_json::from_str(&row.settings).map_err(AppError::internal)?;
            out(ctx, &Game { row, settings, badges: Vec::new(), unit_roles: Roles::default() })
        })
        .collect::<AppResult<_>>()?;
    Ok(Rows { items, next: rows.next })
}

/// Changes a game that is open. New point rules count for what happens from now on; a replay makes them count for all.
///
/// # Errors
/// 403, 404, 409, 412, 422.
pub fn update(conn: &mut Conn, ctx: &Ctx, id: Uuid, patch: GamePatch, conditions: &Conditions) -> AppResult<GameOut> {
    let game = find_locked(conn, ctx, id, Act::WriteGame)?;
    conditions.require(game.row.version)?;
    game.require_open(ctx.now)?;
    let mut game = Game::clone(&game);
    let settings = &mut game.settings;
    if let Patch::Value(title) = patch.title {
        game.row.title = title;
    }
    if let Patch::Value(description) = patch.description {
        game.row.description = description;
    }
    if let Patch::Value(mode) = patch.mode {
        game.row.mode = mode.as_str().to_owned();
    }
    if let Patch::Value(starts_at) = patch.starts_at
        && starts_at != game.row.starts_at
    {
        if ledger::any(conn, id)? {
            return Err(AppError::new(Code::WrongState, "Points were given already, so the start stays as it is."));
        }
        game.row.starts_at = starts_at;
    }
    if patch.ends_at.value().is_some_and(|end| *end <= ctx.now && game.row.ends_at != Some(*end)) {
        let detail = "A game ends later than now; close it to end it at once.";
        return Err(AppError::field("/ends_at", "in_the_past", detail));
    }
    game.row.ends_at = patch.ends_at.over(game.row.ends_at);
    if let Patch::Value(display) = patch.display {
        let hides = |display| display == Display::Hidden;
        if hides(display) != hides(settings.display) && ledger::any(conn, id)? {
            let detail =
                "Points were given already; whether players stand in leaderboards who did not say stays as it is.";
            return Err(AppError::new(Code::WrongState, detail));
        }
        settings.display = display;
    }
    let levels = settings.levels.clone();
    settings.team_score = patch.team_score.over(Some(settings.team_score)).unwrap_or_default();
    settings.team_size_limit = patch.team_size_limit.over(settings.team_size_limit);
    settings.open_teams = patch.open_teams.over(Some(settings.open_teams)).unwrap_or_default();
    settings.point_rules = patch.point_rules.over(Some(std::mem::take(&mut settings.point_rules))).unwrap_or_default();
    settings.levels = patch.levels.over(Some(std::mem::take(&mut settings.levels))).unwrap_or_default();
    settings.guard = patch.guard.over(settings.guard);
    settings.revocation = patch.revocation.over(Some(settings.revocation)).unwrap_or_default();
    settings.leagues = patch.leagues.over(settings.leagues.take());
    settings.prizes = patch.prizes.over(Some(std::mem::take(&mut settings.prizes))).unwrap_or_default();
    let badges: Vec<Uuid> = game.badges.iter().map(|badge| badge.row.id).collect();
    let mut faults = check(conn, &game.settings, &game.row, &badges)?;
    game.settings.name_rules();
    faults.extend(asked_for(conn, &game, &badges)?);
    refuse(faults)?;
    game.row.settings = serde_json::to_string(&game.settings).map_err(AppError::internal)?;
    game.row.version = game.row.version.saturating_add(1);
    game.row.updated_at = ctx.now;
    store::update(conn, &game.row)?;
    events::append(conn, ctx, vec![event("game.updated", &game)])?;
    let regraded = levels != game.settings.levels;
    if regraded {
        criteria::to_those_who_qualify(conn, ctx, &game)?;
    }
    out(ctx, &game)
}

/// What badges would be left asking for though it is no more.
fn asked_for(conn: &mut Conn, game: &Game, badges: &[Uuid]) -> AppResult<Vec<Fault>> {
    let mut faults = Vec::new();
    for badge in &game.badges {
        let others: Vec<Uuid> = badges.iter().filter(|id| **id != badge.row.id).copied().collect();
        let left = badge.criteria.as_ref().map(|c| c.faults(&game.settings, &others)).unwrap_or_default();
        faults.extend(left.into_iter().map(|(_, code, detail)| {
            let at = if code == "unknown_level" { "/levels" } else { "/point_rules" };
            (at.to_owned(), code, format!("The badge `{}` asks for it: {detail}", badge.row.title))
        }));
    }
    let conditions: Vec<_> =
        game.badges.iter().filter_map(|badge| Some((badge.row.title.clone(), badge.award_where.as_ref()?))).collect();
    let gone = targets::faults(conn, &targets::Within::of(game), &conditions)?.into_iter();
    faults.extend(gone.filter(|(_, code, _)| *code == "unknown_level").map(|(title, code, detail)| {
        ("/levels".to_owned(), code, format!("The badge `{title}` asks for it: {detail}"))
    }));
    Ok(faults)
}

/// An event about a game.
pub(super) fn event(kind: &'static str, game: &Game) -> NewEvent {
    let event = NewEvent::new(kind, "game", game.id());
    game.course().into_iter().fold(event, NewEvent::course)
}

/// Deletes a game in which nobody has points yet; one with points is closed instead.
///
/// # Errors
/// 403, 404, 409, 412.
pub fn delete(conn: &mut Conn, ctx: &Ctx, id: Uuid, conditions: &Conditions) -> AppResult<()> {
    let game = find_locked(conn, ctx, id, Act::WriteGame)?;
    conditions.require(game.row.version)?;
    if ledger::any(conn, id)? {
        return Err(AppError::new(Code::WrongState, "Points were given in this game; close it instead."));
    }
    store::delete(conn, id)?;
    events::append(conn, ctx, vec![event("game.deleted", &game)])
}
