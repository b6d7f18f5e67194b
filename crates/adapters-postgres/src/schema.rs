//! The tables that `migrations/postgres` creates.

diesel::table! {
    users (id) {
        id -> Uuid,
        login -> Text,
        canonical_login -> Text,
        password_hash -> Text,
        status -> Text,
        token_epoch -> BigInt,
        must_change_password -> Bool,
        revision -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        last_login_at -> Nullable<Timestamptz>,
        password_expires_at -> Nullable<Timestamptz>,
        password_used_at -> Nullable<Timestamptz>,
        places_since -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    roles (name) {
        name -> Text,
        description -> Text,
        self_assignable -> Bool,
        revision -> BigInt,
    }
}

diesel::table! {
    role_permissions (role, permission) {
        role -> Text,
        permission -> Text,
    }
}

diesel::table! {
    user_roles (user_id, role) {
        user_id -> Uuid,
        role -> Text,
        canonical_login -> Text,
        status -> Text,
    }
}

diesel::table! {
    sessions (id) {
        id -> Uuid,
        user_id -> Uuid,
        generation -> BigInt,
        secret_digest -> Binary,
        created_at -> Timestamptz,
        last_used_at -> Timestamptz,
        idle_expires_at -> Timestamptz,
        expires_at -> Timestamptz,
        revoked_at -> Nullable<Timestamptz>,
        revoke_reason -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        ip -> Nullable<Text>,
        number -> BigInt,
        network -> Nullable<Text>,
        rotated_by -> Nullable<Binary>,
        replayed_generation -> Nullable<BigInt>,
        authenticated_at -> Nullable<Timestamptz>,
        burst_from -> Nullable<BigInt>,
        burst_since -> Nullable<Timestamptz>,
        dead_on -> Date,
    }
}

diesel::table! {
    audit_trail (number) {
        number -> BigInt,
        at -> Timestamptz,
        action -> Text,
        actor_kind -> Text,
        actor_id -> Nullable<Uuid>,
        user_id -> Nullable<Uuid>,
        session_id -> Nullable<Uuid>,
        address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        request_id -> Nullable<Text>,
        details -> Text,
        seal -> Binary,
        mac -> Nullable<Binary>,
    }
}

diesel::table! {
    audit_chain (id) {
        id -> SmallInt,
        base_number -> BigInt,
        base_seal -> Binary,
        head_number -> BigInt,
        head_seal -> Binary,
        unsealed_lowest -> Array<BigInt>,
        unsealed_highest -> Array<BigInt>,
    }
}

diesel::table! {
    audit_pending (seq) {
        seq -> BigInt,
        at -> Timestamptz,
        action -> Text,
        actor_kind -> Text,
        actor_id -> Nullable<Uuid>,
        user_id -> Nullable<Uuid>,
        session_id -> Nullable<Uuid>,
        address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        request_id -> Nullable<Text>,
        details -> Text,
        mac -> Binary,
    }
}

diesel::table! {
    audit_checkpoints (number) {
        number -> BigInt,
        at -> Timestamptz,
        note -> Text,
    }
}

diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(user_roles -> users (user_id));
diesel::allow_tables_to_appear_in_same_query!(users, roles, role_permissions, user_roles, sessions);
