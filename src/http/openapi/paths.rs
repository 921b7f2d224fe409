//! Which operation a concrete path and method mean, by the document: for 405 with `Allow`, and to refuse input that none takes.

use serde_json::{Map, Value};

/// What an operation takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Takes {
    /// Query parameters; which, it checks itself.
    pub query: bool,
    /// A body.
    pub body: bool,
    /// An access token.
    pub token: bool,
}

/// A path template with its methods.
pub(super) struct Template {
    parts: Vec<String>,
    methods: Vec<(String, Takes)>,
}

pub(super) const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn takes(operation: &Map<String, Value>) -> Takes {
    Takes {
        query: super::has_query(operation),
        body: operation.contains_key("requestBody"),
        token: operation.contains_key("security"),
    }
}

pub(super) fn templates(document: &Value) -> Vec<Template> {
    let Some(paths) = document.get("paths").and_then(Value::as_object) else { return Vec::new() };
    let template = |(path, item): (&String, &Value)| {
        let operation = |method: &&str| item.get(*method).and_then(Value::as_object).map(takes);
        let named = |method: &&str| operation(method).map(|takes| (method.to_ascii_uppercase(), takes));
        let mut methods: Vec<(String, Takes)> = METHODS.iter().filter_map(named).collect();
        if let Some(get) = operation(&"get") {
            methods.push(("HEAD".into(), get));
        }
        Template { parts: path.split('/').skip(1).map(str::to_owned).collect(), methods }
    };
    paths.iter().map(template).collect()
}

impl Template {
    /// How many parts are spelled out, when it fits at all.
    fn fits(&self, parts: &[&str]) -> Option<usize> {
        let mut literal: usize = 0;
        if self.parts.len() != parts.len() {
            return None;
        }
        for (own, part) in self.parts.iter().zip(parts) {
            if own == part {
                literal = literal.saturating_add(1);
            } else if !own.starts_with('{') || part.is_empty() {
                return None;
            }
        }
        Some(literal)
    }
}

fn split(path: &str) -> Vec<&str> {
    path.split('/').skip(1).collect()
}

pub(super) fn methods_at(templates: &[Template], path: &str) -> Vec<String> {
    let parts = split(path);
    let fitting = || templates.iter().filter_map(|template| Some((template.fits(&parts)?, template)));
    // A path that is written out counts before one with parameters.
    let most = fitting().map(|(literal, _)| literal).max();
    let mut methods: Vec<String> = fitting()
        .filter(|(literal, _)| Some(*literal) == most)
        .flat_map(|(_, template)| template.methods.iter().map(|(name, _)| name.clone()))
        .collect();
    methods.sort_unstable();
    methods.dedup();
    methods
}

pub(super) fn operation_at(templates: &[Template], method: &str, path: &str) -> Option<Takes> {
    let parts = split(path);
    let found = templates.iter().filter_map(|template| {
        let (_, takes) = template.methods.iter().find(|(name, _)| name == method)?;
        Some((template.fits(&parts)?, *takes))
    });
    // `/v1/users/bulk` is meant before `/v1/users/{user_id}`.
    found.max_by_key(|(literal, _)| *literal).map(|(_, takes)| takes)
}
