//! DescribeCluster: the cluster's id, its brokers and its controller (KIP-700).

use kafka_protocol::messages::{
    BrokerId, DescribeClusterRequest, DescribeClusterResponse,
    describe_cluster_response::DescribeClusterBroker,
};

use super::super::{
    acls::{CLUSTER_NAME, resource::CLUSTER},
    errors,
    state::{Call, State, text},
};

/// Controllers (endpoint type 2, KIP-919) are not asked through brokers.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: DescribeClusterRequest,
) -> DescribeClusterResponse {
    if call.version >= 1 && request.endpoint_type != 1 {
        return DescribeClusterResponse::default()
            .with_error_code(errors::UNSUPPORTED_ENDPOINT_TYPE)
            .with_endpoint_type(1);
    }
    let shown = state
        .brokers
        .iter()
        .filter(|(_, broker)| broker.alive || request.include_fenced_brokers);
    let brokers = shown.map(|(id, broker)| {
        DescribeClusterBroker::default()
            .with_broker_id(BrokerId(*id))
            .with_host(text("127.0.0.1"))
            .with_port(i32::from(broker.port))
            .with_is_fenced(call.version >= 2 && !broker.alive)
    });
    let operations = if request.include_cluster_authorized_operations {
        state.operations(call, CLUSTER, CLUSTER_NAME)
    } else {
        i32::MIN
    };
    DescribeClusterResponse::default()
        .with_endpoint_type(1)
        .with_cluster_id(text(&state.cluster_id))
        .with_controller_id(BrokerId(state.controller()))
        .with_brokers(brokers.collect())
        .with_cluster_authorized_operations(operations)
}
