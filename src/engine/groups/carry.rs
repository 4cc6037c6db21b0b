//! Looks at all groups again and again, and carries what moved: one task for each direction of a run.

mod group;
mod numbers;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use self::group::Group;
use super::{
    NoPlace, Translate, Translation, Wanted,
    desk::{Desk, Opened},
    judge::{self, Judged, Sight, judge},
};
use crate::{
    clock,
    cluster::{self, Cluster, Commits, Committed, ListedGroup, OffsetSpec, Target},
    engine::{
        ledger::{
            positions::{Authority, Book, GroupBeat, Holder, Position},
            record::{Answer, Entry, Request, Steer},
        },
        steps,
    },
    events::{Event, Events},
    model::{names::TopicPartition, scope::Scope},
};

/// The pause between two looks, at least; as long as a look takes, where that is longer; and at most.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The pause while the map has no answer yet.
const SOON: Duration = Duration::from_millis(50);
/// How often the other side is looked at although nothing moved here; where there are so many groups that such a look takes long, it is one
/// in so many times as long.
const AUDIT: Duration = Duration::from_secs(5);
const AUDIT_PART: u32 = 10;
/// A map that trails for so long is worth telling.
const TRAILS: Duration = Duration::from_secs(3);
/// Unchanged positions are committed again after this part of what the broker keeps them for, or after this long where it does not tell.
const KEPT_PART: u32 = 4;
const AGAIN: Duration = Duration::from_hours(1);
const UNSTABLE_OFFSET_COMMIT: i16 = 88;
/// Troubles told in one look.
const TOLD: usize = 5;

/// One direction's carrier.
pub struct Carrier {
    /// The cluster whose commits are followed.
    pub from: Cluster,
    /// The cluster that is written.
    pub to: Target,
    /// Which of the migration's clusters is followed.
    pub side: Holder,
    /// Which groups.
    pub wanted: Wanted,
    /// Which topics.
    pub scope: Scope,
    /// From offsets here to offsets there.
    pub maps: Box<dyn Translate>,
    /// To the ledger.
    pub desk: Desk,
    /// Where to say what happens.
    pub events: Events,
}

struct Carrying {
    carrier: Carrier,
    opened: watch::Receiver<Option<Opened>>,
    asked: watch::Receiver<Vec<Request>>,
    book: Book,
    groups: HashMap<String, Group>,
    beat: GroupBeat,
    last_beat: Option<Instant>,
    last_audit: Option<Instant>,
    /// How long the last one took.
    audit_took: Duration,
    again: Option<Duration>,
    trouble: Option<String>,
    /// A look has come so far that it may not be given up.
    is_writing: Arc<AtomicBool>,
}

/// What a look came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looked {
    /// Every position is where it belongs, or cannot get there by waiting.
    Settled,
    /// The map has no answer yet.
    Waiting,
    /// Something could not be read or written.
    Failed,
}

impl Carrier {
    /// Carries until it is dropped.
    pub async fn run(self) {
        let opened = self.desk.openings();
        let asked = self.desk.asked();
        let mut carrying = Carrying {
            carrier: self,
            opened,
            asked,
            book: Book::default(),
            groups: HashMap::new(),
            beat: GroupBeat::default(),
            last_beat: None,
            last_audit: None,
            audit_took: Duration::ZERO,
            again: None,
            trouble: None,
            is_writing: Arc::default(),
        };
        if carrying.opened.wait_for(Option::is_some).await.is_err() {
            return;
        }
        carrying.opened.mark_changed();
        loop {
            let begun = Instant::now();
            let looked = carrying.turn().await;
            if looked == Looked::Settled {
                carrying.carrier.desk.settled(begun);
            }
            let rest = carrying.carrier.wanted.every.unwrap_or(PAUSE);
            let pause = match looked {
                Looked::Waiting => rest.min(SOON),
                Looked::Settled | Looked::Failed => rest,
            };
            // An application may stand still until what is asked is answered.
            tokio::select! {
                () = sleep(pause.max(begun.elapsed().min(LONGEST_PAUSE))) => {}
                _ = carrying.asked.changed() => {}
            }
        }
    }
}

impl Carrying {
    async fn turn(&mut self) -> Looked {
        // A session that begins has read the ledger, also what another engine may have written meanwhile.
        if self.opened.has_changed().unwrap_or(false)
            && let Some(opened) = &*self.opened.borrow_and_update()
        {
            self.book = opened.book.clone();
        }
        self.heed().await;
        let looked = match self.look_unless_asked().await {
            None => return Looked::Waiting,
            Some(Ok(looked)) => {
                self.trouble = None;
                self.beat.synced_ms = clock::unix_millis();
                looked
            }
            Some(Err(error)) => {
                self.beat.failed();
                let text = format!("positions of groups cannot be carried for the moment: {error}");
                if self.trouble.as_ref() != Some(&text) {
                    self.trouble = Some(text.clone());
                    self.carrier.events.send(Event::Trouble { text });
                }
                Looked::Failed
            }
        };
        self.tell_numbers();
        looked
    }

    /// A side that does not answer keeps nobody waiting who asks for something: a look is given up for that, as long as it has only read.
    async fn look_unless_asked(&mut self) -> Option<cluster::Result<Looked>> {
        let mut asked = self.asked.clone();
        let is_writing = Arc::clone(&self.is_writing);
        let mut look = std::pin::pin!(self.look());
        tokio::select! {
            looked = &mut look => return Some(looked),
            Ok(()) = asked.changed() => {}
        }
        match is_writing.load(Ordering::Acquire) {
            true => Some(look.await),
            false => None,
        }
    }

    /// Declares what is asked: nothing is under way meanwhile, so that the answer is true of every commit after it.
    async fn heed(&mut self) {
        let asked = self.asked.borrow_and_update().clone();
        for request in asked {
            let Steer::Authority { group, side } = &request.steer else {
                continue;
            };
            let at_ms = clock::unix_millis();
            let authority = Entry::Authority(Authority {
                group: group.clone(),
                side: *side,
                by: request.by.clone(),
                at_ms,
            });
            let said = format!("the {side} has authority over the positions of {group}");
            let text = format!("{said} from now on, says {}", request.by);
            let answer = Entry::Answer(Answer {
                id: request.id,
                said,
                at_ms,
            });
            if self
                .carrier
                .desk
                .record(vec![authority.clone(), answer])
                .await
            {
                self.book.take(&authority);
                self.groups.remove(group);
                self.carrier.events.send(Event::Steered { text });
            }
        }
    }

    async fn look(&mut self) -> cluster::Result<Looked> {
        let begun = Instant::now();
        let (from, to) = (self.carrier.from.clone(), self.carrier.to.clone());
        let (here, there) = tokio::join!(from.listed_groups(), to.listed_groups());
        let there: HashMap<String, ListedGroup> = there?
            .into_iter()
            .map(|group| (group.name.clone(), group))
            .collect();
        let here: BTreeMap<String, ListedGroup> = here?
            .into_iter()
            .filter(|group| self.is_ours(&group.name))
            .map(|group| (group.name.clone(), group))
            .collect();
        let audit_every = AUDIT.max(self.audit_took * AUDIT_PART);
        let is_audit = self
            .last_audit
            .is_none_or(|last| last.elapsed() >= audit_every);
        if is_audit && self.again.is_none() {
            self.again = Some(kept_for(&to).await.map_or(AGAIN, |kept| kept / KEPT_PART));
        }
        self.groups.retain(|name, _| here.contains_key(name));
        let readable = here
            .values()
            .filter(|group| judge::refused_kind(group).is_none());
        let readable: Vec<String> = readable.map(|group| group.name.clone()).collect();
        let mut failed = false;
        for (name, commits) in from.positions(&readable).await {
            let group = self.groups.entry(name).or_default();
            match commits {
                Ok(commits) => group.read(commits, &self.carrier.scope),
                // A transaction is about to move it: until it has ended, the position is what it was.
                Err(error) if error.code() == Some(UNSTABLE_OFFSET_COMMIT) => {}
                Err(error) => {
                    failed = true;
                    self.beat.failed();
                    let refused = Position::Refused {
                        code: judge::NOT_READ.to_owned(),
                        reason: error.to_string(),
                    };
                    group.failed = Some((Instant::now(), refused));
                }
            }
        }
        self.place().await;
        let again = self.again.unwrap_or(AGAIN);
        let asked: Vec<String> = self
            .groups
            .iter()
            .filter(|(_, group)| {
                !group.placed.is_empty() && (is_audit || group.wants_a_look(again))
            })
            .map(|(name, _)| name.clone())
            .collect();
        let mut theirs = HashMap::with_capacity(asked.len());
        for (name, commits) in to.positions(&asked).await {
            match commits {
                Ok(commits) => drop(theirs.insert(name, commits)),
                Err(error) => {
                    failed = true;
                    self.beat.failed();
                    self.fail(&name, judge::NOT_READ, error.to_string());
                }
            }
        }
        let mut judged = self.judge(&here, &there, &theirs, again);
        self.is_writing.store(true, Ordering::Release);
        failed |= !self.write(&mut judged).await;
        self.is_writing.store(false, Ordering::Release);
        let is_waiting = self.stand(judged);
        if is_audit {
            self.last_audit = Some(Instant::now());
            self.measure(&theirs).await;
            self.audit_took = begun.elapsed();
        }
        Ok(match (failed, is_waiting) {
            (true, _) => Looked::Failed,
            (false, true) => Looked::Waiting,
            (false, false) => Looked::Settled,
        })
    }

    fn is_ours(&self, group: &str) -> bool {
        let kept = self.book.groups.get(group);
        let holder = kept.map_or(Holder::Source, |kept| kept.holder());
        self.carrier.wanted.has(group) && holder == self.carrier.side
    }

    /// Places what moved, or has no place yet. The maps are asked first, then the ends over there, as the translation wants it.
    async fn place(&mut self) {
        let mut known: HashMap<TopicPartition, Option<Translation>> = HashMap::new();
        for group in self.groups.values() {
            for (at, placed) in &group.placed {
                if placed.is_open() && !known.contains_key(at) {
                    known.insert(at.clone(), self.carrier.maps.now(at));
                }
            }
        }
        let asked = known.iter().filter(|(_, known)| known.is_some());
        let asked: Vec<TopicPartition> = asked.map(|(at, _)| at.clone()).collect();
        let ends = self.carrier.to.offsets(&asked, OffsetSpec::End).await;
        for group in self.groups.values_mut() {
            for (at, placed) in &mut group.placed {
                if !placed.is_open() {
                    continue;
                }
                let passing = |reason| NoPlace {
                    reason,
                    is_passing: true,
                };
                placed.place = match (known.get(at), ends.get(at)) {
                    (Some(Some(translation)), Some(Ok(end))) => {
                        translation(placed.commit.offset, *end)
                    }
                    (Some(Some(_)), Some(Err(error))) => Err(passing(error.to_string())),
                    _ => Err(passing("nothing of it is copied yet".to_owned())),
                };
            }
        }
    }

    fn judge(
        &self,
        here: &BTreeMap<String, ListedGroup>,
        there: &HashMap<String, ListedGroup>,
        theirs: &HashMap<String, Commits>,
        again: Duration,
    ) -> Vec<(String, Judged)> {
        let none = BTreeMap::new();
        let mut all = Vec::new();
        for (name, listed) in here {
            let group = self.groups.get(name);
            let placed = group.map_or(&none, |group| &group.placed);
            let has_failed = group.is_some_and(|group| group.failed.is_some());
            if placed.is_empty() && judge::refused_kind(listed).is_none() && !has_failed {
                continue;
            }
            let mut judged = judge(Sight {
                here: listed,
                there: there.get(name),
                placed,
                theirs: theirs.get(name),
                kept: self.book.groups.get(name),
                is_due: group.is_none_or(|group| group.is_due(again)),
            });
            if let Some((_, position)) = group.and_then(|group| group.failed.as_ref())
                && !matches!(judged.standing.position, Position::Refused { .. })
            {
                judged.standing.position = position.clone();
            }
            if theirs.contains_key(name) || group.is_none_or(|group| !group.is_foreign) {
                all.push((name.clone(), judged));
            }
        }
        all
    }

    /// On record first, then committed. Answers whether nothing is left that another try may bring.
    async fn write(&mut self, judged: &mut [(String, Judged)]) -> bool {
        let mut entries = Vec::new();
        let mut commits = Vec::new();
        for (name, one) in judged.iter_mut() {
            if one.commits.is_empty() {
                continue;
            }
            if !one.stood.is_empty() {
                entries.push(Entry::Stood {
                    group: name.clone(),
                    positions: std::mem::take(&mut one.stood),
                });
            }
            entries.push(Entry::Written {
                group: name.clone(),
                positions: std::mem::take(&mut one.written),
            });
            commits.push((name.clone(), std::mem::take(&mut one.commits)));
        }
        if commits.is_empty() {
            return true;
        }
        if !self.carrier.desk.record(entries.clone()).await {
            return false;
        }
        steps::reached("positions-recorded");
        for entry in &entries {
            self.book.take(entry);
        }
        // Whoever took the ledger over writes for itself.
        let is_held = self.opened.borrow().as_ref().map(|one| one.lease.holds());
        if is_held != Some(true) {
            return false;
        }
        let wanted: HashMap<String, Commits> = commits.iter().cloned().collect();
        let outcomes = self.carrier.to.commit(commits).await;
        steps::reached("positions-committed");
        let mut failed = HashMap::new();
        let mut is_done = true;
        for (name, outcome) in outcomes {
            let (group, mut commits) = match (self.groups.get_mut(&name), wanted.get(&name)) {
                (Some(group), Some(commits)) => (group, commits.clone()),
                _ => continue,
            };
            let outcome = match outcome {
                Ok(outcome) => outcome,
                Err(error) => {
                    self.beat.failed();
                    is_done &= !error.is_passing();
                    failed.insert(name, (judge::NOT_TAKEN, error.to_string()));
                    continue;
                }
            };
            group.committed = Some(Instant::now());
            group.failed = None;
            for (at, committed) in outcome {
                let Some(commit) = commits.remove(&at) else {
                    continue;
                };
                match committed {
                    Committed::Done => {
                        self.beat.committed += 1;
                        group.stands.insert(at, commit);
                    }
                    Committed::Active => {
                        let reason = "members came between the look and the commit".to_owned();
                        failed.insert(name.clone(), (judge::ACTIVE_THERE, reason));
                    }
                    Committed::Refused(error) => {
                        self.beat.failed();
                        let reason = format!("{at}: {error}");
                        failed.insert(name.clone(), (judge::NOT_TAKEN, reason));
                    }
                }
            }
        }
        for (name, (code, reason)) in failed {
            if let Some((_, one)) = judged.iter_mut().find(|(known, _)| *known == name) {
                one.standing.position = Position::Refused {
                    code: code.to_owned(),
                    reason: reason.clone(),
                };
            }
            self.fail(&name, code, reason);
        }
        is_done
    }

    fn fail(&mut self, name: &str, code: &str, reason: String) {
        if let Some(group) = self.groups.get_mut(name) {
            let code = code.to_owned();
            group.failed = Some((Instant::now(), Position::Refused { code, reason }));
        }
    }

    /// Notes how groups stand; what changed goes to the ledger. Answers whether any waits for the map.
    fn stand(&mut self, judged: Vec<(String, Judged)>) -> bool {
        let mut entries = Vec::new();
        let mut is_waiting = false;
        let mut told = 0;
        let carried = self.groups.values().filter(|one| !one.placed.is_empty());
        self.beat.groups = u32::try_from(carried.count()).unwrap_or(u32::MAX);
        for (name, judged) in judged {
            let group = self.groups.entry(name.clone()).or_default();
            group.is_foreign = !judged.foreign.is_empty();
            let standing = judged.standing;
            if matches!(standing.position, Position::Waiting(_)) {
                is_waiting = true;
                let since = *group.waiting.get_or_insert_with(Instant::now);
                // A map is always a moment behind.
                if since.elapsed() < TRAILS && group.standing.is_some() {
                    continue;
                }
            } else {
                group.waiting = None;
            }
            let known = group.standing.as_ref().or_else(|| {
                let kept = self.book.groups.get(&name);
                kept.and_then(|kept| kept.standing.as_ref())
            });
            if known == Some(&standing) {
                group.standing = Some(standing);
                continue;
            }
            if let Position::Refused { code, reason } = &standing.position
                && known.is_none_or(|known| known.position != standing.position)
            {
                told += 1;
                if told <= TOLD {
                    let text =
                        format!("{code}: the position of group {name} is not carried: {reason}");
                    self.carrier.events.send(Event::Trouble { text });
                }
            }
            group.standing = Some(standing.clone());
            entries.push(Entry::GroupStands {
                group: name,
                standing,
            });
        }
        if told > TOLD {
            let text = format!("positions of {} more groups are not carried", told - TOLD);
            self.carrier.events.send(Event::Trouble { text });
        }
        for entry in &entries {
            self.book.take(entry);
        }
        if !entries.is_empty() {
            self.carrier.desk.note(entries);
        }
        is_waiting
    }
}

/// For how long the cluster keeps positions that nobody commits, where it tells.
async fn kept_for(cluster: &Cluster) -> Option<Duration> {
    let settings = cluster.broker_configs().await.ok()?;
    let minutes = settings
        .iter()
        .find(|one| one.name == "offsets.retention.minutes")?;
    let minutes: u64 = minutes.value.as_ref()?.parse().ok()?;
    Some(Duration::from_secs(minutes.saturating_mul(60)))
}
