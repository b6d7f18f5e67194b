//! Creates the users and sessions of a measurement through the service's own ports.

use crate::{
    place::{ISSUER, POOL_SIZE, Place},
    wrk::PASSWORD,
};
use adapters_crypto::{
    Argon2Hasher, Argon2Params, HashPool, HashPoolSettings, HmacRefreshMac, HmacSealer, JwtTokens,
    OsRandomness, SystemClock,
    keys::{AuditKey, KeyRing, KeyRules},
};
use adapters_postgres::{PoolSettings, PostgresDatabase, PostgresStorage};
use adapters_sqlite::{SqliteDatabase, SqliteStorage};
use anyhow::{Context, Result};
use chrono::TimeDelta;
use domain::{
    audit::{Actor, AuditContext, Origin},
    changes::{ImportUsers, OpenSession},
    login::Login,
    password::{Password, PasswordHash},
    ports::{Accounts, AuditLog, Clock, HashTicket, PasswordHasher, Randomness, Storage, UserDirectory},
    role::RoleName,
    session::{NewSession, SessionId, SessionRules},
    steps::{IssueTokens, TokenPair},
    token::TokenRules,
    user::{ImportedUser, User, UserId, UserStatus},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::sync::Arc;
use uuid::Uuid;

/// Number of users stored in one transaction.
const BATCH: usize = 1_000;

/// Creates users and sessions in the database of one place.
pub struct Seed {
    accounts: Arc<dyn Accounts>,
    users: Arc<dyn UserDirectory>,
    audit_log: Arc<dyn AuditLog>,
    issue_tokens: IssueTokens,
    randomness: Arc<dyn Randomness>,
}

impl Seed {
    /// Opens the place's database and applies all migrations.
    pub async fn open(place: &Place) -> Result<Self> {
        let sealer = Arc::new(HmacSealer::new(&AuditKey::load(&place.keys())?));
        let storage = if let Some(postgres) = place.postgres() {
            let pool = PoolSettings {
                max_size: POOL_SIZE,
                ..PoolSettings::default()
            };
            let database = PostgresDatabase::connect(postgres.url(), pool).await?;
            database.migrate_up().await?;
            Storage::over(&Arc::new(PostgresStorage::new(&database, sealer)))
        } else {
            let database = SqliteDatabase::open(&place.sqlite_file()).await?;
            database.migrate_up().await?;
            Storage::over(&Arc::new(SqliteStorage::new(&database, sealer)))
        };
        let randomness: Arc<dyn Randomness> = Arc::new(OsRandomness);
        Ok(Self {
            accounts: storage.accounts,
            users: storage.users,
            audit_log: storage.audit_log,
            issue_tokens: issue_tokens(place, Arc::clone(&randomness))?,
            randomness,
        })
    }

    /// Creates users with the logins `user0`, `user1` and so on.
    pub async fn users(&self, count: usize) -> Result<Vec<User>> {
        let logins = (0..count).map(|number| format!("user{number}"));
        self.users_called(logins.collect(), "user").await
    }

    /// Creates users with these logins, this role, and the common password.
    pub async fn users_called(&self, logins: Vec<String>, role: &str) -> Result<Vec<User>> {
        let hash = hash().await?;
        let now = SystemClock.now();
        let user = |login: String| {
            Ok(ImportedUser {
                id: self.randomness.user_id(now),
                login: Login::parse(&login)?,
                hash: hash.clone(),
                roles: [RoleName::parse(role)?].into(),
                status: UserStatus::Active,
                one_time_password: None,
                created_at: now,
            })
        };
        let requests = logins.into_iter().map(user).collect::<Result<Vec<_>>>()?;
        let mut users = Vec::with_capacity(requests.len());
        for batch in requests.chunks(BATCH) {
            let batch = ImportUsers(batch.to_vec());
            for user in self.users.import(batch, context(Actor::Operator)).await? {
                users.push(user?);
            }
            // So that the measured service does not.
            self.audit_log.seal().await;
        }
        Ok(users)
    }

    /// Finds the users with these ids, all of whom must exist.
    pub async fn find(&self, ids: Vec<UserId>) -> Result<Vec<User>> {
        let find = async |id| {
            let found = self.accounts.find(id).await?;
            found.context("a created user is missing")
        };
        stream::iter(ids.into_iter().map(find))
            .buffered(POOL_SIZE)
            .try_collect()
            .await
    }

    /// Opens `count` sessions, for each user in turn, and returns their tokens.
    pub async fn sessions(&self, users: &[User], count: usize) -> Result<Vec<TokenPair>> {
        let ids = (0..count).map(|_| self.randomness.session_id(SystemClock.now()));
        self.open_all(users, ids.collect()).await
    }

    /// Opens sessions with these ids, for each user in turn.
    pub async fn open_all(&self, users: &[User], ids: Vec<SessionId>) -> Result<Vec<TokenPair>> {
        let turns = ids.into_iter().zip(users.iter().cycle());
        let pairs = stream::iter(turns.map(|(id, user)| self.open_one(user, id)))
            .buffered(POOL_SIZE)
            .try_collect()
            .await?;
        // So that the measured service does not.
        self.audit_log.seal().await;
        Ok(pairs)
    }

    async fn open_one(&self, user: &User, id: SessionId) -> Result<TokenPair> {
        let context = context(Actor::User(user.id));
        let rules = SessionRules::default();
        let (secret, digest) = self.issue_tokens.fresh_secret();
        let session = NewSession::opened_at(context.at, id, user.id, digest, &rules, &context.origin);
        let (at, stored) = (context.at, session.stored(user));
        let open = OpenSession {
            session,
            epoch: user.epoch,
            known: None,
            max_sessions: u32::MAX,
        };
        self.accounts.execute(Arc::new(open), context).await?;
        Ok(self.issue_tokens.issue(&stored, secret, at).await?)
    }
}

/// Returns the hash of the common password.
pub async fn hash() -> Result<PasswordHash> {
    let pool = Arc::new(HashPool::start(HashPoolSettings::default())?);
    let hasher = Argon2Hasher::new(Argon2Params::default(), pool)?;
    Ok(hasher
        .hash(Password::new(PASSWORD.to_owned()), &mut HashTicket::default())
        .await?)
}

/// Returns the id of a session that is found again by its number.
pub fn numbered_session(number: usize) -> SessionId {
    let number = u128::try_from(number).expect("a usize fits into 128 bits");
    SessionId(Uuid::from_u128(
        0x0000_0000_0000_7000_8000_0000_0000_0000 + number,
    ))
}

fn context(actor: Actor) -> AuditContext {
    AuditContext {
        at: SystemClock.now(),
        actor,
        origin: Origin::default(),
    }
}

/// Builds the token issuer with the service's own keys and rules.
fn issue_tokens(place: &Place, randomness: Arc<dyn Randomness>) -> Result<IssueTokens> {
    let keys = KeyRing::load(&place.keys(), KeyRules::default()).context("cannot load the new keys")?;
    let mac = HmacRefreshMac::new(keys.refresh_key());
    let rules = TokenRules {
        issuer: ISSUER.to_owned(),
        audience: "authapi".to_owned(),
        client_id: "authapi".to_owned(),
        access_ttl: TimeDelta::minutes(15),
        step_up_max_age: TimeDelta::minutes(15),
    };
    Ok(IssueTokens::new(
        Arc::new(JwtTokens::new(keys)),
        Arc::new(mac),
        randomness,
        rules,
    ))
}
