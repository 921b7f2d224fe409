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

/// What a rule gave, or should have given, for an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The event; none in entries of replays that did not name it yet.
    pub event: Option<Uuid>,
    /// Key of the rule.
    pub rule: Option<String>,
    /// How much, for whom and when.
    pub entry: Entry,
}

/// A sum of entries, and when it came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Total {
    /// The sum.
    pub points: i64,
    /// The instant of the newest entry in it: when this total was reached. The order in which entries are added does not
    /// matter. Where some are taken back, [`super::cause::reached`] says it anew.
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

/// The same with what is left of the whole cause of the entry: a replay may have taken of it by another entry. All that is left when
/// nothing is asked; no more than that can be.
///
/// # Errors
/// When nothing is left, or less than is asked.
pub fn within(net: i64, points: i64, asked: Option<i64>) -> Result<i64, Refused> {
    if points > 0 || net.saturating_add(points) >= 0 {
        return Ok(points);
    }
    match (net > 0, asked) {
        (false, _) => Err(Refused::NothingLeft),
        (true, Some(_)) => Err(Refused::MoreThanLeft { left: net }),
        (true, None) => Ok(net.saturating_neg()),
    }
}

/// Who gains or loses by new rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Who.
    pub user: Uuid,
    /// What there is of rules now, with what people corrected of it by hand.
    pub before: i64,
    /// What would be by the new rules, with the same corrections.
    pub after: i64,
}

/// Compares what rules gave with what they should have given, per player; those for whom nothing changes are left out.
/// Greatest loss first, then greatest gain.
#[must_use]
pub fn changes(given: &[Due], due: &[Due]) -> Vec<Change> {
    let mut all: BTreeMap<Uuid, (i64, i64)> = BTreeMap::new();
    for Due { entry, .. } in given {
        let sum = all.entry(entry.user).or_default();
        sum.0 = sum.0.saturating_add(entry.points);
    }
    for Due { entry, .. } in due {
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

/// What is booked together: for a player, in a team, for an event by a rule. What names no event is taken together by day.
type Account<'a> = (Uuid, Option<Uuid>, Option<Uuid>, Option<&'a str>, Option<NaiveDate>);

/// The entries that turn what was given into what is due: one for each player, team, event and rule, for the instant of the event,
/// so that week and month come out right too, and what is undone later takes back all that hangs on its event.
#[must_use]
pub fn adjustments(given: &[Due], due: &[Due]) -> Vec<Due> {
    let mut sums: HashMap<Account<'_>, (i64, DateTime<Utc>)> = HashMap::new();
    let signed = given.iter().map(|one| (one, true)).chain(due.iter().map(|one| (one, false)));
    for (Due { event, rule, entry }, was) in signed {
        let day = event.is_none().then(|| entry.at.date_naive());
        let sum = sums.entry((entry.user, entry.team, *event, rule.as_deref(), day)).or_insert((0, entry.at));
        sum.0 = if was { sum.0.saturating_sub(entry.points) } else { sum.0.saturating_add(entry.points) };
        sum.1 = sum.1.max(entry.at);
    }
    let mut entries: Vec<Due> = sums
        .into_iter()
        .filter(|(_, (points, _))| *points != 0)
        .map(|((user, team, event, rule, _), (points, at))| Due {
            event,
            rule: rule.map(str::to_owned),
            entry: Entry { user, team, points, at },
        })
        .collect();
    entries.sort_by(|a, b| {
        let key = |one: &Due| (one.entry.at, one.entry.user, one.entry.team, one.event);
        key(a).cmp(&key(b)).then_with(|| a.rule.cmp(&b.rule))
    });
    entries
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use chrono::TimeDelta;
    use proptest::prelude::*;
    use serde_json::json;

    /// Points by period and whoever they are of.
    type Sums = HashMap<(String, Uuid), i64>;

    use super::*;
    use crate::domain::facts::LearnerFacts;
    use crate::domain::game::history::{History, Past, consequences};
    use crate::domain::game::period::{Period, Seasons, bucket};
    use crate::domain::game::points::Occurrence;
    use crate::domain::game::scorer::{Award, Scorer};
    use crate::domain::game::settings::PointRule;
    use crate::domain::game::standing::{By, Key, Sum, standing, stands};

    /// What hangs together on an event: event, rule, team.
    type Hanging = (Option<Uuid>, Option<String>, Option<Uuid>);

    /// An entry of a [`Book`].
    #[derive(Debug, Clone)]
    struct Row {
        due: Due,
        /// Whether a rule gave it, a replay, or what follows from an undone deed; or people corrected it. None when it hangs on no
        /// event.
        by: Option<By>,
    }

    /// A whole game in memory: totals are kept as the real one keeps them, one entry at a time.
    #[derive(Default)]
    struct Book {
        rules: Vec<PointRule>,
        log: Vec<Occurrence>,
        past: Past,
        scorer: Scorer,
        ledger: Vec<Row>,
        players: HashMap<(String, Uuid), Total>,
        teams: HashMap<(String, Uuid), Total>,
        held: HashMap<Uuid, Vec<(DateTime<Utc>, Uuid)>>,
        /// Rules were changed and not replayed.
        patched: bool,
        closed: bool,
    }

    fn seasons() -> Seasons {
        Seasons { from: NaiveDate::from_ymd_opt(2026, 1, 1).unwrap(), days: Some(5) }
    }

    impl Book {
        fn team_at(&self, user: Uuid, at: DateTime<Utc>) -> Option<Uuid> {
            self.held.get(&user)?.iter().rev().find(|(since, _)| *since <= at).map(|(_, team)| *team)
        }

        fn add(&mut self, due: Due, by: Option<By>) {
            let entry = due.entry;
            self.ledger.push(Row { due, by });
            for period in Period::ALL {
                let name = bucket(period, entry.at, seasons());
                self.players.entry((name.clone(), entry.user)).or_default().add(entry.points, entry.at);
                if let Some(team) = entry.team {
                    self.teams.entry((name, team)).or_default().add(entry.points, entry.at);
                }
            }
        }

        /// What is left of what a rule gave for an event.
        fn sum(&self, event: Option<Uuid>, rule: Option<&str>) -> Sum {
            let mut sum = Sum::default();
            for row in self.ledger.iter().filter(|row| row.due.event == event && row.due.rule.as_deref() == rule) {
                sum.add(row.due.entry.points, row.by.unwrap_or(By::Rules));
            }
            sum
        }

        fn event(&mut self, event: Occurrence) {
            let team = self.team_at(event.user, event.at);
            for award in self.scorer.score(&self.rules, &event, &LearnerFacts::default()) {
                let entry = Entry { user: event.user, team, points: award.points, at: event.at };
                self.add(Due { event: Some(event.event_id), rule: Some(award.rule), entry }, Some(By::Rules));
            }
            self.log.push(event);
        }

        fn history(&self, past: &Past) -> History {
            let mut history = History::default();
            for event in &self.log {
                let team = self.team_at(event.user, event.at);
                history.deed(&self.rules, event, &LearnerFacts::default(), team, past);
            }
            history.ended()
        }

        fn given(&self) -> Vec<Due> {
            let settled = |due: &Due| self.past.settled(due.event.unwrap(), due.rule.as_deref().unwrap());
            let hangs = self.ledger.iter().filter(|row| row.by.is_some() && !settled(&row.due));
            hangs.map(|row| row.due.clone()).collect()
        }

        /// What stands of all that is due.
        fn standing(&self, history: &History) -> Vec<Due> {
            let keys = self.ledger.iter().filter(|row| row.by == Some(By::Hand));
            let by_hand: HashMap<Key, i64> = keys
                .map(|Row { due, .. }| {
                    let sum = self.sum(due.event, due.rule.as_deref());
                    ((due.event, due.rule.clone(), due.entry.user), sum.by_hand(false))
                })
                .collect();
            standing(&history.due, &by_hand)
        }

        fn replay(&mut self) {
            let history = self.history(&self.past);
            for due in adjustments(&self.given(), &self.standing(&history)) {
                self.add(due, Some(By::Rules));
            }
            self.scorer = history.scorer;
            self.patched = false;
        }

        /// A deed is undone, or its score another one.
        fn amend(&mut self, change: impl Fn(&mut Past), undone: Option<Uuid>) {
            let before = self.history(&self.past);
            change(&mut self.past);
            let after = self.history(&self.past);
            for one in consequences(&before.due, &after.due) {
                let Due { event, rule, entry } = one.due.clone();
                let given = self.sum(event, rule.as_deref());
                let points = if event == undone { 0 } else { one.to_book(given.net, given.by_hand(false)) };
                if points != 0 {
                    self.add(Due { event, rule, entry: Entry { points, ..entry } }, Some(By::Rules));
                }
            }
            // All that hangs on the event, whatever booked it, also by rules that are no more.
            let mut back: HashMap<Hanging, (i64, Entry)> = HashMap::new();
            for Row { due, .. } in self.ledger.iter().filter(|row| undone.is_some() && row.due.event == undone) {
                let key = (due.event, due.rule.clone(), due.entry.team);
                back.entry(key).or_insert((0, due.entry)).0 += due.entry.points;
            }
            for ((event, rule, _), (points, entry)) in back {
                self.add(Due { event, rule, entry: Entry { points: -points, ..entry } }, Some(By::Rules));
            }
            let accounts = before.scorer.accounts().chain(after.scorer.accounts()).cloned();
            for (rule, user) in accounts.collect::<std::collections::BTreeSet<_>>() {
                let (was, is) = (before.scorer.progress(&rule, user), after.scorer.progress(&rule, user));
                let now = self.scorer.progress(&rule, user);
                self.scorer.load(rule, user, now.moved(&was, &is));
            }
            let each = HashSet::from(["b"]);
            let (was, is) = (before.scorer.things(&each), after.scorer.things(&each));
            was.difference(&is).for_each(|had| self.scorer.forget_thing(had));
            is.difference(&was).cloned().for_each(|(rule, user, thing)| self.scorer.load_thing(rule, user, thing));
        }

        /// Somebody takes back all that a rule gave for a deed.
        fn take(&mut self, row: &Row, now: DateTime<Utc>) {
            let Due { event: Some(event), rule: Some(rule), entry } = row.due.clone() else { return };
            let sum = self.sum(Some(event), Some(&rule));
            if sum.net <= 0 || self.past.undone().contains(&event) {
                return;
            }
            let entry = Entry { points: -sum.net, ..entry };
            if sum.by_rules() <= 0 {
                // What the rules gave was taken before; this is what people gave since.
                self.add(Due { event: Some(event), rule: Some(rule), entry }, Some(By::Hand));
                return;
            }
            let thing = self.log.iter().find(|one| one.event_id == event).unwrap().thing();
            let award = Award { rule: rule.clone(), thing, points: sum.by_rules() };
            self.scorer.give_back(entry.user, &award, entry.at);
            self.past.take(event, rule.clone(), now);
            self.add(Due { event: Some(event), rule: Some(rule), entry }, Some(By::Taken));
        }

        /// Somebody corrects what a rule gave for a deed.
        fn hand(&mut self, row: &Row, points: i64) {
            let Due { event: Some(event), rule: Some(rule), entry } = row.due.clone() else { return };
            let sum = self.sum(Some(event), Some(&rule));
            let Ok(points) = within(sum.net, points, Some(points)) else { return };
            let due = (!self.past.settled(event, &rule)).then(|| {
                let history = self.history(&self.past);
                let of = |due: &&Due| due.event == Some(event) && due.rule.as_deref() == Some(&rule);
                history.due.iter().filter(of).map(|due| due.entry.points).sum()
            });
            let follows = sum.settles(due, false, points);
            for (points, by) in [(points, By::Hand), (follows, By::Rules)] {
                let entry = Entry { points, ..entry };
                self.add(Due { event: Some(event), rule: Some(rule.clone()), entry }, Some(by));
            }
        }

        fn sums(&self) -> (Sums, Sums) {
            let (mut players, mut teams) = (HashMap::new(), HashMap::new());
            for Row { due: Due { entry, .. }, .. } in &self.ledger {
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
            {"key": "c", "event": "quiz.passed", "points": points, "scale_by_score": true, "min_interval_seconds": 40_000},
            {"key": "d", "event": "module.completed", "points": 50, "streak_days": 2},
            {"key": "e", "event": "quiz.passed", "points": 9, "repeat": "once",
                "where": {"score": {"module": "1", "at_least": 60}}},
        ]))
        .unwrap()
    }

    #[derive(Debug, Clone)]
    enum Step {
        Event { user: u128, quiz: bool, module: u8, score: u8 },
        Correct { user: u128, points: i64 },
        Take { which: usize },
        Hand { which: usize, points: i64 },
        Undo { which: usize },
        Rescore { which: usize, score: u8 },
        Move { user: u128, team: u128 },
        Patch { points: i64, cap: i64 },
        Replay { points: i64, cap: i64 },
        Close,
    }

    fn step() -> impl Strategy<Value = (i64, Step)> {
        let what = prop_oneof![
            20 => (0u128..4, any::<bool>(), 0u8..4, 0u8..=100)
                .prop_map(|(user, quiz, module, score)| Step::Event { user, quiz, module, score }),
            2 => (0u128..4, -50i64..50).prop_map(|(user, points)| Step::Correct { user, points }),
            2 => (0usize..100).prop_map(|which| Step::Take { which }),
            8 => (0usize..100, -40i64..40).prop_map(|(which, points)| Step::Hand { which, points }),
            6 => (0usize..100).prop_map(|which| Step::Undo { which }),
            4 => (0usize..100, 0u8..=100).prop_map(|(which, score)| Step::Rescore { which, score }),
            3 => (0u128..4, 0u128..3).prop_map(|(user, team)| Step::Move { user, team }),
            1 => (1i64..30, 1i64..60).prop_map(|(points, cap)| Step::Patch { points, cap }),
            3 => (1i64..30, 1i64..60).prop_map(|(points, cap)| Step::Replay { points, cap }),
            1 => Just(Step::Close),
        ];
        (1i64..90_000, what)
    }

    proptest! {
        /// Whatever happens, also by hand: every total is the sum of its entries, a game that is over never changes, nothing is left of
        /// a deed that was undone, and where no rules were changed without a replay, a replay has nothing to do: the live game is what
        /// a replay from the beginning would make of it.
        #[test]
        fn the_ledger_always_sums_to_every_total(steps in proptest::collection::vec(step(), 1..120)) {
            let mut book = Book { rules: rules(10, 25), ..Book::default() };
            let mut now: DateTime<Utc> = "2026-11-23T10:00:00Z".parse().unwrap();
            for (n, (pause, step)) in steps.into_iter().enumerate() {
                now += TimeDelta::seconds(pause);
                let frozen = book.closed.then(|| (book.ledger.len(), book.players.clone(), book.teams.clone()));
                match step {
                    Step::Close => book.closed = true,
                    _ if book.closed => {}
                    Step::Event { user, quiz, module, score } => book.event(Occurrence {
                        event_id: Uuid::from_u128(u128::try_from(n).unwrap() + 1),
                        seq: i64::try_from(n).unwrap(),
                        kind: if quiz { "quiz.passed" } else { "module.completed" }.into(),
                        at: now,
                        user: Uuid::from_u128(user),
                        course: Some(Uuid::from_u128(99)),
                        subject: Uuid::nil(),
                        data: json!({"module": module.to_string(), "score_percent": score}),
                    }),
                    Step::Correct { user, points } => {
                        let user = Uuid::from_u128(user);
                        let entry = Entry { user, team: book.team_at(user, now), points, at: now };
                        book.add(Due { event: None, rule: None, entry }, None);
                    }
                    Step::Take { which } => {
                        let of: Vec<Row> = book.ledger.iter().filter(|row| row.by.is_some()).cloned().collect();
                        if let Some(row) = of.get(which % of.len().max(1)) {
                            book.take(row, now);
                        }
                    }
                    Step::Hand { which, points } => {
                        let of: Vec<Row> = book.ledger.iter().filter(|row| row.by.is_some()).cloned().collect();
                        if let Some(row) = of.get(which % of.len().max(1)) {
                            book.hand(row, points);
                        }
                    }
                    Step::Undo { which } => {
                        if let Some(event) = book.log.get(which % book.log.len().max(1)).map(|event| event.event_id) {
                            book.amend(|past| past.undo(event), Some(event));
                            let left = book.ledger.iter().filter(|row| row.due.event == Some(event));
                            prop_assert_eq!(left.map(|row| row.due.entry.points).sum::<i64>(), 0);
                        }
                    }
                    Step::Rescore { which, score } => {
                        if let Some(event) = book.log.get(which % book.log.len().max(1)).map(|event| event.event_id) {
                            book.amend(|past| past.rescore(event, f64::from(score)), None);
                        }
                    }
                    Step::Move { user, team } => {
                        book.held.entry(Uuid::from_u128(user)).or_default().push((now, Uuid::from_u128(team)));
                    }
                    Step::Patch { points, cap } => {
                        book.rules = rules(points, cap);
                        book.patched = true;
                    }
                    Step::Replay { points, cap } => {
                        book.rules = rules(points, cap);
                        book.replay();
                    }
                }
                let (players, teams) = book.sums();
                for (key, total) in &book.players {
                    prop_assert_eq!(total.points, players.get(key).copied().unwrap_or_default());
                }
                for (key, total) in &book.teams {
                    prop_assert_eq!(total.points, teams.get(key).copied().unwrap_or_default());
                }
                let all: i64 = book.ledger.iter().map(|row| row.due.entry.points).sum();
                prop_assert_eq!(all, book.players.iter().filter(|((name, _), _)| name == "all").map(|(_, t)| t.points).sum::<i64>());
                if !book.patched && !book.closed {
                    let history = book.history(&book.past);
                    prop_assert_eq!(adjustments(&book.given(), &book.standing(&history)), Vec::new());
                    prop_assert_eq!(changes(&book.given(), &book.standing(&history)), Vec::new());
                    // What stands of each cause follows from what is due and what was corrected, however it came to be.
                    for Due { event, rule, entry } in &history.due {
                        let sum = book.sum(*event, rule.as_deref());
                        prop_assert_eq!(sum.net, stands(entry.points, sum.by_hand(false)));
                    }
                    for account in history.scorer.accounts() {
                        let live = book.scorer.progress(&account.0, account.1);
                        prop_assert_eq!(history.scorer.progress(&account.0, account.1), live, "{:?}", account);
                    }
                }
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
        let entry = |user, points| {
            let entry = Entry { user: Uuid::from_u128(user), team: None, points, at: DateTime::UNIX_EPOCH };
            Due { event: None, rule: None, entry }
        };
        let given = [entry(1, 10), entry(2, 10), entry(3, 10), entry(4, 5)];
        let due = [entry(1, 30), entry(2, 1), entry(3, 10)];
        let who: Vec<u128> = changes(&given, &due).iter().map(|c| c.user.as_u128()).collect();
        assert_eq!(who, [2, 4, 1]);
    }
}
