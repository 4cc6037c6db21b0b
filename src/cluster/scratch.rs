//! A topic of our own on the target that is made to try something on, and removed.

use super::{Error, NewTopic, OffsetSpec, Probe, Result, Target};
use crate::model::names::{TopicName, TopicPartition};

/// Partitions at most: one for each broker, so that each leads one.
const PARTITIONS: usize = 32;
/// Should nobody ever remove it, what is in it goes by itself.
const RETENTION: &str = "3600000";
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const INVALID_CONFIG: i16 = 40;
const POLICY_VIOLATION: i16 = 44;

/// The topic `kafka-migrate.<migration>.probe`. There is no other name that can be removed.
pub(super) struct Scratch {
    target: Target,
    pub(super) name: TopicName,
}

impl Target {
    /// Which rights are missing to make, write, read and remove it; asked before it is made, so that none is made that cannot be removed.
    pub(super) async fn lacks_for_scratch(&self, name: &TopicName) -> Result<Vec<&'static str>> {
        let names = std::slice::from_ref(name);
        let (write, read, delete) = tokio::join!(
            self.may_write(names),
            self.may_read(names),
            self.may_delete_records(names),
        );
        let mut lacks = Vec::new();
        for (answers, right) in [(write?, "Write"), (read?, "Read"), (delete?, "Delete")] {
            if answers.get(name) != Some(&Probe::Allowed) {
                lacks.push(right);
            }
        }
        Ok(lacks)
    }

    /// Makes it, with as many partitions as there are brokers. One that an earlier command left behind is as good.
    pub(super) async fn scratch(&self, migration: &str) -> Result<Scratch> {
        let name = scratch_name(migration);
        let partitions = self.brokers().len().clamp(1, PARTITIONS);
        let set = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let mut topic = NewTopic {
            name: name.clone(),
            partitions: i32::try_from(partitions).unwrap_or(1),
            replication: -1,
            // What is asked is what brokers do by themselves, not what a setting makes them do.
            configs: [
                ("compression.type", "producer"),
                ("message.timestamp.type", "CreateTime"),
                ("cleanup.policy", "delete"),
                ("retention.ms", RETENTION),
            ]
            .map(set)
            .into(),
        };
        let objects =
            |error: &Error| matches!(error.code(), Some(INVALID_CONFIG | POLICY_VIOLATION));
        let first = |made: Vec<Result<bool>>| made.into_iter().next().unwrap_or(Ok(true));
        let mut made = first(
            self.create_topics(std::slice::from_ref(&topic), false)
                .await?,
        );
        if made.as_ref().is_err_and(objects) {
            topic.configs.clear();
            made = first(self.create_topics(&[topic], false).await?);
        }
        made?;
        let target = self.clone();
        Ok(Scratch { target, name })
    }
}

/// Its name.
pub(super) fn scratch_name(migration: &str) -> TopicName {
    format!("kafka-migrate.{migration}.probe").as_str().into()
}

impl Scratch {
    /// Its partitions, when all of them have a leader that answers.
    pub(super) async fn partitions(&self) -> Result<Vec<TopicPartition>> {
        let api = "Metadata";
        let mut patience = self.target.patience(api);
        loop {
            let names = std::slice::from_ref(&self.name);
            let tried = async {
                let found = self.target.topics(Some(names)).await?;
                let numbers = found.iter().flat_map(|topic| &topic.partitions);
                let at = |number| TopicPartition::new(self.name.clone(), number);
                let all: Vec<TopicPartition> = numbers.map(|one| at(one.partition)).collect();
                let ends = self.target.offsets(&all, OffsetSpec::End).await;
                match ends.into_values().find_map(Result::err) {
                    // However long a busy broker takes to hear of a new topic: it was made.
                    Some(error) if error.code() != Some(UNKNOWN_TOPIC_OR_PARTITION) => Err(error),
                    None if !all.is_empty() => Ok(all),
                    _ => Err(Error::NoLeader {
                        side: self.target.side(),
                        at: TopicPartition::new(self.name.clone(), 0),
                    }),
                }
            };
            match tried.await {
                Ok(all) => return Ok(all),
                Err(error) => {
                    if patience.after(error).await? {
                        self.target.refresh_leaders().await?;
                    }
                }
            }
        }
    }

    /// Removes it. Removed by somebody else meanwhile is as good.
    pub(super) async fn remove(self) -> Result<()> {
        self.target.remove_topic(&self.name).await
    }
}
