//! Consumer groups: which there are, who is in them, what they read and where they stand.

use std::collections::BTreeMap;

use kafka_protocol::{
    messages::{
        ConsumerGroupDescribeRequest, ConsumerProtocolSubscription, DescribeGroupsRequest, GroupId,
        ListGroupsRequest,
    },
    protocol::Decodable,
};
use tokio::task::JoinSet;

use super::{
    Cluster, Error, Result,
    pool::{Lane, text},
};
use crate::{
    model::names::TopicPartition,
    wire::{conn::Conn, versions::Ask},
};

/// Groups described by one request.
const AT_ONCE: usize = 100;
const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
const COORDINATOR_NOT_AVAILABLE: i16 = 15;
const NOT_COORDINATOR: i16 = 16;
const GROUP_AUTHORIZATION_FAILED: i16 = 30;

/// A group as its coordinator shows it.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// `consumer` for consumers, `connect` for Connect's workers, else whatever its members call it; empty where all members have left.
    pub protocol_type: String,
    /// Kafka's word for its state.
    pub state: String,
    /// How partitions are shared out.
    pub assignor: String,
    /// Who is in it.
    pub members: Vec<GroupMember>,
    /// Where it stands, by partition; only what was committed.
    pub committed: BTreeMap<TopicPartition, i64>,
    /// It was listed and may not be described: nothing but its name is known.
    pub denied: bool,
}

/// A member of a group.
#[derive(Debug, Clone)]
pub struct GroupMember {
    /// What the client calls itself.
    pub client_id: String,
    /// Topics it reads; `None` where that cannot be told.
    pub topics: Option<Vec<String>>,
}

impl Cluster {
    /// Every group that the cluster shows this login, with members and positions. A broker shows all groups to who may Describe the
    /// cluster, else only those that may be described one by one: an empty answer is no proof that there are none.
    pub async fn groups(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<Group>> {
        let api = ListGroupsRequest::API.name;
        let mut patience = self.patience(api);
        loop {
            match self.groups_once(&wanted).await {
                Ok(groups) => return Ok(groups),
                Err(error) => {
                    if patience.after(error).await? {
                        self.refresh_leaders().await?;
                    }
                }
            }
        }
    }

    /// The broker that lists a group coordinates it, so that nobody has to be asked where it is.
    async fn groups_once(&self, wanted: &impl Fn(&str) -> bool) -> Result<Vec<Group>> {
        let mut asking = JoinSet::new();
        for broker in self.brokers() {
            let api = ListGroupsRequest::API.name;
            let conn = self.conn(broker, Lane::Ask, api).await?;
            let listed = self.ask(&conn, &ListGroupsRequest::default()).await?;
            self.check_group(&conn, api, listed.error_code)?;
            let (new, old): (Vec<_>, Vec<_>) = listed
                .groups
                .into_iter()
                .filter(|group| wanted(&group.group_id.0))
                // Share groups have no positions of this kind.
                .filter(|group| !group.group_type.eq_ignore_ascii_case("share"))
                .partition(|group| group.group_type.eq_ignore_ascii_case("consumer"));
            let names = |groups: Vec<
                kafka_protocol::messages::list_groups_response::ListedGroup,
            >|
             -> Vec<String> {
                groups
                    .into_iter()
                    .map(|group| group.group_id.0.to_string())
                    .collect()
            };
            for (names, is_new) in [(names(old), false), (names(new), true)] {
                for some in names.chunks(AT_ONCE) {
                    let (cluster, conn, some) = (self.clone(), conn.clone(), some.to_vec());
                    asking.spawn(async move { cluster.described(&conn, &some, is_new).await });
                }
            }
        }
        let mut groups = Vec::new();
        while let Some(described) = asking.join_next().await {
            if let Ok(described) = described {
                groups.extend(described?);
            }
        }
        groups.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(groups)
    }

    async fn described(&self, conn: &Conn, names: &[String], is_new: bool) -> Result<Vec<Group>> {
        let ids = names.iter().map(|name| GroupId(text(name))).collect();
        let mut groups = Vec::with_capacity(names.len());
        if is_new {
            let api = ConsumerGroupDescribeRequest::API.name;
            let request = ConsumerGroupDescribeRequest::default().with_group_ids(ids);
            for group in self.ask(conn, &request).await?.groups {
                if group.error_code == GROUP_AUTHORIZATION_FAILED {
                    groups.push(denied(&group.group_id));
                    continue;
                }
                self.check_group(conn, api, group.error_code)?;
                let member = |member: &kafka_protocol::messages::consumer_group_describe_response::Member| {
                    let names = member.subscribed_topic_names.iter();
                    let topics = names.map(|name| name.0.to_string()).collect();
                    let regex = member.subscribed_topic_regex.as_ref();
                    GroupMember {
                        client_id: member.client_id.to_string(),
                        topics: regex.is_none_or(|regex| regex.is_empty()).then_some(topics),
                    }
                };
                groups.push(Group {
                    name: group.group_id.0.to_string(),
                    protocol_type: "consumer".to_owned(),
                    state: group.group_state.to_string(),
                    assignor: group.assignor_name.to_string(),
                    members: group.members.iter().map(member).collect(),
                    committed: BTreeMap::new(),
                    denied: false,
                });
            }
        } else {
            let api = DescribeGroupsRequest::API.name;
            let request = DescribeGroupsRequest::default().with_groups(ids);
            for group in self.ask(conn, &request).await?.groups {
                if group.error_code == GROUP_AUTHORIZATION_FAILED {
                    groups.push(denied(&group.group_id));
                    continue;
                }
                self.check_group(conn, api, group.error_code)?;
                let is_consumer = &*group.protocol_type == "consumer";
                let members = group.members.iter().map(|member| GroupMember {
                    client_id: member.client_id.to_string(),
                    topics: is_consumer
                        .then(|| subscription(&member.member_metadata))
                        .flatten(),
                });
                groups.push(Group {
                    name: group.group_id.0.to_string(),
                    protocol_type: group.protocol_type.to_string(),
                    state: group.group_state.to_string(),
                    assignor: group.protocol_data.to_string(),
                    members: members.collect(),
                    committed: BTreeMap::new(),
                    denied: false,
                });
            }
        }
        let names: Vec<String> = groups
            .iter()
            .filter(|group| !group.denied)
            .map(|group| group.name.clone())
            .collect();
        let mut positions = self.positions(&names).await;
        for group in groups.iter_mut().filter(|group| !group.denied) {
            if let Some(commits) = positions.remove(&group.name) {
                let commits = commits?.into_iter();
                group.committed = commits.map(|(at, commit)| (at, commit.offset)).collect();
            }
        }
        Ok(groups)
    }

    fn check_group(&self, conn: &Conn, api: &'static str, code: i16) -> Result<()> {
        let side = self.side();
        match code {
            0 => Ok(()),
            // A group moved between two questions: all of them are asked again, after the brokers.
            COORDINATOR_LOAD_IN_PROGRESS | COORDINATOR_NOT_AVAILABLE | NOT_COORDINATOR => {
                Err(Error::NoBroker { side, broker: -1 })
            }
            code => Err(Error::Kafka {
                side,
                broker: Some(conn.address().clone()),
                api,
                topic: None,
                partition: None,
                code,
                message: None,
            }),
        }
    }
}

/// A group that this login may see in the list and not look into: who may Describe the cluster is shown all of them.
fn denied(id: &GroupId) -> Group {
    Group {
        name: id.0.to_string(),
        protocol_type: String::new(),
        state: String::new(),
        assignor: String::new(),
        members: Vec::new(),
        committed: BTreeMap::new(),
        denied: true,
    }
}

/// Topics of a consumer's subscription (`ConsumerProtocolSubscription`, its version in front).
fn subscription(metadata: &bytes::Bytes) -> Option<Vec<String>> {
    let mut bytes = metadata.clone();
    let version = i16::from_be_bytes(bytes.get(..2)?.try_into().ok()?);
    bytes::Buf::advance(&mut bytes, 2);
    // Later versions only add to the end.
    let version = version.clamp(0, 3);
    let subscription = ConsumerProtocolSubscription::decode(&mut bytes, version).ok()?;
    let topics = subscription.topics.iter().map(ToString::to_string);
    // librdkafka subscribes to a pattern by a name that begins so, which no topic's does: what it reads is not told.
    let topics: Vec<String> = topics.collect();
    (!topics.iter().any(|topic| topic.starts_with('^'))).then_some(topics)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_subscription_names_its_topics_and_bytes_of_nobody_name_none() {
        let bytes = b"\0\x01\0\0\0\x02\0\x01a\0\x02bc\xff\xff\xff\xff\0\0\0\0";
        let told = subscription(&Bytes::from_static(bytes));
        assert_eq!(told, Some(vec!["a".to_owned(), "bc".to_owned()]));
        for end in 0..bytes.len() {
            drop(subscription(&Bytes::from_static(&bytes[..end])));
        }
        let pattern = b"\0\x01\0\0\0\x01\0\x03^a.\xff\xff\xff\xff\0\0\0\0";
        assert_eq!(subscription(&Bytes::from_static(pattern)), None);
        assert_eq!(
            subscription(&Bytes::from_static(b"\0\x01\x7f\xff\xff\xff")),
            None
        );
    }
}
