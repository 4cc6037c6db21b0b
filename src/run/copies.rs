//! The journal in three places: this machine's file and a topic on each cluster, each a prefix of the longest.
//!
//! 1. A line is appended to a copy only behind all lines before it.
//! 2. A line is on disk first, then on the target, then on the source; no line follows before one cluster has it. So a file can be ahead
//!    of the clusters by one line, and that one was never acted on: where the clusters went on without it, it is set aside.
//! 3. In a topic the first line of a number counts. Whoever appended one that does not count was overtaken, learns it from its
//!    own append, and does nothing more.
//! 4. While a plan is done, a sign of life goes to a topic each second. A journal whose last runner has not left is watched before it is
//!    taken over, unless we hold the lock that it held.
//!
//! Two runners of which each reaches another cluster alone write two journals. Nobody can prevent that without a third place; it is
//! found as soon as both clusters are seen, and a person decides.

use std::time::Duration;

use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use uuid::Uuid;

use super::{
    file::{Local, newer},
    journal::{Journal, Line, Store, Unreadable, fold},
    lock::{has_ended, other_runner, overtaken},
    state::{Head, Record, Runner, State},
};
use crate::{error::Failure, exit::Exit};

/// A sign of life begins so; the runner's token follows. It is no line.
const BEAT: &[u8] = b"beat ";
/// Signs of life.
const BEAT_EVERY: Duration = Duration::from_millis(if cfg!(test) { 30 } else { 1000 });
/// How long a journal is watched whose runner has not left: two signs of life and what a busy machine adds.
const WATCH: Duration = Duration::from_millis(if cfg!(test) { 300 } else { 2500 });
const WATCH_PAUSE: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 200 });

/// Is it a sign of life, and no line?
pub fn is_beat(value: &[u8]) -> bool {
    value.starts_with(BEAT)
}

/// The journal's topic on one cluster.
pub trait Topic: Clone + Send + Sync + 'static {
    /// Whose it is, for people: `the journal on the source`.
    fn name(&self) -> String;
    /// Is it there?
    fn exists(&self) -> impl Future<Output = Result<bool, Failure>> + Send;
    /// Makes it.
    fn make(&self) -> impl Future<Output = Result<(), Failure>> + Send;
    /// Appends a value once or, after an unknown outcome, more than once. Answers where it stands.
    fn append(&self, value: &[u8]) -> impl Future<Output = Result<i64, Failure>> + Send;
    /// Values from an offset on to the end, and the offset after the last.
    fn read(&self, from: i64) -> impl Future<Output = Result<(Vec<Vec<u8>>, i64), Failure>> + Send;
}

/// What a topic holds.
#[derive(Debug)]
struct Copy<T> {
    topic: T,
    is_there: bool,
    lines: Vec<Line>,
    next: i64,
    beats: u64,
    /// Why it cannot be used for the moment.
    lost: Option<Failure>,
}

impl<T: Topic> Copy<T> {
    /// Reads it all. A cluster that does not answer is a copy that is lost for now; what cannot be understood is refused.
    async fn open(topic: T) -> Result<Self, Failure> {
        let mut copy = Self {
            topic,
            is_there: false,
            lines: Vec::new(),
            next: 0,
            beats: 0,
            lost: None,
        };
        match copy.topic.exists().await {
            Ok(is_there) => copy.is_there = is_there,
            Err(failure) => copy.lost = Some(failure),
        }
        if copy.is_there {
            copy.catch_up().await?;
        }
        Ok(copy)
    }

    /// Reads what was added. `Err`: it holds what is not understood.
    async fn catch_up(&mut self) -> Result<(), Failure> {
        match self.topic.read(self.next).await {
            Ok((values, next)) => {
                for value in values {
                    self.take(&value)?;
                }
                self.next = next;
            }
            Err(failure) => self.lost = Some(failure),
        }
        Ok(())
    }

    fn take(&mut self, value: &[u8]) -> Result<(), Failure> {
        if is_beat(value) {
            self.beats += 1;
            return Ok(());
        }
        let n = self.lines.len();
        let line = match Line::read(value) {
            Ok(line) => line,
            Err(Unreadable::Newer(version)) => return Err(newer(&self.topic.name(), version)),
            Err(error) => return Err(self.refused(n, &error.to_string())),
        };
        if line.follows(self.lines.last()) {
            self.lines.push(line);
            return Ok(());
        }
        let behind = usize::try_from(line.n).is_ok_and(|number| number < n);
        if behind {
            // Once more after an unknown outcome, or from a runner that had been overtaken.
            return Ok(());
        }
        Err(if n == 0 {
            Failure::new(
                Exit::Refused,
                "K445",
                format!("{} has lost its beginning", self.topic.name()),
            )
            .cause(format!("it begins with line {}", line.n))
            .hint("somebody deleted records of it; once the topic is deleted it is made again from the other copies")
        } else {
            self.refused(n, "it does not follow the one before")
        })
    }

    fn refused(&self, line: usize, why: &str) -> Failure {
        let place = self.topic.name();
        Failure::new(
            Exit::Refused,
            "K429",
            format!("{place} is damaged at line {line}, or not ours"),
        )
        .cause(why)
        .hint("find out who writes to that topic; once it is deleted it is made again from the other copies")
        .next("kafka-migrate status")
    }

    /// Appends the lines that it does not have. `Err`: somebody else's line stands there.
    async fn extend(&mut self, all: &[Line]) -> Result<(), Failure> {
        while self.lost.is_none() && self.lines.len() < all.len() {
            let line = &all[self.lines.len()];
            if !self.is_there {
                match self.topic.make().await {
                    Ok(()) => self.is_there = true,
                    Err(failure) => {
                        self.lost = Some(failure);
                        break;
                    }
                }
            }
            match self.topic.append(line.text.as_bytes()).await {
                Ok(offset) if offset == self.next => {
                    self.next = offset + 1;
                    self.lines.push(line.clone());
                }
                Ok(_) => self.catch_up().await?,
                Err(failure) => self.lost = Some(failure),
            }
            if let Some(there) = self
                .lines
                .get(usize::try_from(line.n).unwrap_or(usize::MAX))
                && there != line
            {
                return Err(overtaken(self.runner().as_ref()));
            }
        }
        Ok(())
    }

    fn runner(&self) -> Option<Runner> {
        fold(&self.lines).ok()?.runner
    }
}

/// What is known of a journal before anybody writes to it.
struct Found<T> {
    copies: Vec<Copy<T>>,
    local: Vec<Line>,
    lines: Vec<Line>,
    /// The file's last line, which the clusters went on without.
    aside: Option<Line>,
}

/// Reads all copies, and finds the longest.
async fn find<T: Topic>(
    local: Vec<Line>,
    topics: Vec<T>,
    wanted: &Head,
) -> Result<Found<T>, Failure> {
    let mut copies = Vec::new();
    for topic in topics {
        copies.push(Copy::open(topic).await?);
    }
    let mut longest: Vec<Line> = Vec::new();
    for copy in &copies {
        is_of(&copy.lines, wanted, &copy.topic.name())?;
        if copy.lines.len() > longest.len() {
            longest = copy.lines.clone();
        }
    }
    if let Some(copy) = copies.iter().find(|copy| !longest.starts_with(&copy.lines)) {
        return Err(parted(&copy.lines, &longest, &copy.topic.name()));
    }
    is_of(&local, wanted, "the journal in the state directory")?;
    let mut aside = None;
    if local.starts_with(&longest) {
        longest.clone_from(&local);
    } else if !longest.starts_with(&local) {
        let (last, before) = local
            .split_last()
            .expect("nothing is a beginning of anything");
        if !longest.starts_with(before) {
            return Err(parted(
                &local,
                &longest,
                "the journal in the state directory",
            ));
        }
        aside = Some(last.clone());
    }
    Ok(Found {
        copies,
        local,
        lines: longest,
        aside,
    })
}

/// Is it this migration's, between these clusters?
fn is_of(lines: &[Line], wanted: &Head, place: &str) -> Result<(), Failure> {
    let Some(Line {
        record: Record::Begun(found),
        ..
    }) = lines.first()
    else {
        return Ok(());
    };
    let differs = [
        ("migration", &found.migration, &wanted.migration),
        ("source cluster", &found.source, &wanted.source),
        ("target cluster", &found.target, &wanted.target),
    ];
    let differs: Vec<String> = differs
        .into_iter()
        .filter(|(_, found, wanted)| found != wanted)
        .map(|(what, found, wanted)| format!("its {what} is {found}, ours is {wanted}"))
        .collect();
    if differs.is_empty() {
        return Ok(());
    }
    let failure = Failure::new(
        Exit::Refused,
        "K432",
        format!("{place} belongs to another migration"),
    );
    Err(differs
        .into_iter()
        .fold(failure, Failure::cause)
        .hint("give this migration another name, or another state directory with --state")
        .next("kafka-migrate config"))
}

/// Two copies that part.
fn parted(one: &[Line], other: &[Line], place: &str) -> Failure {
    let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let says = |lines: &[Line]| {
        let record = lines
            .get(same)
            .map(|line| serde_json::to_string(&line.record));
        record.map_or("nothing".to_owned(), |text| {
            text.unwrap_or_default().chars().take(120).collect()
        })
    };
    Failure::new(
        Exit::Attention,
        "K433",
        format!("{place} parts from the longest copy at line {same}: two commands wrote two journals"),
    )
    .cause(format!("it says {}", says(one)))
    .cause(format!("the longest says {}", says(other)))
    .hint("each of two commands reached one cluster only: find out what each of them did")
    .hint("then delete the topic, or move the file away, that is not to count: it is made again from the other copies")
    .next("kafka-migrate status")
}

/// What the journal says, as far as it can be read; nothing is changed.
pub async fn look<T: Topic>(
    local: Vec<Line>,
    topics: Vec<T>,
    wanted: &Head,
) -> Result<State, Failure> {
    fold(&find(local, topics, wanted).await?.lines)
}

/// The longest journal among what this machine's file says and the topics that can be read, and what is wrong with the others, in words. For those
/// who only look, and look whatever is wrong.
pub async fn longest<T: Topic>(
    local: Result<Vec<Line>, Failure>,
    topics: Vec<T>,
    migration: &str,
) -> (Vec<Line>, Vec<String>) {
    let said = |failure: &Failure| format!("{} ({})", failure.message, failure.code);
    let mut troubles = Vec::new();
    let mut all: Vec<(String, Vec<Line>)> = Vec::new();
    match local {
        Ok(lines) => all.push(("this machine's file".to_owned(), lines)),
        Err(failure) => troubles.push(said(&failure)),
    }
    for topic in topics {
        let name = topic.name();
        match Copy::open(topic).await {
            Ok(copy) => {
                troubles.extend(copy.lost.iter().map(said));
                all.push((name, copy.lines));
            }
            Err(failure) => troubles.push(said(&failure)),
        }
    }
    all.retain(
        |(name, lines)| match lines.first().map(|line| &line.record) {
            Some(Record::Begun(head)) if head.migration != migration => {
                troubles.push(format!(
                    "{name} is of another migration, {}",
                    head.migration
                ));
                false
            }
            _ => true,
        },
    );
    let longest = all.iter().max_by_key(|(_, lines)| lines.len());
    let longest = longest.map_or(Vec::new(), |(_, lines)| lines.clone());
    for (name, lines) in &all {
        // A file may be ahead by one line that was never in effect.
        let same = longest
            .iter()
            .zip(lines)
            .take_while(|(a, b)| a == b)
            .count();
        if same + 1 < lines.len() {
            troubles.push(format!("{name} parts from the longest copy at line {same}"));
        }
    }
    (longest, troubles)
}

/// The file and both topics, as a store.
#[derive(Debug)]
pub struct Copies<T> {
    local: Local,
    copies: Vec<Copy<T>>,
    lines: Vec<Line>,
    token: Uuid,
}

/// Goes on with a journal, or begins it: finds the longest copy, makes sure that nobody else writes, brings every copy up to it, and
/// says who writes from here on. Also tells what a person may want to know of the copies. `topics` in the order in which they are written.
pub async fn open<T: Topic>(
    mut local: Local,
    found: Vec<Line>,
    topics: Vec<T>,
    wanted: Head,
    us: Runner,
) -> Result<(Journal<Copies<T>>, Vec<String>), Failure> {
    let mut found = find(found, topics, &wanted).await?;
    let mut notes = Vec::new();
    let lost = found.copies.iter().find_map(|copy| copy.lost.clone());
    if let Some(failure) = &lost
        && found.lines.is_empty()
    {
        // What stands there is not known, and may be a journal.
        return Err(failure
            .clone()
            .cause("whether this migration has a journal there cannot be known"));
    }
    nobody_else(&mut found, &us).await?;
    if let Some(line) = &found.aside {
        local.set_aside(line)?;
        found.local.pop();
        notes.push(format!(
            "line {} of the journal here was never acted on and is set aside: another command went on",
            line.n
        ));
    }
    if found.local.is_empty() && !found.lines.is_empty() {
        notes.push(format!(
            "the state directory was empty: its journal is rebuilt, {} lines",
            found.lines.len()
        ));
    }
    for line in &found.lines[found.local.len()..] {
        local.append(line)?;
    }
    let is_new = found.lines.is_empty();
    let mut copies = Copies {
        local,
        copies: found.copies,
        lines: found.lines,
        token: us.token,
    };
    copies.spread().await?;
    let mut journal = Journal::after(&copies.lines.clone(), copies)?;
    if is_new {
        journal.append(Record::Begun(wanted)).await?;
    }
    journal.append(Record::Runner(us)).await?;
    // Asked last: a copy that cannot be made fails at the first line that it is to take.
    notes.extend(journal.store().missing());
    Ok((journal, notes))
}

/// A runner that has not left, and is not known to have ended, is watched.
async fn nobody_else<T: Topic>(found: &mut Found<T>, us: &Runner) -> Result<(), Failure> {
    let Some(runner) = fold(&found.lines)?.runner else {
        return Ok(());
    };
    if has_ended(&runner, us) {
        return Ok(());
    }
    let seen = |copies: &[Copy<T>]| -> u64 {
        let seen = copies
            .iter()
            .map(|copy| copy.beats + copy.lines.len() as u64);
        seen.sum()
    };
    let before = seen(&found.copies);
    let begun = Instant::now();
    while begun.elapsed() < WATCH {
        sleep(WATCH_PAUSE).await;
        for copy in &mut found.copies {
            if copy.is_there && copy.lost.is_none() {
                copy.catch_up().await?;
            }
        }
        if seen(&found.copies) > before {
            return Err(other_runner(&runner));
        }
    }
    Ok(())
}

impl<T: Topic> Copies<T> {
    /// Brings every copy up to the longest. `Ok` if at least one cluster has all of it, or there is nothing yet.
    async fn spread(&mut self) -> Result<(), Failure> {
        for copy in &mut self.copies {
            copy.extend(&self.lines).await?;
        }
        if self.is_kept() {
            return Ok(());
        }
        // Before giving up: those that were lost earlier may be there again.
        for copy in &mut self.copies {
            copy.lost = None;
            copy.extend(&self.lines).await?;
        }
        if self.is_kept() {
            return Ok(());
        }
        let failures = self.copies.iter().filter_map(|copy| copy.lost.as_ref());
        let mut failures = failures.cloned();
        let failure = failures.next().unwrap_or_else(|| {
            Failure::new(Exit::Bug, "K000", "the journal has no place to be kept")
        });
        let causes: Vec<String> =
            std::iter::once(format!("{} ({})", failure.message, failure.code))
                .chain(failure.causes.clone())
                .chain(failures.map(|other| format!("and {} ({})", other.message, other.code)))
                .collect();
        let refused = Failure::new(
            failure.exit,
            "K440",
            "no cluster takes the journal, so nothing more is done",
        );
        Err(causes
            .into_iter()
            .fold(refused, Failure::cause)
            .hint("nothing is lost: the same command goes on once a cluster answers"))
    }

    fn is_kept(&self) -> bool {
        let all = self.lines.len();
        all == 0 || self.copies.iter().any(|copy| copy.lines.len() >= all)
    }

    /// Clusters that do not take the journal for now, in words.
    fn missing(&self) -> Vec<String> {
        let lost = self.copies.iter().filter_map(|copy| {
            let failure = copy.lost.as_ref()?;
            Some(format!(
                "{} is not kept up for now: {} ({})",
                copy.topic.name(),
                failure.message,
                failure.code
            ))
        });
        lost.collect()
    }

    /// Gives signs of life until what is answered is dropped.
    pub fn beat(&self) -> Beating {
        let mut topics: Vec<T> = Vec::new();
        let there = self.copies.iter().filter(|copy| copy.lost.is_none());
        topics.extend(there.map(|copy| copy.topic.clone()));
        let beat = [BEAT, self.token.to_string().as_bytes()].concat();
        Beating(tokio::spawn(async move {
            loop {
                for topic in &topics {
                    // Whoever takes us for dead meets us at our next line.
                    if topic.append(&beat).await.is_ok() {
                        break;
                    }
                }
                sleep(BEAT_EVERY).await;
            }
        }))
    }
}

/// Signs of life are given while it lives.
#[derive(Debug)]
pub struct Beating(JoinHandle<()>);

impl Drop for Beating {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<T: Topic> Store for Copies<T> {
    async fn keep(&mut self, line: &Line) -> Result<(), Failure> {
        self.local.append(line)?;
        self.lines.push(line.clone());
        self.spread().await
    }
}

#[cfg(test)]
mod tests;
