//! A search of everything that can happen between replicas that answer from memory and those who revoke.
//!
//! The replicas and revokers here are those of [`session_cache::protocol`], not a drawing of them: the model only decides in which
//! order things happen to them, and plays the database, the bus and the time. One session is revoked, by one or two
//! revokers. Time goes in ticks; everything else may happen any number of ticks late or never, which is how requests,
//! answers and messages are delayed, reordered and lost, and how processes are paused and crash. Replicas join at any time.
//!
//! Nothing in `domain` can be switched off. A [`Mutant`] therefore breaks a rule from outside: in the database, in the
//! order of things, or in what the state machines are told.

mod database;
mod model;
mod mutant;
mod process;

pub use model::{Action, Bounds, LeaseModel, NEVER, SERVED, Seat, State};
pub use mutant::Mutant;
