//! Rights on a cluster that takes IAM for its logins: what MSK's policies call what Kafka's ACLs call otherwise.

/// Operations of Kafka on a kind of thing, and the actions of `kafka-cluster` that stand for them.
const ACTIONS: &[(&str, &str, &str)] = &[
    ("topic", "Read", "ReadData"),
    ("topic", "Write", "WriteData"),
    ("topic", "Describe", "DescribeTopic"),
    ("topic", "Create", "CreateTopic"),
    ("topic", "Delete", "DeleteTopic"),
    ("topic", "Alter", "AlterTopic"),
    (
        "topic",
        "DescribeConfigs",
        "DescribeTopicDynamicConfiguration",
    ),
    ("topic", "AlterConfigs", "AlterTopicDynamicConfiguration"),
    ("group", "Read", "AlterGroup"),
    ("group", "Describe", "DescribeGroup"),
    ("group", "Delete", "DeleteGroup"),
    ("cluster", "Describe", "DescribeCluster"),
    ("cluster", "Alter", "AlterCluster"),
    (
        "cluster",
        "DescribeConfigs",
        "DescribeClusterDynamicConfiguration",
    ),
    (
        "cluster",
        "AlterConfigs",
        "AlterClusterDynamicConfiguration",
    ),
    ("cluster", "IdempotentWrite", "WriteDataIdempotently"),
    ("transactional-id", "Write", "AlterTransactionalId"),
    ("transactional-id", "Describe", "DescribeTransactionalId"),
];

/// The statement that gives these rights and no others, as a comment: it belongs into a policy, not into a shell. `resource` is as
/// `kafka-acls` takes it.
pub(super) fn statement(operations: &[&str], resource: &str) -> String {
    let is_prefix = resource.contains("--resource-pattern-type prefixed");
    let resource = resource.replace("--resource-pattern-type prefixed", "");
    let resource = resource.trim().trim_start_matches("--");
    let (kind, name) = resource.split_once(' ').unwrap_or((resource, ""));
    let name = name.trim_matches('\'');
    let actions: Vec<String> = operations
        .iter()
        .map(|operation| {
            let known = ACTIONS
                .iter()
                .find(|(of, kafka, _)| *of == kind && kafka == operation);
            // What has no name of its own there is let through with the rest of its kind.
            known.map_or_else(
                || "kafka-cluster:*".to_owned(),
                |(.., action)| format!("kafka-cluster:{action}"),
            )
        })
        .collect();
    let place = "arn:aws:kafka:REGION:ACCOUNT";
    let resource = match kind {
        "cluster" => format!("{place}:cluster/CLUSTER/UUID"),
        kind => format!(
            "{place}:{kind}/CLUSTER/UUID/{name}{}",
            if is_prefix { "*" } else { "" }
        ),
    };
    let statement = serde_json::json!({
        "Effect": "Allow",
        "Action": actions,
        "Resource": resource,
    });
    format!("# in the IAM policy of these credentials: {statement}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_called_as_policies_call_them() {
        for (operations, resource, says) in [
            (
                &["Read", "DescribeConfigs"][..],
                "--topic orders",
                r#"{"Action":["kafka-cluster:ReadData","kafka-cluster:DescribeTopicDynamicConfiguration"],"Effect":"Allow","Resource":"arn:aws:kafka:REGION:ACCOUNT:topic/CLUSTER/UUID/orders"}"#,
            ),
            (
                &["Write"],
                "--resource-pattern-type prefixed --transactional-id kafka-migrate.x.",
                r#"{"Action":["kafka-cluster:AlterTransactionalId"],"Effect":"Allow","Resource":"arn:aws:kafka:REGION:ACCOUNT:transactional-id/CLUSTER/UUID/kafka-migrate.x.*"}"#,
            ),
            (
                &["Describe"],
                "--group 'a b'",
                r#"{"Action":["kafka-cluster:DescribeGroup"],"Effect":"Allow","Resource":"arn:aws:kafka:REGION:ACCOUNT:group/CLUSTER/UUID/a b"}"#,
            ),
            (
                &["DescribeConfigs"],
                "--cluster",
                r#"{"Action":["kafka-cluster:DescribeClusterDynamicConfiguration"],"Effect":"Allow","Resource":"arn:aws:kafka:REGION:ACCOUNT:cluster/CLUSTER/UUID"}"#,
            ),
        ] {
            let said = statement(operations, resource);
            assert_eq!(
                said,
                format!("# in the IAM policy of these credentials: {says}")
            );
        }
    }
}
