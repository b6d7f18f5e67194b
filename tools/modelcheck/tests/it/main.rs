//! `cargo test -p modelcheck -- --nocapture` prints the number of states of each search, and each
//! counterexample.

mod leases;
mod sealing;
