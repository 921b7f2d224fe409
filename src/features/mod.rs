//! One folder per area of the API: `routes` (handlers), `dto` (what comes in and goes out), `service` (use cases), `store` (SQL).

pub mod attempts;
pub mod audit;
pub mod certificates;
pub mod clients;
pub mod competencies;
pub mod courses;
pub mod enrollments;
pub mod games;
pub mod groups;
pub mod oauth;
pub mod privacy;
pub mod scim;
pub mod seed;
pub mod sessions;
pub mod sync;
pub mod system;
pub mod users;
