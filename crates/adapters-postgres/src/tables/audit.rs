//! The audit chain and its sealed events. The domain decides how events are sealed.

use super::audit_pages::saturating_instant;
use crate::{
    error::StorageError,
    prepared::Prepared,
    schema::{audit_chain, audit_trail},
};
use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, QueryDsl, Queryable, QueryableByName, Selectable, SelectableHelper,
    data_types::PgTimestamp,
    pg::Pg,
    result::{DatabaseErrorKind, Error as DieselError},
    sql_query,
    sql_types::{Array, BigInt, Binary, Nullable, SmallInt, Text, Timestamptz, Uuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::audit::{AuditNumber, AuditRow, ChainEnd, ChainEnds, Seal, SealedRow, Unsealed};

/// The id of the only row of `audit_chain`.
pub const THE_CHAIN: i16 = 1;

/// Returns where the chain begins and ends.
pub async fn ends(conn: &mut AsyncPgConnection) -> Result<ChainEnds, StorageError> {
    let row: ChainRow = audit_chain::table
        .find(THE_CHAIN)
        .select(ChainRow::as_select())
        .first(conn)
        .await?;
    row.try_into()
}

/// Returns where the chain begins and ends. No other transaction appends to it or trims it until
/// this one ends.
pub async fn lock_ends(conn: &mut AsyncPgConnection) -> Result<ChainEnds, StorageError> {
    let row: ChainRow = audit_chain::table
        .find(THE_CHAIN)
        .select(ChainRow::as_select())
        .for_update()
        .first(conn)
        .await?;
    row.try_into()
}

/// The chain, locked by a sealer.
pub struct LockedChain {
    pub ends: ChainEnds,
    pub unsealed: Unsealed,
    /// The time of the server's clock.
    pub at: DateTime<Utc>,
}

const LOCK_TO_SEAL: &str = "
    SELECT base_number, base_seal, head_number, head_seal, unsealed_lowest, unsealed_highest, clock_timestamp() AS at
    FROM audit_chain WHERE id = $1 FOR UPDATE";

/// [Locks](lock_ends) the chain to seal events. If another transaction has locked it, this function
/// waits, or returns `None` if `skips_locked`.
pub async fn lock_to_seal(
    conn: &mut AsyncPgConnection,
    skips_locked: bool,
) -> Result<Option<LockedChain>, StorageError> {
    let mode = if skips_locked { " SKIP LOCKED" } else { "" };
    let statement = sql_query(format!("{LOCK_TO_SEAL}{mode}")).bind::<SmallInt, _>(THE_CHAIN);
    let rows: Vec<LockedRow> = Prepared(statement).load(conn).await?;
    rows.into_iter().next().map(LockedChain::try_from).transpose()
}

/// Takes each column as one array, so that one statement serves any number of rows.
const APPEND: &str = "
    WITH moved AS (
        UPDATE audit_chain
        SET head_number = $2, head_seal = $3, unsealed_lowest = coalesce($17, unsealed_lowest),
            unsealed_highest = coalesce($18, unsealed_highest)
        WHERE id = $1
    )
    INSERT INTO audit_trail (number, at, action, actor_kind, actor_id, user_id, session_id, address, user_agent,
        request_id, details, seal, mac)
    SELECT * FROM unnest($4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";

/// Appends sealed rows and makes `head` the end of the chain. `unsealed` states where events may be
/// pending now; `None` leaves that as it is. The caller MUST have locked the chain.
pub async fn append(
    conn: &mut AsyncPgConnection,
    sealed: &[SealedRow],
    head: ChainEnd,
    unsealed: Option<&Unsealed>,
) -> Result<(), StorageError> {
    let macs: Vec<_> = sealed
        .iter()
        .map(|one| one.mac.map(|mac| mac.to_bytes().to_vec()))
        .collect();
    let statement = sql_query(APPEND)
        .bind::<SmallInt, _>(THE_CHAIN)
        .bind::<BigInt, _>(head.number.0)
        .bind::<Binary, _>(&head.seal.0[..])
        .bind::<Array<BigInt>, _>(column(sealed, |row| row.number.0))
        .bind::<Array<Timestamptz>, _>(column(sealed, |row| row.at))
        .bind::<Array<Text>, _>(column(sealed, |row| &*row.action))
        .bind::<Array<Text>, _>(column(sealed, |row| &*row.actor_kind))
        .bind::<Array<Nullable<Uuid>>, _>(column(sealed, |row| row.actor_id))
        .bind::<Array<Nullable<Uuid>>, _>(column(sealed, |row| row.user_id))
        .bind::<Array<Nullable<Uuid>>, _>(column(sealed, |row| row.session_id))
        .bind::<Array<Nullable<Text>>, _>(column(sealed, |row| row.address.as_deref()))
        .bind::<Array<Nullable<Text>>, _>(column(sealed, |row| row.user_agent.as_deref()))
        .bind::<Array<Nullable<Text>>, _>(column(sealed, |row| row.request_id.as_deref()))
        .bind::<Array<Text>, _>(column(sealed, |row| &*row.details))
        .bind::<Array<Binary>, _>(sealed.iter().map(|one| &one.seal.0[..]).collect::<Vec<_>>())
        .bind::<Array<Nullable<Binary>>, _>(macs)
        .bind::<Nullable<Array<BigInt>>, _>(unsealed.map(Unsealed::lowest))
        .bind::<Nullable<Array<BigInt>>, _>(unsealed.map(Unsealed::highest));
    let appended = Prepared(statement).execute(conn).await;
    appended.map(drop).map_err(|error| failed(error, sealed))
}

/// Names the fault if there already is an event with the number of one of `sealed`: another program
/// moved the end of the chain, or added the event.
fn failed(error: DieselError, sealed: &[SealedRow]) -> StorageError {
    match (&error, sealed.first()) {
        (DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _), Some(first)) => {
            let what = format!(
                "event {} or a later one exists after the end of the audit log, which was moved back; run `authapi audit \
                 verify`",
                first.row.number
            );
            StorageError::row("audit_chain", what)
        }
        _ => error.into(),
    }
}

fn column<'a, T>(sealed: &'a [SealedRow], value: impl Fn(&'a AuditRow) -> T) -> Vec<T> {
    sealed.iter().map(|one| value(&one.row)).collect()
}

/// Returns the oldest events before `head` with their times, at most `limit`.
///
/// A time out of the range of chrono, such as `infinity`, is returned as the nearest time in range.
pub async fn oldest(
    conn: &mut AsyncPgConnection,
    head: AuditNumber,
    limit: u32,
) -> Result<Vec<(AuditNumber, DateTime<Utc>)>, StorageError> {
    let rows: Vec<(i64, PgTimestamp)> = audit_trail::table
        .filter(audit_trail::number.lt(head.0))
        .order(audit_trail::number)
        .limit(limit.into())
        .select((audit_trail::number, audit_trail::at))
        .load(conn)
        .await?;
    let row = |(number, at)| (AuditNumber(number), saturating_instant(at));
    Ok(rows.into_iter().map(row).collect())
}

/// Makes event `last` the base of the chain, with its stored seal even if that seal is wrong: the
/// next event is sealed with it. A seal of another length is replaced. Runs two statements.
pub async fn move_base(conn: &mut AsyncPgConnection, last: AuditNumber) -> Result<(), StorageError> {
    let seal: Vec<u8> = audit_trail::table
        .find(last.0)
        .select(audit_trail::seal)
        .first(conn)
        .await?;
    let base = (
        audit_chain::base_number.eq(last.0),
        audit_chain::base_seal.eq(Seal::stored_as(&seal).0.to_vec()),
    );
    Prepared(diesel::update(audit_chain::table.find(THE_CHAIN)).set(base))
        .execute(conn)
        .await?;
    Ok(())
}

/// Removes the events from `first` to `last`.
pub async fn remove(
    conn: &mut AsyncPgConnection,
    first: AuditNumber,
    last: AuditNumber,
) -> Result<(), StorageError> {
    // The range has both ends, because the server estimates that a range with one end is a third of
    // the table.
    let outdated = audit_trail::table.filter(audit_trail::number.between(first.0, last.0));
    diesel::delete(outdated).execute(conn).await?;
    Ok(())
}

#[derive(Queryable, QueryableByName, Selectable)]
#[diesel(table_name = audit_chain, check_for_backend(Pg))]
struct ChainRow {
    base_number: i64,
    base_seal: Vec<u8>,
    head_number: i64,
    head_seal: Vec<u8>,
}

impl TryFrom<ChainRow> for ChainEnds {
    type Error = StorageError;

    fn try_from(row: ChainRow) -> Result<Self, Self::Error> {
        let end = |number, seal: Vec<u8>| {
            let seal = seal
                .try_into()
                .map_err(|_| StorageError::row("audit_chain", "a seal has 32 bytes"))?;
            Ok::<_, StorageError>(ChainEnd {
                number: AuditNumber(number),
                seal: Seal(seal),
            })
        };
        Ok(Self {
            base: end(row.base_number, row.base_seal)?,
            head: end(row.head_number, row.head_seal)?,
        })
    }
}

#[derive(QueryableByName)]
#[diesel(check_for_backend(Pg))]
struct LockedRow {
    #[diesel(embed)]
    chain: ChainRow,
    #[diesel(sql_type = Array<BigInt>)]
    unsealed_lowest: Vec<i64>,
    #[diesel(sql_type = Array<BigInt>)]
    unsealed_highest: Vec<i64>,
    #[diesel(sql_type = Timestamptz)]
    at: DateTime<Utc>,
}

impl TryFrom<LockedRow> for LockedChain {
    type Error = StorageError;

    fn try_from(row: LockedRow) -> Result<Self, Self::Error> {
        Ok(Self {
            ends: row.chain.try_into()?,
            unsealed: Unsealed::between(&row.unsealed_lowest, &row.unsealed_highest),
            at: row.at,
        })
    }
}
