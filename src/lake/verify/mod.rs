//! Proves that the lake is what the ledger says.
