//! The six ways in which results combine to one value of mastery, and the levels that the value reaches.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::facts::Instant;

/// What a value may fall short of a threshold and still reach it: sums of decimal fractions are not exact.
const TOLERANCE: f64 = 1e-9;
/// Share of the newest result in the two averages that favour it.
const DEFAULT_RATE: f64 = 0.65;
/// Results at or above the threshold that `n_mastery` asks for.
const DEFAULT_N: u32 = 3;
/// Score from which `n_mastery` counts a result.
const DEFAULT_THRESHOLD: f64 = 0.8;
/// Most results that `n_mastery` may ask for.
const MAX_N: u32 = 100;

/// One result that says something about a competency.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Settles the order of results submitted at the same instant.
    pub id: Uuid,
    /// 0 to 1.
    pub score: f64,
    /// How much it counts in the means; more than 0.
    pub weight: f64,
    /// When the work was submitted, which is not when it was graded.
    pub at: Instant,
}

/// How results combine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// The best result.
    Highest,
    /// The newest result.
    Latest,
    /// The weighted mean of all results.
    Average,
    /// Nothing until `n` results reach the threshold; then the weighted mean of all that do.
    NMastery {
        /// How many.
        n: u32,
        /// From which score on a result counts.
        threshold: f64,
    },
    /// The newest result and the weighted mean of the earlier ones.
    WeightedAverage {
        /// Share of the newest.
        weight: f64,
    },
    /// Every result moves the value towards itself.
    DecayingAverage {
        /// How far, 0 to 1.
        rate: f64,
    },
}

/// Numbers of a method; what is absent has its default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MasteryParams, example = json!({"rate": 0.65}))]
pub struct Params {
    /// `decaying_average`: how far the newest result moves the value; 0.65 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// `weighted_average`: share of the newest result; 0.65 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// `n_mastery`: how many results must reach the threshold; 3 when absent.
    #[serde(default, deserialize_with = "crate::domain::bounds::formatted", skip_serializing_if = "Option::is_none")]
    pub n: Option<u32>,
    /// `n_mastery`: the score from which a result counts; 0.8 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

/// What is wrong with a method, its parameters or its levels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where, from the competency on.
    pub pointer: String,
    /// For people.
    pub detail: String,
}

fn fault(pointer: impl Into<String>, detail: impl Into<String>) -> Fault {
    Fault { pointer: pointer.into(), detail: detail.into() }
}

impl Method {
    /// Builds a method from its name and parameters.
    ///
    /// # Errors
    /// All faults: an unknown name, a parameter of another method, a number out of range.
    pub fn new(name: &str, params: &Params) -> Result<Self, Vec<Fault>> {
        let takes: &[&str] = match name {
            "highest" | "latest" | "average" => &[],
            "n_mastery" => &["n", "threshold"],
            "weighted_average" => &["weight"],
            "decaying_average" => &["rate"],
            other => return Err(vec![fault("/method", format!("`{other}` is not a mastery method."))]),
        };
        let share = |n: f64| n > 0.0 && n <= 1.0;
        let given = [
            ("rate", params.rate.map(share), "must be more than 0 and at most 1"),
            ("weight", params.weight.map(share), "must be more than 0 and at most 1"),
            ("n", params.n.map(|n| (1..=MAX_N).contains(&n)), "must be 1 to 100"),
            ("threshold", params.threshold.map(share), "must be more than 0 and at most 1"),
        ];
        let mut faults = Vec::new();
        for (field, valid, range) in given {
            let pointer = format!("/params/{field}");
            match valid {
                Some(_) if !takes.contains(&field) => {
                    faults.push(fault(pointer, format!("`{name}` takes no `{field}`.")));
                }
                Some(false) => faults.push(fault(pointer, format!("`{field}` {range}."))),
                _ => {}
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(match name {
            "highest" => Self::Highest,
            "latest" => Self::Latest,
            "average" => Self::Average,
            "n_mastery" => Self::NMastery {
                n: params.n.unwrap_or(DEFAULT_N),
                threshold: params.threshold.unwrap_or(DEFAULT_THRESHOLD),
            },
            "weighted_average" => Self::WeightedAverage { weight: params.weight.unwrap_or(DEFAULT_RATE) },
            _ => Self::DecayingAverage { rate: params.rate.unwrap_or(DEFAULT_RATE) },
        })
    }

    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Highest => "highest",
            Self::Latest => "latest",
            Self::Average => "average",
            Self::NMastery { .. } => "n_mastery",
            Self::WeightedAverage { .. } => "weighted_average",
            Self::DecayingAverage { .. } => "decaying_average",
        }
    }

    /// The formula with its numbers, for whoever asks how a value came about. `s` are scores in order of submission, `w`
    /// their weights.
    #[must_use]
    pub fn formula(self) -> String {
        match self {
            Self::Highest => "max(s)".to_owned(),
            Self::Latest => "s of the latest result".to_owned(),
            Self::Average => "sum(w·s) / sum(w)".to_owned(),
            Self::NMastery { n, threshold } => {
                format!("null until {n} results have s >= {threshold}; then sum(w·s) / sum(w) over these")
            }
            Self::WeightedAverage { weight } => {
                format!("s_latest·{weight} + (sum(w·s) / sum(w) of the earlier)·(1 − {weight}); one result is itself")
            }
            Self::DecayingAverage { rate } => {
                format!("d0 = s0; di = d(i−1)·(1 − {rate}) + si·{rate}; one result is itself; weights do not count")
            }
        }
    }

    /// The value of mastery, 0 to 1; `None` while there is too little evidence. The order of the argument does not matter.
    #[must_use]
    pub fn mastery(self, evidence: &[Evidence]) -> Option<f64> {
        let results = in_order(evidence);
        let (latest, earlier) = results.split_last()?;
        match self {
            Self::Highest => results.iter().map(|e| e.score).reduce(f64::max),
            Self::Latest => Some(latest.score),
            Self::Average => mean(results.iter().copied()),
            Self::NMastery { n, threshold } => {
                let reaching: Vec<_> = results.iter().copied().filter(|e| reaches(e.score, threshold)).collect();
                let enough = usize::try_from(n).is_ok_and(|n| reaching.len() >= n);
                if enough { mean(reaching.into_iter()) } else { None }
            }
            Self::WeightedAverage { weight } => Some(match mean(earlier.iter().copied()) {
                Some(before) => latest.score * weight + before * (1.0 - weight),
                None => latest.score,
            }),
            Self::DecayingAverage { rate } => {
                results.iter().map(|e| e.score).reduce(|value, score| value * (1.0 - rate) + score * rate)
            }
        }
        .map(|value| value.clamp(0.0, 1.0))
    }
}

/// Results by the time at which the work was submitted; ties by id, so that the answer is the same on every run.
#[must_use]
pub fn in_order(evidence: &[Evidence]) -> Vec<&Evidence> {
    let mut sorted: Vec<&Evidence> = evidence.iter().collect();
    sorted.sort_by_key(|e| (e.at, e.id));
    sorted
}

fn mean<'a>(results: impl Iterator<Item = &'a Evidence>) -> Option<f64> {
    let (sum, weights) = results.fold((0.0, 0.0), |(sum, weights), e| (sum + e.weight * e.score, weights + e.weight));
    (weights > 0.0).then(|| sum / weights)
}

/// A named threshold of a competency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CompetencyLevel, example = json!({"name": "mastered", "at_least": 0.8}))]
pub struct Level {
    /// What it is called.
    pub name: String,
    /// From this mastery on, 0 to 1.
    pub at_least: f64,
}

/// Checks the levels of a competency; names the faults, all of them.
#[must_use]
pub fn check_levels(levels: &[Level]) -> Vec<Fault> {
    let mut faults = Vec::new();
    if levels.is_empty() {
        faults.push(fault(
            "/levels",
            "At least one level is needed: without any, nothing says from when on it is mastered.",
        ));
    }
    let mut before: Vec<&Level> = Vec::new();
    for (n, level) in levels.iter().enumerate() {
        if level.name.trim().is_empty() {
            faults.push(fault(format!("/levels/{n}/name"), "A level needs a name."));
        }
        if before.iter().any(|b| b.name == level.name) {
            faults.push(fault(format!("/levels/{n}/name"), format!("`{}` is named twice.", level.name)));
        }
        if !(0.0..=1.0).contains(&level.at_least) {
            faults.push(fault(format!("/levels/{n}/at_least"), "`at_least` must be 0 to 1."));
        } else if before.last().is_some_and(|b| b.at_least >= level.at_least) {
            faults.push(fault(format!("/levels/{n}/at_least"), "Levels must rise from the lowest to the highest."));
        }
        before.push(level);
    }
    faults
}

/// Whether a value reaches a threshold.
#[must_use]
pub fn reaches(mastery: f64, at_least: f64) -> bool {
    mastery + TOLERANCE >= at_least
}

/// The highest level that a value reaches.
#[must_use]
pub fn level_of(mastery: Option<f64>, levels: &[Level]) -> Option<&Level> {
    let mastery = mastery?;
    levels.iter().filter(|l| reaches(mastery, l.at_least)).max_by(|a, b| a.at_least.total_cmp(&b.at_least))
}

#[cfg(test)]
#[path = "method_tests.rs"]
mod tests;
