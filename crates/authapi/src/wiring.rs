//! Which adapter stands behind which port.

use crate::{
    Failure, key_folder,
    settings::{DatabaseSettings, PasswordSettings, Settings, ThrottleSettings, TokensSettings},
};
use adapters_crypto::{
    Argon2Hasher, Argon2Params, HmacRefreshMac, JwtTokens, LaneSettings, OsRandomness, SystemClock,
};
use adapters_governor::{Budget, Budgets, InProcessThrottle, Unthrottled};
use adapters_sqlite::{SqliteDatabase, SqliteStorage};
use chrono::TimeDelta;
use domain::{
    password::PasswordPolicy,
    ports::{
        Clock, PasswordHasher, PublicKeys, Randomness, RefreshTokenMac, Throttle, TokenSigner, TokenVerifier,
        Users,
    },
    session::SessionRules,
    token::TokenRules,
    use_cases::{AssignRoles, CreateUser, SetStatus},
};
use std::{num::NonZeroUsize, sync::Arc, time::Duration};

/// Opens the database file; it and its folder are made when missing. The schema is left as it is.
pub async fn open_database(settings: &DatabaseSettings) -> Result<SqliteDatabase, Failure> {
    SqliteDatabase::open(settings.url.path())
        .await
        .map_err(|error| Failure::because("the database cannot be used", error))
}

/// Brings the schema up to date; the names of the migrations that this took.
pub async fn migrate(database: &SqliteDatabase) -> Result<Vec<String>, Failure> {
    database
        .migrate_up()
        .await
        .map_err(|error| Failure::because("the database's schema cannot be brought up to date", error))
}

/// Every port, with the adapter that the settings choose.
pub struct Ports {
    pub storage: SqliteStorage,
    pub hasher: Arc<dyn PasswordHasher>,
    pub throttle: Arc<dyn Throttle>,
    pub signer: Arc<dyn TokenSigner>,
    pub verifier: Arc<dyn TokenVerifier>,
    pub public_keys: Arc<dyn PublicKeys>,
    pub mac: Arc<dyn RefreshTokenMac>,
    pub clock: Arc<dyn Clock>,
    pub randomness: Arc<dyn Randomness>,
}

impl Ports {
    /// Reads the keys, makes them where that is allowed, and starts the hashing threads.
    pub fn new(settings: &Settings, storage: SqliteStorage) -> Result<Self, Failure> {
        let keys = key_folder::load(&settings.keys)?;
        let mac = HmacRefreshMac::new(keys.refresh_key());
        let jwt = Arc::new(JwtTokens::new(keys));
        Ok(Self {
            storage,
            hasher: hasher(&settings.password, settings.password.hash_threads)?,
            throttle: throttle(&settings.throttle)?,
            signer: Arc::clone(&jwt) as _,
            verifier: Arc::clone(&jwt) as _,
            public_keys: jwt,
            mac: Arc::new(mac),
            clock: Arc::new(SystemClock),
            randomness: Arc::new(OsRandomness),
        })
    }
}

/// What the command line can do to users. It needs no keys, and no throttle: whoever holds it holds the database.
pub struct Operator {
    pub users: Arc<dyn Users>,
    pub create_user: CreateUser,
    pub assign_roles: AssignRoles,
    pub set_status: SetStatus,
}

/// Opens the database, with its schema brought up to date: the first admin may be made before the first start.
pub async fn operator(settings: &Settings) -> Result<Operator, Failure> {
    let database = open_database(&settings.database).await?;
    migrate(&database).await?;
    let SqliteStorage { users, roles, .. } = SqliteStorage::new(&database);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let hasher = hasher(&settings.password, NonZeroUsize::MIN)?;
    Ok(Operator {
        create_user: CreateUser::new(
            Arc::clone(&users),
            hasher,
            Arc::clone(&clock),
            Arc::new(OsRandomness),
            password_policy(&settings.password),
        ),
        assign_roles: AssignRoles::new(Arc::clone(&users), roles, Arc::clone(&clock)),
        set_status: SetStatus::new(Arc::clone(&users), clock),
        users,
    })
}

fn hasher(settings: &PasswordSettings, threads: NonZeroUsize) -> Result<Arc<dyn PasswordHasher>, Failure> {
    let params = Argon2Params {
        memory_kib: settings.memory_kib,
        iterations: settings.iterations,
        ..Argon2Params::default()
    };
    let lane = LaneSettings {
        threads,
        queue: settings.hash_queue,
        ..LaneSettings::default()
    };
    let hasher = Argon2Hasher::new(params, lane)
        .map_err(|error| Failure::because("passwords cannot be hashed", error))?;
    Ok(Arc::new(hasher))
}

fn throttle(settings: &ThrottleSettings) -> Result<Arc<dyn Throttle>, Failure> {
    if !settings.enabled {
        return Ok(Arc::new(Unthrottled));
    }
    let budgets = Budgets {
        client: Budget {
            burst: settings.client_burst,
            every: Duration::from_mins(1) / settings.client_per_minute.get(),
        },
        account: Budget {
            burst: settings.account_burst,
            every: Duration::from_hours(1) / settings.account_per_hour.get(),
        },
        ..Budgets::DEFAULT
    };
    let throttle = InProcessThrottle::new(budgets)
        .map_err(|error| Failure::because("attempts cannot be counted", error))?;
    Ok(Arc::new(throttle))
}

/// What is asked of new passwords.
pub fn password_policy(settings: &PasswordSettings) -> PasswordPolicy {
    PasswordPolicy {
        min_length: settings.min_length,
        min_score: settings.min_score,
    }
}

/// What every access token says.
pub fn token_rules(settings: &TokensSettings) -> TokenRules {
    TokenRules {
        issuer: settings.issuer.clone(),
        audience: settings.audience.clone(),
        client_id: settings.client_id.clone(),
        access_ttl: delta(settings.access_ttl),
    }
}

/// How long sessions live.
pub fn session_rules(settings: &TokensSettings) -> SessionRules {
    SessionRules {
        idle_ttl: delta(settings.refresh_idle_ttl),
        ttl: delta(settings.refresh_ttl),
        grace: delta(settings.refresh_grace),
        max_per_user: settings.max_sessions_per_user,
    }
}

fn delta(span: Duration) -> TimeDelta {
    TimeDelta::from_std(span).expect("checked settings are at most ten years")
}
