//! Which object names the stores take.

/// Longest name in bytes, GCS's own limit.
const MAX_BYTES: usize = 1024;

/// Checks an object name: relative, of plain parts joined by `/`, so that it means the same in a folder and in a bucket
/// and never leads out of the lake.
///
/// # Errors
/// In words, what is wrong with it.
pub(super) fn check(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > MAX_BYTES {
        return Err(format!("a name has 1 to {MAX_BYTES} bytes, not {}", name.len()));
    }
    if name.chars().any(char::is_control) {
        return Err("a name has no control characters".into());
    }
    for part in name.split('/') {
        match part {
            "" => return Err("a name has no empty part and begins and ends without `/`".into()),
            "." | ".." => return Err("a name has no part `.` or `..`".into()),
            _ => {}
        }
    }
    if name.split('/').next() == Some(super::local::TEMPORARY) {
        return Err(format!("`{}` is the store's own folder", super::local::TEMPORARY));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn takes_the_lakes_own_names() {
        for name in [
            "ledger/v1/listen_events/e001/p00003/00000000000000000012.done.json",
            "lake/v1/listen_events/event_date=2026-01-02/event_hour=03/e001-p00003-0-9.parquet",
            "state/v1/a b/ü%2F/x",
        ] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn refuses_what_leads_elsewhere() {
        let long = "x".repeat(MAX_BYTES + 1);
        for name in
            ["", "/a", "a/", "a//b", "../a", "a/../b", "a/..", ".", "a/./b", "a\nb", "a\0b", ".tmp/x", &long]
        {
            assert!(check(name).is_err(), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn what_passes_stays_below_the_root(name in "[a./\\\\ ]{0,12}") {
            if check(&name).is_ok() {
                let plain = std::path::Path::new(&name).components().all(|part| matches!(part, std::path::Component::Normal(_)));
                prop_assert!(plain);
            }
        }
    }
}
