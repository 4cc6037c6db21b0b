//! Breadth-first search: every state once, so that the first harm found has a shortest trace.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt::Write as _,
    hash::{BuildHasherDefault, Hash, Hasher},
};

use super::{Harm, MARKER, State, engine::Phase, scope::Scope, words::Step};

/// The next states of one state.
#[derive(Default)]
pub struct Found {
    pub steps: Vec<(Step, Result<State, Harm>)>,
    /// Steps left out because the world has no more room for them.
    pub capped: u32,
}

impl Found {
    pub fn add(&mut self, step: Step, next: Result<State, Harm>) {
        self.steps.push((step, next));
    }
}

/// What a search found.
pub struct Outcome {
    pub states: usize,
    /// States in which everything is copied.
    pub ends: usize,
    pub harm: Option<Harm>,
    /// Steps to the harm, in words.
    pub trace: Vec<String>,
    /// Steps left out for lack of room.
    pub capped: u32,
}

impl State {
    fn successors(&self, scope: &Scope, found: &mut Found) {
        found.steps.clear();
        self.by_itself(scope, found);
        self.start(scope, found);
        for slot in 0..self.engines.len() {
            self.step(scope, slot, found);
        }
        for (_, next) in &mut found.steps {
            if let Ok(next) = next {
                next.forget_the_refused(scope);
            }
        }
    }

    /// What a state says by itself, whatever led to it.
    fn harm(&self, scope: &Scope) -> Option<Harm> {
        let checkpointed = self.ledger.checkpoint.source;
        if self
            .records_from(scope, 0)
            .any(|source| source < checkpointed && !self.is_copied(source))
        {
            return Some(Harm::CheckpointAhead);
        }
        let mut copied = self.log.iter().map(|logged| logged.source);
        copied
            .any(|source| {
                source != MARKER && source < checkpointed && self.ledger.mapped & 1 << source == 0
            })
            .then_some(Harm::Unmapped)
    }

    fn is_end(&self, scope: &Scope) -> bool {
        self.records_from(scope, 0)
            .all(|source| self.is_copied(source))
    }

    /// Is there an engine that nothing should keep from the end?
    fn must_end(&self, scope: &Scope) -> bool {
        self.starts < scope.starts
            || self
                .engines
                .iter()
                .any(|engine| engine.run == self.starts && engine.phase != Phase::Seal)
    }
}

/// Every reachable state, or a shortest way to a harm.
pub fn search(scope: &Scope) -> Outcome {
    let mut seen: HashMap<u64, u32, BuildHasherDefault<AsItIs>> = HashMap::default();
    // How each state was reached first: from which, by which of its steps.
    let mut ways: Vec<(u32, u16)> = vec![(0, 0)];
    let mut edges: Vec<(u32, u32)> = Vec::new();
    let mut ends: Vec<bool> = vec![false];
    let mut musts: Vec<bool> = vec![true];
    let mut found = Found::default();
    seen.insert(fingerprint(&State::default()), 0);
    let mut level = vec![(0, State::default())];
    while !level.is_empty() {
        let mut below = Vec::new();
        for (from, state) in level {
            state.successors(scope, &mut found);
            for (index, (_, next)) in found.steps.iter().enumerate() {
                let at = ways.len() as u32;
                let harm = match next {
                    Err(harm) => Some(*harm),
                    Ok(next) => match seen.entry(fingerprint(next)) {
                        Entry::Occupied(known) => {
                            if scope.live {
                                edges.push((*known.get(), from));
                            }
                            continue;
                        }
                        Entry::Vacant(vacant) => {
                            vacant.insert(at);
                            below.push((at, *next));
                            ends.push(next.is_end(scope));
                            if scope.live {
                                edges.push((at, from));
                                musts.push(next.must_end(scope));
                            }
                            next.harm(scope)
                        }
                    },
                };
                ways.push((from, index as u16));
                if harm.is_some() {
                    let states = ways.len();
                    let trace = replay(scope, &ways, at);
                    let ends = ends.iter().filter(|end| **end).count();
                    return Outcome {
                        states,
                        ends,
                        harm,
                        trace,
                        capped: found.capped,
                    };
                }
            }
        }
        level = below;
    }
    let reached = ends.iter().filter(|end| **end).count();
    let stuck = scope.live.then(|| stuck(&edges, ends, &musts)).flatten();
    Outcome {
        states: ways.len(),
        ends: reached,
        harm: stuck.map(|_| Harm::Stuck),
        trace: stuck.map_or_else(Vec::new, |at| replay(scope, &ways, at)),
        capped: found.capped,
    }
}

/// The first state from which no end can be reached, though it should.
fn stuck(edges: &[(u32, u32)], mut ends: Vec<bool>, musts: &[bool]) -> Option<u32> {
    let mut before: Vec<Vec<u32>> = vec![Vec::new(); ends.len()];
    for &(to, from) in edges {
        before[to as usize].push(from);
    }
    let mut open: Vec<u32> = (0..)
        .zip(&ends)
        .filter(|(_, end)| **end)
        .map(|(at, _)| at)
        .collect();
    while let Some(at) = open.pop() {
        for &from in &before[at as usize] {
            if !std::mem::replace(&mut ends[from as usize], true) {
                open.push(from);
            }
        }
    }
    let first = ends
        .iter()
        .zip(musts)
        .position(|(ends, must)| *must && !ends)?;
    u32::try_from(first).ok()
}

/// The steps to a state, in words.
fn replay(scope: &Scope, ways: &[(u32, u16)], mut at: u32) -> Vec<String> {
    let mut steps = Vec::new();
    while at != 0 {
        let (from, index) = ways[at as usize];
        steps.push(usize::from(index));
        at = from;
    }
    let mut state = State::default();
    let mut found = Found::default();
    let mut trace = Vec::new();
    for index in steps.into_iter().rev() {
        state.successors(scope, &mut found);
        let (step, next) = &found.steps[index];
        trace.push(step.to_string());
        if let Ok(next) = next {
            state = *next;
        }
    }
    trace
}

impl Outcome {
    /// The trace as lines.
    pub fn told(&self) -> String {
        let harm = self
            .harm
            .map_or_else(|| "no harm".to_owned(), |harm| harm.to_string());
        let mut lines = format!("{harm} after {} steps\n", self.trace.len());
        for (number, step) in self.trace.iter().enumerate() {
            writeln!(lines, "{:3}  {step}", number + 1).expect("a string takes everything");
        }
        lines
    }
}

fn fingerprint(state: &State) -> u64 {
    let mut hasher = Fingerprint {
        hash: 0x9e37_79b9_7f4a_7c15,
        word: 0,
        filled: 0,
    };
    state.hash(&mut hasher);
    hasher.finish()
}

/// States are told apart by 64 bits: at a million states two of them share a fingerprint once in thirty million searches.
struct Fingerprint {
    hash: u64,
    word: u64,
    filled: u8,
}

impl Fingerprint {
    #[inline]
    fn mix(hash: u64, word: u64) -> u64 {
        let product = u128::from(hash ^ word) * 0xd6e8_feb8_6659_fd93_u128;
        (product as u64) ^ ((product >> 64) as u64)
    }
}

impl Hasher for Fingerprint {
    #[inline]
    fn write_u8(&mut self, byte: u8) {
        self.word = self.word << 8 | u64::from(byte);
        self.filled += 1;
        if self.filled == 8 {
            self.hash = Self::mix(self.hash, self.word).wrapping_add(self.word.rotate_left(23));
            (self.word, self.filled) = (0, 0);
        }
    }

    /// Variants of an enum, and lengths: all small.
    #[inline]
    fn write_isize(&mut self, small: isize) {
        self.write_u8(small as u8);
    }

    #[inline]
    fn write_usize(&mut self, small: usize) {
        self.write_u8(small as u8);
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u8(*byte));
    }

    fn finish(&self) -> u64 {
        Self::mix(
            self.hash.rotate_left(17),
            self.word ^ u64::from(self.filled) << 56 ^ 0x2545_f491_4f6c_dd1d,
        )
    }
}

/// Fingerprints need no further hashing.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, _: &[u8]) {}
    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
    fn finish(&self) -> u64 {
        self.0
    }
}
