//! What clients noticed: a line for each thing that one of them was told, and what a stretch of time looked like for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// One thing that a client was told.
#[derive(Debug, Clone)]
pub struct Event {
    pub at: Instant,
    /// The application that it belongs to.
    pub who: String,
    /// The library, and what it is: `java producer`.
    pub client: String,
    pub side: String,
    /// `ack`, `read`, `fail`, `told`, `assigned`, `revoked`, `lost`, `state`, `aborted`, `dead`, `down`.
    pub what: String,
    pub more: String,
}

impl Event {
    /// Does it tell that work was done?
    fn is_work(&self) -> bool {
        self.what == "ack" || self.what == "read"
    }
}

/// All that was noticed, in its order.
#[derive(Clone, Default)]
pub struct Noticed(Arc<Mutex<Vec<Event>>>);

impl Noticed {
    /// One more thing.
    pub fn push(&self, who: &str, client: &str, side: &str, what: &str, more: &str) {
        let event = Event {
            at: Instant::now(),
            who: who.to_owned(),
            client: client.to_owned(),
            side: side.to_owned(),
            what: what.to_owned(),
            more: more.to_owned(),
        };
        self.0.lock().expect("nobody panics with it").push(event);
    }

    /// What is true of these.
    pub fn all(&self, which: impl Fn(&Event) -> bool) -> Vec<Event> {
        let all = self.0.lock().expect("nobody panics with it");
        all.iter().filter(|event| which(event)).cloned().collect()
    }

    /// The last things that a client was told, a line each, with how long ago.
    pub fn last(&self, client: &str, count: usize) -> Vec<String> {
        let of = self.all(|event| event.client == client);
        let line = |event: &Event| {
            let ago = event.at.elapsed().as_secs_f64();
            let (who, side, what, more) = (&event.who, &event.side, &event.what, &event.more);
            format!("{client} of {who} on the {side}, {ago:.3} s ago: {what} {more}")
        };
        let first = of.len().saturating_sub(count);
        of[first..].iter().map(line).collect()
    }

    /// How much work of a client was done since then.
    pub fn work(&self, who: &str, client: &str, side: &str, since: Instant) -> usize {
        let of = |event: &Event| {
            event.at > since && event.who == who && event.client == client && event.side == side
        };
        self.all(|event| of(event) && event.is_work()).len()
    }

    /// What a stretch of time was for a client: errors and the like that it was told of, and its longest time without work, also what began
    /// before the stretch or ends behind it.
    pub fn stretch(&self, who: &str, client: &str, from: Instant, to: Instant) -> Cell {
        let events = self.all(|event| event.who == who && event.client == client);
        let mut cell = Cell::default();
        let ended = |of: &Event| {
            events
                .iter()
                .any(|one| one.what == "dead" && one.more == of.more)
        };
        for event in events.iter().filter(|one| from <= one.at && one.at <= to) {
            // What only follows from what ended it; and what librdkafka says of connections and coordinators on their way, for information: it
            // goes on, and whether it asks in that very moment is chance.
            if [
                "Fatal",
                "PurgeQueue",
                "PurgeInflight",
                "BrokerTransportFailure",
                "AllBrokersDown",
                "CoordinatorLoadInProgress",
                "CoordinatorNotAvailable",
                "NotCoordinator",
            ]
            .contains(&&*event.more)
                || event.what == "told" && ended(event)
            {
                continue;
            }
            match &*event.what {
                "fail" | "told" | "dead" => {
                    cell.told
                        .insert(format!("{}{}", sign(&event.what), event.more));
                }
                "revoked" | "lost" => *cell.rebalances.get_or_insert(0) += 1,
                "state" if event.more == "ERROR" => {
                    cell.told.insert(event.more.clone());
                }
                _ => {}
            }
        }
        let work: Vec<Instant> = events
            .iter()
            .filter(|event| event.is_work())
            .map(|event| event.at)
            .collect();
        let gaps = work.windows(2).filter(|two| two[1] >= from && two[0] <= to);
        cell.longest = gaps.map(|two| two[1] - two[0]).max().unwrap_or_default();
        cell
    }
}

fn sign(what: &str) -> &'static str {
    match what {
        "dead" => "ended by ",
        "told" => "told of ",
        _ => "",
    }
}

/// What one client noticed in one phase.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cell {
    /// Errors by their names, and changes of state.
    pub told: BTreeSet<String>,
    /// How often partitions were taken from it.
    pub rebalances: Option<usize>,
    /// The longest time without work.
    pub longest: Duration,
}

impl Cell {
    /// The same, of all that was told only this.
    pub fn only(mut self, told: &str) -> Self {
        self.told.retain(|one| one == told);
        self
    }

    /// Was another told the same?
    pub fn is_told_as(&self, other: &Self) -> bool {
        self.told == other.told && self.rebalances == other.rebalances
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut words: Vec<String> = self.told.iter().cloned().collect();
        if let Some(rebalances) = self.rebalances {
            words.push(format!("{rebalances} rebalances"));
        }
        if words.is_empty() {
            words.push("nothing".to_owned());
        }
        let words = words.join(", ");
        match self.longest {
            Duration::ZERO => write!(f, "{words}"),
            longest => write!(f, "{words}; {:.1} s", longest.as_secs_f64()),
        }
    }
}

/// What each client noticed.
pub type Row = BTreeMap<String, Cell>;

/// Phases, and what was noticed in each.
#[derive(Default)]
pub struct Rows(pub Vec<(&'static str, Row)>);

impl Rows {
    /// One more, shown at once.
    pub fn push(&mut self, (phase, row): (&'static str, Row)) {
        eprintln!("{phase}");
        for (client, cell) in &row {
            eprintln!("    {client:26} {cell}");
        }
        self.0.push((phase, row));
    }
}
