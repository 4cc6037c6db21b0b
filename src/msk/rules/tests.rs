//! Each rule, broken alone.

use super::*;
use crate::msk::{documents::tests::documents, request::LogDelivery};

/// What is said of the forward request after this change.
fn said(change: impl FnOnce(&mut Request)) -> String {
    let mut request = documents().forward;
    change(&mut request);
    let found = broken(&request, Direction::Forward);
    let found: Vec<String> = found
        .iter()
        .map(|one| format!("{}: {}", one.place, one.why))
        .collect();
    found.join("\n")
}

#[test]
fn each_rule_speaks_when_it_alone_is_broken() {
    type Change = fn(&mut Request);
    let cases: &[(Change, &str)] = &[
        (|r| r.replicator_name = "bad_name".into(), "hyphens"),
        (|r| r.replicator_name = "-x".into(), "not a hyphen first"),
        (|r| r.replicator_name = "x".repeat(129), "1 to 128"),
        (|r| r.description = Some("x".repeat(1025)), "1,024"),
        (
            |r| r.service_execution_role_arn = "arn:aws:iam::1:user/x".into(),
            "ARN of a role",
        ),
        (|r| drop(r.kafka_clusters.pop()), "exactly 2"),
        (
            |r| r.kafka_clusters[1] = r.kafka_clusters[0].clone(),
            "has to be a cluster of MSK",
        ),
        (
            |r| {
                r.kafka_clusters[0].amazon_msk_cluster =
                    r.kafka_clusters[1].amazon_msk_cluster.clone()
            },
            "one of AmazonMskCluster and",
        ),
        (
            |r| r.kafka_clusters[0].client_authentication = None,
            "needs ClientAuthentication",
        ),
        (
            |r| r.kafka_clusters[0].encryption_in_transit = None,
            "whoever signed",
        ),
        (
            |r| {
                r.kafka_clusters[1].encryption_in_transit =
                    r.kafka_clusters[0].encryption_in_transit.clone()
            },
            "external clusters only",
        ),
        (|r| r.kafka_clusters[1].vpc_config = None, "needs VpcConfig"),
        (
            |r| external(r).apache_kafka_cluster_id.clear(),
            "own id is missing",
        ),
        (
            |r| external(r).bootstrap_broker_string = "kafka1".into(),
            "host:port",
        ),
        (
            |r| {
                r.kafka_clusters[0]
                    .client_authentication
                    .as_mut()
                    .expect("there")
                    .sasl_scram
                    .mechanism = "SCRAM-SHA-512".into()
            },
            "not Kafka's names",
        ),
        (
            |r| {
                r.kafka_clusters[0]
                    .encryption_in_transit
                    .as_mut()
                    .expect("there")
                    .root_ca_certificate = Some("-----BEGIN".into())
            },
            "PEM text does not stand here",
        ),
        (
            |r| {
                r.kafka_clusters[0]
                    .encryption_in_transit
                    .as_mut()
                    .expect("there")
                    .encryption_type = "PLAINTEXT".into()
            },
            "TLS alone",
        ),
        (|r| drop(vpc(r).subnet_ids.drain(1..)), "two or three"),
        (|r| vpc(r).subnet_ids[1] = "subnet-1".into(), "each once"),
        (
            |r| vpc(r).security_group_ids = (0..17).map(|n| format!("sg-{n}")).collect(),
            "at most 16",
        ),
        (
            |r| {
                r.replication_info_list
                    .push(r.replication_info_list[0].clone())
            },
            "exactly 1",
        ),
        (
            |r| info(r).source_kafka_cluster_arn = info(r).target_kafka_cluster_arn.clone(),
            "by one of them",
        ),
        (
            |r| info(r).source_kafka_cluster_id = Some("other".into()),
            "id of the source is not that",
        ),
        (
            |r| info(r).target_kafka_cluster_arn = Some("arn:other".into()),
            "ARN of the target is not that",
        ),
        (
            |r| info(r).target_compression_type = "lz4".into(),
            "NONE, GZIP",
        ),
        (
            |r| info(r).topic_replication.topics_to_replicate.clear(),
            "at least one",
        ),
        (
            |r| info(r).topic_replication.topics_to_exclude = vec!["x".repeat(250)],
            "1 to 249",
        ),
        (
            |r| info(r).topic_replication.topics_to_replicate = vec!["x".into(); 101],
            "100 are taken",
        ),
        (
            |r| {
                info(r)
                    .consumer_group_replication
                    .consumer_groups_to_replicate = vec!["x".repeat(257)]
            },
            "1 to 256",
        ),
        (
            |r| info(r).topic_replication.starting_position.r#type = "NOW".into(),
            "EARLIEST or LATEST",
        ),
        (
            |r| info(r).topic_replication.topic_name_configuration.r#type = "PREFIXED".into(),
            "IDENTICAL",
        ),
        (
            |r| {
                info(r)
                    .consumer_group_replication
                    .consumer_group_offset_sync_mode = "LEGACY".into()
            },
            "without ENHANCED",
        ),
        (
            |r| {
                info(r)
                    .consumer_group_replication
                    .synchronise_consumer_group_offsets = false
            },
            "no position is carried",
        ),
        (|r| log(r).log_group = None, "does not say where to"),
        (|r| log(r).enabled = false, "is not enabled and says"),
        (
            |r| log(r).log_group = Some("arn:aws:logs:x".into()),
            "a name, not an ARN",
        ),
        (
            |r| drop(r.tags.insert("aws:x".into(), String::new())),
            "does not begin with aws:",
        ),
    ];
    assert_eq!(said(|_| {}), "");
    for (change, why) in cases {
        let said = said(change);
        assert!(said.contains(why), "{why}: {said:?}");
        assert_eq!(
            said.lines().filter(|line| line.contains(why)).count(),
            1,
            "{said}"
        );
    }
}

#[test]
fn a_request_for_the_other_way_is_refused() {
    let found = broken(&documents().reverse, Direction::Forward);
    assert!(
        found
            .iter()
            .any(|one| one.why.contains("does not copy the forward way"))
    );
}

fn external(request: &mut Request) -> &mut crate::msk::ApacheKafkaCluster {
    request.kafka_clusters[0]
        .apache_kafka_cluster
        .as_mut()
        .expect("it is the external one")
}

fn vpc(request: &mut Request) -> &mut crate::msk::VpcConfig {
    request.kafka_clusters[1]
        .vpc_config
        .as_mut()
        .expect("it has one")
}

fn info(request: &mut Request) -> &mut ReplicationInfo {
    &mut request.replication_info_list[0]
}

fn log(request: &mut Request) -> &mut LogDestination {
    let logs: &mut LogDelivery = request.log_delivery.as_mut().expect("it logs");
    logs.replicator_log_delivery
        .cloud_watch_logs
        .as_mut()
        .expect("there")
}
