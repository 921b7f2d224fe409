//! Settings that cannot be read: all of them at once, where starting the server stops at the first.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};
use clap::{Args, Command, FromArgMatches};

use super::Report;
use crate::config::Config;

/// A variable that nobody sets: a setting that reads this is left out.
const NOBODYS: &str = "CAIRN_LEFT_OUT_BY_THE_DOCTOR";

/// Reads the settings of the command line and the environment. Each that cannot be read is a failure, and is then left out.
/// `None` when the command line itself makes no sense.
pub(super) fn settings(flags: &[OsString], report: &mut Report) -> Option<Config> {
    let mut command = Config::augment_args(Command::new("cairn").no_binary_name(true));
    // Each round leaves out one.
    for _ in 0..=command.get_arguments().count() {
        let error = match command.clone().try_get_matches_from(flags) {
            Ok(matches) => return Config::from_arg_matches(&matches).ok(),
            Err(error) => error,
        };
        let named = match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::String(name)) => {
                let long = name.split_whitespace().next().and_then(|word| word.strip_prefix("--"));
                command.get_arguments().find(|arg| long.is_some() && arg.get_long() == long)
            }
            _ => None,
        };
        let sentence = error.to_string();
        let sentence = sentence.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let known = named.and_then(|arg| Some((arg.get_id().clone(), arg.get_env()?.to_owned())));
        let Some((id, variable)) = known else {
            report.fail("settings", sentence);
            return None;
        };
        if variable == NOBODYS {
            // It came from the command line, and was told.
            return None;
        }
        report.fail("settings", format!("{}: {sentence}", variable.to_string_lossy()));
        command = command.mut_arg(id, |arg| arg.env(NOBODYS));
    }
    None
}
