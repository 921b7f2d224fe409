//! Who was in which groups when, as far as a game asks: a deed counts for who was in the group when it was done, live and in a
//! replay. What lies below a unit is what lies below it now.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use uuid::Uuid;

use super::{Game, scoring};
use crate::db::Conn;
use crate::domain::facts::LearnerFacts;
use crate::domain::game::membership::Stays;
use crate::domain::game::points::Occurrence;
use crate::error::AppResult;
use crate::events;
use crate::features::games::store::groups;

const CAME: &str = "group.joined";
const WENT: &str = "group.left";
/// Events that are read at once.
const PIECE: i64 = 5_000;

/// Who was in the groups that a game asks about.
#[derive(Debug, Clone, Default)]
pub(super) struct Memberships {
    stays: Stays,
    /// A group that is asked about, and one that lies within it, which may be itself.
    within: HashSet<(Uuid, Uuid)>,
}

/// Loads them for some people, or for all, for deeds after a position in the log.
pub(super) fn load(conn: &mut Conn, game: &Game, users: Option<&[Uuid]>, after: i64) -> AppResult<Memberships> {
    let asked: BTreeSet<Uuid> = scoring::needs(game).groups.into_iter().chain(game.group()).collect();
    let asked: Vec<Uuid> = asked.into_iter().collect();
    let mut known = Memberships::default();
    if asked.is_empty() {
        return Ok(known);
    }
    known.within = groups::within(conn, &asked)?.into_iter().collect();
    let inside: HashSet<Uuid> = known.within.iter().map(|(_, group)| *group).collect();
    // The present first: a turn that is taken between the two reads is told by its event.
    for (group, user) in groups::members_within(conn, &asked, users)? {
        known.stays.is_in(group, user);
    }
    // Of a few people the log is asked by person; for what happened just now, all turns since are fewer.
    let by_person = users.filter(|_| after == 0);
    let mut seq = after;
    loop {
        let page = events::of_kinds(conn, &[CAME, WENT], by_person, seq, i64::MAX, PIECE)?;
        let Some(last) = page.last() else { return Ok(known) };
        seq = last.seq;
        for event in page.iter().filter(|event| inside.contains(&event.subject_id)) {
            if let Some(user) = event.user_id {
                known.stays.turn(event.subject_id, user, event.seq, event.kind == CAME);
            }
        }
    }
}

impl Memberships {
    fn was_in(&self, group: Uuid, deed: &Occurrence) -> bool {
        self.stays.of(deed.user, deed.seq).any(|stay| self.within.contains(&(group, stay)))
    }

    /// Whether a deed was done by one of those whom the game is for.
    pub fn in_scope(&self, game: &Game, deed: &Occurrence) -> bool {
        game.group().is_none_or(|group| self.was_in(group, deed))
    }

    /// What is known of a player, in the groups of when the deed was done.
    pub fn of_then<'a>(&self, player: &'a LearnerFacts, deed: &Occurrence) -> Cow<'a, LearnerFacts> {
        if player.groups.is_empty() {
            return Cow::Borrowed(player);
        }
        let mut player = player.clone();
        for fact in &mut player.groups {
            fact.member = self.was_in(fact.group, deed);
        }
        Cow::Owned(player)
    }
}
