//! SQL that erases a person.

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl};
use serde_json::json;
use uuid::Uuid;

use crate::db::Conn;
use crate::db::blocks::{self, Log};
use crate::db::schema::{
    attempts, certificates, enrollments, erasures, events, evidence, game_badge_awards as awards, game_flags as flags,
    game_ledger, game_players, learning_events, other_emails, overrides, role_grants, sessions, users,
};
use crate::db::types::{At, Id, Json};
use crate::domain::organisation::erased_email;
use crate::error::AppResult;

/// What stands where a name stood.
const NOBODY: &str = "Erased";

/// When the person was erased, if so.
pub fn erased_at(conn: &mut Conn, user: Uuid) -> AppResult<Option<DateTime<Utc>>> {
    let row = erasures::table.filter(erasures::user_id.eq(Id(user))).select(erasures::erased_at);
    Ok(row.first(conn).optional()?)
}

/// Erases what identifies the person, set by set.
pub fn erase(conn: &mut Conn, user: Uuid, by: Option<Uuid>, now: DateTime<Utc>) -> AppResult<()> {
    let address = erased_email(user);
    diesel::update(users::table.filter(users::id.eq(Id(user))))
        .set((
            (users::email.eq(&address), users::email_key.eq(&address)),
            (users::given_name.eq(NOBODY), users::family_name.eq(NOBODY)),
            (users::external_id.eq(None::<String>), users::employee_number.eq(None::<String>)),
            users::password_hash.eq(None::<String>),
            users::state.eq("left"),
            users::attributes.eq(Json(json!({}))),
            users::manager_id.eq(None::<Id>),
            users::locale.eq(None::<String>),
            users::time_zone.eq(None::<String>),
            users::last_login_at.eq(None::<At>),
            (users::user_name.eq(None::<String>), users::user_name_key.eq(None::<String>)),
            users::scim_document.eq(None::<Json>),
            users::version.eq(users::version + 1),
            users::updated_at.eq(At(now)),
        ))
        .execute(conn)?;
    diesel::delete(other_emails::table.filter(other_emails::user_id.eq(Id(user)))).execute(conn)?;
    diesel::delete(sessions::table.filter(sessions::user_id.eq(Id(user)))).execute(conn)?;
    diesel::delete(role_grants::table.filter(role_grants::user_id.eq(Id(user)))).execute(conn)?;
    let theirs = || enrollments::table.filter(enrollments::user_id.eq(Id(user))).select(enrollments::id);
    diesel::update(attempts::table.filter(attempts::enrollment_id.eq_any(theirs())))
        .set(attempts::answers.eq("{}"))
        .execute(conn)?;
    diesel::update(overrides::table.filter(overrides::enrollment_id.eq_any(theirs())))
        .set(overrides::reason.eq(None::<String>))
        .execute(conn)?;
    diesel::update(evidence::table.filter(evidence::user_id.eq(Id(user))))
        .set(evidence::note.eq(None::<String>))
        .execute(conn)?;
    diesel::update(attempts::table.filter(attempts::enrollment_id.eq_any(theirs())))
        .set(attempts::correction.eq(None::<String>))
        .execute(conn)?;
    diesel::delete(learning_events::table.filter(learning_events::enrollment_id.eq_any(theirs()))).execute(conn)?;
    diesel::update(certificates::table.filter(certificates::user_id.eq(Id(user))))
        .set((certificates::holder.eq(NOBODY), certificates::version.eq(certificates::version + 1)))
        .execute(conn)?;
    // What people wrote of them; what Cairn wrote names an event and no person.
    // Named games: on Postgres positions are found within a game.
    let games = game_players::table.filter(game_players::user_id.eq(Id(user))).select(game_players::game_id);
    let entries = game_ledger::table
        .filter(game_ledger::game_id.eq_any(games))
        .filter(blocks::about_any(conn, Log::Ledger, &[user], 0, i64::MAX))
        .filter(game_ledger::made_by.is_not_null());
    diesel::update(entries).set(game_ledger::reason.eq(NOBODY)).execute(conn)?;
    let awards = awards::table.filter(awards::user_id.eq(Id(user))).filter(awards::awarded_by.is_not_null());
    diesel::update(awards).set(awards::reason.eq(NOBODY)).execute(conn)?;
    let revoked = awards::table.filter(awards::user_id.eq(Id(user))).filter(awards::revoked_by_hand);
    diesel::update(revoked).set(awards::revoke_reason.eq(NOBODY)).execute(conn)?;
    diesel::update(flags::table.filter(flags::user_id.eq(Id(user))))
        .set(flags::note.eq(None::<String>))
        .execute(conn)?;
    let nothing = || events::data.eq(Json(json!({})));
    let about = blocks::about_any(conn, Log::Events, &[user], 0, i64::MAX);
    diesel::update(events::table.filter(about)).set(nothing()).execute(conn)?;
    diesel::update(events::table.filter(events::subject_id.eq(Id(user)))).set(nothing()).execute(conn)?;
    diesel::insert_into(erasures::table)
        .values((erasures::user_id.eq(Id(user)), erasures::erased_by.eq(by.map(Id)), erasures::erased_at.eq(At(now))))
        .execute(conn)?;
    Ok(())
}
