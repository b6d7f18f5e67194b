//! The fakes keep the contract.

mod completeness;
mod escalation;
mod fakes;
mod memory;
