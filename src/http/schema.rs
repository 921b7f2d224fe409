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
        ValidationErrorKind::MinLength { .. }
        | ValidationErrorKind::MaxLength { .. }
        | ValidationErrorKind::MinItems { .. }
        | ValidationErrorKind::MaxItems { .. } => faults.add(at, "length", error.masked().to_string()),
        ValidationErrorKind::Minimum { .. } | ValidationErrorKind::Maximum { .. } => {
            faults.add(at, "out_of_range", error.masked().to_string())
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

/// Of several shapes that a value may have, tells what is wrong with the one that it comes nearest to: the one whose tag fits,
/// else the one with the fewest faults at the outermost level.
fn describe_nearest(
    error: &ValidationError<'_>,
    context: &[Vec<ValidationError<'_>>],
    faults: &mut Faults,
    depth: usize,
) {
    let here = error.instance_path().as_str().len();
    let cost = |branch: &Vec<ValidationError<'_>>| -> (usize, usize) {
        let outer = branch
            .iter()
            .filter(|e| match e.kind() {
                ValidationErrorKind::Constant { .. } | ValidationErrorKind::Enum { .. } => true,
                ValidationErrorKind::Type { .. } => e.instance_path().as_str().len() == here,
                ValidationErrorKind::Required { .. } => e.instance_path().as_str().len() == here,
                _ => false,
            })
            .count();
        (outer, branch.len())
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
