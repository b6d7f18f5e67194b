//! Query plans with 100,000 users and their audit log: the cost of a page, for each filter.

use super::{Step, connect, events, record};
use crate::{
    changes::trim,
    error::StorageError,
    tables::{audit_pages, user_pages},
};
use diesel::{
    QueryableByName,
    connection::{Instrumentation, InstrumentationEvent},
    sql_query,
    sql_types::{BigInt, Text},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use domain::{
    audit::{AuditAction, AuditFilter, AuditNumber},
    changes::TrimAuditLog,
    login::LoginPrefix,
    role::RoleName,
    user::{UserFilter, UserId, UserPage, UserStatus},
};
use testkit::fixtures::{at, canonical, context};
use testservers::FreshDatabase;
use uuid::Uuid;

/// Inserts users and their audit log. One user in a hundred is disabled, one in a hundred is an
/// editor, and a handful are admins. Each user has registered and logged in.
const FILL: &str = "
    INSERT INTO roles (name, description, self_assignable) VALUES ('editor', '', FALSE);
    INSERT INTO users (id, login, canonical_login, password_hash, status, token_epoch, created_at, updated_at)
        SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, login, login, 'plain$0$x',
            CASE n % 100 WHEN 7 THEN 'disabled' ELSE 'active' END, 0, now(), now()
        FROM generate_series(1, 100000) AS n, format('user-%s', lpad(n::text, 6, '0')) AS login;
    INSERT INTO user_roles (user_id, role) SELECT id, 'user' FROM users;
    INSERT INTO user_roles (user_id, role) SELECT id, 'editor' FROM users WHERE canonical_login LIKE '%50';
    INSERT INTO user_roles (user_id, role) SELECT id, 'admin' FROM users WHERE canonical_login LIKE '%20000';
    INSERT INTO audit_trail (number, at, action, actor_kind, actor_id, user_id, details, seal)
        SELECT n, TIMESTAMPTZ '2026-01-01 00:00:00Z' + n * INTERVAL '1 second',
            CASE WHEN n <= 100000 THEN 'user_registered' WHEN n % 1000 = 0 THEN 'user_disabled' ELSE 'logged_in' END,
            CASE WHEN n <= 100000 THEN 'anonymous' ELSE 'user' END,
            CASE WHEN n > 100000 THEN ('00000000-0000-7000-8000-' || lpad((n % 1000)::text, 12, '0'))::uuid END,
            ('00000000-0000-7000-8000-' || lpad((n % 100000 + 1)::text, 12, '0'))::uuid, '{}',
            decode(repeat('00', 32), 'hex')
        FROM generate_series(1, 200000) AS n;
    UPDATE audit_chain SET head_number = 200000;";

/// Maximum number of blocks of 8 KiB that a page may read, out of tens of thousands.
const FEW: u64 = 1000;

/// The indexes whose ranges are pages of users.
const IN_ORDER: [&str; 4] = [
    "users_canonical_login_key",
    "users_by_status",
    "user_roles_by_login",
    "user_roles_by_status",
];

/// The number of custom plans that the server makes before it may keep a generic one.
const CUSTOM_PLANS: i64 = 5;
const EXECUTIONS: i64 = CUSTOM_PLANS + 3;

const ONE_DISABLED: &str =
    "UPDATE users SET status = 'active' WHERE status = 'disabled' AND canonical_login <> 'user-040007'";

/// Assigns each user the role `user` and one of a hundred other roles. The rows are in random
/// order.
const MANY_ROLES: &str = "
    TRUNCATE user_roles;
    DELETE FROM users WHERE canonical_login > 'user-020000';
    INSERT INTO roles (name, description, self_assignable)
        SELECT format('role-%s', n), '', FALSE FROM generate_series(0, 99) AS n;
    INSERT INTO user_roles (user_id, role)
        SELECT id, role FROM users, unnest(ARRAY['user', format('role-%s', right(login, 2)::int)]) AS role
        ORDER BY md5(login || role);";

/// The values of `plan_cache_mode` for statements that stay prepared.
const BOTH_PLANS: [&str; 2] = ["force_custom_plan", "force_generic_plan"];

struct Filled {
    conn: AsyncPgConnection,
    database: FreshDatabase,
}

/// The number of executions of a statement with each kind of plan.
#[derive(Debug, QueryableByName)]
struct Executed {
    #[diesel(sql_type = Text)]
    statement: String,
    #[diesel(sql_type = BigInt)]
    custom_plans: i64,
    #[diesel(sql_type = BigInt)]
    generic_plans: i64,
}

impl Filled {
    async fn new() -> Self {
        Self::with(&[FILL]).await
    }

    /// Fills a database and applies `change`.
    async fn changed(change: &str) -> Self {
        Self::with(&[FILL, change]).await
    }

    async fn with(steps: &[&str]) -> Self {
        let (mut conn, database) = connect().await;
        for step in steps {
            conn.batch_execute(step).await.expect("the step succeeds");
        }
        conn.batch_execute("VACUUM ANALYZE")
            .await
            .expect("the statistics can be updated");
        Self { conn, database }
    }

    /// Asserts that a connection keeps the generic plan of a page as soon as possible.
    async fn assert_kept(&self, filter: &UserFilter, page: &UserPage) {
        let conn = AsyncPgConnection::establish(self.database.url()).await;
        let mut conn = conn.expect("the database accepts connections");
        for _ in 0..EXECUTIONS {
            user_pages::list(&mut conn, filter, page)
                .await
                .expect("the page can be read");
        }
        let question = "SELECT * FROM pg_prepared_statements WHERE statement LIKE '%canonical_login%'";
        let executed: Vec<Executed> = sql_query(question)
            .load(&mut conn)
            .await
            .expect("the prepared statements can be listed");
        let pages: Vec<_> = executed.iter().filter(|it| it.statement != question).collect();
        let kept =
            |it: &Executed| it.custom_plans == CUSTOM_PLANS && it.generic_plans == EXECUTIONS - CUSTOM_PLANS;
        let is_kept = matches!(pages.as_slice(), [page] if kept(page));
        assert!(is_kept, "{filter:?} {page:?} {pages:#?}");
    }

    /// Asserts that the statements of `work` read few blocks and only by indexes, planned in each
    /// of `modes`.
    async fn assert_cheap(
        &mut self,
        name: &str,
        modes: &[&str],
        work: impl AsyncFnOnce(&mut AsyncPgConnection) -> Result<(), StorageError>,
    ) {
        let asked = record(&mut self.conn, question);
        self.conn
            .batch_execute("BEGIN")
            .await
            .expect("the transaction can begin");
        work(&mut self.conn).await.expect("the work succeeds");
        self.conn
            .batch_execute("ROLLBACK")
            .await
            .expect("the transaction can be rolled back");
        self.conn.set_instrumentation(None::<Box<dyn Instrumentation>>);
        // The cost of writing an event does not depend on the number of rows.
        let looks =
            |it: &String| it.contains(BINDS) && (it.starts_with("SELECT") || it.starts_with("DELETE"));
        for question in asked.into_iter().filter(looks) {
            for mode in modes {
                let plan = explain(&mut self.conn, mode, &question).await;
                let blocks = blocks_of(&plan);
                let indexed = ["users", "user_roles", "audit_trail"]
                    .iter()
                    .all(|table| !plan.contains(&format!("Seq Scan on {table}")));
                // A bitmap scan would read the whole range and sort it.
                let walked = IN_ORDER
                    .iter()
                    .all(|index| !plan.contains(&format!("Bitmap Index Scan on {index}")));
                assert!(
                    indexed && walked && blocks < FEW,
                    "{name}, {mode}, {blocks}: {question}\n{plan}"
                );
            }
        }
    }
}

const BINDS: &str = " -- binds: ";

/// Returns a statement with its values.
fn question(event: &InstrumentationEvent<'_>) -> Option<String> {
    match event {
        InstrumentationEvent::StartQuery { query, .. } => Some(query.to_string()),
        _ => None,
    }
}

async fn explain(conn: &mut AsyncPgConnection, mode: &str, question: &str) -> String {
    let (sql, binds) = question.split_once(BINDS).expect("the query has values");
    let values: Vec<String> = binds
        .trim_matches(['[', ']'])
        .split(", ")
        .map(|value| format!("'{}'", value.trim_matches('"').replace("\\u{1}", "\u{1}")))
        .collect();
    conn.batch_execute(&format!(
        "BEGIN; SET LOCAL plan_cache_mode = {mode}; PREPARE asked AS {sql}"
    ))
    .await
    .expect("the statement can be prepared");
    let steps: Vec<Step> = sql_query(format!(
        "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) EXECUTE asked({})",
        values.join(", ")
    ))
    .load(conn)
    .await
    .expect("the statement can be explained");
    conn.batch_execute("ROLLBACK; DEALLOCATE asked")
        .await
        .expect("the statement can be deallocated");
    steps.into_iter().map(|it| it.step).collect::<Vec<_>>().join("\n")
}

/// Returns the number of blocks that the topmost step read, including the steps below it.
fn blocks_of(plan: &str) -> u64 {
    let counts = plan
        .lines()
        .find_map(|line| line.trim().strip_prefix("Buffers: shared "));
    counts
        .unwrap_or_default()
        .split(' ')
        .filter_map(|word| word.strip_prefix("hit=").or(word.strip_prefix("read=")))
        .map(|number| number.parse::<u64>().expect("the text is a number"))
        .sum()
}

fn user_filters() -> Vec<UserFilter> {
    let roles = [None, Some("user"), Some("editor"), Some("admin")];
    let statuses = [None, Some(UserStatus::Active), Some(UserStatus::Disabled)];
    let prefixes = [None, Some("user-0500"), Some("u"), Some("unknown"), Some("zoe")];
    let mut filters = Vec::new();
    for role in roles {
        for status in statuses {
            for prefix in prefixes {
                filters.push(UserFilter {
                    login: prefix.map(|text| LoginPrefix::parse(text).expect("the prefix is valid")),
                    role: role.map(|name| RoleName::parse(name).expect("the name is valid")),
                    status,
                });
            }
        }
    }
    filters
}

/// Returns the first page, one in the middle and the last, each with the default and the maximum
/// size.
fn user_pages() -> Vec<UserPage> {
    let mut pages = Vec::new();
    for after in [None, Some("user-050000"), Some("user-099999")] {
        for limit in [21, 101] {
            let after = after.map(canonical);
            pages.push(UserPage { after, limit });
        }
    }
    pages
}

async fn assert_all_cheap(filled: &mut Filled) {
    for filter in user_filters() {
        for page in user_pages() {
            let name = format!("{filter:?} {page:?}");
            filled
                .assert_cheap(&name, &BOTH_PLANS, async |conn| {
                    user_pages::list(conn, &filter, &page).await.map(drop)
                })
                .await;
        }
    }
}

#[tokio::test]
async fn every_page_of_many_users_reads_few_blocks() {
    let mut filled = Filled::new().await;
    assert_all_cheap(&mut filled).await;
    let page = UserPage {
        after: Some(canonical("user-050000")),
        limit: 20,
    };
    filled
        .assert_cheap("export", &BOTH_PLANS, async |conn| {
            user_pages::export(conn, &page).await.map(drop)
        })
        .await;
}

#[tokio::test]
async fn a_page_of_the_only_user_with_a_status_reads_few_blocks() {
    assert_all_cheap(&mut Filled::changed(ONE_DISABLED).await).await;
}

#[tokio::test]
async fn a_page_of_few_users_with_many_roles_reads_few_blocks() {
    assert_all_cheap(&mut Filled::changed(MANY_ROLES).await).await;
}

#[tokio::test]
async fn every_page_of_users_keeps_its_generic_plan() {
    let filled = Filled::new().await;
    for filter in user_filters() {
        for page in user_pages() {
            filled.assert_kept(&filter, &page).await;
        }
    }
}

fn audit_filters() -> Vec<AuditFilter> {
    let user = Some(UserId(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0042)));
    let days = |day: i64| Some(at(day * 86_400));
    let any = AuditFilter::default();
    let times = [
        any.clone(),
        AuditFilter {
            from: days(2),
            ..any.clone()
        },
        AuditFilter {
            until: days(1),
            ..any.clone()
        },
        AuditFilter {
            from: Some(at(90_000)),
            until: Some(at(90_060)),
            ..any.clone()
        },
    ];
    let mut filters = Vec::new();
    for time in times {
        filters.push(time.clone());
        filters.push(AuditFilter { user, ..time.clone() });
        filters.push(AuditFilter {
            actor: user,
            ..time.clone()
        });
        filters.push(AuditFilter {
            action: Some(AuditAction::UserDisabled),
            ..time.clone()
        });
        filters.push(AuditFilter {
            user,
            action: Some(AuditAction::LoggedIn),
            ..time
        });
    }
    filters
}

#[tokio::test]
async fn every_page_of_a_long_audit_log_reads_few_blocks() {
    let mut filled = Filled::new().await;
    for filter in audit_filters() {
        for before in [None, Some(AuditNumber(150_000))] {
            let name = format!("{filter:?} {before:?}");
            filled
                .assert_cheap(&name, &["force_custom_plan"], async |conn| {
                    audit_pages::page(conn, &filter, before, 20).await.map(drop)
                })
                .await;
        }
    }
    filled
        .assert_cheap("rows", &BOTH_PLANS, async |conn| {
            audit_pages::rows(conn, AuditNumber(100_000), 100).await.map(drop)
        })
        .await;
    filled
        .assert_cheap("trim", &BOTH_PLANS, async |conn| {
            let command = TrimAuditLog {
                before: at(9),
                limit: 100,
            };
            trim(conn, command, &events(context(at(9)))).await.map(drop)
        })
        .await;
}
