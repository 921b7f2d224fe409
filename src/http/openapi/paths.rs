//! Which operation a concrete path and method mean, by the document: for 405 with `Allow`, and to refuse input that none takes.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

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

/// What of the document is read here; the rest is passed over, so that reading it takes little.
#[derive(Deserialize)]
struct Document {
    paths: BTreeMap<String, BTreeMap<String, Operation>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Operation {
    #[serde(default)]
    parameters: Vec<Parameter>,
    request_body: Option<IgnoredAny>,
    #[serde(default)]
    security: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
struct Parameter {
    #[serde(default, rename = "in")]
    place: String,
}

impl Operation {
    fn takes(&self) -> Takes {
        Takes {
            query: self.parameters.iter().any(|parameter| parameter.place == "query"),
            body: self.request_body.is_some(),
            token: !self.security.is_empty(),
        }
    }
}

pub(super) fn templates(document: &str) -> Vec<Template> {
    let mut all: Vec<Template> = match serde_json::from_str::<Document>(document) {
        Ok(document) => document.paths.iter().map(|(path, item)| template(path, item)).collect(),
        Err(error) => {
            log::error!("the OpenAPI document cannot be read: {error}");
            Vec::new()
        }
    };
    // Swagger UI's log-in is not in the document, but it is there.
    let takes = Takes { query: false, body: true, token: false };
    all.push(Template { parts: vec!["docs".into(), "token".into()], methods: vec![("POST".into(), takes)] });
    all
}

fn template(path: &str, item: &BTreeMap<String, Operation>) -> Template {
    let named = |method: &&str| item.get(*method).map(|operation| (method.to_ascii_uppercase(), operation.takes()));
    let mut methods: Vec<(String, Takes)> = METHODS.iter().filter_map(named).collect();
    if let Some(get) = item.get("get") {
        methods.push(("HEAD".into(), get.takes()));
    }
    Template { parts: split(path).into_iter().map(str::to_owned).collect(), methods }
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
        let literal = template.fits(&parts)?;
        template.methods.iter().find(|(name, _)| name == method).map(|(_, takes)| (literal, *takes))
    });
    // `/v1/users/bulk` is meant before `/v1/users/{user_id}`.
    found.max_by_key(|(literal, _)| *literal).map(|(_, takes)| takes)
}
