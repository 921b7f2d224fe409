//! The ledger: entries are only ever added, and everything shown is a sum of them.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

/// What counts of a ledger entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Whose.
    pub user: Uuid,
    /// The team held when it was earned.
    pub team: Option<Uuid>,
    /// How many; negative ones take away.
    pub points: i64,
    /// The day and instant that it counts for.
    pub at: DateTime<Utc>,
}

/// A sum of entries, and when it came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Total {
    /// The sum.
    pub points: i64,
    /// The instant of the newest entry in it: when this total was reached. The order in which entries are added does not
    /// matter.
    pub reached_at: Option<DateTime<Utc>>,
}

impl Total {
    /// Adds an entry.
    pub fn add(&mut self, points: i64, at: DateTime<Utc>) {
        if points != 0 {
            self.points = self.points.saturating_add(points);
            self.reached_at = self.reached_at.max(Some(at));
        }
    }
}

/// Why an entry cannot be corrected so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// All of it was taken back.
    NothingLeft,
    /// More would be taken back than is left of it.
    MoreThanLeft {
        /// What is left.
        left: i64,
    },
}

/// The points of a correction that names an entry of `points`, of which earlier corrections come to `corrected`: what is left of
/// it when nothing is asked, else what is asked. However many corrections there are, they never turn what was given into a loss,
/// or what was taken into a gain.
///
/// # Errors
/// When nothing is left, or less than is asked.
pub fn correction(points: i64, corrected: i64, asked: Option<i64>) -> Result<i64, Refused> {
    let left = points.saturating_add(corrected);
    let Some(asked) = asked else {
        return if left == 0 { Err(Refused::NothingLeft) } else { Ok(left.saturating_neg()) };
    };
    let then = left.saturating_add(asked);
    if then != 0 && then.signum() != points.signum() {
        return Err(if left == 0 { Refused::NothingLeft } else { Refused::MoreThanLeft { left } });
    }
    Ok(asked)
}

/// Who gains or loses by new rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Who.
    pub user: Uuid,
    /// Points by rules until now.
    pub before: i64,
    /// Points by the new rules.
    pub after: i64,
}

/// Compares what rules gave with what they should have given, per player; those for whom nothing changes are left out.
/// Greatest loss first, then greatest gain.
#[must_use]
pub fn changes(given: &[Entry], due: &[Entry]) -> Vec<Change> {
    let mut all: BTreeMap<Uuid, (i64, i64)> = BTreeMap::new();
    for entry in given {
        let sum = all.entry(entry.user).or_default();
        sum.0 = sum.0.saturating_add(entry.points);
    }
    for entry in due {
        let sum = all.entry(entry.user).or_default();
        sum.1 = sum.1.saturating_add(entry.points);
    }
    let mut changes: Vec<Change> = all
        .into_iter()
        .filter(|(_, (before, after))| before != after)
        .map(|(user, (before, after))| Change { user, before, after })
        .collect();
    changes.sort_by_key(|c| {
        let gain = c.after.saturating_sub(c.before);
        (gain > 0, if gain > 0 { gain.saturating_neg() } else { gain }, c.user)
    });
    changes
}

/// A player's day in a team.
type Day = (Uuid, Option<Uuid>, NaiveDate);

/// The entries that turn what was given into what is due: one for each player, team and day, dated at that day's last
/// instant that matters, so that week and month come out right too.
#[must_use]
pub fn adjustments(given: &[Entry], due: &[Entry]) -> Vec<Entry> {
    let mut sums: HashMap<Day, (i64, DateTime<Utc>)> = HashMap::new();
    let signed = given.iter().map(|entry| (entry, true)).chain(due.iter().map(|entry| (entry, false)));
    for (entry, was) in signed {
        let sum = sums.entry((entry.user, entry.team, entry.at.date_naive())).or_insert((0, entry.at));
        sum.0 = if was { sum.0.saturating_sub(entry.points) } else { sum.0.saturating_add(entry.points) };
        sum.1 = sum.1.max(entry.at);
    }
    let mut entries: Vec<Entry> = sums
        .into_iter()
        .filter(|(_, (points, _))| *points != 0)
        .map(|((user, team, _), (points, at))| Entry { user, team, points, at })
        .collect();
    entries.sort_by_key(|entry| (entry.at, entry.user, entry.team));
    entries
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;
    use serde_json::json;

    /// Points by period and whoever they are of.
    type Sums = HashMap<(String, Uuid), i64>;

    use super::*;
    use crate::domain::facts::LearnerFacts;
    use crate::domain::game::period::{Period, Seasons, bucket};
    use crate::domain::game::points::Occurrence;
    use crate::domain::game::scorer::Scorer;
    use crate::domain::game::settings::PointRule;

    /// A whole game in memory: totals are kept as the real one keeps them, one entry at a time.
    #[derive(Default)]
    struct Book {
        log: Vec<Occurrence>,
        scorer: Scorer,
        ledger: Vec<(Entry, bool)>,
        players: HashMap<(String, Uuid), Total>,
        teams: HashMap<(String, Uuid), Total>,
        member: HashMap<Uuid, Uuid>,
        held: HashMap<Uuid, Vec<(DateTime<Utc>, Uuid)>>,
        closed: bool,
    }

    fn seasons() -> Seasons {
        Seasons { from: NaiveDate::from_ymd_opt(2026, 1, 1).unwrap(), days: Some(5) }
    }

    impl Book {
        fn team_at(&self, user: Uuid, at: DateTime<Utc>) -> Option<Uuid> {
            self.held.get(&user)?.iter().rev().find(|(since, _)| *since <= at).map(|(_, team)| *team)
        }

        fn add(&mut self, entry: Entry, by_rule: bool) {
            self.ledger.push((entry, by_rule));
            for period in Period::ALL {
                let name = bucket(period, entry.at, seasons());
                self.players.entry((name.clone(), entry.user)).or_default().add(entry.points, entry.at);
                if let Some(team) = entry.team {
                    self.teams.entry((name, team)).or_default().add(entry.points, entry.at);
                }
            }
        }

        fn score(scorer: &mut Scorer, rules: &[PointRule], event: &Occurrence, team: Option<Uuid>) -> Vec<Entry> {
            scorer
                .score(rules, event, &LearnerFacts::default())
                .into_iter()
                .map(|award| Entry { user: event.user, team, points: award.points, at: event.at })
                .collect()
        }

        fn event(&mut self, rules: &[PointRule], event: Occurrence) {
            if self.closed {
                return;
            }
            let team = self.team_at(event.user, event.at);
            for entry in Self::score(&mut self.scorer, rules, &event, team) {
                self.add(entry, true);
            }
            self.log.push(event);
        }

        fn replay(&mut self, rules: &[PointRule]) {
            if self.closed {
                return;
            }
            let mut scorer = Scorer::default();
            let due: Vec<Entry> = self
                .log
                .iter()
                .flat_map(|event| Self::score(&mut scorer, rules, event, self.team_at(event.user, event.at)))
                .collect();
            let given: Vec<Entry> = self.ledger.iter().filter(|(_, rule)| *rule).map(|(entry, _)| *entry).collect();
            for entry in adjustments(&given, &due) {
                self.add(entry, true);
            }
            self.scorer = scorer;
            // A second replay of the same rules finds nothing to do.
            let given: Vec<Entry> = self.ledger.iter().filter(|(_, rule)| *rule).map(|(entry, _)| *entry).collect();
            assert!(adjustments(&given, &due).is_empty() && changes(&given, &due).is_empty());
        }

        fn sums(&self) -> (Sums, Sums) {
            let (mut players, mut teams) = (HashMap::new(), HashMap::new());
            for (entry, _) in &self.ledger {
                for period in Period::ALL {
                    let name = bucket(period, entry.at, seasons());
                    *players.entry((name.clone(), entry.user)).or_default() += entry.points;
                    if let Some(team) = entry.team {
                        *teams.entry((name, team)).or_default() += entry.points;
                    }
                }
            }
            (players, teams)
        }
    }

    fn rules(points: i64, cap: i64) -> Vec<PointRule> {
        serde_json::from_value(json!([
            {"key": "a", "event": "module.completed", "points": points, "cap_per_day": cap},
            {"key": "b", "event": "quiz.passed", "points": 7, "repeat": "each"},
        ]))
        .unwrap()
    }

    #[derive(Debug, Clone)]
    enum Step {
        Event { user: u128, quiz: bool, module: u8 },
        Correct { user: u128, points: i64 },
        Move { user: u128, team: u128 },
        Replay { points: i64, cap: i64 },
        Close,
    }

    fn step() -> impl Strategy<Value = (i64, Step)> {
        let what = prop_oneof![
            10 => (0u128..6, any::<bool>(), 0u8..4).prop_map(|(user, quiz, module)| Step::Event { user, quiz, module }),
            2 => (0u128..6, -50i64..50).prop_map(|(user, points)| Step::Correct { user, points }),
            3 => (0u128..6, 0u128..3).prop_map(|(user, team)| Step::Move { user, team }),
            1 => (1i64..30, 1i64..60).prop_map(|(points, cap)| Step::Replay { points, cap }),
            1 => Just(Step::Close),
        ];
        (0i64..90_000, what)
    }

    proptest! {
        #[test]
        fn the_ledger_always_sums_to_every_total(steps in proptest::collection::vec(step(), 1..120)) {
            let mut book = Book::default();
            let mut now: DateTime<Utc> = "2026-11-23T10:00:00Z".parse().unwrap();
            let mut current = rules(10, 25);
            for (pause, step) in steps {
                now += TimeDelta::seconds(pause);
                let frozen = book.closed.then(|| (book.ledger.len(), book.players.clone(), book.teams.clone()));
                match step {
                    Step::Event { user, quiz, module } => book.event(&current, Occurrence {
                        event_id: Uuid::nil(),
                        kind: if quiz { "quiz.passed" } else { "module.completed" }.into(),
                        at: now,
                        user: Uuid::from_u128(user),
                        course: Some(Uuid::from_u128(99)),
                        subject: Uuid::nil(),
                        data: json!({"module": module.to_string()}),
                    }),
                    Step::Correct { user, points } if !book.closed => {
                        let user = Uuid::from_u128(user);
                        let team = book.team_at(user, now);
                        book.add(Entry { user, team, points, at: now }, false);
                    }
                    Step::Correct { .. } => {}
                    Step::Move { user, team } => {
                        let (user, team) = (Uuid::from_u128(user), Uuid::from_u128(team));
                        book.member.insert(user, team);
                        book.held.entry(user).or_default().push((now, team));
                    }
                    Step::Replay { points, cap } => {
                        current = rules(points, cap);
                        book.replay(&current);
                    }
                    Step::Close => book.closed = true,
                }
                let (players, teams) = book.sums();
                for (key, total) in &book.players {
                    prop_assert_eq!(total.points, players.get(key).copied().unwrap_or_default());
                }
                for (key, total) in &book.teams {
                    prop_assert_eq!(total.points, teams.get(key).copied().unwrap_or_default());
                }
                let all: i64 = book.ledger.iter().map(|(entry, _)| entry.points).sum();
                prop_assert_eq!(all, book.players.iter().filter(|((name, _), _)| name == "all").map(|(_, t)| t.points).sum::<i64>());
                if let Some((len, players, teams)) = frozen {
                    prop_assert_eq!((book.ledger.len(), &book.players, &book.teams), (len, &players, &teams));
                }
            }
        }
    }

    #[test]
    fn corrections_take_back_what_is_left_and_no_more() {
        for (points, corrected, asked, then) in [
            (50, 0, None, Ok(-50)),
            (50, 0, Some(-50), Ok(-50)),
            (50, -50, None, Err(Refused::NothingLeft)),
            (50, -50, Some(-1), Err(Refused::NothingLeft)),
            (50, -20, None, Ok(-30)),
            (50, -20, Some(-30), Ok(-30)),
            (50, -20, Some(-31), Err(Refused::MoreThanLeft { left: 30 })),
            // Too much was taken back, or too little given: that can be made up for.
            (50, -50, Some(20), Ok(20)),
            (50, 0, Some(10), Ok(10)),
            (-25, 0, None, Ok(25)),
            (-25, 10, Some(16), Err(Refused::MoreThanLeft { left: -15 })),
            (-25, 25, None, Err(Refused::NothingLeft)),
        ] {
            assert_eq!(correction(points, corrected, asked), then, "{points} {corrected} {asked:?}");
        }
    }

    proptest! {
        #[test]
        fn no_run_of_corrections_exceeds_its_entry(
            points in 1i64..1000, asked in proptest::collection::vec(proptest::option::of(-1200i64..300), 1..40),
        ) {
            let mut corrected = 0;
            for asked in asked {
                corrected += correction(points, corrected, asked).unwrap_or(0);
                prop_assert!(points + corrected >= 0);
            }
        }
    }

    #[test]
    fn changes_name_losers_first() {
        let entry = |user, points| Entry { user: Uuid::from_u128(user), team: None, points, at: DateTime::UNIX_EPOCH };
        let given = [entry(1, 10), entry(2, 10), entry(3, 10), entry(4, 5)];
        let due = [entry(1, 30), entry(2, 1), entry(3, 10)];
        let who: Vec<u128> = changes(&given, &due).iter().map(|c| c.user.as_u128()).collect();
        assert_eq!(who, [2, 4, 1]);
    }
}
