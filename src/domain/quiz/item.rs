//! Kinds of quiz item. Adding one: a struct, a variant in [`Item`], its arms here, in `check` and in `grade`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::shuffle;
use crate::domain::outline::valid_key;

/// A competency that an item evaluates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompetencyLink {
    /// The competency.
    pub id: Uuid,
    /// How much the item says about it; more than 0, 1 when absent.
    #[serde(default = "one")]
    #[schema(default = 1.0)]
    pub weight: f64,
}

fn one() -> f64 {
    1.0
}

/// What is said after an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Feedback {
    /// To whoever was right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correct: Option<String>,
    /// To whoever was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incorrect: Option<String>,
}

/// A choice of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Unique in the item.
    pub key: String,
    /// What the learner reads.
    pub text: String,
    /// Whether it is right; no when absent.
    #[serde(default)]
    pub correct: bool,
    /// What is said to whoever chose it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<String>,
}

/// How multiple choice is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scoring {
    /// All points for exactly the right choices, else none.
    #[default]
    AllOrNothing,
    /// (right chosen − wrong chosen) ÷ right ones, at least 0.
    Partial,
}

/// How far a number may be off.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tolerance {
    /// By so much.
    Absolute(f64),
    /// By this share of the right answer, such as 0.05.
    Relative(f64),
}

macro_rules! items {
    ($($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $fdoc:literal])+ $(#[serde($($serde:tt)*)])? $field:ident: $type:ty,)* })+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
            #[serde(deny_unknown_fields)]
            pub struct $name {
                /// Unique in the quiz.
                pub key: String,
                /// The question.
                pub prompt: String,
                /// What it is worth; 1 when absent.
                #[serde(default = "one")]
                #[schema(default = 1.0)]
                pub points: f64,
                /// Points taken off for a wrong answer; the item never earns less than 0.
                #[serde(default, skip_serializing_if = "is_zero")]
                pub penalty: f64,
                /// What is said after an answer.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub feedback: Option<Feedback>,
                /// Words to find it by.
                #[serde(default, skip_serializing_if = "Vec::is_empty")]
                pub tags: Vec<String>,
                /// How hard it is, as the author sees it, 0 to 1.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub difficulty: Option<f64>,
                /// Competencies that it evaluates.
                #[serde(default, skip_serializing_if = "Vec::is_empty")]
                pub competencies: Vec<CompetencyLink>,
                $($(#[doc = $fdoc])+ $(#[serde($($serde)*)])? pub $field: $type,)*
            }
        )+

        impl Item {
            /// What all kinds have.
            #[must_use]
            pub fn common(&self) -> Common<'_> {
                match self {
                    $(Self::$name(i) => Common { key: &i.key, prompt: &i.prompt, points: i.points, penalty: i.penalty, feedback: i.feedback.as_ref(), competencies: &i.competencies, difficulty: i.difficulty },)+
                }
            }
        }
    };
}

fn is_zero(n: &f64) -> bool {
    *n == 0.0
}

/// What all kinds of item have.
#[derive(Debug, Clone, Copy)]
pub struct Common<'a> {
    /// Unique in the quiz.
    pub key: &'a str,
    /// The question.
    pub prompt: &'a str,
    /// What it is worth.
    pub points: f64,
    /// Taken off for a wrong answer.
    pub penalty: f64,
    /// What is said after an answer.
    pub feedback: Option<&'a Feedback>,
    /// What it evaluates.
    pub competencies: &'a [CompetencyLink],
    /// How hard it is, as the author sees it, 0 to 1.
    pub difficulty: Option<f64>,
}

items! {
    /// One of several choices.
    SingleChoice {
        /// The choices; exactly one is right.
        choices: Vec<Choice>,
    }
    /// Any of several choices.
    MultipleChoice {
        /// The choices; at least one is right.
        choices: Vec<Choice>,
        /// How it is scored.
        #[serde(default)]
        scoring: Scoring,
    }
    /// True or false.
    TrueFalse {
        /// Which.
        answer: bool,
    }
    /// A short text, compared after trimming, with runs of spaces as one.
    ShortAnswer {
        /// Every text that is right.
        accepted: Vec<String>,
        /// Whether capital letters matter; no when absent.
        #[serde(default)]
        case_sensitive: bool,
    }
    /// A number.
    Numeric {
        /// The right one.
        answer: f64,
        /// How far off is still right; exact when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tolerance: Option<Tolerance>,
    }
}

/// A question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Item {
    /// One of several choices.
    SingleChoice(SingleChoice),
    /// Any of several choices.
    MultipleChoice(MultipleChoice),
    /// True or false.
    TrueFalse(TrueFalse),
    /// A short text.
    ShortAnswer(ShortAnswer),
    /// A number.
    Numeric(Numeric),
}

/// A choice as a learner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChoiceView {
    /// Its key, for the answer.
    pub key: String,
    /// What it says.
    pub text: String,
}

/// An item as a learner sees it: nothing of it tells the answer.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ItemView {
    /// Its key.
    pub key: String,
    /// `single_choice`, `multiple_choice`, `true_false`, `short_answer` or `numeric`.
    pub r#type: &'static str,
    /// The question.
    pub prompt: String,
    /// What it is worth.
    pub points: f64,
    /// The choices, in this attempt's order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choices: Option<Vec<ChoiceView>>,
}

impl Item {
    /// The kind's name.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::SingleChoice(_) => "single_choice",
            Self::MultipleChoice(_) => "multiple_choice",
            Self::TrueFalse(_) => "true_false",
            Self::ShortAnswer(_) => "short_answer",
            Self::Numeric(_) => "numeric",
        }
    }

    /// The choices, if it has any.
    #[must_use]
    pub fn choices(&self) -> Option<&[Choice]> {
        match self {
            Self::SingleChoice(item) => Some(&item.choices),
            Self::MultipleChoice(item) => Some(&item.choices),
            _ => None,
        }
    }

    /// What a learner sees; the seed, if any, shuffles the choices.
    #[must_use]
    pub fn view(&self, seed: Option<u64>) -> ItemView {
        let common = self.common();
        let choices = self.choices().map(|choices| {
            let mut views: Vec<_> =
                choices.iter().map(|c| ChoiceView { key: c.key.clone(), text: c.text.clone() }).collect();
            if let Some(seed) = seed {
                shuffle::shuffle(&mut views, seed ^ shuffle::hash(common.key));
            }
            views
        });
        ItemView {
            key: common.key.to_owned(),
            r#type: self.type_name(),
            prompt: common.prompt.to_owned(),
            points: common.points,
            choices,
        }
    }

    /// An answer that earns all points, for walking through a course.
    #[must_use]
    pub fn right_answer(&self) -> serde_json::Value {
        match self {
            Self::SingleChoice(_) | Self::MultipleChoice(_) => {
                let right = self.choices().unwrap_or_default().iter().filter(|c| c.correct).map(|c| c.key.as_str());
                serde_json::json!(right.collect::<Vec<_>>())
            }
            Self::TrueFalse(item) => item.answer.into(),
            Self::ShortAnswer(item) => item.accepted.first().cloned().into(),
            Self::Numeric(item) => item.answer.into(),
        }
    }

    /// Faults of its own kind: pointer relative to the item, code, detail.
    pub(super) fn faults(&self) -> Vec<(String, &'static str, &'static str)> {
        let mut faults = Vec::new();
        if let Some(choices) = self.choices() {
            let mut keys = std::collections::HashSet::new();
            for (n, choice) in choices.iter().enumerate() {
                if !valid_key(&choice.key) {
                    faults.push((
                        format!("/choices/{n}/key"),
                        "invalid_key",
                        "A key has 1 to 100 letters, digits, `.`, `_` or `-`.",
                    ));
                }
                if !keys.insert(choice.key.as_str()) {
                    faults.push((
                        format!("/choices/{n}/key"),
                        "duplicate_key",
                        "Another choice of this item has this key.",
                    ));
                }
            }
            if choices.len() < 2 {
                faults.push(("/choices".into(), "too_few_choices", "There must be at least two choices."));
            }
            let right = choices.iter().filter(|c| c.correct).count();
            match self {
                Self::SingleChoice(_) if right != 1 => {
                    faults.push(("/choices".into(), "not_one_right_choice", "Exactly one choice must be right."));
                }
                Self::MultipleChoice(_) if right == 0 => {
                    faults.push(("/choices".into(), "no_right_choice", "At least one choice must be right."));
                }
                _ => {}
            }
        }
        match self {
            Self::ShortAnswer(item) if item.accepted.iter().all(|text| text.trim().is_empty()) => {
                faults.push(("/accepted".into(), "no_right_answer", "At least one text must be right."));
            }
            Self::Numeric(item) => {
                let size = match item.tolerance {
                    Some(Tolerance::Absolute(n) | Tolerance::Relative(n)) => n,
                    None => 0.0,
                };
                if size < 0.0 {
                    faults.push(("/tolerance".into(), "out_of_range", "A tolerance cannot be negative."));
                }
            }
            _ => {}
        }
        faults
    }
}
