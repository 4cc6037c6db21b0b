//! What goes wrong, and when: rules for the n-th or a random request, and a record of what they did.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;

use super::state::Call;

/// A sequence of numbers that follows from a seed (splitmix64).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..below`; 0 if there is none.
    pub fn below(&mut self, below: u64) -> u64 {
        self.next().checked_rem(below).unwrap_or(0)
    }
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is taken up so much later; everything behind it on the connection waits as well.
    Delay(Duration),
    /// It has no effect, and the connection stays silent for ever: the client's own timeout has to notice.
    SilentBefore,
    /// It takes effect, and the connection stays silent for ever.
    SilentAfter,
    /// It has no effect, and the connection is closed.
    CutBefore,
    /// It takes effect, and the connection is closed instead of an answer.
    CutAfter,
    /// It has no effect, and is answered with this error code.
    Error(i16),
    /// It takes effect, and is answered with this error code all the same (as NOT_ENOUGH_REPLICAS_AFTER_APPEND is).
    ErrorAfter(i16),
    /// The broker that was asked dies (`Cluster::kill`) before it took effect, or after.
    Kill {
        /// After it took effect?
        after: bool,
        /// Does the broker come back with what it knew?
        keep_memory: bool,
    },
    /// The connection is closed, and the request is still under way: it takes effect when somebody delivers it (`Cluster::deliver`), or never.
    Hold,
    /// It takes effect, and then this happens, before it is answered.
    Follow(Follow),
}

/// What happens behind a request that took effect, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Follow {
    /// Brokers forget every producer whose last batch is too old.
    pub forget: bool,
    /// What is held takes effect.
    pub deliver: bool,
    /// The connection is closed instead of an answer.
    pub cut: bool,
}

/// Which of the requests that fit a rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// The n-th from when the rule was added, counted from 1. Then the rule is spent.
    Nth(u64),
    /// So many from the n-th on.
    From(u64, u64),
    /// Each with this probability in a million.
    Chance(u32),
    /// Each.
    Always,
}

/// What goes wrong with which requests.
#[derive(Debug, Clone)]
pub struct Rule {
    api: Option<ApiKey>,
    topic: Option<String>,
    produced: Option<(String, i32)>,
    client_id: Option<String>,
    broker: Option<i32>,
    when: When,
    action: Action,
}

impl Rule {
    /// This happens to these requests of this API.
    pub fn new(api: ApiKey, when: When, action: Action) -> Self {
        Self {
            api: Some(api),
            topic: None,
            produced: None,
            client_id: None,
            broker: None,
            when,
            action,
        }
    }

    /// This happens to these requests, whatever their API.
    pub fn any(when: When, action: Action) -> Self {
        Self {
            api: None,
            ..Self::new(ApiKey::Produce, when, action)
        }
    }

    /// Only requests that speak of this topic.
    pub fn of_topic(mut self, topic: &str) -> Self {
        self.topic = Some(topic.to_owned());
        self
    }

    /// Only requests that bring a batch for this partition.
    pub fn of_partition(mut self, topic: &str, partition: i32) -> Self {
        self.produced = Some((topic.to_owned(), partition));
        self
    }

    /// Only requests of clients that call themselves this.
    pub fn of_client(mut self, client_id: &str) -> Self {
        self.client_id = Some(client_id.to_owned());
        self
    }

    /// Only requests to this broker.
    pub fn at_broker(mut self, broker: i32) -> Self {
        self.broker = Some(broker);
        self
    }
}

/// One time a rule did something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fired {
    /// Number of the rule, as `add` gave it.
    pub rule: usize,
    /// Which of the requests that fit the rule it was, from 1.
    pub nth: u64,
    /// The request's API.
    pub api: ApiKey,
    /// The broker.
    pub broker: i32,
    /// Who asked.
    pub client_id: String,
    /// What happened.
    pub action: Action,
}

/// The rules in force at one cluster.
pub struct Faults {
    seed: u64,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    random: Random,
    rules: Vec<Option<(Rule, u64)>>,
    fired: Vec<Fired>,
}

impl Faults {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            inner: Mutex::new(Inner {
                // Apart from the numbers that ids are made of.
                random: Random::new(seed ^ 0x5eed_fa17),
                rules: Vec::new(),
                fired: Vec::new(),
            }),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a rule; answers with its number.
    pub fn add(&self, rule: Rule) -> usize {
        let mut inner = self.inner();
        inner.rules.push(Some((rule, 0)));
        inner.rules.len() - 1
    }

    /// Ends a rule.
    pub fn remove(&self, rule: usize) {
        if let Some(rule) = self.inner().rules.get_mut(rule) {
            *rule = None;
        }
    }

    /// Ends all rules.
    pub fn clear(&self) {
        self.inner().rules.iter_mut().for_each(|rule| *rule = None);
    }

    /// What rules did, in order.
    pub fn fired(&self) -> Vec<Fired> {
        self.inner().fired.clone()
    }

    /// How often a rule did something.
    pub fn count(&self, rule: usize) -> usize {
        let inner = self.inner();
        inner
            .fired
            .iter()
            .filter(|fired| fired.rule == rule)
            .count()
    }

    /// What happens to this request: the first rule that fits and whose turn it is.
    ///
    /// A request speaks of a topic if its bytes hold the topic's name or its id, as `id_of` gives it. `produced`: the partitions that it
    /// brings batches for, asked only where a rule wants to know.
    pub(super) fn decide(
        &self,
        call: &Call,
        api: ApiKey,
        frame: &Bytes,
        id_of: impl Fn(&str) -> Option<[u8; 16]>,
        produced: impl Fn() -> Vec<(String, i32)>,
    ) -> Option<Action> {
        let mut inner = self.inner();
        let inner = &mut *inner;
        let mut verdict = None;
        for (at, slot) in inner.rules.iter_mut().enumerate() {
            let Some((rule, seen)) = slot else { continue };
            let fits = rule.api.is_none_or(|own| own == api)
                && rule.broker.is_none_or(|own| own == call.broker)
                && rule
                    .client_id
                    .as_ref()
                    .is_none_or(|own| *own == call.client_id)
                && rule.topic.as_ref().is_none_or(|own| {
                    contains(frame, own.as_bytes())
                        || id_of(own).is_some_and(|id| contains(frame, &id))
                })
                && rule
                    .produced
                    .as_ref()
                    .is_none_or(|own| api == ApiKey::Produce && produced().contains(own));
            if !fits {
                continue;
            }
            *seen += 1;
            let now = match rule.when {
                When::Nth(nth) => *seen == nth,
                When::From(first, count) => (first..first.saturating_add(count)).contains(seen),
                When::Chance(millionths) => inner.random.below(1_000_000) < u64::from(millionths),
                When::Always => true,
            };
            if now && verdict.is_none() {
                verdict = Some(rule.action);
                inner.fired.push(Fired {
                    rule: at,
                    nth: *seen,
                    api,
                    broker: call.broker,
                    client_id: call.client_id.clone(),
                    action: rule.action,
                });
            }
        }
        verdict
    }
}

fn contains(frame: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && frame.windows(part.len()).any(|window| window == part)
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.inner();
        f.debug_struct("Faults")
            .field("seed", &self.seed)
            .field("rules", &inner.rules)
            .field("fired", &inner.fired)
            .finish()
    }
}
