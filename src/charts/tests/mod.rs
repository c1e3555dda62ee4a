//! Properties against a naive oracle, and the cases that the definitions name.

mod agreement;
mod cases;
mod oracle;
mod properties;
mod rows;
