//! Turns a question that a cluster did not answer into what a person reads: the trouble by name, its causes, what to do.
//!
//! A code's last two digits name the trouble, its first the side: K104 is the source's refused login, K204 the target's.
//! Passwords never reach this place: `wire::Error` holds user names and brokers' words, nothing else of a login.

use super::Error;
use crate::{
    error::Failure,
    exit::Exit,
    model::names::{Side, TopicName},
    wire::{self, retry},
};

/// Addresses and topics named in a sentence before the rest is counted.
const NAMED: usize = 3;
/// The command that shows where each setting comes from.
const LOOK_AT_SETTINGS: &str = "kafka-migrate config";

/// One kind of trouble: its code on either side, what to say, what to do.
struct Trouble {
    codes: [&'static str; 2],
    sentence: String,
    hint: Option<String>,
    /// A setting is wrong: the same command again would fail again.
    settings: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        error.failure()
    }
}

impl Error {
    /// This error as a person reads it, with exit code 4 for the source and 5 for the target.
    pub fn failure(&self) -> Failure {
        if let Self::Settings { side, source } = self {
            // Nothing was asked of anybody yet: a file is wrong, whichever side it is for.
            return Failure::new(
                Exit::Usage,
                "K017",
                format!("the {side}'s connection settings cannot be used"),
            )
            .because(&**source)
            .hint(format!(
                "`{side}.tls.ca` must name a PEM file with the certificate of the authority that signed the brokers'"
            ))
            .next(LOOK_AT_SETTINGS);
        }
        let side = self.side();
        // What is missing is nothing of the cluster's.
        if let Some(wire::Error::Token { why, .. }) = self.wire() {
            return why.failure.clone();
        }
        let trouble = self.trouble();
        let mut failure = Failure::new(exit(side), code(side, trouble.codes), trouble.sentence);
        failure = match self {
            // The sentence has said that nobody answered, and where.
            Self::Unreachable { source, .. } => failure.because(&**source),
            other => failure.because(other),
        };
        if let Some(hint) = trouble.hint {
            failure = failure.hint(hint);
        }
        if trouble.settings {
            failure = failure.next(LOOK_AT_SETTINGS);
        }
        failure
    }

    /// Which kind of trouble.
    fn trouble(&self) -> Trouble {
        let side = self.side();
        match self {
            Self::Settings { source, .. } | Self::Wire { source, .. } => {
                at_wire(side, source, None)
            }
            Self::Unreachable { source, tried, .. } => at_wire(side, source, Some(tried)),
            Self::Kafka {
                code, topic, api, ..
            } => answered(side, *code, topic.as_ref(), api),
            Self::NoLeader { at, .. } => Trouble {
                codes: ["K125", "K225"],
                sentence: format!("{at} is offline on the {side}: no broker leads it"),
                hint: Some("bring back a broker that holds a replica of it".into()),
                settings: false,
            },
            Self::NoBroker { broker, .. } => Trouble {
                codes: ["K126", "K226"],
                sentence: format!("the {side} has lost broker {broker}"),
                hint: Some(format!(
                    "bring broker {broker} back, or let its partitions move"
                )),
                settings: false,
            },
            Self::OtherCluster { .. } => Trouble {
                codes: ["K140", "K240"],
                sentence: format!("the {side}'s servers do not all belong to one cluster"),
                hint: Some(format!(
                    "`{side}.bootstrap` must name servers of one cluster only; was a cluster made anew at an old address?"
                )),
                settings: true,
            },
            // What was behind it tells more than that the time is up.
            Self::GaveUp { source, .. } => source.trouble(),
            Self::Incomplete { .. } => Trouble {
                codes: ["K122", "K222"],
                sentence: format!("a {side} broker gave an answer that makes no sense"),
                hint: None,
                settings: false,
            },
            Self::Batch { at, .. } => Trouble {
                codes: ["K141", "K241"],
                sentence: format!("records of {at} on the {side} cannot be read"),
                hint: Some("kafka-dump-log on the broker shows what is stored there".into()),
                settings: false,
            },
        }
    }
}

/// Named topics that the source does not have, or does not show to this user.
pub fn missing_topics(names: &[TopicName]) -> Failure {
    let (are, they) = if names.len() == 1 {
        ("is", "topic")
    } else {
        ("are", "topics")
    };
    Failure::new(
        Exit::Source,
        "K131",
        format!(
            "{they} {} {are} not on the source, or not visible to this user",
            some_of(names)
        ),
    )
    .hint("correct `scope.topics`, or allow the source's user to Describe and Read what it names")
    .next(LOOK_AT_SETTINGS)
}

/// No topic that the source shows is in scope.
pub fn empty_scope() -> Failure {
    Failure::new(
        Exit::Source,
        "K132",
        "the scope is empty: no topic that the source shows to this user matches `scope.topics`",
    )
    .hint("widen `scope.topics`, or allow the source's user to Describe and Read its topics")
    .next(LOOK_AT_SETTINGS)
}

/// Trouble on the way to a broker. `tried` are the addresses, where none of them gave a connection.
fn at_wire(side: Side, error: &wire::Error, tried: Option<&Vec<String>>) -> Trouble {
    use wire::Error as W;
    let settings = |codes, sentence: String, hint: String| Trouble {
        codes,
        sentence,
        hint: Some(hint),
        settings: true,
    };
    let passing = |codes, sentence: String, hint: String| Trouble {
        codes,
        sentence,
        hint: Some(hint),
        settings: false,
    };
    // For those troubles that are about everything that was tried.
    let everywhere = tried.map_or_else(
        || format!("a {side} broker"),
        |tried| format!("the {side} at {}", some_of(tried)),
    );
    match error {
        W::Address { address } => settings(
            ["K101", "K201"],
            format!("the {side} names a server `{address}`, which is no address"),
            "look at advertised.listeners of its brokers".into(),
        ),
        W::Resolve { host, .. } => settings(
            ["K102", "K202"],
            format!("cannot reach {everywhere}: {host} has no address"),
            "correct the name, or run this where the brokers' names resolve".into(),
        ),
        W::Connect { .. } => passing(
            ["K101", "K201"],
            format!("cannot reach {everywhere}: no connection"),
            "are its brokers up, and does a firewall let this machine in?".into(),
        ),
        W::ConnectTimeout { .. } => passing(
            ["K103", "K203"],
            format!("cannot reach {everywhere}: it took too long"),
            format!("is it overloaded, or the port that of something else? `{side}.connect_timeout` is how long we wait"),
        ),
        W::Login { mechanism: "OAUTHBEARER", username, .. } => settings(
            ["K104", "K204"],
            format!("the {side} refused our token for {username}"),
            "may these credentials connect there? MSK asks for kafka-cluster:Connect on the cluster, and for the right region".into(),
        ),
        W::Login { username, .. } => settings(
            ["K104", "K204"],
            format!("the {side} refused the login of {username}: wrong user name or password"),
            format!("check `{side}.auth.username` and where `{side}.auth.password` points to"),
        ),
        W::Mechanism { mechanism, .. } => settings(
            ["K105", "K205"],
            format!("the {side} offers no login with {mechanism}"),
            format!("set `{side}.auth.mechanism` to one it offers"),
        ),
        W::NoLoginHere { .. } => settings(
            ["K106", "K206"],
            format!("the {side} takes no login on this port"),
            format!("leave [{side}.auth] out, or name the port of the listener with SASL in `{side}.bootstrap`"),
        ),
        W::LoginWanted { .. } => settings(
            ["K107", "K207"],
            format!("the {side} hung up on somebody without a login"),
            format!("add [{side}.auth] with mechanism, username and password"),
        ),
        W::Token { why, .. } => passing(
            ["K104", "K204"],
            why.failure.message.clone(),
            "`aws sts get-caller-identity` shows whose credentials there are".into(),
        ),
        W::Imposter { .. } => settings(
            ["K108", "K208"],
            format!("the {side} could not prove that it knows the password itself"),
            format!("is the address in `{side}.bootstrap` really the cluster's?"),
        ),
        W::UnknownIssuer { .. } => settings(
            ["K110", "K210"],
            format!("the {side}'s certificate is not signed by an authority we trust"),
            format!("name the right authority's PEM file in `{side}.tls.ca`"),
        ),
        W::CertificateName { host, .. } => settings(
            ["K111", "K211"],
            format!("the {side}'s certificate is not made out to {host}"),
            format!("name the servers in `{side}.bootstrap` and in advertised.listeners as the certificate does"),
        ),
        W::Tls { .. } => settings(
            ["K112", "K212"],
            format!("no TLS connection to the {side}"),
            "is the certificate still valid, and does the broker offer TLS 1.2 or 1.3?".into(),
        ),
        W::NotTls { .. } => settings(
            ["K113", "K213"],
            format!("the settings ask for TLS, and the {side} speaks none on this port"),
            format!("leave [{side}.tls] out, or name the port of the listener with TLS in `{side}.bootstrap`"),
        ),
        W::SpeaksTls { .. } => settings(
            ["K114", "K214"],
            format!("the {side} speaks TLS on this port, and the settings ask for plain text"),
            format!("add [{side}.tls], with `ca` where the authority is a private one"),
        ),
        W::Roots { .. } => settings(
            ["K115", "K215"],
            format!("the certificates to trust for the {side} cannot be used"),
            format!("`{side}.tls.ca` must name a PEM file of authorities"),
        ),
        W::Version { .. } => settings(
            ["K120", "K220"],
            format!("the {side} is too old, too new, or no Apache Kafka: we have no version of a request in common"),
            "brokers from Apache Kafka 2.8 on are spoken to".into(),
        ),
        W::Refused { .. } => passing(
            ["K121", "K221"],
            format!("the {side} refused the connection"),
            "the broker's log says more".into(),
        ),
        W::Malformed { .. } | W::FrameLength { .. } | W::Correlation { .. } => settings(
            ["K122", "K222"],
            format!("what answers as the {side} does not speak Kafka's protocol as we know it"),
            format!("is the port in `{side}.bootstrap` a Kafka listener, with nothing in between that changes bytes?"),
        ),
        W::Closed { .. } if tried.is_some() => passing(
            ["K123", "K223"],
            format!("{everywhere} hangs up before it has answered anything"),
            "is it a Kafka listener, and does it admit this machine? A listener that wants TLS or a login may do this too".into(),
        ),
        W::Closed { .. } | W::CutOff { .. } | W::Io { .. } => passing(
            ["K123", "K223"],
            format!("the connection to {everywhere} broke"),
            "was the broker restarted? What was done so far is kept".into(),
        ),
        W::TimedOut { .. } => passing(
            ["K124", "K224"],
            format!("{everywhere} did not answer in time"),
            format!("is it overloaded? `{side}.request_timeout` is how long we wait"),
        ),
        W::Unencodable { .. } | W::MayNotSend { .. } | W::Dropped { .. } => Trouble {
            codes: ["K150", "K250"],
            sentence: format!("a question to the {side} could not be sent"),
            hint: None,
            settings: false,
        },
    }
}

/// A broker's error code.
fn answered(side: Side, code: i16, topic: Option<&TopicName>, api: &str) -> Trouble {
    let about = topic
        .map(|topic| format!(" of {topic}"))
        .unwrap_or_default();
    if retry::is_authorization(code) {
        return Trouble {
            codes: ["K130", "K230"],
            sentence: format!("the {side}'s user is not allowed to do {api}{about}"),
            hint: Some(rights(side, code).to_owned()),
            settings: false,
        };
    }
    match code {
        // UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID.
        3 | 100 => Trouble {
            codes: ["K133", "K233"],
            sentence: format!(
                "{} is gone from the {side}, or was never there",
                topic.map_or_else(|| "a topic".to_owned(), |topic| format!("topic {topic}"))
            ),
            hint: Some("was it deleted, or made anew, meanwhile?".into()),
            settings: false,
        },
        _ => Trouble {
            codes: ["K150", "K250"],
            sentence: format!("the {side} did not do {api}{about}"),
            hint: Some("the broker's log says more".into()),
            settings: false,
        },
    }
}

/// What the user of one side needs, by the kind of thing that was refused.
fn rights(side: Side, code: i16) -> &'static str {
    match (code, side) {
        // GROUP_AUTHORIZATION_FAILED.
        (30, _) => "allow it to Describe and Read the groups in scope",
        // TRANSACTIONAL_ID_AUTHORIZATION_FAILED.
        (53, _) => {
            "allow it to Describe and Write transactional ids with the prefix `kafka-migrate.`"
        }
        // CLUSTER_AUTHORIZATION_FAILED.
        (31, Side::Source) => "allow it to DescribeConfigs on the cluster",
        (31, Side::Target) => {
            "allow it to Create, DescribeConfigs and IdempotentWrite on the cluster"
        }
        (_, Side::Source) => "allow it to Describe, DescribeConfigs and Read the topics in scope",
        (_, Side::Target) => {
            "allow it to Create, Alter, Describe, DescribeConfigs, Read and Write the topics in scope, and those with the prefix `kafka-migrate.`"
        }
    }
}

fn exit(side: Side) -> Exit {
    match side {
        Side::Source => Exit::Source,
        Side::Target => Exit::Target,
    }
}

fn code(side: Side, codes: [&'static str; 2]) -> &'static str {
    let [source, target] = codes;
    match side {
        Side::Source => source,
        Side::Target => target,
    }
}

/// `a, b, c and 4 more`.
fn some_of(names: &[impl AsRef<str>]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMED).map(AsRef::as_ref).collect();
    let shown = shown.join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests;
