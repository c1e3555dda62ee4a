//! The arguments of `simulate`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, PrimitiveDateTime};

use crate::simulator::Compat;

#[derive(Debug, Args)]
pub(in crate::cli) struct SimulateArgs {
    #[command(flatten)]
    pub(super) output: OutputArgs,
    /// Site configuration: a JSON file of Eventsim's; a site of its own without.
    #[arg(short = 'c', long, value_name = "FILE", help_heading = "Model")]
    pub(super) site: Option<PathBuf>,
    /// Listeners at the start.
    #[arg(short = 'n', long, value_name = "N", help_heading = "Model")]
    pub(super) users: Option<u32>,
    /// Start: 2024-05-06T00:00:00Z (UTC where it names no zone), 2024-05-06, or "now".
    #[arg(short = 's', long, value_name = "TIME", help_heading = "Model")]
    pub(super) start: Option<Moment>,
    /// End, exclusive: as --start, or "never".
    #[arg(short = 'e', long, value_name = "TIME", help_heading = "Model")]
    pub(super) end: Option<Moment>,
    /// Start this many days ago, where --start is not given.
    #[arg(short = 'f', long, value_name = "DAYS", default_value_t = 15.0, help_heading = "Model")]
    pub(super) from: f64,
    /// End this many days ago, where --end is not given.
    #[arg(short = 't', long, value_name = "DAYS", default_value_t = 1.0, help_heading = "Model")]
    pub(super) to: f64,
    /// New listeners a year, as a share of those there are.
    #[arg(short = 'g', long, value_name = "SHARE", help_heading = "Model")]
    pub(super) growth_rate: Option<f64>,
    /// Listeners who leave a year, as a share of those there are.
    #[arg(short = 'a', long, value_name = "SHARE", default_value_t = 0.0, help_heading = "Model")]
    pub(super) attrition_rate: f64,
    /// Id of the first listener.
    #[arg(short = 'u', long, value_name = "N", help_heading = "Model")]
    pub(super) first_user_id: Option<i64>,
    /// Seed of all chance: the same seed, the same bytes.
    #[arg(short = 'r', long, value_name = "N", help_heading = "Model")]
    pub(super) seed: Option<u64>,
    /// Label for events that say who is signed in.
    #[arg(long, value_name = "TEXT", help_heading = "Model")]
    pub(super) tag: Option<String>,
    /// Whether Eventsim's bugs are kept.
    #[arg(long, value_enum, default_value_t = CompatArg::Clean, help_heading = "Model")]
    pub(super) compat: CompatArg,
    /// What makes the charts move.
    #[arg(long, value_enum, default_value_t = TrendsArg::None, help_heading = "Model")]
    pub(super) trends: TrendsArg,
    /// Share of next songs that resemble the song before.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, help_heading = "Model")]
    pub(super) similarity: f64,
    /// Songs: a CSV file, or Eventsim's listen_counts.txt, plain or gzip; songs of its own without.
    #[arg(long, value_name = "FILE", help_heading = "Model")]
    pub(super) catalogue: Option<PathBuf>,
    /// Which songs resemble which: Eventsim's similar_songs.csv, plain or gzip.
    #[arg(long, value_name = "FILE", requires = "catalogue", help_heading = "Model")]
    pub(super) similar: Option<PathBuf>,
    #[command(flatten)]
    pub(super) disorder: DisorderArgs,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("destination").args(["kafka", "output"]).required(true))]
pub(super) struct OutputArgs {
    /// Write to Kafka, into the topics of kafka.topics, keyed by listener.
    #[arg(short = 'k', long)]
    pub(super) kafka: bool,
    /// Write a file of JSON lines for each record type into this folder; `-` is standard output.
    #[arg(short = 'o', long, value_name = "FOLDER")]
    pub(super) output: Option<PathBuf>,
    /// Compress the files with zstd.
    #[arg(long, requires = "output")]
    pub(super) zstd: bool,
    /// Create topics that do not exist, with N partitions.
    #[arg(long, value_name = "N", requires = "kafka", value_parser = clap::value_parser!(i32).range(1..))]
    pub(super) create_partitions: Option<i32>,
    /// "max" as fast as it goes, "live" each event at its own time (the past at once), or N times real time.
    #[arg(long, value_name = "PACE", default_value = "max")]
    pub(super) pace: PaceArg,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Disorder, for tests")]
pub(super) struct DisorderArgs {
    /// Share of records that come late.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(super) late: f64,
    /// Mean of how late they come.
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = duration)]
    pub(super) late_by: Duration,
    /// Share of records that change places with their neighbours.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(super) out_of_order: f64,
    /// Share of records that come twice.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(super) duplicated: f64,
    /// Share of records that are broken.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(super) malformed: f64,
    /// Keep the truth: every record as it was simulated, and what became of it.
    #[arg(long, value_name = "FILE")]
    pub(super) truth: Option<PathBuf>,
}

pub(in crate::cli) fn duration(text: &str) -> Result<Duration, String> {
    humantime_serde::re::humantime::parse_duration(text).map_err(|error| error.to_string())
}

/// `--compat`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CompatArg {
    /// As Eventsim does it, bugs included.
    Eventsim,
    /// Without what is plainly a bug.
    Clean,
}

impl From<CompatArg> for Compat {
    fn from(arg: CompatArg) -> Self {
        match arg {
            CompatArg::Eventsim => Compat::Eventsim,
            CompatArg::Clean => Compat::Clean,
        }
    }
}

/// `--trends`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum TrendsArg {
    /// Popularity stays as it is, as in Eventsim.
    None,
    /// Releases that rise and fall, songs that go viral in one state, songs of the holidays.
    Lively,
}

/// `--pace`
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum PaceArg {
    Max,
    Live,
    Times(f64),
}

impl FromStr for PaceArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "max" => Ok(Self::Max),
            "live" => Ok(Self::Live),
            _ => match text.trim_end_matches('x').parse() {
                Ok(factor) if factor > 0.0 && f64::is_finite(factor) => Ok(Self::Times(factor)),
                _ => Err("give max, live, or a number above 0".to_owned()),
            },
        }
    }
}

/// A point in time on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Moment {
    Now,
    Never,
    /// Milliseconds since 1970 UTC.
    At(i64),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "now" => return Ok(Self::Now),
            "never" => return Ok(Self::Never),
            _ => {}
        }
        let local = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
        let time = OffsetDateTime::parse(text, &Rfc3339)
            .or_else(|_| PrimitiveDateTime::parse(text, &local).map(PrimitiveDateTime::assume_utc))
            .or_else(|_| Date::parse(text, &time::format_description::well_known::Iso8601::DATE).map(utc))
            .map_err(|_| "give a time such as 2024-05-06T00:00:00Z, a date, or now".to_owned())?;
        Ok(Self::At((time.unix_timestamp_nanos() / 1_000_000) as i64))
    }
}

fn utc(date: Date) -> OffsetDateTime {
    date.midnight().assume_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let monday = Ok(Moment::At(1_714_953_600_000));
        assert_eq!("2024-05-06T00:00:00".parse(), monday);
        assert_eq!("2024-05-06T02:00:00+02:00".parse(), monday);
        assert_eq!("2024-05-06".parse(), monday);
        assert_eq!("now".parse(), Ok(Moment::Now));
        assert!("yesterday".parse::<Moment>().is_err());
    }

    #[test]
    fn paces_are_read() {
        assert_eq!("max".parse(), Ok(PaceArg::Max));
        assert_eq!("60x".parse(), Ok(PaceArg::Times(60.0)));
        assert_eq!("0.5".parse(), Ok(PaceArg::Times(0.5)));
        for wrong in ["0", "-1", "inf", "fast"] {
            assert!(wrong.parse::<PaceArg>().is_err(), "{wrong}");
        }
    }
}
