//! Documents as they come out of the templates.

use std::{fs, time::Duration};

use super::*;
use crate::{
    model::{
        msk::{ClusterArn, Compression, Login, Logs, Start},
        secret::Secret,
    },
    msk::{broken, wire},
};

pub fn msk() -> Msk {
    Msk {
        region: "us-east-1".into(),
        cluster: ClusterArn::parse(
            "arn:aws:kafka:us-east-1:123456789012:cluster/my-cluster/abc-123",
        )
        .expect("it is one"),
        subnets: ["subnet-1", "subnet-2", "subnet-3"]
            .map(String::from)
            .into(),
        security_groups: vec!["sg-1".into()],
        role_arn: "arn:aws:iam::123456789012:role/MSKReplicatorRole".into(),
        source_bootstrap: vec!["broker1.example.com:9096".into()],
        source_login: Login {
            hash: ScramHash::Sha512,
            username: "replicator".into(),
            password: Secret::new("Pl4nted"),
        },
        source_ca: Authority::Private {
            path: "ca.pem".into(),
            pem: "-----BEGIN CERTIFICATE-----".into(),
        },
        secrets: Secrets::Two,
        kms_key: None,
        start: Start::Earliest,
        compression: Compression::Lz4,
        forward: "external-to-msk".into(),
        reverse: "msk-to-external".into(),
        logs: Logs {
            cloudwatch: Some("/msk/replicator/orders".into()),
            ..Logs::default()
        },
        ask: Duration::from_secs(15),
        patience: Duration::from_secs(5400),
        tags: [("team".to_owned(), "platform".to_owned())].into(),
    }
}

pub fn place() -> Place {
    Place {
        migration: "orders".into(),
        id: "b9f1".into(),
        source_cluster_id: "lkc-abc123".into(),
        from_earliest: true,
        copy_configs: true,
        copy_acls: true,
        lists: Lists {
            topics: vec!["orders".into()],
            groups: vec!["order-status".into()],
            ..Lists::default()
        },
        secrets: Standing {
            login: "arn:aws:secretsmanager:us-east-1:123456789012:secret:kafka-migrate/orders/login-AbCdEf".into(),
            certificates: Some(
                "arn:aws:secretsmanager:us-east-1:123456789012:secret:kafka-migrate/orders/certificates-GhIjKl".into(),
            ),
        },
    }
}

pub fn documents() -> Documents {
    Documents::render(&msk(), &place(), None).expect("the templates are sound")
}

#[test]
fn the_forward_request_is_what_the_service_takes() {
    let request = serde_json::to_value(&documents().forward).expect("it has string keys");
    let wanted = json!({
        "replicatorName": "external-to-msk",
        "description": "kafka-migrate: orders, forward",
        "serviceExecutionRoleArn": "arn:aws:iam::123456789012:role/MSKReplicatorRole",
        "kafkaClusters": [
            {
                "apacheKafkaCluster": {
                    "apacheKafkaClusterId": "lkc-abc123",
                    "bootstrapBrokerString": "broker1.example.com:9096"
                },
                "clientAuthentication": { "saslScram": {
                    "mechanism": "SHA512",
                    "secretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:kafka-migrate/orders/login-AbCdEf"
                } },
                "encryptionInTransit": {
                    "encryptionType": "TLS",
                    "rootCaCertificate": "arn:aws:secretsmanager:us-east-1:123456789012:secret:kafka-migrate/orders/certificates-GhIjKl"
                }
            },
            {
                "amazonMskCluster": { "mskClusterArn": "arn:aws:kafka:us-east-1:123456789012:cluster/my-cluster/abc-123" },
                "vpcConfig": { "subnetIds": ["subnet-1", "subnet-2", "subnet-3"], "securityGroupIds": ["sg-1"] }
            }
        ],
        "replicationInfoList": [{
            "sourceKafkaClusterId": "lkc-abc123",
            "targetKafkaClusterArn": "arn:aws:kafka:us-east-1:123456789012:cluster/my-cluster/abc-123",
            "targetCompressionType": "LZ4",
            "topicReplication": {
                "topicsToReplicate": ["orders"],
                "copyTopicConfigurations": true,
                "copyAccessControlListsForTopics": true,
                "detectAndCopyNewTopics": true,
                "startingPosition": { "type": "EARLIEST" },
                "topicNameConfiguration": { "type": "IDENTICAL" }
            },
            "consumerGroupReplication": {
                "consumerGroupsToReplicate": ["order-status"],
                "synchroniseConsumerGroupOffsets": true,
                "detectAndCopyNewConsumerGroups": true,
                "consumerGroupOffsetSyncMode": "ENHANCED"
            }
        }],
        "logDelivery": { "replicatorLogDelivery": {
            "cloudWatchLogs": { "enabled": true, "logGroup": "/msk/replicator/orders" }
        } },
        "tags": { "team": "platform", "kafka-migrate:migration": "orders", "kafka-migrate:id": "b9f1" }
    });
    assert_eq!(wire(request), wanted);
}

#[test]
fn the_way_back_swaps_the_clusters_and_takes_records_and_positions_alone() {
    let reverse = documents().reverse;
    let info = &reverse.replication_info_list[0];
    assert_eq!(info.target_kafka_cluster_id.as_deref(), Some("lkc-abc123"));
    assert!(info.source_kafka_cluster_arn.is_some() && info.target_kafka_cluster_arn.is_none());
    let topics = &info.topic_replication;
    assert!(!topics.copy_topic_configurations && !topics.copy_access_control_lists_for_topics);
    assert_eq!(topics.starting_position.r#type, "LATEST");
    assert_eq!(reverse.kafka_clusters, documents().forward.kafka_clusters);
    for direction in Direction::BOTH {
        assert_eq!(broken(documents().request(direction), direction), []);
    }
}

#[test]
fn what_is_not_wanted_does_not_stand_there() {
    let mut msk = msk();
    msk.source_ca = Authority::Public;
    msk.logs = Logs::default();
    msk.security_groups.clear();
    let mut place = place();
    place.secrets = Standing::of(&msk, Some(place.secrets.login), None);
    place.lists.groups.clear();
    let documents = Documents::render(&msk, &place, None).expect("the templates are sound");
    let request = &documents.forward;
    let tls = request.kafka_clusters[0].encryption_in_transit.as_ref();
    assert_eq!(tls.expect("always there").root_ca_certificate, None);
    assert_eq!(request.log_delivery, None);
    assert_eq!(broken(request, Direction::Forward), []);
    let text = wire(serde_json::to_value(request).expect("string keys")).to_string();
    assert!(text.contains(r#""consumerGroupsToReplicate":[]"#), "{text}");
    assert!(
        !text.contains("securityGroupIds") && !text.contains("null"),
        "{text}"
    );
    for (policy, gone) in [
        (&documents.replicator, ["SecretsKey", "Logs"]),
        (&documents.operator, ["SecretsKey", "LogDelivery"]),
    ] {
        let text = policy.to_string();
        assert!(
            gone.iter().all(|sid| !text.contains(&format!("{sid:?}"))),
            "{text}"
        );
        assert!(text.contains("Secrets") && !text.contains("{{"), "{text}");
    }
}

#[test]
fn one_secret_holds_both_and_two_hold_one_each() {
    let mut msk = msk();
    assert_eq!(
        secret_names("orders", &msk),
        (
            Some("kafka-migrate/orders/login".into()),
            Some("kafka-migrate/orders/certificates".into())
        )
    );
    msk.secrets = Secrets::One;
    let one = Standing::expected("orders", &msk);
    assert!(
        one.login
            .ends_with("secret:kafka-migrate/orders/login-??????"),
        "{one:?}"
    );
    assert_eq!(one.certificates.as_ref(), Some(&one.login));
    msk.source_ca = Authority::Public;
    assert_eq!(Standing::expected("orders", &msk).certificates, None);
    msk.secrets = Secrets::Existing {
        login: "arn:1".into(),
        certificates: None,
    };
    assert_eq!(secret_names("orders", &msk), (None, None));
    assert_eq!(Standing::expected("orders", &msk).login, "arn:1");
}

#[test]
fn a_template_of_the_users_own_takes_its_place_and_a_wrong_one_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        fs::write(directory.path().join(name), text).expect("it is written");
    };
    let render = || Documents::render(&msk(), &place(), Some(directory.path()));
    let logs = r#"{"ReplicatorLogDelivery": {"S3": {"Enabled": true, "Bucket": "mine"}}}"#;
    write(LOGS, logs);
    let documents = render().expect("it is sound");
    assert_eq!(documents.own, [LOGS]);
    let logs = documents
        .forward
        .log_delivery
        .expect("it is there")
        .replicator_log_delivery;
    assert_eq!(
        logs.s3.expect("it is there").bucket.as_deref(),
        Some("mine")
    );
    // The key that many a text has, and no API.
    let forward = TEMPLATES[1]
        .1
        .replace("{ \"Type\": \"{{start}}\" }", "{ \"Kind\": \"EARLIEST\" }");
    write(FORWARD, &forward);
    let failure = render().expect_err("no such key");
    assert_eq!((failure.exit, failure.code), (Exit::Usage, "K320"));
    assert!(failure.causes[0].contains("Kind"), "{failure:?}");
}

#[test]
fn tags_tell_whose_it_is() {
    let tags = tags(&msk(), &place());
    assert_eq!(is_ours(&tags, "orders", "b9f1"), Some(true));
    assert_eq!(is_ours(&tags, "orders", ""), Some(false));
    assert_eq!(is_ours(&tags, "orders", "other"), Some(false));
    assert_eq!(is_ours(&tags, "payments", "b9f1"), Some(false));
    assert_eq!(is_ours(&msk().tags, "orders", "b9f1"), None);
}
