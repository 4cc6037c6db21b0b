//! Quotas of this login: how fast brokers let it read and write.

use kafka_protocol::messages::{
    DescribeClientQuotasRequest,
    describe_client_quotas_response::{EntityData, EntryData},
};

use super::{Cluster, Error, Result};
use crate::{
    model::connection::Auth,
    wire::{frame::CLIENT_ID, versions::Ask},
};

/// Who does not log in.
const NOBODY: &str = "ANONYMOUS";

/// What brokers let a login do, per broker; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Quotas {
    /// Bytes per second written.
    pub produce: Option<f64>,
    /// Bytes per second read.
    pub consume: Option<f64>,
    /// Per cent of a broker's request threads.
    pub requests: Option<f64>,
}

impl Cluster {
    /// The quotas that hold for this login and our client id (DescribeClientQuotas; needs the right to DescribeConfigs of the cluster).
    pub async fn quotas(&self) -> Result<Quotas> {
        let api = DescribeClientQuotasRequest::API.name;
        let conn = self.any().await?;
        let request = DescribeClientQuotasRequest::default()
            .with_components(Vec::new())
            .with_strict(false);
        let answer = self.ask(&conn, &request).await?;
        if answer.error_code != 0 {
            return Err(Error::Kafka {
                side: self.side(),
                broker: Some(conn.address().clone()),
                api,
                topic: None,
                partition: None,
                code: answer.error_code,
                message: answer.error_message.map(|message| message.to_string()),
            });
        }
        let user = match &self.settings().auth {
            Auth::None => NOBODY,
            // As far as it is known.
            Auth::Bearer(tokens) => tokens.name(),
            Auth::Plain { username, .. } | Auth::Scram { username, .. } => username,
        };
        Ok(in_force(
            &answer.entries.unwrap_or_default(),
            user,
            CLIENT_ID,
        ))
    }
}

/// The most telling entry decides, each quota by itself (`ClientQuotaManager`, KIP-55).
fn in_force(entries: &[EntryData], user: &str, client: &str) -> Quotas {
    let of = |key: &str| {
        entries
            .iter()
            .filter_map(|entry| Some((rank(&entry.entity, user, client)?, entry)))
            .filter_map(|(rank, entry)| {
                let value = entry.values.iter().find(|value| &*value.key == key)?;
                Some((rank, value.value))
            })
            .max_by_key(|(rank, _)| *rank)
            .map(|(_, value)| value)
    };
    Quotas {
        produce: of("producer_byte_rate"),
        consume: of("consumer_byte_rate"),
        requests: of("request_percentage"),
    }
}

/// How telling an entry is for this login; `None` if it is about others. A name says more than a default, a user more than a client id.
fn rank(entity: &[EntityData], user: &str, client: &str) -> Option<u32> {
    let mut rank = 0;
    for part in entity {
        let (name, named, default) = match &*part.entity_type {
            "user" => (user, 100, 10),
            "client-id" => (client, 2, 1),
            _ => return None,
        };
        rank += match part.entity_name.as_deref() {
            Some(other) if other == name => named,
            Some(_) => return None,
            None => default,
        };
    }
    (rank > 0).then_some(rank)
}

#[cfg(test)]
mod tests {
    use kafka_protocol::{
        messages::describe_client_quotas_response::ValueData, protocol::StrBytes,
    };

    use super::*;

    fn entry(entity: &[(&'static str, Option<&'static str>)], rate: f64) -> EntryData {
        let part = |(kind, name): &(&'static str, Option<&'static str>)| {
            EntityData::default()
                .with_entity_type(StrBytes::from_static_str(kind))
                .with_entity_name(name.map(StrBytes::from_static_str))
        };
        let value = ValueData::default()
            .with_key(StrBytes::from_static_str("consumer_byte_rate"))
            .with_value(rate);
        EntryData::default()
            .with_entity(entity.iter().map(part).collect())
            .with_values(vec![value])
    }

    #[test]
    fn the_most_telling_entry_decides_and_those_of_others_never() {
        // In Kafka's own order, the most telling first.
        let all = [
            entry(&[("user", Some("me")), ("client-id", Some("us"))], 1.0),
            entry(&[("user", Some("me")), ("client-id", None)], 2.0),
            entry(&[("user", Some("me"))], 3.0),
            entry(&[("user", None), ("client-id", Some("us"))], 4.0),
            entry(&[("user", None), ("client-id", None)], 5.0),
            entry(&[("user", None)], 6.0),
            entry(&[("client-id", Some("us"))], 7.0),
            entry(&[("client-id", None)], 8.0),
            entry(&[("user", Some("other"))], 9.0),
            entry(&[("user", Some("me")), ("client-id", Some("other"))], 10.0),
            entry(&[("ip", None)], 11.0),
        ];
        for first in 0..8 {
            let mut left = all[first..].to_vec();
            left.reverse();
            let found = in_force(&left, "me", "us");
            assert_eq!(found.consume, Some((first + 1) as f64));
            assert_eq!(found.produce, None);
        }
        assert_eq!(in_force(&all[8..], "me", "us"), Quotas::default());
    }
}
