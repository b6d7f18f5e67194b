//! The fakes keep the contract.

mod completeness;
mod fakes;
mod memory;
