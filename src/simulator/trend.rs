//! What makes charts move.

/// Trends that are simulated on purpose; none by default, as in Eventsim.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trends {
    /// New releases that rise and fall, a week.
    pub releases_a_week: u32,
    /// Songs that go viral in one state, a day.
    pub viral_a_day: u32,
    /// Whether holidays have their songs.
    pub holidays: bool,
}

impl Trends {
    /// Enough to be worth watching.
    pub fn lively() -> Self {
        Self { releases_a_week: 14, viral_a_day: 24, holidays: true }
    }
}
