//! Panes, watermarks, top songs, active users: pure, without I/O, clock or async.
//!
//! A partition's share of the state is a fold over its offsets alone ([`Charts::apply`]), so it can be dropped
//! on revocation, snapshotted, restored and rebuilt without asking any other partition. One-minute panes are
//! the unit; a window is a run of panes ([`Window`]), and queries merge the partitions' panes.
//!
//! What a row counts for:
//! - An *active user* is a row's user id, whatever the topic. Rows without one (guests) make nobody active.
//! - A *play* needs artist and song both: a row that lacks either still makes its user active, but is in no chart.
//!   A play without a user id counts as a play and adds no listener.
//! - A row whose event time is implausible (over [`ChartSettings::future_limit`] ahead of its Kafka timestamp, or
//!   not a time in the years 1 to 9999) moves nothing: no clock, no pane. It is counted in [`Counters::future`].
//! - A row of a pane that is no longer kept is counted in [`Counters::too_old`] only.

mod answer;
#[cfg_attr(not(test), deny(clippy::indexing_slicing))]
mod codec;
mod fold;
mod intern;
mod pane;
mod query;
mod rank;
mod remap;
mod search;
mod settings;
#[cfg_attr(not(test), deny(clippy::indexing_slicing))]
mod snapshot;
mod state;
mod users;
mod window;

#[cfg(test)]
mod tests;

pub use answer::{
    At, Coverage, Group, PreviousWindow, SongRow, SongsAnswer, Splits, Steps, TimeMs, UsersAnswer,
    UsersDetails, UsersSeries, WindowSpan,
};
pub use fold::Counters;
pub use settings::ChartSettings;
pub use snapshot::SnapshotError;
pub use state::{Applied, Charts, PartitionStatus};
pub use window::{GroupBy, Window};
