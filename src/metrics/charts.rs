//! Charts and active users as gauges. No song, artist or user is named: a chart's values go by rank.

use std::sync::Arc;
use std::time::Duration;

use prometheus::GaugeVec;

use super::catalogue::Catalogue;
use crate::charts::{At, Group, GroupBy, SongsAnswer, UsersAnswer, Window};
use crate::http::{Engine, SongsQuery, UsersQuery};

/// How often the charts are asked for: as often as Prometheus commonly scrapes.
pub const CHARTS_PERIOD: Duration = Duration::from_secs(15);
const RANKS: usize = 10;
const WINDOWS: [Window; 3] = [Window::Sliding5m, Window::Sliding1h, Window::Sliding24h];

/// Handles on the gauges of charts.
#[derive(Debug, Clone)]
pub struct ChartMetrics {
    users: GaugeVec,
    by_level: GaugeVec,
    by_gender: GaugeVec,
    plays: GaugeVec,
    listeners: GaugeVec,
    window_end: GaugeVec,
}

impl ChartMetrics {
    pub(super) fn new(c: &mut Catalogue) -> prometheus::Result<Self> {
        Ok(Self {
            users: c.gauges("active_users", "Distinct users with an event in the live window.", &["window"])?,
            by_level: c.gauges(
                "active_users_by_level",
                "Active users by subscription level: free, paid, none or other.",
                &["window", "level"],
            )?,
            by_gender: c.gauges(
                "active_users_by_gender",
                "Active users by gender: F, M, none or other.",
                &["window", "gender"],
            )?,
            plays: c.gauges(
                "chart_plays",
                "Plays of the song at a rank, 1 to 10, of the live chart.",
                &["window", "rank"],
            )?,
            listeners: c.gauges(
                "chart_listeners",
                "Distinct listeners of the song at a rank, 1 to 10, of the live chart.",
                &["window", "rank"],
            )?,
            window_end: c.gauges(
                "window_end_timestamp_seconds",
                "Event time at which the newest live and the last closed window end; time() less it is the window's age.",
                &["window", "at"],
            )?,
        })
    }

    pub(super) fn set_songs(&self, answer: &SongsAnswer) {
        let window = answer.window.name;
        for rank in 1..=RANKS {
            let (label, song) = (rank.to_string(), answer.songs.get(rank - 1));
            let labels = [window, label.as_str()];
            self.plays.with_label_values(&labels).set(song.map_or(0.0, |song| song.plays as f64));
            self.listeners.with_label_values(&labels).set(song.map_or(0.0, |song| song.listeners as f64));
        }
        self.set_end(answer);
    }

    fn set_end(&self, answer: &SongsAnswer) {
        let labels = [answer.window.name, answer.at.name()];
        match answer.window.end {
            Some(end) => self.window_end.with_label_values(&labels).set(end.0 as f64 / 1000.0),
            // There may have been none yet.
            None => drop(self.window_end.remove_label_values(&labels)),
        }
    }

    pub(super) fn set_users(&self, answer: &UsersAnswer, by: GroupBy) {
        let window = answer.window.name;
        self.users.with_label_values(&[window]).set(answer.users as f64);
        let (gauge, known) = match by {
            GroupBy::Level => (&self.by_level, ["free", "paid"]),
            GroupBy::Gender => (&self.by_gender, ["F", "M"]),
            GroupBy::State => return,
        };
        for (label, users) in folded(answer.groups.as_deref().unwrap_or_default(), known) {
            gauge.with_label_values(&[window, label]).set(users as f64);
        }
    }

    /// Gauges of charts that nobody keeps up to date must not stay.
    fn forget(&self) {
        let all =
            [&self.users, &self.by_level, &self.by_gender, &self.plays, &self.listeners, &self.window_end];
        all.into_iter().for_each(GaugeVec::reset);
    }
}

/// Users by value, where values that events bring of themselves are one: series must stay few.
fn folded(groups: &[Group], known: [&'static str; 2]) -> [(&'static str, u64); 4] {
    let mut sums = [(known[0], 0), (known[1], 0), ("none", 0), ("other", 0)];
    for group in groups {
        let place = match group.value.as_deref() {
            None => 2,
            Some(value) => known.iter().position(|known| *known == value).unwrap_or(3),
        };
        if let Some((_, users)) = sums.get_mut(place) {
            *users += group.users;
        }
    }
    sums
}

/// Asks the engine for the charts every [`CHARTS_PERIOD`], for ever.
pub async fn publish_charts(engine: Arc<dyn Engine>, charts: ChartMetrics) {
    let mut interval = tokio::time::interval(CHARTS_PERIOD);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if let Err(error) = ask(engine.as_ref(), &charts).await {
            tracing::debug!(%error, "no charts for the metrics");
            charts.forget();
        }
    }
}

async fn ask(engine: &dyn Engine, charts: &ChartMetrics) -> Result<(), crate::http::EngineError> {
    for window in WINDOWS {
        let songs = |at, limit| engine.songs(SongsQuery { window, at, limit, find: None });
        charts.set_songs(&songs(At::Live, RANKS).await?);
        charts.set_end(&songs(At::Closed, 1).await?);
        for by in [GroupBy::Level, GroupBy::Gender] {
            let query = UsersQuery { window, at: At::Live, by: Some(by), detail: false };
            charts.set_users(&engine.users(query).await?, by);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_events_bring_make_no_series() {
        let group =
            |value: Option<&str>, users| Group { by: GroupBy::Level, value: value.map(str::to_owned), users };
        let groups = [group(Some("paid"), 3), group(Some("gold"), 4), group(None, 2), group(Some("x"), 1)];
        let expected = [("free", 0), ("paid", 3), ("none", 2), ("other", 5)];
        assert_eq!(folded(&groups, ["free", "paid"]), expected);
    }
}
