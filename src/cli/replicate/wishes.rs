//! What a person may ask of a copy, how fast and past which stops, on the command line or in a plan.

use std::collections::BTreeMap;

use clap::Args;

use crate::{
    config::{Flag, Given},
    engine::ways::{Asked, Way},
    error::Failure,
    exit::Exit,
    run::plan::Plan,
};

/// What stands in a plan's step, by these names.
const RATE: &str = "rate";
const ACCEPT_GAP: &str = "accept-gap";
const RECOPY: &str = "recopy";
const NOT_OURS: &str = "not-ours";

/// Flags of `replicate` and of `plan replicate`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Wishes {
    /// Read at most so many bytes per second, such as 50MB, or `auto`, or `unlimited`; wins over replication.rate in the file
    #[arg(long, value_name = "RATE")]
    pub rate: Option<String>,
    /// Give up what stopped this partition, for good, and go on behind it; what was given up stays on record. `status`
    /// names what that would be, and the word for exactly this stop (TOPIC:PARTITION@OFFSET). Can be given several
    /// times; the same command again gives up nothing more
    #[arg(long, value_name = "TOPIC:PARTITION")]
    pub accept_gap: Vec<String>,
    /// Copy a partition that has stopped again from the source's first record: what it holds on the target is deleted
    /// first. TOPIC alone is every partition of it that has stopped. Can be given several times; the same command again
    /// copies nothing twice
    #[arg(long, value_name = "TOPIC[:PARTITION]")]
    pub recopy: Vec<String>,
    /// What stopped this partition as perhaps a copy of our own (K560) was written by an application: copy it, and what follows it there
    /// under an epoch that no copy of ours has. Where an application went back without what it wrote (K562): copy that after all. Can be given
    /// several times; the same command again decides nothing more
    #[arg(long, value_name = "TOPIC:PARTITION")]
    pub not_ours: Vec<String>,
}

impl Wishes {
    /// What a plan was made with.
    pub fn of_plan(plan: &Plan) -> Self {
        let find = |name: &str| plan.steps.iter().find_map(|step| step.with.get(name));
        // No name of a topic holds a space.
        let words = |name| -> Vec<String> {
            let words = find(name).map_or("", String::as_str).split_whitespace();
            words.map(str::to_owned).collect()
        };
        Self {
            rate: find(RATE).cloned(),
            accept_gap: words(ACCEPT_GAP),
            recopy: words(RECOPY),
            not_ours: words(NOT_OURS),
        }
    }

    /// For a plan's step.
    pub fn written(&self) -> BTreeMap<String, String> {
        let words = |words: &[String]| (!words.is_empty()).then(|| words.join(" "));
        let all = [
            (RATE, self.rate.clone()),
            (ACCEPT_GAP, words(&self.accept_gap)),
            (RECOPY, words(&self.recopy)),
            (NOT_OURS, words(&self.not_ours)),
        ];
        let given = all.into_iter();
        let given = given.filter_map(|(name, value)| Some((name.to_owned(), value?)));
        given.collect()
    }

    /// For people, behind what a step does; empty where nothing is asked for.
    pub fn words(&self) -> String {
        let mut words = String::new();
        if let Some(rate) = &self.rate {
            words += &format!(", rate {rate}");
        }
        if !self.accept_gap.is_empty() {
            words += &format!("; give up what stopped {}", self.accept_gap.join(", "));
        }
        if !self.recopy.is_empty() {
            words += &format!(
                "; delete what the target holds of {} and copy it again",
                self.recopy.join(", ")
            );
        }
        if !self.not_ours.is_empty() {
            words += &format!(
                "; copy what stopped {}, which an application wrote",
                self.not_ours.join(", ")
            );
        }
        words
    }

    /// As flags over the settings.
    pub fn flags(&self) -> Vec<Flag> {
        let rate = self.rate.as_ref().map(|rate| Flag {
            flag: "--rate",
            path: "replication.rate",
            value: Given::Text(rate.clone()),
        });
        rate.into_iter().collect()
    }

    /// The ways past stops that were asked for, or everything that is wrong with their words.
    pub fn asked(&self) -> Result<Vec<Asked>, Failure> {
        let gaps = self.accept_gap.iter().map(|word| (Way::AcceptGap, word));
        let recopies = self.recopy.iter().map(|word| (Way::Recopy, word));
        let (mut asked, mut wrong) = (Vec::new(), Vec::new());
        let not_ours = self.not_ours.iter().map(|word| (Way::NotOurs, word));
        for (way, word) in gaps.chain(recopies).chain(not_ours) {
            match Asked::parse(way, word) {
                Ok(one) => asked.push(one),
                Err(error) => wrong.push(error.to_string()),
            }
        }
        let refused = |message| {
            Failure::new(Exit::Usage, "K005", message).next("kafka-migrate replicate --help")
        };
        match wrong.as_slice() {
            [] => Ok(asked),
            [one] => Err(refused(one.clone())),
            all => {
                let message = format!("{} partitions are not named as they must be", all.len());
                Err(all
                    .iter()
                    .fold(refused(message), |failure, one| failure.cause(one)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::step::{Fails, Step, Undo, What};

    #[test]
    fn what_is_asked_for_comes_back_from_a_plan() {
        let plan = |with| Plan {
            v: 1,
            migration: "orders".into(),
            phase: "replicate".into(),
            subject: String::new(),
            made_at_ms: 0,
            rests_on: BTreeMap::new(),
            steps: vec![Step {
                name: "start-engine".into(),
                says: String::new(),
                what: What::Effect,
                undo: Undo::NotNeeded,
                fails: Fails::Undo,
                with,
            }],
            clients: String::new(),
            back: String::new(),
        };
        let wishes = Wishes {
            rate: Some("20kB".into()),
            accept_gap: vec!["orders:3@12".into(), "orders:4".into()],
            recopy: vec!["paid".into()],
            not_ours: vec!["sent:1".into()],
        };
        assert_eq!(Wishes::of_plan(&plan(wishes.written())), wishes);
        let none = Wishes::default();
        assert_eq!(none.written(), BTreeMap::new());
        assert_eq!(
            (Wishes::of_plan(&plan(BTreeMap::new())), none.words()),
            (none, String::new())
        );
        assert_eq!(
            wishes.words(),
            ", rate 20kB; give up what stopped orders:3@12, orders:4; delete what the target holds of paid and copy it again; copy what stopped sent:1, which an application wrote"
        );
    }
}
