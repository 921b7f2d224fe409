//! Badges: awarded by event, by criteria, as a prize or by hand; revoked by hand or because their cause is gone.

use std::collections::{BTreeSet, HashSet};

use serde_json::json;
use uuid::Uuid;

use super::booking::Booked;
use super::criteria::{by_criteria, to_those_who_qualify};
use super::{Badge, Game, find, find_locked, reach, refuse, targets, touch};
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::domain::game::badge::Criteria;
use crate::domain::game::settings::Fault;
use crate::domain::game::{Revocation, deeds, image};
use crate::domain::permission::{Act, Relation};
use crate::error::{AppError, AppResult, Code, Faults};
use crate::events::{self, NewEvent};
use crate::features::games::dto::{AwardBadgeIn, BadgeAwardOut, BadgeIn, BadgeOut, BadgePatch, RevokeBadgeIn};
use crate::features::games::store::badges::{self as store, AwardRow, BadgeRow, Of};
use crate::features::games::store::players::{self, FlagRow};
use crate::features::users;
use crate::http::{Conditions, Patch, Ref};
use crate::state::Ctx;

/// A badge for somebody.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Which.
    pub badge: Uuid,
    /// For whom.
    pub user: Uuid,
    /// `event`, `criteria`, `prize`, `rule` or `hand`.
    pub source: &'static str,
    /// For people.
    pub reason: String,
    /// The event that caused it.
    pub event: Option<Uuid>,
}

/// Awards badges that are not held yet, with an event for each. Answers what was new.
///
/// # Errors
/// Database errors.
pub fn grant(conn: &mut Conn, ctx: &Ctx, game: &Game, grants: Vec<Grant>) -> AppResult<Vec<AwardRow>> {
    if grants.is_empty() {
        return Ok(Vec::new());
    }
    let users: Vec<Uuid> = grants.iter().map(|g| g.user).collect::<BTreeSet<_>>().into_iter().collect();
    let held = store::held(conn, game.id(), &users)?;
    let mut seen = HashSet::new();
    let rows: Vec<AwardRow> = grants
        .into_iter()
        .filter(|g| held.get(&g.user).is_none_or(|held| !held.contains(&g.badge)) && seen.insert((g.badge, g.user)))
        .map(|g| AwardRow {
            id: ctx.new_id(),
            badge_id: g.badge,
            game_id: game.id(),
            user_id: g.user,
            source: g.source.to_owned(),
            reason: g.reason,
            event_id: g.event,
            awarded_by: ctx.actor.id(),
            awarded_at: ctx.now,
            state: "held".to_owned(),
            revoked_at: None,
            revoke_reason: None,
        })
        .collect();
    store::award(conn, &rows)?;
    let log = rows
        .iter()
        .map(|row| event("badge.awarded", row, game).data(json!({"badge_id": row.badge_id, "source": row.source})))
        .collect();
    events::append(conn, ctx, log)?;
    Ok(rows)
}

fn event(kind: &'static str, row: &AwardRow, game: &Game) -> NewEvent {
    let event = NewEvent::new(kind, "badge_award", row.id).user(row.user_id);
    game.course().into_iter().fold(event, NewEvent::course)
}

/// What becomes of an award when its cause is gone.
pub(super) fn policy(game: &Game, award: &AwardRow) -> Revocation {
    game.badges.iter().find(|badge| badge.row.id == award.badge_id).map_or(Revocation::Keep, |b| b.revocation)
}

/// A flag that says that a cause was corrected.
pub(super) fn cause_flag(ctx: &Ctx, game: Uuid, user: Uuid, entry: Option<Uuid>, award: Option<Uuid>) -> FlagRow {
    FlagRow {
        id: ctx.new_id(),
        game_id: game,
        user_id: user,
        kind: "cause_corrected".to_owned(),
        detail: "What it was given for was corrected or taken back.".to_owned(),
        entry_id: entry,
        award_id: award,
        state: "open".to_owned(),
        note: None,
        resolved_by: None,
        resolved_at: None,
        at: ctx.now,
    }
}

/// Treats held awards whose cause is gone by the policy of their badge.
///
/// # Errors
/// Database errors.
pub fn cause_gone(conn: &mut Conn, ctx: &Ctx, game: &Game, awards: Vec<AwardRow>) -> AppResult<()> {
    let (revoke, rest): (Vec<_>, Vec<_>) =
        awards.into_iter().partition(|award| policy(game, award) == Revocation::Revoke);
    revoke_all(conn, ctx, game, &revoke, "Its cause was corrected or taken back.")?;
    let review: Vec<AwardRow> = rest.into_iter().filter(|award| policy(game, award) == Revocation::Review).collect();
    if review.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = review.iter().map(|award| award.id).collect();
    store::set_state(conn, &ids, "review", None, ctx.now)?;
    let flags: Vec<FlagRow> =
        review.iter().map(|award| cause_flag(ctx, game.id(), award.user_id, None, Some(award.id))).collect();
    players::raise(conn, &flags)
}

pub(super) fn revoke_all(conn: &mut Conn, ctx: &Ctx, game: &Game, awards: &[AwardRow], why: &str) -> AppResult<()> {
    if awards.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = awards.iter().map(|award| award.id).collect();
    store::set_state(conn, &ids, "revoked", Some(why), ctx.now)?;
    let log = awards
        .iter()
        .map(|row| event("badge.revoked", row, game).data(json!({"badge_id": row.badge_id, "reason": why})))
        .collect();
    events::append(conn, ctx, log)
}

pub(super) fn out(badge: &Badge) -> BadgeOut {
    BadgeOut {
        id: badge.row.id,
        game_id: badge.row.game_id,
        title: badge.row.title.clone(),
        description: badge.row.description.clone(),
        design: badge.design.clone(),
        criteria: badge.criteria.clone(),
        award_on: badge.row.award_on.clone(),
        award_where: badge.award_where.clone(),
        revocation: badge.revocation,
        image_url: format!("/v1/badges/{}/image.svg", badge.row.id),
        created_at: badge.row.created_at,
        updated_at: badge.row.updated_at,
        version: badge.row.version,
    }
}

/// A page of a game's badges.
///
/// # Errors
/// 404.
pub fn list(conn: &mut Conn, ctx: &Ctx, game: Uuid, page: &PageRequest) -> AppResult<Rows<BadgeOut>> {
    let game = find(conn, ctx, game, Act::ReadGame)?;
    let rows = store::list(conn, game.id(), page)?;
    let items = rows.items.into_iter().map(|row| Badge::read(row).map(|b| out(&b))).collect::<AppResult<_>>()?;
    Ok(Rows { items, next: rows.next })
}

fn text<T: serde::Serialize>(value: &T) -> AppResult<String> {
    serde_json::to_string(value).map_err(AppError::internal)
}

fn check(conn: &mut Conn, game: &Game, badge: &Badge) -> AppResult<()> {
    let others: Vec<Uuid> = game.badges.iter().map(|b| b.row.id).filter(|id| *id != badge.row.id).collect();
    let mut faults = badge.design.faults();
    if let Some(criteria) = &badge.criteria {
        faults.extend(criteria.faults(&game.settings, &others));
        faults.extend(needs_itself(game, badge, criteria));
    }
    if let Some(name) = &badge.row.award_on {
        if !deeds::is_deed(name) {
            let known = deeds::names().collect::<Vec<_>>().join(", ");
            let detail = format!("`{name}` is not an event that is about a person; there are {known}.");
            faults.push(("/award_on".into(), "unknown_event", detail));
        }
    } else if badge.award_where.is_some() {
        faults.push(("/award_where".into(), "needs_event", "A condition goes with `award_on`.".into()));
    }
    if let Some(only) = &badge.award_where {
        faults.extend(targets::faults(conn, &targets::Within::of(game), &[("/award_where".to_owned(), only)])?);
    }
    refuse(faults)
}

/// A fault for each badge that a badge needs and that needs it in turn, so that nobody could earn either. One that an event earns
/// besides can be had without.
fn needs_itself(game: &Game, badge: &Badge, criteria: &Criteria) -> Vec<Fault> {
    if badge.row.award_on.is_some() {
        return Vec::new();
    }
    let needs = |id: Uuid| {
        let other = game.badges.iter().find(|other| other.row.id == id && other.row.award_on.is_none());
        other.and_then(|other| other.criteria.as_ref()).map(|criteria| criteria.badges.clone()).unwrap_or_default()
    };
    let mut faults = Vec::new();
    for (n, first) in criteria.badges.iter().enumerate().filter(|(_, first)| **first != badge.row.id) {
        let (mut seen, mut open) = (HashSet::from([*first]), vec![*first]);
        while let Some(id) = open.pop() {
            open.extend(needs(id).into_iter().filter(|next| *next != badge.row.id && seen.insert(*next)));
            if needs(id).contains(&badge.row.id) {
                let detail = "This badge needs the one that is to need it, so nobody could earn either.";
                faults.push((format!("/criteria/badges/{n}"), "needs_itself", detail.to_owned()));
                break;
            }
        }
    }
    faults
}

/// Makes a badge. Whoever has what its criteria ask gets it at once.
///
/// # Errors
/// 403, 404, 409, 422.
pub fn create(conn: &mut Conn, ctx: &Ctx, game: Uuid, input: BadgeIn) -> AppResult<BadgeOut> {
    let game = find_locked(conn, ctx, game, Act::WriteGame)?;
    game.require_open(ctx.now)?;
    if game.badges.len() >= 200 {
        return Err(AppError::new(Code::WrongState, "A game has at most 200 badges."));
    }
    let design = input.design.unwrap_or_default();
    let revocation = input.revocation.unwrap_or_default();
    let row = BadgeRow {
        id: ctx.new_id(),
        game_id: game.id(),
        title: input.title,
        description: input.description.unwrap_or_default(),
        design: text(&design)?,
        criteria: input.criteria.as_ref().map(text).transpose()?,
        award_on: input.award_on,
        award_where: input.award_where.as_ref().map(text).transpose()?,
        revocation: revocation.as_str().to_owned(),
        version: 1,
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    let badge = Badge { row, design, criteria: input.criteria, award_where: input.award_where, revocation };
    check(conn, &game, &badge)?;
    store::insert(conn, &badge.row)?;
    touch(conn, ctx, &game)?;
    events::append(conn, ctx, vec![NewEvent::new("badge.created", "badge", badge.row.id)])?;
    if badge.criteria.is_some() {
        let mut game = Game::clone(&game);
        game.badges.push(badge.clone());
        to_those_who_qualify(conn, ctx, &game)?;
    }
    Ok(out(&badge))
}

/// A badge that the actor may see, with its game, which is locked when it is to be changed.
fn of_actor(conn: &mut Conn, ctx: &Ctx, id: Uuid, act: Act, lock: bool) -> AppResult<(std::sync::Arc<Game>, Badge)> {
    let missing = || AppError::not_found("badge");
    let row = store::find(conn, id)?.ok_or_else(missing)?;
    let game = if lock { find_locked(conn, ctx, row.game_id, act) } else { find(conn, ctx, row.game_id, act) };
    let game = game.map_err(|error| if error.code() == Code::NotFound { missing() } else { error })?;
    let row = if lock { store::find(conn, id)?.ok_or_else(missing)? } else { row };
    Ok((game, Badge::read(row)?))
}

/// One badge.
///
/// # Errors
/// 404.
pub fn get(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<BadgeOut> {
    Ok(out(&of_actor(conn, ctx, id, Act::ReadGame, false)?.1))
}

/// The image of a badge, for anyone: badges are shown outside too.
///
/// # Errors
/// 404.
pub fn svg(conn: &mut Conn, id: Uuid) -> AppResult<(String, i64)> {
    let badge = Badge::read(store::find(conn, id)?.ok_or_else(|| AppError::not_found("badge"))?)?;
    Ok((image::svg(&badge.row.title, &badge.design), badge.row.version))
}

/// Changes a badge; those who hold it keep it, and whoever has what new criteria ask gets it at once.
///
/// # Errors
/// 403, 404, 412, 422.
pub fn update(conn: &mut Conn, ctx: &Ctx, id: Uuid, patch: BadgePatch, conditions: &Conditions) -> AppResult<BadgeOut> {
    let (game, mut badge) = of_actor(conn, ctx, id, Act::WriteGame, true)?;
    conditions.require(badge.row.version)?;
    game.require_open(ctx.now)?;
    let criteria = badge.criteria.clone();
    if let Patch::Value(title) = patch.title {
        badge.row.title = title;
    }
    if let Patch::Value(description) = patch.description {
        badge.row.description = description;
    }
    match patch.design {
        Patch::Value(design) => badge.design = design,
        Patch::Null => badge.design = image::Design::default(),
        Patch::Absent => {}
    }
    badge.criteria = patch.criteria.over(badge.criteria);
    badge.row.award_on = patch.award_on.over(badge.row.award_on);
    badge.award_where = patch.award_where.over(badge.award_where);
    if let Patch::Value(revocation) = patch.revocation {
        badge.revocation = revocation;
    }
    check(conn, &game, &badge)?;
    badge.row.design = text(&badge.design)?;
    badge.row.criteria = badge.criteria.as_ref().map(text).transpose()?;
    badge.row.award_where = badge.award_where.as_ref().map(text).transpose()?;
    badge.row.revocation = badge.revocation.as_str().to_owned();
    badge.row.version = badge.row.version.saturating_add(1);
    badge.row.updated_at = ctx.now;
    store::update(conn, &badge.row)?;
    touch(conn, ctx, &game)?;
    events::append(conn, ctx, vec![NewEvent::new("badge.updated", "badge", id)])?;
    if badge.criteria.is_some() && badge.criteria != criteria {
        let mut game = Game::clone(&game);
        game.badges.iter_mut().filter(|one| one.row.id == id).for_each(|one| *one = badge.clone());
        to_those_who_qualify(conn, ctx, &game)?;
    }
    Ok(out(&badge))
}

/// Deletes a badge that nobody was ever awarded.
///
/// # Errors
/// 403, 404, 409, 412.
pub fn delete(conn: &mut Conn, ctx: &Ctx, id: Uuid, conditions: &Conditions) -> AppResult<()> {
    let (game, badge) = of_actor(conn, ctx, id, Act::WriteGame, true)?;
    conditions.require(badge.row.version)?;
    game.require_open(ctx.now)?;
    if store::was_awarded(conn, id)? {
        return Err(AppError::new(Code::WrongState, "The badge was awarded; it belongs to the record now."));
    }
    let named = |other: &Badge| other.criteria.as_ref().is_some_and(|c| c.badges.contains(&id));
    if game.badges.iter().any(named) || game.settings.prizes.iter().any(|prize| prize.badge_id == Some(id)) {
        return Err(AppError::new(Code::WrongState, "Another badge or a prize names this badge."));
    }
    store::delete(conn, id)?;
    touch(conn, ctx, &game)?;
    events::append(conn, ctx, vec![NewEvent::new("badge.deleted", "badge", id)])
}

pub(super) fn award_out(row: AwardRow) -> BadgeAwardOut {
    BadgeAwardOut {
        id: row.id,
        badge_id: row.badge_id,
        game_id: row.game_id,
        user_id: row.user_id,
        source: row.source,
        reason: row.reason,
        event_id: row.event_id,
        awarded_by: row.awarded_by,
        awarded_at: row.awarded_at,
        state: row.state,
        revoked_at: row.revoked_at,
        revoke_reason: row.revoke_reason,
    }
}

/// Gives a badge by hand. Who holds it already keeps that award, which is answered again.
///
/// # Errors
/// 403, 404, 409, 422.
pub fn award(conn: &mut Conn, ctx: &Ctx, id: Uuid, input: AwardBadgeIn) -> AppResult<BadgeAwardOut> {
    let (game, badge) = of_actor(conn, ctx, id, Act::RefereeGame, true)?;
    game.require_open(ctx.now)?;
    let user = reach::named_player(conn, ctx, &game, Act::RefereeGame, &input.user_id)?;
    let reason = input.reason.unwrap_or_else(|| "Given by hand.".to_owned());
    let grants = vec![Grant { badge: badge.row.id, user, source: "hand", reason, event: None }];
    let new = grant(conn, ctx, &game, grants)?.pop();
    if new.is_some() {
        by_criteria(conn, ctx, &game, &[user], &Booked::default())?;
    }
    let row = match new {
        Some(row) => row,
        None => store::live_award(conn, id, user)?.ok_or_else(|| AppError::not_found("award"))?,
    };
    Ok(award_out(row))
}

/// Gives badges for another part of Cairn, such as a rule. Answers whether it was new.
///
/// # Errors
/// 404; 409 when the game is closed.
pub fn award_by_rule(
    conn: &mut Conn,
    ctx: &Ctx,
    id: Uuid,
    user: Uuid,
    reason: &str,
    event: Option<Uuid>,
) -> AppResult<bool> {
    let (game, badge) = of_actor(conn, ctx, id, Act::RefereeGame, true)?;
    game.require_open(ctx.now)?;
    if users::find(conn, &Ref::Id(user))?.state == "left" {
        return Err(AppError::new(Code::WrongState, "The user has left, so there are no more badges."));
    }
    let grants = vec![Grant { badge: badge.row.id, user, source: "rule", reason: reason.to_owned(), event }];
    let new = !grant(conn, ctx, &game, grants)?.is_empty();
    if new {
        by_criteria(conn, ctx, &game, &[user], &Booked::default())?;
    }
    Ok(new)
}

/// A page of those who were awarded a badge; only for those who run the game.
///
/// # Errors
/// 403, 404.
pub fn awards(conn: &mut Conn, ctx: &Ctx, id: Uuid, page: &PageRequest) -> AppResult<Rows<BadgeAwardOut>> {
    let (_, badge) = of_actor(conn, ctx, id, Act::RefereeGame, false)?;
    Ok(store::awards(conn, Of::Badge(badge.row.id), page)?.map(award_out))
}

/// Takes a badge back by hand.
///
/// # Errors
/// 403, 404, 409.
pub fn revoke(conn: &mut Conn, ctx: &Ctx, badge: Uuid, award: Uuid, input: RevokeBadgeIn) -> AppResult<BadgeAwardOut> {
    let (game, _) = of_actor(conn, ctx, badge, Act::RefereeGame, true)?;
    let missing = || AppError::not_found("award");
    let row = store::find_award(conn, award)?.filter(|row| row.badge_id == badge).ok_or_else(missing)?;
    if row.state == "revoked" {
        return Err(AppError::new(Code::WrongState, "The award is revoked already."));
    }
    revoke_all(conn, ctx, &game, std::slice::from_ref(&row), &input.reason)?;
    store::taken_by_hand(conn, row.id)?;
    Ok(award_out(store::find_award(conn, award)?.ok_or_else(missing)?))
}

/// A page of the badges that a user holds.
///
/// # Errors
/// 404.
pub fn of_user(conn: &mut Conn, ctx: &Ctx, who: &Ref, page: &PageRequest) -> AppResult<Rows<BadgeAwardOut>> {
    let user = users::find(conn, who)?;
    let mut relation = Relation { own: ctx.actor.user_id() == Some(user.id), ..Relation::default() };
    if !ctx.may(Act::ReadPoints, &relation) {
        users::relate(conn, ctx, user.id, &mut relation)?;
    }
    if !ctx.may(Act::ReadPoints, &relation) {
        return Err(AppError::not_found("user"));
    }
    Ok(store::awards(conn, Of::User(user.id), page)?.map(award_out))
}

/// Checks a title and texts that several inputs have.
pub(crate) fn check_reason(reason: &str, faults: &mut Faults) {
    let good = !reason.trim().is_empty() && reason.chars().count() <= 1000;
    faults.ensure(good, "/reason", "length", "A reason has 1 to 1,000 characters.");
}
