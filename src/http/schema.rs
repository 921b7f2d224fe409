//! Finds every fault of a body that did not parse, by the JSON Schema that the OpenAPI document gives for it.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError, Validator};
use serde_json::{Value, json};

use crate::domain::bounds::is_beyond;
use crate::error::{Fault, Faults};

static VALIDATORS: LazyLock<Mutex<HashMap<String, Option<Arc<Validator>>>>> = LazyLock::new(Mutex::default);

/// Faults listed at most; a file of garbage needs no longer list.
const MAX_FAULTS: usize = 100;

fn validator(component: &str) -> Option<Arc<Validator>> {
    let mut all = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = all.get(component) {
        return known.clone();
    }
    let document: Value = serde_json::from_str(super::openapi::text()).ok()?;
    let schema = json!({
        "$ref": format!("#/components/schemas/{component}"),
        "components": {"schemas": document.pointer("/components/schemas")?},
    });
    let made = match jsonschema::draft202012::options().should_validate_formats(true).build(&schema) {
        Ok(validator) => Some(Arc::new(validator)),
        Err(error) => {
            log::error!("the schema {component} cannot be compiled: {error}");
            None
        }
    };
    all.insert(component.to_owned(), made.clone());
    made
}

/// Adds every fault that the schema of this component finds.
pub fn find_faults(component: &str, value: &Value, faults: &mut Faults) {
    let Some(validator) = validator(component) else { return };
    for error in validator.iter_errors(value).take(MAX_FAULTS) {
        describe(&error, faults, 0);
    }
}

/// Adds a fault for each text that contains U+0000.
pub fn find_nul(text: &str, faults: &mut Faults) {
    if text.contains("\\u0000")
        && let Ok(value) = serde_json::from_str(text)
    {
        walk_texts(&value, String::new(), &mut Vec::new(), faults);
    }
}

/// Whether JSON text may hold something that can be read and not be kept; quick, and seldom true.
#[must_use]
pub fn may_be_unkeepable(json: &str) -> bool {
    // Where texts begin: a sign, or a year at one end. Anything may stand behind an escape.
    let odd = |rest: &str| {
        let begins = |start: &&str| rest.starts_with(*start);
        ["-", "+", "0000-", "0001-01-01", "9999-12-31"].iter().any(begins)
    };
    json.contains("\\u00") || json.match_indices('"').any(|(at, _)| json.get(at.saturating_add(1)..).is_some_and(odd))
}

/// Adds a fault for each text that can be read and not be kept: one that contains U+0000, which Postgres cannot hold, so no database
/// does; and an instant outside of the years 1 to 9999, where this component has instants.
pub fn find_unkeepable(component: &str, value: &Value, faults: &mut Faults) {
    let mut beyond = Vec::new();
    walk_texts(value, String::new(), &mut beyond, faults);
    if beyond.is_empty() {
        return;
    }
    // Whether an instant is meant there, the schema knows: it would not have another text.
    let mut changed = value.clone();
    for at in &beyond {
        if let Some(text) = changed.pointer_mut(at) {
            *text = json!("no instant");
        }
    }
    let mut wrong = Faults::new();
    find_faults(component, &changed, &mut wrong);
    for at in beyond.into_iter().filter(|at| wrong.iter().any(|f| f.pointer == *at && f.code == "wrong_format")) {
        faults.add(at, "out_of_range", BEYOND);
    }
}

/// What is told of an instant that no answer could hold.
pub const BEYOND: &str = "An instant lies within the years 0001 to 9999.";

fn walk_texts(value: &Value, at: String, beyond: &mut Vec<String>, faults: &mut Faults) {
    match value {
        Value::String(text) if text.contains('\0') => {
            faults.add(at, "nul_character", "Text must not contain the character U+0000.");
        }
        Value::String(text) if is_beyond(text) => beyond.push(at),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk_texts(item, format!("{at}/{index}"), beyond, faults);
            }
        }
        Value::Object(fields) => {
            for (name, item) in fields {
                if name.contains('\0') {
                    faults.add(at.clone(), "nul_character", "A name must not contain the character U+0000.");
                }
                walk_texts(item, format!("{at}/{}", escape(name)), beyond, faults);
            }
        }
        _ => {}
    }
}

/// Escapes a reference token of a JSON pointer (RFC 6901 §3).
#[must_use]
pub fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

fn describe(error: &ValidationError<'_>, faults: &mut Faults, depth: usize) {
    let at = error.instance_path().to_string();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            for name in unexpected {
                faults.add(
                    format!("{at}/{}", escape(name)),
                    "unknown_field",
                    format!("There is no field `{name}` here."),
                );
            }
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            faults.add(format!("{at}/{}", escape(name)), "required", format!("The field `{name}` is needed."));
        }
        ValidationErrorKind::Type { kind } => {
            let wanted = match kind {
                TypeKind::Single(one) => one.to_string(),
                TypeKind::Multiple(many) => many.iter().map(|t| t.to_string()).collect::<Vec<_>>().join(" or "),
            };
            faults.add(at, "wrong_type", format!("This must be of type {wanted}."));
        }
        ValidationErrorKind::Enum { options } => {
            faults.add(at, "unknown_value", format!("This must be one of {options}."));
        }
        ValidationErrorKind::Constant { expected_value } => {
            faults.add(at, "unknown_value", format!("This must be {expected_value}."));
        }
        ValidationErrorKind::Format { format } => {
            faults.add(at, "wrong_format", format!("This must be in the format {format}."))
        }
        ValidationErrorKind::FalseSchema => {
            let name = at.rsplit('/').next().unwrap_or_default().to_owned();
            faults.add(at, "unknown_field", format!("There is no field `{name}` here."));
        }
        ValidationErrorKind::MinLength { limit } => {
            faults.add(at, "length", format!("This text needs at least {limit} characters."));
        }
        ValidationErrorKind::MaxLength { limit } => {
            faults.add(at, "length", format!("This text may have at most {limit} characters."));
        }
        ValidationErrorKind::MinItems { limit } => {
            faults.add(at, "length", format!("This list needs at least {limit} items."));
        }
        ValidationErrorKind::MaxItems { limit } => {
            faults.add(at, "length", format!("This list may have at most {limit} items."));
        }
        ValidationErrorKind::Minimum { limit } => {
            faults.add(at, "out_of_range", format!("This must be at least {limit}."));
        }
        ValidationErrorKind::Maximum { limit } => {
            faults.add(at, "out_of_range", format!("This must be at most {limit}."));
        }
        ValidationErrorKind::PropertyNames { error } => {
            let name = error.instance().as_str().unwrap_or_default();
            faults.add(
                format!("{at}/{}", escape(name)),
                "unknown_field",
                format!("`{name}` cannot stand here as a name."),
            );
        }
        // U+0000 is named for all texts at once.
        ValidationErrorKind::Pattern { pattern } if pattern == super::shapes::ANY => {}
        ValidationErrorKind::Pattern { .. } => {
            faults.add(at, "wrong_format", "This text has not the form that it needs.")
        }
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } if depth < 8 => {
            describe_nearest(error, context, faults, depth);
        }
        _ => faults.add(at, "invalid", error.masked().to_string()),
    }
}

/// Where each shape is told by the value of one member, such as `type`, and none is named: where, and which names there are.
fn tags(context: &[&[ValidationError<'_>]]) -> Option<(String, Vec<String>)> {
    let mut at: Option<String> = None;
    let mut names: Vec<String> = Vec::new();
    for branch in context {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let (path, options): (String, Vec<String>) = branch.iter().find_map(|error| {
            let options = match error.kind() {
                ValidationErrorKind::Constant { expected_value } => vec![text(expected_value)],
                ValidationErrorKind::Enum { options } => options.as_array()?.iter().map(text).collect(),
                _ => return None,
            };
            Some((error.instance_path().to_string(), options))
        })?;
        if at.get_or_insert_with(|| path.clone()) != &path {
            return None;
        }
        names.extend(options.into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>());
    }
    at.filter(|_| context.len() > 1).map(|at| (at, names))
}

/// Where each shape is told by the name of its one member, such as in a condition, and none is there: what is there instead, and
/// which names there are.
fn alternatives(context: &[&[ValidationError<'_>]], here: usize) -> Option<(Vec<String>, Vec<String>)> {
    let mut found: Vec<String> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for branch in context {
        let mut needed = None;
        for error in branch.iter().filter(|error| error.instance_path().as_str().len() == here) {
            match error.kind() {
                ValidationErrorKind::Required { property } => needed = property.as_str().map(str::to_owned),
                ValidationErrorKind::AdditionalProperties { unexpected } => found.clone_from(unexpected),
                _ => {}
            }
        }
        names.push(needed?);
    }
    (context.len() > 2 && !found.is_empty()).then_some((found, names))
}

/// Whether a shape is the absence of a value, which nobody means who sends one.
fn only_null(branch: &[ValidationError<'_>], here: usize) -> bool {
    matches!(branch, [error] if error.instance_path().as_str().len() == here
        && matches!(error.kind(), ValidationErrorKind::Type { kind: TypeKind::Single(JsonType::Null) }))
}

/// How many members a value has too few or too many for a shape; of a shape that is several, for the nearest.
fn lacking(error: &ValidationError<'_>, here: usize) -> usize {
    if error.instance_path().as_str().len() != here {
        return 0;
    }
    match error.kind() {
        ValidationErrorKind::Required { .. } => 1,
        ValidationErrorKind::AdditionalProperties { unexpected } => unexpected.len(),
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            let of = |branch: &Vec<ValidationError<'_>>| branch.iter().map(|e| lacking(e, here)).sum();
            context.iter().map(of).min().unwrap_or(0)
        }
        _ => 0,
    }
}

/// Faults that a value has in each of these shapes.
fn shared(context: &[&[ValidationError<'_>]], depth: usize) -> Vec<Fault> {
    let mut all = context.iter().map(|branch| {
        let mut faults = Faults::new();
        branch.iter().for_each(|error| describe(error, &mut faults, depth.saturating_add(1)));
        faults.into_vec()
    });
    let mut common = all.next().unwrap_or_default();
    for other in all {
        common.retain(|fault| other.iter().any(|o| o.pointer == fault.pointer && o.code == fault.code));
    }
    common
}

/// Of several shapes that a value may have, tells what is wrong with the one that it comes nearest to: the one whose tag fits,
/// else the one with the fewest faults at the outermost level.
fn describe_nearest(
    error: &ValidationError<'_>,
    context: &[Vec<ValidationError<'_>>],
    faults: &mut Faults,
    depth: usize,
) {
    let here = error.instance_path().as_str().len();
    let context: Vec<&[ValidationError<'_>]> =
        context.iter().map(Vec::as_slice).filter(|branch| !only_null(branch, here)).collect();
    let context = context.as_slice();
    if let Some((at, names)) = tags(context) {
        faults.add(at.clone(), "unknown_value", format!("This must be one of {}.", names.join(", ")));
        // What is wrong in whichever shape was meant can be told all the same.
        for fault in shared(context, depth) {
            if fault.pointer != at {
                faults.add(fault.pointer, fault.code, fault.detail);
            }
        }
        return;
    }
    if let Some((unexpected, names)) = alternatives(context, here) {
        for name in unexpected {
            let detail = format!("There is no `{name}` here; there are {}.", names.join(", "));
            faults.add(format!("{}/{}", error.instance_path(), escape(&name)), "unknown_field", detail);
        }
        return;
    }
    let cost = |branch: &[ValidationError<'_>]| -> (usize, usize) {
        let member = |e: &ValidationError<'_>| {
            e.instance_path().as_str().get(here..).is_some_and(|below| below.matches('/').count() <= 1)
        };
        let outer = branch.iter().map(|e| match e.kind() {
            // The tag, a member of the value itself, says which shape is meant, whatever is missing from it.
            ValidationErrorKind::Constant { .. } | ValidationErrorKind::Enum { .. } if member(e) => 100,
            ValidationErrorKind::Type { .. } if e.instance_path().as_str().len() == here => 10,
            _ => lacking(e, here),
        });
        (outer.sum(), branch.len())
    };
    match context.iter().min_by_key(|branch| cost(branch)) {
        Some(branch) if !branch.is_empty() => {
            for inner in *branch {
                describe(inner, faults, depth + 1);
            }
        }
        _ => faults.add(error.instance_path().to_string(), "invalid", "This has none of the allowed shapes."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(component: &str, value: Value) -> Vec<(String, String, String)> {
        let mut faults = Faults::new();
        find_faults(component, &value, &mut faults);
        faults.into_vec().into_iter().map(|f| (f.pointer, f.code.to_string(), f.detail)).collect()
    }

    #[test]
    fn a_wrong_value_where_null_may_stand_is_told_by_what_else_may() {
        for field in ["delivery_mode", "enrollment_policy"] {
            let found = faults("CourseIn", json!({"title": "x", "style": "linear_autoplay", field: "online"}));
            let [(pointer, code, detail)] = found.as_slice() else { panic!("{found:?}") };
            assert_eq!((pointer.as_str(), code.as_str()), (format!("/{field}").as_str(), "unknown_value"));
            assert!(detail.contains("self_paced") || detail.contains("approval"), "{detail}");
        }
        let found = faults("CourseIn", json!({"title": "x", "style": "linear_autoplay", "delivery_mode": 5}));
        assert!(
            found.iter().all(|(pointer, _, detail)| pointer == "/delivery_mode" && !detail.contains("null")),
            "{found:?}"
        );
    }

    fn outline(module: Value) -> Value {
        json!({"stages": [{"kind": "sequence", "key": "s", "order": "linear", "modules": [module]}]})
    }

    #[test]
    fn a_condition_is_told_by_the_leaf_that_is_there() {
        let when = json!({"all": [{"module": {"key": "a", "is": "done"}}]});
        let found = faults(
            "Outline",
            outline(json!({"kind": "article", "key": "b", "title": "B", "content": {}, "when": when})),
        );
        let [(pointer, code, detail)] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(pointer, "/stages/0/modules/0/when/all/0/module/is");
        assert_eq!(code, "unknown_value");
        assert!(detail.contains("completed"), "{detail}");
    }

    #[test]
    fn an_unknown_kind_does_not_hide_other_faults() {
        let found = faults("Outline", outline(json!({"kind": "movie", "key": "b", "title": 5, "foo": 1})));
        let at = |name: &str| found.iter().any(|(pointer, ..)| *pointer == format!("/stages/0/modules/0/{name}"));
        assert!(at("kind") && at("title") && at("foo"), "{found:?}");
        let kinds: Vec<_> = found.iter().filter(|(pointer, ..)| pointer.ends_with("/kind")).collect();
        assert_eq!(kinds.len(), 1, "{found:?}");
    }

    #[test]
    fn what_is_beside_a_batch_is_named_as_such() {
        let found = faults("EventsIn", json!({"events": [], "id": "x"}));
        assert!(found.iter().any(|(pointer, code, _)| pointer == "/id" && code == "unknown_field"), "{found:?}");
    }
}
