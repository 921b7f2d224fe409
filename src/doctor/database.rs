//! Whether the database can be reached, is sound, is current, and holds what a server needs.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::Command;

use super::Report;
use crate::clock::Clock;
use crate::config::{Config, DatabaseUrl};
use crate::db::probe::Engine;
use crate::db::{Db, migrations};
use crate::error::AppError;
use crate::features::users;

/// Oldest Postgres that is still maintained and tested against.
const OLDEST_POSTGRES: i32 = 130_000;
/// Below so much free space somebody should look.
const LITTLE_SPACE_KIB: u64 = 1024 * 1024;

/// The SQLite file and its folder can be written. False when there is no file yet, so that there is nothing more to ask.
pub fn file(path: &Path, config: &Config, report: &mut Report) -> bool {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        report.fail("folder", format!("{} does not exist; make it or change DATABASE_URL", folder.display()));
        return false;
    }
    // SQLite makes its log beside the file, so the folder must be writable too.
    let probe = folder.join(format!(".cairn-doctor-{}", std::process::id()));
    match OpenOptions::new().write(true).create_new(true).open(&probe) {
        Ok(_) => {
            drop(std::fs::remove_file(&probe));
            report.ok("folder", format!("{} can be written", folder.display()));
        }
        Err(error) => {
            report.fail(
                "folder",
                format!("{} cannot be written ({error}); give this user the right to", folder.display()),
            );
            return false;
        }
    }
    space(folder, report);
    if !path.exists() {
        report.ok("database", format!("{} is not there yet; the first start makes it", path.display()));
        first_admin(config, report);
        return false;
    }
    match OpenOptions::new().write(true).open(path) {
        Ok(_) => true,
        Err(error) => {
            report.fail(
                "database",
                format!("{} cannot be written ({error}); give this user the right to", path.display()),
            );
            false
        }
    }
}

fn space(folder: &Path, report: &mut Report) {
    // The standard library cannot tell; without `df` there is nothing to say.
    let Ok(output) = Command::new("df").arg("-Pk").arg(folder).output() else { return };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let free = text.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok());
    match free {
        Some(kib) if kib < LITTLE_SPACE_KIB => {
            report.warn("disk", format!("{} MiB are left; writes fail when it is full", kib / 1024));
        }
        Some(kib) => report.ok("disk", format!("{} GiB are free", kib / 1024 / 1024)),
        None => {}
    }
}

/// What the database itself says.
pub fn examine(url: &DatabaseUrl, config: &Config, report: &mut Report) {
    let db = match Db::open(url, 1) {
        Ok(db) => db,
        Err(error) => {
            let hint = match url {
                DatabaseUrl::Sqlite(_) => "is it a SQLite file, on a local disk, not locked by another program?",
                DatabaseUrl::Postgres(_) => "is the server up, and are host, user, password and database right?",
            };
            let cause = plain(&error);
            report.fail("database", format!("{} does not open: {cause}; {hint}", url.redacted()));
            return;
        }
    };
    report.ok("database", format!("{} opens", url.redacted()));
    engine(&db, report);
    match db.read_here(migrations::pending) {
        Err(error) => report.fail("migrations", format!("cannot be read: {}", plain(&error))),
        Ok(pending) if pending.is_empty() => {
            report.ok("migrations", "current");
            contents(&db, config, report);
        }
        Ok(pending) => {
            let names = pending.join(", ");
            report.warn("migrations", format!("{names} will run at the next start, or now with `cairn migrate`"));
            // Where there is no table of users, there is nobody yet.
            if !db.any_user().unwrap_or(false) {
                first_admin(config, report);
            }
        }
    }
    db.close();
}

/// An error's cause on one line, without the place in the source that logs name.
fn plain(error: &AppError) -> String {
    let cause = error.cause().unwrap_or_else(|| error.detail());
    let words: Vec<&str> = cause.split_whitespace().collect();
    match words.as_slice() {
        [said @ .., "at", place] if place.contains(".rs:") => said.join(" "),
        said => said.join(" "),
    }
}

fn engine(db: &Db, report: &mut Report) {
    match db.engine() {
        Err(error) => report.fail("database", plain(&error)),
        Ok(Engine::Sqlite { journal_mode, integrity }) => {
            if integrity == "ok" {
                report.ok("integrity", "quick_check finds no damage");
            } else {
                report.fail("integrity", format!("the file is damaged: {integrity}; restore the last backup"));
            }
            if journal_mode == "wal" {
                report.ok("journal", "write-ahead log");
            } else {
                report.fail(
                    "journal",
                    format!("is {journal_mode}: this file system allows no write-ahead log; use a local disk"),
                );
            }
        }
        Ok(Engine::Postgres { version, encoding }) => {
            if version >= OLDEST_POSTGRES {
                report.ok("version", format!("Postgres {}", version / 10_000));
            } else {
                report.warn(
                    "version",
                    format!("Postgres {} is no longer maintained; 13 or newer is tested", version / 10_000),
                );
            }
            if encoding == "UTF8" {
                report.ok("encoding", "UTF8");
            } else {
                report.fail(
                    "encoding",
                    format!("{encoding} cannot hold every name; make the database with ENCODING 'UTF8'"),
                );
            }
        }
    }
}

/// Whom the next start makes, when it can.
fn first_admin(config: &Config, report: &mut Report) {
    // One that the server makes up is always good.
    let password = config.admin_password.as_deref().unwrap_or("made up by the server");
    match users::first_admin(&config.admin_email, password) {
        Ok(_) => report.ok("admin", format!("the next start makes {}", config.admin_email)),
        Err(faults) => faults.into_iter().for_each(|fault| report.fail("admin", fault)),
    }
}

fn contents(db: &Db, config: &Config, report: &mut Report) {
    let found = match db.contents(Clock::default().now()) {
        Ok(found) => found,
        Err(error) => {
            report.fail("contents", plain(&error));
            return;
        }
    };
    match found.signing_keys {
        0 => report.warn("signing keys", "none yet; the next start makes one"),
        n => report.ok("signing keys", format!("{n} in use")),
    }
    match (found.users, found.admins) {
        (0, _) => first_admin(config, report),
        (_, 0) => report.fail(
            "admin",
            "there are users but no active admin, so nobody can administer; restore a backup or reactivate one in the database",
        ),
        (_, n) => report.ok("admin", format!("{n} active")),
    }
    match found.waiting_jobs {
        0 => report.ok("worker", "no job is overdue"),
        n => report.warn(
            "worker",
            format!("{n} jobs have been due for more than ten minutes: no worker runs; start Cairn, or `cairn worker`"),
        ),
    }
    match found.failed_jobs {
        0 => report.ok("jobs", "none was given up"),
        n => report.warn("jobs", format!("{n} jobs were given up; the log and `jobs.last_error` say why")),
    }
}
