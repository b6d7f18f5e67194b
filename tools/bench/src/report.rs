//! The report: tables and a chart.

mod chart;
mod tables;

pub use chart::chart;
pub use tables::{heading, tables};
