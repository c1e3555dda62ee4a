//! `config show`.

use std::io::Write as _;

use crate::config::Loaded;

pub(super) fn show(loaded: &Loaded) -> std::io::Result<()> {
    std::io::stdout().write_all(loaded.show().as_bytes())
}
