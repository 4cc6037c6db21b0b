//! Makes topics on the target as they are on the source, without the settings that the target does not take.

use super::{Prepared, Takes, count, parts, settle};
use crate::{
    cluster::{ConfigEntry, Error, NewTopic, Source, Target, TopicInfo},
    engine::{held, sync::configs::CARRIED},
    error::Failure,
    model::names::TopicName,
    wire::codec::Codec,
};

const TIMESTAMP_TYPE: &str = "message.timestamp.type";
const INVALID_CONFIG: i16 = 40;
const POLICY_VIOLATION: i16 = 44;

/// Makes the topics, and waits until the target shows them.
pub(super) async fn missing(
    source: &Source,
    target: &Target,
    topics: Vec<(&TopicInfo, &mut Prepared)>,
    replication: i16,
) -> Result<(), Failure> {
    if topics.is_empty() {
        return Ok(());
    }
    let names: Vec<TopicName> = topics.iter().map(|(topic, _)| topic.name.clone()).collect();
    let configs = source.topic_configs_each(&names).await;
    let configs = configs.map_err(|error| error.failure())?;
    let mut wanted = Vec::with_capacity(topics.len());
    let mut open = Vec::with_capacity(topics.len());
    for (topic, prepared) in topics {
        // Made with settings that are not the source's, it could lose what must be kept.
        let unknown = match configs.get(&topic.name) {
            Some(Ok(entries)) => {
                wanted.push(NewTopic {
                    name: topic.name.clone(),
                    partitions: count(topic),
                    replication,
                    configs: settings(entries),
                });
                open.push((topic, prepared));
                continue;
            }
            Some(Err(error)) => format!(": {error}"),
            None => String::new(),
        };
        let reason = format!(
            "topic {} is not made on the target, since its settings on the source cannot be read{unknown}",
            topic.name
        );
        prepared.refuse("K554", reason);
    }

    let mut made = ask(target, &wanted, false).await?;
    let doubtful: Vec<usize> = (0..made.len())
        .filter(|&index| made[index].as_ref().is_err_and(may_be_a_setting))
        .collect();
    let mut left_out = vec![Vec::new(); made.len()];
    for (index, taken, without) in relaxed(target, &wanted, doubtful).await? {
        made[index] = taken;
        left_out[index] = without;
    }

    let mut fresh = Vec::new();
    let wanted = wanted.into_iter().map(|topic| topic.configs);
    for ((((topic, prepared), answer), left_out), with) in
        open.into_iter().zip(made).zip(left_out).zip(wanted)
    {
        match answer {
            Ok(created) => {
                prepared.created = created;
                if created {
                    prepared.made_from = 0;
                    prepared.made_with = with;
                    prepared
                        .made_with
                        .retain(|(name, value)| !left_out.contains(&format!("{name}={value}")));
                }
                if created && !left_out.is_empty() {
                    prepared.trouble = Some(format!(
                        "topic {} was made without {}, which the target does not take",
                        topic.name,
                        left_out.join(", ")
                    ));
                }
                // One that somebody else made meanwhile has as many as it has.
                fresh.push((prepared, if created { count(topic) } else { 1 }));
            }
            Err(error) => {
                let reason = format!("topic {} cannot be made on the target: {error}", topic.name);
                prepared.refuse("K551", reason);
            }
        }
    }
    settle(target, fresh).await
}

/// Sends the commands, no larger than a controller takes.
async fn ask(
    target: &Target,
    topics: &[NewTopic],
    validate_only: bool,
) -> Result<Vec<Result<bool, Error>>, Failure> {
    let sizes: Vec<usize> = topics
        .iter()
        .map(|topic| usize::try_from(topic.partitions).unwrap_or(0) + topic.configs.len() + 1)
        .collect();
    let mut answers = Vec::with_capacity(topics.len());
    for some in parts(&sizes) {
        let made = target.create_topics(&topics[some], validate_only).await;
        answers.extend(made.map_err(|error| error.failure())?);
    }
    Ok(answers)
}

/// Makes topics with those of their settings that the target takes: validated one setting more at a time, all topics together, so
/// that it takes as many questions as a topic has settings. Answers with what was left out.
async fn relaxed(
    target: &Target,
    wanted: &[NewTopic],
    indices: Vec<usize>,
) -> Result<Vec<(usize, Result<bool, Error>, Vec<String>)>, Failure> {
    let bare = |index: &usize| NewTopic {
        configs: Vec::new(),
        ..wanted[*index].clone()
    };
    let mut topics: Vec<NewTopic> = indices.iter().map(bare).collect();
    let mut left_out = vec![Vec::new(); topics.len()];
    let most = indices.iter().map(|&index| wanted[index].configs.len());
    for nth in 0..most.max().unwrap_or(0) {
        let mut tried = Vec::new();
        let mut with = Vec::new();
        for (position, &index) in indices.iter().enumerate() {
            if let Some(setting) = wanted[index].configs.get(nth) {
                let mut topic = topics[position].clone();
                topic.configs.push(setting.clone());
                tried.push(position);
                with.push(topic);
            }
        }
        let answers = ask(target, &with, true).await?;
        for ((position, topic), answer) in tried.into_iter().zip(with).zip(answers) {
            match answer {
                Err(error) if may_be_a_setting(&error) => {
                    let (name, value) = &wanted[indices[position]].configs[nth];
                    left_out[position].push(format!("{name}={value}"));
                }
                // Any other refusal comes back when the topic is made.
                _ => topics[position] = topic,
            }
        }
    }
    let made = ask(target, &topics, false).await?;
    Ok(indices
        .into_iter()
        .zip(made)
        .zip(left_out)
        .map(|((index, made), left_out)| (index, made, left_out))
        .collect())
}

fn may_be_a_setting(error: &Error) -> bool {
    matches!(error.code(), Some(INVALID_CONFIG | POLICY_VIOLATION))
}

/// What a topic is made with on the target: that records keep their time, and what was set on the source's topic itself.
pub(super) fn settings(of: &[ConfigEntry]) -> Vec<(String, String)> {
    let set = |name: &str| {
        let entry = of.iter().find(|entry| entry.name == name)?;
        entry.value.clone().filter(|_| entry.set_here)
    };
    let mut settings = vec![(TIMESTAMP_TYPE.to_owned(), "CreateTime".to_owned())];
    for name in CARRIED {
        settings.extend(set(name).map(|value| (name.to_owned(), value)));
    }
    settings
}

/// Does this topic give records its own time?
pub(super) fn stamps(entries: &[ConfigEntry]) -> bool {
    entries.iter().any(|entry| {
        entry.name == TIMESTAMP_TYPE && entry.value.as_deref() == Some("LogAppendTime")
    })
}

/// For how many milliseconds a topic with these settings keeps tombstones, if it is compacted.
pub(super) fn tombstones_ms(entries: &[ConfigEntry]) -> Option<i64> {
    let value = |name: &str| {
        let entry = entries.iter().find(|entry| entry.name == name)?;
        entry.value.as_deref()
    };
    let is_compacted = value("cleanup.policy")?.contains("compact");
    let kept = value("delete.retention.ms")?.parse().ok()?;
    is_compacted.then_some(kept)
}

/// The largest batch and the codec that a topic with these settings takes.
pub(super) fn takes(entries: &[ConfigEntry]) -> Takes {
    let value = |name: &str| {
        let entry = entries.iter().find(|entry| entry.name == name)?;
        entry.value.as_deref()
    };
    Takes {
        largest: value("max.message.bytes").and_then(|bytes| bytes.parse().ok()),
        codec: match value("compression.type") {
            Some("uncompressed") => Some(Codec::None),
            Some("gzip") => Some(Codec::Gzip),
            Some("snappy") => Some(Codec::Snappy),
            Some("lz4") => Some(Codec::Lz4),
            Some("zstd") => Some(Codec::Zstd),
            // `producer`: as it comes.
            _ => None,
        },
        too_old_ms: held::too_old_ms(entries),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, value: Option<&str>, set_here: bool) -> ConfigEntry {
        ConfigEntry {
            name: name.into(),
            value: value.map(Into::into),
            set_here,
            read_only: false,
            sensitive: false,
        }
    }

    #[test]
    fn only_what_was_set_on_the_topic_and_means_the_same_is_carried() {
        let entries = [
            entry("retention.ms", Some("1000"), true),
            entry("retention.bytes", Some("-1"), false),
            entry("compression.type", None, true),
            entry("cleanup.policy", Some("compact,delete"), true),
            entry("follower.replication.throttled.replicas", Some("*"), true),
            entry("message.timestamp.type", Some("LogAppendTime"), true),
        ];
        let wanted = [
            ("message.timestamp.type", "CreateTime"),
            ("cleanup.policy", "compact,delete"),
            ("retention.ms", "1000"),
        ];
        let wanted = wanted.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(settings(&entries), wanted);
        let half_of_what_it_keeps = Takes {
            too_old_ms: Some(500),
            ..Takes::default()
        };
        assert_eq!(takes(&entries), half_of_what_it_keeps);
        let entries_of_target = [
            entry("max.message.bytes", Some("1048588"), false),
            entry("compression.type", Some("lz4"), true),
        ];
        let told = Takes {
            largest: Some(1_048_588),
            codec: Some(Codec::Lz4),
            too_old_ms: None,
        };
        assert_eq!(takes(&entries_of_target), told);
        assert!(stamps(&entries));
        assert!(!stamps(&entries[..5]));
        assert_eq!(tombstones_ms(&entries), None);
        let of = |policy| {
            [
                entry("cleanup.policy", Some(policy), false),
                entry("delete.retention.ms", Some("77"), false),
            ]
        };
        assert_eq!(tombstones_ms(&of("delete")), None);
        assert_eq!(tombstones_ms(&of("compact")), Some(77));
        assert_eq!(tombstones_ms(&of("delete,compact")), Some(77));
    }
}
