//! Conditions of rules and badges name only what exists: a leaf whose target does not exist would never hold.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{Game, read};
use crate::db::Conn;
use crate::domain::condition::{Condition, LevelLeaf};
use crate::domain::game::Settings;
use crate::domain::game::settings::Fault;
use crate::domain::outline::{FactNeeds, Outline};
use crate::error::{AppError, AppResult};
use crate::features::games::store::{badges, games, groups};

/// The game whose conditions they are, as it is to be.
#[derive(Debug, Clone, Copy)]
pub struct Within<'a> {
    /// Its id.
    pub game: Uuid,
    /// Its settings.
    pub settings: &'a Settings,
    /// The course that it is of, if it is.
    pub course: Option<Uuid>,
}

impl<'a> Within<'a> {
    /// A game as it is.
    #[must_use]
    pub fn of(game: &'a Game) -> Self {
        Self { game: game.id(), settings: &game.settings, course: game.course() }
    }
}

/// A fault for each leaf, of conditions at these places, whose target does not exist.
///
/// # Errors
/// Database errors.
pub fn faults(conn: &mut Conn, within: &Within<'_>, conditions: &[(String, &Condition)]) -> AppResult<Vec<Fault>> {
    let needs = FactNeeds::of(&Condition::All(conditions.iter().map(|(_, condition)| (*condition).clone()).collect()));
    let mut known: Vec<Uuid> = Vec::new();
    let wanted = [needs.certificates, needs.courses].concat();
    if !wanted.is_empty() {
        known.extend(games::existing_courses(conn, &wanted)?);
    }
    let wanted = [needs.badges, needs.games].concat();
    if !wanted.is_empty() {
        known.extend(badges::existing(conn, &wanted)?);
    }
    if !needs.groups.is_empty() {
        known.extend(groups::existing(conn, &needs.groups)?);
    }
    let levels = levels_of(conn, within, conditions)?;
    let modules = modules_of(conn, within.course, conditions)?;
    let mut faults = Vec::new();
    for (at, condition) in conditions {
        condition.each_leaf(&mut |leaf| {
            if let Condition::Level(LevelLeaf { game, at_least }) = leaf
                && let Some(levels) = levels.get(game)
                && at_least > levels
            {
                let detail = format!("The condition asks for level {at_least}, but the game has {levels}.");
                faults.push((at.clone(), "unknown_level", detail));
            }
            if let (Some(key), Some(modules)) = (module_of(leaf), &modules)
                && !modules.contains(key)
            {
                let detail = format!("The condition names the module `{key}`, which the course does not have.");
                faults.push((at.clone(), "unknown_module", detail));
            }
            let (id, code) = match leaf {
                Condition::Course(leaf) => (leaf.id, "unknown_course"),
                Condition::Certificate(leaf) => (leaf.course, "unknown_course"),
                Condition::Group(leaf) => (leaf.id, "unknown_group"),
                Condition::Badge(leaf) => (leaf.id, "unknown_badge"),
                Condition::Points(leaf) => (leaf.game, "unknown_game"),
                Condition::Level(leaf) => (leaf.game, "unknown_game"),
                _ => return,
            };
            if id != within.game && !known.contains(&id) {
                faults.push((at.clone(), code, format!("The condition names {id}, which does not exist.")));
            }
        });
    }
    Ok(faults)
}

/// How many levels each game has that conditions ask about.
fn levels_of(
    conn: &mut Conn,
    within: &Within<'_>,
    conditions: &[(String, &Condition)],
) -> AppResult<HashMap<Uuid, u32>> {
    let mut asked = HashSet::new();
    for (_, condition) in conditions {
        condition.each_leaf(&mut |leaf| {
            if let Condition::Level(leaf) = leaf {
                asked.insert(leaf.game);
            }
        });
    }
    let count = |settings: &Settings| u32::try_from(settings.levels.len()).unwrap_or(u32::MAX);
    let others: Vec<Uuid> = asked.iter().copied().filter(|id| *id != within.game).collect();
    let mut levels: HashMap<Uuid, u32> = HashMap::from([(within.game, count(within.settings))]);
    if !others.is_empty() {
        let rows = games::by_ids(conn, &others)?;
        levels.extend(read(conn, rows)?.into_iter().map(|game| (game.id(), count(&game.settings))));
    }
    Ok(levels)
}

fn module_of(leaf: &Condition) -> Option<&str> {
    match leaf {
        Condition::Module(leaf) => Some(&leaf.key),
        Condition::Score(leaf) => Some(&leaf.module),
        _ => None,
    }
}

/// The modules of the course of a game, as far as conditions ask: of its draft and of every revision, for on each of them
/// somebody may be learning. None when nothing is asked or the game is of no course.
fn modules_of(
    conn: &mut Conn,
    course: Option<Uuid>,
    conditions: &[(String, &Condition)],
) -> AppResult<Option<HashSet<String>>> {
    let mut asked: HashSet<&str> = HashSet::new();
    for (_, condition) in conditions {
        condition.each_leaf(&mut |leaf| asked.extend(module_of(leaf)));
    }
    let Some(course) = course.filter(|_| !asked.is_empty()) else { return Ok(None) };
    let mut known = HashSet::new();
    let mut learn = |texts: Vec<String>| -> AppResult<bool> {
        for text in texts {
            let outline: Outline = serde_json::from_str(&text).map_err(AppError::internal)?;
            known.extend(outline.modules().map(|module| module.key.clone()));
        }
        Ok(asked.iter().all(|key| known.contains(*key)))
    };
    if !learn(games::outlines(conn, course, false)?)? {
        learn(games::outlines(conn, course, true)?)?;
    }
    Ok(Some(known))
}
