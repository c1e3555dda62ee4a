//! A writer as a function of what it was answered: the real protocol code, suspended at every question to the outside.
//!
//! Nothing else reaches a task, so its history of answers is its state. Histories are shared by all states of the search:
//! a step that some task made before costs a look into a table.

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use futures::task::noop_waker;

use super::super::Mutant;
use super::super::world::{meta, transient};
use super::super::writer::{Ground, LineCodec, OutOfRange, Row, Step, TOPIC, Writer};
use crate::lake::chain::{ChainError, Hint, open_next_epoch};
use crate::lake::ledger::{EpochRecord, LogView, ObservedRecord};
use crate::lake::store::{Created, ObjectMeta, Page, Store, StoreError};
use crate::schemas::EventKind;

/// A question to the outside.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Ask {
    Create(String, Bytes),
    Read(String),
    List(String, Option<String>),
    View,
    TopicId,
    Log(i64, i64),
    Observe(i64),
    Hint,
    Cut(i64),
    Chance,
}

/// Its answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Whether the object is new.
    Created(bool),
    Failed,
    Body(Option<Bytes>),
    Names(Vec<(String, Bytes)>),
    View(i64, i64, String),
    TopicId(String),
    Rows(Result<Vec<(i64, u64)>, OutOfRange>),
    Record(Option<Option<u64>>),
    Hint(Option<(i64, i64)>),
    Cut(i64),
    Chance(bool),
}

#[derive(Default)]
struct Asked {
    asks: Vec<Ask>,
    answers: Vec<Option<Answer>>,
    open: Vec<bool>,
    /// Nobody waits for these any more.
    dropped: Vec<usize>,
}

/// Takes note when its question is given up.
struct Waiting<'a> {
    port: &'a Port,
    id: usize,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut asked = self.port.asked();
        if std::mem::replace(&mut asked.open[self.id], false) {
            asked.dropped.push(self.id);
        }
    }
}

#[derive(Clone, Default)]
struct Port {
    asked: Arc<Mutex<Asked>>,
    leave_out_empty: bool,
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Port")
    }
}

impl Port {
    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, ask: Ask) -> Answer {
        let id = {
            let mut asked = self.asked();
            asked.asks.push(ask);
            asked.answers.push(None);
            asked.open.push(true);
            asked.asks.len() - 1
        };
        let _waiting = Waiting { port: self, id };
        poll_fn(|context| match self.asked().answers[id].take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                // Nobody wakes it; it is looked at whenever its task is.
                context.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await
    }
}

/// An answer of another kind than was asked for is a fault of the search itself.
macro_rules! expect {
    ($answer:expr, $pattern:pat => $value:expr) => {
        match $answer {
            $pattern => $value,
            other => unreachable!("{other:?}"),
        }
    };
}

#[async_trait]
impl Store for Port {
    async fn create(&self, name: &str, body: Bytes) -> Result<Created, StoreError> {
        if self.leave_out_empty && body.is_empty() {
            return Ok(Created::New);
        }
        match self.ask(Ask::Create(name.to_owned(), body)).await {
            Answer::Created(true) => Ok(Created::New),
            Answer::Created(false) => Ok(Created::Exists),
            _ => Err(transient(name)),
        }
    }

    async fn read(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        expect!(self.ask(Ask::Read(name.to_owned())).await, Answer::Body(body) => Ok(body))
    }

    async fn stat(&self, name: &str) -> Result<Option<ObjectMeta>, StoreError> {
        Ok(Store::read(self, name).await?.map(|body| meta(name, &body)))
    }

    async fn list(&self, prefix: &str, after: Option<&str>, _: Option<String>) -> Result<Page, StoreError> {
        let names = self.ask(Ask::List(prefix.to_owned(), after.map(str::to_owned))).await;
        let names = expect!(names, Answer::Names(names) => names);
        let objects = names.iter().map(|(name, body)| meta(name, body)).collect();
        Ok(Page { objects, next: None })
    }

    async fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn discard(&self, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl Ground for Port {
    async fn view(&self) -> LogView {
        let (start, end, id) =
            expect!(self.ask(Ask::View).await, Answer::View(start, end, id) => (start, end, id));
        LogView { start, end, cluster_id: None, topic_id: Some(id) }
    }

    async fn topic_id(&self) -> String {
        expect!(self.ask(Ask::TopicId).await, Answer::TopicId(id) => id)
    }

    async fn read(&self, start: i64, end: i64) -> Result<Vec<Row>, OutOfRange> {
        let rows = expect!(self.ask(Ask::Log(start, end)).await, Answer::Rows(rows) => rows)?;
        Ok(rows.into_iter().map(|(offset, hash)| Row { offset, hash }).collect())
    }

    async fn observe(&self, offset: i64) -> ObservedRecord {
        match expect!(self.ask(Ask::Observe(offset)).await, Answer::Record(record) => record) {
            None => ObservedRecord::Expired,
            Some(None) => ObservedRecord::Absent,
            Some(Some(hash)) => ObservedRecord::Hash(hash),
        }
    }

    async fn hint(&self) -> Option<Hint> {
        let hint = expect!(self.ask(Ask::Hint).await, Answer::Hint(hint) => hint);
        hint.map(|(offset, start)| Hint { offset, start })
    }

    async fn cut(&self, at: i64) -> Option<i64> {
        expect!(self.ask(Ask::Cut(at)).await, Answer::Cut(end) => Some(end))
    }

    async fn chance(&self, _: u64) -> bool {
        expect!(self.ask(Ask::Chance).await, Answer::Chance(chance) => chance)
    }
}

/// Who a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A writer in an epoch that is open, or one that looks for the newest epoch first.
    Writer { id: u64, looks_for_epoch: bool },
    /// Opens the next epoch.
    Operator,
}

struct Task {
    port: Port,
    future: Pin<Box<dyn Future<Output = Step>>>,
    ended: Option<Step>,
}

impl Task {
    fn start(role: Role, mutant: Mutant) -> Self {
        let port = Port { leave_out_empty: mutant == Mutant::LeaveOutEmpty, ..Port::default() };
        let (store, ground) = (Arc::new(port.clone()), Arc::new(port.clone()));
        let future: Pin<Box<dyn Future<Output = Step>>> = match role {
            Role::Writer { id, looks_for_epoch } => Box::pin(async move {
                let writer = Writer { ground, store, id, mutant };
                if looks_for_epoch {
                    return writer.session().await;
                }
                writer.write(1, EpochRecord::new(None, Some("topic-1"))).await
            }),
            Role::Operator => Box::pin(async move {
                let id = ground.topic_id().await;
                let store: Arc<dyn Store> = store;
                let kind = EventKind::Listen;
                open_next_epoch(&store, TOPIC, kind, 1, None, Some(&id), "operator", &LineCodec).await?;
                Ok(())
            }),
        };
        let mut task = Self { port, future, ended: None };
        task.poll();
        task
    }

    fn poll(&mut self) {
        let waker = noop_waker();
        if let Poll::Ready(step) = self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            self.ended = Some(step);
        }
    }

    fn answer(&mut self, ask: usize, answer: Answer) {
        {
            let mut asked = self.port.asked();
            asked.answers[ask] = Some(answer);
            asked.open[ask] = false;
        }
        self.poll();
    }
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It begins anew.
    Again,
    /// It asks for the next epoch.
    WantsEpoch,
    /// It did what it was to do.
    Done,
}

/// One history: what was asked and is not answered yet, or how the task ended.
pub struct History {
    role: Role,
    parent: Option<(usize, usize, Answer)>,
    pub open: Vec<(usize, Ask)>,
    /// What its last answer made it give up: these may take effect all the same.
    pub dropped: Vec<Ask>,
    pub end: Option<End>,
}

/// All histories of a search.
pub struct Histories {
    mutant: Mutant,
    pub all: Vec<History>,
    roots: HashMap<Role, usize>,
    children: HashMap<(usize, usize, Answer), usize>,
    /// Tasks suspended after a history; each can be led on once, then it must be led there anew.
    live: HashMap<usize, Task>,
}

impl Histories {
    pub fn new(mutant: Mutant) -> Self {
        let (roots, children, live) = Default::default();
        Histories { mutant, all: Vec::new(), roots, children, live }
    }

    /// A task that was answered nothing yet.
    pub fn root(&mut self, role: Role) -> usize {
        if let Some(&root) = self.roots.get(&role) {
            return root;
        }
        let task = Task::start(role, self.mutant);
        let root = self.add(role, None, task);
        self.roots.insert(role, root);
        root
    }

    /// The history that follows when `ask` is answered so.
    pub fn answered(&mut self, history: usize, ask: usize, answer: Answer) -> usize {
        let key = (history, ask, answer);
        if let Some(&child) = self.children.get(&key) {
            return child;
        }
        let (role, mut task) = (self.all[history].role, self.task(history));
        task.answer(ask, key.2.clone());
        let child = self.add(role, Some(key.clone()), task);
        self.children.insert(key, child);
        child
    }

    pub fn role(&self, history: usize) -> Role {
        self.all[history].role
    }

    fn task(&mut self, history: usize) -> Task {
        if let Some(task) = self.live.remove(&history) {
            return task;
        }
        let (mut answers, mut at) = (Vec::new(), history);
        while let Some((parent, ask, answer)) = &self.all[at].parent {
            answers.push((*ask, answer.clone()));
            at = *parent;
        }
        let mut task = Task::start(self.all[history].role, self.mutant);
        for (ask, answer) in answers.into_iter().rev() {
            task.answer(ask, answer);
        }
        task
    }

    fn add(&mut self, role: Role, parent: Option<(usize, usize, Answer)>, task: Task) -> usize {
        let (open, dropped) = {
            let mut asked = task.port.asked();
            let dropped = std::mem::take(&mut asked.dropped);
            let open = asked.asks.iter().enumerate().filter(|(ask, _)| asked.open[*ask]);
            let open = open.map(|(ask, what)| (ask, what.clone())).collect();
            (open, dropped.into_iter().map(|ask| asked.asks[ask].clone()).collect())
        };
        let end = task.ended.as_ref().map(|ended| match ended {
            Ok(()) if role == Role::Operator => End::Done,
            Err(ChainError::Refused(refusal)) if refusal.asks_for_new_epoch() => End::WantsEpoch,
            _ => End::Again,
        });
        self.all.push(History { role, parent, open, dropped, end });
        let id = self.all.len() - 1;
        if end.is_none() {
            self.live.insert(id, task);
        }
        id
    }
}
