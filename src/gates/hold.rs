//! A gate counts as open only after it was open for a while, at several looks in a row.

use std::{collections::HashMap, time::Duration};

use serde::Serialize;

use super::Verdict;

/// Fresh observations that an open gate takes.
const OBSERVATIONS: u32 = 3;
/// How long what takes several looks to tell is given at least: looks in quick succession tell no time.
const TELLING: Duration = Duration::from_secs(4);

/// Folds verdicts of look after look.
#[derive(Debug)]
pub struct Hold {
    hold: Duration,
    looks: u32,
    open: HashMap<&'static str, (Duration, u32)>,
}

/// How long a gate has been open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Milliseconds.
    pub for_ms: u64,
    /// Observations.
    pub observations: u32,
}

/// Where all gates together stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Every gate has been open long enough.
    Open,
    /// Every gate is open, and has to stay so for a while; or it takes more observations to tell.
    Holding,
    /// A gate is closed.
    Closed,
}

impl Hold {
    /// Every gate has to be open this long.
    pub fn new(hold: Duration) -> Self {
        Self {
            hold,
            looks: 0,
            open: HashMap::new(),
        }
    }

    /// Takes in the verdicts of one look, which was at this time since the first.
    pub fn note(&mut self, at: Duration, verdicts: &[Verdict]) -> Standing {
        self.looks += 1;
        let (mut closed, mut holding) = (false, false);
        for verdict in verdicts {
            if verdict.holds_up {
                self.open.remove(verdict.code);
                // What takes several looks to tell is given those, over some seconds, and no more.
                let is_early = verdict.takes_time && (self.looks < OBSERVATIONS || at < TELLING);
                closed |= !is_early;
                holding |= is_early;
                continue;
            }
            let (since, looks) = self.open.entry(verdict.code).or_insert((at, 0));
            *looks += 1;
            holding |= at.saturating_sub(*since) < self.hold || *looks < OBSERVATIONS;
        }
        match (closed, holding) {
            (true, _) => Standing::Closed,
            (false, true) => Standing::Holding,
            (false, false) => Standing::Open,
        }
    }

    /// How long a gate has been open by now.
    pub fn held(&self, code: &str, now: Duration) -> Option<Held> {
        let (since, observations) = self.open.get(code)?;
        let held = now.saturating_sub(*since);
        Some(Held {
            for_ms: u64::try_from(held.as_millis()).unwrap_or(u64::MAX),
            observations: *observations,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gates::{Guards, ask};
    use crate::model::limits::Limits;
    use crate::observe::{Known, example};

    fn verdicts(lag: Known<u64>) -> Vec<Verdict> {
        let mut seen = example::green();
        seen.asked.two_way = false;
        seen.metrics.message_lag = lag;
        let mut verdicts = ask(Guards::Cutover, &seen, &Limits::default(), &[]);
        verdicts.retain(|verdict| verdict.code == "G204" || verdict.code == "G101");
        verdicts
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn open_is_who_was_open_long_enough_and_looked_at_often_enough() {
        let mut hold = Hold::new(at(60));
        let open = verdicts(Known::seen(0));
        assert_eq!(hold.note(at(0), &open), Standing::Holding);
        assert_eq!(
            hold.note(at(70), &open),
            Standing::Holding,
            "two looks are not three"
        );
        assert_eq!(hold.note(at(71), &open), Standing::Open);
        let mut hold = Hold::new(at(60));
        for second in [0, 20, 40, 59] {
            assert_eq!(
                hold.note(at(second), &open),
                Standing::Holding,
                "at {second}"
            );
        }
        assert_eq!(hold.note(at(60), &open), Standing::Open);
        assert_eq!(
            hold.held("G204", at(60)),
            Some(Held {
                for_ms: 60_000,
                observations: 5
            })
        );
    }

    #[test]
    fn one_look_that_says_no_begins_the_time_of_that_gate_anew() {
        let mut hold = Hold::new(at(60));
        let (open, shut) = (verdicts(Known::seen(0)), verdicts(Known::seen(5000)));
        for second in [0, 30] {
            hold.note(at(second), &open);
        }
        assert_eq!(hold.note(at(59), &shut), Standing::Closed);
        assert_eq!(hold.held("G204", at(59)), None);
        assert_eq!(
            hold.held("G101", at(59)).map(|held| held.for_ms),
            Some(59_000)
        );
        for second in [60, 90, 119] {
            assert_eq!(
                hold.note(at(second), &open),
                Standing::Holding,
                "at {second}"
            );
        }
        assert_eq!(hold.note(at(120), &open), Standing::Open);
    }

    #[test]
    fn what_takes_several_looks_to_tell_is_given_three_over_some_seconds_and_no_more() {
        let mut hold = Hold::new(at(0));
        let early = verdicts(Known::unknown("it takes two observations to tell time"));
        assert_eq!(hold.note(at(0), &early), Standing::Holding);
        assert_eq!(hold.note(at(3), &early), Standing::Holding);
        assert_eq!(hold.note(at(3), &early), Standing::Holding);
        assert_eq!(hold.note(at(4), &early), Standing::Closed);
    }
}
