//! What a replicator that is there has otherwise than it is asked for now, and whether that can be changed.

use super::{
    described::Described,
    request::{KafkaCluster, Request},
};

/// What stands for the six letters that the service adds to a secret's name.
const END: &str = "??????";

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

/// What of both clusters differs from what was sent: the service shows little of them later, and changes none of it.
pub fn resent(sent: &[KafkaCluster], wanted: &[KafkaCluster]) -> Vec<Difference> {
    type Reads = fn(&KafkaCluster) -> Vec<String>;
    let reads: [(&'static str, Reads); 8] = [
        ("brokers of the external cluster", |one| {
            let external = one.apache_kafka_cluster.iter();
            external
                .map(|one| one.bootstrap_broker_string.clone())
                .collect()
        }),
        ("id of the external cluster", |one| {
            let external = one.apache_kafka_cluster.iter();
            external
                .map(|one| one.apache_kafka_cluster_id.clone())
                .collect()
        }),
        ("subnets", |one| {
            let vpc = one.vpc_config.iter();
            vpc.flat_map(|vpc| vpc.subnet_ids.clone()).collect()
        }),
        ("security groups", |one| {
            let vpc = one.vpc_config.iter();
            vpc.flat_map(|vpc| vpc.security_group_ids.clone()).collect()
        }),
        ("SCRAM mechanism", |one| {
            let login = one.client_authentication.iter();
            login.map(|one| one.sasl_scram.mechanism.clone()).collect()
        }),
        ("secret of the login", |one| {
            let login = one.client_authentication.iter();
            login.map(|one| one.sasl_scram.secret_arn.clone()).collect()
        }),
        ("secret of the certificates", |one| {
            let tls = one.encryption_in_transit.iter();
            tls.filter_map(|tls| tls.root_ca_certificate.clone())
                .collect()
        }),
        ("encryption", |one| {
            let tls = one.encryption_in_transit.iter();
            tls.map(|tls| tls.encryption_type.clone()).collect()
        }),
    ];
    let all = |clusters: &[KafkaCluster], read: Reads| -> Vec<String> {
        let mut all: Vec<String> = clusters.iter().flat_map(read).collect();
        all.sort_unstable();
        all
    };
    let words = |texts: &[String]| match texts.is_empty() {
        true => "none".to_owned(),
        false => texts.join(" "),
    };
    let mut found = Vec::new();
    for (what, read) in reads {
        let (is, wanted) = (all(sent, read), all(wanted, read));
        let mut pairs = is.iter().zip(&wanted);
        if is.len() != wanted.len() || !pairs.all(|(is, wanted)| is_the_same(is, wanted)) {
            found.push(Difference {
                what,
                is: words(&is),
                wanted: words(&wanted),
                can_be_changed: false,
            });
        }
    }
    found
}

/// Of a secret that is not there yet the end of the ARN is not known.
fn is_the_same(is: &str, wanted: &str) -> bool {
    let ends = |text: &str| text.len().checked_sub(END.len());
    match (wanted.strip_suffix(END), ends(is)) {
        (Some(begins), Some(at)) => is.get(..at) == Some(begins),
        _ => is == wanted,
    }
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
    fn what_was_sent_of_the_clusters_is_remembered_to_the_letter() {
        let request = &documents().forward;
        let sent = &request.kafka_clusters;
        assert_eq!(resent(sent, sent), []);
        type Change = fn(&mut KafkaCluster);
        let changes: [(&str, Change); 7] = [
            ("brokers of the external cluster", |one| {
                if let Some(external) = &mut one.apache_kafka_cluster {
                    external.bootstrap_broker_string += ",b:9096";
                }
            }),
            ("id of the external cluster", |one| {
                if let Some(external) = &mut one.apache_kafka_cluster {
                    external.apache_kafka_cluster_id += "x";
                }
            }),
            ("subnets", |one| {
                if let Some(vpc) = &mut one.vpc_config {
                    vpc.subnet_ids.push("subnet-9".into());
                }
            }),
            ("security groups", |one| {
                if let Some(vpc) = &mut one.vpc_config {
                    vpc.security_group_ids.push("sg-9".into());
                }
            }),
            ("SCRAM mechanism", |one| {
                if let Some(login) = &mut one.client_authentication {
                    login.sasl_scram.mechanism += "x";
                }
            }),
            ("secret of the login", |one| {
                if let Some(login) = &mut one.client_authentication {
                    login.sasl_scram.secret_arn = "arn:another-AbCdEf".into();
                }
            }),
            ("secret of the certificates", |one| {
                if let Some(tls) = &mut one.encryption_in_transit {
                    tls.root_ca_certificate = None;
                }
            }),
        ];
        for (what, change) in changes {
            let mut wanted = sent.clone();
            wanted.iter_mut().for_each(change);
            let found = resent(sent, &wanted);
            let names: Vec<&str> = found.iter().map(|one| one.what).collect();
            assert_eq!(names, [what]);
            assert!(!found[0].can_be_changed && found[0].is != found[0].wanted);
        }
        assert!(is_the_same("arn:secret-AbCdEf", "arn:secret-??????"));
        assert!(!is_the_same("arn:secret-AbCdEf", "arn:secrex-??????"));
        assert!(!is_the_same("arn:secret-AbCdEf", "arn:secret-AbCdEg"));
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
