//! Keys that sign assertions: in memory, or elsewhere.
