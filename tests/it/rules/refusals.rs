//! Which right of a topic each request asks for.

use kafka_protocol::messages::{
    add_partitions_to_txn_request::AddPartitionsToTxnTopic,
    alter_configs_request as whole,
    create_partitions_request::CreatePartitionsTopic,
    create_topics_request::CreatableTopic,
    delete_topics_request::DeleteTopicState,
    describe_configs_request::DescribeConfigsResource,
    describe_producers_request::TopicRequest,
    incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig},
    list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
    offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
    offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic},
    txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic},
    *,
};

use super::{
    Rule, World, batches::*, code, codes::*, commits::BARE, each::*, groups::*, line::*, rights::*,
};

pub const RULES: &[Rule] = &[
    ("rights of a topic: records", records),
    ("rights of a topic: itself and its settings", topics),
    ("rights of a topic: its end", deletions),
    ("rights of a topic: offsets and transactions", offsets),
];

fn records(world: &World) {
    let (_, t) = Line::with_topic(world, 1);
    let mut each = Each::of(world, "may", TOPIC, &t);
    let mut check = |what: &str, allowed, ask: &mut dyn FnMut(&mut Line) -> i16| {
        each.check(what, (NONE, allowed), TOPIC_AUTHORIZATION_FAILED, ask);
    };
    check("Produce", WRITES, &mut |line| {
        line.produce(&t, batch(NOBODY, -1, 1)).0
    });
    check("Fetch", READS, &mut |line| {
        line.fetch(&t, 0, false).error_code
    });
    check("Metadata", DESCRIBES, &mut |line| {
        line.describe(&t).error_code
    });
    check("ListOffsets", DESCRIBES, &mut |line| {
        let one = ListOffsetsPartition::default()
            .with_current_leader_epoch(-1)
            .with_timestamp(-1);
        let one = ListOffsetsTopic::default()
            .with_name(topic(&t))
            .with_partitions(vec![one]);
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_topics(vec![one]);
        line.ask(6, &request).topics[0].partitions[0].error_code
    });
    check("OffsetForLeaderEpoch", DESCRIBES, &mut |line| {
        let one = OffsetForLeaderPartition::default().with_current_leader_epoch(-1);
        let one = OffsetForLeaderTopic::default()
            .with_topic(topic(&t))
            .with_partitions(vec![one]);
        let request = OffsetForLeaderEpochRequest::default()
            .with_replica_id(BrokerId(-2))
            .with_topics(vec![one]);
        line.ask(4, &request).topics[0].partitions[0].error_code
    });
    check("DescribeProducers", READS, &mut |line| {
        let one = TopicRequest::default()
            .with_name(topic(&t))
            .with_partition_indexes(vec![0]);
        let request = DescribeProducersRequest::default().with_topics(vec![one]);
        line.ask(0, &request).topics[0].partitions[0].error_code
    });
    check("DeleteRecords", DELETES, &mut |line| {
        line.delete_records(&t, 0).0
    });
}

/// IncrementalAlterConfigs that changes nothing.
pub fn altered(line: &mut Line, kind: i8, resource: &str, key: &str) -> i16 {
    let one = AlterableConfig::default()
        .with_name(text(key))
        .with_value(Some(text("5")));
    let one = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(resource))
        .with_configs(vec![one]);
    let request = IncrementalAlterConfigsRequest::default()
        .with_resources(vec![one])
        .with_validate_only(true);
    line.ask(1, &request).responses[0].error_code
}

pub fn described(line: &mut Line, kind: i8, resource: &str) -> i16 {
    let one = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(resource))
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default().with_resources(vec![one]);
    line.ask(4, &request).results[0].error_code
}

/// CreateTopics that creates nothing.
pub fn created(line: &mut Line, t: &str) -> i16 {
    let one = CreatableTopic::default()
        .with_name(topic(t))
        .with_num_partitions(1)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default()
        .with_timeout_ms(10_000)
        .with_topics(vec![one])
        .with_validate_only(true);
    line.ask(7, &request).topics[0].error_code
}

fn topics(world: &World) {
    let (_, t) = Line::with_topic(world, 1);
    let mut each = Each::of(world, "may", TOPIC, &t);
    let refusal = TOPIC_AUTHORIZATION_FAILED;
    each.check(
        "DescribeConfigs",
        (NONE, DESCRIBES_CONFIGS),
        refusal,
        |line| described(line, 2, &t),
    );
    each.check(
        "IncrementalAlterConfigs",
        (NONE, ALTERS_CONFIGS),
        refusal,
        |line| altered(line, 2, &t, "retention.ms"),
    );
    each.check("AlterConfigs", (NONE, ALTERS_CONFIGS), refusal, |line| {
        let one = whole::AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text(&t));
        let request = AlterConfigsRequest::default()
            .with_resources(vec![one])
            .with_validate_only(true);
        line.ask(1, &request).responses[0].error_code
    });
    let answer = (INVALID_PARTITIONS, ALTERS);
    each.check("CreatePartitions", answer, refusal, |line| {
        let one = CreatePartitionsTopic::default()
            .with_name(topic(&t))
            .with_count(1)
            .with_assignments(None);
        let request = CreatePartitionsRequest::default()
            .with_timeout_ms(10_000)
            .with_topics(vec![one]);
        line.ask(3, &request).results[0].error_code
    });
    let nowhere = world.unique("nowhere");
    let mut each = Each::of(world, "may", TOPIC, &nowhere);
    each.check("CreateTopics", (NONE, CREATES), refusal, |line| {
        created(line, &nowhere)
    });
    let answer = (UNKNOWN_TOPIC_OR_PARTITION, DESCRIBES);
    each.check("Metadata of nothing", answer, refusal, |line| {
        line.describe(&nowhere).error_code
    });
}

/// DeleteTopics by name or by id.
fn removed(line: &mut Line, by: DeleteTopicState) -> i16 {
    let request = DeleteTopicsRequest::default()
        .with_timeout_ms(10_000)
        .with_topics(vec![by]);
    line.ask(6, &request).responses[0].error_code
}

fn deletions(world: &World) {
    let mut admin = Line::to(world);
    let t = world.unique("rule");
    let named = || DeleteTopicState::default().with_name(Some(topic(&t)));
    let refusal = TOPIC_AUTHORIZATION_FAILED;
    let mut each = Each::of(world, "may", TOPIC, &t);
    let answer = (UNKNOWN_TOPIC_OR_PARTITION, DESCRIBES);
    each.check("one that is not there", answer, refusal, |line| {
        removed(line, named())
    });
    admin.create(&t, 1, &[]);
    let id = admin.describe(&t).topic_id;
    let by_id = || {
        DeleteTopicState::default()
            .with_name(None)
            .with_topic_id(id)
    };
    // Those who may delete it come last.
    let may = |each: &mut Each| -> Vec<(i8, Line)> {
        let (may, others) = each
            .0
            .drain(..)
            .partition(|(operation, _)| DELETES.contains(operation));
        each.0 = others;
        may
    };
    let mut last = may(&mut each);
    each.check("one that is", (refusal, &[]), refusal, |line| {
        removed(line, named())
    });
    each.check("the same by its id", (refusal, &[]), refusal, |line| {
        removed(line, by_id())
    });
    code("its end", removed(&mut last[1].1, by_id()), NONE);
}

/// TxnOffsetCommit v3 of partition 0 by a producer nobody knows.
pub fn staged(line: &mut Line, (id, g, t): (&str, &str, &str)) -> i16 {
    let one = TxnOffsetCommitRequestPartition::default().with_committed_offset(1);
    let one = TxnOffsetCommitRequestTopic::default()
        .with_name(topic(t))
        .with_partitions(vec![one]);
    let request = TxnOffsetCommitRequest::default()
        .with_transactional_id(TransactionalId(text(id)))
        .with_group_id(group(g))
        .with_producer_id(ProducerId(77))
        .with_generation_id(-1)
        .with_topics(vec![one]);
    line.ask(3, &request).topics[0].partitions[0].error_code
}

pub fn added(line: &mut Line, id: &str, t: &str) -> i16 {
    let one = AddPartitionsToTxnTopic::default()
        .with_name(topic(t))
        .with_partitions(vec![0]);
    let request = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(TransactionalId(text(id)))
        .with_v3_and_below_producer_id(ProducerId(77))
        .with_v3_and_below_topics(vec![one]);
    let ask = || {
        let answer = line.ask(3, &request);
        answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
    };
    patiently(ask, |code| *code)
}

fn offsets(world: &World) {
    let (_, t) = Line::with_topic(world, 1);
    let (g, x) = (world.unique("group"), world.unique("txn"));
    let mut each = Each::of(world, "may", TOPIC, &t);
    each.all(world, GROUP, &g, ALL);
    each.all(world, TRANSACTIONAL_ID, &x, WRITE);
    let refusal = TOPIC_AUTHORIZATION_FAILED;
    each.check("OffsetCommit", (NONE, READS), refusal, |line| {
        line.commit(&g, &t, BARE, 1)
    });
    each.check("OffsetFetch", (NONE, DESCRIBES), refusal, |line| {
        line.committed(&g, &t, false).1
    });
    // Of a partition that is not there: what is deleted cannot be deleted again.
    let answer = (UNKNOWN_TOPIC_OR_PARTITION, READS);
    each.check("OffsetDelete", answer, refusal, |line| {
        let one = OffsetDeleteRequestTopic::default()
            .with_name(topic(&t))
            .with_partitions(vec![
                OffsetDeleteRequestPartition::default().with_partition_index(5),
            ]);
        let request = OffsetDeleteRequest::default()
            .with_group_id(group(&g))
            .with_topics(vec![one]);
        line.ask(0, &request).topics[0].partitions[0].error_code
    });
    let unknown = INVALID_PRODUCER_ID_MAPPING;
    each.check("TxnOffsetCommit", (unknown, READS), refusal, |line| {
        staged(line, (&x, &g, &t))
    });
    each.check("AddPartitionsToTxn", (unknown, WRITES), refusal, |line| {
        added(line, &x, &t)
    });
}
