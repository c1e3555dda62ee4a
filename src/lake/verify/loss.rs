//! What the ledger itself says is missing from the lake.

use std::fmt;

use crate::lake::layout::RangeKey;

/// Records or offsets of one range that Kafka's retention took before they were in the lake.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    /// The entry's range.
    pub range: RangeKey,
    /// How the ledger says so.
    pub cause: Cause,
}

/// How a loss was written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A gap entry: nothing of the range was read.
    Gap,
    /// A receipt: so many of the decided records were gone, or another epoch was opened, before they were written.
    Lost(u64),
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Loss { range, cause } = self;
        match cause {
            Cause::Gap => {
                write!(f, "gap: {range}: Kafka no longer held these offsets when they were to be read")
            }
            Cause::Lost(records) => {
                write!(f, "lost: {range}: {records} of its records were gone before they were written")
            }
        }
    }
}
