//! Recovery: find the head, learn what is unfinished, record gaps.

use std::future::Future;

use super::scan::last_index;
use super::{Chain, ChainError, Decided};
use crate::lake::layout::Name;
use crate::lake::ledger::{
    Decision, EntryKind, Fingerprint, LedgerError, LogView, Receipt, RecoveryPlan, check_table, plan_recovery,
};

/// Entries that are read one after the other before a listing is tried instead.
const WALK: usize = 64;

/// What was committed to Kafka: a hint, never the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint {
    /// The committed offset.
    pub offset: i64,
    /// Start of the entry that ended there, from the commit's metadata.
    pub start: i64,
}

/// A decision without a receipt, which its finder has to finish before anything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// What was decided, perhaps by another writer.
    pub decision: Decision,
    /// First offset that the log still holds: the decision's start, or more where retention took records.
    pub survivors_from: i64,
}

impl Unfinished {
    /// Whether retention took part of the range.
    pub fn survivors_only(&self) -> bool {
        self.survivors_from > self.decision.start
    }
}

/// Where a chain stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The last entry; none where the chain is empty.
    pub head: Option<Decision>,
    /// Its receipt; none where it is unfinished or the chain is empty.
    pub receipt: Option<Receipt>,
    /// The offset at which reading goes on (of an unfinished head: its end).
    pub head_end: i64,
    /// To be finished first; then recover again.
    pub unfinished: Option<Unfinished>,
    /// Whether the hint led to the head.
    pub hint_used: bool,
    /// The head's last record, if the log still holds it: compare with [`crate::lake::ledger::check_fingerprint`].
    pub fingerprint: Option<Fingerprint>,
}

impl Chain {
    /// Finds the head and says what is to be done; records gaps where retention passed the head, and adds those that it recorded or
    /// receipted to `gaps`, which are to be counted and alerted on, also where a later step fails: the next call does not see them.
    ///
    /// `log` is asked after the head was read; it has to read the topic id after the offsets.
    ///
    /// # Errors
    /// The store's, the log's, damaged entries, and every [`crate::lake::ledger::Refusal`] of
    /// [`plan_recovery`].
    pub async fn recover<F, Fut>(
        &self,
        hint: Option<Hint>,
        log: F,
        gaps: &mut Vec<Decision>,
    ) -> Result<Recovered, ChainError>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<LogView, Box<dyn std::error::Error + Send + Sync>>>,
    {
        let mut from = self.hinted(hint).await?;
        let hint_used = from.is_some();
        loop {
            let head = self.head_from(from.take()).await?;
            let receipt = self.receipt_of_head(head.as_ref()).await?;
            let log = log().await.map_err(ChainError::Log)?;
            self.check_identity(log.cluster_id.as_deref(), log.topic_id.as_deref())?;
            if let Some(head) = &head {
                check_table(head, self.table)?;
            }
            let state = head.as_ref().map(|head| (head, receipt.is_some()));
            let found = |head_end, unfinished| Recovered {
                fingerprint: retained_fingerprint(head.as_ref(), &log),
                head: head.clone(),
                receipt: receipt.clone(),
                head_end,
                unfinished,
                hint_used,
            };
            return Ok(match plan_recovery(&self.key, state, &log) {
                RecoveryPlan::Refuse { why } => return Err(why.into()),
                RecoveryPlan::Resume { at } => found(at, None),
                RecoveryPlan::Finish { decision } => {
                    let survivors_from = decision.start;
                    found(decision.end, Some(Unfinished { decision, survivors_from }))
                }
                RecoveryPlan::FinishLost { decision, survivors_from } => {
                    tracing::warn!(chain = %self.key, start = decision.start, end = decision.end, survivors_from,
                        "retention took records that were decided and not written");
                    found(decision.end, Some(Unfinished { decision, survivors_from }))
                }
                RecoveryPlan::FinishGap { decision } => {
                    self.receipt(&decision, Vec::new()).await?;
                    gaps.push(decision);
                    from = head;
                    continue;
                }
                RecoveryPlan::GapThenResume { start, end } => {
                    from = Some(self.gap(start, end, head.as_ref(), gaps).await?);
                    continue;
                }
            });
        }
    }

    /// Records the gap `[start, end)`, or learns what another writer decided there.
    async fn gap(
        &self,
        start: i64,
        end: i64,
        head: Option<&Decision>,
        gaps: &mut Vec<Decision>,
    ) -> Result<Decision, ChainError> {
        let gap = self.draft(EntryKind::Gap, start, end, head);
        match self.decide(&gap).await? {
            Decided::Adopted(standing) => Ok(*standing),
            Decided::Own => {
                tracing::warn!(chain = %self.key, start, end, "retention took records before they were read");
                self.receipt(&gap, Vec::new()).await?;
                gaps.push(gap.clone());
                Ok(gap)
            }
        }
    }

    /// The entry that the hint names, if it ends where the hint says.
    async fn hinted(&self, hint: Option<Hint>) -> Result<Option<Decision>, ChainError> {
        let Some(hint) = hint.filter(|hint| hint.start >= 0) else {
            return Ok(None);
        };
        let entry = self.entry(hint.start).await?.filter(|entry| entry.end == hint.offset);
        if entry.is_none() {
            tracing::info!(chain = %self.key, offset = hint.offset, start = hint.start, "committed offset not in the ledger");
        }
        Ok(entry)
    }

    /// The chain's last entry, with or without its receipt; none where the chain is empty.
    ///
    /// # Errors
    /// The store's; an entry that is damaged.
    pub async fn head(&self) -> Result<Option<Decision>, ChainError> {
        self.head_from(None).await
    }

    /// The chain's last entry, walking on from `from` or, without it, from what a listing shows.
    async fn head_from(&self, from: Option<Decision>) -> Result<Option<Decision>, ChainError> {
        let mut head = match from {
            Some(from) => from,
            None => match self.last_listed(None).await? {
                Some(head) => head,
                None => return Ok(None),
            },
        };
        let mut walked = 0;
        while head.kind != EntryKind::Close {
            let Some(next) = self.entry(head.end).await? else {
                break;
            };
            head = next;
            walked += 1;
            if walked % WALK == 0
                && let Some(last) = self.last_listed(Some(head.start)).await?
            {
                head = last;
            }
        }
        Ok(Some(head))
    }

    async fn last_listed(&self, after: Option<i64>) -> Result<Option<Decision>, ChainError> {
        let index = |name: &str| match name.parse() {
            Ok(Name::Entry { start, .. } | Name::Receipt { start, .. }) => Some(start),
            _ => None,
        };
        let prefix = self.key.ledger_prefix();
        let last =
            last_index(self.store.as_ref(), &prefix, |start| self.key.entry(start), index, after).await?;
        match last {
            None => Ok(None),
            Some(start) => match self.entry(start).await? {
                Some(entry) => Ok(Some(entry)),
                None => Err(self.missing(start)),
            },
        }
    }

    async fn receipt_of_head(&self, head: Option<&Decision>) -> Result<Option<Receipt>, ChainError> {
        match head {
            Some(head) if head.kind == EntryKind::Close => Err(self.closed().into()),
            Some(head) => self.receipt_of(head).await,
            None => {
                // An epoch may be closed without a closing entry for a partition that was added afterwards.
                let next =
                    Name::Epoch { topic: self.key.topic.clone(), epoch: self.key.epoch.saturating_add(1) };
                match self.store.stat(&next.to_string()).await? {
                    Some(_) => Err(self.closed().into()),
                    None => Ok(None),
                }
            }
        }
    }

    /// Entries from the one at `head_start` back to offset 0 or to the first that `keep_going` does not want, in
    /// ascending order.
    ///
    /// # Errors
    /// The store's; a chain that does not hang together.
    pub async fn entries_back_to(
        &self,
        head_start: i64,
        mut keep_going: impl FnMut(&Decision) -> bool,
    ) -> Result<Vec<Decision>, ChainError> {
        let mut entries: Vec<Decision> = Vec::new();
        let mut at = Some(head_start);
        while let Some(start) = at {
            let Some(entry) = self.entry(start).await? else {
                return Err(self.missing(start));
            };
            if let Some(next) = entries.last()
                && entry.end != next.start
            {
                let cause = format!("it ends at {}, the entry after it begins at {}", entry.end, next.start);
                return Err(LedgerError::Damaged { name: self.key.entry(start), cause }.into());
            }
            if !keep_going(&entry) {
                break;
            }
            at = entry.previous_start;
            entries.push(entry);
        }
        entries.reverse();
        Ok(entries)
    }
}

fn retained_fingerprint(head: Option<&Decision>, log: &LogView) -> Option<Fingerprint> {
    head.and_then(|head| head.fingerprint).filter(|fingerprint| fingerprint.offset >= log.start)
}
