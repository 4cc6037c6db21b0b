//! The fake AWS, held against AWS's own client: what it takes, what it refuses, and what becomes of what was made.

mod agree;
#[cfg(feature = "rdkafka")]
mod carried;
mod faults;
mod life;
mod logs;
mod metrics;
mod models;
mod numbers;
mod requests;
mod secrets;

use aws_sdk_kafka::error::ProvideErrorMetadata;
use serde_json::{Value, json};

use crate::support::aws::{Aws, clusters::Cluster};

/// A fake with all that the request of [`forward`] rests on, and that request.
async fn prepared() -> (Aws, Value) {
    let aws = Aws::start();
    let arn = aws.add_cluster(Cluster::express("my-cluster"));
    aws.add_log_group("/msk/replicator/my-replicator");
    let secrets = aws_sdk_secretsmanager::Client::new(&aws.sdk());
    let mut arns = Vec::new();
    for (name, value) in [
        (
            "my-creds",
            json!({ "username": "replicator", "password": "a" }),
        ),
        ("my-cert", json!({ "certificate": "PEM" })),
    ] {
        let create = secrets.create_secret().name(name);
        let created = create.secret_string(value.to_string()).send().await;
        let created = created.expect("the secret is made");
        arns.push(created.arn().expect("it has an ARN").to_owned());
    }
    let request = forward("external-to-msk", &arn, &arns[0], &arns[1]);
    (aws, request)
}

/// A complete request for the replicator to MSK, as the wire has it.
fn forward(name: &str, cluster: &str, login: &str, authority: &str) -> Value {
    json!({
        "replicatorName": name,
        "serviceExecutionRoleArn": "arn:aws:iam::123456789012:role/MSKReplicatorRole",
        "kafkaClusters": [
            {
                "apacheKafkaCluster": {
                    "apacheKafkaClusterId": "lkc-abc123",
                    "bootstrapBrokerString": "broker1.example.com:9096",
                },
                "clientAuthentication": { "saslScram": { "mechanism": "SHA512", "secretArn": login } },
                "encryptionInTransit": { "encryptionType": "TLS", "rootCaCertificate": authority },
            },
            {
                "amazonMskCluster": { "mskClusterArn": cluster },
                "vpcConfig": {
                    "securityGroupIds": ["sg-1"],
                    "subnetIds": ["subnet-1", "subnet-2", "subnet-3"],
                },
            },
        ],
        "replicationInfoList": [{
            "sourceKafkaClusterId": "lkc-abc123",
            "targetKafkaClusterArn": cluster,
            "targetCompressionType": "LZ4",
            "topicReplication": {
                "topicsToReplicate": ["my-topic"],
                "copyTopicConfigurations": true,
                "copyAccessControlListsForTopics": true,
                "detectAndCopyNewTopics": true,
                "startingPosition": { "type": "EARLIEST" },
                "topicNameConfiguration": { "type": "IDENTICAL" },
            },
            "consumerGroupReplication": {
                "consumerGroupsToReplicate": ["my-group"],
                "synchroniseConsumerGroupOffsets": true,
                "detectAndCopyNewConsumerGroups": true,
                "consumerGroupOffsetSyncMode": "ENHANCED",
            },
        }],
        "logDelivery": { "replicatorLogDelivery": {
            "cloudWatchLogs": { "enabled": true, "logGroup": "/msk/replicator/my-replicator" },
        } },
        "tags": { "k": "v" },
    })
}

/// Sends this body, whatever it is, as CreateReplicator; answers the ARN, or the refusal: code, parameter, message.
async fn create(aws: &Aws, body: &Value) -> Result<String, (String, String, String)> {
    let body = body.to_string();
    let client = aws_sdk_kafka::Client::new(&aws.sdk());
    let sent = client
        .create_replicator()
        .customize()
        .mutate_request(move |request| {
            let length = body.len().to_string();
            request.headers_mut().insert("content-length", length);
            *request.body_mut() = aws_smithy_types::body::SdkBody::from(body.clone());
        })
        .send()
        .await;
    match sent {
        Ok(output) => Ok(output.replicator_arn().expect("it has one").to_owned()),
        Err(error) => {
            let error = error.into_service_error();
            let parameter = match &error {
                aws_sdk_kafka::operation::create_replicator::CreateReplicatorError::BadRequestException(bad) => bad.invalid_parameter(),
                aws_sdk_kafka::operation::create_replicator::CreateReplicatorError::NotFoundException(bad) => bad.invalid_parameter(),
                aws_sdk_kafka::operation::create_replicator::CreateReplicatorError::ConflictException(bad) => bad.invalid_parameter(),
                _ => None,
            };
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            Err((text(error.code()), text(parameter), text(error.message())))
        }
    }
}

/// The code of a refusal.
fn code<E: ProvideErrorMetadata, R: std::fmt::Debug>(
    error: &aws_sdk_kafka::error::SdkError<E, R>,
) -> String {
    match error {
        aws_sdk_kafka::error::SdkError::ServiceError(refused) => {
            refused.err().code().unwrap_or_default().to_owned()
        }
        other => panic!("no answer: {other:?}", other = other.to_string()),
    }
}
