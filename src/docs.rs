//! Pages that are written from the code: each is kept by a test that fails when it is stale.

use std::path::Path;

/// Requires that `page` says `text`; with `BEATLYTICA_WRITE_DOCS` set, makes it so.
pub(crate) fn require(page: &Path, text: &str) {
    if std::env::var_os("BEATLYTICA_WRITE_DOCS").is_some() {
        std::fs::write(page, text).expect("the page can be written");
    }
    let stands = std::fs::read_to_string(page).unwrap_or_default();
    let page = page.display();
    assert!(stands == text, "{page} is stale; `make pages` writes it anew");
}
