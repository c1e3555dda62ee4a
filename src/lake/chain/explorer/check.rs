//! The invariants, by name.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::world::{Generation, World};
use super::writer::{Row, TOPIC, counts_of, rows_of};
use crate::lake::layout::{ChainKey, Name};
use crate::lake::ledger::{Decision, EntryKind, EpochRecord, Receipt};

/// `immutable` and `receipt-before-next`, at the moment of a create that takes effect.
pub fn before_create(world: &mut World, name: &str, body: &Bytes) {
    if let Some(standing) = world.objects.get(name)
        && standing != body
    {
        world.violations.push(format!("immutable: {name} is overwritten"));
    }
    if let Ok(Name::Entry { chain, .. }) = name.parse()
        && let Ok(entry) = Decision::parse(name, body)
        && let Some(previous) = entry.previous_start
        && !world.objects.contains_key(&chain.receipt(previous))
    {
        world.violations.push(format!("receipt-before-next: {name} follows an entry without receipt"));
    }
}

/// All other invariants, on the objects as they are now.
pub fn violations(world: &World) -> Vec<String> {
    let mut check = Check { world, found: world.violations.clone(), named: BTreeMap::new() };
    let epochs: Vec<u32> = world
        .objects
        .keys()
        .filter_map(|name| match name.parse() {
            Ok(Name::Epoch { epoch, .. }) => Some(epoch),
            _ => None,
        })
        .collect();
    for epoch in epochs {
        check.epoch(epoch);
    }
    check.glob_safe();
    check.found
}

struct Check<'a> {
    world: &'a World,
    found: Vec<String>,
    /// How many entries name an object.
    named: BTreeMap<String, usize>,
}

impl Check<'_> {
    fn fail(&mut self, what: String) {
        self.found.push(what);
    }

    fn epoch(&mut self, epoch: u32) {
        let name = Name::Epoch { topic: TOPIC.into(), epoch }.to_string();
        let Ok(record) = EpochRecord::parse(&name, &self.world.objects[&name]) else {
            return self.fail(format!("epoch: {name} is damaged"));
        };
        let generation =
            record.topic_id.as_deref().and_then(|id| id.strip_prefix("topic-")?.parse::<usize>().ok());
        let Some((index, log)) =
            generation.and_then(|number| Some((number, self.world.log.get(number - 1)?)))
        else {
            return self.fail(format!("epoch: {name} has no topic"));
        };
        for partition in 0..self.world.partitions {
            let chain = ChainKey { topic: TOPIC.into(), epoch, partition };
            self.chain(&chain, log, index == self.world.log.len());
        }
    }

    fn chain(&mut self, chain: &ChainKey, log: &Generation, current: bool) {
        let prefix = chain.ledger_prefix();
        let world = self.world;
        let newer = Name::Epoch { topic: TOPIC.into(), epoch: chain.epoch + 1 }.to_string();
        let entries = world.objects.range(prefix.clone()..).take_while(|(name, _)| name.starts_with(&prefix));
        let (mut end, mut previous, mut closed) = (0, None, false);
        for (name, body) in entries {
            let Ok(Name::Entry { start, .. }) = name.parse() else { continue };
            let entry = match Decision::parse(name, body) {
                Ok(entry) => entry,
                Err(error) => return self.fail(format!("entry: {error}")),
            };
            if closed || start != end || entry.previous_start != previous {
                self.fail(format!("contiguous: {name} does not follow {end} ({closed})"));
            }
            self.entry(chain, &entry, log, current);
            closed = entry.kind == EntryKind::Close;
            (end, previous) = (entry.end, Some(start));
        }
        if world.objects.contains_key(&newer) && !closed {
            self.fail(format!("closed: {chain} can be extended, though there is a newer epoch"));
        }
    }

    fn entry(&mut self, chain: &ChainKey, entry: &Decision, log: &Generation, current: bool) {
        for name in &entry.objects {
            *self.named.entry(name.clone()).or_default() += 1;
        }
        let range = entry.range();
        if entry.kind == EntryKind::Gap && entry.end > log.start {
            self.fail(format!("gap: {range} is not all behind the log's start"));
        }
        let truth: Vec<Row> = (entry.start..entry.end)
            .filter_map(|offset| Some(Row { offset, hash: log.record(offset)? }))
            .collect();
        let sum = truth.iter().fold(0u64, |sum, row| sum.wrapping_add(row.hash));
        if entry.kind == EntryKind::Data && (entry.records, entry.checksum.0) != (truth.len() as u64, sum) {
            self.fail(format!("decision-equals-log: {range} decides other records than its topic's"));
        }
        let name = chain.receipt(entry.start);
        let Some(receipt) = self.world.objects.get(&name) else { return };
        match Receipt::parse(&name, receipt, entry) {
            Ok(receipt) => self.receipted(entry, &receipt, &truth, log, current),
            Err(error) => self.fail(format!("receipt: {error}")),
        }
    }

    fn receipted(
        &mut self,
        entry: &Decision,
        receipt: &Receipt,
        truth: &[Row],
        log: &Generation,
        current: bool,
    ) {
        let (mut rows, mut data, mut counts) = (Vec::new(), Vec::new(), None);
        for object in &receipt.objects {
            let Some(body) = self.world.objects.get(&object.name) else {
                self.fail(format!("receipt-means-all-there: {} is missing", object.name));
                continue;
            };
            if (object.bytes, object.crc32c) != (body.len() as u64, crc32c::crc32c(body)) {
                self.fail(format!("receipt-means-all-there: {} is not as receipted", object.name));
            }
            match object.name.parse() {
                Ok(Name::SongCounts { .. }) => counts = Some(body),
                Ok(Name::Data { .. }) => {
                    data.extend(rows_of(body));
                    rows.extend(rows_of(body));
                }
                _ => rows.extend(rows_of(body)),
            }
        }
        let range = entry.range();
        if counts.is_some_and(|counts| *counts != counts_of(&data)) {
            self.fail(format!("counts-equal-data: {range}"));
        }
        rows.sort_by_key(|row| row.offset);
        let have: BTreeSet<i64> = rows.iter().map(|row| row.offset).collect();
        if rows.iter().any(|row| !truth.contains(row)) || have.len() != rows.len() {
            self.fail(format!("rows-equal-log: {range} holds a row twice or another topic's"));
        }
        let missing: Vec<i64> =
            truth.iter().map(|row| row.offset).filter(|offset| !have.contains(offset)).collect();
        if entry.kind == EntryKind::Data && receipt.lost != missing.len() as u64 {
            self.fail(format!(
                "rows-equal-log: {range} misses {missing:?}, its receipt says {}",
                receipt.lost
            ));
        }
        if current && missing.iter().any(|&offset| offset >= log.start) && entry.kind == EntryKind::Data {
            self.fail(format!("nothing-lost: {range} misses {missing:?}, retained from {}", log.start));
        }
    }

    fn glob_safe(&mut self) {
        let objects: Vec<&String> =
            self.world.objects.keys().filter(|name| name.starts_with("lake/")).collect();
        for name in objects {
            let named = self.named.get(name).copied().unwrap_or(0);
            if named != 1 {
                self.fail(format!("glob-safe: {name} is named by {named} entries"));
            }
        }
    }
}
