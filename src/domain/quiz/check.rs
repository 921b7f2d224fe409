//! Reading answers: whether what a learner sent can be an answer to the item at all.

use serde_json::Value;

use super::item::Item;

/// Longest text of a short answer, in characters.
const MAX_TEXT: usize = 1000;

/// What is wrong with an answer's shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerFault {
    /// RFC 6901, into the request's body.
    pub pointer: String,
    /// Stable name.
    pub code: &'static str,
    /// For people.
    pub detail: String,
}

fn fault(pointer: &str, code: &'static str, detail: impl Into<String>) -> AnswerFault {
    AnswerFault { pointer: pointer.to_owned(), code, detail: detail.into() }
}

/// Checks an answer's shape: a list of choice keys, a boolean, a text or a number, as the item's kind asks. Null takes an answer back.
///
/// # Errors
/// Every fault.
pub fn check_answer(item: &Item, answer: &Value) -> Result<(), Vec<AnswerFault>> {
    if answer.is_null() {
        return Ok(());
    }
    let mut faults = Vec::new();
    match item {
        Item::SingleChoice(_) | Item::MultipleChoice(_) => {
            let known = item.choices().unwrap_or_default();
            let Some(keys) = answer.as_array() else {
                return Err(vec![fault(
                    "/answer",
                    "wrong_type",
                    "The answer must be a list of choice keys, such as [\"a\"].",
                )]);
            };
            for (n, key) in keys.iter().enumerate() {
                let at = format!("/answer/{n}");
                match key.as_str() {
                    Some(key) if known.iter().any(|choice| choice.key == key) => {
                        if keys.iter().take(n).any(|earlier| earlier == key) {
                            faults.push(fault(&at, "duplicate", "This choice is named twice."));
                        }
                    }
                    Some(key) => faults.push(fault(&at, "unknown_choice", format!("The item has no choice `{key}`."))),
                    None => faults.push(fault(&at, "wrong_type", "A choice key is a text.")),
                }
            }
            if matches!(item, Item::SingleChoice(_)) && keys.len() > 1 {
                faults.push(fault("/answer", "too_many", "Only one choice may be named."));
            }
        }
        Item::TrueFalse(_) if !answer.is_boolean() => {
            faults.push(fault("/answer", "wrong_type", "The answer must be true or false."))
        }
        Item::ShortAnswer(_) => match answer.as_str() {
            Some(text) if text.chars().count() <= MAX_TEXT => {}
            Some(_) => faults.push(fault("/answer", "length", "The answer has up to 1,000 characters.")),
            None => faults.push(fault("/answer", "wrong_type", "The answer must be a text.")),
        },
        Item::Numeric(_) if !answer.is_number() => {
            faults.push(fault("/answer", "wrong_type", "The answer must be a number."))
        }
        _ => {}
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}
