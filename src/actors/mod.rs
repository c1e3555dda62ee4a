//! The actors, one a file. They hold no business rule that a pure function could hold.

pub mod producer;
