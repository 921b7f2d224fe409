//! `cairn doctor`: looks at a set-up as the server would find it and says, line by line, what is well and what to do about the
//! rest. It changes nothing: a database that does not exist is not made, one that is behind is not migrated.

mod database;
mod network;
mod unread;

use std::ffi::OsString;
use std::fmt;

use crate::config::{Config, DatabaseUrl};

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to do.
    Ok,
    /// The server starts, but somebody should know.
    Warn,
    /// The server would not start, or not do its work.
    Fail,
}

/// One check.
#[derive(Debug)]
pub struct Line {
    verdict: Verdict,
    subject: &'static str,
    finding: String,
}

/// All checks.
#[derive(Debug, Default)]
pub struct Report {
    lines: Vec<Line>,
}

impl Report {
    /// Whether anything must be mended.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.lines.iter().any(|line| line.verdict == Verdict::Fail)
    }

    fn add(&mut self, verdict: Verdict, subject: &'static str, finding: impl Into<String>) {
        self.lines.push(Line { verdict, subject, finding: finding.into() });
    }

    fn ok(&mut self, subject: &'static str, finding: impl Into<String>) {
        self.add(Verdict::Ok, subject, finding);
    }

    fn warn(&mut self, subject: &'static str, finding: impl Into<String>) {
        self.add(Verdict::Warn, subject, finding);
    }

    fn fail(&mut self, subject: &'static str, finding: impl Into<String>) {
        self.add(Verdict::Fail, subject, finding);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            let verdict = match line.verdict {
                Verdict::Ok => "ok  ",
                Verdict::Warn => "warn",
                Verdict::Fail => "FAIL",
            };
            writeln!(f, "{verdict}  {:<13} {}", line.subject, line.finding)?;
        }
        let (warnings, failures) = self.lines.iter().fold((0, 0), |(w, e), line| match line.verdict {
            Verdict::Ok => (w, e),
            Verdict::Warn => (w + 1, e),
            Verdict::Fail => (w, e + 1),
        });
        writeln!(f, "{} checks, {warnings} warnings, {failures} failures", self.lines.len())
    }
}

/// Looks at everything, by the settings of these flags and the environment, also when some of them cannot be read.
#[must_use]
pub fn examine_settings(flags: &[OsString]) -> Report {
    let mut report = Report::default();
    if let Some(config) = unread::settings(flags, &mut report) {
        report.lines.extend(examine(&config).lines);
    }
    report
}

/// Looks at everything.
#[must_use]
pub fn examine(config: &Config) -> Report {
    let mut report = Report::default();
    settings(config, &mut report);
    network::listen(config, &mut report);
    network::public_url(config, &mut report);
    match config.database() {
        Err(error) => report.fail("database", error),
        Ok(url) => {
            let there = match &url {
                DatabaseUrl::Sqlite(path) => database::file(path, config, &mut report),
                DatabaseUrl::Postgres(_) => true,
            };
            if there {
                database::examine(&url, config, &mut report);
            }
        }
    }
    report
}

fn settings(config: &Config, report: &mut Report) {
    match crate::auth::outside::Outside::parse(config.access.trusted_issuers.as_deref()) {
        Ok(_) => report.ok("settings", "all of them can be read"),
        Err(error) => report.fail("settings", format!("CAIRN_TRUSTED_ISSUERS: {error}")),
    }
    if config.sandbox {
        report.warn(
            "sandbox",
            "CAIRN_SANDBOX is on: admins can move the clock, and it never goes back. Not for real learners.",
        );
    }
    if config.cors_origins.iter().any(|origin| origin.trim() == "*") {
        report.warn("cors", "CAIRN_CORS_ORIGINS lets every web page call the API; name your own origins.");
    }
    if !config.worker_inline {
        report.warn("worker", "CAIRN_WORKER_INLINE is off: see to it that `cairn worker` runs somewhere.");
    }
    if config.access_token_seconds > 24 * 3600 {
        report.warn("tokens", "CAIRN_ACCESS_TOKEN_SECONDS is more than a day; a stolen token stays good for as long.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failure_fails_and_each_line_says_how_it_went() {
        let mut report = Report::default();
        report.ok("settings", "fine");
        report.warn("sandbox", "on");
        assert!(!report.failed());
        report.fail("database", "away");
        assert!(report.failed());
        let text = report.to_string();
        assert!(text.starts_with("ok    settings "), "{text}");
        assert!(text.contains("FAIL  database "), "{text}");
        assert!(text.ends_with("3 checks, 1 warnings, 1 failures\n"), "{text}");
    }
}
