//! The tables, as both databases have them. Each migration of one database has its twin of the same name for the other.
#![expect(missing_docs, reason = "the migrations say what each table is for")]

diesel::table! {
    access_version (id) {
        id -> BigInt,
        version -> BigInt,
    }
}

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
        employee_number -> Nullable<Text>,
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
        user_name -> Nullable<Text>,
        user_name_key -> Nullable<Text>,
        scim_document -> Nullable<SqlJson>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    other_emails (email_key, user_id) {
        email_key -> Text,
        user_id -> SqlId,
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
        updated_hour -> BigInt,
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

    enrollment_turns (enrollment_id) {
        enrollment_id -> SqlId,
        at -> SqlInstant,
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
        revision_id -> Nullable<SqlId>,
        correction -> Nullable<Text>,
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

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    games (id) {
        id -> SqlId,
        title -> Text,
        description -> Text,
        scope_kind -> Text,
        scope_id -> Nullable<SqlId>,
        status -> Text,
        mode -> Text,
        starts_at -> SqlInstant,
        ends_at -> Nullable<SqlInstant>,
        seed -> BigInt,
        settings -> Text,
        closed_at -> Nullable<SqlInstant>,
        report -> Nullable<Text>,
        version -> BigInt,
        created_by -> Nullable<SqlId>,
        created_at -> SqlInstant,
        updated_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    game_preferences (user_id) {
        user_id -> SqlId,
        display -> Text,
        updated_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    game_players (game_id, user_id) {
        game_id -> SqlId,
        user_id -> SqlId,
        display -> Nullable<Text>,
        streak_days -> BigInt,
        streak_longest -> BigInt,
        streak_last -> Nullable<SqlInstant>,
        joined_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    game_teams (id) {
        id -> SqlId,
        game_id -> SqlId,
        name -> Text,
        name_key -> Text,
        code -> Nullable<Text>,
        version -> BigInt,
        created_at -> SqlInstant,
        updated_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    game_team_members (id) {
        id -> SqlId,
        game_id -> SqlId,
        team_id -> SqlId,
        user_id -> SqlId,
        joined_at -> SqlInstant,
        left_at -> Nullable<SqlInstant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    game_ledger (seq) {
        seq -> BigInt,
        id -> SqlId,
        game_id -> SqlId,
        user_id -> SqlId,
        team_id -> Nullable<SqlId>,
        points -> BigInt,
        kind -> Text,
        rule_key -> Nullable<Text>,
        reason -> Text,
        event_id -> Nullable<SqlId>,
        corrects_id -> Nullable<SqlId>,
        made_by -> Nullable<SqlId>,
        dedup_key -> Nullable<Text>,
        at -> SqlInstant,
        created_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    game_progress (game_id, user_id, rule_key) {
        game_id -> SqlId,
        rule_key -> Text,
        user_id -> SqlId,
        times -> BigInt,
        points -> BigInt,
        last_at -> Nullable<SqlInstant>,
        day_at -> Nullable<SqlInstant>,
        day_points -> BigInt,
        streak_days -> BigInt,
        streak_longest -> BigInt,
        streak_last -> Nullable<SqlInstant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    game_things (game_id, user_id, rule_key, thing) {
        game_id -> SqlId,
        user_id -> SqlId,
        rule_key -> Text,
        thing -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    game_boards (id) {
        id -> BigInt,
        game_id -> SqlId,
        bucket -> Text,
        moved -> BigInt,
        stamp -> BigInt,
        players -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    game_standings (user_id, board_id) {
        board_id -> BigInt,
        user_id -> SqlId,
        points -> BigInt,
        reached_at -> SqlInstant,
        listed -> Bool,
        earned_on -> Nullable<Integer>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    game_moves (board_id, upto) {
        board_id -> BigInt,
        upto -> BigInt,
        stamp -> BigInt,
        moves -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    game_team_points (board_id, team_id, user_id) {
        board_id -> BigInt,
        team_id -> SqlId,
        user_id -> SqlId,
        points -> BigInt,
        reached_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    game_team_totals (board_id, team_id) {
        board_id -> BigInt,
        team_id -> SqlId,
        points -> BigInt,
        reached_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    game_badges (id) {
        id -> SqlId,
        game_id -> SqlId,
        title -> Text,
        description -> Text,
        design -> Text,
        criteria -> Nullable<Text>,
        award_on -> Nullable<Text>,
        award_where -> Nullable<Text>,
        revocation -> Text,
        version -> BigInt,
        created_at -> SqlInstant,
        updated_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    game_badge_awards (id) {
        id -> SqlId,
        badge_id -> SqlId,
        game_id -> SqlId,
        user_id -> SqlId,
        source -> Text,
        reason -> Text,
        event_id -> Nullable<SqlId>,
        awarded_by -> Nullable<SqlId>,
        awarded_at -> SqlInstant,
        state -> Text,
        revoked_at -> Nullable<SqlInstant>,
        revoke_reason -> Nullable<Text>,
        revoked_by_hand -> Bool,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    game_flags (id) {
        id -> SqlId,
        game_id -> SqlId,
        user_id -> SqlId,
        kind -> Text,
        detail -> Text,
        entry_id -> Nullable<SqlId>,
        award_id -> Nullable<SqlId>,
        state -> Text,
        note -> Nullable<Text>,
        resolved_by -> Nullable<SqlId>,
        resolved_at -> Nullable<SqlInstant>,
        at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    game_matches (id) {
        id -> SqlId,
        game_id -> SqlId,
        format -> Text,
        round -> Integer,
        slot -> Integer,
        home_team_id -> Nullable<SqlId>,
        away_team_id -> Nullable<SqlId>,
        starts_at -> SqlInstant,
        ends_at -> SqlInstant,
        state -> Text,
        home_score -> Nullable<Double>,
        away_score -> Nullable<Double>,
        winner_id -> Nullable<SqlId>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    game_league_places (game_id, bucket, user_id) {
        game_id -> SqlId,
        bucket -> Text,
        user_id -> SqlId,
        tier -> Integer,
        group_no -> Integer,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    event_failures (consumer, seq) {
        consumer -> Text,
        seq -> BigInt,
        attempts -> Integer,
        last_error -> Text,
        skipped_at -> Nullable<SqlInstant>,
        updated_at -> SqlInstant,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    other_emails,
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
    enrollment_turns,
    module_records,
    learning_events,
    choices,
    overrides,
    attempts,
    certificates,
    games,
    game_preferences,
    game_players,
    game_teams,
    game_team_members,
    game_ledger,
    game_progress,
    game_things,
    game_boards,
    game_standings,
    game_moves,
    game_team_points,
    game_team_totals,
    game_badges,
    game_badge_awards,
    game_flags,
    game_matches,
    game_league_places,
    event_failures,
    groups,
    group_paths,
    group_members,
    group_enrollments,
    sync_plans,
    sync_plan_rows,
    sync_settings,
);

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    groups (id) {
        id -> SqlId,
        external_id -> Nullable<Text>,
        name -> Text,
        name_key -> Text,
        kind -> Text,
        parent_id -> Nullable<SqlId>,
        depth -> Integer,
        condition -> Nullable<SqlJson>,
        evaluated_until -> Nullable<SqlId>,
        evaluating -> Bool,
        version -> BigInt,
        created_at -> SqlInstant,
        updated_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    group_paths (group_id, ancestor_id) {
        group_id -> SqlId,
        ancestor_id -> SqlId,
        distance -> Integer,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    group_members (group_id, user_id) {
        group_id -> SqlId,
        user_id -> SqlId,
        joined_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    group_enrollments (course_id, group_id) {
        course_id -> SqlId,
        group_id -> SqlId,
        withdraw_on_leave -> Bool,
        state -> Text,
        done_until -> Nullable<SqlId>,
        made_by -> Nullable<SqlId>,
        version -> BigInt,
        created_at -> SqlInstant,
        updated_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    sync_plans (id) {
        id -> SqlId,
        state -> Text,
        options -> SqlJson,
        counts -> SqlJson,
        guards -> SqlJson,
        row_count -> Integer,
        done_count -> Integer,
        conflict_count -> Integer,
        applying -> Nullable<Text>,
        made_by_kind -> Text,
        made_by -> Nullable<SqlId>,
        failure -> Nullable<Text>,
        applied_by_kind -> Nullable<Text>,
        applied_by -> Nullable<SqlId>,
        applied_via -> Nullable<SqlId>,
        version -> BigInt,
        expires_at -> SqlInstant,
        created_at -> SqlInstant,
        updated_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    sync_plan_rows (plan_id, seq) {
        plan_id -> SqlId,
        id -> SqlId,
        seq -> Integer,
        piece -> Integer,
        row_number -> Nullable<BigInt>,
        action -> Text,
        state -> Text,
        user_id -> Nullable<SqlId>,
        user_version -> Nullable<BigInt>,
        before_profile -> Nullable<SqlJson>,
        after_profile -> Nullable<SqlJson>,
        errors -> SqlJson,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    sync_settings (client_id) {
        client_id -> SqlId,
        max_deactivate_percent -> Double,
        max_error_percent -> Double,
        updated_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    frameworks (id) {
        id -> SqlId,
        title -> Text,
        description -> Text,
        source -> Nullable<Text>,
        source_title -> Nullable<Text>,
        creator -> Nullable<Text>,
        source_version -> Nullable<Text>,
        edition -> Integer,
        competency_count -> Integer,
        version -> BigInt,
        created_by -> Nullable<SqlId>,
        created_at -> SqlInstant,
        updated_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    framework_versions (id) {
        id -> SqlId,
        framework_id -> SqlId,
        number -> Integer,
        label -> Nullable<Text>,
        added -> Integer,
        changed -> Integer,
        retired -> Integer,
        made_by -> Nullable<SqlId>,
        made_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    competencies (id) {
        id -> SqlId,
        framework_id -> SqlId,
        parent_id -> Nullable<SqlId>,
        key -> Text,
        title -> Text,
        title_key -> Text,
        description -> Nullable<Text>,
        code -> Nullable<Text>,
        kind -> Nullable<Text>,
        position -> Integer,
        method -> Text,
        params -> Text,
        levels -> Text,
        rollup -> Nullable<Text>,
        required -> Bool,
        points -> Double,
        mastered_at_least -> Double,
        retired_at -> Nullable<SqlInstant>,
        version -> BigInt,
        created_at -> SqlInstant,
        updated_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    evidence (id) {
        id -> SqlId,
        user_id -> SqlId,
        competency_id -> SqlId,
        score -> Double,
        weight -> Double,
        at -> SqlInstant,
        source_kind -> Text,
        source_id -> SqlId,
        course_id -> Nullable<SqlId>,
        enrollment_id -> Nullable<SqlId>,
        module_key -> Nullable<Text>,
        note -> Nullable<Text>,
        made_by -> Nullable<SqlId>,
        recorded_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    mastery (user_id, competency_id) {
        user_id -> SqlId,
        competency_id -> SqlId,
        value -> Nullable<Double>,
        level -> Nullable<Text>,
        evidence_count -> Integer,
        mastered_at -> Nullable<SqlInstant>,
        updated_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    revision_competencies (competency_id, revision_id, touch) {
        competency_id -> SqlId,
        revision_id -> SqlId,
        touch -> Text,
        course_id -> SqlId,
        weight -> Double,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    competency_targets (id) {
        id -> SqlId,
        scope_kind -> Text,
        scope_id -> SqlId,
        competency_id -> SqlId,
        at_least -> Double,
        level -> Nullable<Text>,
        due_at -> Nullable<SqlInstant>,
        due_days -> Nullable<Integer>,
        behind_days -> Integer,
        version -> BigInt,
        created_at -> SqlInstant,
        updated_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    behind_marks (target_id, user_id) {
        target_id -> SqlId,
        user_id -> SqlId,
        told_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    goals (id) {
        id -> SqlId,
        title -> Text,
        description -> Text,
        version -> BigInt,
        created_by -> Nullable<SqlId>,
        created_at -> SqlInstant,
        updated_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    goal_learners (goal_id, user_id) {
        goal_id -> SqlId,
        user_id -> SqlId,
        assigned_by -> Nullable<SqlId>,
        assigned_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    practice_abilities (user_id, course_id) {
        user_id -> SqlId,
        course_id -> SqlId,
        logit -> Double,
        answers -> Integer,
        updated_at -> SqlInstant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    practice_items (course_id, module_key, item_key) {
        course_id -> SqlId,
        module_key -> Text,
        item_key -> Text,
        logit -> Double,
        answers -> Integer,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::*;

    practice_answers (id) {
        id -> SqlId,
        enrollment_id -> SqlId,
        module_key -> Text,
        item_key -> Text,
        score -> Double,
        at -> SqlInstant,
    }
}

diesel::joinable!(group_members -> users (user_id));
diesel::joinable!(group_members -> groups (group_id));
diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(refresh_tokens -> sessions (session_id));
diesel::joinable!(enrollments -> courses (course_id));
diesel::joinable!(certificates -> users (user_id));
diesel::joinable!(attempts -> enrollments (enrollment_id));
diesel::joinable!(competencies -> frameworks (framework_id));
diesel::allow_tables_to_appear_in_same_query!(
    frameworks,
    competencies,
    evidence,
    mastery,
    revision_competencies,
    competency_targets,
    behind_marks,
    goals,
    goal_learners,
);
diesel::allow_tables_to_appear_in_same_query!(competency_targets, enrollments);
diesel::allow_tables_to_appear_in_same_query!(competencies, enrollments);
diesel::allow_tables_to_appear_in_same_query!(competencies, course_revisions);
diesel::allow_tables_to_appear_in_same_query!(mastery, enrollments);
diesel::allow_tables_to_appear_in_same_query!(goal_learners, enrollments);
diesel::allow_tables_to_appear_in_same_query!(behind_marks, enrollments);
diesel::allow_tables_to_appear_in_same_query!(behind_marks, users);
diesel::allow_tables_to_appear_in_same_query!(revision_competencies, enrollments);
diesel::allow_tables_to_appear_in_same_query!(revision_competencies, courses);
diesel::allow_tables_to_appear_in_same_query!(revision_competencies, course_revisions);
diesel::allow_tables_to_appear_in_same_query!(goal_learners, users);
diesel::allow_tables_to_appear_in_same_query!(competencies, courses);
diesel::allow_tables_to_appear_in_same_query!(competencies, users);
diesel::allow_tables_to_appear_in_same_query!(mastery, users);
diesel::allow_tables_to_appear_in_same_query!(competency_targets, users);
diesel::allow_tables_to_appear_in_same_query!(goal_learners, group_members);
diesel::allow_tables_to_appear_in_same_query!(goal_learners, group_paths);
