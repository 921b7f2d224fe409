//! Finds every fault of a body that did not parse, by the JSON Schema that the OpenAPI document gives for it.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use serde_json::{Value, json};

use crate::error::Faults;

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
    if !text.contains("\\u0000") {
        return;
    }
    if let Ok(value) = serde_json::from_str(text) {
        walk_nul(&value, String::new(), faults);
    }
}

fn walk_nul(value: &Value, at: String, faults: &mut Faults) {
    match value {
        Value::String(text) if text.contains('\0') => {
            faults.add(at, "nul_character", "Text must not contain the character U+0000.");
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk_nul(item, format!("{at}/{index}"), faults);
            }
        }
        Value::Object(fields) => {
            for (name, item) in fields {
                if name.contains('\0') {
                    faults.add(at.clone(), "nul_character", "A name must not contain the character U+0000.");
                }
                walk_nul(item, format!("{at}/{}", escape(name)), faults);
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
fn tags(context: &[Vec<ValidationError<'_>>]) -> Option<(String, Vec<String>)> {
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
        names.extend(options);
    }
    at.filter(|_| context.len() > 1).map(|at| (at, names))
}

/// Where each shape is told by the name of its one member, such as in a condition, and none is there: what is there instead, and
/// which names there are.
fn alternatives(context: &[Vec<ValidationError<'_>>], here: usize) -> Option<(Vec<String>, Vec<String>)> {
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

/// Of several shapes that a value may have, tells what is wrong with the one that it comes nearest to: the one whose tag fits,
/// else the one with the fewest faults at the outermost level.
fn describe_nearest(
    error: &ValidationError<'_>,
    context: &[Vec<ValidationError<'_>>],
    faults: &mut Faults,
    depth: usize,
) {
    let here = error.instance_path().as_str().len();
    if let Some((at, names)) = tags(context) {
        faults.add(at, "unknown_value", format!("This must be one of {}.", names.join(", ")));
        return;
    }
    if let Some((unexpected, names)) = alternatives(context, here) {
        for name in unexpected {
            let detail = format!("There is no `{name}` here; there are {}.", names.join(", "));
            faults.add(format!("{}/{}", error.instance_path(), escape(&name)), "unknown_field", detail);
        }
        return;
    }
    let cost = |branch: &Vec<ValidationError<'_>>| -> (usize, usize) {
        let outer = branch.iter().map(|e| match e.kind() {
            // The tag says which shape is meant, whatever is missing from it.
            ValidationErrorKind::Constant { .. } | ValidationErrorKind::Enum { .. } => 100,
            ValidationErrorKind::Type { .. } if e.instance_path().as_str().len() == here => 10,
            ValidationErrorKind::Required { .. } if e.instance_path().as_str().len() == here => 1,
            _ => 0,
        });
        (outer.sum(), branch.len())
    };
    match context.iter().min_by_key(|branch| cost(branch)) {
        Some(branch) if !branch.is_empty() => {
            for inner in branch {
                describe(inner, faults, depth + 1);
            }
        }
        _ => faults.add(error.instance_path().to_string(), "invalid", "This has none of the allowed shapes."),
    }
}
