//! DescribeLogDirs: how large partitions are. There is one directory, and it is memory.

use kafka_protocol::messages::{
    DescribeLogDirsRequest, DescribeLogDirsResponse, TopicName,
    describe_log_dirs_response::{
        DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
    },
};

use super::super::{
    acls::{CLUSTER_NAME, operation::DESCRIBE, resource::CLUSTER},
    errors,
    state::{Call, State, text},
};

/// The replicas that the asked broker holds.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    if !state.allows(call, DESCRIBE, CLUSTER, CLUSTER_NAME) {
        let code = errors::CLUSTER_AUTHORIZATION_FAILED;
        // There is no error for all of it before version 3.
        let code = if call.version >= 3 {
            code
        } else {
            errors::NONE
        };
        return DescribeLogDirsResponse::default().with_error_code(code);
    }
    let asked = |topic: &str, partition: i32| {
        request.topics.as_ref().is_none_or(|topics| {
            let mut topics = topics.iter();
            topics.any(|one| &**one.topic == topic && one.partitions.contains(&partition))
        })
    };
    let topics = state.topics.iter().filter_map(|(name, topic)| {
        let held = topic
            .partitions
            .iter()
            .zip(0..)
            .filter(|(one, index)| one.replicas.contains(&call.broker) && asked(name, *index));
        let held = held.map(|(one, index)| {
            DescribeLogDirsPartition::default()
                .with_partition_index(index)
                .with_partition_size(one.log.size())
        });
        let held: Vec<_> = held.collect();
        (!held.is_empty()).then(|| {
            DescribeLogDirsTopic::default()
                .with_name(TopicName(text(name)))
                .with_partitions(held)
        })
    });
    let one = DescribeLogDirsResult::default()
        .with_log_dir(text("/simulated"))
        .with_topics(topics.collect());
    DescribeLogDirsResponse::default().with_results(vec![one])
}
