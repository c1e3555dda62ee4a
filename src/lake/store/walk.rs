//! Listing a folder tree in the byte order of whole names, without reading more folders than a page needs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{self, Metadata};
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::ObjectMeta;
use super::local::{TEMPORARY, absent_is_none};

/// What to list.
pub(super) struct Walk<'a> {
    /// The store's folder.
    pub root: &'a Path,
    /// Only names that begin so.
    pub prefix: &'a str,
    /// Only names greater than this.
    pub after: Option<&'a str>,
    /// No more objects than this.
    pub limit: usize,
}

/// What is known of a file without reading it.
pub(super) fn described(name: String, file: &Metadata) -> ObjectMeta {
    let since_1970 = file.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let created_ms = since_1970.and_then(|passed| i64::try_from(passed.as_millis()).ok());
    ObjectMeta { name, size: file.len(), crc32c: None, created_ms }
}

impl Walk<'_> {
    /// The objects, in ascending order of name.
    ///
    /// # Errors
    /// The first folder or file that cannot be read, other than by having gone.
    pub fn objects(&self) -> io::Result<Vec<ObjectMeta>> {
        let mut found = Vec::new();
        // Everything wanted is in the folder that the prefix ends in, or below it.
        let base = self.prefix.rfind('/').map_or("", |slash| &self.prefix[..=slash]);
        if base.is_empty() || super::name::check(&base[..base.len() - 1]).is_ok() {
            self.folder(base, &mut found)?;
        }
        Ok(found)
    }

    /// Adds what is in `folder`, which is empty or ends in `/`.
    ///
    /// Sorting a folder's entries with `/` behind the names of folders makes a depth-first walk yield whole names in
    /// byte order: two names first differ within one entry's text, or at the `/` that ends it.
    fn folder(&self, folder: &str, found: &mut Vec<ObjectMeta>) -> io::Result<()> {
        // A folder may hold hundreds of thousands: no more than are wanted are brought into order, or looked at by themselves.
        let mut entries = BinaryHeap::from(self.entries(folder)?);
        while found.len() < self.limit
            && let Some(Reverse(name)) = entries.pop()
        {
            if name.ends_with('/') {
                self.folder(&name, found)?;
            } else if let Some(file) = absent_is_none(fs::metadata(self.root.join(&name)))? {
                found.push(described(name, &file));
            }
        }
        Ok(())
    }

    /// Full names in one folder, of wanted files and of folders that can hold such; folders end in `/`.
    fn entries(&self, folder: &str) -> io::Result<Vec<Reverse<String>>> {
        let mut entries = Vec::new();
        let Some(listing) = absent_is_none(fs::read_dir(self.root.join(folder)))? else { return Ok(entries) };
        for entry in listing {
            let entry = entry?;
            let Ok(own) = entry.file_name().into_string() else {
                tracing::warn!(file = %entry.path().display(), "file name is not utf-8, not listed");
                continue;
            };
            if folder.is_empty() && own == TEMPORARY {
                continue;
            }
            let Some(mut kind) = absent_is_none(entry.file_type())? else { continue };
            if kind.is_symlink() {
                let Some(file) = absent_is_none(fs::metadata(entry.path()))? else { continue };
                kind = file.file_type();
            }
            let name = if kind.is_dir() { format!("{folder}{own}/") } else { format!("{folder}{own}") };
            if if kind.is_dir() { self.reaches(&name) } else { self.wants(&name) } {
                entries.push(Reverse(name));
            }
        }
        Ok(entries)
    }

    fn wants(&self, name: &str) -> bool {
        name.starts_with(self.prefix) && self.after.is_none_or(|after| name > after)
    }

    /// Whether a folder can hold a wanted name.
    fn reaches(&self, folder: &str) -> bool {
        let prefix = folder.starts_with(self.prefix) || self.prefix.starts_with(folder);
        prefix && self.after.is_none_or(|after| folder > after || after.starts_with(folder))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names() -> impl Strategy<Value = std::collections::BTreeSet<String>> {
        proptest::collection::btree_set("[a!0.-]{1,2}(/[a!0.-]{1,2}){0,2}", 0..20)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn is_a_filter_over_the_sorted_names(
            wanted in names(), prefix in "[a!0./-]{0,3}", after in proptest::option::of("[a!0./-]{0,4}"), limit in 1_usize..8,
        ) {
            let root = tempfile::tempdir().unwrap();
            let mut made = std::collections::BTreeSet::new();
            for name in wanted.iter().filter(|name| super::super::name::check(name).is_ok()) {
                let path = root.path().join(name);
                if std::fs::create_dir_all(path.parent().unwrap()).is_ok() && std::fs::write(&path, b"x").is_ok() {
                    made.insert(name.clone());
                }
            }
            let expected: Vec<String> = made
                .into_iter()
                .filter(|name| name.starts_with(&prefix) && after.as_ref().is_none_or(|after| name > after))
                .take(limit)
                .collect();
            let walk = Walk { root: root.path(), prefix: &prefix, after: after.as_deref(), limit };
            let listed: Vec<String> = walk.objects().unwrap().into_iter().map(|object| object.name).collect();
            prop_assert_eq!(listed, expected);
        }
    }
}
