//! The data model of a run of the bench, and the reports made from it.

pub mod report;
pub mod results;
