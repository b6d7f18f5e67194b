//! For tests: models of concurrent parts of the service. A search visits every order of events
//! within bounds and checks properties in every state.
//!
//! The models use the service's own code where it decides something, and implement the database,
//! the clock and the order of events. A mutant violates one rule; the search must find a
//! counterexample for each.

pub mod leases;
pub mod sealing;
