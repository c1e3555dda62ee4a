//! Properties against a naive oracle, and the cases that the definitions name.

mod cases;
mod oracle;
mod properties;
mod rows;
