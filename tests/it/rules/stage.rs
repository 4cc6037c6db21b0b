//! What happens to a world's brokers while rules are asked, and how rules wait for it: all of them meet before each event.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::{Ending, Rule, World, ask};

/// Something that happens to broker 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It shuts down in an orderly way.
    Stopped,
    /// It dies.
    Killed,
    /// It is back.
    Started,
    /// It follows no leader any more, and nobody has noticed yet.
    Stands,
    /// It follows again.
    Goes,
}

/// Whoever can do to a world's brokers what no client can.
pub trait Operator: Send + Sync {
    /// Makes it happen, and waits until it has.
    fn make(&self, event: Event);
    /// Has this broker lead partition 0, which it holds in sync.
    fn lead(&self, topic: &str, broker: i32);
    /// Runs the log cleaner over a topic, or leaves it to one that runs by itself.
    fn clean(&self, topic: &str);
    /// Cuts partition 0 off at the batch of this offset, as a disk does that loses what it acknowledged, while broker 2 is down.
    fn lose(&self, topic: &str, from: i64);
}

/// Where the rules of one world wait for an event.
#[derive(Debug, Default)]
pub struct Stage {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Rules that have not ended.
    playing: usize,
    /// Those of them that wait.
    waiting: usize,
    /// How many events have happened.
    happened: usize,
}

impl Stage {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the next event has happened.
    pub fn wait(&self) {
        let mut state = self.state();
        let before = state.happened;
        state.waiting += 1;
        self.changed.notify_all();
        while state.happened == before {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn leave(&self) {
        self.state().playing -= 1;
        self.changed.notify_all();
    }

    /// Waits until every rule that has not ended waits, and lets the event happen.
    fn next(&self, happen: impl FnOnce()) {
        let mut state = self.state();
        while state.waiting < state.playing {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        happen();
        let mut state = self.state();
        state.waiting = 0;
        state.happened += 1;
        self.changed.notify_all();
    }
}

/// Asks rules, all at the same time, while these events happen one after the other.
pub fn play(world: &World, events: &[Event], rules: &[Rule]) -> Vec<Ending> {
    let operator = world.operator();
    let stage = &world.stage;
    stage.state().playing = rules.len();
    std::thread::scope(|scope| {
        let each: Vec<_> = rules
            .iter()
            .map(|(_, rule)| {
                scope.spawn(move || {
                    let ended = ask(*rule, world);
                    stage.leave();
                    ended
                })
            })
            .collect();
        for event in events {
            stage.next(|| operator.make(*event));
        }
        each.into_iter()
            .map(|thread| thread.join().expect("a rule's panic is caught"))
            .collect()
    })
}
