//! The rules that a request has to keep: nothing else looks at them before the service does, which takes half an hour to say no.

use super::{
    lists::{LONGEST_GROUP, LONGEST_TOPIC, MOST},
    request::{Direction, KafkaCluster, LogDestination, ReplicationInfo, Request},
};

/// A rule that a request breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Where in the document, under the names that it has there.
    pub place: String,
    /// What is wrong, and what has to be.
    pub why: String,
}

/// Every rule that this request breaks. The document may have come from a template of the user's own.
pub fn broken(request: &Request, direction: Direction) -> Vec<Broken> {
    let mut found = Found(Vec::new());
    found.name(request);
    found.clusters(request);
    match &request.replication_info_list[..] {
        [info] => found.info(info, request, direction),
        list => found.say(
            "ReplicationInfoList",
            format!("it has {} elements; exactly 1 is taken", list.len()),
        ),
    }
    if let Some(logs) = &request.log_delivery {
        let logs = &logs.replicator_log_delivery;
        found.log("CloudWatchLogs", logs.cloud_watch_logs.as_ref(), |log| {
            &log.log_group
        });
        found.log("Firehose", logs.firehose.as_ref(), |log| {
            &log.delivery_stream
        });
        found.log("S3", logs.s3.as_ref(), |log| &log.bucket);
    }
    for (key, value) in &request.tags {
        if key.is_empty() || key.len() > 128 || value.len() > 256 || key.starts_with("aws:") {
            found.say(
                "Tags",
                format!("{key:?}: a key has 1 to 128 letters and does not begin with aws:, a value at most 256"),
            );
        }
    }
    found.0
}

struct Found(Vec<Broken>);

impl Found {
    fn say(&mut self, place: &str, why: impl Into<String>) {
        self.0.push(Broken {
            place: place.to_owned(),
            why: why.into(),
        });
    }

    fn name(&mut self, request: &Request) {
        let name = &request.replicator_name;
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
        if name.is_empty()
            || name.len() > 128
            || name.starts_with('-')
            || !name.chars().all(is_plain)
        {
            self.say(
                "ReplicatorName",
                format!("{name:?} is not taken: 1 to 128 letters, digits and hyphens, not a hyphen first"),
            );
        }
        if request
            .description
            .as_ref()
            .is_some_and(|text| text.len() > 1024)
        {
            self.say("Description", "it has more than 1,024 letters");
        }
        let role = &request.service_execution_role_arn;
        let starts = ["arn:aws:iam:", "arn:aws-cn:iam:", "arn:aws-us-gov:iam:"];
        if !starts.iter().any(|start| role.starts_with(start)) || !role.contains(":role/") {
            self.say(
                "ServiceExecutionRoleArn",
                format!("{role:?} is not the ARN of a role"),
            );
        }
    }

    fn clusters(&mut self, request: &Request) {
        let clusters = &request.kafka_clusters;
        if clusters.len() != 2 {
            self.say(
                "KafkaClusters",
                format!("it has {} elements; exactly 2 are taken", clusters.len()),
            );
        }
        let msk = clusters
            .iter()
            .filter(|one| one.amazon_msk_cluster.is_some());
        if msk.count() == 0 {
            self.say("KafkaClusters", "one of the two has to be a cluster of MSK");
        }
        for (at, cluster) in clusters.iter().enumerate() {
            self.cluster(&format!("KafkaClusters[{at}]"), cluster);
        }
    }

    fn cluster(&mut self, at: &str, cluster: &KafkaCluster) {
        let is_external = match (&cluster.amazon_msk_cluster, &cluster.apache_kafka_cluster) {
            (Some(_), None) => false,
            (None, Some(_)) => true,
            _ => {
                return self.say(
                    at,
                    "it takes one of AmazonMskCluster and ApacheKafkaCluster",
                );
            }
        };
        let has_login = cluster.client_authentication.is_some();
        let has_tls = cluster.encryption_in_transit.is_some();
        if is_external && !(has_login && has_tls) {
            self.say(
                at,
                "an external cluster needs ClientAuthentication and EncryptionInTransit, whoever signed its certificates",
            );
        }
        if !is_external && (has_login || has_tls) {
            self.say(
                at,
                "ClientAuthentication and EncryptionInTransit are for external clusters only",
            );
        }
        if !is_external && cluster.vpc_config.is_none() {
            self.say(at, "a cluster of MSK needs VpcConfig");
        }
        if let Some(external) = &cluster.apache_kafka_cluster {
            if external.apache_kafka_cluster_id.is_empty() {
                self.say(
                    &format!("{at}.ApacheKafkaCluster"),
                    "the cluster's own id is missing",
                );
            }
            let has_port = |broker: &str| {
                let port = broker.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
                matches!(port, Some(Ok(_)))
            };
            if !external.bootstrap_broker_string.split(',').all(has_port) {
                self.say(
                    &format!("{at}.ApacheKafkaCluster.BootstrapBrokerString"),
                    "it takes host:port,host:port",
                );
            }
        }
        if let Some(login) = &cluster.client_authentication {
            let mechanism = &login.sasl_scram.mechanism;
            if !["SHA256", "SHA512"].contains(&&**mechanism) {
                self.say(
                    &format!("{at}.ClientAuthentication.SaslScram.Mechanism"),
                    format!(
                        "{mechanism:?}; it takes SHA256 or SHA512, which are not Kafka's names"
                    ),
                );
            }
            self.secret(
                &format!("{at}.ClientAuthentication.SaslScram.SecretArn"),
                &login.sasl_scram.secret_arn,
            );
        }
        if let Some(tls) = &cluster.encryption_in_transit {
            if tls.encryption_type != "TLS" {
                self.say(
                    &format!("{at}.EncryptionInTransit.EncryptionType"),
                    "it takes TLS alone",
                );
            }
            if let Some(arn) = &tls.root_ca_certificate {
                self.secret(&format!("{at}.EncryptionInTransit.RootCaCertificate"), arn);
            }
        }
        if let Some(vpc) = &cluster.vpc_config {
            let at = format!("{at}.VpcConfig");
            if !(2..=3).contains(&vpc.subnet_ids.len()) || has_double(&vpc.subnet_ids) {
                self.say(
                    &at,
                    format!(
                        "SubnetIds: {} given; two or three, each once",
                        vpc.subnet_ids.len()
                    ),
                );
            }
            if vpc.security_group_ids.len() > 16 || has_double(&vpc.security_group_ids) {
                self.say(&at, "SecurityGroupIds: at most 16, each once");
            }
        }
    }

    fn secret(&mut self, at: &str, arn: &str) {
        if !(arn.starts_with("arn:aws")
            && arn.contains(":secretsmanager:")
            && arn.contains(":secret:"))
        {
            self.say(
                at,
                format!("{arn:?} is not the ARN of a secret; PEM text does not stand here either"),
            );
        }
    }

    fn info(&mut self, info: &ReplicationInfo, request: &Request, direction: Direction) {
        let at = "ReplicationInfoList[0]";
        let (msk, external) = known(request);
        let from = (
            &info.source_kafka_cluster_arn,
            &info.source_kafka_cluster_id,
        );
        let to = (
            &info.target_kafka_cluster_arn,
            &info.target_kafka_cluster_id,
        );
        for (what, (arn, id)) in [("source", from), ("target", to)] {
            if arn.is_some() == id.is_some() {
                self.say(
                    at,
                    format!("the {what} is named by its ARN or by its id, by one of them"),
                );
            }
            if arn.is_some() && arn.as_ref() != msk {
                self.say(
                    at,
                    format!("the ARN of the {what} is not that of KafkaClusters"),
                );
            }
            if id.is_some() && id.as_ref() != external {
                self.say(
                    at,
                    format!("the id of the {what} is not that of KafkaClusters"),
                );
            }
        }
        let is_right_way = match direction {
            Direction::Forward => from.1.is_some() && to.0.is_some(),
            Direction::Reverse => from.0.is_some() && to.1.is_some(),
        };
        if !is_right_way {
            self.say(at, format!("it does not copy the {direction} way"));
        }
        if !["NONE", "GZIP", "SNAPPY", "LZ4", "ZSTD"].contains(&&*info.target_compression_type) {
            self.say(
                &format!("{at}.TargetCompressionType"),
                "it takes NONE, GZIP, SNAPPY, LZ4 or ZSTD",
            );
        }
        let topics = &info.topic_replication;
        if topics.topics_to_replicate.is_empty() {
            self.say(
                &format!("{at}.TopicReplication.TopicsToReplicate"),
                "it takes at least one",
            );
        }
        self.list(
            at,
            "TopicsToReplicate",
            &topics.topics_to_replicate,
            LONGEST_TOPIC,
        );
        self.list(
            at,
            "TopicsToExclude",
            &topics.topics_to_exclude,
            LONGEST_TOPIC,
        );
        let groups = &info.consumer_group_replication;
        self.list(
            at,
            "ConsumerGroupsToReplicate",
            &groups.consumer_groups_to_replicate,
            LONGEST_GROUP,
        );
        self.list(
            at,
            "ConsumerGroupsToExclude",
            &groups.consumer_groups_to_exclude,
            LONGEST_GROUP,
        );
        let start = &topics.starting_position.r#type;
        if !["EARLIEST", "LATEST"].contains(&&**start) {
            self.say(
                &format!("{at}.TopicReplication.StartingPosition"),
                "it takes EARLIEST or LATEST",
            );
        }
        self.both_ways(at, info);
    }

    /// What positions both ways need; none of it can be changed once the replicator is made.
    fn both_ways(&mut self, at: &str, info: &ReplicationInfo) {
        if info.topic_replication.topic_name_configuration.r#type != "IDENTICAL" {
            self.say(
                &format!("{at}.TopicReplication.TopicNameConfiguration"),
                "applications move without a change only where names are IDENTICAL, and ENHANCED positions need it",
            );
        }
        let groups = &info.consumer_group_replication;
        if groups.consumer_group_offset_sync_mode != "ENHANCED" {
            self.say(
                &format!("{at}.ConsumerGroupReplication.ConsumerGroupOffsetSyncMode"),
                "without ENHANCED positions do not come back, and it cannot be changed later",
            );
        }
        if !groups.synchronise_consumer_group_offsets {
            self.say(
                &format!("{at}.ConsumerGroupReplication.SynchroniseConsumerGroupOffsets"),
                "without it no position is carried",
            );
        }
    }

    fn list(&mut self, at: &str, name: &str, list: &[String], longest: usize) {
        if list.len() > MOST {
            self.say(
                &format!("{at}.{name}"),
                format!("it has {} elements; {MOST} are taken", list.len()),
            );
        }
        for text in list
            .iter()
            .filter(|text| text.is_empty() || text.len() > longest)
        {
            self.say(
                &format!("{at}.{name}"),
                format!("{text:?}: 1 to {longest} letters are taken"),
            );
        }
    }

    fn log(
        &mut self,
        name: &str,
        log: Option<&LogDestination>,
        wanted: fn(&LogDestination) -> &Option<String>,
    ) {
        let Some(log) = log else { return };
        let named = [
            &log.log_group,
            &log.delivery_stream,
            &log.bucket,
            &log.prefix,
        ];
        let named = named.iter().filter(|name| name.is_some()).count();
        let has_wanted = wanted(log).as_ref().is_some_and(|name| !name.is_empty());
        if log.enabled && !has_wanted {
            self.say(
                &format!("LogDelivery.{name}"),
                "it is enabled and does not say where to",
            );
        }
        if !log.enabled && named > 0 {
            self.say(
                &format!("LogDelivery.{name}"),
                "it is not enabled and says where to",
            );
        }
        if wanted(log)
            .as_ref()
            .is_some_and(|name| name.starts_with("arn:"))
        {
            self.say(
                &format!("LogDelivery.{name}"),
                "it takes a name, not an ARN",
            );
        }
    }
}

/// The clusters as KafkaClusters names them.
fn known(request: &Request) -> (Option<&String>, Option<&String>) {
    let clusters = &request.kafka_clusters;
    let msk = clusters
        .iter()
        .find_map(|one| one.amazon_msk_cluster.as_ref());
    let external = clusters
        .iter()
        .find_map(|one| one.apache_kafka_cluster.as_ref());
    (
        msk.map(|one| &one.msk_cluster_arn),
        external.map(|one| &one.apache_kafka_cluster_id),
    )
}

fn has_double(list: &[String]) -> bool {
    let mut sorted: Vec<&String> = list.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.len() < list.len()
}

#[cfg(test)]
mod tests;
