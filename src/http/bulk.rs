//! Bulk operations: up to 1,000 items, each with a verdict of its own, and `?dry_run=true` for the same answer without a write.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Input;
use super::body::checked;
use crate::error::{AppError, Fault, Faults};

/// Items of one call at most.
pub const MAX_ITEMS: usize = 1000;

/// What happens with an item that exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BulkMode)]
pub enum Mode {
    /// It is refused.
    #[default]
    Create,
    /// It is changed to what the item says.
    Upsert,
}

/// Whether anything is written.
#[derive(Debug, Default, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BulkQuery {
    /// `true` answers the same and writes nothing.
    pub dry_run: Option<bool>,
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BulkStatus {
    /// It was made.
    Created,
    /// It was changed.
    Updated,
    /// It was so already.
    Unchanged,
    /// It was refused; the others still count.
    Error,
}

/// Why an item was refused.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ItemError {
    /// Stable name, as in a problem document.
    pub code: String,
    /// For people.
    pub detail: String,
    /// Every fault of the item; pointers are within the item.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
}

impl From<AppError> for ItemError {
    fn from(error: AppError) -> Self {
        Self {
            code: error.code().as_str().to_owned(),
            detail: error.detail().to_owned(),
            errors: error.errors().to_vec(),
        }
    }
}

/// The verdict on one item.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ItemResult {
    /// Its position in the list, from 0.
    pub index: usize,
    /// What became of it.
    pub status: BulkStatus,
    /// What it is about, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ItemError>,
}

/// The verdicts on all items.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "results": [{"index": 0, "status": "created", "id": "0199c0de-0000-7000-8000-000000000001"},
                {"index": 1, "status": "error", "error": {"code": "conflict", "detail": "Another user has this e-mail or external id."}}],
    "counts": {"created": 1, "updated": 0, "unchanged": 0, "error": 1}, "dry_run": false
}))]
pub struct BulkOut {
    /// In the order of the items.
    pub results: Vec<ItemResult>,
    /// How many of each status.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub counts: BTreeMap<BulkStatus, u64>,
    /// Whether nothing was written because only the verdicts were asked for.
    pub dry_run: bool,
}

/// Collects verdicts in any order.
#[derive(Debug, Clone)]
pub struct Verdicts(Vec<Option<ItemResult>>);

impl Verdicts {
    /// For so many items.
    #[must_use]
    pub fn new(items: usize) -> Self {
        Self(vec![None; items])
    }

    /// The verdict on an item; the first one counts.
    pub fn set(&mut self, index: usize, status: BulkStatus, id: Option<Uuid>) {
        if let Some(slot @ None) = self.0.get_mut(index) {
            *slot = Some(ItemResult { index, status, id, error: None });
        }
    }

    /// Refuses an item; the first verdict counts.
    pub fn refuse(&mut self, index: usize, error: AppError) {
        if let Some(slot @ None) = self.0.get_mut(index) {
            *slot = Some(ItemResult { index, status: BulkStatus::Error, id: None, error: Some(error.into()) });
        }
    }

    /// True when the item has a verdict.
    #[must_use]
    pub fn has(&self, index: usize) -> bool {
        self.0.get(index).is_some_and(Option::is_some)
    }

    /// The answer.
    #[must_use]
    pub fn finish(self, dry_run: bool) -> BulkOut {
        let results: Vec<ItemResult> = self.0.into_iter().flatten().collect();
        let mut counts: BTreeMap<BulkStatus, u64> =
            [BulkStatus::Created, BulkStatus::Updated, BulkStatus::Unchanged, BulkStatus::Error]
                .into_iter()
                .map(|status| (status, 0))
                .collect();
        for result in &results {
            if let Some(count) = counts.get_mut(&result.status) {
                *count = count.saturating_add(1);
            }
        }
        BulkOut { results, counts, dry_run }
    }
}

/// Checks the number of items.
pub fn check_count(items: usize, at: &str, faults: &mut Faults) {
    faults.ensure((1..=MAX_ITEMS).contains(&items), at, "length", "A call takes 1 to 1000 items.");
}

/// Reads the items one by one; those that are wrong get their verdict with all faults.
pub fn read_items<T: Input>(items: Vec<Value>, verdicts: &mut Verdicts) -> Vec<(usize, T)> {
    let mut good = Vec::with_capacity(items.len());
    for (index, value) in items.into_iter().enumerate() {
        match checked::<T>(value) {
            Ok(item) => good.push((index, item)),
            Err(error) => verdicts.refuse(index, error),
        }
    }
    good
}
