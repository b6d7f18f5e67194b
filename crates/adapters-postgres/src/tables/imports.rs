//! Stores users by the thousand. A column is one value, so that one statement serves any number of users.

use super::user_rows::status_name;
use crate::{error::StorageError, prepared::Prepared, schema::users};
use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, QueryDsl, QueryableByName, sql_query,
    sql_types::{Array, BigInt, Bool, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    login::CanonicalLogin,
    user::{Credentials, User, UserId},
};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Returns those of `logins` that existing users have.
pub async fn taken_logins(
    conn: &mut AsyncPgConnection,
    logins: impl Iterator<Item = &CanonicalLogin>,
) -> Result<BTreeSet<CanonicalLogin>, StorageError> {
    let logins: Vec<&CanonicalLogin> = logins.collect();
    let texts: Vec<&str> = logins.iter().map(|login| login.as_str()).collect();
    let taken: Vec<String> = users::table
        .filter(users::canonical_login.eq_any(texts))
        .select(users::canonical_login)
        .load(conn)
        .await?;
    let taken: BTreeSet<String> = taken.into_iter().collect();
    let taken = logins.into_iter().filter(|login| taken.contains(login.as_str()));
    Ok(taken.cloned().collect())
}

/// Inserts in the order of the logins, so that imports of the same users do not wait for each other in a circle.
const INSERT: &str = r#"
    INSERT INTO users (id, login, canonical_login, password_hash, status, token_epoch, must_change_password, revision,
        created_at, updated_at)
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        AS new (id, login, canonical_login, password_hash, status, token_epoch, must_change_password, revision,
            created_at, updated_at)
    ORDER BY canonical_login COLLATE "C"
    ON CONFLICT (canonical_login) DO NOTHING
    RETURNING id"#;

/// Stores those of `credentials` whose logins are free, without roles; returns their ids.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    credentials: &[&Credentials],
) -> Result<BTreeSet<UserId>, StorageError> {
    #[derive(QueryableByName)]
    struct Stored {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
    }
    let users = || credentials.iter().map(|it| &it.user);
    let hashes: Vec<_> = credentials.iter().map(|it| it.hash.as_phc()).collect();
    let canonical: Vec<_> = users().map(|user| user.login.canonical().as_str()).collect();
    let must_change: Vec<_> = users().map(|user| user.must_change_password).collect();
    let statement = sql_query(INSERT)
        .bind::<Array<SqlUuid>, _>(users().map(|user| user.id.0).collect::<Vec<Uuid>>())
        .bind::<Array<Text>, _>(users().map(|user| user.login.as_typed()).collect::<Vec<&str>>())
        .bind::<Array<Text>, _>(canonical)
        .bind::<Array<Text>, _>(hashes)
        .bind::<Array<Text>, _>(users().map(status_of).collect::<Vec<&str>>())
        .bind::<Array<BigInt>, _>(users().map(|user| user.epoch.0).collect::<Vec<i64>>())
        .bind::<Array<Bool>, _>(must_change)
        .bind::<Array<BigInt>, _>(users().map(|user| user.revision.0).collect::<Vec<i64>>())
        .bind::<Array<Timestamptz>, _>(
            users()
                .map(|user| user.created_at)
                .collect::<Vec<DateTime<Utc>>>(),
        )
        .bind::<Array<Timestamptz>, _>(
            users()
                .map(|user| user.updated_at)
                .collect::<Vec<DateTime<Utc>>>(),
        );
    let stored: Vec<Stored> = Prepared(statement).load(conn).await?;
    Ok(stored.into_iter().map(|row| UserId(row.id)).collect())
}

fn status_of(user: &User) -> &'static str {
    status_name(user.status)
}
