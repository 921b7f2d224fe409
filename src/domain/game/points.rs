//! Which events give points to whom: one rule, one event, what the player has had of the rule so far → points, or why not.

use std::sync::LazyLock;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::settings::PointRule;
use super::streak::Streak;
use crate::domain::condition::{Condition, Env, ModuleIs, Truth};
use crate::domain::facts::{Facts, LearnerFacts};
use crate::domain::game::settings::Repeat;
use crate::domain::outline::{Compiled, Outline, Style};

/// An event, as games see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Occurrence {
    /// The event.
    pub event_id: Uuid,
    /// Its position in the log.
    pub seq: i64,
    /// Its name.
    pub kind: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Whose deed it is.
    pub user: Uuid,
    /// The course it happened in.
    pub course: Option<Uuid>,
    /// What it happened to.
    pub subject: Uuid,
    /// Its details.
    pub data: Value,
}

impl Occurrence {
    /// The module it is about.
    #[must_use]
    pub fn module(&self) -> Option<&str> {
        self.data.get("module").and_then(Value::as_str)
    }

    /// The award that it tells of, if it is one of a badge.
    #[must_use]
    pub fn award(&self) -> Option<Uuid> {
        (self.kind == "badge.awarded").then_some(self.subject)
    }

    /// Whether it tells that this badge was awarded: no badge is earned by being awarded.
    #[must_use]
    pub fn awards(&self, badge: Uuid) -> bool {
        let of = self.data.get("badge_id").and_then(Value::as_str).and_then(|id| Uuid::try_parse(id).ok());
        self.award().is_some() && of == Some(badge)
    }

    /// Its score in percent.
    #[must_use]
    pub fn score(&self) -> Option<f64> {
        self.data.get("score_percent").and_then(Value::as_f64)
    }

    /// What was done, whatever the enrollment in which it was done: the module of a course, the course, or the subject. A competency is
    /// the same one in every course.
    #[must_use]
    pub fn thing(&self) -> String {
        if self.kind.starts_with("competency.") || self.kind.starts_with("evidence.") {
            return self.subject.to_string();
        }
        match (self.course, self.module()) {
            (Some(course), Some(module)) => format!("{course}/{module}"),
            (Some(course), None) => course.to_string(),
            (None, _) => self.subject.to_string(),
        }
    }
}

/// What a player has had of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// How often it gave points.
    pub times: i64,
    /// Points it gave in all.
    pub points: i64,
    /// When it last gave points.
    pub last_at: Option<DateTime<Utc>>,
    /// The last day on which it gave points.
    pub day: Option<NaiveDate>,
    /// Points it gave on that day.
    pub day_points: i64,
    /// Days in a row with its event.
    pub streak: Streak,
}

impl Progress {
    /// Takes account of points that were taken back by hand: they use up neither `once` nor a cap any longer. The quiet interval
    /// and the run of days stay as they were, so that nothing is won by doing things only to have them taken back.
    pub fn give_back(&mut self, points: i64, at: DateTime<Utc>) {
        self.times = self.times.saturating_sub(1).max(0);
        self.give_back_part(points, at);
    }

    /// The same when some of what was given for the deed is left.
    pub fn give_back_part(&mut self, points: i64, at: DateTime<Utc>) {
        self.points = self.points.saturating_sub(points).max(0);
        if self.day == Some(at.date_naive()) {
            self.day_points = self.day_points.saturating_sub(points).max(0);
        }
    }

    /// What the player has had after the past has changed. `before` and `after` are what the present rules make of the past as it
    /// was thought to be and as it is. Usually `before` is what the player has had, and `after` is what is so now; but where rules
    /// were changed and not replayed only what differs between the two is followed.
    #[must_use]
    pub fn moved(self, before: &Self, after: &Self) -> Self {
        if self == *before {
            return *after;
        }
        let shift = |now: i64, before: i64, after: i64| now.saturating_add(after.saturating_sub(before)).max(0);
        let same_day = self.day == before.day && before.day == after.day;
        Self {
            times: shift(self.times, before.times, after.times),
            points: shift(self.points, before.points, after.points),
            last_at: if self.last_at == before.last_at { after.last_at } else { self.last_at },
            day: if self.day == before.day { after.day } else { self.day },
            day_points: match (same_day, self.day == before.day) {
                (true, _) => shift(self.day_points, before.day_points, after.day_points),
                (false, true) => after.day_points,
                (false, false) => self.day_points,
            },
            streak: if self.streak == before.streak { after.streak } else { self.streak },
        }
    }
}

/// Why a rule gave nothing for its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// Its condition does not hold.
    Condition,
    /// The player has had it already.
    Repeated,
    /// It came too soon after the last one.
    TooSoon,
    /// The day's or the total cap is reached.
    Capped,
    /// The run of days is not complete.
    NoStreak,
    /// Scaled by the score nothing is left.
    NoScore,
}

static NOTHING: LazyLock<Compiled> =
    LazyLock::new(|| Compiled::new(Outline { stages: Vec::new(), complete_when: None }, Style::RandomAccess));

/// Whether a rule's condition holds: `module` and `score` ask about the event, other leaves about the player.
#[must_use]
pub fn condition_holds(condition: &Condition, event: &Occurrence, player: &LearnerFacts) -> bool {
    let mut facts = Facts::new(event.at, 0);
    facts.learner = std::sync::Arc::new(player.clone());
    let env = Env::new(&NOTHING, &facts, event.at);
    let truth = condition.fold(&|leaf| match leaf {
        Condition::Module(leaf) => {
            let is = match leaf.is {
                ModuleIs::Started => event.kind == "module.started",
                ModuleIs::Completed => event.kind == "module.completed",
                ModuleIs::Passed => event.kind == "quiz.passed",
                ModuleIs::Failed => event.kind == "quiz.failed",
            };
            (event.module() == Some(leaf.key.as_str()) && (is || leaf.is == ModuleIs::Started)).into()
        }
        Condition::Score(leaf) => match event.score() {
            Some(score) if event.module() == Some(leaf.module.as_str()) => {
                (leaf.at_least.is_none_or(|n| score + 1e-9 >= n) && leaf.below.is_none_or(|n| score + 1e-9 < n)).into()
            }
            _ => Truth::False,
        },
        other => other.truth(env),
    });
    truth == Truth::True
}

/// `points × percent / 100`, rounded half up, without leaving integers for the points.
fn scaled(points: i64, percent: f64) -> i64 {
    // A score has at most two decimals that matter; hundredths of a percent are whole numbers.
    let hundredths = (percent.clamp(0.0, 100.0) * 100.0).round();
    let mut whole = 0_i64;
    // A number of 0 to 10,000, found without a cast.
    let mut step = 8_192_i64;
    while step > 0 {
        let next = whole.saturating_add(step);
        if f64::from(i32::try_from(next).unwrap_or(i32::MAX)) <= hundredths {
            whole = next;
        }
        step /= 2;
    }
    points.saturating_mul(whole).saturating_add(5_000) / 10_000
}

/// Judges one event by one rule and counts what it gives. `had_thing`: the rule gave points for the same thing before.
///
/// # Errors
/// Why it gives nothing; a streak is counted all the same.
pub fn judge(rule: &PointRule, progress: &mut Progress, event: &Occurrence, had_thing: bool) -> Result<i64, Skip> {
    let day = event.at.date_naive();
    let new_day = progress.streak.count(day);
    match rule.repeat {
        Repeat::Once if progress.times > 0 => return Err(Skip::Repeated),
        Repeat::Each if had_thing => return Err(Skip::Repeated),
        _ => {}
    }
    if let Some(days) = rule.streak_days.map(i64::from)
        && (!new_day || days == 0 || progress.streak.days % days != 0)
    {
        return Err(Skip::NoStreak);
    }
    if let (Some(seconds), Some(last)) = (rule.min_interval_seconds, progress.last_at)
        && event.at
            < last
                .checked_add_signed(TimeDelta::try_seconds(seconds).unwrap_or(TimeDelta::MAX))
                .unwrap_or(DateTime::<Utc>::MAX_UTC)
    {
        return Err(Skip::TooSoon);
    }
    let mut points = match event.score() {
        Some(score) if rule.scale_by_score => scaled(rule.points, score),
        _ => rule.points,
    };
    if points <= 0 {
        return Err(Skip::NoScore);
    }
    let today = if progress.day == Some(day) { progress.day_points } else { 0 };
    if let Some(cap) = rule.cap_per_day {
        points = points.min(cap.saturating_sub(today));
    }
    if let Some(cap) = rule.cap_total {
        points = points.min(cap.saturating_sub(progress.points));
    }
    if points <= 0 {
        return Err(Skip::Capped);
    }
    progress.times = progress.times.saturating_add(1);
    progress.points = progress.points.saturating_add(points);
    progress.last_at = Some(event.at);
    progress.day_points = today.saturating_add(points);
    progress.day = Some(day);
    Ok(points)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn event(at: &str, data: Value) -> Occurrence {
        Occurrence {
            event_id: Uuid::nil(),
            seq: 0,
            kind: "module.completed".into(),
            at: at.parse().unwrap(),
            user: Uuid::nil(),
            course: Some(Uuid::from_u128(1)),
            subject: Uuid::from_u128(2),
            data,
        }
    }

    fn rule(extra: Value) -> PointRule {
        let mut all = json!({"event": "module.completed", "points": 10});
        all.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    /// Judges events at these instants, one after the other.
    fn run(rule: &PointRule, at: &[&str]) -> Vec<Result<i64, Skip>> {
        let mut progress = Progress::default();
        at.iter().map(|at| judge(rule, &mut progress, &event(at, json!({})), false)).collect()
    }

    #[test]
    fn once_and_every() {
        let at = ["2026-11-23T10:00:00Z", "2026-11-23T10:00:01Z", "2026-11-24T10:00:00Z"];
        assert_eq!(run(&rule(json!({"repeat": "every"})), &at), [Ok(10), Ok(10), Ok(10)]);
        assert_eq!(run(&rule(json!({"repeat": "once"})), &at), [Ok(10), Err(Skip::Repeated), Err(Skip::Repeated)]);
    }

    #[test]
    fn each_thing_once() {
        let each = rule(json!({"repeat": "each"}));
        let mut progress = Progress::default();
        let one = event("2026-11-23T10:00:00Z", json!({"module": "a"}));
        assert_eq!(judge(&each, &mut progress, &one, false), Ok(10));
        assert_eq!(judge(&each, &mut progress, &one, true), Err(Skip::Repeated));
        assert_eq!(one.thing(), "00000000-0000-0000-0000-000000000001/a");
    }

    #[test]
    fn caps_cut_off_what_exceeds_them() {
        let at = ["2026-11-23T10:00:00Z", "2026-11-23T11:00:00Z", "2026-11-23T12:00:00Z", "2026-11-24T00:00:00Z"];
        assert_eq!(run(&rule(json!({"cap_per_day": 15})), &at), [Ok(10), Ok(5), Err(Skip::Capped), Ok(10)]);
        assert_eq!(run(&rule(json!({"cap_total": 25})), &at), [Ok(10), Ok(10), Ok(5), Err(Skip::Capped)]);
    }

    #[test]
    fn what_is_taken_back_frees_once_and_caps() {
        let at = "2026-11-23T10:00:00Z";
        for extra in [json!({"repeat": "once"}), json!({"cap_per_day": 10}), json!({"cap_total": 10})] {
            let rule = rule(extra.clone());
            let mut progress = Progress::default();
            let one = event(at, json!({}));
            assert_eq!(judge(&rule, &mut progress, &one, false), Ok(10));
            assert!(judge(&rule, &mut progress, &one, false).is_err(), "{extra}");
            progress.give_back(10, one.at);
            assert_eq!((progress.times, progress.points, progress.day_points), (0, 0, 0));
            assert_eq!(judge(&rule, &mut progress, &one, false), Ok(10), "{extra}");
        }
        // The cap of another day is another day's.
        let mut progress = Progress { day: "2026-11-24".parse().ok(), day_points: 5, ..Progress::default() };
        progress.give_back(3, at.parse().unwrap());
        assert_eq!(progress.day_points, 5);
    }

    #[test]
    fn a_quiet_interval_stops_farming_and_is_not_prolonged_by_it() {
        let at = ["2026-11-23T10:00:00Z", "2026-11-23T10:00:40Z", "2026-11-23T10:01:00Z"];
        assert_eq!(run(&rule(json!({"min_interval_seconds": 60})), &at), [Ok(10), Err(Skip::TooSoon), Ok(10)]);
    }

    #[test]
    fn a_streak_pays_when_it_is_complete() {
        let at = [
            "2026-11-21T10:00:00Z",
            "2026-11-22T10:00:00Z",
            "2026-11-23T10:00:00Z",
            "2026-11-23T11:00:00Z",
            "2026-11-24T10:00:00Z",
            "2026-11-25T10:00:00Z",
            "2026-11-26T10:00:00Z",
        ];
        let days: Vec<bool> = run(&rule(json!({"streak_days": 3})), &at).iter().map(Result::is_ok).collect();
        assert_eq!(days, [false, false, true, false, false, false, true]);
    }

    #[test]
    fn points_scale_with_the_score() {
        let scaling = rule(json!({"scale_by_score": true}));
        for (data, points) in [
            (json!({"score_percent": 100}), Ok(10)),
            (json!({"score_percent": 85}), Ok(9)),
            (json!({"score_percent": 84.9}), Ok(8)),
            (json!({"score_percent": 4}), Err(Skip::NoScore)),
            (json!({}), Ok(10)),
        ] {
            let event = event("2026-11-23T10:00:00Z", data.clone());
            assert_eq!(judge(&scaling, &mut Progress::default(), &event, false), points, "{data}");
        }
    }

    #[test]
    fn conditions_ask_about_the_event_and_the_player() {
        let mut player = LearnerFacts::default();
        player.attributes.insert("site".into(), json!("Lyon"));
        let done = event("2026-11-23T10:00:00Z", json!({"module": "check", "score_percent": 80}));
        for (condition, holds) in [
            (json!({"module": {"key": "check", "is": "completed"}}), true),
            (json!({"module": {"key": "other", "is": "completed"}}), false),
            (json!({"score": {"module": "check", "at_least": 80}}), true),
            (json!({"score": {"module": "check", "at_least": 81}}), false),
            (json!({"attribute": {"name": "site", "op": "equals", "value": "Lyon"}}), true),
            (json!({"not": {"attribute": {"name": "team", "op": "equals", "value": "x"}}}), false),
            (json!({"date": {"from": "2026-11-24T00:00:00Z"}}), false),
        ] {
            let parsed: Condition = serde_json::from_value(condition.clone()).unwrap();
            assert_eq!(condition_holds(&parsed, &done, &player), holds, "{condition}");
        }
    }

    proptest! {
        #[test]
        fn no_rule_gives_more_than_its_caps(
            points in 1i64..1000, per_day in 1i64..3000, total in 1i64..9000,
            gaps in proptest::collection::vec(0i64..40_000, 1..200), score in 0.0f64..=100.0,
        ) {
            let rule = rule(json!({"points": points, "cap_per_day": per_day, "cap_total": total, "scale_by_score": true}));
            let mut progress = Progress::default();
            let mut at: DateTime<Utc> = "2026-11-23T10:00:00Z".parse().unwrap();
            let mut days: std::collections::HashMap<NaiveDate, i64> = std::collections::HashMap::new();
            for gap in gaps {
                at += TimeDelta::seconds(gap);
                let mut one = event("2026-11-23T10:00:00Z", json!({"score_percent": score}));
                one.at = at;
                if let Ok(given) = judge(&rule, &mut progress, &one, false) {
                    prop_assert!(given > 0 && given <= points);
                    *days.entry(at.date_naive()).or_default() += given;
                }
            }
            prop_assert!(days.values().all(|sum| *sum <= per_day));
            prop_assert_eq!(days.values().sum::<i64>(), progress.points);
            prop_assert!(progress.points <= total);
        }
    }
}
