//! Every trouble has its code and its way out, on either side.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use super::*;
use crate::{model::names::TopicPartition, wire::error::Stage};

fn io() -> Arc<io::Error> {
    Arc::new(io::ErrorKind::ConnectionRefused.into())
}

/// One of every kind, under its name.
fn wires() -> Vec<(&'static str, wire::Error)> {
    use wire::Error as W;
    let address = || "kafka1:9092".to_owned();
    let (api, mechanism) = ("Fetch", "PLAIN");
    vec![
        ("address", W::Address { address: address() }),
        (
            "resolve",
            W::Resolve {
                host: "kafka1".into(),
                source: io(),
            },
        ),
        (
            "connect",
            W::Connect {
                address: address(),
                source: io(),
            },
        ),
        (
            "slow",
            W::ConnectTimeout {
                address: address(),
                stage: Stage::Login,
                after: Duration::from_secs(10),
            },
        ),
        (
            "login",
            W::Login {
                address: address(),
                mechanism,
                username: "app".into(),
                reason: "no".into(),
            },
        ),
        (
            "mechanism",
            W::Mechanism {
                address: address(),
                mechanism,
                offered: Vec::new(),
            },
        ),
        (
            "no login here",
            W::NoLoginHere {
                address: address(),
                mechanism,
            },
        ),
        ("login wanted", W::LoginWanted { address: address() }),
        (
            "imposter",
            W::Imposter {
                address: address(),
                mechanism,
                reason: "",
            },
        ),
        (
            "issuer",
            W::UnknownIssuer {
                address: address(),
                source: io(),
            },
        ),
        (
            "name",
            W::CertificateName {
                address: address(),
                host: "kafka1".into(),
                source: io(),
            },
        ),
        (
            "tls",
            W::Tls {
                address: address(),
                source: io(),
            },
        ),
        (
            "no tls",
            W::NotTls {
                address: address(),
                source: io(),
            },
        ),
        ("tls spoken", W::SpeaksTls { address: address() }),
        (
            "version",
            W::Version {
                address: address(),
                api,
                ours: (1, 2),
                theirs: None,
            },
        ),
        (
            "refused",
            W::Refused {
                address: address(),
                api,
                code: 35,
            },
        ),
        (
            "no kafka",
            W::Malformed {
                address: address(),
                api,
                reason: String::new(),
            },
        ),
        (
            "broken",
            W::Io {
                address: address(),
                source: io(),
            },
        ),
        (
            "silent",
            W::TimedOut {
                address: address(),
                api,
                after: Duration::from_secs(30),
            },
        ),
    ]
}

fn all(side: Side) -> Vec<(&'static str, Error)> {
    let at = || TopicPartition::new("orders", 3);
    let kafka = |code| Error::Kafka {
        side,
        broker: Some("kafka1:9092".into()),
        api: "Fetch",
        topic: Some("orders".into()),
        partition: Some(3),
        code,
        message: None,
    };
    let wire = wires().into_iter().map(|(name, source)| {
        let error = Error::Wire {
            side,
            broker: "kafka1:9092".into(),
            api: "Fetch",
            source: Box::new(source),
        };
        (name, error)
    });
    let others = [
        ("right", kafka(29)),
        ("gone", kafka(3)),
        ("code", kafka(-1)),
        ("leader", Error::NoLeader { side, at: at() }),
        ("broker", Error::NoBroker { side, broker: 7 }),
        (
            "cluster",
            Error::OtherCluster {
                side,
                expected: "a".into(),
                found: "b".into(),
            },
        ),
    ];
    wire.chain(others).collect()
}

#[test]
fn every_trouble_has_a_code_of_its_own_on_either_side_and_says_what_to_do() {
    let mut codes = BTreeMap::new();
    for side in [Side::Source, Side::Target] {
        for (name, error) in all(side) {
            let failure = error.failure();
            let (exit, hundred) = match side {
                Side::Source => (Exit::Source, "K1"),
                Side::Target => (Exit::Target, "K2"),
            };
            assert_eq!(failure.exit, exit, "{name}");
            assert!(
                failure.code.starts_with(hundred),
                "{name}: {}",
                failure.code
            );
            assert!(
                failure.message.contains(&side.to_string()),
                "{name}: the side is not named: {failure}"
            );
            assert!(!failure.message.ends_with('.'), "{name}: {failure}");
            assert!(!failure.hints.is_empty(), "{name}: no hint");
            assert!(!failure.causes.is_empty(), "{name}: no cause");
            // Addresses that cannot be and hosts that refuse are both nobody to connect to.
            let name = if name == "address" { "connect" } else { name };
            let other = codes.insert(failure.code, name);
            assert!(
                other.is_none_or(|other| other == name),
                "{name} and {other:?} are both {}",
                failure.code
            );
        }
    }
    assert_eq!(codes.len(), 2 * (all(Side::Source).len() - 1));
}

#[test]
fn what_was_tried_is_named_once_and_the_cause_is_the_connections() {
    let tried: Vec<String> = (1..=5).map(|n| format!("kafka{n}:9092")).collect();
    let error = Error::Unreachable {
        side: Side::Source,
        tried,
        source: Box::new(wire::Error::Connect {
            address: "kafka5:9092".into(),
            source: io(),
        }),
    };
    let failure = Failure::from(error);
    assert_eq!(
        failure.message,
        "cannot reach the source at kafka1:9092, kafka2:9092, kafka3:9092 and 2 more: no connection"
    );
    assert_eq!(
        failure.causes,
        ["cannot connect to kafka5:9092", "connection refused"]
    );
    assert_eq!(failure.next, None, "the same command may succeed later");
}

#[test]
fn time_that_is_up_says_what_was_behind_it() {
    let [_, .., (_, last)] = &all(Side::Target)[..] else {
        panic!("there are some");
    };
    let error = Error::GaveUp {
        side: Side::Target,
        api: "Metadata",
        after: Duration::from_secs(30),
        source: Box::new(last.clone()),
    };
    let failure = error.failure();
    assert_eq!(failure.code, last.failure().code);
    assert_eq!(failure.causes.len(), 2, "{:?}", failure.causes);
}

#[test]
fn a_wrong_login_names_the_user_and_leads_to_the_settings() {
    let (_, error) = all(Side::Source)
        .into_iter()
        .find(|(name, _)| *name == "login")
        .expect("it is there");
    let failure = error.failure();
    assert_eq!(
        (failure.code, failure.message.as_str()),
        (
            "K104",
            "the source refused the login of app: wrong user name or password"
        )
    );
    assert_eq!(failure.next.as_deref(), Some(LOOK_AT_SETTINGS));
}

#[test]
fn topics_that_are_missing_are_named() {
    let names: Vec<TopicName> = ["a", "b", "c", "d"].map(TopicName::from).to_vec();
    assert_eq!(
        missing_topics(&names[..1]).message,
        "topic a is not on the source, or not visible to this user"
    );
    assert_eq!(
        missing_topics(&names).message,
        "topics a, b, c and 1 more are not on the source, or not visible to this user"
    );
    assert!(empty_scope().message.contains("scope"));
}
