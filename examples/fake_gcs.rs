//! Google Cloud Storage in memory, as a process, for end-to-end tests: prints its address, then serves until standard input ends.
//!
//! `fake_gcs [ADDRESS] [TROUBLE PER MILLE] [SEED] [tokens]`; the bucket is `fake-bucket`. With `tokens` it serves only who carries a
//! token of the metadata server beside it, whose address it prints on a second line.

#![allow(missing_docs, dead_code, reason = "a test tool, of which each user takes a part")]

use std::io::{Read, Write};

#[path = "../tests/common/fake_gcs.rs"]
mod fake_gcs;
#[path = "../tests/common/fake_tokens.rs"]
mod fake_tokens;
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
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}
