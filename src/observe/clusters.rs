//! What is known of a cluster as a whole: its brokers, its clock, what may be done to it.

use super::{BrokerSeen, ClockSeen, ClusterSeen, Known, Trouble, needs::NOT_ASKED};
use crate::{
    cluster::Cluster,
    error::Failure,
    model::connection::{Auth, Connection, ScramHash},
};

impl From<&Failure> for Trouble {
    fn from(failure: &Failure) -> Self {
        // The outermost cause names what the sentence does not: the broker's words, the address.
        let message = match failure.causes.first() {
            Some(cause) => format!("{} ({cause})", failure.message),
            None => failure.message.clone(),
        };
        Self {
            code: failure.code.to_owned(),
            message,
            hint: failure.hints.first().cloned(),
        }
    }
}

/// Nothing of it could be asked, because no connection came about.
pub fn unreachable(settings: &Connection, failure: &Failure) -> ClusterSeen {
    let reason = || format!("no connection to the {}", settings.side);
    let (user, mechanism) = login(&settings.auth);
    ClusterSeen {
        id: None,
        trouble: Some(Trouble::from(failure)),
        user,
        mechanism,
        bootstrap: settings.bootstrap.clone(),
        tls: settings.tls.is_some(),
        brokers: Known::unknown(reason()),
        clock: Known::unknown(reason()),
        rights: Known::unknown(reason()),
        everyone: Known::unknown(reason()),
        quotas: Known::unknown(reason()),
        clients: Known::unknown(reason()),
    }
}

/// Asks a connected cluster.
pub async fn seen(settings: &Connection, cluster: &Cluster) -> ClusterSeen {
    let (reached, clock, rights) =
        tokio::join!(cluster.reach(), cluster.clock(), cluster.cluster_rights());
    let brokers = reached.into_iter().map(|one| {
        let mut broker = BrokerSeen {
            id: one.broker,
            address: one.address.to_string(),
            trouble: None,
            round_trip_us: 0,
            certificate_ends: None,
            lacks: Vec::new(),
            misses: Vec::new(),
        };
        match one.outcome {
            Ok(reach) => {
                broker.round_trip_us =
                    u64::try_from(reach.round_trip.as_micros()).unwrap_or(u64::MAX);
                broker.certificate_ends = reach.certificate_ends;
                broker.lacks = reach.lacks;
                broker.misses = reach.misses;
            }
            Err(error) => broker.trouble = Some(Trouble::from(&error.failure())),
        }
        broker
    });
    let clock = match clock {
        Ok(Some(clock)) => Known::seen(ClockSeen {
            ahead_ms: clock.ahead_ms,
            within_ms: u64::try_from(clock.within.as_millis()).unwrap_or(u64::MAX),
        }),
        Ok(None) => Known::unknown(format!(
            "the {} does not tell its time: only KRaft clusters do, from Apache Kafka 3.3 on",
            settings.side
        )),
        Err(error) => Known::unknown(error.to_string()),
    };
    let rights = match rights {
        Ok(Some(rights)) => Known::seen(rights),
        Ok(None) => Known::unknown(format!(
            "the {} does not tell what this login may do",
            settings.side
        )),
        Err(error) => Known::unknown(error.to_string()),
    };
    let (user, mechanism) = login(&settings.auth);
    ClusterSeen {
        id: Some(cluster.id().to_owned()).filter(|id| !id.is_empty()),
        trouble: None,
        user,
        mechanism,
        bootstrap: settings.bootstrap.clone(),
        tls: settings.tls.is_some(),
        brokers: Known::seen(brokers.collect()),
        clock,
        rights,
        everyone: Known::unknown(NOT_ASKED),
        quotas: Known::unknown(NOT_ASKED),
        clients: Known::unknown(NOT_ASKED),
    }
}

fn login(auth: &Auth) -> (Option<String>, &'static str) {
    match auth {
        Auth::None => (None, "none"),
        Auth::Plain { username, .. } => (Some(username.clone()), "PLAIN"),
        Auth::Scram { hash, username, .. } => {
            let mechanism = match hash {
                ScramHash::Sha256 => "SCRAM-SHA-256",
                ScramHash::Sha512 => "SCRAM-SHA-512",
            };
            (Some(username.clone()), mechanism)
        }
        // Whom the broker takes us for stands in the token, and MSK gives that no name that ACLs know.
        Auth::Bearer(_) => (None, "OAUTHBEARER"),
    }
}
