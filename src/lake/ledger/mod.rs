//! What the ledger says, and the decisions that follow from it. Pure: no I/O, no clock.
//!
//! A partition's ranges form a chain: each [`Decision`] begins where the one before it ends, the first at offset 0. A
//! decision is created once and never changed; its [`Receipt`] says that all objects it names are there.

mod records;
mod recovery;
mod refusal;
#[cfg(test)]
pub(in crate::lake) mod tests;

pub use records::{
    Decision, EntryKind, EpochRecord, FORMAT, Fingerprint, Hex64, LedgerError, Receipt, ReceiptObject,
};
pub use recovery::{
    LogView, ObservedRecord, RecoveryPlan, SCHEMA_VERSION, check_fingerprint, check_finished, check_identity,
    check_log_end, check_schema_version, check_table, lost_records, plan_recovery,
};
pub use refusal::Refusal;
