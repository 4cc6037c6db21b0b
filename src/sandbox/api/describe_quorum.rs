//! DescribeQuorum: one voter, the controller, whose clock is the cluster's (KIP-595, KIP-836).

use kafka_protocol::messages::{
    BrokerId, DescribeQuorumRequest, DescribeQuorumResponse, TopicName,
    describe_quorum_response::{PartitionData, ReplicaState, TopicData},
};

use super::super::{
    acls::{CLUSTER_NAME, operation::DESCRIBE, resource::CLUSTER},
    errors,
    state::{Call, State, text},
};

/// The quorum of `__cluster_metadata`, whatever partition was asked for.
pub fn handle(state: &mut State, call: &Call, _: DescribeQuorumRequest) -> DescribeQuorumResponse {
    if !state.allows(call, DESCRIBE, CLUSTER, CLUSTER_NAME) {
        return DescribeQuorumResponse::default()
            .with_error_code(errors::CLUSTER_AUTHORIZATION_FAILED);
    }
    let (now, leader) = (state.now_ms(), BrokerId(state.controller()));
    let voter = ReplicaState::default()
        .with_replica_id(leader)
        .with_log_end_offset(1);
    let voter = if call.version >= 1 {
        voter
            .with_last_fetch_timestamp(now)
            .with_last_caught_up_timestamp(now)
    } else {
        voter
    };
    let partition = PartitionData::default()
        .with_leader_id(leader)
        .with_leader_epoch(1)
        .with_high_watermark(1)
        .with_current_voters(vec![voter]);
    let topic = TopicData::default()
        .with_topic_name(TopicName(text("__cluster_metadata")))
        .with_partitions(vec![partition]);
    DescribeQuorumResponse::default().with_topics(vec![topic])
}
