//! The plan of `replicate` where MSK Replicator copies: a function of what was seen.

use std::collections::BTreeMap;

use super::{
    keep::{State, Text},
    look::Seen,
};
use crate::{
    clock,
    model::{msk::Msk, numbers},
    msk::{Described, Direction, Lifecycle},
    run::{
        plan::{CLUSTERS, JOURNAL, Plan, VERSION, counted},
        step::{Fails, Step, What},
    },
};

/// The phase: the same as where our own engine copies.
pub const PHASE: &str = "replicate";
/// Names of the steps.
pub(super) const LOGIN: &str = "login-secret";
pub(super) const CERTIFICATES: &str = "certificates-secret";
pub(super) const FORWARD: &str = "forward-replicator";
pub(super) const REVERSE: &str = "reverse-replicator";
pub(super) const FORWARD_RUNS: &str = "forward-runs";
pub(super) const REVERSE_RUNS: &str = "reverse-runs";
/// The plan; `journal` says how far the migration was, `settings` what the file says.
pub fn plan(msk: &Msk, seen: &Seen, settings: &[String], journal: String) -> Plan {
    let mut steps = Vec::new();
    for kept in &seen.secrets {
        let name = match kept.text {
            Text::Login => LOGIN,
            Text::Certificates => CERTIFICATES,
        };
        let how = match kept.state {
            State::Missing => "make the secret",
            State::Leaving => "take back from removal the secret",
            State::Differs => "give a new version to the secret",
            State::Same => "look at the secret, which says what it has to,",
        };
        let what = match (kept.text, &msk.secrets) {
            (Text::Certificates, _) => {
                "the certificates of the external cluster's authority".into()
            }
            (Text::Login, crate::model::msk::Secrets::One) => format!(
                "the login of {} and the authority's certificates",
                msk.source_login.username
            ),
            (Text::Login, _) => format!("the login of {}", msk.source_login.username),
        };
        steps.push(step(
            name,
            What::Effect,
            format!("{how} {}: {what}", kept.name),
        ));
    }
    for &direction in &seen.wanted.directions {
        let says = replicator_words(seen, direction);
        steps.push(step(made_name(direction), What::Effect, says));
    }
    for &direction in &seen.wanted.directions {
        let name = &seen.documents.request(direction).replicator_name;
        steps.push(step(
            runs_name(direction),
            What::Attestation,
            format!("wait until {name} runs: half an hour is usual"),
        ));
    }
    Plan {
        v: VERSION,
        migration: seen.wanted.migration.clone(),
        phase: PHASE.to_owned(),
        subject: subject(seen),
        made_at_ms: clock::unix_millis(),
        rests_on: facts(msk, seen, settings, journal),
        steps,
        clients: "nobody notices: applications stay where they are".to_owned(),
        back:
            "kafka-migrate cleanup removes the replicators and the secrets; what was copied stays"
                .to_owned(),
    }
}

/// Both directions are the usual thing, and have no subject.
fn subject(seen: &Seen) -> String {
    match &seen.wanted.directions[..] {
        [one] => one.to_string(),
        _ => String::new(),
    }
}

pub(super) fn made_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Forward => FORWARD,
        Direction::Reverse => REVERSE,
    }
}

pub(super) fn runs_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Forward => FORWARD_RUNS,
        Direction::Reverse => REVERSE_RUNS,
    }
}

fn replicator_words(seen: &Seen, direction: Direction) -> String {
    let request = seen.documents.request(direction);
    let name = &request.replicator_name;
    let way = match direction {
        Direction::Forward => "from the external cluster to MSK",
        Direction::Reverse => "from MSK back to the external cluster",
    };
    let lists = &seen.place.lists;
    let what = format!(
        "{} of topics, {} of groups",
        numbers::of(lists.topics.len() as u64, "expression"),
        numbers::of(lists.groups.len() as u64, "expression")
    );
    let start = request
        .replication_info_list
        .first()
        .map_or("", |info| &info.topic_replication.starting_position.r#type);
    match seen.replicators.get(&direction) {
        None => format!("make the replicator {name}, {way}: {what}, from {start}"),
        Some(Described {
            lifecycle: Lifecycle::Failed,
            ..
        }) => format!(
            "remove the replicator {name}, which failed, and make it anew, {way}: {what}, from {start}"
        ),
        Some(_) => {
            let differ = seen.differences(direction);
            let names: Vec<&str> = differ.iter().map(|one| one.what).collect();
            match names.is_empty() {
                true => format!("look at the replicator {name}, which is as it has to be, {way}"),
                false => format!("change the replicator {name}, {way}: {}", names.join(", ")),
            }
        }
    }
}

/// What was made harms nobody and takes half an hour: it is not taken back because something else failed.
fn step(name: &str, what: What, says: String) -> Step {
    Step {
        fails: Fails::Attention,
        ..Step::new(name, what, says)
    }
}

fn facts(msk: &Msk, seen: &Seen, settings: &[String], journal: String) -> BTreeMap<String, String> {
    let states: Vec<String> = seen
        .secrets
        .iter()
        .map(|kept| format!("{} {:?}", kept.name, kept.state).to_lowercase())
        .collect();
    let replicator = |direction: Direction| {
        let there = seen.replicators.get(&direction);
        there.map_or("none".to_owned(), |one| {
            let differ = seen.differences(direction).len();
            format!(
                "{}, {}",
                one.lifecycle,
                numbers::of(differ as u64, "difference")
            )
        })
    };
    let mut facts = vec![
        (CLUSTERS[0], seen.wanted.source.clone()),
        (CLUSTERS[1], seen.wanted.target.clone()),
        (JOURNAL, journal),
        ("cluster of MSK", msk.cluster.to_string()),
        ("settings", counted("setting", settings)),
        ("topics", counted("expression", &seen.place.lists.topics)),
        ("groups", counted("expression", &seen.place.lists.groups)),
        (
            "secrets",
            if states.is_empty() {
                "yours".to_owned()
            } else {
                states.join(", ")
            },
        ),
    ];
    for &direction in &seen.wanted.directions {
        let fact = match direction {
            Direction::Forward => "forward replicator",
            Direction::Reverse => "reverse replicator",
        };
        facts.push((fact, replicator(direction)));
    }
    if !seen.documents.own.is_empty() {
        facts.push(("your templates", seen.documents.own.join(", ")));
    }
    facts
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
