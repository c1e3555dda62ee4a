//! `docs/settings.md`, written from `config/default.toml`: every key has its comment there.

use std::fmt::Write as _;

use super::layers::DEFAULTS;

/// One table a section: key, variable, default, and what the comment before it says.
fn page() -> String {
    let mut text = String::from(
        "# Settings\n\nWritten from `config/default.toml` by `make pages`; a test fails when this page is stale. Built-in values < `--config FILE` < environment < \
         flags. Durations are written `120s`, `10m`, `48h`; sizes `64MiB`, `500kB` or plain bytes. Empty text means \"not set\".\n",
    );
    let (mut section, mut comment) = (String::new(), Vec::new());
    // What stands before the first section is about the file.
    for line in DEFAULTS.0.lines().skip_while(|line| !line.starts_with('[')) {
        if let Some(words) = line.strip_prefix('#') {
            comment.push(words.trim());
        } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
            let about = std::mem::take(&mut comment).join(" ");
            let gap = if about.is_empty() { "" } else { "\n\n" };
            let _ = write!(text, "\n## `[{section}]`{gap}{about}\n");
            if DEFAULTS.0.contains(&format!("[{section}]\n")) && section != "kafka.properties" {
                text.push_str("\n| key | environment | default | |\n|---|---|---|---|\n");
            }
        } else if let Some((key, value)) = line.split_once(" = ") {
            let variable = format!("BEATLYTICA__{}__{}", section.replace('.', "__"), key).to_uppercase();
            let about = std::mem::take(&mut comment).join(" ");
            let _ = writeln!(text, "| `{section}.{key}` | `{variable}` | `{value}` | {about} |");
        } else {
            // A comment that an empty line ends belongs to what follows: a section's heading comes after it.
            if !line.is_empty() {
                comment.clear();
            }
        }
    }
    text
}

#[test]
fn the_page_on_settings_is_what_the_built_in_file_says() {
    let page_path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/settings.md");
    crate::docs::require(&page_path, &page());
}

#[test]
fn every_key_of_the_built_in_file_is_described_on_the_page() {
    let page = page();
    let (merged, _) = super::layers::merge(&[DEFAULTS], None, [], &[]).expect("defaults");
    for key in merged.keys() {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{key}` |")));
        let row = row.unwrap_or_else(|| panic!("{key} is not on the page"));
        assert!(!row.ends_with("|  |") || key.starts_with("kafka.topics."), "{key} is not described");
    }
}
