//! Clusters of MSK as the service describes them, and whether a log group is there.

use aws_sdk_kafka::types::{Cluster, ClusterType};

use super::{
    Clients,
    failure::{Asked, lacks},
};
use crate::{error::Failure, msk::ManagedCluster};

/// The cluster of this ARN.
pub async fn describe(clients: &Clients, arn: &str) -> Result<ManagedCluster, Failure> {
    let action = "kafka:DescribeClusterV2";
    match clients
        .kafka
        .describe_cluster_v2()
        .cluster_arn(arn)
        .send()
        .await
    {
        Ok(output) => match output.cluster_info() {
            Some(cluster) => Ok(managed(cluster)),
            None => Err(lacks(action, "clusterInfo")),
        },
        Err(error) => Err(clients.failed(&Asked::to(action).on(arn), &error).await),
    }
}

fn managed(cluster: &Cluster) -> ManagedCluster {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let provisioned = cluster.provisioned();
    let nodes = provisioned.and_then(|one| one.broker_node_group_info());
    let login = provisioned.and_then(|one| one.client_authentication());
    let iam = login.and_then(|one| one.sasl()).and_then(|one| one.iam());
    let software = provisioned.and_then(|one| one.current_broker_software_info());
    let brokers = provisioned.and_then(|one| one.number_of_broker_nodes());
    ManagedCluster {
        name: text(cluster.cluster_name()),
        kind: text(cluster.cluster_type().map(ClusterType::as_str)),
        state: text(cluster.state().map(|state| state.as_str())),
        version: text(software.and_then(|one| one.kafka_version())),
        brokers: brokers
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(0),
        instance: text(nodes.and_then(|one| one.instance_type())),
        subnets: nodes
            .map(|one| one.client_subnets().to_vec())
            .unwrap_or_default(),
        security_groups: nodes
            .map(|one| one.security_groups().to_vec())
            .unwrap_or_default(),
        iam: iam.and_then(|one| one.enabled()).unwrap_or_default(),
    }
}

/// Is there a log group of this name?
pub async fn has_log_group(clients: &Clients, name: &str) -> Result<bool, Failure> {
    let call = clients
        .logs
        .describe_log_groups()
        .log_group_name_prefix(name);
    let mut pages = call.into_paginator().send();
    while let Some(page) = pages.next().await {
        match page {
            Ok(page)
                if page
                    .log_groups()
                    .iter()
                    .any(|one| one.log_group_name() == Some(name)) =>
            {
                return Ok(true);
            }
            Ok(_) => {}
            Err(error) => {
                let asked = Asked::to("logs:DescribeLogGroups").on(name);
                return Err(clients.failed(&asked, &error).await);
            }
        }
    }
    Ok(false)
}
