//! The sealing of pending audit events on Postgres, by several replicas at once.
//!
//! Changes lock rows, draw their `seq`, commit or roll back in any order, or stay open. Sealers
//! lock the chain, remove pending rows, number them, append them and commit. Each step may happen
//! at any time or never, which models a sealer that is suspended, and a transaction may abort
//! before each step, which models one that is killed or fails. A sealer keeps nothing between its
//! transactions, so those in progress stand for any number of sealers.
//!
//! Numbers and the ranges in which sealers look come from the service's own code,
//! [`seal_pending`](domain::audit::seal_pending) and [`Unsealed`](domain::audit::Unsealed). The
//! model mirrors the statements and transactions of `adapters-postgres`: `changes/seal.rs`,
//! `tables/audit_pending.rs` and `tables/audit.rs`. It has no unique index on the numbers, so the
//! lock of the chain alone must keep them apart. A full look happens at any time, which includes
//! once a second. Seals and MACs are left out, because a search cannot find weaknesses in them.

mod bounds;
mod change;
mod model;
mod mutant;
mod properties;
mod sealer;
mod state;

pub use bounds::Bounds;
pub use model::SealingModel;
pub use mutant::Mutant;
pub use properties::{COMMITTED, COMPLETE, DEPENDENCIES, LATE, MERGED, NUMBERS, ONCE};
pub use sealer::Look;
pub use state::{Action, State};
