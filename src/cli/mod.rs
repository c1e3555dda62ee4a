//! The command line: arguments, exit codes, and which part of the library each command calls.

mod args;
mod config;
mod health;
mod local;
mod logging;
mod manual;
mod replay;
mod simulate;
mod status;

use std::process::ExitCode;

use clap::Parser;

use crate::config::{ConfigError, Loaded, Override, Problem, Settings, VARIABLE_PREFIX, load, load_demo};
use crate::kafka::client;
use crate::pipeline::{self, DemoOptions, RunOptions, Verdict, VerifyOptions};
use crate::status::now_ms;
use args::{Cli, Command, ConfigCommand, DemoArgs, EpochCommand};

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    Failed,
    Usage,
    Damaged,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        ExitCode::from(match outcome {
            Outcome::Done => 0,
            Outcome::Failed => 1,
            Outcome::Usage => 2,
            Outcome::Damaged => 3,
        })
    }
}

/// Runs the command line and gives the exit code: 0 done, 1 failed, 2 wrong usage or settings, 3 `verify` found damage.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Asked-for help is no error; a closed pipe while printing it is no news.
            let _ = error.print();
            return if error.use_stderr() { Outcome::Usage } else { Outcome::Done }.into();
        }
    };
    match dispatch(cli) {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            for line in format!("{error:#}").lines() {
                eprintln!("error: {line}");
            }
            let usage = error.is::<ConfigError>() || error.is::<crate::simulator::ConfigError>();
            if usage { Outcome::Usage } else { Outcome::Failed }.into()
        }
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<Outcome> {
    match cli.command {
        Command::Completions { shell } => manual::completions(shell)?,
        Command::Man => manual::page()?,
        Command::Config { command } => {
            let loaded = settings(&cli.settings)?;
            match command {
                ConfigCommand::Show => config::show(&loaded)?,
                ConfigCommand::Check => check_client(&loaded)?,
            }
        }
        Command::Health { ready } => health::check(&settings(&cli.settings)?.settings.http, ready)?,
        Command::Demo(demo) => {
            let settings = demo_settings(&cli.settings, &demo)?;
            crate::descriptors::raise_limit();
            let options = DemoOptions { users: demo.users, seed: demo.seed, history: demo.history };
            if pipeline::demo(settings, options)? == Verdict::Damaged {
                return Ok(Outcome::Damaged);
            }
        }
        Command::Replay(replay) => {
            let loaded = settings_for_kafka(&cli.settings)?;
            replay::replay(&loaded.settings.kafka, &replay)?;
        }
        Command::Simulate(args) => {
            let loaded = settings_with_log(&cli.settings)?;
            simulate::simulate(&loaded.settings.kafka, &args)?;
        }
        Command::Run { exit_at_end } => {
            let loaded = settings_for_kafka(&cli.settings)?;
            crate::descriptors::raise_limit();
            pipeline::run(loaded.settings, RunOptions { exit_at_end, progress: progress() })?;
        }
        Command::Verify(verify) => {
            let loaded = settings_with_log(&cli.settings)?;
            let since_ms = verify.since.map(|since| since.ms(now_ms()));
            let (kafka, repair) = (verify.kafka, verify.repair);
            if kafka || repair {
                check_client(&loaded)?;
            }
            let options = VerifyOptions { kafka, repair, since_ms, progress: progress() };
            if pipeline::verify(loaded.settings, options)? == Verdict::Damaged {
                return Ok(Outcome::Damaged);
            }
        }
        Command::Status(asked) => status::status(&settings(&cli.settings)?.settings.http, &asked)?,
        Command::Epoch { command: EpochCommand::Open { topic } } => {
            let loaded = settings_for_kafka(&cli.settings)?;
            pipeline::open_epoch(loaded.settings, &topic)?;
        }
    }
    Ok(Outcome::Done)
}

fn settings(args: &args::SettingsArgs) -> Result<Loaded, ConfigError> {
    load(args.config.as_deref(), environment()?, &args.overrides())
}

/// What only the Kafka client can tell of the settings.
fn check_client(loaded: &Loaded) -> Result<(), ConfigError> {
    client::check(&loaded.settings.kafka).map_err(|message| {
        ConfigError::Invalid(vec![Problem { key: "kafka".into(), origin: "taken together".into(), message }])
    })
}

/// The variables, of which those that are settings must be UTF-8.
fn environment() -> Result<Vec<(String, String)>, ConfigError> {
    let (mut variables, mut problems) = (Vec::new(), Vec::new());
    for (name, value) in std::env::vars_os() {
        let called = name.to_string_lossy().into_owned();
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => variables.push((name, value)),
            _ if called.starts_with(VARIABLE_PREFIX) => {
                let origin = format!("environment variable {called}");
                problems.push(Problem { key: called, origin, message: "is not UTF-8".into() });
            }
            _ => {}
        }
    }
    if problems.is_empty() { Ok(variables) } else { Err(ConfigError::Invalid(problems)) }
}

fn demo_settings(args: &args::SettingsArgs, demo: &DemoArgs) -> anyhow::Result<Settings> {
    let folder = std::path::absolute(&demo.folder)?;
    let url = url::Url::from_file_path(&folder)
        .map_err(|()| anyhow::anyhow!("--folder {} cannot be a URL", folder.display()))?;
    let folder = Override { key: "lake.url", flag: "--folder", value: url.into() };
    let flags: Vec<Override> = std::iter::once(folder).chain(args.overrides()).collect();
    let loaded = load_demo(args.config.as_deref(), environment()?, &flags)?;
    logging::start(&loaded.settings.log)?;
    Ok(loaded.settings)
}

fn settings_with_log(args: &args::SettingsArgs) -> anyhow::Result<Loaded> {
    let loaded = settings(args)?;
    logging::start(&loaded.settings.log)?;
    Ok(loaded)
}

fn settings_for_kafka(args: &args::SettingsArgs) -> anyhow::Result<Loaded> {
    let loaded = settings_with_log(args)?;
    check_client(&loaded)?;
    Ok(loaded)
}

/// Whether a progress bar has somewhere to be drawn.
fn progress() -> bool {
    use std::io::IsTerminal as _;
    std::io::stderr().is_terminal()
}
