//! Faults in the protocol's words as errors.

use crate::domain::scim::{ErrorType, Fault, Outcome};
use crate::error::{AppError, AppResult, Code};

/// The error that tells of a fault.
pub fn refused(fault: Fault) -> AppError {
    let code = if fault.kind == ErrorType::Uniqueness { Code::Conflict } else { Code::Invalid };
    AppError::new(code, fault.detail).with("scimType", fault.kind.as_str())
}

/// An error with this keyword.
pub fn fault(kind: ErrorType, detail: impl Into<String>) -> AppError {
    refused(Fault::new(kind, detail))
}

/// What may be wrong in the protocol's words as what may be wrong.
pub fn checked<T>(outcome: Outcome<T>) -> AppResult<T> {
    outcome.map_err(refused)
}
