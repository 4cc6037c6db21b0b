//! The append-only record of what was done: checksummed, versioned lines, each naming the one before, and the state folded from them.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    plan::hex,
    state::{Record, State},
    upcast::{self, Unknown},
};
use crate::{clock, error::Failure, exit::Exit};

/// Digits of a line's checksum.
const SUM: usize = 16;
/// No line of ours is longer; a plan for ten thousand topics is not.
pub const LONGEST: usize = 8 << 20;

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 0.
    pub n: u64,
    /// The checksum of the line before; empty for the first.
    pub after: String,
    /// Its own.
    pub sum: String,
    /// When it was written, in milliseconds since 1970, by the writer's clock.
    pub at_ms: i64,
    /// What it says.
    pub record: Record,
    /// Its bytes, without the newline.
    pub text: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    v: u32,
    n: u64,
    after: String,
    at_ms: i64,
    record: Record,
}

/// Why bytes are no line of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Its checksum is not that of its text: torn, damaged, or not ours.
    #[error("its checksum does not fit")]
    Damaged,
    /// A newer program wrote it.
    #[error("it is in version {0}; this program reads up to {version}", version = upcast::VERSION)]
    Newer(u64),
    /// The checksum fits, and it makes no sense.
    #[error("it is not understood: {0}")]
    Strange(String),
}

impl Line {
    /// The line that says this after `before`.
    pub fn after(before: Option<&Self>, record: Record) -> Self {
        let body = Body {
            v: upcast::VERSION,
            n: before.map_or(0, |before| before.n + 1),
            after: before.map(|before| before.sum.clone()).unwrap_or_default(),
            at_ms: clock::unix_millis(),
            record,
        };
        let json = serde_json::to_string(&body).expect("records have string keys");
        let sum = sum(json.as_bytes());
        Self {
            text: format!("{sum} {json}"),
            n: body.n,
            after: body.after,
            sum,
            at_ms: body.at_ms,
            record: body.record,
        }
    }

    /// Reads a line, without its newline.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let text = std::str::from_utf8(bytes).map_err(|_| Unreadable::Damaged)?;
        let (found, json) = text.split_once(' ').ok_or(Unreadable::Damaged)?;
        if bytes.len() > LONGEST || found.len() != SUM || sum(json.as_bytes()) != found {
            return Err(Unreadable::Damaged);
        }
        let strange = |error: serde_json::Error| Unreadable::Strange(error.to_string());
        let value = serde_json::from_str(json).map_err(strange)?;
        let value = upcast::upcast(value).map_err(|unknown| match unknown {
            Unknown::Newer(version) => Unreadable::Newer(version),
            Unknown::Unversioned => Unreadable::Strange("it names no version".to_owned()),
        })?;
        let body: Body = serde_json::from_value(value).map_err(strange)?;
        Ok(Self {
            n: body.n,
            after: body.after,
            sum: found.to_owned(),
            at_ms: body.at_ms,
            record: body.record,
            text: text.to_owned(),
        })
    }

    /// Does it come right after these?
    pub fn follows(&self, before: Option<&Self>) -> bool {
        match before {
            None => self.n == 0 && self.after.is_empty(),
            Some(before) => self.n == before.n + 1 && self.after == before.sum,
        }
    }
}

fn sum(json: &[u8]) -> String {
    hex(&Sha256::digest(json)[..SUM / 2])
}

/// Folds lines that follow one another.
pub fn fold(lines: &[Line]) -> Result<State, Failure> {
    let mut state = State::default();
    for line in lines {
        state
            .apply(&line.record)
            .map_err(|why| illegal(line.n, why))?;
    }
    Ok(state)
}

fn illegal(n: u64, why: String) -> Failure {
    Failure::new(
        Exit::Refused,
        "K444",
        format!("the journal makes no sense at line {n}"),
    )
    .cause(why)
    .hint("nothing was changed; keep the journal as it is, and report what wrote it")
    .next("kafka-migrate status")
}

/// Where lines are kept. A line that was kept is found by whoever reads the journal next.
pub trait Store: Send {
    /// Keeps a line. `Err`: whether it is kept is unknown.
    fn keep(&mut self, line: &Line) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// A journal that is written.
#[derive(Debug)]
pub struct Journal<S> {
    store: S,
    state: State,
    last: Option<Line>,
    broken: bool,
}

impl<S: Store> Journal<S> {
    /// Goes on after these lines, which the store holds.
    pub fn after(lines: &[Line], store: S) -> Result<Self, Failure> {
        Ok(Self {
            store,
            state: fold(lines)?,
            last: lines.last().cloned(),
            broken: false,
        })
    }

    /// What it says.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Where its lines are kept.
    pub fn store(&mut self) -> &mut S {
        &mut self.store
    }

    /// Appends. The line is kept, and nobody else writes, when this returns.
    pub async fn append(&mut self, record: Record) -> Result<(), Failure> {
        if self.broken {
            return Err(Failure::new(
                Exit::Bug,
                "K000",
                "the journal was written to after it had failed",
            ));
        }
        let mut next = self.state.clone();
        let n = self.last.as_ref().map_or(0, |line| line.n + 1);
        next.apply(&record).map_err(|why| illegal(n, why))?;
        let line = Line::after(self.last.as_ref(), record);
        // Until it is known to be kept, nothing may follow it.
        self.broken = true;
        self.store.keep(&line).await?;
        self.broken = false;
        self.state = next;
        self.last = Some(line);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::run::state::Head;

    fn begun() -> Record {
        Record::Begun(Head {
            migration: "orders".into(),
            id: Uuid::nil(),
            source: "Aaa".into(),
            target: "Bbb".into(),
        })
    }

    #[test]
    fn a_line_comes_back_and_any_changed_byte_is_noticed() {
        let first = Line::after(None, begun());
        let second = Line::after(Some(&first), Record::Left);
        assert!(first.follows(None) && second.follows(Some(&first)));
        assert!(!second.follows(None) && !first.follows(Some(&second)));
        for line in [first, second] {
            assert_eq!(Line::read(line.text.as_bytes()), Ok(line.clone()));
            for at in 0..line.text.len() {
                let mut bytes = line.text.clone().into_bytes();
                bytes[at] ^= 1;
                assert!(Line::read(&bytes).is_err(), "byte {at} of {}", line.text);
                assert_eq!(Line::read(&bytes[..at]), Err(Unreadable::Damaged));
            }
        }
    }

    #[test]
    fn a_newer_line_is_not_taken_for_a_damaged_one() {
        let json = r#"{"v":3,"n":0,"mood":"fine"}"#;
        let newer = format!("{} {json}", sum(json.as_bytes()));
        assert_eq!(Line::read(newer.as_bytes()), Err(Unreadable::Newer(3)));
        let json = r#"{"v":1,"n":0,"mood":"fine"}"#;
        let strange = format!("{} {json}", sum(json.as_bytes()));
        assert!(matches!(
            Line::read(strange.as_bytes()),
            Err(Unreadable::Strange(_))
        ));
    }

    #[test]
    fn a_journal_of_before_is_read_and_gone_on_with() {
        // Lines as version 1 wrote them, each with its own sum.
        let records = [
            serde_json::to_value(begun()).unwrap(),
            serde_json::json!({"kind": "planned", "plan": 0, "what": {
                "v": 1, "migration": "orders", "phase": "cutover", "subject": "order-status", "made_at_ms": 5, "rests_on": {},
                "steps": [{"name": "positions", "says": "", "what": "attestation", "undo": "not-needed", "fails": "undo"}],
                "clients": "", "back": ""}}),
            serde_json::json!({"kind": "attested", "plan": 0, "step": 0, "said": "12 positions"}),
        ];
        let mut lines: Vec<Line> = Vec::new();
        for (n, record) in records.into_iter().enumerate() {
            let after = lines.last().map_or("", |line| &line.sum);
            let json =
                serde_json::json!({"v": 1, "n": n, "after": after, "at_ms": 7, "record": record});
            let json = json.to_string();
            let text = format!("{} {json}", sum(json.as_bytes()));
            lines.push(Line::read(text.as_bytes()).expect("it was written by an earlier version"));
            assert!(lines[n].follows(n.checked_sub(1).map(|before| &lines[before])));
        }
        let placed = vec![crate::run::placed::Placed {
            group: "readers".into(),
            topic: "orders".into(),
            partition: 0,
            committed: 7,
            exact: 9,
            stands: 8,
            again: 1,
            end: Some(9),
        }];
        let (plan, step) = (0, 0);
        let how = crate::run::state::End::Done;
        let counted = Record::Counted {
            plan,
            counted: Vec::new(),
        };
        for record in [
            Record::Attested {
                plan,
                step,
                said: "once more".into(),
                placed: placed.clone(),
            },
            Record::Ended { plan, how },
            counted.clone(),
        ] {
            let line = Line::after(lines.last(), record);
            lines.push(Line::read(line.text.as_bytes()).unwrap());
        }
        let state = fold(&lines).expect("old and new lines are one journal");
        assert_eq!(state.courses[0].placed, placed);
        let unknown = Record::Counted {
            plan: 1,
            counted: Vec::new(),
        };
        assert!(state.clone().apply(&unknown).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(Line::read(&bytes));
            let mut json = sum(&bytes).into_bytes();
            json.push(b' ');
            json.extend(bytes);
            drop(Line::read(&json));
        }
    }
}
