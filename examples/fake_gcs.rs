//! Google Cloud Storage in memory, as a process, for end-to-end tests: prints its address, then serves until standard input ends.
//!
//! `fake_gcs [ADDRESS] [TROUBLE PER MILLE] [SEED] [tokens]`; the bucket is `fake-bucket`. With `tokens` it serves only who carries a
//! token of the metadata server beside it, whose address it prints on a second line. Lines on standard input change its ways:
//! `trouble PER_MILLE SEED`, `delay MILLISECONDS`; each is answered by a line `done`.

#![allow(missing_docs, dead_code, reason = "a test tool, of which each user takes a part")]

use std::io::{BufRead, Write};
use std::time::Duration;

#[path = "../tests/common/fake_gcs.rs"]
mod fake_gcs;
#[path = "../tests/common/fake_tokens.rs"]
mod fake_tokens;
#[path = "../tests/common/gcs_faults.rs"]
mod gcs_faults;
#[path = "../tests/common/http.rs"]
mod http;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let address = arguments.first().map_or("127.0.0.1:0", String::as_str);
    let number = |at: usize| arguments.get(at).map_or(Ok(0), |text| text.parse::<u64>());
    let fake = fake_gcs::FakeGcs::start_on(address).await?;
    fake.trouble(number(1)?, number(2)?);
    println!("{}", fake.endpoint());
    let _tokens = if arguments.get(3).is_some_and(|text| text == "tokens") {
        let tokens = fake_tokens::FakeTokens::start().await;
        // It numbers the tokens that it issues; nobody asks for more within their life of an hour.
        let issued: Vec<String> = (1..=100).map(|number| format!("token-{number}")).collect();
        fake.allow_only(&issued.iter().map(String::as_str).collect::<Vec<_>>());
        println!("{}", tokens.host());
        Some(tokens)
    } else {
        None
    };
    std::io::stdout().flush()?;
    tokio::task::spawn_blocking(move || obey(&fake)).await??;
    Ok(())
}

/// Serves standard input until it ends.
fn obey(fake: &fake_gcs::FakeGcs) -> std::io::Result<()> {
    let invalid = |line: &str| std::io::Error::new(std::io::ErrorKind::InvalidInput, line.to_owned());
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let number =
            |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok()).ok_or_else(|| invalid(&line));
        match words.first() {
            Some(&"trouble") => fake.trouble(number(1)?, number(2)?),
            Some(&"delay") => fake.slow_down(Duration::from_millis(number(1)?)),
            _ => return Err(invalid(&line)),
        }
        println!("done");
        std::io::stdout().flush()?;
    }
    Ok(())
}
