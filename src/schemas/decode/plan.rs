//! What a decoder needs to know of an event type, worked out once.

use super::intern::TextInterner;
use super::privacy::{PERSONAL, Privacy};
use super::steady::SteadyPlan;
use crate::schemas::field::{EventKind, Field, FieldType, Repair};

/// Fields that an event type may have at most: a bit each in [`super::build::Row`].
pub(super) const MAX_FIELDS: usize = 32;

/// A member's name as the scanner meets it: `"name":` and, for text, the opening quote; at most sixteen bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyPattern {
    bytes: u128,
    mask: u128,
    /// Length in bytes.
    pub(super) len: usize,
    /// The field's index in [`EventKind::fields`].
    pub(super) index: usize,
    /// The field's bit in [`super::build::Row`].
    pub(super) bit: u32,
    /// Type of the field's column.
    pub(super) kind: FieldType,
}

impl KeyPattern {
    /// None for a field without JSON member or with a name too long for the scanner.
    fn new(index: usize, field: &Field) -> Option<Self> {
        let quote = if field.kind == FieldType::Text { "\"" } else { "" };
        let name = format!("\"{}\":{quote}", field.json?);
        let mut bytes = [0; 16];
        bytes.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        let mask = u128::MAX >> (128 - 8 * name.len());
        let bit = 1 << (index & (MAX_FIELDS - 1));
        Some(Self { bytes: u128::from_le_bytes(bytes), mask, len: name.len(), index, bit, kind: field.kind })
    }

    /// Whether `word`, the next sixteen bytes of the record, begins with this name.
    #[inline(always)]
    pub(super) fn matches(&self, word: u128) -> bool {
        word & self.mask == self.bytes
    }
}

/// What a decoder needs to know of an event type.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) fields: &'static [Field],
    /// Names in the order in which they usually come.
    pub(super) patterns: Vec<KeyPattern>,
    /// For each field the column that keeps its text as it arrived, where repair changed it.
    pub(super) raw_of: Vec<Option<usize>>,
    /// Index of `ts`.
    pub(super) ts: usize,
    /// What repeats within a session.
    pub(super) steady: SteadyPlan,
    repair: bool,
    /// What becomes of personal fields.
    pub(super) privacy: Privacy,
}

impl Plan {
    pub(super) fn new(kind: EventKind, repair: bool) -> Self {
        let fields = kind.fields();
        debug_assert!(fields.len() <= MAX_FIELDS, "a row has a bit for each field");
        let patterns =
            fields.iter().enumerate().filter_map(|(index, field)| KeyPattern::new(index, field)).collect();
        let raw_of = fields.iter().map(|field| kind.index_of(&format!("{}_raw", field.column))).collect();
        let ts = kind.index_of("ts").unwrap_or(MAX_FIELDS);
        let steady = SteadyPlan::new(|column| kind.index_of(column));
        Self { fields, patterns, raw_of, ts, steady, repair, privacy: Privacy::Keep }
    }

    /// A new interner for the field with this index; none unless it is text that JSON carries.
    pub(super) fn interner(&self, index: usize) -> Option<TextInterner> {
        let field = self.fields.get(index)?;
        if field.json.is_none() || field.kind != FieldType::Text {
            return None;
        }
        let repair = if self.repair { field.repair } else { Repair::None };
        let keeps_raw = self.raw_of.get(index).is_some_and(Option::is_some);
        let personal = PERSONAL.contains(&field.column);
        let privacy = if personal { self.privacy.clone() } else { Privacy::Keep };
        Some(TextInterner::new(repair, keeps_raw).with_privacy(privacy))
    }

    /// The field whose JSON member is called `name`; `guess` is tried first.
    pub(super) fn field_called(&self, name: &str, guess: usize) -> Option<usize> {
        let is_called = |field: &Field| field.json == Some(name);
        if self.fields.get(guess).is_some_and(is_called) {
            return Some(guess);
        }
        self.fields.iter().position(is_called)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_is_known_to_the_scanner() {
        for kind in EventKind::ALL {
            let plan = Plan::new(kind, true);
            assert!(plan.fields.len() <= MAX_FIELDS);
            assert_eq!(plan.fields[plan.ts].column, "ts");
            let known: Vec<usize> = plan.patterns.iter().map(|pattern| pattern.index).collect();
            let wanted: Vec<usize> =
                (0..plan.fields.len()).filter(|&index| plan.fields[index].json.is_some()).collect();
            assert_eq!(known, wanted, "{kind:?}");
        }
    }

    #[test]
    fn every_event_type_has_members_that_repeat_and_none_of_them_keeps_raw_text() {
        for kind in EventKind::ALL {
            let plan = Plan::new(kind, true);
            let bits = plan.steady.bits();
            assert_eq!(bits.count_ones(), 11, "{kind:?}");
            let raw = (0..plan.fields.len()).filter(|&index| plan.raw_of[index].is_some());
            assert!(raw.into_iter().all(|index| bits >> index & 1 == 0), "{kind:?}");
        }
    }

    /// Event types share interners by column.
    #[test]
    fn a_column_is_the_same_in_every_event_type() {
        let mut known = std::collections::BTreeMap::new();
        for kind in EventKind::ALL {
            let plan = Plan::new(kind, true);
            for (field, raw) in plan.fields.iter().zip(&plan.raw_of) {
                let texts =
                    (field.kind == FieldType::Text, field.json.is_some(), field.repair, raw.is_some());
                assert_eq!(*known.entry(field.column).or_insert(texts), texts, "{kind:?}: {}", field.column);
            }
        }
    }

    #[test]
    fn derived_columns_belong_to_song_and_artist() {
        let plan = Plan::new(EventKind::Listen, true);
        for (index, raw) in plan.raw_of.iter().enumerate() {
            let name = plan.fields[index].column;
            assert_eq!(raw.is_some(), name == "song" || name == "artist", "{name}");
            assert_eq!(raw.is_some(), plan.fields[index].repair == Repair::Decode);
        }
    }
}
