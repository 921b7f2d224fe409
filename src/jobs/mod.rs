//! Background work: rows that a worker claims by lease, so that work outlives a crash and several servers share it.

pub mod queue;
pub mod worker;
