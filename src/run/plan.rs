//! Plans as data: ordered steps with their undo, what they rest on, and the fingerprint that makes a plan stale.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::step::{Step, What};
use crate::{error::Failure, exit::Exit, model::numbers};

/// The version of the document that this program writes and reads.
pub const VERSION: u32 = 1;
/// Facts that name the clusters; where they differ the plan is not stale but another's.
pub const CLUSTERS: [&str; 2] = ["source cluster", "target cluster"];
/// The fact that names the journal, and with it how far the migration was.
pub const JOURNAL: &str = "journal";
/// Differences named one by one.
const NAMED: usize = 5;

/// What a phase would do, from what was true when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Version of the document.
    pub v: u32,
    /// The migration's name.
    pub migration: String,
    /// The phase: `replicate`, `cutover`, and so on.
    pub phase: String,
    /// What it is about where there are several, such as an application; empty where there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// When it was made, in milliseconds since 1970.
    pub made_at_ms: i64,
    /// Everything it rests on. A plan is valid while all of it is as it was.
    pub rests_on: BTreeMap<String, String>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// What clients notice, in a sentence.
    pub clients: String,
    /// How one comes back, in a sentence.
    pub back: String,
}

impl Plan {
    /// Names this plan: equal where phase, subject, steps and all that they rest on are equal, whenever it was made.
    pub fn fingerprint(&self) -> String {
        let whole = (
            self.v,
            &self.migration,
            &self.phase,
            &self.subject,
            &self.rests_on,
            &self.steps,
        );
        let bytes = serde_json::to_vec(&whole).expect("plans have string keys");
        hex(&Sha256::digest(bytes)[..8])
    }

    /// Is it sound? Every step that is done here can be found by its name.
    pub fn check(&self) -> Result<(), Failure> {
        let mut names: Vec<&str> = self.steps.iter().map(|step| step.name.as_str()).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        if names.len() == all && self.v == VERSION {
            return Ok(());
        }
        Err(unreadable(
            "the plan names a step twice, or is of another version",
        ))
    }

    /// Reads a plan as it was saved.
    pub fn read(bytes: &[u8]) -> Result<Self, Failure> {
        let value: serde_json::Value = serde_json::from_slice(bytes)
            .map_err(|error| unreadable("the file is no plan").because(&error))?;
        match value.get("v").and_then(serde_json::Value::as_u64) {
            Some(v) if v > u64::from(VERSION) => {
                return Err(unreadable(&format!("the plan is in version {v}"))
                    .hint("run the version of kafka-migrate that wrote it, or a later one"));
            }
            Some(_) => {}
            None => return Err(unreadable("the file is no plan")),
        }
        let Saved { plan, fingerprint } = serde_json::from_value(value)
            .map_err(|error| unreadable("the file is no plan").because(&error))?;
        plan.check()?;
        if plan.fingerprint() != fingerprint {
            return Err(unreadable(
                "the plan was changed by hand: its fingerprint is another's",
            ));
        }
        Ok(plan)
    }

    /// The document that is saved, with its fingerprint.
    pub fn saved(&self) -> Saved {
        Saved {
            fingerprint: self.fingerprint(),
            plan: self.clone(),
        }
    }

    /// Refuses this plan unless `now`, made a moment ago, is the same.
    pub fn still_holds(&self, now: &Self) -> Result<(), Failure> {
        if self.fingerprint() == now.fingerprint() {
            return Ok(());
        }
        let next = format!("kafka-migrate plan {}", now.phase);
        if (&self.phase, &self.subject) != (&now.phase, &now.subject) {
            return Err(Failure::new(
                Exit::Refused,
                "K437",
                format!("the plan is of `{}`, not of `{}`", self.what(), now.what()),
            )
            .next(next));
        }
        let differences = self.differences(now);
        let is_foreign = self.migration != now.migration
            || CLUSTERS
                .iter()
                .any(|fact| self.rests_on.get(*fact) != now.rests_on.get(*fact));
        let (code, message) = if is_foreign {
            (
                "K437",
                "the plan was made for other clusters or another migration",
            )
        } else {
            ("K436", "the plan is stale: what it rests on has changed")
        };
        let failure = Failure::new(Exit::Refused, code, message);
        let more = differences.len().saturating_sub(NAMED);
        let mut failure = differences
            .into_iter()
            .take(NAMED)
            .fold(failure, Failure::cause);
        if more > 0 {
            failure = failure.cause(format!("and {more} more"));
        }
        Err(failure
            .hint("nothing was changed; look at a new plan first")
            .next(next))
    }

    fn what(&self) -> String {
        format!("{} {}", self.phase, self.subject)
            .trim_end()
            .to_owned()
    }

    /// What is not as it was, in words.
    fn differences(&self, now: &Self) -> Vec<String> {
        let mut all = Vec::new();
        if self.migration != now.migration {
            all.push(format!(
                "migration: {}, now {}",
                self.migration, now.migration
            ));
        }
        let facts: std::collections::BTreeSet<_> =
            self.rests_on.keys().chain(now.rests_on.keys()).collect();
        for fact in facts {
            let word = |facts: &BTreeMap<String, String>| {
                facts.get(fact).map_or("nothing".to_owned(), Clone::clone)
            };
            let (then, now) = (word(&self.rests_on), word(&now.rests_on));
            if then != now {
                all.push(format!("{fact}: {then}, now {now}"));
            }
        }
        if all.is_empty() {
            let then = self.steps.iter().filter(|step| !now.steps.contains(step));
            all.extend(
                then.map(|step| format!("step {}: {}, now otherwise", step.name, step.says)),
            );
        }
        all
    }

    /// Steps that the executor does or asks.
    pub fn own_steps(&self) -> usize {
        let own = self.steps.iter();
        own.filter(|step| step.what != What::Engine).count()
    }
}

/// A plan with its fingerprint, as it lies in a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Saved {
    /// The plan's fingerprint.
    pub fingerprint: String,
    /// The plan.
    #[serde(flatten)]
    pub plan: Plan,
}

fn unreadable(message: &str) -> Failure {
    Failure::new(Exit::Refused, "K438", message.to_owned())
        .hint("`kafka-migrate plan PHASE --out FILE` writes one")
}

/// How many, and a checksum of all: what a plan rests on can be a long list.
pub fn counted(what: &str, all: &[String]) -> String {
    if all.is_empty() {
        return "none".to_owned();
    }
    let mut all = all.to_vec();
    all.sort_unstable();
    let sum = hex(&Sha256::digest(all.join("\n"))[..4]);
    format!("{} ({sum})", numbers::of(all.len() as u64, what))
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::run::step::{Fails, Undo};

    pub fn step(name: &str, what: What) -> Step {
        Step {
            name: name.to_owned(),
            says: format!("does {name}"),
            what,
            undo: Undo::NotNeeded,
            fails: Fails::Undo,
            with: BTreeMap::new(),
        }
    }

    pub fn plan(steps: Vec<Step>) -> Plan {
        let fact = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Plan {
            v: VERSION,
            migration: "orders".into(),
            phase: "replicate".into(),
            subject: String::new(),
            made_at_ms: 0,
            rests_on: [
                (CLUSTERS[0], "Aaa"),
                (CLUSTERS[1], "Bbb"),
                (JOURNAL, "none"),
                ("topics to make", "orders (6)"),
            ]
            .map(fact)
            .into(),
            steps,
            clients: "nobody notices".into(),
            back: "stop it".into(),
        }
    }

    #[test]
    fn a_plan_is_the_same_whenever_it_was_made_and_comes_back_from_its_file() {
        let first = plan(vec![step("create-topics", What::Effect)]);
        let mut later = first.clone();
        later.made_at_ms = 7;
        first.still_holds(&later).unwrap();
        let bytes = serde_json::to_vec(&first.saved()).unwrap();
        assert_eq!(Plan::read(&bytes).unwrap(), first);
        // What `--json` prints says a little more, and is the same plan.
        let mut printed = serde_json::to_value(first.saved()).unwrap();
        (printed["at"], printed["event"]) = ("now".into(), "plan".into());
        let bytes = serde_json::to_vec(&printed).unwrap();
        assert_eq!(Plan::read(&bytes).unwrap(), first);
    }

    #[test]
    fn a_plan_is_refused_once_anything_it_rests_on_is_otherwise() {
        let then = plan(vec![step("create-topics", What::Effect)]);
        let refused = |change: fn(&mut Plan)| {
            let mut now = then.clone();
            change(&mut now);
            let failure = then.still_holds(&now).unwrap_err();
            assert_eq!(failure.exit, Exit::Refused);
            (failure.code, failure.causes.join("; "))
        };
        let (code, why) = refused(|now| {
            now.rests_on.insert("topics to make".into(), "none".into());
        });
        assert_eq!(
            (code, &*why),
            ("K436", "topics to make: orders (6), now none")
        );
        // A plan made before anything began is not applied twice.
        let (code, _) = refused(|now| {
            now.rests_on.insert(JOURNAL.into(), "b9f1, 1 plan".into());
        });
        assert_eq!(code, "K436");
        let (code, why) = refused(|now| {
            now.rests_on.insert(CLUSTERS[1].into(), "Ccc".into());
        });
        assert_eq!((code, &*why), ("K437", "target cluster: Bbb, now Ccc"));
        assert_eq!(refused(|now| now.migration = "payments".into()).0, "K437");
        assert_eq!(refused(|now| now.phase = "cutover".into()).0, "K437");
        let (code, why) = refused(|now| now.steps[0].says = "other".into());
        assert!(code == "K436" && why.contains("create-topics"), "{why}");
    }

    #[test]
    fn what_is_no_plan_or_was_changed_is_refused() {
        let plan = plan(vec![step("create-topics", What::Effect)]);
        let mut changed = serde_json::to_value(plan.saved()).unwrap();
        changed["steps"][0]["says"] = "deletes everything".into();
        let mut newer = serde_json::to_value(plan.saved()).unwrap();
        newer["v"] = 2.into();
        let twice = self::plan(vec![step("a", What::Hook), step("a", What::Hook)]);
        for bytes in [
            b"".to_vec(),
            b"{}".to_vec(),
            b"[1]".to_vec(),
            serde_json::to_vec(&changed).unwrap(),
            serde_json::to_vec(&newer).unwrap(),
            serde_json::to_vec(&twice.saved()).unwrap(),
        ] {
            let failure = Plan::read(&bytes).unwrap_err();
            assert_eq!((failure.exit, failure.code), (Exit::Refused, "K438"));
        }
    }
}
