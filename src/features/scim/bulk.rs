//! Bulk requests: each operation is a write of its own, in its own transaction, in an order in which what others refer to is there.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::fault::{fault, refused};
use super::write::{self, How, To, Write};
use crate::domain::permission::{Act, Relation};
use crate::domain::scim::bulk::{BULK_RESPONSE, BulkOperation, BulkRequest, MAX_OPERATIONS};
use crate::domain::scim::project::Projection;
use crate::domain::scim::{ErrorType, Fault};
use crate::error::{AppError, AppResult, Code};
use crate::http::{Answer, Bytes, Conditions, Retry, scim};
use crate::state::{Ctx, State};

/// Passwords in one request at most: each costs a slow hash.
const MAX_PASSWORDS: usize = 100;

/// Does what a bulk request asks for and tells how each operation fared, in the order in which they were given.
///
/// # Errors
/// 400, 403; 413 for too many operations.
pub async fn run(state: &State, ctx: &Ctx, retry: &Retry, body: &Map<String, Value>) -> AppResult<Value> {
    ctx.require(Act::Provision, &Relation::default())?;
    let request = BulkRequest::parse(body).map_err(|fault| match fault.kind {
        ErrorType::TooMany => AppError::new(Code::TooLarge, fault.detail).with("limit_operations", MAX_OPERATIONS),
        _ => refused(fault),
    })?;
    let base = super::base(state);
    let most = request.fail_on_errors.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
    let (order, lost) = request.order();
    let mut made: BTreeMap<String, String> = BTreeMap::new();
    let mut verdicts: BTreeMap<usize, Value> = BTreeMap::new();
    let (mut errors, mut passwords) = (0_usize, 0_usize);
    let unresolved = lost.iter().copied().map(|n| (n, true));
    for (n, lost) in order.into_iter().map(|n| (n, false)).chain(unresolved) {
        if errors >= most {
            break;
        }
        let Some(operation) = request.operations.get(n) else { continue };
        let outcome = match operation {
            Err(fault) => Err(refused(fault.clone())),
            Ok(_) if lost => Err(unresolvable()),
            Ok(operation) if !operation.references().iter().all(|id| made.contains_key(*id)) => Err(unresolvable()),
            Ok(operation) => {
                passwords = passwords.saturating_add(usize::from(carries_password(operation)));
                if passwords > MAX_PASSWORDS {
                    let what = format!("At most {MAX_PASSWORDS} operations of a request carry a password.");
                    Err(refused(Fault::new(ErrorType::TooMany, what)))
                } else {
                    one(state, ctx, retry.part(n), &operation.resolved(&made), &base).await
                }
            }
        };
        let operation = operation.as_ref().ok();
        if let (Ok(answer), Some(id)) = (&outcome, operation.and_then(|o| o.bulk_id.clone())) {
            let place = answer.value_of("location").and_then(|place| place.rsplit('/').next());
            made.extend(place.map(|place| (id, place.to_owned())));
        }
        errors = errors.saturating_add(usize::from(outcome.is_err()));
        verdicts.insert(n, verdict(operation, outcome, &made, &base, ctx)?);
    }
    Ok(json!({"schemas": [BULK_RESPONSE], "Operations": verdicts.into_values().collect::<Vec<_>>()}))
}

fn unresolvable() -> AppError {
    AppError::new(Code::WrongState, "A bulkId that this refers to was not made, or refers back to this.")
}

fn carries_password(operation: &BulkOperation) -> bool {
    operation.data.as_ref().is_some_and(|data| data.to_string().to_ascii_lowercase().contains("\"password"))
}

async fn one(state: &State, ctx: &Ctx, retry: Retry, operation: &BulkOperation, base: &str) -> AppResult<Answer> {
    let to = target(&operation.path, base)?;
    let how = match operation.method.as_str() {
        "POST" => How::Create,
        "PUT" => How::Replace,
        "PATCH" => How::Patch,
        _ => How::Delete,
    };
    let body = match (&operation.data, how) {
        (_, How::Delete) => Map::new(),
        (Some(Value::Object(body)), _) => body.clone(),
        _ => return Err(fault(ErrorType::InvalidSyntax, "data must be an object.")),
    };
    let raw = Bytes::from(serde_json::to_vec(&operation.data).map_err(AppError::internal)?);
    let conditions = Conditions::if_match(operation.version.clone());
    let write = Write { to, how, body, conditions, projection: Projection::default() };
    write::run(state, ctx, retry, &raw, write).await
}

/// What a path is about; it may begin with the base.
fn target(path: &str, base: &str) -> AppResult<To> {
    let below = path.strip_prefix(base).unwrap_or(path).trim_start_matches('/');
    let mut parts = below.split('/');
    let (kind, id, rest) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let id = match id {
        None | Some("") => None,
        Some(text) => Some(Uuid::try_parse(text).map_err(|_| AppError::not_found("resource"))?),
    };
    match (kind, id, rest) {
        ("Users", None, None) => Ok(To::Users),
        ("Users", Some(id), None) => Ok(To::User(id)),
        ("Groups", None, None) => Ok(To::Groups),
        ("Groups", Some(id), None) => Ok(To::Group(id)),
        _ => Err(fault(ErrorType::InvalidPath, "path must be /Users or /Groups, or one below.")),
    }
}

fn verdict(
    operation: Option<&BulkOperation>,
    outcome: AppResult<Answer>,
    made: &BTreeMap<String, String>,
    base: &str,
    ctx: &Ctx,
) -> AppResult<Value> {
    let mut out = Map::new();
    if let Some(operation) = operation {
        out.insert("method".into(), Value::from(operation.method.as_str()));
        if let Some(id) = &operation.bulk_id {
            out.insert("bulkId".into(), Value::from(id.as_str()));
        }
    }
    match outcome {
        Ok(answer) => {
            let place = match (answer.value_of("location"), operation) {
                (Some(place), _) => Some(place.to_owned()),
                (None, Some(operation)) => {
                    let path = operation.resolved(made).path;
                    Some(format!("{base}/{}", path.strip_prefix(base).unwrap_or(&path).trim_start_matches('/')))
                }
                (None, None) => None,
            };
            out.extend(place.map(|place| ("location".to_owned(), Value::from(place))));
            out.extend(answer.value_of("etag").map(|tag| ("version".to_owned(), Value::from(tag))));
            out.insert("status".into(), Value::from(answer.status().to_string()));
        }
        Err(error) => {
            if error.code() == Code::Unavailable {
                // The rest would fare no better; a retry with the same Idempotency-Key goes on here.
                return Err(error);
            }
            if let Some(cause) = error.cause().filter(|_| error.code() == Code::Internal) {
                let request = ctx.request_id.as_deref().unwrap_or_default();
                log::error!("{request} in a bulk request: {cause}");
            }
            if operation.is_some_and(|o| o.method != "POST")
                && let Some(operation) = operation
            {
                let path = operation.resolved(made).path;
                let below = path.strip_prefix(base).unwrap_or(&path).trim_start_matches('/').to_owned();
                out.insert("location".into(), Value::from(format!("{base}/{below}")));
            }
            out.insert("status".into(), Value::from(scim::status(&error).as_str()));
            out.insert("response".into(), scim::error(&error));
        }
    }
    Ok(Value::Object(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_with_and_without_the_base() {
        let id = Uuid::from_u128(7);
        let base = "https://x/scim/v2";
        assert_eq!(target("/Users", base).unwrap(), To::Users);
        assert_eq!(target(&format!("{base}/Groups/{id}"), base).unwrap(), To::Group(id));
        assert_eq!(target(&format!("Users/{id}"), base).unwrap(), To::User(id));
        for wrong in ["/Me", "/Users/x", "/Users/../Groups", ""] {
            assert!(target(wrong, base).is_err(), "{wrong}");
        }
    }
}
