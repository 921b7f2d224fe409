//! What comes in and goes out about competencies.

mod competency;
mod framework;
mod goal;
mod mastery;
mod practice;
mod target;

use serde::Deserialize;
use utoipa::IntoParams;

pub use self::competency::*;
pub use self::framework::*;
pub use self::goal::*;
pub use self::mastery::*;
pub use self::practice::*;
pub use self::target::*;

/// A page of a list without filters.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Items on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
}
