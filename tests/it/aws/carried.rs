//! The fake's replicators at work: copiers between two real clusters do what was asked for, and CloudWatch has their numbers.

use std::time::Duration;

use aws_sdk_kafka::Client;
use kafka_migrate::{
    aws::{Clients, metrics},
    clock,
    msk::numbers::{Patience, Wanted},
};
use serde_json::{Value, json};

use super::{create, prepared};
use crate::support::{
    aws::{
        REGION,
        carrier::{Carrier, Place},
    },
    kafka::Kafka,
    load::Load,
    read::{self, View},
    shared_pair, unique, wait,
};

const LIMIT: Duration = Duration::from_secs(120);

fn place(kafka: &Kafka) -> Place {
    let metadata = kafka.wire().metadata().expect("the broker answers");
    Place {
        id: metadata.cluster_id,
        bootstrap: kafka.bootstrap(),
    }
}

type Content = (Option<Vec<u8>>, Option<Vec<u8>>, i64);

/// Keys, values and times of a partition, in order; a copy has a header more.
fn content(kafka: &Kafka, topic: &str) -> Vec<Content> {
    read::partition(kafka, topic, 0, View::Committed)
        .into_iter()
        .map(|record| (record.key, record.value, record.timestamp))
        .collect()
}

/// The request of [`prepared`] for these clusters and this topic, to MSK or back.
fn request(template: &Value, name: &str, id: &str, topic: &str, back: bool) -> Value {
    let mut request = template.clone();
    request["replicatorName"] = json!(name);
    request["kafkaClusters"][0]["apacheKafkaCluster"]["apacheKafkaClusterId"] = json!(id);
    let msk = request["kafkaClusters"][1]["amazonMskCluster"]["mskClusterArn"].clone();
    let info = &mut request["replicationInfoList"][0];
    let topics = &mut info["topicReplication"];
    topics["topicsToReplicate"] = json!([topic]);
    if back {
        topics["startingPosition"]["type"] = json!("LATEST");
        let info = info.as_object_mut().expect("it is an object");
        info.remove("sourceKafkaClusterId");
        info.remove("targetKafkaClusterArn");
        info.insert("sourceKafkaClusterArn".to_owned(), msk);
        info.insert("targetKafkaClusterId".to_owned(), json!(id));
    } else {
        info["sourceKafkaClusterId"] = json!(id);
    }
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn records_go_there_and_come_back_and_the_numbers_say_so() {
    let (source, target) = shared_pair();
    let topic = unique("carried");
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).utf8_headers().fill(source, 500);
    let (aws, template) = prepared().await;
    let (external, msk) = (place(source), place(target));
    let id = external.id.clone();
    let carrier = Carrier::attach(&aws, external, msk);
    let client = Client::new(&aws.sdk());
    let mut arns = Vec::new();
    for (name, back) in [("there", false), ("back", true)] {
        let request = request(&template, name, &id, &topic, back);
        let arn = create(&aws, &request).await.expect("it is complete");
        assert!(!carrier.running().contains(&arn), "it is being created");
        for _ in 0..3 {
            let described = client
                .describe_replicator()
                .replicator_arn(&arn)
                .send()
                .await;
            described.expect("it is there");
        }
        assert!(carrier.running().contains(&arn), "it runs");
        arns.push(arn);
    }
    let wanted = content(source, &topic);
    assert_eq!(wanted.len(), 500);
    wait::until("all of it is on the target", LIMIT, || {
        target.partitions(&topic) == 1 && content(target, &topic).len() >= wanted.len()
    });
    assert_eq!(content(target, &topic), wanted);

    // What is written on the target from now on goes back, and does not come again.
    let mut written = 0;
    wait::until("a record came back", LIMIT, || {
        written += 10;
        Load::to(&[(&topic, 1)]).utf8_headers().fill(target, 10);
        wait::whether(Duration::from_secs(2), || {
            content(source, &topic).len() > wanted.len()
        })
    });
    wait::until("both hold the same records", LIMIT, || {
        let (here, there) = (content(source, &topic), content(target, &topic));
        let written_there = &there[wanted.len()..];
        here.len() > wanted.len() && written_there.ends_with(&here[wanted.len()..])
    });

    let clients = Clients::of(&aws.sdk(), REGION, None);
    let there = aws.replicator("there").expect("it is there");
    let asked = Wanted {
        replicator: "there".to_owned(),
        aliases: vec![there.source_alias, there.target_alias],
        ..Wanted::default()
    };
    let mut seen = None;
    for _ in 0..100 {
        let now = clock::unix_millis();
        let read = metrics::read(&clients, &asked, now, Patience::default()).await;
        let numbers = read.expect("it is answered");
        let lag = numbers.message_lag.fresh();
        seen = Some(numbers);
        if lag == Some(0.0) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let numbers = seen.expect("it was asked");
    assert_eq!(numbers.message_lag.fresh(), Some(0.0), "{numbers:?}");
    // It has read what came back, and sent none of it once more.
    assert_eq!(content(target, &topic).len(), wanted.len() + written);
    assert_eq!(numbers.failures.fresh(), Some(0.0));
    for cluster in numbers.clusters.values() {
        assert_eq!(cluster.ping.fresh(), Some(1.0));
    }
    for arn in &arns {
        let removed = client.delete_replicator().replicator_arn(arn).send().await;
        removed.expect("it may be removed");
    }
    assert!(carrier.running().is_empty());
}
