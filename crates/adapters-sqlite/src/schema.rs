//! The tables that `migrations/sqlite` creates.

diesel::table! {
    users (id) {
        id -> Binary,
        login -> Text,
        canonical_login -> Text,
        password_hash -> Text,
        status -> Text,
        token_epoch -> BigInt,
        must_change_password -> Bool,
        revision -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        last_login_at -> Nullable<BigInt>,
        password_expires_at -> Nullable<BigInt>,
        password_used_at -> Nullable<BigInt>,
        places_since -> Nullable<BigInt>,
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
        user_id -> Binary,
        role -> Text,
        canonical_login -> Nullable<Text>,
        status -> Nullable<Text>,
    }
}

diesel::table! {
    sessions (id) {
        id -> Binary,
        user_id -> Binary,
        generation -> BigInt,
        secret_digest -> Binary,
        created_at -> BigInt,
        last_used_at -> BigInt,
        idle_expires_at -> BigInt,
        expires_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
        revoke_reason -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        ip -> Nullable<Text>,
        dead_at -> BigInt,
        number -> BigInt,
        network -> Nullable<Text>,
        rotated_by -> Nullable<Binary>,
        replayed_generation -> Nullable<BigInt>,
        authenticated_at -> Nullable<BigInt>,
        burst_from -> Nullable<BigInt>,
        burst_since -> Nullable<BigInt>,
        dead_on -> BigInt,
    }
}

diesel::table! {
    audit_trail (number) {
        number -> BigInt,
        at -> BigInt,
        action -> Text,
        actor_kind -> Text,
        actor_id -> Nullable<Binary>,
        user_id -> Nullable<Binary>,
        session_id -> Nullable<Binary>,
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
        id -> BigInt,
        base_number -> BigInt,
        base_seal -> Binary,
        head_number -> BigInt,
        head_seal -> Binary,
    }
}

diesel::table! {
    audit_checkpoints (number) {
        number -> BigInt,
        at -> BigInt,
        note -> Text,
    }
}

diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(user_roles -> users (user_id));
diesel::allow_tables_to_appear_in_same_query!(users, roles, role_permissions, user_roles, sessions);
