//! Between whoever carries positions and the shard that writes the ledger: what is to be recorded goes one way, what stands there the other.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    sync::{Notify, oneshot, watch},
    time::Instant,
};

use crate::engine::{
    lease::Lease,
    ledger::{
        positions::{Book, GroupBeat, Holder},
        record::{Entry, Request},
        synced::Synced,
    },
};

/// The shard whose ledger keeps the groups.
pub const KEEPER: u32 = 0;

/// One direction's. Clones share it.
#[derive(Debug, Clone)]
pub struct Desk(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    posted: Mutex<Vec<Posted>>,
    wake: Notify,
    opened: watch::Sender<Option<Opened>>,
    asked: watch::Sender<Vec<Request>>,
    attended: AtomicBool,
    settled: watch::Sender<Option<Instant>>,
    /// Groups of which somebody has said who has authority over them.
    holders: Mutex<Option<HashMap<String, Holder>>>,
    numbers: Mutex<Option<GroupBeat>>,
}

/// What a session of the keeper says when it begins.
#[derive(Debug, Clone)]
pub struct Opened {
    /// What the ledger says of groups.
    pub book: Book,
    /// What it says of settings and access rules.
    pub synced: Synced,
    /// While it holds, the ledger is ours.
    pub lease: Lease,
}

/// Entries to be appended, and who waits for it.
#[derive(Debug)]
pub struct Posted {
    /// What is to be recorded.
    pub entries: Vec<Entry>,
    /// Told once it stands in the ledger; dropped if it may not.
    pub done: oneshot::Sender<()>,
}

impl Default for Desk {
    fn default() -> Self {
        Self(Arc::new(Inner {
            posted: Mutex::default(),
            wake: Notify::new(),
            opened: watch::Sender::new(None),
            asked: watch::Sender::new(Vec::new()),
            attended: AtomicBool::new(false),
            settled: watch::Sender::new(None),
            holders: Mutex::default(),
            numbers: Mutex::default(),
        }))
    }
}

impl Desk {
    fn posted(&self) -> MutexGuard<'_, Vec<Posted>> {
        self.0
            .posted
            .lock()
            .expect("nothing panics while holding it")
    }

    /// Records entries. Answers whether they stand in the ledger for certain; if not, they may.
    pub async fn record(&self, entries: Vec<Entry>) -> bool {
        let (done, stands) = oneshot::channel();
        let authorities = entries.iter().filter_map(|entry| match entry {
            Entry::Authority(authority) => Some((authority.group.clone(), authority.side)),
            _ => None,
        });
        let authorities: Vec<_> = authorities.collect();
        self.posted().push(Posted { entries, done });
        self.0.wake.notify_one();
        let stands = stands.await.is_ok();
        // If it may stand there all the same, the next session reads it.
        if let (true, Some(holders)) = (stands, &mut *self.holders()) {
            holders.extend(authorities);
        }
        stands
    }

    fn holders(&self) -> MutexGuard<'_, Option<HashMap<String, Holder>>> {
        self.0
            .holders
            .lock()
            .expect("nothing panics while holding it")
    }

    /// Which cluster's commits count for a group; `None` until the keeper has read its ledger.
    pub fn holder(&self, group: &str) -> Option<Holder> {
        let holders = self.holders();
        let known = holders.as_ref()?.get(group);
        Some(known.copied().unwrap_or(Holder::Source))
    }

    /// Records entries that nobody waits for.
    pub fn note(&self, entries: Vec<Entry>) {
        let (done, _) = oneshot::channel();
        self.posted().push(Posted { entries, done });
        self.0.wake.notify_one();
    }

    /// From now on somebody carries positions.
    pub fn attend(&self) {
        self.0.attended.store(true, Ordering::Release);
    }

    /// For the one who carries positions: what each session of the keeper says when it begins.
    pub fn openings(&self) -> watch::Receiver<Option<Opened>> {
        self.0.opened.subscribe()
    }

    /// For the same: what is asked and not answered yet.
    pub fn asked(&self) -> watch::Receiver<Vec<Request>> {
        self.0.asked.subscribe()
    }

    /// Does anybody carry positions?
    pub fn is_attended(&self) -> bool {
        self.0.attended.load(Ordering::Acquire)
    }

    /// For the one who carries positions: a look that was begun then found everything where it belongs.
    pub fn settled(&self, begun: Instant) {
        self.0.settled.send_replace(Some(begun));
    }

    /// Is everything that was to be carried at that moment where it belongs? Where nobody carries anything it is.
    pub fn is_settled(&self, since: Instant) -> bool {
        !self.is_attended() || self.0.settled.borrow().is_some_and(|begun| begun >= since)
    }

    /// For the one who carries positions: the numbers as they are now.
    pub fn count(&self, numbers: GroupBeat) {
        *self
            .0
            .numbers
            .lock()
            .expect("nothing panics while holding it") = Some(numbers);
    }

    /// The numbers as they were last; `None` where nobody carries anything.
    pub fn numbers(&self) -> Option<GroupBeat> {
        self.0
            .numbers
            .lock()
            .expect("nothing panics while holding it")
            .clone()
    }

    /// For the keeper: a session begins.
    pub fn open(&self, book: Book, synced: Synced, lease: Lease) {
        // What was posted to an earlier session is posted anew by whoever waits for it.
        self.posted().clear();
        let holders = book.groups.iter();
        let holders = holders.map(|(group, kept)| (group.clone(), kept.holder()));
        *self.holders() = Some(holders.collect());
        self.0.opened.send_replace(Some(Opened {
            book,
            synced,
            lease,
        }));
    }

    /// For the keeper: these requests are not answered yet.
    pub fn ask(&self, requests: Vec<Request>) {
        self.0.asked.send_if_modified(|known| {
            let differs = *known != requests;
            *known = requests;
            differs
        });
    }

    /// For the keeper: what is to be recorded by now.
    pub fn take(&self) -> Vec<Posted> {
        std::mem::take(&mut *self.posted())
    }

    /// For the keeper: waits until something is.
    pub async fn wait(&self) {
        self.0.wake.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ledger::positions::Authority;

    fn moved(group: &str, side: Holder) -> Entry {
        Entry::Authority(Authority {
            group: group.to_owned(),
            side,
            by: "ann".to_owned(),
            at_ms: 1,
        })
    }

    #[tokio::test]
    async fn who_has_authority_is_known_from_when_the_ledger_was_read_and_moves_once_that_stands_there()
     {
        let desk = Desk::default();
        assert_eq!(desk.holder("sums"), None);
        let mut book = Book::default();
        book.take(&moved("sums", Holder::Target));
        desk.open(book, Synced::default(), Lease::default());
        assert_eq!(desk.holder("sums"), Some(Holder::Target));
        assert_eq!(desk.holder("others"), Some(Holder::Source));

        let recording = desk.record(vec![moved("sums", Holder::Source)]);
        let keeper = async {
            let posted = desk.take().pop();
            assert_eq!(desk.holder("sums"), Some(Holder::Target), "not yet");
            posted.map(|one| one.done.send(()))
        };
        let (stands, _) = tokio::join!(recording, keeper);
        assert!(stands);
        assert_eq!(desk.holder("sums"), Some(Holder::Source));
        // What may not stand there changes nothing until it is read.
        let recording = desk.record(vec![moved("sums", Holder::Target)]);
        let (stands, ()) = tokio::join!(recording, async { drop(desk.take()) });
        assert!(!stands);
        assert_eq!(desk.holder("sums"), Some(Holder::Source));
    }
}
