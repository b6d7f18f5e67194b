//! The coherence protocol between replicas that answer from memory and processes that revoke.
//!
//! The replicas and publications are those of [`session_cache::protocol`]. The model decides the
//! order of events and implements the database, the bus and the clock. One or two processes revoke
//! one session. Time advances in ticks. All other events may happen any number of ticks late or
//! never, which models delayed, reordered and lost requests, responses and messages, and processes
//! that pause or crash. Replicas join at any time.
//!
//! `session_cache` has no switches for its rules. A [`Mutant`] therefore violates a rule from
//! outside: in the database, in the order of events, or in the inputs of the state machines.

mod bounds;
mod database;
mod model;
mod mutant;
mod process;
mod state;

pub use bounds::{Bounds, Seat};
pub use model::{LeaseModel, NEVER, SERVED};
pub use mutant::Mutant;
pub use state::{Action, State};
