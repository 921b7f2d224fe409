//! The tables, as both databases have them. Each migration of one database has its twin of the same name for the other.
#![expect(missing_docs, reason = "the migrations say what each table is for")]

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    settings (key) {
        key -> Text,
        value -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    signing_keys (id) {
        id -> Text,
        private_key -> Text,
        public_key -> Text,
        created_at -> SqlInstant,
        retired_at -> Nullable<SqlInstant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    events (seq) {
        seq -> BigInt,
        id -> SqlId,
        kind -> Text,
        at -> SqlInstant,
        actor_kind -> Text,
        actor_id -> Nullable<SqlId>,
        subject_kind -> Text,
        subject_id -> SqlId,
        course_id -> Nullable<SqlId>,
        user_id -> Nullable<SqlId>,
        data -> SqlJson,
        request_id -> Nullable<Text>,
        via_client_id -> Nullable<SqlId>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    event_cursors (consumer) {
        consumer -> Text,
        seq -> BigInt,
        updated_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    jobs (id) {
        id -> SqlId,
        kind -> Text,
        dedup_key -> Nullable<Text>,
        payload -> SqlJson,
        state -> Text,
        run_at -> SqlInstant,
        attempts -> Integer,
        lease_until -> Nullable<SqlInstant>,
        last_error -> Nullable<Text>,
        created_at -> SqlInstant,
        updated_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    idempotency_keys (caller, key) {
        caller -> Text,
        key -> Text,
        fingerprint -> Text,
        status -> Integer,
        headers -> Text,
        body -> Text,
        created_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    users (id) {
        id -> SqlId,
        email -> Text,
        email_key -> Text,
        given_name -> Text,
        family_name -> Text,
        external_id -> Nullable<Text>,
        password_hash -> Nullable<Text>,
        state -> Text,
        attributes -> SqlJson,
        manager_id -> Nullable<SqlId>,
        locale -> Nullable<Text>,
        time_zone -> Nullable<Text>,
        version -> BigInt,
        last_login_at -> Nullable<SqlInstant>,
        created_at -> SqlInstant,
        updated_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    role_grants (id) {
        id -> SqlId,
        user_id -> SqlId,
        role -> Text,
        reach -> Text,
        reach_id -> SqlId,
        created_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    sessions (id) {
        id -> SqlId,
        user_id -> SqlId,
        user_agent -> Nullable<Text>,
        created_at -> SqlInstant,
        refreshed_at -> SqlInstant,
        expires_at -> SqlInstant,
        ended_at -> Nullable<SqlInstant>,
        end_reason -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    refresh_tokens (hash) {
        hash -> Text,
        session_id -> SqlId,
        created_at -> SqlInstant,
        used_at -> Nullable<SqlInstant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    clients (id) {
        id -> SqlId,
        name -> Text,
        auth_method -> Text,
        scopes -> SqlJson,
        state -> Text,
        version -> BigInt,
        last_used_at -> Nullable<SqlInstant>,
        created_at -> SqlInstant,
        updated_at -> SqlInstant,
        jwks -> Nullable<SqlJson>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    client_secrets (id) {
        id -> SqlId,
        client_id -> SqlId,
        hash -> Text,
        created_at -> SqlInstant,
        expires_at -> Nullable<SqlInstant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    client_assertions (client_id, jti_hash) {
        client_id -> SqlId,
        jti_hash -> Text,
        expires_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    revoked_tokens (jti) {
        jti -> SqlId,
        expires_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    login_failures (key) {
        key -> Text,
        failures -> Integer,
        last_at -> SqlInstant,
        blocked_until -> Nullable<SqlInstant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    erasures (user_id) {
        user_id -> SqlId,
        erased_by -> Nullable<SqlId>,
        erased_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    courses (id) {
        id -> SqlId,
        external_id -> Nullable<Text>,
        title -> Text,
        title_key -> Text,
        summary -> Text,
        style -> Text,
        delivery_mode -> Text,
        language -> Text,
        enrollment_policy -> Text,
        access_code -> Nullable<Text>,
        seats -> Nullable<Integer>,
        issues_certificate -> Bool,
        certificate_valid_days -> Nullable<Integer>,
        status -> Text,
        latest_revision -> Integer,
        draft -> Text,
        waitlist_counter -> BigInt,
        version -> BigInt,
        created_by -> Nullable<SqlId>,
        created_at -> SqlInstant,
        updated_at -> SqlInstant,
        published_at -> Nullable<SqlInstant>,
        archived_at -> Nullable<SqlInstant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    course_revisions (id) {
        id -> SqlId,
        course_id -> SqlId,
        number -> Integer,
        style -> Text,
        outline -> Text,
        module_count -> Integer,
        notes -> Nullable<Text>,
        published_by -> Nullable<SqlId>,
        published_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    enrollments (id) {
        id -> SqlId,
        course_id -> SqlId,
        user_id -> SqlId,
        revision_id -> Nullable<SqlId>,
        revision -> Integer,
        generation -> Integer,
        status -> Text,
        source -> Text,
        enrolled_by -> Nullable<SqlId>,
        waitlist_seq -> Nullable<BigInt>,
        cohort_start_at -> Nullable<SqlInstant>,
        enrolled_at -> SqlInstant,
        started_at -> Nullable<SqlInstant>,
        completed_at -> Nullable<SqlInstant>,
        ended_at -> Nullable<SqlInstant>,
        expires_at -> Nullable<SqlInstant>,
        percent -> Double,
        done_weight -> Double,
        total_weight -> Double,
        last_event_at -> Nullable<SqlInstant>,
        facts_tag -> BigInt,
        version -> BigInt,
        created_at -> SqlInstant,
        updated_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    module_records (enrollment_id, module_key) {
        enrollment_id -> SqlId,
        module_key -> Text,
        data -> Text,
        started_at -> Nullable<SqlInstant>,
        completed_at -> Nullable<SqlInstant>,
        score_percent -> Nullable<Double>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    learning_events (enrollment_id, id) {
        enrollment_id -> SqlId,
        id -> SqlId,
        module_key -> Text,
        at -> SqlInstant,
        data -> Text,
        received_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    choices (enrollment_id, stage_key, branch_key) {
        enrollment_id -> SqlId,
        stage_key -> Text,
        branch_key -> Text,
        at -> SqlInstant,
        auto -> Bool,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    overrides (id) {
        id -> SqlId,
        enrollment_id -> SqlId,
        module_key -> Text,
        kind -> Text,
        amount -> Nullable<Integer>,
        reason -> Nullable<Text>,
        made_by -> Nullable<SqlId>,
        at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    attempts (id) {
        id -> SqlId,
        enrollment_id -> SqlId,
        module_key -> Text,
        number -> Integer,
        state -> Text,
        seed -> BigInt,
        answers -> Text,
        started_at -> SqlInstant,
        deadline -> Nullable<SqlInstant>,
        submitted_at -> Nullable<SqlInstant>,
        points -> Nullable<Double>,
        max_points -> Nullable<Double>,
        score_percent -> Nullable<Double>,
        passed -> Nullable<Bool>,
        version -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    certificates (id) {
        id -> SqlId,
        serial -> Text,
        enrollment_id -> SqlId,
        user_id -> SqlId,
        course_id -> SqlId,
        holder -> Text,
        title -> Text,
        issued_at -> SqlInstant,
        expires_at -> Nullable<SqlInstant>,
        revoked_at -> Nullable<SqlInstant>,
        revoke_reason -> Nullable<Text>,
        version -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    settings,
    signing_keys,
    events,
    event_cursors,
    jobs,
    idempotency_keys,
    users,
    role_grants,
    sessions,
    refresh_tokens,
    clients,
    client_secrets,
    client_assertions,
    revoked_tokens,
    login_failures,
    erasures,
    courses,
    course_revisions,
    enrollments,
    module_records,
    learning_events,
    choices,
    overrides,
    attempts,
    certificates,
);

diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(refresh_tokens -> sessions (session_id));
diesel::joinable!(enrollments -> courses (course_id));
diesel::joinable!(certificates -> users (user_id));
diesel::joinable!(attempts -> enrollments (enrollment_id));
