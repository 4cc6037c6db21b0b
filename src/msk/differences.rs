//! What a replicator that is there has otherwise than it is asked for now, and whether that can be changed.

use super::{described::Described, request::Request};

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What.
    pub what: &'static str,
    /// As it is.
    pub is: String,
    /// As it is asked for.
    pub wanted: String,
    /// UpdateReplicationInfo changes it; otherwise only a new replicator has it.
    pub can_be_changed: bool,
}

/// Everything that differs. What the service does not show cannot be compared.
pub fn differences(described: &Described, request: &Request) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut compare = |what, is: String, wanted: String, can_be_changed| {
        if is != wanted {
            found.push(Difference {
                what,
                is,
                wanted,
                can_be_changed,
            });
        }
    };
    let list = |texts: &[String]| {
        let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        texts.sort_unstable();
        match texts.is_empty() {
            true => "none".to_owned(),
            false => texts.join(" "),
        }
    };
    let word = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let Some(info) = request.replication_info_list.first() else {
        return found;
    };
    let (topics, groups) = (&info.topic_replication, &info.consumer_group_replication);
    compare(
        "topics",
        list(&described.topics),
        list(&topics.topics_to_replicate),
        true,
    );
    compare(
        "topics left out",
        list(&described.topics_to_exclude),
        list(&topics.topics_to_exclude),
        true,
    );
    compare(
        "topic settings copied",
        word(described.copy_configs),
        word(topics.copy_topic_configurations),
        true,
    );
    compare(
        "access rules copied",
        word(described.copy_acls),
        word(topics.copy_access_control_lists_for_topics),
        true,
    );
    compare(
        "new topics",
        word(described.detect_topics),
        word(topics.detect_and_copy_new_topics),
        true,
    );
    compare(
        "groups",
        list(&described.groups),
        list(&groups.consumer_groups_to_replicate),
        true,
    );
    compare(
        "groups left out",
        list(&described.groups_to_exclude),
        list(&groups.consumer_groups_to_exclude),
        true,
    );
    compare(
        "positions",
        word(described.sync_offsets),
        word(groups.synchronise_consumer_group_offsets),
        true,
    );
    compare(
        "new groups",
        word(described.detect_groups),
        word(groups.detect_and_copy_new_consumer_groups),
        true,
    );
    compare(
        "how positions are carried",
        described.sync_mode.clone(),
        groups.consumer_group_offset_sync_mode.clone(),
        false,
    );
    compare(
        "start",
        described.start.clone(),
        topics.starting_position.r#type.clone(),
        false,
    );
    compare(
        "names",
        described.names.clone(),
        topics.topic_name_configuration.r#type.clone(),
        false,
    );
    compare(
        "compression",
        described.compression.clone(),
        info.target_compression_type.clone(),
        false,
    );
    compare(
        "role",
        described.role_arn.clone(),
        request.service_execution_role_arn.clone(),
        false,
    );
    let mut clusters = request.kafka_clusters.iter();
    let wanted = clusters.find_map(|one| one.amazon_msk_cluster.as_ref());
    if let (Some(is), Some(wanted)) = (&described.msk_cluster_arn, wanted) {
        compare(
            "MSK cluster",
            is.clone(),
            wanted.msk_cluster_arn.clone(),
            false,
        );
    }
    if let Some(from_msk) = described.from_msk {
        let way = |from_msk: bool| if from_msk { "from MSK" } else { "to MSK" }.to_owned();
        compare(
            "direction",
            way(from_msk),
            way(info.source_kafka_cluster_arn.is_some()),
            false,
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::msk::{Direction, documents::tests::documents};

    /// As the service would show what was asked for.
    fn shown(request: &Request) -> Described {
        let info = &request.replication_info_list[0];
        let (topics, groups) = (&info.topic_replication, &info.consumer_group_replication);
        Described {
            topics: topics.topics_to_replicate.iter().rev().cloned().collect(),
            topics_to_exclude: topics.topics_to_exclude.clone(),
            copy_configs: topics.copy_topic_configurations,
            copy_acls: topics.copy_access_control_lists_for_topics,
            detect_topics: topics.detect_and_copy_new_topics,
            start: topics.starting_position.r#type.clone(),
            names: topics.topic_name_configuration.r#type.clone(),
            groups: groups.consumer_groups_to_replicate.clone(),
            groups_to_exclude: groups.consumer_groups_to_exclude.clone(),
            sync_offsets: groups.synchronise_consumer_group_offsets,
            detect_groups: groups.detect_and_copy_new_consumer_groups,
            sync_mode: groups.consumer_group_offset_sync_mode.clone(),
            compression: info.target_compression_type.clone(),
            role_arn: request.service_execution_role_arn.clone(),
            from_msk: Some(info.source_kafka_cluster_arn.is_some()),
            ..Described::default()
        }
    }

    #[test]
    fn nothing_differs_but_the_order_of_lists() {
        let documents = documents();
        for direction in Direction::BOTH {
            let request = documents.request(direction);
            assert_eq!(differences(&shown(request), request), []);
        }
    }

    #[test]
    fn what_can_be_changed_and_what_cannot_are_told_apart() {
        let documents = documents();
        let request = documents.request(Direction::Forward);
        let mut is = shown(request);
        is.topics.push("payments".into());
        is.sync_mode = "LEGACY".into();
        is.from_msk = Some(true);
        let found = differences(&is, request);
        let told: Vec<_> = found
            .iter()
            .map(|one| (one.what, one.can_be_changed))
            .collect();
        assert_eq!(
            told,
            [
                ("topics", true),
                ("how positions are carried", false),
                ("direction", false)
            ]
        );
    }
}
