//! What HTTP asks of every operation: bodies, queries, answers, retries, conditions, errors, documentation.

pub mod accept;
pub mod answer;
pub mod body;
pub mod bulk;
pub mod conditional;
pub mod fallback;
pub mod idempotency;
pub mod metrics;
pub mod middleware;
pub mod openapi;
pub mod patch;
pub mod query;
pub mod reference;
pub mod routes;
pub mod schema;
pub mod scim;
pub mod shapes;
pub mod strict;

pub use actix_web::web::Bytes;
pub use answer::Answer;
pub use body::{Body, Input};
pub use conditional::Conditions;
pub use idempotency::{Retry, commit};
pub use patch::Patch;
pub use query::Query;
pub use reference::Ref;
