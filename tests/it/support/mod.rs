//! A real server for each test, and clients to talk to it.

pub mod app;
pub mod client;
pub mod factory;
pub mod postgres;
pub mod tokens;
pub mod world;

pub use app::TestApp;
pub use client::{Answer, Client};
pub use serde_json::{Value, json};

/// Makes of one function two tests, `<name>::sqlite` and `<name>::postgres`.
#[macro_export]
macro_rules! both {
    ($(#[doc = $doc:literal])* fn $name:ident($app:ident) $body:block $($rest:tt)*) => {
        mod $name {
            #[allow(unused_imports, reason = "not every test needs all of them")]
            use super::*;

            $(#[doc = $doc])*
            fn scenario($app: &$crate::support::TestApp) $body

            #[test]
            fn sqlite() {
                scenario(&$crate::support::TestApp::sqlite());
            }

            #[test]
            fn postgres() {
                if let Some(app) = $crate::support::TestApp::postgres() {
                    scenario(&app);
                }
            }
        }
        $crate::both! { $($rest)* }
    };
    () => {};
}
