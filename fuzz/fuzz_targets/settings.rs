//! Settings: environment variables (`NAME=value` lines), or a settings file.
//!
//! Input: a byte that chooses which of the two, then their text.

#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use beatlytica::config::{ConfigError, Loaded, load};
use libfuzzer_sys::fuzz_target;

/// In memory, one for each process.
static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| PathBuf::from(format!("/dev/shm/beatlytica-fuzz-{}.toml", std::process::id())));

fn read(file: bool, text: &str) -> Result<Loaded, ConfigError> {
    if file {
        std::fs::write(&*FILE, text).unwrap();
        return load(Some(&FILE), [], &[]);
    }
    let variables = text.lines().filter_map(|line| line.split_once('='));
    load(None, variables.map(|(name, value)| (format!("BEATLYTICA__{name}"), value.to_owned())), &[])
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    match read(choice % 2 == 1, text) {
        Err(ConfigError::Invalid(problems)) => {
            assert!(!problems.is_empty());
            assert!(problems.iter().all(|problem| !problem.message.is_empty()));
        }
        Err(error @ ConfigError::File { .. }) => assert!(!error.to_string().is_empty()),
        // What is shown is a settings file that says the same, but for secrets.
        Ok(loaded) => {
            let shown = loaded.show();
            if !shown.contains("***") {
                assert_eq!(read(true, &shown).unwrap().settings, loaded.settings, "{shown}");
            }
        }
    }
});
