//! The arguments.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use super::simulate::args::{Moment, SimulateArgs};
use crate::config::Override;

/// Turns a music service's events into live charts and an exactly-once Parquet lake.
#[derive(Debug, Parser)]
#[command(
    version,
    propagate_version = true,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 `verify` found damage.\n\
                  Settings: built-in < --config FILE < environment BEATLYTICA__SECTION__KEY < flags; \
                  `beatlytica config show` lists them."
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Flags that say where settings come from, or override them.
#[derive(Debug, Args)]
pub(super) struct SettingsArgs {
    /// Settings file (TOML).
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Overrides kafka.brokers.
    #[arg(long, global = true, value_name = "HOST:PORT,...")]
    brokers: Option<String>,
    /// Overrides lake.url: file:///folder or gs://bucket/prefix.
    #[arg(long, global = true, value_name = "URL")]
    lake_url: Option<String>,
    /// Overrides http.listen.
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
}

impl SettingsArgs {
    pub(super) fn overrides(&self) -> Vec<Override> {
        let flags = [
            ("kafka.brokers", "--brokers", &self.brokers),
            ("lake.url", "--lake-url", &self.lake_url),
            ("http.listen", "--listen", &self.listen),
        ];
        let given = flags
            .into_iter()
            .filter_map(|(key, flag, value)| value.clone().map(|value| Override { key, flag, value }));
        given.collect()
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Reads the topics, serves the charts and writes the lake.
    Run {
        /// Stop once all that the topics held at the start is in the lake.
        #[arg(long)]
        exit_at_end: bool,
    },
    /// Shows everything at once: simulated listeners, a broker, the engine, a lake and the live page, in this process.
    Demo(DemoArgs),
    /// Sends files of JSON lines into a topic, keyed by listener.
    Replay(ReplayArgs),
    /// Simulates a music service's listeners, into topics, files or standard output.
    Simulate(Box<SimulateArgs>),
    /// Proves that the lake is what the ledger says.
    Verify(VerifyArgs),
    /// Shows where each partition of a running engine stands.
    Status(StatusArgs),
    /// Deals with topics that were created anew.
    Epoch {
        #[command(subcommand)]
        command: EpochCommand,
    },
    /// Asks the engine that runs on this machine whether it lives; exits with 1 if not.
    Health {
        /// Ask whether it is ready for traffic instead.
        #[arg(long)]
        ready: bool,
    },
    /// Shows or checks the effective settings.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Prints a completion script for a shell.
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// Prints the manual page (roff): `beatlytica man | man -l -`.
    Man,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Also prove that what Kafka still holds is what the lake has.
    #[arg(long)]
    pub(super) kafka: bool,
    /// Check only what was written since: a duration such as 2h, or a time such as 2024-05-06T00:00:00Z (of older ranges,
    /// that entries and receipts follow each other).
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub(super) since: Option<Since>,
    /// Write what is missing, from Kafka where it still holds the records. Nothing is overwritten or deleted; engines may
    /// run meanwhile.
    #[arg(long)]
    pub(super) repair: bool,
}

/// How far back to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    /// So long before now.
    Ago(Duration),
    /// Milliseconds since 1970 UTC.
    At(i64),
}

impl Since {
    /// As ms since 1970 UTC, given what it is now.
    pub(super) fn ms(self, now: i64) -> i64 {
        match self {
            Since::Ago(ago) => now.saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX)),
            Since::At(ms) => ms,
        }
    }
}

fn since(text: &str) -> Result<Since, String> {
    match (super::simulate::args::duration(text), text.parse()) {
        (Ok(ago), _) => Ok(Since::Ago(ago)),
        (_, Ok(Moment::At(ms))) => Ok(Since::At(ms)),
        _ => Err("give a duration such as 2h or 7d, or a time such as 2024-05-06T00:00:00Z".to_owned()),
    }
}

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// The engine's address; without it the one that http.listen says.
    #[arg(long, value_name = "URL")]
    pub(super) url: Option<String>,
    /// Draw the table anew every two seconds, until interrupted.
    #[arg(long)]
    pub(super) watch: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// Files, plain, zstd or gzip; `-` is standard input. Sent one after the other.
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// The topic to send to.
    #[arg(long)]
    pub(super) topic: String,
    /// Records a second; as fast as it goes without.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rate: Option<u32>,
    /// Create the topic with N partitions if it does not exist.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub(super) create_partitions: Option<i32>,
}

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Where the lake is kept; a second start goes on with it.
    #[arg(long, value_name = "FOLDER", default_value = "beatlytica-data")]
    pub(super) folder: PathBuf,
    /// Listeners.
    #[arg(long, value_name = "N", default_value_t = 40_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) users: u32,
    /// Seed of all chance.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
    /// How much of the past is simulated before the live events.
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = super::simulate::args::duration)]
    pub(super) history: Duration,
}

#[derive(Debug, Subcommand)]
pub(super) enum EpochCommand {
    /// Closes the topic's present epoch and opens the next, after the topic was created anew.
    Open {
        /// The topic.
        #[arg(long)]
        topic: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub(super) enum ConfigCommand {
    /// Prints the effective settings as TOML, secrets hidden, with the source of each.
    Show,
    /// Exits with 0 if the settings hold up, else prints what is wrong and exits with 2.
    Check,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn settings_flags_stand_before_or_after_the_command() {
        for line in [["beatlytica", "--brokers", "a:1", "run"], ["beatlytica", "run", "--brokers", "a:1"]] {
            let cli = Cli::try_parse_from(line).expect("parses");
            let expected = Override { key: "kafka.brokers", flag: "--brokers", value: "a:1".to_owned() };
            assert_eq!(cli.settings.overrides(), [expected]);
        }
    }

    #[test]
    fn since_is_a_duration_or_a_time() {
        assert_eq!(since("2h").map(|since| since.ms(10_000_000)), Ok(2_800_000));
        assert_eq!(since("1970-01-01T00:00:05Z").map(|since| since.ms(0)), Ok(5_000));
        assert_eq!(since("1970-01-02").map(|since| since.ms(0)), Ok(86_400_000));
        for text in ["", "now", "never", "yesterday", "2024-13-01"] {
            assert!(since(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates_and_partitions_are_positive() {
        for flag in ["--rate", "--create-partitions"] {
            let line = ["beatlytica", "replay", "-", "--topic", "t", flag, "0"];
            assert!(Cli::try_parse_from(line).is_err(), "{flag} 0");
        }
    }
}
